"""Attacks through frameworks, servers and decorators that found something once."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import threading
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any

import anyio
import pytest
from django.http import HttpRequest, HttpResponse
from django.urls import path
from fastapi import FastAPI
from flask import Flask
from flask import request as flask_request
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from typer.testing import CliRunner
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from jwtguard import ConfigurationError, JWTGuardMiddleware, KeyFile, current_identity, identity_of
from jwtguard.adapters.flask import JWTGuard
from jwtguard.cli import application
from jwtguard.core.endpoint import Access, Demands, access
from jwtguard.core.tenant import Tenant, TenantPlace
from jwtguard.errors import Unavailable
from jwtguard.portal import Portal
from jwtguard.wsgi import JWTGuardWSGI
from tests.kit.asgi_calls import Probe, http_scope
from tests.kit.django_site import GUARD, answer, asgi, run, site, wsgi
from tests.kit.guarded import FORGE, ISSUER, bearer, guard, protected, public, token
from tests.kit.wsgi_calls import WsgiProbe, request

ORG = dataclasses.replace(ISSUER, tenant_claim="org")
IN_PATH = Tenant(TenantPlace.PATH, "tenant")
EVIL = [bearer(token(org="evil"))]


def ask(app: Any, method: str, where: str, headers: Any = ()) -> Any:
    """Send a request to an ASGI application."""
    return anyio.run(run, app, http_scope(method, where, headers))


@pytest.mark.parametrize("connection", [[], [(b"connection", b"Upgrade")], [(b"connection", b"close")]])
def test_an_upgrade_gets_nobody_under_the_policy_of_another_method(connection: list[tuple[bytes, bytes]]) -> None:
    """R-POL-03, F61: what the application may serve as the GET it also is must be under one policy either way."""
    fields = [(b"upgrade", b"websocket"), *connection]
    for wide in ("/**", "WEBSOCKET /feed"):
        app = JWTGuardWSGI(WsgiProbe(), guard=guard(public(wide), protected("GET /feed")))
        assert request(app, "GET", "/feed", fields).status == 403
    both = JWTGuardWSGI(WsgiProbe(), guard=guard(public("/feed")))
    assert request(both, "GET", "/feed", fields).status == 200


def test_an_upgrade_field_reaches_no_view_of_flask() -> None:
    """R-POL-03: Werkzeug serves ``Upgrade`` without ``Connection: Upgrade`` as a plain GET, so that is what counts."""
    app = Flask("upgrade", static_folder=None)
    app.add_url_rule("/feed", "feed", lambda: "secret")
    JWTGuard(app, guard=guard(public("/**"), protected("GET /feed")))
    call = request(app.wsgi_app, "GET", "/feed", [(b"upgrade", b"websocket")], wsgi__input=BytesIO())
    assert call.status == 403
    assert b"secret" not in call.body


def _method(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.method)


@pytest.mark.parametrize("face", ["wsgi", "asgi"])
def test_an_upgrade_field_reaches_no_view_of_django(face: str) -> None:
    """R-POL-03: Django serves every request for an upgrade as the GET it is, and so it is decided."""
    fields = [(b"upgrade", b"websocket"), (b"connection", b"Upgrade")]
    with site(guard(public("/**"), protected("GET /feed")), path("feed", _method)):
        if face == "wsgi":
            assert request(wsgi(), "GET", "/feed", fields, wsgi__input=BytesIO()).status == 401
        else:
            assert answer(asgi(), http_scope("GET", "/feed", fields)).status == 401


class Override:
    """A middleware of the site's own that gives POST another method."""

    sync_capable, async_capable = True, False

    def __init__(self, get_response: Any) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Override the method."""
        request.method = request.headers.get("X-HTTP-Method-Override", request.method)
        answered: HttpResponse = self._get_response(request)
        return answered


@pytest.mark.parametrize("face", ["wsgi", "asgi"])
def test_the_method_of_a_middleware_before_the_guard_is_the_one_decided(
    face: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-POL-04: whatever made it so, the method that the view is called with is the one whose policy counts."""
    module = ModuleType("overriding")
    module.Override = Override  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "overriding", module)
    fields, demanded = [(b"x-http-method-override", b"DELETE")], protected("DELETE /items")
    with site(
        guard(public("POST /items"), demanded), path("items", _method), middleware=("overriding.Override", GUARD)
    ):
        if face == "wsgi":
            assert request(wsgi(), "POST", "/items", fields, wsgi__input=BytesIO()).status == 401
        else:
            assert answer(asgi(), http_scope("POST", "/items", fields)).status == 401


