"""What decorators leave of a function or class: everything. Type-checked, never run."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import assert_type

from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket

from jwtguard import Demands, Guard, access


def decorated(guard: Guard) -> None:
    """R-POL-12: parameters, keywords, results and classes keep their types."""

    @guard.protect(access(scopes={"reports:read"}))
    async def report(number: int, *, wide: bool = False) -> str:
        return f"{number}{wide}"

    @guard.public
    def health(request: Request) -> Response:
        return Response(request.url.path)

    @guard.protect(Demands(accept=("access",)))
    async def feed(websocket: WebSocket) -> None:
        await websocket.accept()

    @guard.protect(access())
    class Reports(HTTPEndpoint):
        size = 7

        @guard.public
        async def get(self, request: Request) -> Response:
            return health(request)

    async def use(request: Request, websocket: WebSocket) -> None:
        assert_type(await report(7, wide=True), str)
        assert_type(health(request), Response)
        assert_type(await feed(websocket), None)
        assert_type(Reports.size, int)
        pending: Awaitable[str] = report(7)
        await pending
        await report("seven")  # type: ignore[arg-type]
        await report(7, narrow=True)  # type: ignore[call-arg]
        health()  # type: ignore[call-arg]
        Reports.colour  # type: ignore[attr-defined]  # noqa: B018


def mistaken(guard: Guard) -> None:
    """R-POL-12: a decorator without its policy, and a thing that cannot be called, do not type-check."""

    async def report(number: int) -> int:
        return number

    guard.protect(report)  # type: ignore[arg-type]
    guard.protect()  # type: ignore[call-arg]
    guard.public(7)  # type: ignore[type-var]
    access(scopes={7})  # type: ignore[arg-type]
