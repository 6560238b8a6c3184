"""The ASGI faces: Starlette, FastAPI, decorators alone, and the middleware around an application without routes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import unquote

import anyio
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from jwtguard import Guard, JWTGuardMiddleware, identity_of
from tests.kit.asgi_calls import Call, Probe, http_scope, run, websocket_scope
from tests.scenarios.faces.guards import declaring, guard_of, named
from tests.scenarios.faces.places import PLACES, BrokenError, Place
from tests.scenarios.faces.row import Sent, Trait
from tests.scenarios.faces.seen import FROM_THE_APPLICATION, Journal, Seen

Run = Callable[[ASGIApp, Scope], Any]
_DECORATED = (Trait.DECORATORS, Trait.DECORATED_STARLETTE)


class AsgiFace:
    """An application in process, its requests made by hand as uvicorn would make them.

    Attributes:
        app: With the guard before it.
        guard: The guard.
        journal: What happens inside.
    """

    def __init__(
        self, name: str, app: ASGIApp, guard: Guard, journal: Journal, *traits: Trait, backend: str = "asyncio",
        call: Run = run,
    ) -> None:  # fmt: skip
        self.name = f"{name} {backend}"
        self.app = app
        self.guard = guard
        self.journal = journal
        self.traits = frozenset(traits)
        self.backend = backend
        self._run = call

    def send(self, sent: Sent) -> Seen:
        """Send a request and see what comes of it."""
        call = self._call(scope_of(sent))
        if call is None:
            return self.journal.seen(500, [], b"")
        kind = call.sent[0]["type"]
        if kind in {"websocket.accept", "websocket.close"}:
            return self.journal.seen(200 if kind == "websocket.accept" else call.sent[0]["code"], [], b"")
        fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in call.fields]
        return self.journal.seen(call.status, fields, call.body, call.asked)

    def close_code(self, sent: Sent) -> tuple[list[str], object]:
        """Ask a server for a WebSocket that cannot answer a handshake in HTTP; return what was sent, and the code."""
        call = self._call({**scope_of(sent), "extensions": {}})
        assert call is not None
        return call.types, call.sent[0].get("code")

    def log(self) -> str:
        """Nothing: what is logged in process, pytest has."""
        return ""

    def _call(self, scope: Scope) -> Call | None:
        try:
            found: Call = anyio.run(self._run, self.app, scope, backend=self.backend)
        except BrokenError:  # the server's business, and a 500
            return None
        return found


def scope_of(sent: Sent) -> Scope:
    """Read a request as uvicorn does."""
    raw, _, query = sent.target.partition("?")
    fields = [(name.lower(), value) for name, value in sent.fields]
    more = {"raw_path": raw.encode("latin-1"), "query_string": query.encode("latin-1")}
    if sent.is_socket:
        return websocket_scope(unquote(raw), fields, **more, scheme="wss" if sent.scheme == "https" else "ws")
    return http_scope(sent.method, unquote(raw), fields, **more, scheme=sent.scheme)


def starlette(backend: str) -> AsgiFace:
    """Starlette behind the middleware."""
    journal = Journal()
    guard = guard_of(journal)
    app = Starlette(routes=[_route(place, handler(place, journal)) for place in PLACES])
    app.add_middleware(JWTGuardMiddleware, guard=guard)
    return AsgiFace("starlette", app, guard, journal, backend=backend)


def fastapi(backend: str) -> AsgiFace:
    """FastAPI behind the middleware."""
    journal = Journal()
    guard = guard_of(journal)
    app = FastAPI(openapi_url=None)
    for place in PLACES:
        _add(app, place, handler(place, journal))
    app.add_middleware(JWTGuardMiddleware, guard=guard)
    return AsgiFace("fastapi", app, guard, journal, backend=backend)


def bare_asgi(backend: str) -> AsgiFace:
    """The middleware alone, around an application that says yes to everything."""
    journal = Journal()
    guard = guard_of(journal)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await Probe()(scope, receive, send)
            return
        identity = identity_of(scope)
        journal.enter(identity.policy, identity)
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": FROM_THE_APPLICATION})

    return AsgiFace("bare asgi", JWTGuardMiddleware(app, guard=guard), guard, journal, backend=backend)


def decorated_starlette(backend: str) -> AsgiFace:
    """Starlette with decorators alone, whose routes the guard was shown."""
    journal = Journal()
    guard = declaring(journal)
    routes = [_route(place, guard.protect(place.demands)(handler(place, journal))) for place in PLACES]
    app = Starlette(routes=routes)
    guard.bind(app)
    return AsgiFace("decorated starlette", app, guard, journal, *_DECORATED, backend=backend)


def decorated_fastapi(backend: str) -> AsgiFace:
    """FastAPI with decorators alone; every other function is one that runs in a thread."""
    journal = Journal()
    guard = declaring(journal)
    app = FastAPI(openapi_url=None)
    for place in PLACES:
        plain = len(place.name) % 2 == 0 and not place.is_socket
        _add(app, place, guard.protect(place.demands)((threaded if plain else handler)(place, journal)))
    guard.bind(app)
    return AsgiFace("decorated fastapi", app, guard, journal, *_DECORATED, backend=backend)


def handler(place: Place, journal: Journal) -> Callable[..., Any]:
    """A function for a route: it notes that it runs, and for whom."""

    async def socket(websocket: WebSocket) -> None:
        journal.enter(place.name, identity_of(websocket.scope))
        await websocket.accept()
        await websocket.close()

    async def endpoint(request: Request) -> Response:
        journal.enter(place.name, identity_of(request.scope))
        return PlainTextResponse(FROM_THE_APPLICATION)

    return named(place, socket if place.is_socket else endpoint)


def threaded(place: Place, journal: Journal) -> Callable[..., Any]:
    """A plain function for a route."""

    def endpoint(request: Request) -> Response:
        journal.enter(place.name, identity_of(request.scope))
        return PlainTextResponse(FROM_THE_APPLICATION)

    return named(place, endpoint)


def _path(place: Place) -> str:
    return place.path.replace("**", "{rest:path}")


def _route(place: Place, target: Callable[..., Any]) -> BaseRoute:
    if place.is_socket:
        return WebSocketRoute(_path(place), target)
    return Route(_path(place), target, methods=list(place.methods))


def _add(app: FastAPI, place: Place, target: Callable[..., Any]) -> None:
    if place.is_socket:
        app.add_api_websocket_route(_path(place), target)
    else:
        app.add_api_route(_path(place), target, methods=list(place.methods), response_model=None)


ASGI_FACES: Final[Mapping[str, Callable[[], AsgiFace]]] = {
    "starlette": partial(starlette, "asyncio"),
    "starlette_trio": partial(starlette, "trio"),
    "fastapi": partial(fastapi, "asyncio"),
    "bare_asgi": partial(bare_asgi, "asyncio"),
    "bare_asgi_trio": partial(bare_asgi, "trio"),
    "decorated_starlette": partial(decorated_starlette, "asyncio"),
    "decorated_starlette_trio": partial(decorated_starlette, "trio"),
    "decorated_fastapi": partial(decorated_fastapi, "asyncio"),
}
