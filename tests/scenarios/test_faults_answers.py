"""What a provider may answer: one bad key costs itself, one bad document costs nothing."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections import Counter
from functools import partial
from typing import Any

import anyio
import pytest

from jwtguard import Discovery, InlineKeys, Issuer, Reason, events
from jwtguard.core.key_import import import_key_set
from jwtguard.core.keys import KeySet, SkipReason
from jwtguard.jwks import cache
from tests.kit import answers
from tests.kit.canary import Canary
from tests.kit.exchange import Answer
from tests.kit.fake_clock import FakeClock
from tests.kit.fake_idp import JWKS_PATH, OAUTH_PATH, OIDC_PATH
from tests.kit.forged_key import ForgedKey
from tests.scenarios.protected_api import ENDPOINTS, PATIENT, Login, ProtectedApi, api_for, configured, landed

REFRESH_S = 540.0


def api_of(*issuers: Issuer, clock: FakeClock) -> ProtectedApi:
    """An application whose issuers the test wrote itself."""
    config = configured()
    return ProtectedApi(
        type(config)(issuers=issuers, endpoints=ENDPOINTS, limits=PATIENT, mode=config.mode), clock=clock
    )


# The provider's answers


@pytest.mark.anyio
@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("target", ["canary", "file:///etc/passwd", "//evil.example/keys", "/elsewhere.json"])
async def test_F16_no_redirect_is_followed(
    login: Login, canary: Canary, clock: FakeClock, code: int, target: str
) -> None:
    """F16: whatever redirect the key set answers, nothing is contacted; cold is a 503, warm goes on with old keys."""
    redirect = answers.redirect(canary.url if target == "canary" else target, code)
    cold, token = api_for(login, clock), login.lasting_token(clock=clock)
    login.idp.answer(JWKS_PATH, redirect)
    assert (await cold.get(token=token)).status == 503
    login.idp.answer(JWKS_PATH, None)
    warm = api_for(login, clock)
    assert (await warm.get(token=token)).status == 200
    login.idp.answer(JWKS_PATH, redirect)
    clock.advance(REFRESH_S)
    assert (await warm.get(token=token)).status == 200
    await landed()
    assert (
        warm.seen(events.RefreshFailed)
        == cold.seen(events.RefreshFailed)
        == [events.RefreshFailed("login", "redirect")]
    )
    assert set(login.idp.hits) == {JWKS_PATH}
    canary.assert_untouched()


@pytest.mark.anyio
async def test_F16_no_redirect_of_metadata_is_followed(login: Login, canary: Canary, clock: FakeClock) -> None:
    """F16: a redirect of the discovery document is no metadata, and its target is not contacted."""
    login.idp.answer(OIDC_PATH, answers.redirect(canary.url))
    login.idp.answer(OAUTH_PATH, answers.redirect(canary.url))
    api = api_of(login.issuer(keys=Discovery()), clock=clock)
    assert (await api.get(token=login.token(clock=clock))).status == 503
    assert JWKS_PATH not in login.idp.hits
    canary.assert_untouched()


@pytest.mark.anyio
@pytest.mark.parametrize("broken", [answers.close(), answers.reset(), answers.cut_short()])
async def test_F19_a_connection_that_ends_early_is_tried_once_more(
    login: Login, clock: FakeClock, broken: Answer
) -> None:
    """F19: one connection closed without an answer costs one retry at once, and no request notices."""
    login.idp.answer(JWKS_PATH, answers.sequence(broken, answers.normal()))
    api = api_for(login, clock)
    assert (await api.get(token=login.token(clock=clock))).status == 200
    assert login.fetches == 2
    assert api.seen(events.RefreshFailed) == []


@pytest.mark.anyio
async def test_F19_a_second_early_end_is_a_failed_refresh(login: Login, clock: FakeClock) -> None:
    """F19: after one retry the fetch has failed; the good keys serve on."""
    api, token = api_for(login, clock), login.lasting_token(clock=clock)
    assert (await api.get(token=token)).status == 200
    login.idp.answer(JWKS_PATH, answers.close())
    clock.advance(REFRESH_S)
    assert (await api.get(token=token)).status == 200
    await landed()
    assert login.fetches == 3
    assert api.seen(events.RefreshFailed) == [events.RefreshFailed("login", "broken")]


def keys_document(count: int) -> bytes:
    """A key set of so many keys, none of any use."""
    return json.dumps({"keys": [{"kty": "x"}] * count}).encode()


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(answers.html(), "not_json", id="html"),
        pytest.param(answers.truncated_json(), "not_json", id="truncated"),
        pytest.param(answers.byte_order_mark(), "not_json", id="bom"),
        pytest.param(answers.content(b"[]"), "not_json", id="array"),
        pytest.param(answers.content(b"null"), "not_json", id="null"),
        pytest.param(answers.content(b""), "not_json", id="empty"),
        pytest.param(answers.content(b"{}"), "not_a_key_set", id="no keys"),
        pytest.param(answers.content(b'{"keys": {"k1": {}}}'), "not_a_key_set", id="keys is an object"),
        pytest.param(answers.content(b'{"keys": null}'), "not_a_key_set", id="keys is null"),
        pytest.param(answers.content(b'{"keys": [], "keys": []}'), "not_json", id="keys twice"),
        pytest.param(answers.content(b'{"keys": [NaN]}'), "not_json", id="NaN"),
        pytest.param(answers.content(b'{"keys": ["\\ud800"]}'), "not_json", id="lone surrogate"),
        pytest.param(answers.content(b'{"keys": [' + b"[" * 50_000 + b"]" * 50_000 + b"]}"), "not_json", id="deep"),
        pytest.param(answers.content(b'{"keys": [' + b"9" * 50_000 + b"]}"), "not_json", id="long integer"),
        pytest.param(answers.content(keys_document(10_000)), "too_many_keys", id="10,000 keys"),
        pytest.param(answers.content(keys_document(65)), "too_many_keys", id="65 keys"),
        pytest.param(answers.content(keys_document(64)), "no_usable_key", id="64 useless keys"),
        pytest.param(answers.content(b'{"keys": [7, null, "a", []]}'), "no_usable_key", id="no objects"),
    ],
)
async def test_F20_a_bad_set_is_never_installed(login: Login, clock: FakeClock, answer: Answer, reason: str) -> None:
    """F20, R-JWK-10: anything but a bounded set with a usable key leaves the old keys in force and says why."""
    api, token = api_for(login, clock), login.lasting_token(clock=clock)
    assert (await api.get(token=token)).status == 200
    good = api.keys_of().held.key_set
    login.idp.answer(JWKS_PATH, answer)
    clock.advance(REFRESH_S)
    assert (await api.get(token=token)).status == 200
    await landed()
    assert api.keys_of().held.key_set is good
    assert api.seen(events.RefreshFailed) == [events.RefreshFailed("login", reason)]


@pytest.mark.anyio
async def test_F20_keys_are_read_off_the_event_loop(login: Login, clock: FakeClock) -> None:
    """F20: fetching, parsing and importing happen in a thread of their own, where their events come from."""
    threads: set[int] = set()

    def note(event: events.Event) -> None:
        if not isinstance(event, events.Decided):
            threads.add(threading.get_ident())

    api = ProtectedApi(configured(login), clock=clock, on_event=note)
    assert (await api.get(token=login.token(clock=clock))).status == 200
    assert threads
    assert threading.get_ident() not in threads


@pytest.mark.anyio
async def test_F20_reading_keys_holds_up_no_request(
    login: Login, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F20: while the import of a key set takes long, requests with known keys are answered."""
    api, token = api_for(login, clock), login.lasting_token(clock=clock)
    assert (await api.get(token=token)).status == 200
    started, go_on = threading.Event(), threading.Event()

    def slowly(*args: Any) -> KeySet:
        started.set()
        assert go_on.wait(30)
        return import_key_set(*args)

    monkeypatch.setattr(cache, "import_key_set", slowly)
    clock.advance(REFRESH_S)
    assert (await api.get(token=token)).status == 200
    await anyio.to_thread.run_sync(started.wait, 30)
    assert set(await api.statuses([token, login.token(clock=clock)] * 20)) == {200}
    go_on.set()
    await landed()
    assert len(api.seen(events.KeysRefreshed)) == 2


