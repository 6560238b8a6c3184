"""Whether one policy is at least as strict as another: whoever it lets in, the other would let in too.

A decorator may narrow what the file says of a path, and never widen it. Every column of ``Demands`` has its
row here. Where two values cannot be compared (two functions of the application), they count as different.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from jwtguard.core.endpoint import Access, ActorRule, Actors, CarrierKind, Csrf, Demands
from jwtguard.core.rules import AsyncRule, ClaimRule, equals

_OPEN = frozenset({Access.PUBLIC, Access.LOGIN})
_COOKIE_COLUMNS = frozenset({"origins", "csrf", "navigable"})


def is_at_least(one: Demands, other: Demands) -> bool:
    """Whether the one demands at least what the other does."""
    return not weaker_columns(one, other)


def weaker_columns(one: Demands, other: Demands) -> tuple[str, ...]:
    """Name the columns in which the one demands less than the other.

    What protects cookies counts only where the one has cookies.
    """
    if other.access in _OPEN:
        return ()
    if one.access in _OPEN:
        return ("access",)
    has_cookies = any(carrier.kind is not CarrierKind.HEADER for carrier in one.carriers)
    return tuple(
        name
        for name, holds in COLUMNS.items()
        if (has_cookies or name not in _COOKIE_COLUMNS) and not holds(one, other)
    )


def _within(one: Collection[object], other: Collection[object]) -> bool:
    """Compare a column in which nothing stands for everything."""
    return not other or (bool(one) and set(one) <= set(other))


def _any_scopes(one: Demands, other: Demands) -> bool:
    return not set(one.scopes).isdisjoint(other.any_scopes) or _within(one.any_scopes, other.any_scopes)


def _rules(one: Demands, other: Demands) -> bool:
    return all(any(_same(rule, known) for known in one.rules) for rule in other.rules)


def _same(rule: ClaimRule | AsyncRule, known: ClaimRule | AsyncRule) -> bool:
    """Compare two rules: ours by their text, which tells all of them; those of the application by their function."""
    if rule.claim != known.claim or type(rule) is not type(known):
        return False
    ours = all(getattr(test, "__module__", "") == equals.__module__ for test in (rule.test, known.test))
    return rule.test is known.test or (ours and rule.text == known.text)


def _actors(one: Actors, other: Actors) -> bool:
    if isinstance(other, frozenset):
        return one is ActorRule.FORBIDDEN or (isinstance(one, frozenset) and one <= other)
    return other is ActorRule.ANY or one is other


def _max_age(one: float | None, other: float | None) -> bool:
    return other is None or (one is not None and one <= other)


COLUMNS: Mapping[str, Callable[[Demands, Demands], bool]] = {
    "access": lambda one, other: one.access is Access.PROTECTED or other.access is Access.OPTIONAL,
    "accept": lambda one, other: set(one.accept) <= set(other.accept),
    "issuers": lambda one, other: _within(one.issuers, other.issuers),
    "audience": lambda one, other: _within(one.audience, other.audience),
    "algorithms": lambda one, other: _within(one.algorithms, other.algorithms),
    "carriers": lambda one, other: set(one.carriers) <= set(other.carriers),
    "scopes": lambda one, other: set(one.scopes) >= set(other.scopes),
    "any_scopes": _any_scopes,
    "roles": lambda one, other: set(one.roles) >= set(other.roles),
    "rules": _rules,
    "kinds": lambda one, other: _within(one.kinds, other.kinds),
    "actors": lambda one, other: _actors(one.actors, other.actors),
    "tenant": lambda one, other: other.tenant is None or one.tenant == other.tenant,
    "model": lambda one, other: other.model is None or one.model is other.model,
    "max_age_s": lambda one, other: _max_age(one.max_age_s, other.max_age_s),
    "origins": lambda one, other: set(one.origins) <= set(other.origins),
    "csrf": lambda one, other: other.csrf is Csrf.ORIGIN or one.csrf is Csrf.DOUBLE_SUBMIT,
    "navigable": lambda one, other: other.navigable or not one.navigable,
    "login_page": lambda _one, _other: True,  # where a refused browser is sent; nobody gets in by it
}
