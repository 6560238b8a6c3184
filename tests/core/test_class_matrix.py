"""Every class against every other: a token passes as what it is and as nothing else."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from itertools import permutations
from typing import TypeAlias

import pytest

from jwtguard import (
    BEARER,
    Access,
    Audience,
    ConfigurationError,
    Endpoint,
    Guard,
    HeaderKey,
    Reason,
    Refusal,
    TokenClass,
    cookie,
)
from jwtguard.core.classes import BACKCHANNEL_LOGOUT, READY_MADE
from jwtguard.lint import lint
from tests.core.class_tokens import (
    FORGE,
    NOW,
    ROWS,
    SEPARATE,
    SESSION_REVOKED,
    SHARED,
    SPECIMENS,
    VALUES,
    Specimen,
    bearer,
    config_of,
    guard_of,
    in_cookie,
    label,
    sign,
    status_of,
)
from tests.kit.fake_clock import FakeClock

NAMES = pytest.mark.parametrize("names", [SEPARATE, SHARED], ids=["own-audiences", "one-audience"])
EVERY = pytest.mark.parametrize("specimen", SPECIMENS, ids=label)
PAIRS = [(one, other) for one, other in permutations(SPECIMENS, 2) if one.row is not other.row]
VERIFIABLE = ROWS.keys() - {"dpop_proof"}  # a proof names no issuer, so guard.verify has no key for it
WRONG_CLASS = {Reason.WRONG_CLASS, Reason.MISSING_CLAIM}  # the second says which claim of the class is lacking
Carry: TypeAlias = Callable[[bytes], tuple[bytes, bytes]]
ENDPOINTS = {
    "/typed": Endpoint(match=("GET /typed",), accept=("access",), carriers=(BEARER, cookie("at"))),
    "/untyped": Endpoint(match=("GET /untyped",), accept=("access_legacy",), carriers=(BEARER, cookie("at"))),
    "/either": Endpoint(match=("GET /either",), accept=("access", "access_legacy"), carriers=(BEARER, cookie("at"))),
}
ACCEPTED = {"/typed": {"access"}, "/untyped": {"access_legacy"}, "/either": {"access", "access_legacy"}}


def refusal_of(guard: Guard, token: bytes, accept: str | Sequence[str]) -> Reason:
    """Return why the token is refused as these classes."""
    with pytest.raises(Refusal) as refused:
        guard.verify(token, accept=accept)
    return refused.value.reason


def test_every_class_takes_part() -> None:
    """R-CLS-02: the eleven ready-made classes, and both header types of the two untyped ones."""
    assert {specimen.row.name for specimen in SPECIMENS} == set(READY_MADE)
    assert len(READY_MADE) == 11
    assert len(SPECIMENS) == 13


@NAMES
@EVERY
def test_a_token_passes_as_itself(names: Mapping[Audience, str], specimen: Specimen) -> None:
    """R-CLS-04: the diagonal is accepted, so that the refusals beside it mean something; F56."""
    guard = guard_of(names)
    token = sign(specimen, specimen.claims(names))
    if specimen.row.name not in VERIFIABLE:
        with pytest.raises(ConfigurationError, match="R-CLM-02"):
            guard.verify(token, accept="dpop_proof")
        return
    assert guard.verify(token, accept=specimen.row.name).token_class == specimen.row.name


@NAMES
@EVERY
def test_a_token_passes_as_nothing_else(names: Mapping[Audience, str], specimen: Specimen) -> None:
    """R-CLS-04: all ordered pairs are refused by guard.verify, for the class or a more specific reason."""
    guard = guard_of(names)
    token = sign(specimen, specimen.claims(names))
    others = sorted(VERIFIABLE - {specimen.row.name})
    for other in others:
        assert refusal_of(guard, token, other) in WRONG_CLASS, other
    assert refusal_of(guard, token, others) in WRONG_CLASS


@pytest.mark.parametrize(("specimen", "other"), PAIRS, ids=label)
def test_a_disguise_does_not_help(specimen: Specimen, other: Specimen) -> None:
    """R-CLS-04: with all of another class's claims and its audience, typ and markers alone still tell it apart."""
    guard = guard_of(SHARED)
    token = sign(specimen, specimen.claims_disguised_as(other, SHARED))
    if specimen.row.name in VERIFIABLE:
        assert guard.verify(token, accept=specimen.row.name).token_class == specimen.row.name
    if other.row.name in VERIFIABLE:
        assert refusal_of(guard, token, other.row.name) in WRONG_CLASS


