"""Take the one credential from the declared carriers, and from nowhere else (R-EXT-01 to R-EXT-09).

Two candidates are an error, never a choice, also if one of them is junk. Sizes are checked before
anything is split. What came in a cookie says so by its type: it needs the csrf stage.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jwtguard.core.limits import Limits
from jwtguard.core.policy import EndpointPolicy, Mode
from jwtguard.core.request import CookieToken, RequestHead, SessionName, Token
from jwtguard.errors import Reason, Refusal

_SECURE = frozenset({"https", "wss"})
_TEST_HOSTS = frozenset({"localhost", "testserver", "test", "::1"})
_COOKIES = 16  # of full size, in all cookie fields of a request
_SPACE, _COMMA, _TAB, _SEMICOLON = b" ,\t;"
_PAIRS = 512  # browsers keep fewer; taking more apart would hold up the event loop
_SCHEME_BYTES = 64  # more than any auth scheme and the space around it
_FRONT_BYTES = 1024  # where a scheme is looked for in a field that is too long


def extract(policy: EndpointPolicy, head: RequestHead, limits: Limits, mode: Mode) -> Token | None:
    """Return the request's token, or ``None`` without a credential of a declared scheme or name.

    Raises:
        Refusal: ``AMBIGUOUS_CREDENTIALS``, ``MALFORMED_CREDENTIALS``, ``TOO_LARGE`` or
            ``INSECURE_TRANSPORT`` in production without https.
    """
    found: list[tuple[bytes, bytes]] = []
    fields, lengths = policy.fields, policy.field_lengths
    for raw_name, value in head.headers:
        if len(raw_name) in lengths:
            name = raw_name.lower()
            if name in fields:
                found.append((name, value))
    if len(found) == 1 and found[0][0] != b"cookie":
        tokens: Sequence[Token] = _from_header(fields[found[0][0]], limits, found[0][1])
    else:
        tokens = _from_several(policy, limits, found)
    if not tokens:
        return None
    if len(tokens) > 1:
        raise Refusal(Reason.AMBIGUOUS_CREDENTIALS, "credentials", 1, len(tokens))
    if head.scheme not in _SECURE:
        _check_exempt(head, mode)
    return tokens[0]


def _from_several(policy: EndpointPolicy, limits: Limits, found: Sequence[tuple[bytes, bytes]]) -> Sequence[Token]:
    """Look into every field; only cookies may be spread over several (RFC 9113, section 8.2.3)."""
    _check_cookie_bytes(limits, sum(len(value) for name, value in found if name == b"cookie"))
    fields = [name for name, _ in found if name != b"cookie"]
    if len(set(fields)) < len(fields):
        raise Refusal(Reason.AMBIGUOUS_CREDENTIALS, "header field", "at most once", len(fields))
    tokens: list[Token] = []
    for name, value in found:
        if name == b"cookie":
            tokens.extend(_from_cookies(policy, limits, value))
        else:
            tokens.extend(_from_header(policy.fields[name], limits, value))
    return tokens


def _from_header(scheme: bytes, limits: Limits, value: bytes) -> tuple[Token, ...]:
    if len(value) > limits.token_bytes + _SCHEME_BYTES:
        # Only the front is looked at: the rest may be megabytes.
        front = value[:_FRONT_BYTES].lstrip(b" \t")
        cut = len(value) > _FRONT_BYTES and len(front) < _SCHEME_BYTES
        if not front or cut or front.partition(b" ")[0].lower() == scheme:
            raise Refusal(Reason.TOO_LARGE, "header length", limits.token_bytes, len(value))
        return ()
    given, _, credential = value.strip(b" \t").partition(b" ")
    if given.lower() != scheme:
        return ()
    credential = credential.lstrip(b" ")
    # Single bytes are looked for by memchr, substrings are not: a microsecond on every request.
    if not credential or _SPACE in credential or _COMMA in credential or _TAB in credential:
        raise Refusal(Reason.MALFORMED_CREDENTIALS, "credential", "exactly one token", None)
    return (Token(credential),)


def _from_cookies(policy: EndpointPolicy, limits: Limits, value: bytes) -> tuple[CookieToken, ...]:
    _check_cookie_bytes(limits, len(value))
    if not any(name in value for name in policy.cookies):
        return ()
    if value.count(_SEMICOLON) > _PAIRS:
        raise Refusal(Reason.TOO_LARGE, "cookies in one field", _PAIRS, value.count(_SEMICOLON))
    pairs = (pair.strip(b" \t").partition(b"=") for pair in _split(value))
    ours = [(name, content) for name, equals, content in pairs if equals and name in policy.cookies]
    for name, content in ours:
        if len(name) + len(content) > limits.cookie_bytes:
            raise Refusal(Reason.TOO_LARGE, "cookie length", limits.cookie_bytes, len(name) + len(content))
        if not content:
            raise Refusal(Reason.MALFORMED_CREDENTIALS, "cookie", "a token", None)
    return tuple(SessionName(content) if name in policy.sessions else CookieToken(content) for name, content in ours)


def _split(value: bytes) -> Iterator[bytes]:
    """Take a cookie field apart piece by piece: a list of all pieces may be a hundred times its size."""
    start = 0
    while (end := value.find(b";", start)) >= 0:
        yield value[start:end]
        start = end + 1
    yield value[start:]


def _check_cookie_bytes(limits: Limits, size: int) -> None:
    allowed = limits.cookie_bytes * _COOKIES
    if size > allowed:
        raise Refusal(Reason.TOO_LARGE, "cookie field length", allowed, size)


def _check_exempt(head: RequestHead, mode: Mode) -> None:
    local = head.server in _TEST_HOSTS or (head.server.startswith("127.") and head.server.replace(".", "").isdigit())
    if mode is Mode.PRODUCTION or not local:
        raise Refusal(Reason.INSECURE_TRANSPORT, "scheme", "https or wss", head.scheme)
