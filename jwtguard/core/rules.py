"""Claim rules: what else an endpoint demands of a verified token (R-CLM-12)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from inspect import iscoroutinefunction

from jwtguard.core.classes import Scalar
from jwtguard.core.strict_json import JsonValue
from jwtguard.errors import ConfigurationError

_PATTERN_CHARS = 256


class ClaimRule:
    """One claim and one test of its value; an absent claim never passes.

    A test that raises is a bug of the application: the request ends as a server error and the
    application is not called.
    """

    __slots__ = ("claim", "test", "text")

    def __init__(self, claim: str, text: str, test: Callable[[JsonValue], object]) -> None:
        if iscoroutinefunction(test):
            message = "its test is asynchronous; use rules.check_async"
            raise ConfigurationError(message, key=f"rules.{claim}", rule="R-CLM-12")
        self.claim = claim
        self.text = text
        self.test = test

    def __repr__(self) -> str:
        """Show the rule as ``explain`` prints it."""
        return f"<ClaimRule {self.claim} {self.text}>"


class AsyncRule:
    """One claim and a test of its value that has to wait for something; an absent claim never passes (R-CLM-12).

    It is asked on every request, after everything else was found good, for a bounded time; without an answer
    within it, nobody can tell (503). One that raises is a bug of the application.
    """

    __slots__ = ("claim", "test", "text")

    def __init__(self, claim: str, text: str, test: Callable[[JsonValue], Awaitable[object]]) -> None:
        self.claim = claim
        self.text = text
        self.test = test

    def __repr__(self) -> str:
        """Show the rule as ``explain`` prints it."""
        return f"<AsyncRule {self.claim} {self.text}>"


def equals(claim: str, value: Scalar) -> ClaimRule:
    """Demand exactly this value, JSON type included: ``1`` is neither ``true`` nor ``"1"``."""
    return ClaimRule(claim, f"equals {value!r}", lambda seen: type(seen) is type(value) and seen == value)


def one_of(claim: str, values: Iterable[Scalar]) -> ClaimRule:
    """Demand one of these values."""
    allowed = [(type(value), value) for value in values]
    return ClaimRule(
        claim, f"is one of {[value for _, value in allowed]!r}", lambda seen: (type(seen), seen) in allowed
    )


def contains(claim: str, values: Iterable[Scalar]) -> ClaimRule:
    """Demand an array that holds all of these values."""
    wanted = [(type(value), value) for value in values]

    def test(seen: JsonValue) -> bool:
        if not isinstance(seen, Sequence) or isinstance(seen, str):
            return False
        held = [(type(value), value) for value in seen]
        return all(value in held for value in wanted)

    return ClaimRule(claim, f"contains {[value for _, value in wanted]!r}", test)


def matches(claim: str, pattern: str) -> ClaimRule:
    """Demand a string of at most 256 characters that the pattern matches as a whole.

    Raises:
        re.error: The pattern is not a regular expression.
    """
    import re  # noqa: PLC0415 - few policies have patterns

    compiled = re.compile(pattern)
    return ClaimRule(
        claim,
        f"matches {pattern!r}",
        lambda seen: isinstance(seen, str) and len(seen) <= _PATTERN_CHARS and compiled.fullmatch(seen) is not None,
    )


def check(claim: str, test: Callable[[JsonValue], object], text: str = "passes the application's check") -> ClaimRule:
    """Demand that the application's own function returns something true for the claim."""
    return ClaimRule(claim, text, test)


def check_async(
    claim: str, test: Callable[[JsonValue], Awaitable[object]], text: str = "passes the application's check"
) -> AsyncRule:
    """Demand that the application's own coroutine function returns something true for the claim."""
    return AsyncRule(claim, text, test)
