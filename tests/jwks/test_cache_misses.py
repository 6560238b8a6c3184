"""Keys that are not there: who may ask for them, who may wait, and fetches that never take off."""

from __future__ import annotations

import threading

import anyio
import pytest

from jwtguard import Limits, events
from jwtguard.core.keys import KeySet
from jwtguard.drive import PENDING
from jwtguard.jwks.flight import Flight
from tests.jwks.key_world import COOLDOWN_S, LIFE_S, World, until
from tests.scenarios.protected_api import flights, landed


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Run each async test on both event loops."""
    backend: str = request.param
    return backend


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
    world.keys._failures = 3  # so that the next attempt is not due before the kid is asked for again
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
