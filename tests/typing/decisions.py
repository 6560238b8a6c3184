"""A decision is one of three things, and whoever looks at it looks at all. Type-checked, never run."""

from __future__ import annotations

from collections.abc import Generator
from typing import assert_never, assert_type

from jwtguard import Identity, Reason
from jwtguard.core.decision import Allowed, Context, Decision, Refused, Served
from jwtguard.core.needs import Answer, Need
from jwtguard.core.pipeline import decide, verification
from jwtguard.core.request import RequestHead
from jwtguard.core.unfinished import Referenced, Unconfirmed, Unknown
from jwtguard.drive import Answers, drive, drive_sync


def all_are_looked_at(decision: Decision) -> Identity | Reason | None:
    """Look at all three, and nothing is left."""
    match decision:
        case Allowed():
            return decision.identity
        case Refused():
            return decision.refusal.reason
        case Served():
            return None
        case _:
            assert_never(decision)


def a_refusal_is_forgotten(decision: Decision) -> Identity | None:
    """Forgetting to look at a refusal is found."""
    match decision:  # type: ignore[exhaustive-match]
        case Allowed():
            return decision.identity
    return None


def an_allowance_is_forgotten(decision: Decision) -> Reason | None:
    """Forgetting to look at an allowance is found."""
    match decision:  # type: ignore[exhaustive-match]
        case Refused():
            return decision.refusal.reason
    return None


def not_looked_at_at_all(decision: Decision) -> Identity:
    """R-IDN-04: there is no identity without asking whether the request is allowed."""
    return decision.identity  # type: ignore[union-attr]


def a_third_answer(context: Context, head: RequestHead) -> Decision:
    """A token whose issuer must be asked for keys is no decision yet."""
    decision = decide(context, head, now=0.0, monotonic=0.0)
    assert_type(decision, Allowed | Refused | Served | Referenced | Unknown | Unconfirmed)
    return decision  # type: ignore[return-value]


def the_clocks_are_not_confused(context: Context, head: RequestHead) -> None:
    """R-OBS-09: the two clocks are told apart by name."""
    decide(context, head, 0.0, 0.0)  # type: ignore[call-arg]


async def drivers(context: Context, unknown: Unknown, answers: Answers) -> None:
    """Both drivers take the same steps and return the same type; the async one must be awaited."""
    steps = verification(context, unknown)
    assert_type(steps, Generator[Need, Answer, Decision])
    assert_type(drive_sync(steps, answers), Allowed | Refused | Served)
    assert_type(await drive(steps, answers), Allowed | Refused | Served)
    drive(steps, answers)  # type: ignore[unused-coroutine]
