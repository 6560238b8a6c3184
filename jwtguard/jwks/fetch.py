"""Get one small document over HTTP, or say in one word why not.

This is the only module that talks HTTP. Its rules:

- one GET, to a URL that :func:`check_url` accepts; nothing in the answer can name another one;
- no redirect is followed; no cookie, credential, proxy or trust setting comes from outside;
- one deadline over everything, so a server that sends a byte a second gains nothing by it;
- the body is read as it was sent, and never more of it than the caller allows;
- only a connection that was refused, reset or closed early is tried again, and only once;
- nothing outlives a fetch, so the next one may run in any other event loop.
"""

from __future__ import annotations

import ipaddress
import random
import re
import ssl
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urlsplit

import anyio
from anyio.lowlevel import cancel_shielded_checkpoint

if TYPE_CHECKING:
    import httpx2

_LONGEST_URL: Final = 2048
_LONGEST_PAUSE_S: Final = 0.1
_LONGEST_AGE_S: Final = 2.0**31  # RFC 9111 section 1.2.2 cuts longer ones to this

# The last label is no number: to a resolver "127.1" and "0x7f.1" are addresses.
_HOST_NAME: Final = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9_-]{1,63}\.)*(?!\d+\Z|0x)[a-z0-9_-]{1,63}")
_PLAIN_ASCII: Final = re.compile(r"[!-\[\]-~]+")  # printable, without space and backslash
_LOOPBACK_4: Final = ipaddress.IPv4Network("127.0.0.0/8")
_LOOPBACK_6: Final = ipaddress.IPv6Address("::1")


class FetchReason(StrEnum):
    """Why a fetch failed. Closed."""

    URL = "url"
    TIMEOUT = "timeout"
    CONNECT = "connect"
    TLS = "tls"
    BROKEN = "broken"
    REDIRECT = "redirect"
    STATUS = "status"
    ENCODING = "encoding"
    TOO_LARGE = "too_large"


_TRIED_AGAIN: Final = frozenset({FetchReason.CONNECT, FetchReason.BROKEN})


class FetchFailed(Exception):  # noqa: N818 - an outcome, as Refusal is
    """A document could not be had."""

    def __init__(self, reason: FetchReason, detail: str) -> None:
        """Say why in one word, and in a few more, never the server's own, for the operator."""
        super().__init__(f"{reason}: {detail}")
        self.reason: Final = reason
        self.detail: Final = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchLimits:
    """What one fetch may cost.

    Attributes:
        body_bytes: The longest body accepted.
        connect_s: The longest wait for a connection, and again for its TLS handshake.
        total_s: The longest fetch, second attempt included.
    """

    body_bytes: int
    connect_s: float = 2.0
    total_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Fetched:
    """A document, and for how long its server calls it fresh.

    Attributes:
        body: The document.
        max_age_s: ``Cache-Control: max-age``; zero for ``no-cache`` and ``no-store``;
            ``None`` if the server does not say.
    """

    body: bytes
    max_age_s: float | None


def check_url(url: str, *, allow_loopback_http: bool) -> None:
    """Refuse a URL that keys must not come from (RFC 8725, section 3.10).

    Parsers disagree about unusual URLs, so only the plain form passes: ASCII, no
    backslash, and an authority that is a host and perhaps a port, written normally.

    Args:
        url: The URL, from configuration or from a discovery document.
        allow_loopback_http: Accept ``http`` for 127.0.0.0/8, ``::1`` and ``localhost``.

    Raises:
        ValueError: One sentence that names the flaw. It does not repeat the URL, which
            may hold a password.
    """
    if len(url) > _LONGEST_URL or not _PLAIN_ASCII.fullmatch(url):
        msg = f"the URL must be printable ASCII without backslash, at most {_LONGEST_URL} characters"
        raise ValueError(msg)
    try:
        parts = urlsplit(url)
        authority = _plain_authority(parts)
    except ValueError:  # unbalanced brackets, a port that is no number
        msg = "the URL is not one"
        raise ValueError(msg) from None
    http_allowed = allow_loopback_http and _is_loopback(parts.hostname or "")
    rules = {
        "must start with https://": url.startswith(("https://", "http://")),
        "must not contain user information": "@" not in parts.netloc,
        "must not contain a fragment": "#" not in url,
        "must name a host, and perhaps a port, in their usual form": parts.netloc.lower() == authority,
        "must use https; http is for loopback hosts in development": parts.scheme == "https" or http_allowed,
    }
    for rule, kept in rules.items():
        if not kept:
            msg = f"the URL {rule}"
            raise ValueError(msg)


