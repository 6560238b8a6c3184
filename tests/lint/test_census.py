"""The census: which policies the requests of each route meet, and whether it says so truthfully."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any, Final

import anyio
import pytest
from fastapi import APIRouter, FastAPI
from fastapi import WebSocket as FastAPIWebSocket
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Host, Match, Mount, Route, Router, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from jwtguard import Access, Config, ConfigurationError, Endpoint, JWTGuardMiddleware, Mode
from jwtguard.core.table import PolicyTable
from jwtguard.lint.census import CensusRow, Verdict, census, stop_on_gaps
from tests.kit.asgi_calls import http_scope, lifespan, request, run
from tests.kit.guarded import ISSUER, guard, optional, protected, public

COVERED, PARTLY, UNPROTECTED, SHADOWED = Verdict
SEED: Final = 188
APPLICATIONS: Final = 60


def table(*endpoints: Endpoint, mode: Mode = Mode.PRODUCTION) -> PolicyTable:
    """A policy of these endpoints."""
    return PolicyTable(Config(issuers=[ISSUER], endpoints=endpoints, mode=mode))


def handler(name: str) -> Callable[[Request], Response]:
    """A handler of this name."""

    async def endpoint(_: Request) -> Response:
        return PlainTextResponse(name)

    endpoint.__name__ = name
    return endpoint  # type: ignore[return-value]  # Starlette takes both kinds


async def opaque(scope: Scope, receive: Receive, send: Send) -> None:
    """An application without routes."""


def found(app: object, *endpoints: Endpoint) -> list[tuple[str, str, str, Verdict, list[str]]]:
    """Method, path, handler, verdict and policies of every row."""
    return [
        (row.method, row.path, row.endpoint, row.verdict, sorted(cover.name for cover in row.covers))
        for row in census(app, table(*endpoints))
    ]


def verdicts(app: object, *endpoints: Endpoint) -> dict[str, Verdict]:
    """The verdict of every row by the handler's name."""
    return {row.endpoint: row.verdict for row in census(app, table(*endpoints))}


def row_of(app: object, name: str, *endpoints: Endpoint) -> CensusRow:
    """The one row of a handler."""
    (row,) = [row for row in census(app, table(*endpoints)) if row.endpoint == name]
    return row


def test_a_row_says_what_the_policy_demands() -> None:
    """R-POL-01: a row holds the route as routed and its policy's access, classes and scopes."""
    app = Starlette(routes=[Route("/items/{id:int}", handler("item"), methods=["POST"])])
    endpoint = protected("POST /items/{id}", scopes=frozenset({"b", "a"}), any_scopes=frozenset({"c"}))
    (row,) = census(app, table(endpoint))
    (cover,) = row.covers
    assert (row.kind, row.method, row.path, row.endpoint) == ("route", "POST", "/items/{id:int}", "item")
    assert (row.host, row.verdict, row.note) == ("", COVERED, "")
    assert (cover.name, cover.access, cover.classes) == ("POST /items/{id}", Access.PROTECTED, ("access",))
    assert (cover.scopes, cover.any_scopes) == (("a", "b"), ("c",))


def test_public_and_optional_policies_cover_too() -> None:
    """R-POL-01: what is public on purpose is no gap."""
    app = Starlette(routes=[Route("/a", handler("a")), Route("/b", handler("b"))])
    rows = census(app, table(public("GET /a"), optional("GET /b")))
    assert [(row.verdict, row.covers[0].access) for row in rows] == [
        (COVERED, Access.PUBLIC),
        (COVERED, Access.OPTIONAL),
    ]


def test_each_method_is_a_row_and_head_follows_get() -> None:
    """R-POL-04: a policy for GET covers HEAD and nothing else."""
    app = Starlette(
        routes=[Route("/a", handler("a"), methods=["GET", "DELETE"]), Route("/b", handler("b"), methods=["HEAD"])]
    )
    assert found(app, protected("GET /a"), protected("GET /b")) == [
        ("DELETE", "/a", "a", UNPROTECTED, []),
        ("GET", "/a", "a", COVERED, ["GET /a"]),
        ("HEAD", "/b", "b", COVERED, ["GET /b"]),
    ]


