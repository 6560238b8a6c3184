"""Where an issuer's keys are: a literal URL, or what its metadata names (RFC 8414, OpenID Discovery).

A metadata document counts only if its ``issuer`` is ours character for character (R-JWK-03), and the key
set it names must be on the issuer's own host; a provider that keeps it elsewhere is configured by
``jwks_uri``. URLs come from configuration and this document, never from a token.
"""

from __future__ import annotations

import ssl
from urllib.parse import urlsplit

from jwtguard.core.issuer import Discovery, InlineKeys, Issuer, KeyFile
from jwtguard.core.limits import Limits
from jwtguard.core.policy import Mode
from jwtguard.core.strict_json import JsonObject, json_reader
from jwtguard.errors import ConfigurationError
from jwtguard.jwks.fetch import Fetched, FetchFailed, FetchLimits, FetchReason, check_url, fetch, tls_context

_DISCOVERY_DEPTH = 16


class SourceFailed(Exception):  # noqa: N818 - an outcome, as Refusal is
    """No key set could be had; ``reason`` is a closed word for events."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class KeySetSource:
    """One issuer's key set over HTTP. Remembers where its metadata said the keys are."""

    def __init__(self, issuer: Issuer, limits: Limits, mode: Mode) -> None:
        """Check the configured URL.

        Raises:
            ConfigurationError: The URL is not one that keys may come from (R-JWK-04).
        """
        self._issuer = issuer
        self._limits = limits
        self._development = mode is Mode.DEVELOPMENT
        self._tls: ssl.SSLContext | None = None
        self._jwks_uri: str | None = None
        self._literal = not isinstance(issuer.keys, Discovery)
        if isinstance(issuer.keys, InlineKeys | KeyFile):
            message = "inline keys and files need no source"
            raise TypeError(message)
        url = issuer.issuer if isinstance(issuer.keys, Discovery) else issuer.keys.url
        try:
            check_url(url, allow_loopback_http=self._development)
        except ValueError as error:
            where = "issuer" if isinstance(issuer.keys, Discovery) else "jwks_uri"
            raise ConfigurationError(str(error), key=f"issuers.{issuer.name}.{where}", rule="R-JWK-04") from None
        if not isinstance(issuer.keys, Discovery):
            self._jwks_uri = issuer.keys.url

    async def read(self, *, fresh: bool) -> tuple[list[object], float | None]:
        """Fetch the key set.

        Args:
            fresh: Ask caches on the way to revalidate: a token named a key we do not have.

        Returns:
            The undecoded JWKs, and for how long the server calls the set fresh, in seconds.

        Raises:
            SourceFailed: Anything but a key set of bounded size came.
        """
        try:
            uri = self._jwks_uri or await self._discover(fresh=fresh)
            fetched = await self._fetch(uri, self._limits.jwks_bytes, fresh=fresh)
            keys = self._keys_of(self._decode(fetched))
        except FetchFailed as failed:
            self._forget()
            raise SourceFailed(failed.reason) from None
        except SourceFailed:
            self._forget()
            raise
        self._jwks_uri = uri
        return keys, fetched.max_age_s

    def _keys_of(self, document: JsonObject) -> list[object]:
        keys = document.get("keys")
        if not isinstance(keys, list):
            reason = "not_a_key_set"
            raise SourceFailed(reason)
        if len(keys) > self._limits.jwks_keys:
            reason = "too_many_keys"
            raise SourceFailed(reason)
        return keys

    def _forget(self) -> None:
        if not self._literal:
            self._jwks_uri = None

    async def _discover(self, *, fresh: bool) -> str:
        for url in metadata_urls(self._issuer.issuer):
            try:
                fetched = await self._fetch(url, self._limits.discovery_bytes, fresh=fresh)
            except FetchFailed as failed:
                if failed.reason is FetchReason.STATUS:
                    continue  # the other well-known location may exist
                raise
            return self._named_key_set(self._decode(fetched))
        message = "no_metadata"
        raise SourceFailed(message)

    def _named_key_set(self, document: JsonObject) -> str:
        from authlib.oidc.discovery import OpenIDProviderMetadata  # noqa: PLC0415 - 60 ms, for discovery alone

        metadata = OpenIDProviderMetadata(document)
        try:
            metadata.validate_issuer()
            metadata.validate_jwks_uri()  # type: ignore[no-untyped-call]  # the stubs leave it out
        except (ValueError, TypeError, AttributeError):
            message = "bad_metadata"
            raise SourceFailed(message) from None
        if document["issuer"] != self._issuer.issuer:
            message = "issuer_mismatch"
            raise SourceFailed(message)
        uri = str(document["jwks_uri"])
        try:
            check_url(uri, allow_loopback_http=self._development)
        except ValueError:
            message = "bad_jwks_uri"
            raise SourceFailed(message) from None
        if urlsplit(uri).netloc.lower() != urlsplit(self._issuer.issuer).netloc.lower():
            message = "jwks_uri_on_another_host"
            raise SourceFailed(message)
        return uri

    def _decode(self, fetched: Fetched) -> JsonObject:
        read = json_reader(depth=_DISCOVERY_DEPTH, members=self._limits.json_members)
        try:
            return read(fetched.body)
        except (ValueError, RecursionError):
            message = "not_json"
            raise SourceFailed(message) from None

    async def _fetch(self, url: str, body_bytes: int, *, fresh: bool) -> Fetched:
        if self._tls is None and url.startswith("https:"):
            self._tls = tls_context()
        limits = FetchLimits(
            body_bytes=body_bytes, connect_s=self._limits.fetch_connect_s, total_s=self._limits.fetch_total_s
        )
        return await fetch(url, limits=limits, verify=self._tls, fresh=fresh)


def metadata_urls(issuer: str) -> tuple[str, str]:
    """Return the well-known locations: OpenID Connect Discovery, section 4, then RFC 8414, section 3.1."""
    parts = urlsplit(issuer)
    inserted = parts._replace(path=f"/.well-known/oauth-authorization-server{parts.path.rstrip('/')}")
    return f"{issuer.rstrip('/')}/.well-known/openid-configuration", inserted.geturl()
