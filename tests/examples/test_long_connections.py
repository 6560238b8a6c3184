"""The examples of connections that end with their token, under a real uvicorn, with tokens of a second or two."""

from __future__ import annotations

import importlib.util
import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from starlette.types import ASGIApp
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from jwtguard.cli.demo.issuer import DemoIssuer
from jwtguard.cli.demo.servers import ApiServer

EXAMPLES = Path(__file__).parents[2] / "examples"
WRITTEN_ISSUER = "http://127.0.0.1:8812"
WRITTEN_KEYS = '"discovery"'
LIFE_S = 0.7
PATIENCE_S = 10.0


@pytest.fixture
def issuer() -> Iterator[DemoIssuer]:
    """An issuer of the kind that the examples name."""
    with DemoIssuer() as running:
        yield running


def load(example: str, issuer: DemoIssuer, folder: Path) -> ASGIApp:
    """Copy an example and its policy, with the issuer's port filled in and no leeway, and return the application."""
    policy = (EXAMPLES / "jwtguard.toml").read_text("utf-8")
    assert policy.count(WRITTEN_ISSUER) == policy.count(WRITTEN_KEYS) == 1
    changed = policy.replace(WRITTEN_ISSUER, issuer.issuer).replace(WRITTEN_KEYS, f'{WRITTEN_KEYS}\nleeway = "0s"')
    (folder / "jwtguard.toml").write_text(changed, "utf-8")
    copy = folder / example
    copy.write_text((EXAMPLES / example).read_text("utf-8"), "utf-8")
    spec = importlib.util.spec_from_file_location(copy.stem, copy)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    app: ASGIApp = module.app
    return app


def short_token(issuer: DemoIssuer, life_s: float = LIFE_S, subject: str = "alice") -> str:
    """A token that ends soon."""
    return issuer.issue_access(subject, "reports:read", exp=time.time() + life_s)  # noqa: TID251 - real servers, real time


def test_the_websocket_example(issuer: DemoIssuer, tmp_path: Path) -> None:
    """R-EXT-12: renewed in band it outlives its first token; another's token is refused; then it ends with 1008."""
    with ApiServer(load("websocket_app.py", issuer, tmp_path)) as api:
        url, first = f"{api.url.replace('http', 'ws')}/feed", short_token(issuer)
        with connect(url, additional_headers={"Authorization": f"Bearer {first}"}, proxy=None) as client:

            def say(**message: str) -> dict[str, object]:
                client.send(json.dumps(message))
                answer: dict[str, object] = json.loads(client.recv(PATIENCE_S))
                return answer

            assert json.loads(client.recv(PATIENCE_S)) == {"for": "alice"}
            assert say(token=short_token(issuer, subject="eve")) == {"renewed": False}
            assert say(token=short_token(issuer, 2 * LIFE_S))["renewed"] is True
            with pytest.raises(TimeoutError):
                client.recv(1.2 * LIFE_S)  # past the first token's end
            assert say(say="still here") == {"you said": "still here"}
            with pytest.raises(ConnectionClosed) as closed:
                client.recv(PATIENCE_S)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008


def test_the_event_stream_example(issuer: DemoIssuer, tmp_path: Path) -> None:
    """R-EXT-12: the stream is complete when its token ends, and asking again with that token is refused."""
    with ApiServer(load("sse_app.py", issuer, tmp_path)) as api:
        headers = {"Authorization": f"Bearer {short_token(issuer)}"}
        with httpx2.stream(
            "GET", f"{api.url}/reports", headers=headers, trust_env=False, timeout=PATIENCE_S
        ) as response:
            assert response.headers["vary"] == "authorization"
            lines = list(response.iter_lines())
        assert lines[0] == "data: hello alice"
        assert "id: 1" in lines
        assert httpx2.get(f"{api.url}/reports", headers=headers, trust_env=False).status_code == 401
