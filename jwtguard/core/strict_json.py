"""JSON as a token may hold it, and nothing looser (RFC 8259; RFC 7515, section 5.2; R-HDR-09).

UTF-8 without BOM, one object at the top, no member twice at any depth, no NaN or Infinity (spelled
out or by overflow), bounded integers, no lone surrogates, bounded depth and member count.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias

JsonValue: TypeAlias = "bool | int | float | str | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
JsonObject: TypeAlias = "dict[str, JsonValue]"

_WHITE_SPACE = " \t\n\r"  # RFC 8259, section 2
_BACKSLASH, _BRACKET, _BRACE = b"\\[{"
_STRING_OR_BRACKET = r'(?s)"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]'  # compiled, and kept by re, when first needed


def _number(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        message = "number out of range"
        raise ValueError(message)
    return value


def _constant(_: str) -> float:
    message = "NaN and Infinity are not JSON"
    raise ValueError(message)


def _within_depth(text: str, depth: int) -> bool:
    level = 0
    for token in re.finditer(_STRING_OR_BRACKET, text):
        mark = token.group()
        if mark in "[{":
            level += 1
            if level > depth:
                return False
        elif mark in "]}":
            level -= 1
    return True


def _without_repeats(members: int) -> Callable[[list[tuple[str, JsonValue]]], JsonObject]:
    def pairs(found: list[tuple[str, JsonValue]]) -> JsonObject:
        result = dict(found)
        if len(result) != len(found) or len(found) > members:
            message = "a member twice, or too many of them"
            raise ValueError(message)
        return result

    return pairs


def _bounded(integer: int) -> Callable[[str], int]:
    digits = len(str(-integer))

    def read(text: str) -> int:
        # Length first: reading a very long number takes time that grows with its square.
        if len(text) > digits or not -integer <= (value := int(text)) <= integer:
            message = "integer out of bounds"
            raise ValueError(message)
        return value

    return read


def json_reader(*, depth: int, members: int, integer: int = 2**53) -> Callable[[bytes], JsonObject]:
    """Make a strict reader of JSON objects.

    Args:
        depth: How deep arrays and objects may nest; the top-level object counts as one.
        members: How many members one object may have.
        integer: The largest absolute value of an integer; up to 2**53 every JSON reader agrees.

    Returns:
        A function from bytes to a new dict. It raises ``ValueError``, and nothing else, for any
        input that is not exactly one JSON object inside these bounds.
    """
    decode = json.JSONDecoder(
        object_pairs_hook=_without_repeats(members),
        parse_int=_bounded(integer),
        parse_float=_number,
        parse_constant=_constant,
    ).raw_decode

    def read(data: bytes) -> JsonObject:
        try:
            text = data.decode("utf-8").strip(_WHITE_SPACE)
        except UnicodeDecodeError:
            message = "not UTF-8"  # the error of the decoder holds the whole text
            raise ValueError(message) from None
        # Brackets bound the depth from above; only a suspicious text pays for the exact count, and it
        # pays before the recursive decoder sees it.
        if data.count(_BRACKET) + data.count(_BRACE) > depth and not _within_depth(text, depth):
            message = "nested too deeply"
            raise ValueError(message)
        try:
            value, end = decode(text)
        except json.JSONDecodeError:
            message = "not JSON"  # as above
            raise ValueError(message) from None
        if end != len(text) or type(value) is not dict:
            message = "not one object and nothing else"
            raise ValueError(message)
        if _BACKSLASH in data and b"\\u" in data:
            json.dumps(value, ensure_ascii=False).encode("utf-8")  # a lone surrogate cannot be encoded
        return value

    return read


def frozen(value: JsonValue) -> JsonValue:
    """Return a value that cannot be changed at any depth: arrays as tuples, objects as mappings."""
    if isinstance(value, Mapping):
        return MappingProxyType({name: frozen(item) for name, item in value.items()})
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(frozen(item) for item in value)
    return value
