"""ID tokens at login: accepted in the handler of a login endpoint alone, each once (R-CLS-10, R-CLS-11)."""

from __future__ import annotations

import dataclasses
from collections.abc import MutableMapping
from typing import Any

import anyio
import pytest

from jwtguard import (
    Access,
    Config,
    ConfigurationError,
    Endpoint,
    Guard,
    JWTGuardMiddleware,
    JWTGuardWSGI,
    LoginExpectations,
    Reason,
    Refusal,
)
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
        self.guard = Guard(config, on_event=self.events, clock=FakeClock())
        self.outcomes: list[object] = []

    def asgi(self, path: str, *nonces: str, token: bytes = ID_TOKEN) -> list[object]:
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
