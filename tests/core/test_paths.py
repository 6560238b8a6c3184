"""The grammar of paths, the search, and the proof that it has one answer (R-POL-03 to R-POL-05)."""

from __future__ import annotations

import re

import pytest

from jwtguard import ConfigurationError
from jwtguard.core.paths import METHODS, PathTrie, Pattern


def trie(*patterns: str) -> PathTrie[str]:
    """Add patterns, each of which is its own value."""
    built: PathTrie[str] = PathTrie()
    for text in patterns:
        built.add(Pattern(text), text)
    return built


def stopped(text: str) -> tuple[str, str]:
    """Return key and rule of the error that a pattern ends with."""
    with pytest.raises(ConfigurationError) as caught:
        Pattern(text, key="here")
    return caught.value.key, caught.value.rule


@pytest.mark.parametrize(
    ("text", "method", "segments", "rest"),
    [
        ("/", None, ("",), False),
        ("/a", None, ("a",), False),
        ("GET /a/b", "GET", ("a", "b"), False),
        ("GET   /a", "GET", ("a",), False),
        ("WEBSOCKET /feed", "WEBSOCKET", ("feed",), False),
        ("/a/", None, ("a", ""), False),
        ("/{x}/b/{long_Name1}", None, (None, "b", None), False),
        ("/**", None, (), True),
        ("/a/**", None, ("a",), True),
        ("/a//**", None, ("a", ""), True),
        ("/é/~a;v=1", None, ("é", "~a;v=1"), False),
    ],
)
def test_a_pattern(text: str, method: str | None, segments: tuple[str | None, ...], rest: bool) -> None:  # noqa: FBT001 - a column
    """R-POL-03: a method or none, literal segments, one-segment parameters, and a final rest."""
    pattern = Pattern(text)
    assert (pattern.method, pattern.segments, pattern.rest, pattern.text) == (method, segments, rest, text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "GET a",
        "GET ",
        "*",
        "/*",
        "/**/a",
        "/a**",
        "/***",
        "/{x",
        "/x}",
        "/ab}",
        "/{ab",
        "/a{x}",
        "/{x}b",
        "/{}",
        "/{1x}",
        "/{x-y}",
        "/{x:path}",
        "/a?b",
        "/a#b",
        "/a%2fb",
        "/%",
        "/a\x00",
        "/a\n",
        "/a\x7f",
        "/a\u200b",
    ],
)
def test_no_pattern(text: str) -> None:
    """R-POL-03: what is outside the grammar stops the start, rather than match something else than it says."""
    assert stopped(text) == ("here", "R-POL-03")


@pytest.mark.parametrize("method", ["HEAD", "get", "Get", "GETS", "FOO", "GET,POST", "*", "HTTP"])
def test_no_method(method: str) -> None:
    """R-POL-04: HEAD follows GET and cannot be named; nor can what is no method."""
    assert stopped(f"{method} /a") == ("here", "R-POL-04")


def test_a_misspelt_method_is_told() -> None:
    """R-POL-06: the error names the nearest right method, and for HEAD what to write."""
    with pytest.raises(ConfigurationError, match=r"unknown method 'GTE'; did you mean 'GET'\?"):
        Pattern("GTE /a")
    with pytest.raises(ConfigurationError, match="write GET"):
        Pattern("HEAD /a")
    with pytest.raises(ConfigurationError, match="match: "):
        Pattern("a")


@pytest.mark.parametrize("method", sorted(METHODS))
def test_every_method_can_be_named(method: str) -> None:
    """R-POL-04: each method is matched by itself and by a pattern without a method, and by no other."""
    built = trie(f"{method} /a", "/b")
    assert built.find(method, "/a") == f"{method} /a"
    assert built.find(method, "/b") == "/b"
    assert {other for other in (*METHODS, "HEAD") if built.find(other, "/a")} <= {method, "HEAD"}
    assert built.find("HEAD", "/a") == ("GET /a" if method == "GET" else None)


