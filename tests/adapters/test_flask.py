"""The Flask extension: configuration, identity, refusals in Flask's own cycle, CORS."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from flask import Blueprint, Flask, Response, abort, g, jsonify, request, session, stream_with_context
from flask.testing import FlaskClient
from flask_cors import CORS
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.test import Client, TestResponse

from jwtguard import ConfigurationError, Guard, Identity, Mode
from jwtguard import current_identity as identity_in_context
from jwtguard.adapters.flask import JWTGuard, RequestRefused, current_identity
from jwtguard.errors import JwtGuardError
from jwtguard.wsgi import JWTGuardWSGI
from tests.kit.guarded import Events, optional, protected, public, token
from tests.kit.guarded import guard as strict_guard
from tests.kit.wsgi_calls import WsgiProbe, run

HTTPS = "https://api.example.com"
ORIGIN = {"Origin": "https://app.example"}
PREFLIGHT = {**ORIGIN, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
POLICY = (
    public("GET /health", "GET /static/**"),
    optional("GET /hello"),
    protected("GET /reports/{id}", "POST /reports/{id}", "GET /stream", "GET /team/reports"),
    protected("GET /admin", scopes=frozenset({"admin"})),
    protected("GET /unknown", "GET /mounted/**", "GET /fails"),
)


guard = partial(strict_guard, mode=Mode.DEVELOPMENT)  # which starts with routes that no policy covers


def bearer(**claims: Any) -> dict[str, str]:
    """The header of a good token."""
    return {"Authorization": f"Bearer {token(**claims).decode()}"}


class Ran(list[str]):
    """Which functions of the application ran."""


@pytest.fixture
def ran() -> Ran:
    """Empty at the start of each test."""
    return Ran()


@pytest.fixture
def app(ran: Ran) -> Flask:
    """An application that does not know of the guard, but for asking who called."""
    app = Flask(__name__)
    app.secret_key = "not a secret"

    def view(**_: str) -> Response:
        ran.append(request.endpoint or "")
        return jsonify(who=current_identity.subject, in_context=identity_in_context().subject)

    for path in ("/health", "/hello", "/reports/<id>", "/admin"):
        app.add_url_rule(path, path, view, methods=["GET", "POST"])

    @app.get("/stream")
    def stream() -> Response:
        return Response(stream_with_context(f"{current_identity.subject}," for _ in range(3)))

    @app.get("/fails")
    def fails() -> Response:
        abort(418)

    team = Blueprint("team", __name__, url_prefix="/team")
    team.add_url_rule("/reports", "reports", view)
    app.register_blueprint(team)
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client of the guarded application."""
    JWTGuard(app, guard=guard(*POLICY))
    return app.test_client()


def ask(client: Client, path: str, headers: dict[str, str] | None = None, method: str = "GET") -> TestResponse:
    """Send one request over https."""
    return client.open(path, method=method, headers=headers or {}, base_url=HTTPS)


def test_the_identity_is_at_hand(client: FlaskClient) -> None:
    """R-POL-12: views, also those of blueprints, and streams find the caller; the context says the same."""
    said = {"who": "ada", "in_context": "ada"}
    assert ask(client, "/reports/7", bearer(sub="ada")).json == said
    assert ask(client, "/team/reports", bearer(sub="ada")).json == said
    assert ask(client, "/stream", bearer(sub="ada")).text == "ada,ada,ada,"
    assert ask(client, "/hello").json == {"who": "", "in_context": ""}
    assert ask(client, "/hello", bearer(sub="ada")).json == said


def test_it_is_an_identity(app: Flask) -> None:
    """R-IDN-01: the proxy is as good as what it stands for; without a guard it says what is missing."""
    JWTGuard(app, guard=guard(*POLICY))
    with app.test_client() as client:
        ask(client, "/reports/7", bearer(sub="ada"))
        assert isinstance(current_identity, Identity)
        assert current_identity.is_authenticated
    with app.test_request_context("/"), pytest.raises(LookupError, match="no identity"):
        str(current_identity.subject)


