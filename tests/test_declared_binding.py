"""Decorated functions enter the policy at the start, with the routes that lead to them, and never against the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Host, Mount, Route, Router, WebSocketRoute
from starlette.staticfiles import StaticFiles

from jwtguard import Access, Config, ConfigurationError, Endpoint, Guard, JWTGuardMiddleware, Mode
from jwtguard.core.endpoint import Demands, access
from jwtguard.lint import lint
from jwtguard.lint.census import Verdict, census
from tests.kit.asgi_calls import Call, lifespan, request
from tests.kit.guarded import ISSUER, bearer, guard, optional, protected, public, token

pytestmark = pytest.mark.anyio
READ = access(scopes={"reports:read"})


async def hello(request: Request) -> Response:
    """An endpoint."""
    return JSONResponse(request.user.policy)


async def other(request: Request) -> Response:
    """An endpoint without a policy."""
    return Response()


def patterns(policy: Guard) -> list[tuple[str, ...]]:
    """The patterns in force, by endpoint."""
    return [endpoint.patterns for endpoint in policy.table.endpoints]


def bound(policy: Guard, *routes: BaseRoute) -> list[tuple[str, ...]]:
    """Bind an application of these routes."""
    policy.bind(Starlette(routes=routes))
    return patterns(policy)


def guarded(policy: Guard, *routes: BaseRoute) -> Starlette:
    """An application behind the guard."""
    return Starlette(routes=routes, middleware=[Middleware(JWTGuardMiddleware, guard=policy)])


def test_paths_as_patterns() -> None:
    """R-POL-06: a route's path and methods become patterns of the policy's own grammar."""
    policy = guard()
    route = policy.protect(READ)(hello)

    class Two(HTTPEndpoint):
        @policy.protect(READ)
        async def get(self, request: Request) -> Response:
            return await hello(request)

        @policy.public
        async def post(self, request: Request) -> Response:
            return await hello(request)

    found = bound(
        policy,
        Route("/", route),
        Route("/items/{id:int}", route, methods=["GET", "DELETE"]),
        Route("/files/{path:path}", route),
        Mount("/sub", routes=[Route("/{name}", route, methods=["POST"])]),
        Route("/two", Two),
        WebSocketRoute("/feed", route),
    )
    assert found == [
        (
            "GET /", "DELETE /items/{id}", "GET /items/{id}", "GET /files/**", "POST /sub/{name}", "WEBSOCKET /feed",
        ),
        ("GET /two",),
        ("POST /two",),
    ]  # fmt: skip


def test_a_parameter_within_a_segment() -> None:
    """R-POL-06: what the grammar cannot say of a segment becomes a parameter, which takes in more."""
    policy = guard()
    assert bound(policy, Route("/v{version}/x", policy.protect(READ)(hello))) == [("GET /{part0}/x",)]


def test_included_routers_of_fastapi() -> None:
    """R-POL-12: a function in a router that FastAPI includes has the path that it is included under."""
    policy = guard()
    router = APIRouter(prefix="/reports")
    router.get("/{number}")(policy.protect(READ)(hello))
    app = FastAPI(openapi_url=None)
    app.include_router(router, prefix="/v1")
    policy.bind(app)
    assert patterns(policy) == [("GET /v1/reports/{number}",)]


async def test_the_lifespan_binds() -> None:
    """R-POL-06: at the start the policies join the table; the census then finds every route covered."""
    policy = guard(public("GET /open"))
    app = guarded(policy, Route("/open", other), Route("/read", policy.protect(READ)(hello)))
    assert (await lifespan(app)).types[0] == "lifespan.startup.complete"
    assert patterns(policy) == [("GET /open",), ("GET /read",)]
    assert {row.verdict for row in census(app, policy.table)} == {Verdict.COVERED}
    answer = await request(app, "GET", "/read", [bearer(token())])
    assert answer.body == b'"tests.test_declared_binding.hello"'


async def test_a_gap_still_stops_the_start() -> None:
    """R-POL-01: with decorators too, a route that has no policy stops a start in production."""
    policy = guard()
    app, call = guarded(policy, Route("/read", policy.protect(READ)(hello)), Route("/forgotten", other)), Call()
    with pytest.raises(ConfigurationError, match="no policy covers GET /forgotten"):
        await lifespan(app, call)
    assert call.types == ["lifespan.startup.failed"]


async def test_the_first_request_binds_without_a_lifespan() -> None:
    """R-POL-06: where no lifespan runs, the first request finds the routes, also behind other middleware."""
    policy = guard()

    async def passing(request: Request, following: Any) -> Response:
        response: Response = await following(request)
        return response

    app = Starlette(routes=[Route("/read", policy.protect(READ)(hello))])
    app.add_middleware(BaseHTTPMiddleware, dispatch=passing)
    app.add_middleware(JWTGuardMiddleware, guard=policy)
    assert (await request(app, "GET", "/read")).status == 401
    assert (await request(app, "GET", "/read", [bearer(token())])).status == 200
    assert (await request(JWTGuardMiddleware(app, guard=policy), "GET", "/read", [bearer(token())])).status == 200


async def test_middleware_of_a_mount_decides_by_its_own_paths() -> None:
    """F60: a guard around a mounted part binds that part, by the paths below the mount."""
    policy = guard()
    inner = Mount(
        "/api",
        routes=[Route("/read", policy.protect(READ)(hello))],
        middleware=[Middleware(JWTGuardMiddleware, guard=policy)],
    )
    app = Starlette(routes=[inner, Route("/read", other)])
    assert (await request(app, "GET", "/api/read")).status == 401
    assert (await request(app, "GET", "/api/read", [bearer(token())])).status == 200
    assert patterns(policy) == [("GET /read",)]


@pytest.mark.parametrize(
    "around",
    [
        protected("/**"),
        protected("GET /reports/**", scopes=frozenset({"reports:read"})),
        optional("/reports/{id}"),
        public("/**"),
        protected("POST /reports/7", scopes=frozenset({"admin"})),
        protected("GET /reports/7/parts", scopes=frozenset({"admin"})),
    ],
)
def test_a_decorator_may_narrow(around: Endpoint) -> None:
    """R-POL-06: a policy at least as strict as what the file says around it is no contradiction."""
    policy = guard(around)
    assert bound(policy, Route("/reports/7", policy.protect(READ)(hello)))[1:] == [("GET /reports/7",)]


@pytest.mark.parametrize(
    ("around", "demands", "columns"),
    [
        (protected("/reports/**"), Demands(access=Access.PUBLIC), "access"),
        (protected("GET /reports/{id}"), Demands(access=Access.OPTIONAL, accept=("access",)), "access"),
        (protected("/**", scopes=frozenset({"admin"})), READ, "scopes"),
        (protected("/**", scopes=frozenset({"a"}), max_age_s=60.0), READ, "scopes, max_age_s"),
        (protected("/reports/**"), Demands(accept=("access", "logout"), scopes=frozenset({"a"})), "accept"),
    ],
)
def test_a_decorator_may_not_widen(around: Endpoint, demands: Demands, columns: str) -> None:
    """R-POL-06: a decorator that demands less than the file does around it stops the start, naming the columns."""
    policy = guard(around)
    message = rf"test_declared_binding\.hello: demands less at 'GET /reports/7' than .* \({columns}\)"
    with pytest.raises(ConfigurationError, match=message):
        bound(policy, Route("/reports/7", policy.protect(demands)(hello)))
    assert len(policy.table.endpoints) == 1


def test_the_nearest_pattern_counts() -> None:
    """R-POL-06: what the file excepted from itself may be narrowed from there, for each method on its own."""
    policy = guard(protected("/**", scopes=frozenset({"admin"})), public("/open/**"), protected("POST /open/**"))
    assert bound(policy, Route("/open/a", policy.public(hello)))[-1] == ("GET /open/a",)


def test_a_route_for_every_method() -> None:
    """R-POL-04: a class that answers every method is compared with the file method by method."""

    class Everything(HTTPEndpoint):
        async def dispatch(self) -> None: ...

    policy = guard(public("/open/**"), protected("POST /open/**"))
    with pytest.raises(ConfigurationError, match=r"demands less at '/open/a' than the file does at 'POST /open/\*\*'"):
        bound(policy, Route("/open/a", policy.public(Everything)))


def test_both_for_one_path() -> None:
    """R-POL-06: one method and path with a policy in the file and one on the function is a contradiction."""
    for match in ("GET /reports/{id}", "GET /reports/{number}"):
        policy = guard(protected(match, scopes=frozenset({"reports:read"})))
        with pytest.raises(ConfigurationError, match="has a policy here and one in the file"):
            bound(policy, Route("/reports/{id}", policy.protect(READ)(hello)))


def test_overlap_without_containment() -> None:
    """R-POL-05: patterns of decorators are proven unambiguous against those of the file."""
    policy = guard(protected("GET /{area}/7"))
    with pytest.raises(ConfigurationError, match="R-POL-05"):
        bound(policy, Route("/reports/{id}", policy.protect(READ)(hello)))


def test_two_functions_for_one_pattern() -> None:
    """R-POL-05: routes that only their convertors tell apart cannot have two policies."""
    policy = guard()
    one, two = policy.protect(READ)(hello), policy.public(other)
    with pytest.raises(ConfigurationError, match="match the same requests"):
        bound(policy, Route("/items/{id:int}", one), Route("/items/{name}", two))


def test_a_name_of_the_file() -> None:
    """R-OBS-01: an endpoint of the file may not have the name of a function's policy."""
    policy = guard(Endpoint(match=("/x",), accept=("access",), name="tests.test_declared_binding.hello"))
    with pytest.raises(ConfigurationError, match="another endpoint has this name"):
        bound(policy, Route("/read", policy.protect(READ)(hello)))


