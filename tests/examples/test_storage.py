"""The examples of the storage patterns, without a browser: what they let in, and what their clients hold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from fastapi import FastAPI, Request
from starlette.testclient import TestClient

from jwtguard import Config, Discovery, Guard, Issuer, JWTGuardMiddleware, Mode
from jwtguard.cli.demo.issuer import DemoIssuer
from jwtguard.cli.demo.servers import ApiServer
from jwtguard.config.presets import preset
from tests.examples.storage import API, EXAMPLES, ISSUER, SPA_API, SPA_PAGE, demo, load, load_bff, moved

OWN_PAGE = {"sec-fetch-site": "same-origin"}
OTHER_SITE = {"sec-fetch-site": "cross-site", "origin": "https://evil.example"}
ALICE = {"user": "alice", "password": "wonderland"}


def client(module: ModuleType, **more: str) -> TestClient:
    """A browser of sorts: it keeps cookies, and sends what its pages cannot forge."""
    return TestClient(module.app, base_url="https://testserver", headers={**OWN_PAGE, **more}, follow_redirects=False)


@pytest.mark.parametrize("name", ["browser_cookie_app", "bff_app", "spa_app", "native_client", "service_app"])
def test_examples_are_short(name: str) -> None:
    """R-STO-15: an example is read in one go."""
    assert len((EXAMPLES / f"{name}.py").read_text("utf-8").splitlines()) <= 60


@pytest.fixture
def cookie_site(tmp_path: Path) -> TestClient:
    """The site with a token cookie."""
    return client(load("browser_cookie_app.py", tmp_path, {}))


def test_browser_cookie(cookie_site: TestClient) -> None:
    """R-STO-15: login sets the cookie, pages read with it, logout clears it."""
    assert cookie_site.get("/login").status_code == 200
    assert cookie_site.post("/login", data={**ALICE, "password": "guess"}).status_code == 403
    logged_in = cookie_site.post("/login", data=ALICE)
    assert (logged_in.status_code, logged_in.headers["location"]) == (303, "/")
    assert logged_in.headers["set-cookie"].endswith("; Max-Age=600; Path=/; Secure; HttpOnly; SameSite=Lax")
    assert logged_in.headers["cache-control"] == "no-store"
    assert cookie_site.get("/").status_code == 200
    assert cookie_site.get("/reports").json() == "report 7 of alice"
    logged_out = cookie_site.post("/logout")
    assert logged_out.headers["set-cookie"].startswith("__Host-token=; Max-Age=0;")
    assert cookie_site.get("/reports").status_code == 401


def test_browser_cookie_refuses(cookie_site: TestClient) -> None:
    """R-STO-03, R-LIF-03: a foreign page cannot read, log out or log in; who has no token is sent to the login."""
    assert cookie_site.post("/login", data=ALICE, headers=OTHER_SITE).status_code == 403
    assert not cookie_site.cookies
    window = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "sec-fetch-site": "none"}
    sent_away = cookie_site.get("/", headers=window)
    assert (sent_away.status_code, sent_away.headers["location"]) == (303, "/login?return_to=/")
    assert cookie_site.get("/reports").status_code == 401
    cookie_site.post("/login", data=ALICE)
    assert cookie_site.get("/reports", headers=OTHER_SITE).status_code == 403
    assert cookie_site.post("/logout", headers=OTHER_SITE).status_code == 403
    link = {**window, "sec-fetch-site": "cross-site"}
    assert [cookie_site.get(path, headers=link).status_code for path in ("/", "/reports")] == [200, 403]
    token = cookie_site.cookies["__Host-token"]
    cookie_site.cookies.clear()
    assert cookie_site.get("/reports", headers={"authorization": f"Bearer {token}"}).status_code == 401


@pytest.fixture
def running_demo(tmp_path: Path) -> Iterator[tuple[DemoIssuer, ApiServer]]:
    """The issuer and the API of the demo."""
    with demo(tmp_path) as running:
        yield running


@pytest.fixture
def bff(tmp_path: Path, running_demo: tuple[DemoIssuer, ApiServer]) -> ModuleType:
    """The backend for a frontend, in front of the demo's API."""
    issuer, api = running_demo
    return load_bff(tmp_path, issuer, api.url)


