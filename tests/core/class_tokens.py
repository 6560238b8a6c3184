"""One valid token of every ready-made class, and an issuer that signs them all with one key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from starlette.types import Message, Receive, Scope, Send

from jwtguard import (
    Audience,
    AudienceCount,
    Config,
    Endpoint,
    Guard,
    HeaderKey,
    InlineKeys,
    Issuer,
    JWTGuardMiddleware,
    Legacy,
    Marker,
    TokenClass,
    identity_of,
)
from jwtguard.core.classes import EVERY_OTHER, NO_AUDIENCE, READY_MADE, Subject
from tests.kit.fake_clock import FakeClock
from tests.kit.token_forge import OMIT, TokenForge

NOW = 1_767_225_600.0
FORGE = TokenForge()
KEY = FORGE.key()
SEPARATE: Mapping[Audience, str] = {
    Audience.RESOURCE: FORGE.audience,
    Audience.CLIENT: "client-1",
    Audience.ISSUER: FORGE.issuer,
    Audience.ACTION: "https://app.example.com/reset",
    Audience.RECEIVER: "receiver-1",
}
"""Audiences as they should be: each namespace has names of its own."""
SHARED: Mapping[Audience, str] = dict.fromkeys(Audience, "https://example.com/")
"""Audiences at their worst: one name in every namespace, so that no audience can tell two classes apart."""
VALUES: Mapping[str, object] = {
    "iss": FORGE.issuer,
    "sub": "user-1",
    "client_id": "client-1",
    "exp": int(NOW) + 60,
    "iat": int(NOW),
    "jti": "token-1",
    "sid": "session-1",
    "fam": "family-1",
    "gen": 1,
    "bind": "state-1",
    "htm": "GET",
    "htu": "https://api.example.com/reports",
    "sub_id": {"format": "opaque", "id": "user-1"},
}
SESSION_REVOKED = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"


@dataclass(frozen=True, slots=True)
class Specimen:
    """A token of a class, with one of the header types that the class allows."""

    row: TokenClass
    typ: str | None

    def header(self) -> dict[str, object]:
        """The header's differences from that of an access token."""
        jwk = KEY.public_jwk() if self.row.header_key is HeaderKey.REQUIRED else OMIT
        return {"typ": OMIT if self.typ is None else self.typ, "jwk": jwk}

    def claims(self, names: Mapping[Audience, str]) -> dict[str, object]:
        """All that the class requires, and nothing else."""
        row = self.row
        claims = {name: value for name, value in VALUES.items() if name in row.required}
        claims |= {name: VALUES[name] for name in sorted(row.any_of)[:1]}
        if row.audience is not NO_AUDIENCE:
            claims["aud"] = names[row.audience]
        if "events" in row.required:
            claims["events"] = {name: {} for name in row.events or {SESSION_REVOKED}}
        if row.subject is Subject.ISSUER:
            claims["sub"] = claims["iss"]
        return claims | {name: min(values, key=str) for name, values in row.one_of.items()}

    def claims_disguised_as(self, other: Specimen, names: Mapping[Audience, str]) -> dict[str, object]:
        """Still valid for this class, but with everything of the other class that this one does not forbid."""
        own, foreign = self.claims(names), other.claims(names)
        claims = foreign | own
        if self.row.audience_count is AudienceCount.ANY:
            claims["aud"] = [claims_set["aud"] for claims_set in (own, foreign) if "aud" in claims_set]
        if self.row.events and other.row.events:
            unwanted = other.row.events if self.row.not_events is EVERY_OTHER else self.row.not_events
            claims["events"] = {name: {} for name in self.row.events | (other.row.events - unwanted)}
        return {name: value for name, value in claims.items() if self._may_hold(name, value)}

    def _may_hold(self, name: str, value: object) -> bool:
        return name not in self.row.forbidden and value not in self.row.none_of.get(name, ())


def label(specimen: Specimen) -> str:
    """Name a specimen in test ids."""
    return f"{specimen.row.name}-{specimen.typ or 'absent'}"


def sign(specimen: Specimen, claims: Mapping[str, object]) -> bytes:
    """Sign claims under the specimen's header."""
    return FORGE.sign(claims, key=KEY, header=specimen.header())


MARKER = Marker("token_use", frozenset({"access"}))
_ALL = Issuer(
    name="login",
    issuer=FORGE.issuer,
    algorithms=("ES256",),
    keys=InlineKeys([KEY.public_jwk()]),
    issues=frozenset(READY_MADE),
    legacy=Legacy(marker=MARKER, since=date(2026, 1, 1)),
)
ROWS: Mapping[str, TokenClass] = _ALL.class_table({}, frozenset())
"""The eleven classes as this issuer signs them: the untyped ones know the marker."""
SPECIMENS = [Specimen(row, typ) for row in ROWS.values() for typ in sorted(row.typ, key=str)]


def config_of(
    names: Mapping[Audience, str],
    endpoints: Iterable[Endpoint] = (),
    *,
    classes: Iterable[TokenClass] = (),
    issues: Iterable[str] = READY_MADE,
) -> Config:
    """Write a policy with the one issuer, its audiences named so."""
    issuer = Issuer(
        name=_ALL.name,
        issuer=_ALL.issuer,
        algorithms=_ALL.algorithms,
        keys=_ALL.keys,
        legacy=_ALL.legacy,
        issues=frozenset(issues),
        audience=(names[Audience.RESOURCE],),
        client_id=(names[Audience.CLIENT],),
        audiences={namespace: (name,) for namespace, name in names.items()},
    )
    return Config(issuers=[issuer], endpoints=list(endpoints), classes=list(classes))


def guard_of(names: Mapping[Audience, str], *endpoints: Endpoint) -> Guard:
    """Build a guard over that policy, its clock at ``NOW``."""
    return Guard(config_of(names, endpoints), clock=FakeClock(NOW))


async def status_of(guard: Guard, path: str, *headers: tuple[bytes, bytes]) -> int:
    """Send a GET request through the middleware: 200 if the application was reached with an identity."""
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert identity_of(scope).is_authenticated
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> Message:
        msg = "nobody reads the body"
        raise AssertionError(msg)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "scheme": "https", "path": path, "headers": list(headers)}
    await JWTGuardMiddleware(app, guard=guard)(scope, receive, send)
    status = sent[0]["status"]
    assert isinstance(status, int)
    return status


def bearer(token: bytes) -> tuple[bytes, bytes]:
    """Carry a token in the Authorization header."""
    return b"authorization", b"Bearer " + token


def in_cookie(token: bytes) -> tuple[bytes, bytes]:
    """Carry a token in the cookie ``at``."""
    return b"cookie", b"at=" + token
