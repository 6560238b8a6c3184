"""Endpoint policies: what may be written, and what it compiles to (R-POL-01, R-POL-02)."""

from __future__ import annotations

import dataclasses
from datetime import date, timedelta
from typing import Any

import pytest

from jwtguard import (
    BEARER,
    UNBOUNDED,
    Access,
    Carrier,
    ConfigurationError,
    Endpoint,
    Expires,
    Legacy,
    Limits,
    Marker,
    Mode,
    NoExpiry,
    Startup,
    cookie,
)
from jwtguard.core import rules
from jwtguard.core.endpoint import CarrierKind
from jwtguard.core.policy import Choice, Config, EndpointPolicy
from tests.core.policies import LOGIN, endpoint, issuer, policy, profile

DPOP = Carrier(CarrierKind.HEADER, "dpop", "dpop")


def stopped(**changes: Any) -> tuple[str, str]:
    """Return key and rule of the error that an endpoint, so changed, ends with."""
    with pytest.raises(ConfigurationError) as caught:
        Endpoint(**{"match": ["GET /x", "/y"], "accept": ["access"], **changes})
    return caught.value.key, caught.value.rule


@pytest.mark.parametrize(
    ("kind", "name", "scheme"),
    [
        ("header", "authorization", "bearer"),
        ("header", "x-token_1", "dpop"),
        ("header", "!#$%&'*+-.^_`|~", "a"),
        ("cookie", "__Host-AT", "bearer"),
        ("cookie", "At", "Bearer"),
    ],
)
def test_a_carrier(kind: str, name: str, scheme: str) -> None:
    """R-EXT-01: any field or cookie name that HTTP allows can be declared; cookie names keep their case."""
    carrier = Carrier(CarrierKind(kind), name, scheme)
    assert (carrier.kind, carrier.name, carrier.scheme) == (kind, name, scheme)


@pytest.mark.parametrize("wrong", ["", " ", "a b", "a:b", "a,b", "a=b", "a;b", "a\n", "é", '"a"', "a/b", "(a)"])
@pytest.mark.parametrize("kind", list(CarrierKind))
def test_no_carrier(kind: CarrierKind, wrong: str) -> None:
    """R-EXT-01, R-ERR-04: what is no field, cookie or scheme name stops the start, and cannot inject any."""
    for parts in ((wrong,), ("name", wrong), (wrong, "bearer")):
        with pytest.raises(ConfigurationError, match="is no header, scheme or cookie name") as caught:
            Carrier(kind, *parts)
        assert (caught.value.key, caught.value.rule) == ("carriers", "R-EXT-01")


@pytest.mark.parametrize("parts", [("Authorization",), ("authorization", "Bearer"), ("X-Token", "BEARER")])
def test_a_header_in_upper_case(parts: tuple[str, ...]) -> None:
    """R-EXT-02: fields and schemes are compared in lower case, so one written otherwise would never match."""
    with pytest.raises(ConfigurationError, match="lower case") as caught:
        Carrier(CarrierKind.HEADER, *parts)
    assert (caught.value.key, caught.value.rule) == ("carriers", "R-EXT-01")


def test_the_usual_carriers() -> None:
    """R-EXT-01: without a word about carriers it is the Authorization header with the scheme Bearer."""
    assert Endpoint(match=["/x"], accept=["access"]).carriers == (BEARER,)
    assert Carrier(CarrierKind.HEADER, "authorization", "bearer") == BEARER
    assert cookie("at") == Carrier(CarrierKind.COOKIE, "at")


def test_an_endpoint_protects_by_default() -> None:
    """R-POL-01, R-EXT-09: protected, in production, lazily started, within the default limits."""
    assert Endpoint(match=["/x"], accept=["access"]).access is Access.PROTECTED
    config = Config(issuers=[], endpoints=[])
    assert (config.mode, config.startup, config.limits) == (Mode.PRODUCTION, Startup.LAZY, Limits())
    assert (config.classes, config.overrides) == ((), ())


