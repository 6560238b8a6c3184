"""The two clocks: wall time judges tokens, monotonic time judges how old our own knowledge is."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """What a guard asks for the time; tests give their own."""

    def now(self) -> float:
        """Return the wall time as a NumericDate: seconds since the epoch, UTC, fractional."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never jump, from an arbitrary start."""
        ...


class SystemClock:
    """The machine's clocks. The built-in functions themselves: a request reads both."""

    now = staticmethod(time.time)  # noqa: TID251 - the one place that may ask
    monotonic = staticmethod(time.monotonic)
