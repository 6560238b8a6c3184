"""Columns as authors write them, made into what the core compares: a misspelt word is an error, never no demand.

A policy file holds words and lists; Python objects may be given the same. Whatever has no such reading is refused
where it was written, not where it would have counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import TypeVar

from jwtguard.errors import ConfigurationError, unknown

E = TypeVar("E", bound=StrEnum)
T = TypeVar("T")
_RULE = "R-POL-06"


def member(kind: type[E], value: object, key: str) -> E:
    """Return the member of an enumeration that a word means.

    Raises:
        ConfigurationError: It means none; names the nearest.
    """
    if isinstance(value, kind):
        return value
    if isinstance(value, str) and value in set(kind):
        return kind(value)
    what = "word"
    raise unknown(what, value, map(str, kind), key=key, rule=_RULE)


def several(value: object, key: str) -> tuple[object, ...]:
    """Return one value, or several, as a tuple; a text is one.

    Raises:
        ConfigurationError: What holds them can be read once only; who reads it next would find no demand.
    """
    if isinstance(value, Iterator):
        message = f"must be a collection, not a {type(value).__name__}, which is empty once it was read"
        raise ConfigurationError(message, key=key, rule=_RULE)
    return tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else (value,)


def texts(value: object, key: str) -> tuple[str, ...]:
    """Return one text, or several, as a tuple.

    Raises:
        ConfigurationError: Something else is among them.
    """
    return tuple(instance(item, (str,), key) for item in several(value, key))


def instance(value: object, kinds: tuple[type[T], ...], key: str, hint: str = "") -> T:
    """Return a value of these types.

    Raises:
        ConfigurationError: It is of another.
    """
    if isinstance(value, kinds):
        return value
    names = " or ".join(kind.__name__ for kind in kinds)
    message = f"must be a {names}, not a {type(value).__name__}{hint and f'; {hint}'}"
    raise ConfigurationError(message, key=key, rule=_RULE)
