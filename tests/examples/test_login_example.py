"""The example of a login, as it is but for the address of the issuer, whose part the demo's issuer plays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from starlette.testclient import TestClient

from jwtguard.cli.demo.issuer import DemoIssuer
from jwtguard.cli.demo.signing import ALGORITHM
from jwtguard.clock import SystemClock
from tests.examples.storage import ISSUER, load


@pytest.fixture
def issuer() -> Iterator[DemoIssuer]:
    """Who knows alice, and publishes the keys that say so."""
    with DemoIssuer() as running:
        yield running


@pytest.fixture
def site(issuer: DemoIssuer, tmp_path: Path) -> ModuleType:
    """The example."""
    return load("login_app.py", tmp_path, {ISSUER: issuer.issuer})


def browser(site: ModuleType) -> TestClient:
    """A browser that keeps cookies and follows nobody."""
    return TestClient(site.app, base_url="https://testserver", follow_redirects=False)


def nonce_of(redirected: httpx2.Response) -> str:
    """What the issuer is asked to put into the token."""
    assert redirected.status_code == 303
    asked = parse_qs(urlsplit(redirected.headers["location"]).query)
    assert (asked["response_type"], asked["response_mode"]) == (["id_token"], ["form_post"])
    (nonce,) = asked["nonce"]
    return nonce


def id_token(issuer: DemoIssuer, nonce: str, **changes: object) -> str:
    """What the issuer says of alice to its client."""
    now = int(SystemClock().now())
    claims = {"iss": issuer.issuer, "sub": "alice", "aud": issuer.client_id, "iat": now, "exp": now + 60}
    header = {"alg": ALGORITHM, "typ": "JWT", "kid": issuer.current_kid}
    return issuer.sign({**claims, "nonce": nonce, **changes}, header)


def post(user: TestClient, token: str) -> httpx2.Response:
    """What the issuer's page has the browser post: from another site."""
    foreign = {"sec-fetch-site": "cross-site", "origin": "https://login.example.com"}
    return user.post("/callback", data={"id_token": token}, headers=foreign)


def test_a_login(site: ModuleType, issuer: DemoIssuer) -> None:
    """R-CLS-10, R-CLS-11: the ID token with this browser's nonce opens a session, and is good for nothing else."""
    user = browser(site)
    assert user.get("/").text == "Hello, stranger"
    started = user.get("/login")
    assert started.headers["set-cookie"].endswith("; Path=/; Secure; HttpOnly; SameSite=None")
    token = id_token(issuer, nonce_of(started))
    finished = post(user, token)
    assert (finished.status_code, finished.headers["location"]) == (303, "/")
    assert user.get("/").text == "Hello, alice"
    assert set(site.SESSIONS.values()) == {(issuer.issuer, "alice")}
    assert set(user.cookies) == {"__Host-session"}
    assert token not in str(finished.headers) + str(dict(user.cookies))


def test_a_login_counts_once(site: ModuleType, issuer: DemoIssuer) -> None:
    """R-CLS-11: who posts the same token again, nonce and all, gets no second session."""
    user = browser(site)
    nonce = nonce_of(user.get("/login"))
    token = id_token(issuer, nonce)
    assert post(user, token).status_code == 303
    user.cookies.set("__Host-nonce", nonce)
    assert post(user, token).status_code == 403
    assert len(site.SESSIONS) == 1


def test_a_login_of_another_browser(site: ModuleType, issuer: DemoIssuer) -> None:
    """R-CLS-11: a token that somebody else's login brought logs nobody in here, with a nonce of one's own or none."""
    attacker, victim = browser(site), browser(site)
    token = id_token(issuer, nonce_of(attacker.get("/login")))
    assert post(victim, token).status_code == 403
    victim.get("/login")
    assert post(victim, token).status_code == 403
    assert site.SESSIONS == {}


@pytest.mark.parametrize(
    "changes",
    [{"aud": "another-client"}, {"iss": "https://evil.example"}, {"exp": 1}, {"scope": "reports:read"}],
    ids=str,
)
def test_a_login_with_a_bad_token(site: ModuleType, issuer: DemoIssuer, changes: dict[str, object]) -> None:
    """R-CLS-01, R-CLM-03: whatever is no good ID token for this client ends in the same words."""
    user = browser(site)
    refused = post(user, id_token(issuer, nonce_of(user.get("/login")), **changes))
    assert (refused.status_code, refused.text) == (403, "That did not work out. Try again: /login")
    assert refused.headers["set-cookie"].startswith("__Host-nonce=; Max-Age=0;")
    assert site.SESSIONS == {}


def test_a_login_without_a_token(site: ModuleType) -> None:
    """R-CLS-10: a form without a token, or bytes that are no form, are refused like a bad token."""
    user = browser(site)
    user.get("/login")
    assert user.post("/callback", content=b"\xff=\xff").status_code == 403
    user.get("/login")
    assert user.post("/callback").status_code == 403
