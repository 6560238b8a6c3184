"""HTTP responses to identified requests: they vary on the credential, and none streams on after its token.

A response of announced length is never cut. One without ends with its token: an event stream by a last
empty piece, so that a browser asks again and is refused; any other without its end, so that nobody takes
it for complete. (What a generator blocks a thread for is left to it, and goes nowhere.)

Every identified request passes here, so what few need is made late. On asyncio a timer, made when a stream
begins, can cancel the task; elsewhere a scope must be around the application from the start, which on
asyncio would cost twice as much as all the rest of this module.
"""

from __future__ import annotations

import asyncio
import math
from abc import abstractmethod
from collections.abc import Awaitable, Iterable
from contextlib import suppress

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jwtguard.connection import CONNECTION_KEY, GRACE_S, TOLD, Connection, EndedError, was_told
from jwtguard.core.decision import Allowed
from jwtguard.errors import Reason
from jwtguard.guard import Guard
from jwtguard.vary import vary_on

_VARY, _LENGTH = b"vary", b"content-length"
_VARY_SIZE, _LENGTH_SIZE = len(_VARY), len(_LENGTH)
_LAST_PIECE: Message = {"type": "http.response.body", "body": b"", "more_body": False}


def response_to(allowed: Allowed, guard: Guard, send: Send) -> Response:
    """Make what stands between an application and the client of an identified request."""
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no event loop of asyncio
        task = None
    return ResponseInScope(allowed, guard, send) if task is None else ResponseInTask(allowed, guard, send, task)


class Response(Connection):
    """One request and its response. The classes below say how the application is interrupted."""

    _lasts = False  # a response without an announced length has begun, and has not ended
    _is_event_stream = False

    def __init__(self, allowed: Allowed, guard: Guard, send: Send) -> None:
        super().__init__(guard, allowed.identity)
        self._carriers = allowed.policy.fields
        self._send = send

    @abstractmethod
    async def run(self, app: ASGIApp, scope: Scope, receive: Receive) -> None:
        """Run the application, to its end or to that of its token."""

    @abstractmethod
    def _interrupt_in(self, seconds: float) -> None:
        """Interrupt the application then; infinity: never. The last word counts."""

    def send(self, message: Message) -> Awaitable[None]:
        """Pass a message on, unless the end has come. Not a coroutine: most messages need none of ours."""
        if message["type"] == "http.response.start":
            message = {**message, "headers": self._begin(message.get("headers", ()))}
        elif self._lasts:
            if self.is_over():
                raise EndedError
            if not message.get("more_body"):
                self._lasts = False
                self._interrupt_in(math.inf)
        return self._send(message)

    def _begin(self, given: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        headers = list(given)
        varies = has_length = False
        for name, _ in headers:
            size = len(name)  # a comparison of numbers spares most names that of bytes
            if size == _VARY_SIZE and name.lower() == _VARY:
                varies = True
            elif size == _LENGTH_SIZE and name.lower() == _LENGTH:
                has_length = True
        if varies:
            merged = vary_on(self._carriers, [value for name, value in headers if name.lower() == _VARY])
            headers = [field for field in headers if field[0].lower() != _VARY]
            headers.append((_VARY, merged))
        else:
            headers.append((_VARY, b", ".join(self._carriers)))
        if not has_length:
            self._last(headers)
        return headers

    def _last(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self._lasts = True
        kinds = [value.lower() for name, value in headers if name.lower() == b"content-type"]
        self._is_event_stream = any(kind.startswith(b"text/event-stream") for kind in kinds)
        if self.ended is not None:
            self._conclude(self.ended)
        elif not self.is_over():
            self._interrupt_in(self.left_s())

    def _conclude(self, reason: Reason) -> None:
        if self._lasts:
            self._report(reason)
            self._interrupt_in(0.0)

    async def _finish(self) -> None:
        if self._lasts and self.ended is not None and self._is_event_stream:
            with anyio.move_on_after(GRACE_S), suppress(OSError):  # a client that does not read can hold this up
                await self._send(_LAST_PIECE)


class ResponseInTask(Response):
    """On asyncio: the task is cancelled, as ``asyncio.timeout`` would, and takes it for its own alone."""

    _timer: asyncio.TimerHandle | None = None
    _cancelled = False
    _cancelling = 0

    def __init__(self, allowed: Allowed, guard: Guard, send: Send, task: asyncio.Task[object]) -> None:
        self._guard, self.identity, self._send, self._task = guard, allowed.identity, send, task
        self._carriers = allowed.policy.fields

    async def run(self, app: ASGIApp, scope: Scope, receive: Receive) -> None:
        """Run the application, to its end or to that of its token."""
        scope[CONNECTION_KEY] = self
        try:
            await app(scope, receive, self.send)
        except asyncio.CancelledError:
            if not self._cancelled or self._task.cancelling() - 1 > self._cancelling:
                raise
        except (*TOLD, BaseExceptionGroup) as error:
            if self.ended is None or not was_told(error):
                raise
        finally:
            if self._timer is not None:
                self._timer.cancel()
            if self._cancelled:
                self._task.uncancel()
            scope.pop(CONNECTION_KEY, None)  # the server's ``send`` leads back to the scope: no cycle to collect
        if self.ended is not None:
            await self._finish()

    def _interrupt_in(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if seconds < math.inf:
            self._timer = asyncio.get_running_loop().call_later(max(seconds, 0.0), self._interrupt)

    def _interrupt(self) -> None:
        if self.ended is not None:
            self._cancelled, self._cancelling = True, self._task.cancelling()
            self._task.cancel()
        elif not self.is_over():  # the clock was set back
            self._interrupt_in(self.left_s())


class ResponseInScope(Response):
    """On every other event loop: a scope around the application is cancelled."""

    async def run(self, app: ASGIApp, scope: Scope, receive: Receive) -> None:
        """Run the application, to its end or to that of its token."""
        scope[CONNECTION_KEY] = self
        try:
            with anyio.CancelScope() as self._interruption:
                await app(scope, receive, self.send)
        except (*TOLD, BaseExceptionGroup) as error:
            if self.ended is None or not was_told(error):
                raise
        finally:
            scope.pop(CONNECTION_KEY, None)
        if self._lasts and self._interruption.cancel_called:
            self.end(Reason.EXPIRED)
        if self.ended is not None:
            await self._finish()

    def _interrupt_in(self, seconds: float) -> None:
        self._interruption.deadline = anyio.current_time() + seconds
