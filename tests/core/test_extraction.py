"""Extraction: one credential, from the declared carriers, and from nowhere else (R-EXT-01 to R-EXT-09)."""

from __future__ import annotations

import time
from typing import Any

import pytest

from jwtguard import BEARER, Carrier, Limits, Mode, Reason, Refusal, cookie
from jwtguard.core.endpoint import CarrierKind, session_cookie
from jwtguard.core.extraction import extract
from jwtguard.core.policy import EndpointPolicy
from jwtguard.core.request import CookieToken, RequestHead, SessionName, Token
from tests.core.policies import policy, told

AUTH, COOKIE = b"authorization", b"cookie"
LIMITS = Limits()
DPOP = Carrier(CarrierKind.HEADER, "dpop-token", "dpop")
HEADER_ONLY = policy()
COOKIE_ONLY = policy(carriers=(cookie("at"),))
ANYWHERE = policy(carriers=(BEARER, DPOP, cookie("at"), cookie("bt")))
AMBIGUOUS, MALFORMED = Reason.AMBIGUOUS_CREDENTIALS, Reason.MALFORMED_CREDENTIALS


def head(*headers: tuple[bytes, bytes], method: str = "GET", scheme: str = "https", server: str = "") -> RequestHead:
    """A request with these header fields."""
    return RequestHead(method, "/x", headers, scheme, server)


def taken(policy: EndpointPolicy, *headers: tuple[bytes, bytes], **changes: Any) -> bytes | None:
    """Return the token of a request, or ``None``."""
    token = extract(policy, head(*headers, **changes), LIMITS, Mode.PRODUCTION)
    return token.reveal() if token is not None else None


def verdict(policy: EndpointPolicy, *headers: tuple[bytes, bytes], limits: Limits = LIMITS, **changes: Any) -> Reason:
    """Return why a request is refused."""
    return told(lambda: extract(policy, head(*headers, **changes), limits, Mode.PRODUCTION))[0]


@pytest.mark.parametrize(
    "value",
    [
        b"Bearer t.o.k",
        b"bearer t.o.k",
        b"BEARER t.o.k",
        b"bEaReR t.o.k",
        b"Bearer   t.o.k",
        b"  Bearer t.o.k",
        b"Bearer t.o.k  ",
        b"\tBearer t.o.k\t",
    ],
)
@pytest.mark.parametrize("name", [b"authorization", b"Authorization", b"AUTHORIZATION"])
def test_a_bearer_token(name: bytes, value: bytes) -> None:
    """R-EXT-02: field and scheme count in any case, with one or more spaces before the token."""
    assert taken(HEADER_ONLY, (name, value)) == b"t.o.k"


@pytest.mark.parametrize(
    "value",
    [
        b"Basic dXNlcjpwYXNz",
        b"Bearers t.o.k",
        b"Beare t.o.k",
        b"t.o.k",
        b"",
        b" ",
        b"Bearer\tt.o.k",
        b"Bearer:t.o.k",
        b"Bearer,t.o.k",
        b"DPoP t.o.k",
        b"\xe2\x80\x8bBearer t.o.k",
        b"XBearer t.o.k",
        b"\x0bBearer t.o.k",
        b"\nBearer t.o.k",
    ],
)
def test_another_scheme_is_no_credential(value: bytes) -> None:
    """R-EXT-01: a scheme that is none of ours counts as no credential at all."""
    assert taken(HEADER_ONLY, (AUTH, value)) is None


@pytest.mark.parametrize(
    "value",
    [
        b"Bearer",
        b"Bearer ",
        b"Bearer    ",
        b"Bearer t.o.k x",
        b"Bearer t.o.k,",
        b"Bearer ,t.o.k",
        b"Bearer t.o.k, Bearer t.o.k",
        b"Bearer t.o\tk",
        b"Bearer \tt.o.k",
        b"Bearer t.o.k Bearer t.o.k",
    ],
)
def test_a_credential_is_exactly_one_token(value: bytes) -> None:
    """R-EXT-02: an empty credential, trailing data or a comma is refused, and not repeated in the refusal."""
    refused = told(lambda: extract(HEADER_ONLY, head((AUTH, value)), LIMITS, Mode.PRODUCTION))
    assert refused == (MALFORMED, "credential", "exactly one token", None)