SITE = trie(
    "/", "GET /a", "/a/", "/a/b", "/a/{x}", "/a/**", "POST /a/b", "PUT /a/{x}/c", "/a/b/c", "/d/{x}/{y}", "/d/e/f",
    "GET /g/h", "/g/**", "/g/h/i/**", "/{x}", "GET /j/{x}/**", "/j/k/l", "/j/**", "/m/{x}", "/m/",
)  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "found"),
    [
        ("GET", "/", "/"),
        ("GET", "/a", "GET /a"),
        ("HEAD", "/a", "GET /a"),
        ("POST", "/a", "/a/**"),  # the rest covers the path itself, for the methods nobody named
        ("GET", "/a/", "/a/"),
        ("GET", "/a/b", "/a/b"),
        ("POST", "/a/b", "POST /a/b"),
        ("GET", "/a/z", "/a/{x}"),
        ("GET", "/a/b/", "/a/**"),
        ("GET", "/a/b/c", "/a/b/c"),
        ("PUT", "/a/b/c", "/a/b/c"),
        ("PUT", "/a/z/c", "PUT /a/{x}/c"),
        ("GET", "/a/z/c", "/a/**"),
        ("GET", "/a/z/c/d/e/f", "/a/**"),
        ("GET", "/d/e/f", "/d/e/f"),
        ("GET", "/d/e/z", "/d/{x}/{y}"),
        ("GET", "/d/z/f", "/d/{x}/{y}"),
        ("GET", "/d/e", None),
        ("GET", "/d/e/", None),
        ("GET", "/d//f", None),
        ("GET", "/d/e/f/", None),
        ("GET", "/g/h", "GET /g/h"),
        ("PUT", "/g/h", "/g/**"),
        ("GET", "/g/h/i", "/g/h/i/**"),
        ("GET", "/g/h/i/j/k", "/g/h/i/**"),
        ("GET", "/g/h/j", "/g/**"),
        ("GET", "/j/k/l", "/j/k/l"),
        ("GET", "/j/k/m", "GET /j/{x}/**"),
        ("PUT", "/j/k/m", "/j/**"),
        ("GET", "/j/k", "GET /j/{x}/**"),
        ("GET", "/j/", "/j/**"),
        ("GET", "/m/", "/m/"),
        ("GET", "/m/z", "/m/{x}"),
        ("GET", "/z", "/{x}"),
        ("GET", "/A", "/{x}"),
        ("GET", "//", None),
        ("GET", "//a", None),
        ("GET", "", None),
        ("GET", "a", None),
        ("GET", "x/a", None),
        ("GET", "/%61", "/{x}"),
        ("GET", "/a;v=1", "/{x}"),
        ("GET", "/a?b", "/{x}"),
    ],
)
def test_the_most_specific_pattern_is_found(method: str, path: str, found: str | None) -> None:
    """R-POL-05: literal before parameter before rest, whatever the order in which they were written."""
    assert SITE.find(method, path) == found


FILES = trie(
    "/", "/files/**", "/files/private/**", "/up/{name}", "/.well-known/{x}", "/a", "/a/", "/odd//x", "GET /a/{x}"
)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/files/a//b", "/files/**"),
        ("/files/./a", "/files/**"),
        ("/files/a/../b", "/files/**"),
        ("/files/.hidden", "/files/**"),
        ("/files/..", None),
        ("/files/../files/a", "/files/**"),
        ("/files/x/../private/a", None),
        ("/files//private/a", None),
        ("/files/./private/a", None),
        ("/files/\\private\\a", None),
        ("/files\\private\\a", None),
        ("/files/a\\b", "/files/**"),
        ("/files/private/../a", None),
        ("/files/private/./a", "/files/private/**"),
        ("/files/../../../etc/passwd", None),
        ("/.well-known/x", "/.well-known/{x}"),
        ("/.well-known/..", None),
        ("/up/..", None),
        ("/up/.x", "/up/{name}"),
        ("/up/a\\b", None),
        ("/a/.", None),
        ("/a/./", None),
        ("/a//", None),
        ("//a/", None),
        ("//", None),
        ("/.", None),
        ("/files//", "/files/**"),
        ("/odd//x", "/odd//x"),
    ],
)
def test_a_path_with_two_readings(path: str, found: str | None) -> None:
    """R-POL-03, F60: a path that a file system reads in another way counts only if one policy covers both readings."""
    assert FILES.find("GET", path) == found


@pytest.mark.parametrize(
    ("patterns", "path", "found"),
    [
        (["/d/**", "/d/e"], "/d//e/", "/d/**"),
        (["/d/**", "/d/e/"], "/d//e/", None),
        (["/d/**", "/d/e"], "/d//e", None),
        (["/d/**", "/d/{x}/s"], "/d/b//../s", None),
        (["/d/**", "/d/b/s"], "/d/b//../s", None),
        (["/d/**", "/d/s"], "/d/b/c//../s", "/d/**"),
        (["/d/**", "/d/b/c/s"], "/d/b/c//../s", None),
        (["/d/**", "/d//e"], "/d/.//e", None),
        (["/d/**", "/d/e"], "/d/./f", "/d/**"),
        (["/**", "/"], "//", None),
        (["/**", "/"], "///", None),
        (["/**", "/"], "/.", None),
        (["/**", "/"], "/..", None),
        (["/**"], "/../..//./\\", "/**"),
    ],
)
def test_every_reading_counts(patterns: list[str], path: str, found: str | None) -> None:
    """F60: `//` may be one slash, as in file systems, or an empty segment, as in URLs; dot segments go either way."""
    assert trie(*patterns).find("GET", path) == found


