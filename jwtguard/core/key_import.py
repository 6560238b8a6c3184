"""JWKs and PEMs into keys: imported one by one, bound to one algorithm, judged for strength.

A key that cannot be used costs only itself (RFC 7517, section 5). A key without ``alg`` is bound to
the one algorithm of the issuer's allow-list that fits it (R-ALG-06).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from jwtguard.core.issuer import ALGORITHMS, labels
from jwtguard.core.keys import NO_KEYS, KeySet, SkippedKey, SkipReason, VerificationKey

_CURVES = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "Ed25519": "Ed25519", "Ed448": "Ed448"}
_RSA_BITS = 2048
_RSA_EXPONENT = 3
# Compiled when a secret is first imported: PEM and SSH2 armour, an OpenSSH line, the start of a JSON object or array.
_KEY_TEXT = rb'(?m)----[ -]?BEGIN |ssh-(?:rsa|dss|ed25519) |ecdsa-sha2-|^\s*(?:ssh|ecdsa|sk)-\S+ |^\s*[\[{]\s*["{]'
# The y coordinates of the points of small order, canonical or not: with such a key a constant verifies as a signature
# (RFC 8032, sections 5.1.7 and 5.2.7; "Taming the many EdDSAs").
_P25519, _P448 = 2**255 - 19, 2**448 - 2**224 - 1
_ORDER_8 = int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little")
_SMALL_ORDER = {
    "Ed25519": frozenset({0, 1, _P25519 - 1, _P25519, _P25519 + 1, _ORDER_8, _P25519 - _ORDER_8}),
    "Ed448": frozenset({0, 1, _P448 - 1, _P448, _P448 + 1}),
}
_SIGN_BIT = {"Ed25519": 255, "Ed448": 455}
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth"})


class Published(StrEnum):
    """Where a key set was read; what a published set exposes, everybody has."""

    INLINE = "inline"
    FETCHED = "fetched"


class _Skip(Exception):  # noqa: N818 - control flow inside this file, not an error of the caller
    def __init__(self, reason: SkipReason) -> None:
        self.reason = reason


def import_key_set(
    jwks: Sequence[object], algorithms: Sequence[str], published: Published, previous: KeySet = NO_KEYS
) -> KeySet:
    """Import JWKs one by one; what cannot be used is left out and listed.

    Args:
        jwks: The members of a JWK set (RFC 7517, section 5), already decoded from strict JSON.
        algorithms: The issuer's allow-list.
        published: Whether the set was fetched or written inline. A fetched set may hold no symmetric
            and no private key (R-JWK-13): whoever read it could sign.
        previous: The set this one replaces; unchanged keys stay the same objects, so that tokens
            remembered under them stay remembered.
    """
    known = {(key.fingerprint, key.alg): key for key in previous.live}
    found: dict[tuple[str, str], VerificationKey] = {}
    weak: list[tuple[str | None, str]] = []
    skipped: list[SkippedKey] = []
    exposed: list[str | None] = []
    for jwk in jwks:
        kid = _kid_of(jwk)
        alg = ""
        try:
            members, private = _public_members(jwk, published)
            if private:
                exposed.append(kid)
            alg = _algorithm_of(members, algorithms)
            _check_strength(members, alg)
            same = (_fingerprint(members), alg)
            found[same] = found.get(same) or known.get(same) or _bind(members, alg, kid, same[0])
        except _Skip as skip:
            skipped.append(SkippedKey(kid, skip.reason))
            if skip.reason is SkipReason.PRIVATE:
                exposed.append(kid)
            if skip.reason is SkipReason.WEAK:
                weak.append((kid, alg))
    return _choices(found.values(), weak, skipped, exposed)


def _choices(
    found: Iterable[VerificationKey],
    weak: Iterable[tuple[str | None, str]],
    skipped: list[SkippedKey],
    exposed: Iterable[str | None],
) -> KeySet:
    choices: dict[tuple[str | None, str], VerificationKey | None] = {}
    by_alg: dict[str, set[VerificationKey]] = {}
    for key in found:
        by_alg.setdefault(key.alg, set()).add(key)
        if key.kid is not None and (key.kid, key.alg) in choices:
            choices[key.kid, key.alg] = None
            skipped.append(SkippedKey(key.kid, SkipReason.DUPLICATE))
        elif key.kid is not None:
            choices[key.kid, key.alg] = key
    for alg, keys in by_alg.items():
        choices[None, alg] = next(iter(keys)) if len(keys) == 1 else None
    weak = [*weak, *((None, alg) for _, alg in weak if alg not in by_alg)]
    return KeySet(choices, weak, skipped, exposed)


def _kid_of(jwk: object) -> str | None:
    kid = jwk.get("kid") if isinstance(jwk, dict) else None
    return kid if isinstance(kid, str) else None


def _public_members(jwk: object, published: Published) -> tuple[dict[str, object], bool]:
    if not isinstance(jwk, dict) or not isinstance(jwk.get("kty"), str):
        raise _Skip(SkipReason.MALFORMED)
    if not isinstance(jwk.get("kid", ""), str) or not isinstance(jwk.get("alg", ""), str):
        raise _Skip(SkipReason.MALFORMED)
    if jwk["kty"] not in ALGORITHMS.values():
        raise _Skip(SkipReason.UNSUPPORTED)
    if jwk["kty"] == "oct":
        if published is Published.FETCHED:
            raise _Skip(SkipReason.SYMMETRIC)
        return jwk, False
    private = not _PRIVATE.isdisjoint(jwk)
    if private and published is Published.FETCHED:
        raise _Skip(SkipReason.PRIVATE)
    return {name: value for name, value in jwk.items() if name not in _PRIVATE}, private


def _algorithm_of(jwk: Mapping[str, object], algorithms: Sequence[str]) -> str:
    operations = jwk.get("key_ops", ["verify"])
    if jwk.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        raise _Skip(SkipReason.NOT_FOR_SIGNATURES)
    curve = jwk.get("crv")
    if jwk["kty"] in ("EC", "OKP") and not (isinstance(curve, str) and curve in _CURVES):
        raise _Skip(SkipReason.UNSUPPORTED)
    allowed = labels(algorithms)
    fitting = {alg for alg in allowed.values() if ALGORITHMS[alg] == jwk["kty"]}
    if isinstance(curve, str) and jwk["kty"] in ("EC", "OKP"):
        fitting &= {_CURVES[curve]}
    if "alg" in jwk:
        fitting &= {allowed.get(str(jwk["alg"]), "")}
    if not fitting:
        raise _Skip(SkipReason.NOT_ALLOWED)
    if len(fitting) > 1:
        raise _Skip(SkipReason.SEVERAL_ALGORITHMS)
    return fitting.pop()


def _fingerprint(jwk: Mapping[str, object]) -> str:
    return repr(sorted((name, repr(value)) for name, value in jwk.items()))


def _check_strength(jwk: Mapping[str, object], alg: str) -> None:
    if jwk["kty"] == "RSA":
        exponent = int.from_bytes(_member(jwk, "e"))
        if int.from_bytes(_member(jwk, "n")).bit_length() < _RSA_BITS or exponent < _RSA_EXPONENT or exponent % 2 == 0:
            raise _Skip(SkipReason.WEAK)
    elif jwk["kty"] == "oct":
        secret = _member(jwk, "k")
        if len(secret) * 8 < int(alg[2:]) or re.search(_KEY_TEXT, secret) or _is_der(secret):
            raise _Skip(SkipReason.WEAK)
    elif jwk["kty"] == "OKP":
        point = _member(jwk, "x")
        if len(point) != _SIGN_BIT[alg] // 8 + 1:
            raise _Skip(SkipReason.MALFORMED)
        if int.from_bytes(point, "little") & ~(1 << _SIGN_BIT[alg]) in _SMALL_ORDER[alg]:
            raise _Skip(SkipReason.WEAK)


def _is_der(secret: bytes) -> bool:
    """Tell whether these bytes are one DER sequence, as keys and certificates are (R-ALG-05)."""
    if secret[:1] != b"\x30" or len(secret) < 2:  # noqa: PLR2004 - tag and length
        return False
    octets = secret[1] & 0x7F if secret[1] & 0x80 else 0
    length = int.from_bytes(secret[2 : 2 + octets]) if octets else secret[1]
    return length == len(secret) - 2 - octets


def _member(jwk: Mapping[str, object], name: str) -> bytes:
    from base64 import urlsafe_b64decode  # noqa: PLC0415 - only when keys are imported

    value = jwk.get(name)
    if not isinstance(value, str):
        raise _Skip(SkipReason.MALFORMED)
    try:
        return urlsafe_b64decode(value.encode("ascii") + b"=" * (-len(value) % 4))
    except ValueError:
        raise _Skip(SkipReason.MALFORMED) from None


def _bind(jwk: Mapping[str, object], alg: str, kid: str | None, fingerprint: str) -> VerificationKey:
    """Import one key with joserfc and bind it to its algorithm.

    joserfc is imported here alone: it costs 60 ms, and a guard that only meets public endpoints never
    needs it. The exceptions are those its import was seen to raise for hostile keys; ``check_key``
    matters, since its Ed25519 algorithm would accept an Ed448 key.
    """
    from joserfc.errors import JoseError  # noqa: PLC0415 - see above
    from joserfc.jwk import import_key  # noqa: PLC0415
    from joserfc.jws import JWSRegistry  # noqa: PLC0415

    algorithm = JWSRegistry.algorithms[alg]
    plain = {name: value for name, value in jwk.items() if name not in ("alg", "use", "key_ops", "kid", "x5c")}
    try:
        key = import_key(plain)  # type: ignore[arg-type]  # checked for form above, and by joserfc
        algorithm.check_key(key)
        key.get_op_key("verify")
    except (JoseError, Warning, TypeError, ValueError, KeyError, AttributeError):
        raise _Skip(SkipReason.MALFORMED) from None
    verify = algorithm.verify
    return VerificationKey(kid, alg, fingerprint, lambda message, signature: verify(message, signature, key))


def read_pem(text: str) -> dict[str, object]:
    """Turn the PEM of a public key into a JWK.

    Raises:
        ValueError: The text is not the PEM of a supported public key; a private key is refused.
    """
    from joserfc.errors import JoseError  # noqa: PLC0415 - see _bind
    from joserfc.jwk import ECKey, OKPKey, RSAKey  # noqa: PLC0415

    if "PRIVATE" in text:
        message = "a private key; give the public one"
        raise ValueError(message)
    for kind in (ECKey, OKPKey, RSAKey):
        try:
            return dict(kind.import_key(text).as_dict(private=False))
        except (JoseError, TypeError, ValueError):
            continue
    message = "not the PEM of an RSA, EC or Ed25519/Ed448 public key"
    raise ValueError(message)
