"""How long an event loop could not run."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Final, Self

import anyio
from anyio.abc import TaskGroup

_BEAT_S: Final = 0.001


class LoopLag:
    """Measure while the ``async with`` block runs, on asyncio or trio.

    Attributes:
        longest_s: The longest time between two beats of a heart that should beat every
            millisecond.
    """

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._last = 0.0
        self._group: TaskGroup

    async def __aenter__(self) -> Self:
        self._group = anyio.create_task_group()
        self._last = time.perf_counter()
        await self._group.__aenter__()
        self._group.start_soon(self._beat)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._mark()
        self._group.cancel_scope.cancel()
        # Without the error, which would come back wrapped in a group.
        await self._group.__aexit__(None, None, None)

    async def _beat(self) -> None:
        while True:
            await anyio.sleep(_BEAT_S)
            self._mark()

    def _mark(self) -> None:
        now = time.perf_counter()
        self.longest_s = max(self.longest_s, now - self._last)
        self._last = now
