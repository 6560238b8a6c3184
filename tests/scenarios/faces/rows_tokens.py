"""The table, first part: tokens of every kind, and what endpoints demand of good ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from jwtguard import Reason
from tests.scenarios.faces import tokens
from tests.scenarios.faces.row import Row, Sent, allowed, refused
from tests.scenarios.faces.tokens import GOLD, GOOD, SILVER, SPIFFE, WRITER
from tests.scenarios.faces.told import (
    BAD_TOKEN,
    BROKEN,
    CANNOT_TELL,
    FORBIDDEN,
    Told,
    no_credential,
    too_little,
)


def with_token(token: bytes, target: str = "/reports", *more: tuple[bytes, bytes], method: str = "GET") -> Sent:
    """A request with a bearer token, as most rows have it."""
    return Sent(method, target, ((b"Authorization", b"Bearer " + token), *more))


READ: Final = "reports:read"
_TENANT: Final = b"X-Tenant"
UNACCEPTABLE: Final[dict[str, tuple[bytes, Reason]]] = {
    "expired": (tokens.EXPIRED, Reason.EXPIRED),
    "not yet valid": (tokens.NOT_YET, Reason.NOT_YET_VALID),
    "an ID token": (tokens.ID_TOKEN, Reason.WRONG_CLASS),
    "a token without a type": (tokens.UNTYPED, Reason.WRONG_CLASS),
    "a reset token": (tokens.RESET, Reason.WRONG_CLASS),
    "a refresh token": (tokens.REFRESH, Reason.WRONG_CLASS),
    "for another audience": (tokens.ELSEWHERE, Reason.BAD_AUDIENCE),
    "of another issuer": (tokens.STRANGER, Reason.BAD_ISSUER),
    "of an issuer of other endpoints": (tokens.DARK, Reason.BAD_ISSUER),
    "under an unknown kid": (tokens.UNKNOWN_KID, Reason.NO_KEY),
    "with a bad signature": (tokens.FORGED, Reason.BAD_SIGNATURE),
    "with alg none": (tokens.UNSIGNED, Reason.UNSUPPORTED_ALG),
    "with an algorithm not allowed": (tokens.CLIENTS_ALG, Reason.UNSUPPORTED_ALG),
    "bound to a key": (tokens.BOUND, Reason.UNPROVEN_BINDING),
    "over-long": (tokens.LONG, Reason.TOO_LARGE),
    "no token at all": (tokens.JUNK, Reason.MALFORMED),
    "not ASCII": (b"\xff\xfe" + GOOD, Reason.MALFORMED),
    "of a subject that is disabled": (tokens.GONE, Reason.UNKNOWN_SUBJECT),
}


def token_rows() -> Iterator[Row]:
    """Which tokens count, and where."""
    yield refused("no credential", Sent(), no_credential(READ), Reason.MISSING_TOKEN)
    yield refused("no credential, no scope", Sent(target="/reports/7"), no_credential(), Reason.MISSING_TOKEN)
    yield allowed("no credential, optional", Sent(target="/hello"), "hello", "")
    yield allowed("no credential, public", Sent(target="/health"), "health", "")
    yield allowed("good", with_token(GOOD), "reports")
    yield allowed("good, a path with a parameter", with_token(GOOD, "/reports/7"), "report")
    yield allowed("good, optional", with_token(GOOD, "/hello"), "hello")
    yield allowed("good, public", with_token(GOOD, "/health"), "health", "")
    for what, (token, reason) in UNACCEPTABLE.items():
        yield refused(what, with_token(token), BAD_TOKEN, reason)
    yield refused("expired, optional", with_token(tokens.EXPIRED, "/hello"), BAD_TOKEN, Reason.EXPIRED)
    yield allowed("expired, public", with_token(tokens.EXPIRED, "/health"), "health", "")


def demand_rows() -> Iterator[Row]:
    """What endpoints demand of good tokens."""
    missing: list[tuple[str, Sent, Told, Reason]] = [
        ("scope missing", with_token(tokens.NO_SCOPE), too_little(READ), Reason.SCOPE_MISSING),
        ("another scope", with_token(WRITER), too_little(READ), Reason.SCOPE_MISSING),
        ("scope of another method", with_token(GOOD, method="POST"), too_little("reports:write"), Reason.SCOPE_MISSING),
        ("no scope of several", with_token(GOOD, "/any"), too_little("a b"), Reason.SCOPE_MISSING),
        ("role missing", with_token(SILVER, "/role"), FORBIDDEN, Reason.RULE_REFUSED),
        ("no roles", with_token(GOOD, "/role"), FORBIDDEN, Reason.RULE_REFUSED),
        ("kind refused", with_token(GOOD, "/workload"), FORBIDDEN, Reason.RULE_REFUSED),
        ("an actor, forbidden", with_token(tokens.ACTING, "/direct"), FORBIDDEN, Reason.RULE_REFUSED),
        ("claim rule refused", with_token(SILVER, "/rule"), FORBIDDEN, Reason.RULE_REFUSED),
        ("claim absent", with_token(GOOD, "/rule"), FORBIDDEN, Reason.RULE_REFUSED),
        ("async rule refused", with_token(SILVER, "/asked"), FORBIDDEN, Reason.RULE_REFUSED),
        ("too old here", with_token(tokens.OLD, "/fresh"), BAD_TOKEN, Reason.TOO_OLD),
        ("no keys", with_token(tokens.DARK, "/dark"), CANNOT_TELL, Reason.KEYS_UNAVAILABLE),
    ]  # fmt: skip
    for row in missing:
        yield refused(*row)
    yield allowed("the scope of this method", with_token(WRITER, method="POST"), "write")
    yield allowed("one scope of several", with_token(WRITER, "/any"), "any")
    yield allowed("role granted", with_token(GOLD, "/role"), "role")
    yield allowed("kind accepted", with_token(tokens.WORKLOAD, "/workload"), "workload", SPIFFE)
    yield allowed("an actor, elsewhere", with_token(tokens.ACTING), "reports")
    yield allowed("no actor", with_token(GOOD, "/direct"), "direct")
    yield allowed("claim rule passed", with_token(GOLD, "/rule"), "rule")
    yield allowed("async rule passed", with_token(GOLD, "/asked"), "asked")
    yield allowed("fresh enough", with_token(GOOD, "/fresh"), "fresh")
    yield from _tenant_rows()
    for what, sent in {  # F66: a bug of the application is a server error, and nobody is let in
        "a claim rule that raises": with_token(GOOD, "/broken"),
        "an async rule that raises": with_token(GOOD, "/broken-late"),
        "a subject hook that raises": with_token(tokens.BREAKING),
        "a session hook that raises": Sent(target="/session", fields=(tokens.in_session("broken"),)),
        "a page that raises": with_token(tokens.DARK, "/dark", (b"Accept", b"text/html")),
    }.items():
        yield Row(what, sent, BROKEN)


def _tenant_rows() -> Iterator[Row]:
    said = {
        "another tenant": with_token(GOOD, "/tenant", (_TENANT, b"other")),
        "no tenant": with_token(GOOD, "/tenant"),
        "two tenants": with_token(GOOD, "/tenant", (_TENANT, b"acme"), (_TENANT, b"acme")),
        "another tenant in the path": with_token(GOOD, "/t/other/x"),
        "another tenant's host": with_token(GOOD, "/tenant-host", (b"Host", b"other.example.com")),
        "a host around the tenant's": with_token(GOOD, "/tenant-host", (b"Host", b"acme.example.com.evil.net")),
    }
    for what, sent in said.items():
        yield refused(what, sent, FORBIDDEN, Reason.TENANT_MISMATCH)
    yield allowed("its tenant", with_token(GOOD, "/tenant", (_TENANT, b"acme")), "tenant")
    yield allowed("its tenant in the path", with_token(GOOD, "/t/acme/x"), "tenant_path")
    host = (b"Host", b"acme.example.com:443")
    yield allowed("its tenant's host", with_token(GOOD, "/tenant-host", host), "tenant_host")
