"""What reviewers see of a policy: every demand, in words."""

from __future__ import annotations

import dataclasses

from jwtguard import ActorRule, Config, Csrf, Demands, Endpoint, Tenant, TenantPlace, cookie, rules
from jwtguard.core.table import PolicyTable
from jwtguard.lint.demands import demands_of
from tests.kit.guarded import ISSUER

RICH = dataclasses.replace(ISSUER, tenant_claim="org", roles_claim=("roles",))


class Clerk:
    """A model, by its name."""

    def __init__(self) -> None:
        """Nothing to fill."""


def told(**demands: object) -> tuple[str, ...]:
    """Say what an endpoint demands."""
    endpoint = Endpoint(match="/{org}/x", accept="access", **demands)  # type: ignore[arg-type]
    (policy,) = PolicyTable(Config(issuers=[RICH], endpoints=[endpoint], csrf_keys=[b"k" * 32])).endpoints
    return demands_of(policy)


async def _asked(_: object) -> bool:
    return True


def test_every_demand_is_told() -> None:
    """R-GOV-03: a policy that demands more reads differently, whatever it is that it demands."""
    usual = told()
    columns: dict[str, object] = {
        "scopes": ["b", "a"],
        "any_scopes": ["c"],
        "roles": ["r"],
        "kinds": ["user", "client"],
        "actors": ActorRule.FORBIDDEN,
        "tenant": Tenant(TenantPlace.PATH, "org"),
        "rules": [rules.equals("level", 3), rules.check_async("desk", _asked, "is open")],
        "max_age_s": 60.0,
    }
    assert usual == ()
    said = {
        *("scope a b", "any scope of c", "role r", "kind client or user", "actor forbidden", "tenant of path org"),
        *("level equals 3", "desk is open (asked)", "at most 60 s old"),
    }
    assert set(told(**columns)) == said
    assert told(actors=["x", "y"]) == ("actor x or y",)
    assert told(actors=[]) == ("actor forbidden",)
    assert told(carriers=[cookie("t")], csrf=Csrf.DOUBLE_SUBMIT) == ("double submit",)


def test_no_column_is_forgotten() -> None:
    """R-GOV-03: who adds a column of demands says here whether it is told, and where."""
    here = {"scopes", "any_scopes", "roles", "kinds", "actors", "tenant", "rules", "model", "max_age_s", "csrf"}
    elsewhere = {"access", "accept", "issuers", "carriers"}  # in columns of their own
    narrowings = {"audience", "algorithms"}  # of what the issuers' rows tell
    browsers = {"origins", "navigable", "login_page"}  # exemptions, not demands
    assert {field.name for field in dataclasses.fields(Demands)} == here | elsewhere | narrowings | browsers
