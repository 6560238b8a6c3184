"""A single flight: one piece of network work that many may wait for and nobody can cancel.

The work runs in a short-lived daemon thread with an event loop of its own, so it belongs to no request:
its first waiter may be cancelled, its waiters may live in several event loops (asyncio and trio), and
parsing what it fetched holds up none of them.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Awaitable, Callable

import anyio
from anyio import from_thread
from anyio.lowlevel import EventLoopToken, current_token


class Flight:
    """Work in the air.

    Attributes:
        started: The monotonic time given by whoever started it.
        fresh: Whether it asks caches on the way to revalidate.
    """

    def __init__(self, started: float, *, fresh: bool) -> None:
        self.started = started
        self.fresh = fresh
        self._lock = threading.Lock()
        self._landed = False
        self._waiters: list[tuple[EventLoopToken, anyio.Event]] = []

    @property
    def waiting(self) -> int:
        """How many wait for it now."""
        return len(self._waiters)

    @property
    def landed(self) -> bool:
        """Whether it is over."""
        return self._landed

    def start(self, work: Callable[[], Awaitable[None]], name: str) -> None:
        """Run the work in a thread of its own, then wake everybody who waits."""
        threading.Thread(target=self._fly, args=(work,), name=name, daemon=True).start()

    async def wait(self, timeout_s: float) -> bool:
        """Wait for the landing; return whether it was seen within the time."""
        event = anyio.Event()
        waiter = (current_token(), event)
        with self._lock:
            if self._landed:
                return True
            self._waiters.append(waiter)
        try:
            with anyio.move_on_after(timeout_s):
                await event.wait()
        finally:
            with self._lock:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)
        return self._landed

    def _fly(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            anyio.run(self._work_and_land, work)
        finally:
            self._land()  # where not even an event loop could be had

    async def _work_and_land(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        finally:
            self._land()  # before the loop closes, which may have to wait for a resolver that does not answer

    def _land(self) -> None:
        with self._lock:
            self._landed = True
            waiters, self._waiters = self._waiters, []
        by_loop: dict[EventLoopToken, list[anyio.Event]] = {}
        for token, event in waiters:
            by_loop.setdefault(token, []).append(event)
        for token, events in by_loop.items():
            # A thread each: a loop that is blocked by its application must not hold up the others.
            threading.Thread(target=_wake, args=(token, events), daemon=True).start()


def _wake(token: EventLoopToken, events: list[anyio.Event]) -> None:
    with contextlib.suppress(RuntimeError, anyio.RunFinishedError):  # that loop has ended, and its waiters with it
        from_thread.run_sync(_set_all, events, token=token)


def _set_all(events: list[anyio.Event]) -> None:
    for event in events:
        event.set()
