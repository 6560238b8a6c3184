"""What counts as JSON in a token: both sides of every bound (F52)."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from jwtguard.core.strict_json import JsonObject, json_reader

READ = json_reader(depth=4, members=3)
LARGEST = 2**53


def refused(text: bytes, read: Callable[[bytes], JsonObject] = READ) -> None:
    """Expect a ValueError, whose message nobody is told."""
    with pytest.raises(ValueError):  # noqa: PT011 - as the docstring says
        read(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"{}", {}),
        (b' \t\r\n{"a" : 1 }\n', {"a": 1}),
        (b'{"a":null,"b":true,"c":[1,-2.5,"x"]}', {"a": None, "b": True, "c": [1, -2.5, "x"]}),
        (b'{"a":-0,"b":1e2,"c":-1E-2}', {"a": 0, "b": 100.0, "c": -0.01}),
        (b'{"a":1e308,"b":-1e308}', {"a": 1e308, "b": -1e308}),
        (f'{{"a":{LARGEST},"b":-{LARGEST}}}'.encode(), {"a": LARGEST, "b": -LARGEST}),
        ('{"é":"😀"}'.encode(), {"é": "😀"}),
        (b'{"a":"\\ud83d\\ude00\\u0000"}', {"a": "😀\x00"}),
        (b'{"a":{"a":{"a":1}}}', {"a": {"a": {"a": 1}}}),
    ],
)
def test_a_json_object_is_read(text: bytes, value: object) -> None:
    """R-HDR-09: what RFC 8259 calls an object comes out with its own values and types."""
    result = READ(text)
    assert result == value
    assert repr(result) == repr(value)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b" ",
        b"null",
        b"1",
        b'"{}"',
        b"[]",
        b'[{"a":1}]',
        b"{}{}",
        b"{} x",
        b"{",
        b"}",
        b'{"a"}',
        b'{"a":1,}',
        b"{'a':1}",
        b"{a:1}",
        b'{"a":01}',
        b'{"a":+1}',
        b'{"a":1.}',
        b'{"a":.5}',
        b'{"a":0x1}',
        b'{"a":"\n"}',
        b'{"a":"\x00"}',
        b'{"a":"\\x"}',
        b'{"a":"x}',
        b'{"a":1 /* no */}',
        b"\x0b{}",
        b"\xc2\xa0{}",
    ],
)
def test_anything_else_is_refused(text: bytes) -> None:
    """R-HDR-09: no other top-level value, nothing after it, none of the extensions that parsers grow; F52."""
    refused(text)


@pytest.mark.parametrize(
    "text",
    [
        b'\xef\xbb\xbf{"a":1}',
        '{"a":1}'.encode("utf-16"),
        '{"a":1}'.encode("utf-16-le"),
        '{"a":1}'.encode("utf-32"),
        b'{"a":"\xff"}',
        b'{"a":"\xc0\xaf"}',
        b'{"a":"\xed\xa0\x80"}',
        b'{"a":"\xf4\x90\x80\x80"}',
    ],
    ids=["bom", "utf-16", "utf-16-le", "utf-32", "no-utf-8", "overlong", "surrogate", "beyond-unicode"],
)
def test_only_utf_8_without_bom(text: bytes) -> None:
    """R-HDR-09: other encodings, byte order marks and ill-formed UTF-8 are refused."""
    refused(text)


@pytest.mark.parametrize(
    "text", [b'{"a":"\\ud800"}', b'{"a":"\\udc00\\ud800"}', b'{"\\ud800":1}', b'{"a":[{"b":"x\\uDfffx"}]}']
)
def test_lone_surrogates_are_refused(text: bytes) -> None:
    """F52: half a surrogate pair is no character, as name or value, at any depth."""
    refused(text)


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":1,"a":1}',
        b'{"a":1,"b":2,"a":3}',
        b'{"a":1,"\\u0061":2}',
        b'{"a":{"b":1,"b":2}}',
        b'{"a":[{"b":1,"b":2}]}',
    ],
)
def test_no_member_twice(text: bytes) -> None:
    """R-HDR-09: the same member name twice is refused at every depth, in whatever spelling."""
    refused(text)


def test_members_are_bounded() -> None:
    """R-HDR-09: each object may hold as many members as the limit says, and not one more."""
    assert READ(b'{"a":1,"b":2,"c":{"d":1,"e":2,"f":3}}')["c"] == {"d": 1, "e": 2, "f": 3}
    for text in (b'{"a":1,"b":2,"c":3,"d":4}', b'{"a":{"a":1,"b":2,"c":3,"d":4}}'):
        refused(text)


@pytest.mark.parametrize("text", [b'{"a":NaN}', b'{"a":Infinity}', b'{"a":-Infinity}', b'{"a":[NaN]}'])
def test_constants_are_refused(text: bytes) -> None:
    """R-HDR-09: NaN and Infinity are spelled out by Python and JavaScript, not by JSON."""
    refused(text)


@pytest.mark.parametrize("number", ["1e309", "-1e309", "1E+400", "9" * 400 + ".0"])
def test_infinity_by_overflow_is_refused(number: str) -> None:
    """R-HDR-09: a number too large for a float is not taken for infinity."""
    refused(f'{{"a":{number}}}'.encode())


@pytest.mark.parametrize(
    "number", [str(LARGEST + 1), str(-LARGEST - 1), "9" * 17, "-" + "9" * 17, "9" * 18, "1" + "0" * 4999]
)
def test_large_integers_are_refused(number: str) -> None:
    """F52: integers stay within 2**53 either side of zero; a 5,000-digit one is never converted."""
    refused(f'{{"a":{number}}}'.encode())


def test_the_bound_of_integers_is_a_choice() -> None:
    """F52: another bound is kept on both sides of zero, and its number of digits is no more than a shortcut."""
    read = json_reader(depth=4, members=3, integer=50)
    assert read(b'{"a":50,"b":-50,"c":1e3}') == {"a": 50, "b": -50, "c": 1000}
    for number in (b"51", b"-51", b"99", b"100", b"-100", b"1000"):
        refused(b'{"a":' + number + b"}", read)


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":[[[]]]}',
        b'{"a":{"b":{"c":{}}}}',
        b'{"a":[[[1]],[[2]]],"b":[[[3]]]}',
        b'{"a":[],"b":[[],[],[],[]],"c":{}}',
        b'{"a":"[[[[[","b":"{{{{{"}',
        b'{"a":"\\"[[[[[[","b":"\\\\"}',
        b'{"a":[["\\\\"],["]]]]"],[["["]]]}',
    ],
)
def test_depth_up_to_the_limit(text: bytes) -> None:
    """F52: depth is what nests, not what stands side by side or inside a string."""
    assert READ(text)


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":[[[[]]]]}',
        b'{"a":{"b":{"c":{"d":{}}}}}',
        b'{"a":[[{"b":[{}]}]]}',
        b'{"a":[],"b":[[[[1]]]]}',
        b'{"a":"]]]]","b":[[[[]]]]}',
        b'{"a":"\\"]]]]","b":[[[[]]]]}',
        b'{"a":"\\\\","b":[[[["]]]]"]]]]}',
    ],
)
def test_depth_beyond_the_limit(text: bytes) -> None:
    """F52: one level too many is refused, and closing brackets in strings do not hide it."""
    refused(text)


@pytest.mark.parametrize(
    "text", [b"[" * 100_000, b'{"a":' * 100_000, b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"]
)
def test_extreme_depth_is_refused_before_recursion(text: bytes) -> None:
    """F52: depth 10**5 ends in ValueError, never in RecursionError."""
    refused(text)


def test_a_depth_of_one_is_the_object_itself() -> None:
    """R-HDR-09: the top-level object counts as one level."""
    read = json_reader(depth=1, members=9)
    assert read(b'{"a":1}') == {"a": 1}
    refused(b'{"a":[]}', read)


@pytest.mark.parametrize("tail", [b'\\"' * 8000, b'"' + b'\\"' * 8000, b'\\"' * 8000 + b"\\"])
def test_depth_is_counted_in_one_pass(tail: bytes) -> None:
    """F51, F52: a text that never closes its string costs time in proportion to its length, not to its square."""
    text = b'{"a":[' + b"[]," * 20 + tail
    start = time.perf_counter()
    refused(text)
    assert time.perf_counter() - start < 0.25  # a square is seconds, one pass about a millisecond


def test_every_call_makes_a_new_object() -> None:
    """R-IDN-05: two readings share nothing that one of them could change."""
    assert READ(b'{"a":[]}')["a"] is not READ(b'{"a":[]}')["a"]