def test_a_parameter_meets_every_policy_that_spells_out_a_value() -> None:
    """R-POL-05: a route is checked as a pattern, so requests of one route may meet two policies."""
    app = Starlette(routes=[Route("/items/{id}", handler("item"))])
    policies = protected("GET /items/{id}"), protected("GET /items/special")
    assert found(app, *policies) == [("GET", "/items/{id}", "item", COVERED, ["GET /items/special", "GET /items/{id}"])]


def test_a_literal_route_before_it_takes_its_policy_away() -> None:
    """R-POL-05: the policy of a literal is not that of the parameter after it."""
    app = Starlette(routes=[Route("/items/special", handler("special")), Route("/items/{id}", handler("item"))])
    assert found(app, protected("GET /items/{id}"), protected("GET /items/special")) == [
        ("GET", "/items/special", "special", COVERED, ["GET /items/special"]),
        ("GET", "/items/{id}", "item", COVERED, ["GET /items/{id}"]),
    ]


def test_a_literal_route_after_it_is_shadowed() -> None:
    """R-POL-03: framework order and most specific pattern disagree, so both routes are reported."""
    app = Starlette(routes=[Route("/items/{id}", handler("item")), Route("/items/special", handler("special"))])
    rows = {
        row.endpoint: row for row in census(app, table(protected("GET /items/{id}"), protected("GET /items/special")))
    }
    assert {name: row.verdict for name, row in rows.items()} == {"item": SHADOWED, "special": SHADOWED}
    assert "ends at item (/items/{id}) first" in rows["special"].note
    assert "the policy 'GET /items/special', which is the pattern of special" in rows["item"].note


def test_convertors_decide_what_a_route_takes() -> None:
    """R-POL-05: {id:int} meets the policy of /items/42 and not that of /items/special; {id} gets the rest."""
    app = Starlette(routes=[Route("/items/{id:int}", handler("number")), Route("/items/{id}", handler("name"))])
    policies = [protected(f"GET /items/{last}") for last in ("{id}", "42", "special")]
    assert found(app, *policies) == [
        ("GET", "/items/{id:int}", "number", COVERED, ["GET /items/42", "GET /items/{id}"]),
        ("GET", "/items/{id}", "name", COVERED, ["GET /items/special", "GET /items/{id}"]),
    ]


@pytest.mark.parametrize(
    ("earlier", "verdict"),
    [("{id}", SHADOWED), ("{id:float}", SHADOWED), ("{id:int}", SHADOWED), ("{a:path}", SHADOWED), ("7{id}", COVERED)],
)
def test_a_route_is_dead_only_if_all_of_its_requests_end_before_it(earlier: str, verdict: Verdict) -> None:
    """R-POL-03: a wider parameter shadows a number, a narrower one does not."""
    app = Starlette(routes=[Route(f"/items/{earlier}", handler("early")), Route("/items/{id:int}", handler("late"))])
    assert verdicts(app, protected("/items/**"))["late"] is verdict


def test_a_policy_without_method_can_catch_another_routes_requests() -> None:
    """R-POL-04: POST /a/special reaches the handler of POST /a/{id} under the open policy of GET /a/special."""
    app = Starlette(
        routes=[Route("/a/special", handler("special")), Route("/a/{id}", handler("post"), methods=["POST"])]
    )
    row = row_of(app, "post", public("/a/special"), protected("POST /a/{id}"))
    assert row.verdict is SHADOWED
    assert "POST /a/special ends here" in row.note
    assert verdicts(app, public("GET /a/special"), protected("POST /a/{id}")) == {"special": COVERED, "post": COVERED}


