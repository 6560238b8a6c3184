"""The signature: one, by the one key that was chosen, over the bytes as sent (R-ALG-04, R-ALG-12)."""

from __future__ import annotations

from unittest.mock import Mock

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from jwtguard import Limits, Reason
from jwtguard.core.jws import JwsParser, UnverifiedJws
from jwtguard.core.key_import import Published, import_key_set
from jwtguard.core.keys import VerificationKey
from jwtguard.core.request import Token
from jwtguard.core.signature import VerifiedJws, check_signature, verify_signature
from tests.core.policies import ANY_ALGORITHM, FORGE, KEY, told
from tests.kit.forged_key import ForgedKey, b64

ALGORITHMS = ("ES256", "ES384", "ES512", "RS256", "PS384", "Ed25519", "Ed448", "HS256")
PARSER = JwsParser(Limits(), {})


def parsed(token: bytes) -> UnverifiedJws:
    """Parse a token and read its claims, as the stages before the signature do."""
    jws = PARSER.parse(Token(token), ANY_ALGORITHM)
    PARSER.unverified_issuer(jws)
    return jws


def bound(key: ForgedKey) -> VerificationKey:
    """Import a key of the forge."""
    jwk = key.private_jwk() if isinstance(key.private, bytes) else key.public_jwk()
    found = import_key_set([jwk], [key.alg], Published.INLINE).find(key.kid, key.alg)
    assert found is not None
    return found


def signed(key: ForgedKey = KEY, signature: bytes | None = None) -> UnverifiedJws:
    """A token of the forge, parsed."""
    return parsed(FORGE.sign(FORGE.access_claims(), key=key, signature=signature))


def refused(jws: UnverifiedJws, key: VerificationKey) -> tuple[Reason, str, object, object]:
    """Return all that the refusal of a signature tells; both ways into the stage agree."""
    refusal = told(lambda: verify_signature(jws, key))
    assert told(lambda: check_signature(jws, key)) == refusal
    return refusal


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a_good_signature_releases_the_claims(alg: str) -> None:
    """R-ALG-10: what the key signed verifies, and the claims are those of the very bytes that were signed."""
    key = FORGE.key(alg)
    claims = FORGE.access_claims()
    jws = parsed(FORGE.sign(claims, key=key))
    verified = verify_signature(jws, bound(key))
    assert verified.claims == claims
    assert verified.header is jws.header


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_another_key_does_not_verify(alg: str) -> None:
    """R-JWK-01: the signature of another key of the same kind and kid is a bad signature."""
    jws = signed(FORGE.key(alg, "other"))
    assert refused(jws, bound(FORGE.key(alg))) == (Reason.BAD_SIGNATURE, "signature", "made by key 'k1'", None)


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_signatures_of_the_wrong_form(alg: str) -> None:
    """R-ALG-12, F54: empty, short, long and zero signatures are refused, with nothing else raised."""
    key = FORGE.key(alg)
    right = len(signed(key).signature)
    for signature in (b"", b"\x00", b"\x00" * (right - 1), b"\x00" * right, b"\x00" * (right + 1), b"\xff" * right):
        assert refused(signed(key, signature), bound(key))[0] is Reason.BAD_SIGNATURE


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_any_changed_part_is_noticed(alg: str) -> None:
    """R-ALG-12: header, payload and signature are covered, to the last byte."""
    key = FORGE.key(alg)
    one, other = FORGE.sign(FORGE.access_claims(), key=key), FORGE.sign(FORGE.access_claims(), key=key)
    first, second, third = one.split(b".")
    mixed = [
        b".".join([first, other.split(b".")[1], third]),
        b".".join([first, second, other.split(b".")[2]]),
        b".".join([FORGE.sign({"iss": "x"}, key=key, header={"x": 1}).split(b".")[0], second, third]),
    ]
    for token in mixed:
        assert refused(parsed(token), bound(key))[0] is Reason.BAD_SIGNATURE


def test_der_is_no_signature() -> None:
    """R-ALG-12: an ECDSA signature in DER form is refused."""
    jws = signed()
    half = len(jws.signature) // 2
    numbers = [int.from_bytes(part) for part in (jws.signature[:half], jws.signature[half:])]
    der = encode_dss_signature(*numbers)
    token = jws.signing_input + b"." + b64(der)
    assert refused(parsed(token), bound(KEY))[0] is Reason.BAD_SIGNATURE


def test_the_key_is_asked_once() -> None:
    """R-HDR-05: one signature is verified, over the signing input as it was sent."""
    asked: list[tuple[bytes, bytes]] = []

    def verify(message: bytes, signature: bytes) -> bool:
        asked.append((message, signature))
        return True

    jws = signed(signature=b"sig")
    key = VerificationKey("k1", "ES256", "f", verify)
    verified = verify_signature(jws, key)
    assert asked == [(jws.signing_input, b"sig")]
    assert verified.key is key


def test_a_key_that_says_nothing_true() -> None:
    """R-ALG-12: whatever is false for a key is a bad signature."""
    for answer in (False, None, 0, b""):
        key = VerificationKey(None, "ES256", "f", Mock(return_value=answer))
        assert refused(signed(), key) == (Reason.BAD_SIGNATURE, "signature", "made by key None", None)


def test_a_verified_token_shows_no_claim() -> None:
    """R-OBS-03: what is shown is the key that verified it."""
    verified = verify_signature(signed(), bound(KEY))
    assert repr(verified) == "<VerifiedJws by <VerificationKey ES256 'k1'>>"


def test_claims_that_were_not_read_are_none() -> None:
    """R-CLM-01: a token whose claims nobody read strictly has none, so that every required one is missing."""
    jws = PARSER.parse(Token(FORGE.sign(FORGE.access_claims(), key=KEY)), ANY_ALGORITHM)
    verified = verify_signature(jws, bound(KEY))
    assert isinstance(verified, VerifiedJws)
    assert verified.claims == {}