def test_a_token_is_taken_as_it_is() -> None:
    """R-EXT-02: nothing but spaces and tabs around a token is taken off."""
    for token in (b"X.o.X", b"=.=", b'"t.o.k"', b"\x0bt\x0c", b"Bearer", b"t" * 1000):
        assert taken(HEADER_ONLY, (AUTH, b" \tBearer  " + token + b" \t")) == token
        assert taken(COOKIE_ONLY, (COOKIE, b" \tat=" + token + b" \t;")) == token


@pytest.mark.parametrize(
    "field",
    [
        (b"x-authorization", b"Bearer t.o.k"),
        (b"proxy-authorization", b"Bearer t.o.k"),
        (b"authorizatiom", b"Bearer t.o.k"),
        (b"x-access-token", b"t.o.k"),
        (b"cookie", b"at=t.o.k"),
        (b"cookie", b"authorization=Bearer t.o.k"),
        (b"query", b"access_token=t.o.k"),
    ],
)
def test_an_undeclared_place_is_not_read(field: tuple[bytes, bytes]) -> None:
    """R-EXT-01, R-EXT-04: a valid token in any undeclared place counts as no credential."""
    assert taken(HEADER_ONLY, field) is None
    assert taken(HEADER_ONLY, field, (AUTH, b"Bearer m.i.n")) == b"m.i.n"


def test_another_header_may_be_declared() -> None:
    """R-EXT-01: a declared field has a scheme of its own, and the usual one is then not read."""
    only = policy(carriers=(DPOP,))
    assert taken(only, (b"DPoP-Token", b"DPoP t.o.k")) == b"t.o.k"
    assert taken(only, (b"dpop-token", b"Bearer t.o.k")) is None
    assert taken(only, (AUTH, b"Bearer t.o.k")) is None
    assert taken(ANYWHERE, (AUTH, b"DPoP t.o.k"), (b"dpop-token", b"dpop d.p.p")) == b"d.p.p"


def test_no_header_at_all() -> None:
    """R-EXT-01: without any field there is no credential."""
    assert taken(ANYWHERE) is None


@pytest.mark.parametrize(
    ("value", "token"),
    [
        (b"at=t.o.k", b"t.o.k"),
        (b"a=1; at=t.o.k; b=2", b"t.o.k"),
        (b"at=t.o.k;b", b"t.o.k"),
        (b";; \tat=t.o.k\t ;", b"t.o.k"),
        (b"at=t=o=k", b"t=o=k"),
        (b'at="t.o.k"', b'"t.o.k"'),
        (b"AT=t.o.k", None),
        (b"at", None),
        (b"xat=t.o.k", None),
        (b"at =t.o.k", None),
        (b"Xat=t.o.k", None),
        (b"\x0bat=t.o.k", None),
        (b"at%20=t.o.k", None),
        (b"bt=t.o.k", None),
        (b"a=1, at=t.o.k", None),
        (b"", None),
        (b"at; =t.o.k", None),
    ],
)
def test_a_cookie(value: bytes, token: bytes | None) -> None:
    """R-EXT-01: a cookie is read by its exact name, and its value is taken as it is."""
    assert taken(COOKIE_ONLY, (COOKIE, value)) == token
    assert taken(COOKIE_ONLY, (COOKIE, value), method="HEAD") == token


def test_an_empty_cookie_is_malformed() -> None:
    """R-EXT-02: a declared cookie without a value is a credential gone wrong."""
    refused = told(lambda: extract(COOKIE_ONLY, head((COOKIE, b"at=")), LIMITS, Mode.PRODUCTION))
    assert refused == (MALFORMED, "cookie", "a token", None)


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS", "WEBSOCKET"])
def test_a_cookie_says_so(method: str) -> None:
    """R-STO-05: a token from a cookie is told from one of a header by its type, whatever the method."""
    assert (
        type(extract(COOKIE_ONLY, head((COOKIE, b"at=t.o.k"), method=method), LIMITS, Mode.PRODUCTION)) is CookieToken
    )
    assert type(extract(ANYWHERE, head((AUTH, b"Bearer t.o.k"), method=method), LIMITS, Mode.PRODUCTION)) is Token


def test_a_session_says_so() -> None:
    """R-STO-10: the name of a session is no token, and is told from one by its type."""
    named = policy(carriers=(session_cookie("sid"),))
    found = extract(named, head((COOKIE, b"sid=4711")), LIMITS, Mode.PRODUCTION)
    assert type(found) is SessionName
    assert found.reveal() == b"4711"