def test_bff(bff: ModuleType) -> None:
    """R-STO-10: login opens a session, its token reads at the API and nowhere else, logout ends it on the server."""
    page = client(bff)
    assert page.get("/api/reports").status_code == 401
    logged_in = page.post("/login")
    assert logged_in.headers["set-cookie"].endswith("; Path=/; Secure; HttpOnly; SameSite=Strict")
    (name,) = bff.SESSIONS
    assert (page.cookies["__Host-session"], page.get("/").status_code) == (name, 200)
    read = page.get("/api/reports/7")
    assert (read.status_code, read.json()) == (200, {"report": 7, "for": "demo-service", "kind": "client"})
    assert bff.SESSIONS[name] not in str(read.headers) + read.text + str(logged_in.headers) + logged_in.text
    assert page.get("/api/health").status_code == 403  # the API has it, the list has not
    assert page.post("/api/reports").status_code == 403
    assert page.post("/logout").status_code == 303
    assert bff.SESSIONS == {}
    page.cookies.set("__Host-session", name)
    assert page.get("/api/reports").status_code == 401


def test_bff_gives_a_new_name_at_every_login(bff: ModuleType) -> None:
    """R-STO-10: a login ends the session before it, so a name that was planted or overheard opens nothing."""
    page = client(bff)
    page.post("/login")
    (first,) = bff.SESSIONS
    page.post("/login")
    (second,) = bff.SESSIONS
    assert first != second
    assert client(bff).get("/api/reports", headers={"cookie": f"__Host-session={first}"}).status_code == 401


def test_bff_refuses_foreign_pages(bff: ModuleType) -> None:
    """R-STO-10, R-STO-03: they neither log in, nor call, nor log out."""
    page = client(bff)
    assert page.post("/login", headers=OTHER_SITE).status_code == 403
    page.post("/login")
    for method, path in (("GET", "/api/reports"), ("POST", "/logout"), ("GET", "/")):
        assert page.request(method, path, headers=OTHER_SITE).status_code == 403
    assert len(bff.SESSIONS) == 1


def test_spa(tmp_path: Path) -> None:
    """R-STO-12: the page's origin gets a token in an answer nobody stores, and reads with it in a header."""
    api = client(load("spa_app.py", tmp_path, {}), origin=SPA_PAGE)
    answer = api.post("/login", json=ALICE)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert not api.cookies
    sent = {"authorization": f"Bearer {answer.json()['access_token']}"}
    read = api.get("/reports", headers=sent)
    assert (read.json(), read.headers["access-control-allow-origin"]) == ("report 7 of alice", SPA_PAGE)
    assert "access-control-allow-credentials" not in read.headers
    refused = api.get("/reports")
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, SPA_PAGE)
    assert "access-control-allow-origin" not in api.get("/reports", headers={**sent, **OTHER_SITE}).headers
    asked = {"access-control-request-method": "GET", "access-control-request-headers": "authorization"}
    assert api.options("/reports", headers=asked).status_code == 200
    assert api.options("/reports", headers={**asked, **OTHER_SITE}).status_code == 400
    assert api.post("/login", json={**ALICE, "password": "guess"}).status_code == 403


def test_the_page_of_the_spa_keeps_nothing() -> None:
    """R-STO-12: its script knows no storage and no cookie, and its policy lets no other script in."""
    script = (EXAMPLES / "spa_page/app.js").read_text("utf-8")
    for place in (
        "localStorage",
        "sessionStorage",
        "indexedDB",
        "cookie",
        "caches",
        "window.",
        "globalThis",
        "innerHTML",
    ):
        assert place not in script.partition("\n")[2]
    page = (EXAMPLES / "spa_page/index.html").read_text("utf-8")
    assert "default-src 'none'; script-src 'self'; connect-src" in page
    assert moved(page + script, {SPA_API: "https://api.example.com"}).count("https://api.example.com") == 2


