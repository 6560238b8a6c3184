"""The Flask example, as it is, against a running issuer whose address is the only thing that is changed."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from jwtguard.cli.demo.issuer import DemoIssuer

EXAMPLES = Path(__file__).parents[2] / "examples"
WRITTEN_ISSUER = "http://127.0.0.1:8812"


@pytest.fixture
def issuer() -> Iterator[DemoIssuer]:
    """An issuer of the kind that the examples name."""
    with DemoIssuer() as running:
        yield running


@pytest.fixture
def client(issuer: DemoIssuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """A client of a copy of the example."""
    policy = (EXAMPLES / "jwtguard.toml").read_text("utf-8")
    assert WRITTEN_ISSUER in policy
    (tmp_path / "jwtguard.toml").write_text(policy.replace(WRITTEN_ISSUER, issuer.issuer), "utf-8")
    copy = tmp_path / "flask_app.py"
    copy.write_text((EXAMPLES / "flask_app.py").read_text("utf-8"), "utf-8")
    spec = importlib.util.spec_from_file_location("flask_app", copy)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "flask_app", module)  # where Flask looks for the application's folder
    spec.loader.exec_module(module)
    app: Flask = module.app
    return app.test_client()


def bearer(issuer: DemoIssuer, scope: str = "reports:read") -> dict[str, str]:
    """The header that a user's client sends."""
    return {"Authorization": f"Bearer {issuer.issue_access('alice', scope)}"}


def test_it_reads_the_identity(client: FlaskClient, issuer: DemoIssuer) -> None:
    """R-POL-12: a token of the policy's issuer reaches the view as a typed identity."""
    answer = client.get("/reports/7", headers=bearer(issuer))
    assert (answer.status_code, answer.json) == (200, {"report": 7, "read_by": "alice", "kind": "user"})
    created = client.post("/reports", headers=bearer(issuer, "reports:write"))
    assert (created.status_code, created.json) == (201, {"report": 9, "written_by": "alice"})


def test_it_refuses(client: FlaskClient, issuer: DemoIssuer) -> None:
    """R-ERR-01: no token is 401, a token without the endpoint's scope 403, an ID token 401, no policy 403."""
    assert client.get("/reports/7").status_code == 401
    assert client.post("/reports", headers=bearer(issuer)).status_code == 403
    id_token = issuer.issue_id_token("alice")
    assert client.get("/reports/7", headers={"Authorization": f"Bearer {id_token}"}).status_code == 401
    assert client.get("/nothing", headers=bearer(issuer)).status_code == 403


def test_public_and_optional(client: FlaskClient, issuer: DemoIssuer) -> None:
    """R-POL-09: what is public needs no token; an optional endpoint knows the caller, or refuses a bad token."""
    assert client.get("/health").json == {"status": "up"}
    assert client.get("/hello").json == {"hello": "stranger"}
    assert client.get("/hello", headers=bearer(issuer)).json == {"hello": "alice"}
    assert client.get("/hello", headers={"Authorization": "Bearer nonsense"}).status_code == 401
