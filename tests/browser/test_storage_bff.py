"""The example of the preset bff, with the demo's issuer and API behind it, used and attacked in a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from tests.browser.attackers import CROSS, PLACES, SAME_SITE_PLACES, SIBLING, Attackers
from tests.browser.example_site import ExampleSite
from tests.browser.pages import READ_EVERYTHING
from tests.examples.storage import demo, load_bff
from tests.kit.local_ca import LocalCa

COOKIE = "__Host-session"


@pytest.fixture(scope="module")
def site(tls: LocalCa, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExampleSite]:
    """The example."""
    opened, folder = ExampleSite(tls), tmp_path_factory.mktemp("bff")
    with demo(folder) as (issuer, api):
        opened.module = load_bff(folder, issuer, api.url)
        with opened.server:
            yield opened


@pytest.fixture
def user(page: Page, site: ExampleSite) -> Page:
    """A browser with a session."""
    site.module.SESSIONS.clear()
    page.goto(site.origin)
    assert page.url == f"{site.origin}/login?return_to=/"
    page.get_by_role("button", name="Log in").click()
    page.get_by_text('"for":"demo-service"').wait_for()
    return page


def test_login_and_logout(user: Page, site: ExampleSite) -> None:
    """R-STO-10: the page reads the API through the backend; the logout ends the session there, and the reading."""
    assert len(site.module.SESSIONS) == 1
    user.get_by_role("button", name="Log out").click()
    user.get_by_role("button", name="Log in").wait_for()
    assert (site.module.SESSIONS, user.context.cookies()) == ({}, [])
    assert user.evaluate("async () => (await fetch('api/reports')).status") == 401


def test_the_token_never_reaches_the_browser(user: Page, site: ExampleSite) -> None:
    """R-STO-10: not in a cookie, a storage, a page, an answer or its fields; and no script reads the session's name."""
    ((name, token),) = site.module.SESSIONS.items()
    kept = user.context.cookies()
    assert [(cookie["name"], cookie["value"], cookie["httpOnly"]) for cookie in kept] == [(COOKIE, name, True)]
    paths = ["GET ./", "GET api/reports", "GET api/reports/7", "GET api/health", "POST api/reports", "POST logout"]
    found = user.evaluate(READ_EVERYTHING, paths)
    assert "demo-service" in found
    for part in (name, *token.split(".")):
        assert part not in found


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("attack", ["form", "fetch_no_cors"])
def test_a_foreign_page_writes_nothing(
    user: Page, site: ExampleSite, attackers: Attackers, place: str, attack: str
) -> None:
    """R-STO-10, R-STO-03: what a foreign page posts is refused, with the cookie or without, and the session stays."""
    exchange = site.attacked(user, attackers, place=place, attack=attack, path="/logout")
    came = place in SAME_SITE_PLACES
    assert (exchange.method, COOKIE in exchange.cookies()) == ("POST", came)
    assert exchange.status == (403 if came else 401)
    assert len(site.module.SESSIONS) == 1


@pytest.mark.parametrize("attack", ["image", "script", "frame"])
def test_a_foreign_page_embeds_no_answer(user: Page, site: ExampleSite, attackers: Attackers, attack: str) -> None:
    """R-STO-10: an API's answer is embedded by no page of another origin, not even one of the same site."""
    exchange = site.attacked(user, attackers, place=SIBLING, attack=attack, path="/api/reports")
    assert (exchange.status, COOKIE in exchange.cookies()) == (403, True)


def test_links_lead_to_navigable_pages(user: Page, site: ExampleSite, attackers: Attackers) -> None:
    """R-STO-06: a link on the same site opens the page; from another site the strict cookie stays away."""
    opened = site.attacked(user, attackers, place=SIBLING, attack="link", path="/")
    assert (opened.status, COOKIE in opened.cookies()) == (200, True)
    refused = site.attacked(user, attackers, place=SIBLING, attack="link", path="/api/reports")
    assert (refused.status, COOKIE in refused.cookies()) == (403, True)
    led = site.attacked(user, attackers, place=CROSS, attack="link", path="/")
    assert (led.status, COOKIE in led.cookies()) == (303, False)


def test_an_answer_opened_as_a_page_runs_nothing(user: Page, site: ExampleSite) -> None:
    """R-STO-10: what the API says is shown in a sandbox: a page with a script would not be of our origin."""
    answer = user.goto(f"{site.origin}/api/reports")
    assert answer is not None
    assert answer.status == 200
    assert user.evaluate("self.origin") == "null"
