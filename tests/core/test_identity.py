"""The identity: typed, read-only, and made by nobody but the verifier (R-IDN-01 to R-IDN-04)."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from unittest.mock import ANY

import pytest
from starlette.authentication import BaseUser

from jwtguard import Identity, Kind
from jwtguard.core.claims import ClaimsSet
from jwtguard.core.policy import Profile
from tests.core.policies import FORGE, NOW, issuer, profile, verified
from tests.kit.token_forge import OMIT

ANONYMOUS = Identity(None, "public pages")
PROPERTIES = sorted(name for name, value in vars(Identity).items() if isinstance(value, property))


def identity(under: Profile | None = None, **changes: Any) -> Identity:
    """The identity of an access token with changed claims."""
    claims = FORGE.access_claims(now=NOW, **changes)
    held = ClaimsSet(verified(claims), under or profile(), ("a", "b"), frozenset({"read", "write"}), (0.0, 1e12))
    return Identity(held, "reports")


def test_what_an_identity_says() -> None:
    """R-IDN-01: each claim has its typed attribute."""
    who = identity(acr="2", amr=["pwd", "otp"], auth_time=NOW - 9, sid="s1", jti="j1")
    assert who.is_authenticated is True
    assert (who.issuer, who.subject, who.client_id) == (FORGE.issuer, "user-1", "client-1")
    assert (who.token_class, who.kind, who.policy) == ("access", Kind.USER, "reports")
    assert (who.audiences, who.scopes) == (("a", "b"), frozenset({"read", "write"}))
    assert (who.acr, who.amr, who.auth_time, who.session_id, who.jti) == ("2", ("pwd", "otp"), NOW - 9, "s1", "j1")
    assert (who.issued_at, who.expires_at) == (NOW, NOW + 300)
    assert (who.actors, who.binding, who.tenant) == ((), "none", "")
    assert who.display_name == "user-1"


def test_what_an_identity_does_not_say() -> None:
    """R-IDN-01: an absent claim is empty or None, and never somebody else's value."""
    bare = identity(client_id=OMIT, jti=OMIT, exp=OMIT, iat=OMIT, sub=OMIT, iss=OMIT)
    assert (bare.client_id, bare.jti, bare.acr, bare.session_id, bare.subject, bare.issuer) == ("",) * 6
    assert (bare.issued_at, bare.expires_at, bare.auth_time, bare.amr) == (None, None, None, ())
    assert bare.kind is Kind.CLIENT


def test_nobody() -> None:
    """R-IDN-01: where no token was needed the identity is anonymous: no strings, no members, no times."""
    assert ANONYMOUS.is_authenticated is False
    assert (ANONYMOUS.kind, ANONYMOUS.policy, ANONYMOUS.binding) == (Kind.ANONYMOUS, "public pages", "none")
    empty = {
        name: getattr(ANONYMOUS, name) for name in PROPERTIES if name not in {"kind", "policy", "binding", "good_until"}
    }
    assert ANONYMOUS.good_until == float("inf")
    assert {name: value for name, value in empty.items() if value and value != ("", "")} == {}
    assert (ANONYMOUS.claims, ANONYMOUS.scopes, ANONYMOUS.audiences) == ({}, frozenset(), ())
    assert (ANONYMOUS.token_class, ANONYMOUS.tenant, ANONYMOUS.identity, ANONYMOUS.actors) == ("", "", "", ())
    assert (ANONYMOUS.issued_at, ANONYMOUS.expires_at, ANONYMOUS.auth_time) == (None, None, None)


@pytest.mark.parametrize("name", PROPERTIES)
@pytest.mark.parametrize("who", [identity(), ANONYMOUS], ids=["somebody", "nobody"])
def test_an_identity_does_not_change(who: Identity, name: str) -> None:
    """R-IDN-01: no attribute can be set or deleted, and none can be added."""
    with pytest.raises(AttributeError):
        setattr(who, name, "me")
    with pytest.raises(AttributeError):
        delattr(who, name)
    with pytest.raises(AttributeError):
        who.role = "admin"  # type: ignore[attr-defined]  # the mistake that is tested


def test_claims_do_not_change() -> None:
    """R-IDN-01: all claims are there to read, at no depth to write, and the original is not within reach."""
    original: dict[str, object] = {"list": [1, {"deep": [2]}]}
    who = identity(x=original, roles=["admin"])
    claims = who.claims
    assert claims["roles"] == ("admin",)
    assert claims["x"] == {"list": (1, {"deep": (2,)})}
    assert isinstance(claims, MappingProxyType)
    nested = claims["x"]
    assert isinstance(nested, MappingProxyType)
    assert isinstance(nested["list"][1], MappingProxyType)
    original["list"] = "changed"
    assert nested["list"] == (1, {"deep": (2,)})
    assert (who.claims["sub"], who.claims["exp"]) == ("user-1", NOW + 300)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, Kind.USER),
        ({"sub": "client-1"}, Kind.CLIENT),
        ({"sub": "x", "client_id": OMIT, "azp": "x"}, Kind.CLIENT),
        ({"sub": "x", "client_id": "y", "azp": "x"}, Kind.CLIENT),
        ({"sub": OMIT, "client_id": OMIT}, Kind.CLIENT),
        ({"sub": "spiffe://prod/billing"}, Kind.WORKLOAD),
    ],
)
def test_a_client_is_no_user(changes: dict[str, Any], kind: Kind) -> None:
    """R-CLM-10: a token whose subject is its own client is never taken for a user."""
    assert identity(**changes).kind is kind


