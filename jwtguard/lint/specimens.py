"""Route paths as patterns, and the few concrete paths that stand for all requests of one.

A route's parameter can take any value, so one sample proves nothing: ``/items/{id}`` is met by the policy
of ``/items/special`` too. ``specimens`` walks the tree of all policy patterns along a route and returns one
path for every way through: each literal that a policy spells out where the route has a parameter, one
value that no policy spells out, and every length that makes a difference where a parameter spans segments.
Doubled slashes are left out: where they would matter, the request is refused (``PathTrie.find``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice, product
from typing import TypeAlias

from jwtguard.core.paths import Pattern
from jwtguard.lint.expressions import every_value, examples, spans

Tree: TypeAlias = "dict[str | None, Tree]"
"""Policy patterns by segment; the key ``None`` is a parameter."""

# What no policy spells out. The first value of a row that a parameter's own expression accepts stands for all
# others; there are two rows, since an earlier route such as /7{rest} may take one of them and not the other.
_ANY = (
    ("some~thing", "something", "70017.5", "70017", "2b2c3d4e-aaaa-4bbb-8ccc-0123456789ab", "2031-05-06", "true", "x"),
    ("any~other", "other", "30.25", "30", "f00dcafe-bbbb-4ccc-9ddd-0123456789ef", "1999-12-24", "false", "y"),
)
_MOST_VALUES = 256
_SEGMENT = "[^/]+"


class Part:
    """One segment of a route's path: literal, one value, or a parameter that spans any number of segments.

    Attributes:
        literal: The segment's text, or ``None``.
        regex: What a value of the whole segment looks like; empty if it spans.
        values: Segments that no policy spells out, in two rows.
        before: What stands before a spanning parameter in the same segment.
        after: What stands behind it.
    """

    __slots__ = ("after", "before", "literal", "regex", "spans", "values")

    def __init__(self, pieces: list[tuple[str, str]]) -> None:
        """Read a segment's pieces, as ``Template`` takes them."""
        spanning = [index for index, (_, regex) in enumerate(pieces) if regex and spans(regex)]
        texts = [[_values(text, regex, row) for text, regex in pieces] for row in _ANY]
        first = [values[0] for values in texts[0]]
        self.spans = bool(spanning)
        self.literal = "".join(first) if not any(regex for _, regex in pieces) else None
        self.values = tuple(tuple(islice(map("".join, product(*row)), _MOST_VALUES)) for row in texts)
        self.before = "".join(first[: spanning[0]]) if spanning else ""
        self.after = "".join(first[spanning[-1] + 1 :]) if spanning else ""
        self.regex = re.compile("".join(f"(?:{_known(regex)})" if regex else re.escape(text) for text, regex in pieces))


class Template:
    """A route's path as the framework writes it, such as ``/items/{id:int}`` or ``/files/{path:path}``."""

    __slots__ = ("_asks", "_is_exact", "_regex", "parts", "text")

    def __init__(
        self, text: str, pieces: Iterable[tuple[str, str]], *, asks: Callable[[str], bool] | None = None
    ) -> None:
        """Read a path.

        Args:
            text: As written.
            pieces: Its literal texts, each with an empty string, and its parameters, each as its name with
                the regular expression of its convertor.
            asks: What else must say yes to a path: the framework itself, where it can be asked.
        """
        self.text = text
        self._asks = asks
        rows: list[list[tuple[str, str]]] = [[]]
        self._is_exact = True
        exact = ""
        for text_or_name, regex in pieces:
            exact += f"(?:{regex})" if regex else re.escape(text_or_name)
            self._is_exact &= regex == _known(regex)
            first, *others = [text_or_name] if regex else text_or_name.split("/")
            rows[-1].append((first, regex))
            rows.extend([(segment, "")] for segment in others)
        self._regex = re.compile(exact)
        self.parts = tuple(Part(row) for row in rows[1:])

    @property
    def first_segment(self) -> str | None:
        """The first segment, if it is the same for every request."""
        return self.parts[0].literal if self.parts else None

    @property
    def shape(self) -> tuple[tuple[str | None, ...], bool]:
        """Literals and gaps, and whether it ends open: what a policy pattern can say of it."""
        is_open = bool(self.parts) and self.parts[-1].spans
        return tuple(part.literal for part in (self.parts[:-1] if is_open else self.parts)), is_open

    def matches(self, path: str) -> bool:
        """Whether the framework's own expression matches."""
        return self._regex.fullmatch(path) is not None and (self._asks is None or self._asks(path))

    def is_within(self, pattern: Pattern) -> bool:
        """Whether a policy's pattern covers every path of this template."""
        for index, part in enumerate(self.parts):
            if index == len(pattern.segments):
                return pattern.rest
            wanted = pattern.segments[index]
            if part.spans or (part.regex.fullmatch("") if wanted is None else wanted != part.literal):
                return False
        return len(self.parts) == len(pattern.segments)

    def specimens(self, tree: Tree, deepest: int) -> list[str]:
        """Return paths that stand for all others, none of them twice.

        Args:
            tree: Every policy pattern.
            deepest: The number of segments that the longest pattern and the longest route have.
        """
        if not self.parts:
            return [""]
        paths = chain.from_iterable(_walk(self.parts, [tree], "", deepest + 2, row) for row in range(len(_ANY)))
        return [path for path in dict.fromkeys(paths) if self._is_told(path)]

    def _is_told(self, path: str) -> bool:
        return ("//" not in path or "//" in self.text) and (not self._is_exact or self.matches(path))


