"""A WebSocket that lasts as long as its token, and longer for a client that brings a new one in time.

make demo ARGS=--serve                          # an issuer; prints how to get a token
uvicorn --app-dir examples websocket_app:app    # this application
python -m websockets ws://127.0.0.1:8000/feed   # with the header Authorization: Bearer $TOKEN

The client sends JSON: {"say": "..."} is echoed, {"token": "..."} moves the end. At the end it gets close code 1008.
"""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from jwtguard import Guard, JWTGuardMiddleware, Refusal, identity_of, reauthenticate


async def renew(websocket: WebSocket, token: str) -> None:
    try:
        identity = await reauthenticate(websocket, token)  # the same principal, judged by the same policy
    except Refusal:
        await websocket.send_json({"renewed": False})  # the old end stays
    else:
        await websocket.send_json({"renewed": True, "until": identity.expires_at})


async def feed(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_json({"for": identity_of(websocket).subject})
    while True:  # until the client leaves, or its token ends: both arrive here as a WebSocketDisconnect
        message = await websocket.receive_json()
        if "token" in message:
            await renew(websocket, message["token"])
        else:
            await websocket.send_json({"you said": message.get("say")})


guard = Guard.from_file(Path(__file__).with_name("jwtguard.toml"))
app = Starlette(
    routes=[WebSocketRoute("/feed", feed)],
    middleware=[Middleware(JWTGuardMiddleware, guard=guard)],
)
