"""Web origins as browsers write them (RFC 6454, section 6.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from jwtguard.errors import ConfigurationError

_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]*:[0-9a-f:.]*")  # a name in ASCII, or an IPv6 address; no wildcard
_DEFAULT_PORTS = {"http": 80, "https": 443}


def check_origins(origins: Iterable[str], key: str) -> None:
    """Refuse what no browser would ever send as an origin.

    Raises:
        ConfigurationError: Names the origin and its right spelling.
    """
    if isinstance(origins, str):
        message = "must be a sequence of texts; a text alone would be read letter by letter"
        raise ConfigurationError(message, key=key, rule="R-STO-03")
    for text in origins:
        origin = origin_of(text)
        if origin is None:
            message = f"{text!r} is no origin: write scheme, host and port, such as 'https://app.example.com'"
            raise ConfigurationError(message, key=key, rule="R-STO-03")
        if origin != text:
            message = f"{text!r} is not how a browser writes it; did you mean {origin!r}?"
            raise ConfigurationError(message, key=key, rule="R-STO-03")


def origin_of(url: str) -> str | None:
    """Return the origin of an http URL in the spelling of browsers, or ``None`` if it has none."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    host = parts.hostname
    if parts.scheme not in _DEFAULT_PORTS or not host or not _HOST.fullmatch(host) or parts.username is not None:
        return None
    shown = f"[{host}]" if ":" in host else host
    suffix = "" if port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{port}"
    return f"{parts.scheme}://{shown}{suffix}"
