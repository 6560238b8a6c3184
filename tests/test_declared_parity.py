"""One table of requests: decorators alone, decorators behind the middleware, endpoints of a file. Equal answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette

from jwtguard import Reason
from tests.kit.asgi_calls import Call, Fields, handshake, request
from tests.kit.declared_apps import Way, build
from tests.kit.guarded import FORGE, Events, bearer, token

pytestmark = pytest.mark.anyio

READER: Final = token(scope="reports:read", sub="ada")
FOREIGN: Final = FORGE.sign(FORGE.access_claims(), key=FORGE.key(kid="k9"))
SAME_SITE: Final = (b"sec-fetch-site", b"same-origin")
CREDENTIALS: Final[Mapping[str, Fields]] = {
    "none": [],
    "good": [bearer(READER)],
    "too little": [bearer(token(scope="other"))],
    "expired": [bearer(token(exp=1))],
    "another audience": [bearer(token(aud="https://other.example.com"))],
    "unknown key": [bearer(FOREIGN)],
    "rubbish": [bearer(b"rubbish")],
    "two headers": [bearer(READER), bearer(READER)],
    "with a space": [(b"authorization", b"Bearer a b")],
    "another scheme": [(b"authorization", b"Basic eDp5")],
    "cookie": [(b"cookie", b"session=" + READER), SAME_SITE],
    "cookie of a foreign page": [(b"cookie", b"session=" + READER), (b"sec-fetch-site", b"cross-site")],
    "problem": [(b"accept", b"application/problem+json")],
}
PLACES: Final = (
    ("GET", "/read"), ("GET", "/threaded"), ("GET", "/public"), ("GET", "/optional"),
    ("POST", "/cookie"), ("GET", "/class"), ("GET", "/method"),
)  # fmt: skip
FRAMEWORKS = [Starlette, FastAPI]


def seen(call: Call) -> tuple[object, ...]:
    """What a client sees that a policy decides: everything of a refusal, status and body of an answer."""
    challenge = call.header(b"www-authenticate")
    headers = sorted(call.fields) if call.status >= 400 and call.header(b"cache-control") else None
    return call.status, challenge, call.body, headers


@pytest.mark.parametrize("credential", CREDENTIALS)
@pytest.mark.parametrize("framework", FRAMEWORKS)
async def test_the_same_answer_three_ways(framework: type[Starlette], credential: str) -> None:
    """R-POL-12: status, challenge, body and reason are those of the middleware, byte for byte."""
    found = []
    for way in Way:
        events = Events()
        app, _ = build(framework, way, on_event=events)
        calls = [await request(app, method, path, CREDENTIALS[credential]) for method, path in PLACES]
        found.append(([seen(call) for call in calls], events.reasons))
    assert found[0] == found[1]
    assert found[1] == found[2]


@pytest.mark.parametrize("way", Way)
async def test_head_is_answered_without_a_body(way: Way) -> None:
    """R-POL-04: HEAD has the answer of GET without its body (where the framework lets GET take HEAD)."""
    app, _ = build(Starlette, way)
    got, head = await request(app, "GET", "/read"), await request(app, "HEAD", "/read")
    assert (head.status, head.fields, head.body) == (401, got.fields, b"")


async def test_the_table_holds_every_outcome() -> None:
    """R-ERR-01: the requests above end in every way a request can end."""
    app, _ = build(Starlette, Way.DECORATORS)
    calls = [await request(app, *place, headers) for headers in CREDENTIALS.values() for place in PLACES]
    assert {call.status for call in calls} == {200, 400, 401, 403}


@pytest.mark.parametrize("credential", CREDENTIALS)
@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("path", ["/feed", "/feeds"])
async def test_the_same_handshake_three_ways(framework: type[Starlette], credential: str, path: str) -> None:
    """F61: a WebSocket is refused before it is accepted, with the guard's answer or close code 1008."""
    found = []
    for way in Way:
        app, _ = build(framework, way)
        denied = await handshake(app, path, CREDENTIALS[credential])
        closed = await handshake(app, path, CREDENTIALS[credential], extensions={})
        found.append(
            (denied.types, denied.sent[0].get("headers"), denied.sent[1:2], closed.types, closed.sent[0].get("code"))
        )
    assert found[0] == found[1] == found[2]
    accepted = credential == "good"
    assert (found[0][0][0] == "websocket.accept") is accepted
    assert (found[0][4] == 1008) is not accepted


@pytest.mark.parametrize("framework", FRAMEWORKS)
async def test_the_identity_is_where_the_framework_looks(framework: type[Starlette]) -> None:
    """R-IDN-01: without the middleware too, ``request.user`` is the identity and ``request.auth`` has its scopes."""
    app, _ = build(framework, Way.DECORATORS)
    call = await request(app, "GET", "/read", [bearer(READER)])
    assert call.body == b'{"subject":"ada","user":true,"scopes":["authenticated","reports:read"]}'


async def test_a_policy_of_a_decorator_is_named_after_its_function() -> None:
    """R-OBS-01: events and identities name the policy by module and function."""
    events = Events()
    app, policy = build(Starlette, Way.DECORATORS, on_event=events)
    await request(app, "GET", "/read")
    assert [(event.policy, event.reason) for event in events] == [
        ("tests.kit.declared_apps.read", Reason.MISSING_TOKEN)
    ]
    assert policy.table.endpoints == ()
