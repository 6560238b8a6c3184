"""An example of a storage pattern on the wire, and the pages that attack it."""

from __future__ import annotations

from types import ModuleType
from typing import Final
from urllib.parse import quote

from playwright.sync_api import Page
from starlette.types import Receive, Scope, Send

from tests.browser.attackers import Attackers
from tests.kit.browser_server import BrowserServer
from tests.kit.browser_wire import Exchange, Wire
from tests.kit.local_ca import LocalCa

HOST: Final = "app.example.test"


class ExampleSite:
    """An example's application under TLS; the module comes later, since some must know their own origin.

    Attributes:
        module: The example.
        origin: Where it is.
        wire: What browsers sent, and what they got.
    """

    module: ModuleType

    def __init__(self, tls: LocalCa, host: str = HOST) -> None:
        self.wire = Wire(self._front)
        self.server = BrowserServer(self.wire, tls=tls)
        self.origin = self.server.origin(host)

    async def _front(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.module.app(scope, receive, send)

    def attacked(self, page: Page, attackers: Attackers, *, place: str, attack: str, path: str) -> Exchange:
        """Open an attack page on a path of the site, in a tab of its own, and return what came of it."""
        self.wire.clear()
        target = quote(self.origin + path, safe="")
        tab = page.context.new_page()
        tab.goto(f"{attackers.origin(place)}/attack/{attack}?target={target}", wait_until="commit")
        return self.wire.wait_for(path, lambda exchange: exchange.site != "same-origin")
