"""Thousands of crooked requests against real applications: no handler runs under another handler's policy."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import unquote

import anyio
import pytest
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from jwtguard import ConfigurationError, JWTGuardMiddleware, identity_of
from tests.kit.asgi_calls import Fields, http_scope, lifespan, run, websocket_scope
from tests.kit.guarded import bearer, guard, protected, public, token

SEED: Final = 60
REQUESTS: Final = 6000
"""For each of the two applications."""

FLAT: Final = (  # in the order of the routes; each name is a handler, its policy and the scope it demands
    ("home", "GET", "/"),
    ("items", "GET", "/items"),
    ("items_options", "OPTIONS", "/items"),
    ("create", "POST", "/items"),
    ("special", "GET", "/items/special"),
    ("item", "GET", "/items/{id}"),
    ("remove", "DELETE", "/items/{id}"),
    ("part", "GET", "/items/{id}/parts/{part}"),
    ("capital", "GET", "/Items"),
    ("folder", "GET", "/folder/"),
    ("no_folder", "GET", "/folder"),
    ("file", "GET", "/files/{path:path}"),
    ("upload", "PUT", "/files/{path:path}"),
    ("http_feed", "GET", "/feed"),
    ("admin", "GET", "/admin"),
)
SUB: Final = (("sub_home", "/"), ("sub_one", "/{x}"), ("sub_two", "/{a}/{b}"), ("sub_deep", "/deep/er/{x}"))
POLICIES: Final = {
    **{name: f"{method} {path.replace('{path:path}', '**')}" for name, method, path in FLAT},
    **{name: f"GET /sub{path}" for name, path in SUB},
    "user": "GET /t/{tenant}/users/{user}",
    "thing_get": "GET /thing",
    "thing_post": "POST /thing",
    "feed": "WEBSOCKET /feed",
    "legacy": "/legacy/**",
    "legacy_write": "POST /legacy/**",
    "legacy_feed": "WEBSOCKET /legacy/**",
    "static": "GET /static/**",
    "static_private": "GET /static/private/**",
}
STRAIGHT: Final = (  # requests without a trick; together they reach every handler
    "GET /", "GET /items", "OPTIONS /items", "POST /items", "GET /items/special", "GET /items/7", "DELETE /items/7",
    "GET /items/7/parts/8", "GET /Items", "GET /folder/", "GET /folder", "GET /files/a/b.txt", "PUT /files/",
    "GET /feed", "GET /admin", "GET /sub/", "GET /sub/1", "GET /sub/1/2", "GET /sub/deep/er/3",
    "GET /t/acme/users/joe", "GET /thing", "POST /thing", "websocket /feed", "GET /legacy/a", "POST /legacy/a",
    "websocket /legacy/a", "GET /static/open.txt", "GET /static/private/key.txt",
)  # fmt: skip
METHODS: Final = (  # "websocket" is a handshake, "WEBSOCKET" a request that names itself like one
    "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "PROPFIND", "get", "Post", "head", "WEBSOCKET",
    "websocket",
)  # fmt: skip
ROOTS: Final = (*("",) * 6, "/api", "/api/", "/sub", "/items", "/")
FOREIGN: Final = (  # F59, and the headers by which frameworks and proxies let a client choose another method or path
    (b"host", b"admin.internal"), (b"host", b"localhost/admin?"), (b"x-forwarded-host", b"admin.internal"),
    (b"x-forwarded-prefix", b"/admin"), (b"x-forwarded-path", b"/admin"), (b"x-forwarded-proto", b"http"),
    (b"x-original-url", b"/admin"), (b"x-rewrite-url", b"/admin"), (b"x_forwarded_user", b"root"),
    (b"x-http-method-override", b"DELETE"), (b"x-method-override", b"DELETE"), (b"x-http-method", b"DELETE"),
    (b"connection", b"authorization, close"), (b"forwarded", b"host=admin.internal;proto=http"),
)  # fmt: skip
INSERTED: Final = (
    "/", "//", "/.", "/./", "/..", "/../", "%2f", "%2F", "%252f", "%00", "%0a", "%0d%0a", "%20", "%09", "%2e",
    "%2e%2e/", "%5c", "\\", ";x", ";/", "?", "%3f", "%23", "..;/", "%c0%af", "%ef%bc%8f", "%e2%80%a8", "%7f", "%85",
    "*", "{id}",
)  # fmt: skip

Outcome: TypeAlias = tuple[object, list[tuple[str, str]]]
"""What the client got, and which handlers ran under which policies."""


@dataclass(frozen=True, slots=True)
class Crooked:
    """One request, as a client would write it."""

    method: str
    target: str
    root: str
    under_root: bool
    scopes: str
    foreign: Fields = ()

    def scope(self) -> Scope:
        """What a server makes of it: the path decoded, the root path in front of it or not."""
        path = unquote(self.target)
        path = self.root + path if self.under_root else path
        fields = [bearer(_token(self.scopes)), *self.foreign]
        if self.method == "websocket":
            return websocket_scope(path, fields, root_path=self.root)
        return http_scope(self.method, path, fields, root_path=self.root, raw_path=self.target.encode())


class Reached(list[tuple[str, str]]):
    """The handlers that ran, each with the policy that let the request in."""

    def handler(self, name: str) -> Callable[[Request], Response]:
        """A handler for a route."""

        async def endpoint(request: Request) -> Response:
            self.note(name, request.scope)
            return PlainTextResponse(name)

        return endpoint  # type: ignore[return-value]  # Starlette takes both kinds

    def method(self, name: str) -> Callable[[HTTPEndpoint, Request], Response]:
        """A handler for a method of a class-based endpoint."""

        async def endpoint(_: HTTPEndpoint, request: Request) -> Response:
            self.note(name, request.scope)
            return PlainTextResponse(name)

        return endpoint  # type: ignore[return-value]  # Starlette takes both kinds

    def note(self, name: str, scope: Scope) -> None:
        """Note that a handler runs."""
        self.append((name, identity_of(scope).policy))


class Files(StaticFiles):
    """Static files; those in one folder are under a policy of their own."""

    def __init__(self, reached: Reached, directory: Path) -> None:
        super().__init__(directory=directory)
        self._reached = reached

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Note which of the two kinds of file is about to be sent."""
        response = await super().get_response(path, scope)
        self._reached.note("static_private" if path.startswith("private") else "static", scope)
        return response