def test_a_wide_policy_over_several_routes_is_no_stray() -> None:
    """R-POL-05: a policy that covers a route as a whole may cover others, and be the pattern of one, too."""
    app = Starlette(routes=[Route("/files/{name}", handler("one")), Route("/files/{p:path}", handler("all"))])
    assert verdicts(app, protected("GET /files/**")) == {"one": COVERED, "all": COVERED}


def test_one_policy_with_both_patterns_is_no_stray() -> None:
    """R-POL-05: two patterns of one policy demand the same."""
    app = Starlette(routes=[Route("/a/{id}", handler("any")), Route("/b/x", handler("x"))])
    assert verdicts(app, protected("GET /a/{id}", "GET /a/x"), public("GET /b/x")) == {"any": COVERED, "x": COVERED}


@pytest.mark.parametrize(
    ("patterns", "verdict"),
    [
        (["GET /files/**"], COVERED),
        (["/files/**"], COVERED),
        (["GET /**"], COVERED),
        (["GET /files/{a}"], PARTLY),
        (["GET /files/{a}/**"], PARTLY),
        (["GET /files/{a}/**", "GET /files/"], COVERED),
        (["POST /files/**"], UNPROTECTED),
        (["GET /file/**"], UNPROTECTED),
    ],
)
def test_a_path_parameter_is_every_length(patterns: list[str], verdict: Verdict) -> None:
    """R-POL-01: {p:path} is nothing, one segment, or many."""
    app = Starlette(routes=[Route("/files/{p:path}", handler("file"))])
    assert verdicts(app, protected(*patterns)) == {"file": verdict}


def test_parts_of_segments_are_patterns_too() -> None:
    """R-POL-05: a parameter with text around it meets the literals that fit."""
    app = Starlette(routes=[Route("/files/{name}.json", handler("json")), Route("/v{n:path}/x", handler("versioned"))])
    policies = [protected(f"GET /files/{name}") for name in ("{name}", "a.json", "a.txt")]
    assert found(app, *policies, protected("GET /v1/x"), protected("GET /**")) == [
        ("GET", "/files/{name}.json", "json", COVERED, ["GET /files/a.json", "GET /files/{name}"]),
        ("GET", "/v{n:path}/x", "versioned", COVERED, ["GET /**", "GET /v1/x"]),
    ]


def test_a_gap_comes_with_an_example() -> None:
    """R-POL-01: who reads of a gap sees a request that falls into it."""
    app = Starlette(routes=[Route("/files/{p:path}", handler("file"))])
    row = row_of(app, "file", protected("GET /files/{name}"))
    assert row.note.startswith("no policy matches GET /files/")


def test_websocket_routes_need_a_policy_of_their_own() -> None:
    """R-POL-01: a policy for GET does not cover a handshake."""
    app = Starlette(routes=[WebSocketRoute("/feed", opaque), WebSocketRoute("/news", opaque)])
    assert found(app, protected("GET /feed"), protected("WEBSOCKET /news")) == [
        ("WEBSOCKET", "/feed", "opaque", UNPROTECTED, []),
        ("WEBSOCKET", "/news", "opaque", COVERED, ["WEBSOCKET /news"]),
    ]


def test_mounts_are_entered() -> None:
    """R-POL-03: the path of a mounted route is the whole one, with parameters of the mounts."""
    deep = Starlette(routes=[Route("/users/{id}", handler("user"))])
    app = Starlette(routes=[Mount("/t/{tenant}", routes=[Route("/", handler("home")), Mount("/deep", deep)])])
    policies = [protected(f"GET /t/{path}") for path in ("{t}/", "{t}/deep/users/{u}", "acme/deep/users/{u}")]
    assert found(app, *policies) == [
        ("GET", "/t/{tenant}/", "home", COVERED, ["GET /t/{t}/"]),
        (
            "GET",
            "/t/{tenant}/deep/users/{id}",
            "user",
            COVERED,
            ["GET /t/acme/deep/users/{u}", "GET /t/{t}/deep/users/{u}"],
        ),
    ]


