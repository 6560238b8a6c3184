"""Who answers the pipeline's questions: the key ring, and the application's own functions.

An application may be asked three things: which token a session stands for, whether a subject is known and
enabled, and whether a claim passes a rule of its own. Each answer is waited for at most ``limits.outside_s``;
after that nobody can tell (503). What its functions raise is a bug of theirs, and propagates (500).
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from jwtguard.clock import Clock
from jwtguard.core.limits import Limits
from jwtguard.core.needs import CANNOT_TELL, Answer, CannotTell, Need, NeedKeys, NeedSubject, NeedToken, NeedVerdict
from jwtguard.core.request import SessionName, Token
from jwtguard.drive import PENDING, Pending
from jwtguard.errors import ConfigurationError, Unavailable

if TYPE_CHECKING:
    from anyio import CapacityLimiter
    from anyio.lowlevel import RunVar

    from jwtguard.core.answering import PublicView
    from jwtguard.jwks.ring import KeyRing


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What an application does for its guard: functions that no policy file can hold.

    ``subject`` and ``session_token`` are plain functions, which run in a worker thread, or coroutine functions.
    ``html`` and ``body`` are plain functions, called where the answer is made: they must not wait.

    Attributes:
        subject: Takes issuer and subject; returns whether they are known and enabled. A yes is believed for
            ``limits.subject_s``, a no not at all (R-CLM-09).
        session_token: Takes the name in a session cookie; returns the session's token, or ``None``.
        html: Writes the page of a refusal, for clients that prefer HTML.
        body: Writes the body of a refusal as (content type, text), or ``None`` for the usual one.
    """

    subject: Callable[[str, str], bool | Awaitable[bool]] | None = None
    session_token: Callable[[str], str | Awaitable[str | None] | None] | None = None
    html: Callable[[PublicView], str] | None = None
    body: Callable[[PublicView], tuple[str, str] | None] | None = None


class _Named:
    """Asks for a session by its name, which shows in no frame of ours if that goes wrong (R-OBS-03)."""

    __slots__ = ("asked",)

    def __init__(self, asked: Callable[[str], object]) -> None:
        self.asked = asked

    def __call__(self, session: SessionName) -> object:
        return self.asked(session.reveal().decode("latin-1"))


class Outside:
    """Answers every ``Need`` of one policy.

    Attributes:
        asks_subjects: Whether the application is asked about subjects.
        confirmed: (issuer, subject) to the monotonic time until which the application's yes is believed.
    """

    def __init__(self, ring: KeyRing, hooks: Hooks, limits: Limits, clock: Clock) -> None:
        self._ring = ring
        self._hooks = hooks
        self._limits = limits
        self._clock = clock
        self._lock = threading.Lock()
        self._running = 0
        self._seats: RunVar[CapacityLimiter] | None = None
        self.asks_subjects = hooks.subject is not None
        self.confirmed: dict[tuple[str, str], float] = {}

    def renew_lock(self) -> None:
        """Forget who holds the lock and what runs in threads: in a forked child, nobody and nothing does."""
        self._lock = threading.Lock()
        self._running = 0

    def local(self, need: Need) -> Answer | Pending:
        """Answer from memory, or say that answering means to go and ask."""
        return self._ring.local(need) if isinstance(need, NeedKeys) else PENDING

    def known(self, need: Need) -> Answer:
        """Answer from memory alone, where nothing may wait."""
        return self._ring.known(need) if isinstance(need, NeedKeys) else CANNOT_TELL

    async def ask(self, need: Need) -> Answer:
        """Go and ask, for a bounded time.

        Raises:
            Exception: Whatever a function of the application raises.
        """
        if isinstance(need, NeedKeys):
            return await self._ring.ask(need)
        if isinstance(need, NeedVerdict):
            verdict = await self._bounded(need.rule.test, need.value)
            return CANNOT_TELL if verdict is CANNOT_TELL else bool(verdict)
        if isinstance(need, NeedSubject):
            return await self._ask_subject(need)
        return await self._ask_token(need)

    async def _ask_subject(self, need: NeedSubject) -> bool | CannotTell:
        if self._hooks.subject is None:
            return True
        known = await self._bounded(self._hooks.subject, need.issuer, need.subject)
        if known is CANNOT_TELL:
            return CANNOT_TELL
        if known:
            with self._lock:
                self.confirmed[need.issuer, need.subject] = self._clock.monotonic() + self._limits.subject_s
                while len(self.confirmed) > self._limits.subjects:
                    del self.confirmed[next(iter(self.confirmed))]
        return bool(known)

    async def _ask_token(self, need: NeedToken) -> Token | CannotTell | None:
        if self._hooks.session_token is None:
            message = "an endpoint takes a session cookie, so the guard needs hooks=Hooks(session_token=…)"
            raise ConfigurationError(message, key="hooks.session_token", rule="R-STO-10")
        text = await self._bounded(_Named(self._hooks.session_token), need.session)
        if isinstance(text, str):
            return Token.of(text)
        return CANNOT_TELL if text is CANNOT_TELL else None

    async def _bounded(self, function: Callable[..., object], *arguments: object) -> object:
        import anyio  # noqa: PLC0415 - a policy that asks nobody never waits

        with suppress(Unavailable), anyio.move_on_after(self._limits.outside_s):
            if inspect.iscoroutinefunction(getattr(function, "asked", function)):
                answer = function(*arguments)
                return await answer if isinstance(answer, Awaitable) else answer
            if self._running >= 2 * self._limits.outside_threads:  # they hang, and one more would too
                return CANNOT_TELL
            call = partial(self._counted, partial(function, *arguments))
            (answer,) = await anyio.to_thread.run_sync(call, abandon_on_cancel=True, limiter=self._seats_of_loop())
            return await answer if isinstance(answer, Awaitable) else answer
        return CANNOT_TELL

    def _counted(self, call: Callable[[], object]) -> tuple[object]:  # trio takes no coroutine from a thread
        """Run in a worker thread. Nobody can interrupt one: left alone when its time is over, it still counts."""
        with self._lock:
            self._running += 1
        try:
            return (call(),)
        finally:
            with self._lock:
                self._running -= 1

    def _seats_of_loop(self) -> CapacityLimiter:
        """Return what bounds the calls that are waited for: our own, as the application's threads may all be busy."""
        from anyio import CapacityLimiter  # noqa: PLC0415 - see _bounded
        from anyio.lowlevel import RunVar  # noqa: PLC0415

        if self._seats is None:
            self._seats = RunVar("jwtguard.outside")
        seats = self._seats.get(None)
        if seats is None:
            seats = CapacityLimiter(self._limits.outside_threads)
            self._seats.set(seats)
        return seats
