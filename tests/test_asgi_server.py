"""The guard under a real uvicorn: uploads nobody asked for, WebSockets, and start-ups that fail."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator

import anyio
import httpx2
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from jwtguard import Discovery, Issuer, JWTGuardMiddleware, Mode, Reason, Startup, Unavailable
from jwtguard.cli.demo.servers import ApiServer
from jwtguard.connection import CONNECTION_KEY
from tests.kit.asgi_calls import Call, Probe, lifespan
from tests.kit.fake_idp import FakeIdP
from tests.kit.guarded import FORGE, ISSUER, bearer, guard, protected, public, token

GIGABYTE = 1 << 30
PATIENCE_S = 10.0


async def length(request: Request) -> PlainTextResponse:
    """Tell how long the body is."""
    return PlainTextResponse(str(len(await request.body())))


async def greet(websocket: WebSocket) -> None:
    """Tell the client who it is."""
    await websocket.accept()
    await websocket.send_text(websocket.user.subject)
    await websocket.close()


async def dump(request: Request) -> StreamingResponse:
    """Stream a part of something; then the token is revoked."""

    async def content() -> AsyncIterator[bytes]:
        yield b"a part"
        request.scope[CONNECTION_KEY].end(Reason.REVOKED)
        await anyio.sleep_forever()

    return StreamingResponse(content(), media_type=request.headers["accept"])


@pytest.fixture(scope="module")
def api() -> Iterator[ApiServer]:
    """A guarded Starlette application under uvicorn, over plain http on loopback."""
    endpoints = (protected("POST /upload"), protected("/dump"), protected("WEBSOCKET /feed"))
    policy = guard(*endpoints, mode=Mode.DEVELOPMENT)
    routes = [Route("/upload", length, methods=["POST"]), Route("/dump", dump), WebSocketRoute("/feed", greet)]
    app = Starlette(routes=routes, middleware=[Middleware(JWTGuardMiddleware, guard=policy)])
    with ApiServer(app) as server:
        yield server


def address(api: ApiServer) -> tuple[str, int]:
    """Where it listens."""
    host, _, port = api.url.removeprefix("http://").partition(":")
    return host, int(port)


def head_of_upload(length: int, *fields: str) -> bytes:
    """The head of a request that announces a body."""
    lines = ("POST /upload HTTP/1.1", "Host: localhost", f"Content-Length: {length}", *fields, "", "")
    return "\r\n".join(lines).encode()


def answer_to(api: ApiServer, sent: bytes) -> bytes:
    """Send some bytes, no more of them, and return what comes: one answer to the end of its JSON body."""
    with socket.create_connection(address(api), timeout=PATIENCE_S) as client:
        client.sendall(sent)
        received = b""
        while not received.endswith(b"}") and (chunk := client.recv(65536)):
            received += chunk
        return received


@pytest.mark.parametrize("begun", [b"", b"x", b"x" * 65536])
def test_an_announced_upload_is_refused_at_once(api: ApiServer, begun: bytes) -> None:
    """F64: 1 GB announced, a little or nothing of it sent: 401 without waiting for the rest."""
    answer = answer_to(api, head_of_upload(GIGABYTE) + begun)
    assert answer.startswith(b"HTTP/1.1 401 Unauthorized\r\n")
    assert b"\r\nwww-authenticate: Bearer\r\n" in answer


def test_a_refused_upload_is_never_invited(api: ApiServer) -> None:
    """F64: to a client that asks first, the answer is 401 and not 100: no byte of the body was asked for."""
    answer = answer_to(api, head_of_upload(GIGABYTE, "Expect: 100-continue"))
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"100 Continue" not in answer


def test_an_allowed_upload_is_invited(api: ApiServer) -> None:
    """F64: the two tests above can fail: with a token the same request is asked for its body."""
    authorization = b": ".join(bearer(token())).decode()
    with socket.create_connection(address(api), timeout=PATIENCE_S) as client:
        client.sendall(head_of_upload(3, "Expect: 100-continue", authorization))
        assert client.recv(65536).startswith(b"HTTP/1.1 100 Continue")


def test_an_allowed_body_arrives_whole(api: ApiServer) -> None:
    """F64: the application reads the body that the guard left alone."""
    name, value = bearer(token())
    headers = {name.decode(): value.decode()}
    answer = httpx2.post(f"{api.url}/upload", content=b"x" * 300_000, headers=headers, trust_env=False)
    assert (answer.status_code, answer.text) == (200, "300000")


def test_a_cut_stream_is_seen_to_be_cut(api: ApiServer) -> None:
    """R-EXT-12: a client can tell what ended with its token from what is complete; an event stream is complete."""
    name, value = (part.decode() for part in bearer(token()))
    headers = {name: value, "accept": "text/event-stream"}
    assert httpx2.get(f"{api.url}/dump", headers=headers, trust_env=False).text == "a part"
    with pytest.raises(httpx2.RemoteProtocolError, match="incomplete"):
        httpx2.get(f"{api.url}/dump", headers={**headers, "accept": "text/plain"}, trust_env=False)


def feed_url(api: ApiServer) -> str:
    """Where the WebSocket is."""
    return api.url.replace("http://", "ws://") + "/feed"


def test_a_websocket_is_accepted(api: ApiServer) -> None:
    """F61: a real client with a token is let in, and the endpoint knows it."""
    headers = {"Authorization": f"Bearer {token(sub='ada').decode()}"}
    with connect(feed_url(api), additional_headers=headers, proxy=None) as client:
        assert client.recv(PATIENCE_S) == "ada"


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer junk"}])
def test_a_websocket_is_refused_in_the_handshake(api: ApiServer, headers: dict[str, str]) -> None:
    """F61: a real client without one gets the HTTP answer, challenge and body included, and no WebSocket."""
    with pytest.raises(InvalidStatus) as refused:
        connect(feed_url(api), additional_headers=headers, proxy=None)
    response = refused.value.response
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert response.headers["Cache-Control"] == "no-store"
    assert b'"error"' in (response.body or b"")


@pytest.fixture
def dead_issuer() -> Issuer:
    """An issuer whose port nobody listens on."""
    with FakeIdP() as idp:
        address = idp.issuer
    return Issuer(
        name="login", issuer=address, audience=ISSUER.audience, algorithms=ISSUER.algorithms, keys=Discovery()
    )


def eager(issuer: Issuer) -> JWTGuardMiddleware:
    """An application that must not start without keys."""
    endpoints = (protected("/reports"), public("/health"))
    policy = guard(*endpoints, issuers=[issuer], mode=Mode.DEVELOPMENT, startup=Startup.EAGER)
    return JWTGuardMiddleware(Probe(), guard=policy)


@pytest.mark.parametrize("mode", ["auto", "on"])
def test_a_failed_start_stops_the_server(dead_issuer: Issuer, mode: str) -> None:
    """F07, R-JWK-11: eager without keys, a real uvicorn exits; it does not serve on without a lifespan."""

    async def serving() -> None:
        server.should_exit = True  # it should not have come to this

    config = uvicorn.Config(
        eager(dead_issuer),
        port=0,
        lifespan=mode,  # type: ignore[arg-type]  # one of its words
        log_config=None,
        log_level="critical",
        callback_notify=serving,
    )
    server = uvicorn.Server(config)
    with pytest.raises(SystemExit) as ended:
        server.run()
    assert ended.value.code not in {0, None}
    assert not server.started


@pytest.mark.anyio
async def test_a_failed_start_is_reported(dead_issuer: Issuer) -> None:
    """F07, R-JWK-11: the server is told in words that name the issuer; the application does not learn of a start."""
    app = eager(dead_issuer)
    call = Call()
    with pytest.raises(Unavailable, match="login"):
        await lifespan(app, call)
    assert call.types == ["lifespan.startup.failed"]
    assert "login" in call.sent[0]["message"]


@pytest.mark.anyio
async def test_an_eager_start_fetches_the_keys() -> None:
    """R-JWK-11: with the issuer there, the start waits for its keys and then completes."""
    with FakeIdP() as idp:
        idp.set_keys([FORGE.key().public_jwk()])
        issuer = Issuer(
            name="login", issuer=idp.issuer, audience=ISSUER.audience, algorithms=("ES256",), keys=Discovery()
        )
        assert (await lifespan(eager(issuer))).types == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
        assert idp.hits["/jwks.json"] == 1
