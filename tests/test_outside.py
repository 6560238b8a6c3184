"""Questions to the application: sessions, subjects, rules that wait (R-CLM-09, R-CLM-12, R-STO-10)."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Generator
from typing import Any

import anyio
import pytest

from jwtguard import BEARER, Config, ConfigurationError, Guard, Hooks, Limits, Reason, Refusal
from jwtguard.core.decision import Allowed, Decision, Refused
from jwtguard.core.endpoint import session_cookie
from jwtguard.core.keys import NO_KEYS, KeySet
from jwtguard.core.needs import CANNOT_TELL, Need, NeedKeys, NeedSubject
from jwtguard.core.request import RequestHead
from jwtguard.core.rules import check, check_async
from jwtguard.drive import PENDING
from jwtguard.outside import Outside
from tests.kit.fake_clock import FakeClock
from tests.kit.guarded import ISSUER, Events, bearer, protected, token

pytestmark = pytest.mark.anyio
OWN_PAGE = (b"sec-fetch-site", b"same-origin")


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> object:
    """Both event loops."""
    return request.param


class World:
    """A guard with hooks, asked through both drivers."""

    def __init__(self, hooks: Hooks, *, limits: Limits | None = None, **demands: object) -> None:
        self.clock, self.events = FakeClock(), Events()
        endpoint = protected("/x", **{"carriers": (BEARER, session_cookie("__Host-s")), **demands})
        config = Config(issuers=(ISSUER,), endpoints=(endpoint,), limits=limits or Limits(outside_s=5.0))
        self.guard = Guard(config, on_event=self.events, clock=self.clock, hooks=hooks)

    async def decide(self, *fields: tuple[bytes, bytes], method: str = "GET") -> Decision:
        """Decide as the ASGI shell does."""
        decision = self.guard.decide_locally(RequestHead(method, "/x", fields, "https"))
        return await self.guard.verify_unknown(*decision) if isinstance(decision, tuple) else decision

    def decide_sync(self, *fields: tuple[bytes, bytes]) -> Decision:
        """Decide as the WSGI shell does."""
        decision = self.guard.decide_locally(RequestHead("GET", "/x", fields, "https"))
        return self.guard.verify_unknown_sync(*decision) if isinstance(decision, tuple) else decision

    async def reason(self, *fields: tuple[bytes, bytes], method: str = "GET") -> Reason | None:
        """Say why a request was refused, the same through both drivers."""
        decision = await self.decide(*fields, method=method)
        return decision.refusal.reason if isinstance(decision, Refused) else None


def session(name: bytes) -> tuple[bytes, bytes]:
    """The header field of a session cookie."""
    return b"cookie", b"__Host-s=" + name


async def test_a_session_stands_for_its_token() -> None:
    """R-STO-10: the cookie names a session; its token, which the browser never saw, is verified like any other."""
    tokens = {"s1": token().decode(), "s2": token(exp=1).decode(), "s3": "ü"}
    world = World(Hooks(session_token=tokens.get))
    decision = await world.decide(session(b"s1"))
    assert isinstance(decision, Allowed)
    assert decision.identity.subject == "user-1"
    assert await world.reason(session(b"s2")) is Reason.EXPIRED
    assert await world.reason(session(b"s3")) is Reason.MALFORMED
    assert await world.reason(session(b"gone")) is Reason.UNKNOWN_SESSION
    assert await world.reason(session(tokens["s1"].encode())) is Reason.UNKNOWN_SESSION
    del tokens["s1"]
    assert await world.reason(session(b"s1")) is Reason.UNKNOWN_SESSION


async def test_a_session_is_a_cookie() -> None:
    """R-STO-03, R-STO-10: a session's name is attached by browsers, so it passes the csrf stage first."""
    asked: list[str] = []
    world = World(Hooks(session_token=asked.append))  # type: ignore[arg-type]  # it returns None: no such session
    assert await world.reason(session(b"s1"), method="POST") is Reason.CSRF
    assert asked == []
    assert await world.reason(session(b"s1"), OWN_PAGE, method="POST") is Reason.UNKNOWN_SESSION
    assert asked == ["s1"]


async def test_sessions_need_somebody_who_knows_them() -> None:
    """R-STO-10: an endpoint that takes sessions without the hook is a mistake, and lets nobody in."""
    with pytest.raises(ConfigurationError, match="session_token"):
        await World(Hooks()).decide(session(b"s1"))


async def test_subjects_are_asked_for() -> None:
    """R-CLM-09: the application must know the subject; its yes is believed for a stated time, its no never."""
    asked: list[tuple[str, str]] = []
    known = {"user-1"}

    async def subject(issuer: str, name: str) -> bool:
        asked.append((issuer, name))
        return name in known

    world = World(Hooks(subject=subject))
    good, other = bearer(token()), bearer(token(sub="user-2"))
    assert [await world.reason(good) for _ in range(3)] == [None, None, None]
    assert asked == [(ISSUER.issuer, "user-1")]
    assert [await world.reason(other) for _ in range(2)] == [Reason.UNKNOWN_SUBJECT] * 2
    assert len(asked) == 3
    known.clear()
    assert await world.reason(good) is None
    world.clock.advance(30)
    assert await world.reason(good) is Reason.UNKNOWN_SUBJECT


