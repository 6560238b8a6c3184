"""What a refused client is told: exact statuses, fields and bodies, and nothing about its token."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from typing import Any

import pytest

from jwtguard import (
    ConfigurationError,
    Discovery,
    InlineKeys,
    Issuer,
    JwksUri,
    JWTGuardMiddleware,
    Mode,
    Reason,
    Refusal,
)
from jwtguard.core import pipeline
from jwtguard.core.rules import equals
from tests.kit.asgi_calls import Call, Probe, handshake, request
from tests.kit.guarded import FORGE, Events, bearer, guard, protected, public, token
from tests.kit.token_forge import OMIT

pytestmark = pytest.mark.anyio


def answer(
    status: int, challenge: bytes | None, body: bytes, **more: bytes
) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """One answer to the last byte."""
    fields = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    if challenge is not None:
        fields.append((b"www-authenticate", challenge))
    fields += [(name.replace("_", "-").encode(), value) for name, value in more.items()]
    return status, fields, body


NO_CREDENTIAL = answer(401, b"Bearer", b'{"error":"no_credential","error_description":"A credential is required."}')
BAD_REQUEST = answer(
    400,
    b'Bearer error="invalid_request", '
    b'error_description="The request carries its credential in a way that is not allowed."',
    b'{"error":"invalid_request",'
    b'"error_description":"The request carries its credential in a way that is not allowed."}',
)
BAD_TOKEN = answer(
    401,
    b'Bearer error="invalid_token", error_description="The token is not acceptable here."',
    b'{"error":"invalid_token","error_description":"The token is not acceptable here."}',
)
TOO_LITTLE = answer(
    403,
    b'Bearer error="insufficient_scope", error_description="The token does not grant what this needs.", '
    b'scope="reports:read reports:write"',
    b'{"error":"insufficient_scope","error_description":"The token does not grant what this needs."}',
)
FORBIDDEN = answer(403, None, b'{"error":"forbidden","error_description":"This is not allowed."}')
CANNOT_TELL = answer(
    503, None, b'{"error":"cannot_tell","error_description":"No decision is possible right now."}', retry_after=b"1"
)

ANSWERS = {
    Reason.MISSING_TOKEN: NO_CREDENTIAL,
    Reason.AMBIGUOUS_CREDENTIALS: BAD_REQUEST,
    Reason.MALFORMED_CREDENTIALS: BAD_REQUEST,
    Reason.INSECURE_TRANSPORT: BAD_REQUEST,
    Reason.SCOPE_MISSING: TOO_LITTLE,
    Reason.CSRF: FORBIDDEN,
    Reason.RULE_REFUSED: FORBIDDEN,
    Reason.TENANT_MISMATCH: FORBIDDEN,
    Reason.NO_POLICY: FORBIDDEN,
    Reason.KEYS_UNAVAILABLE: CANNOT_TELL,
    Reason.STORE_UNAVAILABLE: CANNOT_TELL,
}
"""Every reason that does not mean a bad token; whatever is not here must look like ``BAD_TOKEN``."""

SCOPES = frozenset({"reports:write", "reports:read"})
ENDPOINT = protected("/reports", scopes=SCOPES, rules=(equals("tier", "gold"),))


def seen(call: Call) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """An answer as the client got it."""
    return call.status, call.fields, call.body


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch, reason: Reason) -> JWTGuardMiddleware:
    """An application whose guard refuses everything for one reason, also for those no stage gives yet."""
    deciding = guard(ENDPOINT)
    refused = pipeline.Refused(deciding.table.endpoints[0], Refusal(reason, "check", "expected", "seen"))
    monkeypatch.setattr(deciding, "decide_locally", lambda _head: refused)
    return JWTGuardMiddleware(Probe(), guard=deciding)


@pytest.mark.parametrize("reason", Reason)
async def test_answer_to_every_reason(refusing: JWTGuardMiddleware, reason: Reason) -> None:
    """R-ERR-01, R-ERR-02, R-ERR-09: status, fields and body of each reason, to the byte."""
    expected = ANSWERS.get(reason, BAD_TOKEN)
    assert seen(await request(refusing, "GET", "/reports")) == expected
    assert seen(await handshake(refusing, "/reports")) == expected


@pytest.mark.parametrize("reason", Reason)
async def test_fields_of_every_answer(refusing: JWTGuardMiddleware, reason: Reason) -> None:
    """R-ERR-04: only printable ASCII leaves, each challenge being a scheme and quoted parameters."""
    call = await request(refusing, "GET", "/reports")
    assert all(re.fullmatch(rb"[\x20-\x7e]+", value) for _, value in call.fields)
    parameter = rb'[a-z_]+="[^"\\]*"'
    challenge = call.header(b"www-authenticate")
    assert challenge is None or re.fullmatch(rb"Bearer( %s(, %s)*)?" % (parameter, parameter), challenge)
    assert call.header(b"content-length") == str(len(call.body)).encode()


@pytest.mark.parametrize("scope", ['a"b', "a\\b", "a b", "", "a\r\nX-Evil: 1", "caf\u00e9", "\x7f"])
@pytest.mark.parametrize("field", ["scopes", "any_scopes"])
def test_configured_scopes_cannot_inject(scope: str, field: str) -> None:
    """R-ERR-04: a scope that could end a quoted string or a header field does not get into a policy."""
    with pytest.raises(ConfigurationError, match="scope"):
        protected("/reports", **{field: frozenset({scope})})


async def test_scope_of_the_challenge() -> None:
    """R-ERR-01: ``insufficient_scope`` names the scopes of the policy, never those of the token."""
    app = JWTGuardMiddleware(Probe(), guard=guard(protected("/any", any_scopes=frozenset({"b", "a"}))))
    call = await request(app, "GET", "/any", [bearer(token(scope="c d"))])
    assert call.header(
        b"www-authenticate",
    ).endswith(b', scope="a b"')  # type: ignore[union-attr]  # it is there


def forged(header: Mapping[str, object] | None = None, *, alg: str = "ES256", **claims: Any) -> bytes:
    """A token with something wrong."""
    return FORGE.sign(FORGE.access_claims(**claims), key=FORGE.key(alg), header=header)


NOW = 1_767_225_600
BAD_TOKENS = {
    Reason.TOO_LARGE: b"a" * 8193,
    Reason.MALFORMED: b"junk",
    Reason.BAD_HEADER: forged({"jku": "https://attacker.example/keys"}),
    Reason.UNSUPPORTED_ALG: forged(alg="RS256"),
    Reason.WRONG_CLASS: forged({"typ": "JWT"}),
    Reason.NO_KEY: forged({"kid": "unknown"}),
    Reason.BAD_SIGNATURE: token().rpartition(b".")[0] + b"." + b"A" * 86,
    Reason.BAD_ISSUER: forged(iss="https://attacker.example/"),
    Reason.BAD_AUDIENCE: forged(aud="https://other.example"),
    Reason.MISSING_CLAIM: forged(exp=OMIT),
    Reason.BAD_CLAIM: forged(exp="tomorrow"),
    Reason.EXPIRED: forged(exp=NOW - 31, iat=NOW - 331),
    Reason.NOT_YET_VALID: forged(nbf=NOW + 31),
    Reason.TOO_LONG_LIVED: forged(exp=NOW + 3601),
    Reason.TOO_OLD: forged(iat=NOW - 200, exp=NOW + 100),
    Reason.UNPROVEN_BINDING: forged(cnf={"jkt": "x"}),
}


@pytest.mark.parametrize("reason", BAD_TOKENS)
async def test_every_bad_token_gets_one_answer(reason: Reason) -> None:
    """R-ERR-02, R-OBS-01: each reason is provoked, told to the operator, and looks like all others from outside."""
    events = Events()
    app = JWTGuardMiddleware(Probe(), guard=guard(protected("/reports", max_age_s=120), on_event=events))
    assert seen(await request(app, "GET", "/reports", [bearer(BAD_TOKENS[reason])])) == BAD_TOKEN
    assert events.reasons == [reason]


async def test_a_weak_key_looks_like_any_bad_token() -> None:
    """R-ERR-02, R-ALG-07: a token by a key that is too weak is refused as such, invisibly."""
    weak = FORGE.key().public_jwk(kty="RSA", alg="RS256", kid="weak", n="AQAB", e="AQAB")
    strong = FORGE.key("RS256", "strong").public_jwk()
    issuer = Issuer(
        name="login",
        issuer=FORGE.issuer,
        audience=(FORGE.audience,),
        algorithms=("RS256",),
        keys=InlineKeys([weak, strong]),
    )
    events = Events()
    app = JWTGuardMiddleware(Probe(), guard=guard(protected("/reports"), issuers=[issuer], on_event=events))
    assert seen(await request(app, "GET", "/reports", [bearer(forged({"kid": "weak"}, alg="RS256"))])) == BAD_TOKEN
    assert events.reasons == [Reason.WEAK_KEY]


async def test_not_enough_is_403() -> None:
    """R-ERR-01, R-OBS-01: a good token without the scopes, or that a claim rule refuses, is 403, each in its way."""
    events = Events()
    app = JWTGuardMiddleware(Probe(), guard=guard(ENDPOINT, on_event=events))
    assert seen(await request(app, "GET", "/reports", [bearer(token(scope="reports:read"))])) == TOO_LITTLE
    scopes = " ".join(SCOPES)
    assert seen(await request(app, "GET", "/reports", [bearer(token(scope=scopes, tier="lead"))])) == FORBIDDEN
    assert (await request(app, "GET", "/reports", [bearer(token(scope=scopes, tier="gold"))])).status == 200
    assert events.reasons == [Reason.SCOPE_MISSING, Reason.RULE_REFUSED, None]


async def test_no_policy_is_403_without_a_hint() -> None:
    """R-POL-01, R-OBS-01: what nobody wrote a policy for is closed, with and without a token, and says nothing."""
    events = Events()
    app = JWTGuardMiddleware(Probe(), guard=guard(ENDPOINT, on_event=events))
    for headers in ([], [bearer(token())]):
        assert seen(await request(app, "GET", "/elsewhere", headers)) == FORBIDDEN
    assert events.reasons == [Reason.NO_POLICY, Reason.NO_POLICY]


@pytest.fixture
def dead_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.mark.parametrize("source", ["discovery", "jwks_uri"])
async def test_no_keys_is_503(source: str, dead_port: int) -> None:
    """R-ERR-05, F07: an issuer whose keys cannot be had makes 503 with Retry-After, never 401; public routes go on."""
    address = f"http://127.0.0.1:{dead_port}"
    keys = Discovery() if source == "discovery" else JwksUri(f"{address}/keys")
    issuer = Issuer(name="login", issuer=address, audience=(FORGE.audience,), algorithms=("ES256",), keys=keys)
    events = Events()
    policy = guard(protected("/reports"), public("/health"), issuers=[issuer], mode=Mode.DEVELOPMENT, on_event=events)
    probe = Probe()
    app = JWTGuardMiddleware(probe, guard=policy)
    assert seen(await request(app, "GET", "/reports", [bearer(forged(iss=address))])) == CANNOT_TELL
    assert events.reasons == [Reason.KEYS_UNAVAILABLE]
    assert probe.scopes == []
    assert (await request(app, "GET", "/health")).status == 200


CANARIES = ("canary-subject", "canary-kid", "canary-path", "https://canary.example/", "canary-client")


@pytest.mark.parametrize("header", [{}, {"kid": "canary-kid"}, {"typ": "canary-kid+jwt"}, {"alg": "canary-kid"}])
@pytest.mark.parametrize("claims", [{}, {"iss": CANARIES[3]}, {"aud": CANARIES[3]}, {"exp": "canary-subject"}])
async def test_nothing_of_the_request_comes_back(header: Mapping[str, object], claims: Mapping[str, Any]) -> None:
    """R-ERR-03: no token, claim, key id, path or library name appears in an answer."""
    app = JWTGuardMiddleware(Probe(), guard=guard(protected("/canary-path", scopes=frozenset({"x"}))))
    sent = forged(header, sub="canary-subject", client_id="canary-client", **claims)
    call = await request(app, "GET", "/canary-path", [bearer(sent)])
    assert call.status in {401, 403}
    told = b"".join([call.body, *(name + value for name, value in call.fields)]).decode().lower()
    segments = [part for part in sent.decode().lower().split(".") if part]
    assert [text for text in (*CANARIES, *segments, "jwtguard", "joserfc", "python", "traceback") if text in told] == []