@pytest.mark.parametrize("path", ["/reports/7", "/unknown", "/mounted/x", "/static/../admin", "/nothing", "/admin/"])
def test_everything_is_decided(client: FlaskClient, ran: Ran, path: str) -> None:
    """R-POL-01: what Flask would answer by itself, unknown routes and redirects included, is closed as well."""
    assert ask(client, path).status_code in (401, 403)
    assert ran == []


def plain(policy: Guard, environ: WSGIEnvironment) -> tuple[int, list[tuple[str, str]], bytes]:
    """What the bare shell answers."""
    call = run(JWTGuardWSGI(WsgiProbe(), guard=policy), environ)
    return call.status, call.headers, call.body


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "DELETE"])
@pytest.mark.parametrize("path", ["/reports/7", "/admin", "/nothing", "/hello"])
@pytest.mark.parametrize("credential", ["", "Bearer junk", "Bearer a b", "good"])
def test_refusals_are_those_of_the_shell(app: Flask, method: str, path: str, credential: str) -> None:
    """R-EXT-14: through Flask a refusal has the same status, headers and body, to the byte."""
    policy = guard(*POLICY)
    JWTGuard(app, guard=policy)
    headers = bearer() if credential == "good" else {"Authorization": credential} if credential else {}
    answer = ask(app.test_client(), path, headers, method)
    environ = {**answer.request.environ}
    if answer.status_code < 400:
        return
    status, fields, body = plain(policy, environ)
    assert (answer.status_code, answer.data) == (status, body)
    assert sorted((name.lower(), value) for name, value in answer.headers) == sorted(fields)


def test_nothing_but_after_request_runs(app: Flask, ran: Ran) -> None:
    """R-POL-01: a refused request runs no view, no before_request and no URL preprocessor, only after_request."""
    app.before_request(lambda: ran.append("before"))
    app.url_value_preprocessor(lambda *_: ran.append("url"))
    app.teardown_request(lambda _: ran.append("teardown"))

    @app.after_request
    def after(response: Response) -> Response:
        ran.append("after")
        response.headers["X-After"] = "yes"
        return response

    JWTGuard(app, guard=guard(*POLICY))
    answer = ask(app.test_client(), "/reports/7")
    assert (answer.status_code, answer.headers["X-After"], ran) == (401, "yes", ["after", "teardown"])
    ran.clear()
    assert ask(app.test_client(), "/reports/7", bearer()).status_code == 200
    assert ran == ["url", "before", "/reports/<id>", "after", "teardown"]


def test_cors_headers_are_on_refusals(app: Flask, ran: Ran) -> None:
    """R-EXT-13: Flask-CORS adds its headers to a refusal, so that a page can read it."""
    CORS(app, origins=[ORIGIN["Origin"]])
    JWTGuard(app, guard=guard(*POLICY))
    client = app.test_client()
    for headers, status in ((ORIGIN, 401), ({**ORIGIN, **bearer()}, 403)):
        answer = ask(client, "/admin", headers)
        assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (status, ORIGIN["Origin"])
    assert "Access-Control-Allow-Origin" not in ask(client, "/admin", {"Origin": "https://evil.example"}).headers
    assert ran == []


@pytest.mark.parametrize("path", ["/reports/7", "/admin", "/nothing"])
def test_preflights_reach_cors_and_no_view(app: Flask, ran: Ran, path: str) -> None:
    """R-EXT-13: a preflight is answered by Flask's own OPTIONS and Flask-CORS; no view sees it."""
    CORS(app, origins=[ORIGIN["Origin"]])

    def own_options() -> str:
        ran.append("options")
        return "x"

    app.before_request(lambda: ran.append("before"))
    app.add_url_rule("/admin", "own options", own_options, methods=["OPTIONS"])
    JWTGuard(app, guard=guard(*POLICY))
    answer = ask(app.test_client(), path, PREFLIGHT, "OPTIONS")
    assert (answer.status_code, answer.data, ran) == (200, b"", [])
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN["Origin"]
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    stranger = ask(app.test_client(), path, {**PREFLIGHT, "Origin": "https://evil.example"}, "OPTIONS")
    assert "Access-Control-Allow-Origin" not in stranger.headers


