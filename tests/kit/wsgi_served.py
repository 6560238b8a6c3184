"""The application that real WSGI servers run in the tests: a guard over an issuer on loopback, made when imported."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Iterator
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from jwtguard import Access, Config, Endpoint, Guard, Issuer, JwksUri, Limits, Mode, current_identity, identity_of
from jwtguard.wsgi import JWTGuardWSGI

SETUP: dict[str, Any] = json.loads(os.environ["JWTGUARD_TEST_SETUP"])


def endpoint(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Say who called, from two places; in the process that says so, and what the portal does there."""
    portal = guard._portal
    told = {
        "caller": identity_of(environ).subject,
        "pid": os.getpid(),
        "imported_in": IMPORTED_IN,
        "portal": portal.open,
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "scheme": environ["wsgi.url_scheme"],
        "authorization": environ.get("HTTP_AUTHORIZATION", ""),
    }
    start_response("200 OK", [("Content-Type", "application/json")])
    return _late(told)


def _late(told: dict[str, object]) -> Iterator[bytes]:
    told["late"] = current_identity().subject
    yield json.dumps(told).encode()


IMPORTED_IN = os.getpid()
guard = Guard(
    Config(
        issuers=[
            Issuer(
                name="login",
                issuer=SETUP["issuer"],
                algorithms=("ES256",),
                keys=JwksUri(SETUP["jwks_uri"]),
                audience=("https://api.example.com",),
            )
        ],
        endpoints=[
            Endpoint(match=("GET /health",), access=Access.PUBLIC),
            Endpoint(match=("GET /reports", "POST /upload"), accept=("access",)),
        ],
        limits=Limits(kid_wait_s=10.0),
        mode=Mode.DEVELOPMENT,
    )
)
app = JWTGuardWSGI(endpoint, guard=guard)
