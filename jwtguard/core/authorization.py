"""What an endpoint demands of a verified token: scopes, claim rules, age (R-POL-07, R-CLM-12)."""

from __future__ import annotations

from jwtguard.core.claims import ClaimsSet
from jwtguard.core.policy import EndpointPolicy
from jwtguard.errors import Reason, Refusal


def authorize(policy: EndpointPolicy, claims_set: ClaimsSet, now: float) -> None:
    """Judge a verified token by its endpoint, on every request anew.

    Raises:
        Refusal: ``TOO_OLD`` (the token, at this endpoint), ``SCOPE_MISSING`` or ``RULE_REFUSED``.
        Exception: Whatever a rule of the application raises; that is a server error, never a pass.
    """
    if policy.max_age_s is not None:
        _check_age(policy.max_age_s, claims_set, now)
    scopes = claims_set.scopes
    if not policy.scopes <= scopes:
        raise Refusal(Reason.SCOPE_MISSING, "scope", sorted(policy.scopes), sorted(scopes))
    if policy.any_scopes and policy.any_scopes.isdisjoint(scopes):
        raise Refusal(Reason.SCOPE_MISSING, "scope", f"one of {sorted(policy.any_scopes)}", sorted(scopes))
    for rule in policy.rules:
        if rule.claim not in claims_set.claims or not rule.test(claims_set.claims[rule.claim]):
            raise Refusal(Reason.RULE_REFUSED, rule.claim, rule.text, claims_set.claims.get(rule.claim))


def _check_age(max_age_s: float, claims_set: ClaimsSet, now: float) -> None:
    issued_at = claims_set.claims.get("iat")
    if not isinstance(issued_at, int | float):
        raise Refusal(Reason.MISSING_CLAIM, "iat", "present, since the endpoint bounds the age", None)
    if now - issued_at > max_age_s + claims_set.profile.leeway_s:
        raise Refusal(Reason.TOO_OLD, "now - iat", f"at most {max_age_s} s", now - issued_at)
