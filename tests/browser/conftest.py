"""The browser, and whether it is asked for: ``make browser`` names one in ``CHROMIUM``, ``make test`` does not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.kit.local_ca import LocalCa

if TYPE_CHECKING:  # without the browser tests, playwright need not be installed
    from playwright.sync_api import Browser, BrowserContext, Page

    from tests.browser.attackers import Attackers

_ASKED = bool(os.environ.get("CHROMIUM"))

collect_ignore_glob = [] if _ASKED else ["test_*.py"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was left out, and how to run it."""
    if not _ASKED:
        terminalreporter.write_line("Left out: tests/browser, which need a Chromium. Run them with: make browser")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for the whole run."""
    from tests.kit.browser import running_chromium  # noqa: PLC0415 - see above

    with running_chromium() as browser:
        yield browser


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """A profile of its own for each test."""
    from tests.kit.browser import new_context  # noqa: PLC0415 - see above

    with new_context(chromium) as opened:
        yield opened


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """A tab in that profile."""
    return context.new_page()


@pytest.fixture(scope="session")
def tls() -> LocalCa:
    """Who signs the certificates of the servers."""
    return LocalCa()


@pytest.fixture(scope="session")
def attackers(tls: LocalCa) -> Iterator[Attackers]:
    """The pages of the attackers."""
    from tests.browser.attackers import open_attackers  # noqa: PLC0415 - see above

    with open_attackers(tls) as opened:
        yield opened
