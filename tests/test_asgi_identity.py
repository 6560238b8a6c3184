"""The identity as the application gets it: typed, immutable, without a token, and its request's own."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import anyio
import anyio.to_thread
import pytest
from starlette.authentication import BaseUser
from starlette.types import Receive, Scope, Send

from jwtguard import Guard, Identity, Issuer, JWTGuardMiddleware, Kind, identity_of
from tests.kit.asgi_calls import Probe, request
from tests.kit.guarded import FORGE, ISSUER, bearer, guard, protected, public, token

NOW = 1_767_225_600
FULL = {
    "sub": "ada",
    "client_id": "web",
    "scope": "reports:read admin",
    "acr": "loa2",
    "amr": ["pwd", "otp"],
    "auth_time": NOW - 60,
    "act": {"sub": "proxy", "act": {"sub": "first"}},
    "sid": "session-1",
    "jti": "token-id",
    "org": "acme",
    "nested": {"list": [1, {"deep": ["x"]}]},
}


@pytest.fixture
def tenanted() -> Guard:
    """A guard whose issuer names the tenant in the claim ``org``."""
    issuer = Issuer(
        name="login",
        issuer=ISSUER.issuer,
        audience=ISSUER.audience,
        algorithms=ISSUER.algorithms,
        keys=ISSUER.keys,
        tenant_claim="org",
    )
    return guard(protected("/reports", name="reports"), issuers=[issuer])


def identity_at(policy: Guard, sent: bytes, path: str = "/reports") -> Identity:
    """The identity that an application behind this guard is given."""
    probe = Probe()
    anyio.run(request, JWTGuardMiddleware(probe, guard=policy), "GET", path, [bearer(sent)])
    return identity_of(probe.scopes[0])


@pytest.fixture
def identity(tenanted: Guard) -> Identity:
    """An identity with everything in it."""
    return identity_at(tenanted, token(**FULL))


@pytest.fixture
def anonymous() -> Identity:
    """Nobody."""
    return identity_at(guard(public("/reports")), token(**FULL))


EXPECTED = {
    "is_authenticated": True,
    "issuer": FORGE.issuer,
    "issuer_name": ISSUER.name,
    "subject": "ada",
    "key": (FORGE.issuer, "ada"),
    "display_name": "ada",
    "identity": f"{FORGE.issuer}#ada",
    "token_class": "access",
    "kind": Kind.USER,
    "client_id": "web",
    "audiences": (FORGE.audience,),
    "scopes": frozenset({"reports:read", "admin"}),
    "acr": "loa2",
    "amr": ("pwd", "otp"),
    "auth_time": NOW - 60,
    "tenant": "acme",
    "actors": ("proxy", "first"),
    "session_id": "session-1",
    "jti": "token-id",
    "binding": "none",
    "issued_at": NOW,
    "expires_at": NOW + 300,
    "good_until": NOW + 330,
    "roles": frozenset(),
    "policy": "reports",
}
NOBODY: dict[str, object] = {
    **dict.fromkeys(("issuer", "issuer_name", "subject", "display_name", "identity", "token_class", "client_id"), ""),
    **dict.fromkeys(("acr", "tenant", "session_id", "jti"), ""),
    **dict.fromkeys(("audiences", "amr", "actors"), ()),
    **dict.fromkeys(("auth_time", "issued_at", "expires_at"), None),
    "good_until": float("inf"),
    "roles": frozenset(),
    "is_authenticated": False,
    "key": ("", ""),
    "kind": Kind.ANONYMOUS,
    "scopes": frozenset(),
    "binding": "none",
    "claims": {},
}


@pytest.mark.parametrize("name", EXPECTED)
def test_every_member(identity: Identity, name: str) -> None:
    """R-IDN-01: the identity names everything a policy or an application asks for."""
    assert getattr(identity, name) == EXPECTED[name]


@pytest.mark.parametrize("name", NOBODY)
def test_every_member_of_nobody(anonymous: Identity, name: str) -> None:
    """R-IDN-01: an anonymous identity has every member too, empty, though a token was sent."""
    assert getattr(anonymous, name) == NOBODY[name]


def test_no_member_is_forgotten() -> None:
    """R-IDN-01: the two tables above hold every public member."""
    members = {name for name in vars(Identity) if not name.startswith("_")}
    assert (
        members
        == EXPECTED.keys() | {"claims", "claims_as", "is_under"}
        == NOBODY.keys() | {"policy", "claims_as", "is_under"}
    )


def test_it_is_what_starlette_calls_a_user() -> None:
    """R-IDN-01: it has every member of Starlette's ``BaseUser``."""
    assert {name for name in vars(BaseUser) if not name.startswith("_")} <= set(dir(Identity))


@pytest.mark.parametrize("claims", [{"sub": "web", "client_id": "web"}, {"sub": "web", "client_id": "web", "act": {}}])
def test_a_client_for_itself(tenanted: Guard, claims: dict[str, object]) -> None:
    """R-CLM-10: a token whose subject is its client belongs to the client, not to a user."""
    assert identity_at(tenanted, token(**claims)).kind is Kind.CLIENT


@pytest.mark.parametrize("name", [*EXPECTED, "claims"])
def test_members_cannot_be_set(identity: Identity, name: str) -> None:
    """R-IDN-01: no member can be replaced or deleted."""
    with pytest.raises(AttributeError):
        setattr(identity, name, "root")
    with pytest.raises(AttributeError):
        delattr(identity, name)


