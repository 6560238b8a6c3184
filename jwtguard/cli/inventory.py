"""What a policy holds, as tables for people: its issuers and its endpoints."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table

from jwtguard.core.endpoint import BEARER, Access, Carrier, CarrierKind
from jwtguard.core.issuer import Discovery, InlineKeys, Issuer, KeyFile
from jwtguard.core.policy import EndpointPolicy
from jwtguard.core.table import PolicyTable
from jwtguard.lint.demands import demands_of


def issuer_rows(table: PolicyTable) -> Table:
    """List issuers: how their tokens are verified, and which classes endpoints accept from them."""
    rows = _rows("issuer", "iss", "algorithms", "keys", "accepted")
    for issuer in table.config.issuers:
        profiles = {profile for policy in table.endpoints for profile in policy.profiles}
        accepted = {profile.token_class.name for profile in profiles if profile.issuer is issuer}
        rows.add_row(
            issuer.name, issuer.issuer, _joined(issuer.algorithms), _key_source(issuer), _joined(sorted(accepted))
        )
    return rows


def endpoint_rows(table: PolicyTable) -> Table:
    """List endpoints: where, which classes from whom, and what else a token must have."""
    rows = _rows("endpoint", "match", "accepts", "from", "demands")
    for policy in table.endpoints:
        issuers = sorted({profile.issuer.name for profile in policy.profiles})
        name = "" if policy.name == policy.patterns[0] else policy.name
        rows.add_row(name, "\n".join(policy.patterns), _accepts(policy), _joined(issuers), _demands(policy))
    return rows


def _rows(*columns: str) -> Table:
    rows = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        rows.add_column(column, overflow="fold")
    return rows


def _joined(names: Iterable[str]) -> str:
    return ", ".join(names) or "-"


def _key_source(issuer: Issuer) -> str:
    if isinstance(issuer.keys, Discovery):
        return "discovery"
    if isinstance(issuer.keys, InlineKeys):
        return f"{len(issuer.keys.jwks) + len(issuer.keys.pem)} inline"
    if isinstance(issuer.keys, KeyFile):
        return f"file {issuer.keys.path}"
    return issuer.keys.url


def _accepts(policy: EndpointPolicy) -> str:
    if policy.access is Access.PUBLIC:
        return "public"
    classes = _joined(sorted({profile.token_class.name for profile in policy.profiles}))
    return f"nothing, or {classes}" if policy.access is Access.OPTIONAL else classes


def _demands(policy: EndpointPolicy) -> str:
    demands = list(demands_of(policy))
    if policy.access is not Access.PUBLIC and policy.carriers != (BEARER,):
        demands.append(f"in {' or '.join(map(_carrier, policy.carriers))}")
    return "; ".join(demands) or "-"


def _carrier(carrier: Carrier) -> str:
    if carrier.kind is CarrierKind.COOKIE:
        return f"cookie {carrier.name}"
    return f"{carrier.name}: {carrier.scheme}"