def test_other_cookies_do_not_close_a_websocket() -> None:
    """R-EXT-12: a handshake with cookies that are none of ours is judged by its header."""
    for other in (b"theme=dark", b"theme=at", b"bta=x", b"at; bt"):
        assert taken(ANYWHERE, (COOKIE, other), (AUTH, b"Bearer t.o.k"), method="WEBSOCKET") == b"t.o.k"
    assert taken(HEADER_ONLY, (COOKIE, b"at=t.o.k"), method="WEBSOCKET") is None


@pytest.mark.parametrize(
    "headers",
    [
        [(AUTH, b"Bearer t.o.k"), (AUTH, b"Bearer t.o.k")],
        [(b"Authorization", b"Bearer t.o.k"), (b"AUTHORIZATION", b"Bearer other")],
        [(AUTH, b"Bearer t.o.k"), (AUTH, b"Basic dTpw")],
        [(AUTH, b"Basic dTpw"), (AUTH, b"Basic dTpw")],
        [(AUTH, b""), (AUTH, b"Bearer t.o.k")],
        [(b"dpop-token", b"x"), (b"dpop-token", b"y"), (AUTH, b"Bearer t.o.k")],
        [(COOKIE, b"at=t.o.k; at=t.o.k")],
        [(COOKIE, b"at=t.o.k; at=o.t.h; c=d")],
        [(COOKIE, b"at=t.o.k; bt=t.o.k")],
        [(COOKIE, b"at=t.o.k"), (COOKIE, b"at=t.o.k")],
        [(COOKIE, b"at=t.o.k"), (b"Cookie", b"bt=t.o.k")],
        [(COOKIE, b"at=t.o.k"), (AUTH, b"Bearer t.o.k")],
        [(AUTH, b"Bearer t.o.k"), (b"dpop-token", b"DPoP t.o.k")],
        [(AUTH, b"Bearer t.o.k")] * 3,
    ],
)
def test_two_credentials_are_never_a_choice(headers: list[tuple[bytes, bytes]]) -> None:
    """R-EXT-03, F62: two fields, two cookies or two carriers are ambiguous; equal or not, junk or not."""
    assert verdict(ANYWHERE, *headers) is AMBIGUOUS
    assert verdict(ANYWHERE, *reversed(headers)) is AMBIGUOUS


def test_ambiguity_is_counted() -> None:
    """R-EXT-03: the operator is told how many there were; the client and the log see none of them."""
    field, cookies = (AUTH, b"Bearer t.o.k"), (COOKIE, b"at=a; bt=b")
    several = told(lambda: extract(ANYWHERE, head(field, field, field), LIMITS, Mode.PRODUCTION))
    assert several == (AMBIGUOUS, "header field", "at most once", 3)
    together = told(lambda: extract(ANYWHERE, head(cookies, field), LIMITS, Mode.PRODUCTION))
    assert together == (AMBIGUOUS, "credentials", 1, 3)


@pytest.mark.parametrize(
    "headers",
    [
        [(COOKIE, b"a=1"), (COOKIE, b"at=t.o.k"), (COOKIE, b"b=2")],
        [(AUTH, b"Basic dTpw"), (COOKIE, b"at=t.o.k")],
        [(COOKIE, b"xat=o.t.h"), (AUTH, b"Bearer t.o.k")],
        [(b"dpop-token", b"Bearer o.t.h"), (AUTH, b"Bearer t.o.k")],
        [(b"x", b"y"), (AUTH, b"Bearer t.o.k"), (b"accept", b"*/*")],
    ],
)
def test_one_credential_among_other_fields(headers: list[tuple[bytes, bytes]]) -> None:
    """R-EXT-03: cookies may be spread over fields, and what is no credential takes no part."""
    assert taken(ANYWHERE, *headers) == b"t.o.k"
    assert taken(ANYWHERE, *reversed(headers)) == b"t.o.k"


def test_one_bad_credential_spoils_a_good_one() -> None:
    """R-EXT-03: a malformed credential beside a good one refuses the request."""
    assert verdict(ANYWHERE, (AUTH, b"Bearer"), (COOKIE, b"at=t.o.k")) is MALFORMED
    assert verdict(ANYWHERE, (AUTH, b"Bearer t.o.k"), (COOKIE, b"at=")) is MALFORMED


SMALL = Limits(token_bytes=100, cookie_bytes=10)


