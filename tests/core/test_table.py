"""The policy table: a configuration compiled whole, or not at all (R-POL-06, R-POL-10)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from jwtguard import (
    BEARER,
    NO_AUDIENCE,
    Access,
    Audience,
    ConfigurationError,
    Endpoint,
    Legacy,
    Limits,
    Marker,
    cookie,
)
from jwtguard.core.classes import READY_MADE
from jwtguard.core.policy import EndpointPolicy
from tests.core.policies import FORGE, LOGIN, endpoint, issuer, table

OTHER = issuer(name="other", issuer="https://other.example.com/", algorithms=("RS256",), audience=("other-api",))
LEGACY = Legacy(marker=Marker("token_use"), since=date(2026, 1, 1))
OWN = dataclasses.replace(READY_MADE["access"], name="own", typ=frozenset({"own+jwt"}))
PUBLIC = Endpoint(match=["/public"], access=Access.PUBLIC)


def stopped(build: Callable[[], object]) -> ConfigurationError:
    """Return the error that a table ends with."""
    with pytest.raises(ConfigurationError) as caught:
        build()
    return caught.value


def keys_and_rule(*endpoints: Endpoint, **changes: Any) -> tuple[str, str]:
    """Return key and rule of that error."""
    error = stopped(lambda: table(*endpoints, **changes))
    return error.key, error.rule


def seen(policy: EndpointPolicy) -> dict[tuple[str, str | None, str], tuple[str, list[str]]]:
    """Show the choices of a policy: the algorithm meant and the classes of each."""
    return {
        key: (choice.alg, [profile.token_class.name for profile in choice.profiles])
        for key, choice in policy.choices.items()
    }


def test_a_table_is_compiled() -> None:
    """R-POL-06: endpoints become policies in their order, found by method and path."""
    built = table(endpoint("GET /a", "/b"), PUBLIC, limits=Limits(leeway_s=5))
    assert [policy.name for policy in built.endpoints] == ["GET /a", "/public"]
    assert built.routes.find("GET", "/a") is built.endpoints[0] is built.routes.find("PUT", "/b")
    assert built.routes.find("GET", "/public") is built.endpoints[1]
    assert built.limits == Limits(leeway_s=5)
    assert built.issuers == {FORGE.issuer: LOGIN}
    assert built.classes.keys() == {"login"}


def test_one_probe_leads_to_the_profiles() -> None:
    """R-POL-10: issuer, type and algorithm together select what a token may be, and nothing else does."""
    built = table(endpoint(accept=["access", "own"]), classes=[OWN], issuers=[LOGIN, OTHER])
    login, other = FORGE.issuer, OTHER.issuer
    assert seen(built.endpoints[0]) == {
        (login, "at+jwt", "ES256"): ("ES256", ["access"]),
        (login, "own+jwt", "ES256"): ("ES256", ["own"]),
        (other, "at+jwt", "RS256"): ("RS256", ["access"]),
        (other, "own+jwt", "RS256"): ("RS256", ["own"]),
    }
    audiences = {profile.issuer.name: profile.audiences for profile in built.endpoints[0].profiles}
    assert audiences == {"login": frozenset({FORGE.audience}), "other": frozenset({"other-api"})}


def test_untyped_classes_share_a_choice() -> None:
    """R-CLS-06: classes of the same type are candidates together, in the order the endpoint names them."""
    us = issuer(
        legacy=LEGACY, client_id=("us",), issues=frozenset({"access_legacy", "id_token"}), algorithms=("EdDSA",)
    )
    built = table(issuers=[us]).acceptance(["access_legacy", "id_token"])
    both = ("Ed25519", ["access_legacy", "id_token"])
    assert seen(built) == {(FORGE.issuer, typ, alg): both for typ in (None, "jwt") for alg in ("EdDSA", "Ed25519")}


def test_a_class_named_twice_is_one_class() -> None:
    """R-CLS-01: a class that an endpoint names twice is still one candidate, not two that exclude each other."""
    built = table(endpoint(accept=["access", "access"], issuers=["login", "login"]))
    assert seen(built.endpoints[0]) == {(FORGE.issuer, "at+jwt", "ES256"): ("ES256", ["access"])}


def test_an_endpoint_narrows_its_issuers() -> None:
    """R-POL-02, R-POL-10: issuers, audiences and algorithms of an endpoint are those it names, among the configured."""
    wide = issuer(algorithms=("ES256", "RS256", "PS256"), audience=("a", "b", "c"))
    only = endpoint(issuers=["login"], algorithms=["PS256", "ES256"], audience=["c", "b", "z"])
    built = table(only, endpoint("/y"), issuers=[wide, OTHER]).endpoints
    assert {(key[0], key[2]) for key in built[0].choices} == {(FORGE.issuer, "ES256"), (FORGE.issuer, "PS256")}
    assert {profile.audiences for profile in built[0].profiles} == {frozenset({"b", "c"})}
    assert {profile.audiences for profile in built[1].profiles} == {frozenset("abc"), frozenset({"other-api"})}
    assert {key[2] for key in built[1].choices if key[0] == FORGE.issuer} == {"ES256", "RS256", "PS256"}


def test_profiles_are_shared() -> None:
    """R-POL-02: two endpoints that verify alike share the profile, so a token verified at one is known at the other."""
    wide = issuer(algorithms=("ES256", "RS256"), audience=("a", "b"))
    changes: list[dict[str, Any]] = [{}, {"scopes": frozenset({"x"})}, {"audience": ["a"]}, {"algorithms": ["ES256"]}]
    endpoints = [endpoint(f"/{index}", **change) for index, change in enumerate(changes)]
    profiles = [set(policy.profiles) for policy in table(*endpoints, issuers=[wide]).endpoints]
    assert profiles[0] == profiles[1]
    assert len(set().union(*profiles)) == 3


def test_a_public_endpoint_has_no_choices() -> None:
    """R-POL-01: a public endpoint accepts no token, whatever issuers there are or are not."""
    assert table(PUBLIC).endpoints[0].choices == {}
    assert table(PUBLIC, issuers=[]).endpoints[0].profiles == set()


@pytest.mark.parametrize("twin", [issuer(name="twin"), issuer(issuer="https://twin.example.com/")])
def test_an_issuer_twice_stops_the_start(twin: Any) -> None:
    """R-JWK-01: two issuers of one `iss`, or of one name, stop the start."""
    assert keys_and_rule(issuers=[LOGIN, OTHER, twin]) == (f"issuers.{twin.name}", "R-JWK-01")


def test_an_unknown_issuer_stops_the_start() -> None:
    """R-POL-10: an endpoint names configured issuers only."""
    error = stopped(lambda: table(endpoint(issuers=["login", "lgin"], name="mine")))
    assert (error.key, error.rule) == ("endpoints.mine.issuers", "R-POL-10")
    assert error.message == "unknown issuer 'lgin'; did you mean 'login'?"


def test_a_class_that_nobody_signs() -> None:
    """R-CLS-07, R-CLS-09: an endpoint accepts what one of its issuers declares; one of several is enough."""
    declared = issuer(issues=frozenset({"access"}))
    both = [declared, issuer(name="other", issuer="https://other.example.com/", issues=frozenset({"own"}))]
    expected = ("endpoints.mine.accept", "R-CLS-07")
    assert keys_and_rule(endpoint(accept=["access", "own"], name="mine"), issuers=[declared], classes=[OWN]) == expected
    legacy = endpoint(accept=["access_legacy"], name="mine")
    assert keys_and_rule(legacy, issuers=[LOGIN]) == ("endpoints.mine.accept", "R-CLS-09")
    built = table(endpoint(accept=["access", "own"]), issuers=both, classes=[OWN]).endpoints[0]
    assert {key[:2] for key in built.choices} == {(FORGE.issuer, "at+jwt"), (both[1].issuer, "own+jwt")}
    narrow = endpoint(accept=["own"], issuers=["login"], name="mine")
    assert keys_and_rule(narrow, issuers=both, classes=[OWN]) == expected


def test_an_audience_that_nobody_compares() -> None:
    """R-CLM-03: a class without an audience cannot be narrowed to one; the wish does not get lost."""
    anybody = dataclasses.replace(OWN, audience=NO_AUDIENCE)
    narrowed = endpoint(accept=["own"], audience=[FORGE.audience], name="mine")
    assert keys_and_rule(narrowed, classes=[anybody]) == ("endpoints.mine.audience", "R-CLM-03")


def test_an_unknown_class_stops_the_start() -> None:
    """R-CLS-01: an endpoint accepts known classes only."""
    error = stopped(lambda: table(endpoint(accept=["acces"])))
    assert (error.key, error.rule) == ("issuers.login.issues", "R-CLS-01")
    declared = issuer(issues=frozenset({"access"}))
    error = stopped(lambda: table(endpoint(accept=["acces"], name="mine"), issuers=[declared]))
    assert (error.key, error.rule) == ("endpoints.mine.accept", "R-CLS-01")
    assert error.message == "unknown token class 'acces'; did you mean 'access'?"


def test_a_class_counts_where_it_is_accepted() -> None:
    """R-CLS-07: an endpoint bound to one issuer makes only that issuer sign what it accepts."""
    built = table(endpoint(accept=["own"], issuers=["other"]), issuers=[LOGIN, OTHER], classes=[OWN])
    assert "own" not in built.classes["login"]
    assert "own" in built.classes["other"]


def test_no_issuer_stops_the_start() -> None:
    """R-POL-10: a protected endpoint needs somebody who could sign a token for it."""
    assert keys_and_rule(endpoint(name="mine"), issuers=[]) == ("endpoints.mine", "R-POL-10")


@pytest.mark.parametrize("name", sorted(READY_MADE.keys() - {"access", "access_legacy", "dpop_proof"}))
def test_what_no_request_carries(name: str) -> None:
    """R-CLS-10: an endpoint that accepts an ID token, or any class that no request carries, stops the start."""
    declared = issuer(issues=frozenset({name, "access"}))
    rule = "R-CLS-10" if name == "id_token" else "R-CLS-06"
    assert keys_and_rule(endpoint(accept=["access", name]), issuers=[declared]) == ("endpoints./x.accept", rule)


def test_a_class_says_what_carries_it() -> None:
    """R-CLS-02: a custom class of one kind of carrier is not taken from the other."""
    header_only = dataclasses.replace(OWN, carriers=frozenset({"header"}))
    both = endpoint(accept=["own"], carriers=(BEARER, cookie("at")), name="mine")
    assert keys_and_rule(both, classes=[header_only]) == ("endpoints.mine.accept", "R-CLS-06")
    table(endpoint(accept=["own"]), classes=[header_only])


def test_a_class_without_an_issuer() -> None:
    """R-CLM-02: a class that names no issuer has no key that could verify it."""
    nameless = dataclasses.replace(OWN, required=OWN.required - {"iss"})
    assert keys_and_rule(endpoint(accept=["own"], name="mine"), classes=[nameless]) == (
        "endpoints.mine.accept", "R-CLM-02",
    )  # fmt: skip


def test_a_class_without_an_audience() -> None:
    """R-CLS-02: NO_AUDIENCE compiles to a profile that compares none, though the issuer has some."""
    anybody = dataclasses.replace(OWN, audience=NO_AUDIENCE)
    (profile,) = table(endpoint(accept=["own"]), classes=[anybody]).endpoints[0].profiles
    assert profile.audiences is None


@pytest.mark.parametrize(
    ("changes", "narrowed"),
    [({"audience": ()}, ()), ({}, ("https://other.example.com",)), ({"audience": ("a",)}, ("A",))],
)
def test_no_audience_stops_the_start(changes: dict[str, Any], narrowed: tuple[str, ...]) -> None:
    """R-CLM-03: an endpoint whose issuer has no audience left for it does not start."""
    found = keys_and_rule(endpoint(audience=narrowed), issuers=[issuer(**changes)])
    assert found == ("issuers.login.audience", "R-CLM-03")


def test_an_algorithm_of_nobody_stops_the_start() -> None:
    """R-ALG-01: an endpoint narrows the allow-list of its issuer and cannot widen it."""
    found = keys_and_rule(endpoint(algorithms=["ES256", "RS256"], name="mine"))
    assert found == ("endpoints.mine.algorithms", "R-ALG-01")


@pytest.mark.parametrize(("leeway_s", "fits"), [(0, True), (120, True), (120.5, False), (-1, False)])
def test_the_leeway_of_an_issuer_is_capped(leeway_s: float, fits: bool) -> None:  # noqa: FBT001 - a column
    """R-CLM-06: an issuer has its own leeway, within the cap of all."""
    if fits:
        (profile,) = table(endpoint(), issuers=[issuer(leeway_s=leeway_s)]).endpoints[0].profiles
        assert profile.leeway_s == leeway_s
    else:
        found = keys_and_rule(endpoint(), issuers=[issuer(leeway_s=leeway_s)])
        assert found == ("issuers.login.leeway", "R-CLM-06")


def test_the_usual_leeway() -> None:
    """R-CLM-06: an issuer without a leeway has that of the limits."""
    (profile,) = table(endpoint(), limits=Limits(leeway_s=7)).endpoints[0].profiles
    assert profile.leeway_s == 7


def test_ambiguous_patterns_stop_the_start() -> None:
    """R-POL-05: the proof runs over all endpoints, and the error of a pattern names its endpoint."""
    assert keys_and_rule(endpoint("/a/{x}"), endpoint("/{y}/b")) == ("endpoints.match", "R-POL-05")
    assert keys_and_rule(endpoint("/a"), endpoint("/b", "/a")) == ("endpoints.match", "R-POL-05")
    assert keys_and_rule(endpoint("x", name="mine")) == ("endpoints.mine.match", "R-POL-03")


def test_a_policy_without_a_path() -> None:
    """R-CLS-01: guard.verify names its classes; each issuer that signs one of them takes part."""
    us = issuer(client_id=("us",))
    built = table(issuers=[us, OTHER])
    assert seen(built.acceptance(["id_token"])).keys() == {
        (FORGE.issuer, None, "ES256"),
        (FORGE.issuer, "jwt", "ES256"),
    }
    access = built.acceptance(["access"])
    assert (access.name, access.patterns) == ("verify", ("verify",))
    assert {key[0] for key in access.choices} == {FORGE.issuer, OTHER.issuer}


def test_only_some_issuers_sign_a_class() -> None:
    """R-CLS-07: an issuer that does not sign a class is no candidate for it, nor in the way of one that does."""
    silent = issuer(name="other", issuer="https://other.example.com/", issues=frozenset({"access"}))
    built = table(issuers=[issuer(audiences={Audience.RECEIVER: ("us",)}), silent])
    assert {key[0] for key in built.acceptance(["set"]).choices} == {FORGE.issuer}
    assert {key[:2] for key in built.acceptance(["set", "access"]).choices} == {
        (FORGE.issuer, "secevent+jwt"), (FORGE.issuer, "at+jwt"), (silent.issuer, "at+jwt"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("accept", "key", "rule"),
    [
        ([], "endpoints.verify", "R-CLS-01"),
        (["acess"], "accept", "R-CLS-07"),
        (["access", "refresh"], "accept", "R-CLS-07"),
        (["logout"], "issuers", "R-CLM-03"),
        (["logout", "set"], "issuers", "R-CLM-03"),
    ],
)
def test_a_policy_without_a_path_that_cannot_be(accept: list[str], key: str, rule: str) -> None:
    """R-CLS-01, R-CLM-03: no class, an unknown or undeclared one, or one without an audience is an error."""
    error = stopped(lambda: table().acceptance(accept))
    assert (error.key, error.rule) == (key, rule)


def test_no_audience_can_always_be_addressed() -> None:
    """R-CLS-02: a class that does without an audience needs none to be configured."""
    anybody = dataclasses.replace(OWN, audience=NO_AUDIENCE)
    built = table(issuers=[issuer(audience=(), issues=frozenset({"own"}))], classes=[anybody])
    assert {key[1] for key in built.acceptance(["own"]).choices} == {"own+jwt"}


def test_a_class_that_names_no_issuer_cannot_be_verified() -> None:
    """R-CLM-02: a DPoP proof brings its own key, so guard.verify has none for it."""
    error = stopped(lambda: table(issuers=[issuer(issues=frozenset({"dpop_proof"}))]).acceptance(["dpop_proof"]))
    assert (error.key, error.rule) == ("endpoints.verify.accept", "R-CLM-02")
