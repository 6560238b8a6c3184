"""Remembered tokens: a verified token seen again costs a hash and a probe.

The memory maps the SHA-256 of the whole token to its validated claims set. A hit counts only if the
profile it was verified under is accepted here, its key is live now, and its time claims hold now.
The core only reads; the guard stores and evicts.
"""

from __future__ import annotations

from collections.abc import Mapping

from jwtguard.core.asked import Asked
from jwtguard.core.claims import ClaimsSet
from jwtguard.core.keys import HeldKeys


def recall(memory: Mapping[bytes, ClaimsSet], held: Mapping[str, HeldKeys], asked: Asked) -> ClaimsSet | None:
    """Return what was verified before, if all of it still holds here and now.

    Args:
        memory: Digest of the token to its claims set.
        held: The keys in force, by issuer name.
        asked: The token, the endpoint's policy, and the time.
    """
    known = memory.get(asked.token.digest())
    if known is None or known.profile not in asked.policy.profiles:
        return None
    if not known.good_from <= asked.now < known.good_until:
        return None
    keys = held[known.profile.issuer.name]
    # In this order: the source changes the set before its life, so an expired set never gets the life of the next.
    if asked.monotonic >= keys.usable_until or known.key not in keys.key_set.live:
        return None
    return known
