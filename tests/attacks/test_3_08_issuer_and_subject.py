"""RFC 8725, section 3.8: issuer and subject; a key vouches for its own issuer and for nobody else's users."""

from __future__ import annotations

import dataclasses

import pytest

from jwtguard import InlineKeys, Issuer, Reason
from tests.attacks.target import KEY, Target, issuer_of, signed
from tests.kit.forged_key import ForgedKey
from tests.kit.guarded import FORGE, protected
from tests.kit.token_forge import OMIT, TokenForge

ISS = FORGE.issuer
NEIGHBOURS = [
    "https://login.example.com", "https://login.example.com//", "https://login.example.com/.",
    "HTTPS://login.example.com/",
    "https://LOGIN.example.com/", "http://login.example.com/", "https://login.example.com:443/", "login.example.com",
    " https://login.example.com/", "https://login.example.com/ ", "https://login.example.com/\n",
    "https://login.example.com/\x00", "https://login.example.com/?", "https://login.example.com/#",
    "https://login.example.com/x", "https://login.example.com.evil.example/",
    "https://login.example.com@evil.example/",
    "https://evil.example/https://login.example.com/", "https://logi\u0578.example.com/",
    "https://login.example\u3002com/",
    "https://xn--login.example.com/", "https%3A%2F%2Flogin.example.com%2F", "login",
    "https://login.example.com/\u200b",
]  # fmt: skip
NO_STRINGS = [None, 1, True, [], [ISS], {}, {"iss": ISS}, 1.5]
OTHER = TokenForge("https://other.example.com/")


def strangers_key(kid: str = "k1") -> ForgedKey:
    """Another issuer's key under a kid that ours uses too."""
    return ForgedKey("ES256", kid, FORGE.key("ES256", "of the other issuer").private)


def other_issuer(**changes: object) -> Issuer:
    """A second issuer, which the policy trusts as much as the first."""
    return dataclasses.replace(issuer_of(strangers_key(), name="other", issuer=OTHER.issuer), **changes)  # type: ignore[arg-type]  # a test's own


@pytest.mark.parametrize("iss", NEIGHBOURS)
def test_issuers_that_look_like_ours(iss: str) -> None:
    """R-CLM-02, F56: ``iss`` is compared code point by code point: no case, slash, port or spelling is forgiven."""
    Target().refuses(signed(iss=iss), Reason.BAD_ISSUER)


@pytest.mark.parametrize("iss", NO_STRINGS, ids=repr)
def test_issuers_that_are_no_strings(iss: object) -> None:
    """R-CLM-11, F56: an ``iss`` of another JSON type is refused, a list with the right one in it included."""
    Target().refuses(signed(iss=iss), Reason.BAD_CLAIM)


def test_no_issuer_and_an_empty_one() -> None:
    """R-CLM-02, F56: a token that names no issuer is nobody's."""
    Target().refuses(signed(iss=OMIT), Reason.MISSING_CLAIM)
    Target().refuses(signed(iss=""), Reason.BAD_ISSUER, Reason.BAD_CLAIM)


def test_one_issuer_signs_as_the_other() -> None:
    """R-JWK-01, F25: under a shared kid each issuer's key verifies its own tokens alone."""
    target = Target(issuers=[issuer_of(KEY), other_issuer()])
    target.refuses(signed(key=strangers_key()), Reason.BAD_SIGNATURE)
    target.refuses(signed(forge=OTHER), Reason.BAD_SIGNATURE)
    target.lets_in(signed())
    target.lets_in(signed(key=strangers_key(), forge=OTHER))


def test_a_kid_that_only_the_other_issuer_has() -> None:
    """R-JWK-01, F25: a key is looked up inside the issuer that the token names, and nowhere else."""
    target = Target(
        issuers=[
            issuer_of(KEY),
            dataclasses.replace(other_issuer(), keys=InlineKeys([strangers_key("k2").public_jwk()])),
        ]
    )
    target.refuses(signed(key=strangers_key("k2")), Reason.NO_KEY)
    target.lets_in(signed(key=strangers_key("k2"), forge=OTHER))


