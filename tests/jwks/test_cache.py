"""How long keys live, when they are asked for anew and who may wait for that, second by second."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence

import anyio
import pytest
from anyio.lowlevel import checkpoint

from jwtguard import Issuer, JwksUri, Limits, events
from jwtguard.core.keys import KeySet
from jwtguard.drive import PENDING
from jwtguard.jwks.cache import IssuerKeys
from jwtguard.jwks.flight import Flight
from jwtguard.jwks.source import KeySetSource, SourceFailed
from tests.kit.fake_clock import FakeClock
from tests.kit.token_forge import TokenForge
from tests.scenarios.protected_api import flights, landed

FORGE = TokenForge()
COOLDOWN_S = 30.0
LIFE_S = 600.0
STALE_S = 4 * 3600.0
PATIENT = Limits(kid_wait_s=30.0)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Run each async test on both event loops."""
    backend: str = request.param
    return backend


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


# Life


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("max_age_s", "life_s"),
    [(None, 600), (0, 60), (59, 60), (61, 61), (600, 600), (86_400, 86_400), (86_401, 86_400), (2.0**31, 86_400)],
)
async def test_R_JWK_07_life_follows_max_age_within_bounds(max_age_s: float | None, life_s: float) -> None:
    """R-JWK-07: keys live for max-age, at least a minute, at most a day, ten minutes if nothing is said."""
    world = World("k1")
    world.source.max_age_s = max_age_s
    await world.warm()
    assert world.keys.held.usable_until == life_s
    assert 0.72 * life_s <= world.keys.refresh_at <= 0.88 * life_s
    world.clock.advance(0.72 * life_s - 1)
    world.keys.refresh_if_due()
    assert (flights(), len(world.source.reads)) == ([], 1)
    world.clock.advance(0.16 * life_s + 1)
    world.keys.refresh_if_due()
    await landed()
    assert world.source.reads == [False, False]


@pytest.mark.anyio
async def test_R_JWK_07_refreshes_of_many_processes_are_spread() -> None:
    """R-JWK-07: the moment of the refresh is drawn anew each time, so that a fleet does not come at once."""
    world = await World("k1").warm()
    moments = set()
    for _ in range(8):
        moments.add(round(world.keys.refresh_at - world.clock.monotonic(), 6))
        await world.keys.refresh()
        await landed()
    assert len(moments) == 8
    assert max(moments) - min(moments) <= 0.2 * 0.8 * LIFE_S


@pytest.mark.anyio
async def test_R_JWK_07_nobody_waits_for_a_refresh_ahead() -> None:
    """R-JWK-07: while the refresh ahead of expiry is in the air, known keys are answered from memory."""
    world = await World("k1").warm()
    world.source.hold()
    world.clock.advance(0.9 * LIFE_S)
    for _ in range(100):
        assert isinstance(world.keys.local("k1"), KeySet)
        assert isinstance(world.keys.local(None), KeySet)
    assert len(flights()) == 1
    world.source.let_go()
    await landed()
    assert world.source.reads == [False, False]
    assert world.keys.held.usable_until == 1.9 * LIFE_S


@pytest.mark.anyio
async def test_R_JWK_07_life_starts_when_the_keys_are_there() -> None:
    """R-JWK-07: a slow answer is not older for it, but the pause before the next attempt counts from its start."""
    world = World("k1")
    world.source.hold()
    assert world.keys.local("k1") is PENDING
    world.keys.refresh_if_due()
    world.clock.advance(4)
    world.source.let_go()
    await landed()
    assert world.keys.held.usable_until == 4 + LIFE_S
    world.clock.advance(COOLDOWN_S - 4)
    assert world.keys.local("k2") is PENDING


# The issuer fails


@pytest.mark.anyio
async def test_R_JWK_10_attempts_back_off() -> None:
    """R-JWK-10, F05: a failing issuer is asked after 30 s, 60 s, and then every two minutes, by a busy process too."""
    world = await World("k1").warm()
    world.source.kids = None
    asked = await world.pass_s(1800, step_s=1)
    pauses = [after - before for before, after in itertools.pairwise(asked)]
    assert 0.72 * LIFE_S <= asked[0] <= 0.88 * LIFE_S + 1
    assert pauses[:2] == [30, 60]
    assert set(pauses[2:]) == {120}
    assert not any(world.source.reads), "nobody asked for an unknown key"


