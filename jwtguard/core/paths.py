"""Which policy covers a method and a path: the grammar, the trie, and its proof of no ambiguity.

A pattern is literal segments, ``{name}`` for exactly one non-empty segment, or a final ``/**`` for
zero or more. Of two patterns that match, the one contained in the other wins: ``/a/b`` before
``/a/{x}`` before ``/a/**``; on equal paths a named method wins over none. Patterns that overlap without
one containing the other are refused when the table is built, by walking the trie against itself, so
the first match of a search that tries literal, then ``{name}``, then ``/**`` is the only right one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from posixpath import normpath
from typing import Generic, TypeVar

from jwtguard.errors import ConfigurationError, unknown

T = TypeVar("T")

# HEAD follows GET, so it cannot be named; WEBSOCKET is the handshake of RFC 6455.
METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY", "TRACE", "CONNECT", "WEBSOCKET"})
_REST = "**"


class Pattern:
    """One parsed ``match`` of a policy: an optional method and path segments."""

    __slots__ = ("method", "path", "rest", "segments", "text")

    def __init__(self, text: str, key: str = "match") -> None:
        """Parse ``"GET /reports/{id}"`` or ``"/admin/**"``.

        Raises:
            ConfigurationError: The method or the path does not follow the grammar.
        """
        self.text = text
        method, _, path = text.rpartition(" ")
        self.method = method.strip() or None
        if self.method == "HEAD":
            message = "HEAD follows GET; write GET"
            raise ConfigurationError(message, key=key, rule="R-POL-04")
        if self.method is not None and self.method not in METHODS:
            message = "method"
            raise unknown(message, self.method, METHODS, key=key, rule="R-POL-04")
        if not path.startswith("/"):
            message = f"the path of {text!r} must start with '/'"
            raise ConfigurationError(message, key=key, rule="R-POL-03")
        self.path = path
        segments = path[1:].split("/")
        self.rest = segments[-1] == _REST
        self.segments = tuple(_segment(part, text, key) for part in (segments[:-1] if self.rest else segments))

    def covers(self, path: str) -> bool:
        """Tell whether a path is one of this pattern's."""
        given = path.split("/")[1:]
        if len(given) < len(self.segments) or (len(given) > len(self.segments) and not self.rest):
            return False
        pairs = zip(self.segments, given, strict=False)
        return all(part == ours or (ours is None and part != "") for ours, part in pairs)


def _segment(part: str, text: str, key: str) -> str | None:
    """Return a literal, or ``None`` for a parameter."""
    if part.startswith("{") and part.endswith("}") and part.isascii() and part[1:-1].isidentifier():
        return None
    if any(mark in part for mark in "{}<>*?#") or not (part.isprintable() or not part):
        message = f"{part!r} in {text!r} is neither literal, nor {{name}} (without a type), nor a final **"
        raise ConfigurationError(message, key=key, rule="R-POL-03")
    if "%" in part:
        message = f"{part!r} in {text!r} must be written decoded, as the router sees it"
        raise ConfigurationError(message, key=key, rule="R-POL-03")
    return part


class _Node(Generic[T]):
    __slots__ = ("ends", "literal", "parameter", "rests")

    def __init__(self) -> None:
        self.literal: dict[str, _Node[T]] = {}
        self.parameter: _Node[T] | None = None
        self.ends: dict[str | None, tuple[str, T]] = {}
        self.rests: dict[str | None, tuple[str, T]] = {}


class PathTrie(Generic[T]):
    """Patterns with their values; built once, then only read."""

    __slots__ = ("_exact", "_root")

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()
        self._exact: dict[str, dict[str | None, tuple[str, T]]] = {}

    def add(self, pattern: Pattern, value: T) -> None:
        """Add one pattern.

        Raises:
            ConfigurationError: The same method and path are there already.
        """
        node = self._root
        for segment in pattern.segments:
            if segment is None:
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                node = node.literal.setdefault(segment, _Node())
        leaf = node.rests if pattern.rest else node.ends
        if pattern.method in leaf:
            message = f"{leaf[pattern.method][0]!r} and {pattern.text!r} match the same requests"
            raise ConfigurationError(message, key="endpoints.match", rule="R-POL-05")
        leaf[pattern.method] = (pattern.text, value)
        if not pattern.rest and None not in pattern.segments:
            self._exact["/" + "/".join(segment or "" for segment in pattern.segments)] = leaf

    def find(self, method: str, path: str) -> T | None:
        """Return the value of the most specific pattern for a request, or ``None``.

        A path that what lies behind the router may read in another way matches only if both readings are
        under one policy: file servers resolve ``//`` and dot segments. A path with control characters
        matches nothing: routers built on regular expressions let a pattern end before a trailing newline,
        so ``/admin%0A`` could reach the handler of ``/admin``.
        """
        if method == "HEAD":
            method = "GET"
        exact = self._exact.get(path) if method else None
        found = _leaf(exact, method) if exact is not None else None
        if found is None and method and (path.isprintable() or not _has_controls(path)):
            found = self._search(method, path)
            if found is not None and ("//" in path or "/." in path or "\\" in path):
                others = [self._search(method, reading) for reading in readings(path)]
                found = found if all(other is not None and other[1] is found[1] for other in others) else None
        return found[1] if found is not None else None

    def _search(self, method: str, path: str) -> tuple[str, T] | None:
        segments = path.split("/")
        return _search(self._root, segments, 1, method) if not segments[0] else None

    def prove_unambiguous(self) -> None:
        """Refuse two patterns that overlap without one containing the other (R-POL-05).

        Raises:
            ConfigurationError: Names both and a path that both match.
        """
        for one, other, path in _ambiguous(self._root, self._root, (), "="):
            message = f"{one!r} and {other!r} both match {path!r}, and neither contains the other; make one narrower"
            raise ConfigurationError(message, key="endpoints.match", rule="R-POL-05")


