"""F58 to F66 on every face, where one request and its answer do not show them."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Iterator
from functools import cache
from typing import Final

import anyio
import pytest
from anyio.lowlevel import checkpoint
from starlette.types import ASGIApp, Message, Scope

from jwtguard.current import IDENTITY_KEY
from tests.kit import asgi_calls
from tests.scenarios.faces import tokens
from tests.scenarios.faces.asgi_faces import ASGI_FACES, AsgiFace, scope_of
from tests.scenarios.faces.gunicorn_face import GunicornFace, head_of
from tests.scenarios.faces.places import BrokenError
from tests.scenarios.faces.row import Elsewhere, Row, Sent, Trait
from tests.scenarios.faces.rows_tokens import with_token
from tests.scenarios.faces.seen import Face, secrets_in
from tests.scenarios.faces.table import TABLE
from tests.scenarios.faces.told import BROKEN
from tests.scenarios.test_paths import METHODS, TRICKS

SEED: Final = 60
CROOKED: Final = 100
"""For each face; thousands more are in ``tests/scenarios/test_paths.py``."""
SESSION: Final = Sent(target="/session", fields=(tokens.in_session(next(iter(tokens.SESSIONS))),))
SOCKETS: Final = [row for row in TABLE.values() if row.sent.is_socket and row.reason not in {None, "no_policy"}]
EVERY_ASGI_FACE: Final = (*ASGI_FACES, "django_asgi", "decorated_django_asgi")
BUGS: Final = [row for row in TABLE.values() if row.told is BROKEN]
STRAIGHT: Final = (
    "/health", "/hello", "/reports", "/reports/7", "/everything", "/folder/", "/any", "/t/acme/x", "/admin/users/7",
)  # fmt: skip


def one_of_each() -> Iterator[Row]:
    """One row for each reason, and every row that ends in a server error."""
    yield from {row.reason: row for row in TABLE.values()}.values()
    yield from BUGS


def test_F58_nothing_of_a_credential_is_logged(
    face: Face, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """F58: no canary is in a log, on standard output or in a traceback, whatever the outcome; the server's too."""
    caplog.set_level(logging.DEBUG)
    secrets: set[str] = set()
    for row in one_of_each():
        expected = row.on(face.traits)
        if not isinstance(expected, Elsewhere) or expected.statuses:
            face.send(row.sent)
            secrets |= secrets_in(row.sent)
    shown = "\n".join((caplog.text, *capfd.readouterr(), face.log()))
    assert len(secrets) > 20
    assert [secret for secret in secrets if secret in shown] == []


@cache
def crooked() -> tuple[Sent, ...]:
    """Straight targets with one to three tricks each, under all kinds of methods; with a token that may do all."""
    chance = random.Random(SEED)
    sent: list[Sent] = []
    everything = tokens.made(scope="reports:read reports:write admin a b", tier="gold", roles=["admin"])
    while len(sent) < CROOKED:
        target = chance.choice(STRAIGHT)
        for _ in range(chance.choice((1, 1, 2, 3))):
            target = chance.choice(TRICKS)(chance, target)
        method = chance.choice(METHODS) if chance.random() < 0.3 else "GET"
        if method != "websocket" and target.isascii() and target.isprintable() and " " not in target and target:
            sent.append(with_token(everything, target, method=method))
    return tuple(sent)


def test_F60_no_handler_runs_under_the_policy_of_another(face: Face) -> None:
    """F60: whatever path and method a client writes, a function that runs was let in by its own policy."""
    ran = 0
    for sent in crooked():
        seen = face.send(sent)
        assert [reached for reached in seen.handlers if reached.handler != reached.policy] == [], sent
        ran += len(seen.handlers)
    assert 0 < ran < CROOKED / 2


@pytest.mark.parametrize("row", SOCKETS, ids=lambda row: row.name)
@pytest.mark.parametrize("face", ASGI_FACES, indirect=True)
def test_F61_a_server_that_cannot_deny_closes(face: AsgiFace, row: Row) -> None:
    """F61: where a handshake cannot be answered in HTTP, it is closed with 1008 before it is accepted."""
    assert face.close_code(row.sent) == (["websocket.close"], 1008)
    assert face.journal.seen(0, [], b"").handlers == ()


