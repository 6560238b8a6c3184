"""Keys, and tokens of the shape providers issue: 870 bytes with RS256, 614 with ES256 and EdDSA.

An access token of RFC 9068 with iss, sub, aud, iat, exp, jti, client_id and scope; the header has alg,
typ and kid. Made with joserfc, so that no code under test made what it verifies.
"""

from __future__ import annotations

import base64
import json
import random
import warnings
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from joserfc import jws
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, OKPKey, RSAKey

from jwtguard.clock import SystemClock

ISSUER = "https://login.example.com/realms/customers"
AUDIENCE = "https://api.example.com/orders/v1"
SCOPE = "orders:read"
KID = "login-key-2026a"
ALGORITHMS = ("RS256", "ES256", "EdDSA")
SIZES = {"RS256": 870, "ES256": 614, "EdDSA": 614}
LIFE_S = 3600


class SigningKey:
    """An issuer's key for one algorithm, and what it signs.

    Attributes:
        alg: RS256, ES256 or EdDSA (Ed25519).
        jwk: The public key as an issuer publishes it.
    """

    def __init__(self, alg: str) -> None:
        self.alg = alg
        self._key = _generate(alg)
        self.jwk: dict[str, Any] = {**self._key.as_dict(private=False), "kid": KID, "alg": alg, "use": "sig"}
        public_key: Any = self._key.public_key  # of three types, whose verify methods differ in their arguments
        self.verify = public_key.verify
        self._now = int(SystemClock().now())

    def tokens(self, count: int) -> list[bytes]:
        """Sign distinct access tokens, valid for an hour."""
        tokens = [self.sign(self.claims(serial)) for serial in range(count)]
        assert {len(token) for token in tokens} == {SIZES[self.alg]}, "tokens have another size than promised"
        return tokens

    def claims(self, serial: int, **changes: object) -> dict[str, object]:
        """Return the claims set of an access token."""
        ids = random.Random(serial)
        claims = {
            "iss": ISSUER,
            "sub": str(UUID(int=ids.getrandbits(128), version=4)),
            "aud": AUDIENCE,
            "iat": self._now,
            "exp": self._now + LIFE_S,
            "jti": str(UUID(int=ids.getrandbits(128), version=4)),
            "client_id": "b0c4f2a6-5d1e-4f3b-9a77-2f6d1c8e9b40",
            "scope": f"openid profile email offline_access {SCOPE} orders:write",
        }
        return {**claims, **changes}

    def sign(self, claims: Mapping[str, object], **header: object) -> bytes:
        """Sign a claims set."""
        members = {"alg": self.alg, "typ": "at+jwt", "kid": KID, **header}
        payload = json.dumps(claims, separators=(",", ":"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)  # EdDSA is the label that every peer reads
            return jws.serialize_compact(members, payload, self._key, [self.alg]).encode()

    def arguments(self, token: bytes) -> tuple[Any, ...]:
        """Return what the bare signature check of ``cryptography`` takes, with nothing left to prepare."""
        message, _, text = token.rpartition(b".")
        signature = base64.urlsafe_b64decode(text + b"==")
        if self.alg == "RS256":
            return signature, message, padding.PKCS1v15(), hashes.SHA256()
        if self.alg == "ES256":
            half = len(signature) // 2
            r, s = int.from_bytes(signature[:half]), int.from_bytes(signature[half:])
            return encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256())
        return signature, message


def with_header(token: bytes, **header: object) -> bytes:
    """Give a token another header, as a stranger would: nothing is signed again."""
    segment = base64.urlsafe_b64encode(json.dumps(header, separators=(",", ":")).encode()).rstrip(b"=")
    return b".".join([segment, *token.split(b".")[1:]])


def _generate(alg: str) -> RSAKey | ECKey | OKPKey:
    match alg:
        case "RS256":
            return RSAKey.generate_key(2048)
        case "ES256":
            return ECKey.generate_key("P-256")
        case _:
            return OKPKey.generate_key("Ed25519")