def test_members_cannot_be_added(identity: Identity) -> None:
    """R-IDN-01: nothing can be hung on it, so a misspelt assignment is an error."""
    with pytest.raises(AttributeError):
        identity.is_admin = True  # type: ignore[attr-defined]  # the mistake under test


CHANGES: dict[str, Callable[[Any], object]] = {
    "a claim": lambda claims: claims.__setitem__("sub", "root"),
    "a deleted claim": lambda claims: claims.__delitem__("sub"),
    "a list": lambda claims: claims["amr"].append("face"),
    "a list inside": lambda claims: claims["nested"]["list"].__setitem__(0, 2),
    "an object inside": lambda claims: claims["nested"].__setitem__("list", []),
    "an object in a list": lambda claims: claims["nested"]["list"][1].__setitem__("deep", []),
    "all at once": lambda claims: claims.update(sub="root"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_claims_cannot_be_changed(tenanted: Guard, change: str) -> None:
    """R-IDN-01: claims are read-only at every depth, and stay so for the next request with the same token."""
    sent = token(**FULL)
    identity = identity_at(tenanted, sent)
    before = repr(identity.claims)
    with pytest.raises((TypeError, AttributeError)):
        CHANGES[change](identity.claims)
    assert repr(identity_at(tenanted, sent).claims) == before


def test_the_principal_is_issuer_and_subject(tenanted: Guard, identity: Identity, anonymous: Identity) -> None:
    """R-IDN-03: identities are equal if issuer and subject are; nobody equals nobody else, and no text."""
    same, other = identity_at(tenanted, token(sub="ada")), identity_at(tenanted, token(sub="eve"))
    assert identity == same
    assert hash(identity) == hash(same)
    assert identity != other
    assert identity != "ada"
    assert anonymous != identity_at(guard(public("/reports")), token())
    assert anonymous != identity


def segments(sent: bytes) -> list[str]:
    """What must not be seen of a token: all of it, its claims and its signature."""
    return [sent.decode(), *sent.decode().split(".")[1:]]


def test_no_way_shows_the_token(tenanted: Guard) -> None:
    """R-IDN-02: repr, str, format, pickle, a copy and a stored identity hold no part of the token."""
    sent = token(**FULL)
    identity = identity_at(tenanted, sent)
    shown = [
        repr(identity),
        str(identity),
        f"{identity}",
        f"{identity!r:>200}",
        repr([identity]),
        repr(vars_of(identity)),
    ]
    shown.append(attempted(lambda: pickle.dumps(identity)))
    shown.append(attempted(lambda: copy.deepcopy(identity)))
    shown.append(repr(dict(identity.claims)))
    assert [text for text in shown if any(part in text for part in segments(sent))] == []


def test_repr_shows_no_claim(identity: Identity) -> None:
    """R-IDN-02: repr names policy, class and configured issuer, and no value out of the token."""
    text = repr(identity)
    assert "login/access" in text
    assert "'reports'" in text
    assert [value for value in ("ada", "web", "acme", "session-1", "token-id") if value in text] == []


def attempted(act: Callable[[], object]) -> str:
    """What an attempt brings, be it an error."""
    try:
        return repr(act())
    except (TypeError, AttributeError, pickle.PicklingError) as error:
        return repr(error)


def vars_of(thing: object, depth: int = 6) -> list[object]:
    """Everything that hangs on an object by slots, as a debugger would open it."""
    names = [name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())]
    inner = [getattr(thing, name) for name in names if hasattr(thing, name)]
    return [*inner, *(vars_of(each, depth - 1) for each in inner if depth)]


@pytest.mark.anyio
@pytest.mark.parametrize("warm", [False, True], ids=["first sight", "seen before"])
async def test_identities_do_not_leak(*, warm: bool) -> None:
    """R-IDN-05: of 500 requests at once, with 500 tokens, none sees another's identity, in its task or in a thread."""
    mine: ContextVar[str] = ContextVar("mine")
    wrong: list[tuple[str, str]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        mine.set(identity_of(scope).subject)
        for _ in range(3):
            await anyio.lowlevel.checkpoint()
        await anyio.to_thread.run_sync(compare, scope)
        await Probe()(scope, receive, send)

    def compare(scope: Scope) -> None:
        expected = scope["state"]["expected"]
        seen = (identity_of(scope).subject, scope["user"].subject, mine.get())
        if seen != (expected,) * 3 or scope["auth"].scopes != ["authenticated", f"only:{expected}"]:
            wrong.append((expected, str(seen)))

    guarded = JWTGuardMiddleware(app, guard=guard(protected("/reports")))
    tokens = {f"user-{n}": token(sub=f"user-{n}", scope=f"only:user-{n}") for n in range(500)}
    statuses: list[int] = []

    async def visit(subject: str, sent: bytes) -> None:
        call = await request(guarded, "GET", "/reports", [bearer(sent)], state={"expected": subject})
        statuses.append(call.status)

    for _ in range(1 + warm):
        async with anyio.create_task_group() as group:
            for subject, sent in tokens.items():
                group.start_soon(visit, subject, sent)
    assert (set(statuses), len(statuses), wrong) == ({200}, 500 * (1 + warm), [])