@pytest.mark.parametrize("missing", ["Origin", "Access-Control-Request-Method", "method"])
def test_what_is_no_preflight_is_refused(client: FlaskClient, ran: Ran, missing: str) -> None:
    """R-EXT-13: only OPTIONS with both fields of a preflight is one."""
    headers = {name: value for name, value in PREFLIGHT.items() if name != missing}
    method = "POST" if missing == "method" else "OPTIONS"
    assert ask(client, "/reports/7", headers, method).status_code in (401, 403)
    assert ran == []


def test_a_preflight_of_a_mounted_application_stays_outside(app: Flask) -> None:
    """R-EXT-13: a refused request, preflight or not, never reaches another application that Flask's chain holds."""
    mounted = WsgiProbe()
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/mounted": mounted})  # type: ignore[method-assign]
    JWTGuard(app, guard=guard(*POLICY))
    client = app.test_client()
    assert ask(client, "/mounted/x", PREFLIGHT, "OPTIONS").status_code in (401, 403)
    assert ask(client, "/mounted/x").status_code == 401
    assert mounted.environs == []
    assert ask(client, "/mounted/x", bearer()).data == b"from the application"


def test_a_subclass_cannot_let_a_refusal_through(ran: Ran) -> None:
    """R-POL-01: an application that replaces Flask's own cycle does not see refused requests either."""

    class Eager(Flask):
        def full_dispatch_request(self) -> Response:
            ran.append("dispatched")
            return Response("served")

        def wsgi_app(self, environ: Any, start_response: Any) -> Iterable[bytes]:
            ran.append("called")
            return super().wsgi_app(environ, start_response)

    app = Eager(__name__)
    JWTGuard(app, guard=guard(*POLICY))
    assert ask(app.test_client(), "/reports/7").status_code == 401
    assert ran == []
    assert ask(app.test_client(), "/reports/7", bearer()).text == "served"


def test_the_applications_own_handler_renders(app: Flask) -> None:
    """R-ERR-08: a handler for refusals writes the body; status and challenge stay, and it learns no reason."""
    seen: list[RequestRefused] = []

    @app.errorhandler(RequestRefused)
    def render(refused: RequestRefused) -> str:
        seen.append(refused)
        return "<h1>No</h1>"

    JWTGuard(app, guard=guard(*POLICY))
    answer = ask(app.test_client(), "/reports/7", {"Authorization": "Bearer junk"})
    assert (answer.status_code, answer.text, answer.mimetype) == (401, "<h1>No</h1>", "text/html")
    assert answer.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token"')
    assert (answer.headers["Cache-Control"], answer.headers["Content-Length"]) == ("no-store", "11")
    assert [refused.answer.status for refused in seen] == [401]
    assert "junk" not in repr(vars(seen[0]))


def test_a_blueprints_handler_renders_its_own(app: Flask) -> None:
    """R-POL-12: a blueprint's handler for anything of jwtguard is found before the application's."""
    app.blueprints["team"].register_error_handler  # noqa: B018 - exists
    app.error_handler_spec["team"][None][JwtGuardError] = lambda _: ("team", 200)
    app.register_error_handler(JwtGuardError, lambda _: {"error": "app"})
    JWTGuard(app, guard=guard(*POLICY))
    client = app.test_client()
    assert (ask(client, "/team/reports").status_code, ask(client, "/team/reports").text) == (401, "team")
    assert (ask(client, "/admin").status_code, ask(client, "/admin").json) == (401, {"error": "app"})


