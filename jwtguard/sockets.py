"""WebSockets end with their token (close code 1008), unless the application brings a new one in time.

The application learns of the end as of any other: ``receive`` gives a disconnect, ``send`` raises an
``OSError``. One that does neither is cancelled after a short grace. A socket lives long, so a task that
watches it costs little; it lives in a task group around the application, and so never longer than that.
"""

from __future__ import annotations

from contextlib import suppress

import anyio
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jwtguard.connection import CONNECTION_KEY, GRACE_S, Connection, EndedError, was_told
from jwtguard.core.decision import Allowed
from jwtguard.core.identity import Identity
from jwtguard.core.request import RequestHead
from jwtguard.current import admit
from jwtguard.errors import Reason, Refusal
from jwtguard.guard import Guard

POLICY_VIOLATION = 1008
_WHY = "The token no longer holds."  # one text for every reason: clients learn no more


class Socket(Connection):
    """One WebSocket, from its handshake to its close."""

    def __init__(self, allowed: Allowed, guard: Guard, head: RequestHead) -> None:
        super().__init__(guard, allowed.identity)
        self._head = head
        self._changed = anyio.Event()
        self._receiving: anyio.CancelScope | None = None
        self._connected = False
        self._gone = False  # closed by either side, or never accepted

    async def run(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application, to its end or a grace beyond that of its token."""
        scope[CONNECTION_KEY] = self
        self._server_receive, self._server_send = receive, send
        error = None
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._watch, group.cancel_scope)
                await app(scope, self._receive, self._send)
                group.cancel_scope.cancel()
        except BaseExceptionGroup as errors:
            error = errors.exceptions[0] if len(errors.exceptions) == 1 else errors
        finally:
            scope.pop(CONNECTION_KEY, None)
        if error is not None and (self.ended is None or not was_told(error)):
            raise error  # outside of the group, which is ours: as the application raised it

    async def reauthenticate(self, token: str | bytes) -> Identity:
        """Go on with another token of the same principal; see ``reauthenticate`` below."""
        identity = await self._guard.verify_at(self._head, token)
        if self.is_over():
            raise Refusal(self.ended or Reason.EXPIRED, "connection", "not ended", None)
        if identity != self.identity:
            raise Refusal(Reason.RULE_REFUSED, "principal", self.identity.key, identity.key)
        self.identity = identity
        self._changed.set()
        return identity

    def _conclude(self, reason: Reason) -> None:
        if not self._gone:
            self._report(reason)
        self._changed.set()

    async def _watch(self, application: anyio.CancelScope) -> None:
        while not (self._gone or self.is_over()):
            with anyio.move_on_after(self.left_s()):
                await self._changed.wait()
                self._changed = anyio.Event()
        if not self._gone:
            await self._close()
            if self._receiving is not None:
                self._receiving.cancel()
            await anyio.sleep(GRACE_S)
            application.cancel()

    async def _close(self) -> None:
        if not self._gone:
            self._gone = True
            # Servers raise a RuntimeError of no class of its own where the client has closed a moment before.
            with anyio.move_on_after(GRACE_S, shield=True), suppress(OSError, RuntimeError):
                await self._server_send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": _WHY})

    async def _receive(self) -> Message:
        if not self._connected:
            self._connected = True
            return await self._server_receive()
        if not self.is_over():
            with anyio.CancelScope() as self._receiving:
                message = await self._server_receive()
                if message["type"] == "websocket.disconnect":
                    self._leave()
                    return message
                if not self.is_over():
                    return message
        return {"type": "websocket.disconnect", "code": POLICY_VIOLATION, "reason": _WHY}

    async def _send(self, message: Message) -> None:
        closing = message["type"] in ("websocket.close", "websocket.http.response.start")
        if self.is_over():
            if closing:
                return
            raise EndedError
        if closing:
            self._leave()
        await self._server_send(message)

    def _leave(self) -> None:
        self._gone = True
        self._changed.set()


async def reauthenticate(websocket: HTTPConnection | Scope, token: str | bytes) -> Identity:
    """Keep a WebSocket open with a new token, which the client sent in a message.

    The token is judged by the policy of the WebSocket's endpoint, and must speak for the same issuer and
    subject. The identity in the scope is then the new one, and the end that of the new token. After a
    refusal everything is as before, and the old end stays.

    Args:
        websocket: Starlette's ``WebSocket``, or the ASGI scope that the application was called with.
        token: The compact JWS.

    Raises:
        Refusal: The token is not acceptable here, names another principal, or comes after the end.
        LookupError: No WebSocket that was opened with a token, or one that is closed.
    """
    socket = websocket.get(CONNECTION_KEY)
    if not isinstance(socket, Socket) or not socket.identity.is_authenticated:
        message = "no WebSocket opened with a token: is JWTGuardMiddleware installed, outside of this application?"
        raise LookupError(message)
    identity = await socket.reauthenticate(token)
    admit(websocket.scope if isinstance(websocket, HTTPConnection) else websocket, identity)
    return identity
