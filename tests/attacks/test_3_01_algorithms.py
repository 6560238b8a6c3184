"""RFC 8725, section 3.1: the algorithm is ours to choose; what a header says can only fail to match."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from jwtguard import InlineKeys, Reason
from tests.attacks.target import KEY, Target, issuer_of, signed
from tests.kit.forged_key import ForgedKey, b64
from tests.kit.guarded import FORGE, ISSUER, bearer, protected
from tests.kit.token_forge import OMIT, TokenForge

NONE = ["none", "None", "NONE", "nOnE", "none ", " none", "none\0", "\u043done", "", "null", "NOne\n"]
MISSPELT = ["es256", "ES256 ", "ES-256", "ES256\0", "ES256K", "ＥＳ256", "ES256,none", "HS256", "RS1", "http://x/ES256"]  # noqa: RUF001
NO_STRINGS = [None, True, 0, 256, 1.5, [], ["ES256"], {}, {"alg": "ES256"}]
PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER
SPKI, PKCS1 = serialization.PublicFormat.SubjectPublicKeyInfo, serialization.PublicFormat.PKCS1


def public(key: ForgedKey) -> rsa.RSAPublicKey:
    """The public half that every attacker has."""
    assert isinstance(key.private, rsa.RSAPrivateKey)
    return key.private.public_key()


PUBLIC_FORMS: dict[str, Callable[[ForgedKey], bytes]] = {
    "pem": lambda key: public(key).public_bytes(PEM, SPKI),
    "pem-stripped": lambda key: public(key).public_bytes(PEM, SPKI).strip(),
    "pkcs1-pem": lambda key: public(key).public_bytes(PEM, PKCS1),
    "der": lambda key: public(key).public_bytes(DER, SPKI),
    "pkcs1-der": lambda key: public(key).public_bytes(DER, PKCS1),
    "ssh": lambda key: public(key).public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH),
    "modulus": lambda key: public(key).public_numbers().n.to_bytes(256),
    "jwk-n": lambda key: str(key.public_jwk()["n"]).encode(),
    "kid": lambda key: key.kid.encode(),
    "empty": lambda _: b"",
    "zero": lambda _: bytes(32),
}


@pytest.mark.parametrize("alg", NONE)
@pytest.mark.parametrize("signature", [b"", b"\0", None])
def test_none_in_any_spelling(alg: str, signature: bytes | None) -> None:
    """R-HDR-06, F54: no spelling of "none" lets a token in, with no signature, with a dummy or with a good one."""
    forged = FORGE.sign(FORGE.access_claims(), key=KEY, header={"alg": alg}, signature=signature)
    Target().refuses(forged, Reason.UNSUPPORTED_ALG)


@pytest.mark.parametrize("alg", MISSPELT)
def test_algorithms_that_are_not_on_the_list(alg: str) -> None:
    """R-HDR-06, F54: ``alg`` is compared as it stands; a good signature under another label is refused."""
    Target().refuses(signed(header={"alg": alg}), Reason.UNSUPPORTED_ALG)


@pytest.mark.parametrize("alg", NO_STRINGS, ids=repr)
def test_alg_that_is_no_string(alg: object) -> None:
    """R-HDR-06, F54: an ``alg`` of another JSON type is refused and raises nothing foreign."""
    Target().refuses(signed(header={"alg": alg}), Reason.BAD_HEADER)


def test_no_alg_at_all() -> None:
    """R-HDR-06, F54: a header without ``alg`` is refused, although one key and one algorithm are configured."""
    Target().refuses(signed(header={"alg": OMIT}), Reason.BAD_HEADER)


@pytest.mark.parametrize("first", ["none", "ES256"])
def test_two_algs(first: str) -> None:
    """R-HDR-09, F54: neither the first nor the last of two ``alg`` counts."""
    second = "ES256" if first == "none" else "none"
    text = f'{{"alg":"{first}","kid":"k1","typ":"at+jwt","alg":"{second}"}}'
    Target().refuses(signed(header=text.encode()), Reason.BAD_HEADER)


@pytest.mark.parametrize("form", PUBLIC_FORMS)
@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512"])
def test_public_key_as_hmac_secret(form: str, alg: str) -> None:
    """R-ALG-04, F54: an HMAC made with the public key, in whatever form, is refused at an RS256 issuer."""
    key = FORGE.key("RS256")
    secret = ForgedKey(alg, key.kid, PUBLIC_FORMS[form](key))
    target = Target(issuers=[issuer_of(key)])
    target.refuses(signed(key=secret), Reason.UNSUPPORTED_ALG)
    target.lets_in(signed(key=key))


@pytest.mark.parametrize(
    ("alg", "other"), [("RS256", "PS256"), ("RS256", "RS512"), ("PS256", "RS256"), ("ES256", "ES512")]
)
def test_the_right_key_under_another_algorithm(alg: str, other: str) -> None:
    """R-ALG-06, F54: one key serves one algorithm, also where the list holds the other one for another key."""
    ours, theirs = FORGE.key(alg, "ours"), FORGE.key(other, "theirs")
    target = Target(issuers=[issuer_of(ours, theirs)])
    if alg[:2] == "ES":
        forged = FORGE.sign(FORGE.access_claims(), key=ours, header={"alg": other})
    else:
        forged = FORGE.sign(FORGE.access_claims(), key=ours, alg=other)
    target.refuses(forged, Reason.NO_KEY)
    target.lets_in(signed(key=ours))
    target.lets_in(signed(key=theirs))


def test_eddsa_does_not_reach_an_ed448_key() -> None:
    """F54: ``EdDSA`` means Ed25519, so a token by an allowed Ed448 key must say Ed448 (RFC 9864)."""
    small, large = FORGE.key("Ed25519", "small"), FORGE.key("Ed448", "large")
    target = Target(issuers=[issuer_of(small, large, algorithms=["EdDSA", "Ed448"])])
    for alg in ("EdDSA", "Ed25519"):
        target.refuses(signed(key=large, header={"alg": alg}), Reason.NO_KEY)
        target.lets_in(signed(key=small, header={"alg": alg}))
    target.refuses(signed(key=small, header={"alg": "Ed448"}), Reason.NO_KEY)
    target.lets_in(signed(key=large))


def test_eddsa_is_no_other_name_of_ed25519_unless_listed() -> None:
    """R-ALG-11: the old label counts only where the list names it."""
    key = FORGE.key("Ed25519")
    target = Target(issuers=[issuer_of(key)])
    target.refuses(signed(key=key, header={"alg": "EdDSA"}), Reason.UNSUPPORTED_ALG)
    target.lets_in(signed(key=key))


def test_the_curve_must_be_that_of_the_algorithm() -> None:
    """R-ALG-04, F54: a P-384 key is no key for ES256, whatever its JWK says."""
    key, good = FORGE.key("ES384", "large"), FORGE.key("ES256")
    keys = InlineKeys([key.public_jwk(alg="ES256"), good.public_jwk()])
    target = Target(issuers=[dataclasses.replace(ISSUER, algorithms=("ES256", "ES384"), keys=keys)])
    target.refuses(signed(key=key, header={"alg": "ES256"}), Reason.NO_KEY)
    target.refuses(signed(key=key), Reason.NO_KEY)
    target.lets_in(signed(key=good))


def test_an_endpoint_that_narrows_the_list() -> None:
    """R-ALG-01, F54: where an endpoint allows less than its issuer, the issuer's other algorithms do not count."""
    strong, weak = FORGE.key("ES256", "strong"), FORGE.key("RS256", "weak")
    narrow = protected("/admin", algorithms=("ES256",))
    target = Target(narrow, protected("/reports"), issuers=[issuer_of(strong, weak)])
    token = signed(key=weak)
    target.lets_in(token)
    target.refuses(token, Reason.UNSUPPORTED_ALG, path="/admin")
    target.lets_in(signed(key=strong), "/admin")


