"""Many requests that need one fetch, requests that are cancelled meanwhile, and several event loops."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from collections.abc import Awaitable, Callable, Iterator
from functools import partial

import anyio
import pytest
from anyio.lowlevel import checkpoint

from jwtguard import Limits, events
from jwtguard.jwks.flight import Flight
from tests.kit import answers
from tests.kit.exchange import Answer, Exchange
from tests.kit.fake_clock import FakeClock
from tests.kit.fake_idp import JWKS_PATH, FakeIdP
from tests.scenarios.protected_api import Login, ProtectedApi, api_for, flights, landed, waiting

HERD = 1000
UNHURRIED = Limits(kid_wait_s=60, fetch_connect_s=60, fetch_total_s=60)
"""A thousand requests take a busy machine a while, and no fetch may fail for that."""


class Gate:
    """Holds an answer back until it is opened."""

    def __init__(self) -> None:
        self._open = threading.Event()

    def open(self) -> None:
        """Let answers go."""
        self._open.set()

    def before(self, then: Answer) -> Answer:
        """An answer that waits for the gate."""

        async def answer(exchange: Exchange) -> None:
            await asyncio.to_thread(self._open.wait, 30)
            await then(exchange)

        return answer


@pytest.fixture
def gate() -> Gate:
    """What holds the key set back."""
    return Gate()


@pytest.fixture
def login(gate: Gate) -> Iterator[Login]:
    """A provider whose key set comes when the gate is opened."""
    with FakeIdP() as idp:
        login = Login(idp)
        login.publish("k1")
        idp.answer(JWKS_PATH, gate.before(answers.normal()))
        yield login
        gate.open()


@pytest.mark.anyio
async def test_F08_a_thundering_herd_causes_one_fetch(login: Login, gate: Gate) -> None:
    """F08, R-JWK-08: 1,000 first requests at once wait for one fetch and are all answered right."""
    clock = FakeClock()
    api = api_for(login, clock, limits=UNHURRIED)
    tokens = [login.token(clock=clock) for _ in range(HERD - 1)] + [login.token("k2", clock=clock)]
    found: list[int] = []

    async def send_all() -> None:
        found.extend(await api.statuses(tokens, at_once=HERD))

    async with anyio.create_task_group() as group:
        group.start_soon(send_all)
        await waiting(api, HERD)
        gate.open()
    assert found == [200] * (HERD - 1) + [401]
    assert login.fetches == 1
    assert api.calls == HERD - 1


@pytest.mark.anyio
async def test_F08_beyond_the_bound_the_herd_is_turned_away(login: Login, gate: Gate) -> None:
    """F08: cold requests beyond the bounded number of waiters get their 503 at once, not another fetch."""
    clock = FakeClock()
    api = api_for(login, clock, limits=dataclasses.replace(UNHURRIED, cold_waiters=10))
    token = login.token(clock=clock)
    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(api.get, "/reports", token)
        flight = await waiting(api, 10)
        with anyio.fail_after(10):
            assert set(await api.statuses([token] * 50)) == {503}
        assert flight.waiting == 10
        gate.open()
    assert api.calls == 10
    assert login.fetches == 1


@pytest.mark.anyio
async def test_F09_cancelled_waiters_take_nobody_with_them(login: Login, gate: Gate) -> None:
    """F09: of 1,000 waiters 999 are cancelled, the one that started the fetch first; the last one gets its 200."""
    clock = FakeClock()
    api, token = api_for(login, clock, limits=UNHURRIED), login.token(clock=clock)
    found: list[int] = []
    scopes = [anyio.CancelScope() for _ in range(HERD - 1)]

    async def doomed(scope: anyio.CancelScope) -> None:
        with scope:
            found.append((await api.get(token=token)).status)

    async with anyio.create_task_group() as group:
        for scope in scopes:
            group.start_soon(doomed, scope)
        flight = await waiting(api, HERD - 1)
        group.start_soon(doomed, anyio.CancelScope())
        await waiting(api, HERD)
        for scope in scopes:
            scope.cancel()
        with anyio.fail_after(30):
            while flight.waiting > 1:
                await checkpoint()
        gate.open()
    await landed()
    assert found == [200]
    assert login.fetches == 1
    assert (flight.waiting, flights(), api.keys_of()._flight) == (0, [], None)
    assert (await api.get(token=token)).status == 200


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_F09_native_cancellation_is_no_different(login: Login, gate: Gate) -> None:
    """F09: the same with tasks of asyncio's own, cancelled by asyncio's own means, from the first one on."""
    clock = FakeClock()
    api, token = api_for(login, clock, limits=UNHURRIED), login.token(clock=clock)
    tasks = [asyncio.create_task(api.get(token=token)) for _ in range(HERD)]
    flight = await waiting(api, HERD)
    *doomed, last = tasks
    for task in doomed:
        task.cancel()
    done = await asyncio.gather(*doomed, return_exceptions=True)
    assert all(isinstance(outcome, asyncio.CancelledError) for outcome in done)
    assert flight.waiting == 1
    gate.open()
    assert (await last).status == 200
    assert login.fetches == 1
    await landed()
    assert flights() == []


@pytest.mark.anyio
async def test_F09_a_fetch_outlives_all_who_asked_for_it(login: Login, gate: Gate) -> None:
    """F09, R-JWK-08: a fetch all of whose waiters are gone still lands, and the next request finds its keys."""
    clock = FakeClock()
    api, token = api_for(login, clock, limits=UNHURRIED), login.token(clock=clock)
    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(api.get, "/reports", token)
        await waiting(api, 20)
        group.cancel_scope.cancel()
    gate.open()
    await landed()
    assert (await api.get(token=token)).status == 200
    assert login.fetches == 1


async def steps(count: int, after: Flight | None = None) -> None:
    """Let the event loop turn so many times, counted from a landing if one is named."""
    if after is not None:
        await after.wait(30)
    for _ in range(count):
        await checkpoint()


async def fleeting(asked: Callable[[], Awaitable[None]], patience: Callable[[], Awaitable[None]]) -> None:
    """Ask, and cancel that when patience has ended."""
    async with anyio.create_task_group() as group:

        async def ask() -> None:
            await asked()
            group.cancel_scope.cancel()

        group.start_soon(ask)
        await patience()
        group.cancel_scope.cancel()


@pytest.mark.anyio
async def test_F65_cancellation_at_any_point_leaks_nothing(login: Login, gate: Gate) -> None:
    """F65: requests cancelled some steps after their start, or around the landing, leave nothing behind."""
    clock = FakeClock()
    api = api_for(login, clock, limits=UNHURRIED)
    tokens = login.token(clock=clock), login.token("k2", clock=clock)
    found: list[int] = []

    async def ask(token: bytes) -> None:
        found.append((await api.get(token=token)).status)

    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            for number in range(200):
                group.start_soon(fleeting, partial(ask, tokens[number % 2]), partial(steps, number // 8))
        assert found == [], "the gate was closed"
        async with anyio.create_task_group() as group:
            for token in tokens:
                group.start_soon(ask, token)
            flight = await waiting(api, 2)
            for number in range(200):
                group.start_soon(fleeting, partial(ask, tokens[number % 2]), partial(steps, number // 8, flight))
            await waiting(api, 402)
            gate.open()
    await landed()
    assert set(found) == {200, 401}
    assert (flights(), flight.waiting, api.keys_of()._flight) == ([], 0, None)
    assert [(await api.get(token=token)).status for token in tokens] == [200, 401]
    assert login.fetches == 1
    assert api.seen(events.RefreshFailed) == []


def rounds(api: ProtectedApi, token: bytes, found: list[int]) -> Callable[[], Awaitable[None]]:
    """Sends three requests in whatever event loop runs it."""

    async def send() -> None:
        found.extend([(await api.get(token=token)).status for _ in range(3)])

    return send


def test_one_guard_serves_event_loops_in_turn(login: Login, gate: Gate) -> None:
    """F08, F67: a guard holds nothing of an event loop, so loops may use it one after another."""
    gate.open()
    clock = FakeClock()
    api = api_for(login, clock, limits=UNHURRIED)
    found: list[int] = []
    for backend in ("asyncio", "asyncio", "trio", "asyncio"):
        clock.advance(300)
        anyio.run(rounds(api, login.token(clock=clock), found), backend=backend)
        anyio.run(landed, backend=backend)
    assert found == [200] * 12
    assert login.fetches == 2


def test_one_guard_serves_two_threads_with_a_loop_each(login: Login, gate: Gate) -> None:
    """F08, F67: requests of an asyncio loop and a trio loop in two threads wait for the same one fetch."""
    clock = FakeClock()
    api = api_for(login, clock, limits=UNHURRIED)
    found: list[int] = []
    threads = [
        threading.Thread(
            target=anyio.run, args=(rounds(api, login.token(clock=clock), found),), kwargs={"backend": name}
        )
        for name in ("asyncio", "trio")
    ]
    for thread in threads:
        thread.start()
    anyio.run(waiting, api, 2)
    gate.open()
    for thread in threads:
        thread.join(30)
    assert found == [200] * 6
    assert login.fetches == 1


def test_a_loop_that_ended_holds_up_no_other(login: Login, gate: Gate) -> None:
    """F65, F67: a loop that ends while its request waits for the fetch leaves the fetch to the next loop."""
    clock = FakeClock()
    api, token = api_for(login, clock, limits=UNHURRIED), login.token(clock=clock)

    async def leave() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(api.get, "/reports", token)
            await waiting(api, 1)
            group.cancel_scope.cancel()

    found: list[int] = []
    anyio.run(leave)
    gate.open()
    anyio.run(rounds(api, token, found), backend="trio")
    assert found == [200] * 3
    assert login.fetches == 1
