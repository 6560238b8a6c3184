"""What is left of a decision when somebody outside must be asked, and what their answers mean."""

from __future__ import annotations

from typing import TypeAlias

from jwtguard.core.asked import Asked
from jwtguard.core.claims import ClaimsSet
from jwtguard.core.decision import Refused, Remember
from jwtguard.core.jws import UnverifiedJws
from jwtguard.core.needs import CANNOT_TELL, Answer, Need, NeedSubject, NeedVerdict
from jwtguard.core.policy import Choice, EndpointPolicy
from jwtguard.core.request import SessionName
from jwtguard.errors import Reason, Refusal


class Referenced:
    """A request whose token the server keeps under the name that its cookie holds."""

    __slots__ = ("asked", "session")

    def __init__(self, asked: Asked, session: SessionName) -> None:
        self.asked = asked
        self.session = session


class Unknown:
    """A token not remembered, of an issuer whose keys must be asked for."""

    __slots__ = ("asked", "choice", "jws")

    def __init__(self, asked: Asked, jws: UnverifiedJws, choice: Choice) -> None:
        self.asked = asked
        self.jws = jws
        self.choice = choice


class Unconfirmed:
    """A good token of whose claims somebody outside has to be asked."""

    __slots__ = ("ask_subject", "asked", "claims_set", "remember")

    def __init__(self, asked: Asked, claims_set: ClaimsSet, remember: Remember | None, *, ask_subject: bool) -> None:
        self.ask_subject = ask_subject
        self.asked = asked
        self.claims_set = claims_set
        self.remember = remember


def questions(unconfirmed: Unconfirmed) -> list[tuple[Need, Refusal]]:
    """List what to ask about a good token, each with the refusal that a no means (R-CLM-09, R-CLM-12)."""
    claims = unconfirmed.claims_set.claims
    asked: list[tuple[Need, Refusal]] = []
    issuer, subject = claims.get("iss"), claims.get("sub")
    if unconfirmed.ask_subject and isinstance(issuer, str) and isinstance(subject, str):
        refusal = Refusal(Reason.UNKNOWN_SUBJECT, "sub", "a subject that is known and enabled", subject)
        asked.append((NeedSubject(issuer, subject), refusal))
    for rule in unconfirmed.asked.policy.questions:
        refusal = Refusal(Reason.RULE_REFUSED, rule.claim, rule.text, claims.get(rule.claim))
        asked.append((NeedVerdict(rule, claims[rule.claim]), refusal))
    return asked


def not_answered(policy: EndpointPolicy, answer: Answer, no: Refusal, remember: Remember | None = None) -> Refused:
    """Refuse for want of a yes: with ``no``, or as nobody can tell."""
    if answer is CANNOT_TELL:
        no = Refusal(Reason.STORE_UNAVAILABLE, no.check, no.expected, "no answer in time")
    return Refused(policy, no, remember)


Unfinished: TypeAlias = Referenced | Unknown | Unconfirmed
UNFINISHED = frozenset({Referenced, Unknown, Unconfirmed})
