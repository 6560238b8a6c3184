"""Classification: header type and unverified issuer select profiles, and nothing else (R-CLS-06)."""

from __future__ import annotations

import dataclasses
from datetime import date
from typing import Any

import pytest

from jwtguard import HeaderKey, Legacy, Limits, Marker, Reason
from jwtguard.core.classes import READY_MADE
from jwtguard.core.classification import classify
from jwtguard.core.jws import JwsParser
from jwtguard.core.policy import Choice, EndpointPolicy
from jwtguard.core.request import Token
from tests.core.policies import ANY_ALGORITHM, FORGE, KEY, endpoint, issuer, table, told
from tests.kit.token_forge import OMIT

OTHER = issuer(name="other", issuer="https://other.example.com/", algorithms=("RS256",), audience=("api",))
OWN = dataclasses.replace(READY_MADE["access"], name="own", typ=frozenset({"own+jwt", None}))
BOTH = table(endpoint(accept=["access", "own"]), issuers=[issuer(), OTHER], classes=[OWN]).endpoints[0]


def choice_of(policy: EndpointPolicy, header: dict[str, Any] | None = None, **claims: Any) -> Choice:
    """Classify a token of the forge with a changed header and changed claims; its signature is no matter here."""
    parser = JwsParser(Limits(), {})
    token = FORGE.sign(FORGE.access_claims(**claims), key=KEY, header=header, signature=b"nobody looks")
    return classify(parser, policy, parser.parse(Token(token), ANY_ALGORITHM))


def refused(
    policy: EndpointPolicy, header: dict[str, Any] | None = None, **claims: Any
) -> tuple[Reason, str, object, object]:
    """Return all that the refusal of such a token tells."""
    return told(lambda: choice_of(policy, header, **claims))


@pytest.mark.parametrize(
    ("header", "iss", "names", "alg"),
    [
        ({}, FORGE.issuer, ["access"], "ES256"),
        ({"typ": "AT+JWT"}, FORGE.issuer, ["access"], "ES256"),
        ({"typ": "application/at+jwt"}, FORGE.issuer, ["access"], "ES256"),
        ({"typ": "own+jwt"}, FORGE.issuer, ["own"], "ES256"),
        ({"typ": OMIT}, FORGE.issuer, ["own"], "ES256"),
        ({"alg": "RS256"}, OTHER.issuer, ["access"], "RS256"),
    ],
)
def test_what_a_token_may_be(header: dict[str, Any], iss: str, names: list[str], alg: str) -> None:
    """R-POL-10, R-CLS-06: issuer, type and algorithm together select the profiles and the algorithm meant."""
    choice = choice_of(BOTH, header, iss=iss)
    assert [profile.token_class.name for profile in choice.profiles] == names
    assert {profile.issuer.issuer for profile in choice.profiles} == {iss}
    assert choice.alg == alg


@pytest.mark.parametrize(
    "iss", ["", "login", FORGE.issuer[:-1], FORGE.issuer + "/", FORGE.issuer.upper(), "https://evil.test/"]
)
def test_another_issuer(iss: str) -> None:
    """R-CLM-02: an issuer that is not configured, exactly, is refused before its type or algorithm is looked at."""
    known = sorted([FORGE.issuer, OTHER.issuer])
    assert refused(BOTH, {"typ": "x", "alg": "none"}, iss=iss) == (Reason.BAD_ISSUER, "iss", known, iss)


@pytest.mark.parametrize("iss", [None, 1, True, [FORGE.issuer], {"iss": FORGE.issuer}])
def test_an_issuer_is_a_string(iss: object) -> None:
    """R-CLM-11: an issuer of another type is refused, and nothing is looked up for it."""
    assert refused(BOTH, iss=iss) == (Reason.BAD_CLAIM, "iss", "a string", iss)


def test_no_issuer() -> None:
    """R-CLM-02: without an issuer nothing can be selected."""
    assert refused(BOTH, iss=OMIT)[:2] == (Reason.MISSING_CLAIM, "iss")


@pytest.mark.parametrize("typ", ["JWT", "jwt", "", "at", "at+jwt ", "id+jwt", "logout+jwt", "application/own+jwt/x"])
def test_another_type(typ: str) -> None:
    """R-CLS-06: a typ that is not registered here is refused before the algorithm is looked at."""
    refusal = refused(BOTH, {"typ": typ, "alg": "none"})
    assert refusal == (Reason.WRONG_CLASS, "typ", ["(absent)", "at+jwt", "own+jwt"], typ.lower())


def test_an_absent_type() -> None:
    """R-CLS-06: no typ at all is a type of its own, which a typed class does not list."""
    only = table(endpoint()).endpoints[0]
    assert refused(only, {"typ": OMIT}) == (Reason.WRONG_CLASS, "typ", ["at+jwt"], None)


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "", "es256", "ES256 ", "RS256", "HS256", "ES384", "EdDSA"])
def test_another_algorithm(alg: str) -> None:
    """R-HDR-06, F54: an algorithm that this issuer is not allowed, in exactly this spelling, is refused."""
    reason, check, _, seen = refused(BOTH, {"alg": alg})
    assert (reason, check, seen) == (Reason.UNSUPPORTED_ALG, "alg", alg)