async def test_subjects_kept_are_bounded() -> None:
    """R-CLM-09, F57: of many subjects the oldest answers are forgotten."""
    asked: list[str] = []
    world = World(Hooks(subject=lambda _, name: asked.append(name) or True), limits=Limits(subjects=2))  # type: ignore[func-returns-value]
    for name in ("a", "b", "c", "b", "a"):
        assert await world.reason(bearer(token(sub=name))) is None
    assert asked == ["a", "b", "c", "a"]


async def test_a_bad_token_asks_nobody() -> None:
    """R-CLM-01: the application learns of no subject before the token is found good."""
    asked: list[str] = []
    world = World(Hooks(subject=lambda _, name: asked.append(name) or True), scopes=frozenset({"admin"}))  # type: ignore[func-returns-value]
    assert await world.reason(bearer(token())) is Reason.SCOPE_MISSING
    assert await world.reason(bearer(token(scope="admin", aud="x"))) is Reason.BAD_AUDIENCE
    assert asked == []


def rule(answer: Callable[[object], Awaitable[object]]) -> tuple[object, ...]:
    """One rule that waits."""
    return (check_async("desk", answer, "is open"),)


async def test_rules_that_wait() -> None:
    """R-CLM-12: a coroutine function judges a claim on every request; what is not there never passes."""
    seen: list[object] = []

    async def is_open(desk: object) -> bool:
        await anyio.lowlevel.checkpoint()
        seen.append(desk)
        return desk == 7

    world = World(Hooks(), rules=rule(is_open))
    assert [await world.reason(bearer(token(desk=7))) for _ in range(2)] == [None, None]
    assert await world.reason(bearer(token(desk=8))) is Reason.RULE_REFUSED
    assert await world.reason(bearer(token())) is Reason.RULE_REFUSED
    assert seen == [7, 7, 8]


async def test_a_rule_that_waits_asks_for_no_subject() -> None:
    """R-CLM-09, R-CLM-12: a rule is asked on every request, a subject only while no yes of it is believed."""
    asked: list[object] = []
    world = World(Hooks(subject=lambda *who: not asked.append(who)), rules=rule(is_seven))
    assert [await world.reason(bearer(token(desk=7))) for _ in range(3)] == [None] * 3
    assert asked == [(ISSUER.issuer, "user-1")]
    assert await world.reason(bearer(token(desk=8))) is Reason.RULE_REFUSED
    assert await World(Hooks(), rules=rule(is_seven)).reason(bearer(token(desk=7))) is None


async def test_a_rule_that_waits_in_the_place_of_one_that_does_not() -> None:
    """R-CLM-12, F66: what a plain rule returns to be waited for is a bug of the application's, and never a yes."""
    world = World(Hooks(), rules=(check("desk", lambda _: Later(answer=False), "is open"),))
    with pytest.raises(TypeError, match="check_async"):
        await world.decide(bearer(token(desk=7)))
    assert await world.reason(bearer(token())) is Reason.RULE_REFUSED


async def is_seven(desk: object) -> bool:
    """Answer at once."""
    return desk == 7


async def never(*_: object) -> bool:
    """Wait for what does not come."""
    await anyio.sleep_forever()
    return True


@pytest.mark.parametrize(
    ("hooks", "demands"),
    [
        (Hooks(subject=never), {}),  # type: ignore[arg-type]
        (Hooks(session_token=never), {}),  # type: ignore[arg-type]
        (Hooks(), {"rules": rule(never)}),
    ],
    ids=["subject", "session", "rule"],
)
async def test_nobody_answers(hooks: Hooks, demands: dict[str, object]) -> None:
    """R-CLM-12: who does not answer in time leaves nobody able to tell: 503, never a pass."""
    world = World(hooks, limits=Limits(outside_s=0.01), **demands)
    sent = session(b"s1") if hooks.session_token else bearer(token(desk=7))
    assert await world.reason(sent) is Reason.STORE_UNAVAILABLE


class Later:
    """An answer that has to be waited for, and is no coroutine."""

    def __init__(self, answer: object) -> None:
        self._answer = answer

    def __await__(self) -> Generator[Any, Any, object]:
        """Wait for a moment."""
        yield from anyio.lowlevel.checkpoint().__await__()
        return self._answer


async def test_a_plain_function_may_hand_over_what_waits() -> None:
    """R-CLM-09, R-STO-10: what a plain function returns is waited for if it can be; that it is there is no yes."""
    sessions = {"s1": token().decode()}
    world = World(
        Hooks(
            subject=lambda _, name: Later(name == "user-1"),
            session_token=lambda name: Later(sessions.get(name)),
        )
    )
    assert await world.reason(bearer(token())) is None
    assert await world.reason(bearer(token(sub="user-2"))) is Reason.UNKNOWN_SUBJECT
    assert await world.reason(session(b"s1")) is None
    assert await world.reason(session(b"s2")) is Reason.UNKNOWN_SESSION


