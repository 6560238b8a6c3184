"""What a client must be told, written out: status, challenge, body and the other fields that a decision sets."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Final

JSON: Final = "application/json"
_PROBLEM: Final = "application/problem+json"
_METADATA: Final = 'resource_metadata="https://api.example.com/.well-known/oauth-protected-resource"'
_TITLES: Final = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 503: "Service Unavailable"}
SHOWN: Final = (
    "content-type", "content-length", "www-authenticate", "cache-control", "location", "retry-after", "allow",
    "access-control-allow-origin", "set-cookie",
)  # fmt: skip
"""The fields compared: a field of these that is not expected is as wrong as one that is missing."""


@dataclass(frozen=True, slots=True)
class Told:
    """An answer of the guard's own."""

    status: int
    body: str
    sentence: str = ""
    fields: tuple[tuple[str, str], ...] = ()

    def with_field(self, name: str, value: str) -> Told:
        """Add a field, or replace it."""
        kept = tuple(field for field in self.fields if field[0] != name)
        return dataclasses.replace(self, fields=(*kept, (name, value)))

    def in_form(self, content_type: str, body: str) -> Told:
        """Tell the same in another form."""
        written = dataclasses.replace(self, body=body)
        return written.with_field("content-type", content_type).with_field("content-length", str(len(body)))

    @property
    def as_problem(self) -> Told:
        """The same as problem details (RFC 9457)."""
        text = f'{{"title":"{_TITLES[self.status]}","status":{self.status},"detail":"{self.sentence}"}}'
        return self.in_form(_PROBLEM, text)

    @property
    def as_page(self) -> Told:
        """The same as the application's page."""
        return self.in_form("text/html; charset=utf-8", f"<h1>{self.sentence}</h1>")


def _refusal(status: int, error: str, sentence: str, challenge: str = "") -> Told:
    body = f'{{"error":"{error}","error_description":"{sentence}"}}'
    told = Told(status, body, sentence, (("cache-control", "no-store"),)).in_form(JSON, body)
    return told.with_field("www-authenticate", challenge) if challenge else told


def _coded(status: int, error: str, sentence: str, scope: str = "") -> Told:
    named = f'scope="{scope}", ' if scope else ""
    challenge = f'Bearer error="{error}", error_description="{sentence}", {named}{_METADATA}'
    return _refusal(status, error, sentence, challenge)


def no_credential(scope: str = "") -> Told:
    """A bare challenge, with the scopes to ask for."""
    named = f'scope="{scope}", ' if scope else ""
    return _refusal(401, "no_credential", "A credential is required.", f"Bearer {named}{_METADATA}")


def too_little(scope: str) -> Told:
    """The scopes that the token lacks."""
    return _coded(403, "insufficient_scope", "The token does not grant what this needs.", scope)


def to_login(location: str) -> Told:
    """The way to the login page."""
    told = Told(303, "", fields=(("location", location), ("cache-control", "no-store")))
    return told.in_form("text/html; charset=utf-8", "")


BAD_REQUEST: Final = _coded(400, "invalid_request", "The request carries its credential in a way that is not allowed.")
BAD_TOKEN: Final = _coded(401, "invalid_token", "The token is not acceptable here.")
FORBIDDEN: Final = _refusal(403, "forbidden", "This is not allowed.")
CANNOT_TELL: Final = _refusal(503, "cannot_tell", "No decision is possible right now.").with_field("retry-after", "1")
_DOCUMENT: Final = (
    '{"resource":"https://api.example.com",'
    '"authorization_servers":["https://login.example.com/","https://dark.example.com/"],'
    '"scopes_supported":["a","admin","b","reports:read","reports:write"],'
    '"bearer_methods_supported":["header"]}'
)
_SHARED: Final = (("access-control-allow-origin", "*"),)
METADATA: Final = Told(200, "", fields=(("cache-control", "public, max-age=3600"), *_SHARED)).in_form(JSON, _DOCUMENT)
PREFLIGHT: Final = Told(204, "", fields=_SHARED)
OTHER_METHOD: Final = Told(405, "", fields=(*_SHARED, ("allow", "GET, HEAD, OPTIONS"), ("content-length", "0")))
BROKEN: Final = Told(500, "")
"""A server error: what the server makes of an exception is its own."""
