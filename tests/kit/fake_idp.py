"""An identity provider on loopback that does as it is told."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import Final

from tests.kit import answers
from tests.kit.exchange import Answer, Exchange, Seen
from tests.kit.thread_server import ThreadServer

JWKS_PATH: Final = "/jwks.json"
OIDC_PATH: Final = "/.well-known/openid-configuration"
OAUTH_PATH: Final = "/.well-known/oauth-authorization-server"
_REMEMBERED: Final = 10_000


class FakeIdP(ThreadServer):
    """Serve discovery documents and a key set, honestly until :meth:`answer` says otherwise.

    Everything may be changed from any thread while the server runs; what is set survives
    a :meth:`stop` and :meth:`start`, and so does the port.

    Attributes:
        hits: How many requests each path had.
        requests: The latest requests, oldest first.
        bytes_sent: How many bytes all answers took, each counted when it ends: :meth:`stop` first.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        super().__init__(self._answer_one, tls=tls)
        self.hits: Counter[str] = Counter()
        self.requests: deque[Seen] = deque(maxlen=_REMEMBERED)
        self.bytes_sent = 0
        self._host = host
        self._key_set = b'{"keys": []}'
        self._members: dict[str, object] = {}
        self._headers: dict[str, str] = {}
        self._answers: dict[str, Answer] = {}

    @property
    def issuer(self) -> str:
        """The issuer identifier: scheme, host and port."""
        return f"{'https' if self._tls else 'http'}://{self._host}:{self.port}"

    @property
    def jwks_uri(self) -> str:
        """Where the key set is."""
        return self.issuer + JWKS_PATH

    @property
    def discovery_url(self) -> str:
        """Where the OpenID document is."""
        return self.issuer + OIDC_PATH

    def set_keys(self, keys: Sequence[Mapping[str, object]]) -> None:
        """Publish these JWKs and no others."""
        self._key_set = json.dumps({"keys": list(keys)}).encode()

    def set_discovery(self, **members: object) -> None:
        """Replace members of the discovery documents. ``None`` leaves one out."""
        self._members = {**self._members, **members}

    def set_headers(self, **headers: str) -> None:
        """Add headers to honest answers: ``set_headers(Cache_Control="max-age=60")``."""
        self._headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def answer(self, path: str, answer: Answer | None) -> None:
        """Answer so on this path from now on. ``None`` is honesty again."""
        others = {known: told for known, told in self._answers.items() if known != path}
        self._answers = others if answer is None else {**others, path: answer}

    def freeze_in_edge_cache(self, path: str = JWKS_PATH) -> None:
        """Put a cache before this path that keeps the present document."""
        self.answer(path, answers.edge_cache(self.document(path)))

    def discovery(self) -> dict[str, object]:
        """The discovery document (OpenID Connect Discovery 1.0 section 3, RFC 8414)."""
        members: dict[str, object] = {
            "issuer": self.issuer,
            "jwks_uri": self.jwks_uri,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256"],
            **self._members,
        }
        return {name: value for name, value in members.items() if value is not None}

    def document(self, path: str) -> bytes:
        """What an honest answer on this path holds now."""
        if path == JWKS_PATH:
            return self._key_set
        return json.dumps(self.discovery()).encode() if path in {OIDC_PATH, OAUTH_PATH} else b""

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen = _parse(await reader.readuntil(b"\r\n\r\n"))
        self.hits[seen.path] += 1
        self.requests.append(seen)
        document = self.document(seen.path)
        honest = answers.normal() if document else answers.status(404)
        exchange = Exchange(seen, document, self._headers, (reader, writer))
        try:
            await self._answers.get(seen.path, honest)(exchange)
        finally:
            self.bytes_sent += exchange.bytes_sent


def _parse(request: bytes) -> Seen:
    first, *lines = request.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    method, target, _version = first.split(" ")
    fields = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in fields}
    return Seen(method, target.partition("?")[0], headers)
