"""Where a token may be, seen from outside: carriers, two of them, sizes, and plain http."""

from __future__ import annotations

import pytest

from jwtguard import BEARER, Carrier, Endpoint, JWTGuardMiddleware, Mode, Reason, cookie
from jwtguard.core.endpoint import CarrierKind
from tests.kit.asgi_calls import Call, Fields, Probe, handshake, request
from tests.kit.guarded import Events, bearer, guard, optional, protected, public, token

pytestmark = pytest.mark.anyio

BARE, BAD_REQUEST, BAD_TOKEN = b"Bearer", b'Bearer error="invalid_request"', b'Bearer error="invalid_token"'


class Api:
    """A guarded application, what reached it, and why the rest did not."""

    def __init__(self, *endpoints: Endpoint, mode: Mode = Mode.PRODUCTION) -> None:
        self.probe = Probe()
        self.events = Events()
        self.app = JWTGuardMiddleware(self.probe, guard=guard(*endpoints, mode=mode, on_event=self.events))

    @property
    def reason(self) -> Reason | None:
        """Why the latest request was refused."""
        return self.events.reasons[-1]

    def assert_refused(self, call: Call, status: int, challenge: bytes, reason: Reason) -> None:
        """Check an answer, and that the application was never called."""
        assert (call.status, self.reason) == (status, reason)
        assert (call.header(b"www-authenticate") or b"").partition(b", error_description")[0] == challenge
        assert self.probe.scopes == []


@pytest.fixture
def api() -> Api:
    """One endpoint that takes a Bearer token, and one that also takes a cookie."""
    both = Endpoint(match=("/both",), accept=("access",), carriers=(BEARER, cookie("__Host-t")))
    only_cookie = Endpoint(match=("/cookie",), accept=("access",), carriers=(cookie("__Host-t"),))
    return Api(protected("/reports"), both, only_cookie, optional("/hello"))


def cookies(*pairs: tuple[str, bytes]) -> tuple[bytes, bytes]:
    """One Cookie field."""
    return b"cookie", b"; ".join(name.encode() + b"=" + value for name, value in pairs)


@pytest.mark.parametrize("where", ["x-access-token", "cookie", "proxy-authorization", "x-authorization"])
async def test_undeclared_places_are_not_looked_at(api: Api, where: str) -> None:
    """R-EXT-01: a valid token in a header or cookie that the policy does not name counts as none."""
    field = cookies(("__Host-t", token())) if where == "cookie" else (where.encode(), b"Bearer " + token())
    api.assert_refused(await request(api.app, "GET", "/reports", [field]), 401, BARE, Reason.MISSING_TOKEN)


async def test_a_declared_cookie_does_not_open_the_header(api: Api) -> None:
    """R-EXT-01: where only a cookie is declared, the Authorization header is not looked at."""
    call = await request(api.app, "GET", "/cookie", [bearer(token())])
    api.assert_refused(call, 401, BARE, Reason.MISSING_TOKEN)


async def test_only_the_exact_cookie_name(api: Api) -> None:
    """R-EXT-01: a cookie counts by its exact name, case included."""
    for name in ("__host-t", "t", "__Host-t2", "X__Host-t"):
        call = await request(api.app, "GET", "/cookie", [cookies((name, token()))])
        api.assert_refused(call, 401, BARE, Reason.MISSING_TOKEN)


async def test_a_declared_custom_header() -> None:
    """R-EXT-01: a policy may name another header, and then only that one is read."""
    custom = Carrier(CarrierKind.HEADER, "x-api-token", "token")
    api = Api(Endpoint(match=("/reports",), accept=("access",), carriers=(custom,)))
    api.assert_refused(await request(api.app, "GET", "/reports", [bearer(token())]), 401, BARE, Reason.MISSING_TOKEN)
    assert (await request(api.app, "GET", "/reports", [(b"x-api-token", b"Token " + token())])).status == 200


