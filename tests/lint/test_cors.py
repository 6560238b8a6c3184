"""CORS layers that let every origin in with credentials, in each framework, at start-up and on the command line."""

from __future__ import annotations

import json
import sys
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from flask import Blueprint, Flask
from flask_cors import CORS
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Mount
from starlette.testclient import TestClient
from typer.testing import CliRunner

from jwtguard import BEARER, Carrier, ConfigurationError, JWTGuardMiddleware, Mode, Override, cookie, session_cookie
from jwtguard.cli import application
from jwtguard.core.policy import Config
from jwtguard.core.table import PolicyTable
from jwtguard.lint.census import stop_on_gaps
from jwtguard.lint.cors import cors_findings
from jwtguard.lint.findings import Severity
from tests.kit import django_site
from tests.kit.guarded import ISSUER, guard, protected
from tests.kit.guarded import public as open_to_all

APP_ORIGIN = "https://app.example.com"
OPEN: list[dict[str, Any]] = [
    {"allow_origins": ["*"]},
    {"allow_origins": [APP_ORIGIN, "*"]},
    {"allow_origin_regex": ".*"},
    {"allow_origin_regex": "https?://.*"},
    {"allow_origin_regex": r"https://[a-z.-]+\.example"},
    {"allow_origins": ["null"]},
]
CLOSED: list[dict[str, Any]] = [
    {"allow_origins": [APP_ORIGIN]},
    {"allow_origin_regex": r"https://[a-z]+\.example\.com"},
    {},
]


def table(*carriers: Carrier, mode: Mode = Mode.PRODUCTION, overrides: tuple[Override, ...] = ()) -> PolicyTable:
    """A policy for a whole site."""
    endpoint = protected("/**", carriers=carriers or (cookie("__Host-token"),))
    return PolicyTable(Config(issuers=(ISSUER,), endpoints=(endpoint,), mode=mode, overrides=overrides))


def open_at(app: object) -> list[str]:
    """Where the findings are."""
    return [finding.at for finding in cors_findings(app, table())]


def starlette(**layer: Any) -> Starlette:
    """An application with a CORS layer."""
    return Starlette(middleware=[Middleware(CORSMiddleware, **layer)])


@pytest.mark.parametrize("layer", OPEN)
def test_an_open_layer_of_starlette(layer: dict[str, Any]) -> None:
    """R-STO-07: a wildcard, an expression that fits strangers, and null are found together with credentials only."""
    assert open_at(starlette(**layer, allow_credentials=True)) == ["cors.CORSMiddleware"]
    assert open_at(starlette(**layer)) == []


@pytest.mark.parametrize("layer", CLOSED)
def test_a_layer_that_names_its_origins(layer: dict[str, Any]) -> None:
    """R-STO-07: credentials for origins that are named are what CORS is for."""
    assert open_at(starlette(**layer, allow_credentials=True)) == []


def test_what_is_found_would_really_be_sent() -> None:
    """R-STO-07: the finding is true: that layer answers the stranger of the message with its origin and credentials."""
    app = starlette(allow_origins=["*"], allow_credentials=True)
    (finding,) = cors_findings(app, table())
    stranger = "https://jwtguard-probe.example"
    assert stranger in finding.message
    sent = {"Origin": stranger, "Cookie": "a=b", "Access-Control-Request-Method": "POST"}
    answer = TestClient(app).options("/", headers=sent)
    assert answer.headers["access-control-allow-origin"] == stranger
    assert answer.headers["access-control-allow-credentials"] == "true"


def test_layers_are_found_wherever_they_are() -> None:
    """R-STO-07: added to FastAPI, wrapped around or below the guard, built already, of a subclass, around a mount."""

    class Ours(CORSMiddleware):
        pass

    layer: dict[str, Any] = {"allow_origins": ["*"], "allow_credentials": True}
    fastapi = FastAPI(openapi_url=None)
    fastapi.add_middleware(CORSMiddleware, **layer)
    assert open_at(fastapi) == ["cors.CORSMiddleware"]
    policy = guard(open_to_all("/**"))
    assert open_at(CORSMiddleware(JWTGuardMiddleware(Starlette(), guard=policy), **layer)) == ["cors.CORSMiddleware"]
    assert open_at(JWTGuardMiddleware(CORSMiddleware(Starlette(), **layer), guard=policy)) == ["cors.CORSMiddleware"]
    assert open_at(Starlette(middleware=[Middleware(Ours, **layer)])) == ["cors.Ours"]
    built = starlette(**layer)
    built.middleware_stack = built.build_middleware_stack()
    assert open_at(built) == ["cors.CORSMiddleware"]
    assert open_at(Starlette(routes=[Mount("/a", built)])) == ["cors.CORSMiddleware"]
    assert open_at(Starlette(routes=[Mount("/a", Starlette(), middleware=[Middleware(Ours, **layer)])])) == [
        "cors.Ours"
    ]


@pytest.mark.parametrize(
    ("options", "is_open"),
    [
        ({}, True),  # its default is every origin
        ({"origins": "*"}, True),
        ({"origins": [r"https?://.*"]}, True),
        ({"origins": APP_ORIGIN}, False),
        ({"resources": {"/a": {"origins": APP_ORIGIN}, "/b": {"origins": "*"}}}, True),
        ({"resources": {"/a": {"origins": APP_ORIGIN}}}, False),
    ],
)
def test_flask_cors(options: dict[str, Any], *, is_open: bool) -> None:
    """R-STO-07: Flask-CORS answers whoever asks; found by what it was called with, on an application or blueprint."""
    app = Flask("shop")
    CORS(app, supports_credentials=True, **options)
    assert open_at(app) == (["cors.flask_cors"] if is_open else [])
    modest = Flask("shop")
    CORS(modest, **options)
    assert open_at(modest) == []
    blueprint = Blueprint("part", "part")
    CORS(blueprint, supports_credentials=True, **options)
    whole = Flask("shop")
    whole.register_blueprint(blueprint)
    assert open_at(whole) == (["cors.flask_cors"] if is_open else [])


