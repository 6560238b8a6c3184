"""The census: every route an application has, and the policies that its requests meet (R-POL-01).

Two orders must agree. The framework picks the first route that matches; we pick the most specific policy.
For every route the census walks all requests that reach it, as specimens, and asks which policy each meets.
A route whose requests all end elsewhere first is shadowed; so is one that some request reaches under a policy
written for another route.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from jwtguard.core.endpoint import Access
from jwtguard.core.paths import Pattern
from jwtguard.core.policy import EndpointPolicy, Mode
from jwtguard.core.table import PolicyTable
from jwtguard.errors import ConfigurationError
from jwtguard.lint.app_routes import order_of
from jwtguard.lint.cors import stop_on_open_cors
from jwtguard.lint.demands import demands_of
from jwtguard.lint.route_order import WEBSOCKET, Kind, Routes, Stop
from jwtguard.lint.specimens import Tree, tree_of

_UNNAMED = "PROPFIND"  # stands for the methods that no policy names
_SHOWN = 10
_DOCUMENTATION = ("openapi_url", "docs_url", "redoc_url", "swagger_ui_oauth2_redirect_url")
_ACCESS = tuple(Access)  # from the open to the closed


class Verdict(StrEnum):
    """What the census says of a route."""

    COVERED = "covered"
    PARTLY = "partly covered"
    UNPROTECTED = "unprotected"
    SHADOWED = "shadowed"


@dataclass(frozen=True, slots=True)
class Cover:
    """A policy that requests of a route meet."""

    name: str
    access: Access
    classes: tuple[str, ...]
    scopes: tuple[str, ...]
    any_scopes: tuple[str, ...]
    demands: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CensusRow:
    """One route and method.

    Attributes:
        kind: What kind of route it is.
        method: GET and so on, WEBSOCKET, or ``*`` for every method.
        path: As routed from the application's root.
        endpoint: The name of its handler.
        host: The host it is bound to; usually empty.
        covers: The policies that its requests meet.
        verdict: What that means.
        note: Why, with an example; empty if there is nothing to say.
    """

    kind: Kind
    method: str
    path: str
    endpoint: str
    host: str
    covers: tuple[Cover, ...]
    verdict: Verdict
    note: str


def census(app: object, table: PolicyTable) -> list[CensusRow]:
    """List the routes of an application with the policies that cover them.

    Args:
        app: What ``order_of`` takes. An application without routes has an empty census.
        table: The policy.
    """
    order = order_of(app)
    return list(_Census(order, table).rows()) if order is not None else []


class UncoveredRoutesError(ConfigurationError):
    """An application has routes that no policy covers."""


def stop_on_gaps(app: object, table: PolicyTable) -> None:
    """Refuse to start in production with a route that no policy covers, or a CORS layer that gives cookies away.

    Args:
        app: What ``order_of`` takes; nothing is said of an application without routes.
        table: The policy.

    Raises:
        UncoveredRoutesError: Names the routes.
        OpenCorsError: Names the layer.
    """
    if table.config.mode is not Mode.PRODUCTION or app is None:
        return
    stop_on_open_cors(app, table)
    gaps = [row for row in census(app, table) if row.verdict is Verdict.UNPROTECTED]
    if not gaps:
        return
    named = ", ".join(f"{row.method} {row.path}" for row in gaps[:_SHOWN])
    more = f" and {len(gaps) - _SHOWN} more" if len(gaps) > _SHOWN else ""
    message = f"no policy covers {named}{more}; write one for each, public = true if that is meant"
    message += _added_by_itself(app, [row.path for row in gaps])
    raise UncoveredRoutesError(message, key="endpoints", rule="R-POL-01")


def _added_by_itself(app: object, paths: list[str]) -> str:
    """Name the routes that the author of the application never wrote."""
    documentation = {getattr(app, name, None) for name in _DOCUMENTATION}
    if own := [path for path in paths if path in documentation]:
        return (
            f". FastAPI adds {', '.join(own)} by itself: make them public, or switch them off with "
            "FastAPI(openapi_url=None)"
        )
    static = f"{getattr(app, 'static_url_path', None)}/<path:filename>"
    return f". Flask adds {static} by itself: make it public, or Flask(static_folder=None)" if static in paths else ""


@dataclass(frozen=True, slots=True)
class _Meeting:
    """A request that reaches a route, and the policy it meets."""

    method: str
    path: str
    policy: EndpointPolicy | None


class _Census:
    """The two orders side by side."""

    def __init__(self, order: Routes, table: PolicyTable) -> None:
        self._order = order
        self._find = table.routes.find
        patterns = [(policy, Pattern(text)) for policy in table.endpoints for text in policy.patterns]
        self._patterns: dict[int, list[Pattern]] = {}
        for policy, pattern in patterns:
            self._patterns.setdefault(id(policy), []).append(pattern)
        self._tree: Tree = tree_of(pattern for _, pattern in patterns)
        lengths = [len(pattern.segments) for _, pattern in patterns]
        templates = [(stop, template) for stop in order.stops for template in stop.templates]
        self._deepest = max([*lengths, *(len(template.parts) for _, template in templates)], default=0)
        self._methods = sorted({pattern.method for _, pattern in patterns if pattern.method} - {WEBSOCKET})
        self._places = {id(stop): place for place, stop in enumerate(order.stops)}
        self._by_shape: dict[object, list[Stop]] = {}
        for stop, template in templates:
            if stop.kind is not Kind.DEAD_END:
                self._by_shape.setdefault(template.shape, []).append(stop)

    def rows(self) -> Iterator[CensusRow]:
        """Judge every stop that has a handler."""
        for stop in self._order.stops:
            paths = stop.specimens(self._tree, self._deepest) if stop.answers else []
            for method in stop.answers:
                yield self._row(stop, method, paths)

    def _row(self, stop: Stop, method: str, paths: list[str]) -> CensusRow:
        methods = self._methods_of(stop) if method == "*" else [method]
        host = stop.hosts[-1].specimen if stop.hosts else ""
        requests = [(name, path) for name in methods for path in paths]
        takers = {request: self._order.first(*request, host) for request in requests}
        met = [_Meeting(*request, self._find(*request)) for request in requests if self._gets(stop, takers[request])]
        own = [meeting for meeting in met if takers[meeting.method, meeting.path] is stop]
        policies = {id(meeting.policy): meeting.policy for meeting in met if meeting.policy is not None}
        if not met:
            verdict, note = Verdict.SHADOWED, _ends_elsewhere(takers)
        elif strays := [*self._strays(stop, own), *self._head_strays(stop, paths, host, policies.values())]:
            verdict, note = Verdict.SHADOWED, strays[0]
        else:
            verdict, note = _coverage(met)
        if stop.doubt and verdict is not Verdict.COVERED:
            note = f"{note}; {stop.doubt}"
        return CensusRow(
            kind=stop.kind,
            method=method,
            path=stop.template.text or "/",
            endpoint=stop.name,
            host=host,
            covers=tuple(_cover(policy) for policy in policies.values()),
            verdict=verdict,
            note=note,
        )

    def _gets(self, stop: Stop, taker: Stop | None) -> bool:
        """Whether a request may reach a stop; one that takes nobody knows what may take it from a later one."""
        if taker is stop or taker is None:
            return taker is stop
        return stop.kind is Kind.UNKNOWN and self._places[id(taker)] > self._places[id(stop)]

    def _methods_of(self, stop: Stop) -> list[str]:
        handshake = [WEBSOCKET] if stop.websocket else []
        return [*(name for name in (*self._methods, _UNNAMED) if stop.takes(name)), *handshake]

    def _strays(self, stop: Stop, met: Iterable[_Meeting]) -> Iterator[str]:
        """Requests under a policy that spells out another route, and does not hold for this one as a whole."""
        for meeting in met:
            patterns = self._patterns.get(id(meeting.policy), [])
            named = [pattern for pattern in patterns if pattern.method in (None, meeting.method)]
            if stop.is_within(named):
                continue
            for pattern in named:
                owner = self._owner(pattern, stop, meeting)
                if owner is not None:
                    yield (
                        f"{meeting.method} {meeting.path} ends here, under the policy {pattern.text!r}, "
                        f"which is the pattern of {owner.name}"
                    )

    def _owner(self, pattern: Pattern, stop: Stop, meeting: _Meeting) -> Stop | None:
        """Return the other route that a pattern spells out, if this request could be its."""
        for other in self._by_shape.get((pattern.segments, pattern.rest), ()):
            fits = pattern.method is None or other.takes(pattern.method)
            if fits and other is not stop and other.hosts == stop.hosts and other.matches(meeting.path):
                return other
        return None

    def _head_strays(self, stop: Stop, paths: Iterable[str], host: str, own: Iterable[EndpointPolicy]) -> Iterator[str]:
        """HEAD requests under the policy of a GET that another route answers, and that demands less.

        HEAD is decided as GET, but FastAPI's routes for GET leave HEAD to whatever comes later.
        """
        if stop.http is not None and "HEAD" not in stop.http:
            return
        for path in paths:
            if self._order.first("HEAD", path, host) is stop and self._order.first("GET", path, host) is not stop:
                policy = self._find("HEAD", path)
                if policy is not None and any(_demands_less(policy, other) for other in own):
                    yield f"HEAD {path} ends here, under the policy {policy.name!r} of a GET that another route answers"


def _demands_less(policy: EndpointPolicy, other: EndpointPolicy) -> bool:
    return _ACCESS.index(policy.access) < _ACCESS.index(other.access) or not other.scopes <= policy.scopes


def _coverage(met: list[_Meeting]) -> tuple[Verdict, str]:
    open_ones = [meeting for meeting in met if meeting.policy is None]
    if not open_ones:
        return Verdict.COVERED, ""
    if len(open_ones) == len(met):
        return Verdict.UNPROTECTED, "no policy matches; every request is refused"
    return Verdict.PARTLY, f"no policy matches {open_ones[0].method} {open_ones[0].path}; such requests are refused"


def _ends_elsewhere(takers: dict[tuple[str, str], Stop | None]) -> str:
    for (method, path), taker in takers.items():
        if taker is not None:
            return f"{method} {path} ends at {taker.name} ({taker.template.text}) first, as does every other request"
    return "no request can reach it"


def _cover(policy: EndpointPolicy) -> Cover:
    return Cover(
        name=policy.name,
        access=policy.access,
        classes=tuple(sorted({profile.token_class.name for profile in policy.profiles})),
        scopes=tuple(sorted(policy.scopes)),
        any_scopes=tuple(sorted(policy.any_scopes)),
        demands=demands_of(policy),
    )