@pytest.mark.parametrize("query", [b"access_token=", b"token=", b"jwt=", b"authorization=Bearer%20"])
async def test_query_tokens_are_never_accepted(api: Api, query: bytes) -> None:
    """R-EXT-04: a token in the query is no credential, and does not show in an event."""
    call = await request(api.app, "GET", "/reports", query_string=query + token())
    api.assert_refused(call, 401, BARE, Reason.MISSING_TOKEN)
    assert token().decode().rpartition(".")[0] not in repr(api.events)


async def test_a_query_token_does_not_disturb_a_good_one(api: Api) -> None:
    """R-EXT-04: the query is not looked at, so it is no second credential either."""
    call = await request(api.app, "GET", "/reports", [bearer(token())], query_string=b"access_token=" + token())
    assert call.status == 200


@pytest.mark.parametrize("scheme", [b"Bearer", b"bearer", b"BEARER", b"bEaReR"])
@pytest.mark.parametrize("space", [b" ", b"    "])
async def test_scheme_without_case_and_spaces(api: Api, scheme: bytes, space: bytes) -> None:
    """R-EXT-02: the scheme is matched without case, and one or more spaces follow it."""
    assert (await request(api.app, "GET", "/reports", [(b"authorization", scheme + space + token())])).status == 200


@pytest.mark.parametrize("value", [b"Basic dXNlcjpwYXNz", b"DPoP a.b.c", b"Bearer2 a.b.c", b"a.b.c", b"", b"Bear er"])
async def test_schemes_that_are_none_of_ours(api: Api, value: bytes) -> None:
    """R-EXT-02: a credential of another scheme counts as none: bare challenge, no error code."""
    call = await request(api.app, "GET", "/reports", [(b"authorization", value)])
    api.assert_refused(call, 401, BARE, Reason.MISSING_TOKEN)


@pytest.mark.parametrize(
    "value",
    [
        b"Bearer",
        b"Bearer ",
        b"Bearer    ",
        b"Bearer %s x",
        b"Bearer %s,",
        b"Bearer %s, Bearer %s",
        b"Bearer %s\tx",
        b"Bearer , %s",
    ],
)
async def test_malformed_credentials(api: Api, value: bytes) -> None:
    """R-EXT-02: an empty credential, trailing data and commas are a malformed request, with a good token too."""
    call = await request(api.app, "GET", "/reports", [(b"authorization", value.replace(b"%s", token()))])
    api.assert_refused(call, 400, BAD_REQUEST, Reason.MALFORMED_CREDENTIALS)


GOOD, OTHER, JUNK = token(), token(sub="somebody-else"), b"junk"
TWO_CREDENTIALS: dict[str, list[tuple[bytes, bytes]]] = {
    "two headers": [bearer(GOOD), bearer(OTHER)],
    "the same header twice": [bearer(GOOD), bearer(GOOD)],
    "good, then junk": [bearer(GOOD), bearer(JUNK)],
    "junk, then good": [bearer(JUNK), bearer(GOOD)],
    "another scheme beside": [bearer(GOOD), (b"authorization", b"Basic dTpw")],
    "another scheme before": [(b"authorization", b"Basic dTpw"), bearer(GOOD)],
    "other casing": [bearer(GOOD), (b"Authorization", b"Bearer " + OTHER)],
    "other casing, reversed": [(b"AUTHORIZATION", b"Bearer " + OTHER), bearer(GOOD)],
    "header and cookie": [bearer(GOOD), cookies(("__Host-t", OTHER))],
    "cookie and header": [cookies(("__Host-t", OTHER)), bearer(GOOD)],
    "the same in header and cookie": [bearer(GOOD), cookies(("__Host-t", GOOD))],
    "cookie twice in one field": [cookies(("__Host-t", GOOD), ("a", b"1"), ("__Host-t", OTHER))],
    "cookie in two fields": [cookies(("__Host-t", GOOD)), cookies(("__Host-t", OTHER))],
    "cookie fields of other casing": [cookies(("__Host-t", GOOD)), (b"Cookie", b"__Host-t=" + OTHER)],
}


