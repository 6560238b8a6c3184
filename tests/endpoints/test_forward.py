"""A backend that calls an API for its page: what reaches the API, what comes back, and what does not."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import anyio
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from jwtguard import Access, Config, ConfigurationError, Demands, Guard, Hooks, JWTGuardMiddleware, session_cookie
from jwtguard.config.presets import preset
from jwtguard.core.endpoint import BEARER, Endpoint, at
from jwtguard.endpoints import Forward
from tests.kit.asgi_calls import Call, request
from tests.kit.fake_clock import FakeClock
from tests.kit.guarded import ISSUER, bearer, token
from tests.kit.local_ca import LocalCa
from tests.kit.thread_server import ThreadServer

ALICE, SESSION = token(sub="alice").decode(), "s-alice"
COOKIE = {"cookie": f"__Host-session={SESSION}", "sec-fetch-site": "same-origin"}
FINE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


class Api(ThreadServer):
    """Something that answers what it is told, and keeps what it was sent, byte for byte."""

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(self._answer_one, tls=tls)
        self.received: list[bytes] = []
        self.reply = FINE

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head.lower())
        body = await reader.readexactly(int(length[1])) if length else b""
        if b"transfer-encoding: chunked" in head.lower():
            body = await reader.readuntil(b"0\r\n\r\n")
        self.received.append(head + body)
        writer.write(self.reply)
        await writer.drain()

    @property
    def fields(self) -> dict[str, str]:
        """The header fields of the only request."""
        (received,) = self.received
        lines = received.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
        pairs = [line.partition(": ") for line in lines]
        found = {name.lower(): value for name, _, value in pairs}
        assert len(found) == len(pairs), "a field came twice"
        return found


@pytest.fixture
def api() -> Iterator[Api]:
    """An API on loopback."""
    with Api() as running:
        yield running


def backend(api: Api, demands: Demands | None = None, **changes: Any) -> Starlette:
    """A backend for a page, whose calls go to the API."""
    session = changes.pop("session_token", {SESSION: ALICE}.get)
    to = [f"{method} http://127.0.0.1:{api.port}/reports/**" for method in ("GET", "POST", "DELETE")]
    guard = Guard(
        Config(
            issuers=(ISSUER,),
            endpoints=(
                at(["/api/**"], demands or preset("bff", origins=["https://testserver"])),
                Endpoint(match=["/open/**"], access=Access.PUBLIC),
            ),
        ),
        clock=FakeClock(),
        hooks=Hooks(session_token=session),
    )
    forward = Forward(changes.pop("to", to), **changes)
    routes = [Mount("/api", forward), Mount("/open", forward)]
    return Starlette(routes=routes, middleware=[Middleware(JWTGuardMiddleware, guard=guard)])


@pytest.fixture
def page(api: Api) -> TestClient:
    """What the page's scripts can send: they cannot touch cookie or Fetch Metadata."""
    return TestClient(backend(api), base_url="https://testserver", headers=COOKIE, follow_redirects=False)


def ask(app: Starlette, method: str, path: str, headers: Mapping[str, str] = COOKIE, **changes: Any) -> Call:
    """Send a request that no well-behaved client would."""
    fields = [(name.encode(), value.encode()) for name, value in headers.items()]
    ran: Callable[..., Call] = anyio.run

    async def call() -> Call:
        return await request(app, method, path, fields, **changes)

    return ran(call)


def test_the_session_becomes_a_token(page: TestClient, api: Api) -> None:
    """R-STO-10: the API gets the session's access token, and the page what the API says."""
    answer = page.get("/api/reports/7?page=2")
    assert (answer.status_code, answer.json()) == (200, {})
    assert api.received[0].startswith(b"GET /reports/7?page=2 HTTP/1.1\r\n")
    assert api.fields["authorization"] == f"Bearer {ALICE}"
    assert api.fields["host"] == f"127.0.0.1:{api.port}"


