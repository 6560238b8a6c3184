"""Endpoint policies, compiled: which token classes each method and path accepts, ready to be looked up.

Authors write ``Issuer`` (how to verify) and ``Endpoint`` (where); ``table.py`` compiles the two into
``EndpointPolicy``, whose one dictionary probe leads from (iss, typ, alg) to the candidate profiles.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from jwtguard.core.claims_model import reader_of
from jwtguard.core.classes import Expires, NoExpiry, TokenClass
from jwtguard.core.columns import instance, member
from jwtguard.core.endpoint import Access, ActorRule, CarrierKind, Endpoint
from jwtguard.core.issuer import Issuer
from jwtguard.core.limits import Limits
from jwtguard.core.resource import Resource
from jwtguard.core.rules import AsyncRule, ClaimRule
from jwtguard.core.strict_json import JsonObject
from jwtguard.core.tenant import TenantReader
from jwtguard.errors import ConfigurationError

_SECRET_BYTES = 32


class Mode(StrEnum):
    """The profile a guard runs under; production is the default."""

    PRODUCTION = "production"
    DEVELOPMENT = "development"


class Startup(StrEnum):
    """What start-up does about key sets that must be fetched (R-JWK-11)."""

    LAZY = "lazy"
    EAGER = "eager"


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
        sessions: Those of them that hold the name of a session in its place.
        choices: (iss, typ, alg) to the profiles that admit them, each with the algorithm meant.
        issuers: The names of the issuers accepted.
        algorithms: Every header ``alg`` that some choice admits.
        types: By issuer, every header type that some choice admits.
        profiles: The profiles accepted, for remembered tokens.
        fits: What checks the claims against the application's model.
        questions: The rules that only the application can answer, by waiting.
        asks_more: Whether it demands anything of the principal beside scopes and claim rules.
        demands: What the author wrote.
    """

    __slots__ = (
        "access", "actors", "algorithms", "any_scopes", "asks_more", "carriers", "choices", "cookies", "csrf",
        "demands", "field_lengths", "fields", "fits", "issuers", "kinds", "login_page", "max_age_s", "name",
        "navigable", "origins", "patterns", "profiles", "questions", "roles", "rules", "scopes", "sessions", "tenant",
        "types",
    )  # fmt: skip

    def __init__(self, endpoint: Endpoint, choices: Mapping[tuple[str, str | None, str], Choice]) -> None:
        self.demands = endpoint
        self.name = endpoint.name or endpoint.match[0]
        self.patterns = tuple(endpoint.match)
        self.access = endpoint.access
        self._carry(endpoint)
        self._grant(endpoint)
        self.csrf, self.navigable, self.login_page = endpoint.csrf, endpoint.navigable, endpoint.login_page
        self.origins = frozenset(origin.encode() for origin in endpoint.origins)
        self.choices = choices
        self.issuers = tuple({profile.issuer.name for choice in choices.values() for profile in choice.profiles})
        self.algorithms = frozenset(alg for _, _, alg in choices)
        self.types = {iss: frozenset(typ for other, typ, _ in choices if other == iss) for iss, _, _ in choices}
        self.profiles = frozenset(profile for choice in choices.values() for profile in choice.profiles)

    def _carry(self, endpoint: Endpoint) -> None:
        self.carriers = tuple(endpoint.carriers)
        headers = [carrier for carrier in self.carriers if carrier.kind is CarrierKind.HEADER]
        self.cookies = frozenset(c.name.encode() for c in self.carriers if c.kind is not CarrierKind.HEADER)
        self.sessions = frozenset(c.name.encode() for c in self.carriers if c.kind is CarrierKind.SESSION)
        self.fields = {carrier.name.encode(): carrier.scheme.encode() for carrier in headers}
        if self.cookies:
            self.fields[b"cookie"] = b""
        self.field_lengths = frozenset(map(len, self.fields))

    def _grant(self, endpoint: Endpoint) -> None:
        self.max_age_s = endpoint.max_age_s
        self.scopes, self.any_scopes = frozenset(endpoint.scopes), frozenset(endpoint.any_scopes)
        self.rules = tuple(rule for rule in endpoint.rules if isinstance(rule, ClaimRule))
        self.questions = tuple(rule for rule in endpoint.rules if isinstance(rule, AsyncRule))
        self.roles, self.kinds, self.actors = frozenset(endpoint.roles), frozenset(endpoint.kinds), endpoint.actors
        model = endpoint.model
        self.fits: Callable[[JsonObject], object] | None = reader_of(model) if model is not None else None
        self.tenant = TenantReader(endpoint.tenant, self.patterns, endpoint.key) if endpoint.tenant else None
        more = self.roles or self.kinds or self.actors is not ActorRule.ANY or self.tenant or self.fits
        self.asks_more = bool(more)

    @property
    def reads_credentials(self) -> bool:
        """Whether what comes of a request depends on a credential."""
        return self.access is Access.PROTECTED or self.access is Access.OPTIONAL

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
    """Everything an author states: the one form that files and Python objects compile to (R-POL-06).

    Attributes:
        issuers: How to verify; an issuer with ``tenants`` stands for one issuer for each of them.
        endpoints: Where, and what is demanded there.
        classes: Token classes of the author's own.
        limits: What the guard spends on strangers and on issuers.
        mode: Production or development.
        startup: Whether to start without key sets.
        overrides: Findings of the lint that somebody decided to live with.
        resource: What this API is called, where its metadata shall be published (RFC 9728).
        csrf_keys: Secrets of at least 32 bytes for double-submit tokens; the first signs, all verify.
    """

    issuers: Sequence[Issuer]
    endpoints: Sequence[Endpoint]
    classes: Sequence[TokenClass] = ()
    limits: Limits = field(default_factory=Limits)
    mode: Mode = Mode.PRODUCTION
    startup: Startup = Startup.LAZY
    overrides: Sequence[Override] = ()
    resource: Resource | None = None
    csrf_keys: Sequence[bytes] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        """Read the columns as a policy file would, and put an issuer for each tenant in the place of one with tenants.

        Raises:
            ConfigurationError: A column holds something else than it should, or a secret is too short.
        """
        object.__setattr__(self, "mode", member(Mode, self.mode, "mode"))
        object.__setattr__(self, "startup", member(Startup, self.startup, "startup"))
        columns: tuple[tuple[str, type[object]], ...] = (
            ("issuers", Issuer), ("endpoints", Endpoint), ("classes", TokenClass), ("overrides", Override),
        )  # fmt: skip
        for name, kind in columns:
            for item in getattr(self, name):
                instance(item, (kind,), name)
        instance(self.limits, (Limits,), "limits")
        if any(len(key) < _SECRET_BYTES for key in self.csrf_keys):
            message = f"must hold at least {_SECRET_BYTES} random bytes; `openssl rand -base64 32` makes them"
            raise ConfigurationError(message, key="csrf_keys", rule="R-STO-04")
        issuers = tuple(one for issuer in self.issuers for one in issuer.by_tenant())
        object.__setattr__(self, "issuers", issuers)
