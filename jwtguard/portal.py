"""Where a thread waits for an answer that only an event loop can go and get.

One daemon thread with a loop of its own, started when the first question needs it: a guard whose answers
are all at hand never has one. It belongs to one process. After a fork the child has none and starts its
own when it needs it, so a guard may be built, and used, before a server forks its workers.

A plain asyncio loop in place of anyio's ``BlockingPortal``: handing over a question there waits for the
loop without a bound, and here everything has one.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import weakref
from collections.abc import Awaitable, Callable
from types import MethodType
from typing import TypeVar

from jwtguard.errors import Unavailable

_T = TypeVar("_T")
_Q = TypeVar("_Q")


class Portal:
    """One background event loop for threads that have none."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lost: list[asyncio.AbstractEventLoop] = []
        self._end: weakref.finalize[..., Portal] | None = None
        in_every_child(self._forked)

    @property
    def open(self) -> bool:
        """Whether there is a thread."""
        return self._loop is not None

    def wait(self, ask: Callable[[_Q], Awaitable[_T]], question: _Q, *, patience_s: float) -> _T:
        """Ask in the background, and wait for the answer.

        Args:
            ask: Goes and asks, for a time that has a bound of its own.
            question: What it is given.
            patience_s: How long to wait; more than that bound: it is met only if the loop is held up.

        Raises:
            Unavailable: The system gives no thread, or there is no answer in time.
            Exception: Whatever asking raises.
        """
        loop = self._running()
        future = asyncio.run_coroutine_threadsafe(_asked(ask, question), loop)
        try:
            return future.result(patience_s)
        except TimeoutError:
            if future.done():  # just now, or asking itself raised it
                return future.result()
            message = "no answer in time"
            raise Unavailable(message) from None
        finally:
            future.cancel()

    def close(self) -> None:
        """End the thread, if there is one; the next question starts another."""
        with self._lock:
            if self._end is not None:
                self._end()
            self._loop = self._end = None

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None or self._loop.is_closed():  # a question may have ended it (SystemExit)
                loop = asyncio.new_event_loop()
                try:
                    threading.Thread(target=_serve, args=(loop,), name="jwtguard-portal", daemon=True).start()
                except RuntimeError:
                    loop.close()
                    message = "no thread to be had"
                    raise Unavailable(message) from None
                self._loop, self._end = loop, weakref.finalize(self, _stop, loop)
                self._end.atexit = False
            return self._loop

    def _forked(self) -> None:
        """Forget the parent's thread, which this process does not have."""
        self._lock = threading.Lock()  # the parent's may be held, by a thread that is not here to let it go
        if self._loop is not None and self._end is not None:
            self._end.detach()
            # Closing or collecting it would take its files out of a poll that the parent still waits on.
            self._lost.append(self._loop)
            self._loop = self._end = None


def in_event_loop() -> bool:
    """Tell whether the calling thread runs an event loop just now, which must not be held up."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        trio = sys.modules.get("trio.lowlevel")  # if nobody imported it, nobody runs it
        return trio is not None and bool(trio.in_trio_run())
    return True


def in_every_child(method: Callable[[], None]) -> None:
    """Call a method in every process that is forked from this one, as long as its object lives."""
    if isinstance(method, MethodType) and hasattr(os, "register_at_fork"):
        alive = weakref.WeakMethod(method)
        os.register_at_fork(after_in_child=lambda: _call(alive()))


def _call(method: Callable[[], None] | None) -> None:
    if method is not None:
        method()


async def _asked(ask: Callable[[_Q], Awaitable[_T]], question: _Q) -> _T:
    return await ask(question)


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()


def _stop(loop: asyncio.AbstractEventLoop) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(loop.stop)
