"""Scopes that an endpoint demands beyond its policy, refused as the policy would refuse them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from jwtguard.core.decision import Refused
from jwtguard.core.identity import Identity
from jwtguard.core.policy import EndpointPolicy
from jwtguard.errors import Reason, Refusal


def lacking(policies: Iterable[EndpointPolicy], identity: Identity, scopes: frozenset[str]) -> Refused:
    """Refuse a caller who was admitted, and lacks scopes that the endpoint demands too.

    Args:
        policies: Among them the one that admitted the caller.
        identity: The caller.
        scopes: What the endpoint demands beyond that policy.
    """
    policy = next((policy for policy in policies if policy.name == identity.policy), None)
    if policy is not None:
        demands = dataclasses.replace(policy.demands, scopes=policy.scopes | scopes)
        policy = EndpointPolicy(demands, policy.choices)
    if not identity.is_authenticated:
        return Refused(policy, Refusal(Reason.MISSING_TOKEN, "credential", "a token in a declared carrier", None))
    return Refused(policy, Refusal(Reason.SCOPE_MISSING, "scope", sorted(scopes), sorted(identity.scopes)))
