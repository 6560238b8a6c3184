"""Whether a policy narrows another: every column has a stricter and a weaker side."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import pytest

from jwtguard import Access, Carrier, Kind, cookie
from jwtguard.core.endpoint import BEARER, ActorRule, CarrierKind, Csrf, Demands
from jwtguard.core.rules import check, check_async, equals, matches
from jwtguard.core.tenant import Tenant, TenantPlace
from jwtguard.declared import is_at_least, weaker_columns
from jwtguard.declared.strictness import COLUMNS


@dataclass
class Model:
    """A shape of claims."""

    sub: str


def is_even(value: object) -> bool:
    """A test of the application's."""
    return value == 0


def is_odd(value: object) -> bool:
    """Another one, under the same text."""
    return not is_even(value)


async def asked(value: object) -> bool:
    """One that waits."""
    return bool(value)


COOKIES = {"carriers": (cookie("__Host-t"),)}
TENANT = Tenant(TenantPlace.HEADER, "x-tenant")
ROWS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [  # column, the stricter side, the weaker side
    ("accept", {"accept": ("access",)}, {"accept": ("access", "logout")}),
    ("issuers", {"issuers": ("login",)}, {}),
    ("issuers", {"issuers": ("login",)}, {"issuers": ("login", "partner")}),
    ("audience", {"audience": ("https://api",)}, {}),
    ("audience", {"audience": ("https://api",)}, {"audience": ("https://api", "https://other")}),
    ("algorithms", {"algorithms": ("ES256",)}, {}),
    ("algorithms", {"algorithms": ("ES256",)}, {"algorithms": ("ES256", "RS256")}),
    ("carriers", {}, {"carriers": (BEARER, cookie("t"))}),
    ("carriers", {}, {"carriers": (BEARER, Carrier(CarrierKind.HEADER, "x-token"))}),
    ("scopes", {"scopes": frozenset({"a", "b"})}, {"scopes": frozenset({"a"})}),
    ("scopes", {"scopes": frozenset({"a"})}, {}),
    ("any_scopes", {"any_scopes": frozenset({"a"})}, {"any_scopes": frozenset({"a", "b"})}),
    ("any_scopes", {"any_scopes": frozenset({"a"})}, {}),
    ("roles", {"roles": frozenset({"admin"})}, {}),
    ("rules", {"rules": (equals("a", 1),)}, {}),
    ("rules", {"rules": (equals("a", 1),)}, {"rules": (equals("a", 2),)}),
    ("rules", {"rules": (equals("a", 1),)}, {"rules": (equals("b", 1),)}),
    ("rules", {"rules": (check("a", is_even),)}, {"rules": (check("a", is_odd),)}),
    ("rules", {"rules": (check("a", is_even, "equals 1"),)}, {"rules": (equals("a", 1),)}),
    ("rules", {"rules": (check_async("a", asked),)}, {"rules": ()}),
    ("kinds", {"kinds": frozenset({Kind.USER})}, {}),
    ("kinds", {"kinds": frozenset({Kind.USER})}, {"kinds": frozenset({Kind.USER, Kind.CLIENT})}),
    ("actors", {"actors": ActorRule.FORBIDDEN}, {}),
    ("actors", {"actors": ActorRule.FORBIDDEN}, {"actors": frozenset({"svc"})}),
    ("actors", {"actors": ActorRule.REQUIRED}, {}),
    ("actors", {"actors": ActorRule.REQUIRED}, {"actors": ActorRule.FORBIDDEN}),
    ("actors", {"actors": ActorRule.REQUIRED}, {"actors": frozenset({"svc"})}),
    ("actors", {"actors": frozenset({"svc"})}, {"actors": ActorRule.REQUIRED}),
    ("actors", {"actors": frozenset({"svc"})}, {"actors": frozenset({"svc", "bot"})}),
    ("actors", {"actors": frozenset({"svc"})}, {}),
    ("tenant", {"tenant": TENANT}, {}),
    ("tenant", {"tenant": TENANT}, {"tenant": Tenant(TenantPlace.HEADER, "x-other")}),
    ("model", {"model": Model}, {}),
    ("max_age_s", {"max_age_s": 60.0}, {"max_age_s": 61.0}),
    ("max_age_s", {"max_age_s": 60.0}, {}),
    ("origins", COOKIES, {**COOKIES, "origins": ("https://app.example.com",)}),
    ("csrf", {**COOKIES, "csrf": Csrf.DOUBLE_SUBMIT}, COOKIES),
    ("navigable", COOKIES, {**COOKIES, "navigable": True}),
]
INCOMPARABLE = ("rules", "actors", "tenant")  # in these, both sides of a row may be weaker than the other
SAME: list[dict[str, Any]] = [
    {},
    {"rules": (equals("a", 1), matches("b", "x+"))},
    {"rules": (check("a", is_even),)},
    {"rules": (check_async("a", asked),)},
    {"actors": frozenset({"svc"}), "tenant": TENANT, "model": Model, "max_age_s": 1.0, "navigable": True, **COOKIES},
    {"any_scopes": frozenset({"a", "b"}), "roles": frozenset({"r"}), "kinds": frozenset({Kind.CLIENT})},
]
STRICTER: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"scopes": frozenset({"a", "c"})}, {"any_scopes": frozenset({"a", "b"})}),
    ({"actors": ActorRule.FORBIDDEN}, {"actors": frozenset({"svc"})}),
    ({"rules": (equals("b", 2), equals("a", 1))}, {"rules": (equals("a", 1),)}),
    ({}, {**COOKIES, "carriers": (BEARER, cookie("t")), "csrf": Csrf.DOUBLE_SUBMIT}),
    ({"origins": ("https://app.example.com",), "navigable": True}, {}),
]


