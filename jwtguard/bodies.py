"""WSGI responses to identified requests: they vary on the credential, and none streams on after its token.

A response of announced length is never cut. One without ends with its token, as ``streaming.py`` has it for
ASGI: an event stream by its end, any other with an error, so that the server breaks the transfer off and
nobody takes it for complete. A thread cannot be interrupted: what it waits for is left to it.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from contextvars import Context
from typing import TYPE_CHECKING

from jwtguard.connection import EndedError
from jwtguard.core.decision import Allowed
from jwtguard.core.events import ConnectionEnded
from jwtguard.errors import Reason
from jwtguard.guard import Guard
from jwtguard.vary import vary_on

if TYPE_CHECKING:
    from types import TracebackType
    from wsgiref.types import StartResponse

_EVENT_STREAM = "text/event-stream"


class Stream:
    """A response that an admitted request gets, as far as it lasts.

    Args:
        allowed: The decision.
        guard: Who made it, and knows the time.
    """

    __slots__ = ("_allowed", "_guard", "_is_event_stream", "_is_over", "lasts")

    def __init__(self, allowed: Allowed, guard: Guard) -> None:
        self._allowed = allowed
        self._guard = guard
        self.lasts = False
        self._is_event_stream = False
        self._is_over = False

    def begins(self, content_type: str) -> None:
        """Say that a response without an announced length begins."""
        self.lasts = True
        self._is_event_stream = content_type.lower().startswith(_EVENT_STREAM)

    def is_over(self) -> bool:
        """Tell whether an event stream has come to the end of its token.

        Raises:
            EndedError: Another stream has: it must break off.
        """
        if not self.lasts or (not self._is_over and self._guard.now() < self._allowed.identity.good_until):
            return False
        if not self._is_over:
            self._is_over = True
            self._guard.report(ConnectionEnded(self._allowed.policy.name, Reason.EXPIRED))
        if self._is_event_stream:
            return True
        raise EndedError

    def pieces(self, body: Iterable[bytes]) -> Iterator[bytes]:
        """Pass pieces on until the end."""
        for piece in body:
            if self.is_over():
                return
            yield piece

    async def pieces_async(self, body: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        """Pass pieces on until the end."""
        async for piece in body:
            if self.is_over():
                return
            yield piece

    def started(self, start_response: StartResponse) -> StartResponse:
        """Wrap ``start_response``: look at what begins, and say what it varies on."""
        carriers = self._allowed.policy.fields

        def start(
            status: str,
            headers: list[tuple[str, str]],
            exc_info: tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None] | None = None,
            /,
        ) -> Callable[[bytes], object]:
            said, kept, content_type, has_length = [], [], "", False
            for field in headers:
                name = field[0].lower()
                if name == "vary":
                    said.append(field[1].encode("latin-1"))
                    continue
                has_length = has_length or name == "content-length"
                content_type = field[1] if name == "content-type" else content_type
                kept.append(field)
            kept.append(("Vary", vary_on(carriers, said).decode("latin-1")))
            self.lasts = False  # of what an error page replaces
            if not has_length:
                self.begins(content_type)
            write = start_response(status, kept, exc_info) if exc_info else start_response(status, kept)

            def written(piece: bytes, /) -> object:
                if self.is_over():
                    raise EndedError  # an application that writes has no other end
                return write(piece)

            return written

        return start


class InContext:
    """A body that is made piece by piece, each piece in the context of its request."""

    __slots__ = ("_body", "_context", "_next", "_stream")

    def __init__(self, context: Context, body: Iterable[bytes], stream: Stream | None) -> None:
        self._context = context
        self._body = body
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        """Begin, in that context."""
        self._next = self._context.run(iter, self._body).__next__
        return self

    def __next__(self) -> bytes:
        """Return the next piece, unless the end has come."""
        piece = self._context.run(self._next)
        if self._stream is not None and self._stream.is_over():
            raise StopIteration
        return piece

    def close(self) -> None:
        """Close the application's own iterable, as a server would have."""
        close = getattr(self._body, "close", None)
        if close is not None:
            self._context.run(close)