def tree_of(patterns: Iterable[Pattern]) -> Tree:
    """Arrange policy patterns by segment."""
    tree: Tree = {}
    for pattern in patterns:
        node = tree
        for segment in pattern.segments:
            node = node.setdefault(segment, {})
    return tree


def _known(regex: str) -> str:
    """An expression that some value of ours fits: any segment, where a convertor of the application's fits none."""
    return regex if not regex or spans(regex) or _fitting(regex, _ANY[0]) else _SEGMENT


def _fitting(regex: str, row: tuple[str, ...]) -> tuple[str, ...]:
    """Values that stand for all others of an expression; every one, if it only lists some."""
    if listed := every_value(regex):
        return listed
    ours = next((value for value in row if re.fullmatch(regex, value)), None)
    return (ours,) if ours is not None else examples(regex)


def _values(text: str, regex: str, row: tuple[str, ...]) -> tuple[str, ...]:
    return (_fitting(regex, row) or row[:1]) if regex else (text,)


def _walk(parts: tuple[Part, ...], nodes: list[Tree], path: str, room: int, row: int) -> Iterator[str]:
    """Yield every path through the remaining parts.

    Args:
        parts: The rest of the route.
        nodes: The patterns that still match, each at the segment it has reached.
        path: The path so far.
        room: How many segments there may still be.
        row: Which of our own values to use.
    """
    if not parts:
        yield path
        return
    part = parts[0]
    if part.spans:
        yield from _span(parts, nodes, path, room, (part.before, row))
        return
    empty = ("",) if part.regex.fullmatch("") else ()
    texts = (part.literal,) if part.literal is not None else (*_spelt(nodes, part.regex), *part.values[row], *empty)
    for text in texts:
        yield from _walk(parts[1:], _follow(nodes, text), f"{path}/{text}", room - 1, row)


def _span(parts: tuple[Part, ...], nodes: list[Tree], path: str, room: int, start: tuple[str, int]) -> Iterator[str]:
    """Yield paths in which a parameter takes one segment, which may be empty, then two, and so on."""
    part, (before, row) = parts[0], start
    here = re.compile(re.escape(before) + ".*", re.DOTALL)
    last = re.compile(re.escape(before) + ".*" + re.escape(part.after), re.DOTALL)
    own = f"{before}{_ANY[row][0]}"
    for text in dict.fromkeys((*_spelt(nodes, last), before + part.after, own + part.after)):
        yield from _walk(parts[1:], _follow(nodes, text), f"{path}/{text}", room - 1, row)
    if room > len(parts):
        for text in dict.fromkeys((*_spelt(nodes, here), own)):
            yield from _span(parts, _follow(nodes, text), f"{path}/{text}", room - 1, ("", row))


def _spelt(nodes: list[Tree], regex: re.Pattern[str]) -> list[str]:
    """The literals that policies spell out here and that this part can be."""
    literals = dict.fromkeys(text for node in nodes for text in node if text is not None)
    return [text for text in literals if regex.fullmatch(text)]


def _follow(nodes: list[Tree], text: str) -> list[Tree]:
    steps = (node.get(key) for node in nodes for key in ((text, None) if text else (text,)))
    return [step for step in steps if step is not None]
