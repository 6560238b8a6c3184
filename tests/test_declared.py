"""What a decorator may stand on, and what it does where nobody decided on a call."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket

from jwtguard import ConfigurationError, Endpoint, Guard, Identity, JWTGuardMiddleware, current_identity
from jwtguard.adapters.fastapi import CurrentIdentity
from jwtguard.core.endpoint import Demands, access
from jwtguard.core.events import Decided
from jwtguard.core.rules import check
from jwtguard.core.tenant import Tenant, TenantPlace
from tests.kit.asgi_calls import handshake, request
from tests.kit.guarded import ISSUER, Events, bearer, guard, protected, token

pytestmark = pytest.mark.anyio


async def hello(request: Request) -> Response:
    """An endpoint."""
    return JSONResponse(current_identity().subject)


def unguarded(policy: Guard, target: Callable[..., Any], demands: Demands | None = None) -> Starlette:
    """An application without the middleware."""
    return Starlette(routes=[Route("/hello", policy.protect(demands or access())(target))])


def test_signature_and_names_stay() -> None:
    """R-POL-12: frameworks and people see the function's own name, text, parameters and kind."""
    policy = guard()

    async def report(number: int, *, wide: bool = False) -> str:
        """Tell."""
        return f"{number}{wide}"

    decorated = policy.protect(access())(report)
    assert inspect.signature(decorated) == inspect.signature(report)
    assert (decorated.__name__, decorated.__doc__, decorated.__module__) == ("report", "Tell.", __name__)
    assert inspect.iscoroutinefunction(decorated)
    assert not inspect.iscoroutinefunction(policy.public(lambda: None))


def test_a_class_stays_itself() -> None:
    """R-POL-12: a decorated class is the class that was decorated, its other methods untouched."""

    class Reports(HTTPEndpoint):
        async def get(self, request: Request) -> Response:
            return await hello(request)

    get = Reports.get
    assert guard().protect(access())(Reports) is Reports
    assert Reports.get is get


async def test_without_middleware_or_request_nothing_runs() -> None:
    """R-POL-01: a call on which nobody decided, and nobody can, is an error that names the mend; nothing runs."""
    called = []

    async def create(item: int) -> int:
        called.append(item)
        return item

    def create_sync(item: int) -> int:
        called.append(item)
        return item

    policy = guard()
    with pytest.raises(LookupError, match=r"create is protected.*install the jwtguard middleware"):
        await policy.protect(access())(create)(1)
    with pytest.raises(LookupError, match="create_sync is protected"):
        policy.protect(access())(create_sync)(1)
    with pytest.raises(LookupError, match="create"):
        await policy.public(create)(1)
    assert called == []


async def test_behind_the_middleware_no_request_is_needed() -> None:
    """R-POL-12: a function that takes no request runs once its own policy has admitted it, and decides nothing."""
    events = Events()
    policy = guard(on_event=events)
    app = FastAPI(openapi_url=None)

    @app.get("/double/{number}")
    @policy.protect(access(scopes={"reports:read"}))
    async def double(number: int) -> int:
        return 2 * number

    @app.get("/stream")
    @policy.protect(access())
    async def stream() -> AsyncIterator[int]:
        yield 7

    app.add_middleware(JWTGuardMiddleware, guard=policy)
    assert (await request(app, "GET", "/double/4", [bearer(token())])).body == b"8"
    assert (await request(app, "GET", "/double/4", [bearer(token(scope=""))])).status == 403
    assert (await request(app, "GET", "/stream", [bearer(token())])).body.strip() == b"7"
    assert (await request(app, "GET", "/stream")).status == 401
    assert len(events.reasons) == 4


async def test_a_generator_cannot_refuse() -> None:
    """R-POL-01: a generator has no way to answer in its place, so without the middleware it does not run."""

    async def stream(request: Request) -> AsyncIterator[int]:
        yield 7

    decorated = guard().protect(access())(stream)
    with pytest.raises(LookupError, match="install the jwtguard middleware"):
        decorated(Request({"type": "http", "method": "GET", "path": "/", "headers": [], "scheme": "https"}))


