"""No stage can be skipped: each takes only what the stage before it returns. Type-checked, never run.

Every ``type: ignore`` here is a mistake that mypy must find; one that it does not find is an error itself
(``warn_unused_ignores``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import assert_type

from jwtguard.core.claims import ClaimsSet, validate_claims
from jwtguard.core.classification import classify
from jwtguard.core.identity import Identity
from jwtguard.core.jws import JoseHeader, JwsParser, UnverifiedJws
from jwtguard.core.keys import KeySet, VerificationKey, select_key
from jwtguard.core.policy import Choice, EndpointPolicy, Profile
from jwtguard.core.recall import recall
from jwtguard.core.request import Token
from jwtguard.core.signature import VerifiedJws, verify_signature
from jwtguard.core.strict_json import JsonValue


def the_right_way(parser: JwsParser, policy: EndpointPolicy, token: Token, key_set: KeySet | None) -> Identity:
    """Go through the stages in their order."""
    jws = parser.parse(token, policy.algorithms)
    assert_type(jws, UnverifiedJws)
    choice = classify(parser, policy, jws)
    assert_type(choice, Choice)
    key = select_key(key_set, jws.header, choice.alg)
    assert_type(key, VerificationKey)
    verified = verify_signature(jws, key)
    assert_type(verified, VerifiedJws)
    claims_set = validate_claims(verified, choice.profiles, 255, 0.0)
    assert_type(claims_set, ClaimsSet)
    return Identity(claims_set, policy.name)


def the_signature_cannot_be_skipped(jws: UnverifiedJws, profiles: Sequence[Profile]) -> None:
    """R-IDN-04: an unverified token is no input of the claims stage, nor of the identity."""
    validate_claims(jws, profiles, 255, 0.0)  # type: ignore[arg-type]
    Identity(jws, "x")  # type: ignore[arg-type]


def the_claims_cannot_be_skipped(verified: VerifiedJws, claims: Mapping[str, JsonValue]) -> None:
    """R-IDN-04: neither a verified token nor a mapping of claims makes an identity."""
    Identity(verified, "x")  # type: ignore[arg-type]
    Identity(claims, "x")  # type: ignore[arg-type]


def a_verified_token_is_not_verified_again(verified: VerifiedJws, key: VerificationKey) -> None:
    """A stage takes nothing that a later stage returns."""
    verify_signature(verified, key)  # type: ignore[arg-type]


def claims_cannot_be_read_before(jws: UnverifiedJws, header: JoseHeader) -> None:
    """R-CLM-01: there is no claim on an unverified token, and no key in a header."""
    repr(jws.claims)  # type: ignore[attr-defined]
    repr(header.jwk)  # type: ignore[attr-defined]


def a_token_is_not_its_bytes(parser: JwsParser, text: bytes, word: str) -> None:
    """R-OBS-03: only the redacting type goes into the parser; bytes and text do not."""
    parser.parse(text, ["ES256"])  # type: ignore[arg-type]
    parser.parse(word, ["ES256"])  # type: ignore[arg-type]


def time_has_to_be_told(verified: VerifiedJws, profiles: Sequence[Profile]) -> None:
    """R-OBS-09: the core has no clock; leaving the time out is a mistake."""
    validate_claims(verified, profiles, 255)  # type: ignore[call-arg]


def keys_are_asked_of_a_set(key_set: KeySet, header: JoseHeader) -> None:
    """R-ALG-04: a key cannot be chosen without the algorithm that the allow-list means."""
    select_key(key_set, header)  # type: ignore[call-arg]


def what_is_remembered_may_be_nothing(found: ClaimsSet | None) -> str:
    """A miss has to be looked at before the hit can be used."""
    assert_type(recall.__name__, str)
    return found.profile.issuer.name  # type: ignore[union-attr]
