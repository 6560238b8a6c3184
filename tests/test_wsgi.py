"""The WSGI shell from outside: what the application, the server and the client see."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextvars import ContextVar, copy_context
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import pytest

from jwtguard import (
    ConfigurationError,
    Guard,
    JwksUri,
    Mode,
    Reason,
    Startup,
    Unavailable,
    current_identity,
    identity_of,
)
from jwtguard.current import CURRENT, IDENTITY_KEY
from jwtguard.wsgi import JWTGuardWSGI
from tests.kit.fake_clock import FakeClock
from tests.kit.fake_idp import FakeIdP
from tests.kit.guarded import FORGE, ISSUER, Events, bearer, guard, optional, protected, public, token
from tests.kit.wsgi_calls import WsgiCall, WsgiProbe, environ_of, request, run
from tests.scenarios.protected_api import Login, configured


@pytest.fixture
def policy() -> Guard:
    """A guard with an endpoint of each kind."""
    return guard(public("/health"), optional("/hello"), protected("/reports/{id}", "/"))


def test_identity_is_in_the_environ_and_in_the_context(policy: Guard) -> None:
    """R-IDN-05: the application finds the caller under a key of the environ, and by asking the context."""
    seen: list[str] = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        seen.extend([identity_of(environ).subject, current_identity().subject])
        return WsgiProbe()(environ, start_response)

    call = request(JWTGuardWSGI(app, guard=policy), "GET", "/reports/7", [bearer(token(sub="ada"))])
    assert (call.status, call.body, seen) == (200, b"from the application", ["ada", "ada"])
    with pytest.raises(LookupError):
        current_identity()


@pytest.mark.parametrize("path", ["/health", "/hello"])
def test_a_planted_identity_does_not_count(policy: Guard, path: str) -> None:
    """R-EXT-11: what an environ already holds under our key is replaced, on public and optional endpoints too."""
    probe = WsgiProbe()
    run(JWTGuardWSGI(probe, guard=policy), environ_of("GET", path) | {IDENTITY_KEY: "root"})
    assert identity_of(probe.environs[0]).is_authenticated is False


@pytest.mark.parametrize("headers", [[], [bearer(b"junk")], [bearer(token(aud="https://elsewhere.example"))]])
def test_a_refused_request_reaches_nobody(policy: Guard, headers: list[tuple[bytes, bytes]]) -> None:
    """R-POL-01: a refused request is answered once, with a status line, and the application is not called."""
    probe = WsgiProbe()
    call = request(JWTGuardWSGI(probe, guard=policy), "GET", "/reports/7", headers)
    assert (call.line, call.starts, probe.environs) == ("401 Unauthorized", 1, [])
    assert call.header(b"content-length") == str(len(call.body)).encode()


@pytest.mark.parametrize(("path", "line"), [("/reports/7", "401 Unauthorized"), ("/nothing", "403 Forbidden")])
def test_head_is_refused_without_a_body(policy: Guard, path: str, line: str) -> None:
    """R-POL-04: HEAD is decided as GET is and gets the same answer, but for the body."""
    app = JWTGuardWSGI(WsgiProbe(), guard=policy)
    head, get = request(app, "HEAD", path), request(app, "GET", path)
    assert (head.line, head.headers, head.body) == (line, get.headers, b"")
    assert get.body


def test_the_body_of_the_request_is_left_alone(policy: Guard) -> None:
    """F64: allowed or refused, the guard does not so much as look at ``wsgi.input``."""
    app = JWTGuardWSGI(WsgiProbe(), guard=policy)
    for headers in ([], [bearer(token())], [bearer(b"junk")]):
        announced = [*headers, (b"content-length", b"1073741824")]
        assert request(app, "POST", "/reports/7", announced).status in (200, 401)


class Stream:
    """A body made while it is sent, which notes who the caller is each time, and that it was closed."""

    def __init__(self, pieces: int = 3) -> None:
        self.seen: list[object] = []
        self._pieces = pieces

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer with itself."""
        start_response("200 OK", [])
        return self

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(self._pieces):
            self.seen.append(current_identity().subject)
            yield b"x"

    def close(self) -> None:
        """Note that the server closed it."""
        self.seen.append(f"closed for {current_identity().subject}")


