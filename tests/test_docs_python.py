"""docs/python.md: every snippet is run as written, and does what the text around it says.

Each section runs in a namespace of its own, after the first one. The one change is that keys come from the forge where
the page says ``Discovery()``.
"""

from __future__ import annotations

import dataclasses
import logging
import re
import sys
from collections.abc import Mapping
from contextlib import closing
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any, Final, get_args

import anyio
import pytest
from django.http import HttpRequest, HttpResponse
from django.urls import path as route
from flask import Flask
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

import jwtguard
from jwtguard import (
    Config,
    Endpoint,
    Guard,
    Identity,
    InlineKeys,
    Issuer,
    JWTGuardMiddleware,
    JWTGuardWSGI,
    LoginExpectations,
    Reason,
    Refusal,
    TokenClass,
    events,
    rules,
)
from jwtguard.adapters.flask import JWTGuard
from jwtguard.clock import SystemClock
from jwtguard.config.document import parse
from jwtguard.config.shapes import KEYS, Shape
from tests.kit import django_site
from tests.kit.asgi_calls import Fields
from tests.kit.token_forge import OMIT, TokenForge
from tests.kit.wsgi_calls import environ_of

PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "python.md"
FORGE: Final = TokenForge()
FIRST: Final = "A policy of objects"
SECTIONS: Final = {
    title: re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    for title, _, text in (part.partition("\n") for part in PAGE.read_text("utf-8").split("\n## ")[1:])
}
OWN_PAGE: Final = {"sec-fetch-site": "same-origin"}


def token(**claims: Any) -> str:
    """A good access token, now."""
    return FORGE.sign(FORGE.access_claims(now=SystemClock().now(), **claims), key=FORGE.key()).decode()


def id_token(**claims: Any) -> str:
    """What a login brings."""
    own = {"aud": "web-app", "client_id": OMIT, "scope": OMIT, **claims}
    claims = FORGE.access_claims(now=SystemClock().now(), **own)
    return FORGE.sign(claims, key=FORGE.key(), header={"typ": "JWT"}).decode()


def bearer(**claims: Any) -> dict[str, str]:
    """The header that carries a token."""
    return {"authorization": f"Bearer {token(**claims)}"}


def run(title: str, **yours: object) -> dict[str, Any]:
    """Run the first section and one other, and return the names they made."""
    names: dict[str, Any] = {"__name__": "docs_python", "KEYS": InlineKeys([FORGE.key().public_jwk()]), **yours}
    for section in dict.fromkeys((FIRST, title)):
        for block in SECTIONS[section]:
            code = block.replace("keys=Discovery()", "keys=KEYS")
            exec(compile(code, f"{PAGE.name}: {section}", "exec", dont_inherit=True), names)  # noqa: S102 - our own page
    return names


async def _say_who(request: Request) -> Response:
    return PlainTextResponse(jwtguard.identity_of(request).subject)


def client(guard: Guard, *paths: str) -> TestClient:
    """Who calls an application of these paths behind a guard."""
    methods = ["GET", "POST", "DELETE"]
    app = Starlette(routes=[Route(path, _say_who, methods=methods) for path in paths])
    return _calling(JWTGuardMiddleware(app, guard=guard))


def _calling(app: Any) -> TestClient:
    return TestClient(app, base_url="https://testserver", follow_redirects=False)


def test_every_section_is_run_here() -> None:
    """R-GOV-10: no section of the page, and no snippet in it, is left out; all stay within one page."""
    assert {title for title, blocks in SECTIONS.items() if blocks} == set(SECTIONS)
    tested = Path(__file__).read_text("utf-8")
    assert [title for title in SECTIONS if f'run("{title}"' not in tested and title != FIRST] == []
    assert sum(map(len, SECTIONS.values())) == PAGE.read_text("utf-8").count("```python\n")
    assert len(PAGE.read_text("utf-8").splitlines()) <= 230


