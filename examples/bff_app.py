"""A backend for a frontend: the browser holds the name of a session, the server its tokens: the preset bff.

make demo ARGS=--serve   # an issuer and an API; prints the client's secret (curl -u demo-service:SECRET)
CLIENT_SECRET=... uvicorn --app-dir examples bff_app:app   # open http://localhost:8000; log in
"""

from __future__ import annotations

import os
import secrets

import httpx2
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route

from jwtguard import Access, Config, Discovery, Endpoint, Guard, Hooks, Issuer, JWTGuardMiddleware, Mode
from jwtguard.config.presets import preset
from jwtguard.core.endpoint import at
from jwtguard.endpoints import Forward
from jwtguard.issuing import TokenCookie

API, ISSUER, CLIENT = "http://127.0.0.1:8811", "http://127.0.0.1:8812", ("demo-service", os.environ["CLIENT_SECRET"])
AUDIENCE, COOKIE = "https://api.example.com", TokenCookie(name="__Host-session")
LOGIN = '<form method="post"><button>Log in'
HOME = """<p id="reports"></p><form method="post" action="logout"><button>Log out</button></form><script>
fetch("api/reports").then(async (it) => document.getElementById("reports").append(await it.text()))</script>"""
SESSIONS: dict[str, str] = {}  # name to access token; a store that several processes share, in production


async def login(request: Request) -> Response:
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":  # a foreign page must log nobody in
        return HTMLResponse(LOGIN, 403)
    async with httpx2.AsyncClient(auth=CLIENT, trust_env=False) as client:  # in place of your issuer's code flow
        grant = {"grant_type": "client_credentials", "scope": "reports:read"}
        granted = (await client.post(f"{ISSUER}/token", data=grant)).raise_for_status().json()
    SESSIONS.pop(request.cookies.get(COOKIE.name, ""), None)
    name, now = secrets.token_urlsafe(32), guard.now()  # a new name at every login (session fixation)
    SESSIONS[name] = granted["access_token"]
    return RedirectResponse("/", 303, headers=dict(COOKIE.set(name, expires_at=now + granted["expires_in"], now=now)))


async def logout(request: Request) -> Response:
    SESSIONS.pop(request.cookies[COOKIE.name], None)
    return RedirectResponse("/login", 303, headers=dict(COOKIE.clear()))


issuer = Issuer(name="demo", issuer=ISSUER, audience=(AUDIENCE,), algorithms=("ES256",), keys=Discovery())
public = Endpoint(match=["GET /login", "POST /login"], access=Access.PUBLIC)
home = at(["GET /"], preset("bff", navigable=True))  # links from other sites lead here, and nowhere else
inside = at(["POST /logout", "/api/**"], preset("bff"))
config = Config(issuers=[issuer], endpoints=[public, home, inside], mode=Mode.DEVELOPMENT)
guard = Guard(config, hooks=Hooks(session_token=SESSIONS.get))
pages = [Route(path, HTMLResponse(html), methods=["GET"]) for path, html in (("/", HOME), ("/login", LOGIN))]
forms = [Route("/login", login, methods=["POST"]), Route("/logout", logout, methods=["POST"])]
calls = Mount("/api", Forward([f"GET {API}/reports/**"]))  # what may be called for the page, and nothing else
app = Starlette(routes=[*pages, *forms, calls], middleware=[Middleware(JWTGuardMiddleware, guard=guard)])
