"""The metadata of this application as a protected resource, derived from its policies (RFC 9728, section 2).

A client without a token is sent here by the challenge, and learns whose tokens count and which scopes to ask
for. The document is public, says nothing that a policy does not, and is written when the table is built: a
flood of requests for it costs no JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from jwtguard.core.challenge import Answer
from jwtguard.core.endpoint import BEARER
from jwtguard.core.issuer import Issuer
from jwtguard.core.policy import EndpointPolicy, Profile
from jwtguard.core.resource import Resource
from jwtguard.core.table import PolicyTable

_MAX_AGE_S = 3600
_SHARED = (b"access-control-allow-origin", b"*")  # a client in a browser is of another origin than its servers
_PREFLIGHT = Answer(
    204,
    (
        _SHARED,
        (b"access-control-allow-methods", b"GET, HEAD"),
        (b"access-control-allow-headers", b"*"),  # MCP clients send MCP-Protocol-Version
        (b"access-control-max-age", str(_MAX_AGE_S).encode("ascii")),
    ),
    b"",
)
_OTHER_METHODS = Answer(405, (_SHARED, (b"allow", b"GET, HEAD, OPTIONS"), (b"content-length", b"0")), b"")


class Publication:
    """What the guard itself answers at the well-known path, whoever asks.

    Attributes:
        path: The path, as the server routes it.
    """

    __slots__ = ("_answers", "path")

    def __init__(self, table: PolicyTable, resource: Resource) -> None:
        self.path = resource.metadata_path
        document = metadata_answer(table, resource)
        self._answers: Mapping[str, Answer] = {"GET": document, "HEAD": document, "OPTIONS": _PREFLIGHT}

    def answer(self, method: str) -> Answer:
        """Return the answer to a request; shells leave the body out of the one to HEAD, as ever."""
        return self._answers.get(method, _OTHER_METHODS)


def metadata_answer(table: PolicyTable, resource: Resource) -> Answer:
    """Write the metadata as the answer to GET (RFC 9728, section 3.2)."""
    body = json.dumps(metadata_document(table, resource), separators=(",", ":")).encode("ascii")
    headers = (
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode("ascii")),
        (b"cache-control", f"public, max-age={_MAX_AGE_S}".encode("ascii")),
        _SHARED,
    )
    return Answer(200, headers, body)


def metadata_document(table: PolicyTable, resource: Resource) -> dict[str, object]:
    """Derive the metadata from the endpoints that take a bearer token from the ``Authorization`` field.

    Members without a value are left out (RFC 9728, section 3.2). Issuers keep the order of the configuration:
    many clients take the first.
    """
    open_to_bearers = [(policy, profiles) for policy in table.endpoints if (profiles := tuple(_by_header(policy)))]
    accepted = {profile.issuer.issuer for _, profiles in open_to_bearers for profile in profiles}
    servers = [issuer.issuer for issuer in table.issuers.values() if issuer.issuer in accepted and _is_public(issuer)]
    scopes = {scope for policy, _ in open_to_bearers for scope in policy.scopes | policy.any_scopes}
    members: dict[str, object] = {
        "resource": resource.identifier,
        "authorization_servers": servers,
        "scopes_supported": sorted(scopes),
        "bearer_methods_supported": ["header"] if open_to_bearers else [],
        "resource_name": resource.name,
        "resource_documentation": resource.documentation,
    }
    return {name: value for name, value in members.items() if value}


def _by_header(policy: EndpointPolicy) -> Iterator[Profile]:
    if BEARER in policy.carriers:
        yield from (profile for profile in policy.profiles if BEARER.kind in profile.token_class.carriers)


def _is_public(issuer: Issuer) -> bool:
    """Say whether clients may learn of an issuer: it has a URL (RFC 8414, section 2), and names no tenant of ours."""
    return issuer.issuer.startswith(("https://", "http://")) and not issuer.family
