"""Real attack pages against a bank whose users are logged in by cookie: the browser sends it along, the guard refuses.

``SameSite`` makes a browser withhold a cookie from some of the attacks. What matters here is the others, so there is a
cookie of each kind, and each test first sees on the wire whether the cookie came.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest
from playwright.sync_api import Browser, Page

from jwtguard import Reason
from tests.browser.attackers import CROSS, INSECURE, PLACES, PORT, SAME_SITE_PLACES, SIBLING, Attackers, cookie_travels
from tests.browser.bank import COOKIES, Bank, open_bank
from tests.browser.visitor import log_in, open_attack
from tests.kit.browser import new_context
from tests.kit.local_ca import LocalCa

_WRITES: Final = (
    "form",
    "text_form",
    "framed_form",
    "sandboxed_form",
    "anonymous_form",
    "fetch_no_cors",
    "fetch_cors",
    "beacon",
)
_EMBEDS: Final = ("image", "script", "frame")
ATTACKS: Final = (
    *((attack, "POST", "transfer") for attack in _WRITES),
    *((attack, "GET", page) for attack in _EMBEDS for page in ("statement", "account")),
    ("link", "GET", "statement"),
    ("websocket", "WEBSOCKET", "feed"),
)
_OF_EACH_WAY: Final = {"form", "fetch_no_cors", "link", "websocket"}
CASES: Final = [
    (branch, *attack) for branch in COOKIES for attack in ATTACKS if branch == "none" or attack[0] in _OF_EACH_WAY
]
"""Every attack on the cookie that always travels, and one of each way to travel on the others."""


@pytest.fixture(scope="module")
def bank(tls: LocalCa) -> Iterator[Bank]:
    """The bank."""
    with open_bank(tls) as opened:
        yield opened


@pytest.fixture(scope="module")
def victim(chromium: Browser, bank: Bank) -> Iterator[Page]:
    """A browser logged in to every branch."""
    with new_context(chromium) as context:
        page = context.new_page()
        for branch in COOKIES:
            log_in(page, bank, branch)
        yield page


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_a_foreign_page_is_refused(
    victim: Page, bank: Bank, attackers: Attackers, place: str, case: tuple[str, str, str, str]
) -> None:
    """R-STO-03, R-STO-06, R-EXT-12, F63: whatever a foreign page makes the browser send, no handler runs."""
    branch, attack, method, page = case
    path = f"/{branch}/{page}"
    exchange = open_attack(victim, attackers, bank, place=place, attack=attack, path=path)
    came = COOKIES[branch].name in exchange.cookies()
    if (branch, attack) != ("unset", "form"):  # that one travels for two minutes after the login
        assert came == cookie_travels(place, branch, attack)
    assert bank.done == []
    assert exchange.method == method
    assert exchange.status == (403 if came else 401)
    assert bank.reasons(f"{method} {path}") == [Reason.CSRF if came else Reason.MISSING_TOKEN]


@pytest.mark.parametrize("place", PLACES)
def test_a_preflight_is_all_that_comes_of_json(victim: Page, bank: Bank, attackers: Attackers, place: str) -> None:
    """R-STO-03, F63: for JSON the browser asks first, is not encouraged, and sends nothing more."""
    path = "/none/transfer"
    exchange = open_attack(victim, attackers, bank, place=place, attack="fetch_json", path=path)
    assert (exchange.method, exchange.cookies()) == ("OPTIONS", set())
    assert [each.method for each in bank.wire.at(path)] == ["OPTIONS"]
    assert bank.done == []


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("branch", COOKIES)
def test_a_link_leads_to_a_navigable_page(
    victim: Page, bank: Bank, attackers: Attackers, place: str, branch: str
) -> None:
    """R-STO-06: a link on a foreign page opens what the policy calls navigable, if the browser sends the cookie."""
    path = f"/{branch}/account"
    exchange = open_attack(victim, attackers, bank, place=place, attack="link", path=path)
    came = cookie_travels(place, branch, "link")
    assert exchange.status == (200 if came else 401)
    assert bank.done == ([f"GET {path}"] if came else [])


def test_the_grace_of_two_minutes_helps_no_attacker(chromium: Browser, bank: Bank, attackers: Attackers) -> None:
    """R-STO-03, F63: a fresh cookie without SameSite goes with a foreign form; the guard refuses that form."""
    with new_context(chromium) as context:
        page = context.new_page()
        log_in(page, bank, "unset")
        exchange = open_attack(page, attackers, bank, place=CROSS, attack="form", path="/unset/transfer")
    assert COOKIES["unset"].name in exchange.cookies()
    assert (exchange.status, exchange.site, bank.done) == (403, "cross-site", [])


def test_the_attackers_are_where_they_say(victim: Page, bank: Bank, attackers: Attackers) -> None:
    """R-STO-03: the four places differ as meant: the browser itself calls two same-site and two cross-site."""
    seen = {
        place: open_attack(victim, attackers, bank, place=place, attack="fetch_no_cors", path="/none/transfer")
        for place in PLACES
    }
    assert {place: exchange.site for place, exchange in seen.items()} == {
        SIBLING: "same-site",
        PORT: "same-site",
        INSECURE: "cross-site",
        CROSS: "cross-site",
    }
    assert {place for place, exchange in seen.items() if exchange.site == "same-site"} == SAME_SITE_PLACES
