"""Protected resource metadata through the middleware: served to everybody, and named by every challenge."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from jwtguard import ConfigurationError, JWTGuardMiddleware
from jwtguard.core.resource import Resource
from jwtguard.wsgi import JWTGuardWSGI
from tests.kit.asgi_calls import Call, Probe, handshake, request
from tests.kit.guarded import FORGE, Events, bearer, guard, protected, public, token
from tests.kit.wsgi_calls import WsgiProbe
from tests.kit.wsgi_calls import request as wsgi_request

pytestmark = pytest.mark.anyio
IDENTIFIER = "https://api.example.com/mcp"
PATH = "/.well-known/oauth-protected-resource/mcp"
NAMED = 'resource_metadata="https://api.example.com/.well-known/oauth-protected-resource/mcp"'
DOCUMENT: Mapping[str, object] = {
    "resource": IDENTIFIER,
    "authorization_servers": [FORGE.issuer],
    "scopes_supported": ["tools"],
    "bearer_methods_supported": ["header"],
}


def guarded(app: Probe, identifier: str = IDENTIFIER, **more: Any) -> JWTGuardMiddleware:
    """An application with one endpoint, and a resource to describe."""
    endpoint = protected("/mcp", scopes=frozenset({"tools"}))
    return JWTGuardMiddleware(app, guard=guard(endpoint, resource=Resource(identifier), **more))


async def ask(method: str = "GET", path: str = PATH, *fields: tuple[bytes, bytes], **changes: Any) -> Call:
    """Ask, and make sure that the application was not."""
    probe = Probe()
    call = await request(guarded(probe), method, path, fields, **changes)
    assert not probe.scopes
    return call


async def test_the_metadata_is_served() -> None:
    """R-GOV-11: at the well-known path, without a token, before the application (RFC 9728, section 3.1)."""
    call = await ask()
    assert (call.status, json.loads(call.body)) == (200, DOCUMENT)
    assert call.header(b"content-type") == b"application/json"
    assert call.header(b"access-control-allow-origin") == b"*"
    assert call.header(b"content-length") == str(len(call.body)).encode()


async def test_a_head_request() -> None:
    """R-POL-04: HEAD gets the fields of GET and no body."""
    call = await ask("HEAD")
    assert (call.status, call.body) == (200, b"")
    assert call.fields == (await ask()).fields


@pytest.mark.parametrize(
    "field", [bearer(b"junk"), bearer(token(scope="")), (b"authorization", b"Bearer a, Bearer b"), (b"cookie", b"x=")]
)
async def test_no_credential_is_looked_at(field: tuple[bytes, bytes]) -> None:
    """R-GOV-11: a client whose token is bad comes here for a new one, so the bad one must not be in its way."""
    assert json.loads((await ask("GET", PATH, field)).body) == DOCUMENT


async def test_plain_http() -> None:
    """R-GOV-11: nothing here is secret; a proxy that forgets X-Forwarded-Proto hides credentials, not metadata."""
    assert (await ask(scheme="http")).status == 200


async def test_a_browser_asks_first() -> None:
    """R-GOV-11: the preflight of a client in a browser is answered here, by the guard alone."""
    fields = (
        (b"origin", b"https://inspector.example.com"),
        (b"access-control-request-method", b"GET"),
        (b"access-control-request-headers", b"mcp-protocol-version"),
    )
    call = await ask("OPTIONS", PATH, *fields)
    assert (call.status, call.body) == (204, b"")
    assert call.header(b"access-control-allow-origin") == b"*"
    assert call.header(b"access-control-allow-headers") == b"*"


@pytest.mark.parametrize("method", ["POST", "DELETE", "PROPFIND", "get"])
async def test_other_methods(method: str) -> None:
    """R-GOV-11: the guard serves this path, so another method is not allowed, to anybody."""
    call = await ask(method, PATH, bearer(token(scope="tools")))
    assert call.status in (403, 405)
    assert call.status == 405 or method == "get"  # which is no method at all (R-POL-04)


async def test_a_websocket() -> None:
    """R-GOV-11: no WebSocket opens here."""
    probe = Probe()
    call = await handshake(guarded(probe), PATH)
    assert not probe.scopes
    assert "websocket.accept" not in call.types


@pytest.mark.parametrize(
    "path", ["/.well-known/oauth-protected-resource", f"{PATH}/", f"{PATH}/x", f"/mcp{PATH}", PATH.upper()]
)
async def test_nowhere_else(path: str) -> None:
    """R-POL-01: the paths around it are as closed as ever."""
    assert (await ask("GET", path)).status == 403


@pytest.mark.parametrize(
    ("identifier", "path"),
    [
        ("https://api.example.com", "/.well-known/oauth-protected-resource"),
        ("https://api.example.com/", "/.well-known/oauth-protected-resource"),
        ("https://api.example.com/mcp/", f"{PATH}/"),
        ("https://api.example.com/a/b", "/.well-known/oauth-protected-resource/a/b"),
    ],
)
async def test_where_it_is(identifier: str, path: str) -> None:
    """R-GOV-11: the resource's own path follows the well-known one, and ``resource`` is the identifier as written."""
    call = await request(guarded(Probe(), identifier), "GET", path)
    assert json.loads(call.body)["resource"] == identifier


