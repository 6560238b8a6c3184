"""The way of a request, top to bottom. Every decision of jwtguard is on this page.

    routing -> extraction -> csrf -> recall ------------------------------------> authorization
                                       | not remembered                            ^
                                       v                                           |
                                     jws -> classification -> keys -> signature -> claims

``decide`` answers by plain calls whatever can be answered inside the process. Where it cannot, it says what
is unfinished, and ``verification``, a generator that yields the questions only the outside can answer
(``needs.py``), goes on from there. Each stage returns the next value or raises ``Refusal``; in the core only
this module catches one.
"""

from __future__ import annotations

from collections.abc import Generator

from jwtguard.core.asked import Asked
from jwtguard.core.authorization import authorize
from jwtguard.core.claims import ClaimsSet, validate_claims
from jwtguard.core.classification import classify
from jwtguard.core.csrf import check_csrf
from jwtguard.core.decision import Allowed, Context, Decision, Refused, Remember, Served
from jwtguard.core.endpoint import Access
from jwtguard.core.extraction import extract
from jwtguard.core.identity import Identity
from jwtguard.core.keys import KeySet, refuse_unknown_kid, select_key
from jwtguard.core.needs import Answer, Need, NeedKeys, NeedToken
from jwtguard.core.policy import EndpointPolicy
from jwtguard.core.recall import recall
from jwtguard.core.request import CookieToken, RequestHead, SessionName, Token
from jwtguard.core.routing import route
from jwtguard.core.signature import verify_signature
from jwtguard.core.unfinished import Referenced, Unconfirmed, Unfinished, Unknown, not_answered, questions
from jwtguard.errors import Reason, Refusal

STAGES = (
    "routing", "extraction", "csrf", "recall", "jws", "classification", "keys", "signature", "claims", "authorization",
)  # fmt: skip
_OPEN = frozenset({Access.PUBLIC, Access.LOGIN})


def decide(context: Context, head: RequestHead, *, now: float, monotonic: float) -> Decision | Unfinished:
    """Decide a request, or say what is unfinished because somebody outside must be asked.

    ``now`` is a NumericDate, for the token's own times; ``monotonic`` counts seconds by the clock of key life.
    """
    try:
        policy = route(context.table, head)
    except Refusal as refusal:
        return Refused(None, refusal)
    return decide_at(context, policy, head, now=now, monotonic=monotonic)


def decide_at(
    context: Context, policy: EndpointPolicy, head: RequestHead, *, now: float, monotonic: float
) -> Decision | Unfinished:
    """Decide a request under one policy: the same, from routing on."""
    if policy.access in _OPEN:
        if context.publication is not None and policy is context.table.metadata:
            return Served(policy, context.publication.answer(head.method))
        return Allowed(policy, Identity(None, policy.name, policy))
    try:
        token = extract(policy, head, context.limits, context.mode)
        if token is None:
            return _without_token(policy)
        if isinstance(token, CookieToken):
            check_csrf(policy, head, token, context.csrf_keys)
    except Refusal as refusal:
        return Refused(policy, refusal)
    asked = Asked(policy, head, token, now, monotonic)
    return Referenced(asked, token) if type(token) is SessionName else decide_token(context, asked)


def decide_token(context: Context, asked: Asked) -> Decision | Unknown | Unconfirmed:
    """Decide one token under one policy: the same, from the token on."""
    try:
        claims_set = recall(context.memory, context.held, asked)
        if claims_set is not None:
            return _admit(context, asked, claims_set, None)
        unknown = _examine(context, asked)
    except Refusal as refusal:
        return Refused(asked.policy, refusal)
    held = context.held[unknown.choice.profiles[0].issuer.name]
    if not held.answers(unknown.jws.header.kid, asked.monotonic):
        return unknown
    return _verify(context, unknown, held.key_set)


def _examine(context: Context, asked: Asked) -> Unknown:
    jws = context.parser.begin(asked.token, asked.policy.algorithms)
    sets = context.accepted_keys(asked.policy)
    refuse_unknown_kid(jws.header, sets, asked.monotonic)
    try:
        context.parser.open(jws)
        return Unknown(asked, jws, classify(context.parser, asked.policy, jws))
    except Refusal:
        refuse_unknown_kid(jws.header, sets, None)
        raise


def _verify(context: Context, unknown: Unknown, key_set: KeySet | None) -> Decision | Unconfirmed:
    asked, jws, choice = unknown.asked, unknown.jws, unknown.choice
    remember = None
    try:
        key = select_key(key_set, jws.header, choice.alg)
        verified = verify_signature(jws, key)
        claims_set = validate_claims(verified, choice.profiles, context.table.limits.subject_chars, asked.now)
        remember = Remember(asked.token, jws.header, claims_set)
        return _admit(context, asked, claims_set, remember)
    except Refusal as refusal:
        return Refused(asked.policy, refusal, remember)


def _admit(context: Context, asked: Asked, claims_set: ClaimsSet, remember: Remember | None) -> Decision | Unconfirmed:
    policy = asked.policy
    authorize(policy, claims_set, asked.head, asked.now)
    ask_subject = context.confirmed is not None and not context.confirms(claims_set, asked.monotonic)
    if policy.questions or ask_subject:
        return Unconfirmed(asked, claims_set, remember, ask_subject=ask_subject)
    return Allowed(policy, Identity(claims_set, policy.name, policy), remember)


def verification(context: Context, unfinished: Unfinished) -> Generator[Need, Answer, Decision]:
    """Go on where somebody outside must be asked: for a session's token, an issuer's keys, the application's word."""
    policy = unfinished.asked.policy
    outcome: Decision | Unknown | Unconfirmed
    if isinstance(unfinished, Referenced):
        token = yield NeedToken(unfinished.session)
        if not isinstance(token, Token):
            return not_answered(policy, token, Refusal(Reason.UNKNOWN_SESSION, "session", "one with a token", None))
        outcome = decide_token(context, unfinished.asked.with_token(token))
    else:
        outcome = unfinished
    if isinstance(outcome, Unknown):
        key_set = yield NeedKeys(outcome.choice.profiles[0].issuer, outcome.jws.header.kid)
        outcome = _verify(context, outcome, key_set if isinstance(key_set, KeySet) else None)
    if not isinstance(outcome, Unconfirmed):
        return outcome
    for need, refusal in questions(outcome):
        answer = yield need
        if answer is not True:
            return not_answered(policy, answer, refusal, outcome.remember)
    return Allowed(policy, Identity(outcome.claims_set, policy.name, policy), outcome.remember)


def _without_token(policy: EndpointPolicy) -> Decision:
    if policy.access is Access.OPTIONAL:
        return Allowed(policy, Identity(None, policy.name, policy))
    return Refused(policy, Refusal(Reason.MISSING_TOKEN, "credential", "a token in a declared carrier", None))
