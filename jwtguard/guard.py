"""The guard: one handle on a policy, its keys and what it remembers.

Everything a decision reads hangs on one attribute, ``snapshot``, which ``reload`` swaps in one
assignment: a request sees the old policy or the new one, never a mixture (F69).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from jwtguard.clock import Clock, SystemClock
from jwtguard.core import events
from jwtguard.core.claims import Commons
from jwtguard.core.decision import Allowed, Context, Decision, Refused, Remember, Unknown
from jwtguard.core.identity import Identity
from jwtguard.core.jws import JoseHeader
from jwtguard.core.limits import Limits
from jwtguard.core.pipeline import decide, decide_token, verification
from jwtguard.core.policy import Config, EndpointPolicy, Mode, Startup
from jwtguard.core.request import RequestHead, Token
from jwtguard.core.table import PolicyTable
from jwtguard.drive import drive, drive_sync
from jwtguard.errors import ConfigurationError, Unavailable
from jwtguard.jwks.ring import KeyRing

if TYPE_CHECKING:
    from pathlib import Path

_BACKGROUND_S = 1.0
_ENTRY_BYTES = 512
_COMMONS = 4096


class Snapshot:
    """One policy table with its key ring and its memory. Replaced whole by a reload."""

    __slots__ = ("_bytes", "_commons", "_limits", "_lock", "acceptances", "context", "ring", "table")

    def __init__(self, table: PolicyTable, ring: KeyRing) -> None:
        self.table = table
        self.ring = ring
        self.context = Context(table, ring.held)
        self.acceptances: dict[tuple[str, ...], EndpointPolicy] = {}
        self._limits: Limits = table.limits
        self._lock = threading.Lock()
        self._commons = Commons()
        self._bytes = 0

    def store(self, remember: Remember) -> None:
        """Remember a verified token and its header, dropping the oldest beyond the bounds."""
        memory, claims_set = self.context.memory, remember.claims_set
        digest, claims_set.size = remember.token.digest(), len(remember.token) + _ENTRY_BYTES
        with self._lock:
            if len(self._commons) > _COMMONS:
                self._commons = Commons()
            claims_set.share(self._commons)
            self._bytes += claims_set.size
            if (former := memory.get(digest)) is not None:
                self._bytes -= former.size
            memory[digest] = claims_set
            while len(memory) > self._limits.remembered_tokens or self._bytes > self._limits.remembered_bytes:
                self._bytes -= memory.pop(next(iter(memory))).size
            if remember.header.segment not in self.context.headers:
                self._store_header(remember.header)

    def _store_header(self, header: JoseHeader) -> None:
        headers = self.context.headers
        headers[header.segment] = header
        if len(headers) > self._limits.remembered_headers:
            del headers[next(iter(headers))]


class Guard:
    """Decides requests and verifies tokens under one policy.

    Args:
        config: Issuers, endpoints, classes, limits.
        on_event: Called with every typed event (``jwtguard.core.events``), possibly from another
            thread; what it raises is counted in ``sink_failures`` and otherwise ignored.
        clock: Where the time comes from; tests give their own.

    Raises:
        ConfigurationError: The policy cannot be built or proven, or, in production, the lint found
            errors nobody overrode.
    """

    def __init__(
        self, config: Config, *, on_event: Callable[[events.Event], None] | None = None, clock: Clock | None = None
    ) -> None:
        self._clock: Clock = clock or SystemClock()
        self._on_event = on_event
        self._file: Path | None = None
        self._next_look = -float("inf")
        self.sink_failures = 0
        self.snapshot = self._build(config, None)

    @classmethod
    def from_file(
        cls, path: str | Path, *, on_event: Callable[[events.Event], None] | None = None, clock: Clock | None = None
    ) -> Guard:
        """Build a guard from a ``jwtguard.toml``; ``reload()`` reads the file again.

        Raises:
            ConfigurationError: The file cannot be read, parsed, built or proven.
        """
        from pathlib import Path  # noqa: PLC0415 - a policy of Python objects reads no file

        from jwtguard.config import load, mistakes_in  # noqa: PLC0415

        file = Path(path)
        with mistakes_in(str(file)):
            guard = cls(load(file), on_event=on_event, clock=clock)
        guard._file = file
        return guard

    @property
    def table(self) -> PolicyTable:
        """The policy in force."""
        return self.snapshot.table

    def reload(self, config: Config | None = None) -> None:
        """Replace the policy, all at once; a failing reload keeps the old one.

        Args:
            config: The new policy; default: the file this guard was made from, read again.

        Raises:
            ConfigurationError: The new policy cannot be built or proven; the old one stays in force.
        """
        if config is not None:
            self.snapshot = self._build(config, self.snapshot)
        elif self._file is not None:
            from jwtguard.config import load, mistakes_in  # noqa: PLC0415 - see from_file

            with mistakes_in(str(self._file)):
                self.snapshot = self._build(load(self._file), self.snapshot)
        else:
            message = "this guard was not made from a file; give reload() the new configuration"
            raise ConfigurationError(message)

    def decide_locally(self, head: RequestHead) -> Decision | tuple[Snapshot, Unknown]:
        """Decide a request without leaving the process, or return what ``verify_unknown`` needs."""
        snapshot, monotonic = self.snapshot, self._look()
        decision = decide(snapshot.context, head, now=self._clock.now(), monotonic=monotonic)
        if type(decision) is Unknown:
            return snapshot, decision
        if decision.remember is None and self._on_event is None:  # type: ignore[union-attr]  # not Unknown
            return decision  # type: ignore[return-value]
        return self._concluded(snapshot, decision)  # type: ignore[arg-type]

    async def verify_unknown(self, snapshot: Snapshot, unknown: Unknown) -> Decision:
        """Go on with a token whose issuer must be asked for keys."""
        steps = verification(snapshot.context, unknown, self._clock.now())
        return self._concluded(snapshot, await drive(steps, snapshot.ring))

    def verify(self, token: str | bytes, *, accept: str | Sequence[str], now: float | None = None) -> Identity:
        """Verify one token without a request: for login callbacks, message queues, tests.

        Nothing is fetched: the keys are those held now. Use ``verify_async`` where they may have to be
        fetched.

        Args:
            token: The compact JWS.
            accept: The token class, or classes, it may be. There is no "any valid JWT" (R-CLS-01).
            now: The time to judge by, as a NumericDate; default: the clock's.

        Raises:
            Refusal: The token is not acceptable, or the issuer's keys are not known.
            ConfigurationError: No issuer signs such a class.
        """
        snapshot, unknown = self._from_token(Token(_to_bytes(token)), accept, now)
        del token  # so that no traceback's locals show it
        if isinstance(unknown, Unknown):
            steps = verification(snapshot.context, unknown, self._clock.now() if now is None else now)
            return _identity(self._concluded(snapshot, drive_sync(steps, snapshot.ring)))
        return _identity(self._concluded(snapshot, unknown))

    async def verify_async(
        self, token: str | bytes, *, accept: str | Sequence[str], now: float | None = None
    ) -> Identity:
        """Verify one token as ``verify`` does, fetching the issuer's keys where needed."""
        snapshot, unknown = self._from_token(Token(_to_bytes(token)), accept, now)
        del token
        if isinstance(unknown, Unknown):
            steps = verification(snapshot.context, unknown, self._clock.now() if now is None else now)
            return _identity(self._concluded(snapshot, await drive(steps, snapshot.ring)))
        return _identity(self._concluded(snapshot, unknown))

    async def start(self) -> None:
        """Fetch all key sets, as ``startup = "eager"`` asks; the lifespan calls this.

        Raises:
            Unavailable: An issuer gave no keys, and the policy is eager.
        """
        if self.table.config.startup is Startup.LAZY:
            self.snapshot.ring.refresh_due()
            return
        if missing := await self.snapshot.ring.start():
            message = f"no keys from issuer {', '.join(missing)}; startup is eager"
            raise Unavailable(message)

    async def refresh_forever(self) -> None:
        """Keep key sets fresh ahead of need, until cancelled; the lifespan runs this."""
        import anyio  # noqa: PLC0415 - a guard that never runs a lifespan never sleeps

        while True:
            await anyio.sleep(_BACKGROUND_S)
            self.snapshot.ring.refresh_due()

    def _build(self, config: Config, previous: Snapshot | None) -> Snapshot:
        table = PolicyTable(config)
        ring = KeyRing(config, self._clock, self._emit, previous.ring if previous else None)
        if config.mode is Mode.PRODUCTION:
            from jwtguard.lint import stop_on_errors  # noqa: PLC0415 - development starts without

            stop_on_errors(table, ring.held)
        return Snapshot(table, ring)

    def _accepting(self, accept: str | Sequence[str]) -> tuple[Snapshot, EndpointPolicy]:
        snapshot = self.snapshot
        names = (accept,) if isinstance(accept, str) else tuple(accept)
        policy = snapshot.acceptances.get(names)
        if policy is None:
            policy = snapshot.acceptances[names] = snapshot.table.acceptance(names)
        return snapshot, policy

    def _from_token(
        self, token: Token, accept: str | Sequence[str], now: float | None
    ) -> tuple[Snapshot, Decision | Unknown]:
        snapshot, policy = self._accepting(accept)
        time = self._clock.now() if now is None else now
        return snapshot, decide_token(snapshot.context, policy, token, now=time, monotonic=self._look())

    def _look(self) -> float:
        """Return the monotonic time; where no lifespan runs, whoever asks keeps the keys fresh."""
        monotonic = self._clock.monotonic()
        if monotonic >= self._next_look:
            self._next_look = monotonic + _BACKGROUND_S
            self.snapshot.ring.refresh_due()
        return monotonic

    def _concluded(self, snapshot: Snapshot, decision: Decision) -> Decision:
        if decision.remember is not None:
            snapshot.store(decision.remember)
        if self._on_event is not None:
            self._report(decision)
        return decision

    def _report(self, decision: Decision) -> None:
        policy = decision.policy.name if decision.policy else ""
        if isinstance(decision, Refused):
            self._emit(events.Decided(policy, decision.refusal.reason))
            return
        claims = decision.identity._claims  # noqa: SLF001 - the profile is no claim, and names only configuration
        issuer, token_class = (claims.profile.issuer.name, claims.profile.token_class.name) if claims else ("", "")
        self._emit(events.Decided(policy, None, issuer, token_class))

    def _emit(self, event: events.Event) -> None:
        if self._on_event is None:
            return
        try:
            self._on_event(event)
        except Exception:  # noqa: BLE001 - a broken sink must not decide (F66)
            self.sink_failures += 1


def _to_bytes(token: str | bytes) -> bytes:
    # "replace" leaves a character no token may hold, so the parser refuses it like any other.
    return token if isinstance(token, bytes) else token.encode("ascii", "replace")


def _identity(decision: Decision) -> Identity:
    if isinstance(decision, Allowed):
        return decision.identity
    raise decision.refusal from None
