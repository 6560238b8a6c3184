"""Score a corpus: verdicts first, reasons apart, strict cases apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tests.corpus.case import Case
from tests.corpus.outcome import Outcome

_HEAD = ("family", "cases", "right", "wrong accepts", "wrong refusals", "reasons", "foreign", "strict as advised")


@dataclass(slots=True)
class Score:
    """The counts of some cases. A foreign exception counts whether or not its case is strict."""

    cases: int = 0
    right: int = 0
    wrong_accepts: int = 0
    wrong_refusals: int = 0
    refusals: int = 0
    reasons: int = 0
    startup_refusals: int = 0
    startup_reasons: int = 0
    foreign: int = 0
    strict: int = 0
    strict_as_advised: int = 0

    def add(self, case: Case, outcome: Outcome) -> None:
        """Count one case."""
        right = outcome.is_right(case)
        self.foreign += outcome.foreign is not None
        if case.get("strict", False):
            self.strict += 1
            self.strict_as_advised += right
            return
        self.cases += 1
        self.right += right
        self.wrong_accepts += not right and outcome.accepted
        self.wrong_refusals += not right and not outcome.accepted
        if right and not outcome.accepted:
            self._add_reason(outcome, named=outcome.has_right_reason(case))

    def _add_reason(self, outcome: Outcome, *, named: bool) -> None:
        self.refusals += 1
        self.reasons += named
        self.startup_refusals += outcome.rule is not None
        self.startup_reasons += named and outcome.rule is not None

    def row(self, name: str) -> tuple[str, ...]:
        """Show these counts as a line of the table."""
        counts = (self.cases, self.right, self.wrong_accepts, self.wrong_refusals)
        reasons, strict = f"{self.reasons}/{self.refusals}", f"{self.strict_as_advised}/{self.strict}"
        return (name, *map(str, counts), reasons, str(self.foreign), strict)


@dataclass(slots=True)
class Report:
    """What a run of the corpus found."""

    families: dict[str, Score] = field(default_factory=dict)
    total: Score = field(default_factory=Score)
    wrong: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, results: Iterable[tuple[Case, Outcome]]) -> Report:
        """Score every result."""
        report = cls()
        for case, outcome in results:
            report._add(case, outcome)
        return report

    @property
    def passed(self) -> bool:
        """Whether every non-strict verdict is right and nothing foreign came out."""
        return not self.wrong and not self.foreign

    @property
    def reason_share(self) -> float:
        """The share of right refusals that also name the right reason."""
        return self.total.reasons / self.total.refusals if self.total.refusals else 1.0

    def _add(self, case: Case, outcome: Outcome) -> None:
        for score in (self.total, self.families.setdefault(case["family"], Score())):
            score.add(case, outcome)
        strict, right = case.get("strict", False), outcome.is_right(case)
        line = f"{case['id']}: {_expected(case)}, got {outcome.said}"
        if outcome.foreign is not None:
            self.foreign.append(line)
        if not right and not strict:
            self.wrong.append(line)
        elif not right:
            self.remarks.append(f"strict, not as advised: {line}")
        elif not outcome.accepted and not strict and not outcome.has_right_reason(case):
            self.remarks.append(f"another reason: {line}")
        if outcome.is_slow(case):
            self.remarks.append(f"slow: {case['id']} took {outcome.elapsed_ms:.0f} ms of {case['time_budget_ms']} ms")

    def lines(self) -> Iterator[str]:
        """Write the report; the totals are its last line."""
        rows = [_HEAD, *(score.row(name) for name, score in sorted(self.families.items()))]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for name, *counts in rows:
            yield "  ".join([name.ljust(widths[0]), *map(str.rjust, counts, widths[1:])])
        for title, found in (("wrong", self.wrong), ("foreign", self.foreign), ("remark", self.remarks)):
            yield from (f"{title}: {line}" for line in found)
        yield ", ".join(self._totals())

    def _totals(self) -> Iterator[str]:
        total = self.total
        yield f"{total.cases + total.strict} cases: verdicts {total.right}/{total.cases}"
        yield f"wrong accepts {total.wrong_accepts}, wrong refusals {total.wrong_refusals}, foreign {total.foreign}"
        yield f"reasons {total.reasons}/{total.refusals} ({self.reason_share:.1%})"
        yield f"of these at start-up {total.startup_reasons}/{total.startup_refusals}"
        yield f"strict as advised {total.strict_as_advised}/{total.strict}"


def _expected(case: Case) -> str:
    if case["expect"] == "accept":
        return f"expected accept {case.get('expect_identity', '')}".rstrip()
    return f"expected {' or '.join([case['reject_reason'], *case.get('reason_alts', ())])}"
