"""RFC 8725, section 3.9: a token for somebody else is refused here, however close the name."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from jwtguard import Audience, ConfigurationError, Reason, Refusal
from jwtguard.core.classes import READY_MADE
from tests.attacks.target import Target, claim, signed
from tests.kit.guarded import FORGE, ISSUER, protected
from tests.kit.token_forge import OMIT

AUD = FORGE.audience
NEIGHBOURS = [
    "", " ", "https://api.example.com/", "https://api.example.com ", " https://api.example.com",
    "https://API.example.com",
    "HTTPS://api.example.com", "http://api.example.com", "https://api.example.com:443", "https://api.example.co",
    "https://api.example.com.evil.example", "https://api.example.com,https://x", "https://x https://api.example.com",
    "https://api.example.com\n", "https://api.example.com\x00", "api.example.com", "*", "https://*.example.com", "%",
    '["https://api.example.com"]', "https://\u0430pi.example.com", "https://api.example.com\u200b", "client-1",
]  # fmt: skip
MISSHAPEN: list[object] = [
    None, True, 0, 1.5, {}, {AUD: True}, {"aud": AUD}, [AUD, None], [AUD, 1], [[AUD]], [AUD, [AUD]], [{"aud": AUD}],
]  # fmt: skip


@pytest.mark.parametrize("aud", NEIGHBOURS)
def test_audiences_that_look_like_ours(aud: str) -> None:
    """R-CLM-03, F56: an audience matches as a whole and exactly, alone or as the one member of an array."""
    target = Target()
    target.refuses(signed(aud=aud), Reason.BAD_AUDIENCE)
    target.refuses(signed(aud=[aud]), Reason.BAD_AUDIENCE)


@pytest.mark.parametrize("aud", MISSHAPEN, ids=repr)
def test_audiences_of_another_shape(aud: object) -> None:
    """R-CLM-03, R-CLM-11, F56: a string or an array of strings; the right one among wrong ones does not help."""
    Target().refuses(signed(aud=aud), Reason.BAD_CLAIM)


def test_no_audience() -> None:
    """R-CLM-03, F56: without an audience, or with an empty list of them, a token is for nobody."""
    Target().refuses(signed(aud=OMIT), Reason.MISSING_CLAIM)
    Target().refuses(signed(aud=[]), Reason.BAD_AUDIENCE)


def test_substitutes_for_an_audience() -> None:
    """R-CLM-03: neither ``azp`` nor ``client_id`` nor ``resource`` stands in for ``aud`` unasked."""
    for name in ("azp", "client_id", "resource", "audience", "Aud", "AUD"):
        Target().refuses(signed(aud=OMIT, **claim(name, AUD)), Reason.MISSING_CLAIM)


def test_ours_among_others() -> None:
    """R-CLM-03: one exact match is enough, wherever it stands."""
    target = Target()
    target.lets_in(signed(aud=["https://x.example.com", AUD]))
    target.lets_in(signed(aud=[AUD, AUD]))


def test_every_endpoint_has_an_audience_of_its_own() -> None:
    """R-CLM-03: where endpoints narrow the audience, a token for one is refused at the other, warm and cold."""
    audiences = ("https://a.example.com", "https://b.example.com")
    issuer = dataclasses.replace(ISSUER, audience=audiences)
    ends = [protected(f"/{name}", audience=(f"https://{name}.example.com",)) for name in "ab"]
    target = Target(*ends, protected("/both"), issuers=[issuer])
    for mine, other in (("a", "b"), ("b", "a")):
        token = signed(aud=f"https://{mine}.example.com")
        target.refuses(token, Reason.BAD_AUDIENCE, path=f"/{other}")
        target.lets_in(token, f"/{mine}")
        target.lets_in(token, "/both")
        target.refuses(token, Reason.BAD_AUDIENCE, path=f"/{other}")
        target.lets_in(token, f"/{mine}")


@pytest.mark.parametrize("audience", [(), ("https://elsewhere.example.com",)], ids=["none", "not-the-issuers"])
def test_a_policy_without_audience_does_not_start(audience: tuple[str, ...]) -> None:
    """R-CLM-03: an endpoint whose tokens could be anybody's stops start-up."""
    issuer = ISSUER if audience else dataclasses.replace(ISSUER, audience=())
    with pytest.raises(ConfigurationError) as refused:
        Target(protected("/reports", audience=audience), issuers=[issuer])
    assert refused.value.rule == "R-CLM-03"


SOLE: list[tuple[str, str, dict[str, Any]]] = [
    ("client_assertion", FORGE.issuer, {"sub": FORGE.issuer}),
    ("action", "https://app.example.com/act", {"purpose": "action", "bind": "b"}),
]


@pytest.mark.parametrize(("name", "ours", "claims"), SOLE, ids=[name for name, _, _ in SOLE])
def test_an_audience_that_must_be_the_only_one(name: str, ours: str, claims: dict[str, Any]) -> None:
    """R-CLM-04: a client assertion or an action token that is also meant for somebody else is refused.

    Whoever that is could present it to us (audience injection, RFC 10070 section 4).
    """
    audiences = {Audience.ISSUER: (FORGE.issuer,), Audience.ACTION: ("https://app.example.com/act",)}
    issuer = dataclasses.replace(ISSUER, audiences=audiences, issues=frozenset({"access", name}))
    guard = Target(issuers=[issuer]).guard
    (typ,) = READY_MADE[name].typ

    def made_for(aud: object) -> bytes:
        return signed(header={"typ": typ}, client_id=OMIT, scope=OMIT, **{**claims, "aud": aud})

    for alone in (ours, [ours]):
        assert guard.verify(made_for(alone), accept=name).audiences == (ours,)
    for shared in ([ours, "https://evil.example.com/token"], ["https://evil.example.com/token", ours]):
        with pytest.raises(Refusal) as refused:
            guard.verify(made_for(shared), accept=name)
        assert refused.value.reason is Reason.BAD_AUDIENCE
