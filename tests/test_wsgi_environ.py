"""How an environ is read: path, method, header fields, scheme, and who is local."""

from __future__ import annotations

import pytest

from jwtguard import BEARER, Endpoint, Guard, Mode, Reason, cookie
from jwtguard.incoming import head_of_environ
from jwtguard.wsgi import JWTGuardWSGI
from tests.kit.guarded import Events, bearer, guard, protected, public, token
from tests.kit.wsgi_calls import WsgiProbe, environ_of, request, run

GOOD = token()


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("/reports/7", "/reports/7"),
        ("/caf%C3%A9", "/caf\u00e9"),
        ("/a%2Fb", "/a/b"),
        ("/a%00b", "/a\x00b"),
        ("/%E2%82%AC", "/\u20ac"),
        ("", "/"),
    ],
)
def test_the_path_is_utf_8(sent: str, read: str) -> None:
    """F60: the path is decided as frameworks route it: the bytes of PATH_INFO as UTF-8, an empty one as the root."""
    assert head_of_environ(environ_of("GET", sent)).path == read


@pytest.mark.parametrize("sent", ["/%FF", "/reports/%C3", "/%C3%28", "/%ED%A0%80"])
@pytest.mark.parametrize("key", ["PATH_INFO", "SCRIPT_NAME"])
def test_what_is_no_utf_8_is_covered_by_nothing(sent: str, key: str) -> None:
    """F60: bytes that frameworks would each replace in their own way match no policy, not even one for everything."""
    events = Events()
    app = JWTGuardWSGI(WsgiProbe(), guard=guard(public("/**"), on_event=events))
    broken = environ_of("GET", sent)["PATH_INFO"]
    assert run(app, environ_of("GET", "/") | {key: broken}).status == 403
    assert run(app, environ_of("GET", "/") | {key: "/\u20ac"}).status == 403, "no server writes that either"
    assert events.reasons == [Reason.NO_POLICY] * 2


def test_script_name_is_not_part_of_the_path() -> None:
    """F60: servers and mounts take SCRIPT_NAME off PATH_INFO; it decides nothing, and is not taken off again."""
    app = JWTGuardWSGI(WsgiProbe(), guard=guard(public("/api/open"), protected("/open")))
    assert request(app, "GET", "/open", SCRIPT_NAME="/api").status == 401
    assert request(app, "GET", "/api/open", SCRIPT_NAME="/api").status == 200
    assert head_of_environ(environ_of("GET", "/open", SCRIPT_NAME="/api")).root_path == "/api"


@pytest.mark.parametrize(
    "path", ["//reports", "/./reports", "/x/../reports", "/reports%0A", "reports", "*", "/\\reports"]
)
def test_paths_of_two_readings_are_refused(path: str) -> None:
    """F60: a path that frameworks route as ``/reports``, or not, is not let in by a policy for everything else."""
    app = JWTGuardWSGI(WsgiProbe(), guard=guard(public("/**"), protected("/reports")))
    assert request(app, "GET", path).status == 403


@pytest.mark.parametrize("method", ["get", "Get", "WEBSOCKET", "", "GET "])
def test_odd_methods_are_covered_by_nothing(method: str) -> None:
    """F60: Werkzeug upper-cases methods and servers do not: only upper case has a policy."""
    app = JWTGuardWSGI(WsgiProbe(), guard=guard(public("GET /x"), public("WEBSOCKET /x")))
    assert request(app, method, "/x").status == 403


@pytest.mark.parametrize("upgrade", [b"websocket", b"WebSocket", b"h2c, websocket"])
def test_a_websocket_is_not_a_get(upgrade: bytes) -> None:
    """F61: what some WSGI applications take for a handshake needs one policy for GET and WEBSOCKET."""
    fields = [(b"connection", b"Upgrade"), (b"upgrade", upgrade)]
    app = JWTGuardWSGI(WsgiProbe(), guard=guard(public("GET /page"), public("GET /feed", "WEBSOCKET /feed")))
    assert request(app, "GET", "/page", fields).status == 403
    assert request(app, "GET", "/feed", fields).status == 200
    assert request(app, "GET", "/feed").status == 200
    assert request(app, "GET", "/page", [(b"upgrade", b"h2c")]).status == 200
    two = JWTGuardWSGI(WsgiProbe(), guard=guard(public("GET /feed"), public("WEBSOCKET /feed")))
    assert request(two, "GET", "/feed", fields).status == 403, "by which of the two policies?"
    assert request(two, "GET", "/feed").status == 200


def reason(policy: Guard, events: Events, *fields: tuple[bytes, bytes], comma: str = ",") -> Reason | None:
    """Why a request with these fields is refused."""
    status = request(JWTGuardWSGI(WsgiProbe(), guard=policy), "GET", "/reports", fields, comma=comma).status
    assert (status == 200) is (events.reasons[-1] is None)
    return events.reasons[-1]


AUTH = b"Authorization"
ONE, TWO = b"Bearer " + GOOD, b"Bearer " + token(sub="eve")