@pytest.mark.parametrize("control", ["\x00", "\t", "\n", "\r", "\x1f", "\x7f", "\x80", "\x9f"])
def test_control_characters_match_nothing(control: str) -> None:
    """R-POL-03, F60: a path that a router's regular expression could end early reaches no policy."""
    built = trie("/a", "/{x}", "/**")
    for path in (f"/a{control}", f"/{control}", f"/b/{control}c"):
        assert built.find("GET", path) is None


@pytest.mark.parametrize("char", ["\x20", "\x20\u200b", "~", "\xa0", "\xad", "é", "\u2028", "\ud800", "😀"])
def test_other_characters_are_text(char: str) -> None:
    """R-POL-03: characters that are no controls are matched as they are, printable or not."""
    assert trie("/{x}").find("GET", f"/{char}") == "/{x}"
    assert trie("/a").find("GET", f"/a{char}") is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/a", "/a"),
        ("GET /a", "GET /a"),
        ("/{x}", "/{y}"),
        ("/a/**", "/a/**"),
        ("PUT /a/{x}/b/**", "PUT /a/{y}/b/**"),
        ("GET  /a", "GET /a"),
    ],
)
def test_the_same_pattern_twice(one: str, other: str) -> None:
    """R-POL-05: two patterns for the same requests stop the start, and both are named."""
    with pytest.raises(ConfigurationError, match="match the same requests") as caught:
        trie(one, other)
    assert (caught.value.key, caught.value.rule) == ("endpoints.match", "R-POL-05")
    assert caught.value.message.startswith(f"{one!r} and {other!r} ")


AMBIGUOUS = [
    ("/a/{x}", "/{y}/b", "/a/b"),
    ("/a/**", "/{x}/b", "/a/b"),
    ("/a/**", "/{x}", "/a"),
    ("/a/**", "/{x}/", "/a/"),
    ("/a/**", "/{x}/{y}/c", "/a/x/c"),
    ("/a/**", "/{x}/b/**", "/a/b"),
    ("/a/**", "/{x}/b/{y}", "/a/b/x"),
    ("/a/**", "/{x}/{y}/{z}", "/a/x/x"),
    ("/a/**", "/{x}/b/c/**", "/a/b/c"),
    ("/a/**", "/{x}/{y}/**", "/a/x"),
    ("/a/{x}/**", "/{y}/b/**", "/a/b"),
    ("/a/{x}/**", "/{y}/b", "/a/b"),
    ("/a/{x}", "/{y}/b/**", "/a/b"),
    ("/a/b/{x}", "/{y}/{z}/c", "/a/b/c"),
    ("/a/{x}/c", "/{y}/b/{z}", "/a/b/c"),
    ("/a/{x}/{w}", "/{y}/b/c", "/a/b/c"),
    ("/a/{x}/c/{w}", "/{y}/b/{z}/d", "/a/b/c/d"),
    ("/a/{x}/{w}/d", "/{y}/b/{z}/{v}", "/a/b/x/d"),
    ("/a/{x}/", "/{y}/b/", "/a/b/"),
    ("/a/{x}/{w}/**", "/{y}/b/c/d", "/a/b/c/d"),
    ("/a/{x}/c/d", "/{y}/b/{z}/**", "/a/b/c/d"),
    ("/p/a/{x}", "/p/{y}/b", "/p/a/b"),
    ("/{p}/a/{x}", "/{p}/{y}/b", "/x/a/b"),
]
CONTAINED = [
    ("/a/b", "/a/{x}"),
    ("/a/b", "/{x}/b"),
    ("/a/b", "/{x}/{y}"),
    ("/a/{x}", "/a/**"),
    ("/a/{x}", "/{y}/{x}"),
    ("/a/{x}/**", "/a/**"),
    ("/a/**", "/{x}/**"),
    ("/a", "/a/**"),
    ("/a/b/c", "/a/{x}/**"),
    ("/a/b/**", "/{x}/b/**"),
    ("/a/b", "/{x}/**"),
    ("/a/**", "/**"),
]
APART = [
    ("/a/{x}", "/b/{y}"),
    ("/a/{x}", "/{y}/"),
    ("/a/{x}/c", "/{y}/b/d"),
    ("/a/{x}", "/{y}/b/c"),
    ("/a//{x}", "/{y}/{z}/b"),
    ("/a/{x}/c", "/{y}//c"),
    ("/a/{x}/{w}", "/{y}/b/"),
    ("/a/b", "/a/b/c"),
    ("//**", "/{x}/b"),
    ("/a/{x}/", "/{y}/b/{z}"),
    ("/a/{x}/{z}", "/{y}/b/"),
    ("//{x}", "/{y}/b"),
]


