"""What people do with a browser: log in, and open the page of an attacker."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from playwright.sync_api import Page

from tests.browser.attackers import Attackers
from tests.browser.bank import Bank
from tests.kit.browser_wire import Exchange

_LEAVE_THE_PAGE: Final = frozenset({"form", "text_form", "anonymous_form", "link"})


def log_in(page: Page, bank: Bank, branch: str) -> None:
    """Fill in the form and send it."""
    page.goto(f"{bank.origin}/{branch}/")
    page.get_by_label("User").fill("alice")
    page.get_by_label("Password").fill("wonderland")
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("heading", name="Account of alice").wait_for()


def open_attack(page: Page, attackers: Attackers, bank: Bank, *, place: str, attack: str, path: str) -> Exchange:
    """Open an attack page on what the bank has at a path, and return what came there.

    When this returns the attack is over: either the page says so, or the browser has left it for the bank's answer.
    """
    bank.forget()
    target = bank.origin + path
    page.goto(f"{attackers.origin(place)}/attack/{attack}?target={quote(target, safe='')}", wait_until="commit")
    if attack in _LEAVE_THE_PAGE:
        page.wait_for_url(target)
    else:
        page.wait_for_function("document.title === 'done'")
        assert page.locator("body").inner_text().strip() == "", "the attacker read something"
    return bank.wire.wait_for(path)