def test_a_mount_takes_what_nothing_in_it_answers() -> None:
    """R-POL-03: a route after a mount is dead below it, also where the mount answers 404."""
    app = Starlette(routes=[Mount("/sub", routes=[Route("/a", handler("a"))]), Route("/sub/b", handler("b"))])
    assert verdicts(app, protected("/**")) == {"a": COVERED, "b": SHADOWED}
    assert "the mount at /sub" in row_of(app, "b", protected("/**")).note


def test_mounted_middleware_is_looked_through() -> None:
    """R-POL-01: routes behind middleware are routes all the same."""
    wrapped = CORSMiddleware(Starlette(routes=[Route("/a", handler("a"))]))
    app = Starlette(
        routes=[
            Mount("/one", wrapped),
            Mount("/two", routes=[Route("/b", handler("b"))], middleware=[Middleware(CORSMiddleware)]),
        ]
    )
    assert verdicts(JWTGuardMiddleware(app, guard=guard()), protected("GET /one/a")) == {"a": COVERED, "b": UNPROTECTED}


def test_an_application_without_routes_is_covered_as_a_whole_or_not() -> None:
    """R-POL-01: what is mounted and cannot be looked into may answer any method and path, and handshakes."""
    app = Starlette(routes=[Mount("/legacy", opaque, name="legacy")])
    assert found(app, protected("/legacy/**")) == [("*", "/legacy/{path:path}", "legacy", COVERED, ["/legacy/**"])]
    assert verdicts(app, protected("GET /legacy/**")) == {"legacy": PARTLY}
    assert verdicts(app, protected("/legacy/{x}")) == {"legacy": PARTLY}
    assert verdicts(app, protected("/other/**")) == {"legacy": UNPROTECTED}


def test_static_files_answer_get_alone(tmp_path: Any) -> None:
    """R-POL-01: static files need a policy for GET, and take the other methods to refuse them."""
    app = Starlette(
        routes=[Mount("/s", StaticFiles(directory=tmp_path)), Route("/s/x", handler("x"), methods=["POST"])]
    )
    assert found(app, public("GET /s/**"), protected("POST /s/x")) == [
        ("GET", "/s/{path:path}", "StaticFiles", COVERED, ["GET /s/**"]),
        ("POST", "/s/x", "x", SHADOWED, []),
    ]


def test_class_based_endpoints_are_listed_by_their_methods() -> None:
    """R-POL-04: an HTTPEndpoint answers the methods it defines; any other ASGI endpoint answers all."""

    class Thing(HTTPEndpoint):
        get = post = None

    class Other:
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...

    app = Starlette(routes=[Route("/thing", Thing), Route("/other", Other())])
    assert found(app, protected("GET /thing"), protected("GET /other")) == [
        ("GET", "/thing", "Thing", COVERED, ["GET /thing"]),
        ("POST", "/thing", "Thing", UNPROTECTED, []),
        ("*", "/other", "Other", PARTLY, ["GET /other"]),
    ]


def test_hosts_are_worlds_of_their_own() -> None:
    """R-POL-01: routes of a host do not shadow those of the others, and are shadowed among themselves."""
    inner = Router(routes=[Route("/a", handler("inner"))])
    app = Starlette(
        routes=[
            Host("{name}.example.com", inner),
            Host("api.example.com", Router(routes=[Route("/b", handler("dead"))])),
            Host("example.net:8000", opaque),
            Route("/a", handler("outer")),
        ]
    )
    rows = {row.endpoint: row for row in census(app, table(protected("GET /a"), protected("GET /b")))}
    assert {name: row.verdict for name, row in rows.items()} == {
        "inner": COVERED,
        "dead": SHADOWED,
        "function": PARTLY,
        "outer": COVERED,
    }
    assert (rows["inner"].host, rows["function"].host, rows["outer"].host) == ("x.example.com", "example.net", "")


