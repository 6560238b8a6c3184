"""The application under attack: a bank that keeps its users' token in a cookie, once for each ``SameSite`` there is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from jwtguard import BEARER, Csrf, Endpoint, JWTGuardMiddleware, Reason, cookie
from jwtguard.core.events import Decided
from jwtguard.issuing import CsrfCookie, SameSite, TokenCookie
from tests.browser.pages import ACCOUNT, HOME
from tests.kit.browser_server import BrowserServer
from tests.kit.browser_wire import Wire
from tests.kit.guarded import Events, guard, protected, public, token
from tests.kit.local_ca import LocalCa

HOST: Final = "app.example.test"
NOW: Final = 1_767_225_600.0  # the time of the forge
COOKIES: Final = {
    "none": TokenCookie(name="__Host-none", same_site=SameSite.NONE, weaker={"same_site": "the browser must not help"}),
    "unset": TokenCookie(name="__Host-unset"),
    "lax": TokenCookie(name="__Host-lax", same_site=SameSite.LAX),
    "strict": TokenCookie(name="__Host-strict"),
}
"""By the name of a branch of the bank, its cookie. ``unset`` goes out without ``SameSite``, which the helper would not
do: browsers take that for Lax, with two minutes of grace for forms."""
SHARED: Final = TokenCookie(name="__Secure-shared", weaker={"prefix": "to see what the stronger name prevents"})
DOUBLE: Final = TokenCookie(name="__Host-double")
CSRF: Final = CsrfCookie(name="__Host-csrf")
_BRANCHES: Final = {**COOKIES, "shared": SHARED, "double": DOUBLE}


class Bank:
    """The bank on the wire.

    Args:
        tls: Whose certificate it shows.
        without: Header fields that its visitors' browsers do not send.
        friends: Other origins whose pages it trusts.

    Attributes:
        token: What it hands out at a login.
        origin: Where its pages are.
        wire: What browsers sent, and what they got.
        done: What its handlers did, in order: an attack must add nothing.
    """

    def __init__(self, tls: LocalCa, *, without: Iterable[str] = (), friends: Iterable[str] = ()) -> None:
        self.token = token(sub="alice").decode()
        self.done: list[str] = []
        self._events = Events()
        self.wire = Wire(self._front, without=without)
        self.server = BrowserServer(self.wire, tls=tls)
        self.origin = self.server.origin(HOST)
        self._trusted = (self.origin, *friends)
        self._app = self._build()

    def forget(self) -> None:
        """Forget what happened so far."""
        self.wire.clear()
        self._events.clear()
        self.done.clear()

    def reasons(self, match: str) -> list[Reason | None]:
        """What was decided at an endpoint, in order."""
        return [event.reason for event in self._events if isinstance(event, Decided) and event.policy == match]

    async def _front(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    def _build(self) -> Starlette:
        self._guard = policy = guard(*self._endpoints(), on_event=self._events, csrf_keys=[b"not a secret" * 3])
        routes = [
            Route("/{branch}/", self._home),
            Route("/{branch}/login", self._login, methods=["POST"]),
            Route("/{branch}/logout", self._logout, methods=["POST"]),
            Route("/{branch}/account", self._account),
            Route("/{branch}/private", self._account),
            Route("/{branch}/statement", self._statement),
            Route("/{branch}/transfer", self._statement, methods=["POST"]),
            WebSocketRoute("/{branch}/feed", self._feed),
        ]
        return Starlette(routes=routes, middleware=[Middleware(JWTGuardMiddleware, guard=policy)])

    def _endpoints(self) -> Iterator[Endpoint]:
        for branch, kept in _BRANCHES.items():
            csrf = Csrf.DOUBLE_SUBMIT if kept is DOUBLE else Csrf.ORIGIN
            demands = {"carriers": (cookie(kept.name), BEARER), "origins": self._trusted, "csrf": csrf}
            yield public(f"GET /{branch}/", f"POST /{branch}/login", f"POST /{branch}/logout")
            yield protected(f"GET /{branch}/account", navigable=True, **demands)
            yield protected(f"GET /{branch}/private", navigable=True, login_page=f"/{branch}/", **demands)
            yield protected(f"GET /{branch}/statement", **demands)
            yield protected(f"POST /{branch}/transfer", **demands)
            yield protected(f"WEBSOCKET /{branch}/feed", **demands)

    async def _home(self, request: Request) -> Response:
        return HTMLResponse(HOME)

    async def _login(self, request: Request) -> Response:
        form = parse_qs((await request.body()).decode())
        if form != {"user": ["alice"], "password": ["wonderland"]}:
            return PlainTextResponse("wrong", 403)
        branch = request.path_params["branch"]
        answer = RedirectResponse("account", 303)
        for name, value in _BRANCHES[branch].set(self.token, expires_at=NOW + 300, now=NOW):
            answer.headers.append(name, value.partition("; SameSite")[0] if branch == "unset" else value)
        if branch == "double":
            proof = self._guard.csrf_token(self.token)
            answer.headers.append(*CSRF.set(proof, expires_at=NOW + 300, now=NOW)[0])
        return answer

    async def _logout(self, request: Request) -> Response:
        answer = RedirectResponse("./", 303)
        for field in _BRANCHES[request.path_params["branch"]].clear():
            answer.headers.append(*field)
        return answer

    async def _account(self, request: Request) -> Response:
        self.done.append(f"{request.method} {request.url.path}")
        return HTMLResponse(ACCOUNT.replace("{subject}", request.user.subject))

    async def _statement(self, request: Request) -> Response:
        self.done.append(f"{request.method} {request.url.path}")
        return PlainTextResponse(f"done for {request.user.subject}")

    async def _feed(self, websocket: WebSocket) -> None:
        self.done.append(f"WEBSOCKET {websocket.url.path}")
        await websocket.accept()
        await websocket.send_text(f"news for {websocket.user.subject}")
        await websocket.close()


@contextmanager
def open_bank(tls: LocalCa, *, without: Iterable[str] = (), friends: Iterable[str] = ()) -> Iterator[Bank]:
    """Serve a bank, possibly to browsers that do not send some header fields."""
    bank = Bank(tls, without=without, friends=friends)
    with bank.server:
        yield bank
