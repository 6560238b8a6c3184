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
    CLAIM = "endpoints.claims.CLAIM"
    OVERRIDE = "overrides"


_DEMANDS = frozenset({
    "public", "optional", "accept", "issuers", "audience", "algorithms", "carriers", "scopes", "any_scopes", "max_age",
    "claims",
})  # fmt: skip
_ISSUER = frozenset({
    "issuer", "audience", "client_id", "audiences", "algorithms", "keys", "jwks_uri", "jwks", "pem", "issues",
    "access_legacy", "max_lifetime", "key_urls", "shared_secret", "leeway", "tenant_claim",
})  # fmt: skip
_COLUMNS = frozenset(field.name for field in dataclasses.fields(TokenClass)) - {"name", "max_age_s"} | {"max_age"}

KEYS: Mapping[Shape, frozenset[str]] = {
    Shape.TOP: frozenset({"mode", "startup", "limits", "issuers", "classes", "policies", "endpoints", "overrides"}),
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
    Shape.ENDPOINT: _DEMANDS | {"match", "name", "use"},
    Shape.CARRIER: frozenset({"cookie", "header", "scheme"}),
    Shape.CLAIM: frozenset({"one_of", "contains", "matches"}),
    Shape.OVERRIDE: frozenset({"rule", "at", "since", "reason"}),
}
