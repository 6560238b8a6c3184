"""Authorization: what an endpoint demands of a verified token, judged on every request anew (R-POL-07)."""

from __future__ import annotations

from typing import Any

import pytest

from jwtguard import Reason
from jwtguard.core import rules
from jwtguard.core.authorization import authorize
from jwtguard.core.claims import ClaimsSet
from tests.core.policies import NOW, policy, profile, told, verified
from tests.kit.token_forge import OMIT

SCOPE, RULE = Reason.SCOPE_MISSING, Reason.RULE_REFUSED


def claims_set(scopes: str = "", *, leeway_s: float = 30.0, **claims: object) -> ClaimsSet:
    """A validated token, issued now, with these scopes and claims."""
    members = {name: value for name, value in {"iat": NOW, **claims}.items() if value is not OMIT}
    return ClaimsSet(verified(members), profile(leeway_s=leeway_s), (), frozenset(scopes.split()), (0.0, 1e12))


def passes(held: ClaimsSet, now: float = NOW, **demands: Any) -> None:
    """Expect the token to be enough."""
    authorize(policy(**demands), held, None, now)


def refused(held: ClaimsSet, now: float = NOW, **demands: Any) -> tuple[Reason, str, object, object]:
    """Return all that the refusal of the token tells."""
    return told(lambda: authorize(policy(**demands), held, None, now))


def names(text: str) -> frozenset[str]:
    """Split scopes."""
    return frozenset(text.split())


@pytest.mark.parametrize(
    ("needed", "held"), [("", ""), ("", "a"), ("a", "a"), ("a", "b a"), ("a b", "b a"), ("a b", "a b c")]
)
def test_all_scopes_are_held(needed: str, held: str) -> None:
    """R-POL-07: a token that holds every scope passes, whatever else it holds."""
    passes(claims_set(held), scopes=names(needed))


@pytest.mark.parametrize(
    ("needed", "held"), [("a", ""), ("a", "b"), ("a b", "a"), ("a b", "b c"), ("a", "A"), ("a", "aa")]
)
def test_a_scope_is_missing(needed: str, held: str) -> None:
    """R-POL-07: one missing scope refuses; the needed ones and those held are told to the operator."""
    refusal = refused(claims_set(held), scopes=names(needed))
    assert refusal == (SCOPE, "scope", sorted(needed.split()), sorted(held.split()))


@pytest.mark.parametrize(("any_of", "held"), [("", ""), ("", "a"), ("a", "a"), ("a b", "b"), ("a b", "c b a")])
def test_any_scope_is_held(any_of: str, held: str) -> None:
    """R-POL-02: of the scopes of which any will do, one is enough."""
    passes(claims_set(held), any_scopes=names(any_of))


@pytest.mark.parametrize(("any_of", "held"), [("a", ""), ("a b", "c"), ("a b", "")])
def test_no_scope_of_any(any_of: str, held: str) -> None:
    """R-POL-02: of the scopes of which any will do, none refuses."""
    refusal = refused(claims_set(held), any_scopes=names(any_of))
    assert refusal == (SCOPE, "scope", f"one of {sorted(any_of.split())}", sorted(held.split()))


def test_all_and_any_together() -> None:
    """R-POL-02: both demands count."""
    both: dict[str, Any] = {"scopes": names("a"), "any_scopes": names("b c")}
    passes(claims_set("a c"), **both)
    assert refused(claims_set("b c"), **both)[2] == ["a"]
    assert refused(claims_set("a"), **both)[2] == "one of ['b', 'c']"


def test_rules_are_checked() -> None:
    """R-CLM-12: every rule must pass; the first that does not is told, with what it saw."""
    demands = [rules.equals("tier", "gold"), rules.contains("groups", ["staff"])]
    passes(claims_set(tier="gold", groups=["staff"]), rules=demands)
    assert refused(claims_set(tier="silver", groups=[]), rules=demands) == (RULE, "tier", "equals 'gold'", "silver")
    assert refused(claims_set(tier="gold", groups=[]), rules=demands) == (RULE, "groups", "contains ['staff']", [])


def test_an_absent_claim_never_passes() -> None:
    """R-CLM-12: a rule about a claim that is not there refuses and is not asked; null is there."""
    everything = rules.check("tier", lambda _: True)
    assert refused(claims_set(), rules=[everything]) == (RULE, "tier", "passes the application's check", None)
    passes(claims_set(tier=None), rules=[everything])


@pytest.mark.parametrize("answer", [False, None, 0, "", []])
def test_anything_false_refuses(answer: object) -> None:
    """R-CLM-12: only something true is a pass."""
    assert refused(claims_set(tier=1), rules=[rules.check("tier", lambda _: answer)])[0] is RULE


def test_a_rule_that_raises() -> None:
    """R-CLM-12, F66: a bug in a rule is neither a pass nor a refusal; it leaves as it is."""

    def broken(_: object) -> bool:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        passes(claims_set(tier=1), rules=[rules.check("tier", broken)])


@pytest.mark.parametrize(("age", "fits"), [(-1, True), (60, True), (90, True), (90.25, False), (1e9, False)])
def test_an_age_at_this_endpoint(age: float, fits: bool) -> None:  # noqa: FBT001 - a column
    """R-CLM-08: an endpoint bounds the age of a token further, with the leeway of its profile."""
    if fits:
        passes(claims_set(), NOW + age, max_age_s=60)
    else:
        assert refused(claims_set(), NOW + age, max_age_s=60) == (Reason.TOO_OLD, "now - iat", "at most 60 s", age)


def test_an_age_without_leeway() -> None:
    """R-CLM-08: a bound of zero is a bound, and the leeway is that of the profile."""
    passes(claims_set(leeway_s=0), max_age_s=0)
    assert refused(claims_set(leeway_s=0), NOW + 0.25, max_age_s=0)[0] is Reason.TOO_OLD
    passes(claims_set(leeway_s=120), NOW + 120, max_age_s=0)
    passes(claims_set(), NOW + 1e9)


@pytest.mark.parametrize("iat", [OMIT, None, "1767225600"])
def test_an_age_needs_iat(iat: object) -> None:
    """R-CLM-08: where the endpoint bounds the age a token without iat is refused."""
    expected = (Reason.MISSING_CLAIM, "iat", "present, since the endpoint bounds the age", None)
    assert refused(claims_set(iat=iat), max_age_s=60) == expected
    passes(claims_set(iat=iat))


def test_the_order_of_demands() -> None:
    """R-OBS-01: age before scopes before rules, so that the same token gets the same reason everywhere."""
    demands: dict[str, Any] = {
        "max_age_s": 60,
        "scopes": names("a"),
        "any_scopes": names("b"),
        "rules": [rules.equals("tier", 1)],
    }
    assert refused(claims_set(), NOW + 100, **demands)[0] is Reason.TOO_OLD
    assert refused(claims_set(), **demands)[2] == ["a"]
    assert refused(claims_set("a"), **demands)[2] == "one of ['b']"
    assert refused(claims_set("a b"), **demands)[0] is RULE
    passes(claims_set("a b", tier=1), **demands)
