"""The ASGI shell: what reaches the application, as whom, and what never does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.authentication import requires
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from jwtguard import ConfigurationError, Identity, JWTGuardMiddleware, Kind, Reason, identity_of
from tests.kit.asgi_calls import Call, Probe, handshake, http_scope, lifespan, request, run, websocket_scope
from tests.kit.guarded import Events, bearer, guard, optional, protected, public, token

pytestmark = pytest.mark.anyio  # each test on asyncio and on trio

POLICY = (
    public("/health"),
    optional("/hello"),
    protected("/reports", scopes=frozenset({"reports:read"})),
    protected("/settings", scopes=frozenset({"admin"})),
    protected("WEBSOCKET /feed"),
    public("WEBSOCKET /news"),
)


@pytest.fixture
def probe() -> Probe:
    """The application behind the guard."""
    return Probe()


@pytest.fixture
def app(probe: Probe) -> JWTGuardMiddleware:
    """The guarded application."""
    return JWTGuardMiddleware(probe, guard=guard(*POLICY))


async def whoami(request: Request) -> JSONResponse:
    """Show what Starlette makes of the identity."""
    user = request.user
    return JSONResponse([user.is_authenticated, user.display_name, user.identity, request.auth.scopes])


@requires("authenticated")
async def members(request: Request) -> JSONResponse:
    """Let in everybody who is somebody."""
    return JSONResponse(request.user.subject)


@requires(["authenticated", "reports:read"])
async def readers(request: Request) -> JSONResponse:
    """Let in who has the scope."""
    return JSONResponse(request.user.subject)


@requires("admin")
def admins(request: Request) -> JSONResponse:
    """Let in who has another scope; not a coroutine, so Starlette runs it in a thread."""
    return JSONResponse(request.user.subject)


async def feed(websocket: WebSocket) -> None:
    """Tell the client who it is."""
    await websocket.accept()
    await websocket.send_text(websocket.user.subject)
    await websocket.close()


@pytest.fixture
def starlette() -> Starlette:
    """A Starlette application that accepts any token, and leaves scopes to @requires."""
    routes = [
        Route("/whoami", whoami),
        Route("/members", members),
        Route("/readers", readers),
        Route("/admins", admins),
        WebSocketRoute("/feed", feed),
        Mount("/v1", routes=[Route("/reports", members)]),
    ]
    policy = guard(optional("/**"), protected("/v1/**"), protected("WEBSOCKET /feed"))
    return Starlette(routes=routes, middleware=[Middleware(JWTGuardMiddleware, guard=policy)])


async def test_identity_is_in_the_scope(app: JWTGuardMiddleware, probe: Probe) -> None:
    """Section 4: the identity is in ``scope["user"]``, its scopes in ``scope["auth"]``; ``identity_of`` is typed."""
    call = await request(app, "GET", "/reports", [bearer(token(sub="ada", scope="reports:read b a"))])
    assert (call.status, call.body) == (200, b"from the application")
    (scope,) = probe.scopes
    assert type(scope["user"]) is Identity
    assert identity_of(scope) is scope["user"]
    assert (scope["user"].subject, scope["user"].policy) == ("ada", "/reports")
    assert scope["auth"].scopes == ["authenticated", "a", "b", "reports:read"]


async def test_the_rest_of_the_connection_is_untouched(app: JWTGuardMiddleware, probe: Probe) -> None:
    """Section 4: method, path, headers and the server's own state reach the application as they came."""
    scope = http_scope("GET", "/reports", [bearer(token()), (b"x-more", b"1")], query_string=b"a=b", state={"db": 1})
    before = {name: value for name, value in scope.items() if name != "headers"}
    headers = list(scope["headers"])
    await run(app, scope)
    assert {name: probe.scopes[0][name] for name in before} == before
    assert probe.scopes[0]["headers"] == headers


async def test_anonymous_on_a_public_endpoint(app: JWTGuardMiddleware, probe: Probe) -> None:
    """Section 4: a public endpoint sees an anonymous identity, whatever token came along."""
    for headers in ([], [bearer(token())], [bearer(b"junk")], [bearer(token()), bearer(token())]):
        assert (await request(app, "GET", "/health", headers)).status == 200
        scope = probe.scopes.pop()
        assert (scope["user"].is_authenticated, scope["user"].kind) == (False, Kind.ANONYMOUS)
        assert scope["auth"].scopes == []