@pytest.mark.anyio
async def test_R_JWK_10_success_ends_the_back_off() -> None:
    """R-JWK-10: one good answer sets failures to naught: the next failure is retried after 30 s again."""
    world = await World("k1").warm()
    for _ in range(2):
        world.source.kids = None
        asked = await world.pass_s(1500, step_s=5)
        assert asked[1] - asked[0] == 30
        world.source.kids = ("k1",)
        await world.pass_s(125, step_s=5)
        assert world.keys.held.usable_until - world.clock.monotonic() >= LIFE_S - 125


@pytest.mark.anyio
async def test_R_JWK_10_an_outage_of_weeks_breaks_no_arithmetic() -> None:
    """R-JWK-10: however often an issuer has failed, the pause stays at its bound."""
    world = await World("k1").warm()
    world.source.kids = None
    world.keys._failures = 100_000
    world.clock.advance(0.9 * LIFE_S)
    world.keys.refresh_if_due()
    await landed()
    assert world.keys.refresh_at == world.clock.monotonic() + Limits().keys_retry_max_s


@pytest.mark.anyio
@pytest.mark.parametrize("kids", [None, ()], ids=["failed", "empty"])
async def test_R_JWK_10_what_failed_replaces_nothing_until_the_hard_end(kids: Sequence[str] | None) -> None:
    """R-JWK-10, F06: good keys serve through failures and empty sets for exactly four hours past their life."""
    world = await World("k1").warm()
    good = world.keys.held.key_set
    world.source.kids = kids
    end = LIFE_S + STALE_S
    for moment in (LIFE_S, LIFE_S + 1, 5000.0, end - 1):
        world.clock.advance(moment - world.clock.monotonic())
        assert await world.look("k1") is good
        await landed()
    world.clock.advance(1)
    assert await world.look("k1") is None
    await landed()
    assert world.keys.known() is None


@pytest.mark.anyio
async def test_R_JWK_10_past_its_life_a_set_is_trusted_only_after_an_attempt() -> None:
    """R-JWK-10, F12: memory alone never answers from a set past its life that nobody has tried to refresh since."""
    world = await World("k1").warm()
    world.source.kids = None
    for moment in (LIFE_S, LIFE_S + 1000, LIFE_S + 9000):
        world.clock.advance(moment - world.clock.monotonic())
        world.source.hold()
        assert world.keys.local("k1") is PENDING
        world.source.let_go()
        assert await world.keys.ask("k1") is not None
        await landed()
        assert isinstance(world.keys.local("k1"), KeySet), "and after it, for a while"


@pytest.mark.anyio
async def test_R_JWK_10_a_hanging_attempt_lets_the_old_keys_serve() -> None:
    """R-JWK-10, F05: past their life, with an issuer that hangs, keys serve after one bounded wait, then at once."""
    world = await World("k1", limits=Limits(kid_wait_s=0.02)).warm()
    good = world.keys.held.key_set
    world.source.hold()
    world.clock.advance(LIFE_S + 1000)
    assert await world.look("k1") is good
    assert world.keys.local("k1") is good
    assert len(flights()) == 1
    world.source.let_go()
    await landed()


@pytest.mark.anyio
async def test_R_JWK_11_a_cold_issuer_is_tried_twice_a_second() -> None:
    """R-JWK-11, F07: without any keys the pause between attempts is half a second, and nobody is let in meanwhile."""
    world = World()
    for attempts in range(1, 6):
        for _ in range(10):
            assert await world.look("k1") is None
        await landed()
        assert len(world.source.reads) == attempts
        world.clock.advance(Limits().keys_cold_retry_s)
    world.source.kids = ("k1",)
    assert await world.look("k1") is not None
    assert not any(world.source.reads), "a first fetch has no cache to go past"


@pytest.mark.anyio
async def test_R_JWK_11_start_up_does_not_wait_for_a_pause() -> None:
    """R-JWK-11: the fetch of an eager start-up happens even right after an attempt that failed."""
    world = World()
    world.source.kids = None
    assert not await world.keys.refresh()
    world.source.kids = ("k1",)
    assert await world.keys.refresh()
    assert len(world.source.reads) == 2


