"""Drive an ASGI application without a server, on whatever event loop the test runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

Fields = Iterable[tuple[bytes, bytes]]
DENIAL: Final[Mapping[str, object]] = {"websocket.http.response": {}}
"""What a server offers that can answer a WebSocket handshake like any request."""


@dataclass(slots=True)
class Call:
    """One connection: what the application under test sent, and how often it asked for more."""

    sent: list[Message] = field(default_factory=list)
    asked: int = 0

    @property
    def types(self) -> list[str]:
        """The types of the messages sent, in order."""
        return [message["type"] for message in self.sent]

    @property
    def status(self) -> int:
        """The status of the answer."""
        status: int = self.sent[0]["status"]
        return status

    @property
    def fields(self) -> list[tuple[bytes, bytes]]:
        """The header fields of the answer, as sent."""
        return [(bytes(name), bytes(value)) for name, value in self.sent[0]["headers"]]

    @property
    def body(self) -> bytes:
        """The body of the answer."""
        return b"".join(message.get("body", b"") for message in self.sent[1:])

    def header(self, name: bytes) -> bytes | None:
        """The one field of this name, or ``None``."""
        found = [value for known, value in self.fields if known == name]
        assert len(found) <= 1, f"{name!r} was sent {len(found)} times"
        return found[0] if found else None


def http_scope(method: str, path: str, headers: Fields = (), **changes: Any) -> Scope:
    """The scope of a request over https."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "https",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": list(headers),
        "client": ("192.0.2.7", 50_000),
        "server": ("api.example.com", 443),
        "state": {},
        **changes,
    }


def websocket_scope(path: str, headers: Fields = (), **changes: Any) -> Scope:
    """The scope of a WebSocket handshake over https, by a server that can deny it in HTTP."""
    scope = http_scope("GET", path, headers, type="websocket", scheme="wss", subprotocols=[], extensions=DENIAL)
    del scope["method"]
    return {**scope, **changes}


async def run(app: ASGIApp, scope: Scope) -> Call:
    """Run one connection: an empty body, or a handshake whose client leaves when asked again."""
    call = Call()
    first = {"type": "http.request"} if scope["type"] == "http" else {"type": "websocket.connect"}
    last = {"type": "http.disconnect"} if scope["type"] == "http" else {"type": "websocket.disconnect", "code": 1000}

    async def receive() -> Message:
        call.asked += 1
        return first if call.asked == 1 else last

    async def send(message: Message) -> None:
        call.sent.append(message)

    await app(scope, receive, send)
    return call


async def request(app: ASGIApp, method: str, path: str, headers: Fields = (), **changes: Any) -> Call:
    """Send one request over https."""
    return await run(app, http_scope(method, path, headers, **changes))


async def handshake(app: ASGIApp, path: str, headers: Fields = (), **changes: Any) -> Call:
    """Ask for a WebSocket."""
    return await run(app, websocket_scope(path, headers, **changes))


async def lifespan(app: ASGIApp, call: Call | None = None) -> Call:
    """Start an application and stop it, as a server does; into ``call``, for who expects it to raise."""
    call = call or Call()
    messages = iter(("lifespan.startup", "lifespan.shutdown"))

    async def receive() -> Message:
        call.asked += 1
        await anyio.lowlevel.checkpoint()
        return {"type": next(messages)}

    async def send(message: Message) -> None:
        call.sent.append(message)

    await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)
    return call


class Probe:
    """An application that says yes to everything, and keeps the scopes it was called with."""

    def __init__(self) -> None:
        self.scopes: list[Scope] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Keep the scope, and say yes."""
        self.scopes.append(scope)
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
        elif scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
        else:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"from the application"})
