"""What authors write about endpoints: where tokens may be, which are accepted, and what they must grant."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias, TypedDict, Unpack

from jwtguard.core.columns import instance, member, several, texts
from jwtguard.core.issuer import Kind
from jwtguard.core.limits import check_amount
from jwtguard.core.origins import check_origins
from jwtguard.core.rules import AsyncRule, ClaimRule
from jwtguard.core.tenant import Tenant
from jwtguard.errors import ConfigurationError

_SCOPE_CHARACTERS = frozenset(map(chr, range(0x21, 0x7F))) - frozenset('"\\')
_TOKEN_CHARACTERS = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


class Access(StrEnum):
    """Whether an endpoint needs a token.

    A ``LOGIN`` endpoint takes requests as a public one does; in its handler alone ``guard.verify_login`` accepts
    the token that the login brought back, which no request may carry as a credential.
    """

    PUBLIC = "public"
    OPTIONAL = "optional"
    PROTECTED = "protected"
    LOGIN = "login"


class CarrierKind(StrEnum):
    """The kinds of place a token may travel in."""

    HEADER = "header"
    COOKIE = "cookie"
    SESSION = "session"


@dataclass(frozen=True, slots=True)
class Carrier:
    """Where a token travels: a header with a scheme, or a cookie; or a cookie that names a session.

    Attributes:
        kind: Header or cookie, or session: a cookie with a reference to a token that the server holds.
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
        object.__setattr__(self, "kind", member(CarrierKind, self.kind, "carriers"))
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


def session_cookie(name: str) -> Carrier:
    """Declare a cookie that holds no token but the name of a session; ``Hooks.session_token`` finds its token."""
    return Carrier(CarrierKind.SESSION, name)


def _carrier(value: object, key: str) -> Carrier:
    return BEARER if value == "bearer" else instance(value, (Carrier,), key)


class Csrf(StrEnum):
    """What proves that a request with a cookie comes from our own pages (R-STO-03, R-STO-04)."""

    ORIGIN = "origin"
    DOUBLE_SUBMIT = "double_submit"


class ActorRule(StrEnum):
    """Whether somebody may act for the subject (RFC 8693, section 4.1)."""

    ANY = "any"
    FORBIDDEN = "forbidden"
    REQUIRED = "required"


