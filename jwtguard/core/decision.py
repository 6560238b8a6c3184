"""What a decision reads, and what it says: plain values between the pipeline, the guard and the shells."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import TypeAlias

from jwtguard.core.claims import ClaimsSet
from jwtguard.core.identity import Identity
from jwtguard.core.jws import JoseHeader, JwsParser, UnverifiedJws
from jwtguard.core.keys import HeldKeys
from jwtguard.core.policy import Choice, EndpointPolicy
from jwtguard.core.request import Token
from jwtguard.core.table import PolicyTable
from jwtguard.errors import Refusal


class Context:
    """What one decision reads: a table, the keys in force, what is remembered. One snapshot, one request."""

    __slots__ = ("_accepted", "headers", "held", "limits", "memory", "mode", "parser", "table")

    def __init__(self, table: PolicyTable, held: Mapping[str, HeldKeys]) -> None:
        self.table = table
        self.limits = table.limits
        self.mode = table.config.mode
        self.held = held
        self._accepted: dict[EndpointPolicy, tuple[HeldKeys, ...]] = {}
        self.memory: MutableMapping[bytes, ClaimsSet] = {}
        self.headers: MutableMapping[bytes, JoseHeader] = {}
        self.parser = JwsParser(table.limits, self.headers)

    def accepted_keys(self, policy: EndpointPolicy) -> tuple[HeldKeys, ...]:
        """Return the keys in force of every issuer that a policy accepts; their source keeps them up to date."""
        sets = self._accepted.get(policy)
        if sets is None:
            sets = self._accepted[policy] = tuple(self.held[name] for name in policy.issuers)
        return sets


class Allowed:
    """The request may pass, as this identity. ``remember``: the token and its claims, if newly verified."""

    __slots__ = ("identity", "policy", "remember")

    def __init__(self, policy: EndpointPolicy, identity: Identity, remember: Remember | None = None) -> None:
        self.policy = policy
        self.identity = identity
        self.remember = remember


class Refused:
    """The request may not pass. ``refusal`` holds the reason and what an operator may see."""

    __slots__ = ("policy", "refusal", "remember")

    def __init__(self, policy: EndpointPolicy | None, refusal: Refusal, remember: Remember | None = None) -> None:
        self.policy = policy
        # The frames behind it, and the error it may have come from, hold parts of the token.
        self.refusal = refusal.with_traceback(None)
        refusal.__context__ = None
        self.remember = remember


class Unknown:
    """A token not remembered, of an issuer whose keys must be asked for; ``verification`` goes on from here."""

    __slots__ = ("choice", "jws", "policy", "token")

    def __init__(self, policy: EndpointPolicy, token: Token, jws: UnverifiedJws, choice: Choice) -> None:
        self.policy = policy
        self.token = token
        self.jws = jws
        self.choice = choice


class Remember:
    """A token that verified, for the guard to store."""

    __slots__ = ("claims_set", "header", "token")

    def __init__(self, token: Token, header: JoseHeader, claims_set: ClaimsSet) -> None:
        self.token = token
        self.header = header
        self.claims_set = claims_set


Decision: TypeAlias = Allowed | Refused
