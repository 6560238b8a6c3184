"""What a run found: rows with targets, the printed table, and which misses fail the run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class Sense(StrEnum):
    """On which side of its target a figure should be."""

    AT_MOST = "<="
    AT_LEAST = ">="


class Gate(StrEnum):
    """What a missed target means: the run fails, or somebody has to explain it."""

    BINDING = "binding"
    REPORTED = "reported"


class Unit(StrEnum):
    """What a figure is counted in."""

    RATIO = "x"
    MILLISECONDS = "ms"
    BYTES = "B"
    MODULES = "modules"


@dataclass(frozen=True, slots=True)
class Target:
    """A limit and the side of it that is good."""

    limit: float
    sense: Sense = Sense.AT_MOST

    def met_by(self, value: float) -> bool:
        """Tell whether a figure meets it; the limit itself does."""
        return value <= self.limit if self.sense is Sense.AT_MOST else value >= self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure.

    Attributes:
        figure: What was measured, in words.
        ours: Our figure: for times, from the 10th percentiles.
        median: The same from the medians round by round, where rounds were taken.
        target: What it should be, if anything was promised.
        gate: Whether missing the target fails the run.
        unit: What the figures are counted in.
        peers: The same figure for what people use instead.
    """

    figure: str
    ours: float
    median: float | None = None
    target: Target | None = None
    gate: Gate = Gate.REPORTED
    unit: Unit = Unit.RATIO
    peers: Mapping[str, float] = field(default_factory=dict)

    @property
    def met(self) -> bool | None:
        """Whether the target is met; ``None`` without one."""
        return None if self.target is None else self.target.met_by(self.ours)

    def as_json(self) -> dict[str, object]:
        """Return the row for the JSON file, with full precision."""
        return {
            "figure": self.figure,
            "ours": self.ours,
            "median": self.median,
            "unit": self.unit.value,
            "target": f"{self.target.sense} {self.target.limit:g}" if self.target else None,
            "met": self.met,
            "gate": self.gate.value,
            "peers": dict(self.peers),
        }


@dataclass(frozen=True, slots=True)
class Report:
    """What one group found: its rows, and the costs behind them by name of the measurement."""

    rows: Sequence[Row]
    timings: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)


def failures(rows: Iterable[Row]) -> list[Row]:
    """Return the rows that fail the run: binding ones that miss their target."""
    return [row for row in rows if row.gate is Gate.BINDING and row.met is False]


def render(rows: Sequence[Row]) -> str:
    """Lay the rows out as one table of text."""
    head = ("figure", "ours", "median", "target", "met?", "peers, same run")
    lines = [head, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    lines.insert(1, tuple("-" * width for width in widths))
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _cells(row: Row) -> tuple[str, ...]:
    target = f"{row.target.sense} {_number(row.target.limit, row.unit)}" if row.target else ""
    binding = ", binding" if row.gate is Gate.BINDING else ""
    met = {None: "", True: "yes", False: "NO"}[row.met]
    median = "" if row.median is None else _number(row.median, row.unit)
    peers = ", ".join(f"{name} {_number(value, row.unit)}" for name, value in row.peers.items())
    return row.figure, _number(row.ours, row.unit), median, target + binding, met, peers


def _number(value: float, unit: Unit) -> str:
    if unit is Unit.RATIO:
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    return f"{value:.0f}" if unit is Unit.MODULES else f"{value:.0f} {unit}"
