"""Verification keys: imported one by one, bound to one algorithm, chosen by exact match.

A key that cannot be used costs only itself (RFC 7517, section 5). A key without ``alg`` is bound to
the one algorithm of the issuer's allow-list that fits it (R-ALG-06). Keys are never tried one after
another: a token selects exactly one or none (R-HDR-05, R-JWK-14).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum

from jwtguard.core.issuer import ALGORITHMS, labels
from jwtguard.core.jws import JoseHeader
from jwtguard.errors import Reason, Refusal

_CURVES = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "Ed25519": "Ed25519", "Ed448": "Ed448"}
_RSA_BITS = 2048
_RSA_EXPONENT = 3
_KEY_TEXT = re.compile(rb"-----BEGIN |^(ssh|ecdsa)-|^\s*\{\s*\"", re.MULTILINE)
# Encodings of the Ed25519 points of small order, sign bit cleared: with such a key a constant verifies
# as a signature (RFC 8032, section 5.1.7; the seven are listed in "Taming the many EdDSAs").
_SMALL_ORDER = frozenset(
    bytes.fromhex(point)
    for point in (
        "00" * 32,
        "01" + "00" * 31,
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ec" + "ff" * 30 + "7f",
        "ed" + "ff" * 30 + "7f",
        "ee" + "ff" * 30 + "7f",
    )
)


class Published(StrEnum):
    """Where a key set was read; what a published set exposes, everybody has."""

    INLINE = "inline"
    FETCHED = "fetched"


class SkipReason(StrEnum):
    """Why one key of a set is not used. Closed, so that events can be counted."""

    MALFORMED = "malformed"
    UNSUPPORTED = "unsupported"
    NOT_FOR_SIGNATURES = "not_for_signatures"
    NOT_ALLOWED = "algorithm_not_allowed"
    SEVERAL_ALGORITHMS = "several_algorithms_fit"
    WEAK = "weak"
    SYMMETRIC = "symmetric_in_published_set"
    PRIVATE = "private_members_in_published_set"
    DUPLICATE = "same_kid_and_algorithm"


class _Skip(Exception):  # noqa: N818 - control flow inside this file, not an error of the caller
    def __init__(self, reason: SkipReason) -> None:
        self.reason = reason


class VerificationKey:
    """One public key (or shared secret) bound to one algorithm."""

    __slots__ = ("alg", "fingerprint", "kid", "verify")

    def __init__(self, kid: str | None, alg: str, fingerprint: str, verify: Callable[[bytes, bytes], bool]) -> None:
        self.kid = kid
        self.alg = alg
        self.fingerprint = fingerprint
        self.verify = verify

    def __repr__(self) -> str:
        """Show algorithm and kid, no key material."""
        return f"<VerificationKey {self.alg} {str(self.kid)[:64]!r}>"


class SkippedKey:
    """A key of the set that is not used, and why."""

    __slots__ = ("kid", "reason")

    def __init__(self, kid: str | None, reason: SkipReason) -> None:
        self.kid = kid
        self.reason = reason


class KeySet:
    """The usable keys of one issuer at one moment; replaced whole, never changed.

    Attributes:
        live: Every usable key; a remembered token counts only while its key is in here.
        skipped: The keys left out.
        exposed: Kids of keys that came with private members.
    """

    __slots__ = ("_by_choice", "_weak", "exposed", "live", "skipped")

    def __init__(
        self,
        by_choice: Mapping[tuple[str | None, str], VerificationKey | None],
        weak: Iterable[tuple[str | None, str]],
        skipped: Iterable[SkippedKey],
        exposed: Iterable[str | None],
    ) -> None:
        self._by_choice = by_choice
        self._weak = frozenset(weak)
        self.live = frozenset(key for key in by_choice.values() if key is not None)
        self.skipped = tuple(skipped)
        self.exposed = tuple(exposed)

    def knows(self, kid: str | None) -> bool:
        """Tell whether any usable or weak key carries this kid; ``None`` is always known."""
        return kid is None or any(known == kid for known, _ in (*self._by_choice, *self._weak))

    def find(self, kid: str | None, alg: str) -> VerificationKey | None:
        """Return the one key that fits, or ``None`` if none or several do."""
        return self._by_choice.get((kid, alg))

    def is_weak(self, kid: str | None, alg: str) -> bool:
        """Tell whether a key that is too weak would have fitted."""
        return (kid, alg) in self._weak


def select_key(key_set: KeySet | None, header: JoseHeader, alg: str) -> VerificationKey:
    """Choose the one key for a token.

    Args:
        key_set: The issuer's keys; ``None`` if there are none to be had right now.
        header: The JOSE header; its ``kid``, if any, must match exactly.
        alg: The algorithm its ``alg`` means under the issuer's allow-list.

    Raises:
        Refusal: ``NO_KEY`` if none or several fit, ``WEAK_KEY`` if the only one is too weak,
            ``KEYS_UNAVAILABLE`` without a key set: then nobody can tell.
    """
    if key_set is None:
        raise Refusal(Reason.KEYS_UNAVAILABLE, "keys", "a key set of the issuer", None)
    key = key_set.find(header.kid, alg)
    if key is not None:
        return key
    if key_set.is_weak(header.kid, alg):
        raise Refusal(Reason.WEAK_KEY, "key strength", "2048-bit RSA, a secret as long as the hash", header.kid)
    known = sorted(str(key.kid) for key in key_set.live if key.alg == alg)
    raise Refusal(Reason.NO_KEY, "kid", known, header.kid)


NO_KEYS = KeySet({}, (), (), ())


class HeldKeys:
    """The key set in force for one issuer, and how long it may be used without asking again.

    The key source changes it in place; everybody else reads. ``usable_until`` is monotonic time; once it
    is past, ask the source, which refreshes, or lets a stale set serve a little longer, or says that there
    are no keys.
    """

    __slots__ = ("key_set", "usable_until")

    def __init__(self, key_set: KeySet, usable_until: float) -> None:
        self.key_set = key_set
        self.usable_until = usable_until


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
    found: list[VerificationKey] = []
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
            fingerprint = _fingerprint(members)
            _check_strength(members, alg)
            found.append(known.get((fingerprint, alg)) or _bind(members, alg, kid, fingerprint))
        except _Skip as skip:
            skipped.append(SkippedKey(kid, skip.reason))
            if skip.reason is SkipReason.PRIVATE:
                exposed.append(kid)
            if skip.reason is SkipReason.WEAK:
                weak.append((kid, alg))
    return _choices(found, weak, skipped, exposed)


def _choices(
    found: Iterable[VerificationKey],
    weak: Iterable[tuple[str | None, str]],
    skipped: list[SkippedKey],
    exposed: Iterable[str | None],
) -> KeySet:
    choices: dict[tuple[str | None, str], VerificationKey | None] = {}
    by_alg: dict[str, set[VerificationKey]] = {}
    for key in dict.fromkeys(found):
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
    private = "d" in jwk
    if private and published is Published.FETCHED:
        raise _Skip(SkipReason.PRIVATE)
    secret = {"d", "p", "q", "dp", "dq", "qi", "oth"}
    return {name: value for name, value in jwk.items() if name not in secret}, private


def _algorithm_of(jwk: Mapping[str, object], algorithms: Sequence[str]) -> str:
    operations = jwk.get("key_ops", ["verify"])
    if jwk.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        raise _Skip(SkipReason.NOT_FOR_SIGNATURES)
    curve = jwk.get("crv")
    if jwk["kty"] in ("EC", "OKP") and curve not in _CURVES:
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
        if len(secret) * 8 < int(alg[2:]) or _KEY_TEXT.search(secret):
            raise _Skip(SkipReason.WEAK)
    elif jwk.get("crv") == "Ed25519":
        point = _member(jwk, "x")
        if point[:-1] + bytes([point[-1] & 0x7F] if point else []) in _SMALL_ORDER:
            raise _Skip(SkipReason.WEAK)


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
    except (JoseError, TypeError, ValueError, KeyError, AttributeError):
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
