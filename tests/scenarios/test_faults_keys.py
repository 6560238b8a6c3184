"""The identity provider is down, at the start or later, and comes back; the clock is ours."""

from __future__ import annotations

import pytest
from starlette.types import Message, Receive, Scope, Send

from jwtguard import Guard, JWTGuardMiddleware, Startup, Unavailable, events
from tests.kit.fake_clock import FakeClock
from tests.kit.fake_idp import FakeIdP
from tests.scenarios.protected_api import Login, ProtectedApi, api_for, configured, landed

LIFE_S = 600.0
STALE_S = 4 * 3600.0


async def warm(login: Login, clock: FakeClock) -> tuple[ProtectedApi, bytes]:
    """An application that has the keys, and a token it remembers."""
    api, token = api_for(login, clock), login.lasting_token(clock=clock)
    assert (await api.get(token=token)).status == 200
    assert len(api.guard.snapshot.context.memory) == 1
    return api, token


@pytest.mark.anyio
async def test_F05_an_hour_without_the_provider_is_no_outage(login: Login, clock: FakeClock) -> None:
    """F05, R-JWK-10: with the port closed for an hour every valid token passes, attempts back off, an event tells."""
    api, remembered = await warm(login, clock)
    login.idp.stop()
    for _ in range(360):
        clock.advance(10)
        unseen = login.token(clock=clock)
        assert [(await api.get(token=token)).status for token in (remembered, unseen)] == [200, 200]
        await landed()
    failed = len(api.seen(events.RefreshFailed))
    assert 20 <= failed <= 35, "each is two attempts to connect, and 70 are allowed"
    ages = [event.age_s for event in api.events if isinstance(event, events.KeysStale)]
    assert ages == sorted(ages)
    assert LIFE_S <= ages[0] < ages[-1] <= 3600


@pytest.mark.anyio
async def test_F05_the_provider_comes_back(login: Login, clock: FakeClock) -> None:
    """F05, R-JWK-07: once the provider answers again, the next attempt ends the back-off and the stale phase."""
    api, token = await warm(login, clock)
    login.idp.stop()
    for _ in range(12):
        clock.advance(120)
        assert (await api.get(token=token)).status == 200
        await landed()
    login.idp.start()
    clock.advance(120)
    assert (await api.get(token=token)).status == 200
    await landed()
    assert api.keys_of().held.usable_until == clock.monotonic() + LIFE_S
    stale = len(api.seen(events.KeysStale))
    clock.advance(LIFE_S - 1)
    assert (await api.get(token=token)).status == 200
    await landed()
    assert len(api.seen(events.KeysStale)) == stale


@pytest.mark.anyio
async def test_F06_beyond_the_hard_end_nobody_gets_in(login: Login, clock: FakeClock) -> None:
    """F06, R-JWK-10: four hours past their life keys serve; after that every protected request is a 503."""
    api, remembered = await warm(login, clock)
    login.idp.stop()
    clock.advance(LIFE_S + STALE_S - 1)
    assert (await api.get(token=remembered)).status == 200
    await landed()
    clock.advance(1)
    calls = api.calls
    for token in (remembered, login.token(clock=clock), login.token("unknown", clock=clock)):
        reply = await api.get(token=token)
        assert (reply.status, reply.headers["retry-after"]) == (503, "1")
        assert "www-authenticate" not in reply.headers
        await landed()
    assert set(await api.statuses([remembered] * 50)) == {503}
    assert api.calls == calls
    assert (await api.get("/health")).status == 200
    assert (await api.get(token=None)).status == 401
    await landed()
    login.idp.start()
    clock.advance(1)
    assert (await api.get(token=remembered)).status == 200


@pytest.mark.anyio
async def test_F06_nothing_stretches_the_hard_end(login: Login, clock: FakeClock) -> None:
    """F06: attempts and answers in the stale phase never carry keys past the hard end, in whatever rhythm they come."""
    api, token = await warm(login, clock)
    login.idp.stop()
    clock.advance(LIFE_S + STALE_S - 200)
    for _ in range(20):
        clock.advance(10)
        within = clock.monotonic() < LIFE_S + STALE_S
        assert (await api.get(token=token)).status == (200 if within else 503)
        await landed()


@pytest.mark.anyio
async def test_F07_a_lazy_cold_start_fails_closed_and_recovers(login: Login, clock: FakeClock) -> None:
    """F07, R-JWK-11: without a first key set every token is a 503, and a second after the provider is up a 200."""
    api = api_for(login, clock)
    login.idp.stop()
    await api.guard.start()
    tokens = [login.token(clock=clock), login.token("k2", clock=clock)]
    for _ in range(5):
        for token in tokens:
            reply = await api.get(token=token)
            assert (reply.status, reply.headers["retry-after"]) == (503, "1")
            await landed()
        clock.advance(1)
    assert api.calls == 0
    assert (await api.get("/health")).status == 200
    login.idp.start()
    clock.advance(1)
    assert [(await api.get(token=token)).status for token in tokens] == [200, 401]
    assert (await api.get(token=b"not.a.token")).status == 401


async def lifespan(guard: Guard) -> list[str]:
    """Start and stop an application as a server does; return what the server and the application were told."""
    told: list[str] = []
    server = iter(("lifespan.startup", "lifespan.shutdown"))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for step in ("startup", "shutdown"):
            told.append("application: " + (await receive())["type"])
            await send({"type": f"lifespan.{step}.complete"})

    async def receive() -> Message:
        return {"type": next(server)}

    async def send(message: Message) -> None:
        told.append("server: " + message["type"])

    try:
        await JWTGuardMiddleware(app, guard=guard)({"type": "lifespan"}, receive, send)
    except Unavailable as error:
        told.append(f"raised: {error}")
    return told


@pytest.mark.anyio
async def test_F07_an_eager_start_without_keys_is_refused(login: Login, clock: FakeClock) -> None:
    """F07, R-JWK-11: an eager start-up without keys tells the server so, and the application never starts."""
    api = ProtectedApi(configured(login, startup=Startup.EAGER), clock=clock)
    login.idp.stop()
    assert await lifespan(api.guard) == [
        "server: lifespan.startup.failed",
        "raised: no keys from issuer login; startup is eager",
    ]
    login.idp.start()
    assert await lifespan(api.guard) == [
        "application: lifespan.startup",
        "server: lifespan.startup.complete",
        "application: lifespan.shutdown",
        "server: lifespan.shutdown.complete",
    ]
    assert login.fetches == 1
    assert (await api.get(token=login.token(clock=clock))).status == 200
    assert login.fetches == 1


@pytest.mark.anyio
async def test_F07_an_eager_start_needs_every_issuer(login: Login, clock: FakeClock) -> None:
    """F07, R-JWK-11: one issuer without keys stops an eager start, and the error names that issuer alone."""
    with FakeIdP() as other:
        silent = Login(other, name="partner")
        silent.publish()
        guard = ProtectedApi(configured(login, silent, startup=Startup.EAGER), clock=clock).guard
        assert (await lifespan(guard))[-1] == "raised: no keys from issuer partner; startup is eager"
