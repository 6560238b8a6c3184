"""Flask under a real gunicorn, spoken to over raw sockets: hostile requests arrive as they are written here."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path
from typing import Any, Final

from tests.scenarios.faces.row import Fields, Reached, Sent, Trait
from tests.scenarios.faces.seen import Face, Seen
from tests.scenarios.faces.tokens import SESSIONS, public_keys
from tests.scenarios.faces.told import SHOWN
from tests.scenarios.faces.wsgi_faces import UPGRADE

ROOT: Final = Path(__file__).parents[3]
PATIENCE_S: Final = 20.0
_TLS: Final = "X-Test-Tls"
"""The field in which the proxy before gunicorn says that the client came by https: here the test is that proxy."""
_SETTINGS: Final = f"""\
worker_class = "gthread"
workers = 1
threads = 4
limit_request_field_size = 65_536
secure_scheme_headers = {{"{_TLS.upper()}": "yes"}}
forwarder_headers = ""
"""


class GunicornFace:
    """A running server, and what it writes."""

    name = "flask gunicorn"
    traits = frozenset({Trait.GUNICORN, Trait.WSGI, Trait.SHELL, Trait.FLASK})

    def __init__(self, port: int, journal: Path, log: Path) -> None:
        self.port = port
        self._journal = journal
        self._log = log
        self._read = 0

    def send(self, sent: Sent) -> Seen:
        """Send a request and see what comes of it."""
        with self.connected() as client:
            client.sendall(head_of(sent))
            response = HTTPResponse(client, method=sent.method)
            response.begin()
            fields = [(name.lower(), value) for name, value in response.getheaders()]
            return self.seen(response.status, fields, response.read())

    def seen(self, status: int, fields: Sequence[tuple[str, str]], body: bytes) -> Seen:
        """Return the outcome, with what the server noted meanwhile."""
        entries = self._entries()
        decided = [entry for entry in entries if "reason" in entry]
        ran = [Reached(entry["handler"], entry["by"], entry["subject"]) for entry in entries if "handler" in entry]
        shown = tuple(sorted(field for field in fields if field[0] in SHOWN)) if not ran else ()
        reasons = tuple(entry["reason"] for entry in decided)
        raw = f"{fields!r} {body!r} {[entry['shown'] for entry in decided]}"
        return Seen(status, shown, body, reasons, tuple(ran), raw)

    @contextmanager
    def connected(self) -> Iterator[socket.socket]:
        """Open a connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S) as client:
            yield client

    def log(self) -> str:
        """Return what the server has written to standard output and standard error."""
        return self._log.read_text(errors="replace")

    def _entries(self) -> list[dict[str, Any]]:
        with self._journal.open() as file:
            file.seek(self._read)
            lines = file.readlines()
            self._read = file.tell()
        return [json.loads(line) for line in lines]


def head_of(sent: Sent, more: Fields = ()) -> bytes:
    """Write the head of a request, with nothing mended."""
    fields = [*sent.fields, *more, *(UPGRADE if sent.is_socket else ())]
    names = {name.lower() for name, _ in fields}
    fields += [] if b"host" in names else [(b"Host", b"api.example.com")]
    fields += [] if b"connection" in names else [(b"Connection", b"close")]
    fields += [(_TLS.encode(), b"yes")] if sent.scheme == "https" else []
    line = f"{sent.method} {sent.target} HTTP/1.1".encode("latin-1")
    return b"\r\n".join([line, *(name + b": " + value for name, value in fields), b"", b""])


@contextmanager
def gunicorn(folder: Path) -> Iterator[Face]:
    """Run the server on a socket that listens before it starts, so nobody has to wait for it to."""
    journal, log, settings = folder / "journal", folder / "log", folder / "settings.py"
    journal.touch()
    settings.write_text(_SETTINGS)
    setup: Mapping[str, object] = {"journal": str(journal), "keys": public_keys(), "sessions": SESSIONS}
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener, log.open("wb") as output:
        command = [sys.executable, "-m", "gunicorn", "-c", str(settings), f"--bind=fd://{listener.fileno()}"]
        process = subprocess.Popen(
            [*command, "tests.scenarios.faces.served:app"], cwd=ROOT, stdout=output, stderr=output,
            pass_fds=[listener.fileno()], env={**os.environ, "JWTGUARD_TEST_SETUP": json.dumps(setup)},
        )  # fmt: skip
        port: int = listener.getsockname()[1]
        listener.close()  # if the server dies, connections must be refused
        try:
            yield GunicornFace(port, journal, log)
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
