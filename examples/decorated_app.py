"""A FastAPI application whose policy stands beside its functions; Swagger UI at /docs knows it too.

make demo ARGS=--serve                         # an issuer; prints how to get a token
uvicorn --app-dir examples decorated_app:app   # this application
curl -i -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8000/reports/7
"""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI

from jwtguard import Access, Config, Discovery, Endpoint, Guard, Identity, Issuer, JWTGuardMiddleware, Mode, access
from jwtguard.adapters.fastapi import CurrentIdentity, document

issuer = Issuer(
    name="demo",
    issuer="http://127.0.0.1:8812",
    audience=("https://api.example.com",),
    algorithms=("ES256",),
    keys=Discovery(),
)
pages = Endpoint(
    match=["/docs/**", "/redoc", "/openapi.json"], access=Access.PUBLIC
)  # routes without functions of ours
guard = Guard(Config(issuers=[issuer], endpoints=[pages], mode=Mode.DEVELOPMENT))
app = FastAPI()
app.add_middleware(JWTGuardMiddleware, guard=guard)

Caller = Annotated[Identity, CurrentIdentity]


@app.get("/health")
@guard.public
async def health() -> dict[str, str]:
    return {"status": "up"}


@app.get("/reports/{number}")
@guard.protect(access(scopes={"reports:read"}))
async def read(number: int, caller: Caller) -> dict[str, object]:
    return {"report": number, "read_by": caller.subject}


@app.post("/reports", status_code=201)
@guard.protect(access(scopes={"reports:write"}))
async def create(caller: Caller) -> dict[str, object]:
    return {"report": 9, "written_by": caller.subject}


document(app, guard)
