"""Which keys of a set are used, for which algorithm, and which one a token selects."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from jwtguard import Reason, Refusal
from jwtguard.core.issuer import ALGORITHMS
from jwtguard.core.jws import JoseHeader
from jwtguard.core.key_import import Published, import_key_set, read_pem
from jwtguard.core.keys import KeySet, SkipReason, select_key
from tests.kit.forged_key import ForgedKey
from tests.kit.token_forge import TokenForge, sign_bytes

FORGE = TokenForge()
ALL = tuple(name for name in ALGORITHMS if not name.startswith("HS"))
PUBLIC_KINDS = ("RS256", "PS384", "ES256", "ES384", "ES512", "Ed25519", "Ed448")


def imported(*jwks: object, algorithms: Sequence[str] = ALL, published: Published = Published.FETCHED) -> KeySet:
    """The key set of these JWKs."""
    return import_key_set(jwks, algorithms, published)


def skip_reason(jwk: object, **how: object) -> SkipReason | None:
    """Why a key on its own is not used, or ``None`` if it is."""
    key_set = imported(jwk, **how)  # type: ignore[arg-type]  # as imported() has them
    assert len(key_set.live) + len(key_set.skipped) == 1
    return key_set.skipped[0].reason if key_set.skipped else None


def selected(key_set: KeySet, kid: str | None, alg: str) -> str | Reason:
    """The algorithm and kid of the key that is chosen, or why none is."""
    try:
        key = select_key(key_set, JoseHeader(alg, kid, "at+jwt", {}), alg)
    except Refusal as refusal:
        return refusal.reason
    return f"{key.alg} {key.kid}"


EC = FORGE.key("ES256").public_jwk()
RSA: Mapping[str, object] = FORGE.key("RS256").public_jwk()
ED = FORGE.key("Ed25519").public_jwk()


WEAK: Mapping[str, object] = {**RSA, "n": str(RSA["n"])[:171]}


def without(jwk: Mapping[str, object], *names: str) -> dict[str, object]:
    """The JWK with some members left out."""
    return {name: value for name, value in jwk.items() if name not in names}


# One by one


@pytest.mark.parametrize("alg", PUBLIC_KINDS)
def test_each_kind_of_key_verifies_what_it_signed(alg: str) -> None:
    """R-JWK-13: a usable key of every kind is imported, and verifies its own signatures and no others."""
    key = FORGE.key(alg)
    (live,) = imported(key.public_jwk()).live
    message = b"signing input"
    signature = sign_bytes(message, key.private, alg)
    assert (live.kid, live.alg) == ("k1", alg)
    assert live.verify(message, signature)
    assert not live.verify(message + b".", signature)
    assert not live.verify(message, signature[:-1])
    assert not live.verify(message, b"")
    assert not live.verify(message, bytes(len(signature)))


@pytest.mark.parametrize(
    ("jwk", "reason"),
    [
        ("a string", SkipReason.MALFORMED),
        (None, SkipReason.MALFORMED),
        ([EC], SkipReason.MALFORMED),
        ({}, SkipReason.MALFORMED),
        ({**EC, "kty": ["EC"]}, SkipReason.MALFORMED),
        ({**EC, "kty": None}, SkipReason.MALFORMED),
        ({**EC, "kid": 7}, SkipReason.MALFORMED),
        ({**EC, "alg": ["ES256"]}, SkipReason.MALFORMED),
        ({**EC, "kty": "ec"}, SkipReason.UNSUPPORTED),
        ({**EC, "kty": "AKP"}, SkipReason.UNSUPPORTED),
        ({**EC, "crv": "P-192"}, SkipReason.UNSUPPORTED),
        ({**EC, "crv": "secp256k1"}, SkipReason.UNSUPPORTED),
        (without(EC, "crv"), SkipReason.UNSUPPORTED),
        ({**ED, "crv": "X25519"}, SkipReason.UNSUPPORTED),
        ({**EC, "crv": ["P-256"]}, SkipReason.UNSUPPORTED),
        ({**ED, "crv": {}}, SkipReason.UNSUPPORTED),
        ({**EC, "use": "enc"}, SkipReason.NOT_FOR_SIGNATURES),
        ({**EC, "use": None}, SkipReason.NOT_FOR_SIGNATURES),
        ({**EC, "key_ops": ["encrypt", "wrapKey"]}, SkipReason.NOT_FOR_SIGNATURES),
        ({**EC, "key_ops": []}, SkipReason.NOT_FOR_SIGNATURES),
        ({**EC, "key_ops": "verify"}, SkipReason.NOT_FOR_SIGNATURES),
        ({**EC, "alg": "ES384"}, SkipReason.NOT_ALLOWED),
        ({**EC, "alg": "none"}, SkipReason.NOT_ALLOWED),
        ({**EC, "alg": "ECDH-ES"}, SkipReason.NOT_ALLOWED),
        ({**EC, "alg": "HS256"}, SkipReason.NOT_ALLOWED),
        ({**RSA, "alg": "RSA-OAEP"}, SkipReason.NOT_ALLOWED),
        ({**EC, "y": EC["x"]}, SkipReason.MALFORMED),
        ({**EC, "x": "", "y": ""}, SkipReason.MALFORMED),
        ({**EC, "x": f"{EC['x']}="}, SkipReason.MALFORMED),
        ({**EC, "x": 5}, SkipReason.MALFORMED),
        (without(EC, "y"), SkipReason.MALFORMED),
        ({**ED, "x": "AQID"}, SkipReason.MALFORMED),
        (without(ED, "x"), SkipReason.MALFORMED),
        ({**ED, "crv": "Ed448", "alg": "Ed448"}, SkipReason.MALFORMED),
        ({**RSA, "n": "A"}, SkipReason.MALFORMED),
        ({**RSA, "n": "\u00e9"}, SkipReason.MALFORMED),
        (without(RSA, "e"), SkipReason.MALFORMED),
    ],
    ids=lambda value: value if isinstance(value, SkipReason) else repr(value)[-60:],
)
def test_F21_a_key_that_cannot_be_used_is_left_out(jwk: object, reason: SkipReason) -> None:
    """F21, R-JWK-13: each unusable key is left out for the right reason, and the good key beside it stays."""
    assert skip_reason(jwk) is reason
    key_set = imported(jwk, FORGE.key("ES256", "good").public_jwk())
    assert [key.kid for key in key_set.live] == ["good"]


VALUES: Sequence[object] = (
    None, [], {}, 0, -1, 1.5, True, "", "A", "AA==", "\x00", "\ud800", "A" * 5000, [[]], {"a": []}, ["verify"],
)  # fmt: skip


@pytest.mark.parametrize("alg", ["RS256", "ES256", "Ed25519"])
@pytest.mark.parametrize(
    "member", ["kty", "kid", "alg", "use", "key_ops", "crv", "x", "y", "n", "e", "x5c", "x5t", "x5u", "ext", "k", "oth"]
)
def test_F21_no_value_of_any_member_costs_another_key(alg: str, member: str) -> None:
    """F21: whatever stands in whichever member of one key, the key beside it stays usable."""
    good = FORGE.key("ES384", "good").public_jwk()
    for value in VALUES:
        key_set = imported({**FORGE.key(alg).public_jwk(), member: value}, good)
        assert "good" in {key.kid for key in key_set.live}, value


@pytest.mark.parametrize("alg", PUBLIC_KINDS)
def test_R_JWK_13_a_published_private_key_is_not_used_and_reported(alg: str) -> None:
    """R-JWK-13: a fetched key with private members is skipped and listed as exposed: anybody may sign by it."""
    key_set = imported(FORGE.key(alg).private_jwk())
    assert not key_set.live
    assert [skipped.reason for skipped in key_set.skipped] == [SkipReason.PRIVATE]
    assert key_set.exposed == ("k1",)


@pytest.mark.parametrize("member", ["p", "q", "dp", "dq", "qi", "oth"])
def test_R_JWK_13_one_private_member_is_enough(member: str) -> None:
    """R-JWK-13: a fetched RSA key that shows a prime or any other private member but d is exposed all the same."""
    key_set = imported({**RSA, member: FORGE.key("RS256").private_jwk().get(member, [])})
    assert key_set.exposed == ("k1",)
    assert not key_set.live


def test_R_JWK_13_an_inline_private_key_is_stripped_and_reported() -> None:
    """R-JWK-13: a private key written into the policy verifies as a public one; that it was there is reported."""
    key_set = imported(FORGE.key("RS256").private_jwk(), published=Published.INLINE)
    (key,) = key_set.live
    assert key_set.exposed == ("k1",)
    assert str(FORGE.key("RS256").private_jwk()["d"]) not in f"{key!r} {key.fingerprint}"


def test_R_JWK_13_a_published_secret_is_not_used() -> None:
    """R-JWK-13: a symmetric key in a fetched set is skipped: whoever read it could sign."""
    secret = FORGE.key("HS256").private_jwk()
    assert skip_reason(secret, algorithms=("HS256",)) is SkipReason.SYMMETRIC
    assert skip_reason(secret, algorithms=("HS256",), published=Published.INLINE) is None


def test_R_OBS_03_a_key_shows_no_material() -> None:
    """R-OBS-03: the repr of a key names algorithm and kid, cut, and nothing of its material."""
    secret = FORGE.key("HS256").private_jwk(kid="k" * 500)
    (key,) = imported(secret, algorithms=("HS256",), published=Published.INLINE).live
    assert repr(key) == f"<VerificationKey HS256 {'k' * 64!r}>"


# One algorithm


@pytest.mark.parametrize(
    ("jwk", "algorithms", "bound"),
    [
        (RSA, ("RS256",), "RS256"),
        (RSA, ("RS256", "PS256"), SkipReason.SEVERAL_ALGORITHMS),
        (RSA, ("PS512", "ES256"), "PS512"),
        (EC, ("ES256", "ES384", "ES512"), "ES256"),
        (EC, ("ES384", "RS256"), SkipReason.NOT_ALLOWED),
        (ED, ("Ed25519",), "Ed25519"),
        (ED, ("EdDSA",), "Ed25519"),
        (ED, ("EdDSA", "Ed448"), "Ed25519"),
        (ED, ("Ed448",), SkipReason.NOT_ALLOWED),
        (FORGE.key("Ed448").public_jwk(), ("EdDSA",), SkipReason.NOT_ALLOWED),
    ],
)
def test_R_ALG_06_a_key_without_alg_is_bound_to_the_one_that_fits(
    jwk: dict[str, object], algorithms: tuple[str, ...], bound: str | SkipReason
) -> None:
    """R-ALG-06: a key without alg serves the only algorithm of the allow-list that fits it, or none."""
    key_set = imported(without(jwk, "alg"), algorithms=algorithms)
    assert [key.alg for key in key_set.live] + [skipped.reason for skipped in key_set.skipped] == [bound]


def test_R_ALG_06_a_key_serves_its_own_alg_only() -> None:
    """R-ALG-06: the alg of a key decides even where the allow-list would let it serve others."""
    key_set = imported(RSA, algorithms=("RS256", "RS512", "PS256"))
    assert selected(key_set, "k1", "RS256") == "RS256 k1"
    assert {selected(key_set, "k1", alg) for alg in ("RS512", "PS256", "HS256", "none")} == {Reason.NO_KEY}


@pytest.mark.parametrize(("label", "algorithms"), [("EdDSA", ("EdDSA",)), ("Ed25519", ("EdDSA",))])
def test_R_ALG_06_the_two_names_of_ed25519_are_one(label: str, algorithms: tuple[str, ...]) -> None:
    """R-ALG-06: where EdDSA is allowed, keys labelled EdDSA and Ed25519 are Ed25519 keys; Ed448 is not let in by it."""
    assert [key.alg for key in imported({**ED, "alg": label}, algorithms=algorithms).live] == ["Ed25519"]
    assert skip_reason({**ED, "alg": "EdDSA"}, algorithms=("Ed25519",)) is SkipReason.NOT_ALLOWED
    assert skip_reason(FORGE.key("Ed448").public_jwk(alg=label), algorithms=algorithms) is SkipReason.NOT_ALLOWED


# One key


def test_R_JWK_14_type_and_algorithm_tell_keys_under_one_kid_apart() -> None:
    """R-JWK-14, F22: keys of several algorithms share a kid without harm."""
    kinds = ("RS256", "PS256", "ES256", "Ed25519")
    key_set = imported(*(FORGE.key(alg, "shared").public_jwk() for alg in kinds))
    assert [selected(key_set, "shared", alg) for alg in kinds] == [f"{alg} shared" for alg in kinds]
    assert not key_set.skipped


@pytest.mark.parametrize("count", [2, 3])
def test_R_JWK_14_two_keys_of_one_algorithm_make_a_kid_unusable(count: int) -> None:
    """R-JWK-14, F22: no order of a set decides between keys of one kid and algorithm, and neither is live."""
    twins = [ForgedKey("ES256", "twin", FORGE.key("ES256", f"{n}").private).public_jwk() for n in range(count)]
    for order in itertools.permutations(twins):
        key_set = imported(*order, FORGE.key("ES256", "other").public_jwk())
        assert selected(key_set, "twin", "ES256") is Reason.NO_KEY
        assert selected(key_set, "other", "ES256") == "ES256 other"
        assert {key.kid for key in key_set.live} == {"other"}
        assert key_set.knows("twin"), "asking the issuer again would not help"
        assert {skipped.reason for skipped in key_set.skipped} == {SkipReason.DUPLICATE}


def test_R_JWK_14_one_key_listed_twice_is_one_key() -> None:
    """R-JWK-14: only *different* keys under a kid clash; the same JWK twice is usable, at first sight and after."""
    first = imported(EC, dict(EC))
    assert selected(first, "k1", "ES256") == "ES256 k1"
    again = import_key_set([EC, EC], ALL, Published.FETCHED, imported(EC))
    assert selected(again, "k1", "ES256") == "ES256 k1"


def test_R_JWK_14_an_unusable_key_does_not_spoil_the_kid_of_a_good_one() -> None:
    """R-JWK-14, F21: a key that is left out is no rival to the good key under the same kid."""
    others = [{**EC, "use": "enc"}, {**EC, "y": EC["x"]}, WEAK, {"kty": "x", "kid": "k1"}]
    for order in itertools.permutations([EC, *others]):
        key_set = imported(*order)
        assert selected(key_set, "k1", "ES256") == "ES256 k1"
        assert selected(key_set, "k1", "RS256") is Reason.WEAK_KEY


def test_F22_the_kid_must_match_exactly() -> None:
    """F22, R-HDR-05: another case, spaces or a prefix select nothing; a key without kid serves who names none."""
    key_set = imported(FORGE.key("ES256", "Key-1").public_jwk())
    for kid in ("key-1", "Key-1 ", " Key-1", "Key", "Key-11", ""):
        assert selected(key_set, kid, "ES256") is Reason.NO_KEY
        assert not key_set.knows(kid)
    nameless = imported(without(EC, "kid"))
    assert selected(nameless, "k1", "ES256") is Reason.NO_KEY
    assert selected(nameless, None, "ES256") == "ES256 None"


@pytest.mark.parametrize("named", [True, False])
def test_F22_a_token_without_kid_needs_the_only_key(*, named: bool) -> None:
    """F22, R-HDR-05: without a kid exactly one key must fit the algorithm, whether the keys have names or not."""
    kinds = ("ES256", "ES384", "ES384")
    jwks = [FORGE.key(alg, f"{n}").public_jwk() for n, alg in enumerate(kinds)]
    key_set = imported(*(jwk if named else without(jwk, "kid") for jwk in jwks))
    assert str(selected(key_set, None, "ES256")).startswith("ES256")
    assert selected(key_set, None, "ES384") is Reason.NO_KEY
    assert selected(key_set, None, "ES512") is Reason.NO_KEY
    assert len(key_set.live) == (3 if named else 1)


def test_F22_a_weak_key_is_no_choice_for_a_token_without_kid() -> None:
    """F22, R-ALG-07: without a kid a weak key loses to the one strong key and is named weak where it is alone."""
    strong = FORGE.key("RS256", "strong").public_jwk()
    assert selected(imported(WEAK, strong), None, "RS256") == "RS256 strong"
    assert selected(imported(WEAK), None, "RS256") is Reason.WEAK_KEY


def test_R_JWK_09_known_are_the_kids_that_asking_again_would_not_mend() -> None:
    """R-JWK-09: usable, weak and clashing kids are known, an absent one always; skipped ones may come back mended."""
    key_set = imported(EC, {**WEAK, "kid": "weak"}, {**EC, "kid": "enc", "use": "enc"})
    assert [key_set.knows(kid) for kid in ("k1", "weak", None, "enc", "k2")] == [True, True, True, False, False]


# PEM


@pytest.mark.parametrize("alg", PUBLIC_KINDS)
def test_a_pem_of_a_public_key_is_read(alg: str) -> None:
    """R-JWK-13: the PEM of each kind of public key becomes the JWK of that key."""
    key = FORGE.key(alg)
    assert not isinstance(key.private, bytes)
    pem = key.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    assert without(key.public_jwk(), "kid", "use", "alg").items() <= read_pem(pem).items()


def test_a_pem_of_a_private_key_is_refused() -> None:
    """R-JWK-13: a private key in the policy file is an error that does not repeat it."""
    private = FORGE.key("ES256").private
    assert not isinstance(private, bytes)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    with pytest.raises(ValueError, match="a private key; give the public one") as caught:
        read_pem(pem)
    assert pem.splitlines()[1] not in repr(caught.value)


@pytest.mark.parametrize(
    "text", ["", "text", "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----", "\ud800", "PUBLIC"]
)
def test_what_is_no_pem_is_refused(text: str) -> None:
    """R-JWK-13: text that is no PEM of a public key is a ValueError and nothing else."""
    with pytest.raises(ValueError, match="not the PEM of"):
        read_pem(text)
