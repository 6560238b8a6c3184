"""Claim rules: exact values, exact types (R-CLM-12)."""

from __future__ import annotations

import re

import pytest

from jwtguard.core import rules
from jwtguard.core.rules import ClaimRule

TEXT_ONE = rules.equals("tier", "1")
ANY_OF = rules.one_of("tier", ["gold", 1, True])
BOTH = rules.contains("groups", ["staff", 7])
EMPLOYEE = rules.matches("sub", "[a-z]+-[0-9]+")
IS_ADMIN = rules.equals("admin", True)  # noqa: FBT003 - the value of the claim
LONG = rules.matches("sub", "a+")


@pytest.mark.parametrize(
    ("rule", "passing", "failing"),
    [
        (TEXT_ONE, ["1"], [1, 1.0, True, "", "10", "01", ["1"], None, {"1": "1"}]),
        (IS_ADMIN, [True], [1, 1.0, "true", False, None, [True]]),
        (rules.equals("level", 1), [1], [True, 1.0, "1", 0, 2]),
        (rules.equals("level", 1.0), [1.0], [1, True, "1.0"]),
        (ANY_OF, ["gold", 1, True], ["Gold", "gol", 1.0, "1", "True", False, 0, ["gold"], None, ""]),
        (rules.one_of("tier", []), [], ["", None, 0, False]),
        (BOTH, [["staff", 7], ["x", 7, "staff"], ("staff", 7)], [["staff"], [7], ["staff", "7"], ["staff", 7.0]]),
        (BOTH, [], ["staff 7", "staff", {"staff": 1}, None, 7, [["staff", 7]], []]),
        (rules.contains("flags", [True]), [[True]], [[1], ["true"], True]),
        (rules.contains("letters", ["a"]), [["a"]], ["a", "abc"]),
        (EMPLOYEE, ["ab-1"], ["ab-1 ", "ab-1\n", "xab-1x", "AB-1", "", 1, None, ["ab-1"]]),
        (LONG, ["a" * 256], ["a" * 257]),
        (rules.check("level", lambda level: level == 3), [3, 3.0], [4, None]),
        (rules.check("groups", lambda groups: [] if groups is None else groups), [["x"]], [[], None]),
    ],
)  # fmt: skip
def test_a_rule_judges_a_value(rule: ClaimRule, passing: list[object], failing: list[object]) -> None:
    """R-CLM-12: a value passes only if it is what the rule says, JSON type included."""
    for value in passing:
        assert rule.test(value), value  # type: ignore[arg-type]  # any value at all
    for value in failing:
        assert not rule.test(value), value  # type: ignore[arg-type]  # as above


def test_a_rule_can_be_read() -> None:
    """R-CLM-12: what a rule demands can be told to an operator."""
    assert repr(TEXT_ONE) == "<ClaimRule tier equals '1'>"
    assert repr(ANY_OF) == "<ClaimRule tier is one of ['gold', 1, True]>"
    assert repr(BOTH) == "<ClaimRule groups contains ['staff', 7]>"
    assert repr(EMPLOYEE) == "<ClaimRule sub matches '[a-z]+-[0-9]+'>"
    assert repr(rules.check("sub", bool)) == "<ClaimRule sub passes the application's check>"
    assert repr(rules.check("sub", bool, "is mine")) == "<ClaimRule sub is mine>"
    assert (EMPLOYEE.claim, EMPLOYEE.text) == ("sub", "matches '[a-z]+-[0-9]+'")


def test_a_broken_pattern_stops_the_start() -> None:
    """R-CLM-12: a pattern is compiled when the rule is written, so a mistake is found before any request."""
    with pytest.raises(re.error):
        rules.matches("sub", "(")


def test_a_check_may_raise() -> None:
    """R-CLM-12: what the application's check raises is its own, and neither a pass nor a refusal."""
    with pytest.raises(ZeroDivisionError):
        rules.check("level", lambda level: 1 / level).test(0)  # type: ignore[operator]  # a bug
