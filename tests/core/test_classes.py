"""The table of token classes, and the proof that they exclude each other (R-CLS-02, R-CLS-03)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import timedelta
from itertools import combinations
from typing import Any

import pytest

from jwtguard import NO_AUDIENCE, UNBOUNDED, Audience, ConfigurationError, Expires, HeaderKey, Marker, NoExpiry, Subject
from jwtguard.core.classes import (
    BACKCHANNEL_LOGOUT,
    EVERY_OTHER,
    PUBLISHED,
    READY_MADE,
    AudienceCount,
    TokenClass,
    prove_exclusive,
    separations,
)

MINUTE, HOUR, DAY = 60, 3600, 86_400
CHARACTERISTIC = {
    "events", "sub_id", "purpose", "bind", "fam", "gen", "htm", "htu", "ath", "req_wl", "tctx", "rctx", "status_list",
    "token_introspection",
}  # fmt: skip
HASHES = "at_hash c_hash"
SINGLE_USE = ("iss sub aud exp iat jti purpose bind", f"scope client_id nonce cnf {HASHES}")
RESOURCE, CLIENT, ISSUER, ACTION = Audience.RESOURCE, Audience.CLIENT, Audience.ISSUER, Audience.ACTION
TABLE: dict[str, tuple[set[str | None], str, str, Expires | NoExpiry, object]] = {
    "access": ({"at+jwt"}, "iss sub aud client_id exp iat jti", f"nonce {HASHES}", Expires(HOUR), RESOURCE),
    "access_legacy": ({None, "jwt"}, "iss sub aud exp iat", f"nonce {HASHES}", Expires(HOUR), RESOURCE),
    "id_token": ({None, "jwt"}, "iss sub aud exp iat", "client_id scope cnf", Expires(HOUR), CLIENT),
    "refresh": (
        {"rt+jwt"}, "iss sub aud client_id exp iat jti fam gen", f"scope nonce {HASHES}", Expires(30 * DAY), ISSUER,
    ),
    "logout": (
        {"logout+jwt"}, "iss aud iat exp jti events", f"nonce scope client_id {HASHES}", Expires(2 * MINUTE), CLIENT,
    ),
    "set": (
        {"secevent+jwt"}, "iss aud iat jti events sub_id", f"sub exp nonce scope {HASHES}", NoExpiry(DAY),
        Audience.RECEIVER,
    ),
    "password_reset": ({"pwreset+jwt"}, *SINGLE_USE, Expires(15 * MINUTE), ACTION),
    "email_verification": ({"emailverify+jwt"}, *SINGLE_USE, Expires(DAY), ACTION),
    "action": ({"action+jwt"}, *SINGLE_USE, Expires(10 * MINUTE), ACTION),
    "client_assertion": (
        {"client-authentication+jwt"}, "iss sub aud exp iat jti", f"scope nonce cnf client_id {HASHES}",
        Expires(5 * MINUTE), ISSUER,
    ),
    "dpop_proof": ({"dpop+jwt"}, "jti htm htu iat", f"scope client_id {HASHES}", NoExpiry(MINUTE), NO_AUDIENCE),
}  # fmt: skip
SUBJECTS = {"access_legacy": Subject.PRINCIPAL, "id_token": Subject.PRINCIPAL, "client_assertion": Subject.ISSUER}
ACCESS = READY_MADE["access"]


def changed(**changes: Any) -> TokenClass:
    """The class of access tokens under another name, changed."""
    return dataclasses.replace(ACCESS, **{"name": "own", **changes})


@pytest.mark.parametrize("name", sorted(TABLE))
def test_a_row_of_the_table(name: str) -> None:
    """R-CLS-02: type, required and forbidden claims, life and audience of a class are those of the table."""
    row = READY_MADE[name]
    typ, required, forbidden, expiry, audience = TABLE[name]
    must = set(required.split())
    assert row.name == name
    assert row.typ == typ
    assert row.required == must
    assert row.forbidden == (set(forbidden.split()) | CHARACTERISTIC) - must
    assert (row.expiry, row.audience, row.audience_claim) == (expiry, audience, "aud")
    assert row.subject is SUBJECTS.get(name, Subject.ANY)
    assert row.header_key is (HeaderKey.REQUIRED if name == "dpop_proof" else HeaderKey.FORBIDDEN)
    assert row.carriers == ({"header", "cookie"} if name.startswith("access") else set())
    assert row.one_of == ({"purpose": {name}} if "purpose" in must else {})
    assert row.none_of == {}
    assert row.audience_count is (AudienceCount.SOLE if name in {"action", "client_assertion"} else AudienceCount.ANY)
    assert row.any_of == ({"sub", "sid"} if name == "logout" else set())
    assert row.max_age_s is UNBOUNDED


def test_the_table_is_whole() -> None:
    """R-CLS-02: eleven classes; a provider's published keys sign four of them unless it says otherwise."""
    assert READY_MADE.keys() == TABLE.keys()
    assert sorted(PUBLISHED) == ["access", "id_token", "logout", "set"]


