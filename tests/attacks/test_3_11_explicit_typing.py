"""RFC 8725, section 3.11: the header type says what a token is, and nothing like it does."""

from __future__ import annotations

import dataclasses
from datetime import date
from typing import Any

import pytest

from jwtguard import Endpoint, HeaderKey, Issuer, Legacy, Marker, Reason, TokenClass
from jwtguard.core.classes import READY_MADE
from tests.attacks.target import KEY, Target, signed
from tests.kit.guarded import FORGE, ISSUER
from tests.kit.token_forge import OMIT

LIKE_ACCESS = [
    "", " ", "at", "jwt", "JWT", "at+jwt ", " at+jwt", "at +jwt", "at+jwt\n", "at+jwt\0", "at+jwt;",
    "at+jwt; charset=utf-8",
    "at-jwt", "at%2Bjwt", "at jwt", "at+jwts", "xat+jwt", "at+JW\u0442", "\uff41t+jwt", "at+jwt\u200b", "at+jwt,jwt",
    "application/", "application/at", "application/application/at+jwt", "application//at+jwt", "application/ at+jwt",
    "text/at+jwt", "applicatio\u0274/at+jwt", "/at+jwt", "at+jwt/", "*/*", "application/*", "application/jwt",
    "application\\at+jwt", "APPLICATION/JWT", "JOSE", "JOSE+JSON", "id+jwt", "rt+jwt", "logout+jwt", "dpop+jwt",
    "secevent+jwt", "pwreset+jwt", "application/rt+jwt", "AT+JWT+AT", "none", "null",
]  # fmt: skip
SAME = ["at+jwt", "AT+JWT", "At+Jwt", "application/at+jwt", "APPLICATION/AT+JWT", "Application/at+JWT"]
NO_STRINGS: list[object] = [None, True, 1, [], ["at+jwt"], {}, {"typ": "at+jwt"}]


@pytest.mark.parametrize("typ", LIKE_ACCESS)
def test_types_that_look_like_the_right_one(typ: str) -> None:
    """R-HDR-07, R-CLS-06: only case and one ``application/`` are forgiven (RFC 7515, section 4.1.9)."""
    Target().refuses(signed(header={"typ": typ}), Reason.WRONG_CLASS)


@pytest.mark.parametrize("typ", SAME)
def test_the_spellings_that_mean_the_same(typ: str) -> None:
    """R-HDR-07: a media type is compared without case and without ``application/``."""
    Target().lets_in(signed(header={"typ": typ}))


@pytest.mark.parametrize("typ", ["\u212abis+jwt", "KB\u0130S+JWT", "kbi\u017f+jwt", "\uff4bbis+jwt"])
def test_unicode_case_is_no_case(typ: str) -> None:
    """R-HDR-07: letters that become ASCII in lower or upper case, such as the Kelvin sign, stay what they are."""
    own = dataclasses.replace(READY_MADE["access"], name="own", typ=frozenset({"kbis+jwt"}))
    target = Target(Endpoint(match=("/reports",), accept=("own",)), classes=[own])
    target.refuses(signed(header={"typ": typ}), Reason.WRONG_CLASS)
    target.lets_in(signed(header={"typ": "KBIS+jwt"}))


@pytest.mark.parametrize("typ", ["application/text/own+jwt", "own+jwt", "application/own+jwt", "TEXT/OWN"])
def test_a_type_of_another_tree(typ: str) -> None:
    """R-HDR-07: ``application/`` is left out before a type without a slash, and before no other."""
    own = dataclasses.replace(READY_MADE["access"], name="own", typ=frozenset({"text/own+jwt"}))
    target = Target(Endpoint(match=("/reports",), accept=("own",)), classes=[own])
    target.refuses(signed(header={"typ": typ}), Reason.WRONG_CLASS)
    target.lets_in(signed(header={"typ": "Text/OWN+jwt"}))


@pytest.mark.parametrize("typ", NO_STRINGS, ids=repr)
def test_types_that_are_no_strings(typ: object) -> None:
    """R-HDR-07: a ``typ`` of another JSON type is a bad header; null is not absent."""
    Target().refuses(signed(header={"typ": typ}), Reason.BAD_HEADER)