def demands(columns: dict[str, Any]) -> Demands:
    """A policy of these columns."""
    return Demands(**{"accept": ("access",), **columns})


@pytest.mark.parametrize(("column", "strict", "weak"), ROWS)
def test_a_weaker_column_is_found(column: str, strict: dict[str, Any], weak: dict[str, Any]) -> None:
    """R-POL-06: what demands less in one column is not at least as strict, and that column is named."""
    assert weaker_columns(demands(weak), demands(strict)) == (column,)
    assert not is_at_least(demands(weak), demands(strict))


@pytest.mark.parametrize("columns", SAME)
def test_a_policy_is_as_strict_as_itself(columns: dict[str, Any]) -> None:
    """R-POL-06: the same policy written twice, with rules of its own each time, contradicts nothing."""
    assert is_at_least(demands(columns), demands(dict(columns)))


@pytest.mark.parametrize(("strict", "weak"), [*(row[1:] for row in ROWS if row[0] not in INCOMPARABLE), *STRICTER])
def test_a_narrower_policy_is_stricter(strict: dict[str, Any], weak: dict[str, Any]) -> None:
    """R-POL-06: more scopes, fewer classes, no cookies narrow a policy; cookie columns count only with cookies."""
    assert is_at_least(demands(strict), demands(weak))


def test_rules_written_twice_count_as_one() -> None:
    """R-POL-06: a file's rule equals a decorator's by its text, for rules of ours alone."""
    one, other = demands({"rules": (equals("a", 1),)}), demands({"rules": (equals("a", 1),)})
    assert is_at_least(one, other)
    assert is_at_least(other, one)


def test_access() -> None:
    """R-POL-01: open is weaker than optional, and that weaker than protected; nothing is weaker than open."""
    public = Demands(access=Access.PUBLIC)
    login = Demands(access=Access.LOGIN, accept=("id_token",))
    optional = demands({"access": Access.OPTIONAL})
    for one in (public, login):
        assert weaker_columns(one, optional) == weaker_columns(one, demands({})) == ("access",)
        assert is_at_least(demands({}), one)
        assert is_at_least(optional, one)
        assert is_at_least(public, one)
        assert weaker_columns(optional, one) == ()
    assert weaker_columns(optional, demands({})) == ("access",)
    assert is_at_least(demands({}), optional)
    assert weaker_columns(demands({}), demands({"access": Access.OPTIONAL, "roles": frozenset({"r"})})) == ("roles",)


def test_no_column_is_forgotten() -> None:
    """R-POL-06: a column that policies gain must be compared here, or named as one that lets nobody in."""
    assert list(COLUMNS) == [column.name for column in dataclasses.fields(Demands)]
    assert {row[0] for row in ROWS} | {"access", "login_page"} == set(COLUMNS)