async def test_optional_endpoint(app: JWTGuardMiddleware, probe: Probe) -> None:
    """R-POL-01: an optional endpoint is anonymous without a token, knows a good one and refuses a bad one."""
    assert (await request(app, "GET", "/hello")).status == 200
    assert not probe.scopes.pop()["user"].is_authenticated
    assert (await request(app, "GET", "/hello", [bearer(token(sub="ada"))])).status == 200
    assert probe.scopes.pop()["user"].subject == "ada"
    assert (await request(app, "GET", "/hello", [bearer(token(aud="https://other.example"))])).status == 401
    assert probe.scopes == []


async def test_a_planted_identity_is_overwritten(app: JWTGuardMiddleware, probe: Probe) -> None:
    """R-EXT-11: what something outside put where the identity belongs does not reach the application."""
    planted: dict[str, Any] = {"user": "root", "auth": "all", "jwtguard.identity": "root"}
    await request(app, "GET", "/health", **planted)
    assert not set(planted.values()) & {str(probe.scopes[0][name]) for name in planted}
    assert identity_of(probe.scopes[0]).kind is Kind.ANONYMOUS


def test_identity_of_an_unguarded_scope() -> None:
    """R-IDN-04: only the guard makes an identity; a user that somebody else put into the scope is none."""
    with pytest.raises(LookupError, match="JWTGuardMiddleware"):
        identity_of({"user": "root"})


def test_guard_must_be_a_guard() -> None:
    """The middleware checks its configuration when it is built, not at the first request."""
    with pytest.raises(ConfigurationError, match="not dict"):
        JWTGuardMiddleware(Probe(), guard={})  # type: ignore[arg-type]  # the mistake under test


async def test_starlette_user_and_auth(starlette: Starlette) -> None:
    """R-IDN-01: ``request.user`` and ``request.auth`` work as with Starlette's own authentication."""
    anonymous = await request(starlette, "GET", "/whoami")
    assert anonymous.body == b'[false,"","",[]]'
    known = await request(starlette, "GET", "/whoami", [bearer(token(sub="ada", scope="x"))])
    assert known.body == b'[true,"ada","https://login.example.com/#ada",["authenticated","x"]]'


@pytest.mark.parametrize(
    ("path", "scope", "status"),
    [
        ("/members", None, 403),
        ("/members", "", 200),
        ("/readers", None, 403),
        ("/readers", "other", 403),
        ("/readers", "reports:read", 200),
        ("/admins", "reports:read authenticated", 403),
        ("/admins", "admin", 200),
    ],
)
async def test_starlette_requires(starlette: Starlette, path: str, scope: str | None, status: int) -> None:
    """Section 4: ``@requires`` keeps working, for scopes and for "authenticated"; ``None`` stands for no token."""
    headers = [] if scope is None else [bearer(token(scope=scope))]
    assert (await request(starlette, "GET", path, headers)).status == status


async def test_starlette_websocket(starlette: Starlette) -> None:
    """Section 4: the endpoint of an accepted WebSocket sees the identity."""
    call = await handshake(starlette, "/feed", [bearer(token(sub="ada"))])
    assert call.types == ["websocket.accept", "websocket.send", "websocket.close"]
    assert call.sent[1]["text"] == "ada"


async def test_starlette_mount(starlette: Starlette) -> None:
    """F60: a mounted route is decided by the path that the router matches, and keeps the identity."""
    assert (await request(starlette, "GET", "/v1/reports")).status == 401
    assert (await request(starlette, "GET", "/v1/reports", [bearer(token(sub="ada"))])).body == b'"ada"'


@pytest.mark.parametrize(
    ("root_path", "path", "status"),
    [
        ("/api", "/api/health", 200),
        ("/api", "/api/reports", 401),
        ("/api", "/health", 403),  # outside of the application
        ("/api", "/apihealth", 403),  # a prefix ends at a slash
        ("/reports", "/reports/health", 200),
        ("", "/api/health", 403),
    ],
)
async def test_root_path(app: JWTGuardMiddleware, root_path: str, path: str, status: int) -> None:
    """F60: the path is read as Starlette routes it, decoded and without ``root_path``."""
    assert (await request(app, "GET", path, root_path=root_path)).status == status


