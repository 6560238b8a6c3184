"""What an application sees of an identity: its types, and that it only reads. Type-checked, never run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, assert_type

from fastapi import FastAPI
from starlette.requests import Request

from jwtguard import Guard, Identity, Kind, identity_of
from jwtguard.adapters.fastapi import CurrentIdentity, current_identity
from jwtguard.core.strict_json import JsonValue

app = FastAPI()


@app.get("/me")
async def me(who: Annotated[Identity, CurrentIdentity]) -> str:
    """R-POL-12: the dependency gives an identity."""
    assert_type(who, Identity)
    return who.subject


async def the_dependency(request: Request) -> None:
    """R-POL-12: so does its function, and the accessor of any scope."""
    assert_type(await current_identity(request), Identity)
    assert_type(identity_of(request.scope), Identity)
    assert_type(identity_of(request), Identity)


def attributes(who: Identity) -> None:
    """R-IDN-01: each attribute has its own type, none of them Any."""
    assert_type(who.is_authenticated, bool)
    assert_type(who.issuer, str)
    assert_type(who.subject, str)
    assert_type(who.key, tuple[str, str])
    assert_type(who.kind, Kind)
    assert_type(who.client_id, str)
    assert_type(who.audiences, tuple[str, ...])
    assert_type(who.scopes, frozenset[str])
    assert_type(who.amr, tuple[str, ...])
    assert_type(who.actors, tuple[str, ...])
    assert_type(who.auth_time, float | None)
    assert_type(who.expires_at, float | None)
    assert_type(who.claims, Mapping[str, JsonValue])


def nothing_can_be_written(who: Identity) -> None:
    """R-IDN-01: an identity is read-only, its claims at the first level by type and at every level in fact."""
    who.subject = "me"  # type: ignore[misc]
    who.scopes = frozenset({"admin"})  # type: ignore[misc]
    who.is_authenticated = True  # type: ignore[misc]
    who.claims = {}  # type: ignore[misc]
    who.role = "admin"  # type: ignore[attr-defined]


def nor_can_a_claim(who: Identity) -> None:
    """R-IDN-01: nor can what is in it."""
    who.claims["sub"] = "me"  # type: ignore[index]
    del who.claims["sub"]  # type: ignore[attr-defined]


def claims_have_to_be_looked_at(who: Identity) -> str:
    """R-CLM-11: a claim is any JSON value until its type was looked at."""
    role = who.claims["role"]
    role.upper()  # type: ignore[union-attr]
    return role if isinstance(role, str) else ""


def times_may_be_absent(who: Identity) -> float:
    """R-IDN-01: a token without an expiry has none."""
    return who.expires_at + 1  # type: ignore[operator]


async def verified(guard: Guard, token: str) -> None:
    """R-CLS-01: verification names its classes and gives an identity."""
    assert_type(guard.verify(token, accept="access"), Identity)
    assert_type(await guard.verify_async(token, accept=["access", "logout"]), Identity)
    guard.verify(token)  # type: ignore[call-arg]
    guard.verify(token, "access")  # type: ignore[call-arg]
    guard.verify(token, accept=None)  # type: ignore[arg-type]


def nobody_else_makes_one(token: str, claims: dict[str, str]) -> None:
    """R-IDN-04: neither a token nor its claims make an identity."""
    Identity(token, "x")  # type: ignore[arg-type]
    Identity(claims, "x")  # type: ignore[arg-type]
    Identity(subject="me")  # type: ignore[call-arg]
