"""A login with OpenID Connect: the issuer posts an ID token, whose nonce waits in a cookie; then a session of our own.

uvicorn --app-dir examples login_app:app   # open http://localhost:8000/login
Write your provider's names below, and register http://localhost:8000/callback there.
"""

from __future__ import annotations

import secrets
from urllib.parse import parse_qsl, urlencode

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from jwtguard import Access, Config, Demands, Discovery, Guard, Issuer, JWTGuardMiddleware, Mode, Refusal
from jwtguard import LoginExpectations as Expected
from jwtguard.issuing import SameSite, TokenCookie

ISSUER, CLIENT, SITE = "http://127.0.0.1:8812", "demo-service", "http://localhost:8000"
NONCE = TokenCookie(name="__Host-nonce", same_site=SameSite.NONE, weaker={"same_site": "the issuer's page posts"})
SESSION, LIFE_S = TokenCookie(name="__Host-session", same_site=SameSite.LAX), 600
SESSIONS: dict[str, tuple[str, str]] = {}  # name to (issuer, subject); a store that forgets in time, in production
issuer = Issuer(name="demo", issuer=ISSUER, client_id=(CLIENT,), algorithms=("ES256",), keys=Discovery())
guard = Guard(Config(issuers=[issuer], endpoints=[], mode=Mode.DEVELOPMENT))


@guard.public
async def login(_: Request) -> Response:
    nonce, now = secrets.token_urlsafe(), guard.now()
    asked = {"client_id": CLIENT, "redirect_uri": f"{SITE}/callback", "scope": "openid", "nonce": nonce}
    query = urlencode({**asked, "response_type": "id_token", "response_mode": "form_post"})
    headers = dict(NONCE.set(nonce, expires_at=now + LIFE_S, now=now))
    return RedirectResponse(f"{ISSUER}/authorize?{query}", 303, headers)


@guard.protect(Demands(access=Access.LOGIN, accept="id_token"))  # in this handler alone an ID token counts
async def callback(request: Request) -> Response:
    form = dict(parse_qsl((await request.body()).decode("latin-1")))
    try:
        expected = Expected(nonce=request.cookies[NONCE.name])  # the nonce of this browser: nobody logs in another
        who = await guard.verify_login_async(request, form["id_token"], expected)
    except (KeyError, Refusal):
        return PlainTextResponse("That did not work out. Try again: /login", 403, headers=dict(NONCE.clear()))
    SESSIONS[name := secrets.token_urlsafe()] = who.key  # a new name at every login (session fixation)
    headers = dict(SESSION.set(name, expires_at=guard.now() + LIFE_S, now=guard.now()))
    response = RedirectResponse("/", 303, headers)
    response.headers.append(*NONCE.clear()[0])
    return response


@guard.public  # the session is the site's own, and so is the look at it
async def home(request: Request) -> Response:
    _, subject = SESSIONS.get(request.cookies.get(SESSION.name, ""), ("", "stranger"))
    return PlainTextResponse(f"Hello, {subject}")


pages = [Route("/", home), Route("/login", login), Route("/callback", callback, methods=["POST"])]
app = JWTGuardMiddleware(Starlette(routes=pages), guard=guard)
