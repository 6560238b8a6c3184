"""The protected API of the demo: what an author writes, and nothing else."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Annotated

from fastapi import FastAPI

from jwtguard.adapters.fastapi import CurrentIdentity
from jwtguard.asgi import JWTGuardMiddleware
from jwtguard.core.identity import Identity
from jwtguard.guard import Guard

POLICY_FILE = "jwtguard.toml"


def write_policy(folder: Path, issuer: str) -> Path:
    """Write the policy file of the demo, with the address of its issuer filled in.

    Args:
        folder: Where to.
        issuer: The issuer identifier.

    Returns:
        The file, for ``Guard.from_file`` and for ``jwtguard check`` and ``explain``.
    """
    text = files("jwtguard.cli.demo").joinpath(POLICY_FILE).read_text("utf-8")
    path = folder / POLICY_FILE
    path.write_text(Template(text).substitute(issuer=issuer), "utf-8")
    return path


def build_app(guard: Guard) -> FastAPI:
    """Build the API behind a guard."""
    app = FastAPI(title="jwtguard demo", openapi_url=None)  # its documentation would be three more routes to guard
    app.add_middleware(JWTGuardMiddleware, guard=guard)

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "up"}

    @app.get("/reports")
    async def reports(who: Annotated[Identity, CurrentIdentity]) -> dict[str, object]:
        return {"reports": [7, 8], "for": who.subject, "kind": who.kind}

    @app.get("/reports/{number}")
    async def report(number: int, who: Annotated[Identity, CurrentIdentity]) -> dict[str, object]:
        return {"report": number, "for": who.subject, "kind": who.kind}

    @app.post("/reports", status_code=201)
    async def create(who: Annotated[Identity, CurrentIdentity]) -> dict[str, object]:
        return {"report": 9, "by": who.subject}

    return app
