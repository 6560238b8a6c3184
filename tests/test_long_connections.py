"""What lasts ends with its token: streamed responses and WebSockets, on asyncio and on trio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from jwtguard import Guard, JWTGuardMiddleware, Reason, Refusal, cookie, identity_of, reauthenticate, sockets
from jwtguard.connection import CONNECTION_KEY
from jwtguard.core.events import ConnectionEnded
from tests.kit.asgi_calls import Call, Probe, http_scope, request, websocket_scope
from tests.kit.fake_clock import FakeClock
from tests.kit.guarded import Events, bearer, guard, optional, protected, public, token

pytestmark = pytest.mark.anyio

LIFE_S = 330.0  # five minutes and the leeway
BLINK_S = 0.01  # of real time, before a timer that is meant to fire

Serve = Callable[[Scope, Receive, Send], Awaitable[None]]


class Stage:
    """A guard whose clock the test holds, and everything that it reports."""

    def __init__(self) -> None:
        self.events = Events()
        self.guard: Guard = guard(
            protected("/stream"),
            optional("/maybe"),
            public("/open"),
            protected("/cookie", carriers=(cookie("session"),)),
            protected("WEBSOCKET /feed", scopes=frozenset({"reports:read"})),
            optional("WEBSOCKET /lobby"),
            public("WEBSOCKET /news"),
            on_event=self.events,
        )
        clock = self.guard._clock
        assert isinstance(clock, FakeClock)
        self.clock = clock

    @property
    def ends(self) -> list[ConnectionEnded]:
        """The ends that were reported."""
        return [event for event in self.events if isinstance(event, ConnectionEnded)]

    def behind(self, app: Serve) -> JWTGuardMiddleware:
        """An application behind the guard."""
        return JWTGuardMiddleware(app, guard=self.guard)


@pytest.fixture
def stage() -> Stage:
    """The guard, its clock and its events."""
    return Stage()


@pytest.fixture(autouse=True)
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the grace short, for the tests in which it passes."""
    monkeypatch.setattr(sockets, "GRACE_S", BLINK_S)


@pytest.fixture(autouse=True)
async def nothing_left() -> AsyncIterator[None]:
    """F65: after every test of this page, the only tasks are those from before."""
    before = len(anyio.get_running_tasks())
    yield
    await checkpoint()
    assert len(anyio.get_running_tasks()) == before


def begin(*headers: tuple[bytes, bytes]) -> Message:
    """The start of a response."""
    return {"type": "http.response.start", "status": 200, "headers": list(headers)}


def piece(content: bytes) -> Message:
    """A piece of a body, with more to come."""
    return {"type": "http.response.body", "body": content, "more_body": True}


EVENT_STREAM = (b"content-type", b"Text/Event-Stream; charset=utf-8")
OPEN_ENDED = {"event stream": (EVENT_STREAM,), "chunked": ((b"transfer-encoding", b"chunked"),), "bare": ()}


async def stream(app: ASGIApp, path: str = "/stream", **changes: Any) -> Call:
    """Ask for the stream."""
    return await request(app, "GET", path, [bearer(token(sub="ada"))], **changes)


def is_complete(call: Call) -> bool:
    """Whether the client sees the end of the response."""
    return not call.sent[-1].get("more_body", False) and call.types[-1] == "http.response.body"


