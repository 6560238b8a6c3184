"""ID tokens at login: accepted in the handler of a login endpoint alone, each once (R-CLS-10, R-CLS-11)."""

from __future__ import annotations

import dataclasses
from collections.abc import MutableMapping
from typing import Any

import anyio
import pytest

from jwtguard import (
    NO_NONCE,
    Access,
    Config,
    ConfigurationError,
    Endpoint,
    Guard,
    Identity,
    JWTGuardMiddleware,
    JWTGuardWSGI,
    Limits,
    LoginExpectations,
    Reason,
    Refusal,
)
from jwtguard.core.asked import Asked
from jwtguard.core.login import NoNonce
from jwtguard.core.request import Token
from jwtguard.logins import Logins
from tests.kit.asgi_calls import request
from tests.kit.fake_clock import FakeClock
from tests.kit.guarded import FORGE, ISSUER, Events, bearer, public
from tests.kit.token_forge import OMIT

CALLBACK = Endpoint(match=("/callback",), access=Access.LOGIN, accept=("id_token",), name="callback")
ID_TOKEN = FORGE.sign(
    FORGE.access_claims(aud="web", client_id=OMIT, scope=OMIT, nonce="n"), key=FORGE.key(), header={"typ": "JWT"}
)


class World:
    """An application whose handler verifies whatever it is told to."""

    def __init__(self) -> None:
        self.events = Events()
        issuer = dataclasses.replace(ISSUER, client_id=("web",))
        config = Config(issuers=(issuer,), endpoints=(CALLBACK, public("/public")))
        self.clock = FakeClock()
        self.guard = Guard(config, on_event=self.events, clock=self.clock)
        self.outcomes: list[object] = []

    def asgi(self, path: str, *nonces: str | NoNonce, token: bytes = ID_TOKEN) -> list[object]:
        """Verify the token once for each nonce, in one request."""

        async def app(scope: MutableMapping[str, Any], _: object, send: Any) -> None:
            for nonce in nonces:
                try:
                    who = await self.guard.verify_login_async(scope, token, LoginExpectations(nonce=nonce))
                    self.outcomes.append(who.subject)
                except (Refusal, ConfigurationError) as error:
                    self.outcomes.append(error.reason if isinstance(error, Refusal) else error.rule)
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body"})

        call = anyio.run(request, JWTGuardMiddleware(app, guard=self.guard), "POST", path, [bearer(ID_TOKEN)])
        assert call.status == 204
        return self.outcomes

    def wsgi(self, path: str, nonce: str) -> str:
        """Verify the token in a thread."""

        def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            self.outcomes.append(self.guard.verify_login(environ, ID_TOKEN, LoginExpectations(nonce=nonce)).subject)
            start_response("204 No Content", [])
            return []

        shell = JWTGuardWSGI(app, guard=self.guard)
        environ = {"REQUEST_METHOD": "POST", "PATH_INFO": path, "SCRIPT_NAME": "", "wsgi.url_scheme": "https"}
        list(shell(environ, lambda *_: lambda _: None))
        return str(self.outcomes[-1])


def test_a_login_is_accepted_once() -> None:
    """R-CLS-11: the nonce must be the one that was sent, and the second use of one is a replay."""
    world = World()
    assert world.asgi("/callback", "m", "n", "n") == [Reason.BAD_CLAIM, "user-1", Reason.REPLAYED]
    assert [reason for reason in world.events.reasons if reason] == [Reason.BAD_CLAIM, Reason.REPLAYED]


def test_a_login_in_a_thread() -> None:
    """R-CLS-11, R-EXT-14: WSGI applications verify logins as well; what ASGI used is used."""
    world = World()
    assert world.wsgi("/callback", "n") == "user-1"
    assert world.asgi("/callback", "n")[-1] is Reason.REPLAYED


def test_nowhere_else() -> None:
    """R-CLS-10: at any other endpoint an ID token is not even looked at."""
    assert World().asgi("/public", "n") == ["R-CLS-10"]


def test_a_reload_forgets_no_nonce() -> None:
    """R-CLS-11, F69: what was used stays used under the next policy."""
    world = World()
    assert world.asgi("/callback", "n") == ["user-1"]
    world.guard.reload(world.guard.table.config)
    assert world.asgi("/callback", "n")[-1] is Reason.REPLAYED


