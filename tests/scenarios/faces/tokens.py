"""The credentials of the table: all hold a canary, so that nobody may show any of them."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Final

from tests.kit.token_forge import OMIT
from tests.scenarios.faces.places import COOKIE, CSRF_KEY, DISABLED, FORGE, SESSION

CANARY: Final = "canary7f3a"
CANARIES: Final = (CANARY, "Y2FuYXJ5")
"""What every credential holds, and how that begins in base64url where it starts a claims set's third of bytes."""
ADA: Final = f"{CANARY}-ada"
SPIFFE: Final = f"spiffe://example.com/{CANARY}"
NOW: Final = 1_767_225_600


def public_keys() -> list[dict[str, object]]:
    """The keys that the issuer publishes."""
    return [FORGE.key().public_jwk()]


def made(header: dict[str, object] | None = None, **claims: object) -> bytes:
    """An access token of ada, changed."""
    full = {
        **FORGE.access_claims(),
        "sub": ADA,
        "client_id": f"{CANARY}-client",
        "jti": CANARY,
        "scope": "reports:read",
        "tenant": "acme",
        **claims,
    }
    kept = {name: value for name, value in full.items() if value is not OMIT}
    return FORGE.sign(kept, key=FORGE.key(), header=header)


_OTHERS_CLAIMS: Final = {"sub": ADA, "jti": CANARY}
GOOD: Final = made()
GOLD: Final = made(tier="gold", roles=["admin"])
SILVER: Final = made(tier="silver", roles=["reader"])
WRITER: Final = made(scope="reports:write b admin")
EXPIRED: Final = made(iat=NOW - 900, exp=NOW - 600)
NOT_YET: Final = made(nbf=NOW + 600)
OLD: Final = made(iat=NOW - 120, exp=NOW + 60)
ID_TOKEN: Final = made({"typ": "JWT"}, aud="client-1", client_id=OMIT, scope=OMIT, nonce=CANARY)
UNTYPED: Final = made({"typ": OMIT})
RESET: Final = made({"typ": "pwreset+jwt"}, purpose="password_reset", bind=CANARY)
REFRESH: Final = made({"typ": "rt+jwt"}, fam=CANARY, gen=1, scope=OMIT)
ELSEWHERE: Final = made(aud="https://elsewhere.example")
STRANGER: Final = made(iss="https://stranger.example/")
DARK: Final = made(iss="https://dark.example.com/")
UNKNOWN_KID: Final = FORGE.sign({**FORGE.access_claims(), **_OTHERS_CLAIMS}, key=FORGE.key(kid=CANARY))
FORGED: Final = GOOD[:-8] + b"AAAAAAAA"
UNSIGNED: Final = FORGE.sign({**FORGE.access_claims(), **_OTHERS_CLAIMS}, key=FORGE.key(), alg="none")
CLIENTS_ALG: Final = FORGE.sign({**FORGE.access_claims(), **_OTHERS_CLAIMS}, key=FORGE.key("EdDSA"))
ACTING: Final = made(act={"sub": CANARY})
WORKLOAD: Final = made(sub=SPIFFE)
GONE: Final = made(sub=DISABLED)
BREAKING: Final = made(sub="broken")
BOUND: Final = made(cnf={"jkt": CANARY})
NO_SCOPE: Final = made(scope=OMIT)
LONG: Final = CANARY.encode() * 900
JUNK: Final = f"{CANARY}.{CANARY}.{CANARY}".encode()
SESSIONS: Final = {"known-" + CANARY: GOOD.decode(), "stale-" + CANARY: EXPIRED.decode()}


def in_jar(value: bytes) -> tuple[bytes, bytes]:
    """The cookie that holds a token, among others."""
    return b"Cookie", b"theme=dark; " + COOKIE.encode() + b"=" + value


def in_session(name: str) -> tuple[bytes, bytes]:
    """The cookie that names a session."""
    return b"Cookie", f"{SESSION}={name}".encode()


def double_submit(token: bytes) -> bytes:
    """What the page sends beside its cookie: an HMAC of the token under the application's secret."""
    mac = hmac.digest(CSRF_KEY, b"jwtguard csrf token\0" + sha256(token).digest(), "sha256")
    return urlsafe_b64encode(mac).rstrip(b"=")
