"""The trie of paths against a reference that compares every pattern with every other."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from jwtguard import ConfigurationError
from jwtguard.core.paths import PathTrie, Pattern
from tests.properties.bounded import examples

SEGMENTS = st.sampled_from(["a", "b", "c", "", "{x}", "{x}", "{x}"])
METHODS = st.sampled_from(["", "", "GET ", "PUT "])


@st.composite
def patterns(draw: st.DrawFn) -> list[Pattern]:
    """Draw up to seven patterns, no two of which are the same."""
    texts = draw(
        st.lists(
            st.builds(
                lambda method, parts, rest: method + "/" + "/".join([*parts, "**"] if rest else parts or [""]),
                METHODS,
                st.lists(SEGMENTS, max_size=4),
                st.booleans(),
            ),
            max_size=7,
        )
    )
    found = {(pattern.method, pattern.segments, pattern.rest): pattern for pattern in map(Pattern, texts)}
    return list(found.values())


PATHS = st.lists(st.sampled_from(["a", "b", "c", "x", "", ".", ".."]), max_size=5).map(
    lambda parts: "/" + "/".join(parts)
)
PLAIN = st.lists(st.sampled_from(["a", "b", "c", "x"]), max_size=5).map(lambda parts: "/" + "/".join(parts))


def matches(pattern: Pattern, path: str) -> bool:
    """Tell whether a pattern matches a path, segment by segment."""
    parts = path[1:].split("/")
    fixed = parts[: len(pattern.segments)]
    if len(fixed) < len(pattern.segments) or (len(parts) > len(fixed) and not pattern.rest):
        return path == "/" and pattern.rest and not pattern.segments
    return all(
        part != "" if wanted is None else part == wanted for wanted, part in zip(pattern.segments, fixed, strict=True)
    )


def holds(wide: Pattern, narrow: Pattern) -> bool:
    """Tell whether every path of one pattern is a path of the other."""
    fixed = narrow.segments[: len(wide.segments)]
    if len(fixed) < len(wide.segments) or (not wide.rest and (narrow.rest or len(narrow.segments) > len(fixed))):
        return False
    return all(one == other or (one is None and other != "") for one, other in zip(wide.segments, fixed, strict=True))


def meet(one: Pattern, other: Pattern) -> bool:
    """Tell whether some path is matched by both patterns."""
    short, long = sorted((one, other), key=lambda pattern: len(pattern.segments))
    if len(short.segments) < len(long.segments) and not short.rest:
        return False
    pairs = zip(short.segments, long.segments, strict=False)
    return all(a == b or (a is None and b != "") or (b is None and a != "") for a, b in pairs)


def clash(one: Pattern, other: Pattern) -> bool:
    """Tell whether two patterns overlap for some method, neither holding the other."""
    same_method = one.method == other.method or None in {one.method, other.method}
    return same_method and meet(one, other) and not holds(one, other) and not holds(other, one)


def narrowest(found: Sequence[Pattern], method: str, path: str) -> Pattern | None:
    """Return the one matching pattern that all the others hold, by method on equal paths."""
    fitting = [pattern for pattern in found if pattern.method in {None, method} and matches(pattern, path)]
    least = [one for one in fitting if all(holds(other, one) for other in fitting)]
    named = [one for one in least if one.method is not None]
    best = named or least
    assert len(best) == (1 if fitting else 0), "the narrowest pattern is not unique"
    return best[0] if best else None


def resolved(path: str) -> str:
    """Read a path as a file system would."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in {"", "."}:
            parts.append(part)
    return "/" + "/".join(parts) + ("/" if parts and path.endswith("/") else "")


def as_url(path: str) -> str:
    """Read a path as a URL (RFC 3986, section 5.2.4), where an empty segment is one to step back over."""
    parts: list[str] = []
    for part in path[1:].split("/"):
        if part == "..":
            del parts[-1:]
        elif part != ".":
            parts.append(part)
    return "/" + "/".join(parts)


def expected(found: Sequence[Pattern], method: str, path: str) -> str | None:
    """Return the text of the pattern that a request should find."""
    best = narrowest(found, method, path)
    if best is None:
        return None
    literal = not best.rest and None not in best.segments
    others = {narrowest(found, method, reading) for reading in (resolved(path), as_url(path)) if reading != path}
    if not literal and others - {best}:
        return None
    return best.text


def built(found: Sequence[Pattern]) -> PathTrie[str]:
    """Build a trie whose values are the patterns' texts."""
    trie: PathTrie[str] = PathTrie()
    for pattern in found:
        trie.add(pattern, pattern.text)
    return trie


@examples(500)
@given(patterns(), st.lists(PLAIN | PATHS, max_size=6), st.sampled_from(["GET", "PUT", "POST", "HEAD"]))
def test_the_trie_agrees_with_the_reference(found: list[Pattern], paths: list[str], method: str) -> None:
    """R-POL-05: the proof refuses exactly the ambiguous sets; otherwise the narrowest pattern is unique and found."""
    trie = built(found)
    ambiguous = [(one, other) for index, one in enumerate(found) for other in found[:index] if clash(one, other)]
    try:
        trie.prove_unambiguous()
    except ConfigurationError as error:
        first, second, path = re.findall("'([^']*)'", error.message)
        named = {pattern.text: pattern for pattern in found}
        assert clash(named[first], named[second])
        assert matches(named[first], path)
        assert matches(named[second], path)
        return
    assert not ambiguous
    for path in paths:
        assert trie.find(method, path) == expected(found, "GET" if method == "HEAD" else method, path)


@examples(100)
@given(patterns(), st.randoms(use_true_random=False))
def test_the_order_of_patterns_does_not_matter(found: list[Pattern], chance: object) -> None:
    """R-POL-05: the same patterns in another order are the same policy, or the same mistake."""
    shuffled = list(found)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis's own Random
    assert proven(built(found)) == proven(built(shuffled))
    if proven(built(found)):
        for path in ("/", "/a", "/a/b", "/a/b/c", "/x/b", "/x/y/c", "/a/"):
            assert built(found).find("GET", path) == built(shuffled).find("GET", path)


def proven(trie: PathTrie[str]) -> bool:
    """Tell whether the proof holds."""
    try:
        trie.prove_unambiguous()
    except ConfigurationError:
        return False
    return True


@examples(150)
@given(patterns(), st.text(max_size=12), st.text(max_size=8))
def test_any_path_is_found_or_not(found: list[Pattern], path: str, method: str) -> None:
    """R-POL-03, F60: for any text as path or method the search ends with a pattern or without one, and never fails."""
    assert built(found).find(method, path) in {None, *(pattern.text for pattern in found)}
    assert built(found).find("GET", "/" + path) in {None, *(pattern.text for pattern in found)}
