"""What a refused client is told: one row per ``Reason``, fixed text, nothing about the token.

RFC 6750, section 3: a bare challenge without a credential, ``invalid_request``, ``invalid_token`` or
``insufficient_scope`` otherwise. Every unacceptable token gets the same answer (R-ERR-02).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum

from jwtguard.core.policy import EndpointPolicy
from jwtguard.errors import Reason

RETRY_AFTER_S = 1


class Outcome(Enum):
    """The few things a client can learn: (status, error code of the challenge, sentence)."""

    NO_CREDENTIAL = (401, None, "A credential is required.")
    BAD_REQUEST = (400, "invalid_request", "The request carries its credential in a way that is not allowed.")
    BAD_TOKEN = (401, "invalid_token", "The token is not acceptable here.")
    TOO_LITTLE = (403, "insufficient_scope", "The token does not grant what this needs.")
    FORBIDDEN = (403, None, "This is not allowed.")
    CANNOT_TELL = (503, None, "No decision is possible right now.")


class Answer:
    """Status, header fields and body, ready to be sent by any shell; and, for a refusal, which one it is."""

    __slots__ = ("body", "headers", "outcome", "status")

    def __init__(
        self, status: int, headers: tuple[tuple[bytes, bytes], ...], body: bytes,
        outcome: Outcome = Outcome.FORBIDDEN,
    ) -> None:  # fmt: skip
        self.status = status
        self.headers = headers
        self.body = body
        self.outcome = outcome

    def fields(self) -> list[tuple[str, str]]:
        """Return the header fields as text, for servers and frameworks that take no bytes."""
        return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self.headers]


OUTCOMES: Mapping[Reason, Outcome] = {
    Reason.MISSING_TOKEN: Outcome.NO_CREDENTIAL,
    Reason.AMBIGUOUS_CREDENTIALS: Outcome.BAD_REQUEST,
    Reason.MALFORMED_CREDENTIALS: Outcome.BAD_REQUEST,
    Reason.INSECURE_TRANSPORT: Outcome.BAD_REQUEST,
    Reason.TOO_LARGE: Outcome.BAD_TOKEN,
    Reason.MALFORMED: Outcome.BAD_TOKEN,
    Reason.BAD_HEADER: Outcome.BAD_TOKEN,
    Reason.UNSUPPORTED_ALG: Outcome.BAD_TOKEN,
    Reason.WRONG_CLASS: Outcome.BAD_TOKEN,
    Reason.NO_KEY: Outcome.BAD_TOKEN,
    Reason.WEAK_KEY: Outcome.BAD_TOKEN,
    Reason.BAD_SIGNATURE: Outcome.BAD_TOKEN,
    Reason.BAD_ISSUER: Outcome.BAD_TOKEN,
    Reason.BAD_AUDIENCE: Outcome.BAD_TOKEN,
    Reason.MISSING_CLAIM: Outcome.BAD_TOKEN,
    Reason.BAD_CLAIM: Outcome.BAD_TOKEN,
    Reason.EXPIRED: Outcome.BAD_TOKEN,
    Reason.NOT_YET_VALID: Outcome.BAD_TOKEN,
    Reason.TOO_LONG_LIVED: Outcome.BAD_TOKEN,
    Reason.TOO_OLD: Outcome.BAD_TOKEN,
    Reason.UNPROVEN_BINDING: Outcome.BAD_TOKEN,
    Reason.REVOKED: Outcome.BAD_TOKEN,
    Reason.REPLAYED: Outcome.BAD_TOKEN,
    Reason.UNKNOWN_SESSION: Outcome.BAD_TOKEN,
    Reason.UNKNOWN_SUBJECT: Outcome.BAD_TOKEN,
    Reason.CSRF: Outcome.FORBIDDEN,
    Reason.SCOPE_MISSING: Outcome.TOO_LITTLE,
    Reason.RULE_REFUSED: Outcome.FORBIDDEN,
    Reason.TENANT_MISMATCH: Outcome.FORBIDDEN,
    Reason.NO_POLICY: Outcome.FORBIDDEN,
    Reason.KEYS_UNAVAILABLE: Outcome.CANNOT_TELL,
    Reason.STORE_UNAVAILABLE: Outcome.CANNOT_TELL,
}


class Challenges:
    """The answers of one policy, written once.

    Args:
        metadata_url: Where clients learn whom to ask for a token (RFC 9728, section 5.1); empty: nowhere.
    """

    def __init__(self, metadata_url: str = "") -> None:
        self._more = (f'resource_metadata="{metadata_url}"',) if metadata_url else ()
        self._fixed = {outcome: _answer(outcome, self._more) for outcome in Outcome}

    def answer(self, reason: Reason, policy: EndpointPolicy | None) -> Answer:
        """Return the answer to a refused request.

        Args:
            reason: Why it was refused; only its outcome shows.
            policy: The endpoint's policy; names the scopes needed, which are configured text.
        """
        outcome = OUTCOMES[reason]
        if outcome is Outcome.TOO_LITTLE and policy is not None:
            return self.insufficient(policy.scopes | policy.any_scopes)
        if outcome is Outcome.NO_CREDENTIAL and self._more and policy is not None and policy.scopes:
            return _answer(outcome, (f'scope="{" ".join(sorted(policy.scopes))}"', *self._more))  # what to ask for
        return self._fixed[outcome]

    def insufficient(self, scopes: Iterable[str]) -> Answer:
        """Return the answer to a token without these scopes."""
        return _answer(Outcome.TOO_LITTLE, (f'scope="{" ".join(sorted(scopes))}"', *self._more))


def _answer(outcome: Outcome, more: Sequence[str]) -> Answer:
    status, error, sentence = outcome.value
    text = {"error": error or outcome.name.lower(), "error_description": sentence}
    body = json.dumps(text, separators=(",", ":")).encode("ascii")
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode("ascii")),
        (b"cache-control", b"no-store"),
    ]
    if error or outcome is Outcome.NO_CREDENTIAL:
        told = (f'error="{error}"', f'error_description="{sentence}"') if error else ()
        headers.append((b"www-authenticate", f"Bearer {', '.join((*told, *more))}".rstrip().encode("ascii")))
    elif outcome is Outcome.CANNOT_TELL:
        headers.append((b"retry-after", str(RETRY_AFTER_S).encode("ascii")))
    return Answer(status, tuple(headers), body, outcome)