@pytest.mark.parametrize(
    ("value", "outcome"),
    [
        (b" " * 1024 + b"Basic x", Reason.TOO_LARGE),
        (b"Bearer " + b"t" * 157, None),
        (b"Bearer " + b"t" * 158, Reason.TOO_LARGE),
        (b"bearer " + b"," * 1000, Reason.TOO_LARGE),
        (b"\t  Bearer " + b"t" * 1000, Reason.TOO_LARGE),
    ],
)
def test_a_long_header(value: bytes, outcome: Reason | None) -> None:
    """R-EXT-06, F51: beyond the limit and the room for a scheme a field is refused before it is split."""
    request = head((AUTH, value))
    if outcome is None:
        token = extract(HEADER_ONLY, request, SMALL, Mode.PRODUCTION)
        assert token is not None
        assert len(token) == 157
    else:
        refused = told(lambda: extract(HEADER_ONLY, request, SMALL, Mode.PRODUCTION))
        assert refused == (outcome, "header length", 100, len(value))


@pytest.mark.parametrize("value", [b"Basic ", b"t", b"Bearer", b" " * 900 + b"B", b"XBearer ", b"\x0bBearer "])
def test_a_long_header_of_another_scheme(value: bytes) -> None:
    """R-EXT-06: a long field of a scheme that is none of ours is no credential, however long."""
    assert extract(HEADER_ONLY, head((AUTH, value + b"t" * 1000)), SMALL, Mode.PRODUCTION) is None


@pytest.mark.parametrize(
    ("value", "large"),
    [
        (b" " * 960 + b"Basic " + b"t" * 999, False),
        (b" " * 961 + b"Basic " + b"t" * 999, True),
        (b" " * 1019 + b"Basic", False),
        (b" " * 1020 + b"Basic", True),
        (b" " * 170 + b"Basic", False),
        (b" " * 170, True),
        (b" " * 2000, True),
    ],
)
def test_a_scheme_behind_many_spaces(value: bytes, large: bool) -> None:  # noqa: FBT001 - a column
    """F51, R-EXT-06: of a long field only the front is looked at; where that may hide the scheme it is too long."""
    request = head((AUTH, value))
    if large:
        assert verdict(HEADER_ONLY, (AUTH, value), limits=SMALL) is Reason.TOO_LARGE
    else:
        assert extract(HEADER_ONLY, request, SMALL, Mode.PRODUCTION) is None


@pytest.mark.parametrize(
    ("start", "fill", "outcome"),
    [(b"Bearer ", b",", Reason.TOO_LARGE), (b"Bearer ", b".", Reason.TOO_LARGE), (b"", b" ", Reason.TOO_LARGE)],
)
def test_a_huge_header_costs_nothing(start: bytes, fill: bytes, outcome: Reason | None) -> None:
    """F51: 64 MB of dots or commas are refused in far less time than one look at them takes."""
    request = head((AUTH, start + fill * 64_000_000))
    begin = time.perf_counter()
    for _ in range(100):
        try:
            assert extract(HEADER_ONLY, request, LIMITS, Mode.PRODUCTION) is None is outcome
        except Refusal as refusal:
            assert refusal.reason is outcome  # noqa: PT017 - one of the two, many times
    assert time.perf_counter() - begin < 0.5  # a single copy of one value takes about 10 ms


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        (b"at=tttttttt", True),
        (b"at=ttttttttt", False),
        (b"longer=t; at=tttttttt", True),
        (b"x=" + b"x" * 50 + b"; at=t.o.k", True),
        (b"x=" + b"x" * 149 + b";at=t.o.k", True),
        (b"x=" + b"x" * 150 + b";at=t.o.k", False),
    ],
)
def test_the_size_of_cookies(value: bytes, fits: bool) -> None:  # noqa: FBT001 - a column
    """R-EXT-06: name plus value of the cookie, and the whole field, stay within their limits."""
    if fits:
        assert extract(COOKIE_ONLY, head((COOKIE, value)), SMALL, Mode.PRODUCTION) is not None
    else:
        assert verdict(COOKIE_ONLY, (COOKIE, value), limits=SMALL) is Reason.TOO_LARGE


def test_the_size_of_all_cookies() -> None:
    """R-EXT-06: cookies spread over several fields are bounded together, and other fields are no cookies."""
    half, more = (COOKIE, b"x=" + b"x" * 78), (COOKIE, b"at=t" + b";" * 77)
    token = extract(ANYWHERE, head(half, (COOKIE, b"at=t" + b";" * 76)), SMALL, Mode.PRODUCTION)
    assert token is not None
    assert told(lambda: extract(ANYWHERE, head(half, more), SMALL, Mode.PRODUCTION)) == (
        Reason.TOO_LARGE, "cookie field length", 160, 161,
    )  # fmt: skip
    long = (AUTH, b"Bearer " + b"t" * 100)
    assert extract(ANYWHERE, head(half, (COOKIE, b"y=" + b"y" * 78), long), SMALL, Mode.PRODUCTION) is not None


