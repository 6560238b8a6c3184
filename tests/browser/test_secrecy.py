"""The token is never readable from a script of the page, not even from one that an attacker got into it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from tests.browser.bank import COOKIES, Bank, open_bank
from tests.browser.pages import READ_EVERYTHING
from tests.browser.visitor import log_in
from tests.kit.local_ca import LocalCa

PATHS = ("GET ./", "GET account", "GET statement", "POST transfer", "GET nowhere", "POST login", "POST logout")


@pytest.fixture(scope="module")
def bank(tls: LocalCa) -> Iterator[Bank]:
    """The bank."""
    with open_bank(tls) as opened:
        yield opened


@pytest.mark.parametrize("branch", COOKIES)
def test_no_script_reads_the_token(page: Page, bank: Bank, branch: str) -> None:
    """R-STO-12, R-STO-01: no storage, no page, no answer, no header a script can read holds any part of the token."""
    log_in(page, bank, branch)
    bank.forget()
    page.evaluate(
        "document.cookie = 'seen=canary-1; Secure'; localStorage.seen = 'canary-2'; sessionStorage.seen = 'canary-3'"
    )
    found = page.evaluate(READ_EVERYTHING, PATHS)
    assert all(f"canary-{number}" in found for number in (1, 2, 3)), "the script could not read what it can"
    statuses = {path: status for path, status, _, _ in json.loads(found)["answers"]}
    assert statuses == {
        "GET ./": 200,
        "GET account": 200,
        "GET statement": 200,
        "POST transfer": 200,
        "GET nowhere": 403,
        "POST login": 403,
        "POST logout": 200,
    }
    assert len(bank.done) == 3, "the cookie was not sent"
    assert COOKIES[branch].name not in found
    for part in bank.token.split("."):
        assert part not in found


def test_a_login_by_script_shows_no_token(page: Page, bank: Bank) -> None:
    """R-STO-12: the script that logs the user in gets the account, and no token; the browser has it."""
    page.goto(f"{bank.origin}/strict/")
    seen = page.evaluate("""async () => {
      const body = new URLSearchParams({user: "alice", password: "wonderland"});
      const kept = await fetch("login", {method: "POST", body, redirect: "manual"});
      const followed = await fetch("login", {method: "POST", body});
      const all = [];
      for (const answer of [kept, followed]) all.push(answer.status, [...answer.headers], await answer.text());
      return JSON.stringify([all, document.cookie]);
    }""")
    assert "Account of alice" in seen
    assert "set-cookie" not in seen
    assert not [part for part in bank.token.split(".") if part in seen]
    assert [kept["value"] for kept in page.context.cookies()] == [bank.token]
