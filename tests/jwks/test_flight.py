"""One piece of work that many wait for, in any event loop, and that nobody can cancel."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable

import anyio
import pytest
from anyio.lowlevel import checkpoint, current_token

from jwtguard.jwks.flight import Flight

PATIENCE_S = 30.0
NAME = "flight under test"


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Run each async test on both event loops."""
    backend: str = request.param
    return backend


class Work:
    """Work that takes until it is told to end, and notes where it ran."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.threads: list[threading.Thread] = []

    async def __call__(self) -> None:
        """Work."""
        self.threads.append(threading.current_thread())
        await anyio.to_thread.run_sync(self.done.wait, PATIENCE_S)


def start(work: Callable[[], Awaitable[None]]) -> Flight:
    """A flight that does this work."""
    flight = Flight(0.0, fresh=False)
    flight.start(work, NAME)
    return flight


async def ended() -> None:
    """Wait until no thread of a flight is left."""
    with anyio.fail_after(PATIENCE_S):
        for thread in [thread for thread in threading.enumerate() if thread.name == NAME]:
            await anyio.to_thread.run_sync(thread.join)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    with anyio.fail_after(PATIENCE_S):
        while not condition():
            await checkpoint()


@pytest.mark.anyio
async def test_the_work_runs_in_a_daemon_thread_of_its_own() -> None:
    """R-JWK-08: the work belongs to no request, blocks no event loop and keeps no process alive."""
    work = Work()
    flight = start(work)
    assert not flight.landed
    work.done.set()
    assert await flight.wait(PATIENCE_S)
    assert flight.landed
    (thread,) = work.threads
    assert (thread.daemon, thread.name) == (True, NAME)
    assert thread is not threading.current_thread()
    await ended()


@pytest.mark.anyio
async def test_who_comes_after_the_landing_does_not_wait() -> None:
    """R-JWK-08: a flight that is over answers at once, and keeps no waiter."""
    work = Work()
    work.done.set()
    flight = start(work)
    await ended()
    with anyio.fail_after(PATIENCE_S):
        assert await flight.wait(10 * PATIENCE_S)
    assert flight.waiting == 0


@pytest.mark.anyio
async def test_waiting_is_bounded() -> None:
    """F03: a wait ends with its time, says that the landing was not seen, and leaves nothing behind."""
    work = Work()
    flight = start(work)
    assert await flight.wait(0.01) is False
    assert await flight.wait(0) is False
    assert flight.waiting == 0
    work.done.set()
    assert await flight.wait(PATIENCE_S)
    await ended()


@pytest.mark.anyio
async def test_all_waiters_see_the_landing() -> None:
    """F08: however many wait, all are woken by one landing."""
    work = Work()
    flight = start(work)
    seen: list[bool] = []

    async def wait() -> None:
        seen.append(await flight.wait(PATIENCE_S))

    async with anyio.create_task_group() as group:
        for _ in range(500):
            group.start_soon(wait)
        await until(lambda: flight.waiting == 500)
        work.done.set()
    assert seen == [True] * 500
    assert flight.waiting == 0
    await ended()


@pytest.mark.anyio
async def test_a_cancelled_waiter_leaves_and_the_work_goes_on() -> None:
    """F09: waiters are cancelled, the first one included, without harm to the work or to those who stay."""
    work = Work()
    flight = start(work)
    seen: list[bool] = []

    async def wait(scope: anyio.CancelScope) -> None:
        with scope:
            seen.append(await flight.wait(PATIENCE_S))

    scopes = [anyio.CancelScope() for _ in range(10)]
    async with anyio.create_task_group() as group:
        for scope in scopes:
            group.start_soon(wait, scope)
            await checkpoint()
        await until(lambda: flight.waiting == 10)
        for scope in scopes[:-1]:
            scope.cancel()
        await until(lambda: flight.waiting == 1)
        work.done.set()
    assert seen == [True]
    await ended()


@pytest.mark.anyio
async def test_work_that_raises_lands_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """F66: a bug in the work wakes everybody who waits, and reaches the log of threads."""
    logged: list[type[BaseException]] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: logged.append(args.exc_type))

    async def fail() -> None:
        raise ZeroDivisionError

    flight = start(fail)
    assert await flight.wait(PATIENCE_S)
    await ended()
    assert logged == [ZeroDivisionError]


@pytest.mark.anyio
async def test_a_flight_that_cannot_have_an_event_loop_lands(monkeypatch: pytest.MonkeyPatch) -> None:
    """F27: where the system has no descriptors left for an event loop, nobody waits for what cannot come."""
    logged: list[type[BaseException]] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: logged.append(args.exc_type))

    def exhausted(*args: object, **kwargs: object) -> None:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(anyio, "run", exhausted)
        flight = start(Work())
        await ended()
    with anyio.fail_after(PATIENCE_S):
        assert await flight.wait(0.05)


def test_waiters_of_several_loops_are_woken() -> None:
    """F08, F67: waiters in asyncio and trio loops, each in a thread of its own, see the same landing."""
    work = Work()
    flight = start(work)
    seen: list[bool] = []

    async def wait() -> None:
        seen.append(await flight.wait(PATIENCE_S))

    threads = [
        threading.Thread(target=anyio.run, args=(wait,), kwargs={"backend": name})
        for name in ("asyncio", "trio", "asyncio", "trio")
    ]
    for thread in threads:
        thread.start()
    anyio.run(until, lambda: flight.waiting == 4)
    work.done.set()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert seen == [True] * 4
    anyio.run(ended)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_loop_that_was_closed_holds_up_nobody(backend: str) -> None:
    """F65, F67: a waiter left behind in a loop that was closed under it is no obstacle to the others."""
    work = Work()
    flight = start(work)

    async def leave_behind() -> None:
        flight._waiters.append((current_token(), anyio.Event()))

    async def wait() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(flight.wait, PATIENCE_S)
            await until(lambda: flight.waiting == 2)
            work.done.set()

    anyio.run(leave_behind, backend=backend)
    with_patience = threading.Thread(target=anyio.run, args=(wait,), daemon=True)
    with_patience.start()
    with_patience.join(PATIENCE_S / 2)
    assert not with_patience.is_alive()
    anyio.run(ended)


def test_a_loop_that_is_busy_holds_up_no_other() -> None:
    """F67: while one waiting loop is blocked by its application, the waiters of another are woken."""
    work = Work()
    flight = start(work)
    release, waiting_elsewhere = threading.Event(), threading.Event()
    seen: list[tuple[bool, bool]] = []

    async def wait_and_block() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(flight.wait, PATIENCE_S)
            await until(lambda: flight.waiting == 1)
            waiting_elsewhere.set()
            release.wait(20)  # this is what a blocking call in an application does to its loop

    async def wait() -> None:
        async with anyio.create_task_group() as group:

            async def see() -> None:
                seen.append((await flight.wait(PATIENCE_S), release.is_set()))

            group.start_soon(see)
            await until(lambda: flight.waiting == 2)
            work.done.set()

    blocked = threading.Thread(target=anyio.run, args=(wait_and_block,))
    blocked.start()
    assert waiting_elsewhere.wait(PATIENCE_S)
    watchdog = threading.Timer(10, release.set)
    watchdog.start()
    anyio.run(wait)
    release.set()
    watchdog.cancel()
    blocked.join(PATIENCE_S)
    assert seen == [(True, False)], "woken while the other loop was still blocked"
    anyio.run(ended)
