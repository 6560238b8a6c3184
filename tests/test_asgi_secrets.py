"""Canaries: a token or cookie that went in comes out nowhere, whatever happens to it."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path

import anyio
import pytest

import jwtguard
from jwtguard import BEARER, Endpoint, JWTGuardMiddleware, Refusal, cookie
from jwtguard.core.rules import check, equals
from tests.kit.asgi_calls import Call, Fields, Probe, handshake, request
from tests.kit.guarded import FORGE, Events, bearer, guard, optional, protected, public, token
from tests.kit.token_forge import OMIT

pytestmark = pytest.mark.anyio

PACKAGE = str(Path(jwtguard.__file__).parent)
CANARY = "canary7f3a"
SECRETS = (CANARY, "Y2FuYXJ5")
"""What every token below holds in its claims, and how that begins in base64url, at one of the three offsets."""


def sent_parts(sent: bytes) -> list[str]:
    """What of a credential must be seen nowhere: the whole, and its parts but for a header that is no secret."""
    return [part for part in (sent.decode("latin-1"), *sent.decode("latin-1").split(".")[1:]) if len(part) > 3]


def forged(header: dict[str, object] | None = None, **claims: object) -> bytes:
    """A token full of canaries."""
    full = {**FORGE.access_claims(), "sub": CANARY, "client_id": CANARY, "jti": CANARY, **claims}
    kept = {name: value for name, value in full.items() if value is not OMIT}
    return FORGE.sign(kept, key=FORGE.key(), header=header)


GOOD = forged()
CREDENTIALS: dict[str, bytes] = {
    "good": GOOD,
    "good, without a scope": forged(scope=OMIT),
    "good, refused by a rule": forged(tier=CANARY),
    "tampered": GOOD[:-10] + b"canary7f3a",
    "unknown kid": forged({"kid": CANARY}),
    "unknown alg": FORGE.sign(b'{"iss":"canary7f3a"}', key=FORGE.key(), header=b'{"alg":"canary7f3a"}'),
    "control characters in kid": forged({"kid": f"{CANARY}\r\nX: y"}),
    "wrong class": forged({"typ": CANARY}),
    "key url": forged({"jku": f"https://{CANARY}.example/"}),
    "wrong issuer": forged(iss=CANARY),
    "wrong audience": forged(aud=[CANARY]),
    "wrong type": forged(exp=CANARY),
    "missing claim": forged(jti=OMIT),
    "expired": forged(exp=1),
    "bound": forged(cnf={"jkt": CANARY}),
    "no json": FORGE.sign(CANARY.encode(), key=FORGE.key()),
    "junk": b"canary7f3a.canary7f3a.canary7f3a",
    "not base64": b"canary7f3a!.x.y",
    "too long": CANARY.encode() * 1000,
    "not ascii": b"canary7f3a\xff\xfe",
    "two words": b"canary7f3a canary7f3a",
}


def ways(credential: bytes) -> list[Fields]:
    """The ways to send it: header, cookie, both, and where nobody looks."""
    jar = (b"cookie", b"other=canary7f3a; __Host-t=" + credential)
    return [[bearer(credential)], [jar], [bearer(credential), jar], [(b"x-token", credential)]]


ENDPOINTS = (
    Endpoint(
        match=("/reports",),
        accept=("access",),
        carriers=(BEARER, cookie("__Host-t")),
        scopes=frozenset({"reports:read"}),
    ),
    protected("/rules", rules=(equals("tier", "gold"),)),
    optional("/hello"),
    public("/health"),
)


@pytest.mark.parametrize("case", CREDENTIALS)
async def test_nothing_comes_out(case: str, caplog: pytest.LogCaptureFixture) -> None:
    """R-OBS-03, F58: no part of a credential is in an event, a log, or an answer, on any path through the guard."""
    caplog.set_level(logging.DEBUG)
    events, credential = Events(), CREDENTIALS[case]
    app = JWTGuardMiddleware(Probe(), guard=guard(*ENDPOINTS, on_event=events))
    told: list[Call] = []
    for path in ("/reports", "/rules", "/hello", "/health", "/elsewhere"):
        for headers in ways(credential):
            query = b"access_token=" + credential
            told += [await request(app, "GET", path, headers, query_string=query)]
            told += [await request(app, "POST", path, headers), await handshake(app, path, headers)]
    shown = "\n".join((repr(told), repr(list(events)), str(events), caplog.text))
    assert len(events) == len(told)
    assert [part for part in (*SECRETS, *sent_parts(credential)) if part in shown] == []


@pytest.mark.parametrize("case", [case for case in CREDENTIALS if not case.startswith("good")])
def test_exceptions_show_nothing(case: str) -> None:
    """R-OBS-03, F58: a ``Refusal`` shows its reason alone, and no frame of ours with its locals holds the token."""
    credential = CREDENTIALS[case]
    with pytest.raises(Refusal) as raised:
        guard(*ENDPOINTS).verify(credential, accept="access")
    refusal = raised.value
    shown = [str(refusal), repr(refusal), *locals_of(refusal)]
    assert [part for part in sent_parts(credential) if any(part in text for text in shown)] == []
    assert CANARY not in str(refusal) + repr(refusal)
    assert refusal.__context__ is None or refusal.__suppress_context__


def locals_of(error: BaseException, *, but: str = "") -> list[str]:
    """The message of an error and, as a debugging log writes them, the locals of the package's own frames."""
    trace = traceback.TracebackException.from_exception(error, capture_locals=True)
    frames = [frame for frame in trace.stack if frame.filename.startswith(PACKAGE)]
    assert frames, "the error did not pass through the package"
    shown = [text for frame in frames for name, text in (frame.locals or {}).items() if name != but]
    return [*shown, *trace.format_exception_only()]


