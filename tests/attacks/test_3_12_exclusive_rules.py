"""RFC 8725, section 3.12: a token is good for one kind of use, and no trick makes it good for another."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from jwtguard import ConfigurationError, Endpoint, Reason
from jwtguard.core.classes import BACKCHANNEL_LOGOUT
from jwtguard.lint import lint
from tests.attacks.target import Target, claim, signed
from tests.kit.guarded import FORGE, ISSUER, bearer, optional, protected
from tests.kit.token_forge import OMIT

NOT_OURS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "id_token": ({"typ": "JWT"}, {"aud": "client-1", "client_id": OMIT, "scope": OMIT, "nonce": "n"}),
    "id_token-for-us": ({"typ": "JWT"}, {"client_id": OMIT, "scope": OMIT, "nonce": "n"}),
    "id_token-untyped": ({"typ": OMIT}, {"nonce": "n", "at_hash": "h"}),
    "refresh": ({"typ": "rt+jwt"}, {"fam": "f", "gen": 1, "scope": OMIT}),
    "logout": ({"typ": "logout+jwt"}, {"events": {BACKCHANNEL_LOGOUT: {}}}),
    "set": ({"typ": "secevent+jwt"}, {"events": {"x": {}}, "sub_id": {}, "exp": OMIT}),
    "password_reset": ({"typ": "pwreset+jwt"}, {"purpose": "password_reset", "bind": "b"}),
    "client_assertion": ({"typ": "client-authentication+jwt"}, {"sub": FORGE.issuer}),
    "dpop_proof": ({"typ": "dpop+jwt", "jwk": {}}, {"htm": "GET", "htu": "https://x/"}),
}
DISGUISED: dict[str, dict[str, Any]] = {
    "id_token": {"nonce": "n"},
    "id_token-hash": {"at_hash": "h"},
    "id_token-null": {"nonce": None},
    "code-hash": {"c_hash": ""},
    "refresh": {"fam": "f", "gen": 1},
    "refresh-null": {"gen": None},
    "logout": {"events": {BACKCHANNEL_LOGOUT: {}}},
    "events-empty": {"events": {}},
    "set": {"sub_id": {}},
    "password_reset": {"purpose": "password_reset", "bind": "b"},
    "purpose-of-access": {"purpose": "access"},
    "proof": {"htm": "GET", "htu": "https://api.example.com/reports", "ath": "x"},
    "transaction": {"req_wl": "x"},
    "transaction-context": {"tctx": {}},
    "status-list": {"status_list": {}},
    "introspection": {"token_introspection": {}},
}


@pytest.mark.parametrize("name", NOT_OURS)
def test_tokens_of_other_classes(name: str) -> None:
    """R-CLS-01, R-CLS-04: the issuer's other tokens, our audience or not, open no endpoint for access tokens."""
    header, claims = NOT_OURS[name]
    Target().refuses(signed(header=header, **claims), Reason.WRONG_CLASS)


@pytest.mark.parametrize("name", DISGUISED)
def test_tokens_in_the_clothes_of_an_access_token(name: str) -> None:
    """R-CLS-06: under the right type, a member of another class gives it away; a null counts as present."""
    Target().refuses(signed(**DISGUISED[name]), Reason.WRONG_CLASS, Reason.BAD_CLAIM)


@pytest.mark.parametrize("name", ["client_id", "jti", "sub", "exp", "iat", "aud", "iss"])
def test_an_access_token_lacks_nothing(name: str) -> None:
    """R-CLS-02, F56: every claim the class requires is required: absent and null are refused."""
    Target().refuses(signed(**claim(name, OMIT)), Reason.MISSING_CLAIM)
    Target().refuses(signed(**claim(name, None)), Reason.BAD_CLAIM)


def test_an_optional_endpoint_is_no_way_around() -> None:
    """R-POL-09: where a token is optional, a bad one is refused and does not make its sender anonymous."""
    target = Target(optional("/reports"))
    assert target.send().status == 200
    assert not target.probe.scopes[-1]["user"].is_authenticated
    for header, claims in NOT_OURS.values():
        target.refuses(signed(header=header, **claims), Reason.WRONG_CLASS)
    target.refuses(signed(exp=1), Reason.EXPIRED)
    target.refuses_request([(b"authorization", b"Bearer")], Reason.MALFORMED_CREDENTIALS)
    target.refuses_request([bearer(signed()), bearer(signed())], Reason.AMBIGUOUS_CREDENTIALS)


def test_verify_and_the_middleware_do_not_mix_their_classes() -> None:
    """R-CLS-04: a token that ``verify`` took as ID token, and remembered, is no access token a moment later."""
    target = Target(issuers=[dataclasses.replace(ISSUER, client_id=("client-1", FORGE.audience))])
    token = signed(header={"typ": "JWT"}, client_id=OMIT, scope=OMIT, nonce="n")
    assert target.guard.verify(token, accept="id_token").token_class == "id_token"
    target.refuses(token, Reason.WRONG_CLASS)
    access = signed()
    target.lets_in(access)
    assert target.guard.verify(access, accept="access").token_class == "access"


