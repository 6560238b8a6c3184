"""What servers hand over, read as a ``RequestHead``: the same reading for shells, adapters and decorators."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from jwtguard.core.request import RequestHead, http_method

_REPLACED = "\ufffd"  # what ASGI servers put in place of bytes that are no UTF-8
_NOWHERE = "nowhere"  # matches nothing: paths start with a slash
_JOINED = re.compile(rb",(?=[!#$%&'*+\-.^_`|~0-9A-Za-z]+ +[^ =])")  # before "scheme credential", not "name=value"


def head_of_scope(scope: Mapping[str, Any], root_path: str = "") -> RequestHead:
    """Read an ASGI scope as Starlette's router will: the decoded path without ``root_path``.

    A path outside its ``root_path`` is no path of this application: Starlette's mounts would route it by
    other segments than its top level does. No policy covers it.

    Args:
        scope: Of an HTTP request or a WebSocket handshake.
        root_path: What the application itself will put into the scope, later.
    """
    path, root = scope["path"], root_path or scope.get("root_path", "")
    if _REPLACED in path and not _is_utf8(scope.get("raw_path") or b"%ff"):
        path = _NOWHERE
    if root:
        inside = path.startswith(root) and path[len(root) : len(root) + 1] in ("", "/")
        path = path[len(root) :] if inside else _NOWHERE
    server = scope.get("server")
    method = http_method(scope["method"]) if scope["type"] == "http" else "WEBSOCKET"
    name = (server[0] or "") if server else ""
    return RequestHead(method, path, scope["headers"], scope.get("scheme", ""), name, root)


def head_of_django(request: Any) -> RequestHead:
    """Read a Django request as its own resolver will match it, from what the server handed over.

    Under WSGI, Django has decoded the paths in the environ by now: decoded again, they would be others.
    """
    if hasattr(request, "scope"):
        head, sent = head_of_scope(request.scope), request.scope["method"]
    else:
        environ = {**request.environ, "PATH_INFO": "/", "SCRIPT_NAME": ""}
        head, sent = head_of_environ(environ), environ["REQUEST_METHOD"]
    # Views see ``request.method``, whatever Upgrade says, and whatever a middleware before ours made of it.
    head.method, head.served_as = http_method(sent if request.method == sent.upper() else request.method), ""
    head.path, head.root_path = request.path_info, request.META["SCRIPT_NAME"]
    return head


def _is_utf8(raw_path: bytes) -> bool:
    try:
        unquote_to_bytes(raw_path).decode()
    except UnicodeDecodeError:
        return False
    return True


def head_of_environ(environ: Mapping[str, Any]) -> RequestHead:
    """Read a WSGI environ as Flask, Django and ASGI servers read the same request.

    The path is ``PATH_INFO`` alone, its bytes read as UTF-8; if they are not, no policy covers it. An empty
    one is the root of the application, which is what frameworks make of it. A request that asks to
    become a WebSocket has the method ``WEBSOCKET``: some WSGI applications let it.

    A WSGI server has joined fields of one name with a comma. Where the comma is followed at once by
    ``scheme credential``, which is how gunicorn and Werkzeug join two credentials, they are taken apart
    again, so that two of them are ambiguous here too. Cookies are never taken apart at a comma, which
    their values may hold. Names with an underscore cannot be told from those with a hyphen; servers drop them.

    The server's own address comes from nobody but the peer's: ``SERVER_NAME`` is made of the Host field by
    some servers (gunicorn behind a Unix socket, mod_wsgi), and who calls from loopback has called there.

    Args:
        environ: Of a WSGI request (PEP 3333).
    """
    headers: list[tuple[bytes, bytes]] = []
    for key, text in environ.items():
        if key[:5] == "HTTP_":
            name, value = key[5:].replace("_", "-").lower().encode(), text.encode("latin-1", "replace")
            if "," in text and name != b"cookie":
                headers.extend((name, part) for part in _JOINED.split(value))
            else:
                headers.append((name, value))
    method = http_method(environ["REQUEST_METHOD"])
    upgrades = "websocket" in environ.get("HTTP_UPGRADE", "").lower()
    if upgrades and method != "GET":
        method, upgrades = "", False  # no handshake (RFC 6455, section 4.1), and Werkzeug takes HEAD for one
    try:
        path = environ.get("PATH_INFO", "").encode("latin-1").decode()
        root = environ.get("SCRIPT_NAME", "").encode("latin-1").decode()
    except UnicodeError:
        path, root = _NOWHERE, ""
    where = (environ["wsgi.url_scheme"], environ.get("REMOTE_ADDR", ""), root)
    head = RequestHead("WEBSOCKET" if upgrades else method, path or "/", headers, *where)
    head.served_as = "GET" if upgrades else ""
    return head
