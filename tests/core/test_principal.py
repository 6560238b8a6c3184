"""What a token says of its principal, by the columns of its issuer: kind, roles, tenant, actors."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest

from jwtguard import Config, ConfigurationError, Endpoint, Guard, Identity, Kind, Marker, Reason, Refusal
from tests.core.class_tokens import bearer, status_of
from tests.kit.fake_clock import FakeClock
from tests.kit.guarded import FORGE, ISSUER, token
from tests.kit.token_forge import OMIT

DEEP = ("realm_access", "roles")


def guard(*, demands: dict[str, Any] | None = None, **columns: Any) -> Guard:
    """A guard whose issuer has these columns, and whose endpoint makes these demands."""
    issuer = dataclasses.replace(ISSUER, **columns)
    endpoint = Endpoint(match=("/reports",), accept=("access",), **demands or {})
    return Guard(Config(issuers=[issuer], endpoints=[endpoint]), clock=FakeClock())


def who(columns: dict[str, Any], **claims: Any) -> Identity:
    """Verify an access token with these claims under an issuer with these columns."""
    return guard(**columns).verify(token(**claims), accept="access")


def status(guard: Guard, **claims: Any) -> int:
    """Send such a token to the endpoint."""
    return asyncio.run(status_of(guard, "/reports", bearer(token(**claims))))


@pytest.mark.parametrize(
    ("columns", "claims", "kind"),
    [
        ({}, {}, Kind.USER),
        ({}, {"sub": "client-1"}, Kind.CLIENT),
        ({}, {"sub": "client-1", "client_id": "other", "azp": "client-1"}, Kind.CLIENT),
        ({}, {"sub": "CLIENT-1"}, Kind.USER),
        ({}, {"sub": "spiffe://example.com/reports"}, Kind.WORKLOAD),
        ({}, {"sub": "spiffe://example.com/reports", "client_id": "spiffe://example.com/reports"}, Kind.WORKLOAD),
        ({"clients": Marker("idtyp", frozenset({"app"}))}, {"idtyp": "app"}, Kind.CLIENT),
        ({"clients": Marker("idtyp", frozenset({"app"}))}, {"idtyp": "App"}, Kind.USER),
        ({"clients": Marker("idtyp", frozenset({"app"}))}, {"idtyp": ["app"]}, Kind.USER),
        ({"clients": Marker("idtyp", frozenset({"app"}))}, {}, Kind.USER),
        ({"clients": Marker("machine", frozenset({True}))}, {"machine": True}, Kind.CLIENT),
        ({"clients": Marker("machine", frozenset({True}))}, {"machine": 1}, Kind.USER),
        ({"clients": Marker("machine", frozenset({1}))}, {"machine": True}, Kind.USER),
        ({"clients": Marker("gty")}, {"gty": ""}, Kind.CLIENT),
        ({"clients": Marker("gty")}, {}, Kind.USER),
        ({"workloads": Marker("pod")}, {"pod": "api-7"}, Kind.WORKLOAD),
        ({"workloads": Marker("pod"), "clients": Marker("gty")}, {"pod": "x", "gty": "x"}, Kind.WORKLOAD),
        ({"workloads": Marker("pod")}, {"pod": "x", "sub": "client-1"}, Kind.WORKLOAD),
        ({"user_subjects": ("auth0|", "samlp|")}, {"sub": "samlp|7"}, Kind.USER),
        ({"user_subjects": ("auth0|",)}, {"sub": "auth0"}, Kind.CLIENT),
        ({"user_subjects": ("auth0|",)}, {"sub": "x auth0|7"}, Kind.CLIENT),
        ({"user_subjects": ("user",), "clients": Marker("gty")}, {"gty": "x"}, Kind.CLIENT),
        ({"user_subjects": ("client",)}, {"sub": "client-1"}, Kind.CLIENT),
    ],
)
def test_the_kind_of_caller(columns: dict[str, Any], claims: dict[str, Any], kind: Kind) -> None:
    """R-CLM-10: only who is neither the client itself, nor marked, nor outside the users' namespace, is a user."""
    assert who(columns, **claims).kind is kind
    assert status(guard(**columns, demands={"kinds": frozenset({kind})}), **claims) == 200
    assert status(guard(**columns, demands={"kinds": frozenset(Kind) - {kind, Kind.ANONYMOUS}}), **claims) == 403


