"""RFC 8725 successor, section 3.15: a password-based key derivation whose cost the attacker chooses is never run."""

from __future__ import annotations

import hashlib
import json

import pytest

from jwtguard import ConfigurationError, Reason
from tests.attacks.target import Target, signed
from tests.kit.forged_key import b64
from tests.kit.guarded import ISSUER

ALGORITHMS = ["PBES2-HS256+A128KW", "PBES2-HS384+A192KW", "PBES2-HS512+A256KW"]
COUNTS: list[object] = [1, 310_000, 1_200_001, 2**31 - 1, 2**53, -1, 0, 1e15, "9999999999", None, [10**9]]


@pytest.fixture(autouse=True)
def no_derivation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where anybody derives a key, in whatever library."""

    def derive(*args: object, **more: object) -> bytes:
        message = "somebody derives a key from a password"
        raise AssertionError(message)

    monkeypatch.setattr(hashlib, "pbkdf2_hmac", derive)
    monkeypatch.setattr("cryptography.hazmat.primitives.kdf.pbkdf2.PBKDF2HMAC.derive", derive)


@pytest.mark.parametrize("count", COUNTS, ids=repr)
@pytest.mark.parametrize("alg", ALGORITHMS)
def test_an_expensive_count_in_a_jwe(alg: str, count: object) -> None:
    """R-HDR-11, F55: a five-part token is refused without a look at its ``p2c``."""
    header = {"alg": alg, "enc": "A128CBC-HS256", "p2s": "2WCTcJZ1Rvd_CJuJripQ1w", "p2c": count}
    token = b".".join([b64(json.dumps(header).encode()), b64(bytes(40)), b64(bytes(16)), b64(b"x"), b64(bytes(16))])
    Target().refuses(token, Reason.MALFORMED)


@pytest.mark.parametrize("count", COUNTS, ids=repr)
@pytest.mark.parametrize("alg", ALGORITHMS)
def test_an_expensive_count_in_a_jws(alg: str, count: object) -> None:
    """R-HDR-11, F55: in a three-part token such an algorithm is off the list, and with ``enc`` the header is bad."""
    target = Target()
    target.refuses(signed(header={"alg": alg, "p2c": count, "p2s": "AA"}), Reason.UNSUPPORTED_ALG)
    target.refuses(signed(header={"alg": alg, "p2c": count, "p2s": "AA", "enc": "A128GCM"}), Reason.BAD_HEADER)


@pytest.mark.parametrize("count", COUNTS, ids=repr)
def test_a_count_beside_a_good_algorithm(count: object) -> None:
    """R-HDR-01: ``p2c`` in a signed token costs nothing and means nothing."""
    Target().lets_in(signed(header={"p2c": count, "p2s": "AA"}))


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_it_cannot_be_configured(alg: str) -> None:
    """R-ALG-02, F55: no allow-list can name a password-based algorithm."""
    with pytest.raises(ConfigurationError):
        type(ISSUER)(name="x", issuer="https://x.example.com", algorithms=(alg,), keys=ISSUER.keys)
