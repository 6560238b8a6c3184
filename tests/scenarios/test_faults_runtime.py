"""Bugs at every seam, and clocks that jump."""

from __future__ import annotations

import threading

import anyio
import pytest
from starlette.types import Message, Receive, Scope, Send

from jwtguard import ClaimRule, Endpoint, JWTGuardMiddleware, events
from jwtguard.jwks.source import KeySetSource
from tests.kit.fake_clock import FakeClock
from tests.scenarios.protected_api import Login, ProtectedApi, api_for, configured, landed

COOLDOWN_S = 30.0
DAY_S = 86_400.0


class Broken(Exception):  # noqa: N818 - what a test breaks with
    """No exception that jwtguard could know."""


# Bugs at the seams


@pytest.mark.anyio
async def test_F66_a_broken_sink_decides_nothing(login: Login, clock: FakeClock) -> None:
    """F66: what the event sink raises is counted and otherwise ignored, in requests and in the thread that fetches."""

    def sink(event: events.Event) -> None:
        raise Broken

    api = ProtectedApi(configured(login), clock=clock, on_event=sink)
    good, bad = login.lasting_token(clock=clock), login.token("k2", clock=clock)
    assert [(await api.get(token=token)).status for token in (good, good, bad, None)] == [200, 200, 401, 401]
    assert (await api.get("/health")).status == 200
    await landed()
    assert api.guard.sink_failures == 1 + 5, "one for the keys, one for each decision"
    clock.advance(540)
    assert (await api.get(token=good)).status == 200
    await landed()
    assert login.fetches == 2
    assert api.guard.sink_failures == 6 + 2


@pytest.mark.anyio
@pytest.mark.parametrize("remembered", [False, True], ids=["first sight", "remembered"])
async def test_F66_a_rule_that_raises_is_a_server_error(login: Login, clock: FakeClock, *, remembered: bool) -> None:
    """F66, R-CLM-12: an exception of a claim rule reaches the server as it is; the application is not called."""
    broken = remembered is False

    def test(value: object) -> bool:
        if broken:
            raise Broken
        return True

    rule = ClaimRule("sub", "breaks", test)
    endpoint = Endpoint(match=("GET /reports",), accept=("access",), rules=(rule,))
    api = ProtectedApi(configured(login, endpoints=(endpoint,)), clock=clock)
    token = login.token(clock=clock)
    if remembered:
        assert (await api.get(token=token)).status == 200
        broken = True
    calls = api.calls
    for _ in range(2):
        with pytest.raises(Broken):
            await api.get(token=token)
    assert api.calls == calls
    broken = False
    assert (await api.get(token=token)).status == 200