@pytest.mark.parametrize("headers", OPEN_ENDED.values(), ids=OPEN_ENDED)
async def test_a_stream_ends_with_its_token(stage: Stage, headers: tuple[tuple[bytes, bytes], ...]) -> None:
    """R-EXT-12: what is sent after the token's end goes nowhere; an event stream ends, any other is cut off."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(begin(*headers))
        stage.clock.advance(LIFE_S - 1)
        await send(piece(b"in time"))
        stage.clock.advance(1)
        await send(piece(b"too late"))

    call = await stream(stage.behind(app))
    assert call.body == b"in time"
    assert is_complete(call) == (EVENT_STREAM in headers)
    assert stage.ends == [ConnectionEnded("/stream", Reason.EXPIRED)]


@pytest.mark.parametrize("headers", OPEN_ENDED.values(), ids=OPEN_ENDED)
async def test_a_silent_stream_ends_with_its_token(stage: Stage, headers: tuple[tuple[bytes, bytes], ...]) -> None:
    """R-EXT-12: an application that waits for something to stream is interrupted, and may clean up."""
    seen = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        stage.clock.advance(LIFE_S - BLINK_S)
        await send(begin(*headers))
        stage.clock.advance(BLINK_S)
        try:
            await anyio.sleep_forever()
        finally:
            seen.append("cleaned up")

    call = await stream(stage.behind(app))
    assert (seen, call.body) == (["cleaned up"], b"")
    assert is_complete(call) == (EVENT_STREAM in headers)
    assert stage.ends == [ConnectionEnded("/stream", Reason.EXPIRED)]


class Ticks:
    """A body without end; time passes. No generator: Starlette leaves those open, and trio warns of it."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._first = True

    def __aiter__(self) -> Ticks:
        return self

    async def __anext__(self) -> bytes:
        if not self._first:
            self._stage.clock.advance(100)
        self._first = False
        return b"tick "


@pytest.mark.parametrize("version", ["2.3", "2.4"])
async def test_starlette_streams_end_quietly(stage: Stage, version: str) -> None:
    """R-EXT-12: Starlette's streaming response ends with the token, and no error reaches the server's log."""

    async def endpoint(request: Request) -> StreamingResponse:
        return StreamingResponse(Ticks(stage), media_type="text/event-stream")

    app = Starlette(routes=[Route("/stream", endpoint)], middleware=[Middleware(JWTGuardMiddleware, guard=stage.guard)])
    sent: list[Message] = []

    async def receive() -> Message:
        await anyio.sleep_forever()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)
        await checkpoint()

    scope = http_scope("GET", "/stream", [bearer(token())], asgi={"version": "3.0", "spec_version": version})
    await app(scope, receive, send)
    assert b"".join(message.get("body", b"") for message in sent) == b"tick " * 4
    assert not sent[-1]["more_body"]


@pytest.mark.parametrize("path", ["/open", "/maybe"])
async def test_a_stream_for_everybody_does_not_end(stage: Stage, path: str) -> None:
    """R-EXT-12: a response to nobody in particular has no token whose end could be its own."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(begin(EVENT_STREAM))
        stage.clock.advance(LIFE_S * 10)
        await send({**piece(b"late"), "more_body": False})

    assert (await request(stage.behind(app), "GET", path)).body == b"late"
    assert stage.ends == []


async def test_a_response_of_announced_length_is_never_cut(stage: Stage) -> None:
    """R-EXT-12: an ordinary response that takes longer than its token arrives whole."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(begin((b"Content-Length", b"6")))
        await send(piece(b"whole"))
        stage.clock.advance(LIFE_S * 2)
        scope[CONNECTION_KEY].end(Reason.REVOKED)
        await checkpoint()
        await send({**piece(b"!"), "more_body": False})

    call = await stream(stage.behind(app))
    assert (call.body, stage.ends) == (b"whole!", [])


async def test_what_runs_after_a_stream_is_left_alone(stage: Stage) -> None:
    """R-EXT-12: once a stream is complete, its token's end interrupts no background task."""
    done = []

    async def later() -> None:
        stage.clock.advance(BLINK_S)
        await anyio.sleep(2 * BLINK_S)  # a timer left behind would fire now
        done.append("done")

    async def endpoint(request: Request) -> StreamingResponse:
        async def content() -> AsyncIterator[bytes]:
            yield b"all"

        stage.clock.advance(LIFE_S - BLINK_S)
        return StreamingResponse(content(), background=BackgroundTask(later))

    call = await stream(stage.behind(Starlette(routes=[Route("/stream", endpoint)])))
    assert (call.body, done, stage.ends) == (b"all", ["done"], [])


async def test_a_stream_is_ended_from_outside(stage: Stage) -> None:
    """R-EXT-12: whoever learns that a token was revoked ends the connection; the reason is reported, once."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(begin(EVENT_STREAM))
        scope[CONNECTION_KEY].end(Reason.REVOKED)
        scope[CONNECTION_KEY].end(Reason.EXPIRED)
        await anyio.sleep_forever()

    call = await stream(stage.behind(app))
    assert is_complete(call)
    assert stage.ends == [ConnectionEnded("/stream", Reason.REVOKED)]


async def test_a_stream_revoked_before_it_begins_ends_at_once(stage: Stage) -> None:
    """R-EXT-12: an end that comes before the stream does is not forgotten."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope[CONNECTION_KEY].end(Reason.REVOKED)
        await send(begin(EVENT_STREAM))
        await send(piece(b"too late"))

    call = await stream(stage.behind(app))
    assert (call.body, is_complete(call)) == (b"", True)
    assert stage.ends == [ConnectionEnded("/stream", Reason.REVOKED)]


