"""Server-sent events that end with their token: the browser asks again at once, and is refused.

make demo ARGS=--serve                   # an issuer; prints how to get a token
uvicorn --app-dir examples sse_app:app   # this application
curl -N -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8000/reports
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import anyio
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from jwtguard import Guard, JWTGuardMiddleware, identity_of


async def news(reader: str) -> AsyncIterator[str]:
    try:
        yield f"data: hello {reader}\n\n"
        for number in count(1):
            await anyio.sleep(0.2)
            yield f"id: {number}\ndata: report {number}\n\n"
    finally:
        print(reader, "has left, or may not read on")  # nothing here looked at the clock


async def reports(request: Request) -> StreamingResponse:
    return StreamingResponse(news(identity_of(request).subject), media_type="text/event-stream")


guard = Guard.from_file(Path(__file__).with_name("jwtguard.toml"))
app = Starlette(
    routes=[Route("/reports", reports)],
    middleware=[Middleware(JWTGuardMiddleware, guard=guard)],
)