@pytest.mark.parametrize(("one", "other", "path"), AMBIGUOUS)
def test_an_ambiguous_pair_stops_the_start(one: str, other: str, path: str) -> None:
    """R-POL-05: two patterns that overlap, neither containing the other, are refused with a path both match."""
    for pair in ((one, other), (other, one)):
        for apart in (trie(one), trie(other)):
            assert apart.find("GET", path) is not None
        with pytest.raises(ConfigurationError, match="neither contains the other") as caught:
            trie(*pair).prove_unambiguous()
        assert (caught.value.key, caught.value.rule) == ("endpoints.match", "R-POL-05")
        assert re.findall("'([^']*)'", caught.value.message) in ([one, other, path], [other, one, path])


@pytest.mark.parametrize(("one", "other"), CONTAINED + APART)
def test_a_pair_that_is_not_ambiguous(one: str, other: str) -> None:
    """R-POL-05: patterns that contain each other, or never meet, stand beside each other."""
    trie(one, other).prove_unambiguous()
    trie(other, one).prove_unambiguous()


@pytest.mark.parametrize(("narrow", "wide"), CONTAINED)
def test_the_contained_pattern_wins(narrow: str, wide: str) -> None:
    """R-POL-05: where both match, the one contained in the other is found, in whatever order they were added."""
    path = narrow.replace("{x}", "z").replace("/**", "/z/z") if narrow != "/a/**" else "/a"
    for pair in ((narrow, wide), (wide, narrow)):
        assert trie(*pair).find("GET", path) == narrow


@pytest.mark.parametrize("pair", AMBIGUOUS, ids=lambda pair: pair[0] + pair[1])
def test_methods_keep_patterns_apart(pair: tuple[str, str, str]) -> None:
    """R-POL-05: patterns for two methods never meet; one without a method meets all."""
    one, other, path = pair
    apart = trie(f"GET {one}", f"PUT {other}")
    apart.prove_unambiguous()
    assert apart.find("GET", path) == f"GET {one}"
    assert apart.find("PUT", path) == f"PUT {other}"
    for clashing in ((f"GET {one}", f"GET {other}"), (f"GET {one}", other), (one, f"GET {other}")):
        with pytest.raises(ConfigurationError, match="neither contains the other"):
            trie(*clashing).prove_unambiguous()


def test_an_empty_trie_finds_nothing() -> None:
    """R-POL-01: without patterns nothing matches."""
    built = trie()
    built.prove_unambiguous()
    assert built.find("GET", "/") is None


def test_a_value_may_be_falsy() -> None:
    """R-POL-05: a pattern is found by being there, not by what it leads to."""
    built: PathTrie[int] = PathTrie()
    built.add(Pattern("/a"), 0)
    built.add(Pattern("/{x}/**"), 1)
    assert built.find("GET", "/a") == 0
    assert built.find("GET", "/b") == 1


def test_a_pattern_twice_is_told_by_its_text() -> None:
    """R-POL-05: the error names the patterns, whatever they lead to."""
    built: PathTrie[int] = PathTrie()
    built.add(Pattern("/a"), 7)
    with pytest.raises(ConfigurationError, match=r"^endpoints\.match: '/a' and '/a' match"):
        built.add(Pattern("/a"), 8)


def test_no_method_matches_nothing() -> None:
    """R-POL-04: a request without a method is under no policy, though patterns without one match all."""
    assert trie("/a", "/{x}", "/**").find("", "/a") is None
    assert trie("/{x}", "/**").find("", "/a") is None


def test_a_named_method_wins_over_none() -> None:
    """R-POL-05: on equal paths the pattern with the method is found, in each form of pattern."""
    for path in ("/a", "/{x}", "/a/**", "/**"):
        built = trie(path, f"GET {path}")
        built.prove_unambiguous()
        assert built.find("GET", "/a") == f"GET {path}"
        assert built.find("HEAD", "/a") == f"GET {path}"
        assert built.find("PUT", "/a") == path