def tls_context() -> ssl.SSLContext:
    """Build the context that verifies servers against the system's trust store.

    Loading the store takes a tenth of a second, so build one and give it to each fetch.
    Certificate and host name are always verified, with TLS 1.2 or later. ``SSL_CERT_FILE``,
    ``SSL_CERT_DIR`` and ``SSLKEYLOGFILE`` are not read.
    """
    import httpx2  # noqa: PLC0415 - an app whose keys come from files never pays for it

    context = httpx2.create_ssl_context(trust_env=False)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


async def fetch(
    url: str,
    *,
    limits: FetchLimits,
    verify: ssl.SSLContext | None = None,
    accept: str = "application/json",
    fresh: bool = False,
) -> Fetched:
    """Get the document at a URL.

    Args:
        url: Where. ``http`` works for loopback hosts; whether it is acceptable is for
            the caller to ask of :func:`check_url` first.
        limits: What the fetch may cost.
        verify: The result of :func:`tls_context`. Needed for ``https``.
        accept: The media type to ask for.
        fresh: Make caches on the way ask the server itself.

    Returns:
        The body of a ``200`` answer, within the limits.

    Raises:
        FetchFailed: Anything else came, or nothing did in time.
        ValueError: ``verify`` is missing, or would accept an unverified server.
    """
    try:
        check_url(url, allow_loopback_http=True)
    except ValueError as flaw:
        raise FetchFailed(FetchReason.URL, str(flaw)) from None
    context = _context_for(url, verify)
    headers = {"Accept": accept, "Accept-Encoding": "identity", "Connection": "close", "User-Agent": "jwtguard"}
    if fresh:
        headers["Cache-Control"] = "no-cache"
    try:
        with anyio.fail_after(limits.total_s):
            try:
                return await _attempt(url, headers, limits, context)
            except FetchFailed as failed:
                if failed.reason not in _TRIED_AGAIN:
                    raise
            await anyio.sleep(random.uniform(0, _LONGEST_PAUSE_S))  # noqa: S311 - spreads load, hides nothing
            return await _attempt(url, headers, limits, context)
    except TimeoutError:
        raise FetchFailed(FetchReason.TIMEOUT, f"no complete answer in {limits.total_s:g} s") from None


async def _attempt(url: str, headers: dict[str, str], limits: FetchLimits, context: ssl.SSLContext) -> Fetched:
    import httpx2  # noqa: PLC0415 - see tls_context

    async def judge(response: httpx2.Response) -> None:
        _judge_head(response, limits.body_bytes)

    # A client for each attempt: the cookies of one answer must not meet the next request.
    client = httpx2.AsyncClient(
        verify=context,
        trust_env=False,
        follow_redirects=False,
        headers=headers,
        timeout=httpx2.Timeout(None, connect=limits.connect_s),
        # In a hook, because httpx2 reads Location even where it does not follow it, and a
        # hostile one then raises ValueError. Hooks come first.
        event_hooks={"response": [judge]},
    )
    try:
        async with client, client.stream("GET", url) as response:
            cache_control = response.headers.get_list("cache-control", split_commas=True)
            return Fetched(await _read_body(response, limits.body_bytes), _max_age_s(cache_control))
    except httpx2.TimeoutException as error:
        raise FetchFailed(FetchReason.TIMEOUT, f"no connection in {limits.connect_s:g} s") from error
    except (httpx2.HTTPError, ssl.SSLError) as error:
        if (flaw := _tls_flaw(error)) is not None:
            raise FetchFailed(FetchReason.TLS, flaw) from error
        if isinstance(error, httpx2.ConnectError):
            raise FetchFailed(FetchReason.CONNECT, "the host is unknown or refuses connections") from error
        raise FetchFailed(FetchReason.BROKEN, "the connection ended early, or what came is not HTTP") from error