@pytest.mark.parametrize(
    ("way", "claims", "roles"),
    [
        (("roles",), {"roles": ["a", "b"]}, {"a", "b"}),
        (("roles",), {"roles": "a b"}, {"a b"}),
        (("cognito:groups",), {"cognito:groups": ["a"]}, {"a"}),
        (DEEP, {"realm_access": {"roles": ["a"]}}, {"a"}),
        (("resource_access", "api", "roles"), {"resource_access": {"api": {"roles": ["a"]}}}, {"a"}),
        ((), {"roles": ["a"]}, set()),
        (("roles",), {}, set()),
        (("roles",), {"roles": None}, set()),
        (("roles",), {"roles": {"a": True}}, set()),
        (("roles",), {"roles": 7}, set()),
        (("roles",), {"roles": ["a", 7, None, ["b"]]}, {"a"}),
        (DEEP, {"realm_access": ["roles"]}, set()),
        (DEEP, {"realm_access": "roles"}, set()),
        (DEEP, {"realm_access.roles": ["a"], "roles": ["b"]}, set()),
        (("groups",), {"roles": ["a"]}, set()),
    ],
)
def test_roles_come_from_the_claim_that_is_named(way: tuple[str, ...], claims: dict[str, Any], roles: set[str]) -> None:
    """R-IDN-01: roles are texts in the one claim that the issuer's configuration names; nothing else is a role."""
    assert who({"roles_claim": way}, **claims).roles == roles


def test_roles_can_be_demanded() -> None:
    """R-POL-01: an endpoint that demands roles lets those in who have them all."""
    strict = guard(roles_claim=DEEP, demands={"roles": frozenset({"clerk", "auditor"})})
    assert status(strict, realm_access={"roles": ["clerk", "auditor", "x"]}) == 200
    for roles in (["clerk"], ["clerk auditor"], [], "clerk"):
        assert status(strict, realm_access={"roles": roles}) == 403
    assert status(strict, roles=["clerk", "auditor"]) == 403


@pytest.mark.parametrize(
    ("claim", "claims", "tenant"),
    [
        ("org_id", {"org_id": "org-1"}, "org-1"),
        ("org_id", {"tid": "org-1"}, ""),
        ("org_id", {"org_id": ["org-1"]}, ""),
        ("org_id", {"org_id": 7}, ""),
        (None, {"org_id": "org-1"}, ""),
    ],
)
def test_the_tenant_comes_from_the_claim_that_is_named(claim: str | None, claims: dict[str, Any], tenant: str) -> None:
    """R-IDN-01: the tenant is the text of the one claim that the issuer's configuration names."""
    assert who({"tenant_claim": claim}, **claims).tenant == tenant


@pytest.mark.parametrize(
    ("act", "actors"),
    [
        (OMIT, ()),
        ({"sub": "admin"}, ("admin",)),
        (
            {"sub": "service-2", "act": {"sub": "service-1", "act": {"sub": "admin"}}},
            ("service-2", "service-1", "admin"),
        ),
        ({"client_id": "no-subject"}, ("",)),
    ],
)
def test_the_actor_comes_first(act: object, actors: tuple[str, ...]) -> None:
    """R-IDN-06: the current actor stands first, whoever acted before it behind; a token without `act` has none."""
    assert who({}, act=act).actors == actors


def test_a_chain_of_something_else_is_refused() -> None:
    """R-IDN-06: a chain that cannot be read to its end says nothing of who acts; the token is refused."""
    with pytest.raises(Refusal) as caught:
        who({}, act={"sub": "admin", "act": "nobody"})
    assert caught.value.reason is Reason.BAD_CLAIM


@pytest.mark.parametrize("column", ["roles_claim", "user_subjects", "tenants"])
def test_a_text_is_not_read_letter_by_letter(column: str) -> None:
    """R-CLM-10: a text where a tuple belongs would make every letter a prefix or a member; it is refused."""
    with pytest.raises(ConfigurationError, match="read letter by letter"):
        dataclasses.replace(ISSUER, **{column: "user_"})  # type: ignore[arg-type]  # the mistake that is tested


def test_identities_of_one_subject_are_apart_by_issuer() -> None:
    """R-IDN-03: kind, roles and tenant are no part of who somebody is; issuer and subject are."""
    user, other = who({}, sub="user-1"), who({"clients": Marker("gty")}, sub="user-1", gty="x")
    assert user == other
    assert user.key == (FORGE.issuer, "user-1")