def test_logout_and_other_events() -> None:
    """R-CLS-02: a logout token holds the back-channel member and a security event token never does."""
    assert READY_MADE["logout"].events == READY_MADE["set"].not_events == frozenset({BACKCHANNEL_LOGOUT})
    held = [name for name, row in READY_MADE.items() if row.events or row.not_events]
    assert held == ["logout", "set"]
    assert READY_MADE["logout"].not_events is EVERY_OTHER
    assert not READY_MADE["set"].events


@pytest.mark.parametrize(
    ("changes", "key", "rule"),
    [
        ({"typ": frozenset()}, "classes.own.typ", "R-CLS-02"),
        ({"forbidden": frozenset({"x", "jti"})}, "classes.own", "R-CLS-02"),
        ({"one_of": {"nonce": frozenset({"1"})}}, "classes.own", "R-CLS-02"),
        ({"any_of": frozenset({"nonce"})}, "classes.own", "R-CLS-02"),
        ({"any_of": frozenset({"nonce", "events"})}, "classes.own", "R-CLS-02"),
        ({"any_of": frozenset({"x", "y"}), "forbidden": frozenset({"x", "y"})}, "classes.own", "R-CLS-02"),
        ({"required": ACCESS.required - {"aud"}}, "classes.own.required", "R-CLM-03"),
        ({"audience_claim": "azp"}, "classes.own.required", "R-CLM-03"),
        ({"required": ACCESS.required - {"exp"}}, "classes.own.required", "R-CLM-05"),
    ],
)
def test_a_contradictory_class_stops_the_start(changes: dict[str, object], key: str, rule: str) -> None:
    """R-CLS-02: no typ, a claim both required and forbidden, an audience or expiry not required: not a class."""
    with pytest.raises(ConfigurationError) as stopped:
        changed(**changes)
    assert (stopped.value.key, stopped.value.rule) == (key, rule)


def test_a_clash_is_named() -> None:
    """R-CLS-02: the message names the claims that are both required and forbidden, and only those."""
    with pytest.raises(ConfigurationError, match=r"\['exp', 'tier'\] both required and forbidden"):
        changed(forbidden=frozenset({"tier", "exp", "x"}), one_of={"tier": frozenset({1})})


def test_an_absence_is_written_out() -> None:
    """R-CLS-02: a class without audience or expiry says so, and then neither claim has to be required."""
    row = changed(required=frozenset({"iss", "iat"}), audience=NO_AUDIENCE, expiry=NoExpiry(60))
    assert row.audience is NO_AUDIENCE
    assert changed(expiry=Expires(UNBOUNDED)).expiry == Expires(UNBOUNDED)
    assert changed(any_of=frozenset({"nonce", "sid"})).any_of == {"nonce", "sid"}


@pytest.mark.parametrize("column", [field.name for field in dataclasses.fields(TokenClass)])
def test_every_column_must_be_filled(column: str) -> None:
    """R-CLS-02: a custom class fills every column; there is no default to forget about."""
    columns = {field.name: getattr(ACCESS, field.name) for field in dataclasses.fields(TokenClass)}
    del columns[column]
    with pytest.raises(TypeError, match=column):
        TokenClass(**columns)


PRESENT = Marker("token_use")
VALUED = Marker("token_use", frozenset({"access", "m2m"}))


