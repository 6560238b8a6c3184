"""What is known of a request that is being explained, and how foreign text is shown."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Collection, Mapping, Sequence

from jwtguard.core.events import printable
from jwtguard.core.keys import HeldKeys
from jwtguard.core.request import RequestHead, Token
from jwtguard.core.table import PolicyTable

_SECRET = 8  # a shorter segment, such as that of "{}", says nothing and could be any text
_ITEMS = 8
_HIDDEN = "(part of the token)"


class Display:
    """Makes text from outside fit for a terminal: short, printable, and never a part of the token."""

    def __init__(self, token: Token | None) -> None:
        segments = bare(token).split(b".") if token is not None else []
        self._secrets = [Token(segment) for segment in segments if len(segment) >= _SECRET]

    def value(self, value: object) -> str:
        """Show a claim, a header parameter, or a list of them."""
        if value is None:
            return "nothing"
        if isinstance(value, Collection) and not isinstance(value, str | bytes | Mapping):
            items = [self.value(item) for item in value]
            items = items if isinstance(value, Sequence) else sorted(items)
            return ", ".join(items[:_ITEMS]) + ", …" * (len(items) > _ITEMS) or "nothing"
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        return printable(text) if self.safe(text) == text else _HIDDEN

    def safe(self, text: str) -> str:
        """Take every segment of the token out of a text of ours."""
        for secret in self._secrets:
            text = text.replace(secret.reveal().decode("latin-1"), _HIDDEN)
        return text


class Evidence:
    """A request and all that was known when it was decided.

    Attributes:
        header: The JOSE header, read without judging it, for hints alone; empty if it cannot be read.
        claims: The claims set, likewise.
    """

    __slots__ = ("claims", "display", "head", "header", "held", "now", "table", "token")

    def __init__(
        self, table: PolicyTable, held: Mapping[str, HeldKeys], head: RequestHead, token: Token | None, now: float
    ) -> None:
        self.table = table
        self.held = held
        self.head = head
        self.token = token
        self.now = now
        self.display = Display(token)
        segments = bare(token).split(b".") if token is not None else []
        self.header = _object(segments[0]) if segments else {}
        self.claims = _object(segments[1]) if len(segments) > 1 else {}


def bare(token: Token) -> bytes:
    """Return a token without what people leave around it: space, quotes, the word Bearer."""
    text = token.reveal().strip(b" \t\r\n\"'")
    return text[7:].lstrip() if text[:7].lower() == b"bearer " else text


def _object(segment: bytes) -> Mapping[str, object]:
    try:
        found = json.loads(urlsafe_b64decode(segment + b"=" * (-len(segment) % 4)))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
