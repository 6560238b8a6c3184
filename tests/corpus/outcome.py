"""What became of a case, and whether that is what the case expects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter

from jwtguard import Reason, Refusal
from tests.corpus.case import Case

PLAIN_MACHINE = 20
"""How often a case's time budget may be exceeded before the report says so: it was set on an idle machine."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a case: accepted, refused, refused at start-up, or something that must not be.

    Attributes:
        accepted: Whether the token was let in.
        identity: Issuer and subject that came out.
        reason: Why the token was refused.
        rule: The rule of the ``ConfigurationError`` that refused the case's policy at start-up.
        foreign: What came out instead of an answer.
        elapsed_ms: How long the verdict took, keys loaded.
    """

    accepted: bool = False
    identity: tuple[str, str] | None = None
    reason: Reason | None = None
    rule: str | None = None
    foreign: str | None = None
    elapsed_ms: float = 0.0

    @property
    def said(self) -> str:
        """The answer in one word."""
        if self.foreign is not None:
            return self.foreign
        return "accepted" if self.accepted else str(self.reason or self.rule)

    def is_right(self, case: Case) -> bool:
        """Tell whether this is the verdict the case expects, with the identity it expects."""
        if self.foreign is not None or self.accepted is not (case["expect"] == "accept"):
            return False
        expected = case.get("expect_identity", {}) if self.accepted else {}
        return all(
            dict(zip(("iss", "sub"), self.identity or (), strict=False)).get(k) == v for k, v in expected.items()
        )

    def has_right_reason(self, case: Case) -> bool:
        """Tell whether a refusal means one of the case's reasons, in the corpus's own words."""
        words = RULE_WORDS.get(self.rule or "", frozenset()) if self.reason is None else REASON_WORDS[self.reason]
        return not words.isdisjoint({case["reject_reason"], *case.get("reason_alts", ())})

    def is_slow(self, case: Case) -> bool:
        """Tell whether the verdict took much longer than the case allows."""
        return self.elapsed_ms > PLAIN_MACHINE * case.get("time_budget_ms", float("inf"))


def timed(verdict: Callable[[], tuple[str, str] | None]) -> Outcome:
    """Take the verdict of a function that returns an identity or raises ``Refusal``."""
    start = perf_counter()
    try:
        identity = verdict()
    except Refusal as refusal:
        return Outcome(reason=refusal.reason, elapsed_ms=(perf_counter() - start) * 1000)
    return Outcome(accepted=True, identity=identity, elapsed_ms=(perf_counter() - start) * 1000)


def _same(*reasons: Reason) -> dict[Reason, frozenset[str]]:
    return {reason: frozenset({reason.value}) for reason in reasons}


# Our reasons in the words of the corpus. An empty set: no case can ask for it, so it is never right.
REASON_WORDS: Mapping[Reason, frozenset[str]] = {
    **_same(
        Reason.MISSING_TOKEN, Reason.AMBIGUOUS_CREDENTIALS, Reason.TOO_LARGE, Reason.MALFORMED, Reason.BAD_HEADER,
        Reason.UNSUPPORTED_ALG, Reason.WRONG_CLASS, Reason.NO_KEY, Reason.WEAK_KEY, Reason.BAD_SIGNATURE,
        Reason.BAD_ISSUER, Reason.BAD_AUDIENCE, Reason.MISSING_CLAIM, Reason.BAD_CLAIM, Reason.EXPIRED,
        Reason.NOT_YET_VALID, Reason.TOO_LONG_LIVED,
    ),
    Reason.MALFORMED_CREDENTIALS: frozenset({"malformed"}),  # the corpus has one word for header field and token
    Reason.TOO_OLD: frozenset({"expired", "too_long_lived"}),  # the corpus has no word of its own for max_age
    Reason.UNPROVEN_BINDING: frozenset({"bad_claim", "wrong_class"}),  # cnf is a claim, and asks for another class
    **dict.fromkeys(
        (
            Reason.INSECURE_TRANSPORT, Reason.REVOKED, Reason.REPLAYED, Reason.CSRF, Reason.SCOPE_MISSING,
            Reason.RULE_REFUSED, Reason.TENANT_MISMATCH, Reason.NO_POLICY, Reason.KEYS_UNAVAILABLE,
            Reason.STORE_UNAVAILABLE, Reason.UNKNOWN_SESSION, Reason.UNKNOWN_SUBJECT,
        ),
        frozenset[str](),
    ),
}  # fmt: skip

# What a policy that does not start would have refused, by the rule it breaks.
RULE_WORDS: Mapping[str, frozenset[str]] = {
    "R-ALG-01": frozenset({"unsupported_alg"}),  # an empty allow-list
    "R-ALG-02": frozenset({"unsupported_alg"}),  # an algorithm we do not know, or none
    "R-ALG-03": frozenset({"unsupported_alg", "no_key"}),  # HMAC beside public keys: one of the two would have no key
    "R-CLM-02": frozenset({"bad_issuer"}),  # an issuer without a name
    "R-CLM-03": frozenset({"bad_audience"}),  # an audience that nothing can fit
    "R-CLS-02": frozenset({"wrong_class", "missing_claim", "bad_claim"}),  # a class that no token can satisfy
    "R-CLS-07": frozenset({"bad_audience", "bad_issuer"}),  # no issuer, or none that has an audience for the class
    "R-JWK-01": frozenset({"bad_issuer"}),  # two issuers of one name
    "R-POL-10": frozenset({"bad_issuer"}),  # no issuer at all
}
