"""What an endpoint demands of a verified token: scopes, claim rules, age, kind of caller, roles, actor, tenant."""

from __future__ import annotations

from jwtguard.core.claims import ClaimsSet
from jwtguard.core.endpoint import ActorRule
from jwtguard.core.policy import EndpointPolicy
from jwtguard.core.principal import actors_of, kind_of, roles_of, tenant_of
from jwtguard.core.request import RequestHead
from jwtguard.core.strict_json import frozen
from jwtguard.core.tenant import TenantReader
from jwtguard.errors import Reason, Refusal


def authorize(policy: EndpointPolicy, claims_set: ClaimsSet, head: RequestHead | None, now: float) -> None:
    """Judge a verified token by its endpoint, on every request anew (R-POL-07, R-CLM-12).

    Args:
        policy: The endpoint's policy.
        claims_set: What was verified.
        head: The request; ``None`` for a token without one, which can belong to any tenant.
        now: Current time as a NumericDate.

    Raises:
        Refusal: ``TOO_OLD`` (the token, at this endpoint), ``SCOPE_MISSING``, ``RULE_REFUSED`` or
            ``TENANT_MISMATCH``.
        Exception: Whatever a rule of the application raises; that is a server error, never a pass.
    """
    if policy.max_age_s is not None:
        _check_age(policy.max_age_s, claims_set, now)
    scopes = claims_set.scopes
    if not policy.scopes <= scopes:
        raise Refusal(Reason.SCOPE_MISSING, "scope", sorted(policy.scopes), sorted(scopes))
    if policy.any_scopes and policy.any_scopes.isdisjoint(scopes):
        raise Refusal(Reason.SCOPE_MISSING, "scope", f"one of {sorted(policy.any_scopes)}", sorted(scopes))
    if policy.rules or policy.questions:
        _check_rules(policy, claims_set)
    if policy.asks_more:
        _check_principal(policy, claims_set)
        if policy.tenant is not None and head is not None:
            _check_tenant(policy.tenant, claims_set, head)
        if policy.fits is not None:
            policy.fits({name: frozen(value) for name, value in claims_set.claims.items()})


def _check_rules(policy: EndpointPolicy, claims_set: ClaimsSet) -> None:
    claims = claims_set.claims
    for rule in policy.rules:
        passed = rule.claim in claims and rule.test(claims[rule.claim])
        if hasattr(passed, "__await__"):  # true whatever it would say
            message = f"the rule on {rule.claim!r} is asynchronous; use rules.check_async"
            raise TypeError(message)
        if not passed:
            raise Refusal(Reason.RULE_REFUSED, rule.claim, rule.text, claims.get(rule.claim))
    for question in policy.questions:
        if question.claim not in claims:  # an absent claim never passes; nobody needs to be asked
            raise Refusal(Reason.RULE_REFUSED, question.claim, question.text, None)


def _check_principal(policy: EndpointPolicy, claims_set: ClaimsSet) -> None:
    if policy.kinds and (kind := kind_of(claims_set)) not in policy.kinds:
        raise Refusal(Reason.RULE_REFUSED, "kind", sorted(policy.kinds), kind)
    if not policy.roles <= (roles := roles_of(claims_set)):
        raise Refusal(Reason.RULE_REFUSED, "roles", sorted(policy.roles), sorted(roles))
    actors = actors_of(claims_set)
    if policy.actors is ActorRule.FORBIDDEN and actors:
        raise Refusal(Reason.RULE_REFUSED, "act", "absent", actors[0])
    if policy.actors is ActorRule.REQUIRED and not actors:
        raise Refusal(Reason.RULE_REFUSED, "act", "present", None)
    if isinstance(policy.actors, frozenset) and actors and actors[0] not in policy.actors:
        raise Refusal(Reason.RULE_REFUSED, "act", sorted(policy.actors), actors[0])


def _check_tenant(reader: TenantReader, claims_set: ClaimsSet, head: RequestHead) -> None:
    wanted, tenant = reader.read(head), tenant_of(claims_set)
    if not wanted or wanted != tenant:
        raise Refusal(Reason.TENANT_MISMATCH, "tenant", wanted, tenant)


def _check_age(max_age_s: float, claims_set: ClaimsSet, now: float) -> None:
    issued_at = claims_set.claims.get("iat")
    if not isinstance(issued_at, int | float):
        raise Refusal(Reason.MISSING_CLAIM, "iat", "present, since the endpoint bounds the age", None)
    if now - issued_at > max_age_s + claims_set.profile.leeway_s:
        raise Refusal(Reason.TOO_OLD, "now - iat", f"at most {max_age_s} s", now - issued_at)