def test_the_token_never_comes_back(page: TestClient, api: Api) -> None:
    """R-STO-10: nothing of an answer that the browser gets holds the token or sets a cookie, whatever the API says."""
    api.reply = (
        b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nSet-Cookie: a=" + ALICE.encode() + b"\r\n"
        b"WWW-Authenticate: Bearer realm=" + ALICE.encode() + b"\r\nX-Token: " + ALICE.encode() + b"\r\n"
        b"Access-Control-Allow-Origin: https://evil.example\r\nAccess-Control-Allow-Credentials: true\r\n"
        b"Clear-Site-Data: *\r\nService-Worker-Allowed: /\r\nRefresh: 0;url=https://evil.example\r\n\r\n"
    )
    answer = page.get("/api/reports")
    assert answer.status_code == 401
    assert dict(answer.headers) == {
        "content-length": "0",
        "cache-control": "no-store",
        "content-security-policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
        "x-content-type-options": "nosniff",
        "vary": "cookie",
    }


def test_only_harmless_fields_are_sent(page: TestClient, api: Api) -> None:
    """R-STO-10: cookies, credentials, hop-by-hop fields, forged addresses and second methods stay with us."""
    page.get(
        "/api/reports",
        headers={
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "If-None-Match": '"7"',
            "Proxy-Authorization": "Basic x",
            "Connection": "upgrade, accept",
            "Upgrade": "websocket",
            "TE": "trailers",
            "X-HTTP-Method-Override": "DELETE",
            "X-Forwarded-For": "10.0.0.1",
            "Forwarded": "for=10.0.0.1",
            "X-User": "admin",
            "Origin": "https://testserver",
        },
    )
    assert set(api.fields) == {"accept", "accept-encoding", "if-none-match", "authorization", "host"}


@pytest.mark.parametrize(
    ("method", "path", "raw"),
    [
        ("GET", "/api/admin", ""),
        ("PUT", "/api/reports", ""),
        ("OPTIONS", "/api/reports", ""),
        ("GET", "/api/reports/../admin", ""),
        ("GET", "/api/reports/../../admin", "/api/reports/%2e%2e/%2e%2e/admin"),
        ("GET", "/api/reports//admin", "/api/reports/%2fadmin"),
        ("GET", "/api/reports/..%2fadmin", "/api/reports/..%252fadmin"),
        ("GET", "/api/reports/..;/admin", ""),
        ("GET", "/api//evil.example/reports", ""),
        ("GET", "/api", ""),
        ("GET", "http://evil.example/api/reports", ""),
        ("get", "/api/reports", ""),
    ],
)
def test_nothing_else_is_called(api: Api, method: str, path: str, raw: str) -> None:
    """R-STO-10: what is not on the list is refused, however it is spelt, and nothing is opened."""
    answer = ask(backend(api), method, path, raw_path=(raw or path).encode())
    assert answer.status in {307, 403}  # Starlette redirects "/api" to the mount
    assert api.connections == 0


def test_a_call_through_the_list_for_comparison(api: Api) -> None:
    """R-STO-10: the same way of asking reaches the API where the list allows it; an encoded slash is a slash there."""
    answer = ask(backend(api), "GET", "/api/reports/7/8", raw_path=b"/api/reports/7%2F8")
    assert answer.status == 200
    assert api.received[0].startswith(b"GET /reports/7/8 HTTP/1.1\r\n")


def test_bodies_are_streamed(page: TestClient, api: Api) -> None:
    """R-STO-10: a body reaches the API as it came, with its length or in chunks, and never more than one framing."""
    page.post("/api/reports", content=b'{"a": 1}', headers={"Content-Type": "application/json"})
    assert api.received.pop().endswith(b'\r\n\r\n{"a": 1}')
    page.post("/api/reports", content=iter([b"one", b"two"]))
    received = api.received[0]
    assert b"one" in received
    assert b"two" in received
    assert api.fields["transfer-encoding"] == "chunked"
    assert "content-length" not in api.fields


