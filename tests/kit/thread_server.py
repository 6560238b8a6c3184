"""A TCP server in a thread of its own, so that sync, asyncio and trio tests can all use it."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Final, Self, TypeAlias

Serve: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

_SEND_BUFFER_BYTES: Final = 64 * 1024  # small, so that what was sent is close to what was read
_PATIENCE_S: Final = 10.0


class ThreadServer:
    """Listen on 127.0.0.1.

    Args:
        serve: Answers one connection, which is closed afterwards.
        tls: The certificate to show, if any.

    Attributes:
        connections: How many were accepted since the first start.
        open_connections: How many are open now.
    """

    def __init__(self, serve: Serve, *, tls: ssl.SSLContext | None = None) -> None:
        self.connections = 0
        self.open_connections = 0
        self._serve = serve
        self._tls = tls
        self._port = 0
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def port(self) -> int:
        """The port, the same after every restart."""
        assert self._port, "start the server first"
        return self._port

    def start(self) -> Self:
        """Open the port: any free one the first time, afterwards the same one."""
        assert self._thread is None, "the server is running"
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        try:
            listener.bind(("127.0.0.1", self._port))
            self._port = listener.getsockname()[1]
        except OSError:
            listener.close()
            raise
        ready = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._run(listener, ready)), name=type(self).__name__, daemon=True
        )
        self._thread.start()
        assert ready.wait(_PATIENCE_S), "the server does not start"
        return self

    def stop(self) -> None:
        """Close the port and every connection. Does nothing if the server is not running."""
        if self._thread is None or self._loop is None:
            return
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(_PATIENCE_S)
        assert not self._thread.is_alive(), "the server does not stop"
        self._thread = self._loop = None

    def settle(self) -> None:
        """Wait until connections that clients have already made or closed are noticed."""
        assert self._loop is not None, "start the server first"
        asyncio.run_coroutine_threadsafe(_some_turns(), self._loop).result(_PATIENCE_S)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def _run(self, listener: socket.socket, ready: threading.Event) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(
            self._accepted, sock=listener, ssl=self._tls, ssl_shutdown_timeout=0.5 if self._tls else None
        )
        ready.set()
        await self._stopping.wait()
        # In this order: a connection that was accepted, and finds its server closed, leaks its socket (CPython 3.11).
        self._loop.remove_reader(listener)
        await _some_turns()
        server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()
        await _some_turns()  # an aborted connection ends in the next turns of the loop

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task that is cancelled before its first step closes nothing, so what is open is known from the start.
        self._writers.add(writer)
        task = asyncio.get_running_loop().create_task(self._accept(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open_connections += 1
        writer.transport.set_write_buffer_limits(high=0)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):  # the client left
                await self._serve(reader, writer)
                writer.close()
                await writer.wait_closed()
        finally:
            self.open_connections -= 1
            writer.transport.abort()
            self._writers.discard(writer)


async def _some_turns() -> None:
    for _ in range(10):  # of the loop: each asks the system for news
        await asyncio.sleep(0.002)