def test_a_marker_is_required_of_access_tokens() -> None:
    """R-CLS-09: an untyped access token must hold the marker, even one that its class forbids by itself."""
    row = dataclasses.replace(READY_MADE["access_legacy"], one_of={"tier": frozenset({1})})
    present, valued = PRESENT.required_of(row), VALUED.required_of(row)
    assert present.required == row.required | {"token_use"}
    assert present.one_of == row.one_of
    assert valued.one_of == {"tier": {1}, "token_use": {"access", "m2m"}}
    assert valued.required == row.required
    assert present.forbidden == valued.forbidden == row.forbidden
    for marker in (Marker("nonce"), Marker("nonce", frozenset({"x"}))):
        assert marker.required_of(row).forbidden == row.forbidden - {"nonce"}


@pytest.mark.parametrize("name", ["id_token", "client_assertion"])
def test_a_marker_is_kept_from_untyped_classes(name: str) -> None:
    """R-CLS-09: what could pass for an untyped access token must not hold its marker."""
    row = dataclasses.replace(READY_MADE[name], none_of={"tier": frozenset({1})})
    assert PRESENT.kept_from(row).forbidden == row.forbidden | {"token_use"}
    assert PRESENT.kept_from(row).none_of == row.none_of
    assert VALUED.kept_from(row).none_of == {"tier": {1}, "token_use": {"access", "m2m"}}
    assert VALUED.kept_from(row).forbidden == row.forbidden


@pytest.mark.parametrize("name", sorted(READY_MADE.keys() - {"id_token", "client_assertion"}))
def test_a_marker_leaves_typed_classes_alone(name: str) -> None:
    """R-CLS-09: a class that its typ already keeps apart may hold the marker."""
    for marker in (PRESENT, VALUED):
        assert marker.kept_from(READY_MADE[name]) is READY_MADE[name]


@pytest.mark.parametrize(
    ("one", "other", "ways"),
    [
        ({}, {}, set()),
        ({}, {"typ": frozenset({"own+jwt"})}, {"typ"}),
        ({}, {"typ": frozenset({"own+jwt", "at+jwt"})}, set()),
        ({"typ": frozenset({None})}, {"typ": frozenset({None, "jwt"})}, set()),
        ({}, {"header_key": HeaderKey.REQUIRED}, {"header jwk"}),
        ({"subject": Subject.ISSUER}, {"subject": Subject.PRINCIPAL}, {"sub against iss"}),
        ({"subject": Subject.ISSUER}, {"subject": Subject.ANY}, set()),
        ({"subject": Subject.PRINCIPAL}, {"subject": Subject.ANY}, set()),
        ({"one_of": {"tier": frozenset({1, 2})}}, {"one_of": {"tier": frozenset({3})}}, {"value of tier"}),
        ({"one_of": {"tier": frozenset({1, 2})}}, {"one_of": {"tier": frozenset({2, 3})}}, set()),
        ({"one_of": {"tier": frozenset({1})}}, {"one_of": {"tier": frozenset({True})}}, {"value of tier"}),
        ({"one_of": {"tier": frozenset({1})}}, {"one_of": {"rank": frozenset({2})}}, set()),
        ({"required": ACCESS.required | {"x"}}, {"forbidden": frozenset({"x"})}, {"x required against forbidden"}),
        ({"one_of": {"x": frozenset({1})}}, {"forbidden": frozenset({"x"})}, {"x required against forbidden"}),
        ({"none_of": {"x": frozenset({1})}}, {"forbidden": frozenset({"x"})}, set()),
        ({"one_of": {"x": frozenset({1})}}, {"none_of": {"x": frozenset({1, 2})}}, {"value of x"}),
        ({"one_of": {"x": frozenset({1, 2})}}, {"none_of": {"x": frozenset({1})}}, set()),
        ({"one_of": {"x": frozenset({1})}}, {"none_of": {"x": frozenset({True})}}, set()),
        ({"none_of": {"x": frozenset({1})}}, {"none_of": {"x": frozenset({1})}}, set()),
        ({"events": frozenset({"a", "b"})}, {"not_events": frozenset({"b"})}, {"member of events"}),
        ({"events": frozenset({"a"})}, {"not_events": frozenset({"b"})}, set()),
        ({"events": frozenset({"a"})}, {"events": frozenset({"b"})}, set()),
        (
            {"events": frozenset({"a", "b"})},
            {"events": frozenset({"b"}), "not_events": EVERY_OTHER},
            {"member of events"},
        ),
        ({"events": frozenset({"b"})}, {"events": frozenset({"a", "b"}), "not_events": EVERY_OTHER}, set()),
        ({"events": frozenset({"a"})}, {"not_events": EVERY_OTHER}, {"member of events"}),
        ({}, {"not_events": EVERY_OTHER}, set()),
        ({"any_of": frozenset({"x", "y"})}, {"forbidden": frozenset({"x"})}, set()),
        ({}, {"audience": Audience.CLIENT, "expiry": Expires(1), "carriers": frozenset()}, set()),
    ],
)
def test_what_separates_two_classes(one: dict[str, object], other: dict[str, object], ways: set[str]) -> None:
    """R-CLS-03: only what one token cannot be at once separates two classes, in either order."""
    first, second = changed(**one), changed(**other)
    assert set(separations(first, second)) == set(separations(second, first)) == ways
    assert len(separations(first, second)) == len(ways)


