"""A Flask application behind jwtguard. What each endpoint demands is in jwtguard.toml, beside this file.

make demo ARGS=--serve                                # an issuer; prints how to get a token
gunicorn --chdir examples --threads 4 flask_app:app   # this application
curl -i -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8000/reports/7
"""

from __future__ import annotations

from flask import Flask

from jwtguard.adapters.flask import JWTGuard, current_identity

app = Flask(__name__, static_folder=None)
app.config["JWTGUARD_CONFIG"] = "jwtguard.toml"
JWTGuard(app)


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "up"}


@app.get("/hello")
def hello() -> dict[str, str]:
    return {"hello": current_identity.subject if current_identity.is_authenticated else "stranger"}


@app.get("/reports/<int:number>")
def read(number: int) -> dict[str, object]:
    return {"report": number, "read_by": current_identity.subject, "kind": current_identity.kind}


@app.post("/reports")
def create() -> tuple[dict[str, object], int]:
    return {"report": 9, "written_by": current_identity.subject}, 201
