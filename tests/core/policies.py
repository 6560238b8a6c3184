"""The issuer, the policies and the values that several tests of the core share."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Set
from typing import Any, Final

import pytest

from jwtguard import NO_AUDIENCE, Config, Endpoint, InlineKeys, Issuer, Reason, Refusal
from jwtguard.core.classes import READY_MADE
from jwtguard.core.decision import Context
from jwtguard.core.jws import JoseHeader
from jwtguard.core.key_import import Published, import_key_set
from jwtguard.core.keys import HeldKeys, KeySet, VerificationKey
from jwtguard.core.policy import EndpointPolicy, Profile
from jwtguard.core.signature import VerifiedJws
from jwtguard.core.table import PolicyTable
from tests.kit.token_forge import TokenForge

NOW: Final = 1_767_225_600.0
NEVER: Final = float("inf")
FORGE: Final = TokenForge()
KEY: Final = FORGE.key()
LOGIN: Final = Issuer(
    name="login",
    issuer=FORGE.issuer,
    audience=(FORGE.audience,),
    algorithms=("ES256",),
    keys=InlineKeys([KEY.public_jwk()]),
)
YES: Final = VerificationKey("k1", "ES256", "fingerprint", lambda _message, _signature: True)
"""A key under which everything verifies, for the stages after the signature."""


def issuer(**changes: Any) -> Issuer:
    """The issuer of the forge, changed."""
    return dataclasses.replace(LOGIN, **changes)


def endpoint(*match: str, **changes: Any) -> Endpoint:
    """An endpoint for access tokens, changed."""
    return Endpoint(**{"match": match or ("/x",), "accept": ("access",), **changes})


def table(*endpoints: Endpoint, **changes: Any) -> PolicyTable:
    """A table over the issuer of the forge."""
    return PolicyTable(Config(**{"issuers": [LOGIN], "endpoints": endpoints, **changes}))


def policy(**changes: Any) -> EndpointPolicy:
    """One compiled endpoint for access tokens, changed."""
    return table(endpoint(**changes)).endpoints[0]


def keys_of(issuer: Issuer) -> KeySet:
    """Import the keys that are written into an issuer."""
    assert isinstance(issuer.keys, InlineKeys)
    return import_key_set(issuer.keys.jwks, issuer.algorithms, Published.INLINE)


def context(*endpoints: Endpoint, **changes: Any) -> Context:
    """What a decision reads: a table whose inline keys are in force."""
    built = table(*endpoints, **changes)
    return Context(built, {issuer.name: HeldKeys(keys_of(issuer), NEVER, NEVER) for issuer in built.config.issuers})


def profile(name: str = "access", *, of: Issuer = LOGIN, leeway_s: float = 30.0, **changes: Any) -> Profile:
    """The profile of a ready-made class, its row changed, for the audience of the forge."""
    row = dataclasses.replace(READY_MADE[name], **changes)
    audiences = None if row.audience is NO_AUDIENCE else frozenset({FORGE.audience})
    return Profile(of, row, audiences, leeway_s)


def verified(claims: Mapping[str, object], **members: object) -> VerifiedJws:
    """A token whose signature is believed; ``members`` are parameters of its header."""
    header = JoseHeader("ES256", "k1", "at+jwt", dict(members))  # type: ignore[arg-type]  # JSON values, but any
    return VerifiedJws(header, dict(claims), YES)  # type: ignore[arg-type]  # as above


def refusal_of(call: Callable[[], object]) -> Refusal:
    """Return the refusal that a call ends with."""
    with pytest.raises(Refusal) as caught:
        call()
    return caught.value


def told(call: Callable[[], object]) -> tuple[Reason, str, object, object]:
    """Return all that the refusal of a call tells the operator; sets come as sorted lists."""
    refusal = refusal_of(call)
    expected = refusal.expected
    if isinstance(expected, Set):
        expected = sorted("(absent)" if value is None else str(value) for value in expected)
    return refusal.reason, refusal.check, expected, refusal.seen


class _AnyAlgorithm(frozenset[str]):
    """An allow-list that no real policy can have: for tests of what comes before it."""

    def __contains__(self, name: object) -> bool:
        """Let every name in."""
        return True


ANY_ALGORITHM = _AnyAlgorithm()
