"""FastAPI: the identity of the current request as a dependency, and the policy in its OpenAPI document.

``who: Annotated[Identity, CurrentIdentity]`` in an HTTP or WebSocket endpoint;
``Security(current_identity, scopes=["reports:read"])`` demands scopes beyond those of the policy;
``document(app, guard)`` writes the whole policy into ``/openapi.json``.
"""

from __future__ import annotations

from collections.abc import Iterable

from fastapi import Depends
from fastapi.openapi.models import HTTPBearer
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from jwtguard.adapters.openapi import SCHEME, document
from jwtguard.connection import CONNECTION_KEY
from jwtguard.core.challenge import Answer
from jwtguard.core.identity import Identity
from jwtguard.current import IDENTITY_KEY, admit, identity_of
from jwtguard.declared.connections import Connection, connection_of
from jwtguard.declared.declaration import declared_on
from jwtguard.errors import ConfigurationError

__all__ = ["CurrentIdentity", "IdentityDependency", "current_identity", "document"]

_NONE = SecurityScopes()


class _Answered(HTTPException):
    """A refusal on its way out of a dependency; FastAPI's own handler would write a body of its own."""

    def __init__(self, connection: Connection, answer: Answer) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in answer.headers}
        described = ("content-type", "content-length")
        super().__init__(answer.status, headers={k: v for k, v in headers.items() if k not in described})
        self.connection = connection
        self.answer = answer


async def _send(_: HTTPConnection, answered: Exception) -> object:
    return await answered.connection.refuse(answered.answer) if isinstance(answered, _Answered) else None


class IdentityDependency(SecurityBase):
    """The dependency ``current_identity``. To FastAPI it is a security scheme, so that scopes reach OpenAPI."""

    def __init__(self) -> None:
        self.model = HTTPBearer(bearerFormat="JWT")
        self.scheme_name = SCHEME

    async def __call__(self, connection: HTTPConnection, wanted: SecurityScopes = _NONE) -> Identity:
        """Return the identity the guard put into the scope.

        Asynchronous: FastAPI would run a plain function in a thread. Without a shell, the policy that a
        decorator declared for the endpoint is decided here, before the body is read.

        Args:
            connection: The request or WebSocket.
            wanted: The scopes that ``Security`` demands; a token without them gets the guard's own 403.

        Raises:
            HTTPException: The request is refused.
            LookupError: No ``JWTGuardMiddleware`` ran for this connection, and no policy was declared.
        """
        scope = connection.scope
        declaration = declared_on(scope.get("endpoint")) if IDENTITY_KEY not in scope else None
        if declaration is not None:
            outcome = await declaration.decide(connection_of(connection))
            if isinstance(outcome, Answer):
                raise _answered(connection, outcome)
            admit(scope, outcome)
        identity = identity_of(scope)
        if not identity.scopes.issuperset(wanted.scopes):
            raise _answered(connection, _lacking(connection, identity, wanted.scopes))
        return identity


current_identity = IdentityDependency()
CurrentIdentity = Depends(current_identity)


def _lacking(connection: HTTPConnection, identity: Identity, scopes: Iterable[str]) -> Answer:
    """Have the guard that admitted the connection say what its client lacks."""
    scope = connection.scope
    admitted, declaration = scope.get(CONNECTION_KEY), declared_on(scope.get("endpoint"))
    judge = admitted.guard if admitted is not None else declaration.judge if declaration is not None else None
    if judge is None or not identity.policy:
        message = f"the endpoint demands {', '.join(scopes)}, and its policy {identity.policy!r} reads no token"
        raise ConfigurationError(message, key="Security", rule="R-POL-07")
    answer: Answer = judge.lacking(identity, frozenset(scopes), connection_of(connection).head())
    return answer


def _answered(connection: HTTPConnection, answer: Answer) -> _Answered:
    """Make the exception, and see that it is answered as it is: Starlette keeps its handlers in the scope."""
    handlers = connection.scope.get("starlette.exception_handlers")
    if handlers is not None:
        handlers[0][_Answered] = _send
    return _Answered(connection_of(connection), answer)