@pytest.mark.parametrize("way", [0, 1], ids=["header", "cookie"])
@pytest.mark.parametrize("times", [1, 2], ids=["first sight", "seen before"])
async def test_a_debug_traceback_shows_no_token(way: int, times: int) -> None:
    """R-OBS-03: when a claim rule raises, no local of ours shows the token, except the scope as the server gave it."""
    calls: list[int] = []

    def fails_in_the_end(_value: object) -> bool:
        calls.append(1)
        if len(calls) == times:
            raise LookupError
        return True

    rules = (check("client_id", fails_in_the_end),)
    endpoint = Endpoint(match=("/reports",), accept=("access",), carriers=(BEARER, cookie("__Host-t")), rules=rules)
    app = JWTGuardMiddleware(Probe(), guard=guard(endpoint))
    for _ in range(times - 1):
        assert (await request(app, "GET", "/reports", ways(GOOD)[way])).status == 200
    with pytest.raises(LookupError) as raised:
        await request(app, "GET", "/reports", ways(GOOD)[way])
    shown = locals_of(raised.value, but="scope")
    assert [part for part in sent_parts(GOOD) if any(part in text for text in shown)] == []


def test_what_the_guard_keeps_shows_nothing() -> None:
    """R-OBS-03: the guard, its snapshot and what it remembers show no token in their ``repr``."""
    policy = guard(*ENDPOINTS)
    call = anyio.run(request, JWTGuardMiddleware(Probe(), guard=policy), "GET", "/reports", [bearer(GOOD)])
    assert call.status == 200
    kept = policy.snapshot
    things = [policy, kept, kept.table, kept.context, list(kept.context.memory.items()), kept.ring, kept.ring.held]
    shown = repr(things)
    assert kept.context.memory
    assert [part for part in (CANARY, *sent_parts(GOOD)) if part in shown] == []


def test_the_canary_would_be_seen() -> None:
    """The tests above can fail: their credentials do hold what is looked for."""
    assert token() != GOOD
    assert all(CANARY.encode() in credential or b"." in credential for credential in CREDENTIALS.values())
    assert all(sent_parts(credential) for credential in CREDENTIALS.values())
