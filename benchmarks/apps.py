"""The applications that are measured: bare, Starlette, FastAPI; each alone, behind the guard, and behind PyJWT.

Each is built from an issuer's public JWK and does the same work: ``GET /orders/{id}`` for tokens of that
issuer with the scope ``orders:read``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import jwt
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.applications import Starlette
from starlette.authentication import (
    AuthCredentials,
    AuthenticationBackend,
    AuthenticationError,
    BaseUser,
    SimpleUser,
    requires,
)
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from benchmarks import peers
from benchmarks.tokens import AUDIENCE, ISSUER, SCOPE
from jwtguard import Config, Endpoint, Guard, Identity, InlineKeys, Issuer, JWTGuardMiddleware
from jwtguard.adapters.fastapi import CurrentIdentity

ORDERS = Endpoint(match=("GET /orders/{id}",), accept=("access",), scopes=frozenset({SCOPE}))
_BODY = b'{"id":"17"}'
_bearer = HTTPBearer()


def guard_for(jwk: Mapping[str, Any], endpoints: Sequence[Endpoint] = (ORDERS,)) -> Guard:
    """Build a guard that remembers nothing yet, under the production profile with default limits."""
    issuer = Issuer(name="login", issuer=ISSUER, algorithms=(jwk["alg"],), keys=InlineKeys([jwk]), audience=(AUDIENCE,))
    return Guard(Config(issuers=[issuer], endpoints=endpoints))


async def bare(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the least an ASGI application can do."""
    if scope["type"] != "http":
        message = "no lifespan here"
        raise RuntimeError(message)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"11")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": _BODY})


def starlette_app() -> Starlette:
    """Answer through Starlette, asking nobody who is calling."""
    return Starlette(routes=[Route("/orders/{id}", _order)])


def fastapi_app() -> FastAPI:
    """Answer through FastAPI, asking nobody who is calling."""
    app = FastAPI(openapi_url=None)

    @app.get("/orders/{id}")
    async def order(id: str) -> dict[str, str]:  # noqa: A002 - the name in the path
        return {"id": id}

    return app


def starlette_guarded(jwk: Mapping[str, Any]) -> Starlette:
    """Put the guard before Starlette."""
    app = starlette_app()
    app.add_middleware(JWTGuardMiddleware, guard=guard_for(jwk))
    return app


def fastapi_guarded(jwk: Mapping[str, Any]) -> FastAPI:
    """Put the guard before FastAPI."""
    app = fastapi_app()
    app.add_middleware(JWTGuardMiddleware, guard=guard_for(jwk))
    return app


def fastapi_with_identity(jwk: Mapping[str, Any]) -> FastAPI:
    """Put the guard before FastAPI, and have the endpoint ask who is calling."""
    app = FastAPI(openapi_url=None)
    app.add_middleware(JWTGuardMiddleware, guard=guard_for(jwk))

    @app.get("/orders/{id}")
    async def order(id: str, who: Annotated[Identity, CurrentIdentity]) -> dict[str, str]:  # noqa: A002
        return {"id": id}

    return app


def starlette_on_pyjwt(jwk: Mapping[str, Any]) -> Starlette:
    """Do what Starlette's documentation shows: its AuthenticationMiddleware, with a backend on PyJWT."""
    app = Starlette(routes=[Route("/orders/{id}", requires(SCOPE)(_order))])
    app.add_middleware(AuthenticationMiddleware, backend=_PyJwtBackend(peers.pyjwt(jwk)))
    return app


def fastapi_on_pyjwt(jwk: Mapping[str, Any]) -> FastAPI:
    """Do what FastAPI's documentation shows: a dependency that decodes with PyJWT."""
    app = FastAPI(openapi_url=None)
    decode = peers.pyjwt(jwk).decode

    async def claims_of(credentials: Annotated[HTTPAuthorizationCredentials, Depends(_bearer)]) -> Mapping[str, Any]:
        try:
            claims = decode(credentials.credentials)
        except jwt.InvalidTokenError:
            raise HTTPException(401) from None
        if SCOPE not in claims["scope"].split():
            raise HTTPException(403)
        return claims

    @app.get("/orders/{id}")
    async def order(id: str, claims: Mapping[str, Any] = Depends(claims_of)) -> dict[str, str]:  # noqa: A002
        return {"id": id}

    return app


class _PyJwtBackend(AuthenticationBackend):
    def __init__(self, peer: peers.Peer) -> None:
        self._decode = peer.decode

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, BaseUser] | None:
        scheme, _, token = conn.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        try:
            claims = self._decode(token)
        except jwt.InvalidTokenError:
            message = "invalid token"
            raise AuthenticationError(message) from None
        return AuthCredentials(claims["scope"].split()), SimpleUser(claims["sub"])


async def _order(request: Request) -> Response:
    return JSONResponse({"id": request.path_params["id"]})


APPS: Mapping[str, Callable[[Mapping[str, Any]], ASGIApp]] = {
    "bare ASGI": lambda _: bare,
    "bare ASGI + guard": lambda jwk: JWTGuardMiddleware(bare, guard=guard_for(jwk)),
    "Starlette": lambda _: starlette_app(),
    "Starlette + guard": starlette_guarded,
    "Starlette + PyJWT": starlette_on_pyjwt,
    "FastAPI": lambda _: fastapi_app(),
    "FastAPI + guard": fastapi_guarded,
    "FastAPI + guard + CurrentIdentity": fastapi_with_identity,
    "FastAPI + PyJWT": fastapi_on_pyjwt,
}
