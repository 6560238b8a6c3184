"""One policy, for every face: what each endpoint demands, at which path and for which methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from anyio.lowlevel import checkpoint

from jwtguard import (
    BEARER,
    Access,
    ActorRule,
    Config,
    Csrf,
    Demands,
    Endpoint,
    Hooks,
    InlineKeys,
    Issuer,
    JwksUri,
    Kind,
    Limits,
    PublicView,
    Resource,
    Tenant,
    TenantPlace,
    cookie,
    rules,
    session_cookie,
)
from jwtguard.core.endpoint import at
from tests.kit.token_forge import TokenForge

FORGE: Final = TokenForge()
RESOURCE: Final = Resource("https://api.example.com")
CSRF_KEY: Final = b"of the tests, and long enough: 0123456789"
APP: Final = "https://app.example.com"
COOKIE: Final = "__Host-at"
SESSION: Final = "__Host-sid"
DISABLED: Final = "disabled-user"
"""A subject that the application does not let in, however good the token is."""


class BrokenError(Exception):
    """What a function of the application raises that has a bug."""


@dataclass(frozen=True, slots=True)
class Place:
    """An endpoint: its name, the methods and the path it answers, what it demands."""

    name: str
    methods: tuple[str, ...]
    path: str
    demands: Demands

    @property
    def endpoint(self) -> Endpoint:
        """The place as a policy file has it."""
        match = tuple(f"{method} {self.path}" for method in self.methods if method != "HEAD")
        return at(match, self.demands, name=self.name)

    @property
    def is_socket(self) -> bool:
        """Whether it is a WebSocket."""
        return self.methods == ("WEBSOCKET",)


def _demands(**columns: Any) -> Demands:
    return Demands(**{"accept": ("access",), "issuers": ("login",), **columns})


def _raises(_value: object) -> bool:
    raise BrokenError


async def _is_gold(value: object) -> bool:
    return value == "gold"


async def _raises_late(_value: object) -> bool:
    raise BrokenError


_GET: Final = ("GET", "HEAD")
_ALL: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_BOTH: Final = (BEARER, cookie(COOKIE))
PLACES: Final[Sequence[Place]] = (
    Place("health", _GET, "/health", Demands(access=Access.PUBLIC)),
    Place("hello", _GET, "/hello", _demands(access=Access.OPTIONAL)),
    Place("reports", _GET, "/reports", _demands(scopes=frozenset({"reports:read"}))),
    Place("write", ("POST",), "/reports", _demands(scopes=frozenset({"reports:write"}))),
    Place("report", _GET, "/reports/{id}", _demands()),
    Place("everything", _ALL, "/everything", _demands()),
    Place("folder", _GET, "/folder/", _demands()),
    Place("any", _GET, "/any", _demands(any_scopes=frozenset({"b", "a"}))),
    Place("role", _GET, "/role", _demands(roles=frozenset({"admin"}))),
    Place("workload", _GET, "/workload", _demands(kinds=frozenset({Kind.WORKLOAD}))),
    Place("tenant", _GET, "/tenant", _demands(tenant=Tenant(TenantPlace.HEADER, "x-tenant"))),
    Place("tenant_host", _GET, "/tenant-host", _demands(tenant=Tenant(TenantPlace.HOST, "{tenant}.example.com"))),
    Place("tenant_path", _GET, "/t/{tenant}/x", _demands(tenant=Tenant(TenantPlace.PATH, "tenant"))),
    Place("direct", _GET, "/direct", _demands(actors=ActorRule.FORBIDDEN)),
    Place("rule", _GET, "/rule", _demands(rules=(rules.equals("tier", "gold"),))),
    Place("asked", _GET, "/asked", _demands(rules=(rules.check_async("tier", _is_gold),))),
    Place("fresh", _GET, "/fresh", _demands(max_age_s=60)),
    Place("broken", _GET, "/broken", _demands(rules=(rules.check("jti", _raises),))),
    Place("broken_late", _GET, "/broken-late", _demands(rules=(rules.check_async("jti", _raises_late),))),
    Place("dark", _GET, "/dark", _demands(issuers=("dark",))),
    Place("jar", _GET, "/jar", _demands(carriers=_BOTH, origins=(APP,))),
    Place("jar_write", ("POST",), "/jar", _demands(carriers=_BOTH, origins=(APP,))),
    Place("double", ("POST",), "/double", _demands(carriers=_BOTH, csrf=Csrf.DOUBLE_SUBMIT)),
    Place("session", ("GET", "HEAD", "POST"), "/session", _demands(carriers=(session_cookie(SESSION),))),
    Place("page", _GET, "/page", _demands(carriers=_BOTH, navigable=True, login_page="/login")),
    Place("admin", _ALL, "/admin/**", _demands(scopes=frozenset({"admin"}))),
    Place("feed", ("WEBSOCKET",), "/feed", _demands(scopes=frozenset({"reports:read"}))),
    Place("feed_jar", ("WEBSOCKET",), "/feed-jar", _demands(carriers=_BOTH, origins=(APP,))),
)


def config_of(keys: Sequence[Mapping[str, object]]) -> Config:
    """The whole policy, for the production profile, over these public keys."""
    return Config(
        issuers=[
            Issuer(
                name="login",
                issuer=FORGE.issuer,
                audience=(FORGE.audience,),
                algorithms=("ES256",),
                keys=InlineKeys(keys),
                tenant_claim="tenant",
                roles_claim=("roles",),
            ),
            Issuer(
                name="dark",
                issuer="https://dark.example.com/",
                audience=(FORGE.audience,),
                algorithms=("ES256",),
                keys=JwksUri("https://127.0.0.1:1/jwks"),  # nobody listens there
            ),
        ],
        endpoints=[place.endpoint for place in PLACES],
        limits=Limits(outside_s=20.0, kid_wait_s=20.0),  # a busy machine must not change an outcome
        resource=RESOURCE,
        csrf_keys=(CSRF_KEY,),
    )


def hooks_of(sessions: Mapping[str, str]) -> Hooks:
    """What the application does: it keeps sessions, knows who is disabled, writes a page, and has bugs."""

    async def session_token(name: str) -> str | None:
        for _ in range(3):  # points at which a request can be cancelled
            await checkpoint()
        if name == "broken":
            raise BrokenError
        return sessions.get(name)

    def subject(_issuer: str, name: str) -> bool:
        if name == "broken":
            raise BrokenError
        return name != DISABLED

    def html(view: PublicView) -> str:
        if view.status == 503:
            raise BrokenError
        return f"<h1>{view.sentence}</h1>"

    return Hooks(session_token=session_token, subject=subject, html=html)
