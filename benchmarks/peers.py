"""What people verify tokens with instead, each set up as its documentation shows, its key prepared.

Every peer checks signature, issuer, audience and expiry; ``prove`` sees to it that none is timed for work
it does not do. None of them looks at ``typ``, routes, or knows classes.
"""

from __future__ import annotations

import base64
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import jwt
from joserfc import jwt as joserfc_jwt
from joserfc.errors import JoseError
from joserfc.jwk import import_key

from benchmarks.tokens import AUDIENCE, ISSUER, LIFE_S, SigningKey

_REQUIRED = ("iss", "sub", "aud", "exp", "iat")


@dataclass(frozen=True, slots=True)
class Peer:
    """One library: how it decodes a token, and what it raises for one it refuses."""

    name: str
    decode: Callable[[str], Mapping[str, Any]]
    refusal: type[Exception]


def pyjwt(jwk: Mapping[str, Any]) -> Peer:
    """PyJWT with a prepared key."""
    key, algorithms, options = jwt.PyJWK(dict(jwk)).key, [jwk["alg"]], {"require": list(_REQUIRED)}

    def decode(token: str) -> Mapping[str, Any]:
        return jwt.decode(token, key, algorithms=algorithms, audience=AUDIENCE, issuer=ISSUER, options=options)  # type: ignore[arg-type]  # PyJWT's TypedDict of options

    return Peer("PyJWT", decode, jwt.InvalidTokenError)


def joserfc(jwk: Mapping[str, Any]) -> Peer:
    """joserfc: decode, then validate through its claims registry."""
    key, algorithms = import_key(dict(jwk)), [jwk["alg"]]
    registry = joserfc_jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": ISSUER},
        aud={"essential": True, "value": AUDIENCE},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
    )

    def decode(token: str) -> Mapping[str, Any]:
        claims = joserfc_jwt.decode(token, key, algorithms=algorithms).claims
        registry.validate(claims)
        return claims

    return Peer("joserfc", decode, JoseError)


def oxyjwt(jwk: Mapping[str, Any]) -> Peer:
    """oxyjwt: Rust, on AWS-LC and orjson."""
    module = importlib.import_module("oxyjwt")
    key, algorithms, decode_token = module.DecodingKey.from_jwk(dict(jwk)), [jwk["alg"]], module.decode

    def decode(token: str) -> Mapping[str, Any]:
        claims: Mapping[str, Any] = decode_token(token, key, algorithms=algorithms, audience=AUDIENCE, issuer=ISSUER)
        return claims

    return Peer("oxyjwt", decode, module.InvalidTokenError)


def ryjwt(jwk: Mapping[str, Any]) -> Peer:
    """ryjwt: Rust, on AWS-LC; for Python 3.12 and later."""
    module = importlib.import_module("ryjwt")
    key = module.PublicKey.from_jwks({"keys": [dict(jwk)]}, algorithms=[jwk["alg"]], audience=AUDIENCE, issuer=ISSUER)
    return Peer("ryjwt", key.decode, module.InvalidTokenError)


def installed(jwk: Mapping[str, Any]) -> list[Peer]:
    """Return every peer that is installed here; the Rust-backed ones are not to be had everywhere."""
    peers = [pyjwt(jwk), joserfc(jwk)]
    return peers + [peer(jwk) for peer in (oxyjwt, ryjwt) if find_spec(peer.__name__)]


def prove(peer: Peer, key: SigningKey) -> None:
    """See that a peer accepts a good token, and refuses a forged, an expired and two misdirected ones."""
    claims = key.claims(0)
    good = key.sign(claims)
    message, _, signature = good.rpartition(b".")
    forged = bytearray(base64.urlsafe_b64decode(signature + b"=="))
    forged[20] ^= 1
    past = {"iat": int(str(claims["iat"])) - 2 * LIFE_S, "exp": int(str(claims["exp"])) - 2 * LIFE_S}
    assert peer.decode(good.decode())["sub"] == claims["sub"], peer.name
    for bad in (
        message + b"." + base64.urlsafe_b64encode(forged).rstrip(b"="),
        key.sign({**claims, **past}),
        key.sign({**claims, "iss": "https://other.example.com/"}),
        key.sign({**claims, "aud": "https://other.example.com"}),
    ):
        try:
            peer.decode(bad.decode())
        except peer.refusal:
            continue
        message_text = f"{peer.name} accepted what it should refuse: the comparison would not be of the same work"
        raise AssertionError(message_text)
