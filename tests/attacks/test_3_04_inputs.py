"""RFC 8725, section 3.4: keys and points are inputs too, and hostile ones cost nobody else anything."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pytest

from jwtguard import ConfigurationError, Discovery, InlineKeys, Issuer, JwksUri, Reason
from tests.attacks.target import KEY, Target, fetching_target, signed
from tests.kit.fake_idp import FakeIdP
from tests.kit.forged_key import ForgedKey, b64
from tests.kit.guarded import FORGE, ISSUER
from tests.kit.token_forge import TokenForge

P25519 = 2**255 - 19
P448 = 2**448 - 2**224 - 1
ORDER_8 = bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
GOOD = KEY.public_jwk(kid="good")
Jwk = Mapping[str, object]


def number(value: int) -> str:
    """A number as JWKs hold it."""
    return b64(value.to_bytes(max(1, (value.bit_length() + 7) // 8))).decode()


def holding(*jwks: object, algorithms: tuple[str, ...] = ("ES256", "RS256", "Ed25519", "Ed448")) -> Issuer:
    """An issuer with one good key and some others."""
    return dataclasses.replace(ISSUER, algorithms=algorithms, keys=InlineKeys([*jwks, GOOD]))


def good_token() -> bytes:
    """A token of the good key beside the bad one."""
    return signed(header={"kid": "good"})


def small_points(prime: int, size: int, sign: int) -> list[bytes]:
    """Encodings of points of small order, canonical or not, with either sign bit."""
    plain = [y.to_bytes(size, "little") for y in (0, 1, prime - 1, prime, prime + 1)]
    plain += [ORDER_8, (P25519 - int.from_bytes(ORDER_8, "little")).to_bytes(32, "little")] if size == 32 else []
    return [point[:-1] + bytes([point[-1] | bit]) for point in plain for bit in (0, sign)]


@pytest.mark.parametrize(
    ("crv", "points", "size"),
    [("Ed25519", small_points(P25519, 32, 0x80), 32), ("Ed448", small_points(P448, 57, 0x80), 57)],
    ids=["Ed25519", "Ed448"],
)
def test_points_of_small_order(crv: str, points: list[bytes], size: int) -> None:
    """R-ALG-07: with a public key of small order a constant verifies as a signature, so such a key is none."""
    for point in points:
        jwk = {"kty": "OKP", "crv": crv, "kid": "k1", "x": b64(point).decode()}
        target = Target(issuers=[holding(jwk)])
        blank = ForgedKey(crv, "k1", FORGE.key(crv).private)
        for first in points:
            for _ in range(2):  # what is signed is different each time, and so is the multiple of the point
                constant = first + bytes(size)
                forged = FORGE.sign(FORGE.access_claims(), key=blank, signature=constant)
                target.refuses(forged, Reason.WEAK_KEY, Reason.NO_KEY)
        target.lets_in(good_token())


def rsa_public() -> Jwk:
    """A good RSA key to spoil."""
    return FORGE.key("RS256").public_jwk()


@pytest.mark.parametrize(
    "changes",
    [
        {"e": number(1)}, {"e": number(2)}, {"e": number(65536)}, {"e": number(0)}, {"e": ""},
        {"n": number(2**1023 + 1)}, {"n": number(2**2047 - 1)}, {"n": number(15)}, {"n": number(0)}, {"n": ""},
    ],
    ids=repr,
)  # fmt: skip
def test_rsa_keys_that_anybody_can_sign_with(changes: Jwk) -> None:
    """R-ALG-07: RSA keys of small size, or with an exponent of one or an even one, verify nothing."""
    target = Target(issuers=[holding({**rsa_public(), **changes})])
    key = FORGE.key("RS256")
    target.refuses(signed(key=key), Reason.WEAK_KEY, Reason.NO_KEY)
    for value in (0, 1):
        constant = FORGE.sign(FORGE.access_claims(), key=key, signature=value.to_bytes(256))
        target.refuses(constant, Reason.WEAK_KEY, Reason.NO_KEY)
    target.lets_in(good_token())


HOSTILE: list[object] = [
    None, 1, "key", [], {}, {"kty": None}, {"kty": ["EC"]}, {"kty": "EC"}, {"kty": "EC", "crv": "P-256"},
    {"kty": "EC", "crv": ["P-256"], "x": "AA", "y": "AA", "kid": "k1"},
    {**KEY.public_jwk(), "x": b64(bytes(32)).decode()},  # not on the curve
    {**KEY.public_jwk(), "x": b64(bytes(32)).decode(), "y": b64(bytes(32)).decode()},  # the point at infinity, almost
    {**KEY.public_jwk(), "y": KEY.public_jwk()["x"]},
    {**KEY.public_jwk(), "crv": "P-521"}, {**KEY.public_jwk(), "crv": "secp256k1"}, {**KEY.public_jwk(), "x": 5},
    {**KEY.public_jwk(), "x": "\u2603"}, {**KEY.public_jwk(), "x": "!!"}, {**KEY.public_jwk(), "kid": 7},
    {**KEY.public_jwk(), "kid": ["k1"]}, {**KEY.public_jwk(), "alg": ["ES256"]}, {**KEY.public_jwk(), "alg": "none"},
    {**KEY.public_jwk(), "use": "enc"}, {**KEY.public_jwk(), "use": ["sig"]}, {**KEY.public_jwk(), "use": None},
    {**KEY.public_jwk(), "key_ops": ["sign"]}, {**KEY.public_jwk(), "key_ops": "verify"},
    {**KEY.public_jwk(), "key_ops": []}, {"kty": "OKP", "crv": "X25519", "x": b64(bytes(range(32))).decode(),
    "kid": "k1"},
    {"kty": "OKP", "crv": "Ed25519", "x": b64(bytes(31)).decode(), "kid": "k1"},
    {"kty": "OKP", "crv": "Ed25519", "x": b64(bytes(range(57))).decode(), "kid": "k1"},
    {"kty": "oct", "k": b64(bytes(range(64))).decode(), "kid": "k1", "alg": "HS256"},
]  # fmt: skip


@pytest.mark.parametrize("jwk", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_key_among_good_ones(jwk: object) -> None:
    """F21: a key that cannot be used verifies nothing, raises nothing foreign, and its neighbour serves on."""
    target = Target(issuers=[holding(jwk)])
    target.refuses(signed(), Reason.NO_KEY, Reason.WEAK_KEY)
    target.lets_in(good_token())


def test_a_published_secret_is_no_secret() -> None:
    """R-JWK-13, F21: symmetric and private keys of a fetched set verify nothing: everybody who read it could sign."""
    with FakeIdP() as idp:
        forge = TokenForge(idp.issuer)
        leaked, secret, good = forge.key("ES256", "leaked"), forge.key("HS256", "secret"), forge.key("ES256", "good")
        idp.set_keys([leaked.private_jwk(), secret.private_jwk(), good.public_jwk()])
        target = fetching_target(idp)
        target.lets_in(signed(key=good, forge=forge))
        target.refuses(signed(key=leaked, forge=forge), Reason.NO_KEY)
        target.refuses(signed(key=secret, forge=forge), Reason.UNSUPPORTED_ALG)
        target.refuses(signed(key=secret, forge=forge, header={"alg": "ES256"}), Reason.NO_KEY)


@pytest.mark.parametrize("keys", [JwksUri("https://login.example.com/jwks.json"), Discovery()], ids=repr)
def test_a_secret_cannot_be_fetched(keys: JwksUri | Discovery) -> None:
    """R-ALG-09, R-JWK-13: an issuer whose shared secret would have to be published does not start."""
    with pytest.raises(ConfigurationError) as refused:
        dataclasses.replace(ISSUER, algorithms=("HS256",), shared_secret=True, keys=keys)
    assert refused.value.rule == "R-ALG-09"