REFUSED = {
    Reason.MISSING_TOKEN: ("/reports", []),
    Reason.AMBIGUOUS_CREDENTIALS: ("/reports", [bearer(b"a"), bearer(b"b")]),
    Reason.MALFORMED: ("/reports", [bearer(b"junk")]),
    Reason.SCOPE_MISSING: ("/settings", [bearer(token())]),
    Reason.NO_POLICY: ("/elsewhere", [bearer(token())]),
}


@pytest.mark.parametrize("reason", REFUSED)
async def test_a_refused_request_reaches_nobody(app: JWTGuardMiddleware, probe: Probe, reason: Reason) -> None:
    """F64, R-ERR-06: after a refusal the application is not called and the request body is never asked for."""
    path, headers = REFUSED[reason]
    call = await request(app, "POST", path, headers)
    assert call.types == ["http.response.start", "http.response.body"]
    assert call.status >= 400
    assert (probe.scopes, call.asked) == ([], 0)


async def test_an_allowed_body_is_left_to_the_application(probe: Probe) -> None:
    """F64: the guard reads nothing of an allowed request's body either."""
    app = JWTGuardMiddleware(probe, guard=guard(*POLICY))
    assert (await request(app, "POST", "/reports", [bearer(token())])).asked == 0


async def test_head_is_answered_without_a_body(app: JWTGuardMiddleware) -> None:
    """R-ERR-01: HEAD has the fields of GET, the length of its body included, and no body (RFC 9110, section 9.3.2)."""
    get, head = await request(app, "GET", "/reports"), await request(app, "HEAD", "/reports")
    assert get.body != b""
    assert (head.fields, head.status, head.body) == (get.fields, get.status, b"")


async def test_websocket_denied_in_http(app: JWTGuardMiddleware, probe: Probe) -> None:
    """F61: where the server can, a refused handshake gets the answer of a refused request, before any accept."""
    refused, plain = await handshake(app, "/feed"), await request(app, "GET", "/hello", [bearer(b"junk")])
    assert refused.types == ["websocket.http.response.start", "websocket.http.response.body"]
    assert (refused.status, refused.header(b"www-authenticate")) == (401, b"Bearer")
    junk = await handshake(app, "/feed", [bearer(b"junk")])
    assert (junk.status, junk.fields, junk.body) == (plain.status, plain.fields, plain.body)
    assert (probe.scopes, refused.asked) == ([], 0)


@pytest.mark.parametrize("extensions", [{"extensions": {}}, {"extensions": None}, {"extensions": {"tls": {}}}, {}])
async def test_websocket_denied_by_close(
    app: JWTGuardMiddleware, probe: Probe, extensions: dict[str, dict[str, object] | None]
) -> None:
    """F61: elsewhere it is closed with 1008, before any accept."""
    scope = {**websocket_scope("/feed", [bearer(b"junk")]), **extensions}
    if not extensions:
        del scope["extensions"]
    call = await run(app, scope)
    assert call.sent == [{"type": "websocket.close", "code": 1008}]
    assert (probe.scopes, call.asked) == ([], 0)


async def test_websocket_accepted(app: JWTGuardMiddleware, probe: Probe) -> None:
    """F61: a handshake with a good token, or to a public endpoint, is the application's to accept."""
    assert (await handshake(app, "/feed", [bearer(token(sub="ada"))])).types == ["websocket.accept"]
    assert probe.scopes.pop()["user"].subject == "ada"
    assert (await handshake(app, "/news")).types == ["websocket.accept"]
    assert not probe.scopes.pop()["user"].is_authenticated


async def test_websocket_is_a_method_of_its_own(app: JWTGuardMiddleware) -> None:
    """F61: a policy of a WebSocket says nothing about GET, so GET there is refused, and the other way round."""
    assert (await request(app, "GET", "/news")).status == 403
    only_get = JWTGuardMiddleware(Probe(), guard=guard(public("GET /news")))
    assert (await handshake(only_get, "/news")).status == 403


