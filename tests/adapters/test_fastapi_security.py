"""``Security(current_identity, scopes=[...])``: scopes beyond the policy's, refused as the policy would."""

from __future__ import annotations

from typing import Annotated

import pytest
from fastapi import FastAPI, HTTPException, Request, Response, Security, WebSocket

from jwtguard import ConfigurationError, Guard, Identity, JWTGuardMiddleware, Reason
from jwtguard.adapters.fastapi import current_identity
from jwtguard.core.endpoint import access
from tests.kit.asgi_calls import Call, handshake, request
from tests.kit.guarded import Events, bearer, guard, optional, protected, public, token

pytestmark = pytest.mark.anyio

Writer = Annotated[Identity, Security(current_identity, scopes=["reports:write"])]


def build(policy: Guard) -> FastAPI:
    """Endpoints that all demand one scope more."""
    app = FastAPI(openapi_url=None)

    @app.post("/reports/{number}")
    @app.post("/optional")
    @app.post("/public")
    async def write(caller: Writer, number: int = 0) -> str:
        return f"{caller.subject} {number}"

    @app.post("/threaded")
    def threaded(caller: Writer) -> str:
        return caller.subject

    @app.websocket("/feed")
    async def feed(websocket: WebSocket, caller: Writer) -> None:
        await websocket.accept()
        await websocket.close()

    app.add_middleware(JWTGuardMiddleware, guard=policy)
    return app


READ = frozenset({"reports:read"})
ENDPOINTS = (
    protected("POST /reports/{number}", scopes=READ),
    protected("POST /threaded", "WEBSOCKET /feed"),
    optional("POST /optional"),
    public("POST /public"),
)


async def post(app: FastAPI, path: str, *scopes: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Call:
    """Send a token of these scopes."""
    return await request(app, "POST", path, [bearer(token(sub="ada", scope=" ".join(scopes))), *headers])


@pytest.mark.parametrize("path", ["/reports/7", "/threaded", "/optional"])
async def test_the_scope_is_demanded_too(path: str) -> None:
    """R-POL-07: a token that the policy admits is refused without the endpoint's own scope, and admitted with it."""
    app = build(guard(*ENDPOINTS))
    assert (await post(app, path, "reports:read")).status == 403
    assert (await post(app, path, "reports:read", "reports:write")).status == 200


@pytest.mark.parametrize("accept", [(), ((b"accept", b"application/problem+json"),)])
async def test_the_answer_is_the_guards_own(accept: tuple[tuple[bytes, bytes], ...]) -> None:
    """R-POL-07: status, fields and body are those of a policy that demands all the scopes, in the form asked for."""
    app = build(guard(*ENDPOINTS))
    whole = build(guard(protected("POST /reports/{number}", scopes=READ | {"reports:write"})))
    ours, policys = [await post(one, "/reports/7", "reports:read", headers=accept) for one in (app, whole)]
    assert (ours.status, ours.body) == (policys.status, policys.body)
    # The request was identified by then, so what answers it varies on the credential, as every such answer does.
    assert [field for field in sorted(ours.fields) if field[0] != b"vary"] == sorted(policys.fields)
    assert b'scope="reports:read reports:write"' in (ours.header(b"www-authenticate") or b"")


async def test_anonymous_on_an_optional_endpoint() -> None:
    """R-POL-09: who sends no token where the endpoint demands a scope is asked for one."""
    call = await request(build(guard(*ENDPOINTS)), "POST", "/optional")
    assert (call.status, call.header(b"www-authenticate")) == (401, b"Bearer")


async def test_scopes_on_a_public_endpoint() -> None:
    """R-POL-01: a public policy reads no token, so an endpoint under it that demands scopes is a mistake, not open."""
    with pytest.raises(ConfigurationError, match="its policy 'POST /public' reads no token"):
        await post(build(guard(*ENDPOINTS)), "/public", "reports:write")


@pytest.mark.parametrize("extensions", [{"websocket.http.response": {}}, {}, None])
async def test_websocket(extensions: dict[str, object] | None) -> None:
    """F61: a handshake without the scope is refused before it is accepted."""
    app = build(guard(*ENDPOINTS))
    refused = await handshake(app, "/feed", [bearer(token(scope="x"))], extensions=extensions)
    kind = "websocket.http.response.start" if extensions else "websocket.close"
    assert (refused.types[0], refused.sent[0].get("status", refused.sent[0].get("code"))) == (
        kind,
        403 if extensions else 1008,
    )
    assert (await handshake(app, "/feed", [bearer(token(scope="reports:write"))])).types[0] == "websocket.accept"


async def test_the_refusal_is_reported() -> None:
    """R-OBS-01: the operator sees the refusal under the policy that had admitted the request."""
    events = Events()
    await post(build(guard(*ENDPOINTS, on_event=events)), "/threaded", "x")
    assert events.reasons == [None, Reason.SCOPE_MISSING]


async def test_inside_of_the_guard_and_around_it() -> None:
    """R-ERR-06: the answer does not depend on where the middleware is: around the whole application it is the same."""
    policy = guard(*ENDPOINTS)
    inner = FastAPI(openapi_url=None)

    @inner.post("/threaded")
    def threaded(caller: Writer) -> str:
        return caller.subject

    whole = JWTGuardMiddleware(inner, guard=policy)
    ours = await request(whole, "POST", "/threaded", [bearer(token(scope="x"))])
    theirs = await post(build(policy), "/threaded", "x")
    assert (ours.status, ours.body) == (theirs.status, theirs.body)
    outer = FastAPI(openapi_url=None)
    outer.mount("/api", whole)
    assert (await request(outer, "POST", "/api/threaded", [bearer(token(scope="x"))])).body == ours.body


async def test_the_applications_own_handlers_stay() -> None:
    """R-ERR-08: the application's handler for its own errors does not change the guard's answer, nor the reverse."""
    app = build(guard(*ENDPOINTS, protected("GET /teapot")))

    @app.exception_handler(HTTPException)
    async def own(request: Request, error: HTTPException) -> Response:
        return Response("own", error.status_code)

    @app.get("/teapot")
    async def teapot() -> None:
        raise HTTPException(418)

    assert (await post(app, "/threaded", "x")).body.startswith(b'{"error":"insufficient_scope"')
    assert (await request(app, "GET", "/teapot", [bearer(token())])).body == b"own"


async def test_with_decorators_alone() -> None:
    """R-POL-12: without the middleware too: the decorator's scopes, and those of ``Security``."""
    policy = guard()
    app = FastAPI(openapi_url=None)

    @app.post("/write")
    @policy.protect(access(scopes={"reports:read"}))
    async def write(caller: Writer) -> str:
        return caller.subject

    call = await post(app, "/write", "reports:read")
    assert call.status == 403
    assert b'scope="reports:read reports:write"' in (call.header(b"www-authenticate") or b"")
    assert (await post(app, "/write", "reports:write")).status == 403
    assert (await post(app, "/write", "reports:write", "reports:read")).body == b'"ada"'