@pytest.mark.parametrize("rest", ["evil/../acme/s.txt", "evil//../acme/s.txt", "evil/x/../../acme/s.txt"])
def test_dot_segments_lead_to_no_other_tenant(rest: str, tmp_path: Path) -> None:
    """R-POL-11, R-POL-03: file servers resolve dot segments, so a path of two tenants is of none."""
    for name in ("acme", "evil"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "s.txt").write_text(name)
    policy = guard(protected("/files/{tenant}/**", tenant=IN_PATH), issuers=(ORG,))
    app = JWTGuardMiddleware(Starlette(routes=[Mount("/files", StaticFiles(directory=tmp_path))]), guard=policy)
    assert ask(app, "GET", "/files/evil/s.txt", EVIL).body == b"evil"
    assert ask(app, "GET", f"/files/{rest}", EVIL).status == 403


def test_the_keys_of_one_tenant_sign_for_no_other(tmp_path: Path) -> None:
    """R-POL-11, R-JWK-01: a tenant's issuer may not name another tenant in the claim."""
    keys = {name: FORGE.key("ES256", f"key-{name}") for name in ("a", "b")}
    for name, key in keys.items():
        (tmp_path / name).write_text(json.dumps({"keys": [key.public_jwk()]}))
    source = KeyFile(f"{tmp_path}/{{tenant}}")
    family = dataclasses.replace(
        ISSUER, issuer="https://idp.example/{tenant}", tenants=("a", "b"), keys=source, tenant_claim="tid"
    )
    app = JWTGuardMiddleware(Probe(), guard=guard(protected("/{tenant}/docs", tenant=IN_PATH), issuers=(family,)))
    for said, status in (("a", 200), ("b", 403)):
        sent = FORGE.sign(FORGE.access_claims(iss="https://idp.example/a", tid=said), key=keys["a"])
        assert ask(app, "GET", f"/{said}/docs", [bearer(sent)]).status == status


@pytest.mark.parametrize("family_first", [True, False])
def test_a_family_shares_its_name_with_no_issuer(*, family_first: bool) -> None:
    """R-JWK-01: an endpoint that names one issuer accepts no other by the same name, in whichever order they stand."""
    family = dataclasses.replace(
        ISSUER, issuer="https://idp.example/{tenant}", tenants=("a",), keys=KeyFile("/{tenant}")
    )
    issuers = (family, ISSUER) if family_first else (ISSUER, family)
    with pytest.raises(ConfigurationError, match="configured twice"):
        guard(protected("/x", issuers=("login",)), issuers=issuers)


def test_a_mounted_function_reads_the_tenant_of_its_own_routes() -> None:
    """R-POL-11, R-POL-12: below a mount that the shell does not stand before, no other segment is the tenant."""
    policy, below = guard(issuers=(ORG,)), Flask("below", static_folder=None)

    @below.get("/<tenant>/<name>")
    @policy.protect(Demands(accept=("access",), tenant=IN_PATH))
    def document(tenant: str, name: str) -> str:
        return f"{name} of {tenant}"

    app = DispatcherMiddleware(Flask("outer", static_folder=None).wsgi_app, {"/api": below.wsgi_app})
    policy.bind(app)
    assert request(app, "GET", "/api/acme/evil", EVIL, wsgi__input=BytesIO()).status == 403


def test_a_class_with_another_method_of_its_own_is_no_exception() -> None:
    """R-POL-01: a method without a policy comes under no other route's, whatever its class says of another method."""
    policy = guard()

    @policy.public
    async def thing(request: Request) -> PlainTextResponse:
        return PlainTextResponse("thing")

    class Special(HTTPEndpoint):
        async def get(self, request: Request) -> PlainTextResponse:
            return PlainTextResponse("secret")

        @policy.protect(access(scopes={"admin"}))
        async def post(self, request: Request) -> PlainTextResponse:
            return PlainTextResponse("posted")

    app = Starlette(routes=[Route("/things/special", Special), Route("/things/{id:int}", thing)])
    with pytest.raises(ConfigurationError, match="would also hold for GET /things/special"):
        policy.bind(app)