@pytest.mark.parametrize("case", TWO_CREDENTIALS)
async def test_two_credentials(api: Api, case: str) -> None:
    """F62, R-EXT-03: two credentials are refused whatever they are; none is picked."""
    call = await request(api.app, "GET", "/both", TWO_CREDENTIALS[case])
    api.assert_refused(call, 400, BAD_REQUEST, Reason.AMBIGUOUS_CREDENTIALS)


async def test_two_credentials_on_a_websocket(api: Api) -> None:
    """F62: a WebSocket handshake may not carry two either."""
    call = await handshake(api.app, "/reports", [bearer(GOOD), bearer(OTHER)])
    api.assert_refused(call, 400, BAD_REQUEST, Reason.AMBIGUOUS_CREDENTIALS)


async def test_an_optional_endpoint_picks_none_either(api: Api) -> None:
    """F62: where a token is optional, two of them are still refused, not taken for none."""
    call = await request(api.app, "GET", "/hello", [bearer(GOOD), bearer(OTHER)])
    api.assert_refused(call, 400, BAD_REQUEST, Reason.AMBIGUOUS_CREDENTIALS)


async def test_one_credential_among_other_fields(api: Api) -> None:
    """R-EXT-03: other cookies and fields are no second credential."""
    for headers in (
        [cookies(("a", b"1"), ("__Host-t", GOOD), ("b", b"2")), (b"x", b"y")],
        [bearer(GOOD), cookies(("a", b"1"))],
    ):
        assert (await request(api.app, "GET", "/both", headers)).status == 200


@pytest.mark.parametrize(
    ("length", "reason"), [(8192, Reason.MALFORMED), (8193, Reason.TOO_LARGE), (1 << 20, Reason.TOO_LARGE)]
)
async def test_header_token_length(api: Api, length: int, reason: Reason) -> None:
    """R-EXT-06, F51: a token of 8 KiB is parsed, a longer one is not."""
    call = await request(api.app, "GET", "/reports", [bearer(b"a" * length)])
    api.assert_refused(call, 401, BAD_TOKEN, reason)


@pytest.mark.parametrize(("length", "reason"), [(4096, Reason.MALFORMED), (4097, Reason.TOO_LARGE)])
async def test_cookie_length(api: Api, length: int, reason: Reason) -> None:
    """R-EXT-06: name and value of a cookie together may have 4096 bytes."""
    field = cookies(("__Host-t", b"a" * (length - len("__Host-t"))))
    api.assert_refused(await request(api.app, "GET", "/cookie", [field]), 401, BAD_TOKEN, reason)


@pytest.mark.parametrize("field", [(b"authorization", b"Basic " + b"a" * 100_000), (b"x-large", b"a" * 100_000)])
async def test_large_fields_that_are_none_of_ours(api: Api, field: tuple[bytes, bytes]) -> None:
    """R-EXT-06: the limit is on tokens; what is no token is left to the server's own limits."""
    call = await request(api.app, "GET", "/reports", [field])
    api.assert_refused(call, 401, BARE, Reason.MISSING_TOKEN)


PLAIN = [
    # mode, server, headers, status
    (Mode.PRODUCTION, "api.example.com", (), 400),
    (Mode.PRODUCTION, "127.0.0.1", (), 400),
    (Mode.PRODUCTION, "localhost", (), 400),
    (Mode.PRODUCTION, "api.example.com", ((b"x-forwarded-proto", b"https"), (b"forwarded", b"proto=https")), 400),
    (Mode.DEVELOPMENT, "api.example.com", (), 400),
    (Mode.DEVELOPMENT, "127.0.0.1.example.com", (), 400),
    (Mode.DEVELOPMENT, "10.0.0.1", ((b"host", b"localhost"), (b"x-forwarded-host", b"localhost")), 400),
    (Mode.DEVELOPMENT, "127.0.0.1", (), 200),
    (Mode.DEVELOPMENT, "localhost", (), 200),
    (Mode.DEVELOPMENT, "::1", (), 200),
]