@pytest.mark.parametrize("token", [b"junk", FORGE.sign(FORGE.access_claims(nonce="n"), key=FORGE.key())])
def test_only_id_tokens(token: bytes) -> None:
    """R-CLS-01, R-CLS-10: a login endpoint verifies the classes it names, and an access token is none of them."""
    (outcome,) = World().asgi("/callback", "n", token=token)
    assert outcome in (Reason.MALFORMED, Reason.WRONG_CLASS)


def test_a_failed_login_uses_no_nonce_up() -> None:
    """R-CLS-11: whoever sends a bad token with somebody's nonce does not lock them out."""
    forged = ID_TOKEN[:-8] + b"AAAAAAAA"
    world = World()
    assert world.asgi("/callback", "n", token=forged) == [Reason.BAD_SIGNATURE]
    assert world.asgi("/callback", "n")[-1] == "user-1"


def test_a_nonce_is_used_up_for_every_token() -> None:
    """R-CLS-11: a second token with the nonce of the first is a replay, however it was obtained."""
    claims = FORGE.access_claims(aud="web", client_id=OMIT, scope=OMIT, nonce="n", jti="another")
    another = FORGE.sign(claims, key=FORGE.key(), header={"typ": "JWT"})
    world = World()
    assert world.asgi("/callback", "n") == ["user-1"]
    assert world.asgi("/callback", "n", token=another)[1:] == [Reason.REPLAYED]
    assert World().asgi("/callback", "n", token=another) == ["user-1"]


def without_nonce(jti: str) -> bytes:
    """An ID token of a login that sent no nonce."""
    claims = FORGE.access_claims(aud="web", client_id=OMIT, scope=OMIT, jti=jti)
    return FORGE.sign(claims, key=FORGE.key(), header={"typ": "JWT"})


def test_a_login_without_a_nonce_is_accepted_once() -> None:
    """R-CLS-11: where no nonce was sent, the token itself is what is used up, and no other token with it."""
    world, first, second = World(), without_nonce("1"), without_nonce("2")
    assert world.asgi("/callback", NO_NONCE, NO_NONCE, token=first) == ["user-1", Reason.REPLAYED]
    assert world.asgi("/callback", NO_NONCE, NO_NONCE, token=second)[2:] == ["user-1", Reason.REPLAYED]


def test_a_nonce_stays_used_for_as_long_as_its_token_counts() -> None:
    """R-CLS-11: up to the last moment of a token, leeway included, its nonce is not forgotten."""
    world = World()
    assert world.asgi("/callback", "n") == ["user-1"]
    world.clock.advance(300 + Limits().leeway_s - 0.5)
    assert world.asgi("/callback", "n")[1:] == [Reason.REPLAYED]
    world.clock.advance(1)
    assert world.asgi("/callback", "n")[2:] == [Reason.EXPIRED]


def test_a_nonce_is_kept_no_longer_than_its_token() -> None:
    """R-CLS-11, F57: what no token can prove any more takes no room."""
    world = World()
    assert world.asgi("/callback", "n") == ["user-1"]
    nonces = world.guard._logins._nonces
    assert len(nonces) == 1
    world.clock.advance(86_400)
    assert len(nonces) == 0


def test_who_proved_nothing_logs_nobody_in() -> None:
    """R-CLS-11: an identity that stands on no verified token is no login, whatever was expected of it."""
    world = World()
    asked = Asked(world.guard.table.endpoints[0], None, Token.of(ID_TOKEN), world.clock.now(), 0.0)
    with pytest.raises(Refusal) as caught:
        Logins(world.clock).check(asked, Identity(None, "callback"), LoginExpectations(nonce=NO_NONCE))
    assert caught.value.reason is Reason.MISSING_TOKEN


def test_a_policy_of_another_guard_is_no_login_endpoint() -> None:
    """R-CLS-10: an identity whose policy this guard does not have verifies no login."""
    snapshot = World().guard.snapshot
    assert Logins(FakeClock()).endpoint_of(snapshot, Identity(None, "callback")).name == "callback"
    for name in ("other", ""):
        with pytest.raises(ConfigurationError, match="login = true"):
            Logins(FakeClock()).endpoint_of(snapshot, Identity(None, name))
