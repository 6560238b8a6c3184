"""Floods of tokens that name keys nobody has, while the identity provider is well, ill, silent or empty."""

from __future__ import annotations

import random

import anyio
import pytest

from jwtguard import Limits, Reason, Startup, events
from tests.kit import answers
from tests.kit.exchange import Answer
from tests.kit.fake_clock import FakeClock
from tests.kit.fake_idp import JWKS_PATH
from tests.scenarios.protected_api import Login, ProtectedApi, api_for, configured, flights, landed, waiting

COOLDOWN_S = 30.0
ROUNDS = 10
ROUND_S = 15.0


def forged(login: Login, count: int, *, clock: FakeClock, seed: object = 0) -> list[bytes]:
    """Tokens that are right in everything but name a random kid and carry a random signature."""
    chance = random.Random(str(seed))
    claims = login.claims(clock=clock)
    key = login.key()
    return [
        login.forge.sign(claims, key=key, header={"kid": f"{chance.random()}"}, signature=chance.randbytes(64))
        for _ in range(count)
    ]


async def flood(api: ProtectedApi, login: Login, clock: FakeClock, *, tokens: int) -> None:
    """Send ten rounds of forged tokens, 1 % valid ones among them, and check every single answer."""
    per_round = tokens // ROUNDS
    for number in range(ROUNDS):
        good = {login.token(clock=clock) for _ in range(per_round // 100)}
        mixed = [*forged(login, per_round - len(good), clock=clock, seed=number), *good]
        random.Random(number).shuffle(mixed)
        statuses = await api.statuses(mixed, at_once=200)
        assert [token in good for token in mixed] == [status == 200 for status in statuses]
        assert set(statuses) == {200, 401}
        await landed()
        clock.advance(ROUND_S)


def allowed_fetches() -> int:
    """The first fetch, and one for each cool-down that the rounds of a flood span."""
    return 1 + int((ROUNDS - 1) * ROUND_S // COOLDOWN_S)


@pytest.mark.anyio
async def test_F01_random_kids_cannot_raise_the_fetch_rate(login: Login) -> None:
    """F01, R-JWK-09: 5,000 random kids cost one fetch a cool-down, and 1 % valid tokens pass all along."""
    clock = FakeClock()
    api = api_for(login, clock)
    await flood(api, login, clock, tokens=5000)
    assert login.fetches == allowed_fetches()
    assert api.calls == 5000 // 100
    assert len(api.keys_of()._negative) <= Limits().kid_negative
    assert {event.reason for event in api.events if isinstance(event, events.Decided)} == {None, Reason.NO_KEY}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(answers.status(500), "status", id="F02"),
        pytest.param(answers.content(b'{"keys": []}'), "no_usable_key", id="F04"),
    ],
)
async def test_F02_F04_a_flood_while_the_provider_is_broken(login: Login, answer: Answer, reason: str) -> None:
    """F02, F04: while the provider answers 500 or an empty set, no valid token is refused, and the cool-down holds."""
    clock = FakeClock()
    api = api_for(login, clock)
    assert (await api.get(token=login.token(clock=clock))).status == 200
    login.idp.answer(JWKS_PATH, answer)
    await flood(api, login, clock, tokens=1000)
    assert login.fetches == allowed_fetches()
    assert {event.reason for event in api.events if isinstance(event, events.RefreshFailed)} == {reason}
    assert api.keys_of().held.key_set.live


@pytest.mark.anyio
async def test_F03_nobody_with_a_known_key_waits_for_a_silent_provider(login: Login) -> None:
    """F03: with 100 strangers waiting for a silent provider, known keys and further strangers are answered at once."""
    clock = FakeClock()
    api = api_for(login, clock, limits=Limits(kid_wait_s=60, fetch_total_s=60))
    remembered = login.token(clock=clock)
    assert (await api.get(token=remembered)).status == 200
    clock.advance(COOLDOWN_S)
    login.idp.answer(JWKS_PATH, answers.hang())
    flood = forged(login, 1000, clock=clock)
    async with anyio.create_task_group() as group:
        for token in flood[:100]:
            group.start_soon(api.get, "/reports", token)
        with anyio.fail_after(10):
            flight = await waiting(api, 100)
            # Nobody below may wait for the fetch, which hangs until this test ends.
            assert (await api.get(token=remembered)).status == 200
            valid = [login.token(clock=clock) for _ in range(50)]
            assert set(await api.statuses(valid)) == {200}
            assert set(await api.statuses(flood[100:])) == {401}
        assert flight.waiting == 100
        assert len(flights()) == 1
        assert login.idp.open_connections == 1
        group.cancel_scope.cancel()
    assert flight.waiting == 0
    login.idp.stop()
    await landed()
    assert login.fetches == 2


@pytest.mark.anyio
async def test_F03_a_stranger_waits_a_bounded_time(login: Login) -> None:
    """F03: a token of an unknown key waits no longer than its limit for a silent provider, then gets its 401."""
    clock = FakeClock()
    api = ProtectedApi(configured(login, limits=Limits(kid_wait_s=0.05), startup=Startup.EAGER), clock=clock)
    await api.guard.start()
    clock.advance(COOLDOWN_S)
    login.idp.answer(JWKS_PATH, answers.hang())
    with anyio.fail_after(4):  # the fetch itself would take five seconds
        assert set(await api.statuses(forged(login, 300, clock=clock))) == {401}
    login.idp.stop()
    await landed()


@pytest.mark.anyio
async def test_F04_an_empty_set_at_a_cold_start_is_no_reason_to_hurry(login: Login) -> None:
    """F04, R-JWK-11: without any keys yet, an empty set means 503 and one attempt a pause, however many ask."""
    clock = FakeClock()
    api = api_for(login, clock)
    login.idp.answer(JWKS_PATH, answers.content(b'{"keys": []}'))
    tokens = [*forged(login, 490, clock=clock), *(login.token(clock=clock) for _ in range(10))]
    for attempts in (1, 2, 3):
        assert set(await api.statuses(tokens)) == {503}
        await landed()
        assert login.fetches == attempts
        clock.advance(Limits().keys_cold_retry_s)
    assert api.calls == 0


@pytest.mark.anyio
async def test_F13_a_bad_signature_never_fetches(login: Login) -> None:
    """F13: tokens with a known kid and a wrong signature are refused without a fetch, cool-down or not."""
    clock = FakeClock()
    api = api_for(login, clock)
    assert (await api.get(token=login.token(clock=clock))).status == 200
    claims, key = login.claims(clock=clock), login.key()
    wrong = [login.forge.sign(claims, key=key, signature=random.Random(seed).randbytes(64)) for seed in range(100)]
    for _ in range(3):
        clock.advance(COOLDOWN_S)
        assert set(await api.statuses(wrong)) == {401}
    await landed()
    assert login.fetches == 1
    assert api.seen(events.Decided)[-1] == events.Decided("GET /reports", Reason.BAD_SIGNATURE)
