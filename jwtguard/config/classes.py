"""``[classes.NAME]``: token classes of the author's own, every column written (R-CLS-02)."""

from __future__ import annotations

from collections.abc import Mapping

from jwtguard.config.read import Table, Value
from jwtguard.config.shapes import KEYS, Shape
from jwtguard.core.classes import (
    EVERY_OTHER,
    NO_AUDIENCE,
    UNBOUNDED,
    Audience,
    AudienceCount,
    EveryOther,
    Expires,
    HeaderKey,
    NoAudience,
    NoExpiry,
    Scalar,
    Subject,
    TokenClass,
    Unbounded,
)
from jwtguard.core.endpoint import CarrierKind
from jwtguard.core.jws import media_type

_RULE = "R-CLS-02"
_ABSENT = "absent"


def read_classes(value: Value) -> tuple[TokenClass, ...]:
    """Read every class of the file.

    Raises:
        ConfigurationError: A column is missing, or a value is not usable.
    """
    return tuple(_read_class(name, row.table(Shape.CLASS)) for name, row in value.named().items())


def _read_class(name: str, table: Table) -> TokenClass:
    if missing := sorted(column for column in KEYS[Shape.CLASS] if column not in table):
        table.refuse(f"a class states every column; missing: {', '.join(missing)}", _RULE)
    return TokenClass(
        name=name,
        typ=table.need("typ", _types),
        required=frozenset(table.need("required", Value.texts_or_none)),
        any_of=frozenset(table.need("any_of", Value.texts_or_none)),
        forbidden=frozenset(table.need("forbidden", Value.texts_or_none)),
        one_of=table.need("one_of", _claim_values),
        none_of=table.need("none_of", _claim_values),
        events=frozenset(table.need("events", Value.texts_or_none)),
        not_events=table.need("not_events", _unwanted_events),
        header_key=HeaderKey(table.need("header_key", lambda value: value.word("word", HeaderKey, _RULE))),
        subject=Subject(table.need("subject", lambda value: value.word("word", Subject, _RULE))),
        audience=table.need("audience", _audience),
        audience_claim=table.need("audience_claim", Value.text),
        audience_count=AudienceCount(
            table.need("audience_count", lambda value: value.word("word", AudienceCount, _RULE))
        ),
        expiry=table.need("expiry", _expiry),
        max_age_s=table.need("max_age", _bound_or_unbounded),
        carriers=frozenset(table.need("carriers", _carrier_kinds)),
    )


def _types(value: Value) -> frozenset[str | None]:
    return frozenset(None if text == _ABSENT else media_type(text) for text in value.texts())


def _claim_values(value: Value) -> Mapping[str, frozenset[Scalar]]:
    return {claim: frozenset(values.scalars()) for claim, values in value.members().items()}


def _unwanted_events(value: Value) -> frozenset[str] | EveryOther:
    return EVERY_OTHER if value.raw == EVERY_OTHER.value else frozenset(value.texts_or_none())


def _audience(value: Value) -> Audience | NoAudience:
    word = value.word("audience", {*Audience, NO_AUDIENCE.value}, _RULE)
    return NO_AUDIENCE if word == NO_AUDIENCE.value else Audience(word)


def _expiry(value: Value) -> Expires | NoExpiry:
    table = value.table(Shape.EXPIRY)
    if table.only("max_lifetime", "none") == "max_lifetime":
        return Expires(table.need("max_lifetime", _bound_or_unbounded))
    return NoExpiry(table.need("none", lambda none: none.table(Shape.NO_EXPIRY).need("max_age", Value.bound_s)))


def _bound_or_unbounded(value: Value) -> float | Unbounded:
    return UNBOUNDED if value.raw == UNBOUNDED.value else value.bound_s()


def _carrier_kinds(value: Value) -> tuple[str, ...]:
    return () if value.raw == [] else value.words("carrier", CarrierKind, _RULE)
