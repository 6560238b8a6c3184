"""Token cookies: the strongest form by default, reasons for anything less, nothing shown (R-STO-01, 02, 04, 09)."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from http.cookies import SimpleCookie
from typing import Any

import pytest

from jwtguard import ConfigurationError
from jwtguard.issuing import CookieTooLargeError, CookieValueError, CsrfCookie, SameSite, TokenCookie

NOW = 1_767_225_600.0
TOKEN = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl"
NO_STORE = ("Cache-Control", "no-store")


def attributes(cookie: TokenCookie | CsrfCookie) -> list[str]:
    """The attributes of a cookie that lives for a minute."""
    (name, value), no_store = cookie.set(TOKEN, expires_at=NOW + 60, now=NOW)
    assert (name, no_store) == ("Set-Cookie", NO_STORE)
    pair, *rest = value.split("; ")
    assert pair == f"{cookie.name}={TOKEN}"
    return rest


def refused(make: Callable[[], object]) -> ConfigurationError:
    """The error of a cookie that cannot be described so."""
    with pytest.raises(ConfigurationError) as caught:
        make()
    return caught.value


def test_by_default_a_token_cookie_has_the_strongest_form() -> None:
    """R-STO-01: ``__Host-``, Secure, HttpOnly, Path=/, no Domain, SameSite=Strict."""
    cookie = TokenCookie()
    assert cookie.name == "__Host-token"
    assert attributes(cookie) == ["Max-Age=60", "Path=/", "Secure", "HttpOnly", "SameSite=Strict"]


@pytest.mark.parametrize(
    ("cookie", "expected"),
    [
        (TokenCookie(name="__Host-Http-token"), ["Path=/", "Secure", "HttpOnly", "SameSite=Strict"]),
        (TokenCookie(same_site=SameSite.LAX), ["Path=/", "Secure", "HttpOnly", "SameSite=Lax"]),
        (TokenCookie(name="__Secure-refresh", path="/renew"), ["Path=/renew", "Secure", "HttpOnly", "SameSite=Strict"]),
        (TokenCookie(name="__Http-refresh", path="/renew"), ["Path=/renew", "Secure", "HttpOnly", "SameSite=Strict"]),
    ],
)
def test_the_choices_that_weaken_nothing_need_no_reason(cookie: TokenCookie, expected: list[str]) -> None:
    """R-STO-01: ``__Host-Http-``, Lax and path-limited ``__Secure-`` cookies are a plain choice."""
    assert attributes(cookie)[1:] == expected
    assert not cookie.weaker


WEAKER: list[tuple[str, dict[str, Any], list[str], str]] = [
    ("domain", {"name": "__Secure-t", "domain": "example.com"},
     ["Path=/", "Domain=example.com", "Secure", "HttpOnly", "SameSite=Strict"], "domain"),
    ("same_site", {"same_site": SameSite.NONE}, ["Path=/", "Secure", "HttpOnly", "SameSite=None"], "same_site"),
    ("prefix", {"name": "token"}, ["Path=/", "Secure", "HttpOnly", "SameSite=Strict"], "name"),
    ("prefix", {"name": "__Secure-token"}, ["Path=/", "Secure", "HttpOnly", "SameSite=Strict"], "name"),
    ("prefix", {"name": "refresh", "path": "/renew"}, ["Path=/renew", "Secure", "HttpOnly", "SameSite=Strict"], "name"),
]  # fmt: skip


@pytest.mark.parametrize(("weakness", "columns", "expected", "column"), WEAKER)
def test_what_is_weaker_needs_a_reason(
    weakness: str, columns: dict[str, Any], expected: list[str], column: str
) -> None:
    """R-STO-01: a weaker attribute needs a named override, which can be listed."""
    error = refused(lambda: TokenCookie(**columns))
    assert error.rule == "R-STO-01"
    assert error.key.endswith(f".{column}")
    assert f"weaker={{{weakness!r}:" in error.message
    assert ("could begin with __" in error.message) is (weakness == "prefix")
    cookie = TokenCookie(**columns, weaker={weakness: "the old portal"})
    assert attributes(cookie)[1:] == expected
    assert dict(cookie.weaker) == {weakness: "the old portal"}


def test_secure_and_http_only_are_left_out_by_their_reason_alone() -> None:
    """R-STO-01: there is no switch beside the reason."""
    readable = TokenCookie(weaker={"http_only": "a script sends it on"})
    assert attributes(readable)[1:] == ["Path=/", "Secure", "SameSite=Strict"]
    plain = TokenCookie(name="token", weaker={"secure": "an intranet without TLS", "prefix": "needs Secure"})
    assert attributes(plain)[1:] == ["Path=/", "HttpOnly", "SameSite=Strict"]


@pytest.mark.parametrize(
    ("columns", "column"),
    [
        ({"weaker": {"secure": "why"}}, "name"),
        ({"name": "__Secure-t", "path": "/r", "weaker": {"secure": "why"}}, "name"),
        ({"name": "__Host-Http-t", "weaker": {"http_only": "why"}}, "name"),
        ({"name": "__Http-t", "path": "/r", "weaker": {"http_only": "why"}}, "name"),
        ({"path": "/renew"}, "name"),
        ({"path": "/renew", "weaker": {"prefix": "why"}}, "name"),
        ({"domain": "example.com", "weaker": {"domain": "why", "prefix": "why"}}, "name"),
        ({"name": "__Host-Http-t", "path": "/renew"}, "name"),
        ({"domain": "example.com", "weaker": {"domain": "why"}}, "name"),
        ({"name": "t", "same_site": SameSite.NONE,
          "weaker": {"secure": "a", "same_site": "b", "prefix": "c"}}, "same_site"),
    ],
)  # fmt: skip
def test_what_browsers_would_drop_is_refused(columns: dict[str, Any], column: str) -> None:
    """R-STO-01: a cookie that contradicts its prefix is a configuration error, not a login that never sticks."""
    assert refused(lambda: TokenCookie(**columns)).key.endswith(f".{column}")


@pytest.mark.parametrize("weakness", ["domain", "same_site", "prefix"])
def test_a_reason_for_nothing_is_refused(weakness: str) -> None:
    """R-STO-01: an override that overrides nothing hides the next one."""
    assert refused(lambda: TokenCookie(weaker={weakness: "why"})).key.endswith(f"weaker.{weakness}")


@pytest.mark.parametrize("reason", ["", "  ", None, True])
def test_an_override_without_a_reason_is_refused(reason: Any) -> None:
    """R-STO-01: the reason is what the lint shows."""
    assert "reason" in refused(lambda: TokenCookie(weaker={"http_only": reason})).message


def test_a_misspelt_override_is_told_with_the_right_spelling() -> None:
    """R-STO-01: ``httponly`` must not look like an override and be none."""
    assert "'http_only'" in str(refused(lambda: TokenCookie(weaker={"httponly": "why"})))


@pytest.mark.parametrize(
    "columns",
    [
        *[{"name": name} for name in ("", "__Host-", "__Host-Http-", "a b", "a;b", "a=b", "tök", "a\r\nb")],
        # Browsers read the prefix without regard to case, so a name must not hide one.
        *[{"name": name, "weaker": {"prefix": "why"}} for name in ("__host-t", "__HOST-t", "__secure-t", "__HTTP-t")],
        {"name": "__Host-http-t"},
        *[{"name": "__Secure-t", "path": path} for path in ("", "renew", "/a;b", "/a\nb", "/ä")],
        *[{"name": "__Secure-t", "domain": domain, "weaker": {"domain": "why"}}
          for domain in (".a.com", "com", "a.com.", "a b.com", "a.com;x", "A.com", "-a.com", "ä.com", "a.com\n")],
        {"same_site": "Strict; Domain=example.com"},
        {"same_site": None},
    ],
)  # fmt: skip
def test_malformed_parts_are_refused(columns: dict[str, Any]) -> None:
    """R-STO-01: nothing can be smuggled into a cookie by its description."""
    refused(lambda: TokenCookie(**columns))


def test_a_description_cannot_be_changed() -> None:
    """R-STO-01: what was checked stays as it was, the reasons included."""
    reasons = {"http_only": "a script sends it on"}
    cookie = TokenCookie(weaker=reasons)
    reasons.clear()
    assert cookie.weaker == {"http_only": "a script sends it on"}
    with pytest.raises(TypeError):
        cookie.weaker["secure"] = "x"  # type: ignore[index]
    with pytest.raises(AttributeError):
        cookie.path = "/x"  # type: ignore[misc]
    assert hash(TokenCookie()) == hash(TokenCookie())


@pytest.mark.parametrize(("left_s", "life_s"), [(300, 300), (1, 1), (1.999, 1), (300.5, 300)])
def test_a_cookie_never_outlives_its_token(left_s: float, life_s: int) -> None:
    """R-STO-01: its life is the token's, rounded down."""
    for cookie in (TokenCookie(), CsrfCookie()):
        (_, value), _ = cookie.set(TOKEN, expires_at=NOW + left_s, now=NOW)
        assert f"; Max-Age={life_s};" in value
        assert TOKEN in value


