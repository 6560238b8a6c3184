"""Verification keys: each bound to one algorithm, chosen by exact match.

Keys are never tried one after another: a token selects exactly one or none (R-HDR-05, R-JWK-14).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum

from jwtguard.core.jws import JoseHeader
from jwtguard.errors import Reason, Refusal


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

    __slots__ = ("_by_choice", "_kids", "_weak", "exposed", "live", "skipped")

    def __init__(
        self,
        by_choice: Mapping[tuple[str | None, str], VerificationKey | None],
        weak: Iterable[tuple[str | None, str]],
        skipped: Iterable[SkippedKey],
        exposed: Iterable[str | None],
    ) -> None:
        self._by_choice = by_choice
        self._weak = frozenset(weak)
        self._kids = frozenset(kid for kid, _ in (*by_choice, *self._weak))
        self.live = frozenset(key for key in by_choice.values() if key is not None)
        self.skipped = tuple(skipped)
        self.exposed = tuple(exposed)

    def knows(self, kid: str | None) -> bool:
        """Tell whether any usable or weak key carries this kid; ``None`` is always known."""
        return kid is None or kid in self._kids

    def find(self, kid: str | None, alg: str) -> VerificationKey | None:
        """Return the one key that fits, or ``None`` if none or several do."""
        return self._by_choice.get((kid, alg))

    def is_weak(self, kid: str | None, alg: str) -> bool:
        """Tell whether a key that is too weak would have fitted."""
        return (kid, alg) in self._weak


def refuse_unknown_kid(header: JoseHeader, sets: Iterable[HeldKeys], monotonic: float | None) -> None:
    """Refuse a ``kid`` that no accepted issuer knows, whatever else is wrong with the token.

    Asked twice: before the payload is decoded, so that a flood of unknown keys costs a header each, and,
    so that the reason does not depend on when it was asked, of whatever fails after that.

    Args:
        header: The JOSE header; one that carries keys or key locations is judged for that first.
        sets: The keys of the accepted issuers.
        monotonic: The time, to let pass what an issuer is worth asking about; ``None``: nobody is.

    Raises:
        Refusal: ``NO_KEY``.
    """
    if header.kid is None or header.carries_key or header.urls:
        return
    for held in sets:
        asked = monotonic is not None and (monotonic >= held.usable_until or monotonic >= held.unknown_from)
        if asked or held.key_set.knows(header.kid):
            return
    raise Refusal(Reason.NO_KEY, "kid", "a key of an accepted issuer", header.kid)


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
    raise Refusal(Reason.NO_KEY, "kid", key_set.live, header.kid)


NO_KEYS = KeySet({}, (), (), ())


class HeldKeys:
    """The key set in force for one issuer, and how long it may be used without asking again.

    The key source changes it in place; everybody else reads. Times are monotonic.

    Attributes:
        key_set: The keys.
        usable_until: Once this is past, ask the source: it refreshes, or lets a stale set serve a little
            longer, or says that there are no keys.
        unknown_from: From here on a ``kid`` that is not in the set is worth asking the source about.
    """

    __slots__ = ("key_set", "unknown_from", "usable_until")

    def __init__(self, key_set: KeySet, usable_until: float, unknown_from: float = float("inf")) -> None:
        self.key_set = key_set
        self.usable_until = usable_until
        self.unknown_from = unknown_from

    def answers(self, kid: str | None, monotonic: float) -> bool:
        """Tell whether this set is all there is to say about a ``kid`` at this time."""
        if monotonic >= self.usable_until:
            return False
        return monotonic < self.unknown_from or self.key_set.knows(kid)
