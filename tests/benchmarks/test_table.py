"""The table of the benchmark: which misses fail a run, and what the reader sees."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks.plan import FULL, QUICK, Plan
from benchmarks.table import Gate, Report, Row, Sense, Target, Unit, failures, render


def _row(ours: float, gate: Gate = Gate.BINDING, sense: Sense = Sense.AT_MOST, limit: float = 0.5) -> Row:
    return Row(figure="refusal", ours=ours, target=Target(limit, sense), gate=gate)


@pytest.mark.parametrize(
    ("ours", "sense", "met"),
    [
        (0.5, Sense.AT_MOST, True),
        (0.5001, Sense.AT_MOST, False),
        (0.1, Sense.AT_MOST, True),
        (0.5, Sense.AT_LEAST, True),
        (0.4999, Sense.AT_LEAST, False),
        (0.9, Sense.AT_LEAST, True),
    ],
)
def test_target_is_met_up_to_its_limit(ours: float, sense: Sense, met: bool) -> None:  # noqa: FBT001 - a column
    """R-OBS-08: the limit itself is good, anything on its wrong side is not."""
    assert _row(ours, sense=sense).met is met


def test_only_binding_misses_fail() -> None:
    """R-OBS-08: a missed target fails the run only where the row is binding."""
    missed, met = _row(0.6), _row(0.4)
    reported = _row(0.6, Gate.REPORTED)
    assert failures([missed, met, reported]) == [missed]
    assert failures([met, reported]) == []


def test_row_without_target_is_neither_met_nor_missed() -> None:
    """R-OBS-08: a figure that promises nothing shows no verdict and fails nothing."""
    row = Row(figure="guard.verify()", ours=9.0, gate=Gate.BINDING)
    assert row.met is None
    assert failures([row]) == []


def test_not_a_number_meets_nothing() -> None:
    """R-OBS-08: a figure that could not be computed does not pass for a good one."""
    assert failures([_row(float("nan"))])
    assert failures([_row(float("nan"), sense=Sense.AT_LEAST)])


def test_rendered_table_shows_miss_gate_and_peers() -> None:
    """R-OBS-08: the reader sees each figure, its target, whether it binds, whether it is met, and the peers."""
    rows = [
        _row(0.617),
        Row(figure="import", ours=38.2, target=Target(40), unit=Unit.MILLISECONDS, peers={"PyJWT": 141.0}),
        Row(figure="no promise", ours=2.0, median=2.1),
    ]
    head, _, refusal, imported, plain = render(rows).splitlines()
    assert head.split() == ["figure", "ours", "median", "target", "met?", "peers,", "same", "run"]
    assert refusal.split() == ["refusal", "0.617", "<=", "0.5,", "binding", "NO"]
    assert imported.split() == ["import", "38", "ms", "<=", "40", "ms", "yes", "PyJWT", "141", "ms"]
    assert plain.split() == ["no", "promise", "2", "2.1"]


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, Plan]]:
    """Replace measuring by one binding row that misses for ``refusals`` and meets for all others."""
    asked: list[tuple[str, Plan]] = []

    def measure(name: str, plan: Plan) -> Report:
        asked.append((name, plan))
        return Report([_row(0.6 if name == "refusals" else 0.4)], {name: {"ours": {"quiet_us": 1.0}}})

    monkeypatch.setattr(command, "_run", measure)
    monkeypatch.setattr(command, "LATEST", tmp_path / "latest.json")
    return asked


def test_missed_binding_row_is_exit_code_1(
    measured: list[tuple[str, Plan]], capsys: pytest.CaptureFixture[str]
) -> None:
    """R-OBS-08: a run with a binding miss says which and ends with 1."""
    assert command.main([]) == 1
    assert "missed, and binding: refusal" in capsys.readouterr().out
    assert [name for name, _ in measured] == list(command.GROUPS)
    assert {plan for _, plan in measured} == {FULL}


def test_met_binding_rows_are_exit_code_0(measured: list[tuple[str, Plan]]) -> None:
    """R-OBS-08: a run whose binding rows are met ends with 0; ``--only`` and ``--quick`` choose what it does."""
    assert command.main(["--quick", "--only", "routing", "imports"]) == 0
    assert measured == [("routing", QUICK), ("imports", QUICK)]


def test_unknown_group_is_a_usage_error(measured: list[tuple[str, Plan]]) -> None:
    """R-OBS-08: a misspelt group is an error, not a run that measures nothing and passes."""
    with pytest.raises(SystemExit) as stopped:
        command.main(["--only", "refusal"])
    assert stopped.value.code == 2
    assert measured == []


def test_json_tells_what_it_was_measured_on(measured: list[tuple[str, Plan]]) -> None:
    """R-OBS-08: the file holds rows, costs, rounds, interpreter, processor and the version of every package."""
    command.main(["--only", "refusals"])
    written = json.loads(command.LATEST.read_text())
    assert written["plan"]["rounds"] == FULL.rounds
    assert written["rows"][0]["met"] is False
    assert written["rows"][0]["gate"] == "binding"
    assert written["timings"] == {"refusals": {"ours": {"quiet_us": 1.0}}}
    assert {"python", "cpu", "openssl", "packages"} <= written["machine"].keys()
    assert written["machine"]["packages"]["cryptography"]


def test_full_run_has_the_rounds_its_figures_claim() -> None:
    """R-OBS-08: a 10th percentile needs at least 31 rounds, a quick look at least 9."""
    assert FULL.fewest_rounds >= 31
    assert min(QUICK.rounds, QUICK.cheap_rounds, QUICK.process_rounds) >= 9