async def test_another_policys_identity_is_not_enough() -> None:
    """R-POL-12: a function reached under another policy, a narrower one of the file, is decided on by its own too."""
    policy = guard(protected("GET /reports/special"))
    report = policy.protect(access(scopes={"admin"}))(hello)
    app = Starlette(routes=[Route("/reports/{name}", report)])
    app.add_middleware(JWTGuardMiddleware, guard=policy)
    for path in ("/reports/special", "/reports/other"):
        assert (await request(app, "GET", path, [bearer(token())])).status == 403
        assert (await request(app, "GET", path, [bearer(token(scope="admin"))])).status == 200


async def test_a_decorated_function_that_calls_another() -> None:
    """R-POL-12: each function is protected by its own policy, whoever calls it."""
    policy = guard()
    inner = policy.protect(access(scopes={"admin"}))(hello)

    async def outer(request: Request) -> Response:
        return await inner(request)

    app = unguarded(policy, outer)
    assert (await request(app, "GET", "/hello", [bearer(token())])).status == 403
    assert (await request(app, "GET", "/hello", [bearer(token(scope="admin"))])).status == 200


async def test_wrappers_above_are_looked_through() -> None:
    """R-POL-12: another decorator above ours, or a partial function, does not hide the policy from the routes."""
    policy = guard()
    decorated = policy.protect(access())(hello)

    @functools.wraps(decorated)
    async def logged(request: Request) -> Response:
        return await decorated(request)

    greeted = policy.protect(access())(hello)
    app = Starlette(routes=[Route("/logged", logged), Route("/partial", functools.partial(greeted))])
    policy.bind(app)
    assert [endpoint.patterns for endpoint in policy.table.endpoints] == [("GET /logged",), ("GET /partial",)]


async def test_a_rule_that_raises() -> None:
    """F66: an application's rule that raises ends as an error of the server; the function is not called."""
    called = []

    async def target(request: Request) -> Response:
        called.append(request)
        return Response()

    def broken(value: object) -> bool:
        raise ZeroDivisionError

    app = unguarded(guard(), target, access(rules=(check("sub", broken),)))
    with pytest.raises(ZeroDivisionError):
        await request(app, "GET", "/hello", [bearer(token())])
    assert called == []


async def test_a_sink_that_raises() -> None:
    """F66: a broken event sink changes no decision of a decorated function."""

    def broken(event: object) -> None:
        raise ZeroDivisionError

    policy = guard(on_event=broken)
    app = unguarded(policy, hello)
    assert (await request(app, "GET", "/hello")).status == 401
    assert (await request(app, "GET", "/hello", [bearer(token())])).status == 200
    assert policy.sink_failures == 2


async def test_a_policy_that_cannot_be_compiled() -> None:
    """R-POL-06: without a start that could fail, a policy that names what is unknown fails every call."""
    app = unguarded(guard(), hello, Demands(accept=("acess",)))
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="did you mean 'access'"):
            await request(app, "GET", "/hello", [bearer(token())])


async def test_a_token_is_remembered() -> None:
    """R-POL-12: decorated functions share the guard's memory: a token is verified once."""
    policy = guard()
    app = unguarded(policy, hello)
    good = token()
    for _ in range(3):
        assert (await request(app, "GET", "/hello", [bearer(good)])).status == 200
    assert len(policy.snapshot.context.memory) == 1


def test_the_identity_stays_in_its_request() -> None:
    """R-IDN-05: in a thread that serves one call after the other, an identity does not outlast its call."""
    policy = guard()

    def target(request: Request) -> str:
        return current_identity().subject

    decorated = policy.protect(access())(target)
    headers = [bearer(token(sub="ada"))]
    scope = {"type": "http", "method": "GET", "path": "/", "headers": headers, "scheme": "https"}
    assert decorated(Request(scope)) == "ada"
    with pytest.raises(LookupError):
        current_identity()


async def test_streamed_responses_know_the_caller() -> None:
    """R-IDN-05: what a function streams after it returned still has its identity."""

    async def target(request: Request) -> Response:
        async def parts() -> AsyncIterator[str]:
            yield current_identity().subject

        return StreamingResponse(parts())

    app = unguarded(guard(), target)
    assert (await request(app, "GET", "/hello", [bearer(token(sub="ada"))])).body == b"ada"


