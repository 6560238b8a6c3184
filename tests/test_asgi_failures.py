"""What goes wrong inside the guard, or in what the application gave it, is never a pass."""

from __future__ import annotations

from typing import NoReturn

import pytest
from starlette.types import Message

from jwtguard import Endpoint, JWTGuardMiddleware
from jwtguard.core import pipeline
from jwtguard.core.rules import check
from tests.kit.asgi_calls import Fields, Probe, http_scope, request, websocket_scope
from tests.kit.fake_clock import FakeClock
from tests.kit.guarded import bearer, guard, protected, public, token

pytestmark = pytest.mark.anyio


def broken(*_: object, **__: object) -> NoReturn:
    """Fail in a way that nobody foresaw."""
    raise ZeroDivisionError


async def assert_denied(app: JWTGuardMiddleware, probe: Probe, headers: Fields) -> None:
    """Check that the error leaves for the server's log, that nothing is sent and that nobody is called."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    for scope in (http_scope("GET", "/reports", headers), websocket_scope("/reports", headers)):
        with pytest.raises(ZeroDivisionError):
            await app(scope, broken, send)
    assert (sent, probe.scopes) == ([], [])


def break_stage(monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
    """Break one stage of the pipeline, by the name that the pipeline calls it by."""
    assert hasattr(pipeline, stage), "the stage has another name now"
    monkeypatch.setattr(pipeline, stage, broken)


COLD = ("classify", "verify_signature", "validate_claims")
ALWAYS = ("route", "extract", "recall", "authorize", "Identity")


@pytest.mark.parametrize("stage", [*ALWAYS, *COLD])
async def test_a_bug_in_a_stage_denies(monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
    """R-ERR-06, F66: an error that nobody foresaw, in any stage, is never a pass."""
    probe = Probe()
    app = JWTGuardMiddleware(probe, guard=guard(protected("/reports")))
    break_stage(monkeypatch, stage)
    await assert_denied(app, probe, [bearer(token())])


@pytest.mark.parametrize("stage", ALWAYS)
async def test_a_bug_denies_remembered_tokens_too(monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
    """R-ERR-06, F66: the same holds for a token seen before."""
    probe, headers = Probe(), [bearer(token())]
    app = JWTGuardMiddleware(probe, guard=guard(protected("/reports")))
    assert (await request(app, "GET", "/reports", headers)).status == 200
    probe.scopes.clear()
    break_stage(monkeypatch, stage)
    await assert_denied(app, probe, headers)


async def test_a_raising_claim_rule_denies() -> None:
    """R-ERR-06, F66, R-CLM-12: a claim rule that raises is a bug of the application: no answer, no call, no pass."""
    faults = ["one"]
    rule = check("tier", lambda _value: broken() if faults else True)
    probe, headers = Probe(), [bearer(token(tier="gold"))]
    app = JWTGuardMiddleware(probe, guard=guard(protected("/reports", rules=(rule,))))
    await assert_denied(app, probe, headers)
    faults.clear()
    assert (await request(app, "GET", "/reports", headers)).status == 200
    probe.scopes.clear()
    faults.append("another, now that the token is remembered")
    await assert_denied(app, probe, headers)


async def test_a_broken_clock_denies(monkeypatch: pytest.MonkeyPatch) -> None:
    """R-ERR-06, F66: without the time there is no decision."""
    probe = Probe()
    monkeypatch.setattr(FakeClock, "now", broken)
    await assert_denied(JWTGuardMiddleware(probe, guard=guard(protected("/reports"))), probe, [bearer(token())])


@pytest.mark.parametrize("path", ["/reports", "/health", "/elsewhere"])
async def test_a_broken_sink_decides_nothing(path: str) -> None:
    """F66: what an event sink raises is counted and changes no decision."""
    endpoints: tuple[Endpoint, ...] = (protected("/reports"), public("/health"))
    deaf, sound = guard(*endpoints, on_event=broken), guard(*endpoints)
    for headers in ([], [bearer(token())], [bearer(b"junk")]):
        answers = [
            await request(JWTGuardMiddleware(Probe(), guard=each), "GET", path, headers) for each in (deaf, sound)
        ]
        assert answers[0].sent == answers[1].sent
    assert deaf.sink_failures >= 3
