"""Why a request is allowed or refused, stage by stage: the pure part of ``jwtguard explain``.

The verdict is the pipeline's own, reached once by ``decide`` and ``verification``. The stages are then walked
again one by one, only to tell what each expected and saw; if that walk ended differently it would be lying,
so it stops with an error. No text made here holds the token or a segment of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from jwtguard.cli.evidence import Display, Evidence
from jwtguard.cli.hints import hints_for
from jwtguard.core.authorization import authorize
from jwtguard.core.claims import ClaimsSet, validate_claims
from jwtguard.core.classification import classify
from jwtguard.core.csrf import check_csrf
from jwtguard.core.decision import Context, Decision, Refused
from jwtguard.core.endpoint import Access, Carrier, CarrierKind
from jwtguard.core.extraction import extract
from jwtguard.core.jws import JoseHeader
from jwtguard.core.keys import HeldKeys, KeySet, refuse_unknown_kid, select_key
from jwtguard.core.needs import Answer, Need, NeedKeys, NeedToken
from jwtguard.core.pipeline import STAGES, decide, verification
from jwtguard.core.policy import Choice, EndpointPolicy
from jwtguard.core.request import CookieToken, RequestHead, Token
from jwtguard.core.routing import route
from jwtguard.core.signature import verify_signature
from jwtguard.core.table import PolicyTable
from jwtguard.core.unfinished import Referenced, Unconfirmed, Unknown
from jwtguard.drive import drive_sync
from jwtguard.errors import Reason, Refusal
from jwtguard.lint.demands import demands_of

_START = 0.0  # the clock of key life stands still: keys at hand do not age while a request is explained


class StepVerdict(StrEnum):
    """What became of one stage."""

    PASSED = "passed"
    REFUSED = "refused"
    NOT_REACHED = "not reached"


@dataclass(frozen=True, slots=True)
class Step:
    """One stage of the pipeline: what the policy expected, what was seen, and what came of it."""

    stage: str
    verdict: StepVerdict
    expected: str = ""
    seen: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The whole story of one request.

    Attributes:
        steps: One for each stage, in the pipeline's order.
        reason: Why it was refused; ``None`` if it was allowed.
        check: The check that failed first.
        status: What the client is answered; 0 if it was allowed.
        hints: What may be behind it.
    """

    steps: tuple[Step, ...]
    reason: Reason | None
    check: str
    status: int
    hints: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as its sender describes it; the path is decoded, the token stands in no header yet."""

    method: str
    path: str
    headers: tuple[tuple[bytes, bytes], ...] = field(default=(), repr=False)
    token: Token | None = None


def explain_request(table: PolicyTable, held: Mapping[str, HeldKeys], asked: Asked, now: float) -> Explanation:
    """Decide a request and explain the decision.

    Args:
        table: The policy.
        held: The keys at hand, by issuer name; nothing is fetched.
        asked: The request.
        now: The time to judge by.
    """
    context = Context(table, held, None)
    head = RequestHead(asked.method, asked.path, _headers(table, asked), "https")
    decision = decide(context, head, now=now, monotonic=_START)
    if isinstance(decision, Referenced | Unknown | Unconfirmed):
        decision = drive_sync(verification(context, decision), _AtHand(held))
    evidence = Evidence(table, held, head, asked.token or _sent(asked), now)
    steps = _Walk(context, evidence, decision).steps()
    if not isinstance(decision, Refused):
        return Explanation(steps, None, "", 0, ())
    refusal = decision.refusal
    status = context.challenges.answer(refusal.reason, decision.policy).status
    found = tuple(map(evidence.display.safe, hints_for(evidence, decision.policy, refusal)))
    return Explanation(steps, refusal.reason, evidence.display.safe(refusal.check), status, found)


class _AtHand:
    """Answers with the keys at hand; what would have to be fetched is not known."""

    def __init__(self, held: Mapping[str, HeldKeys]) -> None:
        self._held = held

    def known(self, need: Need) -> Answer:
        """Answer from memory; whatever the application would be asked counts as a yes, for want of it."""
        if isinstance(need, NeedToken):
            return Token(need.session.reveal())  # explained is the token itself: its session is the application's
        return self.keys(need) if isinstance(need, NeedKeys) else True

    local = known

    def keys(self, need: NeedKeys) -> KeySet | None:
        """Return the keys at hand."""
        held = self._held[need.issuer.name]
        return held.key_set if held.usable_until > _START else None

    async def ask(self, need: Need) -> Answer:
        """Answer from memory, here too."""
        return self.known(need)


def _headers(table: PolicyTable, asked: Asked) -> tuple[tuple[bytes, bytes], ...]:
    """Put the token where the endpoint expects it first."""
    if asked.token is None:
        return asked.headers
    policy = table.routes.find(asked.method, asked.path)
    carrier = policy.carriers[0] if policy is not None and policy.carriers else Carrier(CarrierKind.HEADER)
    if carrier.kind is not CarrierKind.HEADER:
        return (*asked.headers, (b"cookie", carrier.name.encode() + b"=" + asked.token.reveal()))
    return (*asked.headers, (carrier.name.encode(), carrier.scheme.encode() + b" " + asked.token.reveal()))


def _sent(asked: Asked) -> Token | None:
    """The token that a header given by hand may hold: for hints, and so that no part of it is shown."""
    values = (value.partition(b" ")[2] for name, value in asked.headers if name == b"authorization")
    return next((Token(value) for value in values if value), None)


class _Walk:
    """The stages once more, each on what the one before it returned."""

    def __init__(self, context: Context, evidence: Evidence, decision: Decision) -> None:
        self._context = context
        self._evidence = evidence
        self._decision = decision
        self._show: Display = evidence.display

    def steps(self) -> tuple[Step, ...]:
        """Tell every stage, those not reached included."""
        refused = self._decision.refusal if isinstance(self._decision, Refused) else None
        steps: list[Step] = []
        ended: Refusal | None = None
        try:
            for stage, (expected, seen) in zip(STAGES, self._passed(), strict=False):
                steps.append(Step(stage, StepVerdict.PASSED, expected, seen))
        except Refusal as refusal:
            ended = refusal
        return tuple(self._completed(steps, refused, ended))

    def _completed(self, steps: list[Step], refused: Refusal | None, ended: Refusal | None) -> Iterator[Step]:
        if (refused and refused.reason) is not (ended and ended.reason):
            message = "the walk and the pipeline disagree; please report this"
            raise RuntimeError(message)
        yield from steps
        rest = list(STAGES[len(steps) :])
        if refused is not None:
            expected, seen = self._show.value(refused.expected), self._show.value(refused.seen)
            yield Step(rest.pop(0), StepVerdict.REFUSED, f"{self._show.safe(refused.check)}: {expected}", seen)
        for stage in rest:
            yield Step(stage, StepVerdict.NOT_REACHED)

    def _passed(self) -> Iterator[tuple[str, str]]:
        """Yield (expected, seen) of each stage that passes; raise the refusal of the first that does not."""
        table, head, now = self._context.table, self._evidence.head, self._evidence.now
        policy = route(table, head)
        yield f"a policy for {self._show.value(head.method)} {self._show.value(head.path)}", _of_policy(policy)
        if policy.access in (Access.PUBLIC, Access.LOGIN):
            return
        token = extract(policy, head, table.limits, table.config.mode)
        if token is None and policy.access is Access.OPTIONAL:
            yield _carriers(policy), "no token: anonymous"
            return
        if token is None:
            raise self._own_refusal()
        yield _carriers(policy), f"one token of {len(token)} bytes"
        if isinstance(token, CookieToken):
            check_csrf(policy, head, token, self._context.csrf_keys)
            yield "a request from a page of ours", "it is"
            token = Token(token.reveal())
        else:
            yield "a request from a page of ours, where a cookie carries the token", "the token is in a header"
        yield "a token verified before", "nothing is remembered here, so it is verified from the start"
        yield from self._verified(policy, token, now)

    def _verified(self, policy: EndpointPolicy, token: Token, now: float) -> Iterator[tuple[str, str]]:
        parser, limits = self._context.parser, self._context.table.limits
        jws = parser.begin(token, policy.algorithms)
        header = jws.header
        named = (("alg", header.alg), ("typ", header.typ), ("kid", header.kid))
        seen = ", ".join(f"{name} {self._show.value(value)}" for name, value in named)
        form = f"a compact JWS of at most {limits.token_bytes} bytes, alg {self._show.value(policy.algorithms)}"
        try:
            parser.open(jws)
            choice = classify(parser, policy, jws)
        except Refusal as flaw:
            yield from self._unknown_kid(policy, header, (form, seen), flaw)
            raise
        yield form, seen
        yield self._admitted(policy), self._chosen(choice)
        key_set = _AtHand(self._evidence.held).keys(NeedKeys(choice.profiles[0].issuer, header.kid))
        key = select_key(key_set, header, choice.alg)
        yield f"one key of the issuer for {choice.alg}", f"key {self._show.value(key.kid)}"
        verified = verify_signature(jws, key)
        yield f"made by key {self._show.value(key.kid)}", "it is"
        claims_set = validate_claims(verified, choice.profiles, limits.subject_chars, now)
        yield _of_classes(choice), self._claims(claims_set)
        authorize(policy, claims_set, self._evidence.head, now)
        yield _demands(policy), f"scope {self._show.value(sorted(claims_set.scopes))}"

    def _unknown_kid(
        self, policy: EndpointPolicy, header: JoseHeader, parsed: tuple[str, str], flaw: Refusal
    ) -> Iterator[tuple[str, str]]:
        """Tell of an unknown kid before whatever else is wrong, as the pipeline judges, and of that too."""
        try:
            refuse_unknown_kid(header, self._context.accepted_keys(policy), None)
        except Refusal:
            yield parsed
            besides = f"{flaw.reason}, {self._show.safe(flaw.check)} {self._show.value(flaw.seen)}"
            yield self._admitted(policy), f"set aside, as no accepted issuer has this kid; besides: {besides}"
            raise
        if flaw.reason is not Reason.MALFORMED or flaw.check != "base64url":
            yield parsed

    def _own_refusal(self) -> Refusal:
        """What the pipeline itself refuses, between the stages: a request without a token."""
        return self._decision.refusal if isinstance(self._decision, Refused) else Refusal(Reason.MISSING_TOKEN)

    def _admitted(self, policy: EndpointPolicy) -> str:
        issuers = sorted({issuer for issuer, _, _ in policy.choices})
        types = sorted({typ or "(absent)" for _, typ, _ in policy.choices})
        algorithms = sorted({alg for _, _, alg in policy.choices})
        return f"iss {self._show.value(issuers)}; typ {', '.join(types)}; alg {', '.join(algorithms)}"

    def _chosen(self, choice: Choice) -> str:
        names = " or ".join(profile.token_class.name for profile in choice.profiles)
        return f"issuer {choice.profiles[0].issuer.name}, class {names} by {choice.alg}"

    def _claims(self, claims_set: ClaimsSet) -> str:
        names = ("sub", "aud", "exp")
        values = ", ".join(f"{name} {self._show.value(claims_set.claims.get(name))}" for name in names)
        return f"class {claims_set.profile.token_class.name}: {values}"


def _of_policy(policy: EndpointPolicy) -> str:
    return f"policy {policy.name!r}, {policy.access}"


def _carriers(policy: EndpointPolicy) -> str:
    places = (
        f"cookie {carrier.name}" if carrier.kind is CarrierKind.COOKIE else f"{carrier.name}: {carrier.scheme}"
        for carrier in policy.carriers
    )
    return f"one token in {' or '.join(places)}"


def _of_classes(choice: Choice) -> str:
    audiences = sorted({name for profile in choice.profiles for name in profile.audiences or ()})
    names = " or ".join(profile.token_class.name for profile in choice.profiles)
    return f"the claims of {names}, aud {', '.join(audiences) or 'of any kind'}, valid now"


def _demands(policy: EndpointPolicy) -> str:
    return "; ".join(demands_of(policy)) or "nothing more"
