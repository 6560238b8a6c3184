"""The example of the preset spa: its page on one origin, its API on another, a foreign page on a third."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page
from starlette.staticfiles import StaticFiles

from tests.browser.attackers import CROSS, SIBLING, Attackers
from tests.browser.example_site import ExampleSite
from tests.browser.pages import READ_EVERYTHING
from tests.examples.storage import EXAMPLES, SPA_API, SPA_PAGE, load, moved
from tests.kit.browser_server import BrowserServer
from tests.kit.local_ca import LocalCa

GLOBALS = """() => JSON.stringify(Object.getOwnPropertyNames(window).map((name) => {
  try { return name + " " + String(window[name]); } catch { return name; }
}))"""
FETCH = """async ([address, options]) => {
  try { return (await fetch(address, options)).status; } catch (error) { return error.name; }
}"""


def copied_page(folder: Path, api: str) -> Path:
    """The example's page, whose API is elsewhere."""
    for name in ("index.html", "app.js"):
        (folder / name).write_text(moved((EXAMPLES / "spa_page" / name).read_text("utf-8"), {SPA_API: api}), "utf-8")
    return folder


class Spa:
    """Both halves of the example."""

    def __init__(self, tls: LocalCa, folder: Path) -> None:
        self.api = ExampleSite(tls, "api.example.test")
        (folder / "page").mkdir()
        files = StaticFiles(directory=copied_page(folder / "page", self.api.origin), html=True)
        self.pages = BrowserServer(files, tls=tls)
        self.origin = self.pages.origin("app.example.test")
        self.api.module = load("spa_app.py", folder, {SPA_API: self.api.origin, SPA_PAGE: self.origin})


@pytest.fixture(scope="module")
def spa(tls: LocalCa, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spa]:
    """The example."""
    opened = Spa(tls, tmp_path_factory.mktemp("spa"))
    with opened.api.server, opened.pages:
        yield opened


@pytest.fixture
def user(page: Page, spa: Spa) -> Page:
    """A browser whose page has a token."""
    page.goto(spa.origin)
    page.get_by_label("User").fill("alice")
    page.get_by_label("Password").fill("wonderland")
    page.get_by_role("button", name="Log in").click()
    page.get_by_text("logged in").wait_for()
    return page


def test_login_and_logout(user: Page, spa: Spa) -> None:
    """R-STO-12: the page reads across origins with its token; logged out, reloaded or by a wrong password not."""
    user.get_by_role("button", name="Read").click()
    user.get_by_text("report 7 of alice").wait_for()
    user.get_by_role("button", name="Log out").click()
    user.get_by_text("logged out").wait_for()
    user.get_by_role("button", name="Read").click()
    user.get_by_text("please log in").wait_for()
    user.get_by_label("User").fill("alice")
    user.get_by_label("Password").fill("guess")
    user.get_by_role("button", name="Log in").click()
    user.get_by_text("wrong").wait_for()
    user.reload()
    user.get_by_role("button", name="Read").click()
    user.get_by_text("please log in").wait_for()


def test_the_token_is_kept_nowhere(user: Page, spa: Spa) -> None:
    """R-STO-12: no storage, no cookie, no global, no element holds it; another script of the page finds nothing."""
    spa.api.wire.clear()
    user.get_by_role("button", name="Read").click()
    user.get_by_text("report 7 of alice").wait_for()
    sent = spa.api.wire.wait_for("/reports", lambda exchange: exchange.method == "GET")
    token = sent.headers["authorization"].removeprefix("Bearer ")
    found = user.evaluate(READ_EVERYTHING, []) + user.evaluate(GLOBALS)
    assert "report 7 of alice" in found
    for part in token.split("."):
        assert part not in found
    assert user.context.cookies() == []
    state = user.evaluate("JSON.stringify([localStorage, sessionStorage])")
    assert state == "[{},{}]"
    assert "cookie" not in sent.headers


@pytest.mark.parametrize("place", [CROSS, SIBLING])
def test_a_foreign_page_gets_nothing(user: Page, spa: Spa, attackers: Attackers, place: str) -> None:
    """R-STO-12, R-STO-07: what it sends has no token, what it may not send is stopped at the preflight."""
    other = user.context.new_page()
    other.goto(f"{attackers.origin(place)}/toss?cookie=a=b")
    spa.api.wire.clear()
    reports, login = f"{spa.api.origin}/reports", f"{spa.api.origin}/login"
    assert other.evaluate(FETCH, [reports, {"credentials": "include"}]) == "TypeError"
    assert [exchange.status for exchange in spa.api.wire.at("/reports")] == [401]
    header = {"headers": {"Authorization": "Bearer stolen"}}
    assert other.evaluate(FETCH, [reports, header]) == "TypeError"
    assert [(exchange.method, exchange.status) for exchange in spa.api.wire.at("/reports")[1:]] == [("OPTIONS", 400)]
    form = {"method": "POST", "headers": {"Content-Type": "application/json"}, "body": "{}"}
    assert other.evaluate(FETCH, [login, form]) == "TypeError"
    assert [exchange.method for exchange in spa.api.wire.at("/login")] == ["OPTIONS"]


def test_a_foreign_form_is_refused(user: Page, spa: Spa, attackers: Attackers) -> None:
    """R-STO-12: a form needs no preflight, and has no token either: the API takes it for a stranger's."""
    exchange = spa.api.attacked(user, attackers, place=CROSS, attack="form", path="/reports")
    assert (exchange.method, exchange.status, exchange.cookies()) == ("POST", 403, set())


def test_no_other_script_runs_on_the_page(user: Page, attackers: Attackers) -> None:
    """R-STO-12: a script that got into the page as text, or from elsewhere, is not run: it could see the token pass."""
    ran = user.evaluate(
        """async (address) => {
          const inline = document.createElement("script");
          inline.textContent = "document.title = 'inline ran'";
          document.body.append(inline);
          const foreign = document.createElement("script");
          const ended = new Promise((resolve) => {
            foreign.onload = foreign.onerror = (event) => resolve(event.type);
          });
          foreign.src = address;
          document.body.append(foreign);
          return [await ended, document.title];
        }""",
        f"{attackers.origin(CROSS)}/toss?cookie=a=b",
    )
    assert ran == ["error", "Reports"]
    assert user.evaluate(FETCH, [f"{attackers.origin(CROSS)}/toss?cookie=a=b", {}]) == "TypeError"
