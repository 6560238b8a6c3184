"""Pages of a site's own, with the access token in a cookie that no script can read: the preset browser_cookie.

uvicorn --app-dir examples browser_cookie_app:app   # open http://localhost:8000; log in as alice, wonderland
"""

from __future__ import annotations

from urllib.parse import parse_qsl
from uuid import uuid4

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from joserfc import jwk, jwt

from jwtguard import Config, Guard, InlineKeys, Issuer, JWTGuardMiddleware, Mode
from jwtguard.config.presets import preset
from jwtguard.issuing import SameSite, TokenCookie

SITE, LIFE_S, USERS = "https://reports.example.com", 600, {"alice": "wonderland"}
LOGIN = '<form method="post">User <input name="user"> Password <input name="password" type="password"><button>Log in'
HOME = """<h1>Reports</h1><p id="reports"></p><form method="post" action="logout"><button>Log out</button></form>
<script>fetch("reports").then(async (it) => document.getElementById("reports").append(await it.text()))</script>"""
COOKIE = TokenCookie(same_site=SameSite.LAX)  # a link in a mail arrives logged in, where the policy says navigable
KEY = jwk.ECKey.generate_key("P-256", auto_kid=True)  # here the site is its own issuer
keys = InlineKeys([KEY.as_dict(private=False)])
issuer = Issuer(name="site", issuer=SITE, audience=(SITE,), algorithms=("ES256",), keys=keys)
guard = Guard(Config(issuers=[issuer], endpoints=[], mode=Mode.DEVELOPMENT))
app = FastAPI(openapi_url=None)
app.add_middleware(JWTGuardMiddleware, guard=guard)


@app.api_route("/login", methods=["GET", "POST"])
@guard.public
async def login(request: Request) -> Response:
    form = dict(parse_qsl((await request.body()).decode()))
    ours = request.headers.get("sec-fetch-site", "same-origin") == "same-origin"  # a foreign page must log nobody in
    if not ours or (form.get("user"), form.get("password")) not in USERS.items():
        return HTMLResponse(LOGIN, 403 if form else 200)
    now = int(guard.now())
    claims = {"iss": SITE, "aud": SITE, "sub": form["user"], "client_id": "site", "iat": now, "exp": now + LIFE_S}
    token = jwt.encode({"alg": "ES256", "typ": "at+jwt", "kid": KEY.kid}, {**claims, "jti": str(uuid4())}, KEY)
    return RedirectResponse("/", 303, headers=dict(COOKIE.set(token, expires_at=now + LIFE_S, now=now)))


@app.get("/")
@guard.protect(preset("browser_cookie", navigable=True))  # links from other sites lead here, and nowhere else
async def home() -> HTMLResponse:
    return HTMLResponse(HOME)


@app.get("/reports")
@guard.protect(preset("browser_cookie"))
async def reports(request: Request) -> str:
    return f"report 7 of {request.user.subject}"


@app.post("/logout")
@guard.protect(preset("browser_cookie"))
async def logout() -> Response:
    return RedirectResponse("/login", 303, headers=dict(COOKIE.clear()))