@pytest.mark.parametrize("kind", ["webtransport", "HTTP", "http ", "", "lifespan2"])
async def test_unknown_scope_types_are_refused(app: JWTGuardMiddleware, probe: Probe, kind: str) -> None:
    """F61, R-EXT-13: a connection of an unknown type is refused, with no call of the application."""
    call = Call()

    async def send(message: Message) -> None:
        call.sent.append(message)

    with pytest.raises(RuntimeError, match="type"):
        await app({"type": kind, "path": "/health", "headers": []}, _never, send)
    assert (probe.scopes, call.sent) == ([], [])


async def _never() -> Message:
    pytest.fail("something was received")


@pytest.mark.parametrize(
    "field", [(b":authorization", b"Bearer "), (b":path", b"/health"), (b":method", b"OPTIONS"), (b":scheme", b"https")]
)
async def test_pseudo_header_fields_decide_nothing(app: JWTGuardMiddleware, field: tuple[bytes, bytes]) -> None:
    """F61: HTTP/2 pseudo names among the headers are no credential, no path and no method."""
    name, value = field
    planted = (name, value + token() if name == b":authorization" else value)
    assert (await request(app, "GET", "/reports", [planted])).header(b"www-authenticate") == b"Bearer"


async def test_lifespan_passes(app: JWTGuardMiddleware, probe: Probe) -> None:
    """F61, R-EXT-13: the application's lifespan runs, and its answers reach the server unchanged."""
    call = await lifespan(app)
    assert call.types == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert [scope["type"] for scope in probe.scopes] == ["lifespan"]
    assert "user" not in probe.scopes[0]


@pytest.mark.parametrize("moment", ["before start-up", "after start-up", "at shutdown"])
@pytest.mark.parametrize("error", [ZeroDivisionError("mine"), ExceptionGroup("mine", [ValueError("a")])])
async def test_lifespan_errors_propagate_unwrapped(moment: str, error: Exception) -> None:
    """Section 4: what the application's own lifespan raises leaves the middleware in no group of ours."""

    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        if moment != "before start-up":
            await receive()
        if moment == "at shutdown":
            await send({"type": "lifespan.startup.complete"})
            await receive()
        raise error

    with pytest.raises(type(error)) as raised:
        await lifespan(JWTGuardMiddleware(failing, guard=guard(*POLICY)))
    assert raised.value.args == error.args  # trio rebuilds a group, with the same members
    assert getattr(raised.value, "exceptions", ()) == getattr(error, "exceptions", ())


async def test_starlette_lifespan_state() -> None:
    """Section 4: a Starlette lifespan runs behind the guard, with its start and its end."""
    seen: list[str] = []

    @asynccontextmanager
    async def span(app: Starlette) -> AsyncIterator[None]:
        seen.append("start")
        yield
        seen.append("end")

    policy = guard(public("/**"))
    app = Starlette(lifespan=span, middleware=[Middleware(JWTGuardMiddleware, guard=policy)])
    assert (await lifespan(app)).types == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert seen == ["start", "end"]


PREFLIGHT = [(b"origin", b"https://app.example"), (b"access-control-request-method", b"GET")]


async def test_preflight_is_no_exception(probe: Probe) -> None:
    """R-EXT-13: a CORS preflight passes where the policy says so, anonymous, and is refused elsewhere."""
    app = JWTGuardMiddleware(probe, guard=guard(protected("/reports"), public("OPTIONS /open"), protected("/open")))
    assert (await request(app, "OPTIONS", "/reports", PREFLIGHT)).status == 401
    assert probe.scopes == []
    assert (await request(app, "OPTIONS", "/open", [*PREFLIGHT, bearer(token())])).status == 200
    assert not probe.scopes[0]["user"].is_authenticated


async def test_preflight_reaches_only_the_cors_layer(probe: Probe) -> None:
    """R-EXT-13: a CORS layer outside answers preflights itself; every other request is still decided."""
    events = Events()
    inner = JWTGuardMiddleware(probe, guard=guard(*POLICY, on_event=events))
    app = CORSMiddleware(inner, allow_origins=["https://app.example"], allow_headers=["authorization"])
    assert (await request(app, "OPTIONS", "/reports", PREFLIGHT)).status == 200
    assert (events, probe.scopes) == ([], [])
    refused = await request(app, "GET", "/reports", PREFLIGHT[:1])
    assert (refused.status, events.reasons) == (401, [Reason.MISSING_TOKEN])
    assert refused.header(b"access-control-allow-origin") == b"https://app.example"
