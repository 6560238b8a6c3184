"""What listens in the demo beside the issuer: the API under uvicorn, and an attacker nobody should visit."""

from __future__ import annotations

import socket
import threading
from types import TracebackType
from typing import Self

import uvicorn
from starlette.types import ASGIApp

HOST = "127.0.0.1"


class ApiServer:
    """A real uvicorn in a thread with an event loop of its own, inside a ``with`` block."""

    def __init__(self, app: ASGIApp, *, port: int = 0) -> None:
        """Bind the port; nothing is answered yet.

        Args:
            app: What to serve.
            port: The loopback port; 0 takes a free one.

        Raises:
            OSError: The port is taken.
        """
        self._listener = socket.create_server((HOST, port))
        self.url = f"http://{HOST}:{self._listener.getsockname()[1]}"
        self._settled = threading.Event()
        config = uvicorn.Config(
            app, lifespan="on", log_config=None, log_level="error", access_log=False, callback_notify=self._notified
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="demo-api", daemon=True)

    def __enter__(self) -> Self:
        """Serve.

        Raises:
            RuntimeError: The application's start-up failed; its log says why.
        """
        self._thread.start()
        self._settled.wait()
        if not self._server.started:
            self._listener.close()
            message = "the API of the demo did not start"
            raise RuntimeError(message)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, and wait for it."""
        self._server.should_exit = True
        self._thread.join()

    async def _notified(self) -> None:
        """Note that uvicorn's main loop runs; it says so at its first turn, and now and then."""
        self._settled.set()

    def _run(self) -> None:
        try:
            self._server.run(sockets=[self._listener])
        finally:
            self._settled.set()


class AttackerServer:
    """A port that forged tokens point to. It answers nothing: connections are counted, and one is too many."""

    def __init__(self) -> None:
        """Listen on a free port."""
        self._listener = socket.create_server((HOST, 0))
        self._listener.setblocking(False)  # noqa: FBT003 - the socket module's own signature
        self._visits = 0
        self.url = f"http://{HOST}:{self._listener.getsockname()[1]}/keys.json"

    def __enter__(self) -> Self:
        """Listen."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the port."""
        self._listener.close()

    def visits(self) -> int:
        """Count the connections so far; the system completes and queues them without us."""
        while True:
            try:
                connection, _ = self._listener.accept()
            except BlockingIOError:
                return self._visits
            connection.close()
            self._visits += 1
