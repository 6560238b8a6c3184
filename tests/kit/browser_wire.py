"""What a browser really sent: a log on the outside of an application."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_PATIENCE_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and the status of its answer: 101 is an accepted WebSocket."""

    method: str
    path: str
    headers: dict[str, str]
    status: int

    @property
    def site(self) -> str | None:
        """Where the browser says the request comes from (Fetch Metadata)."""
        return self.headers.get("sec-fetch-site")

    def cookies(self) -> set[str]:
        """The names of the cookies that came along."""
        pairs = self.headers.get("cookie", "").split(";")
        return {pair.partition("=")[0].strip() for pair in pairs} - {""}


class Wire:
    """ASGI middleware that writes down every exchange, and first takes away the headers an older browser lacks.

    Args:
        app: The application.
        without: The header fields to take away, in lower case.
    """

    def __init__(self, app: ASGIApp, *, without: Iterable[str] = ()) -> None:
        self._app = app
        self._without = frozenset(name.encode() for name in without)
        self._exchanges: list[Exchange] = []
        self._news = threading.Condition()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one connection on."""
        scope = {**scope, "headers": [pair for pair in scope["headers"] if pair[0] not in self._without]}
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        method = scope.get("method", "WEBSOCKET")

        async def noting(message: Message) -> None:
            kind = message["type"]
            if kind.endswith("response.start"):
                self._note(Exchange(method, scope["path"], headers, message["status"]))
            elif kind == "websocket.accept":
                self._note(Exchange(method, scope["path"], headers, 101))
            await send(message)

        await self._app(scope, receive, noting)

    def clear(self) -> None:
        """Forget what was."""
        with self._news:
            self._exchanges.clear()

    def at(self, path: str) -> list[Exchange]:
        """Return what went over the wire at a path, in order."""
        with self._news:
            return [exchange for exchange in self._exchanges if exchange.path == path]

    def wait_for(self, path: str, condition: Callable[[Exchange], bool] = lambda _: True) -> Exchange:
        """Wait for an answered request at a path, and return the first."""

        def found() -> Exchange | None:
            return next((each for each in self._exchanges if each.path == path and condition(each)), None)

        with self._news:
            exchange = self._news.wait_for(found, _PATIENCE_S)
            seen = [(each.method, each.path, each.status) for each in self._exchanges]
        assert exchange is not None, f"nothing came at {path}; seen: {seen}"
        return exchange

    def _note(self, exchange: Exchange) -> None:
        with self._news:
            self._exchanges.append(exchange)
            self._news.notify_all()