def test_no_type_at_all() -> None:
    """R-CLS-06: where the class has a type of its own, a token without one is of another class."""
    Target().refuses(signed(header={"typ": OMIT}), Reason.WRONG_CLASS)


def test_the_type_in_the_claims() -> None:
    """R-CLS-06: a ``typ`` claim is a claim, and ``cty`` is no ``typ``."""
    Target().refuses(signed(header={"typ": "JWT", "cty": "at+jwt"}, typ="at+jwt"), Reason.WRONG_CLASS)


def legacy_issuer() -> Issuer:
    """An issuer whose access tokens have no type, and hold ``scp`` where its ID tokens never do."""
    return dataclasses.replace(ISSUER, legacy=Legacy(Marker("scp"), date(2026, 1, 1)), client_id=("client-1",))


def untyped(**claims: Any) -> bytes:
    """A token without a type."""
    return signed(header={"typ": OMIT}, **{"client_id": OMIT, "scope": OMIT, **claims})


def test_the_opt_in_opens_no_other_endpoint() -> None:
    """R-CLS-09: an issuer with untyped access tokens still needs the typed ones where ``access`` is asked for."""
    target = Target(
        Endpoint(match=("/legacy",), accept=("access_legacy",)), Endpoint(match=("/reports",), accept=("access",)),
        issuers=[legacy_issuer()],
    )  # fmt: skip
    token = untyped(scp="read")
    target.lets_in(token, "/legacy")
    target.refuses(token, Reason.WRONG_CLASS)
    target.refuses(signed(scp="read"), Reason.WRONG_CLASS, path="/legacy")
    target.lets_in(token, "/legacy")


@pytest.mark.parametrize(
    "claims",
    [{}, {"scp": None}, {"scp": "read", "nonce": "n"}, {"scp": "read", "at_hash": "h"}, {"scp": "read", "events": {}},
     {"scp": "read", "purpose": "password_reset"}, {"scp": "read", "sub": "spiffe://example.com/x"},
     {"scp": "read", "sub": FORGE.issuer}, {"scp": "read", "typ": "at+jwt", "htm": "GET"}],
    ids=repr,
)  # fmt: skip
def test_an_untyped_token_without_its_marker_or_with_that_of_another(claims: dict[str, Any]) -> None:
    """R-CLS-09: the marker must be there, with a value, and nothing that another untyped class would hold."""
    target = Target(Endpoint(match=("/reports",), accept=("access_legacy",)), issuers=[legacy_issuer()])
    target.refuses(untyped(**claims), Reason.WRONG_CLASS, Reason.MISSING_CLAIM, Reason.BAD_CLAIM)


def test_a_type_shared_by_two_classes_that_differ_in_the_header() -> None:
    """R-HDR-03, R-CLS-03: where one class carries its key and the other may not, the header tells them apart.

    Both are accepted here and share a type. What fits the claims of the class that must carry a key is
    refused without one, and what fits the claims of the other is refused with one.
    """
    plain = dataclasses.replace(
        READY_MADE["access"],
        name="plain",
        typ=frozenset({"own+jwt"}),
        required=READY_MADE["access"].required | {"scope"},
    )
    keyed: TokenClass = dataclasses.replace(
        READY_MADE["access"], name="keyed", typ=plain.typ, header_key=HeaderKey.REQUIRED
    )
    for accept in (("plain", "keyed"), ("keyed", "plain")):
        endpoint = Endpoint(match=("/reports",), accept=accept)
        target = Target(endpoint, classes=[plain, keyed])
        bare, carrying = {"typ": "own+jwt"}, {"typ": "own+jwt", "jwk": KEY.public_jwk()}
        target.refuses(signed(header=bare, scope=OMIT), Reason.BAD_HEADER, Reason.MISSING_CLAIM, Reason.WRONG_CLASS)
        target.lets_in(signed(header=bare))
        target.lets_in(signed(header=carrying, scope=OMIT))
        assert target.probe.scopes[-1]["user"].token_class == "keyed"