def build_starlette(reached: Reached, files: Path) -> Starlette:
    """The application on Starlette."""
    routes: list[BaseRoute] = [Route(path, reached.handler(name), methods=[method]) for name, method, path in FLAT]
    sub = [Route(path, reached.handler(name)) for name, path in SUB]
    return Starlette(routes=[*routes, Mount("/sub", routes=sub), *_common(reached, files)])


def build_fastapi(reached: Reached, files: Path) -> FastAPI:
    """The same application on FastAPI: an included router, and a mounted application for a mounted router."""
    app, sub, items = FastAPI(openapi_url=None), FastAPI(openapi_url=None), APIRouter()
    for name, method, path in FLAT:
        router = items if path.startswith("/items") else app.router
        router.add_api_route(path.removeprefix("/items"), reached.handler(name), methods=[method], response_model=None)
    app.include_router(items, prefix="/items")
    for name, path in SUB:
        sub.add_api_route(path, reached.handler(name), response_model=None)
    app.mount("/sub", sub)
    app.router.routes.extend(_common(reached, files))
    return app


def _common(reached: Reached, files: Path) -> list[BaseRoute]:
    class Thing(HTTPEndpoint):
        get = reached.method("thing_get")
        post = reached.method("thing_post")

    async def feed(websocket: WebSocket) -> None:
        reached.note("feed", websocket.scope)
        await websocket.accept()
        await websocket.close()

    async def legacy(scope: Scope, receive: Receive, send: Send) -> None:
        """An application behind a bridge: like WSGI frameworks, it reads methods without regard to case."""
        if scope["type"] == "websocket":
            reached.note("legacy_feed", scope)
            await send({"type": "websocket.close"})
            return
        reached.note("legacy_write" if scope["method"].upper() == "POST" else "legacy", scope)
        await PlainTextResponse("legacy")(scope, receive, send)

    return [
        Mount("/t/{tenant}", routes=[Route("/users/{user}", reached.handler("user"))]),
        Route("/thing", Thing),
        WebSocketRoute("/feed", feed),
        Mount("/legacy", legacy),
        Mount("/static", Files(reached, files)),
    ]


def crooked_requests(seed: int, count: int) -> Iterator[Crooked]:
    """Straight paths with zero to three tricks each, under all kinds of methods and root paths."""
    chance = random.Random(seed)
    for _ in range(count):
        method, _, target = chance.choice(STRAIGHT).partition(" ")
        for _ in range(chance.choice((0, 1, 1, 2, 3))):
            target = chance.choice(TRICKS)(chance, target)
        scopes = chance.choice((" ".join(POLICIES), chance.choice(tuple(POLICIES))))
        if chance.random() < 0.4:
            method = chance.choice(METHODS)
        yield Crooked(method, target, chance.choice(ROOTS), chance.random() < 0.6, scopes)


