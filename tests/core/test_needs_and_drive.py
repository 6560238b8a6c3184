"""The questions of the pipeline and the two drivers that answer them (R-EXT-14)."""

from __future__ import annotations

from collections.abc import Generator
from itertools import product

import anyio
import pytest

from jwtguard import Identity
from jwtguard.core.decision import Allowed, Decision
from jwtguard.core.keys import NO_KEYS, KeySet
from jwtguard.core.needs import Answer, Need, NeedKeys
from jwtguard.drive import PENDING, Pending, drive, drive_sync
from tests.core.policies import LOGIN, policy

KEYS = KeySet({}, (), (), ())
ANSWERS: tuple[Answer, ...] = (None, NO_KEYS, KEYS)
DECISION = Allowed(policy(), Identity(None, "x"))


class Scripted:
    """Answers from a script; what is not known locally has to be asked for.

    Attributes:
        asked: The questions, each with the way it was answered.
    """

    def __init__(self, script: tuple[Answer, ...], local: tuple[bool, ...] = ()) -> None:
        self._script = iter(script)
        self._local = iter(local)
        self.asked: list[tuple[Need, str]] = []

    def local(self, need: Need) -> Answer | Pending:
        """Answer from memory, if the script says so."""
        if next(self._local):
            self.asked.append((need, "local"))
            return next(self._script)
        return PENDING

    async def ask(self, need: Need) -> Answer:
        """Answer after a wait."""
        await anyio.lowlevel.checkpoint()
        self.asked.append((need, "asked"))
        return next(self._script)

    def known(self, need: Need) -> Answer:
        """Answer from memory alone."""
        self.asked.append((need, "known"))
        return next(self._script)


class Steps:
    """A pipeline that asks a number of questions and keeps what it is told."""

    def __init__(self, count: int, failure: Exception | None = None) -> None:
        self.needs: list[Need] = [NeedKeys(LOGIN, f"k{number}") for number in range(count)]
        self.told: list[Answer] = []
        self._failure = failure

    def run(self) -> Generator[Need, Answer, Decision]:
        """Ask, and then decide or fail."""
        for need in self.needs:
            answer = yield need
            self.told.append(answer)
        if self._failure is not None:
            raise self._failure
        return DECISION


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Run each async test on both event loops."""
    backend: str = request.param
    return backend


def test_a_question_about_keys() -> None:
    """R-JWK-09: the question says whose keys, and for which kid a refresh may be worth it."""
    need = NeedKeys(LOGIN, "k1")
    assert (need.issuer, need.kid) == (LOGIN, "k1")
    assert not hasattr(need, "__dict__")


@pytest.mark.anyio
@pytest.mark.parametrize("count", [0, 1, 2, 3])
async def test_both_drivers_agree(count: int) -> None:
    """R-EXT-14: any sequence of the same answers leads both drivers through the same questions to the same end."""
    for script in product(ANSWERS, repeat=count):
        for local in product([True, False], repeat=count):
            waiting, blocking = Steps(count), Steps(count)
            ways = Scripted(script, local)
            known = Scripted(script)
            assert await drive(waiting.run(), ways) is DECISION
            assert drive_sync(blocking.run(), known) is DECISION
            assert waiting.told == blocking.told == list(script)
            assert [need for need, _ in ways.asked] == waiting.needs
            assert [way for _, way in ways.asked] == ["local" if here else "asked" for here in local]
            assert known.asked == [(need, "known") for need in blocking.needs]


@pytest.mark.anyio
@pytest.mark.parametrize("count", [0, 2])
async def test_a_bug_leaves_both_drivers(count: int) -> None:
    """R-ERR-06: what a stage raises comes out of both drivers as it is."""
    bug = ZeroDivisionError()
    script: tuple[Answer, ...] = (None,) * count
    with pytest.raises(ZeroDivisionError) as awaited:
        await drive(Steps(count, bug).run(), Scripted(script, (False,) * count))
    with pytest.raises(ZeroDivisionError) as blocked:
        drive_sync(Steps(count, bug).run(), Scripted(script))
    assert awaited.value is blocked.value is bug


@pytest.mark.anyio
async def test_no_keys_are_an_answer() -> None:
    """R-JWK-11: that there are no keys is an answer and not a reason to ask."""
    ways = Scripted((None,), (True,))
    steps = Steps(1)
    await drive(steps.run(), ways)
    assert steps.told == [None]
    assert ways.asked == [(steps.needs[0], "local")]


@pytest.mark.anyio
async def test_what_is_known_is_not_waited_for() -> None:
    """R-OBS-08: where every answer is local, the async driver never gives the event loop a turn."""
    steps = drive(Steps(3).run(), Scripted((None,) * 3, (True,) * 3))
    with pytest.raises(StopIteration) as done:
        steps.send(None)
    assert done.value.value is DECISION
