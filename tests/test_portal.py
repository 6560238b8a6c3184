"""Threads that wait for an event loop: when one is started, for how long they wait, and what a fork leaves."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
import trio

from jwtguard import Guard, Limits, Reason, Refusal, Unavailable
from jwtguard.portal import Portal, in_event_loop
from jwtguard.wsgi import JWTGuardWSGI
from tests.kit import answers
from tests.kit.exchange import Exchange
from tests.kit.fake_clock import FakeClock
from tests.kit.fake_idp import JWKS_PATH, FakeIdP
from tests.kit.guarded import FORGE, bearer, guard, protected, token
from tests.kit.wsgi_calls import WsgiProbe, request
from tests.scenarios.protected_api import PATIENT, Login, configured

ROOT = Path(__file__).parent.parent


def portals() -> list[threading.Thread]:
    """The threads of all portals."""
    return [thread for thread in threading.enumerate() if thread.name == "jwtguard-portal"]


@pytest.fixture
def portal() -> Iterator[Portal]:
    """A portal, ended after the test."""
    opened = Portal()
    yield opened
    opened.close()


@pytest.fixture
def login() -> Iterator[Login]:
    """An issuer that publishes one key."""
    with FakeIdP() as idp:
        running = Login(idp)
        running.publish("k1")
        yield running


async def double(number: int) -> int:
    """An answer after a turn of the loop."""
    await anyio.lowlevel.checkpoint()
    return 2 * number


def test_an_answer_comes_back(portal: Portal) -> None:
    """R-EXT-14: a thread gets the answer of an asynchronous question, on any number of threads at once."""
    assert not portal.open
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda n: portal.wait(double, n, patience_s=30), range(200)))
    assert told == [2 * n for n in range(200)]
    assert portal.open


def test_one_thread_serves_all(portal: Portal) -> None:
    """F67: threads that ask at the same time start one background thread between them."""
    before = set(portals())
    barrier = threading.Barrier(8)

    def ask(number: int) -> int:
        barrier.wait(30)
        return portal.wait(double, number, patience_s=30)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(8)))
    assert len(set(portals()) - before) == 1


@pytest.mark.parametrize("error", [ZeroDivisionError, TimeoutError])
def test_what_asking_raises_comes_back(portal: Portal, error: type[Exception]) -> None:
    """R-ERR-06: a bug in a question is the caller's to see, a timeout of its own included."""

    async def fail(_: int) -> int:
        raise error

    with pytest.raises(error):
        portal.wait(fail, 1, patience_s=30)
    assert portal.wait(double, 4, patience_s=30) == 8


def test_a_wait_has_a_bound(portal: Portal) -> None:
    """F07: a loop that is held up costs a bounded time; what was asked too late is taken back."""
    stopped = threading.Event()

    async def forever(_: int) -> int:
        try:
            await anyio.sleep_forever()
        finally:
            stopped.set()
        return 0

    with pytest.raises(Unavailable):
        portal.wait(forever, 1, patience_s=0.05)
    assert stopped.wait(30)


def test_a_question_sees_the_context_of_its_thread(portal: Portal) -> None:
    """R-IDN-05: what asks in the background runs in a copy of the caller's context."""
    mine: ContextVar[str] = ContextVar("mine")

    async def look(_: int) -> str:
        return mine.get()

    def ask(name: str) -> str:
        mine.set(name)
        return portal.wait(look, 1, patience_s=30)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, "abcdefgh")) == list("abcdefgh")


def test_a_portal_that_is_let_go_ends_its_thread() -> None:
    """F65: a guard that is dropped leaves no thread behind."""
    portal = Portal()
    assert portal.wait(double, 1, patience_s=30) == 2
    thread = portals()[-1]
    del portal
    gc.collect()
    thread.join(30)
    assert not thread.is_alive()