async def test_a_connection_is_in_the_scope_while_it_lasts(stage: Stage) -> None:
    """R-EXT-11: what somebody planted under the connection's key is replaced, and nothing of ours stays behind."""
    seen: list[object] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope.get(CONNECTION_KEY))
        await send(begin((b"content-length", b"0")))
        await send({"type": "http.response.body"})

    for path in ("/stream", "/open"):
        scope = http_scope("GET", path, [bearer(token())], **{CONNECTION_KEY: "planted"})
        await stage.behind(app)(scope, _never, _ignore)
        assert CONNECTION_KEY not in scope
    assert type(seen[0]).__name__.startswith("Response")
    assert seen[1] is None


async def _never() -> Message:
    await anyio.sleep_forever()
    raise AssertionError


async def _ignore(message: Message) -> None:
    await checkpoint()


class FaultError(Exception):
    """What an application raises."""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("error", [FaultError(), OSError(), ExceptionGroup("", [FaultError()])], ids=repr)
async def test_an_error_of_the_application_is_its_own(stage: Stage, when: str, error: Exception) -> None:
    """F66: what an application raises leaves as it is, an ``OSError`` too unless it was told of the end."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if when == "after":
            await send(begin(EVENT_STREAM))
            stage.clock.advance(LIFE_S)
            with pytest.raises(OSError, match="no longer holds"):
                await send(piece(b"late"))
        raise error

    if when == "after" and isinstance(error, OSError):
        await stream(stage.behind(app))
        return
    with pytest.raises(type(error)) as raised:
        await stream(stage.behind(app))
    assert raised.value is error


async def test_a_cancelled_stream_is_cancelled(stage: Stage) -> None:
    """F65: a server that cancels the application in mid-stream is not mistaken for the end of the token."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(begin(EVENT_STREAM))
        group.cancel_scope.cancel()
        await anyio.sleep_forever()

    async with anyio.create_task_group() as group:
        await stream(stage.behind(app))
        pytest.fail("the cancellation was swallowed")
    assert stage.ends == []


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_task_cancelled_by_both_is_cancelled(stage: Stage) -> None:
    """F65: a server's cancellation of the task counts, although the token ended in the same moment."""
    went_on: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(begin())
        scope[CONNECTION_KEY].end(Reason.REVOKED)
        try:
            await anyio.sleep_forever()
        except asyncio.CancelledError:
            task.cancel()
            raise

    async def serve() -> None:
        await stream(stage.behind(app))
        went_on.append("as if nothing had happened")

    task = asyncio.create_task(serve())
    await asyncio.wait([task])
    assert (task.cancelled(), went_on) == (True, [])


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_task_goes_on_after_its_stream(stage: Stage) -> None:
    """F65: a server's task that ran an ended stream is not left half cancelled."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(begin(EVENT_STREAM))
        scope[CONNECTION_KEY].end(Reason.REVOKED)
        await anyio.sleep_forever()

    task = asyncio.current_task()
    assert task is not None
    for _ in range(3):
        await stream(stage.behind(app))
        await asyncio.sleep(0)
        assert task.cancelling() == 0


async def test_a_client_that_does_not_read_holds_nothing_up(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """F65: the last piece of an event stream waits a grace for its client, no longer."""
    monkeypatch.setattr("jwtguard.streaming.GRACE_S", BLINK_S)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(begin(EVENT_STREAM))
        scope[CONNECTION_KEY].end(Reason.REVOKED)
        await anyio.sleep_forever()

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            await anyio.sleep_forever()

    await stage.behind(app)(http_scope("GET", "/stream", [bearer(token())]), _never, send)
    assert stage.ends == [ConnectionEnded("/stream", Reason.REVOKED)]


VARIES: dict[str, tuple[list[tuple[bytes, bytes]], bytes]] = {
    "none": ([], b"authorization"),
    "another": ([(b"Vary", b"Origin")], b"Origin, authorization"),
    "several": ([(b"vary", b"Origin"), (b"vary", b"Accept")], b"Origin, Accept, authorization"),
    "ours": ([(b"vary", b"Accept,Authorization")], b"Accept,Authorization"),
    "everything": ([(b"vary", b"*")], b"*"),
    "empty": ([(b"vary", b"")], b"authorization"),
}


@pytest.mark.parametrize(("given", "varies"), VARIES.values(), ids=VARIES)
async def test_responses_vary_on_the_carrier(stage: Stage, given: list[tuple[bytes, bytes]], varies: bytes) -> None:
    """R-STO-09: a response to an identified request says that it depends on the credential, beside what it said."""
    start = begin((b"content-length", b"0"), *given)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start)
        await send({"type": "http.response.body"})

    for _ in range(2):
        assert (await stream(stage.behind(app))).header(b"vary") == varies
    assert start == begin((b"content-length", b"0"), *given)


async def test_who_does_not_vary(stage: Stage) -> None:
    """R-STO-09: an optional endpoint varies also for nobody, a cookie's varies on cookies, a public one does not."""
    app = stage.behind(Probe())
    assert (await request(app, "GET", "/maybe")).header(b"vary") == b"authorization"
    with_cookie = await request(app, "GET", "/cookie", [(b"cookie", b"session=" + token())])
    assert (with_cookie.status, with_cookie.header(b"vary")) == (200, b"cookie")
    assert (await request(app, "GET", "/open", [bearer(token())])).header(b"vary") is None


