"""The questions only the outside can answer, and what their answers look like."""

from __future__ import annotations

from enum import Enum
from typing import Literal, TypeAlias

from jwtguard.core.issuer import Issuer
from jwtguard.core.keys import KeySet
from jwtguard.core.request import SessionName, Token
from jwtguard.core.rules import AsyncRule
from jwtguard.core.strict_json import JsonValue


class _Unanswered(Enum):
    CANNOT_TELL = "cannot_tell"


CannotTell: TypeAlias = _Unanswered
CANNOT_TELL: Literal[_Unanswered.CANNOT_TELL] = _Unanswered.CANNOT_TELL
"""The answer when nobody answered in time."""


class NeedKeys:
    """Which keys has this issuer? The ``kid`` says whether a set at hand is enough.

    The answer is a key set, or ``None`` if the issuer has no usable keys at all right now.
    """

    __slots__ = ("issuer", "kid")

    def __init__(self, issuer: Issuer, kid: str | None) -> None:
        self.issuer = issuer
        self.kid = kid


class NeedToken:
    """Which token belongs to this session? The answer is a ``Token``, or ``None`` without such a session."""

    __slots__ = ("session",)

    def __init__(self, session: SessionName) -> None:
        self.session = session


class NeedSubject:
    """Is this subject known and enabled? The answer is a bool (R-CLM-09)."""

    __slots__ = ("issuer", "subject")

    def __init__(self, issuer: str, subject: str) -> None:
        self.issuer = issuer
        self.subject = subject


class NeedVerdict:
    """Does this claim pass the application's rule? The answer is a bool (R-CLM-12)."""

    __slots__ = ("rule", "value")

    def __init__(self, rule: AsyncRule, value: JsonValue) -> None:
        self.rule = rule
        self.value = value


Need: TypeAlias = NeedKeys | NeedToken | NeedSubject | NeedVerdict
Answer: TypeAlias = KeySet | Token | CannotTell | bool | None