@pytest.mark.parametrize("left_s", [0.999, 0, -1, -86_400])
def test_a_token_that_is_over_is_not_sent(left_s: float) -> None:
    """R-STO-01: without a whole second left, the browser is told to forget the cookie."""
    for cookie in (TokenCookie(), CsrfCookie()):
        assert cookie.set(TOKEN, expires_at=NOW + left_s, now=NOW) == cookie.clear()


@pytest.mark.parametrize("expires_at", [float("inf"), float("nan"), -float("inf")])
def test_a_token_without_an_end_is_refused(expires_at: float) -> None:
    """R-STO-01: a cookie whose life nothing bounds is not set."""
    with pytest.raises(CookieValueError):
        TokenCookie().set(TOKEN, expires_at=expires_at, now=NOW)


def test_clearing_names_the_same_cookie() -> None:
    """R-STO-01: what takes a cookie back has its name, path, domain and prefix conditions; its value is empty."""
    cookie = TokenCookie(name="__Secure-t", path="/renew", domain="example.com", weaker={"domain": "why"})
    assert cookie.clear() == (
        ("Set-Cookie", "__Secure-t=; Max-Age=0; Path=/renew; Domain=example.com; Secure; HttpOnly; SameSite=Strict"),
        NO_STORE,
    )
    assert CsrfCookie().clear()[0][1] == "__Host-csrf=; Max-Age=0; Path=/; Secure; SameSite=Strict"


