"""The examples, each as it is, against a running issuer whose address is the only thing that is changed."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.types import ASGIApp

from jwtguard.cli.demo.issuer import DemoIssuer

EXAMPLES = Path(__file__).parents[2] / "examples"
WRITTEN_ISSUER = "http://127.0.0.1:8812"


@pytest.fixture
def issuer() -> Iterator[DemoIssuer]:
    """An issuer of the kind that the examples name."""
    with DemoIssuer() as running:
        yield running


def load(example: str, issuer: DemoIssuer, folder: Path) -> ASGIApp:
    """Copy an example and its policy, with the issuer's port filled in, and return the application."""
    policy = (EXAMPLES / "jwtguard.toml").read_text("utf-8")
    assert WRITTEN_ISSUER in policy
    (folder / "jwtguard.toml").write_text(policy.replace(WRITTEN_ISSUER, issuer.issuer), "utf-8")
    copy = folder / example
    copy.write_text((EXAMPLES / example).read_text("utf-8"), "utf-8")
    spec = importlib.util.spec_from_file_location(copy.stem, copy)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    app: ASGIApp = module.app
    return app


@pytest.fixture
def fastapi_app(issuer: DemoIssuer, tmp_path: Path) -> Iterator[TestClient]:
    """A client of the FastAPI example."""
    with TestClient(load("fastapi_app.py", issuer, tmp_path), base_url="https://testserver") as client:
        yield client


@pytest.fixture
def starlette_app(issuer: DemoIssuer, tmp_path: Path) -> Iterator[TestClient]:
    """A client of the Starlette example."""
    with TestClient(load("starlette_app.py", issuer, tmp_path), base_url="https://testserver") as client:
        yield client


def bearer(issuer: DemoIssuer, scope: str = "reports:read") -> dict[str, str]:
    """The header that a user's client sends."""
    return {"Authorization": f"Bearer {issuer.issue_access('alice', scope)}"}


def test_fastapi_reads_the_identity(fastapi_app: TestClient, issuer: DemoIssuer) -> None:
    """A token of the policy's issuer reaches the endpoint as a typed identity."""
    answer = fastapi_app.get("/reports/7", headers=bearer(issuer))
    assert (answer.status_code, answer.json()) == (200, {"report": 7, "read_by": "alice", "kind": "user"})


def test_fastapi_refuses(fastapi_app: TestClient, issuer: DemoIssuer) -> None:
    """No token is 401, a token without the endpoint's scope 403, an ID token 401."""
    assert fastapi_app.get("/reports/7").status_code == 401
    assert fastapi_app.post("/reports", headers=bearer(issuer)).status_code == 403
    id_token = issuer.issue_id_token("alice")
    assert fastapi_app.get("/reports/7", headers={"Authorization": f"Bearer {id_token}"}).status_code == 401


def test_fastapi_writes_with_the_scope(fastapi_app: TestClient, issuer: DemoIssuer) -> None:
    """The scope that the policy demands lets the request in."""
    answer = fastapi_app.post("/reports", headers=bearer(issuer, "reports:write"))
    assert (answer.status_code, answer.json()["written_by"]) == (201, "alice")


@pytest.mark.parametrize("path", ["/health", "/docs", "/redoc", "/openapi.json"])
def test_fastapi_public_endpoints(fastapi_app: TestClient, path: str) -> None:
    """What the policy calls public needs no token."""
    assert fastapi_app.get(path).status_code == 200


@pytest.mark.parametrize("client", ["fastapi_app", "starlette_app"])
def test_optional_endpoint(client: str, issuer: DemoIssuer, request: pytest.FixtureRequest) -> None:
    """An optional endpoint knows the caller with a token, is anonymous without, and refuses a bad one."""
    http: TestClient = request.getfixturevalue(client)
    assert http.get("/hello").json() == {"hello": "stranger"}
    assert http.get("/hello", headers=bearer(issuer)).json() == {"hello": "alice"}
    assert http.get("/hello", headers={"Authorization": "Bearer nonsense"}).status_code == 401


def test_starlette_user_and_requires(starlette_app: TestClient, issuer: DemoIssuer) -> None:
    """request.user is the identity, and @requires sees the token's scopes."""
    assert starlette_app.get("/reports", headers=bearer(issuer)).json()["read_by"] == "alice"
    assert starlette_app.delete("/reports/7", headers=bearer(issuer, "reports:write")).status_code == 403
    allowed = starlette_app.delete("/reports/7", headers=bearer(issuer, "reports:write admin"))
    assert (allowed.status_code, allowed.json()) == (200, {"deleted": 7})


def test_starlette_websocket(starlette_app: TestClient, issuer: DemoIssuer) -> None:
    """A WebSocket handshake is decided before it is accepted, and the endpoint sees the identity."""
    with starlette_app.websocket_connect("/feed", headers=bearer(issuer)) as feed:
        assert feed.receive_json() == {"for": "alice"}
    with pytest.raises(WebSocketDenialResponse) as denied, starlette_app.websocket_connect("/feed"):
        pass
    assert denied.value.status_code == 401
