"""What a decision reads, and what it says: plain values between the pipeline, the guard and the shells."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import TypeAlias

from jwtguard.core.challenge import Answer, Challenges
from jwtguard.core.claims import ClaimsSet
from jwtguard.core.identity import Identity
from jwtguard.core.jws import JoseHeader, JwsParser
from jwtguard.core.keys import HeldKeys
from jwtguard.core.metadata import Publication
from jwtguard.core.policy import EndpointPolicy
from jwtguard.core.request import Token
from jwtguard.core.table import PolicyTable
from jwtguard.errors import Refusal


class Context:
    """What one decision reads: a table, the keys in force, what is remembered. One snapshot, one request.

    Attributes:
        challenges: What refused clients are told.
        publication: The metadata that the guard serves by itself, if its policy names a resource.
        confirmed: (issuer, subject) to the monotonic time until which the application's word on it holds;
            ``None`` if nobody is asked.
    """

    __slots__ = (
        "_accepted", "challenges", "confirmed", "csrf_keys", "headers", "held", "limits", "memory", "mode", "parser",
        "publication", "table",
    )  # fmt: skip

    def __init__(
        self, table: PolicyTable, held: Mapping[str, HeldKeys], confirmed: Mapping[tuple[str, str], float] | None = None
    ) -> None:
        self.table = table
        resource = table.config.resource
        self.publication = Publication(table, resource) if resource is not None else None
        self.challenges = Challenges(resource.metadata_url if resource is not None else "")
        self.confirmed = confirmed
        self.csrf_keys = table.config.csrf_keys
        self.limits = table.limits
        self.mode = table.config.mode
        self.held = held
        self._accepted: dict[EndpointPolicy, tuple[HeldKeys, ...]] = {}
        self.memory: MutableMapping[bytes, ClaimsSet] = {}
        self.headers: MutableMapping[bytes, JoseHeader] = {}
        self.parser = JwsParser(table.limits, self.headers)

    def confirms(self, claims_set: ClaimsSet, monotonic: float) -> bool:
        """Tell whether nobody needs to be asked about this subject now; a token without one is about nobody."""
        claims = claims_set.claims
        issuer, subject = claims.get("iss"), claims.get("sub")
        if self.confirmed is None or not isinstance(issuer, str) or not isinstance(subject, str):
            return True
        return monotonic < self.confirmed.get((issuer, subject), 0.0)

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


class Served:
    """The guard itself answers this request, such as one for its metadata."""

    __slots__ = ("answer", "policy", "remember")

    def __init__(self, policy: EndpointPolicy, answer: Answer) -> None:
        self.policy = policy
        self.answer = answer
        self.remember = None


class Remember:
    """A token that verified, for the guard to store."""

    __slots__ = ("claims_set", "header", "token")

    def __init__(self, token: Token, header: JoseHeader, claims_set: ClaimsSet) -> None:
        self.token = token
        self.header = header
        self.claims_set = claims_set


Decision: TypeAlias = Allowed | Refused | Served