async def test_a_response_object_may_be_used_again(stage: Stage) -> None:
    """R-STO-09: an application's own response is not changed, so that it may serve other endpoints too."""
    shared: Response = PlainTextResponse("same for all")
    before = list(shared.raw_headers)
    assert (await stream(stage.behind(shared))).header(b"vary") == b"authorization"
    assert shared.raw_headers == before


class Peer:
    """A WebSocket client: what it will send, and what it got."""

    def __init__(self, *messages: Message) -> None:
        self.sent: list[Message] = []
        self._messages = [{"type": "websocket.connect"}, *messages]
        self.idle: Callable[[], None] = lambda: None

    async def receive(self) -> Message:
        """Give the next message; then nothing, for ever."""
        await checkpoint()
        if self._messages:
            return self._messages.pop(0)
        self.idle()
        await anyio.sleep_forever()
        raise AssertionError

    async def send(self, message: Message) -> None:
        """Keep it."""
        await checkpoint()
        self.sent.append(message)

    async def open(self, app: ASGIApp, path: str = "/feed", credential: bytes | None = None) -> None:
        """Connect, and stay until the application has left."""
        await app(websocket_scope(path, [bearer(credential or token(sub="ada"))]), self.receive, self.send)

    @property
    def closes(self) -> list[int]:
        """The codes of the closes it got."""
        return [message["code"] for message in self.sent if message["type"] == "websocket.close"]

    @property
    def texts(self) -> list[str]:
        """The texts it got."""
        return [message["text"] for message in self.sent if message["type"] == "websocket.send"]


def text(content: str) -> Message:
    """A message of a client."""
    return {"type": "websocket.receive", "text": content}


EXPIRED_FEED = [ConnectionEnded("WEBSOCKET /feed", Reason.EXPIRED)]


def starlette(endpoint: Callable[[WebSocket], Awaitable[None]]) -> Starlette:
    """A Starlette application of one WebSocket."""
    return Starlette(routes=[WebSocketRoute("/{name}", endpoint)])


async def test_a_waiting_websocket_ends_with_its_token(stage: Stage) -> None:
    """R-EXT-12: the client gets close code 1008, the application a disconnect with it, in the middle of receiving."""
    seen: list[object] = []

    async def feed(websocket: WebSocket) -> None:
        await websocket.accept()
        stage.clock.advance(LIFE_S - BLINK_S)
        scope = websocket.scope
        scope[CONNECTION_KEY]._changed.set()  # the clock jumped: look at it anew
        with pytest.raises(WebSocketDisconnect) as left:
            await websocket.receive_text()
        await checkpoint()
        seen.append((left.value.code, "cleaned up"))

    peer = Peer()
    peer.idle = lambda: stage.clock.advance(BLINK_S)
    await peer.open(stage.behind(starlette(feed)))
    assert (peer.closes, seen) == ([1008], [(1008, "cleaned up")])
    assert stage.ends == EXPIRED_FEED


