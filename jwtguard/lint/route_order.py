"""The order in which a framework looks for a handler, and who gets a request first.

Starlette takes the first route that matches path and method; one that matches the path alone only leads to
a 405. A mount takes every request under its path, whether or not something in it answers: that is a
``Stop`` without a handler, after those of its own routes. What a route class of somebody's own takes, nobody
knows: it gets what is left over, so that it must be covered and shadows nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from jwtguard.lint.specimens import Template

WEBSOCKET = "WEBSOCKET"


class Kind(StrEnum):
    """What kind of thing a request ends at."""

    ROUTE = "route"
    WEBSOCKET = "websocket"
    MOUNT = "mount"
    FRONTEND = "frontend"
    DEFAULT = "default"
    UNKNOWN = "unknown"
    DEAD_END = "dead end"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Stop:
    """One place where a request can end.

    Attributes:
        kind: What it is; a dead end has no handler.
        name: The handler's name.
        template: The path it takes, from the application's root.
        http: The HTTP methods it takes; ``None``: every one.
        websocket: Whether it takes WebSocket handshakes.
        answers: The methods to report; ``*`` stands for every one.
        hosts: What the Host header must match, all of it.
        router: Which router it belongs to; in there, a last resort is asked only if no path matched.
        is_last_resort: Whether it is asked after every other route of its router.
    """

    kind: Kind
    name: str
    template: Template
    http: frozenset[str] | None = None
    websocket: bool = False
    answers: tuple[str, ...] = ()
    hosts: tuple[Host, ...] = ()
    router: int = 0
    is_last_resort: bool = False

    def takes(self, method: str) -> bool:
        """Whether a request of this method that matches the path ends here."""
        return self.websocket if method == WEBSOCKET else self.http is None or method in self.http


@dataclass(frozen=True, slots=True)
class Host:
    """A pattern of host names, and one name that it matches."""

    regex: re.Pattern[str]
    specimen: str


@dataclass(slots=True)
class Order:
    """All stops in the order in which they are asked."""

    stops: tuple[Stop, ...]
    _near: dict[str, list[int]] = field(default_factory=dict)
    _everywhere: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Sort the stops by the first segment of their paths, where it is fixed."""
        for place, stop in enumerate(self.stops):
            first = stop.template.first_segment
            (self._everywhere if first is None else self._near.setdefault(first, [])).append(place)

    def first(self, method: str, path: str, host: str = "") -> Stop | None:
        """Return where a request ends, or ``None`` if no stop takes it."""
        answered_405: set[int] = set()
        left_over: Stop | None = None
        for stop in self._candidates(path):
            if not all(known.regex.fullmatch(host) for known in stop.hosts) or not stop.template.matches(path):
                continue
            if stop.is_last_resort and stop.router in answered_405:
                continue
            if stop.kind is Kind.UNKNOWN:
                left_over = left_over or stop
            elif stop.takes(method):
                return left_over or stop if stop.kind is Kind.DEAD_END else stop
            elif stop.kind is Kind.ROUTE and method != WEBSOCKET:
                answered_405.add(stop.router)
        return left_over

    def _candidates(self, path: str) -> Iterable[Stop]:
        segment = path[1:].partition("/")[0]
        places = [*self._near.get(segment, ()), *self._everywhere]
        return (self.stops[place] for place in sorted(places))
