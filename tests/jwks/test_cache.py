"""How long keys live, when they are asked for anew and who may wait for that, second by second."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest

from jwtguard import Limits
from jwtguard.core.keys import KeySet
from jwtguard.drive import PENDING
from tests.jwks.key_world import COOLDOWN_S, LIFE_S, STALE_S, World
from tests.scenarios.protected_api import flights, landed


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Run each async test on both event loops."""
    backend: str = request.param
    return backend


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
