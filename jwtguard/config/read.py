"""Typed reading of a TOML document: every value knows the key it was written under.

Nothing is coerced: ``true`` is no number, ``1`` no string, a date with a time no date. A list that is
empty or names something twice is a mistake, unless the key's meaning allows it.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time
from typing import NoReturn, TypeVar

from jwtguard.config.shapes import KEYS, Shape
from jwtguard.core.classes import Scalar
from jwtguard.errors import ConfigurationError, unknown

T = TypeVar("T")
D = TypeVar("D")

RULE = "R-POL-06"
_SHOWN_CHARS = 64
_LARGEST_INTEGER = 2**63 - 1  # TOML's range; tomllib reads beyond it, up to numbers that no float can hold
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_DURATION = re.compile(r"([0-9]{1,9})([smhd])")
_UNIT_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_KINDS: Mapping[type, str] = {
    bool: "boolean",
    int: "integer",
    float: "float",
    str: "string",
    date: "date",
    datetime: "date with a time",
    time: "time",
    list: "list",
    dict: "table",
}


class Value:
    """One value of the file, and the key it was written under."""

    __slots__ = ("key", "raw")

    def __init__(self, raw: object, key: str) -> None:
        """Keep both."""
        self.raw = raw
        self.key = key

    def refuse(self, message: str, rule: str = RULE) -> NoReturn:
        """Raise the error that names this key."""
        raise ConfigurationError(message, key=self.key, rule=rule) from None

    def text(self) -> str:
        """Read a string that says something."""
        if type(self.raw) is not str:
            self._refuse_type("a string")
        if not self.raw.strip():
            self.refuse("must not be empty")
        return self.raw

    def word(self, what: str, known: Iterable[str], rule: str = RULE) -> str:
        """Read one of the known words."""
        word = self.text()
        if word not in (words := frozenset(map(str, known))):
            raise unknown(what, word, words, key=self.key, rule=rule)
        return word

    def flag(self) -> bool:
        """Read true or false."""
        if type(self.raw) is not bool:
            self._refuse_type("true or false")
        return self.raw

    def integer(self) -> int:
        """Read a whole number."""
        if type(self.raw) is not int:
            self._refuse_type("a whole number")
        if abs(self.raw) > _LARGEST_INTEGER:
            self.refuse("is beyond 64 bits")
        return self.raw

    def number(self) -> float:
        """Read a finite number."""
        if type(self.raw) is int:
            return float(self.integer())
        if type(self.raw) is not float:
            self._refuse_type("a number")
        if not math.isfinite(self.raw):
            self.refuse(f"must be a finite number, not {self.raw}")
        return self.raw

    def scalar(self) -> Scalar:
        """Read a value that a claim can equal: string, number, true or false."""
        if type(self.raw) is int:
            return self.integer()
        if type(self.raw) is float:
            return self.number()
        if type(self.raw) is not str and type(self.raw) is not bool:
            self._refuse_type("a string, a number, true or false")
        return self.raw

    def duration_s(self) -> float:
        """Read a duration such as ``"30s"``, in seconds; it may be nothing."""
        found = _DURATION.fullmatch(self.raw) if type(self.raw) is str else None
        if found is None:
            self._refuse_type('a duration such as "30s", "10m", "24h" or "7d"')
        return int(found[1]) * _UNIT_S[found[2]]

    def bound_s(self) -> float:
        """Read a duration that bounds the life of a token, in seconds; nothing would refuse every token."""
        if not (seconds := self.duration_s()):
            self.refuse(f"must be longer than {self.raw!r}, which no token could satisfy")
        return seconds

    def day(self) -> date:
        """Read a date without a time."""
        if type(self.raw) is not date:
            self._refuse_type("a date such as 2026-11-01, without quotes")
        return self.raw

    def texts(self) -> tuple[str, ...]:
        """Read one string or a list of them."""
        return tuple(item.text() for item in self.items())

    def texts_or_none(self) -> tuple[str, ...]:
        """Read one string or a list of them, which may be empty."""
        return () if self.raw == [] else self.texts()

    def words(self, what: str, known: Iterable[str], rule: str = RULE) -> tuple[str, ...]:
        """Read one of the known words or a list of them."""
        known = frozenset(known)
        return tuple(item.word(what, known, rule) for item in self.items())

    def scalars(self) -> tuple[Scalar, ...]:
        """Read a list of values that a claim can equal."""
        if type(self.raw) is not list:
            self._refuse_type("a list")
        found = tuple(item.scalar() for item in self.items())
        if len(frozenset(found)) < len(found):
            self.refuse("lists a value twice; 1, 1.0 and true count as one")
        return found

    def items(self) -> list[Value]:
        """Read a list, or a single value in its place."""
        if type(self.raw) is not list:
            return [self]
        if not self.raw:
            self.refuse("the list is empty; name at least one, or leave the key out")
        texts = [item for item in self.raw if isinstance(item, str)]
        for text, times in Counter(texts).items():
            if times > 1:
                self.refuse(f"lists {text[:_SHOWN_CHARS]!r} twice" if text.isprintable() else "lists a text twice")
        return [Value(item, self.key) for item in self.raw]

    def table(self, shape: Shape) -> Table:
        """Read a table whose keys are known."""
        known = KEYS[shape]
        values = self.members()
        for name in values:
            if name not in known and self.key and name in KEYS[Shape.TOP]:
                self.refuse(f"{name!r} belongs at the top of the file, before the first [table]")
            Value(name, self.key).word("key", known)
        return Table(values, self.key)

    def tables(self, shape: Shape, *labels: str) -> list[Table]:
        """Read a list of tables whose keys are known, as ``[[double brackets]]`` make it.

        Args:
            shape: Which keys each of them may hold.
            labels: The keys whose text names a table in messages, the best first.
        """
        if type(self.raw) is not list:
            self._refuse_type(f"a list of tables: write [[{self.key}]]")
        return [
            Value(item, f"{self.key}.{_label(item, labels) or f'#{number}'}").table(shape)
            for number, item in enumerate(self.raw, start=1)
        ]

    def named(self) -> dict[str, Value]:
        """Read a table whose keys are names that the author chose."""
        found = self.members()
        for name in found:
            if not NAME.fullmatch(name):
                self.refuse(f"{name!r} is no name: use up to 64 letters, digits, '_' and '-'")
        return found

    def members(self) -> dict[str, Value]:
        """Read a table whose keys are free, such as the names of claims."""
        if type(self.raw) is not dict:
            self._refuse_type("a table")
        if not all(self.raw):
            self.refuse("holds a key without a name")
        return {name: Value(raw, f"{self.key}.{name}" if self.key else name) for name, raw in self.raw.items()}

    def refuse_secret(self, expected: str) -> NoReturn:
        """Raise the error for a value of the wrong type that may be secret: it shows the type alone."""
        self.refuse(f"must be {expected}, not the {_KINDS[type(self.raw)]} given")

    def _refuse_type(self, expected: str) -> NoReturn:
        self.refuse(f"must be {expected}, not {_shown(self.raw)}")


class Table:
    """A table of the file whose keys are known."""

    __slots__ = ("key", "values")

    def __init__(self, values: Mapping[str, Value], key: str) -> None:
        """Keep both."""
        self.values = values
        self.key = key

    def __contains__(self, name: str) -> bool:
        """Tell whether the key was written."""
        return name in self.values

    def over(self, defaults: Table) -> Table:
        """Return this table with the keys of another where it has none of its own.

        A table in both, such as ``claims``, is completed key by key: what the other demands of one claim
        is not lost because this one demands something of another.
        """
        merged = {**defaults.values, **self.values}
        for name in defaults.values.keys() & self.values.keys():
            one, other = self.values[name], defaults.values[name]
            if isinstance(one.raw, dict) and isinstance(other.raw, dict):
                merged[name] = Value({**other.raw, **one.raw}, one.key)
        return Table(merged, self.key)

    def get(self, name: str, read: Callable[[Value], T], default: D) -> T | D:
        """Read a key that may be left out."""
        return read(self.values[name]) if name in self.values else default

    def need(self, name: str, read: Callable[[Value], T]) -> T:
        """Read a key that must be written."""
        if name not in self.values:
            self.refuse(f"{name!r} must be written")
        return read(self.values[name])

    def only(self, *names: str) -> str:
        """Return the one key of several that was written; none and two are mistakes."""
        written = [name for name in names if name in self.values]
        if len(written) != 1:
            found = " and ".join(map(repr, written)) or "none"
            self.refuse(f"write exactly one of {', '.join(map(repr, names))}; found {found}")
        return written[0]

    def refuse(self, message: str, rule: str = RULE) -> NoReturn:
        """Raise the error that names this table."""
        raise ConfigurationError(message, key=self.key, rule=rule) from None


def _label(raw: object, names: Iterable[str]) -> str:
    for name in names:
        found = raw.get(name) if isinstance(raw, dict) else None
        text = found[0] if isinstance(found, list) and found else found
        if isinstance(text, str) and text.isprintable():
            return text
    return ""


def _shown(raw: object) -> str:
    """Describe a value; lists and tables by kind alone, since they may hold keys."""
    kind = f"the {_KINDS[type(raw)]}"
    if isinstance(raw, list | dict) or (isinstance(raw, int) and abs(raw) > _LARGEST_INTEGER):
        return kind
    if isinstance(raw, str):
        return f"{kind} {raw[:_SHOWN_CHARS]!r}"
    return f"{kind} {str(raw).lower() if isinstance(raw, bool) else raw}"
