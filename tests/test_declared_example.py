"""The example with its policy beside its functions, against a running issuer whose address is all that is changed."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from jwtguard.cli.demo.issuer import DemoIssuer

EXAMPLE = Path(__file__).parents[1] / "examples" / "decorated_app.py"
WRITTEN_ISSUER = "http://127.0.0.1:8812"
MOST_LINES = 60


@pytest.fixture
def issuer() -> Iterator[DemoIssuer]:
    """An issuer of the kind that the example names."""
    with DemoIssuer() as running:
        yield running


@pytest.fixture
def client(issuer: DemoIssuer, tmp_path: Path) -> Iterator[TestClient]:
    """A client of the example."""
    text = EXAMPLE.read_text("utf-8")
    assert WRITTEN_ISSUER in text
    assert len(text.splitlines()) <= MOST_LINES
    copy = tmp_path / "decorated_app.py"
    copy.write_text(text.replace(WRITTEN_ISSUER, issuer.issuer), "utf-8")
    spec = importlib.util.spec_from_file_location("decorated_app", copy)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with TestClient(module.app, base_url="http://testserver") as running:
        yield running


def test_the_example(client: TestClient, issuer: DemoIssuer) -> None:
    """R-POL-12: an application without endpoints in a file: public, read and write as its decorators say."""
    reader, writer = (
        {"Authorization": f"Bearer {issuer.issue_access('alice', scope)}"}
        for scope in ("reports:read", "reports:write")
    )
    assert client.get("/health").json() == {"status": "up"}
    assert client.get("/reports/7").status_code == 401
    assert client.get("/reports/7", headers=reader).json() == {"report": 7, "read_by": "alice"}
    assert client.get("/reports/7", headers=writer).status_code == 403
    assert client.post("/reports", headers=reader).status_code == 403
    assert client.post("/reports", headers=writer).status_code == 201
    assert client.get("/elsewhere").status_code == 403


def test_its_document(client: TestClient, issuer: DemoIssuer) -> None:
    """R-POL-12: Swagger UI and its document are public, and know scopes and refusals."""
    assert client.get("/docs").status_code == 200
    schema = client.get("/openapi.json").json()
    read = schema["paths"]["/reports/{number}"]["get"]
    assert read["security"] == [{"bearer": ["reports:read"]}, {"openid_demo": ["reports:read"]}]
    assert {"401", "403", "503"} <= read["responses"].keys()
    assert "security" not in schema["paths"]["/health"]["get"]
    assert schema["components"]["securitySchemes"]["openid_demo"]["openIdConnectUrl"].startswith(issuer.issuer)
