"""RFC 8725, section 3.5: secrets shorter than their hash, and texts that everybody has, are no secrets."""

from __future__ import annotations

import dataclasses
import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from jwtguard import ConfigurationError, InlineKeys, Issuer, Mode, Reason
from tests.attacks.target import Target, signed
from tests.kit.forged_key import ForgedKey, b64
from tests.kit.guarded import FORGE, ISSUER

STRONG = ForgedKey("HS256", "strong", bytes(range(7, 71)))
PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER
SPKI, PKCS1 = serialization.PublicFormat.SubjectPublicKeyInfo, serialization.PublicFormat.PKCS1


def shared(*secrets: ForgedKey, alg: str = "HS256") -> Issuer:
    """An issuer whose only keys are secrets shared with us."""
    jwks = [key.private_jwk() for key in secrets]
    return dataclasses.replace(ISSUER, algorithms=(alg,), keys=InlineKeys(jwks), shared_secret=True)


def everybodys(form: str) -> bytes:
    """What anybody can get who can get the public key."""
    key = FORGE.key("RS256")
    assert isinstance(key.private, rsa.RSAPrivateKey)
    public = key.private.public_key()
    texts = {
        "pem": public.public_bytes(PEM, SPKI),
        "pem-after-space": b"\n  " + public.public_bytes(PEM, SPKI),
        "pkcs1": public.public_bytes(PEM, PKCS1),
        "der": public.public_bytes(DER, SPKI),
        "ssh": public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH),
        "jwk": json.dumps(key.public_jwk()).encode(),
        "jwk-indented": json.dumps(key.public_jwk(), indent=2).encode(),
        "jwks": json.dumps({"keys": [key.public_jwk()]}).encode(),
        "jwk-list": json.dumps([key.public_jwk()]).encode(),
    }
    return texts[form]


@pytest.mark.parametrize(("alg", "length"), [("HS256", 31), ("HS384", 47), ("HS512", 63), ("HS256", 0), ("HS512", 32)])
def test_secrets_shorter_than_the_hash(alg: str, length: int) -> None:
    """R-ALG-07, R-ALG-08: a secret shorter than its hash verifies nothing, and alone it stops start-up."""
    weak = ForgedKey(alg, "weak", bytes(range(1, length + 1)))
    with pytest.raises(ConfigurationError):
        Target(issuers=[shared(weak, alg=alg)])
    target = Target(issuers=[shared(weak, alg=alg)], mode=Mode.DEVELOPMENT)
    target.refuses(signed(key=weak), Reason.WEAK_KEY)
    target.refuses(signed(key=weak, header={"kid": "other"}), Reason.NO_KEY)


def test_a_weak_secret_does_not_hide_behind_a_strong_one() -> None:
    """R-ALG-07: beside a strong secret a weak one is refused by name, and never stands in for it."""
    weak = ForgedKey("HS256", "weak", b"secret")
    target = Target(issuers=[shared(STRONG, weak)], mode=Mode.DEVELOPMENT)
    target.lets_in(signed(key=STRONG))
    target.refuses(signed(key=weak), Reason.WEAK_KEY)
    target.refuses(signed(key=dataclasses.replace(weak, kid="strong")), Reason.BAD_SIGNATURE)


@pytest.mark.parametrize(
    "form", ["pem", "pem-after-space", "pkcs1", "der", "ssh", "jwk", "jwk-indented", "jwks", "jwk-list"]
)
def test_published_text_is_no_secret(form: str) -> None:
    """R-ALG-05, F54: PEM, DER, SSH, JWK and JWK set text cannot serve as an HMAC secret."""
    text = ForgedKey("HS256", "text", everybodys(form))
    with pytest.raises(ConfigurationError):
        Target(issuers=[shared(text)])
    target = Target(issuers=[shared(text)], mode=Mode.DEVELOPMENT)
    target.refuses(signed(key=text), Reason.WEAK_KEY)


def test_the_empty_secret() -> None:
    """R-ALG-07, F54: an HMAC with the empty key, or with zeros, is no way to an issuer with a strong secret."""
    target = Target(issuers=[shared(STRONG)])
    for secret in (b"", bytes(32), bytes(64), b64(bytes(range(7, 71))), b"strong"):
        target.refuses(signed(key=ForgedKey("HS256", "strong", secret)), Reason.BAD_SIGNATURE)
    target.lets_in(signed(key=STRONG))


def test_the_secret_serves_one_algorithm() -> None:
    """R-ALG-06: one secret, one algorithm: a token under another HMAC of the same list finds no key."""
    issuer = dataclasses.replace(
        ISSUER, algorithms=("HS256", "HS512"), keys=InlineKeys([STRONG.private_jwk()]), shared_secret=True
    )
    target = Target(issuers=[issuer])
    target.lets_in(signed(key=STRONG))
    target.refuses(signed(key=dataclasses.replace(STRONG, alg="HS512")), Reason.NO_KEY)


def test_what_the_weak_key_looks_like_from_outside() -> None:
    """R-ERR-02: that a key is weak is told to nobody but the operator."""
    weak = ForgedKey("HS256", "weak", b"secret")
    target = Target(issuers=[shared(weak)], mode=Mode.DEVELOPMENT)
    answers = set()
    for token in (signed(key=weak), signed(key=STRONG), b"a.b.c"):
        call = target.send([(b"authorization", b"Bearer " + token)])
        answers.add((call.status, tuple(call.fields), call.body))
    assert len(answers) == 1
