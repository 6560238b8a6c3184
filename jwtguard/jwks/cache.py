"""How long keys live: the life of one issuer's key set.

The rules, by the monotonic clock:

- a set is refreshed ahead at 80 % of its life (with jitter), and meanwhile nobody waits;
- an attempt, not its success, starts the pause before the next one;
- a failed, empty or unusable refresh never replaces good keys: they serve on, up to a hard end;
- only an unknown ``kid`` may force a refresh, once per cool-down, with ``no-cache``, and waits a
  bounded time among a bounded number of waiters; a bad signature never fetches;
- a set past its life that nobody has tried to refresh since is not trusted before an attempt: an
  idle process must not accept a key withdrawn hours ago.
"""

from __future__ import annotations

import random
import threading

from cachetools import TTLCache

from jwtguard.clock import Clock
from jwtguard.core import events
from jwtguard.core.issuer import Issuer
from jwtguard.core.key_import import Published, import_key_set
from jwtguard.core.keys import NO_KEYS, HeldKeys, KeySet
from jwtguard.core.limits import Limits
from jwtguard.drive import PENDING, Pending
from jwtguard.jwks.flight import Flight
from jwtguard.jwks.ring import Emit, report_keys
from jwtguard.jwks.source import KeySetSource, SourceFailed
from jwtguard.portal import in_every_child

_NEVER = float("inf")
_DOUBLINGS = 16


