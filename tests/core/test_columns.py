"""Policies as Python objects: what a policy file may say, objects may say, and nothing is dropped in silence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from jwtguard import (
    BEARER,
    Access,
    ActorRule,
    Carrier,
    Config,
    ConfigurationError,
    Csrf,
    Demands,
    Endpoint,
    Guard,
    Issuer,
    Kind,
    Mode,
    Startup,
    Tenant,
    TenantPlace,
    access,
    rules,
)
from jwtguard.core.authorization import authorize
from tests.core.policies import policy
from tests.core.test_authorization import claims_set
from tests.kit.guarded import ISSUER


def endpoint(**columns: Any) -> Endpoint:
    """An endpoint written as loosely as Python lets authors write it."""
    return Endpoint(**{"match": "GET /x", "accept": "access", **columns})


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ({"access": "optional"}, {"access": Access.OPTIONAL}),
        ({"csrf": "double_submit"}, {"csrf": Csrf.DOUBLE_SUBMIT}),
        ({"actors": "forbidden"}, {"actors": ActorRule.FORBIDDEN}),
        ({"actors": ["a", "b"]}, {"actors": frozenset("ab")}),
        ({"kinds": "user"}, {"kinds": frozenset({Kind.USER})}),
        ({"kinds": ["client", Kind.WORKLOAD]}, {"kinds": frozenset({Kind.CLIENT, Kind.WORKLOAD})}),
        ({"scopes": "reports:write"}, {"scopes": frozenset({"reports:write"})}),
        ({"scopes": ["a", "b"]}, {"scopes": frozenset("ab")}),
        ({"any_scopes": ["a"], "roles": "r"}, {"any_scopes": frozenset("a"), "roles": frozenset("r")}),
        ({"match": "GET /y"}, {"match": ("GET /y",)}),
        ({"carriers": "bearer"}, {"carriers": (BEARER,)}),
        ({"carriers": ["bearer", Carrier("cookie", "t")]}, {"carriers": (BEARER, Carrier("cookie", "t"))}),  # type: ignore[arg-type]
        ({"origins": "https://app.example.com"}, {"origins": ("https://app.example.com",)}),
        ({"tenant": Tenant("path", "org"), "match": "/{org}"}, {"tenant": Tenant(TenantPlace.PATH, "org")}),  # type: ignore[arg-type]
    ],
)
def test_words_and_single_values(written: dict[str, object], meant: dict[str, object]) -> None:
    """R-POL-06: words and single values mean in Python what they mean in a file; no text is read letter by letter."""
    made = endpoint(**written)
    assert {name: getattr(made, name) for name in meant} == meant
    assert made == endpoint(**written | meant)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ({"access": "publik"}, r"endpoints.*access: unknown word 'publik'; did you mean 'public'"),
        ({"access": True}, r"access: unknown word True"),
        ({"csrf": "doublesubmit"}, "did you mean 'double_submit'"),
        ({"actors": "forbiden"}, "did you mean 'forbidden'"),
        ({"actors": [7]}, "actors: must be a str, not a int"),
        ({"kinds": {"usr"}}, "did you mean 'user'"),
        ({"scopes": [1]}, "scopes: must be a str"),
        ({"scopes": None}, "scopes: must be a str, not a NoneType"),
        ({"carriers": ["header"]}, "carriers: must be a Carrier, not a str"),
        ({"rules": [lambda seen: seen]}, r"rules: must be a ClaimRule or AsyncRule.*rules.check\(claim, function\)"),
        ({"tenant": "org"}, "tenant: must be a Tenant"),
        ({"match": 7}, "match: must be a str"),
    ],
)
def test_what_has_no_reading(written: dict[str, object], told: str) -> None:
    """R-POL-06: what could not be compared with anything is refused where it is written, with the nearest word."""
    with pytest.raises(ConfigurationError, match=told):
        endpoint(**written)


async def _later(_: object) -> bool:
    return False


@pytest.mark.parametrize(
    ("build", "told"),
    [
        (lambda: rules.check("sub", _later), "asynchronous; use rules.check_async"),
        (lambda: Guard("jwtguard.toml"), "Guard.from_file"),  # type: ignore[arg-type]
        (lambda: Guard(Config(issuers=[ISSUER], endpoints=[]), hooks={}), "hooks: must be a Hooks"),  # type: ignore[arg-type]
        (lambda: Config(issuers=["login"], endpoints=[]), "issuers: must be a Issuer"),  # type: ignore[list-item]
        (lambda: Config(issuers=[], endpoints=[access()]), "endpoints: must be a Endpoint"),  # type: ignore[list-item]
        (lambda: Config(issuers=[], endpoints=[], mode="prod"), "did you mean 'production'"),  # type: ignore[arg-type]
        (lambda: Issuer(name="a", issuer="b", algorithms=("ES256",), keys="discovery"), "must be a Discovery"),  # type: ignore[arg-type]
        (lambda: Issuer(name="a", issuer="b", algorithms="ES256", keys=ISSUER.keys), "letter by letter"),  # type: ignore[arg-type]
        (lambda: Tenant("pth", "org"), "did you mean 'path'"),  # type: ignore[arg-type]
        (lambda: Guard(Config(issuers=[ISSUER], endpoints=[endpoint(match="/x/<int:id>")])), "neither literal"),
    ],
)  # fmt: skip
def test_other_mistakes(build: Callable[[], object], told: str) -> None:
    """R-POL-06: the usual slips of a Python policy are named when it is built, with what was meant."""
    with pytest.raises(ConfigurationError, match=told):
        build()


def test_the_mode_may_be_a_word() -> None:
    """R-GOV-02: a mode given as a word is that mode: production is never skipped for a spelling."""
    config = Config(issuers=[], endpoints=[], mode="production", startup="eager")  # type: ignore[arg-type]
    assert config.mode is Mode.PRODUCTION
    assert config.startup is Startup.EAGER


class Hidden:
    """A callable whose being asynchronous does not show."""

    async def __call__(self, _: object) -> bool:
        """Say no, later."""
        return False


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")  # that is the mistake
def test_a_rule_that_waits_in_disguise() -> None:
    """R-CLM-12: a coroutine is true whatever it would say, so it is a bug and never a pass."""
    with pytest.raises(TypeError, match="check_async"):
        authorize(policy(rules=(rules.check("x", Hidden()),)), claims_set(x=1), None, 0.0)


def test_access_takes_every_column() -> None:
    """R-POL-06: what is written beside a function can demand what a file can."""
    made = access(scopes=["a"], actors=["x"], tenant=Tenant(TenantPlace.HEADER, "x-org"), origins=["https://a.example"])
    assert made == Demands(
        accept=["access"], scopes=["a"], actors=["x"], tenant=Tenant(TenantPlace.HEADER, "x-org"),
        origins=["https://a.example"],
    )  # fmt: skip