# Unknown kids


@pytest.mark.anyio
async def test_R_JWK_09_one_forced_refresh_a_cool_down() -> None:
    """R-JWK-09: unknown kids cause one fresh fetch, and none again before 30 s are over, whoever asks for what."""
    world = await World("k1").warm()
    assert isinstance(world.keys.local("a"), KeySet), "the fetch just made counts"
    for fetches in range(1, 5):
        world.clock.advance(COOLDOWN_S)
        for kid in ("a", "b", f"c{fetches}", "d" * 256, f"e{fetches}"):
            assert await world.look(kid) is world.keys.held.key_set
        await landed()
        assert world.source.reads == [False] + [True] * fetches
        world.clock.advance(COOLDOWN_S - 1)
        assert isinstance(world.keys.local(f"f{fetches}"), KeySet)


@pytest.mark.anyio
async def test_R_JWK_09_refused_kids_are_remembered_in_a_bounded_place() -> None:
    """R-JWK-09, F01: of many kids refused by one fetch no more than the limit is remembered; a refresh forgets all."""
    world = await World("k1", limits=Limits(kid_wait_s=30, kid_negative=8)).warm()
    world.clock.advance(COOLDOWN_S)
    world.source.hold()
    async with anyio.create_task_group() as group:
        for number in range(50):
            group.start_soon(world.look, f"unknown {number}")
        await until(lambda: (flight := world.keys._flight) is not None and flight.waiting == 50)
        world.source.let_go()
    assert len(world.keys._negative) == 8
    await world.keys.refresh()
    assert len(world.keys._negative) == 0


@pytest.mark.anyio
async def test_R_JWK_09_a_refused_kid_is_not_asked_about_again_at_once() -> None:
    """R-JWK-09: for a cool-down after its refusal a kid causes no fetch; another unknown one may, and clears it."""
    world = await World("k1").warm()
    world.clock.advance(COOLDOWN_S)
    await world.look_slowly("k2", fetch_s=4)
    world.source.kids = ("k1", "k2")
    world.clock.advance(COOLDOWN_S - 4)
    for kid, known in (("k2", False), ("k3", True)):
        key_set = await world.look(kid)
        assert key_set is not None
        assert key_set.knows("k2") is known
    assert world.source.reads == [False, True, True]


@pytest.mark.anyio
async def test_R_JWK_08_who_asks_after_the_landing_fetches_nothing() -> None:
    """R-JWK-08: a request that saw no keys, and asks when they have just come, gets them without another fetch."""
    world = World("k1")
    world.source.hold()
    assert world.keys.local("k1") is PENDING
    world.source.let_go()
    await landed()
    assert await world.keys.ask("k1") is world.keys.held.key_set
    await landed()
    assert world.source.reads == [False]


@pytest.mark.anyio
async def test_R_JWK_09_only_a_fetch_that_went_past_caches_refuses_for_good() -> None:
    """R-JWK-09, F11: a kid missing from a set that a cache may have kept is not held against the next token."""
    world = World("k1")
    await world.look_slowly("k2", fetch_s=4)
    assert world.source.reads == [False]
    world.source.kids = ("k1", "k2")
    world.clock.advance(COOLDOWN_S - 4)
    key_set = await world.look("k2")
    assert key_set is not None
    assert key_set.knows("k2")


@pytest.mark.anyio
async def test_R_JWK_09_a_failed_fetch_refuses_no_kid_for_good() -> None:
    """R-JWK-09: a kid is not remembered as refused when the fetch for it failed."""
    world = await World("k1").warm()
    world.clock.advance(COOLDOWN_S)
    world.source.kids = None
    await world.look_slowly("k2", fetch_s=4)
    world.source.kids = ("k1", "k2")
    world.clock.advance(COOLDOWN_S - 4)
    key_set = await world.look("k2")
    assert key_set is not None
    assert key_set.knows("k2")