@pytest.mark.parametrize(("specimen", "other"), [(a, b) for a, b in PAIRS if b.typ not in a.row.typ], ids=label)
def test_a_wrong_typ_alone_is_enough(specimen: Specimen, other: Specimen) -> None:
    """R-CLS-06: a token that lacks nothing but its typ passes neither as what it holds nor as what it says."""
    guard = guard_of(SHARED)
    token = sign(other, specimen.claims(SHARED))
    for name in VERIFIABLE & {specimen.row.name, other.row.name}:
        assert refusal_of(guard, token, name) in WRONG_CLASS | {Reason.BAD_HEADER}


@NAMES
@EVERY
@pytest.mark.parametrize("carry", [bearer, in_cookie])
def test_only_access_tokens_reach_an_access_endpoint(
    names: Mapping[Audience, str], specimen: Specimen, carry: Carry
) -> None:
    """R-CLS-04: as Bearer and as cookie, plain or disguised, every class but access is refused at its endpoint."""
    guard = guard_of(names, ENDPOINTS["/typed"])
    access = next(known for known in SPECIMENS if known.row.name == "access")
    allowed = 200 if specimen is access else 401
    for claims in (specimen.claims(names), specimen.claims_disguised_as(access, names)):
        token = sign(specimen, claims)
        seen = [asyncio.run(status_of(guard, "/typed", carry(token))) for _ in range(2)]
        assert seen == [allowed, allowed]


@pytest.mark.parametrize("order", list(permutations(ENDPOINTS)), ids="-".join)
@pytest.mark.parametrize("carry", [bearer, in_cookie])
@EVERY
def test_a_remembered_token_opens_no_other_door(specimen: Specimen, carry: Carry, order: tuple[str, ...]) -> None:
    """R-CLS-04: at endpoints of different classes only the right one lets a token in, in any order, cold and warm."""
    guard = guard_of(SHARED, *ENDPOINTS.values())
    token = sign(specimen, specimen.claims(SHARED))
    expected = {path: 200 if specimen.row.name in ACCEPTED[path] else 401 for path in order}
    for _ in ("cold", "warm"):
        seen = {path: asyncio.run(status_of(guard, path, carry(token))) for path in order}
        assert seen == expected
    assert bool(guard.snapshot.context.memory) is (200 in expected.values())


@pytest.mark.parametrize("row", ROWS.values(), ids=lambda row: row.name)
def test_an_overlapping_class_stops_the_start(row: TokenClass) -> None:
    """R-CLS-03: a custom class that a ready-made one's tokens could pass as is refused, and both are named."""
    twin = dataclasses.replace(row, name="twin")
    with pytest.raises(ConfigurationError, match="R-CLS-03") as stopped:
        Guard(config_of(SEPARATE, classes=[twin], issues=[row.name, "twin"]))
    assert f"{row.name!r}" in stopped.value.message
    assert "'twin'" in stopped.value.message
    assert stopped.value.key == "issuers.login.issues"


@pytest.mark.parametrize(
    "change",
    [
        {"typ": frozenset({"own+jwt"})},
        {"forbidden": ROWS["access"].forbidden | {"client_id"}, "required": ROWS["access"].required - {"client_id"}},
        {"header_key": HeaderKey.REQUIRED},
    ],
    ids=["typ", "claim", "header-key"],
)
def test_a_class_apart_starts(change: dict[str, object]) -> None:
    """R-CLS-03: a class that differs in one provable way starts, and neither's tokens pass as the other's."""
    own = dataclasses.replace(READY_MADE["access"], name="own", **change)  # type: ignore[arg-type]  # a table of columns
    guard = Guard(config_of(SHARED, classes=[own], issues=["access", "own"]), clock=FakeClock(NOW))
    mine, access = (Specimen(row, min(row.typ, key=str)) for row in (own, READY_MADE["access"]))
    for specimen, right, wrong in ((mine, "own", "access"), (access, "access", "own")):
        token = sign(specimen, specimen.claims(SHARED))
        assert guard.verify(token, accept=right).token_class == right
        assert refusal_of(guard, token, wrong) in WRONG_CLASS | {Reason.BAD_HEADER}


def test_audiences_prove_nothing() -> None:
    """R-CLS-03: two classes that differ only in what their audience names overlap: one token may name both."""
    other = dataclasses.replace(READY_MADE["access"], name="other", audience=Audience.RECEIVER)
    with pytest.raises(ConfigurationError, match="R-CLS-03"):
        Guard(config_of(SEPARATE, classes=[other], issues=["access", "other"]))


