"""What came of a request on one face: what the client saw, who ran, what was reported, what was read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from jwtguard import Identity
from jwtguard.core.events import Decided, Event
from tests.scenarios.faces.places import BrokenError
from tests.scenarios.faces.row import Reached, Sent, Trait
from tests.scenarios.faces.tokens import CANARIES
from tests.scenarios.faces.told import SHOWN

FROM_THE_APPLICATION = b"from the application"


@dataclass(frozen=True, slots=True)
class Seen:
    """The outcome of one request.

    Attributes:
        status: What the client got; 200 for a WebSocket that was accepted.
        fields: Those header fields that a decision sets, by name.
        body: The body.
        reasons: What the events say, in order.
        handlers: Who ran.
        raw: Everything the client was sent, to be searched for canaries.
        body_reads: How often somebody asked for the request's body before it was answered.
    """

    status: int
    fields: tuple[tuple[str, str], ...]
    body: bytes
    reasons: tuple[str | None, ...]
    handlers: tuple[Reached, ...]
    raw: str = field(repr=False, default="")
    body_reads: int = 0


class Face(Protocol):
    """One way to stand before an application."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def traits(self) -> frozenset[Trait]:
        """What the table must know of it."""
        ...

    def send(self, sent: Sent) -> Seen:
        """Send a request and see what comes of it."""
        ...

    def log(self) -> str:
        """Return what the server has written so far."""
        ...


class Journal:
    """What happened inside: decisions, and handlers that ran. As an event sink it is broken (F66)."""

    def __init__(self) -> None:
        self.decided: list[Decided] = []
        self.handlers: list[Reached] = []

    def __call__(self, event: Event) -> None:
        """Keep a decision, and fail as a sink may.

        Raises:
            BrokenError: Always.
        """
        if isinstance(event, Decided):
            self.decided.append(event)
        raise BrokenError

    def enter(self, handler: str, identity: Identity) -> None:
        """Note that a handler runs. Decorated functions are policies by their own, qualified name."""
        policy = identity.policy.rpartition(".")[2]
        self.handlers.append(Reached(handler, policy, identity.subject))

    def seen(self, status: int, fields: Iterable[tuple[str, str]], body: bytes, reads: int = 0) -> Seen:
        """Return the outcome, and forget what happened."""
        known = [(name.lower(), value) for name, value in fields]
        shown = tuple(sorted((name, value) for name, value in known if name in SHOWN))
        reasons = tuple(str(event.reason) if event.reason else None for event in self.decided)
        raw = f"{known!r} {body!r} {self.decided!r}"
        found = Seen(status, shown, body, reasons, tuple(self.handlers), raw, reads)
        self.decided.clear()
        self.handlers.clear()
        return found


_BETWEEN = re.compile(r"[=.,;&?\s]+")


def secrets_in(sent: Sent) -> set[str]:
    """What of a request must be seen nowhere: canaries, and every part as long as one of a credential."""
    texts = (sent.target, *(value.decode("latin-1") for _, value in sent.fields))
    return {*CANARIES, *(part for text in texts for part in _BETWEEN.split(text) if len(part) > 40)}
