"""Send the request of a case through the middleware, as an ASGI server would hand it over."""

from __future__ import annotations

from collections.abc import MutableMapping
from time import perf_counter
from typing import Any
from urllib.parse import unquote

from starlette.types import Message, Receive, Scope, Send

from jwtguard import Guard, JWTGuardMiddleware, events, identity_of
from tests.corpus.case import Case, token_of
from tests.corpus.outcome import Outcome


async def send_request(case: Case, guard: Guard, seen: list[events.Event]) -> Outcome:
    """Run one request in process.

    Args:
        case: A case of level ``http``.
        guard: What decides, telling ``seen`` why.
        seen: Where the guard's events arrive.
    """
    reached: list[tuple[str, str]] = []
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        reached.append(identity_of(scope).key)

    async def receive() -> Message:
        msg = "the guard never reads a body"
        raise AssertionError(msg)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = _scope(case)
    start = perf_counter()
    await JWTGuardMiddleware(app, guard=guard)(scope, receive, send)
    elapsed_ms = (perf_counter() - start) * 1000
    (reason,) = [event.reason for event in seen if isinstance(event, events.Decided)][-1:]
    if reached and not sent and reason is None:
        return Outcome(accepted=True, identity=reached[0], elapsed_ms=elapsed_ms)
    if reached or reason is None or sent[0]["status"] not in (400, 401, 403):
        return Outcome(foreign=f"no plain refusal: {reason}, app called {len(reached)} times, sent {sent[:1]}")
    return Outcome(reason=reason, elapsed_ms=elapsed_ms)


def _scope(case: Case) -> MutableMapping[str, Any]:
    """Write the request as a server does: names in lower case, values as bytes, the path decoded."""
    request = case["request"]
    assert request is not None, "a case of level http has a request"
    raw_path, _, query = _filled(request["path"], case).partition("?")
    headers = [
        (name.lower().encode("latin-1"), _filled(value, case).encode("latin-1")) for name, value in request["headers"]
    ]
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request["method"],
        "scheme": "https",
        "path": unquote(raw_path),
        "raw_path": raw_path.encode("utf-8"),
        "query_string": query.encode("latin-1"),
        "root_path": "",
        "headers": headers,
        "client": ("192.0.2.1", 50_000),
        "server": ("api.example.com", 443),
    }


def _filled(text: str, case: Case) -> str:
    before, mark, after = text.partition("{token}")
    if mark:
        return _filled(before, case) + token_of(case) + _filled(after, case)
    return text.replace("{alt_token}", case["alt_token"]) if "{alt_token}" in text else text