def test_a_system_without_threads_is_unavailable(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    """F07: where no thread can be started, nobody can tell; that is no crash."""

    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError

    with monkeypatch.context() as broken:
        broken.setattr(threading.Thread, "start", no_thread)
        with pytest.raises(Unavailable):
            portal.wait(double, 1, patience_s=30)
    assert portal.wait(double, 1, patience_s=30) == 2


def test_an_event_loop_is_noticed() -> None:
    """F67: asyncio and trio are told from a plain thread, and a thread beside them is one."""

    async def inside() -> tuple[bool, bool]:
        return in_event_loop(), await anyio.to_thread.run_sync(in_event_loop)

    assert not in_event_loop()
    assert asyncio.run(inside()) == (True, False)
    assert anyio.run(inside, backend="trio") == (True, False)
    assert trio.run(inside) == (True, False)


def test_known_keys_never_leave_the_thread() -> None:
    """R-EXT-14: cold or warm, allowed or refused, what inline keys answer starts no portal."""
    policy = guard(protected("/reports"))
    app = JWTGuardWSGI(WsgiProbe(), guard=policy)
    unknown = FORGE.sign(FORGE.access_claims(), key=FORGE.key("ES256", "k9"))
    for sent in (token(sub="a"), token(sub="a"), unknown, b"junk"):
        request(app, "GET", "/reports", [bearer(sent)])
        with_keys(policy, sent)
    assert not policy._portal.open


def with_keys(policy: Guard, sent: bytes) -> Reason | None:
    """What ``guard.verify`` says."""
    try:
        policy.verify(sent, accept="access")
    except Refusal as refusal:
        return refusal.reason
    return None


def test_a_cold_guard_fetches_once_and_then_never_leaves_the_thread(login: Login) -> None:
    """R-JWK-11: the first request waits for the keys through the portal; those after it are decided in their thread."""
    clock = FakeClock()
    policy = Guard(configured(login, limits=PATIENT), clock=clock)
    app = JWTGuardWSGI(WsgiProbe(), guard=policy)

    asked, wait = threading.Event(), policy._portal.wait

    def noted(*question: Any, **bound: Any) -> Any:
        asked.set()
        return wait(*question, **bound)

    async def once_somebody_waits(exchange: Exchange) -> None:
        await anyio.to_thread.run_sync(asked.wait, 30)
        await answers.normal()(exchange)

    policy._portal.wait = noted  # type: ignore[method-assign]  # to see it used

    login.idp.answer(JWKS_PATH, once_somebody_waits)
    assert request(app, "GET", "/reports", [bearer(login.token(clock=clock))]).status == 200
    assert (login.fetches, policy._portal.open) == (1, True)
    policy._portal.close()
    for _ in range(3):
        assert request(app, "GET", "/reports", [bearer(login.token(clock=clock))]).status == 200
    assert (login.fetches, policy._portal.open) == (1, False)


def test_a_cold_verify_waits_for_keys(login: Login) -> None:
    """R-JWK-11: ``guard.verify`` in a plain thread fetches what it needs, as ``verify_async`` does."""
    clock = FakeClock()
    policy = Guard(configured(login), clock=clock)
    assert policy.verify(login.token(clock=clock, sub="ada"), accept="access").subject == "ada"


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_verify_inside_a_loop_does_not_wait(login: Login, backend: str) -> None:
    """R-OBS-08: ``verify``, called on an event loop, answers from what is known and starts no portal."""
    clock = FakeClock()
    policy = Guard(configured(login), clock=clock)
    sent = login.token(clock=clock)

    async def inside() -> None:
        assert with_keys(policy, sent) is Reason.KEYS_UNAVAILABLE
        assert not policy._portal.open
        assert (await policy.verify_async(sent, accept="access")).is_authenticated
        assert with_keys(policy, sent) is None

    anyio.run(inside, backend=backend)


def test_an_issuer_that_hangs_costs_a_bounded_time(login: Login) -> None:
    """F03: a fetch that does not come back holds a thread for ``kid_wait_s``, and then the answer is 503."""
    login.idp.answer(JWKS_PATH, answers.hang())
    clock = FakeClock()
    policy = Guard(configured(login, limits=Limits(kid_wait_s=0.1)), clock=clock)
    app = JWTGuardWSGI(WsgiProbe(), guard=policy)
    start = time.monotonic()
    assert request(app, "GET", "/reports", [bearer(login.token(clock=clock))]).status == 503
    assert time.monotonic() - start < 30


def test_a_held_up_portal_is_503(login: Login) -> None:
    """F07: if the background loop itself does not answer, what is known locally has to do."""
    clock = FakeClock()
    policy = Guard(configured(login, limits=Limits(kid_wait_s=0.0)), clock=clock)

    def held_up(*_: object, **__: object) -> None:
        raise Unavailable

    policy._portal.wait = held_up  # type: ignore[method-assign, assignment]  # stands for a loop that a rule blocks
    assert with_keys(policy, login.token(clock=clock)) is Reason.KEYS_UNAVAILABLE


def test_a_herd_of_threads_causes_one_fetch(login: Login) -> None:
    """F08: fifty threads with tokens of a cold issuer wait for one fetch, and all get in."""
    clock = FakeClock()
    policy = Guard(configured(login, limits=PATIENT), clock=clock)
    tokens = [login.token(clock=clock, sub=f"user-{n}") for n in range(50)]
    with ThreadPoolExecutor(50) as pool:
        subjects = list(pool.map(lambda sent: policy.verify(sent, accept="access").subject, tokens))
    assert subjects == [f"user-{n}" for n in range(50)]
    assert login.fetches == 1


FORKED = """
    import os, signal, sys, threading, time
    from jwtguard import Guard
    from jwtguard.clock import SystemClock
    from tests.kit import answers
    from tests.kit.fake_idp import JWKS_PATH, FakeIdP
    from tests.scenarios.protected_api import PATIENT, Login, configured, flights

    clock = SystemClock()
    idp = FakeIdP().start()
    login = Login(idp)
    login.publish("k1")
    guard = Guard(configured(login, limits=PATIENT), clock=clock)

    def subject():
        return guard.verify(login.token(clock=clock, sub="ada"), accept="access").subject

    def in_child(check):
        pid = os.fork()
        if not pid:
            signal.alarm(20)
            status = 1
            try:
                status = 0 if check() == "ada" else 2
            finally:
                os._exit(status)
        return os.waitpid(pid, 0)[1]
"""
PROGRAMS = {
    "before the first use": """
    assert in_child(subject) == 0
    assert not guard._portal.open
    assert subject() == "ada"
    """,
    "after the portal started": """
    assert subject() == "ada"
    guard.snapshot.ring._fetched["login"].held.usable_until = -1.0  # cold again, in every process
    guard.snapshot.context.memory.clear()
    guard.snapshot.ring._fetched["login"]._last_attempt = -float("inf")
    assert in_child(subject) == 0
    assert guard._portal.open
    assert subject() == "ada"
    """,
    "with a fetch in the air": """
    go = threading.Event()
    async def held_back(exchange):
        while not go.is_set():
            await answers.asyncio.sleep(0.005)
        await answers.normal()(exchange)
    idp.answer(JWKS_PATH, held_back)
    waiter = threading.Thread(target=subject)
    waiter.start()
    while not idp.hits[JWKS_PATH]:
        time.sleep(0.005)
    assert flights()
    idp.answer(JWKS_PATH, None)
    assert in_child(subject) == 0, "the child waits for a flight it does not have"
    go.set()
    waiter.join(20)
    assert not waiter.is_alive()
    assert subject() == "ada"
    """,
    "with every lock held": """
    ring = guard.snapshot.ring._fetched["login"]
    with ring._lock, guard._portal._lock:
        assert in_child(subject) == 0
    assert subject() == "ada"
    """,
    "grandchildren": """
    assert subject() == "ada"
    def child():
        guard.snapshot.ring._fetched["login"].held.usable_until = -1.0
        guard.snapshot.ring._fetched["login"]._last_attempt = -float("inf")
        guard.snapshot.context.memory.clear()
        assert in_child(subject) == 0
        return subject()
    assert in_child(child) == 0
    """,
}


@pytest.mark.parametrize("case", PROGRAMS)
def test_a_forked_child_has_its_own(case: str) -> None:
    """F67: a guard used before, while or after keys are fetched works in a forked child, and on in the parent."""
    program = textwrap.dedent(FORKED) + textwrap.dedent(PROGRAMS[case])
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
