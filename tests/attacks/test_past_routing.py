"""Ways past routing: another policy than that of what is reached (RFC 8725, section 3.12; R-POL-03, R-POL-04)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from jwtguard import Reason
from tests.attacks.target import Target, signed
from tests.kit.asgi_calls import http_scope, websocket_scope
from tests.kit.guarded import bearer, protected, public

CROOKED = [
    "/admin", "//admin", "///admin", "/./admin", "/x/../admin", "/x/..//admin", "/admin/", "/admin//", "/admin/.",
    "/admin/x/..",
    "/admin%0a", "/admin%0d%0a", "/admin%00", "/admin%00.css", "/admin%20", "/%20/admin", "/admin%09", "/admin%7f",
    "/admin%c2%85",
    "/admin%e2%80%a8", "/%61dmin", "/admi%6e", "/%2fadmin", "/%2e/admin", "/%2e%2e/admin", "/x/%2e%2e/admin",
    "/x%2f..%2fadmin",
    "/%252fadmin", "/x/%252e%252e/admin", "/ADMIN", "/Admin", "/admin;x=1", "/admin;", "/;/admin", "/admin?x",
    "/admin%3fx",
    "/admin%23x", "/admin#x", "/\\admin", "/x\\..\\admin", "/admin\\", "/admin.json", "/admin.", "/admin~", "/admin*",
    "/%ef%bc%8fadmin", "/\uff41dmin", "/admin%e2%80%8b", "/adm\u0131n", "/static/../admin", "/static/..%2fadmin",
    "/static/..;/admin",
    "/admin/..;/x", "admin", "", "http://api.example.com/admin", "*", "/..", "/.", "//", "///",
]  # fmt: skip


async def shouting(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that reads the method without case, as Django and Werkzeug do."""
    words = {"GET": "read", "HEAD": "read", "POST": "written", "DELETE": "deleted"}
    body = words.get(scope["method"].upper(), "?")
    await PlainTextResponse(body)(scope, receive, send)


async def page(request: Request) -> Response:
    """A handler that says which one it is."""
    return PlainTextResponse(request.scope["endpoint"].__name__)


async def admin(request: Request) -> Response:
    """The handler that strangers must not reach."""
    return await page(request)


async def anything(request: Request) -> Response:
    """The handler for the rest."""
    return await page(request)


class Reports(HTTPEndpoint):
    """Dispatches by lower-cased method."""

    async def get(self, request: Request) -> Response:
        """Read."""
        return PlainTextResponse("read")

    async def post(self, request: Request) -> Response:
        """Write."""
        return PlainTextResponse("written")


def app() -> Starlette:
    """An application with a protected and a public half."""
    return Starlette(routes=[Route("/admin", admin), Route("/{rest:path}", anything)])


@pytest.mark.parametrize("raw", CROOKED)
@pytest.mark.parametrize("decode", [unquote, str], ids=["decoded", "raw"])
def test_no_spelling_reaches_the_admin(raw: str, decode: Callable[[str], str]) -> None:
    """R-POL-03, F60: no spelling of a path gets a stranger to the handler of a protected one."""
    target = Target(protected("/admin"), protected("/admin/**"), public("/**"), app=app())
    call = target.send([], decode(raw))
    assert call.body != b"admin"
    assert target.send([bearer(signed())], "/admin").body == b"admin"


ROOTS = ["", "/api", "/api/", "/admin", "/", "/a", "api", "/api%2f", "/api/..", "//"]


@pytest.mark.parametrize("root", ROOTS)
@pytest.mark.parametrize(
    "path", ["/admin", "/api/admin", "/api//admin", "/apiadmin", "/api/api/admin", "/admin/admin", "/a/admin"]
)
def test_no_root_path_reaches_the_admin(root: str, path: str) -> None:
    """R-POL-03, F60: guard and router take the same root path off the same path, or nobody gets in."""
    target = Target(protected("/admin"), public("/**"), app=app())
    assert target.send([], path, root_path=root).body != b"admin"


def test_an_application_that_moves_itself() -> None:
    """R-POL-03, F60: an application that sets a root path behind the guard is read as it reads itself."""
    inner = app()

    class Moved:
        root_path = "/api"

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            scope["root_path"] = self.root_path
            await inner(scope, receive, send)

    target = Target(protected("/admin"), public("/**"), app=Moved())
    for path in ("/admin", "/api/admin", "/api//admin", "/api/api/admin"):
        assert target.send([], path).body != b"admin", path


@pytest.mark.parametrize(
    "served", [shouting, Starlette(routes=[Route("/reports", Reports)])], ids=["any-case", "endpoint"]
)
@pytest.mark.parametrize(
    "method", ["POST", "post", "Post", "pOST", "P\u1e9eOST", "PO\u017fT", "POST ", " POST", "POST\0", "PO\u0405T"]
)
def test_no_spelling_of_a_method_writes(served: ASGIApp, method: str) -> None:
    """R-POL-04: who may only read does not write by ``post``, nor by any other spelling of a method."""
    write = protected("POST /reports", scopes=frozenset({"reports:write"}))
    target = Target(protected("/reports/**"), write, app=served)
    call = target.send([bearer(signed())], method=method)
    assert call.body != b"written"
    assert target.send([bearer(signed(scope="reports:write"))], method="POST").body == b"written"


