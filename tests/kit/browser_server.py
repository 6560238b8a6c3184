"""uvicorn in a thread, over TLS or not, for every host name that the browser of the tests knows."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

import uvicorn
from starlette.types import ASGIApp

from tests.kit.local_ca import LocalCa

_LOOPBACK: Final = "127.0.0.1"
_PATIENCE_S: Final = 20.0


class BrowserServer:
    """One application on a free port of loopback, inside a ``with`` block.

    Close the browser's contexts before it, as fixtures of a wider scope than theirs do: uvicorn waits for connections.

    Args:
        app: What to serve.
        tls: Whose certificates to show; without it, plain http. The certificate names no host that
            the browser asks for: the contexts of the tests do not check names, which the host rules made up.
    """

    def __init__(self, app: ASGIApp, *, tls: LocalCa | None = None) -> None:
        self._scheme = "http" if tls is None else "https"
        self._listener = socket.create_server((_LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        self._ready = threading.Event()
        context = tls.server_context() if tls else None
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            interface="asgi3",  # it takes a method for an older one
            lifespan="off",
            loop="asyncio",  # and not whatever happens to be installed
            http="h11",
            timeout_graceful_shutdown=1,  # a browser keeps its connections
            ssl_context_factory=_always(context) if context else None,
            callback_notify=self._notified,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="browser-server", daemon=True)

    def origin(self, host: str) -> str:
        """Return the origin of this server under a name."""
        return f"{self._scheme}://{host}:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(_PATIENCE_S), "the server does not start"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(_PATIENCE_S)
        assert not self._thread.is_alive(), "the server does not stop"

    async def _notified(self) -> None:
        self._ready.set()

    def _run(self) -> None:
        self._server.run(sockets=[self._listener])


def _always(context: ssl.SSLContext) -> Callable[[uvicorn.Config, Callable[[], ssl.SSLContext]], ssl.SSLContext]:
    return lambda _config, _default: context
