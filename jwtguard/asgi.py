"""The ASGI shell: scope in, ``Identity`` in the scope or a challenge out. It decides nothing."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jwtguard.connection import CONNECTION_KEY
from jwtguard.core.challenge import Answer
from jwtguard.core.decision import Allowed, Refused, Served
from jwtguard.core.request import RequestHead
from jwtguard.cors import CorsLayer
from jwtguard.current import admit
from jwtguard.errors import ConfigurationError, Unavailable
from jwtguard.guard import Guard
from jwtguard.incoming import head_of_scope
from jwtguard.sockets import POLICY_VIOLATION, Socket
from jwtguard.streaming import response_to

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

_WRAPPERS = 32  # how many layers of middleware to look through
_DECIDED = frozenset({"http", "websocket"})


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
        self._cors = CorsLayer(app)
        self._is_bound = False
        self._root_path = _root_path_of(app)  # FastAPI puts its own into the scope, later

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one connection."""
        kind = scope["type"]
        if kind not in _DECIDED:
            await self._undecided(scope, receive, send)
            return
        if kind == "http" and scope["method"] == "OPTIONS" and await self._cors.answers(scope, receive, send):
            return
        if not self._is_bound:
            self._bind(scope)
        guard = self._guard
        head = head_of_scope(scope, self._root_path)
        decision = guard.decide_locally(head)
        if type(decision) is tuple:
            decision = await guard.verify_unknown(*decision)
        if type(decision) is Allowed:
            await self._admit(decision, head, scope, receive, send)
        elif type(decision) is Refused:
            await _answer(guard.answer(decision, head), scope, self._cors.clothe(scope, send))
        elif type(decision) is Served:
            await _answer(decision.answer, scope, self._cors.clothe(scope, send))

    def _admit(
        self, allowed: Allowed, head: RequestHead, scope: Scope, receive: Receive, send: Send
    ) -> Awaitable[None]:
        """Call the application, within the connection of an endpoint that reads credentials."""
        admit(scope, allowed.identity)
        if not allowed.policy.reads_credentials:
            scope.pop(CONNECTION_KEY, None)
            return self.app(scope, receive, send)
        if scope["type"] == "http":
            return response_to(allowed, self._guard, send).run(self.app, scope, receive)
        return Socket(allowed, self._guard, head).run(self.app, scope, receive, send)

    def _bind(self, scope: Scope) -> None:
        """Give declared policies their routes: at the start, or before the first request where there is none."""
        self._guard.bind(self.app, scope.get("app"))
        self._is_bound = True

    async def _undecided(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            message = "jwtguard refuses connections of a type it does not know"
            raise RuntimeError(message)
        await self._lifespan(scope, receive, send)

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
                    self._bind(scope)
                    stop_on_gaps(scope.get("app"), self._guard.table)
                    await self._guard.start()
                except (ConfigurationError, Unavailable) as error:
                    # Raised alone, servers take this for an application without lifespan and serve on.
                    await send({"type": "lifespan.startup.failed", "message": str(error)})
                    raise
                group.start_soon(self._guard.refresh_forever)
            return message

        return wrapped


def _root_path_of(app: object) -> str:
    """Return the root path that an application has of its own, also from behind other middleware."""
    for _ in range(_WRAPPERS):
        if root_path := getattr(app, "root_path", ""):
            return str(root_path).rstrip("/")
        app = getattr(app, "app", None)
    return ""


async def _answer(answer: Answer, scope: Scope, send: Send) -> None:
    """Send what the guard says, in whatever way this kind of connection can be answered before it is accepted."""
    prefix = "http.response"
    if scope["type"] == "websocket":
        if "websocket.http.response" not in (scope.get("extensions") or {}):
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
            return
        prefix = "websocket.http.response"
    body = b"" if scope.get("method") == "HEAD" else answer.body
    await send({"type": f"{prefix}.start", "status": answer.status, "headers": list(answer.headers)})
    await send({"type": f"{prefix}.body", "body": body})
