"""The statistics of the benchmark, and that cases are timed by turns and fairly."""

from __future__ import annotations

import gc

import pytest

from benchmarks.timing import Batch, Case, Samples, collect, measure


class _Clock:
    """Time that passes only when a case says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def _ramp(factor: float = 1.0) -> list[float]:
    return [factor * value for value in range(1, 12)]


def test_quiet_is_the_tenth_percentile() -> None:
    """R-OBS-08: the quiet cost of 1 to 11 is 2, whatever order the rounds came in."""
    assert Samples({"ours": _ramp()}).quiet("ours") == pytest.approx(2.0)
    assert Samples({"ours": list(reversed(_ramp()))}).quiet("ours") == pytest.approx(2.0)


def test_one_lucky_round_is_not_the_quiet_cost() -> None:
    """R-OBS-08: a single round far below the others does not become the figure."""
    assert Samples({"ours": [0.001] + [5.0] * 30}).quiet("ours") == pytest.approx(5.0)


def test_quiet_ratio_ignores_noise_of_either_side() -> None:
    """R-OBS-08: rounds that a neighbour disturbed change neither cost, so not their ratio."""
    noisy = Samples({"ours": [3.0] * 20 + [90.0] * 11, "base": [40.0] * 11 + [2.0] * 20})
    assert noisy.quiet_ratio("ours", "base") == pytest.approx(1.5)


def test_median_ratio_is_taken_round_by_round() -> None:
    """R-OBS-08: a machine that slows down both cases of a round alike does not change the median ratio."""
    speeds = [1.0, 7.0, 2.0, 50.0, 3.0]
    samples = Samples({"ours": [2.0 * speed for speed in speeds], "base": speeds})
    assert samples.median_ratio("ours", "base") == pytest.approx(2.0)
    crossed = Samples({"ours": [1.0, 10.0, 100.0], "base": [100.0, 10.0, 1.0]})
    assert crossed.median_ratio("ours", "base") == pytest.approx(1.0)


def test_added_cost_is_counted_in_the_base() -> None:
    """R-OBS-08: what a case adds to another is their difference over the base, not over either of them."""
    samples = Samples({"guarded": [9.0] * 5, "bare": [2.0] * 5, "signature": [35.0] * 5})
    assert samples.quiet_added("guarded", "bare", "signature") == pytest.approx(0.2)
    assert samples.median_added("guarded", "bare", "signature") == pytest.approx(0.2)


def test_unpaired_rounds_are_an_error() -> None:
    """R-OBS-08: rounds that one case missed are not silently paired with others."""
    samples = Samples({"ours": [1.0, 2.0], "base": [1.0]})
    with pytest.raises(ValueError, match="zip"):
        samples.median_ratio("ours", "base")


def test_summary_gives_microseconds_and_ratios() -> None:
    """R-OBS-08: the JSON shows every case in microseconds and against the base."""
    summary = Samples({"ours": [3e-6] * 4, "base": [2e-6] * 4}).summary("base")
    assert summary["ours"] == {"quiet_us": 3.0, "median_us": 3.0, "quiet_ratio": 1.5, "median_ratio": 1.5}


def test_every_case_is_measured_once_in_each_round() -> None:
    """R-OBS-08: cases go by turns, so that none is measured while the machine is quieter."""
    names = ["a", "b", "c"]
    asked: list[str] = []

    def once(name: str) -> float:
        asked.append(name)
        return 1.0

    collect(names, 20, once)
    rounds = [asked[start : start + 3] for start in range(0, len(asked), 3)]
    assert all(sorted(turn) == names for turn in rounds)
    assert len({tuple(turn) for turn in rounds}) > 1, "a case that always follows the same one inherits its caches"


def test_first_round_is_thrown_away() -> None:
    """R-OBS-08: what the first round pays for imports and caches is in no figure."""
    costs = iter([1000.0, 1.0, 2.0, 3.0])
    assert collect(["ours"], 3, lambda _: next(costs)).by_case == {"ours": [1.0, 2.0, 3.0]}


def test_preparation_is_not_timed() -> None:
    """R-OBS-08: only the batch is timed, and a sample is the cost of one of its operations."""
    clock = _Clock()

    def prepare() -> Batch:
        clock.now += 500.0

        async def batch() -> None:
            clock.now += 8.0

        return batch

    samples = measure([Case("ours", prepare, 4)], 3, clock)
    assert samples.by_case == {"ours": [2.0, 2.0, 2.0]}


def test_every_batch_is_prepared_anew() -> None:
    """R-OBS-08: each round gets fresh inputs, so that nothing said to be cold was seen before."""
    prepared: list[int] = []
    run: list[int] = []

    def prepare() -> Batch:
        number = len(prepared)
        prepared.append(number)

        async def batch() -> None:
            run.append(number)

        return batch

    measure([Case("ours", prepare, 1)], 4)
    assert run == prepared == [0, 1, 2, 3, 4]


def test_garbage_collection_stays_on() -> None:
    """R-OBS-08: a run without the collector is refused: it would measure what no server does."""
    gc.disable()
    try:
        with pytest.raises(AssertionError, match="collects garbage"):
            measure([], 1)
    finally:
        gc.enable()


def test_failing_batch_ends_the_run() -> None:
    """R-OBS-08: a case that does not do its work has no figure."""

    def prepare() -> Batch:
        async def batch() -> None:
            pytest.fail("401")

        return batch

    with pytest.raises(pytest.fail.Exception, match="401"):
        measure([Case("ours", prepare, 1)], 1)