async def test_nothing_passes_after_the_end(stage: Stage) -> None:
    """R-EXT-12: messages of either side that come after the end are not delivered."""
    received: list[str] = []

    async def feed(websocket: WebSocket) -> None:
        await websocket.accept()
        received.append(await websocket.receive_text())
        await websocket.send_text("in time")
        stage.clock.advance(LIFE_S)
        with pytest.raises(WebSocketDisconnect):
            await websocket.send_text("too late")
        assert (await websocket._receive())["code"] == 1008
        assert (await websocket._receive())["code"] == 1008

    peer = Peer(text("in time"), text("too late"))
    await peer.open(stage.behind(starlette(feed)))
    assert (received, peer.texts, peer.closes) == (["in time"], ["in time"], [1008])
    assert stage.ends == EXPIRED_FEED


async def test_a_message_that_arrives_at_the_end_is_dropped(stage: Stage) -> None:
    """R-EXT-12: what a client sent while the token still held, but arrives after, is not delivered."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        with anyio.move_on_after(0):  # from here on the wall clock alone moves
            await anyio.sleep_forever()
        assert (await receive())["type"] == "websocket.disconnect"

    class Late(Peer):
        async def receive(self) -> Message:
            message = await super().receive()
            if message["type"] == "websocket.receive":
                stage.clock.advance(LIFE_S)
            return message

    peer = Late(text("late"))
    await peer.open(stage.behind(app))
    assert peer.closes == [1008]


async def test_an_idle_application_is_ended(stage: Stage) -> None:
    """R-EXT-12: an application that neither sends nor receives is closed at once, and cancelled after a grace."""
    left: list[list[int]] = []

    async def feed(websocket: WebSocket) -> None:
        await websocket.accept()
        websocket.scope[CONNECTION_KEY].end(Reason.REVOKED)
        try:
            await anyio.sleep_forever()
        finally:
            left.append(peer.closes)

    peer = Peer()
    await peer.open(stage.behind(starlette(feed)))
    assert (left, peer.closes) == ([[1008]], [1008])
    assert stage.ends == [ConnectionEnded("WEBSOCKET /feed", Reason.REVOKED)]


async def test_a_timer_ends_an_idle_websocket(stage: Stage) -> None:
    """R-EXT-12: nobody has to look at the clock for the end to come."""

    async def feed(websocket: WebSocket) -> None:
        await websocket.accept()
        stage.clock.advance(BLINK_S)
        await anyio.sleep_forever()

    peer, credential = Peer(), token()
    stage.clock.advance(LIFE_S - BLINK_S)
    await peer.open(stage.behind(starlette(feed)), credential=credential)
    assert (peer.closes, stage.ends) == ([1008], EXPIRED_FEED)


@pytest.mark.parametrize("side", ["application", "client"])
async def test_a_websocket_that_is_gone_is_left_alone(stage: Stage, side: str) -> None:
    """R-EXT-12: where either side closed before, the end of the token is no second close and no event."""

    async def feed(websocket: WebSocket) -> None:
        await websocket.accept()
        if side == "application":
            await websocket.close(1000)
        else:
            assert (await websocket.receive())["code"] == 1001
        stage.clock.advance(LIFE_S)
        websocket.scope[CONNECTION_KEY].end(Reason.REVOKED)
        await anyio.sleep(2 * BLINK_S)  # longer than the grace, after which it would be cancelled

    peer = Peer({"type": "websocket.disconnect", "code": 1001})
    await peer.open(stage.behind(starlette(feed)))
    assert peer.closes == ([1000] if side == "application" else [])
    assert stage.ends == []


async def test_closing_after_the_end_is_no_error(stage: Stage) -> None:
    """R-EXT-12: an application may close what was closed for it; the client gets one close."""

    async def feed(websocket: WebSocket) -> None:
        await websocket.accept()
        stage.clock.advance(LIFE_S)
        await websocket.close(1000)
        closed.append("quietly")

    peer, closed = Peer(), list[str]()
    await peer.open(stage.behind(starlette(feed)))
    assert (peer.closes, closed, stage.ends) == ([1008], ["quietly"], EXPIRED_FEED)


async def test_an_end_before_the_accept(stage: Stage) -> None:
    """R-EXT-12: a token that ends while the application makes up its mind opens nothing."""

    async def feed(websocket: WebSocket) -> None:
        stage.clock.advance(LIFE_S)
        await websocket.accept()

    peer = Peer()
    await peer.open(stage.behind(starlette(feed)))
    assert peer.sent == [{"type": "websocket.close", "code": 1008, "reason": "The token no longer holds."}]


@pytest.mark.parametrize("fault", [OSError, RuntimeError])
async def test_a_server_that_cannot_close_any_more(stage: Stage, fault: type[Exception]) -> None:
    """F65: a client that left in the moment of the end is no error."""

    class Left(Peer):
        async def send(self, message: Message) -> None:
            if message["type"] == "websocket.close":
                raise fault

    async def feed(websocket: WebSocket) -> None:
        await websocket.accept()
        stage.clock.advance(LIFE_S)
        await websocket.receive_text()

    await Left().open(stage.behind(starlette(feed)))
    assert stage.ends == EXPIRED_FEED


@pytest.mark.parametrize("path", ["/lobby", "/news"])
async def test_a_websocket_for_everybody_does_not_end(stage: Stage, path: str) -> None:
    """R-EXT-12: a WebSocket of nobody in particular lasts as long as both sides like."""

    async def feed(websocket: WebSocket) -> None:
        await websocket.accept()
        stage.clock.advance(LIFE_S * 10)
        await websocket.send_text("late")

    peer = Peer()
    app = stage.behind(starlette(feed))
    await app(websocket_scope(path), peer.receive, peer.send)
    assert (peer.texts, stage.ends) == (["late"], [])


@pytest.mark.parametrize(
    "error", [FaultError(), ExceptionGroup("", [FaultError()]), WebSocketDisconnect(1001)], ids=repr
)
async def test_an_error_in_a_websocket_is_the_applications_own(stage: Stage, error: Exception) -> None:
    """F66: an error leaves as the application raised it, with no group of ours around it."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            raise ZeroDivisionError  # noqa: TRY301 - an error has a history
        except ZeroDivisionError:
            raise error  # noqa: B904 - the implicit context is what must survive

    with pytest.raises(type(error)) as raised:
        await Peer().open(stage.behind(app))
    if isinstance(error, ExceptionGroup):  # trio makes every group anew
        assert isinstance(raised.value, ExceptionGroup)
        assert raised.value.exceptions == error.exceptions
        return
    assert raised.value is error
    assert isinstance(error.__context__, ZeroDivisionError)
    assert not error.__suppress_context__


