"""WSGI responses: they vary on the credential, and streams end with their token (R-EXT-12, R-STO-09)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any

import anyio
import pytest

from jwtguard import BEARER, Guard, JWTGuardWSGI, Reason, cookie
from jwtguard.bodies import Stream
from jwtguard.connection import EndedError
from jwtguard.core.decision import Allowed
from jwtguard.core.events import ConnectionEnded
from jwtguard.core.request import RequestHead
from tests.kit.fake_clock import FakeClock
from tests.kit.guarded import Events, bearer, guard, optional, protected, public, token
from tests.kit.wsgi_calls import environ_of

SECONDS = 330  # of the forge's tokens, leeway included
PIECES = [b"one", b"two", b"three"]


class World:
    """A WSGI application that streams, behind a guard whose clock stands still until it is moved."""

    def __init__(self, *headers: tuple[str, str], ready: bool = False) -> None:
        self.events, self.clock, self.closed = Events(), FakeClock(), 0
        endpoints = (protected("/x", carriers=(BEARER, cookie("t"))), optional("/o"), public("/p"))
        self.guard: Guard = guard(*endpoints, on_event=self.events)
        self.clock = self.guard._clock  # type: ignore[assignment]  # the kit's
        self._headers, self._ready = list(headers), ready
        self.sent: list[tuple[str, str]] = []

    def _app(self, _: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        start_response("200 OK", list(self._headers))
        return list(PIECES) if self._ready else Pieces(self)

    def ask(self, path: str = "/x", *, sent: bool = True) -> Iterator[bytes]:
        """Send a request; return the body, of which nothing has been asked for."""

        def start(_: str, headers: list[tuple[str, str]], __: object = None) -> Callable[[bytes], None]:
            self.sent = headers
            return lambda _: None

        fields = (bearer(token()),) if sent else ()
        body = JWTGuardWSGI(self._app, guard=self.guard)(
            environ_of("GET", path, fields, wsgi__url_scheme="https"), start
        )
        self.body = body
        return iter(body)

    @property
    def vary(self) -> list[str]:
        """What the response varies on."""
        return [value for name, value in self.sent if name == "Vary"]


class Pieces:
    """A body that says when it is closed."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._pieces = iter(PIECES)

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def close(self) -> None:
        """As servers call it."""
        self._world.closed += 1


def test_an_event_stream_ends_with_its_token() -> None:
    """R-EXT-12: an event stream comes to a clean end, so that its client asks again and is refused."""
    world = World(("Content-Type", "text/event-stream; charset=utf-8"))
    body = world.ask()
    assert next(body) == b"one"
    world.clock.advance(SECONDS)
    assert list(body) == []
    world.body.close()  # type: ignore[attr-defined]  # as a server does
    assert world.closed == 1
    assert [event for event in world.events if isinstance(event, ConnectionEnded)] == [
        ConnectionEnded("/x", Reason.EXPIRED)
    ]


def test_another_stream_breaks_off() -> None:
    """R-EXT-12: any other stream breaks off, so that nobody takes it for complete."""
    world = World(("Content-Type", "text/csv"))
    body = world.ask()
    assert next(body) == b"one"
    world.clock.advance(SECONDS)
    with pytest.raises(EndedError):
        next(body)


@pytest.mark.parametrize(
    ("world", "path", "sent"),
    [
        (World(("Content-Length", "11")), "/x", True),
        (World(ready=True), "/x", True),
        (World(), "/p", False),
        (World(), "/o", False),
    ],
    ids=["announced", "ready", "public", "anonymous"],
)
def test_what_is_never_cut(world: World, path: str, sent: bool) -> None:  # noqa: FBT001
    """R-EXT-12: a response of announced length, one that is ready, and one to nobody go on to their end."""
    body = world.ask(path, sent=sent)
    world.clock.advance(SECONDS)
    assert list(body) == PIECES
    assert not [event for event in world.events if isinstance(event, ConnectionEnded)]


def test_a_stream_within_its_time() -> None:
    """R-EXT-12: a second earlier, everything passes."""
    world = World()
    body = world.ask()
    world.clock.advance(SECONDS - 1)
    assert list(body) == PIECES


@pytest.mark.parametrize(
    ("said", "vary"),
    [
        ([], ["authorization, cookie"]),
        ([("Vary", "Accept")], ["Accept, authorization, cookie"]),
        ([("vary", "Cookie, Accept"), ("VARY", "X")], ["Cookie, Accept, X, authorization"]),
        ([("Vary", "*")], ["*"]),
    ],
)
def test_responses_vary_on_the_carriers(said: list[tuple[str, str]], vary: list[str]) -> None:
    """R-STO-09: a response to an identified request says so to caches, beside what it says itself."""
    world = World(*said)
    list(world.ask())
    assert world.vary == vary


def test_public_responses_do_not_vary() -> None:
    """R-STO-09: where no credential is read, nothing depends on one."""
    world = World()
    list(world.ask("/p", sent=False))
    assert world.vary == []


def test_an_event_stream_is_one_whatever_else_is_said() -> None:
    """R-EXT-12: what an event stream says after its type does not make it break off."""
    world = World(("content-type", "Text/Event-Stream"), ("X-Accel-Buffering", "no"))
    body = world.ask()
    assert next(body) == b"one"
    world.clock.advance(SECONDS)
    assert list(body) == []


@pytest.mark.parametrize(("path", "sent"), [("/x", True), ("/p", False)])
def test_a_body_without_close(path: str, sent: bool) -> None:  # noqa: FBT001
    """R-EXT-14: a body that PEP 3333 lets be without ``close`` is closed by servers all the same."""

    def app(_: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        start_response("200 OK", [])
        return iter(PIECES)

    fields = (bearer(token()),) if sent else ()
    by = guard(protected("/x"), public("/p"))
    body = JWTGuardWSGI(app, guard=by)(environ_of("GET", path, fields), lambda *_: lambda _: None)
    assert list(body) == PIECES
    body.close()  # type: ignore[attr-defined]  # what the guard returned has it


def event_stream() -> tuple[Stream, FakeClock]:
    """An event stream that has begun, and the clock it ends by."""
    clock = FakeClock()
    by = guard(protected("/x"))
    by._clock = clock
    allowed = by.decide_locally(RequestHead("GET", "/x", (bearer(token()),), "https"))
    assert isinstance(allowed, Allowed)
    stream = Stream(allowed, by)
    stream.begins("text/event-stream")
    return stream, clock


def test_streams_of_frameworks_end_as_well() -> None:
    """R-EXT-12: frameworks that hand over their pieces (Django does) get the same end, and nothing before it."""
    stream, clock = event_stream()

    def body() -> Iterator[bytes]:
        yield from PIECES[:2]
        clock.advance(SECONDS)
        yield PIECES[2]

    assert list(stream.pieces(body())) == PIECES[:2]


def test_streams_of_coroutines_end_as_well() -> None:
    """R-EXT-12: frameworks that stream asynchronously (Django does) get the same end."""
    stream, clock = event_stream()

    async def body() -> AsyncIterator[bytes]:
        for piece in PIECES:
            yield piece
            clock.advance(SECONDS)

    async def read() -> list[bytes]:
        return [piece async for piece in stream.pieces_async(body())]

    assert anyio.run(read) == PIECES[:1]
