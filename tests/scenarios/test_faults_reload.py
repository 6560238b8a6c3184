"""A policy that changes under traffic: whole, or not at all."""

from __future__ import annotations

import dataclasses
import itertools
import threading
from collections.abc import Sequence

import anyio
import pytest
from anyio.lowlevel import checkpoint

from jwtguard import Config, ConfigurationError, Endpoint, InlineKeys, JwksUri
from tests.kit import answers
from tests.kit.fake_clock import FakeClock
from tests.kit.fake_idp import JWKS_PATH, FakeIdP
from tests.scenarios.protected_api import Login, ProtectedApi, api_for, configured, landed

RELOADS = 60


def policy(login: Login, scope: str) -> Config:
    """A policy whose only difference is the scope it needs."""
    endpoint = Endpoint(match=("GET /reports",), accept=("access",), scopes=frozenset({scope}))
    return configured(login, endpoints=(endpoint,))


def inline(login: Login, *, scope: str, trusted: str) -> Config:
    """A policy that needs a scope and trusts one of two keys."""
    config = policy(login, scope)
    keys = InlineKeys([login.key(trusted).public_jwk()])
    return dataclasses.replace(config, issuers=[dataclasses.replace(login.issuer(), keys=keys)])


@pytest.mark.anyio
async def test_F69_no_decision_mixes_two_policies(login: Login, clock: FakeClock) -> None:
    """F69: while two policies replace each other, none passes that fits the key of one and the scope of the other."""
    first, second = inline(login, scope="a", trusted="k1"), inline(login, scope="b", trusted="k2")
    api = ProtectedApi(first, clock=clock)
    mixed = [login.token("k1", clock=clock, scope="b"), login.token("k2", clock=clock, scope="a")]
    whole = [login.token("k1", clock=clock, scope="a"), login.token("k2", clock=clock, scope="b")]
    over = threading.Event()

    turns = itertools.cycle((second, first))

    def swap() -> None:
        for _ in range(RELOADS):
            api.guard.reload(next(turns))
        over.set()

    swapper = threading.Thread(target=swap)
    seen: set[tuple[str, int]] = set()
    swapper.start()
    with anyio.fail_after(60):
        while not over.is_set() or len(seen) < 8:
            for kind, tokens in (("mixed", mixed), ("whole", whole)):
                for index, token in enumerate(tokens):
                    seen.add((f"{kind} {index}", (await api.get(token=token)).status))
            if over.is_set():
                api.guard.reload(next(turns))
            await checkpoint()
    swapper.join()
    assert seen == {
        ("mixed 0", 403), ("mixed 0", 401), ("mixed 1", 403), ("mixed 1", 401),
        ("whole 0", 200), ("whole 0", 401), ("whole 1", 200), ("whole 1", 401),
    }  # fmt: skip


@pytest.mark.anyio
async def test_F69_a_request_under_way_ends_under_its_own_policy(login: Login, clock: FakeClock) -> None:
    """F69: a request that waits for keys while the policy changes is decided by the old one, the next by the new."""
    api = ProtectedApi(policy(login, "a"), clock=clock)
    login.idp.answer(JWKS_PATH, answers.after(0.2, answers.normal()))
    token = login.token(clock=clock, scope="a")
    found: list[int] = []

    async def ask() -> None:
        found.append((await api.get(token=token)).status)

    async with anyio.create_task_group() as group:
        group.start_soon(ask)
        with anyio.fail_after(10):
            while (flight := api.keys_of()._flight) is None or not flight.waiting:
                await checkpoint()
        api.guard.reload(policy(login, "b"))
    assert found == [200]
    assert (await api.get(token=token)).status == 403


@pytest.mark.anyio
async def test_F69_what_the_old_policy_remembered_does_not_count(login: Login, clock: FakeClock) -> None:
    """F69: a token remembered under one policy is verified anew under the next, by the keys of that policy."""
    api = ProtectedApi(inline(login, scope="a", trusted="k1"), clock=clock)
    token = login.token(clock=clock, scope="a")
    assert (await api.get(token=token)).status == 200
    api.guard.reload(inline(login, scope="a", trusted="k2"))
    assert (await api.get(token=token)).status == 401
    api.guard.reload(inline(login, scope="b", trusted="k1"))
    assert (await api.get(token=token)).status == 403
    api.guard.reload(inline(login, scope="a", trusted="k1"))
    assert len(api.guard.snapshot.context.memory) == 0
    assert (await api.get(token=token)).status == 200