async def test_tenant_in_the_path_needs_a_route() -> None:
    """R-POL-11: a tenant read from the path needs the route's pattern; binding gives it, its absence is an error."""
    demands = Demands(accept=("access",), tenant=Tenant(TenantPlace.PATH, "tenant"))
    with pytest.raises(ConfigurationError, match=r"guard\.bind\(app\)"):
        await request(unguarded(guard(), hello, demands), "GET", "/hello", [bearer(token())])
    policy = guard(issuers=[dataclasses.replace(ISSUER, tenant_claim="org")])
    app = Starlette(routes=[Route("/t/{tenant}/x", policy.protect(demands)(hello))])
    policy.bind(app)
    assert (await request(app, "GET", "/t/acme/x", [bearer(token(org="acme"))])).status == 200
    assert (await request(app, "GET", "/t/acme/x", [bearer(token(org="other"))])).status == 403


async def test_the_dependency_decides_where_no_middleware_does() -> None:
    """R-POL-12: in FastAPI, ``CurrentIdentity`` has the declared policy decided before the body counts."""
    events = Events()
    policy = guard(on_event=events)
    app = FastAPI(openapi_url=None)

    @app.post("/reports/{number}")
    @policy.protect(access(scopes={"reports:read"}))
    async def report(number: int, body: dict[str, int], caller: Annotated[Identity, CurrentIdentity]) -> str:
        assert current_identity() is caller
        return caller.subject

    @app.websocket("/feed")
    @policy.protect(access())
    async def feed(websocket: WebSocket, caller: Annotated[Identity, CurrentIdentity]) -> None:
        await websocket.accept()
        await websocket.close()

    client = TestClient(app, base_url="https://testserver")
    good = {"Authorization": f"Bearer {token(sub='ada').decode()}"}
    assert client.post("/reports/7", json={}, headers=good).json() == "ada"
    assert client.post("/reports/seven", json={}, headers=good).status_code == 422
    refused = client.post("/reports/seven", json=[])
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert refused.json()["error"] == "no_credential"
    assert (await handshake(app, "/feed")).status == 401
    assert (await handshake(app, "/feed", extensions={})).sent == [
        {"type": "websocket.close", "code": 1008, "reason": ""}
    ]
    assert (await handshake(app, "/feed", [bearer(token())])).types[0] == "websocket.accept"
    assert all(isinstance(event, Decided) for event in events)
    assert len(events) == 6


class Taken(HTTPEndpoint):
    """A class with a policy on a method."""

    get = guard().protect(access())(hello)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (guard().public(hello), "has a policy already"),
        (Taken, "has a policy already"),
        (type("Plain", (), {}), "no class-based endpoint"),
        (functools.partial(hello), "not a partial"),
        (staticmethod(hello), "not a staticmethod"),
        ("hello", "not a str"),
    ],
)
def test_what_cannot_have_a_policy(target: Any, message: str) -> None:
    """R-POL-12: two policies on one function, and things that no route can call, are errors at once."""
    with pytest.raises(ConfigurationError, match=message):
        guard().protect(access())(target)


@pytest.mark.parametrize("demands", [hello, None, {"scopes": {"a"}}, Endpoint(match=("/a",), accept=("access",))])
def test_what_is_no_policy(demands: Any) -> None:
    """R-POL-12: ``@guard.protect`` without its policy, or with an endpoint that has a path, is an error at once."""
    with pytest.raises(ConfigurationError, match=r"such as access\(scopes=\.\.\.\)"):
        guard().protect(demands)


async def test_functions_of_one_name() -> None:
    """R-OBS-01: functions that a factory makes have policies of their own, with names of their own."""
    policy = guard()

    def make(scope: str) -> Callable[[Request], Any]:
        @policy.protect(access(scopes={scope}))
        async def made(request: Request) -> Response:
            return JSONResponse(current_identity().policy.rpartition(".")[2])

        return made

    app = Starlette(routes=[Route("/a", make("a")), Route("/b", make("b"))])
    assert (await request(app, "GET", "/a", [bearer(token(scope="a"))])).body == b'"made"'
    assert (await request(app, "GET", "/b", [bearer(token(scope="b"))])).body == b'"made#2"'
    assert (await request(app, "GET", "/b", [bearer(token(scope="a"))])).status == 403


def test_a_websocket_method_is_no_place_for_a_policy() -> None:
    """R-POL-01: a policy on a method that no request is routed to is found at the start."""
    policy = guard()

    class Feed(HTTPEndpoint):
        @policy.protect(access())
        async def on_connect(self, websocket: WebSocket) -> None: ...

    with pytest.raises(ConfigurationError, match="no route of the application leads to it"):
        policy.bind(Starlette(routes=[WebSocketRoute("/feed", Feed)]))
