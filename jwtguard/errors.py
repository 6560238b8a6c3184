"""What jwtguard raises, and the closed list of reasons for which it refuses.

``Refusal`` says no to a credential, ``ConfigurationError`` says no to the author of a policy, and
``Unavailable`` says that nobody can tell right now. Nothing else leaves this package on purpose.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Reason(StrEnum):
    """Why a request was refused. Closed: a new member comes with a test that provokes it."""

    MISSING_TOKEN = "missing_token"
    AMBIGUOUS_CREDENTIALS = "ambiguous_credentials"
    MALFORMED_CREDENTIALS = "malformed_credentials"
    INSECURE_TRANSPORT = "insecure_transport"
    TOO_LARGE = "too_large"
    MALFORMED = "malformed"
    BAD_HEADER = "bad_header"
    UNSUPPORTED_ALG = "unsupported_alg"
    WRONG_CLASS = "wrong_class"
    NO_KEY = "no_key"
    WEAK_KEY = "weak_key"
    BAD_SIGNATURE = "bad_signature"
    BAD_ISSUER = "bad_issuer"
    BAD_AUDIENCE = "bad_audience"
    MISSING_CLAIM = "missing_claim"
    BAD_CLAIM = "bad_claim"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    TOO_LONG_LIVED = "too_long_lived"
    TOO_OLD = "too_old"
    UNPROVEN_BINDING = "unproven_binding"
    REVOKED = "revoked"
    REPLAYED = "replayed"
    UNKNOWN_SESSION = "unknown_session"
    UNKNOWN_SUBJECT = "unknown_subject"
    CSRF = "csrf"
    SCOPE_MISSING = "scope_missing"
    RULE_REFUSED = "rule_refused"
    TENANT_MISMATCH = "tenant_mismatch"
    NO_POLICY = "no_policy"
    KEYS_UNAVAILABLE = "keys_unavailable"
    STORE_UNAVAILABLE = "store_unavailable"


class JwtGuardError(Exception):
    """The base of everything jwtguard raises on purpose."""


class Refusal(JwtGuardError):
    """A credential is not acceptable here.

    ``str()`` and ``repr()`` show the reason alone. ``check``, ``expected`` and ``seen`` are for the
    operator's ``jwtguard explain``: they hold claim or header values and belong in no log or answer.
    """

    def __init__(self, reason: Reason, check: str = "", expected: object = None, seen: object = None) -> None:
        self.reason = reason
        self.check = check
        self.expected = expected
        self.seen = seen
        self.args = (reason,)

    def __str__(self) -> str:
        """Return the reason, nothing of what was seen."""
        return self.reason.value


class Unavailable(JwtGuardError):
    """Something outside (an issuer, a store) did not answer, so no decision is possible."""


class ConfigurationError(JwtGuardError):
    """A policy, issuer or class cannot be used as written.

    Args:
        message: What is wrong and what would mend it, in one sentence.
        key: Where it was written, for example ``issuers.login.algorithms``.
        rule: The requirement it breaks (docs/requirements.md), for example ``R-ALG-03``.
    """

    def __init__(self, message: str, *, key: str = "", rule: str = "") -> None:
        prefix = f"{key}: " if key else ""
        suffix = f" [{rule}]" if rule else ""
        super().__init__(f"{prefix}{message}{suffix}")
        self.message = message
        self.key = key
        self.rule = rule


def unknown(what: str, value: object, known: Iterable[str], *, key: str = "", rule: str = "") -> ConfigurationError:
    """Build the error for a misspelt word, with the nearest valid spelling."""
    import difflib  # noqa: PLC0415 - only where something is misspelt

    names = sorted(known)
    folded = {name.casefold(): name for name in names}
    close = difflib.get_close_matches(str(value).casefold(), folded, n=1, cutoff=0.5)
    hint = f"did you mean {folded[close[0]]!r}?" if close else f"known are {', '.join(map(repr, names)) or 'none'}"
    return ConfigurationError(f"unknown {what} {value!r}; {hint}", key=key, rule=rule)