@pytest.mark.parametrize("face", EVERY_ASGI_FACE, indirect=True)
def test_F61_no_other_kind_of_connection_is_served(face: AsgiFace) -> None:
    """F61: an unknown scope type reaches no application."""
    with pytest.raises((RuntimeError, AssertionError, ValueError)):
        anyio.run(asgi_calls.run, face.app, {**scope_of(Sent()), "type": "unknown"}, backend=face.backend)
    assert face.journal.seen(0, [], b"").handlers == ()


@pytest.mark.parametrize("face", ASGI_FACES, indirect=True)
def test_F61_a_lifespan_passes(face: AsgiFace) -> None:
    """F61: an application behind the guard starts and stops, and the census finds a policy for each route."""
    types = anyio.run(asgi_calls.lifespan, face.app, backend=face.backend).types
    assert types == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


@pytest.mark.parametrize("framing", [b"Content-Length: 1073741824", b"Transfer-Encoding: chunked"])
@pytest.mark.parametrize("begun", [b"", b"1\r\n", b"10000\r\n" + 0x10000 * b"x"])
@pytest.mark.parametrize("face", ["flask_gunicorn"], indirect=True)
def test_F64_an_upload_without_a_good_token_is_not_waited_for(face: GunicornFace, framing: bytes, begun: bytes) -> None:
    """F64: a real server answers 401 though a gigabyte was announced and hardly any of it came."""
    name, _, value = framing.partition(b": ")
    sent = Sent("POST", "/reports", ((b"Authorization", b"Bearer " + tokens.EXPIRED), (name, value)))
    with face.connected() as client:
        client.sendall(head_of(sent) + begun)
        assert client.recv(12) == b"HTTP/1.1 401"
    assert face.seen(401, [], b"").reasons == ("expired",)


@pytest.mark.parametrize("steps", range(12))
@pytest.mark.parametrize("face", ASGI_FACES, indirect=True)
def test_F65_a_request_cancelled_at_any_point_leaves_nothing(face: AsgiFace, steps: int) -> None:
    """F65: cancelled while it is decided, a request runs whole or not at all, and the next one is served.

    Django is cancelled by clients that leave, below; cancelled from outside, its own handler leaks a file.
    """
    threads = threading.active_count()

    async def cancelled(app: ASGIApp, scope: Scope) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(face._run, app, scope)
            for _ in range(steps):
                await checkpoint()
            group.cancel_scope.cancel()

    anyio.run(cancelled, face.app, scope_of(SESSION), backend=face.backend)
    row = TABLE["a session"]
    assert face.journal.seen(0, [], b"").handlers in {(), row.handlers}
    assert face.send(SESSION).handlers == row.handlers
    assert threading.active_count() <= threads + 1, "a worker thread may idle"


@pytest.mark.parametrize("steps", range(12))
@pytest.mark.parametrize("face", EVERY_ASGI_FACE, indirect=True)
def test_F65_a_client_that_leaves_breaks_nothing(face: AsgiFace, steps: int) -> None:
    """F65: where a client leaves while its request is decided, it runs whole or not at all, and the next is served."""
    row = TABLE["a session"]

    async def leaving(app: ASGIApp, scope: Scope) -> None:
        messages = iter(({"type": "http.request", "body": b"", "more_body": False},))

        async def receive() -> Message:
            for message in messages:
                return message
            for _ in range(steps):
                await checkpoint()
            return {"type": "http.disconnect"}

        async def send(_: Message) -> None:
            await checkpoint()

        await app(scope, receive, send)

    anyio.run(leaving, face.app, scope_of(SESSION), backend=face.backend)
    assert face.journal.seen(0, [], b"").handlers in {(), row.handlers}
    assert face.send(SESSION).handlers == row.handlers


@pytest.mark.parametrize("row", BUGS, ids=lambda row: row.name)
@pytest.mark.parametrize("face", EVERY_ASGI_FACE, indirect=True)
def test_F66_a_bug_leaves_no_half_an_identity(face: AsgiFace, row: Row) -> None:
    """F66: after a rule or hook raised, nobody finds an identity in the scope, and the sink's failures are counted."""
    scope = scope_of(row.sent)
    try:
        anyio.run(face._run, face.app, scope, backend=face.backend)
    except BrokenError:
        assert Trait.DJANGO not in face.traits  # Django answers by itself
    assert {IDENTITY_KEY, "user", "auth"} & scope.keys() == set()
    assert face.journal.seen(0, [], b"").handlers == ()
    face.send(Sent())
    assert face.guard.sink_failures > 0
