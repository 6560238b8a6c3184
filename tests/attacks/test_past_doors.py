"""Attacks on browsers' doors, sessions and logins that found something once."""

from __future__ import annotations

import base64
import dataclasses
import threading
from collections.abc import MutableMapping
from typing import Any

import anyio
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Mount, Router

from jwtguard import (
    NO_NONCE,
    Config,
    ConfigurationError,
    Guard,
    Hooks,
    JWTGuardMiddleware,
    Limits,
    LoginExpectations,
    Reason,
    Refusal,
    Unavailable,
    cookie,
    reauthenticate,
)
from jwtguard.core.table import PolicyTable
from jwtguard.core.tenant import Tenant, TenantPlace
from jwtguard.lint.cors import cors_findings
from jwtguard.wsgi import JWTGuardWSGI
from tests.kit.asgi_calls import request as asgi_request
from tests.kit.asgi_calls import websocket_scope
from tests.kit.fake_clock import FakeClock
from tests.kit.guarded import FORGE, ISSUER, bearer, guard, protected, public, token
from tests.kit.token_forge import OMIT
from tests.kit.wsgi_calls import WsgiProbe, request
from tests.test_logins import CALLBACK
from tests.test_logins import World as LoginWorld
from tests.test_outside import World, session

IN_PATH = Tenant(TenantPlace.PATH, "org")


@pytest.mark.parametrize("upgrade", [b"websocket", b"WebSocket", b"h2c, websocket"])
def test_an_upgrade_chooses_no_policy(upgrade: bytes) -> None:
    """F61: who asks for a WebSocket may be given the page: under WSGI both must be under one policy."""
    app = JWTGuardWSGI(WsgiProbe(), guard=guard(public("/**"), protected("GET /account"), public("WEBSOCKET /feed")))
    for fields in ([(b"upgrade", upgrade)], [(b"connection", b"Upgrade"), (b"upgrade", upgrade)]):
        assert request(app, "GET", "/account", fields).status == 403
        assert request(app, "GET", "/feed", fields).status == 403
        assert request(app, "GET", "/elsewhere", fields).status == 200


@pytest.mark.parametrize(
    "path", ["/acme/../evil/x", "/acme//../evil/x", "/acme/y/../../evil/x", "/acme\\..\\evil\\x", "/./evil/x"]
)
def test_a_path_about_two_tenants_is_about_none(path: str) -> None:
    """R-POL-11, F60: file servers resolve dots, so a path that names another tenant then is refused."""
    issuer = dataclasses.replace(ISSUER, tenant_claim="org")
    app = JWTGuardWSGI(WsgiProbe(), guard=guard(protected("/{org}/**", tenant=IN_PATH), issuers=(issuer,)))
    assert request(app, "GET", "/acme/x", [bearer(token(org="acme"))]).status == 200
    assert request(app, "GET", "/acme/./x", [bearer(token(org="acme"))]).status == 200
    for tenant in ("acme", "evil"):
        assert request(app, "GET", path, [bearer(token(org=tenant))]).status == 403


def test_functions_that_hang_take_no_more_threads() -> None:
    """R-CLM-12, F57: threads left behind by functions that hang are counted, and bounded."""
    release = threading.Event()

    def hang(_: str) -> None:
        release.wait(30)

    world = World(Hooks(session_token=hang), limits=Limits(outside_s=0.01, outside_threads=2))

    async def flood() -> set[Reason | None]:
        return {await world.reason(session(b"%d" % number)) for number in range(50)}

    before = threading.active_count()
    try:
        assert anyio.run(flood) == {Reason.STORE_UNAVAILABLE}
        assert threading.active_count() - before <= 6
    finally:
        release.set()


def _flipped(compact: bytes) -> bytes:
    """The same token with the other ECDSA signature that is as good: (r, n - s)."""
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    front, _, signature = compact.rpartition(b".")
    raw = base64.urlsafe_b64decode(signature + b"==")
    other = raw[:32] + (order - int.from_bytes(raw[32:], "big")).to_bytes(32, "big")
    return front + b"." + base64.urlsafe_b64encode(other).rstrip(b"=")


