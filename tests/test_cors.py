"""CORS, whichever of the CORS layer and the guard is outside: preflights reach it alone, refusals carry its headers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from jwtguard import Guard, JWTGuardMiddleware, Reason
from tests.kit.asgi_calls import Call, Fields, Probe, handshake, request
from tests.kit.guarded import Events, bearer, guard, protected, public, token

pytestmark = pytest.mark.anyio

PAGE = b"https://app.example"
ORIGIN = (b"origin", PAGE)
PREFLIGHT = [ORIGIN, (b"access-control-request-method", b"GET"), (b"access-control-request-headers", b"authorization")]
CORS = Middleware(
    CORSMiddleware,
    allow_origins=[PAGE.decode()],
    allow_headers=["authorization"],
    allow_credentials=True,
    expose_headers=["www-authenticate"],
)
ALLOWED = {
    b"access-control-allow-origin": PAGE,
    b"access-control-allow-credentials": b"true",
    b"access-control-expose-headers": b"www-authenticate",
}

Build = Callable[[Guard, list[str]], ASGIApp]


def routes(reached: list[str]) -> list[Route]:
    """Endpoints that tell when they are reached, also by OPTIONS."""

    async def endpoint(request: Request) -> PlainTextResponse:
        reached.append(f"{request.method} {request.url.path}")
        return PlainTextResponse("here")

    methods = ["GET", "POST", "OPTIONS"]
    return [Route(path, endpoint, methods=methods) for path in ("/reports", "/news", "/elsewhere")]


def added(framework: type[Starlette], *order: str) -> Build:
    """Build an application by ``add_middleware``: what is added last is outermost."""

    def build(policy: Guard, reached: list[str]) -> ASGIApp:
        app = framework()
        app.router.routes.extend(routes(reached))
        for name in order:
            layers = {"cors": CORS, "guard": Middleware(JWTGuardMiddleware, guard=policy)}
            layer = layers.get(name, Middleware(GZipMiddleware))
            app.add_middleware(layer.cls, *layer.args, **layer.kwargs)
        return app

    return build


def around(policy: Guard, reached: list[str]) -> ASGIApp:
    """Put the guard around a whole application that has the CORS layer inside."""
    return JWTGuardMiddleware(Starlette(routes=routes(reached), middleware=[CORS]), guard=policy)


def in_router(policy: Guard, reached: list[str]) -> ASGIApp:
    """Put the guard directly around a CORS layer around a router."""
    return JWTGuardMiddleware(CORS.cls(Router(routes(reached)), *CORS.args, **CORS.kwargs), guard=policy)


BUILDS: dict[str, Build] = {
    "starlette, cors outside": added(Starlette, "guard", "cors"),
    "starlette, cors inside": added(Starlette, "cors", "guard"),
    "starlette, cors far inside": added(Starlette, "cors", "gzip", "guard"),
    "fastapi, cors outside": added(FastAPI, "guard", "cors"),
    "fastapi, cors inside": added(FastAPI, "cors", "guard"),
    "guard around the application": around,
    "guard around the cors layer": in_router,
}
INSIDE = {name: build for name, build in BUILDS.items() if "outside" not in name}


class World:
    """One guarded application, what it was reached by and what was decided."""

    def __init__(self, build: Build) -> None:
        self.reached: list[str] = []
        self.events = Events()
        self.app = build(guard(protected("/reports"), public("/news"), on_event=self.events), self.reached)

    async def ask(self, method: str, path: str, headers: Fields) -> Call:
        """Send a request."""
        return await request(self.app, method, path, headers)


@pytest.fixture(params=list(BUILDS.values()), ids=list(BUILDS))
def world(request: pytest.FixtureRequest) -> World:
    """Every order of the layers."""
    return World(request.param)


@pytest.fixture(params=list(INSIDE.values()), ids=list(INSIDE))
def inside(request: pytest.FixtureRequest) -> World:
    """Every order that has the CORS layer below the guard."""
    return World(request.param)


@pytest.mark.parametrize("path", ["/reports", "/news", "/nowhere"])
async def test_a_preflight_reaches_the_cors_layer_alone(world: World, path: str) -> None:
    """R-EXT-13: a genuine preflight is answered by the CORS layer; nothing is decided, no handler called."""
    call = await world.ask("OPTIONS", path, PREFLIGHT)
    assert (call.status, call.header(b"access-control-allow-origin")) == (200, PAGE)
    assert call.header(b"access-control-allow-headers") is not None
    assert (world.reached, world.events) == ([], [])


async def test_a_preflight_of_a_strange_origin_is_refused_by_the_cors_layer(world: World) -> None:
    """R-EXT-13: what the CORS layer does not allow stays not allowed, whoever passes the question on."""
    call = await world.ask("OPTIONS", "/reports", [(b"origin", b"https://evil.example"), *PREFLIGHT[1:]])
    assert (call.status, call.header(b"access-control-allow-origin")) == (400, None)
    assert (world.reached, world.events) == ([], [])


REFUSALS: dict[str, tuple[str, list[tuple[bytes, bytes]], int]] = {
    "no token": ("/reports", [], 401),
    "bad token": ("/reports", [bearer(b"junk")], 401),
    "malformed": ("/reports", [(b"authorization", b"Bearer a b")], 400),
    "no policy": ("/elsewhere", [bearer(token())], 403),
}


@pytest.mark.parametrize(("path", "headers", "status"), REFUSALS.values(), ids=REFUSALS)
async def test_a_refusal_has_the_headers_of_the_cors_layer(
    world: World, path: str, headers: list[tuple[bytes, bytes]], status: int
) -> None:
    """R-EXT-13: a page sees why it was refused: same answer as without CORS, and the headers that show it."""
    call = await world.ask("GET", path, [ORIGIN, *headers])
    assert call.status == status
    assert {name: call.header(name) for name in ALLOWED} == ALLOWED
    assert b"origin" in (call.header(b"vary") or b"").lower()
    plain = await request(JWTGuardMiddleware(Probe(), guard=guard(protected("/reports"))), "GET", path, headers)
    ours = {name: value for name, value in call.fields if name not in {*ALLOWED, b"vary"}}
    assert (ours, call.body) == (dict(plain.fields), plain.body)
    assert world.reached == []


async def test_a_refusal_shows_nothing_to_a_strange_origin(world: World) -> None:
    """R-EXT-13: an origin that the CORS layer does not know gets the refusal without leave to read it."""
    call = await world.ask("GET", "/reports", [(b"origin", b"https://evil.example")])
    assert (call.status, call.header(b"access-control-allow-origin")) == (401, None)


async def test_a_refusal_without_origin_allows_nobody(world: World) -> None:
    """R-EXT-13: who is not a page of another origin gets the same answer, with no origin allowed."""
    call = await world.ask("GET", "/reports", [])
    assert (call.status, call.header(b"access-control-allow-origin")) == (401, None)


async def test_an_allowed_response_has_the_headers_once(world: World) -> None:
    """R-EXT-13, R-STO-09: what the application answers has each header once, and varies on origin and credential."""
    call = await world.ask("GET", "/reports", [ORIGIN, bearer(token())])
    assert (call.status, world.reached) == (200, ["GET /reports"])
    assert call.header(b"access-control-allow-origin") == PAGE
    varies = {name.strip().lower() for name in (call.header(b"vary") or b"").split(b",")}
    assert {b"origin", b"authorization"} <= varies


NO_PREFLIGHTS: dict[str, tuple[str, list[tuple[bytes, bytes]]]] = {
    "another method": ("POST", PREFLIGHT),
    "small letters": ("options", PREFLIGHT),
    "no origin": ("OPTIONS", PREFLIGHT[1:]),
    "no method asked for": ("OPTIONS", PREFLIGHT[:1]),
    "two origins": ("OPTIONS", [*PREFLIGHT, ORIGIN]),
    "two methods": ("OPTIONS", [*PREFLIGHT, PREFLIGHT[1]]),
    "a body": ("OPTIONS", [*PREFLIGHT, (b"Content-Length", b"4")]),
    "a body in pieces": ("OPTIONS", [*PREFLIGHT, (b"transfer-encoding", b"chunked")]),
}


@pytest.mark.parametrize(("method", "headers"), NO_PREFLIGHTS.values(), ids=NO_PREFLIGHTS)
async def test_what_only_looks_like_a_preflight_is_decided(
    inside: World, method: str, headers: list[tuple[bytes, bytes]]
) -> None:
    """R-EXT-13: nothing but what a browser asks before a request passes undecided."""
    call = await inside.ask(method, "/reports", headers)
    assert call.status in {401, 403}
    assert inside.reached == []
    assert inside.events.reasons in ([Reason.MISSING_TOKEN], [Reason.NO_POLICY])


async def test_an_empty_body_is_none(inside: World) -> None:
    """R-EXT-13: a proxy that announces a length of nought makes a preflight no other request."""
    call = await inside.ask("OPTIONS", "/reports", [*PREFLIGHT, (b"content-length", b"0")])
    assert (call.status, inside.events) == (200, [])


async def test_a_preflight_reads_no_token(inside: World) -> None:
    """R-EXT-13: a preflight has no identity, whatever token came with it, good or bad."""
    credentials: tuple[Fields, ...] = ([], [bearer(token())], [bearer(b"junk")])
    answers = [await inside.ask("OPTIONS", "/reports", [*PREFLIGHT, *more]) for more in credentials]
    assert answers[0].sent == answers[1].sent == answers[2].sent
    assert inside.events == []


@pytest.mark.parametrize("path", ["/reports", "/nowhere"])
async def test_without_a_cors_layer_a_preflight_is_a_request(path: str) -> None:
    """R-EXT-13: with nobody to answer it, a preflight is decided like any other request."""
    probe, events = Probe(), Events()
    policy = guard(protected("/reports"), on_event=events)
    app = JWTGuardMiddleware(Starlette(routes=[Route("/x", probe)]), guard=policy)
    call = await request(app, "OPTIONS", path, PREFLIGHT)
    assert (call.status, len(events)) == ({"/reports": 401, "/nowhere": 403}[path], 1)
    assert call.header(b"access-control-allow-origin") is None
    assert probe.scopes == []


async def test_the_handshake_of_a_websocket_knows_no_cors(inside: World) -> None:
    """R-EXT-12: CORS says nothing of WebSockets; a refused handshake is answered without its headers."""
    call = await handshake(inside.app, "/reports", PREFLIGHT)
    assert call.status == 401
    assert call.header(b"access-control-allow-origin") is None


async def test_looking_for_the_layer_harms_nothing(inside: World) -> None:
    """R-EXT-13: a refusal that comes before anything else does not get in the way of the requests that follow."""
    assert (await inside.ask("GET", "/reports", [ORIGIN])).header(b"access-control-allow-origin") == PAGE
    assert (await inside.ask("GET", "/reports", [bearer(token())])).status == 200


async def test_layers_that_go_round_in_circles() -> None:
    """F66: an application whose ``app`` is itself ends the search, not the server."""

    class Circle:
        def __init__(self) -> None:
            self.app = self

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            raise AssertionError

    app = JWTGuardMiddleware(Circle(), guard=guard(protected("/reports")))
    assert (await request(app, "OPTIONS", "/reports", PREFLIGHT)).status == 401