def test_a_default_handler_is_a_route_too() -> None:
    """R-POL-01: what answers where nothing matched needs a policy."""
    app = Starlette(routes=[Mount("/sub", Router(routes=[Route("/a", handler("a"))], default=opaque))])
    assert verdicts(app, protected("GET /sub/a")) == {"a": COVERED, "opaque": UNPROTECTED}
    assert verdicts(app, protected("GET /sub/a"), protected("/sub/**")) == {"a": COVERED, "opaque": COVERED}


def test_a_route_class_of_somebodys_own_must_be_covered_whatever_it_takes() -> None:
    """R-POL-01: what nobody can look into shadows nothing and is asked for a policy everywhere."""

    class Strange(BaseRoute):
        def matches(self, scope: Scope) -> tuple[Match, Scope]:
            return Match.NONE, {}

    app = Starlette(routes=[Strange(), Route("/a", handler("a"))])
    assert verdicts(app, protected("GET /a"), protected("GET /b")) == {"Strange": PARTLY, "a": COVERED}
    assert verdicts(app, protected("GET /a"), protected("/**")) == {"Strange": COVERED, "a": COVERED}


def fastapi_app(**options: Any) -> FastAPI:
    """An application with everything that FastAPI represents in a way of its own."""
    app, router, inner, sub = FastAPI(**options), APIRouter(prefix="/r"), APIRouter(), FastAPI(openapi_url=None)

    @inner.post("/in")
    def inside() -> None: ...

    @router.get("/a/{id:int}")
    def item(id: int) -> None:  # noqa: A002 - the name in the path
        ...

    @router.websocket("/w")
    async def feed(websocket: FastAPIWebSocket) -> None: ...

    @sub.get("/s")
    def mounted() -> None: ...

    router.include_router(inner, prefix="/n")
    router.add_route("/plain", handler("plain"))
    router.mount("/opaque", opaque, name="opaque")
    app.include_router(router, prefix="/api")
    app.mount("/sub", sub)
    return app


def test_fastapi_routers_are_entered() -> None:
    """R-POL-01: included routers, with their prefixes, routes, handshakes and mounts, and mounted applications."""
    assert found(fastapi_app(openapi_url=None), protected("GET /api/r/a/{id}"), protected("/sub/**")) == [
        ("GET", "/api/r/a/{id:int}", "item", COVERED, ["GET /api/r/a/{id}"]),
        ("WEBSOCKET", "/api/r/w", "feed", UNPROTECTED, []),
        ("POST", "/api/r/n/in", "inside", UNPROTECTED, []),
        ("GET", "/api/plain", "plain", UNPROTECTED, []),
        ("*", "/api/opaque/{path:path}", "opaque", UNPROTECTED, []),
        ("GET", "/sub/s", "mounted", COVERED, ["/sub/**"]),
    ]


def test_front_end_files_of_fastapi_come_last(tmp_path: Any) -> None:
    """R-POL-01: app.frontend serves what no route matched, and needs a policy for it."""
    app = FastAPI(openapi_url=None)
    app.frontend("/", directory=tmp_path)
    app.add_api_route("/a", handler("a"), methods=["POST"], response_model=None)
    assert found(app, protected("/a"), public("GET /**")) == [
        ("POST", "/a", "a", COVERED, ["/a"]),
        ("GET", "/{path:path}", "frontend", COVERED, ["GET /**"]),
    ]


def test_head_that_falls_to_another_route_must_not_find_a_weaker_policy(tmp_path: Any) -> None:
    """R-POL-04: FastAPI leaves HEAD of a GET route to what comes later; a weaker policy there is reported."""
    app = FastAPI(openapi_url=None)
    app.add_api_route("/files/{name}", handler("file"), response_model=None)
    app.mount("/files", StaticFiles(directory=tmp_path))
    weaker = public("GET /files/{name}"), protected("/files/**")
    row = row_of(app, "StaticFiles", *weaker)
    assert row.verdict is SHADOWED
    assert row.note.startswith("HEAD /files/")
    assert verdicts(app, protected("GET /files/{name}"), public("/files/**"))["StaticFiles"] is COVERED
    assert anyio.run(request, JWTGuardMiddleware(app, guard=guard(*weaker)), "HEAD", "/files/x").status == 404