def test_a_bound_token_without_proof() -> None:
    """R-POP-01: a token bound to a sender is no bearer token, whatever its ``cnf`` holds."""
    bindings: list[object] = [{"jkt": "x"}, {"x5t#S256": "x"}, {}, {"jwk": {}}, {"unknown": 1}]
    for cnf in bindings:
        Target().refuses(signed(cnf=cnf), Reason.UNPROVEN_BINDING)
    misshapen: list[object] = [None, "", [], "jkt"]
    for cnf in misshapen:
        Target().refuses(signed(cnf=cnf), Reason.BAD_CLAIM)


SCOPES: list[tuple[object, Reason]] = [
    ("", Reason.SCOPE_MISSING), ("reports:writer", Reason.SCOPE_MISSING), ("reports", Reason.SCOPE_MISSING),
    ("Reports:Write", Reason.SCOPE_MISSING), ("reports:write,x", Reason.SCOPE_MISSING),
    ("x\treports:write", Reason.SCOPE_MISSING), ("x\nreports:write", Reason.SCOPE_MISSING),
    ("x\u00a0reports:write", Reason.SCOPE_MISSING), ("reports:write\u200b", Reason.SCOPE_MISSING),
    ("*", Reason.SCOPE_MISSING), ("reports:*", Reason.SCOPE_MISSING), (["reports:write"], Reason.BAD_CLAIM),
    (None, Reason.BAD_CLAIM), (True, Reason.BAD_CLAIM), ({"reports:write": True}, Reason.BAD_CLAIM),
    (1, Reason.BAD_CLAIM),
]  # fmt: skip


@pytest.mark.parametrize(("scope", "reason"), SCOPES, ids=repr)
def test_scopes_that_are_not_granted(scope: object, reason: Reason) -> None:
    """R-POL-07, R-CLM-11: scopes are the words between single spaces of one string, and match exactly."""
    target = Target(protected("/reports", scopes=frozenset({"reports:write"})))
    target.refuses(signed(scope=scope), reason)


def test_scopes_from_other_claims() -> None:
    """R-POL-07: ``scp``, ``scopes``, ``roles`` and ``permissions`` grant nothing unless an issuer is set up so."""
    target = Target(protected("/reports", scopes=frozenset({"reports:write"})))
    for name in ("scp", "scopes", "roles", "permissions", "authorities", "Scope", "SCOPE"):
        target.refuses(signed(scope=OMIT, **claim(name, "reports:write")), Reason.SCOPE_MISSING)
    target.lets_in(signed(scope="a reports:write b"))


@pytest.mark.parametrize(
    "accept", [("id_token",), ("access", "id_token"), ("refresh",), ("password_reset",), ("logout",)]
)
def test_no_endpoint_may_take_what_no_request_carries(accept: tuple[str, ...]) -> None:
    """R-CLS-10: a policy that lets an ID token, a refresh token or a reset token in as bearer does not start."""
    issuer = dataclasses.replace(ISSUER, client_id=("client-1",))
    with pytest.raises(ConfigurationError):
        Target(Endpoint(match=("/reports",), accept=accept), issuers=[issuer])


@pytest.mark.parametrize(
    "claims",
    [{"exp": 1}, {"exp": "1767225900"}, {"exp": True}, {"exp": -1}, {"exp": 1e300}, {"exp": 253402300800},
    {"exp": [1]},
     {"exp": 1767225570}, {"iat": 1767225631}, {"nbf": 1767225631}, {"nbf": "0"}, {"nbf": False}, {"iat": -1},
     {"iat": None}, {"exp": 1767225600, "iat": 1767225600}, {"nbf": 1767225620, "exp": 1767225615},
     {"exp": 1767225600 + 7200}, {"iat": 0}, {"auth_time": "yesterday"}, {"auth_time": -1}],
    ids=repr,
)  # fmt: skip
def test_times(claims: dict[str, Any]) -> None:
    """R-CLM-05, R-CLM-07, R-CLM-08, F56: times are finite numbers, in order, not over, not to come, not too far."""
    reasons = (Reason.EXPIRED, Reason.NOT_YET_VALID, Reason.BAD_CLAIM, Reason.TOO_LONG_LIVED)
    Target().refuses(signed(**claims), *reasons)


def test_long_lives_are_allowed_by_name_and_reported() -> None:
    """R-LIF-02: a token of a day is refused, unless the issuer's cap is raised by name, which the lint tells."""
    day = signed(exp=1767225600 + 86_400)
    Target().refuses(day, Reason.TOO_LONG_LIVED)
    target = Target(issuers=[dataclasses.replace(ISSUER, max_lifetime_s={"access": 86_400.0})])
    target.lets_in(day)
    findings = lint(target.guard.table, target.guard.snapshot.ring.held)
    assert [(found.rule, found.at) for found in findings if "minutes" in found.message] == [
        ("R-LIF-02", "issuers.login.max_lifetime")
    ]


@pytest.mark.parametrize(("offset", "good"), [(29, True), (29.9, True), (30, False), (31, False)])
def test_the_last_moment(offset: float, good: bool) -> None:  # noqa: FBT001 - a column of the table
    """R-CLM-05, R-CLM-06: a token ends thirty seconds after ``exp`` and not a moment later, remembered or not."""
    target = Target()
    token = signed()
    target.lets_in(token)
    target.clock.step_wall(300 + offset)
    for _ in range(2):
        if good:
            target.lets_in(token)
        else:
            target.refuses(token, Reason.EXPIRED)
