"""The FastAPI dependency: the identity of the request, or of the WebSocket, and of no other."""

from __future__ import annotations

from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, FastAPI, HTTPException, WebSocket

from jwtguard import Guard, Identity, JWTGuardMiddleware
from jwtguard.adapters.fastapi import CurrentIdentity, current_identity
from tests.kit.asgi_calls import Call, handshake, request
from tests.kit.guarded import bearer, guard, optional, protected, public, token

pytestmark = pytest.mark.anyio

Caller = Annotated[Identity, CurrentIdentity]


def subject_of(caller: Caller) -> str:
    """A dependency of the application, on ours."""
    return caller.subject


def editor(caller: Caller) -> Identity:
    """A dependency that asks for more than the policy."""
    if "editor" not in caller.scopes:
        raise HTTPException(409)
    return caller


ROUTES = APIRouter()


@ROUTES.get("/reports/{number}")
async def report(number: int, caller: Caller) -> dict[str, object]:
    """Take a parameter of its own."""
    return {"number": number, "subject": caller.subject, "kind": caller.kind}


@ROUTES.get("/threaded")
def threaded(caller: Caller) -> str:
    """Run in a thread."""
    return caller.subject


@ROUTES.get("/nested")
async def nested(subject: Annotated[str, Depends(subject_of)], caller: Caller) -> list[str]:
    """Get it twice."""
    return [subject, caller.subject]


@ROUTES.get("/edit")
async def edit(caller: Annotated[Identity, Depends(editor)]) -> str:
    """Ask for more."""
    return caller.subject


@ROUTES.get("/health")
async def health(caller: Caller) -> bool:
    """Be there for everybody."""
    return caller.is_authenticated


@ROUTES.websocket("/feed")
async def feed(websocket: WebSocket, caller: Caller) -> None:
    """Greet."""
    await websocket.accept()
    await websocket.send_text(caller.subject)
    await websocket.close()


def build(policy: Guard | None) -> FastAPI:
    """An application with an endpoint of each kind."""
    app = FastAPI(openapi_url=None)
    if policy is not None:
        app.add_middleware(JWTGuardMiddleware, guard=policy)
    app.include_router(ROUTES)
    return app


@pytest.fixture
def app() -> FastAPI:
    """The application behind a guard."""
    return build(
        guard(
            protected("GET /reports/{number}", scopes=frozenset({"reports:read"})),
            protected("GET /threaded", "GET /nested", "GET /edit"),
            public("GET /health"),
            protected("WEBSOCKET /feed"),
        )
    )


async def get(app: FastAPI, path: str, **claims: object) -> Call:
    """Ask with a token of one's own."""
    return await request(app, "GET", path, [bearer(token(sub="ada", **claims))])


async def test_identity_in_an_endpoint(app: FastAPI) -> None:
    """Section 4: the endpoint gets the identity, typed, beside its own parameters."""
    call = await get(app, "/reports/7")
    assert (call.status, call.body) == (200, b'{"number":7,"subject":"ada","kind":"user"}')


@pytest.mark.parametrize(("path", "body"), [("/threaded", b'"ada"'), ("/nested", b'["ada","ada"]')])
async def test_identity_elsewhere(app: FastAPI, path: str, body: bytes) -> None:
    """Section 4: so does an endpoint that runs in a thread, and a dependency of a dependency."""
    assert (await get(app, path)).body == body


async def test_a_dependency_on_it_may_refuse(app: FastAPI) -> None:
    """Section 4: an application's own dependency can ask the identity for more."""
    assert (await get(app, "/edit")).status == 409
    assert (await get(app, "/edit", scope="editor")).status == 200


async def test_anonymous(app: FastAPI) -> None:
    """Section 4: on a public endpoint it is anonymous, and no error."""
    assert (await request(app, "GET", "/health")).body == b"false"
    assert (await get(app, "/health")).body == b"false"


async def test_refused_requests_reach_no_endpoint(app: FastAPI) -> None:
    """Section 4: refusals are the guard's own; the path parameter of a refused request is not even read."""
    for path, status in (("/reports/7", 401), ("/reports/seven", 401), ("/threaded", 401), ("/docs", 403)):
        assert (await request(app, "GET", path)).status == status
    assert (await get(app, "/reports/seven", scope="")).status == 403
    assert (await get(app, "/reports/seven")).status == 422


async def test_websocket(app: FastAPI) -> None:
    """Section 4: a WebSocket endpoint gets the identity; a refused handshake is denied before it."""
    call = await handshake(app, "/feed", [bearer(token(sub="ada"))])
    assert (call.types[0], call.sent[1]["text"]) == ("websocket.accept", "ada")
    assert (await handshake(app, "/feed")).status == 401


async def test_without_the_middleware() -> None:
    """R-ERR-06: an endpoint that asks for an identity nobody established is an error, not anonymous."""
    app = build(None)
    with pytest.raises(LookupError, match="JWTGuardMiddleware"):
        await get(app, "/reports/7")
    with pytest.raises(LookupError, match="JWTGuardMiddleware"):
        await handshake(app, "/feed")


async def test_a_mounted_application() -> None:
    """F60: the guard of a mounted application decides by the path below the mount, as its router does."""
    outer = FastAPI(openapi_url=None)
    outer.mount("/api", build(guard(protected("GET /reports/{number}"))))
    assert (await get(outer, "/api/reports/7")).status == 200
    assert (await request(outer, "GET", "/api/reports/7")).status == 401
    assert (await get(outer, "/api/threaded")).status == 403


async def test_it_is_no_parameter_of_the_schema() -> None:
    """Section 4: the dependency adds nothing to the OpenAPI document that a client could send."""
    app = FastAPI()

    @app.get("/reports")
    async def reports(caller: Caller) -> str:
        return caller.subject

    (operation,) = app.openapi()["paths"]["/reports"].values()
    assert "parameters" not in operation
    assert "requestBody" not in operation


async def test_it_can_be_overridden_in_tests(app: FastAPI) -> None:
    """Section 4: ``app.dependency_overrides`` works with it, behind an endpoint that lets everybody in."""
    app = build(guard(optional("GET /threaded")))
    somebody = guard(protected("/x")).verify(token(sub="eve"), accept="access")
    app.dependency_overrides[current_identity] = lambda: somebody
    assert (await request(app, "GET", "/threaded")).body == b'"eve"'
