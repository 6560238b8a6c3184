"""Call a WSGI application without a server, and write environs as servers do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, NoReturn, TypeAlias
from urllib.parse import unquote_to_bytes
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

Fields: TypeAlias = Iterable[tuple[bytes, bytes]]
ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]


class Untouchable:
    """A request body that nobody may read."""

    def __getattr__(self, name: str) -> NoReturn:
        msg = f"wsgi.input.{name} was touched"
        raise AssertionError(msg)


@dataclass(slots=True)
class WsgiCall:
    """One request: what the application under test answered."""

    line: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    chunks: list[bytes] = field(default_factory=list)
    starts: int = 0

    @property
    def status(self) -> int:
        """The status of the answer."""
        return int(self.line.partition(" ")[0])

    @property
    def fields(self) -> list[tuple[bytes, bytes]]:
        """The header fields of the answer, as bytes."""
        return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self.headers]

    @property
    def body(self) -> bytes:
        """The body of the answer."""
        return b"".join(self.chunks)

    def header(self, name: bytes) -> bytes | None:
        """The one field of this name, or ``None``."""
        found = [value for known, value in self.fields if known.lower() == name]
        assert len(found) <= 1, f"{name!r} was sent {len(found)} times"
        return found[0] if found else None


def environ_of(method: str, path: str, headers: Fields = (), *, comma: str = ",", **changes: Any) -> WSGIEnvironment:
    """The environ of a request over https.

    Args:
        method: As sent.
        path: As sent, percent-encoded, with its query if any.
        headers: Names in any case. Those with an underscore are taken as a careless server would.
        comma: What fields of one name are joined with: gunicorn and Werkzeug take ``","``, waitress ``", "``.
        changes: Keys to replace, with ``__`` in place of the dot: ``wsgi__url_scheme="http"``.
    """
    raw_path, _, query = path.partition("?")
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(raw_path).decode("latin-1"),
        "QUERY_STRING": query,
        "SERVER_NAME": "api.example.com",
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "192.0.2.7",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https",
        "wsgi.input": Untouchable(),
        "wsgi.errors": None,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").upper().replace("-", "_"), raw_value.decode("latin-1")
        key = name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"
        joint = "; " if key == "HTTP_COOKIE" else comma
        environ[key] = f"{environ[key]}{joint}{value}" if key in environ else value
    return environ | {key.replace("__", "."): value for key, value in changes.items()}


def run(app: WSGIApplication, environ: WSGIEnvironment) -> WsgiCall:
    """Run one request to its end, closing what is to be closed."""
    call = WsgiCall()

    def start_response(line: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None) -> Any:
        call.line, call.headers = line, headers
        call.starts += 1
        return call.chunks.append

    body = app(environ, start_response)
    try:
        call.chunks.extend(body)
    finally:
        close = getattr(body, "close", None)
        if close is not None:
            close()
    return call


def request(app: WSGIApplication, method: str, path: str, headers: Fields = (), **changes: Any) -> WsgiCall:
    """Send one request over https."""
    return run(app, environ_of(method, path, headers, **changes))


class WsgiProbe:
    """An application that says yes to everything, and keeps the environs it was called with."""

    def __init__(self) -> None:
        self.environs: list[WSGIEnvironment] = []

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Keep the environ, and say yes."""
        self.environs.append(environ)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"from the application"]
