"""A FastAPI application behind jwtguard. What each endpoint demands is in jwtguard.toml, beside this file.

make demo ARGS=--serve                       # an issuer; prints how to get a token
uvicorn --app-dir examples fastapi_app:app   # this application
curl -i -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8000/reports/7
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import FastAPI

from jwtguard import Guard, Identity, JWTGuardMiddleware
from jwtguard.adapters.fastapi import CurrentIdentity

guard = Guard.from_file(Path(__file__).with_name("jwtguard.toml"))
app = FastAPI()
app.add_middleware(JWTGuardMiddleware, guard=guard)

Caller = Annotated[Identity, CurrentIdentity]


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "up"}


@app.get("/hello")
async def hello(caller: Caller) -> dict[str, str]:
    return {"hello": caller.subject if caller.is_authenticated else "stranger"}


@app.get("/reports/{number}")
async def read(number: int, caller: Caller) -> dict[str, object]:
    return {"report": number, "read_by": caller.subject, "kind": caller.kind}


@app.post("/reports", status_code=201)
async def create(caller: Caller) -> dict[str, object]:
    return {"report": 9, "written_by": caller.subject}