def test_the_root_path_of_an_application_behind_other_middleware(recwarn: pytest.WarningsRecorder) -> None:
    """R-POL-03: FastAPI's own root path counts behind other middleware too, so both its paths meet one policy."""
    inner = FastAPI(root_path="/api", openapi_url=None)
    inner.add_api_route("/admin", lambda: "secret")
    app = JWTGuardMiddleware(GZipMiddleware(inner), guard=guard(public("/**"), protected("/admin/**")))
    assert ask(app, "GET", "/api/admin").status == 401


def test_a_file_that_becomes_a_pipe_holds_up_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-JWK-02: what was a file when it was looked at and is a pipe when it is opened is refused, not waited for."""
    keys = tmp_path / "jwks.json"
    keys.write_text(json.dumps({"keys": [FORGE.key().public_jwk()]}))
    policy = guard(protected("/x"), issuers=(dataclasses.replace(ISSUER, keys=KeyFile(keys)),))
    looked = keys.stat()
    keys.unlink()
    os.mkfifo(keys)
    fields = list(looked)
    fields[1] += 1  # another file, and a regular one
    monkeypatch.setattr(Path, "stat", lambda *_, **__: os.stat_result(fields, {}))
    looking = threading.Thread(target=policy.snapshot.ring.refresh_due, daemon=True)
    looking.start()
    looking.join(10)
    assert not looking.is_alive()
    assert policy.verify(token(), accept="access")


@pytest.mark.parametrize(
    "name",
    [
        "x]#",
        '"q"',
        'e]\nissuer="https://evil.example/"\naudience="x"\nalgorithms=["ES256"]\nkeys="discovery"\n[issuers.login',
        "a.b",
        "",
    ],
)
def test_a_name_brings_no_toml_along(name: str, tmp_path: Path) -> None:
    """R-POL-06: what is written is the issuer described, under its name, and nothing that a name smuggled in."""
    output = tmp_path / "jwtguard.toml"
    result = CliRunner().invoke(
        application(),
        [
            "init",
            "--name",
            name,
            "--output",
            str(output),
            "--issuer",
            "https://i.example/",
            "--audience",
            "https://api.example.com",
        ],
    )
    assert result.exit_code == 2
    assert not output.exists()


def test_a_preflight_for_a_host_of_nobodys_is_refused() -> None:
    """F61: Flask has no routes for a host it does not trust; a preflight there is refused like any request."""
    app = Flask("hosts", static_folder=None)
    app.config["TRUSTED_HOSTS"] = ["good.example"]
    JWTGuard(app, guard=guard(protected("/**")))
    fields = [(b"origin", b"https://e.example"), (b"access-control-request-method", b"GET")]
    assert request(app.wsgi_app, "OPTIONS", "/a", fields, HTTP_HOST="evil.example").status == 401


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_question_that_ends_the_loop_ends_it_once() -> None:
    """F67: after a question that raised SystemExit the next one has a loop again."""

    async def leave(_: int) -> int:
        raise SystemExit

    async def stay(number: int) -> int:
        return number

    portal = Portal()
    with pytest.raises((SystemExit, Unavailable)):
        portal.wait(leave, 0, patience_s=1.0)
    assert portal.wait(stay, 7, patience_s=5.0) == 7
    portal.close()


def test_a_policy_of_the_same_name_admits_nobody_to_another_guards_function() -> None:
    """R-POL-12: a function asks whether its own policy admitted the call, not whether one of its name did."""
    front, back = guard(), guard()

    def made(policy: Any, demands: Demands) -> Any:
        @policy.protect(demands)
        async def page(request: Request) -> PlainTextResponse:
            return PlainTextResponse("page")

        return page

    admin, anything = made(back, access(scopes={"admin"})), made(front, Demands(access=Access.PUBLIC))
    routes = [Route("/pages/admin", admin), Route("/pages/{name}", anything)]
    app = JWTGuardMiddleware(Starlette(routes=routes), guard=front)
    assert ask(app, "GET", "/pages/x").status == 200
    assert ask(app, "GET", "/pages/admin").status == 401


def test_a_call_to_another_decorated_function_leaves_the_identity() -> None:
    """R-IDN-05: after a handler called a public function of the application, its own caller is still who it was."""
    policy, app = guard(), Flask("nested", static_folder=None)

    @policy.public
    def banner() -> str:
        return current_identity().subject

    @app.get("/")
    @policy.protect(access())
    def page() -> str:
        return f"{banner()}/{current_identity().subject}/{identity_of(flask_request.environ).subject}"

    sent = [bearer(token(sub="ada"))]
    assert request(app.wsgi_app, "GET", "/", sent, wsgi__input=BytesIO()).body == b"/ada/ada"
