"""Tokens of every kind, valid, forged and malformed, made without the code under test."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from functools import cache
from itertools import count
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from tests.kit.forged_key import ForgedKey, Private, b64

OMIT: Final = object()
"""As the value of a header parameter or a claim: leave it out."""

_CURVES: Final[dict[str, type[ec.EllipticCurve]]] = {
    "ES256": ec.SECP256R1,
    "ES384": ec.SECP384R1,
    "ES512": ec.SECP521R1,
}
_HASHES: Final[dict[str, hashes.HashAlgorithm]] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}


class TokenForge:
    """The tokens of one issuer for one audience.

    Keys are made once in a test run for each ``alg`` and ``kid``, so two forges share them.
    """

    def __init__(self, issuer: str = "https://login.example.com/", audience: str = "https://api.example.com") -> None:
        self.issuer = issuer
        self.audience = audience
        self._serial = count(1)

    def key(self, alg: str = "ES256", kid: str = "k1") -> ForgedKey:
        """A key that fits the algorithm."""
        return ForgedKey(alg, kid, _private_key(alg, kid))

    def access_claims(self, *, now: float = 1_767_225_600.0, **changes: object) -> dict[str, object]:
        """The claims set of an access token issued now for five minutes (RFC 9068 section 2.2)."""
        claims = {
            "iss": self.issuer,
            "sub": "user-1",
            "aud": self.audience,
            "client_id": "client-1",
            "exp": int(now) + 300,
            "iat": int(now),
            "jti": f"token-{next(self._serial)}",
            "scope": "reports:read",
        }
        return _changed(claims, changes)

    def sign(
        self,
        claims: Mapping[str, object] | bytes,
        *,
        key: ForgedKey,
        header: Mapping[str, object] | bytes | None = None,
        alg: str | None = None,
        signature: bytes | None = None,
    ) -> bytes:
        """Make a compact JWS, right or wrong.

        Args:
            claims: The claims set, or the bytes to put in its place.
            key: What to sign with.
            header: Changes to the header ``{alg, kid, typ: at+jwt}``, or the bytes to put in
                its place.
            alg: What to sign by and to say so in the header; else the algorithm of the key.
            signature: The bytes to put in place of a signature.
        """
        alg = alg or key.alg
        plain = {"alg": alg, "kid": key.kid, "typ": "at+jwt"}
        first = header if isinstance(header, bytes) else _json(_changed(plain, header or {}))
        second = claims if isinstance(claims, bytes) else _json(claims)
        signing_input = b64(first) + b"." + b64(second)
        made = sign_bytes(signing_input, key.private, alg) if signature is None else signature
        return signing_input + b"." + b64(made)


def sign_bytes(data: bytes, private: Private, alg: str) -> bytes:
    """Sign as the algorithm says (RFC 7518 section 3, RFC 8037). ``none`` is no signature."""
    match private:
        case _ if alg == "none":
            return b""
        case bytes():
            return hmac.digest(private, data, f"sha{alg[2:]}")
        case rsa.RSAPrivateKey():
            return private.sign(data, _rsa_padding(alg), _HASHES[alg[2:]])
        case ec.EllipticCurvePrivateKey():
            size = (private.key_size + 7) // 8
            r, s = decode_dss_signature(private.sign(data, ec.ECDSA(_HASHES[alg[2:]])))
            return r.to_bytes(size) + s.to_bytes(size)
        case _:
            return private.sign(data)


def _rsa_padding(alg: str) -> padding.AsymmetricPadding:
    if alg.startswith("RS"):
        return padding.PKCS1v15()
    digest = _HASHES[alg[2:]]
    return padding.PSS(padding.MGF1(digest), digest.digest_size)


@cache
def _private_key(alg: str, kid: str) -> Private:
    if alg in _CURVES:
        return ec.generate_private_key(_CURVES[alg]())
    match alg[:2]:
        case "RS" | "PS":
            return rsa.generate_private_key(public_exponent=65537, key_size=2048)
        case "HS":
            return hmac.digest(b"not a secret", f"{alg} {kid}".encode(), "sha512")
        case _:
            return ed448.Ed448PrivateKey.generate() if alg == "Ed448" else ed25519.Ed25519PrivateKey.generate()


def _json(members: Mapping[str, object]) -> bytes:
    return json.dumps(members, separators=(",", ":")).encode()


def _changed(members: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in {**members, **changes}.items() if value is not OMIT}
