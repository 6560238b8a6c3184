"""What happened, as typed values for ``Guard(on_event=…)``.

Events hold configured names and closed words; text from outside is cut and stripped of control
characters (R-OBS-04). No event holds a token or a claim (R-OBS-03).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from jwtguard.core.keys import SkipReason
from jwtguard.errors import Reason

_SHOWN = 64


def printable(text: object) -> str:
    """Make foreign text safe for a log line: at most 64 characters, none of them a control."""
    return "".join(char if char.isprintable() else "?" for char in str(text)[:_SHOWN])


@dataclass(frozen=True, slots=True)
class Decided:
    """One request or verification was decided; ``reason`` is ``None`` if it was allowed."""

    policy: str
    reason: Reason | None
    issuer: str = ""
    token_class: str = ""


@dataclass(frozen=True, slots=True)
class KeysRefreshed:
    """An issuer's key set was fetched and put in force."""

    issuer: str
    keys: int


@dataclass(frozen=True, slots=True)
class RefreshFailed:
    """An issuer's key set could not be refreshed; ``reason`` is a closed word."""

    issuer: str
    reason: str


@dataclass(frozen=True, slots=True)
class KeysStale:
    """An issuer does not answer; its last good keys serve on, ``age_s`` after they were fetched."""

    issuer: str
    age_s: float


@dataclass(frozen=True, slots=True)
class KeySkipped:
    """A key of a set is not used."""

    issuer: str
    kid: str
    reason: SkipReason


@dataclass(frozen=True, slots=True)
class PrivateKeyExposed:
    """A key set shows private members: whoever read it can sign. Rotate that key."""

    issuer: str
    kid: str


@dataclass(frozen=True, slots=True)
class ConnectionEnded:
    """A WebSocket or a streamed response was ended with its token: it expired, or was revoked."""

    policy: str
    reason: Reason


Event: TypeAlias = (
    Decided | ConnectionEnded | KeysRefreshed | RefreshFailed | KeysStale | KeySkipped | PrivateKeyExposed
)
