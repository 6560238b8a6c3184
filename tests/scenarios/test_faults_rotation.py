"""The identity provider rotates and withdraws keys; the clock is ours."""

from __future__ import annotations

import pytest

from jwtguard import Limits, Reason, Refusal, events
from tests.kit.fake_clock import FakeClock
from tests.scenarios.protected_api import Login, ProtectedApi, api_for, landed

COOLDOWN_S = 30.0
LIFE_S = 600.0
WITHDRAWN_S = 660.0
"""How long a withdrawn key may still be accepted (F12)."""


async def warm(login: Login, clock: FakeClock) -> tuple[ProtectedApi, bytes]:
    """An application that has the keys, and a token it remembers."""
    api, token = api_for(login, clock), login.lasting_token(clock=clock)
    assert (await api.get(token=token)).status == 200
    assert len(api.guard.snapshot.context.memory) == 1
    return api, token


@pytest.mark.anyio
async def test_F10_rotation_with_overlap_is_not_noticed(login: Login, clock: FakeClock) -> None:
    """F10, R-JWK-12: while the provider adds a key, changes to it and drops the old one, no valid token is refused."""
    api = api_for(login, clock)
    for published, used in ((("k1",), "k1"), (("k1", "k2"), "k1"), (("k1", "k2"), "k2"), (("k2",), "k2")):
        login.publish(*published)
        for _ in range(7):
            tokens = [login.token(used, clock=clock) for _ in range(50)]
            assert set(await api.statuses(tokens, at_once=50)) == {200}
            await landed()
            clock.advance(90)


@pytest.mark.anyio
async def test_F10_a_new_key_is_taken_up_at_once_outside_the_cool_down(login: Login, clock: FakeClock) -> None:
    """F10, R-JWK-12: the first tokens of a key just published wait for one fetch and pass; the old key's never wait."""
    api, old = await warm(login, clock)
    clock.advance(COOLDOWN_S)
    login.publish("k1", "k2")
    tokens = [token for _ in range(25) for token in (login.token("k2", clock=clock), old)]
    assert set(await api.statuses(tokens, at_once=50)) == {200}
    assert login.fetches == 2


@pytest.mark.anyio
async def test_F11_a_kid_miss_goes_past_the_edge_cache(login: Login, clock: FakeClock) -> None:
    """F11: the fetch for an unknown kid says no-cache, so a cache that keeps the old set does not hold it up."""
    api, _ = await warm(login, clock)
    login.idp.freeze_in_edge_cache()
    login.publish("k2")
    token = login.lasting_token("k2", clock=clock)
    clock.advance(COOLDOWN_S - 1)
    assert (await api.get(token=token)).status == 401
    clock.advance(1)
    assert (await api.get(token=token)).status == 200
    assert [request.headers.get("cache-control") for request in login.idp.requests] == [None, "no-cache"]


@pytest.mark.anyio
async def test_F11_an_ordinary_refresh_from_the_edge_cache_does_not_delay_the_new_key(
    login: Login, clock: FakeClock
) -> None:
    """F11: a background refresh that got the old set from a cache delays the new key by one cool-down at most."""
    api, old = await warm(login, clock)
    login.idp.freeze_in_edge_cache()
    login.publish("k2")
    clock.advance(0.9 * LIFE_S)
    assert (await api.get(token=old)).status == 200
    await landed()
    assert login.fetches == 2
    clock.advance(COOLDOWN_S)
    assert (await api.get(token=login.token("k2", clock=clock))).status == 200


@pytest.mark.anyio
async def test_R_JWK_12_a_token_ahead_of_its_key_does_not_lock_the_key_out(login: Login, clock: FakeClock) -> None:
    """R-JWK-12: a kid refused before it was published is accepted within the cool-down after it is."""
    api, _ = await warm(login, clock)
    clock.advance(COOLDOWN_S)
    token = login.lasting_token("k2", clock=clock)
    assert (await api.get(token=token)).status == 401
    login.publish("k1", "k2")
    clock.advance(COOLDOWN_S)
    assert (await api.get(token=token)).status == 200


