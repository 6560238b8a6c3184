"""One request to a fake server, and what can be done to it."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that arrived; header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]


class Exchange:
    """One request, and the means to answer it.

    Attributes:
        request: What was asked.
        document: What an honest provider would send, as it is now.
        headers: The headers it would add.
    """

    def __init__(
        self,
        request: Seen,
        document: bytes,
        headers: Mapping[str, str],
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self.request = request
        self.document = document
        self.headers = headers
        self.bytes_sent = 0
        self._reader, self._writer = streams

    async def send(self, data: bytes) -> None:
        """Send bytes as they are, and wait until the system has taken them."""
        self._writer.write(data)
        await self._writer.drain()
        self.bytes_sent += len(data)

    async def respond(self, code: int, content: bytes, headers: Mapping[str, str]) -> None:
        """Send a well-formed answer."""
        await self.send(head(code, {"Content-Length": str(len(content)), **headers}) + content)

    async def until_client_leaves(self) -> None:
        """Wait, silent, for the end of the connection."""
        while await self._reader.read(1024):
            pass

    def reset(self) -> None:
        """Make the close that follows a reset, not an end of data."""
        raw: socket.socket = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


Answer: TypeAlias = Callable[[Exchange], Awaitable[None]]


def head(code: int, headers: Mapping[str, str]) -> bytes:
    """Write a status line and headers."""
    fields = "".join(f"{name}: {value}\r\n" for name, value in {"Connection": "close", **headers}.items())
    return f"HTTP/1.1 {code} {HTTPStatus(code).phrase}\r\n{fields}\r\n".encode("latin-1")
