"""Issuers: what may be written about one, and which classes it signs (R-ALG-01 to R-ALG-03)."""

from __future__ import annotations

import dataclasses
from datetime import date, timedelta
from typing import Any

import pytest

from jwtguard import (
    NO_AUDIENCE,
    Audience,
    ConfigurationError,
    Discovery,
    Expires,
    InlineKeys,
    Issuer,
    JwksUri,
    Legacy,
    Marker,
    TokenClass,
)
from jwtguard.core.classes import PUBLISHED, READY_MADE
from jwtguard.core.issuer import ALGORITHMS, labels
from tests.core.policies import LOGIN, issuer

LEGACY = Legacy(marker=Marker("token_use", frozenset({"access"})), since=date(2026, 1, 1))
OWN = dataclasses.replace(READY_MADE["access"], name="own", typ=frozenset({"own+jwt"}))


def stopped(**changes: Any) -> tuple[str, str]:
    """Return key and rule of the error that an issuer, so changed, ends with."""
    with pytest.raises(ConfigurationError) as caught:
        issuer(**changes)
    return caught.value.key, caught.value.rule


@pytest.mark.parametrize("algorithms", [("ES256",), ("RS256", "ES256", "EdDSA"), tuple(ALGORITHMS)[3:]])
def test_an_allow_list(algorithms: tuple[str, ...]) -> None:
    """R-ALG-01: an issuer has an allow-list of algorithms, which may be long as long as it is public-key."""
    assert issuer(algorithms=algorithms).algorithms == algorithms


def test_what_can_be_verified() -> None:
    """R-ALG-04: each algorithm has one key type, and these are all there are."""
    families = {"oct": "HS", "RSA": "RS PS", "EC": "ES"}
    expected = {
        f"{head}{bits}": kty for kty, heads in families.items() for head in heads.split() for bits in (256, 384, 512)
    }
    assert expected | dict.fromkeys(("Ed25519", "Ed448", "EdDSA"), "OKP") == ALGORITHMS


def test_an_empty_allow_list_stops_the_start() -> None:
    """R-ALG-01: there is no "all algorithms"; a list without members stops the start."""
    assert stopped(algorithms=()) == ("issuers.login.algorithms", "R-ALG-01")


@pytest.mark.parametrize(
    "name", ["none", "None", "NONE", "", "es256", "ES-256", "HS1", "RSA-OAEP", "dir", "ES256K", "*", "RS256 "]
)
def test_an_unknown_algorithm_stops_the_start(name: str) -> None:
    """R-ALG-02, F54: `none` cannot be expressed, nor anything else that is no algorithm."""
    assert stopped(algorithms=("ES256", name)) == ("issuers.login.algorithms", "R-ALG-02")


@pytest.mark.parametrize("algorithms", [("HS256", "RS256"), ("RS256", "HS256"), ("ES256", "Ed25519", "HS512")])
def test_secrets_and_public_keys_do_not_mix(algorithms: tuple[str, ...]) -> None:
    """R-ALG-03, F54: HMAC beside a public-key algorithm stops the start, declared as shared or not."""
    for shared in (True, False):
        assert stopped(algorithms=algorithms, shared_secret=shared) == ("issuers.login.algorithms", "R-ALG-03")


@pytest.mark.parametrize("algorithms", [("HS256",), ("HS512", "HS384", "HS256")])
def test_a_secret_must_be_declared_as_shared(algorithms: tuple[str, ...]) -> None:
    """R-ALG-09: HMAC needs the statement that issuer and verifier are one service."""
    assert stopped(algorithms=algorithms) == ("issuers.login.algorithms", "R-ALG-09")
    assert issuer(algorithms=algorithms, shared_secret=True).algorithms == algorithms


@pytest.mark.parametrize("keys", [Discovery(), JwksUri("https://login.example.com/keys")])
def test_a_secret_is_not_fetched(keys: Discovery | JwksUri) -> None:
    """R-ALG-09, R-JWK-13: a secret comes from nowhere but the configuration; public keys may be fetched."""
    assert stopped(algorithms=("HS256",), shared_secret=True, keys=keys) == ("issuers.login.keys", "R-ALG-09")
    assert issuer(keys=keys).keys == keys


@pytest.mark.parametrize("column", ["audience", "client_id", "key_urls"])
def test_a_list_is_not_a_text(column: str) -> None:
    """R-CLM-03: a text in place of a list stops the start; its letters are not taken for audiences."""
    with pytest.raises(ConfigurationError) as caught:
        issuer(**{column: "https://api.example.com"})
    assert caught.value.key == f"issuers.login.{column}"