def _insert(chance: random.Random, target: str) -> str:
    at = chance.choice([0, len(target), *(index for index, char in enumerate(target) if char == "/")])
    return target[:at] + chance.choice(INSERTED) + target[at:]


def _replace_slash(chance: random.Random, target: str) -> str:
    return target.replace("/", chance.choice(INSERTED), 1)


def _swap_case(chance: random.Random, target: str) -> str:
    return chance.choice((target.upper(), target.swapcase(), target.title()))


def _trail(chance: random.Random, target: str) -> str:
    return target.rstrip("/") if target.endswith("/") and len(target) > 1 else f"{target}/"


def _encode(chance: random.Random, target: str) -> str:
    at = chance.randrange(len(target) + 1)
    return f"{target[:at]}{''.join(f'%{ord(char):02x}' for char in target[at : at + 1])}{target[at + 1 :]}"


def _detour(chance: random.Random, target: str) -> str:
    elsewhere = chance.choice(STRAIGHT).partition(" ")[2]
    return f"{elsewhere}{chance.choice(('/../..', '/..', '/.', '//'))}{target}"


TRICKS: Final = (_insert, _insert, _replace_slash, _swap_case, _trail, _encode, _detour)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Files to serve, one of them under another policy than the rest."""
    (tmp_path / "private").mkdir()
    (tmp_path / "open.txt").write_text("open")
    (tmp_path / "private" / "key.txt").write_text("private")
    return tmp_path


@pytest.fixture(params=[build_starlette, build_fastapi], ids=["starlette", "fastapi"])
def reached_and_app(request: pytest.FixtureRequest, files: Path) -> tuple[Reached, ASGIApp]:
    """A guarded application, and what was reached in it."""
    reached = Reached()
    endpoints = [protected(match, name=name, scopes=frozenset({name})) for name, match in POLICIES.items()]
    return reached, JWTGuardMiddleware(request.param(reached, files), guard=guard(*endpoints))


@cache
def _token(scopes: str) -> bytes:
    return token(scope=scopes)


async def _outcome(reached: Reached, app: ASGIApp, crooked: Crooked) -> Outcome:
    """Send one request and see what comes of it."""
    reached.clear()
    sent = (await run(app, crooked.scope())).sent
    return sent[0].get("status", sent[0]["type"]), list(reached)


def test_every_handler_runs_under_its_own_policy(reached_and_app: tuple[Reached, ASGIApp]) -> None:
    """F60, R-POL-03, R-POL-04: whatever path, method and root path, a handler that runs was let in by its policy."""
    reached, app = reached_and_app
    wrong: list[tuple[Crooked, Outcome]] = []
    seen: set[str] = set()

    async def check() -> None:
        for crooked in crooked_requests(SEED, REQUESTS):
            outcome = await _outcome(reached, app, crooked)
            _, handlers = outcome
            seen.update(name for name, _ in handlers)
            if any(name != policy or name not in crooked.scopes.split() for name, policy in handlers):
                wrong.append((crooked, outcome))

    anyio.run(check)
    assert not wrong, f"{len(wrong)} wrong, such as {wrong[:5]}"
    assert seen == set(POLICIES), "some handlers were never reached, so nothing was proven of them"


def test_headers_choose_neither_method_nor_path_nor_policy(reached_and_app: tuple[Reached, ASGIApp]) -> None:
    """F59, R-POL-04: Host, forwarding, rewriting and method-override headers change no decision and no handler."""
    reached, app = reached_and_app
    chance = random.Random(SEED)
    different: list[Crooked] = []

    async def check() -> None:
        for crooked in crooked_requests(SEED + 1, REQUESTS // 2):
            lured = replace(crooked, foreign=chance.sample(FOREIGN, 3))
            if await _outcome(reached, app, crooked) != await _outcome(reached, app, lured):
                different.append(lured)

    anyio.run(check)
    assert not different, f"{len(different)} differ, such as {different[:3]}"


@pytest.mark.parametrize(
    ("method", "target", "root"),
    [
        ("GET", "/static/./private/key.txt", ""),
        ("GET", "/static//private/key.txt", ""),
        ("GET", "/static/open.txt/../private/key.txt", ""),
        ("GET", "/static/%2e/private/key.txt", ""),
        ("GET", "/sub/1", "/api"),
        ("post", "/legacy/a", ""),
        ("WEBSOCKET", "/legacy/a", ""),
    ],
)
def test_no_spelling_reaches_a_handler_under_the_policy_of_another(
    reached_and_app: tuple[Reached, ASGIApp], method: str, target: str, root: str
) -> None:
    """R-POL-03, R-POL-04: the smallest known cases: dots, doubled slashes, a foreign root path, odd methods."""
    reached, app = reached_and_app
    crooked = Crooked(method, target, root, under_root=False, scopes=" ".join(POLICIES))
    anyio.run(_outcome, reached, app, crooked)
    assert [handler for handler, policy in reached if handler != policy] == []


@pytest.mark.parametrize("method", ["get", "Get", "head"])
def test_a_method_in_lower_case_does_not_fall_to_a_route_behind(method: str) -> None:
    """R-POL-04: Starlette's own GET route refuses ``get``; what is mounted behind it must not run under its policy."""
    reached = Reached()

    async def bridge(scope: Scope, receive: Receive, send: Send) -> None:
        """Stands for a WSGI framework, which upper-cases methods."""
        reached.note("behind", scope)
        await PlainTextResponse(scope["method"].upper())(scope, receive, send)

    app = Starlette(routes=[Route("/files/{name}", reached.handler("file")), Mount("/files", bridge)])
    endpoints = [public("GET /files/{name}"), protected("/files/**", name="behind")]
    crooked = Crooked(method, "/files/x", "", under_root=False, scopes="none")
    anyio.run(_outcome, reached, JWTGuardMiddleware(app, guard=guard(*endpoints)), crooked)
    assert list(reached) == []


