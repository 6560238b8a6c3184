"""What the other tests rely on: the browser cannot leave this machine, and is told apart by what it sends."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from tests.browser.pages import document
from tests.kit.browser_server import BrowserServer
from tests.kit.browser_wire import Wire
from tests.kit.local_ca import LocalCa


async def set_one(request: Request) -> Response:
    """Set a cookie of the strictest kind."""
    return HTMLResponse(document("set", ""), headers={"set-cookie": "__Host-a=b; Secure; Path=/; SameSite=Strict"})


class Site:
    """A page with and without TLS."""

    def __init__(self, tls: LocalCa) -> None:
        self.wire = Wire(Starlette(routes=[Route("/{name}", set_one)]))
        self.servers = {"https": BrowserServer(self.wire, tls=tls), "http": BrowserServer(self.wire)}


@pytest.fixture(scope="module")
def site(tls: LocalCa) -> Iterator[Site]:
    """It serves."""
    site = Site(tls)
    with site.servers["https"], site.servers["http"]:
        yield site


@pytest.mark.parametrize("host", ["anything.example.com", "127.0.0.9", "[::1]"])
def test_every_name_and_address_leads_here(page: Page, site: Site, host: str) -> None:
    """No test leaves loopback: even an address is replaced by the one our servers listen on."""
    answer = page.goto(f"{site.servers['http'].origin(host)}/here")
    assert answer is not None
    assert (answer.status, page.title()) == (200, "set")


@pytest.mark.parametrize(
    ("scheme", "host", "trustworthy"),
    [
        ("https", "app.example.test", True),
        ("http", "localhost", True),
        ("http", "app.localhost", True),
        ("http", "127.0.0.1", True),
        ("http", "app.example.test", False),
    ],
)
def test_what_is_trustworthy(page: Page, site: Site, scheme: str, host: str, *, trustworthy: bool) -> None:
    """The kit's docstring tells the truth: Fetch Metadata and __Host- cookies, or neither of them."""
    site.wire.clear()
    page.goto(f"{site.servers[scheme].origin(host)}/{host}")
    page.goto(f"{site.servers[scheme].origin(host)}/{host}")
    first, second = site.wire.at(f"/{host}")
    assert (first.site, second.cookies()) == (("none", {"__Host-a"}) if trustworthy else (None, set()))
    assert page.evaluate("isSecureContext") is trustworthy
