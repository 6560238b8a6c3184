"""A Starlette application behind jwtguard: request.user, @requires, and a WebSocket.

make demo ARGS=--serve                         # an issuer; prints how to get a token
uvicorn --app-dir examples starlette_app:app   # this application
curl -i -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8000/reports
"""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.authentication import requires
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from jwtguard import Guard, JWTGuardMiddleware


async def hello(request: Request) -> JSONResponse:
    return JSONResponse({"hello": request.user.display_name if request.user.is_authenticated else "stranger"})


async def reports(request: Request) -> JSONResponse:
    return JSONResponse({"reports": [7, 8], "read_by": request.user.subject})


@requires("admin")  # beyond the policy, which lets everybody in who may write reports
async def delete(request: Request) -> JSONResponse:
    return JSONResponse({"deleted": int(request.path_params["number"])})


async def feed(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_json({"for": websocket.user.subject})
    await websocket.close()


guard = Guard.from_file(Path(__file__).with_name("jwtguard.toml"))
app = Starlette(
    routes=[
        Route("/hello", hello),
        Route("/reports", reports),
        Route("/reports/{number:int}", delete, methods=["DELETE"]),
        WebSocketRoute("/feed", feed),
    ],
    middleware=[Middleware(JWTGuardMiddleware, guard=guard)],
)