def test_single_separations_are_listed() -> None:
    """R-CLS-05: the lint lists a pair that rests on one difference, and no pair that rests on two."""
    thin = dataclasses.replace(READY_MADE["access"], name="thin", typ=frozenset({"thin+jwt"}))
    bare = dataclasses.replace(
        READY_MADE["access"], name="thick", required=READY_MADE["access"].required - {"client_id"}
    )
    thick = dataclasses.replace(bare, typ=frozenset({"thick+jwt"}), forbidden=bare.forbidden | {"client_id"})
    guard = Guard(config_of(SHARED, classes=[thin, thick], issues=["access", "thin", "thick"]))
    found = [finding for finding in lint(guard.table, guard.snapshot.ring.held) if finding.rule == "R-CLS-05"]
    assert [(finding.at, finding.message) for finding in found] == [
        ("issuers.login.issues", "access and thin are kept apart by typ alone")
    ]


@pytest.mark.parametrize(
    "typ", ["JWT", "jwt", "JOSE", "at", "at+jwt ", " at+jwt", "at+jwt; v=1", "x/at+jwt", "application/x/at+jwt", ""]
)
def test_an_unregistered_typ_is_refused(typ: str) -> None:
    """R-CLS-06: a typ that the class does not list is refused, and plain JWT never counts as explicit typing."""
    guard = guard_of(SEPARATE)
    access = Specimen(ROWS["access"], typ)
    assert refusal_of(guard, sign(access, access.claims(SEPARATE)), "access") is Reason.WRONG_CLASS


def test_an_absent_typ_is_refused() -> None:
    """R-CLS-06: no typ at all is not the typ of a typed class."""
    access = Specimen(ROWS["access"], None)
    assert refusal_of(guard_of(SEPARATE), sign(access, access.claims(SEPARATE)), "access") is Reason.WRONG_CLASS


@EVERY
def test_a_forbidden_claim_is_refused(specimen: Specimen) -> None:
    """R-CLS-06: each claim that a class forbids refuses the token though its typ is right, null included."""
    guard = guard_of(SEPARATE)
    row = specimen.row
    for name in sorted(row.forbidden) if row.name in VERIFIABLE else ():
        for value in (VALUES.get(name, "x"), None):
            token = sign(specimen, specimen.claims(SEPARATE) | {name: value})
            assert refusal_of(guard, token, row.name) in {Reason.WRONG_CLASS, Reason.BAD_CLAIM}, (name, value)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("client_assertion", {"sub": "user-1"}),  # speaks for somebody else
        ("access_legacy", {"sub": FORGE.issuer}),  # could be a client assertion
        ("id_token", {"sub": "spiffe://example.com/reports"}),  # could be a workload's identity
        ("logout", {"events": {}}),
        ("logout", {"events": {SESSION_REVOKED: {}}}),
        ("set", {"events": {SESSION_REVOKED: {}, BACKCHANNEL_LOGOUT: {}}}),
        ("password_reset", {"purpose": "action"}),
        ("access_legacy", {"token_use": "id"}),
        ("id_token", {"token_use": "access"}),
    ],
)
def test_a_class_is_more_than_its_claim_names(name: str, change: dict[str, object]) -> None:
    """R-CLS-06: subject, events, purpose and marker of another class are refused though typ and claims are right."""
    guard = guard_of(SEPARATE)
    specimen = next(known for known in SPECIMENS if known.row.name == name)
    token = sign(specimen, specimen.claims(SEPARATE) | change)
    assert refusal_of(guard, token, name) is Reason.WRONG_CLASS


@pytest.mark.parametrize("name", sorted(ROWS))
def test_an_undeclared_class_is_not_verified(name: str) -> None:
    """R-CLS-07: keys verify only the classes declared for them; another one must be declared first."""
    guard = Guard(config_of(SEPARATE, issues=ROWS.keys() - {name}))
    with pytest.raises(ConfigurationError, match="R-CLS-07"):
        guard.verify(b"a.b.c", accept=name)


def test_an_endpoint_needs_the_declaration() -> None:
    """R-CLS-07: an endpoint that accepts what the issuer does not declare stops the start."""
    with pytest.raises(ConfigurationError, match="R-CLS-07"):
        Guard(config_of(SEPARATE, [ENDPOINTS["/typed"]], issues=["access_legacy", "id_token"]))


@pytest.mark.parametrize("access", [Access.PROTECTED, Access.OPTIONAL])
@pytest.mark.parametrize("name", sorted(ROWS.keys() - {"access", "access_legacy"}))
def test_what_no_request_carries_stops_the_start(name: str, access: Access) -> None:
    """R-CLS-10: a policy that accepts an ID token at an endpoint does not start; R-CLS-06: nor any such class."""
    for carriers in ((BEARER,), (cookie("at"),)):
        for accept in ((name,), ("access", name)):
            endpoint = Endpoint(match=("/x",), access=access, accept=accept, carriers=carriers)
            with pytest.raises(ConfigurationError, match="R-CLS-10" if name == "id_token" else "R-CLS-06"):
                Guard(config_of(SEPARATE, [endpoint]))
