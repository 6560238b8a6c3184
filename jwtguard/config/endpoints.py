"""``[[endpoints]]`` and ``[policies.NAME]``: which tokens each method and path accepts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TypedDict

from jwtguard.config.read import Table, Value
from jwtguard.config.shapes import Shape
from jwtguard.core.issuer import ALGORITHMS, Issuer
from jwtguard.core.paths import Pattern
from jwtguard.core.policy import BEARER, Access, Carrier, CarrierKind, Endpoint, cookie
from jwtguard.core.rules import ClaimRule, contains, equals, matches, one_of
from jwtguard.errors import ConfigurationError


class Demands(TypedDict):
    """What an endpoint demands, apart from where and how it is called: arguments of ``Endpoint``."""

    access: Access
    accept: Sequence[str]
    issuers: Sequence[str]
    audience: Sequence[str]
    algorithms: Sequence[str]
    carriers: Sequence[Carrier]
    scopes: frozenset[str]
    any_scopes: frozenset[str]
    rules: Sequence[ClaimRule]
    max_age_s: float | None


class EndpointReader:
    """Reads endpoints, and knows the names they may use."""

    def __init__(self, issuers: Iterable[Issuer], classes: frozenset[str], policies: Value | None) -> None:
        """Read the named policies, unused ones too.

        Args:
            issuers: The issuers of the file.
            classes: The names of all token classes, ready-made and of the file.
            policies: The table ``policies``, if there is one.

        Raises:
            ConfigurationError: A policy holds a mistake.
        """
        self._issuers = {issuer.name: issuer for issuer in issuers}
        self._classes = classes
        named = policies.named() if policies else {}
        self._policies = {name: value.table(Shape.POLICY) for name, value in named.items()}
        for table in self._policies.values():
            self._demands(table)

    def read(self, value: Value) -> tuple[Endpoint, ...]:
        """Read every endpoint of the file.

        Raises:
            ConfigurationError: A value is not usable, a name is unknown or given twice, or an endpoint
                says too little.
        """
        endpoints: list[Endpoint] = []
        names: set[str] = set()
        for table in value.tables(Shape.ENDPOINT, "name", "match"):
            endpoint = self._endpoint(table)
            if endpoint.name in names:
                table.refuse(f"another endpoint has the name {endpoint.name!r} already")
            names |= {endpoint.name} - {""}
            endpoints.append(endpoint)
        return tuple(endpoints)

    def _endpoint(self, table: Table) -> Endpoint:
        match = table.need("match", _patterns)
        name = table.get("name", _name, "")
        used = table.get("use", lambda value: value.word("policy", self._policies), None)
        demands = self._demands(table.over(self._policies[used]) if used else table)
        return Endpoint(match=match, name=name, **demands)

    def _demands(self, table: Table) -> Demands:
        issuers = table.get("issuers", lambda value: value.words("issuer", self._issuers, "R-POL-10"), ())
        return {
            "access": _access(table),
            "accept": table.get("accept", lambda value: value.words("token class", self._classes, "R-CLS-01"), ()),
            "issuers": issuers,
            "audience": table.get("audience", lambda value: self._audience(value, issuers), ()),
            "algorithms": table.get("algorithms", lambda value: value.words("algorithm", ALGORITHMS, "R-ALG-02"), ()),
            "carriers": table.get("carriers", _carriers, (BEARER,)),
            "scopes": frozenset(table.get("scopes", Value.texts, ())),
            "any_scopes": frozenset(table.get("any_scopes", Value.texts, ())),
            "rules": table.get("claims", _rules, ()),
            "max_age_s": table.get("max_age", Value.bound_s, None),
        }

    def _audience(self, value: Value, names: Sequence[str]) -> tuple[str, ...]:
        """Read a narrowing: an audience that no issuer has would narrow nothing, or everything away."""
        known: set[str] = set()
        for issuer in [self._issuers[name] for name in names] or self._issuers.values():
            known.update(issuer.audience, issuer.client_id, *issuer.audiences.values())
        return value.words("audience of these issuers", known, "R-CLM-03")


def _patterns(value: Value) -> tuple[str, ...]:
    patterns = value.texts()
    for text in patterns:
        Pattern(text, key=value.key)
    return patterns


def _name(value: Value) -> str:
    name = value.text()
    if not name.isprintable():
        value.refuse(f"{name!r} holds characters that cannot be shown")
    return name


def _access(table: Table) -> Access:
    written = {access: table.get(access, Value.flag, default=False) for access in (Access.PUBLIC, Access.OPTIONAL)}
    if all(written.values()):
        table.refuse("write public or optional, not both: the one reads no token, the other a valid one", "R-POL-01")
    return next((access for access, chosen in written.items() if chosen), Access.PROTECTED)


def _carriers(value: Value) -> tuple[Carrier, ...]:
    carriers = tuple(_carrier(item) for item in value.items())
    if len(set(carriers)) < len(carriers):
        value.refuse("lists a carrier twice")
    return carriers


def _carrier(value: Value) -> Carrier:
    if not isinstance(value.raw, dict):
        value.word("carrier", ["bearer"])
        return BEARER
    table = value.table(Shape.CARRIER)
    try:
        if table.only("cookie", "header") == "header":
            scheme = table.get("scheme", Value.text, BEARER.scheme)
            return Carrier(CarrierKind.HEADER, table.need("header", Value.text), scheme)
        if "scheme" in table:
            table.refuse("a cookie has no scheme")
        return cookie(table.need("cookie", Value.text))
    except ConfigurationError as mistake:
        value.refuse(mistake.message, mistake.rule)  # with the key it was written under


def _rules(value: Value) -> tuple[ClaimRule, ...]:
    return tuple(_rule(claim, wanted) for claim, wanted in value.members().items())


def _rule(claim: str, value: Value) -> ClaimRule:
    if not isinstance(value.raw, dict):
        return equals(claim, value.scalar())
    table = value.table(Shape.CLAIM)
    match table.only("one_of", "contains", "matches"):
        case "one_of":
            return one_of(claim, table.need("one_of", Value.scalars))
        case "contains":
            return contains(claim, table.need("contains", Value.scalars))
        case _:
            return table.need("matches", lambda pattern: _matching(claim, pattern))


def _matching(claim: str, value: Value) -> ClaimRule:
    try:
        return matches(claim, value.text())
    except (re.error, OverflowError, RecursionError) as flaw:
        value.refuse(f"is no regular expression: {flaw}", "R-CLM-12")