def _judge_head(response: httpx2.Response, body_bytes: int) -> None:
    status, headers = response.status_code, response.headers
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        raise FetchFailed(FetchReason.REDIRECT, f"the status is {status}, and redirects are not followed")
    if status != HTTPStatus.OK:
        raise FetchFailed(FetchReason.STATUS, f"the status is {status}")
    # Decoding can make a gigabyte of a kilobyte. We asked for none of it.
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise FetchFailed(FetchReason.ENCODING, "the body is encoded although that was not asked for")
    if int(headers.get("content-length", "0")) > body_bytes:  # h11 lets only digits through, 20 at most
        raise FetchFailed(FetchReason.TOO_LARGE, f"more than {body_bytes} bytes are announced")


async def _read_body(response: httpx2.Response, body_bytes: int) -> bytes:
    body = bytearray()
    # The loop is never left: httpx2 forgets to close the generators below it, which trio
    # reports. A read that is cancelled ends them from within, so that is how to stop early.
    with anyio.CancelScope() as reading:
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > body_bytes:
                reading.cancel()
            # One read can bring ten thousand chunks, and taking those yields to nobody.
            await cancel_shielded_checkpoint()
    if len(body) > body_bytes:
        raise FetchFailed(FetchReason.TOO_LARGE, f"more than {body_bytes} bytes were sent")
    return bytes(body)


def _max_age_s(directives: list[str]) -> float | None:
    values: dict[str, str] = {}
    for directive in directives:
        name, _, value = directive.partition("=")
        values.setdefault(name.strip().lower(), value.strip().strip('"'))
    if "no-cache" in values or "no-store" in values:
        return 0.0
    age = values.get("max-age", "")
    return min(float(age), _LONGEST_AGE_S) if age.isascii() and age.isdigit() else None


def _context_for(url: str, verify: ssl.SSLContext | None) -> ssl.SSLContext:
    if url.startswith("http://"):
        # httpx2 wants one, and left alone loads the trust store. This one trusts nobody.
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if verify is None or verify.verify_mode is not ssl.CERT_REQUIRED or not verify.check_hostname:
        msg = "https needs a context that verifies certificate and host name: tls_context() makes one"
        raise ValueError(msg)
    return verify


def _tls_flaw(error: BaseException | None) -> str | None:
    """Find what TLS itself objected to. A handshake cut short is no objection.

    httpcore2 drops the cause when it re-raises but keeps the first exception as an argument.
    """
    while error is not None:
        if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return getattr(error, "verify_message", None) or error.reason or "the handshake failed"
        error = error.__cause__ or next((arg for arg in error.args if isinstance(arg, BaseException)), None)
    return None


def _plain_authority(parts: SplitResult) -> str | None:
    """Write host and port as a normal URL has them, or say that this host cannot be."""
    host = parts.hostname or ""
    port = "" if parts.port is None else f":{parts.port}"
    if _HOST_NAME.fullmatch(host):
        return host + port
    address = _address(host)
    if address is None or "%" in host:
        return None
    return f"{host}{port}" if address.version == 4 else f"[{host}]{port}"  # noqa: PLR2004


def _is_loopback(host: str) -> bool:
    address = _address(host)
    if isinstance(address, ipaddress.IPv4Address):
        return address in _LOOPBACK_4
    return address == _LOOPBACK_6 or host == "localhost"


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