def test_a_body_made_lazily_knows_the_caller(policy: Guard) -> None:
    """R-IDN-05: a generator that runs after the call runs in the context of its request, its end included."""
    stream = Stream()
    call = request(JWTGuardWSGI(stream, guard=policy), "GET", "/reports/7", [bearer(token(sub="ada"))])
    assert call.body == b"xxx"
    assert stream.seen == ["ada", "ada", "ada", "closed for ada"]
    assert CURRENT.get(None) is None


def test_a_body_nobody_reads_is_closed(policy: Guard) -> None:
    """F65: a client that leaves before the first piece leaves nothing open."""
    stream = Stream()
    environ = environ_of("GET", "/reports/7", [bearer(token(sub="ada"))])
    body: Any = JWTGuardWSGI(stream, guard=policy)(environ, lambda *_: lambda _: None)
    body.close()
    assert stream.seen == ["closed for ada"]


def test_two_bodies_in_turns(policy: Guard) -> None:
    """R-IDN-05: two responses that one thread makes in turns each see their own caller."""
    streams = {name: Stream() for name in ("ada", "eve")}
    bodies = []
    for name, stream in streams.items():
        environ = environ_of("GET", "/reports/7", [bearer(token(sub=name))])
        bodies.append(iter(JWTGuardWSGI(stream, guard=policy)(environ, lambda *_: lambda _: None)))
    for _ in range(3):
        for body in bodies:
            next(body)
    assert {name: stream.seen for name, stream in streams.items()} == {name: [name] * 3 for name in streams}


class FileWrapper:
    """What a server offers for files, and recognises when it gets it back."""

    def __iter__(self) -> Iterator[bytes]:
        yield b"file"


@pytest.mark.parametrize("body", [[b"a"], (b"a",), FileWrapper()], ids=["list", "tuple", "file"])
def test_ready_bodies_pass_untouched(policy: Guard, body: Iterable[bytes]) -> None:
    """R-POL-12: what a server treats specially (a list's length, its own file wrapper) reaches it as it is."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [])
        return body

    environ = environ_of("GET", "/health") | {"wsgi.file_wrapper": FileWrapper}
    assert JWTGuardWSGI(app, guard=policy)(environ, lambda *_: lambda _: None) is body


def test_the_old_way_to_write_still_works(policy: Guard) -> None:
    """R-POL-12: ``start_response`` is the server's own, its ``write`` included."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [])(b"written")
        return []

    assert request(JWTGuardWSGI(app, guard=policy), "GET", "/health").body == b"written"


class BugError(Exception):
    """What the application, or the guard, did not expect."""