@pytest.mark.parametrize("kind", [Exception, HTTPException, 401, 403])
def test_handlers_for_other_errors_are_left_alone(app: Flask, kind: Any) -> None:
    """R-ERR-08: a handler for everything turns no refusal into a 500, and serves the application's own errors."""
    app.register_error_handler(kind, lambda _: ("own page", 500))
    JWTGuard(app, guard=guard(*POLICY))
    answer = ask(app.test_client(), "/reports/7")
    assert (answer.status_code, answer.mimetype) == (401, "application/json")
    own = ask(app.test_client(), "/fails", bearer())
    assert own.text == "own page" if kind in (Exception, HTTPException) else own.status_code == 418


def test_a_failing_hook_serves_nothing(app: Flask, ran: Ran) -> None:
    """F66: an after_request function that raises on a refusal makes a server error, and no view runs."""

    @app.after_request
    def after(response: Response) -> Response:
        return Response(g.never_set)

    JWTGuard(app, guard=guard(*POLICY))
    with pytest.raises(AttributeError):
        ask(app.test_client(), "/reports/7")
    assert ran == []


def test_a_refusal_sees_no_identity(app: Flask) -> None:
    """R-IDN-05: what runs for a refused request finds nobody, not even one who was in the environ."""
    found: list[str] = []

    @app.after_request
    def after(response: Response) -> Response:
        try:
            found.append(current_identity.subject)
        except LookupError:
            found.append("nobody")
        return response

    JWTGuard(app, guard=guard(*POLICY))
    planted = {"jwtguard.identity": guard().snapshot}
    app.test_client().get("/reports/7", base_url=HTTPS, environ_overrides=planted)
    assert found == ["nobody"]


def test_sessions_still_work(app: Flask, client: FlaskClient) -> None:
    """R-POL-12: Flask's own session cookie lives on beside a token."""

    @app.before_request
    def count() -> None:
        session["seen"] = session.get("seen", 0) + 1

    for _ in range(2):
        assert ask(client, "/reports/7", bearer()).status_code == 200
    with client.session_transaction(base_url=HTTPS) as kept:
        assert kept["seen"] == 2


@pytest.mark.parametrize(("outside", "status"), [(True, 200), (False, 400)], ids=["outside", "inside"])
def test_proxy_fix_belongs_outside(app: Flask, *, outside: bool, status: int) -> None:
    """R-EXT-09: the scheme that ProxyFix reads counts if it wraps the guard, and not if the guard wraps it."""
    steps: list[Callable[[], object]] = [lambda: JWTGuard(app, guard=guard(*POLICY)), lambda: wrap(app)]
    for step in steps if outside else reversed(steps):
        step()
    headers = {**bearer(), "X-Forwarded-Proto": "https"}
    far = {"REMOTE_ADDR": "203.0.113.9"}
    got = app.test_client().get("/reports/7", headers=headers, base_url="http://api.example.com", environ_base=far)
    assert got.status_code == status


def wrap(app: Flask) -> None:
    """Do what Flask's documentation says about proxies."""
    app.wsgi_app = ProxyFix(app.wsgi_app, x_proto=1)  # type: ignore[method-assign]


def test_factories(ran: Ran) -> None:
    """R-POL-12: one extension object serves several applications, each with a guard of its own or the same."""
    shared = guard(public("GET /a"))
    extension = JWTGuard(guard=shared)
    for _ in range(2):
        app = Flask(__name__)
        app.add_url_rule("/a", "a", lambda: "a")
        extension.init_app(app)
        assert app.extensions["jwtguard"] is shared
        assert ask(app.test_client(), "/a").text == "a"


TOML = """
mode = "development"
[issuers.login]
issuer = "https://login.example.com/"
audience = "https://api.example.com"
algorithms = ["ES256"]
keys = "discovery"
[[endpoints]]
match = "GET /health"
public = true
"""