def test_a_policy_of_objects() -> None:
    """R-GOV-10, R-POL-06: the policy is proven, and decides as it reads."""
    assert "keys=Discovery()" in SECTIONS[FIRST][0]
    guard = run(FIRST)["guard"]
    http = client(guard, "/health", "/reports", "/reports/7", "/home")
    assert http.get("/health").status_code == 200
    assert http.get("/reports/7", headers=bearer()).text == "user-1"
    assert http.post("/reports", headers=bearer()).status_code == 403
    assert http.post("/reports", headers=bearer(scope="reports:write")).status_code == 200
    assert http.get("/home", headers=bearer()).status_code == 401
    assert http.get("/home", headers={**OWN_PAGE, "cookie": f"__Host-token={token()}"}).status_code == 200
    window = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert http.get("/home", headers=window).headers["location"] == "/login?return_to=/home"
    assert {policy.name for policy in guard.table.endpoints} >= {"reading"}


# The table of differences.

OWNERS: Final = (Issuer, Endpoint, Config)  # a field of several is meant in the first
ROWS: Final = re.findall(r"^\| `(.+?)` \| `(.+?)` \|$", PAGE.read_text("utf-8"), re.MULTILINE)
ISSUER_TEXT: Final = '[issuers.login]\nissuer = "https://login.example.com/"\nalgorithms = ["ES256"]\n'
LOGIN: Final = {"name": "login", "issuer": "https://login.example.com/", "algorithms": ("ES256",)}


def fields(owner: type) -> set[str]:
    """The columns of a dataclass."""
    return {field.name for field in dataclasses.fields(owner)}


def shown(thing: Any) -> str:
    """All its columns, those that hide themselves included; rules are equal if they read the same."""
    return repr(dataclasses.asdict(thing))


def from_file(owner: type, written: str, folder: Path) -> object:
    """What the reader makes of a line of a policy file."""
    if owner is Config:
        return parse(written, name="page", folder=folder)
    if owner is Issuer:
        has_keys = re.match(r"(keys|jwks|jwks_uri|jwks_file|pem) =", written)
        text = ISSUER_TEXT + ("" if has_keys else 'keys = "discovery"\n') + written
        return parse(text, name="page").issuers[0]
    demand = "" if written.startswith("public") else 'accept = "access"\n'
    text = f'{ISSUER_TEXT}keys = "discovery"\n[[endpoints]]\nmatch = "GET /{{org}}/x"\n{demand}{written}'
    return parse(text, name="page").endpoints[0]


def from_python(owner: type, changes: Mapping[str, Any]) -> object:
    """What Python makes of its line."""
    if owner is Config:
        return Config(**{"issuers": (), "endpoints": (), **changes})
    if owner is Issuer:
        return Issuer(**{"keys": jwtguard.Discovery(), **LOGIN, **changes})
    accept = () if changes.get("access") is jwtguard.Access.PUBLIC else ("access",)
    return Endpoint(match=("GET /{org}/x",), accept=accept, **changes)


@pytest.mark.parametrize(("written", "python"), ROWS, ids=[python.partition("=")[0] for _, python in ROWS])
def test_both_columns_mean_the_same(written: str, python: str, tmp_path: Path) -> None:
    """R-POL-06: what the file says on the left is what Python says on the right, to the last column."""
    changes = eval(f"dict({python})", {**vars(jwtguard), "date": date, "rules": rules})  # noqa: S307 - our own page
    for secret in changes.get("csrf_keys", ()):
        (tmp_path / "csrf.keys").write_bytes(secret)
    (owner,) = [owner for owner in OWNERS if changes.keys() <= fields(owner)][:1]
    assert shown(from_file(owner, written, tmp_path)) == shown(expected := from_python(owner, changes))
    assert shown(from_python(owner, {})) != shown(expected) or python == "keys=Discovery()"


def test_no_difference_is_missing() -> None:
    """R-POL-06: a key that Python calls otherwise, and a column that the file calls otherwise, are on the page."""
    page = PAGE.read_text("utf-8")
    tables = {Shape.TOP: Config, Shape.ISSUER: Issuer, Shape.ENDPOINT: Endpoint, Shape.CLASS: TokenClass}
    named = set(re.findall(r"\w+", page))
    for shape, owner in tables.items():
        assert (KEYS[shape] ^ fields(owner)) - {"family"} <= named, owner  # the family is made, never written


