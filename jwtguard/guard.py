"""The guard: one handle on a policy, its keys and what it remembers.

Everything a decision reads hangs on one attribute, ``snapshot``, which ``reload`` swaps in one
assignment: a request sees the old policy or the new one, never a mixture (F69).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from jwtguard.clock import Clock, SystemClock
from jwtguard.core import events
from jwtguard.core.answering import in_form
from jwtguard.core.asked import Asked
from jwtguard.core.challenge import Answer
from jwtguard.core.columns import instance
from jwtguard.core.csrf import csrf_token
from jwtguard.core.decision import Decision, Refused, Served
from jwtguard.core.endpoint import Access, Demands
from jwtguard.core.identity import Identity
from jwtguard.core.login import LoginExpectations
from jwtguard.core.pipeline import decide, decide_at, decide_token, verification
from jwtguard.core.policy import Config, EndpointPolicy, Mode, Startup
from jwtguard.core.request import RequestHead, Token
from jwtguard.core.routing import route
from jwtguard.core.table import PolicyTable
from jwtguard.core.unfinished import UNFINISHED, Unfinished
from jwtguard.current import identity_of
from jwtguard.declared.registry import Declarations
from jwtguard.declared.scopes import lacking
from jwtguard.drive import drive, drive_sync
from jwtguard.errors import ConfigurationError, Reason, Refusal, Unavailable
from jwtguard.jwks.ring import KeyRing
from jwtguard.logins import Logins
from jwtguard.outside import Hooks, Outside
from jwtguard.portal import Portal, in_event_loop, in_every_child
from jwtguard.reporting import Reporter
from jwtguard.snapshot import Snapshot

if TYPE_CHECKING:
    from pathlib import Path

F = TypeVar("F", bound=Callable[..., object])
_BACKGROUND_S = 1.0
_SPARE_S = 5.0  # for a question on its way; a background loop that takes longer is held up


class Guard:
    """Decides requests and verifies tokens under one policy.

    Args:
        config: Issuers, endpoints, classes, limits.
        on_event: Called with every typed event (``jwtguard.core.events``), possibly from another
            thread; what it raises is counted in ``sink_failures`` and otherwise ignored.
        clock: Where the time comes from; tests give their own.
        hooks: What the application does for this guard.

    Raises:
        ConfigurationError: The policy cannot be built or proven, or, in production, the lint found
            errors nobody overrode.
    """

    def __init__(
        self, config: Config, *, on_event: Callable[[events.Event], None] | None = None, clock: Clock | None = None,
        hooks: Hooks | None = None,
    ) -> None:  # fmt: skip
        instance(config, (Config,), "config", "for a policy file: Guard.from_file(path)")
        self._hooks = Hooks() if hooks is None else instance(hooks, (Hooks,), "hooks")
        self._clock: Clock = clock or SystemClock()
        self._reporter = Reporter(on_event)
        self._file: Path | None = None
        self._next_look = -float("inf")
        self._portal = Portal()
        self._declarations = Declarations(self)
        self._logins = Logins(self._clock)
        self.snapshot = self._build(config, None)
        in_every_child(self._renew_locks)

    @classmethod
    def from_file(
        cls, path: str | Path, *, on_event: Callable[[events.Event], None] | None = None, clock: Clock | None = None,
        hooks: Hooks | None = None,
    ) -> Guard:  # fmt: skip
        """Build a guard from a ``jwtguard.toml``; ``reload()`` reads the file again.

        Raises:
            ConfigurationError: The file cannot be read, parsed, built or proven.
        """
        from pathlib import Path  # noqa: PLC0415 - a policy of Python objects reads no file

        from jwtguard.config import load, mistakes_in  # noqa: PLC0415

        file = Path(path)
        with mistakes_in(str(file)):
            guard = cls(load(file), on_event=on_event, clock=clock, hooks=hooks)
        guard._file = file
        return guard

    @property
    def sink_failures(self) -> int:
        """How often ``on_event`` raised."""
        return self._reporter.failures

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

    def protect(self, demands: Demands) -> Callable[[F], F]:
        """Put a policy beside a function, a method, a class-based endpoint or a WebSocket (R-POL-12).

        It enters the same table as the file's when the application starts. Frameworks' decorators go above it.

        Args:
            demands: What is demanded, such as ``access(scopes={"reports:write"})``.

        Raises:
            ConfigurationError: What it decorates cannot have a policy, or the guard has started.
        """
        return self._declarations.protect(demands)

    def public(self, endpoint: F) -> F:
        """Let everybody call a function, a method, a class-based endpoint or a WebSocket."""
        return self._declarations.protect(Demands(access=Access.PUBLIC))(endpoint)

    @property
    def declares(self) -> bool:
        """Whether decorators declared any policy."""
        return bool(self._declarations)

    def bind(self, app: object, *others: object) -> None:
        """Give every policy that a decorator declared the routes that lead to it; shells do this at the start.

        Args:
            app: A Starlette, FastAPI or Flask application, a Django site, or middleware around one of them.
            others: Where else to look if its routes do not show.

        Raises:
            ConfigurationError: A policy has no route, contradicts the file, or the routes have changed since.
        """
        self._declarations.bind(app, *others)

    def rebuild(self) -> None:
        """Build the same policy again, now with what decorators declared."""
        self.snapshot = self._build(self.snapshot.written, self.snapshot)

    def decide_locally(self, head: RequestHead) -> Decision | tuple[Snapshot, Unfinished]:
        """Decide a request without leaving the process, or return what ``verify_unknown`` needs."""
        snapshot, monotonic = self.snapshot, self._look()
        return self._here(snapshot, decide(snapshot.context, head, now=self._clock.now(), monotonic=monotonic))

    def policy_of(self, name: str) -> EndpointPolicy | None:
        """Return a declared policy, compiled; ``None`` before the start."""
        return self.snapshot.declared.get(name)

    def decide_declared(self, name: str, head: RequestHead) -> Decision | tuple[Snapshot, Unfinished]:
        """Decide as ``decide_locally`` does, under the policy that a decorator declared."""
        self._declarations.settle()
        snapshot, monotonic = self.snapshot, self._look()
        policy, now = snapshot.declared[name], self._clock.now()
        return self._here(snapshot, decide_at(snapshot.context, policy, head, now=now, monotonic=monotonic))

    def _here(self, snapshot: Snapshot, decision: Decision | Unfinished) -> Decision | tuple[Snapshot, Unfinished]:
        if type(decision) in UNFINISHED:
            return snapshot, decision  # type: ignore[return-value]  # just looked
        if decision.remember is None and not self._reporter.listens:  # type: ignore[union-attr]  # not unfinished
            return decision  # type: ignore[return-value]
        return self._concluded(snapshot, decision)  # type: ignore[arg-type]

    async def verify_unknown(self, snapshot: Snapshot, unknown: Unfinished) -> Decision:
        """Go on where somebody outside must be asked: an issuer for its keys, the application for its word."""
        return self._concluded(snapshot, await drive(verification(snapshot.context, unknown), snapshot.outside))

    def verify_unknown_sync(self, snapshot: Snapshot, unknown: Unfinished) -> Decision:
        """Go on as ``verify_unknown`` does, in a thread that may wait; one that runs an event loop does not."""
        steps = verification(snapshot.context, unknown)
        wait = None
        if not in_event_loop():
            limits = snapshot.table.limits
            wait = partial(self._portal.wait, patience_s=max(limits.kid_wait_s, limits.outside_s) + _SPARE_S)
        return self._concluded(snapshot, drive_sync(steps, snapshot.outside, wait))

    def csrf_token(self, token: str | bytes) -> str:
        """Make the double-submit token that goes with a token in a cookie, for the page that sends it (R-STO-04).

        Args:
            token: What the cookie holds: the token, or the name of the session.

        Raises:
            ConfigurationError: The policy has no ``csrf_keys``.
        """
        keys = self.table.config.csrf_keys
        if not keys:
            message = "a double-submit token needs csrf_keys (in a file: csrf_key_file)"
            raise ConfigurationError(message, key="csrf_keys", rule="R-STO-04")
        return csrf_token(keys[0], Token.of(token).digest())

    def answer(self, refused: Refused, head: RequestHead) -> Answer:
        """Return what the client of a refused request is told, in the form it asked for."""
        answer = self.snapshot.context.challenges.answer(refused.refusal.reason, refused.policy)
        return in_form(answer, refused.policy, head, self._hooks.html, self._hooks.body)

    def lacking(self, identity: Identity, scopes: frozenset[str], head: RequestHead) -> Answer:
        """Return what an admitted client is told whose endpoint demands these scopes too, beyond its policy."""
        snapshot = self.snapshot
        refused = lacking(snapshot.policies, identity, scopes)
        self._concluded(snapshot, refused)
        return self.answer(refused, head)

    def verify(self, token: str | bytes, *, accept: str | Sequence[str], now: float | None = None) -> Identity:
        """Verify one token without a request: for message queues, jobs, tests; for a login see ``verify_login``.

        Where the issuer's keys must be fetched, the calling thread waits, for about a second at most. A
        thread that runs an event loop never waits: there the keys are those held now, and ``verify_async``
        is what fetches.

        Args:
            token: The compact JWS.
            accept: The token class, or classes, it may be. There is no "any valid JWT" (R-CLS-01).
            now: The time to judge by, as a NumericDate; default: the clock's.

        Raises:
            Refusal: The token is not acceptable, or the issuer's keys are not to be had.
            ConfigurationError: No issuer signs such a class.
        """
        snapshot, policy = self._accepting(accept)
        asked = self._asked(policy, token, now=now)
        del token  # so that no traceback's locals show it
        return _identity(self._settle(snapshot, asked))

    async def verify_async(
        self, token: str | bytes, *, accept: str | Sequence[str], now: float | None = None
    ) -> Identity:
        """Verify one token as ``verify`` does, fetching the issuer's keys where needed."""
        snapshot, policy = self._accepting(accept)
        asked = self._asked(policy, token, now=now)
        del token
        return _identity(await self._settle_async(snapshot, asked))

    async def verify_at(self, head: RequestHead, token: str | bytes) -> Identity:
        """Verify a token that comes later on a connection, by the policy of the request that opened it.

        Raises:
            Refusal: The token is not acceptable there, or no policy covers that place any more.
        """
        snapshot = self.snapshot
        policy = route(snapshot.table, head)
        if not policy.reads_credentials:  # since a reload; an ID token counts in verify_login alone
            raise Refusal(Reason.NO_POLICY, "endpoint policy", "one that takes tokens", policy.name)
        asked = self._asked(policy, token, head)
        del token
        return _identity(await self._settle_async(snapshot, asked))

    def now(self) -> float:
        """Return the time by which tokens are judged, as a NumericDate."""
        return self._clock.now()

    def report(self, event: events.Event) -> None:
        """Hand an event to ``on_event``; what that raises is counted and changes nothing (F66)."""
        self._reporter.emit(event)

    def verify_login(
        self, connection: Mapping[str, Any], id_token: str | bytes, expected: LoginExpectations
    ) -> Identity:
        """Verify the ID token of a login, in the handler of a login endpoint and nowhere else (R-CLS-10, R-CLS-11).

        Waits for keys as ``verify`` does. Each nonce is accepted once, in this process.

        Args:
            connection: The ASGI scope, Starlette request, WSGI environ or Django's ``request.META`` of the request.
            id_token: The compact JWS from the issuer's token endpoint.
            expected: What this login sent, and what came back beside the token.

        Raises:
            Refusal: The token is not acceptable, or is not of this login.
            ConfigurationError: No login endpoint serves this request.
        """
        snapshot = self.snapshot
        asked = self._asked(self._logins.endpoint_of(snapshot, identity_of(connection)), id_token)
        del id_token
        return self._logged_in(asked, self._settle(snapshot, asked), expected)

    async def verify_login_async(
        self, connection: Mapping[str, Any], id_token: str | bytes, expected: LoginExpectations
    ) -> Identity:
        """Verify the ID token of a login as ``verify_login`` does, fetching the issuer's keys where needed."""
        snapshot = self.snapshot
        asked = self._asked(self._logins.endpoint_of(snapshot, identity_of(connection)), id_token)
        del id_token
        return self._logged_in(asked, await self._settle_async(snapshot, asked), expected)

    def _logged_in(self, asked: Asked, decision: Decision, expected: LoginExpectations) -> Identity:
        identity = _identity(decision)
        try:
            self._logins.check(asked, identity, expected)
        except Refusal as refusal:
            self._reporter.emit(events.Decided(asked.policy.name, refusal.reason, "", identity.token_class))
            raise refusal.with_traceback(None) from None
        return identity

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

    def _build(self, written: Config, previous: Snapshot | None) -> Snapshot:
        config = self._declarations.added_to(written)
        table = PolicyTable(config)
        declared = self._declarations.policies(table, written)
        ring = KeyRing(config, self._clock, self._reporter.emit, previous.ring if previous else None)
        if config.mode is Mode.PRODUCTION:
            from jwtguard.lint import stop_on_errors  # noqa: PLC0415 - development starts without

            stop_on_errors(table, ring.held)
        return Snapshot(table, ring, Outside(ring, self._hooks, config.limits, self._clock), written, declared)

    def _accepting(self, accept: str | Sequence[str]) -> tuple[Snapshot, EndpointPolicy]:
        snapshot = self.snapshot
        names = (accept,) if isinstance(accept, str) else tuple(accept)
        policy = snapshot.acceptances.get(names)
        if policy is None:
            policy = snapshot.acceptances[names] = snapshot.table.acceptance(names)
        return snapshot, policy

    def _asked(
        self, policy: EndpointPolicy, token: str | bytes, head: RequestHead | None = None, now: float | None = None
    ) -> Asked:
        return Asked(policy, head, Token.of(token), self._clock.now() if now is None else now, self._look())

    def _settle(self, snapshot: Snapshot, asked: Asked) -> Decision:
        decision = decide_token(snapshot.context, asked)
        if isinstance(decision, Unfinished):
            return self.verify_unknown_sync(snapshot, decision)
        return self._concluded(snapshot, decision)

    async def _settle_async(self, snapshot: Snapshot, asked: Asked) -> Decision:
        decision = decide_token(snapshot.context, asked)
        if isinstance(decision, Unfinished):
            return await self.verify_unknown(snapshot, decision)
        return self._concluded(snapshot, decision)

    def _renew_locks(self) -> None:
        self.snapshot.renew_locks()
        self._logins.renew_lock()

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
        if self._reporter.listens:
            self._reporter.decided(decision)
        return decision


def _identity(decision: Decision) -> Identity:
    if isinstance(decision, Refused):
        raise decision.refusal from None
    if isinstance(decision, Served):
        message = "a token alone asks for nothing that the guard could serve"
        raise TypeError(message)
    return decision.identity