@pytest.mark.parametrize(
    "stray",
    [
        Route("/items/{name}", other),
        Mount("/items", StaticFiles(directory=Path(__file__).parent)),
    ],
)
def test_a_pattern_wider_than_its_route(stray: BaseRoute) -> None:
    """R-POL-01: a policy whose pattern takes in what another, undeclared route serves stops the start."""
    policy = guard()
    routes = [Route("/items/{id:int}", policy.public(hello)), stray]
    with pytest.raises(ConfigurationError, match=r"hello: would also hold for .*, which has no policy of its own"):
        bound(policy, *routes)


def test_an_empty_mount_is_no_route() -> None:
    """R-POL-01: behind a mount without routes there is nothing that a policy could open."""
    policy = guard()
    assert bound(policy, Route("/items/{id:int}", policy.public(hello)), Mount("/", Router())) == [("GET /items/{id}",)]


def test_a_pattern_wider_than_its_route_within_the_files() -> None:
    """R-POL-06: where the file covers the whole pattern, the decorator only narrows it for the other route too."""
    policy = guard(protected("/items/**"))
    routes = [Route("/items/{id:int}", policy.protect(READ)(hello)), Route("/items/{name}", other)]
    assert bound(policy, *routes)[1] == ("GET /items/{id}",)


def test_another_host() -> None:
    """F60: policies know no hosts, so a route of another host under the same path stops the start."""
    policy = guard()
    routes = [
        Host("api.example.com", Router([Route("/read", policy.public(hello))])),
        Host("admin.example.com", Router([Route("/read", other)])),
    ]
    with pytest.raises(ConfigurationError, match="would also hold for GET /read"):
        bound(policy, *routes)


