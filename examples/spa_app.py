"""The API of a single-page app, which keeps the access token in its memory alone: the preset spa.

uvicorn --app-dir examples spa_app:app
python -m http.server --directory examples/spa_page --bind 127.0.0.1 8001   # the page, of another origin

Open http://127.0.0.1:8001 and log in as alice, wonderland. Reloading the page forgets the token. Renewing it without
a new login takes a refresh token that no script can read, which is not part of this example.
"""

from __future__ import annotations

from typing import Annotated
from uuid import uuid4

from fastapi import Body, FastAPI, HTTPException, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse
from joserfc import jwt
from joserfc.jwk import ECKey

from jwtguard import Config, Guard, InlineKeys, Issuer, JWTGuardMiddleware, Mode
from jwtguard.config.presets import preset

API, PAGE, LIFE_S, USERS = "http://127.0.0.1:8000", "http://127.0.0.1:8001", 600, {"alice": "wonderland"}
KEY = ECKey.generate_key("P-256", auto_kid=True)  # here the API is its own issuer; yours has a code flow with PKCE
keys = InlineKeys([KEY.as_dict(private=False)])
issuer = Issuer(name="site", issuer=API, audience=(API,), algorithms=("ES256",), keys=keys)
guard = Guard(Config(issuers=[issuer], endpoints=[], mode=Mode.DEVELOPMENT))
app = FastAPI(openapi_url=None)
app.add_middleware(JWTGuardMiddleware, guard=guard)
# The page's own origin, and no credentials: nothing here reads a cookie. Added last, so it is outermost.
app.add_middleware(CORSMiddleware, allow_origins=[PAGE], allow_headers=["authorization"], allow_methods=["GET", "POST"])


@app.post("/login")
@guard.public
async def login(user: Annotated[str, Body()], password: Annotated[str, Body()]) -> JSONResponse:
    if USERS.get(user) != password:
        raise HTTPException(403)
    now = int(guard.now())
    claims = {"iss": API, "aud": API, "sub": user, "client_id": "page", "iat": now, "exp": now + LIFE_S}
    token = jwt.encode({"alg": "ES256", "typ": "at+jwt", "kid": KEY.kid}, {**claims, "jti": str(uuid4())}, KEY)
    return JSONResponse({"access_token": token}, headers={"Cache-Control": "no-store"})


@app.get("/reports")
@guard.protect(preset("spa"))
async def reports(request: Request) -> str:
    return f"report 7 of {request.user.subject}"