class IssuerKeys:
    """The key set of one issuer, fetched, kept, refreshed and let go."""

    def __init__(self, issuer: Issuer, source: KeySetSource, limits: Limits, clock: Clock, emit: Emit) -> None:
        self._issuer = issuer
        self._source = source
        self._limits = limits
        self._clock = clock
        self._emit = emit
        self._lock = threading.Lock()
        self._flight: Flight | None = None
        self._failures = 0
        self._last_attempt = -_NEVER
        self._fetched_at = -_NEVER
        self._life_s = limits.keys_ttl_s
        self._hard_end = -_NEVER
        self._negative: TTLCache[str, bool] = TTLCache(
            limits.kid_negative, limits.kid_cooldown_s, timer=clock.monotonic
        )
        self.refresh_at = -_NEVER
        self.held = HeldKeys(NO_KEYS, -_NEVER, -_NEVER)
        in_every_child(self._forked)

    def local(self, kid: str | None) -> KeySet | Pending | None:
        """Answer from memory, or say that it is worth asking the issuer."""
        now, held = self.refresh_if_due(), self.held
        if now >= held.usable_until:
            return PENDING if self._may_try(now) or now < self._hard_end else None
        if held.key_set.knows(kid):
            return held.key_set
        return PENDING if self._worth_asking(kid or "", now) else held.key_set

    def refresh_if_due(self) -> float:
        """Start a refresh if it is time, without waiting for it; return the time."""
        now = self._clock.monotonic()
        if now >= self.refresh_at:
            self._begin(now)
        return now

    def known(self) -> KeySet | None:
        """Answer from memory alone: the set if it may be used without asking."""
        return self.held.key_set if self.refresh_if_due() < self.held.usable_until else None

    async def ask(self, kid: str | None) -> KeySet | None:
        """Join or start the flight, wait a bounded time, and answer with what is known then."""
        now = self._clock.monotonic()
        fresh = now < self.held.usable_until
        flight = self._begin(now, fresh=fresh)
        if flight is not None:
            await flight.wait(self._limits.kid_wait_s)
        if kid is not None and flight is not None and flight.landed:
            with self._lock:
                if flight.fresh and self._fetched_at >= flight.started and not self.held.key_set.knows(kid):
                    self._negative[kid] = True
        now = self._clock.monotonic()
        if self.held.usable_until <= now < self._hard_end:
            self._let_serve(now)
        return self.held.key_set if now < self.held.usable_until else None

    async def refresh(self) -> bool:
        """Refresh now, for start-up and the background; return whether keys are in force afterwards."""
        flight = self._begin(self._clock.monotonic(), forced=True)
        if flight is not None:
            await flight.wait(2 * self._limits.fetch_total_s + 1)
        return self._clock.monotonic() < self.held.usable_until

    def _may_try(self, now: float) -> bool:
        """Whether a request without usable keys may cause or join an attempt."""
        flight = self._flight
        if flight is not None:
            return flight.waiting < self._limits.cold_waiters
        return now - self._last_attempt >= self._pause_s(now)

    def _worth_asking(self, kid: str, now: float) -> bool:
        """Whether an unknown kid may cause or join a refresh."""
        flight = self._flight
        if flight is not None and now - flight.started < self._limits.kid_wait_s:
            return flight.waiting < self._limits.kid_waiters
        with self._lock:
            refused_before = kid in self._negative
        return not refused_before and flight is None and now - self._last_attempt >= self._limits.kid_cooldown_s

    def _pause_s(self, now: float) -> float:
        if now >= self._hard_end:
            return self._limits.keys_cold_retry_s
        doubled: float = self._limits.kid_cooldown_s * 2.0 ** min(max(0, self._failures - 1), _DOUBLINGS)
        return min(doubled, self._limits.keys_retry_max_s)

    def _begin(self, now: float, *, fresh: bool = False, forced: bool = False) -> Flight | None:
        """Return the flight in the air, or start one if the pause since the last attempt is over."""
        with self._lock:
            flight = self._flight
            lost_after = 2 * self._limits.fetch_total_s + 10
            if flight is not None and not flight.landed and now - flight.started < lost_after:
                return flight
            pause = self._limits.kid_cooldown_s if fresh else self._pause_s(now)
            if not forced and now - self._last_attempt < pause:
                return None
            self._last_attempt = now
            self.refresh_at = now + lost_after
            self._flight = flight = Flight(now, fresh=fresh)
            self.held.unknown_from = -_NEVER  # while it is in the air, it may be joined
        try:
            flight.start(lambda: self._fetch(flight, fresh=fresh), f"jwtguard-keys-{self._issuer.name}")
        except RuntimeError:  # the system gives no thread
            self._ended(flight, "no_thread")
            return None
        return flight

    def _forked(self) -> None:
        """Let go of what belongs to threads of the parent, which this process does not have."""
        self._lock = threading.Lock()
        if self._flight is not None:
            self._flight = None
            self._last_attempt = self.refresh_at = -_NEVER  # its attempt is not ours: ours is due
            self.held.unknown_from = -_NEVER

    async def _fetch(self, flight: Flight, *, fresh: bool) -> None:
        failure = "internal_error"
        try:
            jwks, max_age_s = await self._source.read(fresh=fresh)
            key_set = import_key_set(jwks, self._issuer.algorithms, Published.FETCHED, self.held.key_set)
            failure = "" if key_set.live else "no_usable_key"
            if key_set.live:
                self._install(key_set, max_age_s)
            report_keys(self._issuer.name, key_set, self._emit)
        except SourceFailed as failed:
            failure = failed.reason
        finally:
            self._ended(flight, failure)

    def _ended(self, flight: Flight, failure: str) -> None:
        if failure:
            self._fail(failure)
        with self._lock:
            if self._flight is flight:
                self._flight = None
                self.held.unknown_from = self._last_attempt + self._limits.kid_cooldown_s

    def _install(self, key_set: KeySet, max_age_s: float | None) -> None:
        limits, now = self._limits, self._clock.monotonic()
        wanted = limits.keys_ttl_s if max_age_s is None else max_age_s
        life = min(max(wanted, limits.keys_ttl_min_s), limits.keys_ttl_max_s)
        jitter = 1 + limits.keys_jitter * random.uniform(-1, 1)  # noqa: S311 - spreads load, hides nothing
        with self._lock:
            self._failures = 0
            self._fetched_at = now
            self._life_s = life
            self._hard_end = now + life + limits.keys_stale_s
            self._negative.clear()
            self.refresh_at = now + life * limits.keys_refresh_at * jitter
            self.held.key_set = key_set
            self.held.usable_until = now + life
        self._emit(events.KeysRefreshed(self._issuer.name, len(key_set.live)))

    def _fail(self, reason: str) -> None:
        now = self._clock.monotonic()
        with self._lock:
            self._failures += 1
            pause = self._pause_s(now)
            self.refresh_at = self._last_attempt + pause
            stale = now >= self._fetched_at + self._life_s
        self._emit(events.RefreshFailed(self._issuer.name, reason))
        if now < self._hard_end:
            self._let_serve(now)
            if stale:
                self._emit(events.KeysStale(self._issuer.name, now - self._fetched_at))

    def _let_serve(self, now: float) -> None:
        """After an attempt that brought nothing, let the last good set serve past the next attempt."""
        grace = self._pause_s(now) + 2 * self._limits.fetch_total_s
        with self._lock:
            self.held.usable_until = max(self.held.usable_until, min(self._hard_end, now + grace))