def test_a_login_without_nonce_is_accepted_once_however_it_is_signed() -> None:
    """R-CLS-11: ECDSA gives each signature a twin, which makes no other login of it."""
    id_token = FORGE.sign(
        FORGE.access_claims(aud="web", client_id=OMIT, scope=OMIT), key=FORGE.key(), header={"typ": "JWT"}
    )
    world = LoginWorld()
    outcomes: list[object] = []

    async def app(scope: MutableMapping[str, Any], _: object, send: Any) -> None:
        for sent in (id_token, _flipped(id_token)):
            try:
                who = await world.guard.verify_login_async(scope, sent, LoginExpectations(nonce=NO_NONCE))
                outcomes.append(who.subject)
            except Refusal as refusal:
                outcomes.append(refusal.reason)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    anyio.run(asgi_request, JWTGuardMiddleware(app, guard=world.guard), "POST", "/callback")
    assert outcomes == ["user-1", Reason.REPLAYED]


def test_no_two_endpoints_share_a_name() -> None:
    """R-POL-05, R-CLS-10: by its name a login finds its policy, so a name is of one endpoint."""
    twin = dataclasses.replace(CALLBACK, match=("/other/callback",))
    issuer = dataclasses.replace(ISSUER, client_id=("web",))
    with pytest.raises(ConfigurationError, match="callback"):
        Guard(Config(issuers=(issuer,), endpoints=(CALLBACK, twin)), clock=FakeClock())


def test_a_login_endpoint_takes_no_token_in_band() -> None:
    """R-CLS-10: a WebSocket whose place became a login endpoint is not kept open by an ID token."""
    issuer = dataclasses.replace(ISSUER, client_id=("web",))
    policy = Guard(Config(issuers=(issuer,), endpoints=(protected("/callback"),)), clock=FakeClock())
    id_token = FORGE.sign(
        FORGE.access_claims(aud="web", client_id=OMIT, scope=OMIT, nonce="n"), key=FORGE.key(), header={"typ": "JWT"}
    )
    refused: list[Reason] = []

    async def app(scope: MutableMapping[str, Any], _: object, __: object) -> None:
        policy.reload(Config(issuers=(issuer,), endpoints=(CALLBACK,)))
        with pytest.raises(Refusal) as error:
            await reauthenticate(scope, id_token)
        refused.append(error.value.reason)

    async def nothing(*_: object) -> Any:
        return {"type": "websocket.connect"}

    anyio.run(JWTGuardMiddleware(app, guard=policy), websocket_scope("/callback", [bearer(token())]), nothing, nothing)
    assert refused == [Reason.NO_POLICY]


async def _unavailable(*_: object) -> bool:
    message = "the database is away"
    raise Unavailable(message)


def test_a_function_may_say_that_it_cannot_tell() -> None:
    """R-CLM-09, R-EXT-14: ``Unavailable`` from a function of the application is 503 through both drivers."""
    world = World(Hooks(subject=_unavailable))
    assert anyio.run(world.reason, bearer(token())) is Reason.STORE_UNAVAILABLE
    decision = world.decide_sync(bearer(token()))
    assert decision.refusal.reason is Reason.STORE_UNAVAILABLE  # type: ignore[union-attr]


@pytest.mark.parametrize("origin", [b"https://evil.example", b"null"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_a_foreign_origin_is_known_without_fetch_metadata(method: str, origin: bytes) -> None:
    """R-STO-06: a browser that names a foreign origin says that a foreign page sent it, whatever else it lacks."""
    app = JWTGuardWSGI(
        WsgiProbe(), guard=guard(protected("/x", carriers=(cookie("__Host-t"),), origins=("https://app.example.com",)))
    )
    field = (b"cookie", b"__Host-t=" + token())
    assert request(app, method, "/x", [field]).status == 200
    assert request(app, method, "/x", [field, (b"origin", b"https://app.example.com")]).status == 200
    assert request(app, method, "/x", [field, (b"origin", origin)]).status == 403


def test_layers_of_a_router() -> None:
    """R-STO-07: a router builds its layers at once, and they are found."""
    open_door = Middleware(CORSMiddleware, allow_origins=["*"], allow_credentials=True)
    app = Starlette(routes=[Mount("/api", app=Router(middleware=[open_door]))])
    table = PolicyTable(Config(issuers=(ISSUER,), endpoints=(protected("/x", carriers=(cookie("__Host-t"),)),)))
    assert [finding.at for finding in cors_findings(app, table)] == ["cors.CORSMiddleware"]