def invalid_policies(login: Login) -> Sequence[Config]:
    """Policies that cannot be built, each in another stage of building."""
    good = configured(login)
    endpoint = good.endpoints[1]
    return (
        dataclasses.replace(good, endpoints=(dataclasses.replace(endpoint, accept=("acces",)),)),
        dataclasses.replace(good, endpoints=(dataclasses.replace(endpoint, issuers=("nobody",)),)),
        dataclasses.replace(good, endpoints=(endpoint, dataclasses.replace(endpoint, name="again"))),
        dataclasses.replace(good, issuers=[*good.issuers, *good.issuers]),
        dataclasses.replace(
            good, issuers=[dataclasses.replace(login.issuer(), keys=JwksUri("http://login.example.com/keys"))]
        ),
        dataclasses.replace(good, issuers=[dataclasses.replace(login.issuer(), keys=InlineKeys([], ["no PEM"]))]),
    )


@pytest.mark.anyio
@pytest.mark.parametrize("number", range(6))
async def test_F69_an_invalid_policy_leaves_the_old_one(login: Login, clock: FakeClock, number: int) -> None:
    """F69, R-JWK-04: a reload that fails raises, and policy, keys and remembered tokens stay as they were."""
    api, token = api_for(login, clock), login.token(clock=clock)
    assert (await api.get(token=token)).status == 200
    before = api.guard.snapshot
    with pytest.raises(ConfigurationError):
        api.guard.reload(invalid_policies(login)[number])
    assert api.guard.snapshot is before
    assert len(before.context.memory) == 1
    assert (await api.get(token=token)).status == 200
    assert login.fetches == 1


@pytest.mark.anyio
async def test_F69_a_guard_without_a_file_cannot_guess_a_policy(login: Login, clock: FakeClock) -> None:
    """F69: reload() without a policy, on a guard not made from a file, is an error and changes nothing."""
    api = api_for(login, clock)
    before = api.guard.snapshot
    with pytest.raises(ConfigurationError):
        api.guard.reload()
    assert api.guard.snapshot is before


@pytest.mark.anyio
async def test_F69_unchanged_issuers_keep_their_keys(login: Login, clock: FakeClock) -> None:
    """F69: an issuer whose keys are stated as before keeps them and its cool-down; only another is fetched."""
    with FakeIdP() as idp:
        other = Login(idp, name="other")
        other.publish("k1")
        api = ProtectedApi(configured(login, other), clock=clock)
        for each in (login, other):
            assert (await api.get(token=each.token(clock=clock))).status == 200
        kept = dataclasses.replace(login.issuer(), leeway_s=10.0)
        changed = dataclasses.replace(other.issuer(), algorithms=("ES256", "RS256"))
        config = dataclasses.replace(configured(login), issuers=[kept, changed])
        api.guard.reload(config)
        for each in (login, other):
            assert (await api.get(token=each.token(clock=clock))).status == 200
        assert (await api.get(token=login.token("k2", clock=clock))).status == 401
        await landed()
        assert (login.fetches, other.fetches) == (1, 2)


@pytest.mark.anyio
async def test_F69_a_reload_during_an_outage_keeps_good_keys(login: Login, clock: FakeClock) -> None:
    """F69, R-JWK-10: reloading the same issuers while they are down takes no key away, and starts no new life."""
    api, token = api_for(login, clock), login.lasting_token(clock=clock)
    assert (await api.get(token=token)).status == 200
    login.idp.stop()
    clock.advance(3600)
    assert (await api.get(token=token)).status == 200
    await landed()
    api.guard.reload(configured(login))
    assert (await api.get(token=token)).status == 200
    await landed()
    clock.advance(4 * 3600)
    assert (await api.get(token=token)).status == 503
    await landed()


@pytest.mark.anyio
async def test_F69_a_removed_issuer_is_refused_at_once(login: Login, clock: FakeClock) -> None:
    """F69: after a reload without it an issuer's tokens are refused, remembered ones included; put back, they pass."""
    with FakeIdP() as idp:
        other = Login(idp, name="other")
        other.publish("k1")
        api = ProtectedApi(configured(login, other), clock=clock)
        token = other.lasting_token(clock=clock)
        statuses = []
        for logins in ((login, other), (login,), (login, other)):
            api.guard.reload(configured(*logins))
            statuses.append((await api.get(token=token)).status)
            await landed()
        assert statuses == [200, 401, 200]