def test_a_path_that_only_looks_crooked_is_served(reached_and_app: tuple[Reached, ASGIApp]) -> None:
    """R-POL-03: where every reading of a path is under one policy, doubled slashes and dots harm nobody."""
    reached, app = reached_and_app
    for target in ("/files/https://host//x", "/files/.hidden/a..b", "/files/a/./b"):
        anyio.run(_outcome, reached, app, Crooked("GET", target, "", under_root=False, scopes="file"))
        assert list(reached) == [("file", "file")], target


@pytest.mark.parametrize("target", ["/admin", "/api/admin", "/api/api/admin"])
def test_an_application_with_a_root_path_of_its_own_is_read_as_it_reads_itself(target: str) -> None:
    """R-POL-03: a guard around FastAPI(root_path=...) strips that root path, as FastAPI will."""
    reached = Reached()
    app = FastAPI(openapi_url=None)
    app.root_path = "/api"  # the argument of that name is deprecated, what it sets is not
    app.add_api_route("/admin", reached.handler("admin"), response_model=None)
    app.add_api_route("/api/{page}", reached.handler("page"), response_model=None)
    endpoints = [protected("GET /admin", name="admin"), public("GET /**")]
    crooked = Crooked("GET", target, "", under_root=False, scopes="none")
    anyio.run(_outcome, reached, JWTGuardMiddleware(app, guard=guard(*endpoints)), crooked)
    assert ("admin", "GET /**") not in reached


def test_what_nobody_wrote_a_policy_for_is_closed(files: Path) -> None:
    """F60, R-POL-01: without policies no request of any shape reaches a handler."""
    reached = Reached()
    app = JWTGuardMiddleware(build_starlette(reached, files), guard=guard(protected("/elsewhere")))

    async def check() -> list[Outcome]:
        return [await _outcome(reached, app, crooked) for crooked in crooked_requests(SEED + 2, REQUESTS // 6)]

    outcomes = anyio.run(check)
    assert {status for status, _ in outcomes} == {403}
    assert not any(handlers for _, handlers in outcomes)


def test_a_route_without_a_policy_stops_start_up(files: Path) -> None:
    """F60, R-POL-01: in production an application with an unguarded route does not start."""
    endpoints = [protected(match, name=name) for name, match in POLICIES.items() if name != "admin"]
    app = JWTGuardMiddleware(build_starlette(Reached(), files), guard=guard(*endpoints))
    with pytest.raises(ConfigurationError, match=r"GET /admin.*R-POL-01"):
        anyio.run(lifespan, app)


def test_an_application_with_a_policy_for_every_route_starts(files: Path) -> None:
    """R-POL-01: the census finds no gap where there is none."""
    endpoints = [protected(match, name=name) for name, match in POLICIES.items()]
    app = JWTGuardMiddleware(build_starlette(Reached(), files), guard=guard(*endpoints))
    assert anyio.run(lifespan, app).types[0] == "lifespan.startup.complete"