def test_no_second_request_is_smuggled(api: Api) -> None:
    """R-STO-10: a GET has no body at the API, whatever framing came with it, nor has a DELETE without one."""
    framing = {**COOKIE, "content-length": "5", "transfer-encoding": "chunked"}
    assert ask(backend(api), "GET", "/api/reports", framing).status == 200
    assert {"content-length", "transfer-encoding"} & set(api.fields) == set()
    api.received.clear()
    assert ask(backend(api), "DELETE", "/api/reports/7").status == 200
    assert {"content-length", "transfer-encoding"} & set(api.fields) == set()


def test_answers_are_streamed_as_they_are(page: TestClient, api: Api) -> None:
    """R-STO-10: status, harmless fields and bytes come back unchanged, compressed ones too."""
    api.reply = (
        b"HTTP/1.1 404 Not Found\r\nContent-Encoding: identity\r\nContent-Type: text/plain\r\nETag: x\r\n"
        b"Cache-Control: private\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nyes\r\n3\r\n no\r\n0\r\n\r\n"
    )
    answer = page.get("/api/reports/7")
    assert (answer.status_code, answer.text) == (404, "yes no")
    kept = {name: answer.headers[name] for name in ("content-type", "etag", "cache-control")}
    assert kept == {"content-type": "text/plain", "etag": "x", "cache-control": "private"}
    assert "transfer-encoding" not in answer.headers
    assert page.head("/api/reports/7").text == ""


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 302 Found\r\nLocation: https://evil.example/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://[evil\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"",
    ],
)
def test_what_no_api_should_say(page: TestClient, api: Api, reply: bytes) -> None:
    """R-STO-10: redirects are neither followed nor passed on; they, protocol changes and nonsense are a bad gateway."""
    api.reply = reply
    answer = page.get("/api/reports")
    assert (answer.status_code, answer.content) == (502, b"")
    assert "location" not in answer.headers
    assert len(api.received) == 1


def test_not_modified_is_no_redirect(page: TestClient, api: Api) -> None:
    """R-STO-10: 304 answers a conditional request and comes back."""
    api.reply = b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n"
    assert page.get("/api/reports", headers={"If-None-Match": "x"}).status_code == 304


def test_an_api_that_is_away(api: Api) -> None:
    """R-STO-10: no connection is 502, no answer in time 504."""
    slow = backend(api, timeout_s=0.05)
    api.reply = b"HTTP/1.1 200 OK\r\n"  # and no more, on a connection that is closed: too early, not too late
    assert ask(slow, "GET", "/api/reports").status == 502
    silent = Api()
    silent._serve = _say_nothing
    with silent:
        assert ask(backend(silent, timeout_s=0.05), "GET", "/api/reports").status == 504
    app = backend(api)
    api.stop()
    assert ask(app, "GET", "/api/reports").status == 502


async def _say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(1024):
        pass


def test_the_guard_stands_before_it(api: Api) -> None:
    """R-STO-10, R-STO-03: without a session, with an unknown one, or from a foreign page, nothing is called."""
    app = backend(api)
    assert ask(app, "GET", "/api/reports", {}).status == 401
    assert ask(app, "GET", "/api/reports", {"cookie": "__Host-session=guess"}).status == 401
    assert ask(app, "POST", "/api/reports", {**COOKIE, "sec-fetch-site": "cross-site"}).status == 403
    assert ask(app, "GET", "/api/reports", {**COOKIE, "sec-fetch-site": "same-site"}).status == 403
    assert api.connections == 0