async def test_an_error_after_the_end_leaves_too(stage: Stage) -> None:
    """F66: a bug in the clean-up is no part of the end; the client got its close nevertheless."""

    async def feed(websocket: WebSocket) -> None:
        await websocket.accept()
        stage.clock.advance(LIFE_S)
        raise FaultError

    peer = Peer()
    with pytest.raises(FaultError):
        await peer.open(stage.behind(starlette(feed)))


async def test_a_cancelled_websocket_is_cancelled(stage: Stage) -> None:
    """F65: a server that cancels the application finds nothing of ours left."""

    async def feed(websocket: WebSocket) -> None:
        await websocket.accept()
        group.cancel_scope.cancel()
        await websocket.receive_text()

    async with anyio.create_task_group() as group:
        await Peer().open(stage.behind(starlette(feed)))
        pytest.fail("the cancellation was swallowed")
    assert stage.ends == []


async def test_a_new_token_moves_the_end(stage: Stage) -> None:
    """R-EXT-12: a token of the same principal, judged like the first, keeps the WebSocket open and is its identity."""
    seen: list[object] = []

    async def feed(websocket: WebSocket) -> None:
        await websocket.accept()
        stage.clock.advance(LIFE_S - 1)
        fresh = token(sub="ada", now=stage.clock.now(), scope="reports:read more")
        identity = await reauthenticate(websocket, await websocket.receive_text() and fresh)
        assert identity_of(websocket) is websocket.user is identity
        seen.append((identity.subject, websocket.auth.scopes))
        stage.clock.advance(LIFE_S - 1)
        await websocket.send_text("still here")
        stage.clock.advance(1)
        await websocket.send_text("too late")

    peer = Peer(text("a token"))
    await peer.open(stage.behind(starlette(feed)))
    assert seen == [("ada", ["authenticated", "more", "reports:read"])]
    assert (peer.texts, peer.closes, stage.ends) == (["still here"], [1008], EXPIRED_FEED)