def test_the_list_of_another_issuer() -> None:
    """R-POL-10, F25: what one issuer may sign with is nothing to another, under the same kid."""
    other = TokenForge("https://other.example.com/")
    es, rs = FORGE.key("ES256"), FORGE.key("RS256")
    second = issuer_of(rs, name="other", issuer=other.issuer)
    target = Target(issuers=[issuer_of(es), second])
    target.refuses(signed(key=rs), Reason.UNSUPPORTED_ALG)
    target.refuses(signed(key=es, forge=other), Reason.UNSUPPORTED_ALG)
    target.lets_in(signed(key=rs, forge=other))


def test_the_key_may_not_say_what_the_list_does_not() -> None:
    """R-ALG-01, F54: a published key for an algorithm off the list is no way onto the list."""
    listed, extra = FORGE.key("ES256", "listed"), FORGE.key("RS256", "extra")
    issuer = dataclasses.replace(ISSUER, keys=InlineKeys([listed.public_jwk(), extra.public_jwk()]))
    target = Target(issuers=[issuer])
    target.refuses(signed(key=extra), Reason.UNSUPPORTED_ALG)
    target.refuses(signed(key=extra, header={"alg": "ES256"}), Reason.NO_KEY)


def test_the_remembered_header_has_no_say() -> None:
    """R-HDR-01: the header of a token that verified, on another payload, still needs a signature of its own."""
    target = Target()
    good = signed()
    target.lets_in(good)
    head, _, signature = good.split(b".")
    forged = b".".join([head, b64(b'{"iss":"https://login.example.com/","sub":"root"}'), signature])
    assert target.send([bearer(forged)]).status == 401
    target.refuses(forged, Reason.BAD_SIGNATURE)
