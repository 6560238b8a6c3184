"""Doors that a third attacker found in what was newest; each was open once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from flask import Flask, Response, request, stream_with_context
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from jwtguard import ConfigurationError, InlineKeys, Issuer, JWTGuardWSGI, access, rules
from jwtguard.adapters.flask import JWTGuard
from jwtguard.connection import EndedError
from tests.kit.guarded import bearer, guard, protected, public, token
from tests.kit.wsgi_calls import environ_of, run
from tests.kit.wsgi_calls import request as ask

PAST = 331  # seconds after which the forge's tokens no longer hold
UPGRADE = [(b"connection", b"Upgrade"), (b"upgrade", b"websocket")]


def _prefix(inner: Any) -> Any:
    """What many sites have: it moves a prefix of the path into SCRIPT_NAME."""

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"].startswith("/v1/"):
            environ["SCRIPT_NAME"], environ["PATH_INFO"] = "/v1", environ["PATH_INFO"][3:]
        return inner(environ, start_response)  # type: ignore[no-any-return]

    return app


@pytest.mark.parametrize("wrap", [_prefix, lambda inner: DispatcherMiddleware(inner, {"/v1": inner})])
def test_a_prefix_taken_off_behind_the_guard_opens_nothing(wrap: Callable[[Any], Any]) -> None:
    """R-POL-03: what Flask routes is PATH_INFO alone, so a prefix moved into SCRIPT_NAME is another path."""
    app = Flask("prefixed", static_folder=None)
    app.add_url_rule("/admin/x", "admin", lambda: "secret")
    app.wsgi_app = wrap(app.wsgi_app)  # type: ignore[method-assign]
    JWTGuard(app, guard=guard(public("/**"), protected("/admin/**", scopes={"admin"})))
    app.testing = True
    with pytest.raises(RuntimeError, match="behind jwtguard changed"):
        app.test_client().get("/v1/admin/x")


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "POST"])
def test_a_handshake_by_another_method_reaches_no_websocket(method: str) -> None:
    """R-POL-03, F61: Werkzeug's WebSocket rules take HEAD too; what is no GET is no handshake (RFC 6455, 4.1)."""
    ran: list[str] = []
    app = Flask("sockets", static_folder=None)
    app.add_url_rule("/feed", "feed", lambda: ran.append(request.method) or "", websocket=True)
    app.add_url_rule("/feed", "page", lambda: "page")
    JWTGuard(app, guard=guard(public("GET /feed", "POST /feed", "OPTIONS /feed"), protected("WEBSOCKET /feed")))
    assert ask(app.wsgi_app, method, "/feed", UPGRADE).status == 403
    assert ran == []


@pytest.mark.parametrize(
    ("column", "value"),
    [("scopes", "a"), ("roles", "a"), ("kinds", "user"), ("rules", rules.equals("a", 1)), ("actors", "a")],
)
def test_what_is_read_once_is_no_column(column: str, value: object) -> None:
    """R-POL-06: an iterator would demand something of the first endpoint, and nothing of the next."""
    with pytest.raises(ConfigurationError, match=f"{column}: must be a collection, not a list_iterator"):
        access(**{column: iter([value])})  # type: ignore[misc]


def test_a_word_is_no_yes() -> None:
    """R-STO-06, R-ALG-09: ``"no"`` is true in Python, and would open a page to links, or allow HMAC."""
    with pytest.raises(ConfigurationError, match="navigable: must be a bool"):
        access(navigable="no")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="shared_secret: must be a bool"):
        Issuer(name="a", issuer="b", algorithms=("HS256",), keys=InlineKeys([]), shared_secret="no")  # type: ignore[arg-type]


def _behind(app: Any) -> tuple[Any, Any]:
    by = guard(protected("/x"))
    return by, lambda **more: run(JWTGuardWSGI(app, guard=by), environ_of("GET", "/x", (bearer(token()),), **more))


def test_what_is_written_ends_too() -> None:
    """R-EXT-12: the ``write`` of PEP 3333 streams nothing on after its token either."""
    sent: list[bytes] = []

    def app(_: dict[str, Any], start_response: Any) -> list[bytes]:
        write = start_response("200 OK", [("Content-Type", "text/event-stream")])
        for piece in (b"one", b"two", b"three"):
            write(piece)
            sent.append(piece)
            by._clock.advance(PAST)
        return []

    by, call = _behind(app)
    with pytest.raises(EndedError):
        call()
    assert sent == [b"one"]


def test_an_error_page_of_announced_length_is_not_cut() -> None:
    """R-EXT-12: what counts is the response that is sent, not the one it replaced."""

    def app(_: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/csv")])
        try:
            int("no number")
        except ValueError:
            start_response("500 Oops", [("Content-Length", "4")], sys.exc_info())
        by._clock.advance(PAST)
        return iter([b"oo", b"ps"])

    by, call = _behind(app)
    assert call().body == b"oops"


def test_the_end_stays_the_end() -> None:
    """R-EXT-12: who asks an ended stream again gets nothing more."""
    by = guard(protected("/x"))

    def app(_: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        return iter([b"a", b"b", b"c"])

    body = iter(JWTGuardWSGI(app, guard=by)(environ_of("GET", "/x", (bearer(token()),)), lambda *_: lambda _: None))
    assert next(body) == b"a"
    by._clock.advance(PAST)  # type: ignore[attr-defined]  # the kit's
    assert (next(body, None), next(body, None)) == (None, None)


def test_flasks_test_client_keeps_its_contexts() -> None:
    """R-POL-12: ``with app.test_client()`` works as it does without a guard, streams in their context included."""
    app = Flask("kept", static_folder=None)
    app.add_url_rule("/s", "s", lambda: Response(stream_with_context(request.path for _ in range(2))))
    JWTGuard(app, guard=guard(protected("/s")))
    head = {"Authorization": f"Bearer {token().decode()}"}
    with app.test_client() as client:
        assert client.get("/s", headers=head, base_url="https://api.example.com").text == "/s/s"
        assert request.path == "/s"


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("user_subjects", (["u|"],)),
        ("algorithms", iter(["RS256"])),
        ("tenants", (1,)),
        ("clients", "gty"),
        ("workloads", {"claim": "gty"}),
    ],
)
def test_columns_of_an_issuer_are_read_at_once(column: str, value: object) -> None:
    """R-POL-06: a value that no request could be judged by stops the start, not every request."""
    columns: dict[str, Any] = {"algorithms": ("RS256",), column: value}
    with pytest.raises(ConfigurationError, match=f"issuers.a.{column}: must be a"):
        Issuer(name="a", issuer="b", keys=InlineKeys([]), **columns)
