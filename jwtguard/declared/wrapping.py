"""What a decorated function or class becomes: itself, behind the question whether its policy admitted the call.

Signature and types stay: frameworks see the function's own parameters through ``__wrapped__``.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from jwtguard.core.identity import Identity
from jwtguard.current import CURRENT
from jwtguard.declared.declaration import ENTRIES, MARK, Declaration, declared_on, declared_within
from jwtguard.errors import ConfigurationError

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T", bound=type)


def behind(declaration: Declaration, target: Callable[..., Any]) -> Callable[..., Any]:
    """Put a function or a class behind its declaration.

    Raises:
        ConfigurationError: It has a policy already, or is a class without an entry that we know.
    """
    if declared_on(target) is not None or declared_within(target):
        message = "has a policy already; write one decorator, on the class or on its methods"
        raise ConfigurationError(message, key=declaration.name, rule="R-POL-12")
    wrapped = _class(declaration, target) if isinstance(target, type) else _function(declaration, target)
    setattr(wrapped, MARK, declaration)
    return wrapped


def _class(declaration: Declaration, target: T) -> T:
    for name in ENTRIES:
        entry = getattr(target, name, None)
        if entry is not None:
            waits = getattr(target, "view_is_async", False)  # Django: its dispatch returns what must be awaited
            wrapped = _awaited(declaration, entry) if waits else _function(declaration, entry)
            setattr(wrapped, MARK, declaration)
            setattr(target, name, wrapped)
            return target
    message = "is no class-based endpoint: it has no dispatch"
    raise ConfigurationError(message, key=declaration.name, rule="R-POL-12")


def _function(declaration: Declaration, function: Callable[P, Any]) -> Callable[P, Any]:
    if inspect.iscoroutinefunction(function):
        return _awaited(declaration, function)
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        return _streamed(declaration, function)
    return _called(declaration, function)


def _awaited(declaration: Declaration, function: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[object]]:
    @wraps(function)
    async def wrapper(*args: P.args, **keywords: P.kwargs) -> object:
        connection = declaration.undecided(args, keywords)
        if connection is None:
            return await function(*args, **keywords)
        outcome = await declaration.decide(connection)
        if not isinstance(outcome, Identity):
            return await connection.refuse(outcome)
        earlier = connection.identity()
        connection.admit(outcome)
        before = CURRENT.set(outcome)
        try:
            return await function(*args, **keywords)
        finally:
            if connection.shares_context or earlier is not None:
                CURRENT.reset(before)
            if earlier is not None:  # a decorated function called another
                connection.admit(earlier)

    return wrapper


def _called(declaration: Declaration, function: Callable[P, R]) -> Callable[P, object]:
    @wraps(function)
    def wrapper(*args: P.args, **keywords: P.kwargs) -> object:
        connection = declaration.undecided(args, keywords)
        if connection is None:
            return function(*args, **keywords)
        outcome = declaration.decide_sync(connection)
        if not isinstance(outcome, Identity):
            return connection.refusal(outcome)
        earlier = connection.identity()
        connection.admit(outcome)
        before = CURRENT.set(outcome)  # and back: the thread may serve somebody else next
        try:
            return function(*args, **keywords)
        finally:
            CURRENT.reset(before)
            if earlier is not None:  # a decorated function called another
                connection.admit(earlier)

    return wrapper


def _streamed(declaration: Declaration, function: Callable[P, R]) -> Callable[P, R]:
    """A generator has no way to answer in its place, so somebody else must have decided."""

    @wraps(function)
    def wrapper(*args: P.args, **keywords: P.kwargs) -> R:
        if declaration.undecided(args, keywords) is not None:
            message = f"{declaration.name} is a generator, which cannot refuse: install the jwtguard middleware"
            raise LookupError(message)
        return function(*args, **keywords)

    return wrapper
