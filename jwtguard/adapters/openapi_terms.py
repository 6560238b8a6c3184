"""A policy in OpenAPI's words: security schemes, requirements, and the responses of a refusal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from jwtguard.core.challenge import OUTCOMES
from jwtguard.core.endpoint import Carrier, CarrierKind
from jwtguard.core.issuer import Discovery
from jwtguard.core.policy import EndpointPolicy
from jwtguard.core.table import PolicyTable

Json: TypeAlias = dict[str, Any]
REFUSAL, PROBLEM = "JWTGuardRefusal", "JWTGuardProblem"

_NO_NAME = re.compile(r"[^A-Za-z0-9._-]")  # of a component (OpenAPI 3.1, section 4.8.7)
_CONTENT = {
    "application/json": {"schema": {"$ref": f"#/components/schemas/{REFUSAL}"}},
    "application/problem+json": {"schema": {"$ref": f"#/components/schemas/{PROBLEM}"}},
}
_CHALLENGE = {"WWW-Authenticate": {"description": "What is missing (RFC 6750).", "schema": {"type": "string"}}}
_RETRY = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}

RESPONSES: Mapping[str, Json] = {
    "401": {"description": "No token, or none that is acceptable here.", "headers": _CHALLENGE, "content": _CONTENT},
    "403": {"description": "The token does not grant what this needs.", "headers": _CHALLENGE, "content": _CONTENT},
    "503": {"description": "No decision is possible right now.", "headers": _RETRY, "content": _CONTENT},
}


def requirements(policy: EndpointPolicy, table: PolicyTable, more: Iterable[str], schemes: Json) -> Iterator[Json]:
    """Yield the ways to satisfy a policy: each carrier or issuer with each scope of which one is enough.

    Args:
        policy: The endpoint's.
        table: The whole policy.
        more: Scopes that the endpoint demands beyond it.
        schemes: The document's; those named here are put into it.
    """
    wanted = policy.scopes | frozenset(more)
    choices = [sorted(wanted | {one}) for one in sorted(policy.any_scopes)] or [sorted(wanted)]
    for known, scheme in _schemes(policy, table):
        name = _NO_NAME.sub("_", known)
        while schemes.setdefault(name, scheme) != scheme:  # the application has one of that name
            name = f"jwtguard_{name}"
        yield from ({name: scopes} for scopes in choices)


def _schemes(policy: EndpointPolicy, table: PolicyTable) -> Iterator[tuple[str, Json]]:
    for carrier in policy.carriers:
        yield _scheme(carrier)
        if carrier.kind is CarrierKind.HEADER and (carrier.name, carrier.scheme) == ("authorization", "bearer"):
            for issuer in table.config.issuers:
                if issuer.name in policy.issuers and isinstance(issuer.keys, Discovery) and not issuer.family:
                    url = f"{issuer.issuer.rstrip('/')}/.well-known/openid-configuration"
                    yield f"openid_{issuer.name}", {"type": "openIdConnect", "openIdConnectUrl": url}


def _scheme(carrier: Carrier) -> tuple[str, Json]:
    if carrier.kind is not CarrierKind.HEADER:
        return f"cookie_{carrier.name}", {"type": "apiKey", "in": "cookie", "name": carrier.name}
    if carrier.name == "authorization":
        extra = {"bearerFormat": "JWT"} if carrier.scheme == "bearer" else {}
        return carrier.scheme, {"type": "http", "scheme": carrier.scheme, **extra}
    text = f"The scheme `{carrier.scheme}`, a space, and the token."
    return f"header_{carrier.name}", {"type": "apiKey", "in": "header", "name": carrier.name, "description": text}


def refusal_schemas() -> Json:
    """Return the schemas of a refusal's body, in both of its forms."""
    errors = sorted({outcome.value[1] or outcome.name.lower() for outcome in OUTCOMES.values()})
    text = {"type": "string"}
    return {
        REFUSAL: {
            "type": "object",
            "title": REFUSAL,
            "description": "Why a request was refused, as far as a client may know.",
            "properties": {"error": {**text, "enum": errors}, "error_description": text},
            "required": ["error", "error_description"],
        },
        PROBLEM: {
            "type": "object",
            "title": PROBLEM,
            "description": "The same as problem details (RFC 9457), for clients that ask for them.",
            "properties": {"title": text, "status": {"type": "integer"}, "detail": text},
            "required": ["title", "status", "detail"],
        },
    }