@pytest.mark.parametrize(
    "fields",
    [
        [(AUTH, ONE), (AUTH, TWO)],
        [(AUTH, ONE), (AUTH, ONE)],
        [(AUTH, b"Basic dTpw"), (b"authorization", ONE)],
        [(AUTH, ONE), (AUTH, b"Basic dTpw")],
        [(AUTH, b"Digest a=b, c=d"), (AUTH, ONE)],
        [(AUTH, b"Bearer x.y.z"), (AUTH, ONE), (AUTH, TWO)],
    ],
)
def test_joined_credentials_are_ambiguous(fields: list[tuple[bytes, bytes]]) -> None:
    """F62: two fields that the server joined are two candidates, whatever either of them is."""
    events = Events()
    assert reason(guard(protected("/reports"), on_event=events), events, *fields) is Reason.AMBIGUOUS_CREDENTIALS


@pytest.mark.parametrize("first", [b"Bearer x.y.z", ONE])
def test_joined_with_a_space_they_are_malformed(first: bytes) -> None:
    """F62: waitress joins as a client would write it: no candidate counts either, and the answer is the same."""
    events = Events()
    policy = guard(protected("/reports"), on_event=events)
    assert reason(policy, events, (AUTH, first), (AUTH, ONE), comma=", ") is Reason.MALFORMED_CREDENTIALS


@pytest.mark.parametrize("value", [b'Digest username="u",realm="r", nonce = "n"', b"Digest a=b,c =d,e= f"])
def test_parameters_are_no_credentials(value: bytes) -> None:
    """R-EXT-14: the commas inside one credential of another scheme do not make it two."""
    events = Events()
    assert reason(guard(protected("/reports"), on_event=events), events, (AUTH, value)) is Reason.MISSING_TOKEN


def test_cookies_are_never_taken_apart_at_a_comma() -> None:
    """F63: what stands behind a comma in a cookie's value is no cookie, wherever it came from."""
    events = Events()
    endpoint = Endpoint(match=("/reports",), accept=("access",), carriers=(BEARER, cookie("token")))
    policy = guard(endpoint, on_event=events)
    assert reason(policy, events, (b"cookie", b"theme=dark,token=" + GOOD)) is Reason.MISSING_TOKEN
    assert reason(policy, events, (b"cookie", b"token=" + GOOD + b",Bearer x")) is Reason.MALFORMED
    assert reason(policy, events, (b"cookie", b"theme=x,Bearer y"), (b"cookie", b"token=" + GOOD)) is None
    assert reason(policy, events, (b"cookie", b"token=" + GOOD), bearer(GOOD)) is Reason.AMBIGUOUS_CREDENTIALS


@pytest.mark.parametrize("name", [b"http_authorization", b"x-authorization", b"proxy-authorization", b"http-cookie"])
def test_other_fields_carry_nothing(name: bytes) -> None:
    """F59: a field whose name only resembles the carrier's is not looked at."""
    events = Events()
    assert reason(guard(protected("/reports"), on_event=events), events, (name, ONE)) is Reason.MISSING_TOKEN


HEADERS = {
    b"host": b"localhost",
    b"x-forwarded-proto": b"https",
    b"x-forwarded-for": b"127.0.0.1",
    b"forwarded": b"for=127.0.0.1;proto=https",
    b"x-original-url": b"/health",
    b"x-rewrite-url": b"/health",
    b"x-http-method-override": b"OPTIONS",
    b"X_Forwarded_User": b"root",
    b"script_name": b"/health",
    b"connection": b"authorization",
}


@pytest.mark.parametrize("name", HEADERS)
def test_fields_change_no_decision(name: bytes) -> None:
    """F59: no header field of a request but its credential changes what is decided."""
    app = JWTGuardWSGI(WsgiProbe(), guard=guard(protected("/reports"), public("/health"), mode=Mode.DEVELOPMENT))
    field = (name, HEADERS[name])
    assert request(app, "GET", "/reports", [field]).status == 401
    assert request(app, "GET", "/reports", [bearer(GOOD), field]).status == 200
    plain = request(app, "GET", "/reports", [bearer(GOOD), field], wsgi__url_scheme="http")
    assert (plain.status, b"invalid_request" in plain.body) == (400, True)


@pytest.mark.parametrize(
    ("peer", "mode", "status"),
    [
        ("127.0.0.1", Mode.DEVELOPMENT, 200),
        ("::1", Mode.DEVELOPMENT, 200),
        ("127.0.0.1", Mode.PRODUCTION, 400),
        ("192.0.2.7", Mode.DEVELOPMENT, 400),
        ("", Mode.DEVELOPMENT, 400),
    ],
)
def test_plain_http_is_for_development_on_loopback(peer: str, mode: Mode, status: int) -> None:
    """R-EXT-09: who is local is told by the peer's address: SERVER_NAME may have been made of the Host field."""
    app = JWTGuardWSGI(WsgiProbe(), guard=guard(protected("/reports"), mode=mode))
    changes = {"SERVER_NAME": "localhost", "REMOTE_ADDR": peer, "wsgi__url_scheme": "http"}
    assert request(app, "GET", "/reports", [bearer(GOOD)], **changes).status == status


def test_text_no_server_writes_is_no_crash() -> None:
    """F66: header text beyond latin-1, which only a broken server or test client hands over, is refused."""
    app = JWTGuardWSGI(WsgiProbe(), guard=guard(protected("/reports")))
    environ = environ_of("GET", "/reports") | {"HTTP_AUTHORIZATION": "Bearer " + GOOD.decode() + "\u20ac"}
    assert run(app, environ).status == 401
