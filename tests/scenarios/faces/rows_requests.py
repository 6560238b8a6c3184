"""The table, third part: methods, paths, and fields by which clients try to choose them (F59 to F61)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from jwtguard import Reason
from tests.scenarios.faces import tokens
from tests.scenarios.faces.places import APP
from tests.scenarios.faces.row import (
    UNROUTED,
    Elsewhere,
    Fields,
    Other,
    Row,
    Sent,
    Trait,
    Unlike,
    allowed,
    refused,
)
from tests.scenarios.faces.rows_tokens import READ, with_token
from tests.scenarios.faces.tokens import GOOD, WRITER, in_jar
from tests.scenarios.faces.told import (
    BAD_REQUEST,
    BAD_TOKEN,
    FORBIDDEN,
    METADATA,
    OTHER_METHOD,
    PREFLIGHT,
    no_credential,
    too_little,
)

_NOT_HTTP: Final = Elsewhere(frozenset({400, 405, 501}), "gunicorn refuses it: no HTTP")
LURES: Final[dict[str, Fields]] = {
    "X-Forwarded-Host": ((b"X-Forwarded-Host", b"localhost"), (b"X-Forwarded-Server", b"localhost")),
    "X-Forwarded-For": ((b"X-Forwarded-For", b"127.0.0.1"), (b"X-Real-IP", b"127.0.0.1")),
    "X-Forwarded-Proto": ((b"X-Forwarded-Proto", b"http"), (b"X-Forwarded-Ssl", b"off")),
    "X-Forwarded-Prefix": ((b"X-Forwarded-Prefix", b"/health"), (b"X-Script-Name", b"/health")),
    "Forwarded": ((b"Forwarded", b"for=127.0.0.1;host=localhost;proto=http"),),
    "X-Original-URL": ((b"X-Original-URL", b"/health"), (b"X-Rewrite-URL", b"/health")),
    "X_Forwarded_User": ((b"X_Forwarded_User", b"root"), (b"X-Forwarded-User", b"root"), (b"X-Remote-User", b"root")),
    "method override": (
        (b"X-HTTP-Method-Override", b"OPTIONS"), (b"X-HTTP-Method", b"OPTIONS"), (b"X-Method-Override", b"OPTIONS"),
    ),
    "Host": ((b"Host", b"localhost"),),
    "Host with a path": ((b"Host", b"api.example.com/health?"),),
    "Connection: authorization": ((b"Connection", b"authorization, close"),),
    "an underscore for our own key": ((b"jwtguard_identity", b"root"), (b"jwtguard.identity", b"root")),
}  # fmt: skip


def lure_rows() -> Iterator[Row]:
    """F59: what some stacks trust changes nothing, for nobody."""
    for what, fields in LURES.items():
        yield refused(f"{what}, no credential", Sent(fields=fields), no_credential(READ), Reason.MISSING_TOKEN)
        yield allowed(f"{what}, good", with_token(GOOD, "/reports", *fields), "reports")
        sent = with_token(GOOD, "/nowhere", *fields)
        yield refused(f"{what}, nowhere", sent, FORBIDDEN, Reason.NO_POLICY)
    plain = Sent(fields=((b"Authorization", b"Bearer " + GOOD), (b"X-Forwarded-Proto", b"https")), scheme="http")
    yield refused("X-Forwarded-Proto: https over http", plain, BAD_REQUEST, Reason.INSECURE_TRANSPORT)
    local = Sent(fields=((b"Authorization", b"Bearer " + GOOD), (b"Host", b"localhost")), scheme="http")
    yield refused("Host: localhost over http", local, BAD_REQUEST, Reason.INSECURE_TRANSPORT)
    hosts = ((b"Host", b"api.example.com"), (b"Host", b"localhost"))
    unlike = {Trait.GUNICORN: _NOT_HTTP}
    yield refused("two hosts", Sent(fields=hosts), no_credential(READ), Reason.MISSING_TOKEN, unlike)
    yield allowed("two hosts, good", with_token(GOOD, "/reports", *hosts), "reports", unlike=unlike)
    pseudo = ((b":path", b"/health"), (b":authority", b"localhost"), (b":method", b"OPTIONS"))
    yield refused("pseudo fields", Sent(fields=pseudo), no_credential(READ), Reason.MISSING_TOKEN, unlike)


def method_rows() -> Iterator[Row]:
    """The policy of a method is its own; HEAD has that of GET."""
    yield refused("HEAD", Sent("HEAD"), no_credential(READ), Reason.MISSING_TOKEN)
    yield refused("HEAD, expired", with_token(tokens.EXPIRED, method="HEAD"), BAD_TOKEN, Reason.EXPIRED)
    yield allowed("HEAD, good", with_token(GOOD, method="HEAD"), "reports")
    yield allowed("HEAD, public", Sent("HEAD", "/health"), "health", "")
    for method in ("OPTIONS", "PUT", "DELETE", "PATCH", "PROPFIND"):
        yield refused(method, with_token(GOOD, method=method), FORBIDDEN, Reason.NO_POLICY)
        if method != "PROPFIND":
            yield allowed(f"{method}, with a policy", with_token(GOOD, "/everything", method=method), "everything")
            nobody = Sent(method, "/everything")
            yield refused(f"{method}, no credential", nobody, no_credential(), Reason.MISSING_TOKEN)
    # Without a layer for CORS nobody answers it.
    asking = ((b"Origin", APP.encode()), (b"Access-Control-Request-Method", b"GET"))
    yield refused("a preflight", Sent("OPTIONS", fields=asking), FORBIDDEN, Reason.NO_POLICY)
    yield refused("method WEBSOCKET", with_token(GOOD, method="WEBSOCKET"), FORBIDDEN, Reason.NO_POLICY)
    upper = Other(allowed("", Sent(), "reports"), "read in upper case, it is GET, whose function runs")
    for method in ("get", "Get"):
        read: Unlike = {Trait.GUNICORN: _NOT_HTTP, Trait.DECORATED_FLASK: upper, Trait.DECORATED_DJANGO: upper}
        yield refused(f"method {method}", with_token(GOOD, method=method), FORBIDDEN, Reason.NO_POLICY, read)
    override = (b"X-HTTP-Method-Override", b"GET")
    sent = with_token(GOOD, "/reports", override, method="POST")
    yield refused("POST that says GET", sent, too_little("reports:write"), Reason.SCOPE_MISSING)
    sent = with_token(WRITER, "/reports?_method=GET", override, method="POST")
    yield allowed("POST that says GET, good", sent, "write")


PATHS: Final[dict[str, str]] = {
    "nowhere": "/nowhere",
    "the root": "/",
    "a slash doubled": "//reports",
    "a slash doubled within": "/reports//7",
    "a dot segment": "/./reports",
    "a dot segment within": "/folder/./",
    "two dots": "/health/../reports",
    "two dots, encoded": "/health/%2e%2e/reports",
    "two dots, at the end": "/reports/%2e%2e",
    "a slash, encoded": "/t%2Facme/other",
    "a slash, encoded twice": "/health%252freports",
    "a trailing slash": "/health/",
    "no trailing slash": "/folder",
    "upper case": "/HEALTH",
    "a parameter": "/health;x",
    "a parameter of a segment": "/health;x=1/reports",
    "a NUL": "/health%00",
    "a newline": "/reports%0a",
    "a carriage return": "/health%0d%0a",
    "a backslash": "/health%5creports",
    "a tab": "/health%09",
    "a space": "/health%20",
    "no UTF-8": "/health%ff",
    "over-long UTF-8": "/%c0%afhealth",
    "a full-width slash": "/health%ef%bc%8freports",
    "a hash, encoded": "/health%23",
    "a question mark, encoded": "/health%3fx",
    "above the admin": "/administration",
    "an escape from the admin": "/admin/..%2fhealth",
}


_RUNS: Final = "the framework routes it to this function, which runs under its own policy"
_NOBODY: Final = Sent()
ROUTED: Final[dict[str, tuple[Trait, Row, Row]]] = {
    "two dots, at the end": (
        Trait.DECORATORS, refused("", _NOBODY, no_credential(), Reason.MISSING_TOKEN), allowed("", _NOBODY, "report"),
    ),
    "an escape from the admin": (
        Trait.DECORATORS,
        refused("", _NOBODY, no_credential("admin"), Reason.MISSING_TOKEN),
        refused("", _NOBODY, too_little("admin"), Reason.SCOPE_MISSING),
    ),
    "a newline": (
        Trait.DECORATED_STARLETTE,
        refused("", _NOBODY, no_credential(READ), Reason.MISSING_TOKEN),
        allowed("", _NOBODY, "reports"),
    ),
    "a slash doubled": (
        Trait.DECORATED_FLASK,
        refused("", _NOBODY, no_credential(READ), Reason.MISSING_TOKEN),
        allowed("", _NOBODY, "reports"),
    ),
}  # fmt: skip
"""Where decorators alone cannot close a path: the framework finds a function for it, and whoever finds it decides."""


def path_rows() -> Iterator[Row]:
    """F60: no spelling of a path is another endpoint's, to nobody and to a good token."""
    for what, target in PATHS.items():
        trait, nobody, good = ROUTED.get(what, (None, None, None))
        for name, sent, other in (
            (f"{what}, no credential", Sent(target=target), nobody),
            (f"{what}, good", with_token(GOOD, target), good),
        ):
            unlike = {trait: Other(other, _RUNS)} if trait is not None and other is not None else None
            yield refused(name, sent, FORBIDDEN, Reason.NO_POLICY, unlike)
    why = "Django and the servers of ASGI replace what is no UTF-8, and the path is under this policy either way"
    runs = Other(allowed("", _NOBODY, "report"), why)
    odd: Unlike = {Trait.DJANGO: runs, Trait.DECORATORS: runs}
    for what, target in (("a byte", "/reports/%ff"), ("a surrogate", "/reports/%ed%a0%80")):
        yield refused(f"{what} of no UTF-8", with_token(GOOD, target), FORBIDDEN, Reason.NO_POLICY, odd)
    yield allowed("a replacement character", with_token(GOOD, "/reports/%ef%bf%bd"), "report")
    yield allowed("a letter, encoded", with_token(GOOD, "/%72eports"), "reports")
    yield allowed("a slash, encoded, that all decode", with_token(GOOD, "/t%2Facme/x"), "tenant_path")
    yield allowed("a query", with_token(GOOD, "/reports?next=/health"), "reports")
    yield allowed("a folder", with_token(GOOD, "/folder/"), "folder")
    yield allowed("a percent sign, encoded", with_token(GOOD, "/reports/%2525"), "report")
    yield allowed("a letter beyond ASCII", with_token(GOOD, "/reports/%C3%A9"), "report")
    yield allowed("a rest", with_token(WRITER, "/admin/users/7"), "admin")
    yield refused("a rest, no scope", with_token(GOOD, "/admin/users/7"), too_little("admin"), Reason.SCOPE_MISSING)
    doubled = with_token(WRITER, "/admin/users//7")
    yield allowed("a slash doubled under one policy", doubled, "admin")