def test_claim_rules() -> None:
    """R-CLM-12: each rule of the snippet can refuse, and all together let in."""
    names = run("Claim rules")
    http = client(names["guard"], "/reports/{id}")
    good = {"level": 3, "age": 18, "department": "sales"}
    assert http.delete("/reports/7", headers=bearer(**good)).status_code == 200
    for name, value in (("level", True), ("age", 17), ("department", "archive"), ("age", OMIT)):
        assert http.delete("/reports/7", headers=bearer(**{**good, name: value})).status_code == 403


def test_the_identity() -> None:
    """R-IDN-08: the model of the snippet is filled from claims, and those that do not fit never reach the handler."""
    names = run("The identity")
    http = client(names["guard"], "/budget")
    roles = {"https://example.com/roles": ["clerk"]}
    assert http.get("/budget", headers=bearer(cost_centre="0815", **roles)).status_code == 200
    with pytest.raises(jwtguard.ClaimsModelError, match="cost_centre"):  # which a server answers with 500
        http.get("/budget", headers=bearer(cost_centre=815))
    who = names["guard"].verify(token(cost_centre="0815", **roles), accept="access")
    assert who.claims_as(names["Employee"]) == names["Employee"]("0815", ("clerk",))


def test_every_attribute_is_in_the_table() -> None:
    """R-GOV-10: the table of attributes is that of the class."""
    (table,) = re.findall(r"^\| attribute .*?\n\n", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    named = {name for row in table.strip().splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert named == {name for name, value in vars(Identity).items() if isinstance(value, property)}


def test_hooks_events_and_reload(caplog: pytest.LogCaptureFixture) -> None:
    """R-CLM-09, R-STO-10, R-ERR-08, R-OBS-01: hooks are asked, refusals are logged, and the policy can be replaced."""
    names = run("Hooks, events, reload")
    http = client(names["guard"], "/reports/7", "/api/reports")
    with caplog.at_level(logging.WARNING, "jwtguard"):
        assert http.get("/reports/7", headers=bearer(sub="user-9")).status_code == 401
    assert [record.getMessage() for record in caplog.records] == ["refused at 'reading': unknown_subject"]
    assert http.get("/reports/7", headers=bearer()).status_code == 200
    page = http.get("/reports/7", headers={"accept": "text/html"})
    assert page.headers["content-type"].startswith("text/html")
    assert page.text.startswith("<h1>401 ")
    names["sessions"]["s1"] = token()
    inside = {**OWN_PAGE, "cookie": "__Host-session=s1"}
    assert http.get("/api/reports", headers=inside).text == "user-1"
    assert http.get("/api/reports", headers={**OWN_PAGE, "cookie": "__Host-session=s2"}).status_code == 401
    names["guard"].reload(Config(issuers=[names["issuer"]], endpoints=[]))
    assert http.get("/api/reports", headers=inside).status_code == 403
    assert names["guard"].sink_failures == 0
    assert f"({names['guard'].table.limits.outside_s} s)" in PAGE.read_text("utf-8")


def test_every_event_is_named() -> None:
    """R-OBS-01: the page names all events that there are."""
    (listed,) = re.findall(r"each of `jwtguard.events`: (.*?);", PAGE.read_text("utf-8"), re.DOTALL)
    assert set(re.findall(r"`(\w+)`", listed)) == {kind.__name__ for kind in get_args(events.Event)}


def test_decorators() -> None:
    """R-POL-12: the policy beside the function is in the table from the start, beside those of the policy."""
    names = run("Decorators")
    with _calling(names["app"]) as http:
        assert "docs_python.invoice" in {policy.name for policy in names["guard"].table.endpoints}
        read = bearer(scope="invoices:read")
        assert http.get("/invoices/7", headers=read).json() == {"invoice": 7, "reader": "user-1"}
        assert http.get("/invoices/7", headers=bearer()).status_code == 403
        assert http.get("/invoices/7").status_code == 401


def login_page(**members: str) -> dict[str, Any]:
    """The names of the section, whose ``exchange`` gives these tokens for the code ``c``."""

    async def exchange(code: str) -> dict[str, str]:
        return {"access_token": "t", **members} if code == "c" else {}

    return run("Tokens without a request, and logins", exchange=exchange)


def test_tokens_without_a_request() -> None:
    """R-CLS-01: a token of the class asked for has an identity, any other a reason."""
    names = login_page()
    assert names["work"]({"token": token()}) == "user-1"
    with pytest.raises(Refusal) as refused:
        names["work"]({"token": id_token()})
    assert refused.value.reason is Reason.WRONG_CLASS
    who = anyio.run(lambda: names["guard"].verify_async(token(), accept="access"))
    assert who.subject == "user-1"


def test_a_login_callback() -> None:
    """R-CLS-10, R-CLS-11: the callback takes the ID token of this browser's nonce, once."""
    names = login_page(id_token=id_token(nonce="n"))
    app = Starlette(routes=[Route("/callback", names["callback"])])
    http = _calling(JWTGuardMiddleware(app, guard=names["guard"]))
    mine = {"cookie": "__Host-nonce=n"}
    assert http.get("/callback?code=c").status_code == 403
    assert http.get("/callback?code=d", headers=mine).status_code == 403
    assert http.get("/callback?code=c", headers={"cookie": "__Host-nonce=m"}).status_code == 403
    assert http.get("/callback?code=c", headers=mine).headers["location"] == "/welcome/user-1"
    assert http.get("/callback?code=c", headers=mine).status_code == 403


def test_what_a_login_is_given() -> None:
    """R-CLS-10: in every framework, what the page names is where the guard finds the endpoint of a login."""
    names = run("Tokens without a request, and logins")
    callback = Endpoint(match="/callback", access=jwtguard.Access.LOGIN, accept="id_token")
    guard = Guard(Config(issuers=[names["issuer"]], endpoints=[callback]))

    def verified(connection: Any, nonce: str) -> str:
        return guard.verify_login(connection, id_token(nonce=nonce), LoginExpectations(nonce=nonce)).subject

    async def with_request(request: Request) -> Response:
        by_request, by_scope = verified(request, "1"), verified(request.scope, "2")
        return PlainTextResponse(by_request + by_scope)

    app = Starlette(routes=[Route("/callback", with_request)])
    assert _calling(JWTGuardMiddleware(app, guard=guard)).get("/callback").text == "user-1user-1"

    def bare(environ: dict[str, Any], start: Any) -> list[bytes]:
        start("200 OK", [])
        return [verified(environ, "3").encode()]

    environ = environ_of("GET", "/callback")
    assert b"".join(JWTGuardWSGI(bare, guard=guard)(environ, lambda *_: lambda _: None)) == b"user-1"

    flask = Flask(__name__, static_folder=None)
    flask.add_url_rule("/callback", view_func=lambda: verified(_flask_environ(), "4"))
    JWTGuard(flask, guard=guard)
    assert flask.test_client().get("/callback").text == "user-1"

    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(verified({"jwtguard.identity": request.identity}, "5"))

    with django_site.site(guard, route("callback", view)):
        assert django_site.answer(django_site.asgi(), _scope("/callback")).status == 200


def _flask_environ() -> dict[str, Any]:
    from flask import request  # noqa: PLC0415 - beside Starlette's, which the module has

    environ: dict[str, Any] = request.environ
    return environ


def _scope(path: str, headers: Fields = ()) -> dict[str, Any]:
    return {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"",
        "root_path": "", "scheme": "https", "headers": list(headers), "server": ("testserver", 443),
    }  # fmt: skip


def test_cookies() -> None:
    """R-STO-01, R-STO-04: the fields of the snippet log a browser in, and go out in each framework as the page says."""
    names = run("Cookies, Flask, Django")
    written = names["cookies"](good := token())
    assert [name for name, _ in written] == ["Set-Cookie", "Cache-Control", "Set-Cookie"]
    (session, csrf) = (value for name, value in written if name == "Set-Cookie")
    assert session.startswith(f"__Host-token={good}; Max-Age=")
    assert csrf.startswith(f"__Host-csrf={names['guard'].csrf_token(good)}; Max-Age=")
    starlette, flask, django = Response(), names["app"].response_class(), HttpResponse()
    for field in written:
        starlette.headers.append(*field)
    flask.headers.extend(written)
    for name, value in written:
        if name == "Set-Cookie":
            django.cookies.load(value)
    assert starlette.headers.getlist("set-cookie") == flask.headers.getlist("set-cookie") == [session, csrf]
    assert {cookie.OutputString().partition(";")[0] for cookie in django.cookies.values()} == {
        session.partition(";")[0], csrf.partition(";")[0],
    }  # fmt: skip


def test_double_submit() -> None:
    """R-STO-04: the value of the cookie, sent as the header the page names, is what a double submit demands."""
    names = run("Cookies, Flask, Django")
    form = names["at"]("POST /reports", names["preset"]("browser_cookie", csrf=jwtguard.Csrf.DOUBLE_SUBMIT))
    guard = Guard(Config(issuers=[names["issuer"]], endpoints=[form], csrf_keys=names["config"].csrf_keys))
    proof = names["guard"].csrf_token(good := token())
    http = client(guard, "/reports")
    headers = {**OWN_PAGE, "cookie": f"__Host-token={good}"}
    assert http.post("/reports", headers=headers).status_code == 403
    assert http.post("/reports", headers={**headers, "X-CSRF-Token": proof}).status_code == 200


def test_flask_takes_a_guard(tmp_path: Path) -> None:
    """R-GOV-10: by argument, by a factory, and by configuration, with a sink for events."""
    names = run("Cookies, Flask, Django")
    assert names["app"].extensions["jwtguard"] is names["guard"]
    JWTGuard(guard=names["guard"]).init_app(made := Flask(__name__, static_folder=None))
    assert made.extensions["jwtguard"] is names["guard"]
    (tmp_path / "jwtguard.toml").write_text('[[endpoints]]\nmatch = "/x"\npublic = true\n', "utf-8")
    seen: list[events.Event] = []
    app = Flask(__name__, static_folder=None, root_path=str(tmp_path))
    app.config.update(JWTGUARD_CONFIG="jwtguard.toml", JWTGUARD_ON_EVENT=seen.append)
    JWTGuard(app)
    with closing(app.test_client().get("/nothing")) as answer:
        assert answer.status_code == 403
    assert [event.reason for event in seen if isinstance(event, events.Decided)] == [Reason.NO_POLICY]


@pytest.mark.parametrize("how", ["CONFIG", "GUARD", "dotted"])
def test_django_takes_a_guard(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-GOV-10: by the path of a file, as a guard, and by the dotted path of one."""
    (tmp_path / "jwtguard.toml").write_text('[[endpoints]]\nmatch = "/x"\npublic = true\n', "utf-8")
    guard = Guard.from_file(tmp_path / "jwtguard.toml")
    policy = ModuleType("site_of_a_test.policy")
    policy.guard = guard  # type: ignore[attr-defined]  # what the dotted path leads to
    monkeypatch.setitem(sys.modules, "site_of_a_test", ModuleType("site_of_a_test"))
    monkeypatch.setitem(sys.modules, "site_of_a_test.policy", policy)
    settings = {
        "CONFIG": {"CONFIG": tmp_path / "jwtguard.toml"},
        "GUARD": {"GUARD": guard},
        "dotted": {"GUARD": "site_of_a_test.policy.guard"},
    }[how]
    with django_site.site(guard, route("x", lambda _: HttpResponse("up")), JWTGUARD=settings):
        app = django_site.asgi()
        assert [django_site.answer(app, _scope(path)).status for path in ("/x", "/y")] == [200, 403]
