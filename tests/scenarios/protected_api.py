"""A guarded application in process: what the scenarios send requests to."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import anyio
from anyio.lowlevel import checkpoint
from starlette.types import Message, Receive, Scope, Send

from jwtguard import (
    Access,
    Config,
    Discovery,
    Endpoint,
    Guard,
    Issuer,
    JwksUri,
    JWTGuardMiddleware,
    Limits,
    Mode,
    Startup,
    events,
)
from jwtguard.clock import Clock
from jwtguard.jwks.cache import IssuerKeys
from jwtguard.jwks.flight import Flight
from tests.kit.fake_clock import FakeClock
from tests.kit.fake_idp import JWKS_PATH, FakeIdP
from tests.kit.forged_key import ForgedKey
from tests.kit.token_forge import TokenForge

ENDPOINTS = (
    Endpoint(match=("GET /health",), access=Access.PUBLIC),
    Endpoint(match=("GET /reports",), accept=("access",)),
)
PATIENT = Limits(kid_wait_s=30.0)
"""For tests whose point is not how long a request waits: a busy machine must not change their outcome."""

OnEvent: TypeAlias = Callable[[events.Event], None]


@dataclass(frozen=True, slots=True)
class Reply:
    """What the client saw."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def error(self) -> object:
        """The error code of a refusal."""
        return json.loads(self.body)["error"]


class ProtectedApi:
    """One guard, its middleware and an application that says who calls.

    Attributes:
        calls: How often the application was reached.
        events: Everything the guard reported.
    """

    def __init__(self, config: Config, *, clock: Clock, on_event: OnEvent | None = None) -> None:
        self.calls = 0
        self.events: list[events.Event] = []
        self.guard = Guard(config, on_event=on_event or self.events.append, clock=clock)
        self.middleware = JWTGuardMiddleware(self._app, guard=self.guard)

    async def get(self, path: str = "/reports", token: bytes | None = None) -> Reply:
        """Send one GET, with a token or without."""
        headers = [] if token is None else [(b"authorization", b"Bearer " + token)]
        scope: Scope = {"type": "http", "method": "GET", "path": path, "headers": headers, "scheme": "https"}
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        await self.middleware(scope, _no_body, send)
        fields = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return Reply(sent[0]["status"], fields, sent[1]["body"])

    async def statuses(self, tokens: Sequence[bytes], *, at_once: int = 200) -> list[int]:
        """Send these tokens, so many of them at the same time; return the answers in their order."""
        found = [0] * len(tokens)
        queue = iter(enumerate(tokens))

        async def client() -> None:
            for index, token in queue:
                found[index] = (await self.get(token=token)).status

        async with anyio.create_task_group() as group:
            for _ in range(at_once):
                group.start_soon(client)
        return found

    def seen(self, kind: type[events.Event]) -> list[events.Event]:
        """The events of one kind so far."""
        return [event for event in self.events if isinstance(event, kind)]

    def keys_of(self, issuer: str = "login") -> IssuerKeys:
        """The life of one issuer's keys, looked at from inside."""
        return self.guard.snapshot.ring._fetched[issuer]

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.calls += 1
        body = repr(scope["user"]).encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})


async def _no_body() -> Message:
    msg = "the guard reads no body"
    raise AssertionError(msg)


class Login:
    """An issuer whose key set is fetched from a fake provider."""

    def __init__(self, idp: FakeIdP, *, name: str = "login", audience: str = "https://api.example.com") -> None:
        self.idp = idp
        self.name = name
        self.forge = TokenForge(idp.issuer, audience)

    def key(self, kid: str = "k1", alg: str = "ES256") -> ForgedKey:
        """A key pair of this issuer; another issuer has others even under the same kid."""
        return ForgedKey(alg, kid, self.forge.key(alg, f"{self.idp.port} {kid}").private)

    def publish(self, *kids: str) -> None:
        """Put these keys, and no others, into the key set."""
        self.idp.set_keys([self.key(kid).public_jwk() for kid in kids])

    def issuer(self, *, keys: Discovery | JwksUri | None = None, algorithms: tuple[str, ...] = ("ES256",)) -> Issuer:
        """How the policy names it. Tokens may live for a week, so that only keys end them."""
        return Issuer(
            name=self.name,
            issuer=self.idp.issuer,
            algorithms=algorithms,
            keys=keys or JwksUri(self.idp.jwks_uri),
            audience=(self.forge.audience,),
            max_lifetime_s={"access": 7 * 86_400.0},
        )

    def token(self, kid: str = "k1", *, clock: Clock, **claims: object) -> bytes:
        """A good access token."""
        return self.forge.sign(self.claims(clock=clock, **claims), key=self.key(kid))

    def claims(self, *, clock: Clock, **changes: object) -> dict[str, object]:
        """What a good access token says."""
        return self.forge.access_claims(now=clock.now(), **changes)

    def lasting_token(self, kid: str = "k1", *, clock: Clock) -> bytes:
        """A good access token that outlives every key: only its key can end it."""
        return self.token(kid, clock=clock, exp=int(clock.now()) + 100 * 3600)

    @property
    def fetches(self) -> int:
        """How often the key set was asked for."""
        return self.idp.hits[JWKS_PATH]


def configured(
    *logins: Login,
    limits: Limits = PATIENT,
    startup: Startup = Startup.LAZY,
    endpoints: Sequence[Endpoint] = ENDPOINTS,
) -> Config:
    """A policy in the development profile, which lets http reach issuers on loopback."""
    issuers = [login.issuer() for login in logins]
    return Config(issuers=issuers, endpoints=endpoints, limits=limits, mode=Mode.DEVELOPMENT, startup=startup)


def api_for(login: Login, clock: FakeClock | None = None, *, limits: Limits = PATIENT) -> ProtectedApi:
    """The usual application: one issuer, one public and one protected endpoint."""
    return ProtectedApi(configured(login, limits=limits), clock=clock or FakeClock())


def flights() -> list[threading.Thread]:
    """The fetches in the air."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("jwtguard-keys-")]


async def landed() -> None:
    """Wait until no fetch is in the air."""
    with anyio.fail_after(30):
        for thread in flights():
            await anyio.to_thread.run_sync(thread.join)


async def waiting(api: ProtectedApi, count: int) -> Flight:
    """Wait until so many requests wait for the flight in the air."""
    with anyio.fail_after(30):
        while (flight := api.keys_of()._flight) is None or flight.waiting < count:
            await checkpoint()
    return flight
