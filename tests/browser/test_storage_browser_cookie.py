"""The example of the preset browser_cookie, used and attacked in a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from tests.browser.attackers import CROSS, PLACES, SAME_SITE_PLACES, SIBLING, Attackers
from tests.browser.example_site import ExampleSite
from tests.browser.pages import READ_EVERYTHING
from tests.examples.storage import load
from tests.kit.local_ca import LocalCa

COOKIE = "__Host-token"


@pytest.fixture(scope="module")
def site(tls: LocalCa, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExampleSite]:
    """The example."""
    opened = ExampleSite(tls)
    opened.module = load("browser_cookie_app.py", tmp_path_factory.mktemp("site"), {})
    with opened.server:
        yield opened


@pytest.fixture
def user(page: Page, site: ExampleSite) -> Page:
    """A browser in which Alice has logged in by the page's own form."""
    page.goto(site.origin)
    assert page.url == f"{site.origin}/login?return_to=/"
    page.locator("[name=user]").fill("alice")
    page.locator("[name=password]").fill("wonderland")
    page.get_by_role("button", name="Log in").click()
    page.get_by_text("report 7 of alice").wait_for()
    return page


def test_login_and_logout(user: Page, site: ExampleSite) -> None:
    """R-STO-15: who is not logged in is led to the form; after it the page reads; after the logout nobody does."""
    user.get_by_role("button", name="Log out").click()
    user.get_by_role("button", name="Log in").wait_for()
    assert user.context.cookies() == []
    assert user.evaluate("async () => (await fetch('reports')).status") == 401
    user.goto(site.origin)
    assert user.url.startswith(f"{site.origin}/login")


def test_no_script_reads_the_token(user: Page, site: ExampleSite) -> None:
    """R-STO-12, R-STO-15: the token is in the browser, and nowhere that a script of the page could look."""
    (kept,) = user.context.cookies()
    assert (kept["name"], kept["httpOnly"]) == (COOKIE, True)
    found = user.evaluate(READ_EVERYTHING, ["GET ./", "GET reports", "GET login", "POST logout"])
    assert "report 7 of alice" in found
    for part in (COOKIE, *kept["value"].split(".")):
        assert part not in found
    assert site.wire.at("/logout")[-1].status == 303


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("attack", ["form", "fetch_no_cors", "sandboxed_form"])
def test_a_foreign_page_writes_nothing(
    user: Page, site: ExampleSite, attackers: Attackers, place: str, attack: str
) -> None:
    """R-STO-03, R-STO-15: with the cookie or without, what a foreign page posts is refused, and the user stays in."""
    exchange = site.attacked(user, attackers, place=place, attack=attack, path="/logout")
    came = place in SAME_SITE_PLACES and attack != "sandboxed_form"
    assert (exchange.method, COOKIE in exchange.cookies()) == ("POST", came)
    assert exchange.status == (403 if came else 401)
    assert [kept["name"] for kept in user.context.cookies()] == [COOKIE]


@pytest.mark.parametrize("place", PLACES)
def test_a_foreign_page_logs_nobody_in(page: Page, site: ExampleSite, attackers: Attackers, place: str) -> None:
    """R-STO-15: the login form of the example takes no requests of foreign pages (login csrf)."""
    assert site.attacked(page, attackers, place=place, attack="form", path="/login").status == 403
    assert page.context.cookies() == []


@pytest.mark.parametrize("place", [CROSS, SIBLING])
def test_links_lead_to_navigable_pages(user: Page, site: ExampleSite, attackers: Attackers, place: str) -> None:
    """R-STO-06: a link on another site opens the page that the policy calls navigable, logged in, and no other."""
    opened = site.attacked(user, attackers, place=place, attack="link", path="/")
    assert (opened.status, COOKIE in opened.cookies()) == (200, True)
    refused = site.attacked(user, attackers, place=place, attack="link", path="/reports")
    assert (refused.status, COOKIE in refused.cookies()) == (403, True)