def bad_keys(login: Login) -> dict[str, tuple[object, SkipReason]]:
    """Keys that cannot be used, by the kid they carry or would carry."""
    ec, rsa = login.key("ec").public_jwk(), login.key("rsa", "RS256").public_jwk()
    return {
        "kty-list": ({**ec, "kty": ["EC"]}, SkipReason.MALFORMED),
        "no-kty": ({"kid": "no-kty"}, SkipReason.MALFORMED),
        "off-curve": ({**ec, "y": ec["x"]}, SkipReason.MALFORMED),
        "no-point": ({**ec, "x": None}, SkipReason.MALFORMED),
        "secp256k1": ({**ec, "crv": "secp256k1"}, SkipReason.UNSUPPORTED),
        "rsa-512": ({**rsa, "n": str(rsa["n"])[:86]}, SkipReason.WEAK),
        "rsa-e-1": ({**rsa, "e": "AQ"}, SkipReason.WEAK),
        "oct": (login.key("oct", "HS256").private_jwk(), SkipReason.SYMMETRIC),
        "private": (login.key("private").private_jwk(), SkipReason.PRIVATE),
        "enc": ({**ec, "use": "enc"}, SkipReason.NOT_FOR_SIGNATURES),
        "wrap": ({**ec, "key_ops": ["wrapKey"]}, SkipReason.NOT_FOR_SIGNATURES),
        "other-alg": ({**ec, "alg": "ES384"}, SkipReason.NOT_ALLOWED),
        "future": ({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA"}, SkipReason.UNSUPPORTED),
    }


@pytest.mark.anyio
async def test_F21_one_bad_key_costs_only_itself(login: Login, clock: FakeClock) -> None:
    """F21, R-JWK-13: of a set with many bad keys the good one works; each bad one is reported, an exposed one twice."""
    bad = bad_keys(login)
    published = [{**jwk, "kid": kid} for kid, (jwk, _) in bad.items() if isinstance(jwk, dict)]
    login.idp.set_keys([*published, login.key("k1").public_jwk()])
    issuer = login.issuer(algorithms=("ES256", "RS256"))
    api = api_of(issuer, clock=clock)
    assert (await api.get(token=login.token(clock=clock))).status == 200
    await landed()
    assert api.seen(events.KeysRefreshed) == [events.KeysRefreshed("login", 1)]
    assert set(api.seen(events.KeySkipped)) == {events.KeySkipped("login", kid, why) for kid, (_, why) in bad.items()}
    assert len(api.seen(events.KeySkipped)) == len(bad)
    assert api.seen(events.PrivateKeyExposed) == [events.PrivateKeyExposed("login", "private")]
    assert (await api.get(token=login.token("private", clock=clock))).status == 401


def test_R_JWK_13_private_keys_in_the_policy_are_reported(login: Login, clock: FakeClock) -> None:
    """R-JWK-13: what is wrong with keys written into the policy is told when the guard is built."""
    keys = InlineKeys([login.key().private_jwk(), login.key("enc").public_jwk(use="enc")])
    issuer = dataclasses.replace(login.issuer(), keys=keys)
    api = api_of(issuer, clock=clock)
    assert api.events == [
        events.KeySkipped("login", "enc", SkipReason.NOT_FOR_SIGNATURES),
        events.PrivateKeyExposed("login", "k1"),
    ]
    assert api.guard.verify(login.token(clock=clock), accept="access").subject == "user-1"


@pytest.mark.anyio
@pytest.mark.parametrize("curve", [["P-256"], {"name": "P-256"}], ids=repr)
async def test_F21_a_curve_that_is_no_name_costs_only_its_key(login: Login, clock: FakeClock, curve: object) -> None:
    """F21: a key whose crv is an array or an object is skipped like any other malformed one."""
    login.idp.set_keys([login.key("odd").public_jwk(crv=curve), login.key().public_jwk()])
    api = api_for(login, clock)
    assert (await api.get(token=login.token(clock=clock))).status == 200
    await landed()
    assert [event.kid for event in api.events if isinstance(event, events.KeySkipped)] == ["odd"]


@pytest.mark.anyio
async def test_F22_keys_under_one_kid_are_told_apart_or_not_used(login: Login, clock: FakeClock) -> None:
    """F22, R-JWK-14: of two keys under one kid the algorithm selects; where that is the same, neither counts."""
    keys = {
        name: ForgedKey(alg, kid, login.key(name, alg).private)
        for name, alg, kid in (
            ("ec", "ES256", "shared"), ("rsa", "RS256", "shared"), ("one", "ES256", "twin"), ("two", "ES256", "twin"),
        )
    }  # fmt: skip
    login.idp.set_keys([key.public_jwk() for key in keys.values()])
    api = api_of(login.issuer(algorithms=("ES256", "RS256")), clock=clock)
    sent = {name: login.forge.sign(login.claims(clock=clock), key=key) for name, key in keys.items()}
    seen = {name: (await api.get(token=token)).status for name, token in sent.items()}
    assert seen == {"ec": 200, "rsa": 200, "one": 401, "two": 401}
    assert api.seen(events.KeySkipped) == [events.KeySkipped("login", "twin", SkipReason.DUPLICATE)]
    reasons = [event.reason for event in api.events if isinstance(event, events.Decided)]
    assert reasons == [None, None, Reason.NO_KEY, Reason.NO_KEY]


@pytest.mark.anyio
async def test_F22_no_key_is_tried_after_another(login: Login, clock: FakeClock) -> None:
    """F22, R-HDR-05: a token costs one verification at most, and none if its key is not certain."""
    keys = {name: login.key(name) for name in ("a", "b", "c")}
    jwks = [key.public_jwk() for key in keys.values()]
    del jwks[2]["kid"]
    login.idp.set_keys(jwks)
    api = api_for(login, clock)
    assert (await api.get(token=login.token("a", clock=clock))).status == 200
    calls: Counter[str | None] = Counter()

    def count(kid: str | None, message: bytes, signature: bytes) -> bool:
        calls[kid] += 1
        return False

    for key in api.keys_of().held.key_set.live:
        key.verify = partial(count, key.kid)
    claims = login.claims(clock=clock)
    bad = bytes(64)
    for header, verified in (({"kid": "b"}, 1), ({"kid": "c"}, 0), ({"kid": None}, 0), ({"kid": "a"}, 1)):
        calls.clear()
        token = login.forge.sign(claims, key=keys["a"], header=header, signature=bad)
        assert (await api.get(token=token)).status == 401
        assert calls.total() == verified


@pytest.mark.anyio
async def test_F22_a_token_without_kid_needs_a_set_of_one(login: Login, clock: FakeClock) -> None:
    """F22, R-HDR-05: a token without kid passes where one key fits its algorithm, and is refused where two do."""
    for published, status in ((("k1",), 200), (("k1", "k2"), 401)):
        login.publish(*published)
        api = api_for(login, clock)
        token = login.forge.sign(login.claims(clock=clock), key=login.key(), header=b'{"alg":"ES256","typ":"at+jwt"}')
        assert (await api.get(token=token)).status == status


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"issuer": "ISSUER/"}, "issuer_mismatch"),
        ({"issuer": "https://login.example.com"}, "issuer_mismatch"),
        ({"issuer": None}, "bad_metadata"),
        ({"issuer": ["ISSUER"]}, "bad_metadata"),
        ({"jwks_uri": "CANARY"}, "jwks_uri_on_another_host"),
        ({"jwks_uri": "http://login.example.com/jwks.json"}, "bad_metadata"),
        ({"jwks_uri": "http://user@127.0.0.1/jwks.json"}, "bad_jwks_uri"),
        ({"jwks_uri": "ISSUER/jwks.json#keys"}, "bad_jwks_uri"),
        ({"jwks_uri": None}, "bad_metadata"),
        ({"jwks_uri": "file:///etc/passwd"}, "bad_metadata"),
    ],
)
async def test_F23_metadata_counts_only_for_its_own_issuer(
    login: Login, canary: Canary, clock: FakeClock, members: dict[str, object], reason: str
) -> None:
    """F23, R-JWK-03: another issuer byte for byte, or a key set elsewhere, is no metadata: 503, nothing contacted."""

    def spelt(value: object) -> object:
        if isinstance(value, list):
            return [spelt(item) for item in value]
        return (
            value.replace("ISSUER", login.idp.issuer).replace("CANARY", canary.url) if isinstance(value, str) else value
        )

    login.idp.set_discovery(**{name: spelt(value) for name, value in members.items()})
    api = api_of(login.issuer(keys=Discovery()), clock=clock)
    assert (await api.get(token=login.token(clock=clock))).status == 503
    assert api.seen(events.RefreshFailed) == [events.RefreshFailed("login", reason)]
    assert login.fetches == 0
    canary.assert_untouched()


@pytest.mark.anyio
async def test_F23_honest_metadata_is_used(login: Login, clock: FakeClock) -> None:
    """F23: the same set-up with honest metadata lets the token in, so the refusals above are refusals."""
    api = api_of(login.issuer(keys=Discovery()), clock=clock)
    assert (await api.get(token=login.token(clock=clock))).status == 200
    assert login.idp.hits == {OIDC_PATH: 1, JWKS_PATH: 1}
