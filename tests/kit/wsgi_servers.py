"""Real WSGI servers in processes of their own, on free loopback ports, each ended by its own process id."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
APP: Final = "tests.kit.wsgi_served:app"
SETUP: Final = "JWTGUARD_TEST_SETUP"
_PATIENCE_S: Final = 20.0
SERVERS: Final[Mapping[str, Sequence[str]]] = {
    "gunicorn sync": ("gunicorn", "--worker-class=sync", "--workers=1"),
    "gunicorn gthread": ("gunicorn", "--worker-class=gthread", "--workers=1", "--threads=4"),
    "gunicorn prefork": ("gunicorn", "--worker-class=gthread", "--workers=2", "--threads=2", "--preload"),
    "waitress": ("waitress", "--threads=4"),
}


class Answered:
    """What came back over the wire."""

    def __init__(self, response: HTTPResponse) -> None:
        response.begin()
        self.body = response.read()
        self.status = response.status
        self.fields = {name.lower(): value for name, value in response.getheaders()}


class WsgiServer:
    """A running server.

    Attributes:
        pid: The process that was started: gunicorn's master, whose workers are others.
    """

    def __init__(self, port: int, pid: int) -> None:
        self.port = port
        self.pid = pid

    def get(self, path: str, *fields: str, method: str = "GET") -> Answered:
        """Send one request, with header fields as they are written here."""
        return self.send(method, path, *fields)

    def send(self, method: str, path: str, *fields: str, begun: bytes = b"") -> Answered:
        """Send a head and the beginning of a body, and read the answer."""
        lines = (f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close", *fields, "", "")
        with socket.create_connection(("127.0.0.1", self.port), timeout=_PATIENCE_S) as client:
            client.sendall("\r\n".join(lines).encode("latin-1") + begun)
            return Answered(HTTPResponse(client, method=method))


@contextmanager
def serving(server: str, setup: Mapping[str, object], log: Path) -> Iterator[WsgiServer]:
    """Run ``wsgi_served.app`` under a server.

    Args:
        server: A key of ``SERVERS``.
        setup: What the application reads at its start.
        log: Where the server's words go.
    """
    program, *options = SERVERS[server]
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        address = [f"--bind=127.0.0.1:{port}"] if program == "gunicorn" else [f"--listen=127.0.0.1:{port}"]
    command = [sys.executable, "-m", program, *options, *address, APP]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=output, stderr=output, env={**os.environ, SETUP: json.dumps(setup)}
        )
        try:
            _wait_until_open(port, process, log)
            yield WsgiServer(port, process.pid)
        finally:
            process.terminate()
            try:
                process.wait(_PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_open(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text(errors="replace")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    message = "the server does not start"
    raise AssertionError(message + log.read_text(errors="replace"))
