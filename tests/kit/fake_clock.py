"""Time that passes when the test says so."""

from __future__ import annotations


class FakeClock:
    """A wall clock and a monotonic one, both standing still."""

    def __init__(self, wall: float = 1_767_225_600.0) -> None:
        self._wall = wall
        self._monotonic = 0.0

    def now(self) -> float:
        """The wall clock, as a NumericDate."""
        return self._wall

    def monotonic(self) -> float:
        """The clock that only goes forward."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let time pass on both clocks."""
        assert seconds >= 0, "time goes forward; step_wall() sets the wall clock back"
        self._wall += seconds
        self._monotonic += seconds

    def step_wall(self, seconds: float) -> None:
        """Correct the wall clock alone, in either direction, as NTP does."""
        self._wall += seconds
