"""The way of a request, top to bottom. Every decision of jwtguard is on this page.

    routing -> extraction -> recall ------------------------------------------> authorization
                               | not remembered                                  ^
                               v                                                 |
                             jws -> classification -> keys -> signature -> claims

``decide`` answers by plain calls whatever can be answered inside the process. Where it cannot, it hands
over to ``verification``, a generator that yields the questions only the outside can answer (``needs.py``).
Each stage returns the next value or raises ``Refusal``; only this module catches one.
"""

from __future__ import annotations

from collections.abc import Generator

from jwtguard.core.authorization import authorize
from jwtguard.core.claims import validate_claims
from jwtguard.core.classification import classify
from jwtguard.core.decision import Allowed, Context, Decision, Refused, Remember, Unknown
from jwtguard.core.extraction import extract
from jwtguard.core.identity import Identity
from jwtguard.core.keys import KeySet, refuse_unknown_kid, select_key
from jwtguard.core.needs import Answer, Need, NeedKeys
from jwtguard.core.policy import Access, EndpointPolicy
from jwtguard.core.recall import recall
from jwtguard.core.request import RequestHead, Token
from jwtguard.core.routing import route
from jwtguard.core.signature import verify_signature
from jwtguard.errors import Reason, Refusal

STAGES = ("routing", "extraction", "recall", "jws", "classification", "keys", "signature", "claims", "authorization")


def decide(context: Context, head: RequestHead, *, now: float, monotonic: float) -> Decision | Unknown:
    """Decide a request, or say that its token's issuer must be asked for keys.

    Args:
        context: One consistent snapshot of policy, keys and memory.
        head: The request, as the server routed it.
        now: Current time as a NumericDate, for the token's own times.
        monotonic: Seconds by the clock of key life.
    """
    policy = None
    try:
        policy = route(context.table, head)
        if policy.access is Access.PUBLIC:
            return Allowed(policy, Identity(None, policy.name))
        token = extract(policy, head, context.limits, context.mode)
        if token is None:
            return _without_token(policy)
    except Refusal as refusal:
        return Refused(policy, refusal)
    return decide_token(context, policy, token, now=now, monotonic=monotonic)


def decide_token(
    context: Context, policy: EndpointPolicy, token: Token, *, now: float, monotonic: float
) -> Decision | Unknown:
    """Decide one token under one policy: the same, from the token on."""
    try:
        claims_set = recall(context.memory, token, policy, context.held, now=now, monotonic=monotonic)
        if claims_set is not None:
            authorize(policy, claims_set, now)
            return Allowed(policy, Identity(claims_set, policy.name))
        unknown = _examine(context, policy, token, monotonic)
    except Refusal as refusal:
        return Refused(policy, refusal)
    held = context.held[unknown.choice.profiles[0].issuer.name]
    if not held.answers(unknown.jws.header.kid, monotonic):
        return unknown
    return _verify(context, unknown, held.key_set, now)


def _examine(context: Context, policy: EndpointPolicy, token: Token, monotonic: float) -> Unknown:
    jws = context.parser.begin(token, policy.algorithms)
    sets = context.accepted_keys(policy)
    refuse_unknown_kid(jws.header, sets, monotonic)
    try:
        context.parser.open(jws)
        return Unknown(policy, token, jws, classify(context.parser, policy, jws))
    except Refusal:
        refuse_unknown_kid(jws.header, sets, None)
        raise


def verification(context: Context, unknown: Unknown, now: float) -> Generator[Need, Answer, Decision]:
    """Go on with a token for which keys must be asked."""
    key_set = yield NeedKeys(unknown.choice.profiles[0].issuer, unknown.jws.header.kid)
    return _verify(context, unknown, key_set, now)


def _verify(context: Context, unknown: Unknown, key_set: KeySet | None, now: float) -> Decision:
    policy, jws, choice = unknown.policy, unknown.jws, unknown.choice
    remember = None
    try:
        key = select_key(key_set, jws.header, choice.alg)
        verified = verify_signature(jws, key)
        claims_set = validate_claims(verified, choice.profiles, context.table.limits.subject_chars, now)
        remember = Remember(unknown.token, jws.header, claims_set)
        authorize(policy, claims_set, now)
        return Allowed(policy, Identity(claims_set, policy.name), remember)
    except Refusal as refusal:
        return Refused(policy, refusal, remember)


def _without_token(policy: EndpointPolicy) -> Decision:
    if policy.access is Access.OPTIONAL:
        return Allowed(policy, Identity(None, policy.name))
    return Refused(policy, Refusal(Reason.MISSING_TOKEN, "credential", "a token in a declared carrier", None))