def test_a_mounted_application_with_another_root_path_is_not_looked_into() -> None:
    """R-POL-03: such an application strips its own root path, so its routes are elsewhere than they seem."""
    same, other = FastAPI(openapi_url=None), FastAPI(openapi_url=None)
    same.root_path, other.root_path = "/same", "/elsewhere"
    for mounted in (same, other):
        mounted.add_api_route("/a", handler("a"), response_model=None)
    app = Starlette(routes=[Mount("/same", same), Mount("/other", other, name="other")])
    assert [row[:3] for row in found(app)] == [("GET", "/same/a", "a"), ("*", "/other/{path:path}", "other")]


def test_gaps_stop_start_up() -> None:
    """R-POL-01: the message names the routes, the first ten of them, and the rule."""
    app = Starlette(routes=[Route(f"/r{index}", handler(f"h{index}")) for index in range(12)])
    with pytest.raises(ConfigurationError) as raised:
        stop_on_gaps(app, table(protected("GET /r0")))
    assert raised.value.rule == "R-POL-01"
    assert "GET /r1, GET /r2," in raised.value.message
    assert "GET /r10 and 1 more" in raised.value.message
    assert "GET /r11" not in raised.value.message
    assert "FastAPI" not in raised.value.message


def test_partly_covered_and_shadowed_routes_do_not_stop_start_up() -> None:
    """R-POL-01: what is refused request by request, or cannot be reached, is no open door."""
    app = Starlette(routes=[Route("/{p:path}", handler("all")), Route("/dead", handler("dead"))])
    assert verdicts(app, protected("GET /a")) == {"all": PARTLY, "dead": SHADOWED}
    stop_on_gaps(app, table(protected("GET /a")))


@pytest.mark.parametrize("app", [None, opaque, object()])
def test_an_application_without_routes_starts(app: object) -> None:
    """R-POL-01: start-up judges known routes only."""
    assert census(app, table(protected("GET /a"))) == []
    stop_on_gaps(app, table(protected("GET /a")))


def test_the_development_profile_starts_with_gaps() -> None:
    """R-POL-01: only production stops."""
    app = Starlette(routes=[Route("/a", handler("a"))])
    stop_on_gaps(app, table(protected("GET /b"), mode=Mode.DEVELOPMENT))


def test_the_pages_fastapi_adds_by_itself_are_named() -> None:
    """R-POL-01: /docs and its kin are routes; whoever forgot them learns how to open or remove them."""
    app = FastAPI(docs_url="/d")
    with pytest.raises(ConfigurationError, match=r"GET /openapi.json") as raised:
        stop_on_gaps(app, table(protected("GET /a")))
    adds = "FastAPI adds /openapi.json, /d, /docs/oauth2-redirect, /redoc by itself"
    assert adds in raised.value.message
    assert "openapi_url=None" in raised.value.message
    stop_on_gaps(app, table(public("GET /openapi.json", "GET /d", "GET /docs/oauth2-redirect", "GET /redoc")))
    stop_on_gaps(FastAPI(openapi_url=None), table(protected("GET /a")))


@pytest.mark.parametrize("inside", [True, False], ids=["add_middleware", "wrapped"])
def test_the_lifespan_takes_the_census(inside: bool) -> None:  # noqa: FBT001 - the table's column
    """R-POL-01: wherever the guard stands, an application with a gap does not start."""
    app = Starlette(routes=[Route("/open", handler("open"))])
    protecting = guard(protected("GET /a"))
    guarded: ASGIApp = JWTGuardMiddleware(app, guard=protecting)
    if inside:
        app.add_middleware(JWTGuardMiddleware, guard=protecting)
        guarded = app
    with pytest.raises(ConfigurationError, match="GET /open"):
        anyio.run(lifespan, guarded)


