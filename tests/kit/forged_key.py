"""Keys of the tests, and how they look as JWKs."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TypeAlias

from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

Private: TypeAlias = (
    rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey | bytes
)


@dataclass(frozen=True, slots=True)
class ForgedKey:
    """A private or symmetric key, what it signs by and what it is called."""

    alg: str
    kid: str
    private: Private = field(repr=False)

    def public_jwk(self, **changes: object) -> dict[str, object]:
        """The JWK to publish, with members of your own. A symmetric key has none."""
        return {**_public_members(self.private), "kid": self.kid, "use": "sig", "alg": self.alg, **changes}

    def private_jwk(self, **changes: object) -> dict[str, object]:
        """The JWK that nobody may publish."""
        if isinstance(self.private, bytes):
            names: dict[str, object] = {"kid": self.kid, "use": "sig", "alg": self.alg}
            return {"kty": "oct", "k": b64(self.private).decode(), **names, **changes}
        return {**self.public_jwk(), **_private_members(self.private), **changes}


def b64(data: bytes) -> bytes:
    """Encode as base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _public_members(private: Private) -> dict[str, object]:
    match private:
        case bytes():
            msg = "a symmetric key has no public JWK"
            raise TypeError(msg)
        case rsa.RSAPrivateKey():
            public = private.public_key().public_numbers()
            return {"kty": "RSA", "n": _number(public.n), "e": _number(public.e)}
        case ec.EllipticCurvePrivateKey():
            point = private.public_key().public_numbers()
            size = (private.key_size + 7) // 8
            names = {"kty": "EC", "crv": f"P-{private.key_size}"}
            return {**names, "x": _number(point.x, size), "y": _number(point.y, size)}
        case _:
            crv = "Ed448" if isinstance(private, ed448.Ed448PrivateKey) else "Ed25519"
            return {"kty": "OKP", "crv": crv, "x": b64(private.public_key().public_bytes_raw()).decode()}


def _private_members(
    private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey,
) -> dict[str, object]:
    match private:
        case rsa.RSAPrivateKey():
            secret = private.private_numbers()
            values = {"d": secret.d, "p": secret.p, "q": secret.q}
            derived = {"dp": secret.dmp1, "dq": secret.dmq1, "qi": secret.iqmp}
            return {name: _number(value) for name, value in {**values, **derived}.items()}
        case ec.EllipticCurvePrivateKey():
            return {"d": _number(private.private_numbers().private_value, (private.key_size + 7) // 8)}
        case _:
            return {"d": b64(private.private_bytes_raw()).decode()}


def _number(value: int, size: int | None = None) -> str:
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8)).decode()
