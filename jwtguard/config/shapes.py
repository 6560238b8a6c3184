"""Every key a policy file may hold, by the table it stands in.

The reader opens no table without its row here, and docs/configuration.md is tested against these rows.
Names in capitals stand for names that the author chooses.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import StrEnum

from jwtguard.core.classes import TokenClass
from jwtguard.core.limits import Limits


class Shape(StrEnum):
    """The tables of a policy file."""

    TOP = ""
    LIMITS = "limits"
    RESOURCE = "resource"
    ISSUER = "issuers.NAME"
    AUDIENCES = "issuers.NAME.audiences"
    LEGACY = "issuers.NAME.access_legacy"
    MARKER = "issuers.NAME.access_legacy.marker"
    KEY_SET = "issuers.NAME.jwks"
    CLASS = "classes.NAME"
    EXPIRY = "classes.NAME.expiry"
    NO_EXPIRY = "classes.NAME.expiry.none"
    POLICY = "policies.NAME"
    ENDPOINT = "endpoints"
    CARRIER = "endpoints.carriers"
    TENANT = "endpoints.tenant"
    CLAIM = "endpoints.claims.CLAIM"
    OVERRIDE = "overrides"


_DEMANDS = frozenset({
    "public", "optional", "login", "accept", "issuers", "audience", "algorithms", "carriers", "scopes", "any_scopes",
    "roles", "kinds", "actors", "tenant", "max_age", "claims", "origins", "csrf", "navigable", "login_page", "use",
})  # fmt: skip
_ISSUER = frozenset({
    "issuer", "audience", "client_id", "audiences", "algorithms", "keys", "jwks_uri", "jwks_file", "jwks", "pem",
    "issues", "access_legacy", "max_lifetime", "key_urls", "shared_secret", "leeway", "tenant_claim", "tenants",
    "roles_claim", "clients", "workloads", "user_subjects",
})  # fmt: skip
_COLUMNS = frozenset(field.name for field in dataclasses.fields(TokenClass)) - {"name", "max_age_s"} | {"max_age"}

_TOP = frozenset({
    "mode", "startup", "limits", "resource", "csrf_key_file", "issuers", "classes", "policies", "endpoints",
    "overrides",
})  # fmt: skip

KEYS: Mapping[Shape, frozenset[str]] = {
    Shape.TOP: _TOP,
    Shape.RESOURCE: frozenset({"identifier", "name", "documentation"}),
    Shape.LIMITS: frozenset(field.name for field in dataclasses.fields(Limits)),
    Shape.ISSUER: _ISSUER,
    Shape.AUDIENCES: frozenset({"issuer", "action", "receiver"}),
    Shape.LEGACY: frozenset({"marker", "since", "audience_from", "scope_from", "max_lifetime"}),
    Shape.MARKER: frozenset({"claim", "present", "equals", "one_of"}),
    Shape.KEY_SET: frozenset({"keys"}),
    Shape.CLASS: _COLUMNS,
    Shape.EXPIRY: frozenset({"max_lifetime", "none"}),
    Shape.NO_EXPIRY: frozenset({"max_age"}),
    Shape.POLICY: _DEMANDS,
    Shape.ENDPOINT: _DEMANDS | {"match", "name"},
    Shape.CARRIER: frozenset({"cookie", "session", "header", "scheme"}),
    Shape.TENANT: frozenset({"path", "header", "host"}),
    Shape.CLAIM: frozenset({"one_of", "contains", "matches"}),
    Shape.OVERRIDE: frozenset({"rule", "at", "since", "reason"}),
}
