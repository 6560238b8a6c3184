"""An admitted connection and its end: it lasts no longer than the token that opened it (R-EXT-12).

What lasts is a streamed response (``streaming.py``) or a WebSocket (``sockets.py``). While it lasts, its
``Connection`` is in the scope under ``CONNECTION_KEY``, and who learns that a token was revoked calls
``end`` on it, on the connection's own event loop. Nothing passes after the end, and a timer ends what is
silent. The end follows the wall clock, as all times of tokens do.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from starlette.requests import ClientDisconnect
from starlette.websockets import WebSocketDisconnect

from jwtguard.core.events import ConnectionEnded
from jwtguard.core.identity import Identity
from jwtguard.errors import Reason
from jwtguard.guard import Guard

CONNECTION_KEY = "jwtguard.connection"
TOLD = (OSError, ClientDisconnect, WebSocketDisconnect)
"""How applications say that they were told of an end."""

GRACE_S = 1.0
"""How long an application may take to leave a connection that has ended, and a server to close it."""


class Connection(ABC):
    """One admitted connection.

    Attributes:
        identity: Whose it is now.
        ended: Why it ended; ``None`` while its token holds.
    """

    ended: Reason | None = None

    def __init__(self, guard: Guard, identity: Identity) -> None:
        self._guard = guard
        self.identity = identity

    @property
    def guard(self) -> Guard:
        """What admitted it."""
        return self._guard

    def end(self, reason: Reason) -> None:
        """End it: ``EXPIRED``, or ``REVOKED``. The first reason stays."""
        if self.ended is None:
            self.ended = reason
            self._conclude(reason)

    def is_over(self) -> bool:
        """Look at the clock, and say whether the end has come."""
        if self.ended is None and self.left_s() <= 0:
            self.end(Reason.EXPIRED)
        return self.ended is not None

    def left_s(self) -> float:
        """Return for how many seconds the token still holds; infinity if it does for ever."""
        return self.identity.good_until - self._guard.now()

    def _report(self, reason: Reason) -> None:
        self._guard.report(ConnectionEnded(self.identity.policy, reason))

    @abstractmethod
    def _conclude(self, reason: Reason) -> None:
        """See that client and application learn of the end."""


class EndedError(OSError):
    """What ``send`` raises after the end: an ``OSError``, as ASGI has it for a connection that is gone."""

    def __init__(self) -> None:
        super().__init__("the token of this connection no longer holds, so the connection was ended")


def was_told(error: BaseException) -> bool:
    """Say whether an error is only how an application puts it that the connection is gone."""
    if isinstance(error, BaseExceptionGroup):
        return error.split(TOLD)[1] is None
    return isinstance(error, TOLD)
