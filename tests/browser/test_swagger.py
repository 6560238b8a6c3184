"""Swagger UI's Authorize button on a guarded FastAPI application, used as a person would."""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import pytest
from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from playwright.sync_api import Page
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from jwtguard import Identity, JWTGuardMiddleware
from jwtguard.adapters.fastapi import CurrentIdentity, document
from tests.kit.browser_server import BrowserServer
from tests.kit.browser_wire import Wire
from tests.kit.guarded import guard, protected, public, token
from tests.kit.local_ca import LocalCa

# The package that ships Swagger UI's own files: FastAPI takes them from elsewhere on the network.
ASSETS = (
    Path(str(importlib.resources.files("drf_spectacular_sidecar"))) / "static/drf_spectacular_sidecar/swagger-ui-dist"
)


class Api:
    """The application on the wire."""

    def __init__(self, tls: LocalCa) -> None:
        self.wire = Wire(_build())
        self.server = BrowserServer(self.wire, tls=tls)
        self.origin = self.server.origin("api.example.test")


def _build() -> FastAPI:
    policy = guard(
        public("GET /docs", "GET /openapi.json", "GET /assets/**", "GET /health"),
        protected("GET /reports/{number}"),
        protected("DELETE /reports/{number}", scopes=frozenset({"reports:delete"})),
    )
    app = FastAPI(docs_url=None)
    app.add_middleware(JWTGuardMiddleware, guard=policy)
    app.mount("/assets", StaticFiles(directory=ASSETS))
    app.add_api_route("/docs", _docs, include_in_schema=False)
    app.add_api_route("/health", _health)
    app.add_api_route("/reports/{number}", _read)
    app.add_api_route("/reports/{number}", _delete, methods=["DELETE"])
    document(app, policy)
    return app


async def _docs() -> HTMLResponse:
    return get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="docs",
        swagger_js_url="/assets/swagger-ui-bundle.js",
        swagger_css_url="/assets/swagger-ui.css",
        swagger_favicon_url="data:,",
    )


async def _health() -> str:
    return "well"


async def _read(number: int, request: Request) -> str:
    """Nothing here says that a token is needed: the policy alone does."""
    return f"report {number} for {request.user.subject}"


async def _delete(number: int, who: Annotated[Identity, CurrentIdentity]) -> str:
    return f"{who.subject} deleted {number}"


@pytest.fixture(scope="module")
def api(tls: LocalCa) -> Iterator[Api]:
    """A guarded API with its documentation."""
    api = Api(tls)
    with api.server:
        yield api


class Operation:
    """One operation on the page of Swagger UI, opened and ready to be tried."""

    def __init__(self, page: Page, method: str, path: str) -> None:
        self.block = page.locator(f".opblock-{method}", has_text=path)
        self._page = page

    def open(self) -> Operation:
        """Open it, and fill in the number of a report."""
        self.block.locator(".opblock-summary-control").click()
        self.block.get_by_role("button", name="Try it out").click()
        self.block.get_by_placeholder("number").fill("7")
        return self

    def execute(self) -> tuple[int, str]:
        """Press Execute, and read the answer that Swagger UI shows."""
        with self._page.expect_response("**/reports/7") as answer:
            self.block.get_by_role("button", name="Execute").click()
        shown = self.block.locator(".live-responses-table .response").first
        shown.locator(".response-col_status", has_text=str(answer.value.status)).wait_for()
        return answer.value.status, shown.inner_text()


def authorize(page: Page, credential: bytes) -> None:
    """Press Authorize, type the token in, and close the dialog."""
    page.locator(".scheme-container").get_by_role("button", name="Authorize").click()
    dialog = page.locator(".dialog-ux")
    dialog.get_by_role("textbox").fill(credential.decode())
    dialog.get_by_role("button", name="Apply credentials").click()
    dialog.get_by_role("button", name="Close").last.click()


def log_out(page: Page) -> None:
    """Press Authorize again, and have the token forgotten."""
    page.locator(".scheme-container").get_by_role("button", name="Authorize").click()
    dialog = page.locator(".dialog-ux")
    dialog.get_by_role("button", name="Remove authorization").click()
    dialog.get_by_role("button", name="Close").last.click()


def test_the_authorize_button(page: Page, api: Api) -> None:
    """R-POL-12: a route that only the policy protects: refused, read with the token typed in, refused again."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    api.wire.clear()
    page.goto(f"{api.origin}/docs")
    reading = Operation(page, "get", "/reports/{number}").open()
    assert reading.execute()[0] == 401
    authorize(page, token(sub="alice"))
    status, shown = reading.execute()
    assert (status, "report 7 for alice" in shown) == (200, True)
    log_out(page)
    assert reading.execute()[0] == 401
    sent = [exchange.headers.get("authorization", "").split(" ")[0] for exchange in api.wire.at("/reports/7")]
    assert sent == ["", "Bearer", ""]
    assert not [url for url in asked if not url.startswith((api.origin, "data:"))], "the page is not all ours"


def test_a_scope_that_is_lacking(page: Page, api: Api) -> None:
    """R-POL-12, R-ERR-04: Swagger UI shows the 403 and the scope it takes; with that scope the same button works."""
    page.goto(f"{api.origin}/docs")
    deleting = Operation(page, "delete", "/reports/{number}").open()
    authorize(page, token(sub="alice"))
    status, shown = deleting.execute()
    assert (status, "insufficient_scope" in shown) == (403, True)
    log_out(page)
    authorize(page, token(sub="alice", scope="reports:delete"))
    status, shown = deleting.execute()
    assert (status, "alice deleted 7" in shown) == (200, True)


def test_what_is_locked_and_what_is_not(page: Page, api: Api) -> None:
    """R-POL-12: Swagger UI shows a lock at what the policy protects, and none at what it calls public."""
    page.goto(f"{api.origin}/docs")
    locks = {}
    for method, path in (("get", "/health"), ("get", "/reports/{number}"), ("delete", "/reports/{number}")):
        block = Operation(page, method, path).block
        block.wait_for()
        locks[method, path] = block.locator(".authorization__btn").count()
    assert locks == {("get", "/health"): 0, ("get", "/reports/{number}"): 1, ("delete", "/reports/{number}"): 1}
