"""Cookie login with a real page, end to end: what the bank's own pages may do, and for how long."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page
from starlette.responses import HTMLResponse
from starlette.types import Receive, Scope, Send

from jwtguard.issuing import CookieTooLargeError, TokenCookie
from tests.browser.bank import COOKIES, NOW, Bank, open_bank
from tests.browser.pages import document
from tests.browser.visitor import log_in
from tests.kit.browser_server import BrowserServer
from tests.kit.guarded import token
from tests.kit.local_ca import LocalCa

FETCH = """async ([method, address, headers]) => {
  const answer = await fetch(address, {method, headers});
  return [answer.status, await answer.text()];
}"""
LISTEN = """(address) => new Promise((resolve, reject) => {
  const socket = new WebSocket(new URL(address, location).href.replace("https", "wss"));
  socket.onmessage = (message) => resolve(message.data);
  socket.onerror = () => reject(new Error("refused"));
})"""


@pytest.fixture(scope="module")
def bank(tls: LocalCa) -> Iterator[Bank]:
    """The bank."""
    with open_bank(tls) as opened:
        yield opened


class Site:
    """A page that sets one cookie."""

    def __init__(self, tls: LocalCa) -> None:
        self.set_cookie = ""
        self.server = BrowserServer(self._page, tls=tls)
        self.origin = self.server.origin("app.example.test")

    async def _page(self, scope: Scope, receive: Receive, send: Send) -> None:
        await HTMLResponse(document("set", ""), headers={"set-cookie": self.set_cookie})(scope, receive, send)


@pytest.fixture(scope="module")
def site(tls: LocalCa) -> Iterator[Site]:
    """It serves."""
    site = Site(tls)
    with site.server:
        yield site


@pytest.mark.parametrize("branch", COOKIES)
def test_a_day_at_the_bank(page: Page, bank: Bank, branch: str) -> None:
    """R-STO-03: after a login the bank's own pages read, write and listen, by script and form; logged out, nothing."""
    bank.forget()
    log_in(page, bank, branch)
    page.get_by_role("button", name="Transfer", exact=True).click()
    page.get_by_text("200 done for alice").wait_for()
    assert page.evaluate(FETCH, ["GET", "statement", {}]) == [200, "done for alice"]
    assert page.evaluate(LISTEN, "feed") == "news for alice"
    page.get_by_role("button", name="Transfer by form").click()
    page.get_by_text("done for alice").wait_for()
    assert bank.done == [
        f"GET /{branch}/account",
        f"POST /{branch}/transfer",
        f"GET /{branch}/statement",
        f"WEBSOCKET /{branch}/feed",
        f"POST /{branch}/transfer",
    ]
    page.go_back()
    page.get_by_role("button", name="Log out").click()
    page.get_by_role("button", name="Log in").wait_for()
    bank.forget()
    for method, path in (("GET", "account"), ("GET", "statement"), ("POST", "transfer")):
        assert page.evaluate(FETCH, [method, path, {}])[0] == 401
    assert bank.done == []


def test_nobody_is_let_in_before_the_login(page: Page, bank: Bank) -> None:
    """R-STO-03: a wrong password sets no cookie, and the account stays closed."""
    page.goto(f"{bank.origin}/strict/")
    page.get_by_label("User").fill("alice")
    page.get_by_label("Password").fill("guess")
    page.get_by_role("button", name="Log in").click()
    page.get_by_text("wrong").wait_for()
    assert page.context.cookies() == []
    answer = page.goto(f"{bank.origin}/strict/account")
    assert answer is not None
    assert answer.status == 401


def test_a_visitor_is_led_to_the_login_page(page: Page, bank: Bank) -> None:
    """R-ERR-10: a browser that opens a page without a cookie is sent to the login page, and a script gets its 401."""
    answer = page.goto(f"{bank.origin}/strict/private")
    assert answer is not None
    assert answer.status == 200
    page.get_by_role("button", name="Log in").wait_for()
    assert page.evaluate(FETCH, ["GET", "private", {}])[0] == 401
    log_in(page, bank, "strict")
    page.goto(f"{bank.origin}/strict/private")
    page.get_by_role("heading", name="Account of alice").wait_for()


@pytest.mark.parametrize(("more", "kept"), [(0, True), (1, False)])
def test_the_limit_of_a_cookie_is_the_browsers(page: Page, site: Site, *, more: int, kept: bool) -> None:
    """R-STO-02: Chromium keeps what the helper lets through at its most, and silently drops a byte more."""
    cookie = TokenCookie()
    most = "x" * (4096 - len(cookie.name))
    (_, field), _ = cookie.set(most, expires_at=NOW + 300, now=NOW)
    site.set_cookie = field.replace(most, most + "x" * more)
    page.goto(site.origin)
    assert bool(page.context.cookies()) is kept
    with pytest.raises(CookieTooLargeError):
        cookie.set(most + "x", expires_at=NOW + 300, now=NOW)


def test_the_cookie_is_as_strong_as_browsers_have_it(page: Page, bank: Bank) -> None:
    """R-STO-01: the browser keeps the helper's cookie with every attribute, and not beyond the life of the token."""
    log_in(page, bank, "strict")
    (kept,) = page.context.cookies()
    seen = {name: kept[name] for name in ("name", "path", "domain", "secure", "httpOnly", "sameSite")}
    assert seen == {
        "name": "__Host-strict",
        "path": "/",
        "domain": "app.example.test",
        "secure": True,
        "httpOnly": True,
        "sameSite": "Strict",
    }
    assert page.evaluate("Date.now()") / 1000 < kept["expires"] <= page.evaluate("Date.now()") / 1000 + 300


def test_a_header_needs_no_proof_of_origin(page: Page, bank: Bank) -> None:
    """R-STO-05: what a script sends in a header passes without the csrf gate, as long as no cookie came along."""
    page.goto(f"{bank.origin}/strict/")
    header = {"Authorization": f"Bearer {token(sub='carol').decode()}"}
    assert page.evaluate(FETCH, ["POST", "transfer", header]) == [200, "done for carol"]


def test_cookie_and_header_together_are_refused(page: Page, bank: Bank) -> None:
    """F62: a script that sends a token of its own while the browser adds the cookie gets neither user's answer."""
    log_in(page, bank, "strict")
    bank.forget()
    header = {"Authorization": f"Bearer {token(sub='carol').decode()}"}
    assert page.evaluate(FETCH, ["POST", "transfer", header])[0] == 400
    assert bank.done == []