async def test_behind_a_root_path() -> None:
    """R-GOV-11: the well-known path is at the root of the host; what a proxy strips or adds does not change it."""
    for path in (f"/v1{PATH}", f"/v1/{PATH}"):
        call = await request(guarded(Probe()), "GET", path, root_path="/v1")
        assert (call.status == 200) is (path == f"/v1{PATH}")


async def test_without_a_resource() -> None:
    """R-GOV-11: who configures no resource publishes nothing, and no challenge names anything."""
    app = JWTGuardMiddleware(Probe(), guard=guard(protected("/mcp")))
    assert (await request(app, "GET", PATH)).status == 403
    assert (await request(app, "GET", "/mcp")).header(b"www-authenticate") == b"Bearer"


@pytest.mark.parametrize("endpoint", [protected("/**"), public("/**"), protected("/.well-known/**")])
async def test_a_policy_around_it(endpoint: Any) -> None:
    """R-POL-05: the most specific wins, so a policy for everything else hides no metadata."""
    probe = Probe()
    app = JWTGuardMiddleware(probe, guard=guard(endpoint, resource=Resource(IDENTIFIER)))
    assert json.loads((await request(app, "GET", PATH)).body)["resource"] == IDENTIFIER
    assert not probe.scopes


def test_a_policy_for_it() -> None:
    """R-POL-05: a second policy for this very path is an error, also one with a method, which would win."""
    for match in (PATH, f"GET {PATH}"):
        with pytest.raises(ConfigurationError, match="R-GOV-11"):
            guard(public(match), protected("/mcp"), resource=Resource(IDENTIFIER))


@pytest.mark.parametrize(
    ("fields", "status", "challenge"),
    [
        ((), 401, f'Bearer scope="tools", {NAMED}'),
        ((bearer(b"junk"),), 401, 'Bearer error="invalid_token", error_description="'),
        ((bearer(token(scope="x")),), 403, 'Bearer error="insufficient_scope", error_description="'),
    ],
)
async def test_the_challenge_names_it(fields: tuple[tuple[bytes, bytes], ...], status: int, challenge: str) -> None:
    """R-ERR-07: every Bearer challenge says where the metadata is, the bare one too (RFC 9728, section 5.1)."""
    call = await ask("POST", "/mcp", *fields)
    assert call.status == status
    shown = (call.header(b"www-authenticate") or b"").decode()
    assert shown.startswith(challenge)
    assert shown.count("resource_metadata=") == 1
    assert NAMED in shown


async def test_what_is_no_challenge_does_not() -> None:
    """R-ERR-07: an answer that no token would change leads nobody to get one."""
    call = await ask("POST", "/.well-known/other", bearer(token()))
    assert call.status == 403
    assert call.header(b"www-authenticate") is None


async def test_a_websocket_is_told() -> None:
    """R-ERR-07: a handshake is refused with the same challenge, where the server can send one."""
    call = await handshake(guarded(Probe()), "/mcp")
    assert (call.status, call.header(b"www-authenticate")) == (401, f'Bearer scope="tools", {NAMED}'.encode())


async def test_no_refusal_is_counted() -> None:
    """R-OBS-01: being served is no refusal."""
    events = Events()
    await request(guarded(Probe(), on_event=events), "GET", PATH)
    assert [reason for reason in events.reasons if reason is not None] == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST"])
@pytest.mark.parametrize("path", [PATH, "/mcp", "/other"])
async def test_wsgi_says_the_same(method: str, path: str) -> None:
    """R-EXT-14: status, fields and body are those of ASGI, of the metadata and of the challenges that name it."""
    expected = await ask(method, path)
    policy = guard(protected("/mcp", scopes=frozenset({"tools"})), resource=Resource(IDENTIFIER))
    call = wsgi_request(JWTGuardWSGI(WsgiProbe(), guard=policy), method, path)
    assert (call.status, call.fields, call.body) == (expected.status, expected.fields, expected.body)
