"""Remembered tokens: a verified token seen again costs a hash and a probe.

The memory maps the SHA-256 of the whole token to its validated claims set. A hit counts only if the
profile it was verified under is accepted here, its key is live now, and its time claims hold now.
The core only reads; the guard stores and evicts.
"""

from __future__ import annotations

from collections.abc import Mapping

from jwtguard.core.claims import ClaimsSet
from jwtguard.core.keys import HeldKeys
from jwtguard.core.policy import EndpointPolicy
from jwtguard.core.request import Token


def recall(  # noqa: PLR0913 - what a hit is judged by
    memory: Mapping[bytes, ClaimsSet], token: Token, policy: EndpointPolicy, held: Mapping[str, HeldKeys],
    *, now: float, monotonic: float,
) -> ClaimsSet | None:  # fmt: skip
    """Return what was verified before, if all of it still holds here and now.

    Args:
        memory: Digest of the token to its claims set.
        token: The credential of this request.
        policy: The endpoint's policy.
        held: The keys in force, by issuer name.
        now: Current time as a NumericDate.
        monotonic: The clock of key life, in seconds.
    """
    known = memory.get(token.digest())
    if known is None or known.profile not in policy.profiles or not known.good_from <= now < known.good_until:
        return None
    keys = held[known.profile.issuer.name]
    # In this order: the source changes the set before its life, so an expired set never gets the life of the next.
    if monotonic >= keys.usable_until or known.key not in keys.key_set.live:
        return None
    return known