async def test_a_new_token_may_end_sooner(stage: Stage) -> None:
    """R-EXT-12: the end is that of the token shown last, also where the one before would have lasted longer."""

    async def feed(websocket: WebSocket) -> None:
        await websocket.accept()
        await checkpoint()  # the watch has begun, on the first token's end
        await reauthenticate(websocket, token(sub="ada", exp=int(stage.clock.now()) + 1))
        stage.clock.advance(LIFE_S - 299 - BLINK_S)
        await websocket.send_text("still here")
        stage.clock.advance(BLINK_S)
        await anyio.sleep_forever()

    peer = Peer()
    with anyio.fail_after(10):
        await peer.open(stage.behind(starlette(feed)))
    assert (peer.texts, peer.closes, stage.ends) == (["still here"], [1008], EXPIRED_FEED)


REFUSED: dict[str, tuple[Callable[[], bytes], Reason]] = {
    "junk": (lambda: b"junk", Reason.MALFORMED),
    "another subject": (lambda: token(sub="eve"), Reason.RULE_REFUSED),
    "too little": (lambda: token(sub="ada", scope="other"), Reason.SCOPE_MISSING),
    "for another": (lambda: token(sub="ada", aud="https://other.example"), Reason.BAD_AUDIENCE),
    "expired": (lambda: token(sub="ada", iat=1_767_220_000, exp=1_767_221_000), Reason.EXPIRED),
}


@pytest.mark.parametrize(("make", "reason"), REFUSED.values(), ids=REFUSED)
async def test_a_refused_token_changes_nothing(stage: Stage, make: Callable[[], bytes], reason: Reason) -> None:
    """R-EXT-12: an unacceptable token, or one of another principal, leaves identity and end as they were."""
    refusals: list[Reason] = []

    async def feed(websocket: WebSocket) -> None:
        await websocket.accept()
        before = websocket.user
        with pytest.raises(Refusal) as refused:
            await reauthenticate(websocket, make())
        refusals.append(refused.value.reason)
        assert identity_of(websocket) is websocket.user is before
        stage.clock.advance(LIFE_S - 1)
        await websocket.send_text("still here")
        stage.clock.advance(1)
        await websocket.send_text("too late")

    peer = Peer()
    await peer.open(stage.behind(starlette(feed)))
    assert (refusals, peer.texts, peer.closes) == ([reason], ["still here"], [1008])


async def test_no_token_brings_an_ended_websocket_back(stage: Stage) -> None:
    """R-EXT-12: after the end it is too late, for a good token too."""
    refusals: list[Reason] = []

    async def feed(websocket: WebSocket) -> None:
        await websocket.accept()
        websocket.scope[CONNECTION_KEY].end(Reason.REVOKED)
        with pytest.raises(Refusal) as refused:
            await reauthenticate(websocket.scope, token(sub="ada"))
        refusals.append(refused.value.reason)

    peer = Peer()
    await peer.open(stage.behind(starlette(feed)))
    assert (refusals, peer.closes) == ([Reason.REVOKED], [1008])


async def test_only_an_identified_websocket_can_be_reauthenticated(stage: Stage) -> None:
    """R-EXT-12: a request, an anonymous WebSocket and a scope of somebody else have no end to move."""
    tried: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        with pytest.raises(LookupError, match="JWTGuardMiddleware"):
            await reauthenticate(scope, token())
        tried.append(scope["path"])

    peer = Peer()
    await peer.open(stage.behind(app), "/news")
    await stage.behind(app)(websocket_scope("/lobby"), peer.receive, peer.send)
    await stream(stage.behind(app))
    assert tried == ["/news", "/lobby", "/stream"]
