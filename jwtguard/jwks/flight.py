"""A single flight: one piece of network work that many may wait for and nobody can cancel.

The work runs in a short-lived daemon thread with an event loop of its own, so it belongs to no request:
its first waiter may be cancelled, its waiters may live in several event loops (asyncio and trio), and
parsing what it fetched holds up none of them.
"""

from __future__ import annotations

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
        threading.Thread(target=anyio.run, args=(self._fly, work), name=name, daemon=True).start()

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

    async def _fly(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        finally:
            # Before the loop closes, which may have to wait for a resolver that does not answer.
            with self._lock:
                self._landed = True
                waiters, self._waiters = self._waiters, []
            _wake(waiters)


def _wake(waiters: list[tuple[EventLoopToken, anyio.Event]]) -> None:
    by_loop: dict[EventLoopToken, list[anyio.Event]] = {}
    for token, event in waiters:
        by_loop.setdefault(token, []).append(event)
    for token, events in by_loop.items():
        try:
            from_thread.run_sync(_set_all, events, token=token)
        except (RuntimeError, anyio.RunFinishedError):
            continue  # that loop has ended, and its waiters with it


def _set_all(events: list[anyio.Event]) -> None:
    for event in events:
        event.set()
