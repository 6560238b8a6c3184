"""``jwtguard routes``: the census on the command line, its exit codes and both kinds of output."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from jwtguard.cli import application
from tests.kit import django_site

POLICY = """
[issuers.login]
issuer = "https://login.example.com/"
audience = "https://api.example.com"
algorithms = ["ES256"]
keys = "discovery"

[[endpoints]]
match = "GET /health"
public = true

[[endpoints]]
match = ["GET /reports", "GET /reports/{id}"]
name = "reports"
accept = "access"
scopes = ["reports:read"]
"""
APPLICATION = """
from types import SimpleNamespace
from django.urls import path as url
from flask import Flask
from starlette.applications import Starlette
from starlette.routing import Route

def health(request): ...
def report(request): ...
def latest(request): ...

covered = Starlette(routes=[Route("/health", health), Route("/reports/{id}", report)])
gap = Starlette(routes=[Route("/health", health), Route("/open[bold]", report)])
flask = Flask("flask", static_folder=None)
flask.add_url_rule("/reports/<int:number>", view_func=report)
urls = [url("health", health), url("reports/<int:number>", report)]
shadowed = Starlette(routes=[Route("/reports/{id}", report), Route("/reports/latest", latest)])
partly = Starlette(routes=[Route("/reports/{rest:path}", report)])
inside = SimpleNamespace(app=covered, number=7)
"""
Run = Callable[..., Result]
assert django_site.settings.configured  # Django needs settings before anything else, and they are the process's


@pytest.fixture
def routes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Run the command in a folder with a policy and an application."""
    for name in ("FORCE_COLOR", "COLUMNS", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "jwtguard.toml").write_text(POLICY)
    (tmp_path / "census_subject.py").write_text(APPLICATION)

    def run(app: str, *options: str) -> Result:
        return CliRunner().invoke(application(), ["routes", "jwtguard.toml", "--app", app, *options])

    yield run
    for name in ("census_subject", "census_broken", "census_urls"):
        sys.modules.pop(name, None)


def test_a_covered_application(routes: Run) -> None:
    """R-POL-01: every route, its policy and what that demands; exit 0."""
    result = routes("census_subject:covered")
    assert result.exit_code == 0, result.output
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "GET /health health covered GET /health public" in lines
    assert "GET /reports/{id} report covered reports access; scope reports:read" in lines
    assert lines[-1] == "2 covered, 0 partly covered, 0 unprotected, 0 shadowed"


@pytest.mark.parametrize(
    ("app", "code", "told"),
    [
        ("gap", 1, "unprotected: GET /open[bold]: no policy matches"),
        ("shadowed", 1, "shadowed: GET /reports/latest: GET /reports/latest ends at report (/reports/{id}) first"),
        ("partly", 0, "partly covered: GET /reports/{rest:path}: no policy matches GET /reports/"),
    ],
)
def test_what_is_found_and_the_exit_code(routes: Run, app: str, code: int, told: str) -> None:
    """R-POL-01: an unprotected or shadowed route is exit 1, and every finding is explained."""
    result = routes(f"census_subject:{app}")
    assert result.exit_code == code, result.output
    assert told in result.stdout


DECORATED = """
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.middleware import Middleware
from jwtguard import Config, Guard, InlineKeys, Issuer, JWTGuardMiddleware, Mode, access

issuer = Issuer(
    name="login", issuer="https://login.example.com/", audience=("https://api.example.com",), algorithms=("ES256",),
    keys=InlineKeys([]),
)
guard = Guard(Config(issuers=[issuer], endpoints=[], mode=Mode.DEVELOPMENT))

@guard.protect(access(scopes={"reports:read"}))
async def report(request): ...

async def forgotten(request): ...

covered = Starlette(routes=[Route("/reports/{id}", report)])
guard_of_gap = Guard(Config(issuers=[issuer], endpoints=[], mode=Mode.DEVELOPMENT))

@guard_of_gap.public
async def page(request): ...

gap = Starlette(routes=[Route("/x", page), Route("/forgotten", forgotten)])
guard_of_disorder = Guard(Config(issuers=[issuer], endpoints=[], mode=Mode.DEVELOPMENT))
async def open_to_all(request): ...
guard_of_disorder.protect(access(scopes={"admin"}))(open_to_all)
disordered = Starlette(
    routes=[Route("/x", open_to_all)], middleware=[Middleware(JWTGuardMiddleware, guard=guard_of_disorder)]
)
plain = Starlette(routes=[Route("/forgotten", forgotten)])
"""


