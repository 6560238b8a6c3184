"""The proof of exclusivity against tokens made to satisfy a class."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from hypothesis import assume, event, given
from hypothesis import strategies as st

from jwtguard import NO_AUDIENCE, UNBOUNDED, ConfigurationError, HeaderKey, NoExpiry, Refusal, Subject, TokenClass
from jwtguard.core.claims import validate_claims
from jwtguard.core.classes import EVERY_OTHER, READY_MADE, EveryOther, Scalar, separations
from jwtguard.core.policy import Profile
from tests.core.policies import LOGIN, NOW, verified
from tests.properties.bounded import examples

NAMES = ["v", "w", "x", "y", "z"]
SCALARS: list[Scalar] = [1, 2, True, "1", "a", 1.0]
VALUES = st.sampled_from(SCALARS)
TYPES = st.sampled_from([None, "a", "b"])
EVENTS = ["e1", "e2", "e3"]
SETS = st.frozensets(st.sampled_from(NAMES), max_size=2)
MEMBERS = st.frozensets(st.sampled_from(EVENTS), max_size=2)
NOT_MEMBERS: st.SearchStrategy[frozenset[str] | EveryOther] = MEMBERS | st.just(EVERY_OTHER)
OF_VALUES: st.SearchStrategy[Mapping[str, frozenset[Scalar]]] = st.dictionaries(
    st.sampled_from(NAMES), st.frozensets(VALUES, min_size=1, max_size=3), max_size=1
)


@st.composite
def classes(draw: st.DrawFn) -> TokenClass:
    """Draw a class over a small alphabet, so that two of them often nearly overlap."""
    required, one_of = draw(SETS), draw(OF_VALUES)
    any_of = draw(SETS)
    forbidden = draw(SETS) - required - one_of.keys() - any_of
    return dataclasses.replace(
        READY_MADE["access"],
        name=draw(st.sampled_from(["one", "other"])),
        typ=draw(st.frozensets(TYPES, min_size=1, max_size=2)),
        required=required | {"iss", "iat"},
        any_of=any_of,
        forbidden=forbidden,
        one_of=one_of,
        none_of=draw(OF_VALUES),
        events=draw(MEMBERS),
        not_events=draw(NOT_MEMBERS),
        header_key=draw(st.sampled_from(HeaderKey)),
        subject=draw(st.sampled_from(Subject)),
        audience=NO_AUDIENCE,
        expiry=NoExpiry(60.0),
        max_age_s=UNBOUNDED,
    )


COLUMNS = [
    "typ",
    "required",
    "any_of",
    "forbidden",
    "one_of",
    "none_of",
    "events",
    "not_events",
    "header_key",
    "subject",
]


@st.composite
def pairs(draw: st.DrawFn) -> tuple[TokenClass, TokenClass]:
    """Draw two classes that differ in few columns, so that a separation often rests on one of them."""
    one, donor = draw(classes()), draw(classes())
    columns = draw(st.lists(st.sampled_from(COLUMNS), max_size=2))
    changes: dict[str, Any] = {name: getattr(donor, name) for name in columns}
    try:
        return one, dataclasses.replace(one, **changes)
    except ConfigurationError:  # the columns contradict each other
        return one, donor


def admits(row: TokenClass, typ: str | None, claims: dict[str, Any], *, jwk: bool) -> bool:
    """Tell whether a token would pass as a class, by header and by claims."""
    if typ not in row.typ or jwk is not (row.header_key is HeaderKey.REQUIRED):
        return False
    try:
        validate_claims(verified(claims), [Profile(LOGIN, row, None, 30.0)], 255, NOW)
    except Refusal:
        return False
    return True


@st.composite
def tokens(draw: st.DrawFn, row: TokenClass) -> tuple[str | None, dict[str, Any], bool]:
    """Draw a token that is likely to satisfy a class, with as much more as it may hold."""
    claims: dict[str, Any] = draw(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=3))
    demanded = row.required | frozenset(sorted(row.any_of)[: draw(st.integers(1, 2))])
    claims |= {name: draw(VALUES) for name in sorted(demanded) if name not in claims}
    claims |= {name: draw(st.sampled_from(sorted(values, key=repr))) for name, values in row.one_of.items()}
    claims["iss"], claims["iat"] = LOGIN.issuer, NOW
    members = row.events | draw(MEMBERS)
    members = row.events if row.not_events is EVERY_OTHER else members - row.not_events
    empty_too: bool = draw(st.booleans())
    if members or empty_too:
        claims["events"] = {name: {} for name in sorted(members)}
    subject = {Subject.ISSUER: LOGIN.issuer, Subject.PRINCIPAL: "me"}.get(row.subject)
    claims["sub"] = subject or draw(st.sampled_from(["me", LOGIN.issuer, "spiffe://x"]))
    held = {name: value for name, value in claims.items() if name not in row.forbidden}
    return draw(st.sampled_from(sorted(row.typ, key=str))), held, row.header_key is HeaderKey.REQUIRED


@examples(400)
@given(st.data(), pairs())
def test_separated_classes_share_no_token(data: st.DataObject, pair: tuple[TokenClass, TokenClass]) -> None:
    """R-CLS-03: where the proof separates two classes, no token that passes as the one passes as the other."""
    one, other = pair if data.draw(st.booleans()) else pair[::-1]
    separated = separations(one, other)
    assert sorted(separated) == sorted(separations(other, one))
    typ, claims, jwk = data.draw(tokens(one))
    assume(admits(one, typ, claims, jwk=jwk))
    event("separated" if separated else "unproven")
    if separated:
        assert not admits(other, typ, claims, jwk=jwk)


@examples(60)
@given(st.data(), classes())
def test_a_class_is_not_separated_from_itself(data: st.DataObject, row: TokenClass) -> None:
    """R-CLS-03: a class that any token satisfies is never proven apart from itself."""
    typ, claims, jwk = data.draw(tokens(row))
    assume(admits(row, typ, claims, jwk=jwk))
    assert separations(row, row) == ()


READY = [name for name in READY_MADE if name != "dpop_proof"]


@examples(100)
@given(st.sampled_from(READY), st.sampled_from(READY))
def test_the_proof_has_no_direction(one: str, other: str) -> None:
    """R-CLS-03: the ready-made classes are separated alike, whichever comes first."""
    forth, back = (separations(READY_MADE[a], READY_MADE[b]) for a, b in ((one, other), (other, one)))
    assert sorted(forth) == sorted(back)
    assert bool(forth) is (one != other and {one, other} != {"access_legacy", "id_token"})
