"""Identities stay apart, whatever threads, generators and pools the application uses (R-IDN-05)."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

from jwtguard import current_identity, identity_of
from jwtguard.current import CURRENT
from jwtguard.wsgi import JWTGuardWSGI
from tests.kit.guarded import bearer, guard, optional, protected, token
from tests.kit.wsgi_calls import request

THREADS, USERS = 16, 400
TOKENS = {f"user-{n}": token(sub=f"user-{n}") for n in range(USERS)}


class Watching:
    """An application that compares, wherever it runs, the caller with the one it was told to expect."""

    def __init__(self) -> None:
        self.wrong: list[tuple[str, str]] = []
        self._pool = ThreadPoolExecutor(4)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Look in this thread, in another one with a copied context, and later in a generator."""
        expected = environ["HTTP_X_EXPECTED"]
        self._compare(expected, identity_of(environ).subject, current_identity().subject)
        self._pool.submit(copy_context().run, self._look, expected).result(30)
        self._pool.submit(self._must_be_nobody, expected).result(30)
        start_response("200 OK", [])
        return self._body(expected)

    def _body(self, expected: str) -> Iterator[bytes]:
        for _ in range(3):
            self._look(expected)
            yield b"."

    def _look(self, expected: str) -> None:
        self._compare(expected, current_identity().subject)

    def _must_be_nobody(self, expected: str) -> None:
        if CURRENT.get(None) is not None:
            self.wrong.append((expected, "a thread of the pool kept somebody"))

    def _compare(self, expected: str, *seen: str) -> None:
        self.wrong.extend((expected, name) for name in seen if name != expected)


@pytest.mark.parametrize("rounds", [1, 2], ids=["first sight", "seen before"])
def test_identities_do_not_leak_between_threads(rounds: int) -> None:
    """R-IDN-05: of requests on sixteen threads, each with its own token, none sees another's identity."""
    app = Watching()
    guarded = JWTGuardWSGI(app, guard=guard(protected("/reports"), optional("/hello")))
    barrier, kept = threading.Barrier(THREADS), []

    def serve(part: int) -> list[int]:
        barrier.wait(30)
        found = []
        for subject, sent in list(TOKENS.items())[part::THREADS] * rounds:
            fields = [bearer(sent), (b"x-expected", subject.encode())]
            found.append(request(guarded, "GET", "/reports", fields).status)
            found.append(request(guarded, "GET", "/hello", [(b"x-expected", b"")]).status)
            kept.append(CURRENT.get(None))
        return found

    with ThreadPoolExecutor(THREADS) as pool:
        statuses = [status for found in pool.map(serve, range(THREADS)) for status in found]
    assert (set(statuses), len(statuses), app.wrong) == ({200}, 2 * USERS * rounds, [])
    assert set(kept) == {None}, "a server's own thread keeps no identity between requests"
