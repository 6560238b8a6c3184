"""What the shells hand to the core: the head of a request, and the types that hold a token or a session's name."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import NoReturn


class Token:
    """The bytes of one credential, shown nowhere.

    Tokens live in this type alone, so that a traceback, a log of locals or a debugger's ``repr``
    shows none (R-OBS-03). Reading the bytes is explicit: ``token.reveal()``.
    """

    __slots__ = ("_digest", "_secret")

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._digest = b""

    @classmethod
    def of(cls, text: str | bytes) -> Token:
        """Take a token as applications hold it."""
        # "replace" leaves a character no token may hold, so the parser refuses it like any other.
        return cls(text if isinstance(text, bytes) else text.encode("ascii", "replace"))

    def __len__(self) -> int:
        """Return the length in bytes."""
        return len(self._secret)

    def __repr__(self) -> str:
        """Return a fixed text, whatever the token is."""
        return "<Token redacted>"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled: a token must not travel by accident."""
        message = "a Token cannot be pickled"
        raise TypeError(message)

    def reveal(self) -> bytes:
        """Return the token itself. For parsing and hashing; never for showing."""
        return self._secret

    def digest(self) -> bytes:
        """Return the SHA-256 of the whole token, the key under which it is remembered."""
        if not self._digest:
            self._digest = sha256(self._secret).digest()
        return self._digest

    def signed_digest(self) -> bytes:
        """Return the SHA-256 of what is signed: who holds the token can give ECDSA's signature other bytes."""
        return sha256(self._secret.rpartition(b".")[0]).digest()


class CookieToken(Token):
    """A token that the browser attached by itself: it counts only after the csrf stage."""

    __slots__ = ()


class SessionName(CookieToken):
    """What a cookie holds in place of a token: the name of a session whose token the server keeps."""

    __slots__ = ()


def http_method(method: str) -> str:
    """Return the method of an HTTP request, or an empty one, which no policy covers.

    Methods are case-sensitive (RFC 9110, section 9.1), but servers pass on ``post`` and what is behind them
    disagrees on what it means. Nor is a request that calls itself WEBSOCKET a handshake.
    """
    return method if method.isupper() and method != "WEBSOCKET" else ""


class RequestHead:
    """Method, path and header fields of one request, as the server routed it.

    ``method`` is upper case; a WebSocket handshake has the method ``WEBSOCKET``. ``path`` is decoded
    and without the ``root_path``, exactly what the router will match. ``headers`` are (lower-case
    name, value) pairs of bytes in their order. ``scheme`` and ``server`` come from the server's own
    scope, never from a header (R-EXT-09). ``root_path`` is what goes before ``path`` in this
    application's URLs. ``served_as`` is the other method that what lies behind may take the request for, where
    the server does not say which; empty: none. The header fields hold the credential, so ``repr`` shows none.
    """

    __slots__ = ("headers", "method", "path", "root_path", "scheme", "served_as", "server")

    def __init__(  # noqa: PLR0913, PLR0917 - the parts of a request
        self, method: str, path: str, headers: Iterable[tuple[bytes, bytes]], scheme: str, server: str = "",
        root_path: str = "",
    ) -> None:  # fmt: skip
        self.method = method
        self.path = path
        self.headers = headers
        self.scheme = scheme
        self.server = server
        self.root_path = root_path
        self.served_as = ""

    def __repr__(self) -> str:
        """Show method and path, no header and no query."""
        return f"<RequestHead {self.method} {self.path[:64]!r}>"
