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
from typing import Protocol

from jwtguard.core.paths import Pattern
from jwtguard.lint.specimens import Template, Tree

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
        forms: The other forms that this path may have, such as one without the last slash.
        http: The HTTP methods it takes; ``None``: every one.
        websocket: Whether it takes WebSocket handshakes.
        answers: The methods to report; ``*`` stands for every one.
        hosts: What the Host header must match, all of it.
        router: Which router it belongs to; in there, a last resort is asked only if no path matched.
        is_last_resort: Whether it is asked after every other route of its router.
        doubt: What the census could not find out about it; empty if it knows all.
        endpoint: The handler itself: a function, a class, or whatever the framework calls.
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
    forms: tuple[Template, ...] = ()
    doubt: str = ""
    endpoint: object = None

    @property
    def templates(self) -> tuple[Template, ...]:
        """The path in every form."""
        return (self.template, *self.forms)

    def matches(self, path: str) -> bool:
        """Whether a path leads here, in any form."""
        return any(template.matches(path) for template in self.templates)

    def specimens(self, tree: Tree, deepest: int) -> list[str]:
        """Return paths that stand for all others, none of them twice."""
        paths = (path for template in self.templates for path in template.specimens(tree, deepest))
        return list(dict.fromkeys(paths))

    def is_within(self, patterns: Iterable[Pattern]) -> bool:
        """Whether the patterns of a policy cover every path that leads here, each form by one of them."""
        known = tuple(patterns)
        return all(any(template.is_within(pattern) for pattern in known) for template in self.templates)

    def takes(self, method: str) -> bool:
        """Whether a request of this method that matches the path ends here."""
        return self.websocket if method == WEBSOCKET else self.http is None or method in self.http


@dataclass(frozen=True, slots=True)
class Host:
    """A pattern of host names, and one name that it matches."""

    regex: re.Pattern[str]
    specimen: str


class Routes(Protocol):
    """What the census asks of a framework's routes."""

    @property
    def stops(self) -> tuple[Stop, ...]:
        """Every place where a request can end."""

    def first(self, method: str, path: str, host: str = "") -> Stop | None:
        """Return where a request ends, or ``None`` if nothing takes it."""


@dataclass(slots=True)
class Order:
    """All stops in the order in which they are asked."""

    stops: tuple[Stop, ...]
    _near: dict[str, list[int]] = field(default_factory=dict)
    _everywhere: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Sort the stops by the first segment of their paths, where it is fixed."""
        for place, stop in enumerate(self.stops):
            for first in {template.first_segment for template in stop.templates}:
                (self._everywhere if first is None else self._near.setdefault(first, [])).append(place)

    def first(self, method: str, path: str, host: str = "") -> Stop | None:
        """Return where a request ends, or ``None`` if no stop takes it."""
        answered_405: set[int] = set()
        left_over: Stop | None = None
        for stop in self._candidates(path):
            if not all(known.regex.fullmatch(host) for known in stop.hosts) or not stop.matches(path):
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
        return (self.stops[place] for place in sorted(set(places)))