def readings(path: str) -> tuple[str, str]:
    """Resolve a path as file systems do (``//`` is ``/``), and as URLs do (a segment; RFC 3986, section 5.2.4)."""
    plain = path.replace("\\", "/")
    kept: list[str] = []
    for segment in plain[1:].split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    slash = "/" if plain.endswith("/") and plain.strip("/") else ""
    return "/" + normpath(plain).lstrip("/") + slash, "/" + "/".join(kept)


def _has_controls(path: str) -> bool:
    return any(char < " " or "\x7f" <= char <= "\x9f" for char in path)


def _search(node: _Node[T], segments: Sequence[str], depth: int, method: str) -> tuple[str, T] | None:
    """Depth first: literal, then parameter, then the deepest rest; the leaf must also cover the method."""
    fallback = None
    for place in range(depth, len(segments)):
        segment = segments[place]
        if node.rests:
            fallback = _leaf(node.rests, method) or fallback
        following = node.literal.get(segment)
        if node.parameter is not None and segment:
            # The only place where a search may have to come back.
            if following is not None and (found := _search(following, segments, place + 1, method)) is not None:
                return found
            following = node.parameter
        if following is None:
            return fallback
        node = following
    return _leaf(node.ends, method) or _leaf(node.rests, method) or fallback


def _leaf(leaf: dict[str | None, tuple[str, T]], method: str) -> tuple[str, T] | None:
    return leaf.get(method) or leaf.get(None)


def _ambiguous(one: _Node[T], other: _Node[T], path: tuple[str, ...], order: str) -> Iterator[tuple[str, str, str]]:
    """Walk every pair of nodes that one path can reach.

    ``order`` says which side is the more specific so far: ``=`` neither, ``<`` the first. Only pairs
    with the first more specific are followed (the other half is their mirror), and they become
    ambiguous where the second is more specific further down.
    """
    if order == "<":
        yield from _narrower(one, other, path)
    for segment, child in one.literal.items():
        if (same := other.literal.get(segment)) is not None:
            yield from _ambiguous(child, same, (*path, segment), order)
        if other.parameter is not None and segment:
            yield from _ambiguous(child, other.parameter, (*path, segment), "<")
    if one.parameter is not None and other.parameter is not None:
        yield from _ambiguous(one.parameter, other.parameter, (*path, "x"), order)


def _narrower(one: _Node[T], other: _Node[T], path: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    """The first is the more specific so far: whatever the second still spells out more narrowly is ambiguous."""
    yield from _both_end(one.rests, other.ends, path)
    for segment, child in other.literal.items():
        yield from _anything(one.rests, child, (*path, segment))
        if one.parameter is not None and segment:
            yield from _crossed(one.parameter, child, (*path, segment))
    if other.parameter is not None:
        yield from _anything(one.rests, other.parameter, (*path, "x"))


def _anything(
    rests: dict[str | None, tuple[str, T]], node: _Node[T], path: tuple[str, ...]
) -> Iterator[tuple[str, str, str]]:
    if not rests:
        return
    yield from _both_end(rests, node.ends, path)
    yield from _both_end(rests, node.rests, path)
    for segment, child in node.literal.items():
        yield from _anything(rests, child, (*path, segment))
    if node.parameter is not None:
        yield from _anything(rests, node.parameter, (*path, "x"))


def _crossed(one: _Node[T], other: _Node[T], path: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    """Each side is more specific somewhere: any two patterns that end on one path are ambiguous."""
    yield from _both_end(one.ends, other.ends, path)
    yield from _anything(one.rests, other, path)
    yield from _anything(other.rests, one, path)
    for segment, child in one.literal.items():
        for twin in (other.literal.get(segment), other.parameter if segment else None):
            if twin is not None:
                yield from _crossed(child, twin, (*path, segment))
    if one.parameter is not None:
        for segment, child in other.literal.items():
            if segment:
                yield from _crossed(one.parameter, child, (*path, segment))
        if other.parameter is not None:
            yield from _crossed(one.parameter, other.parameter, (*path, "x"))


def _both_end(
    one: dict[str | None, tuple[str, T]], other: dict[str | None, tuple[str, T]], path: tuple[str, ...]
) -> Iterator[tuple[str, str, str]]:
    for method, (text, _) in one.items():
        for twin, (other_text, _) in other.items():
            if method == twin or None in (method, twin):
                yield text, other_text, "/" + "/".join(path)
