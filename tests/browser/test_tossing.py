"""Cookies that another host of the site plants in the victim's browser."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from playwright.sync_api import BrowserContext

from tests.browser.attackers import PORT, SIBLING, Attackers
from tests.browser.bank import Bank, open_bank
from tests.browser.visitor import log_in
from tests.kit.guarded import token
from tests.kit.local_ca import LocalCa


@pytest.fixture(scope="module")
def bank(tls: LocalCa) -> Iterator[Bank]:
    """The bank."""
    with open_bank(tls) as opened:
        yield opened


def toss(context: BrowserContext, attackers: Attackers, place: str, cookie: str) -> None:
    """Have a page of the attacker set a cookie."""
    page = context.new_page()
    page.goto(f"{attackers.origin(place)}/toss?cookie={quote(cookie, safe='')}")
    assert page.title() == "tossed"
    page.close()


@pytest.mark.parametrize(
    "attributes", ["; Domain=example.test; Path=/", "; Domain=example.test; Path=/strict/transfer"]
)
def test_no_host_plants_a_host_cookie(
    context: BrowserContext, bank: Bank, attackers: Attackers, attributes: str
) -> None:
    """F63, R-STO-01: a sub-domain cannot plant a cookie of the helper's name: the victim stays who she is."""
    page = context.new_page()
    log_in(page, bank, "strict")
    mallory = token(sub="mallory").decode()
    toss(context, attackers, SIBLING, f"__Host-strict={mallory}; Secure{attributes}")
    toss(context, attackers, SIBLING, f"canary={mallory}; Secure{attributes}")
    bank.forget()
    page.get_by_role("button", name="Transfer", exact=True).click()
    page.get_by_text("200 done for alice").wait_for()
    assert "canary" in bank.wire.at("/strict/transfer")[0].cookies(), "no cookie of the attacker came at all"


def test_a_planted_cookie_beside_the_own_is_refused(context: BrowserContext, bank: Bank, attackers: Attackers) -> None:
    """F63, F62: of two cookies of one name, which only a weaker name allows, neither counts."""
    page = context.new_page()
    log_in(page, bank, "shared")
    mallory = token(sub="mallory").decode()
    toss(context, attackers, SIBLING, f"__Secure-shared={mallory}; Secure; Domain=example.test; Path=/shared/transfer")
    bank.forget()
    page.get_by_role("button", name="Transfer", exact=True).click()
    page.get_by_text("400 ").wait_for()
    assert bank.done == []


def test_another_port_may_log_the_victim_in(context: BrowserContext, bank: Bank, attackers: Attackers) -> None:
    """R-STO-01: what no cookie prevents, and so none promises: ports of a host share even __Host- cookies."""
    mallory = token(sub="mallory").decode()
    toss(context, attackers, PORT, f"__Host-strict={mallory}; Secure; Path=/")
    page = context.new_page()
    page.goto(f"{bank.origin}/strict/account")
    page.get_by_role("heading", name="Account of mallory").wait_for()
