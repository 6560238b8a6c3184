"""What a policy demands, in words: for reviews, which must see every difference between two policies."""

from __future__ import annotations

from collections.abc import Iterator

from jwtguard.core.endpoint import ActorRule, Csrf
from jwtguard.core.policy import EndpointPolicy


def demands_of(policy: EndpointPolicy) -> tuple[str, ...]:
    """Say what a token, and the request that carries it, must have beside its class."""
    return tuple(_demands(policy))


def _demands(policy: EndpointPolicy) -> Iterator[str]:
    if policy.scopes:
        yield f"scope {' '.join(sorted(policy.scopes))}"
    if policy.any_scopes:
        yield f"any scope of {' '.join(sorted(policy.any_scopes))}"
    yield from _of_principal(policy)
    yield from (f"{rule.claim} {rule.text}" for rule in policy.rules)
    yield from (f"{rule.claim} {rule.text} (asked)" for rule in policy.questions)
    if policy.max_age_s is not None:
        yield f"at most {policy.max_age_s:g} s old"
    if policy.cookies and policy.csrf is Csrf.DOUBLE_SUBMIT:
        yield "double submit"


def _of_principal(policy: EndpointPolicy) -> Iterator[str]:
    if policy.roles:
        yield f"role {' '.join(sorted(policy.roles))}"
    if policy.kinds:
        yield f"kind {' or '.join(sorted(policy.kinds))}"
    if not isinstance(policy.actors, ActorRule):
        yield f"actor {' or '.join(sorted(policy.actors)) or 'forbidden'}"
    elif policy.actors is not ActorRule.ANY:
        yield f"actor {policy.actors}"
    if (tenant := policy.demands.tenant) is not None:
        yield f"tenant of {tenant.place} {tenant.name}"
    if (model := policy.demands.model) is not None:
        yield f"claims of {model.__name__}"
