"""Browsers without Fetch Metadata: ``Origin`` decides, and where that is missing too, ``Referer``.

The browser is the same; its header fields are taken away on their way to the bank, before the guard sees them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest
from playwright.sync_api import Browser, Page

from jwtguard import Reason
from tests.browser.attackers import CROSS, SIBLING, Attackers
from tests.browser.bank import COOKIES, Bank, open_bank
from tests.browser.visitor import log_in, open_attack
from tests.kit.browser import new_context
from tests.kit.local_ca import LocalCa

FETCH_METADATA: Final = ("sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest", "sec-fetch-user")
BROWSERS: Final = {"with Origin": FETCH_METADATA, "with Referer": (*FETCH_METADATA, "origin")}


@pytest.fixture(scope="module", params=BROWSERS.values(), ids=list(BROWSERS))
def bank(request: pytest.FixtureRequest, tls: LocalCa) -> Iterator[Bank]:
    """A bank visited by older browsers."""
    with open_bank(tls, without=request.param) as opened:
        yield opened


@pytest.fixture(scope="module")
def victim(chromium: Browser, bank: Bank) -> Iterator[Page]:
    """Such a browser, logged in."""
    with new_context(chromium) as context:
        page = context.new_page()
        log_in(page, bank, "none")
        yield page


@pytest.mark.parametrize("place", [SIBLING, CROSS])
@pytest.mark.parametrize(
    "attack", ["form", "text_form", "framed_form", "sandboxed_form", "anonymous_form", "fetch_no_cors", "fetch_cors"]
)
def test_a_foreign_page_is_refused(victim: Page, bank: Bank, attackers: Attackers, place: str, attack: str) -> None:
    """R-STO-03, F63: without Fetch Metadata a foreign Origin or Referer is refused, and so is the lack of both."""
    exchange = open_attack(victim, attackers, bank, place=place, attack=attack, path="/none/transfer")
    assert COOKIES["none"].name in exchange.cookies()
    assert (exchange.site, exchange.status) == (None, 403)
    assert bank.reasons("POST /none/transfer") == [Reason.CSRF]
    assert bank.done == []


def test_our_own_pages_pass(victim: Page, bank: Bank) -> None:
    """R-STO-03: the bank's own script and form are known by Origin or Referer alone."""
    bank.forget()
    page = victim
    page.goto(f"{bank.origin}/none/account")
    page.get_by_role("button", name="Transfer", exact=True).click()
    page.get_by_text("200 done for alice").wait_for()
    page.get_by_role("button", name="Transfer by form").click()
    page.get_by_text("done for alice").wait_for()
    assert bank.done == ["GET /none/account", "POST /none/transfer", "POST /none/transfer"]
    assert {exchange.site for exchange in bank.wire.at("/none/transfer")} == {None}
