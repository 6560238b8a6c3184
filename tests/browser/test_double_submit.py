"""The second layer: a token that only the bank's own script can read, and sends back in a header."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest
from playwright.sync_api import Page

from jwtguard import Reason
from tests.browser.attackers import SIBLING, Attackers
from tests.browser.bank import CSRF, DOUBLE, Bank, open_bank
from tests.browser.visitor import log_in, open_attack
from tests.kit.local_ca import LocalCa

SUBMIT: Final = """async (header) => {
  const kept = document.cookie.split("; ").find((pair) => pair.startsWith("__Host-csrf="));
  const headers = header === null ? {} : {"X-CSRF-Token": header === "" ? kept.slice(12) : header};
  return (await fetch("transfer", {method: "POST", headers})).status;
}"""
ITS_OWN: Final = ""


@pytest.fixture(scope="module")
def bank(tls: LocalCa, attackers: Attackers) -> Iterator[Bank]:
    """A bank that trusts a sibling: its pages may send requests, which the first layer then lets through."""
    with open_bank(tls, friends=[attackers.origin(SIBLING)]) as opened:
        yield opened


@pytest.mark.parametrize(("header", "status"), [(ITS_OWN, 200), (None, 403), ("guess", 403), ("x" * 43, 403)])
def test_the_script_sends_it_back(page: Page, bank: Bank, header: str | None, status: int) -> None:
    """R-STO-04: the bank's own script reads the value and passes with it; without it, or with another, it does not."""
    log_in(page, bank, "double")
    bank.forget()
    assert page.evaluate(SUBMIT, header) == status
    assert bank.reasons("POST /double/transfer") == [None if status == 200 else Reason.CSRF]


def test_the_readable_cookie_holds_no_token(page: Page, bank: Bank) -> None:
    """R-STO-04, R-STO-12: of the two cookies, script sees the proof and not the token."""
    log_in(page, bank, "double")
    assert page.evaluate("document.cookie").startswith(f"{CSRF.name}=")
    assert DOUBLE.name not in page.evaluate("document.cookie")
    assert bank.token not in page.evaluate("document.cookie")


@pytest.mark.parametrize("attack", ["form", "fetch_no_cors", "fetch_cors"])
def test_a_trusted_page_that_was_taken_over(page: Page, bank: Bank, attackers: Attackers, attack: str) -> None:
    """R-STO-04: a page of a trusted origin comes past the first layer, cookie included; it cannot read the second."""
    log_in(page, bank, "strict")
    assert open_attack(page, attackers, bank, place=SIBLING, attack=attack, path="/strict/transfer").status == 200
    log_in(page, bank, "double")
    exchange = open_attack(page, attackers, bank, place=SIBLING, attack=attack, path="/double/transfer")
    assert {DOUBLE.name, CSRF.name} <= exchange.cookies()
    assert (exchange.status, bank.done) == (403, [])
