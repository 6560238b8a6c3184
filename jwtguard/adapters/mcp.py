"""MCP: the guard's verdict in the words of the MCP Python SDK.

``app = JWTGuardMiddleware(MCPIdentity(server.streamable_http_app()), guard=guard)`` is the whole of it. The
middleware decides by the endpoint's policy, challenges, and serves the resource's metadata. ``MCPIdentity`` tells
the SDK who calls, so that a session belongs to whoever opened it. Tools ask for ``CurrentIdentity``.

Where the SDK itself has to stand guard, ``GuardTokenVerifier`` verifies for it.

Neither hands over the token: an MCP server must not pass it on to other services (MCP, "Access Token Privilege
Restriction"), and what a tool does not hold it cannot pass on, or log.
"""

from __future__ import annotations

from collections.abc import Sequence

from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken, TokenVerifier
from mcp.server.mcpserver import Resolve
from starlette.types import ASGIApp, Receive, Scope, Send

from jwtguard.core.challenge import OUTCOMES, Outcome
from jwtguard.core.identity import Identity
from jwtguard.current import CURRENT, current_identity, identity_of
from jwtguard.errors import Refusal, Unavailable
from jwtguard.guard import Guard


async def _caller() -> Identity:
    return current_identity()


CurrentIdentity = Resolve(_caller)
"""``who: Annotated[Identity, CurrentIdentity]`` in a tool: whoever sent the request that called it."""


class MCPIdentity:
    """Tell the SDK whom ``JWTGuardMiddleware`` let in.

    The SDK ties sessions, and the state it lets clients carry, to the principal of its own ``AccessToken``.
    Without one, whoever learns the id of a session could join it under another identity.

    Args:
        app: What ``streamable_http_app()`` or ``sse_app()`` of an MCP server returned.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = AuthContextMiddleware(app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one connection.

        Raises:
            LookupError: No ``JWTGuardMiddleware`` ran for this request.
        """
        if scope["type"] == "http":
            identity = identity_of(scope)
            if identity.is_authenticated:
                scope = {**scope, "user": AuthenticatedUser(_access_token(identity, ""))}
        await self.app(scope, receive, send)


class GuardTokenVerifier(TokenVerifier):
    """Verify bearer tokens for a server that the SDK guards: ``MCPServer(token_verifier=…, auth=AuthSettings(…))``.

    Tokens are verified as ``guard.verify_async`` does. Endpoint policies do not count here, and challenges and
    metadata are the SDK's own, from its ``AuthSettings``. There, ``validate_token_resource=False`` is right: the
    guard has compared the audience.

    Args:
        guard: What verifies.
        accept: The token class, or classes, that count.

    Raises:
        ConfigurationError: No issuer signs such a class for us.
    """

    def __init__(self, guard: Guard, *, accept: str | Sequence[str] = "access") -> None:
        guard.table.acceptance((accept,) if isinstance(accept, str) else tuple(accept))
        self._guard = guard
        self._accept = accept

    async def verify_token(self, token: str) -> AccessToken | None:
        """Verify one token; ``None``, which the SDK answers with 401, if it is not acceptable.

        Raises:
            Unavailable: Nobody can tell right now. The SDK has no answer for that; it ends as a server error,
                which, unlike 401, makes no client throw its token away.
        """
        try:
            identity = await self._guard.verify_async(token, accept=self._accept)
        except Refusal as refusal:
            if OUTCOMES[refusal.reason] is Outcome.CANNOT_TELL:
                message = f"no decision on a token is possible right now: {refusal.reason}"
                raise Unavailable(message) from None
            return None
        finally:
            del token  # so that no traceback's locals show it
        CURRENT.set(identity)
        resource = self._guard.table.config.resource
        return _access_token(identity, resource.identifier if resource else "")


def _access_token(identity: Identity, resource: str) -> AccessToken:
    """Say who calls as the SDK does, without the token.

    The SDK judges ``expires_at`` by its own clock and without leeway, so it is given the end of ours.
    """
    end, audiences = identity.good_until, identity.audiences
    return AccessToken(
        token="",
        client_id=identity.client_id,
        scopes=sorted(identity.scopes),
        expires_at=int(end) if end != float("inf") else None,
        resource=resource if resource in audiences else next(iter(audiences), None),
        subject=identity.subject or None,
        claims={"iss": identity.issuer},
    )