class Login:
    """Whoever is in front of the device, asked for a login."""

    def __init__(self, *tokens: str) -> None:
        self._tokens = list(tokens)
        self.asked = 0

    def __call__(self) -> str:
        """Log in."""
        self.asked += 1
        return self._tokens.pop(0)


def test_native(tmp_path: Path, running_demo: tuple[DemoIssuer, ApiServer], monkeypatch: pytest.MonkeyPatch) -> None:
    """R-STO-13: one login, its token kept under the API's name; a new login where the token no longer holds."""
    issuer, _ = running_demo
    known = Issuer(
        name="demo", issuer=issuer.issuer, audience=(issuer.audience,), algorithms=("ES256",), keys=Discovery()
    )
    guard = Guard(Config(issuers=[known], endpoints=[], mode=Mode.DEVELOPMENT))
    app = FastAPI(openapi_url=None)
    app.add_middleware(JWTGuardMiddleware, guard=guard)

    @app.get("/reports/{number}")
    @guard.protect(preset("native"))
    async def read(number: int, request: Request) -> str:
        return f"report {number} of {request.user.subject}"

    with ApiServer(app) as api:
        native = load("native_client.py", tmp_path, {API: api.url})
        store, good = native.KeyStore(), issuer.issue_access("alice", "reports:read")
        login = Login(good, issuer.issue_access("bob", "reports:read"), "nonsense")
        monkeypatch.setattr(native, "log_in", login)
        for _ in range(2):
            assert native.read("/reports/7", store).json() == "report 7 of alice"
        assert (login.asked, store.get_password(api.url, "alice")) == (1, good)
        store.set_password(api.url, "alice", issuer.issue_access("alice", "reports:read", exp=1))
        assert native.read("/reports/7", store).json() == "report 7 of bob"
        store.set_password(api.url, "alice", "nonsense")
        assert (native.read("/reports/7", store).status_code, login.asked) == (401, 3)  # and no endless asking
        robot = native.KeyStore()
        robot.set_password(api.url, "alice", issuer.issue_access("demo-service", "reports:read"))
        assert native.read("/reports/7", robot).status_code == 403


def test_the_native_client_follows_no_redirect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-STO-13: a redirect is an answer like any other: the token goes nowhere else."""
    app = FastAPI(openapi_url=None)
    seen: list[str] = []

    @app.get("/{path:path}")
    async def away(request: Request) -> object:
        from starlette.responses import RedirectResponse  # noqa: PLC0415

        seen.append(request.url.path)
        return RedirectResponse("/elsewhere")

    with ApiServer(app) as api:
        native = load("native_client.py", tmp_path, {API: api.url})
        monkeypatch.setattr(native, "log_in", Login("token"))
        assert native.read("/reports/7", native.KeyStore()).status_code == 307
    assert seen == ["/reports/7"]


def test_service(tmp_path: Path, running_demo: tuple[DemoIssuer, ApiServer]) -> None:
    """R-STO-14: a client's token in a header; not a user's, not one in a cookie, whoever's page it comes from."""
    import httpx2  # noqa: PLC0415

    issuer, _ = running_demo
    grant = {"grant_type": "client_credentials", "scope": "reports:read"}
    auth = (issuer.client_id, issuer.client_secret)
    token = httpx2.post(f"{issuer.issuer}/token", data=grant, auth=auth, trust_env=False).json()["access_token"]
    api = client(load("service_app.py", tmp_path, {ISSUER: issuer.issuer}))
    answer = api.get("/reports", headers={"authorization": f"Bearer {token}", **OTHER_SITE, "cookie": "__Host-token=x"})
    assert (answer.status_code, answer.json()) == (200, {"reports": [7, 8], "for": "demo-service", "kind": "client"})
    user = issuer.issue_access("alice", "reports:read")
    assert api.get("/reports", headers={"authorization": f"Bearer {user}"}).status_code == 403
    assert api.get("/reports", headers={"cookie": f"__Host-token={token}; __Host-session={token}"}).status_code == 401
