"""Timing by turns: every case once in each round, so that a noisy neighbour disturbs all of them alike.

The cost of a case is the 10th percentile over the rounds ("quiet"): what it costs when nobody disturbs.
Ratios are those of two quiet costs; the median of the ratios round by round stands beside them. What a
batch needs is prepared before the clock starts, the first round is thrown away, the order within a round
changes every time, and the garbage collector stays on, as in a server.
"""

from __future__ import annotations

import asyncio
import gc
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Batch: TypeAlias = Callable[[], Awaitable[None]]
_SEED = 870


@dataclass(frozen=True, slots=True)
class Case:
    """One of the competitors of a group.

    Attributes:
        name: Its name in the group.
        prepare: Makes fresh inputs and returns the batch to be timed.
        operations: How many operations a batch has.
    """

    name: str
    prepare: Callable[[], Batch]
    operations: int


class Samples:
    """The cost of one operation of each case, in seconds, one sample a round."""

    def __init__(self, by_case: Mapping[str, Sequence[float]]) -> None:
        self.by_case = by_case

    def quiet(self, case: str) -> float:
        """Return the 10th percentile over the rounds."""
        return statistics.quantiles(self.by_case[case], n=10, method="inclusive")[0]

    def median(self, case: str) -> float:
        """Return the median over the rounds."""
        return statistics.median(self.by_case[case])

    def quiet_ratio(self, case: str, base: str) -> float:
        """Return how many times the quiet cost of the base a case costs."""
        return self.quiet(case) / self.quiet(base)

    def median_ratio(self, case: str, base: str) -> float:
        """Return the median of the ratios to the base, round by round."""
        pairs = zip(self.by_case[case], self.by_case[base], strict=True)
        return statistics.median(one / other for one, other in pairs)

    def quiet_added(self, case: str, without: str, base: str) -> float:
        """Return what a case costs more than another, in quiet costs of the base."""
        return (self.quiet(case) - self.quiet(without)) / self.quiet(base)

    def median_added(self, case: str, without: str, base: str) -> float:
        """Return the median, round by round, of what a case costs more than another, in costs of the base."""
        triples = zip(self.by_case[case], self.by_case[without], self.by_case[base], strict=True)
        return statistics.median((one - other) / unit for one, other, unit in triples)

    def summary(self, base: str) -> dict[str, dict[str, float]]:
        """Return every case in microseconds and as ratios to the base."""
        return {
            case: {
                "quiet_us": round(self.quiet(case) * 1e6, 3),
                "median_us": round(self.median(case) * 1e6, 3),
                "quiet_ratio": round(self.quiet_ratio(case, base), 4),
                "median_ratio": round(self.median_ratio(case, base), 4),
            }
            for case in self.by_case
        }


def collect(names: Sequence[str], rounds: int, once: Callable[[str], float]) -> Samples:
    """Ask for one sample of each case in every round.

    Args:
        names: The cases.
        rounds: How many samples of each to keep; one more round comes first and is thrown away.
        once: Measures a case once and returns the seconds of one operation.
    """
    order = random.Random(_SEED)
    samples: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds + 1):
        for name in order.sample(names, len(names)):
            seconds = once(name)
            if turn:
                samples[name].append(seconds)
    return Samples(samples)


def measure(cases: Sequence[Case], rounds: int, clock: Callable[[], float] = time.perf_counter) -> Samples:
    """Time cases by turns on one running event loop.

    A batch runs inside a task, as a request does: what it awaits without suspending costs nothing extra,
    and what leaves for a thread pays its way back.
    """
    assert gc.isenabled(), "a server collects garbage"
    by_name = {case.name: case for case in cases}
    with asyncio.Runner() as runner:
        return collect(list(by_name), rounds, lambda name: runner.run(_timed(by_name[name], clock)))


async def _timed(case: Case, clock: Callable[[], float]) -> float:
    batch = case.prepare()
    start = clock()
    await batch()
    return (clock() - start) / case.operations
