"""Whether a request that a browser attached a cookie to comes from our own pages (R-STO-03 to R-STO-06).

Only credentials from cookies come here: a header is never attached by itself (R-STO-05). An ``Origin`` on the
endpoint's list passes. Otherwise Fetch Metadata decides where the browser sends it, and
``Referer`` where it sends neither; with none of them the answer is no. A safe method changes nothing, so it passes
unless a foreign page is known to have sent it. A WebSocket handshake is read by its page, so its ``Origin`` must be
on the list (R-EXT-12).
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence

from jwtguard.core.endpoint import Csrf
from jwtguard.core.origins import origin_of
from jwtguard.core.policy import EndpointPolicy
from jwtguard.core.request import CookieToken, RequestHead
from jwtguard.errors import Reason, Refusal

CSRF_HEADER = b"x-csrf-token"
_SITE, _MODE, _DEST, _ORIGIN, _REFERER = b"sec-fetch-site", b"sec-fetch-mode", b"sec-fetch-dest", b"origin", b"referer"
_READ = frozenset({_SITE, _MODE, _DEST, _ORIGIN, _REFERER, CSRF_HEADER})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})  # RFC 9110, section 9.2.1
_OURS = frozenset({b"same-origin", b"none"})  # "none": typed, bookmarked, opened from outside of any page
_CONTEXT = b"jwtguard csrf token\0"


def check_csrf(policy: EndpointPolicy, head: RequestHead, token: CookieToken, keys: Sequence[bytes]) -> None:
    """Refuse a request that a foreign page could have made the browser send.

    Args:
        policy: The endpoint's policy: the origins it trusts, and whether links may lead to it.
        head: The request.
        token: The credential that came in a cookie.
        keys: The secrets of double-submit tokens.

    Raises:
        Refusal: ``CSRF``.
    """
    seen = _fields(head)
    if head.method == "WEBSOCKET":
        if seen.get(_ORIGIN) not in policy.origins:
            raise Refusal(Reason.CSRF, "origin", sorted(policy.origins), seen.get(_ORIGIN))
    elif head.method in _SAFE:
        _check_safe(policy, head, seen)
    else:
        _check_unsafe(policy, seen)
        if policy.csrf is Csrf.DOUBLE_SUBMIT and not _submitted(seen, token, keys):
            raise Refusal(Reason.CSRF, "x-csrf-token", "the token of this session", None)


def _check_safe(policy: EndpointPolicy, head: RequestHead, seen: Mapping[bytes, bytes]) -> None:
    site, origin = seen.get(_SITE), seen.get(_ORIGIN)
    if origin in policy.origins or site in _OURS or (site is None and origin is None):
        return
    if not (policy.navigable and _leads_here(head, seen)):
        raise Refusal(Reason.CSRF, "sec-fetch-site", "same-origin, none, or a link to a navigable page", site or origin)


def _check_unsafe(policy: EndpointPolicy, seen: Mapping[bytes, bytes]) -> None:
    site, origin = seen.get(_SITE), seen.get(_ORIGIN)
    if site == b"same-origin" or origin in policy.origins:
        return
    if site is not None:
        raise Refusal(Reason.CSRF, "sec-fetch-site", "same-origin, or a trusted origin", site)
    if origin is not None or _referring(seen) not in policy.origins:
        raise Refusal(Reason.CSRF, "origin or referer", sorted(policy.origins), origin or seen.get(_REFERER))


def csrf_token(key: bytes, digest: bytes) -> str:
    """Make the double-submit token of a session, bound to the token in its cookie.

    Args:
        key: A secret of at least 32 bytes.
        digest: The SHA-256 of the token in the cookie.
    """
    mac = hmac.digest(key, _CONTEXT + digest, "sha256")
    return urlsafe_b64encode(mac).rstrip(b"=").decode("ascii")


def _fields(head: RequestHead) -> Mapping[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for raw_name, value in head.headers:
        name = raw_name.lower()
        if name in _READ:
            if name in found:
                raise Refusal(Reason.CSRF, name.decode(), "at most once", 2)
            found[name] = value.strip(b" \t")
    return found


def _leads_here(head: RequestHead, seen: Mapping[bytes, bytes]) -> bool:
    """Whether the user follows a link, in a window of its own: no frame, no fetch, no image."""
    return head.method == "GET" and seen.get(_MODE) == b"navigate" and seen.get(_DEST) == b"document"


def _referring(seen: Mapping[bytes, bytes]) -> bytes | None:
    origin = origin_of(seen.get(_REFERER, b"").decode("latin-1"))
    return origin.encode() if origin else None


def _submitted(seen: Mapping[bytes, bytes], token: CookieToken, keys: Sequence[bytes]) -> bool:
    given, digest = seen.get(CSRF_HEADER, b""), token.digest()
    found = False
    for key in keys:  # all of them, so that the time taken does not tell which
        found |= hmac.compare_digest(given, csrf_token(key, digest).encode())
    return found
