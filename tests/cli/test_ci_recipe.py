"""The recipe of docs/ci.md, run as it is written: an uncovered route fails it, in every framework."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = (ROOT / "docs" / "ci.md").read_text("utf-8")
ANY_APP, DJANGO = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
SHELL: Final = shutil.which("sh")
POLICY: Final = """
[issuers.login]
issuer = "https://login.example.com/"
audience = "https://api.example.com"
algorithms = ["ES256"]
keys = "discovery"

[[endpoints]]
match = ["GET /reports", "GET /reports/{number}"]
accept = "access"
"""
STARLETTE: Final = """
from starlette.applications import Starlette
from starlette.routing import Route
async def report(request): ...
app = Starlette(routes=[Route("/reports/{number:int}", report), Route(PATH, report)])
"""
FASTAPI: Final = """
from fastapi import FastAPI
app = FastAPI(openapi_url=None)
@app.get("/reports/{number}")
@app.get(PATH)
def report(): ...
"""
FLASK: Final = """
from flask import Flask
app = Flask(__name__, static_folder=None)
@app.get("/reports/<int:number>")
@app.get(PATH)
def report(number=0): ...
"""
DJANGO_URLS: Final = """
from django.urls import path
from django.views.decorators.http import require_GET
@require_GET
def report(request, number=0): ...
urlpatterns = [path("reports/<int:number>", report), path(PATH[1:], report)]
"""
DJANGO_SETTINGS: Final = """
SECRET_KEY = "of a test"
ROOT_URLCONF = "mysite.urls"
MIDDLEWARE = ["jwtguard.adapters.django.JWTGuardMiddleware"]
JWTGUARD = {"CONFIG": "jwtguard.toml"}
"""
DJANGO_WSGI: Final = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "mysite.settings"
from django.core.wsgi import get_wsgi_application
app = get_wsgi_application()
"""
SOURCES: Final = {"starlette": STARLETTE, "fastapi": FASTAPI, "flask": FLASK}


def written(source: str, route: str) -> str:
    """A module with one of the two routes."""
    return source.replace("PATH", repr(route))


def project(folder: Path, framework: str, route: str) -> None:
    """Write an application with one covered route, and this one."""
    (folder / "jwtguard.toml").write_text(POLICY)
    if framework in SOURCES:
        (folder / "main.py").write_text(written(SOURCES[framework], route))
        return
    (folder / "mysite").mkdir()
    (folder / "mysite" / "settings.py").write_text(DJANGO_SETTINGS)
    (folder / "mysite" / "urls.py").write_text(written(DJANGO_URLS, route))
    (folder / "main.py").write_text(DJANGO_WSGI)


def run(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run commands of the page in a project, with the jwtguard of this tree."""
    assert SHELL is not None
    here = re.sub(r"^jwtguard ", f"'{sys.executable}' -m jwtguard ", script, flags=re.MULTILINE)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run([SHELL, "-c", here], cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("framework", ["starlette", "fastapi", "flask", "django"])
@pytest.mark.parametrize(("route", "status"), [("/reports", 0), ("/forgotten", 1)])
def test_the_recipe_fails_for_an_uncovered_route(framework: str, route: str, status: int, tmp_path: Path) -> None:
    """R-POL-01: the commands of the page pass a covered application, and fail the one with a forgotten route."""
    project(tmp_path, framework, route)
    ran = run(DJANGO if framework == "django" else ANY_APP, tmp_path)
    assert ran.returncode == status, ran.stdout + ran.stderr
    assert ("unprotected: GET /forgotten: no policy matches" in ran.stdout) is (status == 1)


@pytest.mark.parametrize(("route", "status"), [("/reports", 0), ("/forgotten", 1)])
def test_a_site_that_would_not_start_fails_it_too(route: str, status: int, tmp_path: Path) -> None:
    """R-POL-01: a guarded Django application with a gap stops while it is imported, and that is a finding."""
    project(tmp_path, "django", route)
    ran = run(ANY_APP, tmp_path)
    assert ran.returncode == status, ran.stdout + ran.stderr
    assert ("no policy covers GET /forgotten" in ran.stderr) is (status == 1)


def test_the_workflow_runs_the_same_commands() -> None:
    """R-POL-01: the two recipes of the page are one."""
    (workflow,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    commands = [line for line in ANY_APP.splitlines() if line.startswith("jwtguard ")]
    assert [line for line in re.findall(r"- run: (.*)", workflow) if line.startswith("jwtguard ")] == commands


@pytest.mark.parametrize(
    ("framework", "others"),
    [
        ("starlette", ["flask", "django", "fastapi"]),
        ("flask", ["django", "fastapi"]),
        ("django", ["flask", "fastapi"]),
    ],
)
def test_only_the_applications_framework_is_imported(framework: str, others: list[str], tmp_path: Path) -> None:
    """R-POL-12: whoever serves one framework needs no other installed to take the census."""
    project(tmp_path, framework, "/reports")
    (tmp_path / "look.py").write_text(
        "import sys; from pathlib import Path; from jwtguard.cli.routes import take\n"
        "assert take(Path('jwtguard.toml'), 'main:app')\n"
        f"sys.exit(str([name for name in {others!r} if name in sys.modules]))\n"
    )
    ran = run(f"'{sys.executable}' look.py", tmp_path)
    assert ran.stderr.strip() == "[]"
