"""From decorated functions to endpoints: the routes that lead to them, and what the file says of those paths."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from jwtguard.core.endpoint import Endpoint, at
from jwtguard.core.paths import METHODS, Pattern
from jwtguard.core.table import PolicyTable
from jwtguard.declared.declaration import Declaration, declared_on, declared_within
from jwtguard.declared.patterns import contains, patterns_of
from jwtguard.declared.strictness import weaker_columns
from jwtguard.errors import ConfigurationError
from jwtguard.lint.app_routes import order_of
from jwtguard.lint.census import census
from jwtguard.lint.route_order import Stop

_RULE = "R-POL-06"


def first_with_routes(apps: Sequence[object]) -> object:
    """Return the first application whose routes show; if none do, the first."""
    return next((app for app in apps if order_of(app) is not None), apps[0])


def endpoints_of(app: object, declarations: Sequence[Declaration], *, strict: bool) -> tuple[Endpoint, ...]:
    """Find the routes that lead to declarations, and return an endpoint for each declaration.

    Args:
        app: What ``order_of`` takes.
        declarations: Those of one guard.
        strict: Whether a declaration without a route is an error; if not, it has no endpoint. One whose function a
            route reaches in its own stead always is.

    Raises:
        ConfigurationError: No route leads to a declaration, or a route's path is beyond a pattern.
    """
    order = order_of(app)
    stops = order.stops if order is not None else ()
    patterns: dict[Declaration, dict[str, None]] = {declaration: {} for declaration in declarations}
    for stop in stops:
        for declaration, methods in _led_to(stop):
            if declaration in patterns:
                patterns[declaration] |= dict.fromkeys(patterns_of(stop, methods, declaration.name))
    lost = [declaration for declaration, found in patterns.items() if not found]
    for one in lost:
        in_wrong_order = any(stop.endpoint is one.target for stop in stops)
        if strict or in_wrong_order:  # that would let everybody in whom the file lets in
            raise _lost(one, is_reached=in_wrong_order)
    return tuple(at(tuple(found), one.demands, name=one.name) for one, found in patterns.items() if found)


def _led_to(stop: Stop) -> Iterator[tuple[Declaration, tuple[str, ...]]]:
    declaration = declared_on(stop.endpoint)
    if declaration is not None:
        yield declaration, stop.answers
        return
    for verb, found in declared_within(stop.endpoint).items():
        if verb in stop.answers or "*" in stop.answers:
            yield found, (verb,)


def _lost(declaration: Declaration, *, is_reached: bool) -> ConfigurationError:
    if is_reached:
        message = "a route leads to this function without its policy; put the route's decorator above the policy's"
    else:
        message = "has a policy, but no route of the application leads to it"
    return ConfigurationError(message, key=declaration.name, rule="R-POL-01")


def check_against(written: Iterable[Endpoint], declared: Iterable[Endpoint]) -> None:
    """Refuse decorators that contradict what the file says.

    Raises:
        ConfigurationError: Both are for the same requests, both have one name, or a decorator demands less than
            the file does of everything around.
    """
    known = tuple(written)
    names = {endpoint.name or endpoint.match[0] for endpoint in known}
    patterns = [(Pattern(text), endpoint) for endpoint in known for text in endpoint.match]
    for endpoint in declared:
        if endpoint.name in names:
            message = "another endpoint has this name"
            raise ConfigurationError(message, key=endpoint.name, rule=_RULE)
        for text in endpoint.match:
            _check(Pattern(text, key=endpoint.name), endpoint, patterns)


def _check(pattern: Pattern, endpoint: Endpoint, patterns: Iterable[tuple[Pattern, Endpoint]]) -> None:
    around = [(other, policy) for other, policy in patterns if contains(other, pattern)]
    for other, _ in around:
        if contains(pattern, other) and other.method == pattern.method:
            message = f"{pattern.text!r} has a policy here and one in the file; keep one of them"
            raise ConfigurationError(message, key=endpoint.name, rule=_RULE)
    for method in [pattern.method] if pattern.method else sorted(METHODS):
        nearest = _nearest([found for found in around if found[0].method in (None, method)])
        # With the path itself in the file for one method, the file's policy is the narrower one.
        if nearest is None or (pattern.method is None and contains(pattern, nearest[0])):
            continue
        if weaker := weaker_columns(endpoint, nearest[1]):
            message = (
                f"demands less at {pattern.text!r} than the file does at {nearest[0].text!r} ({', '.join(weaker)}); "
                "only the file may make an exception to itself"
            )
            raise ConfigurationError(message, key=endpoint.name, rule=_RULE)


def _nearest(around: Iterable[tuple[Pattern, Endpoint]]) -> tuple[Pattern, Endpoint] | None:
    """Return the narrowest: the paths contain each other in turn, and of one path the one with a method wins."""
    nearest = None
    for found in sorted(around, key=lambda pair: pair[0].method is not None):
        if nearest is None or contains(nearest[0], found[0]):
            nearest = found
    return nearest


def check_strays(app: object, table: PolicyTable, endpoints: Iterable[Endpoint], written: Iterable[Endpoint]) -> None:
    """Refuse a decorator whose pattern lets requests in to a route that has no policy.

    A pattern cannot say ``{id:int}``: what another route takes of ``/items/{id}`` would come under this policy.
    Where the file covers the whole pattern, the decorator only narrows that.

    Raises:
        ConfigurationError: Names the route.
    """
    declared = {endpoint.name: endpoint for endpoint in endpoints}
    patterns = [Pattern(text) for endpoint in written for text in endpoint.match]
    order = order_of(app)
    rows = iter(census(app, table))
    for stop in order.stops if order is not None else ():
        own = {method for _, methods in _led_to(stop) for method in methods}
        for row in (next(rows) for _ in stop.answers):
            for name in {cover.name for cover in row.covers} & declared.keys() if row.method not in own else ():
                if not all(_covered(Pattern(text), patterns) for text in declared[name].match):
                    message = f"would also hold for {row.method} {row.path}, which has no policy of its own; write one"
                    raise ConfigurationError(message, key=name, rule="R-POL-01")


def _covered(pattern: Pattern, patterns: Iterable[Pattern]) -> bool:
    return any(contains(other, pattern) and other.method in (None, pattern.method) for other in patterns)
