"""A guarded application under attack: what is sent to it, and what must come back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

import anyio
from starlette.types import ASGIApp, Scope

from jwtguard import Config, Endpoint, Guard, InlineKeys, Issuer, JwksUri, JWTGuardMiddleware, Mode, Reason
from tests.kit.asgi_calls import Call, Fields, Probe, handshake, http_scope, run
from tests.kit.fake_clock import FakeClock
from tests.kit.fake_idp import FakeIdP
from tests.kit.forged_key import ForgedKey
from tests.kit.guarded import FORGE, ISSUER, Events, bearer, protected
from tests.kit.token_forge import TokenForge

KEY: Final = FORGE.key()
REPORTS: Final = protected("/reports")
INVALID_TOKEN: Final = (401, b'Bearer error="invalid_token", error_description="The token is not acceptable here."')
_NOT_ALLOWED: Final = b"The request carries its credential in a way that is not allowed."
INVALID_REQUEST: Final = (400, b'Bearer error="invalid_request", error_description="' + _NOT_ALLOWED + b'"')
NO_CREDENTIAL: Final = (401, b"Bearer")
FORBIDDEN: Final = (403, None)
_TOO_LITTLE: Final = b'The token does not grant what this needs.", scope="reports:write'
_ANSWERS: Final = {
    Reason.MISSING_TOKEN: NO_CREDENTIAL,
    Reason.AMBIGUOUS_CREDENTIALS: INVALID_REQUEST,
    Reason.MALFORMED_CREDENTIALS: INVALID_REQUEST,
    Reason.INSECURE_TRANSPORT: INVALID_REQUEST,
    Reason.NO_POLICY: FORBIDDEN,
    Reason.CSRF: FORBIDDEN,
    Reason.RULE_REFUSED: FORBIDDEN,
    Reason.SCOPE_MISSING: (403, b'Bearer error="insufficient_scope", error_description="' + _TOO_LITTLE + b'"'),
}
"""What the attacker may learn, written out once more: whatever is not here is an unacceptable token."""


class Target:
    """A guard, its middleware and an application that must not be reached.

    Attributes:
        guard: The guard.
        clock: Its clock.
        events: All it reported.
        probe: The application behind it, unless another was given.
    """

    def __init__(
        self,
        *endpoints: Endpoint,
        issuers: Sequence[Issuer] = (ISSUER,),
        mode: Mode = Mode.PRODUCTION,
        app: ASGIApp | None = None,
        **more: Any,
    ) -> None:
        self.clock = FakeClock()
        self.events = Events()
        self.probe = Probe()
        config = Config(issuers=issuers, endpoints=endpoints or (REPORTS,), mode=mode, **more)
        self.guard = Guard(config, on_event=self.events, clock=self.clock)
        self.middleware = JWTGuardMiddleware(app or self.probe, guard=self.guard)

    def send(self, headers: Fields = (), path: str = "/reports", method: str = "GET", **changes: Any) -> Call:
        """Send one request over https."""
        return self.connect(http_scope(method, path, headers, **changes))

    def connect(self, scope: Scope) -> Call:
        """Open one connection."""
        return anyio.run(run, self.middleware, scope)

    def handshake(self, headers: Fields = (), path: str = "/reports") -> Call:
        """Ask for a WebSocket."""
        return anyio.run(handshake, self.middleware, path, headers)

    @property
    def reason(self) -> Reason | None:
        """Why the last request was refused; ``None`` if it was not."""
        return self.events.reasons[-1]

    def refuses(self, token: bytes, *reasons: Reason, path: str = "/reports") -> None:
        """Send a token as a bearer; it must be refused for one of these reasons, and look like any other."""
        self.refuses_request([bearer(token)], *reasons, path=path)

    def refuses_request(self, headers: Fields, *reasons: Reason, path: str = "/reports", **changes: Any) -> None:
        """Send a request that must be refused for one of these reasons, without reaching the application."""
        reached = len(self.probe.scopes)
        call = self.send(headers, path, **changes)
        assert self.reason is not None
        assert self.reason in reasons
        assert (call.status, call.header(b"www-authenticate")) == _ANSWERS.get(self.reason, INVALID_TOKEN)
        assert call.header(b"cache-control") == b"no-store"
        assert len(self.probe.scopes) == reached, "the application was called"

    def lets_in(self, token: bytes, path: str = "/reports") -> None:
        """Send a token as a bearer; it must reach the application."""
        reached = len(self.probe.scopes)
        call = self.send([bearer(token)], path)
        assert (call.status, self.reason) == (200, None)
        assert len(self.probe.scopes) == reached + 1


def issuer_of(*keys: ForgedKey, algorithms: Sequence[str] = (), **changes: Any) -> Issuer:
    """The issuer of the forge with these public keys inline, and an allow-list of their algorithms."""
    listed = tuple(algorithms) or tuple(dict.fromkeys(key.alg for key in keys))
    inline = InlineKeys([key.public_jwk() for key in keys])
    return dataclasses.replace(ISSUER, algorithms=listed, keys=inline, **changes)


def fetching_target(idp: FakeIdP, *endpoints: Endpoint) -> Target:
    """A target whose only issuer publishes its keys at a fake provider, so that there is something to steer."""
    issuer = dataclasses.replace(ISSUER, issuer=idp.issuer, keys=JwksUri(idp.jwks_uri))
    return Target(*endpoints, issuers=[issuer], mode=Mode.DEVELOPMENT)


def signed(
    claims: Mapping[str, object] | bytes | None = None,
    header: Mapping[str, object] | bytes | None = None,
    *,
    key: ForgedKey = KEY,
    forge: TokenForge = FORGE,
    **changes: Any,
) -> bytes:
    """A token that its key really signed, good but for the changes given."""
    body = claims if claims is not None else forge.access_claims(**changes)
    return forge.sign(body, key=key, header=header)


def claim(name: str, value: object) -> dict[str, Any]:
    """One claim, to be passed on as a change."""
    return {name: value}