def test_a_large_cookie_is_told_by_its_size() -> None:
    """R-EXT-06: the operator sees the limit and the size, of the cookie or of the whole field."""
    one = told(lambda: extract(COOKIE_ONLY, head((COOKIE, b"at=" + b"t" * 9)), SMALL, Mode.PRODUCTION))
    assert one == (Reason.TOO_LARGE, "cookie length", 10, 11)
    whole = told(lambda: extract(COOKIE_ONLY, head((COOKIE, b"a" * 161)), SMALL, Mode.PRODUCTION))
    assert whole == (Reason.TOO_LARGE, "cookie field length", 160, 161)


@pytest.mark.parametrize("scheme", ["https", "wss"])
@pytest.mark.parametrize("mode", list(Mode))
def test_encrypted_transport(scheme: str, mode: Mode) -> None:
    """R-EXT-09: over TLS a credential counts, whatever the server is called."""
    request = head((AUTH, b"Bearer t.o.k"), scheme=scheme, server="api.example.com")
    assert extract(HEADER_ONLY, request, LIMITS, mode) is not None


@pytest.mark.parametrize("scheme", ["http", "ws", "", "HTTPS", "httpss", "ftp"])
@pytest.mark.parametrize("server", ["localhost", "127.0.0.1", "api.example.com", ""])
def test_plain_transport_in_production(scheme: str, server: str) -> None:
    """R-EXT-09: in production a credential in plain text is refused, loopback included."""
    request = head((AUTH, b"Bearer t.o.k"), scheme=scheme, server=server)
    refused = told(lambda: extract(HEADER_ONLY, request, LIMITS, Mode.PRODUCTION))
    assert refused == (Reason.INSECURE_TRANSPORT, "scheme", "https or wss", scheme)


@pytest.mark.parametrize(
    ("server", "local"),
    [
        ("localhost", True),
        ("testserver", True),
        ("test", True),
        ("::1", True),
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("", False),
        ("api.example.com", False),
        ("localhost.example.com", False),
        ("128.0.0.1", False),
        ("127.example.com", False),
        ("127", False),
        ("10.127.0.1", False),
        ("0.0.0.0", False),  # noqa: S104 - a name in a scope, nothing is bound
    ],
)
def test_plain_transport_in_development(server: str, local: bool) -> None:  # noqa: FBT001 - a column
    """R-EXT-09: the development profile exempts loopback and test hosts, and nobody else."""
    request = head((AUTH, b"Bearer t.o.k"), scheme="http", server=server)
    if local:
        assert extract(HEADER_ONLY, request, LIMITS, Mode.DEVELOPMENT) is not None
    else:
        assert told(lambda: extract(HEADER_ONLY, request, LIMITS, Mode.DEVELOPMENT))[0] is Reason.INSECURE_TRANSPORT


def test_headers_do_not_encrypt() -> None:
    """R-EXT-09, F59: no forwarding header makes plain transport pass for encrypted, or a host for loopback."""
    claims = [(b"x-forwarded-proto", b"https"), (b"forwarded", b"proto=https"), (b"host", b"localhost")]
    assert verdict(HEADER_ONLY, *claims, (AUTH, b"Bearer t.o.k"), scheme="http") is Reason.INSECURE_TRANSPORT


def test_plain_transport_without_a_credential() -> None:
    """R-EXT-09: what carries no credential is not refused for its transport."""
    assert taken(HEADER_ONLY, scheme="http") is None
    assert taken(HEADER_ONLY, (AUTH, b"Basic dTpw"), scheme="http") is None


@pytest.mark.parametrize("count", [512, 513, 5000])
def test_many_cookies_of_others_are_no_credential(count: int) -> None:
    """R-EXT-06: how many cookies a field may hold counts only where one of them could be ours."""
    others = b"; ".join([b"x=1"] * (count + 1))
    assert extract(COOKIE_ONLY, head((COOKIE, others)), LIMITS, Mode.PRODUCTION) is None
    if count > 512:
        assert told(lambda: extract(COOKIE_ONLY, head((COOKIE, others + b"; at=t")), LIMITS, Mode.PRODUCTION))[0] is (
            Reason.TOO_LARGE
        )