Actors: TypeAlias = ActorRule | Collection[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Demands:
    """What an endpoint demands, apart from where it is: an author's policy.

    Attributes:
        access: Public, optional (anonymous, or a valid token), protected, or login.
        accept: Names of the token classes accepted.
        issuers: Names of the issuers accepted; empty: all of the table.
        audience: Narrows the issuers' audiences; empty: theirs.
        algorithms: Narrows the issuers' allow-lists; empty: theirs.
        carriers: Where a token may be, and nowhere else.
        scopes: Scopes the token must all have.
        any_scopes: Scopes of which it must have at least one.
        roles: Roles the token must all have, by the claim that its issuer's configuration names.
        rules: Claim rules, all of which must pass.
        kinds: Whether users, clients or workloads may call; empty: all of them.
        actors: Whether somebody may act for the subject, and who: any, forbidden, required, or these alone.
        tenant: Where the request names its tenant, which must be the token's.
        model: A dataclass, msgspec or pydantic type that the claims must fit; see ``Identity.claims_as``.
        max_age_s: How old ``iat`` may be at this endpoint, in seconds.
        origins: Foreign origins whose pages may send requests with our cookie, such as
            ``https://app.example.com``; also our own, for browsers without Fetch Metadata and for WebSockets.
        csrf: What must prove that a request with a cookie comes from our pages.
        navigable: Whether a link on a foreign site may lead here with our cookie (R-STO-06).
        login_page: Where a browser without a good token is sent instead of a refusal: a path or URL.
    """

    access: Access = Access.PROTECTED
    accept: Sequence[str] = ()
    issuers: Sequence[str] = ()
    audience: Sequence[str] = ()
    algorithms: Sequence[str] = ()
    carriers: Sequence[Carrier] = (BEARER,)
    scopes: Collection[str] = frozenset()
    any_scopes: Collection[str] = frozenset()
    roles: Collection[str] = frozenset()
    rules: Sequence[ClaimRule | AsyncRule] = ()
    kinds: Collection[Kind] = frozenset()
    actors: Actors = ActorRule.ANY
    tenant: Tenant | None = None
    model: type | None = None
    max_age_s: float | None = None
    origins: Sequence[str] = ()
    csrf: Csrf = Csrf.ORIGIN
    navigable: bool = False
    login_page: str = ""

    @property
    def key(self) -> str:
        """How error messages and the lint name this policy."""
        return "policy"

    def __post_init__(self) -> None:
        """Read the columns as a policy file would, and refuse what says too little or contradicts itself.

        Raises:
            ConfigurationError: A column holds something else than it should, a protected endpoint is without
                classes or carriers, a public one demands anything of a token, a scope is outside the alphabet of RFC
                6749, section 3.3, or a value could never match.
        """
        self._read()
        if self.access is Access.PUBLIC and (self.accept or self._narrows() or self._grants()):
            message = "a public endpoint reads no token, so it can demand nothing"
            raise ConfigurationError(message, key=self.key, rule="R-POL-01")
        if self.access is not Access.PUBLIC and not self.accept:
            message = "must accept at least one token class, or be public"
            raise ConfigurationError(message, key=self.key, rule="R-CLS-01")
        if self.access is not Access.PUBLIC and not self.carriers:
            message = "must name at least one carrier"
            raise ConfigurationError(message, key=self.key, rule="R-EXT-01")
        self._check_carriers()
        self._check_grants()
        check_origins(self.origins, f"{self.key}.origins")
        page = self.login_page
        leads = page.startswith(("/", "https://", "http://")) and not page.startswith("//") and "\\" not in page
        if page and not (leads and page.isascii() and page.isprintable() and " " not in page):
            message = f"{self.login_page!r} is neither a path of this site nor a URL"
            raise ConfigurationError(message, key=f"{self.key}.login_page", rule="R-ERR-10")

    def _read(self) -> None:
        """Put columns written as a policy file has them into the form that everything else compares."""
        given: dict[str, object] = {name: getattr(self, name) for name in Additions.__annotations__}

        def key(name: str) -> str:
            return f"{self.key}.{name}"

        read: dict[str, object] = {
            "access": member(Access, self.access, key("access")),
            "csrf": member(Csrf, given["csrf"], key("csrf")),
            "kinds": frozenset(member(Kind, kind, key("kinds")) for kind in several(given["kinds"], key("kinds"))),
            "carriers": tuple(_carrier(one, key("carriers")) for one in several(given["carriers"], key("carriers"))),
        }
        for name in ("accept", "issuers", "audience", "algorithms", "origins"):
            read[name] = texts(given[name], key(name))
        for name in ("scopes", "any_scopes", "roles"):
            read[name] = frozenset(texts(given[name], key(name)))
        word, hint = given["actors"], "write rules.check(claim, function)"
        read["actors"] = (
            member(ActorRule, word, key("actors")) if isinstance(word, str) else frozenset(texts(word, key("actors")))
        )
        rules = several(given["rules"], key("rules"))
        read["rules"] = tuple(instance(rule, (ClaimRule, AsyncRule), key("rules"), hint) for rule in rules)
        instance(given["navigable"], (bool,), key("navigable"))
        if self.tenant is not None:
            instance(given["tenant"], (Tenant,), key("tenant"))
        for name, value in read.items():
            object.__setattr__(self, name, value)

    def _narrows(self) -> bool:
        return bool(self.issuers or self.audience or self.algorithms) or self.max_age_s is not None

    def _grants(self) -> bool:
        listed = self.scopes or self.any_scopes or self.roles or self.rules or self.kinds
        return bool(listed) or self.actors is not ActorRule.ANY or self.tenant is not None or self.model is not None

    def _check_carriers(self) -> None:
        headers = [carrier.name for carrier in self.carriers if carrier.kind is CarrierKind.HEADER]
        if len(set(headers)) < len(headers):
            message = "two carriers on one header field; a request holds one credential"
            raise ConfigurationError(message, key=f"{self.key}.carriers", rule="R-EXT-01")
        cookies = [carrier.name for carrier in self.carriers if carrier.kind is not CarrierKind.HEADER]
        if len(set(cookies)) < len(cookies):
            message = "two carriers in one cookie; it holds a token, or the name of a session"
            raise ConfigurationError(message, key=f"{self.key}.carriers", rule="R-EXT-01")

    def _check_grants(self) -> None:
        if self.max_age_s is not None:
            check_amount(self.max_age_s, f"{self.key}.max_age", "R-CLM-08")
        if self.access is Access.LOGIN and self._grants():
            message = "a login endpoint is open to everybody, so it can demand nothing"
            raise ConfigurationError(message, key=self.key, rule="R-CLS-10")
        if Kind.ANONYMOUS in self.kinds:
            message = "nobody is anonymous with a token; an endpoint for both is optional"
            raise ConfigurationError(message, key=f"{self.key}.kinds", rule="R-CLM-10")
        for scope in (*self.scopes, *self.any_scopes):
            if not scope or not set(scope) <= _SCOPE_CHARACTERS:
                message = f"{scope!r} is no scope (RFC 6749, section 3.3)"
                raise ConfigurationError(message, key=f"{self.key}.scopes", rule="R-ERR-04")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint(Demands):
    """A policy and the methods and paths it is for.

    Attributes:
        match: Patterns such as ``"GET /reports/{id}"``, ``"/admin/**"``, ``"WEBSOCKET /feed"``.
        name: Its name in events and identities; default: its first pattern.
    """

    match: Sequence[str]
    name: str = ""

    @property
    def key(self) -> str:
        """How error messages and the lint name this endpoint."""
        return f"endpoints.{self.name or (self.match[0] if self.match else '?')}"

    def __post_init__(self) -> None:
        """Refuse an endpoint without a pattern, and what no policy may be.

        Raises:
            ConfigurationError: As ``Demands``, or there is no pattern.
        """
        object.__setattr__(self, "match", texts(self.match, "endpoints.match"))
        if not self.match:
            message = "must match at least one path"
            raise ConfigurationError(message, key=self.key, rule="R-POL-01")
        Demands.__post_init__(self)  # not super(): slots make another class of this one


def at(match: Sequence[str], demands: Demands, *, name: str = "") -> Endpoint:
    """Put a policy to these methods and paths."""
    columns = {field.name: getattr(demands, field.name) for field in dataclasses.fields(Demands)}
    return Endpoint(match=match, name=name, **columns)


class Additions(TypedDict, total=False):
    """The columns of ``Demands`` that an author may add to a policy made by name, or write in place of its own."""

    accept: Sequence[str]
    issuers: Sequence[str]
    audience: Sequence[str]
    algorithms: Sequence[str]
    carriers: Sequence[Carrier]
    scopes: Collection[str]
    any_scopes: Collection[str]
    roles: Collection[str]
    rules: Sequence[ClaimRule | AsyncRule]
    kinds: Collection[Kind]
    actors: Actors
    tenant: Tenant | None
    model: type | None
    max_age_s: float | None
    origins: Sequence[str]
    csrf: Csrf
    navigable: bool
    login_page: str


def access(**additions: Unpack[Additions]) -> Demands:
    """Demand an access token (RFC 9068), and of it what the columns of ``Demands`` say."""
    given: Additions = {"accept": ("access",), **additions}
    return Demands(**given)