def test_a_path_beyond_the_grammar() -> None:
    """R-POL-03: a path whose parameter spans segments before its end needs a policy in the file."""
    policy = guard()
    with pytest.raises(ConfigurationError, match="spans segments before its end"):
        bound(policy, Route("/{path:path}/edit", policy.protect(READ)(hello)))


def test_a_function_without_a_route() -> None:
    """R-POL-01: in production, a policy on a function that no route leads to is an error that names it."""
    policy = guard()
    policy.protect(READ)(hello)
    with pytest.raises(ConfigurationError, match=r"test_declared_binding\.hello: .* no route of the application"):
        bound(policy, Route("/read", other))


def test_decorators_in_the_wrong_order() -> None:
    """R-POL-01: a route decorator beneath the policy's leads past the policy; the start says so."""
    policy = guard()
    app = FastAPI(openapi_url=None)
    policy.protect(READ)(app.get("/read")(hello))
    with pytest.raises(ConfigurationError, match="leads to this function without its policy; put the route's"):
        policy.bind(app)


def test_development_goes_on() -> None:
    """R-POL-01: under the development profile, a function without a route is left alone."""
    policy = guard(mode=Mode.DEVELOPMENT)
    read = policy.protect(READ)(hello)
    policy.public(other)
    assert bound(policy, Route("/read", read)) == [("GET /read",)]


def test_an_application_without_routes() -> None:
    """R-POL-01: nothing can be bound to an application whose routes do not show."""
    policy = guard()
    policy.protect(READ)(hello)
    with pytest.raises(ConfigurationError, match="no route of the application"):
        policy.bind(object())
    guard().bind(object())


