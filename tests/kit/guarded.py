"""A guard over inline keys, for tests that are about what happens around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from jwtguard import Access, Config, Endpoint, Guard, InlineKeys, Issuer, Mode
from jwtguard.core.events import Decided, Event
from jwtguard.errors import Reason
from tests.kit.fake_clock import FakeClock
from tests.kit.token_forge import TokenForge

FORGE: Final = TokenForge()
ISSUER: Final = Issuer(
    name="login",
    issuer=FORGE.issuer,
    audience=(FORGE.audience,),
    algorithms=("ES256",),
    keys=InlineKeys([FORGE.key().public_jwk()]),
)


def token(**claims: Any) -> bytes:
    """A good access token of the forge, with claims of your own."""
    return FORGE.sign(FORGE.access_claims(**claims), key=FORGE.key())


def bearer(credential: bytes) -> tuple[bytes, bytes]:
    """The header field that carries it."""
    return b"authorization", b"Bearer " + credential


def public(*match: str) -> Endpoint:
    """An endpoint for everybody."""
    return Endpoint(match=match, access=Access.PUBLIC)


def optional(*match: str) -> Endpoint:
    """An endpoint that a token may be sent to."""
    return Endpoint(match=match, access=Access.OPTIONAL, accept=("access",))


def protected(*match: str, **demands: Any) -> Endpoint:
    """An endpoint for access tokens."""
    return Endpoint(match=match, accept=("access",), **demands)


class Events(list[Event]):
    """A sink that keeps every event."""

    def __call__(self, event: Event) -> None:
        """Keep it."""
        self.append(event)

    @property
    def reasons(self) -> list[Reason | None]:
        """The reason of every decision, in order; ``None`` where it was allowed."""
        return [event.reason for event in self if isinstance(event, Decided)]


def guard(
    *endpoints: Endpoint,
    issuers: Sequence[Issuer] = (ISSUER,),
    mode: Mode = Mode.PRODUCTION,
    on_event: Callable[[Event], None] | None = None,
    **more: Any,
) -> Guard:
    """A guard of these endpoints, at the time of the forge."""
    config = Config(issuers=issuers, endpoints=endpoints, mode=mode, **more)
    return Guard(config, on_event=on_event, clock=FakeClock())