@pytest.mark.parametrize(("mode", "server", "headers", "status"), PLAIN)
async def test_plain_http(mode: Mode, server: str, headers: Fields, status: int) -> None:
    """R-EXT-09, F59: plain http with a credential passes on loopback in development, and nowhere else."""
    api = Api(protected("/reports"), mode=mode)
    call = await request(api.app, "GET", "/reports", [*headers, bearer(token())], scheme="http", server=(server, 80))
    if status == 200:
        assert call.status == 200
    else:
        api.assert_refused(call, 400, BAD_REQUEST, Reason.INSECURE_TRANSPORT)


@pytest.mark.parametrize(("scheme", "status"), [("ws", 400), ("wss", 200), ("https", 200), ("", 400), ("httpS", 400)])
async def test_websocket_schemes(scheme: str, status: int) -> None:
    """R-EXT-09: a handshake with a credential needs wss; the scheme is the server's word, not guessed."""
    api = Api(protected("/feed"))
    call = await handshake(api.app, "/feed", [bearer(token())], scheme=scheme)
    assert call.types[0] == ("websocket.accept" if status == 200 else "websocket.http.response.start")
    assert api.reason is (None if status == 200 else Reason.INSECURE_TRANSPORT)


async def test_plain_http_without_a_credential() -> None:
    """R-EXT-09: without a credential there is nothing to protect: a bare 401, and public endpoints answer."""
    api = Api(protected("/reports"), public("/health"))
    assert (await request(api.app, "GET", "/health", scheme="http")).status == 200
    api.probe.scopes.clear()
    api.assert_refused(await request(api.app, "GET", "/reports", scheme="http"), 401, BARE, Reason.MISSING_TOKEN)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_cookies_on_safe_methods(api: Api, method: str) -> None:
    """R-STO-03: a declared cookie counts on GET and HEAD, which change nothing."""
    assert (await request(api.app, method, "/cookie", [cookies(("__Host-t", GOOD))])).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "QUERY"])
async def test_cookies_on_other_methods(api: Api, method: str) -> None:
    """R-STO-03, F63: elsewhere a cookie counts only in a request from our own pages."""
    forged = await request(api.app, method, "/cookie", [cookies(("__Host-t", GOOD))])
    assert (forged.status, forged.header(b"www-authenticate"), api.reason) == (403, None, Reason.CSRF)
    own = await request(api.app, method, "/cookie", [cookies(("__Host-t", GOOD)), (b"sec-fetch-site", b"same-origin")])
    assert own.status == 200


async def test_header_beside_a_cookie(api: Api) -> None:
    """R-EXT-03, R-STO-05: a header exempts from nothing while a cookie takes part: two credentials are an error."""
    call = await request(api.app, "POST", "/both", [bearer(GOOD), cookies(("__Host-t", OTHER))])
    assert (call.status, api.reason) == (400, Reason.AMBIGUOUS_CREDENTIALS)
    assert api.probe.scopes == []


async def test_cookie_on_a_websocket(api: Api) -> None:
    """R-EXT-12: a handshake with a token cookie needs an allowed origin."""
    call = await handshake(api.app, "/both", [cookies(("__Host-t", GOOD))])
    assert (call.status, call.header(b"www-authenticate"), api.reason) == (403, None, Reason.CSRF)
    assert api.probe.scopes == []


async def test_other_cookies_on_a_websocket(api: Api) -> None:
    """R-EXT-12: cookies that no policy declares for the endpoint do not disturb a handshake."""
    for path in ("/both", "/reports"):
        name = "session" if path == "/both" else "__Host-t"
        assert (await handshake(api.app, path, [bearer(GOOD), cookies((name, GOOD))])).types == ["websocket.accept"]
