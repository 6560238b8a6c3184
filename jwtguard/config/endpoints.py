"""``[[endpoints]]`` and ``[policies.NAME]``: which tokens each method and path accepts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TypedDict

from jwtguard.config.presets import PRESETS
from jwtguard.config.read import Table, Value
from jwtguard.config.shapes import Shape
from jwtguard.core.endpoint import BEARER, Access, ActorRule, Actors, Carrier, CarrierKind, Csrf, Demands, Endpoint, at
from jwtguard.core.issuer import ALGORITHMS, Issuer, Kind
from jwtguard.core.paths import Pattern
from jwtguard.core.rules import ClaimRule, contains, equals, matches, one_of
from jwtguard.core.tenant import Tenant, TenantPlace
from jwtguard.errors import ConfigurationError


class _Columns(TypedDict):
    """What an endpoint demands: arguments of ``Demands``."""

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
    roles: frozenset[str]
    kinds: frozenset[Kind]
    actors: Actors
    tenant: Tenant | None
    origins: Sequence[str]
    csrf: Csrf
    navigable: bool
    login_page: str


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
        self._issuers = {one.name: one for issuer in issuers for one in (issuer, *issuer.by_tenant())}
        self._classes = classes
        self._policies = {name: Value(raw, f"preset {name}").table(Shape.POLICY) for name, raw in PRESETS.items()}
        for name, value in (policies.named() if policies else {}).items():
            if name in PRESETS:
                value.refuse("is the name of a preset; call yours otherwise, and let it `use` the preset")
            self._policies[name] = self._over_used(value.table(Shape.POLICY), PRESETS)
            self._demands(self._policies[name])

    def policy(self, name: str) -> Demands:
        """Return a named policy or preset."""
        return self._demands(self._policies[name])

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
        return at(match, self._demands(self._over_used(table, self._policies)), name=name)

    def _over_used(self, table: Table, known: Iterable[str]) -> Table:
        used = table.get("use", lambda value: value.word("policy", known), None)
        return table.over(self._policies[used]) if used else table

    def _demands(self, table: Table) -> Demands:
        try:
            return Demands(**self._columns(table))
        except ConfigurationError as mistake:
            if mistake.key.startswith("policy"):  # that of the table is better
                raise ConfigurationError(
                    mistake.message, key=table.key + mistake.key.removeprefix("policy"), rule=mistake.rule
                ) from None
            raise

    def _columns(self, table: Table) -> _Columns:
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
            "roles": frozenset(table.get("roles", Value.texts, ())),
            "kinds": frozenset(Kind(word) for word in table.get("kinds", _kinds, ())),
            "actors": table.get("actors", _actors, ActorRule.ANY),
            "tenant": table.get("tenant", _tenant, None),
            "origins": table.get("origins", Value.texts, ()),
            "csrf": Csrf(table.get("csrf", lambda value: value.word("word", Csrf, "R-STO-04"), Csrf.ORIGIN)),
            "navigable": table.get("navigable", Value.flag, default=False),
            "login_page": table.get("login_page", Value.text, ""),
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
    kinds = (Access.PUBLIC, Access.OPTIONAL, Access.LOGIN)
    written = [access for access in kinds if table.get(access, Value.flag, default=False)]
    if len(written) > 1:
        message = f"write {' or '.join(written)}, not both: one reads a token that the other does not"
        table.refuse(message, "R-POL-01")
    return written[0] if written else Access.PROTECTED


def _kinds(value: Value) -> tuple[str, ...]:
    return value.words("kind", set(Kind) - {Kind.ANONYMOUS}, "R-CLM-10")


def _actors(value: Value) -> Actors:
    if isinstance(value.raw, list):
        return frozenset(value.texts())
    return ActorRule(value.word("word", ActorRule, "R-IDN-06"))


def _tenant(value: Value) -> Tenant:
    table = value.table(Shape.TENANT)
    place = TenantPlace(table.only(*TenantPlace))
    try:
        return Tenant(place, table.need(place, Value.text))
    except ConfigurationError as mistake:
        value.refuse(mistake.message, mistake.rule)  # with the key it was written under


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
        kind = table.only("cookie", "header", "session")
        if kind == "header":
            scheme = table.get("scheme", Value.text, BEARER.scheme)
            return Carrier(CarrierKind.HEADER, table.need("header", Value.text), scheme)
        if "scheme" in table:
            table.refuse("a cookie has no scheme")
        return Carrier(CarrierKind(kind), table.need(kind, Value.text))
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
