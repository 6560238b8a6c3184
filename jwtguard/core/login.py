"""What an ID token must prove at login, beyond what its class demands (OpenID Connect Core, section 3.1.3.7).

Signature, issuer, audience and times have been judged by the stages before. Here the token is tied to this login: to
the nonce that was sent, to our client, to the tokens it came with, and to how long ago the user really signed in.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from hashlib import sha256, sha384, sha512, shake_256
from hmac import compare_digest
from typing import Literal, TypeAlias

from jwtguard.core.claims import ClaimsSet
from jwtguard.core.limits import check_amount
from jwtguard.errors import ConfigurationError, Reason, Refusal

_SHAKE_BYTES = 114  # an Ed448 signature's own hash, at its own length (RFC 8032, section 5.2)


class _NoNonce(Enum):
    NO_NONCE = "none"


NoNonce: TypeAlias = Literal[_NoNonce.NO_NONCE]
NO_NONCE: NoNonce = _NoNonce.NO_NONCE
"""Written in place of a nonce when none was sent; a token that holds one is then of another login, and refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginExpectations:
    """What this login sent, and what came back beside the ID token.

    Attributes:
        nonce: The nonce of the authentication request, from the user's own session; or ``NO_NONCE``. It has no
            default, and ``None`` is refused: a lost session must not look like a login without nonce.
        access_token: The access token that came with it; needed as soon as the token holds ``at_hash``.
        code: The authorization code that came with it; needed as soon as the token holds ``c_hash``.
        required_hashes: ``at_hash`` or ``c_hash`` that must be there. What came through the browser must be hashed in
            the ID token: both, where both did (OpenID Connect Core, section 3.3.2.11).
        trusted_audiences: Whoever else may be in ``aud``, beside our own client ids.
        max_age_s: The ``max_age`` of the authentication request, in seconds: then ``auth_time`` is required.
    """

    nonce: str | NoNonce = field(repr=False)
    access_token: str | None = field(default=None, repr=False)
    code: str | None = field(default=None, repr=False)
    required_hashes: frozenset[str] = frozenset()
    trusted_audiences: frozenset[str] = frozenset()
    max_age_s: float | None = None

    def __post_init__(self) -> None:
        """Refuse expectations that would expect nothing.

        Raises:
            ConfigurationError: The nonce is empty or no text, ``max_age_s`` is no duration, or a text stands where a
                set of texts belongs.
        """
        nonce: object = self.nonce
        if nonce is not NO_NONCE and (not isinstance(nonce, str) or not nonce):
            message = "must be the nonce that was sent, or NO_NONCE; was the session lost?"
            raise ConfigurationError(message, key="nonce", rule="R-CLS-11")
        for name, value in (("access_token", self.access_token), ("code", self.code)):
            if value == "":
                message = "must not be empty"
                raise ConfigurationError(message, key=name, rule="R-CLS-11")
        audiences: object = self.trusted_audiences
        if isinstance(audiences, str) or not self.required_hashes <= {"at_hash", "c_hash"}:
            message = "trusted_audiences is a set of texts, required_hashes of 'at_hash' and 'c_hash'"
            raise ConfigurationError(message, key="trusted_audiences, required_hashes", rule="R-CLS-11")
        if self.max_age_s is not None:
            check_amount(self.max_age_s, "max_age", "R-CLS-11")


def check_login(claims_set: ClaimsSet, expected: LoginExpectations, *, now: float) -> None:
    """Check that a validated ID token belongs to this login.

    That its nonce was not used before is asked of whoever remembers; see ``UsedNonces``.

    Args:
        claims_set: The validated claims; its profile names our client ids.
        expected: What this login sent and received.
        now: Current time as a NumericDate.

    Raises:
        Refusal: ``MISSING_CLAIM``, ``BAD_CLAIM``, ``BAD_AUDIENCE``, ``NOT_YET_VALID`` or ``TOO_OLD``. The nonce is
            judged first, then who the token is for, the hashes, and the time of authentication.
    """
    _check_nonce(claims_set, expected.nonce)
    _check_parties(claims_set, expected.trusted_audiences)
    beside: Mapping[str, str | None] = {"at_hash": expected.access_token, "c_hash": expected.code}
    for name, value in beside.items():
        _check_hash(claims_set, name, value, expected.required_hashes)
    if expected.max_age_s is not None:
        _check_authentication(claims_set, expected.max_age_s, now)


def _check_nonce(claims_set: ClaimsSet, sent: str | NoNonce) -> None:
    nonce = claims_set.claims.get("nonce")
    if isinstance(sent, str):
        if not isinstance(nonce, str):
            raise Refusal(Reason.MISSING_CLAIM, "nonce", "the nonce that was sent", None)
        if not _same(nonce, sent):
            raise Refusal(Reason.BAD_CLAIM, "nonce", "the nonce that was sent", "another")
    elif "nonce" in claims_set.claims:
        raise Refusal(Reason.BAD_CLAIM, "nonce", "absent, since none was sent", "present")


def _check_parties(claims_set: ClaimsSet, trusted: frozenset[str]) -> None:
    ours = claims_set.profile.audiences or frozenset()
    if strangers := frozenset(claims_set.audiences) - ours - trusted:
        raise Refusal(Reason.BAD_AUDIENCE, "aud", sorted(ours | trusted), sorted(strangers))
    if "azp" in claims_set.claims:
        if claims_set.claims["azp"] not in ours:
            raise Refusal(Reason.BAD_AUDIENCE, "azp", sorted(ours), claims_set.claims["azp"])
    elif len(claims_set.audiences) > 1:
        raise Refusal(Reason.MISSING_CLAIM, "azp", "present, since aud names several", None)


def _check_hash(claims_set: ClaimsSet, name: str, value: str | None, required: frozenset[str]) -> None:
    if name not in claims_set.claims:
        if name in required:
            raise Refusal(Reason.MISSING_CLAIM, name, "present", None)
        return
    if value is None:
        raise Refusal(Reason.BAD_CLAIM, name, "what it is the hash of, given by the caller", "nothing given")
    if not _same(str(claims_set.claims[name]), left_half(value, claims_set.key.alg)):
        raise Refusal(Reason.BAD_CLAIM, name, "the hash of what came with the token", "another")


def _check_authentication(claims_set: ClaimsSet, max_age_s: float, now: float) -> None:
    at, leeway = claims_set.claims.get("auth_time"), claims_set.profile.leeway_s
    if not isinstance(at, int | float):
        raise Refusal(Reason.MISSING_CLAIM, "auth_time", "present, since max_age was asked for", None)
    if at > now + leeway:
        raise Refusal(Reason.NOT_YET_VALID, "auth_time", f"at most {now + leeway}", at)
    if now > at + max_age_s + leeway:
        raise Refusal(Reason.TOO_OLD, "now - auth_time", f"at most {max_age_s} s", now - at)


def left_half(value: str, alg: str) -> str:
    """Return the left half of the hash of a token or a code, as ``at_hash`` and ``c_hash`` hold it.

    Args:
        value: The access token or code.
        alg: The algorithm that signed the ID token: its hash is the one to use (Ed25519: SHA-512; Ed448: SHAKE256).
    """
    data = value.encode("utf-8", "surrogatepass")
    if alg == "Ed448":
        digest = shake_256(data).digest(_SHAKE_BYTES)
    else:
        digest = {"256": sha256, "384": sha384, "512": sha512}.get(alg[-3:], sha512)(data).digest()
    return urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode("ascii")


def _same(one: str, other: str) -> bool:
    return compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))