def test_4096_bytes_of_name_and_value_fit_and_one_more_does_not() -> None:
    """R-STO-02: what browsers would drop is refused where it is issued, with the advice to keep it on the server."""
    room = 4096 - len("__Host-token")
    TokenCookie().set("a" * room, expires_at=NOW + 60, now=NOW)
    with pytest.raises(CookieTooLargeError, match="server-side reference"):
        TokenCookie().set("a" * (room + 1), expires_at=NOW + 60, now=NOW)


@pytest.mark.parametrize(
    "bad", ["", "a b", "a;b", 'a"b', "a,b", "a\\b", "a\r\nb", "a\x00", "a\x7f", "ä", "a\n", b"\xff"]
)
def test_values_outside_the_alphabet_of_cookies_are_refused(bad: str | bytes) -> None:
    """R-STO-01: nothing but cookie-octets (RFC 6265, section 4.1.1), so no second attribute or field."""
    with pytest.raises(CookieValueError):
        TokenCookie().set(bad, expires_at=NOW + 60, now=NOW)


def test_every_cookie_octet_may_be_used() -> None:
    """R-STO-01: the alphabet is that of the RFC, no smaller."""
    octets = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '",;\\')
    (_, value), _ = TokenCookie().set(octets.encode(), expires_at=NOW + 60, now=NOW)
    assert value.startswith(f"__Host-token={octets}; ")