@pytest.mark.anyio
@pytest.mark.parametrize("hand", ["now", "monotonic"])
async def test_F66_a_clock_that_raises_is_a_server_error(
    login: Login, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, hand: str
) -> None:
    """F66: without a clock there is no decision: the exception propagates, nothing is put into the scope."""
    api = api_for(login, clock)
    token = login.token(clock=clock)
    assert (await api.get(token=token)).status == 200

    def stopped(self: FakeClock) -> float:
        raise Broken

    async def forbidden(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError

    async def nothing() -> Message:
        raise AssertionError

    async def unsent(message: Message) -> None:
        raise AssertionError

    monkeypatch.setattr(FakeClock, hand, stopped)
    scope: Scope = {
        "type": "http", "method": "GET", "path": "/reports", "scheme": "https",
        "headers": [(b"authorization", b"Bearer " + token)],
    }  # fmt: skip
    before = set(scope)
    with pytest.raises(Broken):
        await JWTGuardMiddleware(forbidden, guard=api.guard)(scope, nothing, unsent)
    assert set(scope) == before


@pytest.mark.anyio
async def test_F66_a_bug_in_the_fetch_is_reported_and_shuts_nothing(
    login: Login, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F66: an unforeseen exception while fetching ends as a failed refresh and in the thread's log, not as silence."""
    api, token = api_for(login, clock), login.lasting_token(clock=clock)
    assert (await api.get(token=token)).status == 200
    logged: list[type[BaseException]] = []

    async def read(self: KeySetSource, *, fresh: bool) -> tuple[list[object], float | None]:
        raise Broken

    with monkeypatch.context() as patch:
        patch.setattr(threading, "excepthook", lambda args: logged.append(args.exc_type))
        patch.setattr(KeySetSource, "read", read)
        clock.advance(540)
        assert (await api.get(token=token)).status == 200
        await landed()
    assert logged == [Broken]
    assert api.seen(events.RefreshFailed) == [events.RefreshFailed("login", "internal_error")]
    assert api.keys_of()._flight is None
    clock.advance(COOLDOWN_S)
    assert (await api.get(token=token)).status == 200
    await landed()
    assert len(api.seen(events.KeysRefreshed)) == 2


@pytest.mark.anyio
async def test_F66_a_cold_start_with_a_bug_in_the_fetch_is_closed(
    login: Login, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F66: an unforeseen exception during the first fetch is a 503 for every token, and no request hangs."""
    api = api_for(login, clock)

    async def read(self: KeySetSource, *, fresh: bool) -> tuple[list[object], float | None]:
        raise Broken

    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    monkeypatch.setattr(KeySetSource, "read", read)
    with anyio.fail_after(10):
        assert set(await api.statuses([login.token(clock=clock)] * 20)) == {503}
    await landed()
    assert api.calls == 0


# Clocks


@pytest.mark.anyio
async def test_F68_expiry_follows_the_wall_clock(login: Login, clock: FakeClock) -> None:
    """F68: a wall clock a day ahead ends tokens, one a day back makes them early; put right, they pass."""
    api = api_for(login, clock)
    remembered, unseen = login.token(clock=clock), login.token(clock=clock)
    assert (await api.get(token=remembered)).status == 200
    for jump in (DAY_S, -DAY_S):
        clock.step_wall(jump)
        assert [(await api.get(token=token)).status for token in (remembered, unseen)] == [401, 401]
        assert (await api.get(token=login.token(clock=clock))).status == 200
        clock.step_wall(-jump)
        assert (await api.get(token=remembered)).status == 200
    await landed()
    assert login.fetches == 1, "no key grew older"


@pytest.mark.anyio
@pytest.mark.parametrize("jump", [DAY_S, -DAY_S, 3600.0, -3600.0])
async def test_F68_key_life_follows_the_monotonic_clock(login: Login, clock: FakeClock, jump: float) -> None:
    """F68: no jump of the wall clock ages keys, shortens a cool-down or stretches the hard end."""
    api = api_for(login, clock)
    assert (await api.get(token=login.token(clock=clock))).status == 200
    clock.step_wall(jump)
    stranger = login.token("k2", clock=clock)
    assert set(await api.statuses([stranger] * 50)) == {401}
    await landed()
    assert login.fetches == 1, "still inside the cool-down"
    login.idp.stop()
    clock.advance(600 + 4 * 3600 - 1)
    assert (await api.get(token=login.token(clock=clock))).status == 200
    clock.step_wall(jump)
    assert (await api.get(token=login.token(clock=clock))).status == 200
    await landed()
    clock.advance(1)
    assert (await api.get(token=login.token(clock=clock))).status == 503
    await landed()


@pytest.mark.anyio
async def test_F68_a_long_suspension_costs_one_fetch(login: Login, clock: FakeClock) -> None:
    """F68: both clocks a day ahead, as after a suspension, and a herd at once: one fetch, and no stale key is used."""
    api = api_for(login, clock)
    old = login.lasting_token(clock=clock)
    assert (await api.get(token=old)).status == 200
    login.publish("k2")
    clock.advance(DAY_S)
    tokens = [login.token("k2", clock=clock) for _ in range(200)] + [old] * 200
    assert await api.statuses(tokens, at_once=400) == [200] * 200 + [401] * 200
    await landed()
    assert login.fetches == 2