@pytest.mark.parametrize(
    ("app", "code", "told"),
    [
        ("covered", 0, "access; scope reports:read"),
        ("gap", 1, "unprotected: GET /forgotten"),
        ("disordered", 2, "put the route's decorator above the policy's"),
        ("plain", 2, "declares no policy by decorators; give the policy file"),
    ],
)
def test_policies_beside_functions(routes: Run, tmp_path: Path, app: str, code: int, told: str) -> None:
    """R-POL-01, R-POL-06: an application that declares its policies needs no file, and its gaps fail as well."""
    (tmp_path / "census_decorated.py").write_text(DECORATED)
    result = CliRunner().invoke(application(), ["routes", "--app", f"census_decorated:{app}"])
    sys.modules.pop("census_decorated", None)
    assert result.exit_code == code, result.output
    assert told in " ".join(result.output.split())


def test_machines_get_json(routes: Run) -> None:
    """R-POL-01: the same rows as JSON, under the same exit code."""
    result = routes("census_subject:gap", "--json")
    document = json.loads(result.stdout)
    assert result.exit_code == 1
    assert document["ok"] is False
    assert document["routes"][0] == {
        "kind": "route",
        "method": "GET",
        "path": "/health",
        "host": "",
        "endpoint": "health",
        "verdict": "covered",
        "note": "",
        "policies": [
            {"name": "GET /health", "access": "public", "classes": [], "scopes": [], "any_scopes": [], "demands": []}
        ],
    }
    assert document["routes"][1]["verdict"] == "unprotected"
    assert json.loads(routes("census_subject:covered", "--json").stdout)["ok"] is True


def test_applications_of_other_frameworks(routes: Run) -> None:
    """R-POL-01: Flask and Django are listed as Starlette is; each row in the framework's own spelling."""
    flask, django = routes("census_subject:flask"), routes("census_subject:urls", "--json")
    assert flask.exit_code == 0, flask.output
    assert "GET /reports/<int:number> report covered" in " ".join(flask.stdout.split())
    rows = {row["path"]: (row["method"], row["verdict"]) for row in json.loads(django.stdout)["routes"]}
    assert rows == {"/health": ("*", "partly covered"), "/reports/<int:number>": ("*", "partly covered")}


def test_a_urlconf_is_named_as_a_module(routes: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-POL-01: where Django's settings are named, so can be the URLconf; a module without URL patterns is none."""
    Path("census_urls.py").write_text("from census_subject import urls as urlpatterns\n")
    assert "--app must be MODULE:APP" in routes("census_urls").stderr
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.kit.django_site")  # settings are in force, so nobody reads it
    assert routes("census_urls").exit_code == 0
    assert "--app must be MODULE:APP" in routes("census_subject").stderr
    assert "there is no module 'census_missing'" in routes("census_missing").stderr


def test_an_attribute_of_an_attribute(routes: Run) -> None:
    """The application may be inside of something, and behind middleware."""
    assert routes("census_subject:inside.app").exit_code == 0
    assert routes("census_subject:inside").exit_code == 0


@pytest.mark.parametrize(
    ("app", "told"),
    [
        ("census_subject", "--app must be MODULE:APP, such as main:app, not 'census_subject'"),
        ("census_subject:", "--app must be MODULE:APP"),
        ("census_missing:app", "cannot import 'census_missing': there is no module 'census_missing'"),
        ("census_subject:application", "'census_subject' has no attribute 'application'"),
        ("census_subject:inside.none", "'census_subject' has no attribute 'inside.none'"),
        ("census_subject:health", "'census_subject:health' is a function without routes"),
        ("census_broken:app", "cannot import 'census_broken': "),
    ],
)
def test_wrong_calls(routes: Run, app: str, told: str) -> None:
    """A call that cannot be followed is exit 2 and one sentence on standard error."""
    Path("census_broken.py").write_text("from starlette.routing import Nothing\n")
    result = routes(app)
    assert result.exit_code == 2
    assert told in result.stderr
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("text", ["[issuers", POLICY.replace('match = "GET /health"', 'match = "GOT /health"')])
def test_a_policy_that_cannot_be_used(routes: Run, text: str) -> None:
    """A policy that cannot be read or built is exit 2, and the message names the file."""
    Path("jwtguard.toml").write_text(text)
    result = routes("census_subject:covered")
    assert result.exit_code == 2
    assert result.stderr.startswith("jwtguard routes: jwtguard.toml: ")


def test_a_policy_that_does_not_exist(routes: Run) -> None:
    """A missing file is exit 2."""
    Path("jwtguard.toml").unlink()
    assert routes("census_subject:covered").exit_code == 2