@pytest.mark.parametrize("token", [f"{TOKEN} ", f"{TOKEN}{'x' * 4096}", f"{TOKEN}\n".encode()])
def test_no_error_shows_the_token(token: str | bytes) -> None:
    """F58: neither the message nor the chain behind it, nor the cookie's repr, holds any of the token."""
    cookie = TokenCookie()
    with pytest.raises((CookieTooLargeError, CookieValueError)) as caught:
        cookie.set(token, expires_at=NOW + 60, now=NOW)
    assert TOKEN[:16] not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None
    assert TOKEN[:16] not in repr(cookie)


def test_the_csrf_cookie_is_readable_by_scripts_and_by_nobody_else() -> None:
    """R-STO-04: the double-submit cookie has no HttpOnly, and no other host can plant it."""
    assert attributes(CsrfCookie()) == ["Max-Age=60", "Path=/", "Secure", "SameSite=Strict"]
    assert CsrfCookie().name == "__Host-csrf"
    assert attributes(CsrfCookie(name="__Host-x", same_site=SameSite.LAX))[-1] == "SameSite=Lax"


@pytest.mark.parametrize(
    "columns",
    [
        *[{"name": name} for name in ("csrf", "__Secure-csrf", "__Host-Http-csrf", "__host-csrf", "__Host-", "a;b")],
        {"same_site": SameSite.NONE},
        {"same_site": "strict"},
    ],
)
def test_a_csrf_cookie_that_another_host_could_set_is_refused(columns: dict[str, Any]) -> None:
    """R-STO-04: a double submit is worth nothing if a sub-domain can set its cookie."""
    refused(lambda: CsrfCookie(**columns))


def test_a_starlette_response_takes_both_cookies() -> None:
    """R-STO-09: as the module's docstring shows for Starlette and FastAPI."""
    from starlette.responses import Response  # noqa: PLC0415 - one framework a test

    response = Response()
    for cookie in (TokenCookie(), CsrfCookie()):
        for field in cookie.set(TOKEN, expires_at=NOW + 60, now=NOW):
            response.headers.append(*field)
    lines = response.headers.getlist("set-cookie")
    assert [line.partition("=")[0] for line in lines] == ["__Host-token", "__Host-csrf"]
    assert set(response.headers.getlist("cache-control")) == {"no-store"}


def test_a_flask_response_takes_both_cookies() -> None:
    """R-STO-09: as the module's docstring shows for Flask, through a real application."""
    from flask import Flask, Response  # noqa: PLC0415 - one framework a test

    app = Flask(__name__)

    @app.post("/login")
    def login() -> Response:
        response = Response("in")
        response.headers.extend(TokenCookie().set(TOKEN, expires_at=NOW + 60, now=NOW))
        response.headers.extend(CsrfCookie().set("proof", expires_at=NOW + 60, now=NOW))
        return response

    answer = app.test_client().post("/login")
    assert answer.headers.getlist("Set-Cookie") == [
        TokenCookie().set(TOKEN, expires_at=NOW + 60, now=NOW)[0][1],
        CsrfCookie().set("proof", expires_at=NOW + 60, now=NOW)[0][1],
    ]
    assert set(answer.headers.getlist("Cache-Control")) == {"no-store"}


def test_a_django_response_takes_both_cookies() -> None:
    """R-STO-09: as the module's docstring shows for Django, as its handlers then send it."""
    from django.conf import settings  # noqa: PLC0415 - one framework a test
    from django.http import HttpResponse  # noqa: PLC0415

    if not settings.configured:
        settings.configure()
    response = HttpResponse("in", content_type="text/plain")
    cookies = (TokenCookie(), CsrfCookie())
    for known in cookies:
        (_, cookie), (name, value) = known.set(TOKEN, expires_at=NOW + 60, now=NOW)
        response.cookies.load(cookie)
        response[name] = value
    sent: SimpleCookie = response.cookies
    for known in cookies:
        own = known.set(TOKEN, expires_at=NOW + 60, now=NOW)[0][1]
        assert set(sent[known.name].OutputString().split("; ")) == set(own.split("; "))
    assert response["Cache-Control"] == "no-store"