def test_the_client_a_token_was_issued_to() -> None:
    """R-IDN-01: client_id, else azp, if they are strings."""
    assert identity(azp="other").client_id == "client-1"
    assert identity(client_id=OMIT, azp="other").client_id == "other"
    assert identity(client_id=7, azp="other").client_id == "other"


def test_an_identity_is_its_issuer_and_subject() -> None:
    """R-IDN-03: the key of a principal is the pair of issuer and subject, and e-mail or name take no part."""
    who = identity(email="a@example.com", name="A")
    assert who.key == (FORGE.issuer, "user-1")
    assert who.identity == f"{FORGE.issuer}#user-1"
    same = identity(email="b@example.com", jti="other", client_id="client-2")
    assert who == same
    assert hash(who) == hash(same) == hash(who.key)
    for other in (identity(sub="user-2"), identity(iss="https://other.example.com/"), ANONYMOUS, who.key, None):
        assert who != other
    assert who == ANY  # the other side is asked, too
    assert {who, same, identity(sub="user-2")} == {who, identity(sub="user-2")}


def test_nobody_is_nobody_else() -> None:
    """R-IDN-03: two anonymous callers are not the same principal; one is itself."""
    assert Identity(None, "x") != Identity(None, "x")
    assert ANONYMOUS in [ANONYMOUS]
    assert ANONYMOUS.__eq__(ANONYMOUS) is True
    assert identity() != ANONYMOUS
    assert Identity(None, "x") != identity(sub="", iss="")


@pytest.mark.parametrize(("claim", "tenant"), [(None, ""), ("tid", "t-1"), ("org", ""), ("number", "")])
def test_the_tenant(claim: str | None, tenant: str) -> None:
    """R-IDN-01: the tenant is the claim that the issuer's configuration names, if it is a string."""
    under = profile(of=issuer(tenant_claim=claim))
    assert identity(under, tid="t-1", number=7, tenant="other").tenant == tenant


@pytest.mark.parametrize(
    ("act", "actors"),
    [
        (OMIT, ()),
        ({}, ("",)),
        ({"sub": "a"}, ("a",)),
        ({"sub": "a", "act": {"sub": "b", "act": {"x": 1}}}, ("a", "b", "")),
        ({"sub": "a", "act": "b"}, ("a",)),
        ("a", ()),
    ],
)
def test_who_acts(act: object, actors: tuple[str, ...]) -> None:
    """R-IDN-06: the chain of actors, the current one first."""
    assert identity(act=act).actors == actors


def test_a_chain_of_actors_ends() -> None:
    """R-IDN-06: the chain is told from the current actor back; the claims stage bounds its length."""
    chain: dict[str, object] = {"sub": "a3"}
    for number in (2, 1):
        chain = {"sub": f"a{number}", "act": chain}
    assert identity(act=chain).actors == ("a1", "a2", "a3")


def test_methods_of_authentication() -> None:
    """R-IDN-01: amr is a tuple of strings, whatever the array holds."""
    assert identity(amr=["pwd", 1]).amr == ("pwd", "1")
    assert identity(amr="pwd").amr == ()
    assert identity(amr=[]).amr == ()


@pytest.mark.parametrize("name", ["auth_time", "exp", "iat"])
def test_times_are_numbers(name: str) -> None:
    """R-IDN-01: a time that is none is not shown as one."""
    attribute = {"auth_time": "auth_time", "exp": "expires_at", "iat": "issued_at"}[name]
    for value, shown in ((1.5, 1.5), (7, 7), ("1.5", None), (None, None)):
        changes: dict[str, Any] = {name: value}
        assert getattr(identity(**changes), attribute) == shown


def test_an_identity_shows_no_claim() -> None:
    """R-IDN-02, R-OBS-03: what is shown are configured names and the kind of caller."""
    who = identity(sub="secret-user", jti="secret-id")
    for shown in (repr(who), str(who), f"{who}"):
        assert shown == "<Identity user by <Profile login/access> at 'reports'>"
    assert repr(ANONYMOUS) == "<Identity anonymous at 'public pages'>"


def test_an_identity_is_not_pickled() -> None:
    """R-IDN-02: an identity of a real key does not travel, and the error shows no claim."""
    with pytest.raises(Exception, match=r"(?i)pickle") as stopped:
        pickle.dumps(identity(sub="secret-user"))
    assert "secret-user" not in str(stopped.value)


def test_only_a_claims_set_makes_an_identity() -> None:
    """R-IDN-04: there is no way to an authenticated identity but a validated claims set."""
    assert list(inspect.signature(Identity).parameters) == ["claims", "policy", "under"]
    assert Identity(None, "x").is_authenticated is False
    assert not [name for name in dir(Identity) if "token" in name and name != "token_class"]
    assert not hasattr(identity(), "__dict__")


def test_an_identity_is_a_user_of_starlette() -> None:
    """R-IDN-01: whatever Starlette asks of a user, an identity answers in the same type."""
    wanted = [name for name, value in vars(BaseUser).items() if isinstance(value, property)]
    assert sorted(wanted) == ["display_name", "identity", "is_authenticated"]
    for who in (identity(), ANONYMOUS):
        assert isinstance(who.is_authenticated, bool)
        assert isinstance(who.display_name, str)
        assert isinstance(who.identity, str)


def test_claims_are_made_for_each_reader() -> None:
    """R-IDN-05: the view of the claims is equal each time and shared with nobody."""
    who = identity(roles=["a"])
    assert who.claims == who.claims
    assert isinstance(who.claims, Mapping)
    assert who.claims is not who.claims