@pytest.mark.parametrize("wrong", [timedelta(hours=1), float("nan"), -1, True, "3600"], ids=str)
def test_a_lifetime_is_a_number(wrong: Any) -> None:
    """R-CLM-08: a raised life that is no number from zero up stops the start; it is not taken for unbounded."""
    for changes in (
        {"max_lifetime_s": {"access": wrong}},
        {"legacy": dataclasses.replace(LEGACY, max_lifetime_s=wrong)},
    ):
        with pytest.raises(ConfigurationError):
            table_of(issuer(**changes))


def test_an_issuer_is_named_exactly() -> None:
    """R-CLM-02: an issuer without its `iss` stops the start."""
    assert stopped(issuer="") == ("issuers.login.issuer", "R-CLM-02")


def test_inline_keys_are_not_shown() -> None:
    """R-OBS-03: an HMAC secret written into an issuer does not appear when the issuer is shown."""
    keys = InlineKeys([{"kty": "oct", "k": "c2VjcmV0"}])
    assert "c2VjcmV0" not in repr(issuer(keys=keys))
    assert "c2VjcmV0" not in repr(keys)


@pytest.mark.parametrize("namespace", list(Audience))
def test_each_namespace_has_its_audiences(namespace: Audience) -> None:
    """R-CLM-03: the audiences of a class are those of its namespace, and none if none are configured."""
    row = dataclasses.replace(OWN, audience=namespace)
    full = issuer(audience=("api",), client_id=("us", "us-too"), audiences=dict.fromkeys(Audience, ("other",)))
    expected = {Audience.RESOURCE: ("api",), Audience.CLIENT: ("us", "us-too")}
    assert full.audiences_of(row) == expected.get(namespace, ("other",))
    assert issuer(audience=()).audiences_of(row) == ()


def test_no_audience_has_no_audiences() -> None:
    """R-CLS-02: a class that does without an audience has none to compare with."""
    assert issuer(audience=("api",)).audiences_of(dataclasses.replace(OWN, audience=NO_AUDIENCE)) == ()


def table_of(built: Issuer, *accepted: str, custom: tuple[TokenClass, ...] = ()) -> dict[str, TokenClass]:
    """Return the classes an issuer signs if endpoints accept these."""
    return built.class_table({row.name: row for row in custom}, frozenset(accepted))


def unproven(built: Issuer, *accepted: str, custom: tuple[TokenClass, ...] = ()) -> tuple[str, str, str]:
    """Return key, rule and message of the error in place of the classes."""
    with pytest.raises(ConfigurationError) as caught:
        table_of(built, *accepted, custom=custom)
    return caught.value.key, caught.value.rule, caught.value.message


def test_what_an_issuer_signs_by_default() -> None:
    """R-CLS-07: what providers publish, what endpoints accept, and untyped access tokens where switched on."""
    assert table_of(LOGIN) == {name: READY_MADE[name] for name in PUBLISHED}
    assert table_of(LOGIN, "access", "refresh").keys() == PUBLISHED | {"refresh"}
    assert table_of(issuer(legacy=LEGACY)).keys() == PUBLISHED | {"access_legacy"}
    assert table_of(LOGIN, "own", custom=(OWN,)) == {**table_of(LOGIN), "own": OWN}


def test_what_an_issuer_declares() -> None:
    """R-CLS-07: a declaration replaces the default whole, whatever endpoints accept from other issuers."""
    declared = issuer(issues=frozenset({"access", "refresh"}))
    assert list(table_of(declared, "access")) == ["access", "refresh"]
    assert list(table_of(declared, "access", "logout")) == ["access", "refresh"]
    assert table_of(issuer(issues=frozenset())) == {}


@pytest.mark.parametrize("accepted", [("acess",), ()])
def test_an_unknown_class_stops_the_start(accepted: tuple[str, ...]) -> None:
    """R-CLS-01: a class that nobody knows stops the start, with the nearest right spelling."""
    built = LOGIN if accepted else issuer(issues=frozenset({"acess"}))
    key, rule, message = unproven(built, *accepted)
    assert (key, rule) == ("issuers.login.issues", "R-CLS-01")
    assert message == "unknown token class 'acess'; did you mean 'access'?"


def test_a_custom_class_replaces_a_ready_made_one() -> None:
    """R-CLS-02: under a ready-made name the custom class counts."""
    mine = dataclasses.replace(OWN, name="access")
    assert table_of(LOGIN, "access", custom=(mine,))["access"] is mine