def failing(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """An application with a bug."""
    raise BugError


def test_a_bug_of_the_application_is_the_servers(policy: Guard) -> None:
    """R-ERR-06: what the application raises reaches the server as it is, and leaves no identity behind."""
    with pytest.raises(BugError):
        request(JWTGuardWSGI(failing, guard=policy), "GET", "/reports/7", [bearer(token())])
    assert CURRENT.get(None) is None


def test_a_bug_of_a_rule_calls_nobody() -> None:
    """F66: a claim rule that raises is a server error; the application is not called."""
    from jwtguard.core.rules import check  # noqa: PLC0415 - only here

    def rule(_value: object) -> bool:
        raise BugError

    probe = WsgiProbe()
    app = JWTGuardWSGI(probe, guard=guard(protected("/reports", rules=(check("sub", rule),))))
    for _ in range(2):  # cold and warm
        with pytest.raises(BugError):
            request(app, "GET", "/reports", [bearer(token())])
    assert probe.environs == []


def test_a_broken_sink_decides_nothing(policy: Guard) -> None:
    """F66: what the event sink raises changes no answer."""

    def sink(_event: object) -> None:
        raise BugError

    app = JWTGuardWSGI(WsgiProbe(), guard=guard(protected("/reports"), on_event=sink))
    assert request(app, "GET", "/reports", [bearer(token())]).status == 200
    assert request(app, "GET", "/reports").status == 401


def test_only_a_guard_is_a_guard() -> None:
    """R-GOV-10: anything else in its place is found when the application is built."""
    with pytest.raises(ConfigurationError, match="guard must be"):
        JWTGuardWSGI(WsgiProbe(), guard="jwtguard.toml")  # type: ignore[arg-type]  # the mistake under test


def test_an_outer_identity_does_not_shine_through(policy: Guard) -> None:
    """R-IDN-05: a context that already holds an identity does not lend it to an anonymous request."""
    seen: list[bool] = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        seen.append(current_identity().is_authenticated)
        return WsgiProbe()(environ, start_response)

    guarded = JWTGuardWSGI(app, guard=policy)

    def outer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return guarded(environ_of("GET", "/health"), start_response)

    request(JWTGuardWSGI(outer, guard=policy), "GET", "/reports/7", [bearer(token())])
    assert seen == [False]


def test_mounted_applications_are_decided_by_what_they_see() -> None:
    """R-POL-12: a mounted application behind a guard of its own is decided again, by its own path."""
    inner, outer = WsgiProbe(), WsgiProbe()
    mounted = JWTGuardWSGI(inner, guard=guard(protected("/reports", scopes=frozenset({"inner"}))))

    def mount(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if not path.startswith("/mounted/"):
            return outer(environ, start_response)
        moved = {**environ, "SCRIPT_NAME": "/mounted", "PATH_INFO": path.removeprefix("/mounted")}
        return mounted(moved, start_response)

    app: WSGIApplication = JWTGuardWSGI(mount, guard=guard(protected("/mounted/**", "/other")))
    assert statuses(app, token(scope="inner")) == [200, 200]
    assert statuses(app, token(scope="none")) == [403, 200]
    assert len(inner.environs) == 1


def statuses(app: WSGIApplication, sent: bytes) -> list[int]:
    """What the mounted and the other path answer."""
    return [request(app, "GET", path, [bearer(sent)]).status for path in ("/mounted/reports", "/other")]


def test_eager_start_fetches_before_the_first_request() -> None:
    """R-JWK-11: with an eager policy keys are there once the application is built, before workers are forked."""
    with FakeIdP() as idp:
        login, clock = Login(idp), FakeClock()
        login.publish("k1")
        policy = Guard(configured(login, startup=Startup.EAGER), clock=clock)
        app = JWTGuardWSGI(WsgiProbe(), guard=policy)
        assert login.fetches == 1
        idp.stop()
        assert request(app, "GET", "/reports", [bearer(login.token(clock=clock))]).status == 200


def test_eager_start_fails_without_keys() -> None:
    """R-JWK-11: an eager policy whose issuer is down does not start."""
    with FakeIdP() as idp:
        login = Login(idp)
    with pytest.raises(Unavailable, match="login"):
        JWTGuardWSGI(WsgiProbe(), guard=Guard(configured(login, startup=Startup.EAGER)))


def dead() -> Guard:
    """A guard whose issuer nobody can reach."""
    with FakeIdP() as idp:
        address = idp.issuer
    issuer = type(ISSUER)(
        name="login",
        issuer=address,
        audience=ISSUER.audience,
        algorithms=ISSUER.algorithms,
        keys=JwksUri(f"{address}/keys"),
    )
    return guard(protected("/reports"), public("/health"), issuers=[issuer], mode=Mode.DEVELOPMENT, on_event=Events())


def test_no_keys_is_503() -> None:
    """R-ERR-05, F07: keys that cannot be had make 503 with Retry-After, never 401; public endpoints go on."""
    policy = dead()
    app = JWTGuardWSGI(WsgiProbe(), guard=policy)
    sent = FORGE.sign(FORGE.access_claims(iss=policy.table.config.issuers[0].issuer), key=FORGE.key())
    call: WsgiCall = request(app, "GET", "/reports", [bearer(sent)])
    assert (call.line, call.header(b"retry-after")) == ("503 Service Unavailable", b"1")
    assert request(app, "GET", "/health").status == 200
    assert policy._reporter._on_event.reasons[0] is Reason.KEYS_UNAVAILABLE  # type: ignore[union-attr]  # it is Events


def test_the_servers_context_shows_through(policy: Guard) -> None:
    """R-POL-12: what middleware outside of the guard put into the context, the application finds."""
    outer: ContextVar[str] = ContextVar("outer")
    seen: list[str] = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        seen.append(outer.get("nothing"))
        return WsgiProbe()(environ, start_response)

    context = copy_context()
    context.run(outer.set, "something")
    context.run(request, JWTGuardWSGI(app, guard=policy), "GET", "/health")
    assert seen == ["something"]


def test_contexts_are_copies(policy: Guard) -> None:
    """R-IDN-05: what an application leaves in its context is gone with its request."""
    before = dict(copy_context())
    request(JWTGuardWSGI(WsgiProbe(), guard=policy), "GET", "/reports/7", [bearer(token())])
    assert dict(copy_context()) == before