def test_the_policy_file_is_found_beside_the_application(tmp_path: Path) -> None:
    """R-GOV-10: JWTGUARD_CONFIG is relative to the application's folder; JWTGUARD_ON_EVENT gets its events."""
    (tmp_path / "policy.toml").write_text(TOML, "utf-8")
    app, events = Flask(__name__, root_path=str(tmp_path)), Events()
    app.config.from_mapping(JWTGUARD_CONFIG="policy.toml", JWTGUARD_ON_EVENT=events)
    app.add_url_rule("/health", "health", lambda: "up")
    JWTGuard(app)
    assert ask(app.test_client(), "/health").text == "up"
    assert ask(app.test_client(), "/other").status_code == 403
    assert app.extensions["jwtguard"].table.config.mode is Mode.DEVELOPMENT
    assert len(events.reasons) == 2


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({}, "either a guard"),
        ({"JWTGUARD_CONFIG": 7}, "either a guard"),
        ({"JWTGUARD_CONFIG": "missing.toml"}, "missing.toml"),
        ({"JWTGUARD_CONFG": "policy.toml"}, "did you mean 'JWTGUARD_CONFIG'"),
        ({"JWTGUARD_CONFIG": "policy.toml", "JWTGUARD_DISABLED": True}, "unknown configuration key"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, config: dict[str, object], says: str) -> None:
    """R-GOV-10: a missing, unreadable or misspelt configuration is found when the application is built."""
    app = Flask(__name__, root_path=str(tmp_path))
    app.config.update(config)
    with pytest.raises(ConfigurationError, match=says):
        JWTGuard(app)


def test_two_policies_are_a_mistake(app: Flask) -> None:
    """R-GOV-10: a guard beside a file, and a second guard for one application, are found when it is built."""
    app.config["JWTGUARD_CONFIG"] = "policy.toml"
    with pytest.raises(ConfigurationError, match="either a guard"):
        JWTGuard(app, guard=guard(*POLICY))
    del app.config["JWTGUARD_CONFIG"]
    JWTGuard(app, guard=guard(*POLICY))
    with pytest.raises(ConfigurationError, match="has a guard"):
        JWTGuard(app, guard=guard(*POLICY))


def test_other_middleware_inside_sees_the_identity(app: Flask) -> None:
    """R-IDN-05: WSGI middleware between the guard and Flask finds the caller in the environ."""
    seen: list[object] = []
    inner = app.wsgi_app

    def middle(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        seen.append(environ["jwtguard.identity"].subject)
        return inner(environ, start_response)

    app.wsgi_app = middle  # type: ignore[method-assign]
    JWTGuard(app, guard=guard(*POLICY))
    assert ask(app.test_client(), "/reports/7", bearer(sub="ada")).status_code == 200
    assert seen == ["ada"]


@pytest.mark.parametrize(
    ("match", "folder", "gap"),
    [
        (("GET /a",), None, "GET /b"),
        (("GET /a", "GET /b"), "static", r"Flask adds /static/<path:filename> by itself"),
        (("GET /a", "GET /b"), None, ""),
        (("GET /a", "GET /b", "GET /static/**"), "static", ""),
    ],
)
def test_a_route_without_a_policy_stops_production(match: tuple[str, ...], folder: str | None, gap: str) -> None:
    """R-POL-01: the first request finds all routes there are; one without a policy lets nobody in."""
    app = Flask(__name__, static_folder=folder)
    app.add_url_rule("/a", "a", lambda: "a")
    JWTGuard(app, guard=strict_guard(public(*match)))
    app.add_url_rule("/b", "b", lambda: "b")
    for _ in range(2):
        if gap:
            with pytest.raises(ConfigurationError, match=gap):
                ask(app.test_client(), "/a")
        else:
            assert ask(app.test_client(), "/a").text == "a"