def metadata_rows() -> Iterator[Row]:
    """R-GOV-11: the guard itself answers at the well-known path."""
    target = "/.well-known/oauth-protected-resource"
    why = "no endpoint of the application, so no function of it to decorate"
    nobody = {Trait.DECORATORS: Elsewhere(frozenset({404}), why)}
    for what, sent, told in (
        ("metadata", Sent(target=target), METADATA),
        ("metadata, HEAD", Sent("HEAD", target), METADATA),
        ("metadata, with a token", with_token(tokens.EXPIRED, target), METADATA),
        ("metadata, OPTIONS", Sent("OPTIONS", target), PREFLIGHT),
        ("metadata, POST", Sent("POST", target), OTHER_METHOD),
    ):
        yield Row(what, sent, told, unlike=nobody)
    beside = Sent(target=f"{target}/x")
    yield refused("beside the metadata", beside, FORBIDDEN, Reason.NO_POLICY)


def socket_rows() -> Iterator[Row]:
    """F61: a handshake is decided like a request, before it is accepted."""
    none, forbidden = no_credential(READ), FORBIDDEN
    why = "Django routes no WebSockets, so no function of it is decorated as one"
    alone = Elsewhere(frozenset(), "Django's ASGI handler speaks HTTP alone, and no server hands it a handshake")
    served = "a WSGI application may serve as a GET what asks for a WebSocket, and no policy holds for both here"
    page = Elsewhere(frozenset({403}), served, (Reason.NO_POLICY,))
    unlike = {
        Trait.SHELL: page,
        Trait.DECORATED_DJANGO: Elsewhere(frozenset({404}), why),
        Trait.DJANGO_ASGI: alone,
    }

    def socket(target: str, *fields: tuple[bytes, bytes]) -> Sent:
        return Sent(target=target, fields=fields, is_socket=True)

    bearer, writer = (b"Authorization", b"Bearer " + GOOD), (b"Authorization", b"Bearer " + WRITER)
    jar, ours = in_jar(GOOD), (b"Origin", APP.encode())
    for what, sent, told, reason in (
        ("no credential", socket("/feed"), none, Reason.MISSING_TOKEN),
        ("expired", socket("/feed", (b"Authorization", b"Bearer " + tokens.EXPIRED)), BAD_TOKEN, Reason.EXPIRED),
        ("too little", socket("/feed", writer), too_little(READ), Reason.SCOPE_MISSING),
        ("two headers", socket("/feed", bearer, bearer), BAD_REQUEST, Reason.AMBIGUOUS_CREDENTIALS),
        ("cookie, no Origin", socket("/feed-jar", jar), forbidden, Reason.CSRF),
        ("cookie, foreign Origin", socket("/feed-jar", jar, (b"Origin", b"https://x.example")), forbidden, Reason.CSRF),
    ):
        yield refused(f"socket: {what}", sent, told, reason, unlike)
    for what, target, runs in (
        ("at the path of a GET", "/reports", allowed("", Sent(), "reports")),
        ("at a public GET", "/health", allowed("", Sent(), "health", "")),
    ):
        http: Unlike = {
            Trait.DJANGO: Other(runs, "to Django it is a GET, and decided as one"),
            Trait.DECORATORS: Elsewhere(UNROUTED.statuses | {1000}, "Starlette's router closes it"),
            Trait.DECORATED_DJANGO: Other(runs, f"to Django it is a GET; {_RUNS}"),
            Trait.DJANGO_ASGI: alone,
        }
        yield refused(f"socket: {what}", socket(target, bearer), forbidden, Reason.NO_POLICY, http)
    yield allowed("socket: good", socket("/feed", bearer), "feed", unlike=unlike)
    yield allowed("socket: cookie, our Origin", socket("/feed-jar", jar, ours), "feed_jar", unlike=unlike)
    yield refused("a GET at the path of a socket", with_token(GOOD, "/feed"), FORBIDDEN, Reason.NO_POLICY)
