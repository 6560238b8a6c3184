"""``[issuers.NAME]``: how to verify what one authorization server signs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from jwtguard.config.read import Table, Value
from jwtguard.config.shapes import Shape
from jwtguard.core.classes import Audience, Marker
from jwtguard.core.issuer import Discovery, InlineKeys, Issuer, JwksUri, KeyFile, Legacy

_RULE_CLASS = "R-CLS-01"


def read_issuers(value: Value, classes: frozenset[str]) -> tuple[Issuer, ...]:
    """Read every issuer of the file.

    Args:
        value: The table ``issuers``.
        classes: The names of all token classes, ready-made and of this file.

    Raises:
        ConfigurationError: A value is not usable, or an issuer could be read in two ways.
    """
    return tuple(_read_issuer(name, row.table(Shape.ISSUER), classes) for name, row in value.named().items())


def in_folder(issuers: Sequence[Issuer], folder: Path) -> tuple[Issuer, ...]:
    """Let the key files of issuers count from a folder: that of the policy file."""
    return tuple(
        dataclasses.replace(issuer, keys=KeyFile(folder / issuer.keys.path))
        if isinstance(issuer.keys, KeyFile)
        else issuer
        for issuer in issuers
    )


def _read_issuer(name: str, table: Table, classes: frozenset[str]) -> Issuer:
    return Issuer(
        name=name,
        issuer=table.need("issuer", Value.text),
        algorithms=table.get("algorithms", Value.texts_or_none, ()),
        keys=_read_keys(table),
        audience=table.get("audience", Value.texts, ()),
        client_id=table.get("client_id", Value.texts, ()),
        audiences=table.get("audiences", _read_audiences, {}),
        issues=table.get("issues", lambda value: _read_classes(value, classes), None),
        legacy=table.get("access_legacy", _read_legacy, None),
        max_lifetime_s=table.get("max_lifetime", lambda value: _read_lifetimes(value, classes), {}),
        key_urls=table.get("key_urls", Value.texts_or_none, ()),
        shared_secret=table.get("shared_secret", Value.flag, default=False),
        leeway_s=table.get("leeway", Value.duration_s, None),
        tenant_claim=table.get("tenant_claim", Value.text, None),
        roles_claim=table.get("roles_claim", Value.texts, ()),
        clients=table.get("clients", _read_marker, None),
        workloads=table.get("workloads", _read_marker, None),
        user_subjects=table.get("user_subjects", Value.texts, ()),
        tenants=table.get("tenants", Value.texts, ()),
    )


def _read_keys(table: Table) -> Discovery | JwksUri | InlineKeys | KeyFile:
    match table.only("keys", "jwks_uri", "jwks_file", "jwks", "pem"):
        case "keys":
            table.need("keys", lambda value: value.word("key source", ["discovery"]))
            return Discovery()
        case "jwks_uri":
            return JwksUri(table.need("jwks_uri", Value.text))
        case "jwks_file":
            return KeyFile(table.need("jwks_file", Value.text))
        case "jwks":
            return InlineKeys(table.need("jwks", _read_jwks))
        case _:
            return InlineKeys((), table.need("pem", Value.texts))


def _read_jwks(value: Value) -> tuple[object, ...]:
    """Read a JWK set as its list or as RFC 7517 wraps it. Mistakes show no values: a JWK may be a secret."""
    if isinstance(value.raw, dict):
        return value.table(Shape.KEY_SET).need("keys", _read_jwks)
    if not isinstance(value.raw, list) or not all(isinstance(jwk, dict) for jwk in value.raw):
        value.refuse_secret("JWKs: a list of tables, or a table { keys = [...] }")
    return tuple(jwk.raw for jwk in value.items())


def _read_audiences(value: Value) -> Mapping[Audience, tuple[str, ...]]:
    table = value.table(Shape.AUDIENCES)
    namespaces = [Audience.ISSUER, Audience.ACTION, Audience.RECEIVER]
    return {namespace: table.need(namespace, Value.texts) for namespace in namespaces if namespace in table}


def _read_classes(value: Value, classes: frozenset[str]) -> frozenset[str]:
    return frozenset(value.words("token class", classes, _RULE_CLASS))


def _read_lifetimes(value: Value, classes: frozenset[str]) -> Mapping[str, float]:
    lifetimes = value.named()
    for name in lifetimes:
        Value(name, value.key).word("token class", classes, _RULE_CLASS)
    return {name: lifetime.bound_s() for name, lifetime in lifetimes.items()}


def _read_legacy(value: Value) -> Legacy:
    table = value.table(Shape.LEGACY)
    return Legacy(
        marker=table.need("marker", _read_marker),
        since=table.need("since", Value.day),
        audience_from=table.get("audience_from", Value.text, "aud"),
        scope_from=table.get("scope_from", Value.text, "scope"),
        max_lifetime_s=table.get("max_lifetime", Value.bound_s, None),
    )


def _read_marker(value: Value) -> Marker:
    table = value.table(Shape.MARKER)
    claim = table.need("claim", Value.text)
    match table.only("present", "equals", "one_of"):
        case "present":
            if not table.need("present", Value.flag):
                table.refuse("a marker is a claim that these tokens hold: present = true", "R-CLS-09")
            return Marker(claim)
        case "equals":
            return Marker(claim, frozenset({table.need("equals", Value.scalar)}))
        case _:
            return Marker(claim, frozenset(table.need("one_of", Value.scalars)))
