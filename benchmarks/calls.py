"""Requests as a server would hand them to an application, and the batches made of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from starlette.types import ASGIApp, Message, Scope

from benchmarks.timing import Batch
from jwtguard.core.request import RequestHead

HEADERS = (
    (b"host", b"api.example.com"),
    (b"user-agent", b"benchmark/1"),
    (b"accept", b"*/*"),
    (b"accept-encoding", b"gzip, deflate"),
    (b"connection", b"keep-alive"),
)


def scope_of(token: bytes, path: str = "/orders/17") -> Scope:
    """Make the scope of one request, its bytes as fresh as a server makes them."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "https",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [*HEADERS, (b"authorization", b"Bearer " + token)],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 8000),
        "state": {},
    }


def head_of(token: bytes, path: str = "/orders/17") -> RequestHead:
    """Make what the shell hands to the guard for the same request."""
    return RequestHead("GET", path, [*HEADERS, (b"authorization", b"Bearer " + token)], "https", "127.0.0.1")


def requests(app: ASGIApp, tokens: Sequence[bytes], status: int = 200) -> Batch:
    """Prepare one request for each token; every one of them must be answered with the status.

    The batch takes the scopes out one by one, so that each dies after its request, as in a server.
    """
    scopes = [scope_of(token) for token in tokens]
    statuses: Counter[int] = Counter()

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses[message["status"]] += 1

    async def batch() -> None:
        while scopes:
            await app(scopes.pop(), _receive, send)
        assert statuses == {status: len(tokens)}, f"expected only {status}, got {dict(statuses)}"

    return batch


def decodings(decode: Callable[[str], object], tokens: Sequence[bytes]) -> Batch:
    """Prepare one call of a decoder for each token, given as new text."""
    texts = [token.decode() for token in tokens]

    async def batch() -> None:
        while texts:
            decode(texts.pop())

    return batch


async def _receive() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}
