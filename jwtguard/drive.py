"""Run the pipeline's generator, answering its questions: async for ASGI, sync for everybody else.

The drivers decide nothing. What is known locally is answered at once; only what must leave the process
is waited for. Both drivers given the same answers reach the same decision.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from enum import Enum
from typing import Literal, Protocol, TypeAlias

from jwtguard.core.decision import Decision
from jwtguard.core.needs import Answer, Need
from jwtguard.errors import Unavailable


class _Pending(Enum):
    PENDING = "pending"


Pending: TypeAlias = Literal[_Pending.PENDING]
PENDING: Pending = _Pending.PENDING


class Answers(Protocol):
    """Who answers: the key ring and the application; see ``outside.py``."""

    def local(self, need: Need) -> Answer | Pending:
        """Answer from memory, or say that answering means to go and ask."""
        ...

    async def ask(self, need: Need) -> Answer:
        """Go and ask, for a bounded time."""
        ...

    def known(self, need: Need) -> Answer:
        """Answer from memory alone, whatever that is worth."""
        ...


Wait: TypeAlias = Callable[[Callable[[Need], Awaitable[Answer]], Need], Answer]


async def drive(steps: Generator[Need, Answer, Decision], answers: Answers) -> Decision:
    """Run to the decision, awaiting what is not known locally."""
    try:
        need = next(steps)
        while True:
            answer = answers.local(need)
            need = steps.send(await answers.ask(need) if answer is PENDING else answer)
    except StopIteration as stop:
        decision: Decision = stop.value
        return decision


def drive_sync(steps: Generator[Need, Answer, Decision], answers: Answers, wait: Wait | None = None) -> Decision:
    """Run to the decision in the calling thread, which waits for what is not known locally.

    Args:
        steps: The pipeline.
        answers: Who answers.
        wait: Runs a question elsewhere and waits for its answer, for a bounded time; ``None`` where
            nothing may wait: then what is known locally has to do.
    """
    try:
        need = next(steps)
        while True:
            need = steps.send(answers.known(need) if wait is None else _answer(answers, need, wait))
    except StopIteration as stop:
        decision: Decision = stop.value
        return decision


def _answer(answers: Answers, need: Need, wait: Wait) -> Answer:
    answer = answers.local(need)
    if answer is not PENDING:
        return answer
    try:
        return wait(answers.ask, need)
    except Unavailable:  # nobody could go and ask, or it took too long
        return answers.known(need)
