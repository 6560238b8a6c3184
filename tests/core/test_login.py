"""ID tokens at login: nonce, parties, hashes, time of authentication (R-CLS-11; OpenID Connect Core, 3.1.3.7)."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
from typing import Any

import pytest

from jwtguard import ConfigurationError, Reason
from jwtguard.core.claims import ClaimsSet, validate_claims
from jwtguard.core.keys import VerificationKey
from jwtguard.core.login import NO_NONCE, LoginExpectations, check_login, left_half
from tests.core.policies import FORGE, NOW, profile, told, verified
from tests.kit.token_forge import OMIT

CLIENT, NONCE, ACCESS_TOKEN, CODE = FORGE.audience, "n-0S6_WzA2Mj", "canary.access.token", "canary-code"
ID_TOKEN = profile("id_token")
BAD, MISSING, AUDIENCE = Reason.BAD_CLAIM, Reason.MISSING_CLAIM, Reason.BAD_AUDIENCE
SENT = LoginExpectations(nonce=NONCE)


def id_token(*, alg: str = "ES256", **changes: Any) -> ClaimsSet:
    """The validated claims of an ID token for our client."""
    claims = FORGE.access_claims(now=NOW, client_id=OMIT, scope=OMIT, **{"nonce": NONCE, **changes})
    claims_set = validate_claims(verified(claims), (ID_TOKEN,), 255, NOW)
    claims_set.key = VerificationKey("k1", alg, "fingerprint", lambda _message, _signature: True)
    return claims_set


def login(claims_set: ClaimsSet, *, now: float = NOW, **expected: Any) -> None:
    """Check a login that sent the nonce."""
    check_login(claims_set, dataclasses.replace(SENT, **expected), now=now)


def refused(claims_set: ClaimsSet, *, now: float = NOW, **expected: Any) -> tuple[Reason, str]:
    """Reason and check of a refused login."""
    return told(lambda: login(claims_set, now=now, **expected))[:2]


def half(digest: bytes) -> str:
    """The left half of a digest in base64url, as another implementation would write it."""
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).decode().rstrip("=")


def test_a_token_of_this_login_passes() -> None:
    """R-CLS-11: with its nonce, for our client alone, nothing else is demanded."""
    login(id_token())


def test_a_login_without_a_nonce_says_so() -> None:
    """R-CLS-11: ``NO_NONCE`` accepts a token without nonce."""
    login(id_token(nonce=OMIT), nonce=NO_NONCE)


@pytest.mark.parametrize(
    ("held", "sent", "reason"),
    [
        ("another", NONCE, BAD),
        (NONCE.lower(), NONCE, BAD),
        (f"{NONCE} ", NONCE, BAD),
        (NONCE[:-1], NONCE, BAD),
        ("", NONCE, BAD),
        ("ünï", NONCE, BAD),
        (OMIT, NONCE, MISSING),
        (NONCE, NO_NONCE, BAD),
        ("", NO_NONCE, BAD),
    ],
)
def test_the_nonce_must_be_the_one_sent(held: object, sent: Any, reason: Reason) -> None:
    """R-CLS-11: equal character for character, required once sent, and absent if none was."""
    assert refused(id_token(nonce=held), nonce=sent) == (reason, "nonce")


@pytest.mark.parametrize("nonce", [None, "", b"n-1", 0])
def test_a_lost_session_is_no_login_without_nonce(nonce: Any) -> None:
    """R-CLS-11: what ``session.get("nonce")`` gives without a session is an error, not ``NO_NONCE``."""
    with pytest.raises(ConfigurationError):
        LoginExpectations(nonce=nonce)


@pytest.mark.parametrize(
    ("claims", "trusted"),
    [
        ({"azp": CLIENT}, ()),
        ({"aud": [CLIENT]}, ()),
        ({"aud": [CLIENT, "partner"], "azp": CLIENT}, ("partner",)),
        ({"aud": ["partner", CLIENT], "azp": CLIENT}, ("partner", "other")),
        ({"aud": [CLIENT, "second"], "azp": "second"}, ()),
    ],
)
def test_tokens_for_us_and_those_we_trust_pass(claims: dict[str, Any], trusted: tuple[str, ...]) -> None:
    """R-CLS-11: extra audiences that are trusted, an ``azp`` that is one of our client ids."""
    claims_set = id_token(**claims)
    if claims.get("azp") == "second":
        claims_set.profile = profile("id_token")
        claims_set.profile.audiences = frozenset({CLIENT, "second"})
    login(claims_set, trusted_audiences=frozenset(trusted))


@pytest.mark.parametrize(
    ("claims", "trusted", "expected"),
    [
        ({"aud": [CLIENT, "partner"], "azp": CLIENT}, (), (AUDIENCE, "aud")),
        ({"aud": [CLIENT, "partner", "evil"], "azp": CLIENT}, ("partner",), (AUDIENCE, "aud")),
        ({"aud": [CLIENT, "partner"]}, ("partner",), (MISSING, "azp")),
        ({"azp": "partner"}, (), (AUDIENCE, "azp")),
        ({"azp": ""}, (), (AUDIENCE, "azp")),
        ({"aud": [CLIENT, "partner"], "azp": "partner"}, ("partner",), (AUDIENCE, "azp")),
        ({"azp": "partner"}, ("partner",), (AUDIENCE, "azp")),
    ],
)
def test_tokens_for_others_are_refused(
    claims: dict[str, Any], trusted: tuple[str, ...], expected: tuple[Reason, str]
) -> None:
    """R-CLS-11: unknown extra audiences, and an ``azp`` that is not ours or missing where several are named."""
    assert refused(id_token(**claims), trusted_audiences=frozenset(trusted)) == expected


@pytest.mark.parametrize(
    ("alg", "digest"),
    [
        *[(alg, "sha256") for alg in ("ES256", "RS256", "PS256", "HS256")],
        *[(alg, "sha384") for alg in ("ES384", "RS384", "PS384", "HS384")],
        *[(alg, "sha512") for alg in ("ES512", "RS512", "PS512", "HS512", "Ed25519")],
    ],
)
@pytest.mark.parametrize(("name", "what"), [("at_hash", "access_token"), ("c_hash", "code")])
def test_hashes_are_those_of_the_algorithm(alg: str, digest: str, name: str, what: str) -> None:
    """R-CLS-11: at_hash and c_hash are the left half of the hash of the ID token's own algorithm."""
    value = {"access_token": ACCESS_TOKEN, "code": CODE}[what]
    good = half(hashlib.new(digest, value.encode()).digest())
    login(id_token(alg=alg, **{name: good}), **{what: value})
    assert refused(id_token(alg=alg, **{name: good}), **{what: f"{value}x"}) == (BAD, name)
    other = "sha256" if digest != "sha256" else "sha512"
    wrong = half(hashlib.new(other, value.encode()).digest())
    assert refused(id_token(alg=alg, **{name: wrong}), **{what: value}) == (BAD, name)