def test_a_session_that_ends_in_between(api: Api) -> None:
    """R-STO-10: a session that is gone when its token is asked for again is 401, one nobody can tell of is 503."""
    tokens = [ALICE, None]
    assert ask(backend(api, session_token=lambda _name: tokens.pop(0)), "GET", "/api/reports").status == 401
    asked: list[str] = []

    async def forgetful(name: str) -> str:
        asked.append(name)
        if len(asked) > 1:
            await anyio.sleep_forever()
        return ALICE

    assert ask(backend(api, session_token=forgetful), "GET", "/api/reports").status == 503
    assert asked == [SESSION, SESSION]
    assert api.connections == 0


def test_a_reload_in_between(api: Api) -> None:
    """R-STO-10, F69: a request whose policy is gone by a reload is told to come again; nothing is called."""
    app = backend(api)
    inner = app.routes[0].app  # type: ignore[attr-defined]  # a mount

    async def reloading(scope: Scope, receive: Receive, send: Send) -> None:
        scope["jwtguard.connection"].guard.reload(Config(issuers=(ISSUER,), endpoints=()))
        await inner(scope, receive, send)

    app.routes[0].app = reloading  # type: ignore[attr-defined]  # as above
    assert ask(app, "GET", "/api/reports").status == 503
    assert api.connections == 0


def test_it_serves_nobody_elsewhere(api: Api) -> None:
    """R-STO-10: at a public endpoint, unguarded, or with a token that came along, it raises and calls nobody."""
    with pytest.raises(RuntimeError, match="behind JWTGuardMiddleware"):
        ask(backend(api), "GET", "/open/reports")
    with pytest.raises(RuntimeError, match="behind JWTGuardMiddleware"):
        ask(Starlette(routes=[Mount("/api", Forward(f"GET http://127.0.0.1:{api.port}/**"))]), "GET", "/api/reports")
    both = preset("bff", carriers=[session_cookie("__Host-session"), BEARER])
    name, value = bearer(token())
    with pytest.raises(ConfigurationError, match="session cookies alone"):
        ask(backend(api, both), "GET", "/api/reports", {name.decode(): value.decode()})
    assert api.connections == 0


def test_an_optional_endpoint_without_a_session(api: Api) -> None:
    """R-STO-10: who is let in anonymously has no token to call with."""
    anybody = Demands(access=Access.OPTIONAL, accept=("access",), carriers=(session_cookie("__Host-session"),))
    assert ask(backend(api, anybody), "GET", "/api/reports", {}).status == 401
    assert ask(backend(api, anybody), "GET", "/api/reports").status == 200


def test_a_handshake_is_not_forwarded(page: TestClient, api: Api) -> None:
    """R-STO-10: a WebSocket that the policy would let in is closed."""
    url, headers = "wss://testserver/api/reports", {**COOKIE, "origin": "https://testserver"}
    with pytest.raises(WebSocketDisconnect) as closed, page.websocket_connect(url, headers=headers):
        pass
    assert not isinstance(closed.value, WebSocketDenialResponse), "the guard refused it"
    assert closed.value.code == 1008
    assert api.connections == 0


def test_certificates_are_checked() -> None:
    """R-STO-10: an API is called over TLS only if its certificate is trusted and names it."""
    ca = LocalCa()
    with Api(tls=ca.server_context("api.example.com")) as named, Api(tls=ca.server_context()) as api:
        for upstream, trusted, status in (
            (api, ca.client_context(), 200),
            (named, ca.client_context(), 502),
            (api, None, 502),
        ):
            app = backend(upstream, to=[f"GET https://127.0.0.1:{upstream.port}/**"], tls=trusted)
            assert ask(app, "GET", "/api/reports").status == status
        assert len(api.received) == 1
    blind = ssl.create_default_context()
    blind.check_hostname = False
    with pytest.raises(ConfigurationError, match="verifies"):
        Forward("GET https://api.internal/**", tls=blind)


def test_the_environment_names_no_proxy(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-STO-10: a proxy that the environment names gets no token."""
    with Api() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert ask(backend(api), "GET", "/api/reports").status == 200
        assert proxy.received == []
