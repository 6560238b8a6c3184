"""What a token may say, and what several issuers may share, without steering keys, fetches or logs."""

from __future__ import annotations

import pytest

from jwtguard import Issuer, JwksUri, Reason, events
from tests.kit.canary import Canary
from tests.kit.fake_clock import FakeClock
from tests.kit.fake_idp import JWKS_PATH, FakeIdP
from tests.scenarios.protected_api import ENDPOINTS, PATIENT, Login, ProtectedApi, api_for, configured, landed

COOLDOWN_S = 30.0


def api_of(*issuers: Issuer, clock: FakeClock) -> ProtectedApi:
    """An application whose issuers the test wrote itself."""
    config = configured()
    return ProtectedApi(
        type(config)(issuers=issuers, endpoints=ENDPOINTS, limits=PATIENT, mode=config.mode), clock=clock
    )


# The token's words


@pytest.mark.anyio
@pytest.mark.parametrize(
    "header",
    [
        {"kid": "CANARY"},
        {"kid": "../../../../etc/passwd"},
        {"kid": "' OR '1'='1"},
        {"kid": "k1\r\nSet-Cookie: admin=1"},
        {"kid": "k1\x00"},
        {"kid": "K1"},
        {"kid": " k1"},
        {"kid": "k" * 257},
        {"kid": ["k1"]},
        {"jku": "CANARY"},
        {"x5u": "CANARY"},
        {"jku": "CANARY", "kid": "unknown"},
        {"jwk": {"kty": "oct", "k": "AAAA"}},
        {"x5c": ["AAAA"]},
    ],
    ids=repr,
)
async def test_F24_a_token_cannot_steer_the_fetch(
    login: Login, canary: Canary, clock: FakeClock, header: dict[str, object]
) -> None:
    """F24, R-HDR-01: no kid, jku, x5u or key in a header changes what is fetched, or becomes a line of a log."""
    api = api_for(login, clock)
    assert (await api.get(token=login.token(clock=clock))).status == 200
    clock.advance(COOLDOWN_S)
    lured = {name: canary.url if value == "CANARY" else value for name, value in header.items()}
    token = login.forge.sign(login.claims(clock=clock), key=login.key(), header=lured)
    assert (await api.get(token=token)).status == 401
    await landed()
    assert api.calls == 1
    assert set(login.idp.hits) == {JWKS_PATH}
    assert {request.path for request in login.idp.requests} == {JWKS_PATH}
    assert not any(mark in repr(event) for event in api.events for mark in ("\\r", "\\n", "passwd", "canary"))
    canary.assert_untouched()


@pytest.mark.anyio
async def test_F24_an_issuer_nobody_configured_is_not_asked(login: Login, canary: Canary, clock: FakeClock) -> None:
    """F24: the iss of a token chooses among configured issuers, and never what is contacted."""
    api = api_for(login, clock)
    for iss in (canary.url, login.idp.issuer + "/", login.idp.issuer.upper(), f"{login.idp.issuer}@{canary.url}"):
        assert (await api.get(token=login.token(clock=clock, iss=iss))).status == 401
    assert login.fetches <= 1, "the guard may look after its own keys"
    canary.assert_untouched()


@pytest.mark.anyio
async def test_F24_names_of_published_keys_cannot_forge_log_lines(login: Login, clock: FakeClock) -> None:
    """F24, R-OBS-04: a kid of the key set reaches events cut and without control characters."""
    login.idp.set_keys([login.key().public_jwk(), {"kty": "x", "kid": "a\r\nb\x1b[31m" + "c" * 500}])
    api = api_for(login, clock)
    assert (await api.get(token=login.token(clock=clock))).status == 200
    await landed()
    shown = [event.kid for event in api.events if isinstance(event, events.KeySkipped)]
    assert shown == ["a??b?[31m" + "c" * 55]


# Several issuers


@pytest.mark.anyio
async def test_F25_a_kid_means_a_key_of_its_issuer(login: Login, clock: FakeClock) -> None:
    """F25, R-JWK-01: of two issuers with one kid, neither key verifies a token that names the other issuer."""
    with FakeIdP() as idp:
        other = Login(idp, name="other")
        other.publish("k1")
        api = ProtectedApi(configured(login, other), clock=clock)
        for one, two in ((login, other), (other, login)):
            assert (await api.get(token=one.token(clock=clock))).status == 200
            crossed = one.forge.sign(one.claims(clock=clock, iss=two.idp.issuer), key=one.key())
            assert (await api.get(token=crossed)).status == 401
            assert api.seen(events.Decided)[-1] == events.Decided("GET /reports", Reason.BAD_SIGNATURE)
        await landed()
        assert (login.fetches, other.fetches) == (1, 1)


@pytest.mark.anyio
async def test_F25_an_issuer_without_keys_borrows_none(login: Login, clock: FakeClock) -> None:
    """F25, R-JWK-01: while one issuer is down its tokens are a 503, though another has a key under the same kid."""
    with FakeIdP() as idp:
        other = Login(idp, name="other")
        other.publish("k1")
        api = ProtectedApi(configured(login, other), clock=clock)
        login.idp.stop()
        assert (await api.get(token=other.token(clock=clock))).status == 200
        crossed = other.forge.sign(other.claims(clock=clock, iss=login.idp.issuer), key=other.key())
        assert (await api.get(token=crossed)).status == 503
        await landed()


@pytest.mark.anyio
async def test_R_JWK_01_issuers_that_share_a_url_keep_their_own_keys(login: Login, clock: FakeClock) -> None:
    """R-JWK-01: two issuers that publish the same URL each fetch it, and each forgets keys on its own account."""
    twin = Issuer(
        name="twin", issuer="https://twin.example/", algorithms=("ES256",), keys=JwksUri(login.idp.jwks_uri),
        audience=(login.forge.audience,),
    )  # fmt: skip
    api = api_of(login.issuer(), twin, clock=clock)
    claims = login.claims(clock=clock, iss=twin.issuer)
    for token in (login.token(clock=clock), login.forge.sign(claims, key=login.key())):
        assert (await api.get(token=token)).status == 200
    assert login.fetches == 2
    assert api.keys_of("login").held is not api.keys_of("twin").held