def test_ed448_hashes_with_shake256() -> None:
    """R-CLS-11: Ed448 has no SHA; its own hash is SHAKE256 with 114 bytes."""
    digest = hashlib.shake_256(ACCESS_TOKEN.encode()).digest(114)
    login(id_token(alg="Ed448", at_hash=half(digest)), access_token=ACCESS_TOKEN)


def test_the_example_of_the_specification() -> None:
    """R-CLS-11: at_hash and c_hash of OpenID Connect Core, appendix A.4 and A.6."""
    assert left_half("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y", "RS256") == "77QmUPtjPfzWtF2AnpK9RQ"
    assert left_half("Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk", "RS256") == "LDktKdoQak3Pk0cnXxCltA"


@pytest.mark.parametrize(("name", "what"), [("at_hash", "access_token"), ("c_hash", "code")])
def test_a_hash_is_never_skipped(name: str, what: str) -> None:
    """R-CLS-11: present, it is checked, so what it hashes must be given; demanded, it must be present."""
    held = id_token(**{name: half(hashlib.sha256(CODE.encode()).digest())})
    assert refused(held) == (BAD, name)
    assert refused(held, **{"access_token" if what == "code" else "code": CODE}) == (BAD, name)
    assert refused(id_token(), required_hashes=frozenset({name}), **{what: CODE}) == (MISSING, name)
    login(id_token(), **{what: CODE})
    assert refused(id_token(**{name: ""}), **{what: CODE}) == (BAD, name)


@pytest.mark.parametrize("ago_s", [0, 60, 90, -30])
def test_a_recent_authentication_passes(ago_s: float) -> None:
    """R-CLS-11: auth_time within max_age, leeway of 30 s included on both sides."""
    login(id_token(auth_time=NOW - ago_s), max_age_s=60)


@pytest.mark.parametrize(
    ("auth_time", "max_age_s", "expected"),
    [
        (OMIT, 60, (MISSING, "auth_time")),
        (OMIT, 0, (MISSING, "auth_time")),
        (NOW - 90.5, 60, (Reason.TOO_OLD, "now - auth_time")),
        (NOW - 31, 0, (Reason.TOO_OLD, "now - auth_time")),
        (NOW + 30.5, 60, (Reason.NOT_YET_VALID, "auth_time")),
    ],
)
def test_an_authentication_too_long_ago_is_refused(
    auth_time: object, max_age_s: float, expected: tuple[Reason, str]
) -> None:
    """R-CLS-11: a max_age that was asked for is held to, also when the claim is missing."""
    assert refused(id_token(auth_time=auth_time), max_age_s=max_age_s) == expected


def test_without_max_age_nothing_is_asked_of_auth_time() -> None:
    """R-CLS-11: auth_time counts once max_age was asked for."""
    login(id_token(auth_time=NOW - 86_400))


@pytest.mark.parametrize(
    "columns",
    [
        {"max_age_s": -1},
        {"max_age_s": True},
        {"max_age_s": "60"},
        {"trusted_audiences": "partner"},
        {"required_hashes": frozenset({"s_hash"})},
        {"access_token": ""},
        {"code": ""},
    ],
)
def test_expectations_that_expect_nothing_are_refused(columns: dict[str, Any]) -> None:
    """R-CLS-11: a slip of the application is an error, never a check left out."""
    with pytest.raises(ConfigurationError):
        dataclasses.replace(SENT, **columns)


def test_nothing_of_the_login_is_shown() -> None:
    """F58: neither the expectations nor a refusal show nonce, access token or code."""
    expected = LoginExpectations(nonce=NONCE, access_token=ACCESS_TOKEN, code=CODE)
    refusal = told(lambda: check_login(id_token(nonce="another"), expected, now=NOW))
    for secret in (NONCE, ACCESS_TOKEN, CODE):
        assert secret not in repr(expected)
        assert secret not in repr(refusal)
