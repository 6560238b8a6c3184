"""What a validated claims set says of its principal: kind, roles, tenant, who acts for it.

Which claims say so is the issuer's configuration; without it there are no roles and no tenant.
"""

from __future__ import annotations

from collections.abc import Mapping

from jwtguard.core.claims import ClaimsSet
from jwtguard.core.classes import Marker
from jwtguard.core.issuer import Kind
from jwtguard.core.strict_json import JsonObject, JsonValue

_SPIFFE = "spiffe://"


def kind_of(claims_set: ClaimsSet) -> Kind:
    """Tell a user from a client that speaks for itself and from a workload (R-CLM-10; RFC 9068, section 5)."""
    claims, issuer = claims_set.claims, claims_set.profile.issuer
    subject = claims.get("sub")
    if (isinstance(subject, str) and subject.startswith(_SPIFFE)) or _has(claims, issuer.workloads):
        return Kind.WORKLOAD
    if not isinstance(subject, str) or subject in (claims.get("client_id"), claims.get("azp")):
        return Kind.CLIENT
    if _has(claims, issuer.clients):
        return Kind.CLIENT
    outside = issuer.user_subjects and not subject.startswith(issuer.user_subjects)
    return Kind.CLIENT if outside else Kind.USER


def roles_of(claims_set: ClaimsSet) -> frozenset[str]:
    """Return the roles, from the claim that the issuer's configuration names."""
    way = claims_set.profile.issuer.roles_claim
    value: JsonValue = claims_set.claims if way else None
    for name in way:
        value = value.get(name) if isinstance(value, Mapping) else None
    if isinstance(value, str):
        return frozenset({value})
    return frozenset(item for item in value if isinstance(item, str)) if isinstance(value, list) else frozenset()


def tenant_of(claims_set: ClaimsSet) -> str:
    """Return the tenant: that of the issuer, or from the claim that its configuration names; empty without one."""
    issuer = claims_set.profile.issuer
    if issuer.tenant_claim is None:
        return issuer.tenant
    value = claims_set.claims.get(issuer.tenant_claim)
    if not isinstance(value, str) or (issuer.family and value != issuer.tenant):
        return ""  # one tenant's keys sign for no other
    return value


def actors_of(claims_set: ClaimsSet) -> tuple[str, ...]:
    """Return who acts for the subject, the current actor first; the others are history (RFC 8693, section 4.1)."""
    chain: list[str] = []
    actor = claims_set.claims.get("act")
    while isinstance(actor, Mapping):
        chain.append(str(actor.get("sub", "")))
        actor = actor.get("act")
    return tuple(chain)


def _has(claims: JsonObject, marker: Marker | None) -> bool:
    if marker is None or marker.claim not in claims:
        return False
    value = claims[marker.claim]
    return not marker.values or any(type(value) is type(known) and value == known for known in marker.values)