def test_an_endpoint_for_one_issuer() -> None:
    """R-POL-10: where an endpoint names its issuer, the other one's tokens are refused, remembered ones included."""
    target = Target(
        protected("/reports"), protected("/ours", issuers=("login",)), issuers=[issuer_of(KEY), other_issuer()]
    )
    token = signed(key=strangers_key(), forge=OTHER)
    target.refuses(token, Reason.BAD_ISSUER, path="/ours")
    target.lets_in(token)
    target.refuses(token, Reason.BAD_ISSUER, path="/ours")


def test_the_audience_of_the_other_issuer() -> None:
    """R-POL-10: what one issuer may address does not become the other's to address."""
    elsewhere = other_issuer(audience=("https://files.example.com",))
    target = Target(issuers=[issuer_of(KEY), elsewhere])
    target.refuses(signed(key=strangers_key(), forge=OTHER), Reason.BAD_AUDIENCE)
    target.refuses(signed(aud="https://files.example.com"), Reason.BAD_AUDIENCE)


@pytest.mark.parametrize("sub", ["", None, 0, 1, True, [], ["user-1"], {}, {"id": "user-1"}, 1.0], ids=repr)
def test_subjects_that_are_none(sub: object) -> None:
    """R-CLM-09, F56: ``sub`` is a non-empty string; numbers and lists are not read as one."""
    Target().refuses(signed(sub=sub), Reason.BAD_CLAIM)


@pytest.mark.parametrize("sub", ["x" * 256, "user\x001", "user-1\n", "\x1b[2J", "user\x7f", "user\x85", "\r\nroot"])
def test_subjects_that_would_travel_badly(sub: str) -> None:
    """R-CLM-09: a subject is at most 255 characters, none of them a control."""
    Target().refuses(signed(sub=sub), Reason.BAD_CLAIM)


def test_no_subject() -> None:
    """R-CLM-09: an access token without ``sub`` is refused, also where the header or another claim names one."""
    Target().refuses(signed(sub=OMIT), Reason.MISSING_CLAIM)
    Target().refuses(signed(sub=OMIT, username="root", email="root@example.com"), Reason.MISSING_CLAIM)
    Target().refuses(signed(header={"sub": "user-1"}, sub=OMIT), Reason.MISSING_CLAIM)


@pytest.mark.parametrize(
    "header",
    [{"iss": "https://evil.example/"}, {"sub": "root"}, {"aud": "https://evil.example"}, {"aud": [FORGE.audience]},
     {"iss": None}, {"sub": ["user-1"]}, {"sub": True}],
    ids=repr,
)  # fmt: skip
def test_claims_replicated_into_the_header(header: dict[str, object]) -> None:
    """R-HDR-12: a claim repeated in the header must be the same there, type and all."""
    Target().refuses(signed(header=header), Reason.BAD_HEADER)


def test_a_remembered_header_does_not_carry_its_claims_over() -> None:
    """R-HDR-12: a header that was right for one token is judged anew for the next."""
    target = Target()
    header: dict[str, object] = {"iss": ISS, "sub": "user-1", "aud": FORGE.audience}
    target.lets_in(signed(header=header))
    target.refuses(signed(header=header, sub="user-2"), Reason.BAD_HEADER)
    target.lets_in(signed(header=header))


def test_users_of_two_issuers_are_two_users() -> None:
    """R-IDN-03: the same subject at two issuers is not the same principal."""
    target = Target(issuers=[issuer_of(KEY), other_issuer()])
    target.lets_in(signed())
    target.lets_in(signed(key=strangers_key(), forge=OTHER))
    one, other = (scope["user"] for scope in target.probe.scopes)
    assert one.subject == other.subject
    assert one != other
    assert one.key != other.key
    assert one.identity != other.identity
