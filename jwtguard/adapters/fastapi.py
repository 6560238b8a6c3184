"""FastAPI: the identity of the current request as a dependency.

``who: Annotated[Identity, CurrentIdentity]`` in an HTTP or WebSocket endpoint of an application behind
``JWTGuardMiddleware``.
"""

from __future__ import annotations

from fastapi import Depends
from starlette.requests import HTTPConnection

from jwtguard.asgi import identity_of
from jwtguard.core.identity import Identity


async def current_identity(connection: HTTPConnection) -> Identity:
    """Return the identity the guard put into the scope.

    Asynchronous, although nothing is awaited: FastAPI would run a plain function in a thread.

    Raises:
        LookupError: No ``JWTGuardMiddleware`` ran for this connection.
    """
    return identity_of(connection.scope)


CurrentIdentity = Depends(current_identity)
