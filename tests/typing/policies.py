"""What an author may write: mistakes that need no start to be found. Type-checked, never run."""

from __future__ import annotations

from datetime import date

from jwtguard import (
    BEARER,
    NO_AUDIENCE,
    UNBOUNDED,
    Access,
    Audience,
    AudienceCount,
    Config,
    Endpoint,
    Expires,
    Guard,
    HeaderKey,
    InlineKeys,
    Issuer,
    JWTGuardMiddleware,
    Legacy,
    Limits,
    Marker,
    NoExpiry,
    Subject,
    TokenClass,
    cookie,
)
from jwtguard.core import rules

LOGIN = Issuer(
    name="login",
    issuer="https://login.example.com/",
    algorithms=("ES256",),
    keys=InlineKeys([]),
    audience=("https://api.example.com",),
    legacy=Legacy(marker=Marker("token_use"), since=date(2026, 1, 1)),
)
REPORTS = Endpoint(
    match=["GET /reports"],
    accept=["access"],
    carriers=(BEARER, cookie("at")),
    scopes=frozenset({"reports:read"}),
    rules=[rules.equals("tier", "gold"), rules.check("level", lambda level: isinstance(level, int) and level > 1)],
)
CONFIG = Config(issuers=[LOGIN], endpoints=[REPORTS, Endpoint(match=["/"], access=Access.PUBLIC)])
OWN = TokenClass(
    name="own",
    typ=frozenset({"own+jwt", None}),
    required=frozenset({"iss"}),
    any_of=frozenset(),
    forbidden=frozenset(),
    one_of={"tier": frozenset({1, "gold"})},
    none_of={},
    events=frozenset(),
    not_events=frozenset(),
    header_key=HeaderKey.FORBIDDEN,
    subject=Subject.ANY,
    audience=NO_AUDIENCE,
    audience_claim="aud",
    audience_count=AudienceCount.ANY,
    expiry=NoExpiry(60.0),
    max_age_s=UNBOUNDED,
    carriers=frozenset({"header"}),
)


def incomplete() -> None:
    """R-CLS-02, R-ALG-01: what must be stated cannot be left out."""
    TokenClass(name="own", typ=frozenset({"own+jwt"}))  # type: ignore[call-arg]
    Issuer(name="login", issuer="https://login.example.com/", keys=InlineKeys([]))  # type: ignore[call-arg]
    Endpoint(accept=["access"])  # type: ignore[call-arg]
    NoExpiry()  # type: ignore[call-arg]
    Expires()  # type: ignore[call-arg]


def wrong() -> None:
    """R-POL-06: a value of another type is found before anything starts."""
    Endpoint(match=["/"], access="public")  # type: ignore[arg-type]
    Endpoint(match=["/"], accept=["access"], carriers=["header"])  # type: ignore[list-item]
    Limits(leeway_s="30")  # type: ignore[arg-type]
    Expires(None)  # type: ignore[arg-type]
    Expires(NO_AUDIENCE)  # type: ignore[arg-type]
    Guard({})  # type: ignore[arg-type]


def unchangeable() -> None:
    """R-POL-06: what was written and checked cannot be changed."""
    LOGIN.algorithms = ("none",)  # type: ignore[misc]
    REPORTS.access = Access.PUBLIC  # type: ignore[misc]
    OWN.audience = Audience.RESOURCE  # type: ignore[misc]


async def app(scope: object, receive: object, send: object) -> None:
    """An application."""


def the_middleware_needs_its_guard() -> None:
    """The middleware is not built without a guard, nor with anything else."""
    JWTGuardMiddleware(app, guard=Guard(CONFIG))
    JWTGuardMiddleware(app)  # type: ignore[call-arg]
    JWTGuardMiddleware(app, guard=CONFIG)  # type: ignore[arg-type]
