"""Whatever a key set holds, importing it ends, and with nothing worse than keys left out."""

from __future__ import annotations

import json
from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from jwtguard.core.issuer import ALGORITHMS, labels
from jwtguard.core.key_import import Published, import_key_set
from jwtguard.core.keys import NO_KEYS, KeySet, SkipReason
from jwtguard.core.strict_json import json_reader
from tests.kit.forged_key import b64
from tests.kit.token_forge import TokenForge

FORGE = TokenForge()
KINDS = ("RS256", "ES256", "ES512", "Ed25519", "Ed448")
GOOD: tuple[Mapping[str, object], ...] = (
    *(FORGE.key(alg, kid).public_jwk(kid="k1") for alg in KINDS for kid in ("k1", "twin")),
    *(FORGE.key(alg).private_jwk() for alg in (*KINDS, "HS256")),
    FORGE.key("ES256").public_jwk(kid="k2"),
)
MEMBERS = sorted({name for jwk in GOOD for name in jwk} | {"key_ops", "x5c", "x5t", "x5t#S256", "x5u", "oth", "ext"})

texts = st.text(max_size=10) | st.sampled_from(
    [
        *ALGORITHMS,
        "RSA",
        "EC",
        "OKP",
        "oct",
        "sig",
        "enc",
        "verify",
        "P-256",
        "Ed25519",
        "",
        "AQAB",
        "A",
        "AA==",
        "_-",
        "=",
    ]
)
scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
values = scalars | texts | st.lists(scalars | texts, max_size=3) | st.dictionaries(texts, scalars | texts, max_size=3)
good = st.sampled_from(GOOD)
near_misses = st.builds(
    lambda jwk, name, value, dropped: {key: held for key, held in {**jwk, name: value}.items() if key != dropped},
    good,
    st.sampled_from(MEMBERS),
    values,
    st.none() | st.sampled_from(MEMBERS),
)
base64url = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/ \n", max_size=90)
made_up = st.fixed_dictionaries(
    {"kty": st.sampled_from(["RSA", "EC", "OKP", "oct"])},
    optional={
        "kid": st.sampled_from(["k1", "k2"]),
        "crv": st.sampled_from(["P-256", "P-384", "P-521", "Ed25519", "Ed448"]),
        **dict.fromkeys(("x", "y", "n", "e", "k", "d"), base64url),
    },
)
markers = [
    b"ssh-rsa ",
    b"ecdsa-sha2-",
    b"ssh-ed25519 AAAA",
    b"-----BEGIN ",
    b"---- BEGIN ",
    b"\x30\x82",
    b"{",
    b" ",
    b"\n",
]
secrets = st.lists(st.sampled_from(markers) | st.binary(max_size=40), max_size=6).map(
    lambda parts: {"kty": "oct", "k": b64(b"".join(parts)).decode(), "kid": "k1"}
)
jwks = st.lists(good | near_misses | near_misses | made_up | secrets | values, max_size=6)
allow_lists = st.lists(st.sampled_from(sorted(ALGORITHMS)), min_size=1, max_size=5, unique=True).map(tuple)
hmac_lists = st.sampled_from([("HS256",), ("HS256", "HS512")])


@settings(max_examples=300, deadline=None)
@given(jwks, allow_lists | hmac_lists, st.sampled_from(Published))
def test_F21_importing_never_raises(keys: list[object], algorithms: tuple[str, ...], published: Published) -> None:
    """F21, R-JWK-13: any list of JSON values is a key set, whose keys are usable, or left out for a closed reason."""
    key_set = import_key_set(keys, algorithms, published)
    assert len(key_set.live) <= len(keys)
    assert all(key.alg in labels(algorithms).values() for key in key_set.live)
    assert all(isinstance(skipped.reason, SkipReason) for skipped in key_set.skipped)
    assert len(key_set.exposed) <= len(keys)
    for key in key_set.live:
        assert key.verify(b"message", b"") is False
        assert key.verify(b"message", bytes(64)) is False


@settings(max_examples=150, deadline=None)
@given(jwks, st.sampled_from(Published))
def test_F21_a_good_key_survives_any_company(company: list[object], published: Published) -> None:
    """F21: a good key under a kid of its own is live whatever else a set holds, first in it or last."""
    own = FORGE.key("ES384", "of its own").public_jwk()
    for keys in ([own, *company], [*company, own]):
        live = import_key_set(keys, ("ES384", "RS256", "ES256"), published).live
        assert "of its own" in {key.kid for key in live}


@settings(max_examples=150, deadline=None)
@given(st.lists(good, max_size=4), st.lists(good | near_misses, max_size=4))
def test_F12_a_refresh_brings_what_a_cold_start_would(before: list[object], after: list[object]) -> None:
    """F12, R-JWK-14: which keys are live after a refresh depends on the new set alone, not on what was there before."""
    algorithms = ("RS256", "ES256", "ES512", "Ed25519")

    def import_over(keys: list[object], previous: KeySet) -> KeySet:
        return import_key_set(keys, algorithms, Published.FETCHED, previous)

    cold = import_over(after, NO_KEYS)
    warm = import_over(after, import_over(before, NO_KEYS))
    assert {(key.kid, key.alg) for key in warm.live} == {(key.kid, key.alg) for key in cold.live}
    again = import_over(after, warm)
    assert again.live == warm.live, "unchanged keys stay the same objects"


@settings(max_examples=150, deadline=None)
@given(secrets)
def test_F21_no_secret_makes_importing_raise(jwk: dict[str, object]) -> None:
    """F21, R-ALG-05: whatever bytes a secret in the policy has, it is used or left out, even where warnings raise."""
    key_set = import_key_set([jwk], ("HS256",), Published.INLINE)
    assert len(key_set.live) + len(key_set.skipped) == 1


@settings(max_examples=150, deadline=None)
@given(jwks)
def test_F21_what_strict_json_lets_through_can_be_imported(keys: list[object]) -> None:
    """F20, F21: what the strict reader makes of a document is what importing expects."""
    document = json.dumps({"keys": keys}).encode()
    try:
        read = json_reader(depth=16, members=256)(document)["keys"]
    except ValueError:
        return
    assert isinstance(read, list)
    import_key_set(read, ("RS256", "ES256"), Published.FETCHED)