def test_algorithms_belong_to_their_issuer() -> None:
    """R-POL-10: what one issuer may sign with does not count for another, nor is it told as what was expected."""
    assert refused(BOTH, {"alg": "ES256"}, iss=OTHER.issuer) == (Reason.UNSUPPORTED_ALG, "alg", ["RS256"], "ES256")
    assert refused(BOTH, {"alg": "RS256"}) == (Reason.UNSUPPORTED_ALG, "alg", ["ES256"], "RS256")


def test_algorithms_belong_to_their_type() -> None:
    """R-ALG-01: what one class of an issuer may be signed with does not count for another of its classes."""
    one = choice_of(BOTH)
    choices: dict[tuple[str, str | None, str], Choice] = {
        (FORGE.issuer, "at+jwt", "PS256"): one,
        (FORGE.issuer, "own+jwt", "ES256"): one,
    }
    reason, check, expected, seen = refused(EndpointPolicy(endpoint(), choices))
    assert (reason, check, seen) == (Reason.UNSUPPORTED_ALG, "alg", "ES256")
    assert expected == ["PS256"]


def test_untyped_candidates_stay_together() -> None:
    """R-CLS-06: where two classes share a type both remain candidates; the claims leave one of them."""
    legacy = Legacy(marker=Marker("token_use"), since=date(2026, 1, 1))
    us = issuer(legacy=legacy, client_id=("us",), issues=frozenset({"access_legacy", "id_token"}))
    policy = table(issuers=[us]).acceptance(["access_legacy", "id_token"])
    choice = choice_of(policy, {"typ": "JWT"})
    assert [profile.token_class.name for profile in choice.profiles] == ["access_legacy", "id_token"]


@pytest.mark.parametrize("jwk", [KEY.public_jwk(), None, {}, "x"])
def test_an_embedded_key_is_refused(jwk: object) -> None:
    """R-HDR-03, F55: a key in the header refuses every class that does not require one."""
    assert refused(BOTH, {"jwk": jwk}) == (Reason.BAD_HEADER, "jwk", "absent", True)


def test_a_class_may_require_the_key() -> None:
    """R-HDR-03: a class that brings its key must bring it."""
    proof = dataclasses.replace(OWN, typ=frozenset({"own+jwt"}), header_key=HeaderKey.REQUIRED)
    policy = table(endpoint(accept=["own"]), classes=[proof]).endpoints[0]
    header = {"typ": "own+jwt"}
    assert refused(policy, header) == (Reason.BAD_HEADER, "jwk", "present", False)
    assert choice_of(policy, {**header, "jwk": {}}).profiles[0].token_class is proof


@pytest.mark.parametrize("accept", [["access", "own"], ["own", "access"]])
def test_the_key_tells_classes_apart(accept: list[str]) -> None:
    """R-CLS-03: of two classes of one type that differ in the header key alone, the header leaves one."""
    proof = dataclasses.replace(READY_MADE["access"], name="own", header_key=HeaderKey.REQUIRED)
    policy = table(endpoint(accept=accept), classes=[proof]).endpoints[0]
    for jwk, name in ((OMIT, "access"), ({}, "own")):
        choice = choice_of(policy, {"jwk": jwk})
        assert [profile.token_class.name for profile in choice.profiles] == [name]
        assert choice.alg == "ES256"
    one = table(endpoint()).endpoints[0]
    assert choice_of(one) is one.choices[FORGE.issuer, "at+jwt", "ES256"]


URL, OTHER_URL = "https://login.example.com/keys", "https://login.example.com/other"
DECLARED = table(endpoint(), issuers=[issuer(key_urls=(URL, OTHER_URL))]).endpoints[0]


@pytest.mark.parametrize("name", ["jku", "x5u"])
@pytest.mark.parametrize("value", [URL, URL + "/", "https://evil.test/keys", "", None, [URL], {"url": URL}, 1])
def test_a_key_url_is_refused(name: str, value: object) -> None:
    """R-HDR-02, F24: a header that names a key URL is refused, if the issuer does not declare exactly that one."""
    assert refused(BOTH, {name: value}) == (Reason.BAD_HEADER, "jku or x5u", [], value)
    if value == URL:
        assert choice_of(DECLARED, {name: value}).profiles
    else:
        assert refused(DECLARED, {name: value}) == (Reason.BAD_HEADER, "jku or x5u", [URL, OTHER_URL], value)


def test_every_key_url_is_looked_at() -> None:
    """R-HDR-02: a declared URL does not excuse an undeclared one beside it."""
    assert choice_of(DECLARED, {"jku": URL, "x5u": OTHER_URL}).profiles
    assert refused(DECLARED, {"jku": URL, "x5u": "https://evil.test/"})[0] is Reason.BAD_HEADER
    assert refused(DECLARED, {"jku": "https://evil.test/", "x5u": URL})[0] is Reason.BAD_HEADER
