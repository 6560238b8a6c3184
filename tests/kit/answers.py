"""What a fake identity provider can answer, truthfully or not.

An answer is an async function over an :class:`Exchange`. They combine: ``after(2, status(503))``.
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Mapping
from itertools import chain, repeat
from typing import Final

from tests.kit.exchange import Answer, Exchange, head

JSON: Final = "application/json"
_BLOCK: Final = bytes(0x10000)


def normal(headers: Mapping[str, str] | None = None) -> Answer:
    """Send the document, with headers of your own added."""

    async def answer(exchange: Exchange) -> None:
        await exchange.respond(200, exchange.document, {"Content-Type": JSON, **exchange.headers, **(headers or {})})

    return answer


def content(data: bytes, *, media_type: str = JSON, headers: Mapping[str, str] | None = None) -> Answer:
    """Send ``200`` with these bytes in place of the document."""
    return status(200, data, {"Content-Type": media_type, **(headers or {})})


def status(code: int, data: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
    """Send a status and little else."""

    async def answer(exchange: Exchange) -> None:
        await exchange.respond(code, data, headers or {})

    return answer


def raw(data: bytes) -> Answer:
    """Send bytes that need not be HTTP, then close."""

    async def answer(exchange: Exchange) -> None:
        await exchange.send(data)

    return answer


def redirect(location: str, code: int = 302) -> Answer:
    """Point elsewhere."""
    return status(code, headers={"Location": location})


def html() -> Answer:
    """Send the friendly page of a proxy or a captive portal, as a success."""
    return content(b"<!doctype html><title>Sign in</title>", media_type="text/html")


def truncated_json() -> Answer:
    """Send the first half of the document as if it were all."""

    async def answer(exchange: Exchange) -> None:
        await content(exchange.document[: len(exchange.document) // 2])(exchange)

    return answer


def byte_order_mark() -> Answer:
    """Send the document with the mark that JSON must not have (RFC 8259, section 8.1)."""

    async def answer(exchange: Exchange) -> None:
        await content(b"\xef\xbb\xbf" + exchange.document)(exchange)

    return answer


def edge_cache(old: bytes) -> Answer:
    """Send ``old`` as a cache on the way would, and the document only to who says ``no-cache``."""

    async def answer(exchange: Exchange) -> None:
        if "no-cache" in exchange.request.headers.get("cache-control", ""):
            await normal()(exchange)
        else:
            await content(old, headers=exchange.headers)(exchange)

    return answer


def hang() -> Answer:
    """Accept the request and never answer."""
    return Exchange.until_client_leaves


def close() -> Answer:
    """End the connection without an answer."""
    return raw(b"")


def reset() -> Answer:
    """Reset the connection without an answer."""

    async def answer(exchange: Exchange) -> None:
        exchange.reset()

    return answer


def cut_short() -> Answer:
    """Announce the whole document, send half of it and end the connection."""

    async def answer(exchange: Exchange) -> None:
        document = exchange.document
        await exchange.send(head(200, {"Content-Length": str(len(document))}) + document[: len(document) // 2])

    return answer


def after(seconds: float, then: Answer) -> Answer:
    """Think first."""

    async def answer(exchange: Exchange) -> None:
        await asyncio.sleep(seconds)
        await then(exchange)

    return answer


def sequence(*answers: Answer) -> Answer:
    """Give these in turn, and the last one from then on."""
    turns = chain(answers, repeat(answers[-1]))

    async def answer(exchange: Exchange) -> None:
        await next(turns)(exchange)

    return answer


def drip_head(interval_s: float = 1.0) -> Answer:
    """Send the status line and headers a byte at a time."""
    return _drip(b"", head(200, {"X-Padding": "x" * 1000}), interval_s)


def drip_body(interval_s: float = 1.0) -> Answer:
    """Send the body a byte at a time."""
    return _drip(head(200, {"Content-Length": "1000"}), b" " * 1000, interval_s)


def _drip(at_once: bytes, slowly: bytes, interval_s: float) -> Answer:
    async def answer(exchange: Exchange) -> None:
        await exchange.send(at_once)
        for byte in slowly:
            await exchange.send(bytes((byte,)))
            await asyncio.sleep(interval_s)

    return answer


def huge_content_length(declared: int = 1 << 30) -> Answer:
    """Announce a gigabyte and keep it."""

    async def answer(exchange: Exchange) -> None:
        await exchange.send(head(200, {"Content-Length": str(declared)}))
        await exchange.until_client_leaves()

    return answer


def endless_chunks() -> Answer:
    """Send a chunked body that does not end before a gigabyte."""
    return _flood(head(200, {"Transfer-Encoding": "chunked"}), b"10000\r\n" + _BLOCK + b"\r\n", 1 << 14)


def endless_body() -> Answer:
    """Send a body of undeclared length that does not end before a gigabyte."""
    return _flood(head(200, {}), _BLOCK, 1 << 14)


def tiny_chunks(count: int) -> Answer:
    """Send a chunked body of so many spaces, each in a chunk of its own."""
    return raw(head(200, {"Transfer-Encoding": "chunked"}) + b"1\r\n \r\n" * count + b"0\r\n\r\n")


def gzip_bomb(decoded_bytes: int = 64 << 20) -> Answer:
    """Send few bytes that decode to many."""
    return content(gzip.compress(bytes(decoded_bytes)), headers={"Content-Encoding": "gzip"})


def _flood(at_once: bytes, block: bytes, times: int) -> Answer:
    async def answer(exchange: Exchange) -> None:
        await exchange.send(at_once)
        for _ in range(times):
            await exchange.send(block)

    return answer