@pytest.mark.anyio
@pytest.mark.parametrize("step_s", [10.0, 60.0, WITHDRAWN_S], ids=["busy", "quiet", "idle"])
async def test_F12_a_withdrawn_key_dies_everywhere(login: Login, clock: FakeClock, step_s: float) -> None:
    """F12, R-JWK-12: 660 s after it was withdrawn a key opens nothing, in a busy process and in an idle one."""
    api, remembered = await warm(login, clock)
    unseen = login.lasting_token(clock=clock)
    login.publish("k2")
    while clock.monotonic() < WITHDRAWN_S:
        await api.get(token=remembered)
        await landed()
        clock.advance(step_s)
    calls = api.calls
    assert [(await api.get(token=token)).status for token in (remembered, unseen)] == [401, 401]
    assert api.calls == calls
    assert (await api.get(token=login.token("k2", clock=clock))).status == 200


@pytest.mark.anyio
async def test_F12_hours_of_idleness_do_not_revive_a_withdrawn_key(login: Login, clock: FakeClock) -> None:
    """F12: a process nobody asked for hours, and that no lifespan refreshed, asks before it trusts its old keys."""
    api, remembered = await warm(login, clock)
    login.publish("k2")
    clock.advance(3 * 3600)
    assert set(await api.statuses([remembered] * 100)) == {401}
    assert api.calls == 1
    assert login.fetches == 2


@pytest.mark.anyio
async def test_F12_verify_does_not_trust_what_nobody_asked_about(login: Login, clock: FakeClock) -> None:
    """F12: guard.verify, which fetches nothing, refuses a key that was withdrawn and not asked about for hours."""
    api = api_for(login, clock)
    token = login.lasting_token(clock=clock)
    await api.guard.verify_async(token, accept="access")
    login.publish("k2")
    clock.advance(3 * 3600)
    with pytest.raises(Refusal) as refused:
        api.guard.verify(token, accept="access")
    await landed()
    assert refused.value.reason in {Reason.KEYS_UNAVAILABLE, Reason.NO_KEY}


@pytest.mark.anyio
async def test_F12_a_key_that_comes_back_is_good_again(login: Login, clock: FakeClock) -> None:
    """F12: a key published again after it was withdrawn verifies again."""
    api, remembered = await warm(login, clock)
    for published, status in ((("k2",), 401), (("k1", "k2"), 200)):
        login.publish(*published)
        clock.advance(WITHDRAWN_S)
        assert (await api.get(token=remembered)).status == status
        await landed()


@pytest.mark.anyio
async def test_R_JWK_07_a_refresh_ahead_keeps_remembered_tokens_warm(login: Login, clock: FakeClock) -> None:
    """R-JWK-07: a refresh that brings the same keys costs no request a wait, and no remembered token its memory."""
    api, token = await warm(login, clock)
    known = next(iter(api.guard.snapshot.context.memory.values()))
    for _ in range(5):
        clock.advance(0.9 * LIFE_S)
        assert (await api.get(token=token)).status == 200
        await landed()
    assert login.fetches == 6
    assert list(api.guard.snapshot.context.memory.values()) == [known], "the token was verified once"
    assert len(api.seen(events.KeysRefreshed)) == 6


@pytest.mark.anyio
async def test_R_JWK_07_verify_alone_keeps_the_keys_fresh(login: Login, clock: FakeClock) -> None:
    """R-JWK-07: where only guard.verify is used, keys are refreshed ahead too, and no good token is refused."""
    api = api_for(login, clock)
    token = login.lasting_token(clock=clock)
    await api.guard.verify_async(token, accept="access")
    for _ in range(60):
        clock.advance(60)
        assert api.guard.verify(token, accept="access").subject == "user-1"
        unseen = login.token(clock=clock)
        assert api.guard.verify(unseen, accept="access").subject == "user-1"
        await landed()
    assert 6 <= login.fetches <= 9


@pytest.mark.anyio
async def test_R_JWK_09_the_cool_down_counts_from_the_attempt(login: Login, clock: FakeClock) -> None:
    """R-JWK-09: an attempt starts the cool-down whether or not it succeeds, and whatever caused it."""
    api, _ = await warm(login, clock)
    login.idp.stop()
    clock.advance(COOLDOWN_S)
    assert (await api.get(token=login.token("k2", clock=clock))).status == 401
    await landed()
    login.idp.start()
    login.publish("k2")
    clock.advance(COOLDOWN_S - 1)
    assert (await api.get(token=login.token("k2", clock=clock))).status == 401
    clock.advance(1)
    assert (await api.get(token=login.token("k2", clock=clock))).status == 200
    assert login.fetches == 2
    assert Limits().kid_cooldown_s == COOLDOWN_S
