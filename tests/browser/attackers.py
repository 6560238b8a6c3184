"""Who attacks, from where, and what a browser by its own rules sends along."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from tests.browser.pages import ATTACK_PAGES, document
from tests.kit.browser_server import BrowserServer
from tests.kit.local_ca import LocalCa

SIBLING: Final = "another name of the site"
PORT: Final = "another port of the host"
INSECURE: Final = "the host without TLS"
CROSS: Final = "another site"
PLACES: Final = (SIBLING, PORT, INSECURE, CROSS)
"""Where attack pages are, seen from a bank at ``https://app.example.test:PORT``."""

SAME_SITE_PLACES: Final = frozenset({SIBLING, PORT})

_HOSTS: Final = {
    SIBLING: "blog.example.test",
    PORT: "app.example.test",
    INSECURE: "app.example.test",
    CROSS: "evil.example.net",
}


def cookie_travels(place: str, branch: str, attack: str) -> bool:
    """Whether a cookie goes with an attack: what ``SameSite`` says, and Chromium does (RFC 6265bis, section 5.2)."""
    if place in SAME_SITE_PLACES and attack != "sandboxed_form":  # a sandboxed frame is of no site
        return True
    return branch == "none" or (branch in {"lax", "unset"} and attack == "link")


class Attackers:
    """Two servers, one with TLS, under all their names."""

    def __init__(self, with_tls: BrowserServer, without: BrowserServer) -> None:
        self._with_tls = with_tls
        self._without = without

    def origin(self, place: str) -> str:
        """The origin of the attack pages of a place."""
        return (self._without if place == INSECURE else self._with_tls).origin(_HOSTS[place])


async def _attack(request: Request) -> Response:
    return HTMLResponse(ATTACK_PAGES[request.path_params["name"]])


async def _toss(request: Request) -> Response:
    """Set whatever cookie the address asks for."""
    return HTMLResponse(document("tossed", ""), headers={"set-cookie": request.query_params["cookie"]})


@contextmanager
def open_attackers(tls: LocalCa) -> Iterator[Attackers]:
    """Serve the attack pages."""
    app = Starlette(routes=[Route("/attack/{name}", _attack), Route("/toss", _toss)])
    with BrowserServer(app, tls=tls) as with_tls, BrowserServer(app) as without:
        yield Attackers(with_tls, without)