def test_flask_cors_by_configuration() -> None:
    """R-STO-07: its settings count as its arguments do, and a guard around wsgi_app is looked through."""
    app = Flask("shop")
    app.config.update(CORS_SUPPORTS_CREDENTIALS=True, CORS_ORIGINS="*")
    CORS(app)
    assert open_at(app.wsgi_app) == ["cors.flask_cors"]


@pytest.mark.parametrize(
    ("settings", "is_open"),
    [
        ({"CORS_ALLOW_ALL_ORIGINS": True}, True),
        ({"CORS_ORIGIN_ALLOW_ALL": True}, True),  # its former name
        ({"CORS_ALLOWED_ORIGIN_REGEXES": [r"^https://.*"]}, True),
        ({"CORS_ALLOWED_ORIGINS": ["null"]}, True),
        ({"CORS_ALLOWED_ORIGINS": [APP_ORIGIN]}, False),
    ],
)
def test_django_cors_headers(settings: dict[str, Any], *, is_open: bool) -> None:
    """R-STO-07: the settings of django-cors-headers are read, where its layer is installed."""
    layers = ("corsheaders.middleware.CorsMiddleware",)
    found = ["cors.corsheaders"] if is_open else []
    policy = guard(open_to_all("/**"))
    with django_site.site(policy, middleware=layers, CORS_ALLOW_CREDENTIALS=True, **settings):
        assert open_at(django_site.wsgi()) == open_at(django_site.asgi()) == open_at(django_site.urlconf()) == found
        assert open_at(Starlette()) == []
    with django_site.site(policy, middleware=layers, **settings):
        assert open_at(django_site.wsgi()) == []
    with django_site.site(policy, middleware=(), CORS_ALLOW_CREDENTIALS=True, **settings):
        assert open_at(django_site.wsgi()) == []


def test_start_up_in_production_stops() -> None:
    """R-STO-07: where an endpoint takes a cookie of either kind; in development, or for headers alone, it does not."""
    app = starlette(allow_origins=["*"], allow_credentials=True)
    for carriers in ([cookie("__Host-token")], [session_cookie("__Host-session"), BEARER]):
        with pytest.raises(ConfigurationError, match="any origin") as stopped:
            stop_on_gaps(app, table(*carriers))
        assert (stopped.value.rule, stopped.value.key) == ("R-STO-07", "cors.CORSMiddleware")
    stop_on_gaps(app, table(BEARER))
    stop_on_gaps(app, table(mode=Mode.DEVELOPMENT))
    stop_on_gaps(starlette(allow_origins=["*"]), table())


def test_a_server_does_not_start() -> None:
    """R-STO-07: the middleware asks at the start of the application."""
    policy = guard(protected("GET /a", carriers=(cookie("__Host-token"),)))
    layers = [
        Middleware(CORSMiddleware, allow_origins=["*"], allow_credentials=True),
        Middleware(JWTGuardMiddleware, guard=policy),
    ]
    with pytest.raises(ConfigurationError, match="R-STO-07"), TestClient(Starlette(middleware=layers)):
        pass


def test_it_can_be_lived_with_by_name() -> None:
    """R-STO-07, R-GOV-02: an override of rule and place makes it a note, and start-up goes on."""
    app = starlette(allow_origins=["*"], allow_credentials=True)
    override = Override("R-STO-07", "cors.CORSMiddleware", date(2026, 11, 1), "until the old page is gone")
    overridden = table(overrides=(override,))
    assert [finding.severity for finding in cors_findings(app, overridden)] == [Severity.NOTE]
    stop_on_gaps(app, overridden)


POLICY = """
[issuers.login]
issuer = "https://login.example.com/"
audience = "https://api.example.com"
algorithms = ["ES256"]
keys = "discovery"

[[endpoints]]
match = "GET /a"
accept = "access"
"""
APPLICATION = """
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route
async def a(request): ...
routes = [Route("/a", a)]
open = Starlette(routes=routes, middleware=[Middleware(CORSMiddleware, allow_origins=["*"], allow_credentials=True)])
shut = Starlette(routes=routes)
"""


def test_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-STO-07: `jwtguard routes` shows the finding and fails, in both kinds of output."""
    (tmp_path / "policy.toml").write_text(POLICY, "utf-8")
    (tmp_path / "cors_example.py").write_text(APPLICATION, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    run = partial(CliRunner().invoke, application())
    shown = run(["routes", "policy.toml", "--app", "cors_example:open"])
    assert (shown.exit_code, "cors.CORSMiddleware" in shown.output, "R-STO-07" in shown.output) == (1, True, True)
    told = run(["routes", "policy.toml", "--app", "cors_example:open", "--json"])
    document = json.loads(told.output)
    assert (told.exit_code, document["ok"]) == (1, False)
    assert [(one["rule"], one["severity"]) for one in document["findings"]] == [("R-STO-07", "error")]
    fine = run(["routes", "policy.toml", "--app", "cors_example:shut", "--json"])
    assert (fine.exit_code, json.loads(fine.output)["findings"]) == (0, [])
