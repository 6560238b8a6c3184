"""The way of a request, top to bottom. Every decision of jwtguard is on this page.

    routing -> extraction -> recall ------------------------------------------> authorization
                               | not remembered                                  ^
                               v                                                 |
                             jws -> classification -> keys -> signature -> claims

``decide`` is the warm path: plain calls, one answer, no generator. It hands a token it does not know
to ``verification``, a generator that yields the questions only the outside can answer (``needs.py``).
Each stage returns the next value or raises ``Refusal``; only this module catches one.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, MutableMapping
from typing import TypeAlias

from jwtguard.core.authorization import authorize
from jwtguard.core.claims import ClaimsSet, validate_claims
from jwtguard.core.classification import classify
from jwtguard.core.extraction import extract
from jwtguard.core.identity import Identity
from jwtguard.core.jws import JoseHeader, JwsParser
from jwtguard.core.keys import HeldKeys, select_key
from jwtguard.core.needs import Answer, Need, NeedKeys
from jwtguard.core.policy import Access, EndpointPolicy
from jwtguard.core.recall import recall
from jwtguard.core.request import RequestHead, Token
from jwtguard.core.routing import route
from jwtguard.core.signature import verify_signature
from jwtguard.core.table import PolicyTable
from jwtguard.errors import Reason, Refusal

STAGES = ("routing", "extraction", "recall", "jws", "classification", "keys", "signature", "claims", "authorization")


class Context:
    """What one decision reads: a table, the keys in force, what is remembered. One snapshot, one request."""

    __slots__ = ("headers", "held", "memory", "parser", "table")

    def __init__(self, table: PolicyTable, held: Mapping[str, HeldKeys]) -> None:
        self.table = table
        self.held = held
        self.memory: MutableMapping[bytes, ClaimsSet] = {}
        self.headers: MutableMapping[bytes, JoseHeader] = {}
        self.parser = JwsParser(table.limits, self.headers)


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
        # The frames behind it hold the token, and would live as long as the refusal.
        self.refusal = refusal.with_traceback(None)
        self.remember = remember


class Unknown:
    """The token was not remembered; ``verification`` decides."""

    __slots__ = ("policy", "token")

    def __init__(self, policy: EndpointPolicy, token: Token) -> None:
        self.policy = policy
        self.token = token


class Remember:
    """A token that verified, for the guard to store."""

    __slots__ = ("claims_set", "header", "token")

    def __init__(self, token: Token, header: JoseHeader, claims_set: ClaimsSet) -> None:
        self.token = token
        self.header = header
        self.claims_set = claims_set


Decision: TypeAlias = Allowed | Refused


def decide(context: Context, head: RequestHead, *, now: float, monotonic: float) -> Decision | Unknown:
    """Decide a request from what is known locally, or name the token that must be verified first."""
    policy = None
    try:
        policy = route(context.table, head)
        if policy.access is Access.PUBLIC:
            return Allowed(policy, Identity(None, policy.name))
        token = extract(policy, head, context.table.limits, context.table.config.mode)
        if token is None:
            return _without_token(policy)
        claims_set = recall(context.memory, token, policy, context.held, now=now, monotonic=monotonic)
        if claims_set is None:
            return Unknown(policy, token)
        authorize(policy, claims_set, now)
        return Allowed(policy, Identity(claims_set, policy.name))
    except Refusal as refusal:
        return Refused(policy, refusal)


def verification(
    context: Context, policy: EndpointPolicy, token: Token, now: float
) -> Generator[Need, Answer, Decision]:
    """Verify one token under one policy, asking for keys on the way."""
    remember = None
    try:
        jws = context.parser.parse(token)
        choice = classify(context.parser, policy, jws)
        key_set = yield NeedKeys(choice.profiles[0].issuer, jws.header.kid)
        key = select_key(key_set, jws.header, choice.alg)
        verified = verify_signature(jws, key)
        claims_set = validate_claims(verified, choice.profiles, context.table.limits.subject_chars, now)
        remember = Remember(token, jws.header, claims_set)
        authorize(policy, claims_set, now)
        return Allowed(policy, Identity(claims_set, policy.name), remember)
    except Refusal as refusal:
        return Refused(policy, refusal, remember)


def _without_token(policy: EndpointPolicy) -> Decision:
    if policy.access is Access.OPTIONAL:
        return Allowed(policy, Identity(None, policy.name))
    return Refused(policy, Refusal(Reason.MISSING_TOKEN, "credential", "a token in a declared carrier", None))