@pytest.mark.parametrize(
    ("changes", "key", "rule"),
    [
        ({"match": []}, "endpoints.?", "R-POL-01"),
        ({"match": [], "name": "mine"}, "endpoints.mine", "R-POL-01"),
        ({"access": Access.PUBLIC}, "endpoints.GET /x", "R-POL-01"),
        ({"access": Access.PUBLIC, "accept": (), "scopes": frozenset({"a"})}, "endpoints.GET /x", "R-POL-01"),
        ({"access": Access.PUBLIC, "accept": (), "any_scopes": frozenset({"a"})}, "endpoints.GET /x", "R-POL-01"),
        ({"access": Access.PUBLIC, "accept": (), "issuers": ["login"]}, "endpoints.GET /x", "R-POL-01"),
        ({"access": Access.PUBLIC, "accept": (), "audience": ["https://api"]}, "endpoints.GET /x", "R-POL-01"),
        ({"access": Access.PUBLIC, "accept": (), "algorithms": ["RS256"]}, "endpoints.GET /x", "R-POL-01"),
        ({"access": Access.PUBLIC, "accept": (), "max_age_s": 60.0}, "endpoints.GET /x", "R-POL-01"),
        ({"kinds": ["anonymous", "user"]}, "endpoints.GET /x.kinds", "R-CLM-10"),
        ({"access": Access.PUBLIC, "accept": (), "rules": [rules.equals("a", 1)]}, "endpoints.GET /x", "R-POL-01"),
        ({"accept": ()}, "endpoints.GET /x", "R-CLS-01"),
        ({"accept": (), "access": Access.OPTIONAL}, "endpoints.GET /x", "R-CLS-01"),
        ({"accept": (), "name": "mine"}, "endpoints.mine", "R-CLS-01"),
        ({"carriers": ()}, "endpoints.GET /x", "R-EXT-01"),
        ({"carriers": (), "access": Access.OPTIONAL}, "endpoints.GET /x", "R-EXT-01"),
    ],
)
def test_an_endpoint_that_says_too_little(changes: dict[str, object], key: str, rule: str) -> None:
    """R-POL-01, R-CLS-01: no path, no class, no carrier, or a public endpoint with demands stops the start."""
    assert stopped(**changes) == (key, rule)


def test_a_public_endpoint_says_nothing_else() -> None:
    """R-POL-01: a public endpoint is marked as such, and needs neither classes nor carriers."""
    assert Endpoint(match=["/x"], access=Access.PUBLIC).accept == ()
    assert Endpoint(match=["/x"], access=Access.PUBLIC, carriers=()).carriers == ()


@pytest.mark.parametrize("scope", ["", " ", "a b", 'a"b', "a\\b", "é", "a\n", "\x7f"])
@pytest.mark.parametrize("column", ["scopes", "any_scopes"])
def test_no_scope(column: str, scope: str) -> None:
    """R-ERR-04: a scope that could break out of the challenge stops the start (RFC 6749, section 3.3)."""
    assert stopped(**{column: frozenset({"fine", scope})}) == ("endpoints.GET /x.scopes", "R-ERR-04")


def test_a_scope() -> None:
    """R-ERR-04: every other printable ASCII character may be in a scope."""
    whole = "".join(map(chr, [0x21, *range(0x23, 0x5C), *range(0x5D, 0x7F)]))
    assert endpoint(scopes=frozenset({whole, "!", "~"}), any_scopes=frozenset({"#"})).scopes == {whole, "!", "~"}


@pytest.mark.parametrize("wrong", [timedelta(minutes=1), float("nan"), -1, True, "60"], ids=str)
def test_an_age_is_a_number(wrong: Any) -> None:
    """R-CLM-08: an age that is no number from zero up stops the start, and not the first request."""
    assert stopped(max_age_s=wrong) == ("endpoints.GET /x.max_age", "R-CLM-08")


def test_a_policy_names_itself() -> None:
    """R-POL-02: a policy is known by its name, else by its first pattern."""
    assert policy(match=["GET /a", "/b"]).name == "GET /a"
    named = policy(match=["GET /a"], name="mine")
    assert (named.name, repr(named)) == ("mine", "<EndpointPolicy 'mine'>")


def test_what_a_policy_compiles_to() -> None:
    """R-POL-02: carriers become the fields and cookies to look at; demands stay what they were."""
    demands = [rules.equals("tier", 1)]
    built = policy(
        match=["GET /a", "/b"], carriers=(BEARER, DPOP, cookie("At"), cookie("bt")), scopes=frozenset({"a"}),
        any_scopes=frozenset({"b"}), rules=demands, max_age_s=60.0, access=Access.OPTIONAL,
    )  # fmt: skip
    assert built.patterns == ("GET /a", "/b")
    assert built.fields == {b"authorization": b"bearer", b"dpop": b"dpop", b"cookie": b""}
    assert built.field_lengths == {13, 4, 6}
    assert built.cookies == {b"At", b"bt"}
    assert (sorted(built.scopes), sorted(built.any_scopes), built.max_age_s) == (["a"], ["b"], 60.0)
    assert built.rules == tuple(demands)
    assert built.access is Access.OPTIONAL
    assert built.carriers == (BEARER, DPOP, cookie("At"), cookie("bt"))


