"""One row of the table: a request, and what must come of it on every face."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, TypeAlias

from jwtguard import Reason
from tests.scenarios.faces.tokens import ADA
from tests.scenarios.faces.told import Told

Fields: TypeAlias = tuple[tuple[bytes, bytes], ...]


class Trait(Enum):
    """What sets a face apart where the table must know: how requests reach it, or that it routes nothing itself."""

    GUNICORN = "a server that refuses what is no HTTP"
    WSGI = "fields of one name are joined (PEP 3333); no WebSockets"
    SHELL = "a WSGI shell, which must decide on what the application makes of a request for a WebSocket"
    FLASK = "takes paths and methods apart by Werkzeug's rules"
    DJANGO = "routes no WebSockets"
    DJANGO_ASGI = "speaks HTTP alone, and reads bodies before any middleware"
    DECORATORS = "decides inside of the framework's own routing"
    DECORATED_STARLETTE = "as above, and Starlette's regular expressions route"
    DECORATED_FLASK = "as above, and Werkzeug routes"
    DECORATED_DJANGO = "as above, and Django routes"


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as a client writes it; the target is percent-encoded."""

    method: str = "GET"
    target: str = "/reports"
    fields: Fields = ()
    scheme: str = "https"
    is_socket: bool = False


@dataclass(frozen=True, slots=True)
class Reached:
    """The handler that ran, with whom it saw and by which policy."""

    handler: str
    policy: str
    subject: str


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What comes of a request that never gets to the guard of this face: no handler runs, and nobody decides.

    Attributes:
        statuses: What the server or the framework may answer by itself.
        why: Why this face cannot carry the request.
        reasons: What the guard says all the same, where the request passes it.
    """

    statuses: frozenset[int]
    why: str
    reasons: tuple[str | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Other:
    """Another outcome on this face, that its way of reading the request makes right."""

    row: Row
    why: str


Unlike: TypeAlias = "Mapping[Trait, Elsewhere | Other]"


@dataclass(frozen=True, slots=True)
class Row:
    """A scenario.

    Attributes:
        name: What happens, in words.
        sent: The request.
        told: What the guard must answer; ``None``: the application must be reached.
        reason: What the event must say; ``None``: allowed, or answered by the guard itself.
        reached: The name of the place that must be reached.
        subject: Whom it must see; empty: anonymous.
        unlike: The faces that cannot carry this request, or must read it otherwise.
    """

    name: str
    sent: Sent
    told: Told | None = None
    reason: Reason | None = None
    reached: str = ""
    subject: str = ADA
    unlike: Unlike = field(default_factory=dict)

    def on(self, traits: frozenset[Trait]) -> Row | Elsewhere:
        """Return what must come of it on a face: this, unless a trait of the face is named; the last of them counts."""
        found: Row | Elsewhere = self
        for trait, unlike in self.unlike.items():
            if trait in traits:
                found = unlike.row if isinstance(unlike, Other) else unlike
        return dataclasses.replace(found, sent=self.sent) if isinstance(found, Row) else found

    @property
    def handlers(self) -> tuple[Reached, ...]:
        """Who must have run."""
        return (Reached(self.reached, self.reached, self.subject),) if self.reached else ()


UNROUTED: Final = Elsewhere(frozenset({307, 308, 400, 404, 405}), "no route leads to a decorated function")


def refused(
    name: str,
    sent: Sent,
    told: Told,
    reason: Reason,
    unlike: Unlike | None = None,
) -> Row:
    """A request that must not reach the application."""
    found = dict(unlike or {})
    if reason is Reason.NO_POLICY:
        found = {Trait.DECORATORS: UNROUTED, **found}
    return Row(name, sent, told, reason, unlike=found)


def allowed(
    name: str,
    sent: Sent,
    reached: str,
    subject: str = ADA,
    unlike: Unlike | None = None,
) -> Row:
    """A request that must reach the application."""
    return Row(name, sent, reached=reached, subject=subject, unlike=unlike or {})
