"""Nonces that were used: an ID token proves one login, once (R-CLS-11).

The memory is this process's own. With several processes, one nonce could be used once in each; what stops that is the
application, which keeps the nonce in the user's session and takes it out at the callback.
"""

from __future__ import annotations

import threading
from hashlib import sha256

from cachetools import TLRUCache

from jwtguard.clock import Clock
from jwtguard.errors import Reason, Refusal

_KEPT = 100_000


def _deadline(_: bytes, deadline: float, __: float) -> float:
    return deadline


class UsedNonces:
    """Remembers which nonces were used, each for as long as a token with it could still be valid.

    Args:
        clock: Where the time comes from; monotonic, so that a corrected wall clock forgets nothing.
        kept: How many are remembered at most. Only a validated ID token adds one. When it is full of live ones, logins
            are refused for a while (``STORE_UNAVAILABLE``): nothing is forgotten to make room.
    """

    def __init__(self, clock: Clock, *, kept: int = _KEPT) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._used: TLRUCache[bytes, float] = TLRUCache(kept, _deadline, timer=clock.monotonic)

    def __len__(self) -> int:
        """Count what is remembered."""
        with self._lock:
            return len(self._used)

    def renew_lock(self) -> None:
        """Forget who holds the lock: in a forked child, nobody does."""
        self._lock = threading.Lock()

    def use(self, issuer: str, nonce: str | bytes, *, for_s: float) -> None:
        """Mark a nonce of an issuer as used; of several attempts at one time, one succeeds.

        Call this last, when everything else about the token has been accepted.

        Args:
            issuer: The issuer that signed it.
            nonce: The nonce; for a login without one, the digest of the ID token itself.
            for_s: How long a token with it may still be accepted, in seconds.

        Raises:
            Refusal: ``REPLAYED`` if it was used before, ``STORE_UNAVAILABLE`` if no more can be remembered.
        """
        text = nonce.encode("utf-8", "surrogatepass") if isinstance(nonce, str) else nonce
        key = sha256(sha256(issuer.encode("utf-8", "surrogatepass")).digest() + text).digest()
        with self._lock:
            if key in self._used:
                raise Refusal(Reason.REPLAYED, "nonce", "not used before", "used")
            if len(self._used) >= self._used.maxsize:  # counts what is not yet over
                raise Refusal(Reason.STORE_UNAVAILABLE, "nonce", "room to remember it", len(self._used))
            self._used[key] = self._clock.monotonic() + for_s
