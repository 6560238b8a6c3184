"""The keys of one issuer under a clock and a source that do as they are told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import anyio
from anyio.lowlevel import checkpoint

from jwtguard import Issuer, JwksUri, Limits, events
from jwtguard.core.keys import KeySet
from jwtguard.drive import PENDING
from jwtguard.jwks.cache import IssuerKeys
from jwtguard.jwks.source import KeySetSource, SourceFailed
from tests.kit.fake_clock import FakeClock
from tests.kit.token_forge import TokenForge
from tests.scenarios.protected_api import flights, landed

FORGE = TokenForge()
COOLDOWN_S = 30.0
LIFE_S = 600.0
STALE_S = 4 * 3600.0
PATIENT = Limits(kid_wait_s=30.0)


class Told(KeySetSource):
    """A source that answers what it is told, at once or when it is let.

    Attributes:
        kids: The keys it has; ``None``: it fails.
        max_age_s: For how long it calls them fresh.
        reads: For each read, whether it was a fresh one.
    """

    def __init__(self, *kids: str) -> None:
        self.kids: Sequence[str] | None = kids
        self.max_age_s: float | None = None
        self.reads: list[bool] = []
        self._let_go = threading.Event()
        self._let_go.set()

    def hold(self) -> None:
        """Keep reads in the air from now on."""
        self._let_go.clear()

    def let_go(self) -> None:
        """Let reads land."""
        self._let_go.set()

    async def read(self, *, fresh: bool) -> tuple[list[object], float | None]:
        """Answer."""
        self.reads.append(fresh)
        await anyio.to_thread.run_sync(self._let_go.wait, 30)
        if self.kids is None:
            reason = "told"
            raise SourceFailed(reason)
        return [FORGE.key("ES256", kid).public_jwk() for kid in self.kids], self.max_age_s


class World:
    """The keys of one issuer, their source, and time."""

    def __init__(self, *kids: str, limits: Limits = PATIENT) -> None:
        self.clock = FakeClock()
        self.source = Told(*kids)
        self.events: list[events.Event] = []
        issuer = Issuer(
            name="login", issuer="https://a.example", algorithms=("ES256",), keys=JwksUri("https://a.example/k")
        )
        self.keys = IssuerKeys(issuer, self.source, limits, self.clock, self.events.append)

    async def warm(self) -> World:
        """Have the keys."""
        assert await self.keys.refresh()
        await landed()
        return self

    async def look(self, kid: str | None) -> KeySet | None:
        """Ask for the keys as a request does: from memory, or of the issuer."""
        answer = self.keys.local(kid)
        return await self.keys.ask(kid) if answer is PENDING else answer

    async def look_slowly(self, kid: str, *, fetch_s: float) -> None:
        """Look while the source takes its time."""
        self.source.hold()
        async with anyio.create_task_group() as group:
            group.start_soon(self.look, kid)
            await until(lambda: (flight := self.keys._flight) is not None and flight.waiting == 1)
            self.clock.advance(fetch_s)
            self.source.let_go()
        await landed()

    async def pass_s(self, seconds: float, *, step_s: float = 1.0) -> list[float]:
        """Let time pass with a request every step; return when the source was asked."""
        asked, end = [], self.clock.monotonic() + seconds
        while self.clock.monotonic() < end:
            before = len(self.source.reads)
            await self.look("k1")
            if flights():
                await landed()
            if len(self.source.reads) > before:
                asked.append(self.clock.monotonic())
            self.clock.advance(step_s)
        return asked


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    with anyio.fail_after(30):
        while not condition():
            await checkpoint()