async def test_decorated_after_the_start() -> None:
    """R-POL-06: a policy that comes after the start is an error: nobody has proven it."""
    policy = guard()
    policy.bind(Starlette())
    with pytest.raises(ConfigurationError, match="decorated after the start"):
        policy.protect(READ)(hello)
    policy = guard()
    app = Starlette(routes=[Route("/read", policy.protect(READ)(hello))])
    await request(app, "GET", "/read")
    with pytest.raises(ConfigurationError, match="decorated after the start"):
        policy.public(other)


def test_routes_after_the_start() -> None:
    """R-POL-06: a second start with the same routes is fine; with others it is an error."""
    policy = guard()
    read = policy.protect(READ)(hello)
    app = Starlette(routes=[Route("/read", read)])
    policy.bind(app)
    before = policy.snapshot
    policy.bind(app)
    assert policy.snapshot is before
    app.router.routes.append(Route("/later", read))
    with pytest.raises(ConfigurationError, match="routes were added after the start"):
        policy.bind(app)
    assert policy.snapshot is before


async def test_a_route_after_the_start_is_not_open() -> None:
    """R-POL-01: a route that was added to a running application is refused by default, decorated or not."""
    policy = guard()
    read = policy.public(hello)
    app = guarded(policy, Route("/read", read))
    assert (await request(app, "GET", "/read")).status == 200
    app.router.routes.append(Route("/later", read))
    assert (await request(app, "GET", "/later")).status == 403


def test_a_failed_start_can_be_tried_again() -> None:
    """R-POL-06: after a start that failed nothing is in force of it, and the mended application starts."""
    policy = guard()
    read = policy.protect(READ)(hello)
    with pytest.raises(ConfigurationError):
        bound(policy, Route("/{path:path}/edit", read))
    assert patterns(policy) == []
    assert bound(policy, Route("/edit", read)) == [("GET /edit",)]


def reloaded(*endpoints: Endpoint) -> Config:
    """Another configuration."""
    return Config(issuers=[ISSUER], endpoints=endpoints)


async def test_reload_keeps_what_is_declared() -> None:
    """R-POL-06: a reload replaces the file's endpoints and keeps those of the functions."""
    policy = guard(public("GET /old"))
    app = guarded(policy, Route("/read", policy.protect(READ)(hello)))
    assert (await request(app, "GET", "/read", [bearer(token())])).status == 200
    policy.reload(reloaded(public("GET /new")))
    assert patterns(policy) == [("GET /new",), ("GET /read",)]
    assert (await request(app, "GET", "/read", [bearer(token())])).status == 200


@pytest.mark.parametrize(
    "endpoint",
    [protected("/**", scopes=frozenset({"admin"})), protected("GET /items/{id}"), public("GET /elsewhere")],
)
def test_a_contradicting_reload_changes_nothing(endpoint: Endpoint) -> None:
    """R-POL-06: a file that contradicts a function, or leaves its pattern's other routes bare, is not taken."""
    policy = guard(protected("/items/**"))
    bound(policy, Route("/items/{id:int}", policy.protect(READ)(hello)), Route("/items/{name}", other))
    before = policy.snapshot
    with pytest.raises(ConfigurationError):
        policy.reload(reloaded(endpoint))
    assert policy.snapshot is before


async def test_reload_without_routes() -> None:
    """R-POL-06: decorators alone follow a reload too, and a reload that breaks one of them is not taken."""
    policy = guard()
    app = Starlette(routes=[Route("/read", policy.protect(access(issuers=("login",)))(hello))])
    assert (await request(app, "GET", "/read", [bearer(token())])).status == 200
    policy.reload(reloaded(public("/x")))
    assert (await request(app, "GET", "/read", [bearer(token())])).status == 200
    with pytest.raises(ConfigurationError, match="unknown issuer 'login'"):
        policy.reload(Config(issuers=[], endpoints=[public("/x")]))
    assert (await request(app, "GET", "/read", [bearer(token())])).status == 200


def test_the_lint_sees_it() -> None:
    """R-GOV-01: the lint judges declared policies like those of the file."""
    policy = guard()
    bound(policy, Route("/open/{path:path}", policy.public(hello)))
    findings = [finding for finding in lint(policy.table, policy.snapshot.ring.held) if finding.rule == "R-POL-01"]
    assert [finding.at for finding in findings] == ["endpoints.tests.test_declared_binding.hello"]