@pytest.mark.anyio
async def test_unknown_kids_wait_in_bounded_numbers() -> None:
    """F01, F03: at most 100 requests with unknown kids wait for one flight; the others are answered at once."""
    world = await World("k1").warm()
    world.clock.advance(COOLDOWN_S)
    world.source.hold()
    async with anyio.create_task_group() as group:
        for number in range(100):
            group.start_soon(world.look, f"unknown {number}")
        await until(lambda: (flight := world.keys._flight) is not None and flight.waiting == 100)
        assert isinstance(world.keys.local("one more"), KeySet)
        assert isinstance(world.keys.local("k1"), KeySet)
        world.source.let_go()
    assert world.source.reads == [False, True]


@pytest.mark.anyio
async def test_nobody_joins_a_flight_that_takes_too_long() -> None:
    """F03: a flight older than the longest wait is joined by nobody: its answer would come too late."""
    world = await World("k1", limits=Limits(kid_wait_s=1.0)).warm()
    world.clock.advance(COOLDOWN_S)
    world.source.hold()
    world.keys._begin(world.clock.monotonic(), fresh=True)
    assert world.keys.local("a") is PENDING
    world.clock.advance(1)
    assert isinstance(world.keys.local("a"), KeySet)
    world.source.let_go()
    await landed()


# Fetches that never take off


async def lose_a_flight(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start a refresh whose thread is lost, as that of a forked parent is."""
    with monkeypatch.context() as patch:
        patch.setattr(Flight, "start", lambda *_: None)
        world.keys._begin(world.clock.monotonic(), forced=True)


@pytest.mark.anyio
@pytest.mark.parametrize("kid", ["k1", "k2"], ids=["refresh ahead", "unknown kid"])
async def test_F67_a_lost_flight_delays_the_next_by_a_minute_at_most(monkeypatch: pytest.MonkeyPatch, kid: str) -> None:
    """F67: when the thread of a refresh is lost in a fork, keys are refreshed again long before their life ends."""
    world = World("k1")
    world.source.max_age_s = 86_400
    await world.warm()
    world.clock.advance(0.9 * 86_400)
    await lose_a_flight(world, monkeypatch)
    world.source.kids = ("k1", "k2")
    world.clock.advance(60)
    await world.look(kid)
    await landed()
    assert world.keys.held.key_set.knows("k2")


@pytest.mark.anyio
async def test_F67_a_lost_first_flight_is_flown_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """F67: when the thread of the first fetch is lost in a fork, requests get their keys from another one in time."""
    world = World("k1", limits=Limits(kid_wait_s=0.01))
    await lose_a_flight(world, monkeypatch)
    assert await world.look("k1") is None
    world.clock.advance(2 * Limits().fetch_total_s + 10)
    with anyio.fail_after(30):
        while await world.look("k1") is None:
            await landed()


@pytest.mark.anyio
async def test_F27_no_thread_to_be_had_is_a_failed_refresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """F27: where the system gives no thread, the good keys serve on, no request fails, and a later attempt succeeds."""
    world = await World("k1").warm()
    world.clock.advance(0.88 * LIFE_S)

    def exhausted(self: threading.Thread) -> None:
        msg = "can't start new thread"
        raise RuntimeError(msg)

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", exhausted)
        assert isinstance(world.keys.local("k1"), KeySet)
    assert [event for event in world.events if isinstance(event, events.RefreshFailed)]
    world.clock.advance(COOLDOWN_S)
    assert isinstance(world.keys.local("k1"), KeySet)
    await landed()
    assert len(world.source.reads) == 2


@pytest.mark.anyio
async def test_F27_no_event_loop_to_be_had_is_a_failed_refresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """F27: where the system has no descriptor left for the fetch's event loop, a later attempt succeeds."""
    world = await World("k1").warm()
    world.clock.advance(0.88 * LIFE_S)

    def exhausted(*args: object, **kwargs: object) -> None:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(threading, "excepthook", lambda _: None)
        patch.setattr(anyio, "run", exhausted)
        assert isinstance(world.keys.local("k1"), KeySet)
        for thread in flights():
            thread.join()
    world.clock.advance(40)
    assert isinstance(world.keys.local("k1"), KeySet)
    await landed()
    assert len(world.source.reads) == 2