def test_every_separation_is_listed() -> None:
    """R-CLS-05: independent reasons are counted one by one, so that a pair resting on one can be told."""
    one = changed(required=ACCESS.required | {"x", "y"}, typ=frozenset({"one+jwt"}))
    other = changed(forbidden=frozenset({"x", "y", "z"}), required=ACCESS.required - {"jti"})
    assert separations(one, other) == ("typ", "x required against forbidden", "y required against forbidden")


def test_the_ready_made_classes_exclude_each_other() -> None:
    """R-CLS-03: every two ready-made classes are kept apart, but for the one pair that needs the marker."""
    unproven = [pair for pair in combinations(READY_MADE, 2) if not separations(*(READY_MADE[name] for name in pair))]
    assert unproven == [("access_legacy", "id_token")]
    for marker in (Marker("scope"), PRESENT, VALUED):
        rows = [
            marker.required_of(row) if name == "access_legacy" else marker.kept_from(row)
            for name, row in READY_MADE.items()
        ]
        prove_exclusive(rows, issuer="login")


def test_an_unproven_pair_is_named() -> None:
    """R-CLS-03: the message names both classes, the types they share and what would separate them."""
    rows = [READY_MADE[name] for name in ("logout", "id_token", "set", "access_legacy")]
    with pytest.raises(ConfigurationError) as stopped:
        prove_exclusive(rows, issuer="login")
    assert (stopped.value.key, stopped.value.rule) == ("issuers.login.issues", "R-CLS-03")
    assert "as 'id_token' and as 'access_legacy': both allow typ (absent), jwt, " in stopped.value.message
    assert "would separate them" in stopped.value.message


@pytest.mark.parametrize("place", range(4))
def test_every_pair_is_compared(place: int) -> None:
    """R-CLS-03: two overlapping classes are found wherever they stand, and only the types they share are named."""
    rows = [READY_MADE[name] for name in ("logout", "set", "refresh")]
    rows.insert(place, changed(name="wide", typ=frozenset({"at+jwt", "own+jwt"})))
    rows.insert(place, ACCESS)
    for order in (rows, rows[::-1]):
        with pytest.raises(ConfigurationError, match=r"allow typ at\+jwt, and"):
            prove_exclusive(order, issuer="login")


def test_an_age_has_a_bound() -> None:
    """R-CLM-08: a token without an expiry has an age, which cannot be unbounded."""
    with pytest.raises(ConfigurationError):
        changed(expiry=NoExpiry(UNBOUNDED))  # type: ignore[arg-type]  # the mistake that is tested


DURATIONS: dict[str, Callable[[Any], dict[str, object]]] = {
    "life": lambda seconds: {"expiry": Expires(seconds)},
    "age": lambda seconds: {"expiry": NoExpiry(seconds)},
    "max_age_s": lambda seconds: {"max_age_s": seconds},
}


@pytest.mark.parametrize("wrong", [timedelta(hours=1), float("nan"), -1, True, "3600", None], ids=str)
@pytest.mark.parametrize("column", sorted(DURATIONS))
def test_a_duration_is_a_number(column: str, wrong: Any) -> None:
    """R-CLM-08: a life or age that is no number from zero up stops the start; it is not taken for unbounded."""
    with pytest.raises(ConfigurationError):
        changed(**DURATIONS[column](wrong))


@pytest.mark.parametrize("count", [0, 1])
def test_a_class_alone_needs_no_proof(count: int) -> None:
    """R-CLS-03: a class is not compared with itself."""
    prove_exclusive([ACCESS] * count, issuer="login")
