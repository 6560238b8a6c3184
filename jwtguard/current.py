"""Where the identity of the current request is: in the scope or environ, and in a context variable.

The context variable follows asyncio tasks, trio tasks and threads that copy their context, so an identity
never shows in another request (R-IDN-05).
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar
from typing import Any

from starlette.authentication import AuthCredentials

from jwtguard.core.identity import Identity

IDENTITY_KEY = "jwtguard.identity"
CURRENT: ContextVar[Identity] = ContextVar("jwtguard.identity")


class Credentials(AuthCredentials):
    """Starlette's view of the scopes, made when somebody looks: ``@requires`` does, most endpoints do not."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    @property
    def scopes(self) -> list[str]:  # type: ignore[override]  # read-only where Starlette has an attribute
        """The scopes granted, and ``authenticated``."""
        identity = self._identity
        return ["authenticated", *sorted(identity.scopes)] if identity.is_authenticated else []


def put_into(scope: MutableMapping[str, Any], identity: Identity) -> None:
    """Put an identity where Starlette looks for a user, and where ``identity_of`` does."""
    scope["user"] = scope[IDENTITY_KEY] = identity
    scope["auth"] = Credentials(identity)


def admit(scope: MutableMapping[str, Any], identity: Identity) -> None:
    """Put an identity where applications look: the scope and the context."""
    put_into(scope, identity)
    CURRENT.set(identity)


def current_identity() -> Identity:
    """Return the identity of the request that is being served.

    Raises:
        LookupError: No shell of jwtguard serves a request in this context.
    """
    identity = CURRENT.get(None)
    if identity is None:
        message = "no identity in this context: is the jwtguard middleware installed, outside of this application?"
        raise LookupError(message)
    return identity


def identity_of(connection: Mapping[str, Any]) -> Identity:
    """Return the identity that the guard put into an ASGI scope (or a Starlette request) or a WSGI environ.

    Raises:
        LookupError: No shell of jwtguard ran for this connection.
    """
    if IDENTITY_KEY not in connection:
        message = "no identity in this scope: is JWTGuardMiddleware installed, outside of this application?"
        raise LookupError(message)
    identity: Identity = connection[IDENTITY_KEY]
    return identity