def test_overlapping_classes_stop_the_start() -> None:
    """R-CLS-03: the proof runs over all that one issuer signs, and names the issuer."""
    twin = dataclasses.replace(OWN, name="twin")
    key, rule, message = unproven(LOGIN, "own", "twin", custom=(OWN, twin))
    assert (key, rule) == ("issuers.login.issues", "R-CLS-03")
    assert "'own' and as 'twin'" in message


def test_untyped_access_tokens_are_switched_on() -> None:
    """R-CLS-09: access_legacy needs its marker; declaring it is not enough, and accepting it declares nothing."""
    key, rule, _ = unproven(issuer(issues=frozenset({"access_legacy"})), "access_legacy")
    assert (key, rule) == ("issuers.login.access_legacy", "R-CLS-09")
    assert "access_legacy" not in table_of(issuer(), "access_legacy")


def test_a_custom_untyped_class_needs_no_switch() -> None:
    """R-CLS-09: an author's own class of that name states every column, markers included."""
    mine = dataclasses.replace(OWN, name="access_legacy")
    assert table_of(LOGIN, "access_legacy", custom=(mine,))["access_legacy"] is mine


def test_the_marker_is_applied() -> None:
    """R-CLS-09: the untyped access token must hold the marker and the untyped ID token must not."""
    rows = table_of(issuer(legacy=LEGACY))
    assert rows["access_legacy"].one_of == {"token_use": {"access"}}
    assert rows["access_legacy"].expiry == READY_MADE["access_legacy"].expiry
    assert rows["id_token"].none_of == {"token_use": {"access"}}
    assert rows["access"] == READY_MADE["access"]


def test_the_audience_may_have_a_substitute() -> None:
    """R-CLS-09: `audience_from` names the claim that is then required in place of `aud`, for that class alone."""
    rows = table_of(issuer(legacy=dataclasses.replace(LEGACY, audience_from="client_id")))
    assert rows["access_legacy"].required == {"iss", "sub", "exp", "iat", "client_id"}
    assert rows["access_legacy"].audience_claim == "client_id"
    assert rows["id_token"].audience_claim == "aud"
    assert table_of(issuer(legacy=LEGACY))["access_legacy"].required == READY_MADE["access_legacy"].required


def test_a_lifetime_is_raised_by_name() -> None:
    """R-CLM-08, R-CLS-09: the cap of one class of one issuer is raised by its name, and of no other."""
    raised = issuer(
        legacy=dataclasses.replace(LEGACY, max_lifetime_s=86_400.0),
        max_lifetime_s={"access": 7200.0, "access_legacy": 5.0},
    )
    rows = table_of(raised)
    assert rows["access"].expiry == Expires(7200.0)
    assert rows["access_legacy"].expiry == Expires(86_400.0)
    assert rows["id_token"].expiry == READY_MADE["id_token"].expiry
    assert table_of(issuer(legacy=LEGACY, max_lifetime_s={"access_legacy": 5.0}))["access_legacy"].expiry == Expires(
        5.0
    )
    assert table_of(issuer(max_lifetime_s={"access": 0.0}))["access"].expiry == Expires(0.0)


def test_a_lifetime_of_zero_is_a_cap() -> None:
    """R-CLM-08: a cap of nothing is a cap; it is not taken for an absent one."""
    nothing = issuer(legacy=dataclasses.replace(LEGACY, max_lifetime_s=0.0))
    assert table_of(nothing)["access_legacy"].expiry == Expires(0.0)


@pytest.mark.parametrize(
    ("algorithms", "expected"),
    [
        (["ES256"], {"ES256": "ES256"}),
        (["EdDSA"], {"EdDSA": "Ed25519", "Ed25519": "Ed25519"}),
        (["EdDSA", "RS256"], {"RS256": "RS256", "EdDSA": "Ed25519", "Ed25519": "Ed25519"}),
        (["Ed25519"], {"Ed25519": "Ed25519"}),
        (["Ed448"], {"Ed448": "Ed448"}),
        (["EdDSA", "Ed448"], {"Ed448": "Ed448", "EdDSA": "Ed25519", "Ed25519": "Ed25519"}),
        ([], {}),
    ],
)
def test_what_a_label_means(algorithms: list[str], expected: dict[str, str]) -> None:
    """R-ALG-11: EdDSA in the list means Ed25519, and only then do the two labels count as equal."""
    assert labels(algorithms) == expected


def test_an_issuer_does_not_change() -> None:
    """R-POL-06: an issuer in force cannot be changed behind the table's back."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        LOGIN.algorithms = ("RS256",)  # type: ignore[misc]  # the mistake that is tested
