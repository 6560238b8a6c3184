"""The ASGI shell: scope in, ``Identity`` in the scope or a challenge out. It decides nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from starlette.authentication import AuthCredentials
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jwtguard.core.challenge import challenge
from jwtguard.core.decision import Allowed, Refused
from jwtguard.core.identity import Identity
from jwtguard.core.request import RequestHead, http_method
from jwtguard.errors import ConfigurationError, Unavailable
from jwtguard.guard import Guard

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

SCOPE_KEY = "jwtguard.identity"
_POLICY_VIOLATION = 1008
_OUTSIDE = "outside of root_path"  # matches nothing: paths start with a slash


class _Credentials(AuthCredentials):
    """Starlette's view of the scopes, made when somebody looks: ``@requires`` does, most endpoints do not."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    @property
    def scopes(self) -> list[str]:  # type: ignore[override]  # read-only where Starlette has an attribute
        identity = self._identity
        return ["authenticated", *sorted(identity.scopes)] if identity.is_authenticated else []


class JWTGuardMiddleware:
    """Decide every HTTP request and WebSocket handshake before the application sees it.

    The identity is put into ``scope["user"]`` and ``scope["auth"]``, where Starlette looks for them, and
    under a key of our own for ``identity_of``. The request body is never read. Other scope types than
    http, websocket and lifespan are refused.

    Args:
        app: The application.
        guard: What decides.
    """

    def __init__(self, app: ASGIApp, *, guard: Guard) -> None:
        if not isinstance(guard, Guard):
            message = f"guard must be a jwtguard.Guard, not {type(guard).__name__}"
            raise ConfigurationError(message, key="guard")
        self.app = app
        self._guard = guard
        self._root_path = str(getattr(app, "root_path", "")).rstrip("/")  # FastAPI puts its own into the scope, later

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one connection."""
        kind = scope["type"]
        if kind == "lifespan":
            await self._lifespan(scope, receive, send)
            return
        if kind not in ("http", "websocket"):
            message = "jwtguard refuses connections of a type it does not know"
            raise RuntimeError(message)
        guard = self._guard
        decision = guard.decide_locally(_head(scope, self._root_path))
        if type(decision) is tuple:
            decision = await guard.verify_unknown(*decision)
        if type(decision) is Allowed:
            identity = decision.identity
            scope["user"] = scope[SCOPE_KEY] = identity
            scope["auth"] = _Credentials(identity)
            await self.app(scope, receive, send)
        elif type(decision) is Refused:
            await _refuse(decision, scope, send)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application's lifespan with the key refresher beside it."""
        import anyio  # noqa: PLC0415 - only a lifespan needs it

        try:
            async with anyio.create_task_group() as group:
                await self.app(scope, self._after_start(scope, receive, send, group), send)
                group.cancel_scope.cancel()
        except BaseExceptionGroup as errors:
            if len(errors.exceptions) == 1:  # the application's own, or ours at start-up: nothing else raises
                raise errors.exceptions[0] from None
            raise

    def _after_start(self, scope: Scope, receive: Receive, send: Send, group: TaskGroup) -> Receive:
        """Wrap ``receive`` so that the guard is ready before the application learns of the start."""

        async def wrapped() -> Message:
            message = await receive()
            if message["type"] == "lifespan.startup":
                from jwtguard.lint.census import stop_on_gaps  # noqa: PLC0415 - once, at the start

                try:
                    stop_on_gaps(scope.get("app"), self._guard.table)
                    await self._guard.start()
                except (ConfigurationError, Unavailable) as error:
                    # Raised alone, servers take this for an application without lifespan and serve on.
                    await send({"type": "lifespan.startup.failed", "message": str(error)})
                    raise
                group.start_soon(self._guard.refresh_forever)
            return message

        return wrapped


def identity_of(scope: Mapping[str, Any]) -> Identity:
    """Return the identity that the guard put into a scope (or a Starlette request, which is a mapping of it).

    Raises:
        LookupError: No ``JWTGuardMiddleware`` ran for this connection.
    """
    if SCOPE_KEY not in scope:
        message = "no identity in this scope: is JWTGuardMiddleware installed, outside of this application?"
        raise LookupError(message)
    identity: Identity = scope[SCOPE_KEY]
    return identity


def _head(scope: Scope, root_path: str) -> RequestHead:
    """Read a scope as Starlette's router will: the decoded path without ``root_path``.

    A path outside its ``root_path`` is no path of this application: Starlette's mounts would route it by
    other segments than its top level does. No policy covers it.
    """
    path, root = scope["path"], root_path or scope.get("root_path", "")
    if root:
        inside = path.startswith(root) and path[len(root) : len(root) + 1] in ("", "/")
        path = path[len(root) :] if inside else _OUTSIDE
    server = scope.get("server")
    method = http_method(scope["method"]) if scope["type"] == "http" else "WEBSOCKET"
    return RequestHead(method, path, scope["headers"], scope.get("scheme", ""), (server[0] or "") if server else "")


async def _refuse(refused: Refused, scope: Scope, send: Send) -> None:
    """Send the challenge, in whatever way this kind of connection can be refused before it is accepted."""
    answer = challenge(refused.refusal.reason, refused.policy)
    prefix = "http.response"
    if scope["type"] == "websocket":
        if "websocket.http.response" not in (scope.get("extensions") or {}):
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
            return
        prefix = "websocket.http.response"
    body = b"" if scope.get("method") == "HEAD" else answer.body
    await send({"type": f"{prefix}.start", "status": answer.status, "headers": list(answer.headers)})
    await send({"type": f"{prefix}.body", "body": body})
