"""Run the real code on every case: the middleware, ``guard.verify``, or the stages up to the signature.

No case is treated by its id, family or values. ``ConfigurationError`` counts as a refusal. Anything else that
comes out is foreign and counts as a fault, an attempt to reach the network included.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import NoReturn
from unittest.mock import patch

from jwtguard import ConfigurationError, Guard, events
from jwtguard.core.issuer import InlineKeys, labels
from jwtguard.core.jws import JwsParser
from jwtguard.core.key_import import Published, import_key_set
from jwtguard.core.keys import select_key
from jwtguard.core.request import Token
from jwtguard.core.signature import check_signature
from tests.corpus.build import config_of, issuer_of, limits_of
from tests.corpus.case import Case, token_of
from tests.corpus.outcome import Outcome, timed
from tests.corpus.request import send_request


class CaseClock:
    """The clock of a case: it stands still at its ``now``."""

    def __init__(self, now: float) -> None:
        self._now = now

    def now(self) -> float:
        """Return the case's time."""
        return self._now

    def monotonic(self) -> float:
        """Return a fixed time."""
        return 0.0


class NetworkReached(BaseException):
    """The code under test tried to fetch something. Not an ``Exception``: no handler may swallow it."""


def run_cases(cases: Iterable[Case]) -> Iterator[tuple[Case, Outcome]]:
    """Run cases one after another in one event loop, with the network out of reach."""
    with asyncio.Runner() as runner:
        for case in cases:
            runner.get_loop()  # made before the network is gone: a loop has a socket of its own
            with _no_network():
                outcome = _run(case, runner)
            yield case, outcome


@contextmanager
def _no_network() -> Iterator[None]:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise NetworkReached

    with (
        patch.object(socket.socket, "connect", refuse),
        patch.object(socket.socket, "connect_ex", refuse),
        patch.object(socket, "getaddrinfo", refuse),
    ):
        yield


def _run(case: Case, runner: asyncio.Runner) -> Outcome:
    runs: dict[str, Callable[[Case], Outcome]] = {
        "jws": _run_jws,
        "jwt": _run_jwt,
        "http": partial(_run_http, runner),
    }
    try:
        return runs[case["level"]](case)
    except ConfigurationError as error:
        return Outcome(rule=error.rule)
    except (Exception, NetworkReached) as error:  # noqa: BLE001 - whatever else comes out is what we look for
        return Outcome(foreign=f"{type(error).__name__}: {str(error)[:200]}")


def _run_jws(case: Case) -> Outcome:
    """Parse, choose the key, verify: the stages before the first that reads a claim."""
    (entry,) = case["issuers"]
    issuer = issuer_of(entry, case["policy"], "issuer")
    assert isinstance(issuer.keys, InlineKeys)
    key_set = import_key_set(issuer.keys.jwks, issuer.algorithms, Published.INLINE)
    parser = JwsParser(limits_of(case["policy"]), {})
    allowed = labels(issuer.algorithms)
    token = Token(token_of(case).encode("utf-8", "surrogatepass"))

    def verdict() -> None:
        jws = parser.parse(token, allowed)
        check_signature(jws, select_key(key_set, jws.header, allowed[jws.header.alg]))

    return timed(verdict)


def _run_jwt(case: Case) -> Outcome:
    guard = _guard(case)
    token, token_class, now = token_of(case), case["policy"]["token_class"], case["now"]
    return timed(lambda: guard.verify(token, accept=token_class, now=now).key)


def _run_http(runner: asyncio.Runner, case: Case) -> Outcome:
    """Send the request twice: a remembered token must be judged as the first sight of it was."""
    seen: list[events.Event] = []
    guard = _guard(case, seen.append)
    cold, warm = (runner.run(send_request(case, guard, seen)) for _ in range(2))
    if (cold.said, cold.identity) != (warm.said, warm.identity):
        return Outcome(foreign=f"the same request again: {cold.said}, then {warm.said}")
    return cold


def _guard(case: Case, on_event: Callable[[events.Event], None] | None = None) -> Guard:
    guard = Guard(config_of(case), on_event=on_event, clock=CaseClock(case["now"]))
    assert not guard.snapshot.ring._fetched, "all keys are inline, so nothing may be set up to be fetched"
    return guard
