"""The load process of ``servers``: keep-alive connections over raw sockets, a bounded number of requests.

Each line of standard input is a job ``{"port": …, "requests": …}``; each job is answered by one line, the
seconds from the first request to the last answer. The first line is the list of tokens to send in turn.
Every answer must be a 200 with a Content-Length.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import sys
import time
from collections.abc import Iterator

_CONNECTIONS = 16
_PATIENCE_S = 120.0
_LENGTH = re.compile(rb"^content-length: *([0-9]+)", re.IGNORECASE | re.MULTILINE)


class _Job:
    """What is still to be sent and to be answered."""

    def __init__(self, requests: Iterator[bytes], count: int) -> None:
        self.requests = itertools.islice(requests, count)
        self.unanswered = count
        self.done = asyncio.get_running_loop().create_future()

    def answered(self) -> None:
        self.unanswered -= 1
        if not self.unanswered:
            self.done.set_result(None)

    def fail(self, message: str) -> None:
        if not self.done.done():
            self.done.set_exception(ConnectionError(message))


class _Connection(asyncio.Protocol):
    """Sends a request, reads its answer, sends the next one."""

    def __init__(self, job: _Job) -> None:
        self._job = job
        self._buffer = b""
        self._transport: asyncio.WriteTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def send_next(self) -> None:
        if request := next(self._job.requests, None):
            self._transport.write(request)

    def close(self) -> None:
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, body = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return
        length = _LENGTH.search(head)
        if not head.startswith(b"HTTP/1.1 200") or length is None:
            self._job.fail(head.decode("latin-1"))
        elif len(body) >= int(length[1]):
            self._buffer = b""
            self._job.answered()
            self.send_next()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._job.unanswered:
            self._job.fail(f"the server closed a connection: {exc}")


def main() -> None:
    """Do the jobs of standard input, one after another."""
    requests = itertools.cycle(_request(token) for token in json.loads(sys.stdin.readline()))
    with asyncio.Runner() as runner:
        for line in sys.stdin:
            job = json.loads(line)
            print(runner.run(_load(job["port"], requests, job["requests"])), flush=True)


async def _load(port: int, requests: Iterator[bytes], count: int) -> float:
    loop = asyncio.get_running_loop()
    job = _Job(requests, count)
    connections: list[_Connection] = []
    for _ in range(_CONNECTIONS):
        _, connection = await loop.create_connection(lambda: _Connection(job), "127.0.0.1", port)
        connections.append(connection)
    start = time.perf_counter()
    for connection in connections:
        connection.send_next()
    async with asyncio.timeout(_PATIENCE_S):
        await job.done
    seconds = time.perf_counter() - start
    for connection in connections:
        connection.close()
    return seconds


def _request(token: str) -> bytes:
    lines = (
        "GET /orders/17 HTTP/1.1",
        "Host: api.example.com",
        "User-Agent: benchmark/1",
        "Accept: */*",
        "X-Forwarded-Proto: https",
        f"Authorization: Bearer {token}",
    )
    return "\r\n".join([*lines, "", ""]).encode()


if __name__ == "__main__":
    main()
