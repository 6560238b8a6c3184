"""Endpoint policies: which token classes each method and path accepts, checked when built.

Authors write ``Issuer`` (how to verify) and ``Endpoint`` (where); ``table.py`` compiles the two into
``EndpointPolicy``, whose one dictionary probe leads from (iss, typ, alg) to the candidate profiles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from jwtguard.core.classes import Expires, NoExpiry, TokenClass
from jwtguard.core.issuer import Issuer
from jwtguard.core.limits import Limits, check_amount
from jwtguard.core.rules import ClaimRule
from jwtguard.errors import ConfigurationError

_SCOPE_CHARACTERS = frozenset(map(chr, range(0x21, 0x7F))) - frozenset('"\\')
_TOKEN_CHARACTERS = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


class Access(StrEnum):
    """Whether an endpoint needs a token."""

    PUBLIC = "public"
    OPTIONAL = "optional"
    PROTECTED = "protected"


class Mode(StrEnum):
    """The profile a guard runs under; production is the default."""

    PRODUCTION = "production"
    DEVELOPMENT = "development"


class Startup(StrEnum):
    """What start-up does about key sets that must be fetched (R-JWK-11)."""

    LAZY = "lazy"
    EAGER = "eager"


class CarrierKind(StrEnum):
    """The kinds of place a token may travel in."""

    HEADER = "header"
    COOKIE = "cookie"


@dataclass(frozen=True, slots=True)
class Carrier:
    """Where a token travels: a header with a scheme, or a cookie.

    Attributes:
        kind: Header or cookie.
        name: The header field's name in lower case, or the cookie's exact name.
        scheme: The auth scheme in lower case; unused for cookies.
    """

    kind: CarrierKind
    name: str = "authorization"
    scheme: str = "bearer"

    def __post_init__(self) -> None:
        """Refuse names that cannot be a field, a cookie or a scheme.

        Raises:
            ConfigurationError: A name is empty, holds other characters, or a header is spelt in
                upper case.
        """
        for part in (self.name, self.scheme):
            if not part or not set(part) <= _TOKEN_CHARACTERS:
                message = f"{part!r} is no header, scheme or cookie name"
                raise ConfigurationError(message, key="carriers", rule="R-EXT-01")
        if self.kind is CarrierKind.HEADER and (self.name != self.name.lower() or self.scheme != self.scheme.lower()):
            message = "write header and scheme in lower case"
            raise ConfigurationError(message, key="carriers", rule="R-EXT-01")


BEARER = Carrier(CarrierKind.HEADER)


def cookie(name: str) -> Carrier:
    """Declare a cookie as carrier."""
    return Carrier(CarrierKind.COOKIE, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """What an author writes about some methods and paths.

    Attributes:
        match: Patterns such as ``"GET /reports/{id}"``, ``"/admin/**"``, ``"WEBSOCKET /feed"``.
        access: Public, optional (anonymous, or a valid token), or protected.
        accept: Names of the token classes accepted.
        issuers: Names of the issuers accepted; empty: all of the table.
        audience: Narrows the issuers' audiences; empty: theirs.
        algorithms: Narrows the issuers' allow-lists; empty: theirs.
        carriers: Where a token may be, and nowhere else.
        scopes: Scopes the token must all have.
        any_scopes: Scopes of which it must have at least one.
        rules: Claim rules, all of which must pass.
        max_age_s: How old ``iat`` may be at this endpoint, in seconds.
        name: Its name in events and identities; default: its first pattern.
    """

    match: Sequence[str]
    access: Access = Access.PROTECTED
    accept: Sequence[str] = ()
    issuers: Sequence[str] = ()
    audience: Sequence[str] = ()
    algorithms: Sequence[str] = ()
    carriers: Sequence[Carrier] = (BEARER,)
    scopes: frozenset[str] = frozenset()
    any_scopes: frozenset[str] = frozenset()
    rules: Sequence[ClaimRule] = ()
    max_age_s: float | None = None
    name: str = ""

    @property
    def key(self) -> str:
        """How error messages and the lint name this endpoint."""
        return f"endpoints.{self.name or (self.match[0] if self.match else '?')}"

    def __post_init__(self) -> None:
        """Refuse a policy that says too little or contradicts itself.

        Raises:
            ConfigurationError: No pattern, a protected endpoint without classes or carriers, a public
                one with any, or a scope outside the alphabet of RFC 6749, section 3.3.
        """
        key = self.key
        if not self.match:
            message = "must match at least one path"
            raise ConfigurationError(message, key=key, rule="R-POL-01")
        if self.access is Access.PUBLIC and (self.accept or self.scopes or self.any_scopes or self.rules):
            message = "a public endpoint reads no token, so it can demand nothing"
            raise ConfigurationError(message, key=key, rule="R-POL-01")
        if self.access is not Access.PUBLIC and not self.accept:
            message = "must accept at least one token class, or be public"
            raise ConfigurationError(message, key=key, rule="R-CLS-01")
        if self.access is not Access.PUBLIC and not self.carriers:
            message = "must name at least one carrier"
            raise ConfigurationError(message, key=key, rule="R-EXT-01")
        self._check_carriers()
        self._check_demands()

    def _check_carriers(self) -> None:
        headers = [carrier.name for carrier in self.carriers if carrier.kind is CarrierKind.HEADER]
        if len(set(headers)) < len(headers):
            message = "two carriers on one header field; a request holds one credential"
            raise ConfigurationError(message, key=f"{self.key}.carriers", rule="R-EXT-01")

    def _check_demands(self) -> None:
        if self.max_age_s is not None:
            check_amount(self.max_age_s, f"{self.key}.max_age", "R-CLM-08")
        for scope in self.scopes | self.any_scopes:
            if not scope or not set(scope) <= _SCOPE_CHARACTERS:
                message = f"{scope!r} is no scope (RFC 6749, section 3.3)"
                raise ConfigurationError(message, key=f"{self.key}.scopes", rule="R-ERR-04")


@dataclass(frozen=True, slots=True)
class Override:
    """A lint finding somebody decided to live with: named, dated, listed (R-GOV-02)."""

    rule: str
    at: str
    since: date
    reason: str


class Profile:
    """One way to verify: issuer, class, audiences, algorithms, leeway. Compared by identity.

    A remembered token counts only where the profile it was verified under is accepted.
    """

    __slots__ = ("audiences", "issuer", "leeway_s", "max_age_s", "max_lifetime_s", "scope_claim", "token_class")

    def __init__(
        self, issuer: Issuer, token_class: TokenClass, audiences: frozenset[str] | None, leeway_s: float
    ) -> None:
        self.issuer = issuer
        self.token_class = token_class
        self.audiences = audiences
        self.leeway_s = leeway_s
        legacy = issuer.legacy
        self.scope_claim = legacy.scope_from if legacy and token_class.name == "access_legacy" else "scope"
        expiry = token_class.expiry
        self.max_lifetime_s = _bound(expiry.max_lifetime_s) if isinstance(expiry, Expires) else None
        ages = [_bound(token_class.max_age_s), expiry.max_age_s if isinstance(expiry, NoExpiry) else None]
        self.max_age_s = min((age for age in ages if age is not None), default=None)

    def __repr__(self) -> str:
        """Show issuer name and class."""
        return f"<Profile {self.issuer.name}/{self.token_class.name}>"


def _bound(value: object) -> float | None:
    return value if isinstance(value, float | int) else None


class EndpointPolicy:
    """A compiled endpoint: all a request needs, with no further look at configuration.

    Attributes:
        fields: The header fields to look at, with the scheme of those that carry a token.
        cookies: The names of the cookies that carry one.
        choices: (iss, typ, alg) to the profiles that admit them, each with the algorithm meant.
        issuers: The names of the issuers accepted.
        algorithms: Every header ``alg`` that some choice admits.
        types: By issuer, every header type that some choice admits.
        profiles: The profiles accepted, for remembered tokens.
    """

    __slots__ = (
        "access", "algorithms", "any_scopes", "carriers", "choices", "cookies", "field_lengths", "fields", "issuers",
        "max_age_s", "name", "patterns", "profiles", "rules", "scopes", "types",
    )  # fmt: skip

    def __init__(self, endpoint: Endpoint, choices: Mapping[tuple[str, str | None, str], Choice]) -> None:
        self.name = endpoint.name or endpoint.match[0]
        self.patterns = tuple(endpoint.match)
        self.access = endpoint.access
        self.carriers = tuple(endpoint.carriers)
        headers = [carrier for carrier in self.carriers if carrier.kind is CarrierKind.HEADER]
        self.cookies = frozenset(c.name.encode() for c in self.carriers if c.kind is CarrierKind.COOKIE)
        self.fields = {carrier.name.encode(): carrier.scheme.encode() for carrier in headers}
        if self.cookies:
            self.fields[b"cookie"] = b""
        self.field_lengths = frozenset(map(len, self.fields))
        self.scopes = endpoint.scopes
        self.any_scopes = endpoint.any_scopes
        self.rules = tuple(endpoint.rules)
        self.max_age_s = endpoint.max_age_s
        self.choices = choices
        self.issuers = tuple({profile.issuer.name for choice in choices.values() for profile in choice.profiles})
        self.algorithms = frozenset(alg for _, _, alg in choices)
        self.types = {iss: frozenset(typ for other, typ, _ in choices if other == iss) for iss, _, _ in choices}
        self.profiles = frozenset(profile for choice in choices.values() for profile in choice.profiles)

    def __repr__(self) -> str:
        """Show the name."""
        return f"<EndpointPolicy {self.name!r}>"


class Choice:
    """What one (iss, typ, alg) may be at an endpoint."""

    __slots__ = ("alg", "profiles")

    def __init__(self, alg: str, profiles: tuple[Profile, ...]) -> None:
        self.alg = alg
        self.profiles = profiles


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything an author states: the one form that files and Python objects compile to (R-POL-06)."""

    issuers: Sequence[Issuer]
    endpoints: Sequence[Endpoint]
    classes: Sequence[TokenClass] = ()
    limits: Limits = field(default_factory=Limits)
    mode: Mode = Mode.PRODUCTION
    startup: Startup = Startup.LAZY
    overrides: Sequence[Override] = ()
