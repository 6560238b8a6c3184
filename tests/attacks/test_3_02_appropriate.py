"""RFC 8725, section 3.2: only appropriate algorithms; nothing weaker can be written down or slipped in."""

from __future__ import annotations

import dataclasses

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from jwtguard import ConfigurationError, InlineKeys, Issuer, Reason
from tests.attacks.target import KEY, Target, issuer_of, signed
from tests.kit.forged_key import b64
from tests.kit.guarded import FORGE, ISSUER, bearer
from tests.kit.token_forge import sign_bytes

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
UNFIT = [
    "none", "None", "", "HS1", "RS1", "ES256K", "EdDSA ", "es256", "RSA1_5", "RSA-OAEP", "dir", "A128KW", "A128GCM",
    "PBES2-HS256+A128KW", "ECDH-ES", "all", "*", "any",
]  # fmt: skip


@pytest.mark.parametrize("name", UNFIT)
def test_unfit_algorithms_cannot_be_configured(name: str) -> None:
    """R-ALG-02, F54: an allow-list holds signatures of known strength and neither "none" nor "all"."""
    with pytest.raises(ConfigurationError) as refused:
        dataclasses.replace(ISSUER, algorithms=("ES256", name))
    assert refused.value.rule == "R-ALG-02"


def test_an_empty_list_is_not_every_algorithm() -> None:
    """R-ALG-01, F54: no allow-list, no start."""
    with pytest.raises(ConfigurationError) as refused:
        dataclasses.replace(ISSUER, algorithms=())
    assert refused.value.rule == "R-ALG-01"


@pytest.mark.parametrize("listed", [("RS256", "HS256"), ("HS256", "ES256"), ("EdDSA", "HS512"), ("HS256", "none")])
def test_hmac_beside_public_keys(listed: tuple[str, ...]) -> None:
    """R-ALG-03, F54: a list that mixes secrets and public keys does not start, stated as shared or not."""
    for shared in (False, True):
        with pytest.raises(ConfigurationError):
            dataclasses.replace(ISSUER, algorithms=listed, shared_secret=shared)


def test_hmac_needs_its_statement() -> None:
    """R-ALG-09: HMAC without the statement that issuer and verifier are one does not start."""
    with pytest.raises(ConfigurationError) as refused:
        Issuer(name="x", issuer=FORGE.issuer, algorithms=("HS256",), keys=InlineKeys([]), audience=(FORGE.audience,))
    assert refused.value.rule == "R-ALG-09"


def numbers(token: bytes) -> tuple[bytes, int, int]:
    """A token's signing input, and a fresh valid (r, s) over it."""
    signing_input = token.rpartition(b".")[0]
    raw = sign_bytes(signing_input, KEY.private, "ES256")
    return signing_input, int.from_bytes(raw[:32]), int.from_bytes(raw[32:])


@pytest.mark.parametrize(
    ("r", "s"),
    [
        (0, 0), (0, 1), (1, 0), (1, 1), (P256_ORDER, P256_ORDER), (P256_ORDER, 1), (1, P256_ORDER),
        (P256_ORDER - 1, P256_ORDER - 1), (2**256 - 1, 2**256 - 1),
    ],
)  # fmt: skip
def test_psychic_signatures(r: int, s: int) -> None:
    """R-ALG-12, F54: r and s of zero, of the order or beyond never verify (CVE-2022-21449)."""
    signature = r.to_bytes(32) + s.to_bytes(32)
    Target().refuses(FORGE.sign(FORGE.access_claims(), key=KEY, signature=signature), Reason.BAD_SIGNATURE)


def test_other_encodings_of_a_good_ecdsa_signature() -> None:
    """R-ALG-12: DER, longer, shorter, swapped and shifted forms of a good signature are refused."""
    signing_input, r, s = numbers(signed())
    halves = r.to_bytes(32), s.to_bytes(32)
    forms = [
        encode_dss_signature(r, s),
        bytes(1) + halves[0] + bytes(1) + halves[1],
        halves[0] + halves[1] + bytes(1),
        halves[0] + halves[1][:-1],
        halves[1] + halves[0],
        (halves[0] + halves[1]) * 2,
        halves[0],
    ]
    target = Target()
    for form in forms:
        target.refuses(signing_input + b"." + b64(form), Reason.BAD_SIGNATURE)
    if r + P256_ORDER < 2**256:
        target.refuses(signing_input + b"." + b64((r + P256_ORDER).to_bytes(32) + halves[1]), Reason.BAD_SIGNATURE)
    target.lets_in(signing_input + b"." + b64(b"".join(halves)))


def test_the_forge_measures_what_it_says() -> None:
    """R-ALG-12: the good signature above really is r and s, so that the forms beside it mean something."""
    signing_input, r, s = numbers(signed())
    assert decode_dss_signature(encode_dss_signature(r, s)) == (r, s)
    assert Target().send([bearer(signing_input + b"." + b64(r.to_bytes(32) + s.to_bytes(32)))]).status == 200


@pytest.mark.parametrize("alg", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"])
def test_what_is_supported_works_and_under_its_own_name_alone(alg: str) -> None:
    """R-ALG-10: each algorithm verifies its own tokens, and no label but its own does."""
    key = FORGE.key(alg)
    target = Target(issuers=[issuer_of(key)])
    target.lets_in(signed(key=key))
    for other in ("ES256", "RS256", "PS256", "HS256", "Ed25519"):
        if other != alg:
            target.refuses(signed(key=key, header={"alg": other}), Reason.UNSUPPORTED_ALG)


@pytest.mark.parametrize("alg", ["dir", "RSA1_5", "RSA-OAEP", "A128KW", "ECDH-ES", "PBES2-HS256+A128KW", "A128GCMKW"])
@pytest.mark.parametrize("enc", [False, True])
def test_key_management_is_no_signature(alg: str, enc: bool) -> None:  # noqa: FBT001 - a column of the table
    """R-ALG-02, F55: a JWE algorithm in a three-part token is off the list, with ``enc`` a bad header."""
    header: dict[str, object] = {"alg": alg, **({"enc": "A128GCM"} if enc else {})}
    Target().refuses(signed(header=header), Reason.BAD_HEADER if enc else Reason.UNSUPPORTED_ALG)