@pytest.mark.parametrize("kind", ["subject", "session_token"])
async def test_a_thread_that_does_not_answer(kind: str) -> None:
    """R-CLM-12: a plain function is waited for as long as any other, and its late yes counts for nothing."""
    over = threading.Event()

    def late(*_: object) -> object:
        over.wait(5)
        return True if kind == "subject" else token().decode()

    world = World(Hooks(**{kind: late}), limits=Limits(outside_s=0.01))  # type: ignore[arg-type]
    try:
        assert await world.reason(bearer(token()) if kind == "subject" else session(b"s1")) is Reason.STORE_UNAVAILABLE
    finally:
        over.set()


async def test_threads_that_came_back_do_not_make_room_for_more() -> None:
    """R-CLM-12, F57: a call that answered gives back the one place it took: those that hang are bounded as before."""
    over = threading.Event()
    hanging: list[str] = []

    def subject(_: str, name: str) -> bool:
        if name.startswith("hanging"):
            hanging.append(name)
            over.wait(5)
        return True

    world = World(Hooks(subject=subject), limits=Limits(outside_s=0.05, outside_threads=1))
    try:
        for name in (*(f"quick-{number}" for number in range(6)), *(f"hanging-{number}" for number in range(5))):
            await world.decide(bearer(token(sub=name)))
        assert len(hanging) <= 2
    finally:
        over.set()


async def test_the_threads_of_the_application_are_busy() -> None:
    """R-CLM-12: a plain function does not wait for the worker threads that the application's own calls hold."""
    theirs = anyio.to_thread.current_default_thread_limiter()
    borrowers = [object() for _ in range(int(theirs.total_tokens))]
    for borrower in borrowers:
        theirs.acquire_on_behalf_of_nowait(borrower)
    try:
        assert await World(Hooks(subject=lambda *_: True)).reason(bearer(token())) is None
    finally:
        for borrower in borrowers:
            theirs.release_on_behalf_of(borrower)


def broken(*_: object) -> bool:
    """Raise, as bugs do."""
    message = "the database is on fire"
    raise RuntimeError(message)


async def broken_later(*_: object) -> bool:
    """Raise, a little later."""
    return broken()


@pytest.mark.parametrize("function", [broken, broken_later])
async def test_what_an_application_raises(function: Callable[..., object]) -> None:
    """F66: what a function of the application raises propagates; nobody is let in, and nobody is refused for it."""
    with pytest.raises(RuntimeError, match="on fire"):
        await World(Hooks(subject=function)).decide(bearer(token()))  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="on fire"):
        await World(Hooks(session_token=function)).decide(session(b"s1"))  # type: ignore[arg-type]


@pytest.mark.parametrize("function", [broken, broken_later])
def test_what_an_application_raises_in_a_thread(function: Callable[..., object]) -> None:
    """F66: in a thread that waits, too."""
    with pytest.raises(RuntimeError, match="on fire"):
        World(Hooks(subject=function)).guard.verify(token(), accept="access")  # type: ignore[arg-type]


def test_threads_may_wait() -> None:
    """R-CLM-09, R-EXT-14: outside of an event loop the same questions are asked, and the thread waits."""

    async def subject(_: str, name: str) -> bool:
        await anyio.lowlevel.checkpoint()
        return name == "user-1"

    world = World(Hooks(subject=subject, session_token={"s1": token().decode()}.get))
    assert isinstance(world.decide_sync(bearer(token())), Allowed)
    assert isinstance(world.decide_sync(session(b"s1")), Allowed)
    refused = world.decide_sync(bearer(token(sub="user-2")))
    assert isinstance(refused, Refused)
    assert refused.refusal.reason is Reason.UNKNOWN_SUBJECT


async def test_a_loop_never_waits() -> None:
    """R-CLM-09: the blocking ``verify`` inside an event loop asks nobody; then nobody can tell."""
    world = World(Hooks(subject=lambda *_: True))
    with pytest.raises(Refusal) as refused:
        world.guard.verify(token(), accept="access")
    assert refused.value.reason is Reason.STORE_UNAVAILABLE
    assert (await world.guard.verify_async(token(), accept="access")).subject == "user-1"


class Ring:
    """A key ring that knows the keys already."""

    def local(self, _: Need) -> KeySet:
        """Return what is in memory."""
        return NO_KEYS

    known = local

    async def ask(self, _: Need) -> KeySet:
        """Fetch them."""
        return NO_KEYS


async def test_what_is_in_memory_is_not_asked_for() -> None:
    """R-JWK-09, R-CLM-09: keys in memory are taken from there; everything else is for the application to say."""
    outside = Outside(Ring(), Hooks(), Limits(), FakeClock())  # type: ignore[arg-type]
    keys, subject = NeedKeys(ISSUER, "k1"), NeedSubject(ISSUER.issuer, "user-1")
    assert (outside.local(keys), outside.known(keys)) == (NO_KEYS, NO_KEYS)
    assert (outside.local(subject), outside.known(subject)) == (PENDING, CANNOT_TELL)
    assert await outside.ask(keys) is NO_KEYS
    assert await outside.ask(subject) is True, "without the hook, every subject is good enough"