def test_a_policy_without_cookies_reads_none() -> None:
    """R-EXT-01: without a declared cookie the Cookie field is not looked at."""
    assert policy().fields == {b"authorization": b"bearer"}
    assert policy(carriers=(cookie("at"),)).fields == {b"cookie": b""}


def test_a_policy_knows_its_profiles() -> None:
    """R-POL-02: the profiles accepted are those of all choices."""
    one, other = profile("access"), profile("set")
    choices: dict[tuple[str, str | None, str], Choice] = {
        ("i", "a", "ES256"): Choice("ES256", (one, other)),
        ("i", "b", "ES256"): Choice("ES256", (one,)),
    }
    built = EndpointPolicy(endpoint(), choices)
    assert built.profiles == {one, other}
    assert (choices["i", "a", "ES256"].alg, choices["i", "a", "ES256"].profiles) == ("ES256", (one, other))
    assert built.choices is choices
    assert built.issuers == ("login",)


def test_a_policy_knows_what_it_admits() -> None:
    """R-ALG-01, R-CLS-06: algorithms of all choices, types by issuer, so that most refusals need no decoding."""
    one = Choice("ES256", (profile(),))
    keys: list[tuple[str, str | None, str]] = [("i", "a", "ES256"), ("i", None, "RS256"), ("j", "b", "ES256")]
    built = EndpointPolicy(endpoint(), dict.fromkeys(keys, one))
    assert built.algorithms == {"ES256", "RS256"}
    assert built.types == {"i": {"a", None}, "j": {"b"}}
    assert EndpointPolicy(endpoint(), {}).types == {}


@pytest.mark.parametrize(
    ("name", "changes", "lifetime", "age"),
    [
        ("access", {}, 3600, None),
        ("access", {"expiry": Expires(UNBOUNDED)}, None, None),
        ("access", {"max_age_s": 60.0}, 3600, 60),
        ("access", {"expiry": Expires(0), "max_age_s": 0}, 0, 0),
        ("set", {}, None, 86_400),
        ("set", {"max_age_s": 60.0}, None, 60),
        ("set", {"max_age_s": 1e6}, None, 86_400),
        ("set", {"expiry": NoExpiry(0)}, None, 0),
    ],
)
def test_the_bounds_of_a_profile(name: str, changes: dict[str, Any], lifetime: float | None, age: float | None) -> None:
    """R-CLM-08: life and age are bounded by what the class says, the narrower of two ages first."""
    built = profile(name, **changes)
    assert (built.max_lifetime_s, built.max_age_s) == (lifetime, age)


def test_where_a_profile_finds_scopes() -> None:
    """R-CLM-11: another spelling of scopes counts only for the class of the preset that names it."""
    marker = Marker("token_use")
    entra = issuer(legacy=Legacy(marker=marker, since=date(2026, 1, 1), scope_from="scp"))
    assert profile("access_legacy", of=entra).scope_claim == "scp"
    assert profile("access", of=entra).scope_claim == "scope"
    assert profile("access_legacy").scope_claim == "scope"


def test_a_profile_shows_configured_names() -> None:
    """R-OBS-04: a profile shows issuer name and class, which are configured."""
    assert repr(profile("set")) == "<Profile login/set>"
    built = profile()
    assert (built.issuer, built.audiences, built.leeway_s) == (LOGIN, frozenset({"https://api.example.com"}), 30.0)


def test_two_profiles_are_never_equal() -> None:
    """F69: profiles are compared by identity, so that a token verified under an old policy is not remembered."""
    assert profile() != profile()


def test_a_policy_does_not_change() -> None:
    """R-POL-06: what an author wrote cannot change after it was checked."""
    for written, name in ((endpoint(), "access"), (BEARER, "name"), (Config(issuers=[], endpoints=[]), "mode")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(written, name, "x")


def test_one_field_with_two_schemes() -> None:
    """R-EXT-02: one header field cannot be two carriers, since a request holds one credential."""
    other = Carrier(CarrierKind.HEADER, "authorization", "dpop")
    assert stopped(carriers=(BEARER, other), name="mine") == ("endpoints.mine.carriers", "R-EXT-01")
    assert endpoint(carriers=(other, DPOP, cookie("authorization"))).carriers[0] is other