def test_import_is_light() -> None:
    """The census does not make ``import jwtguard`` load Starlette's routing."""
    code = "import sys, jwtguard, jwtguard.lint.census; sys.exit('starlette.routing' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def random_case(chance: random.Random) -> tuple[Starlette, PolicyTable] | None:
    """An application and a policy, with every kind of overlap; nothing if the policy is ambiguous."""
    routes: list[BaseRoute] = []
    for index in range(chance.randint(1, 6)):
        segments = [chance.choice(("a", "b", "7", "{x}", "{x:int}", "{x}.a")) for _ in range(chance.randint(0, 2))]
        path = "".join(f"/{segment.replace('x', f'x{place}')}" for place, segment in enumerate(segments))
        path += chance.choice(("", "/", "/{rest:path}")) if path else chance.choice(("/", "/{rest:path}"))
        kinds = (Route(path, handler(f"h{index}"), methods=[chance.choice(("GET", "POST"))]),) * 4
        below = Route(chance.choice(("/", "/a", "/{y}")), handler(f"h{index}"))
        routes.append(chance.choice((*kinds, Mount(path.replace("{rest:path}", ""), routes=[below]))))
    texts = set()
    for _ in range(chance.randint(1, 5)):
        segments = [chance.choice(("a", "b", "7", "{x}")) for _ in range(chance.randint(0, 3))]
        tail = chance.choice(("", "", "/", "/**")) if segments else chance.choice(("/", "/**"))
        texts.add(chance.choice(("", "", "GET ", "POST ")) + "".join(f"/{segment}" for segment in segments) + tail)
    try:
        return Starlette(routes=routes), table(*(protected(text) for text in sorted(texts)))
    except ConfigurationError:
        return None


def requests_of(deepest: int) -> Iterator[tuple[str, str]]:
    """Every path of these segments up to a length, with and without a slash at the end, by two methods."""
    for length in range(deepest + 1):
        few = length == deepest
        for segments in product(("a", "7", "zz") if few else ("a", "b", "7", "8", "zz", "z.a"), repeat=length):
            path = "".join(f"/{segment}" for segment in segments)
            yield from ((method, path + end) for method in ("GET", "POST") for end in ("", "/") if path + end)


def test_the_census_tells_what_real_requests_meet() -> None:
    """R-POL-03, R-POL-05: over random applications and policies, rows list the policies that real requests meet."""
    chance = random.Random(SEED)
    cases = [case for case in (random_case(chance) for _ in range(20 * APPLICATIONS)) if case][:APPLICATIONS]
    assert len(cases) == APPLICATIONS
    shadowed = partly = 0
    for app, policy in cases:
        met = anyio.run(_met, app, policy)
        rows = census(app, policy)
        listed = {(row.endpoint, row.method): row for row in rows}
        for key, row in listed.items():
            real = met.get(key, set())
            names = {cover.name for cover in row.covers}
            told = names | ({None} if row.verdict in (PARTLY, UNPROTECTED) else set())
            if row.verdict is SHADOWED:
                shadowed += 1
                assert real - {None} == names, (app.routes, policy.endpoints, row, real)
                assert bool(real) != row.note.endswith("as does every other request"), (app.routes, row, real)
                continue
            partly += row.verdict is PARTLY
            assert real == told, (app.routes, policy.endpoints, row, real)
        assert met.keys() <= listed.keys()
    assert shadowed > APPLICATIONS // 6
    assert partly > APPLICATIONS // 6


async def _met(app: Starlette, policy: PolicyTable) -> dict[tuple[str, str], set[str | None]]:
    """The policies that the requests of each handler meet, by sending them all."""
    met: dict[tuple[str, str], set[str | None]] = {}
    for method, path in requests_of(4):
        call = await run(app, http_scope(method, path))
        if call.status == 200:
            found_policy = policy.routes.find(method, path)
            met.setdefault((call.body.decode(), method), set()).add(found_policy.name if found_policy else None)
    return met
