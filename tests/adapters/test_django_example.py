"""examples/django_app.py as it is, under Django's own server, a WSGI server and an ASGI server."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Final

import pytest

from jwtguard.cli.demo.issuer import DemoIssuer
from tests.examples.test_examples import EXAMPLES, WRITTEN_ISSUER

ROOT: Final = EXAMPLES.parent
SERVERS: Final = {
    "runserver": ["django_app.py", "runserver", "--noreload", "127.0.0.1:0"],
    "uvicorn": ["-m", "uvicorn", "--port", "0", "django_app:app"],
    "gunicorn": ["-m", "gunicorn", "--bind", "127.0.0.1:0", "django_app:wsgi_app"],
}


@pytest.fixture(scope="module")
def issuer() -> Iterator[DemoIssuer]:
    """An issuer of the kind that the examples name."""
    with DemoIssuer() as running:
        yield running


@pytest.fixture(scope="module")
def folder(issuer: DemoIssuer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example and its policy, with the issuer's port filled in."""
    place = tmp_path_factory.mktemp("site")
    policy = (EXAMPLES / "jwtguard.toml").read_text("utf-8")
    assert WRITTEN_ISSUER in policy
    (place / "jwtguard.toml").write_text(policy.replace(WRITTEN_ISSUER, issuer.issuer), "utf-8")
    (place / "django_app.py").write_text((EXAMPLES / "django_app.py").read_text("utf-8"), "utf-8")
    return place


@pytest.fixture(scope="module", params=list(SERVERS))
def port(request: pytest.FixtureRequest, folder: Path) -> Iterator[int]:
    """The port of one server that runs the example."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, *SERVERS[request.param]]
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as server:
        assert server.stdout is not None
        try:
            said: list[str] = []
            for line in server.stdout:
                said.append(line)
                if found := re.search(r"http://127\.0\.0\.1:(\d+)", line):
                    yield int(found[1])
                    break
            else:
                pytest.fail("".join(said))
        finally:
            server.terminate()


def ask(port: int, method: str, path: str, token: str | None = None) -> tuple[int, dict[str, object]]:
    """Send one request and read the JSON that comes back."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    document: dict[str, object] = json.loads(answer.read())
    connection.close()
    return answer.status, document


def test_the_example_serves_and_refuses(port: int, issuer: DemoIssuer) -> None:
    """R-POL-12: the example's policy holds under every server, and its views see who calls."""
    reader, writer = issuer.issue_access("alice", "reports:read"), issuer.issue_access("alice", "reports:write")
    assert ask(port, "GET", "/health") == (200, {"status": "up"})
    assert ask(port, "GET", "/hello") == (200, {"hello": "stranger"})
    assert ask(port, "GET", "/hello", reader) == (200, {"hello": "alice"})
    assert ask(port, "GET", "/hello", "nonsense")[0] == 401
    assert ask(port, "GET", "/reports/7")[0] == 401
    assert ask(port, "GET", "/reports/7", issuer.issue_id_token("alice"))[0] == 401
    assert ask(port, "GET", "/reports/7", reader) == (200, {"report": 7, "read_by": "alice", "kind": "user"})
    assert ask(port, "POST", "/reports", reader)[0] == 403
    assert ask(port, "POST", "/reports", writer) == (201, {"report": 9, "written_by": "alice"})
    assert ask(port, "GET", "/elsewhere", writer)[0] == 403


def test_the_census_covers_the_example(folder: Path) -> None:
    """R-POL-01: ``jwtguard routes`` finds every view of the example covered."""
    command = [sys.executable, "-m", "jwtguard", "routes", "jwtguard.toml", "--app", "django_app:app"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "4 covered, 0 partly covered, 0 unprotected, 0 shadowed" in ran.stdout
