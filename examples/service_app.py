"""An API that machines call: a header, no cookie, no user: the preset service.

make demo ARGS=--serve                       # an issuer; prints how a client gets a token for its secret
uvicorn --app-dir examples service_app:app   # this application
curl -i -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8000/reports
"""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI

from jwtguard import Config, Discovery, Guard, Identity, Issuer, JWTGuardMiddleware, Mode
from jwtguard.adapters.fastapi import CurrentIdentity
from jwtguard.config.presets import preset

ISSUER, AUDIENCE = "http://127.0.0.1:8812", ("https://api.example.com",)
issuer = Issuer(name="demo", issuer=ISSUER, audience=AUDIENCE, algorithms=("ES256",), keys=Discovery())
guard = Guard(Config(issuers=[issuer], endpoints=[], mode=Mode.DEVELOPMENT))
app = FastAPI(openapi_url=None)
app.add_middleware(JWTGuardMiddleware, guard=guard)


@app.get("/reports")
@guard.protect(preset("service", scopes={"reports:read"}))
async def reports(caller: Annotated[Identity, CurrentIdentity]) -> dict[str, object]:
    return {"reports": [7, 8], "for": caller.client_id, "kind": caller.kind}
