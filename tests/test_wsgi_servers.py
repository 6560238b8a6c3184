"""The guard under real WSGI servers: gunicorn with its kinds of workers, forked before and after, and waitress."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from jwtguard.clock import SystemClock
from tests.kit.fake_idp import JWKS_PATH, FakeIdP
from tests.kit.wsgi_servers import SERVERS, Answered, WsgiServer, serving
from tests.scenarios.protected_api import Login

CLOCK = SystemClock()


class Running:
    """A server with its issuer."""

    def __init__(self, name: str, server: WsgiServer, login: Login) -> None:
        self.name = name
        self.server = server
        self.login = login

    def get(self, *fields: str, subject: str = "ada", path: str = "/reports") -> Answered:
        """Ask with a good token, and with more fields."""
        sent = self.login.token(clock=CLOCK, sub=subject).decode()
        return self.server.get(path, f"Authorization: Bearer {sent}", *fields)


@pytest.fixture(scope="module", params=SERVERS)
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Each server, with an issuer that publishes one key; the guard is built when the application is imported."""
    name: str = request.param
    log: Path = tmp_path_factory.mktemp("server") / "log"
    with FakeIdP() as idp:
        login = Login(idp)
        login.publish("k1")
        with serving(name, {"issuer": idp.issuer, "jwks_uri": idp.jwks_uri}, log) as server:
            yield Running(name, server, login)


def told(answer: Answered) -> dict[str, Any]:
    """What the application said."""
    assert answer.status == 200, answer.body
    said: dict[str, Any] = json.loads(answer.body)
    return said


def test_many_callers_at_once(running: Running) -> None:
    """F67, R-IDN-05: a cold server fetches keys through a portal of the process that serves, and mixes nobody up."""
    subjects = [f"user-{n}" for n in range(40)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda subject: told(running.get(subject=subject)), subjects))
    assert [(one["caller"], one["late"]) for one in answers] == [(subject, subject) for subject in subjects]
    pids = {one["pid"] for one in answers}
    assert running.login.idp.hits[JWKS_PATH] == len(pids), "each process fetched the keys once"
    if running.name == "gunicorn prefork":
        assert all(one["imported_in"] == running.server.pid for one in answers), "built before the fork"
        assert running.server.pid not in pids
    assert any("jwtguard-portal" in one["threads"] for one in answers)


@pytest.mark.parametrize(
    ("fields", "status", "challenge"),
    [
        ([], 401, "Bearer"),
        (["Authorization: Bearer junk"], 401, 'Bearer error="invalid_token"'),
        (["Authorization: Bearer a.b.c", "Authorization: Bearer d.e.f"], 400, 'Bearer error="invalid_request"'),
        (["Authorization: Bearer a b"], 400, 'Bearer error="invalid_request"'),
        (["Authorization: Bearer junk", "X_Forwarded_User: root"], 401, 'Bearer error="invalid_token"'),
    ],
)
def test_refusals_over_the_wire(running: Running, fields: list[str], status: int, challenge: str) -> None:
    """R-EXT-14, F62: every server sends the same status, challenge and body; what it joined stays two credentials."""
    answer = running.server.get("/reports", *fields)
    assert (answer.status, answer.fields["www-authenticate"][: len(challenge)]) == (status, challenge)
    assert (answer.fields["cache-control"], answer.fields["content-type"]) == ("no-store", "application/json")
    assert set(json.loads(answer.body)) == {"error", "error_description"}
    head = running.server.get("/reports", *fields, method="HEAD")
    assert (head.status, head.body, head.fields["content-length"]) == (status, b"", str(len(answer.body)))


def test_two_good_tokens_are_none(running: Running) -> None:
    """F62: two valid credentials in two fields are refused by every server's way of joining them."""
    second = running.login.token(clock=CLOCK, sub="eve").decode()
    assert running.get(f"Authorization: Bearer {second}").status == 400


@pytest.mark.parametrize(
    "field",
    [
        "X-Forwarded-Proto: https",
        "X-Forwarded-For: 192.0.2.1",
        "X-Original-URL: /health",
        "X_Forwarded_User: root",
        "Http_Authorization: Bearer x",
        "X-HTTP-Method-Override: OPTIONS",
    ],
)
def test_fields_change_nothing(running: Running, field: str) -> None:
    """F59: fields that some stacks trust change no decision, with a token and without."""
    assert told(running.get(field))["caller"] == "ada"
    assert running.server.get("/reports", field).status == 401


@pytest.mark.parametrize(
    "path", ["/reports%0A", "/./reports", "/%72eports%00", "/reports/", "/nothing", "/%FF", "/reports;x"]
)
def test_paths_over_the_wire(running: Running, path: str) -> None:
    """F60: what is not exactly the endpoint's path, as the server hands it over, is closed, to a good token too."""
    assert running.get(path=path).status == 403
    assert running.get(path="/%72eports").status == 200


def test_a_script_name_from_outside_opens_nothing(running: Running) -> None:
    """F59, F60: gunicorn takes SCRIPT_NAME from peers on loopback; what is left of the path is what is decided."""
    for name in ("SCRIPT_NAME", "Script-Name", "PATH_INFO"):
        assert running.server.get("/health/reports", f"{name}: /health").status in (401, 403)
        assert running.server.get("/reports/health", f"{name}: /reports").status in (200, 403)


def test_an_announced_upload_is_refused_at_once(running: Running) -> None:
    """F64: a gigabyte announced and not sent is refused without waiting for it (waitress reads bodies first)."""
    if running.name == "waitress":
        assert running.server.get("/upload", "Content-Length: 0", method="POST").status == 401
        return
    assert running.server.send("POST", "/upload", f"Content-Length: {1 << 30}", begun=b"x").status == 401


def test_a_server_on_loopback_may_speak_plain_http(running: Running) -> None:
    """R-EXT-09: the development profile's exemption works under every server, whatever it calls itself."""
    assert told(running.get())["scheme"] == "http"