@pytest.mark.parametrize(
    "name",
    [b"x-http-method-override", b"x-method-override", b"x-http-method", b"_method", b":method", b"x-original-method"],
)
def test_headers_choose_no_method(name: bytes) -> None:
    """R-POL-04, F59: method overrides have no effect on what is decided, in either direction."""
    target = Target(public("GET /reports"), protected("POST /reports"))
    target.refuses_request([(name, b"GET")], Reason.MISSING_TOKEN, method="POST")
    assert target.send([(name, b"POST")], method="GET").status == 200


@pytest.mark.parametrize(
    "name", [b"x-original-url", b"x-rewrite-url", b"x-forwarded-prefix", b"x-forwarded-path", b":path", b"host"]
)
def test_headers_choose_no_path(name: bytes) -> None:
    """R-POL-03, F59: paths in header fields have no effect on what is decided, in either direction."""
    target = Target(public("/open"), protected("/reports"))
    for value in (b"/open", b"api.example.com/open?", b"/open#"):
        target.refuses_request([(name, value)], Reason.MISSING_TOKEN)
    assert target.send([(name, b"/reports")], "/open").status == 200


@pytest.mark.parametrize(
    "method", ["WEBSOCKET", "websocket", "WebSocket", "ws", "CONNECT", "PRI", "", "?", "*", "None"]
)
def test_a_request_that_names_itself_a_handshake(method: str) -> None:
    """R-POL-04, F61: the policy of handshakes is for handshakes, whatever method a request claims to have."""
    target = Target(public("WEBSOCKET /reports"), protected("GET /reports"))
    target.refuses_request([], Reason.NO_POLICY, method=method)


def test_a_handshake_that_would_be_a_request() -> None:
    """R-EXT-12, F61: a public GET opens no socket."""
    target = Target(public("GET /reports"))
    call = target.connect(websocket_scope("/reports", method="GET"))
    assert (call.status, target.reason) == (403, Reason.NO_POLICY)
    assert not target.probe.scopes


@pytest.mark.parametrize("kind", ["http2", "HTTP", "http ", "webtransport", "websocket.http", "", "lifespan2", "tcp"])
def test_connections_of_an_unknown_kind(kind: str) -> None:
    """R-EXT-13, F61: a connection that is neither http nor websocket nor lifespan reaches nobody."""
    target = Target(public("/reports"))
    with pytest.raises(RuntimeError):
        target.connect({**http_scope("GET", "/reports"), "type": kind})
    assert not target.probe.scopes


def files(root: Path) -> Target:
    """A public folder with a protected one in it, and a protected folder with a public one in it."""
    for name in ("open/readme", "open/private/key", "closed/key", "closed/public/readme"):
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("secret" if file.name == "key" else "readme")
    served = Starlette(routes=[Mount("/files", StaticFiles(directory=root, follow_symlink=True, html=True))])
    ends = [
        public("/files/open/**"),
        protected("/files/open/private/**"),
        protected("/files/closed/**"),
        public("/files/closed/public/**"),
    ]
    return Target(*ends, app=served)


DETOURS = [
    "/files/open/private/key", "/files/open//private/key", "/files/open/./private/key",
    "/files/open/x/../private/key",
    "/files/open/x/y/../../private/key", "/files/open/private//key", "/files/open/../open/private/key",
    "/files/open/x//..//private/key",
    "/files//open/private/key", "/files/./open/private/key", "/files/x/../open/private/key",
    "/files/open/.//./private/key",
    "/files/closed/key", "/files/closed/public/../key", "/files/closed/public/x/../../key",
    "/files/closed/public//../key",
    "/files/open/../closed/key", "/files/open/..//closed/key", "/files/closed/public/./../key",
    "//files/open/private/key",
    "/files/closed/public/..\\key", "/files/open\\private\\key", "/files/open/private/../private/key",
    "/files/closed/public/.././key",
]  # fmt: skip


@pytest.mark.parametrize("path", DETOURS)
@pytest.mark.parametrize("more", [{}, {"method": "HEAD"}, {"method": "get"}], ids=["GET", "HEAD", "get"])
def test_detours_to_a_protected_file(path: str, more: dict[str, Any], tmp_path: Path) -> None:
    """R-POL-03, F60: what a file server resolves, it serves under the policy of what it resolves to."""
    target = files(tmp_path)
    call = target.send([], path, **more)
    assert call.status in (401, 403, 404, 405)
    assert b"secret" not in call.body
    assert target.send([], "/files/open/readme").body == b"readme"
    assert target.send([], "/files/closed/public/readme").body == b"readme"
    assert target.send([bearer(signed())], "/files/open/private/key").body == b"secret"


def test_a_detour_that_two_readings_resolve_differently() -> None:
    """R-POL-03: ``x//../y`` is ``y`` to a file system and ``x/y`` to RFC 3986; neither reading may open the other."""
    target = Target(public("/files/**"), protected("/files/x/admin/**"))
    assert target.send([], "/files/x//../admin/key").status in (401, 403)
    assert target.send([], "/files/q/..//x/admin/key").status in (401, 403)
    assert not target.probe.scopes


def test_long_paths() -> None:
    """F60: a path of a hundred thousand segments is decided like any other."""
    target = Target(public("/open/**"), protected("/**"))
    target.refuses_request([], Reason.MISSING_TOKEN, path="/x" * 100_000)
    target.refuses_request([], Reason.NO_POLICY, Reason.MISSING_TOKEN, path="/open" + "/.." * 100_000)
    target.refuses_request([], Reason.NO_POLICY, Reason.MISSING_TOKEN, path="/" * 100_000)
