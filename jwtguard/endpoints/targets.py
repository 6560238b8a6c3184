"""Where a backend may call: an allowlist of methods, origins and paths (R-STO-10).

A request is looked up before anything is opened, and what is looked up is what is sent: a path that two readers could
read in two ways (dots to resolve, something to decode again) is on no list.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

from jwtguard.core.origins import origin_of
from jwtguard.core.paths import PathTrie, Pattern
from jwtguard.errors import ConfigurationError

_UNCALLABLE = frozenset({None, "WEBSOCKET", "CONNECT", "TRACE"})
_AMBIGUOUS = ("//", "\\", "%", ";", "\ufffd")  # the last: what was not UTF-8


class Targets:
    """What may be called.

    Args:
        to: Such as ``"GET https://api.internal/reports/**"``: a method, an origin, and a path as endpoint policies
            write it. Only loopback may be called without TLS.

    Raises:
        ConfigurationError: The list is empty, something on it is nothing to call, or two of it are ambiguous.
    """

    def __init__(self, to: Iterable[str]) -> None:
        targets = [to] if isinstance(to, str) else list(to)
        if not targets:
            message = "must name something to call, such as 'GET https://api.internal/reports/**'"
            raise ConfigurationError(message, key="to", rule="R-STO-10")
        self._origins: PathTrie[str] = PathTrie()
        for text in targets:
            self._origins.add(*_parsed(text))
        self._origins.prove_unambiguous()

    def find(self, method: str, path: str, query: bytes) -> str | None:
        """Return the URL to call for a request, or ``None`` if it is on no list.

        Args:
            method: Of the request; HEAD goes where GET goes.
            path: Decoded, as the router saw it.
            query: As it came.
        """
        more = query.decode("latin-1")
        if not _has_one_reading(path) or not more.isascii() or not more.isprintable() or set(more) & {"#", " "}:
            return None
        origin = self._origins.find(method, path)
        return None if origin is None else origin + quote(path, safe="/") + (f"?{more}" if more else "")


def _parsed(text: str) -> tuple[Pattern, str]:
    """Take an entry of the list apart: its method and path, and its origin."""
    method, _, url = text.partition(" ")
    origin = origin_of(url) or ""
    if not url.startswith(f"{origin}/") or not (origin.startswith("https://") or _is_loopback(urlsplit(url).hostname)):
        message = f"{text!r} is nothing to call; write method and URL, such as 'GET https://api.internal/reports/**'"
        raise ConfigurationError(message, key="to", rule="R-STO-10")
    pattern = Pattern(f"{method} {url.removeprefix(origin)}", key="to")
    if pattern.method in _UNCALLABLE:
        message = f"{text!r} must name the method that may be called"
        raise ConfigurationError(message, key="to", rule="R-STO-10")
    return pattern, origin


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False


def _has_one_reading(path: str) -> bool:
    resolved = any(segment in {".", ".."} for segment in path.split("/"))
    return path.isprintable() and not resolved and not any(mark in path for mark in _AMBIGUOUS)
