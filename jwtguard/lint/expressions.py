r"""Regular expressions of routes, read as far as the segments of a policy can follow them.

An expression becomes one or more forms, each a row of pieces: literal text, or a parameter with its own
expression. ``^files/(?P<name>\w+)(?:/raw)?$`` has two forms. Lookarounds, references, flags, and repeated
groups that hold slashes are beyond this; whoever reads them with a person's eyes writes a wider policy.
"""

from __future__ import annotations

import re
import string
from itertools import chain, islice, product
from typing import TypeAlias

Piece: TypeAlias = tuple[str, str]
"""Literal text and an empty string, or the name of a parameter and its expression."""

_MOST_FORMS = 64
_SPANNING = ("some~thing/some~thing", "something/something", "7/7")
_QUANTIFIER = re.compile(r"([*+?]|\{\d+(?:,\d*)?\}|\{,\d+\})[?+]?")
_GROUP = re.compile(r"\((?:\?:|\?P<\w+>)?(?!\?)")
_CLASS = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]|\.|\\[dDwWsS]")
_START = re.compile(r"\^?((?:[\w/-]|\\[-./_])*)([*+?{]?)")
_CHARACTERS = "x7aA" + string.ascii_letters + string.digits + "-_.~" + string.punctuation
_LONGEST = 64
_MOST_VALUES = 16


class NotUnderstood(Exception):  # noqa: N818 - an outcome of reading, answered by whoever reads
    """An expression says more than forms can."""


class Reading:
    """What an expression matches, as forms.

    Attributes:
        forms: Rows of pieces; one of them matches whatever the expression does.
        is_open: Whether more may follow, as it does without ``$`` in a search.
        starts_anywhere: Whether something may come before, as it does without ``^`` in a search.
    """

    __slots__ = ("forms", "is_open", "starts_anywhere")

    def __init__(self, source: str) -> None:
        """Read an expression.

        Raises:
            NotUnderstood: It says more than forms can.
        """
        reader = _Reader(source)
        self.starts_anywhere = not reader.skip("^", r"\A")
        self.forms = reader.branches(0)
        self.is_open = not reader.is_ended


class _Reader:
    """One walk along the source of an expression."""

    def __init__(self, source: str) -> None:
        self.is_ended = False
        self._source = source
        self._at = 0

    def skip(self, *marks: str) -> bool:
        """Go past one of these, if it is next."""
        for mark in marks:
            if self._source.startswith(mark, self._at):
                self._at += len(mark)
                return True
        return False

    def branches(self, depth: int) -> list[list[Piece]]:
        """Read up to the end of the expression, or of a group."""
        done: list[list[Piece]] = []
        forms: list[list[Piece]] = [[]]
        while self._at < len(self._source) and not (depth and self._source[self._at] == ")"):
            if self._source[self._at :] in ("$", r"\Z") and not depth:
                self.is_ended = True
                break
            if depth and self.skip("|"):
                done, forms = [*done, *forms], [[]]
                continue
            element = self._element(depth)
            forms = [[*start, *end] for start in forms for end in element]
            if len(forms) + len(done) > _MOST_FORMS:
                raise NotUnderstood
        return [*done, *forms]

    def _element(self, depth: int) -> list[list[Piece]]:
        start = self._at
        if (group := _GROUP.match(self._source, start)) is not None:
            self._at = group.end()
            inner = self.branches(depth + 1)
            if not self.skip(")"):
                raise NotUnderstood
            return _repeated_group(self._source[start : self._at], inner, self._quantifier())
        if (several := _CLASS.match(self._source, start)) is not None:
            self._at = several.end()
            return _of_class(several.group(), self._quantifier())
        mark = self._source[start]
        self._at += 2 if mark == "\\" else 1
        text = self._source[start : self._at]
        if mark in "()[{*+?^$|" or (mark == "\\" and text[1:].isalnum()):
            raise NotUnderstood
        return _of_character(text[-1], self._quantifier())

    def _quantifier(self) -> str:
        found = _QUANTIFIER.match(self._source, self._at)
        if found is None:
            return ""
        self._at = found.end()
        return found.group(1)


def _repeated_group(source: str, inner: list[list[Piece]], quantifier: str) -> list[list[Piece]]:
    if quantifier == "":
        return inner
    if quantifier == "?":
        return [*inner, []]
    plain = re.sub(r"\((?:\?:|\?P<\w+>)?(?!\?)", "(?:", source)
    if any("/" in text if not regex else _takes_slash(regex) for form in inner for text, regex in form):
        raise NotUnderstood
    return [[(plain, plain + quantifier)]]


def _of_class(source: str, quantifier: str) -> list[list[Piece]]:
    regex = source + quantifier
    # A lone dot is nearly always a dot that somebody forgot to escape.
    if regex != "." and _takes_slash(source) and not spans(regex):
        raise NotUnderstood
    return [[(regex, regex)]]


def _of_character(character: str, quantifier: str) -> list[list[Piece]]:
    literal = [(character, "")]
    if quantifier == "":
        return [literal]
    if quantifier == "?":
        return [literal, []]
    if character == "/":
        raise NotUnderstood
    return [[(character, re.escape(character) + quantifier)]]


def _takes_slash(regex: str) -> bool:
    taken = re.match(regex, "/" * _LONGEST)
    return taken is not None and taken.end() > 0


def spans(regex: str) -> bool:
    """Whether a parameter with this expression can span segments."""
    return any(re.fullmatch(regex, text) for text in _SPANNING)


def literal_start(source: str) -> str:
    """Return the whole segments that every match begins with, as far as one can tell without reading on."""
    if "|" in source or re.search(r"\(\?[aiLmsux-]", source) or not source.startswith("^"):
        return ""
    found = _START.match(source)
    text, quantifier = found.groups() if found is not None else ("", "")
    text = text.replace("\\", "")
    return (text[:-1] if quantifier else text).rpartition("/")[0]


def every_value(regex: str) -> tuple[str, ...]:
    """All values of an expression that only lists some, such as ``(?:de|en)``; else nothing."""
    forms = _forms(regex)
    if any(part for form in forms for _, part in form):
        return ()
    return tuple("".join(text for text, _ in form) for form in forms)


def examples(regex: str) -> tuple[str, ...]:
    """Some values of an expression, of every form, where we find any."""
    made = (islice(map("".join, product(*map(_values, form))), _MOST_VALUES) for form in _forms(regex))
    return tuple(text for text in chain.from_iterable(made) if re.fullmatch(regex, text))


def _forms(regex: str) -> list[list[Piece]]:
    try:
        return Reading(regex).forms
    except NotUnderstood:
        return []


def _values(piece: Piece) -> tuple[str, ...]:
    """Values of one piece: several, so that hardly any policy spells out all of them."""
    text, regex = piece
    if not regex:
        return (text,)
    values = (character * times for times in range(1, _LONGEST + 1) for character in _CHARACTERS)
    return tuple(dict.fromkeys(islice((value for value in values if re.fullmatch(regex, value)), _MOST_VALUES)))
