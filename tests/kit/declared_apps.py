"""The same endpoints three times: with decorators, with and without the middleware, and by endpoints of a policy."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, Final

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from jwtguard import Guard, JWTGuardMiddleware, identity_of
from jwtguard.core.endpoint import Access, Demands, access, at, cookie
from tests.kit.guarded import guard

READ: Final = access(scopes={"reports:read"})
PUBLIC: Final = Demands(access=Access.PUBLIC)
OPTIONAL: Final = Demands(access=Access.OPTIONAL, accept=("access",))
COOKIE: Final = access(carriers=(cookie("session"),))


async def read(request: Request) -> Response:
    """Say who calls, in every way that Starlette knows."""
    who = identity_of(request.scope)
    return JSONResponse({"subject": who.subject, "user": request.user is who, "scopes": request.auth.scopes})


def threaded(request: Request) -> Response:
    """Do so in a thread."""
    who = identity_of(request.scope)
    return JSONResponse({"subject": who.subject})


class Reader:
    """What a method is bound to."""

    async def get(self, request: Request) -> Response:
        """Be a method."""
        return await read(request)

    def post(self, request: Request) -> Response:
        """Be one that runs in a thread."""
        return threaded(request)


async def feed(websocket: WebSocket) -> None:
    """Greet and leave."""
    await websocket.accept()
    await websocket.send_text(identity_of(websocket.scope).subject)
    await websocket.close()


class Feeds(WebSocketEndpoint):
    """Greet and leave."""

    async def on_connect(self, websocket: WebSocket) -> None:
        """Be a class."""
        await feed(websocket)


FUNCTIONS: Final[tuple[tuple[str, str, Demands, Callable[..., Any]], ...]] = (
    ("GET", "/read", READ, read),
    ("GET", "/threaded", READ, threaded),
    ("GET", "/public", PUBLIC, read),
    ("GET", "/optional", OPTIONAL, read),
    ("POST", "/cookie", COOKIE, read),
)


class Way(Enum):
    """How the endpoints get their policies."""

    DECORATORS = "decorators alone"
    BOTH = "decorators and middleware"
    WRITTEN = "middleware and endpoints alone"


def build(framework: type[Starlette], way: Way, **more: Any) -> tuple[ASGIApp, Guard]:
    """Build an application of Starlette or FastAPI whose endpoints have their policies in one of the ways."""
    written = [("GET /class", READ), ("GET /method", READ), ("WEBSOCKET /feed", READ), ("WEBSOCKET /feeds", READ)]
    written += [(f"{method} {path}", demands) for method, path, demands, _ in FUNCTIONS]
    endpoints = [at((match,), demands) for match, demands in written] if way is Way.WRITTEN else []
    policy = guard(*endpoints, **more)
    protect: Callable[[Demands], Callable[..., Any]] = policy.protect
    if way is Way.WRITTEN:
        protect = lambda _: lambda target: target  # noqa: E731 - in the place of a bound method
    app = _fastapi(protect) if framework is FastAPI else _starlette(protect)
    if way is not Way.DECORATORS:
        app.add_middleware(JWTGuardMiddleware, guard=policy)
    return app, policy


def _starlette(protect: Callable[[Demands], Callable[..., Any]]) -> Starlette:
    whole = type("Whole", (Reader, HTTPEndpoint), {"post": None})  # a decorator changes the class it gets
    method = type("Method", (HTTPEndpoint,), {"get": protect(READ)(Reader.get)})
    feeds = type("OwnFeeds", (Feeds,), {})
    routes = [Route(path, protect(demands)(target), methods=[name]) for name, path, demands, target in FUNCTIONS]
    return Starlette(
        routes=[
            *routes,
            Route("/class", protect(READ)(whole)),
            Route("/method", method),
            WebSocketRoute("/feed", protect(READ)(feed)),
            WebSocketRoute("/feeds", protect(READ)(feeds)),
        ]
    )


def _fastapi(protect: Callable[[Demands], Callable[..., Any]]) -> FastAPI:
    app = FastAPI(openapi_url=None)
    for name, path, demands, target in FUNCTIONS:
        app.api_route(path, methods=[name])(protect(demands)(target))
    methods = type("Methods", (), {"get": protect(READ)(Reader.get), "post": protect(READ)(Reader.post)})()
    app.get("/class")(methods.get)
    app.get("/method")(methods.post)
    for path in ("/feed", "/feeds"):
        app.websocket(path)(protect(READ)(feed))
    return app
