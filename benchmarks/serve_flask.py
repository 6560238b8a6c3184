"""One server of ``flask_servers``: a Flask application under gunicorn on a free loopback port.

Reads the issuer's JWK from standard input, prints the port, and serves with one worker of four threads until it
is told to end. It trusts ``X-Forwarded-Proto`` from loopback, as gunicorn does by itself.
"""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask, abort
from flask_jwt_extended import JWTManager, get_jwt, get_jwt_identity, jwt_required
from gunicorn.app.base import BaseApplication
from joserfc.jwk import import_key

from benchmarks.apps import guard_for
from benchmarks.tokens import AUDIENCE, ISSUER, SCOPE
from jwtguard.adapters.flask import JWTGuard, current_identity

OPTIONS = {"workers": 1, "worker_class": "gthread", "threads": 4, "keepalive": 75, "loglevel": "warning"}


def flask_app() -> Flask:
    """Answer through Flask, asking nobody who is calling."""
    app = Flask(__name__, static_folder=None)

    @app.get("/orders/<id>")
    def order(id: str) -> dict[str, str]:  # noqa: A002 - the name in the path
        return {"id": id}

    return app


def flask_guarded(jwk: Mapping[str, Any]) -> Flask:
    """Put the guard before Flask."""
    app = flask_app()
    JWTGuard(app, guard=guard_for(jwk))
    return app


def flask_with_identity(jwk: Mapping[str, Any]) -> Flask:
    """Put the guard before Flask, and have the view ask who is calling."""
    app = Flask(__name__, static_folder=None)
    JWTGuard(app, guard=guard_for(jwk))

    @app.get("/orders/<id>")
    def order(id: str) -> dict[str, str]:  # noqa: A002
        assert current_identity.subject
        return {"id": id}

    return app


def flask_on_jwt_extended(jwk: Mapping[str, Any]) -> Flask:
    """Do what the documentation of flask-jwt-extended shows."""
    app = Flask(__name__, static_folder=None)
    key: Any = import_key(dict(jwk))
    app.config["JWT_ALGORITHM"] = jwk["alg"]
    app.config["JWT_PUBLIC_KEY"] = key.as_pem(private=False).decode()
    app.config["JWT_DECODE_AUDIENCE"] = AUDIENCE
    app.config["JWT_DECODE_ISSUER"] = ISSUER
    JWTManager(app)

    @app.get("/orders/<id>")
    @jwt_required()
    def order(id: str) -> dict[str, str]:  # noqa: A002
        assert get_jwt_identity()
        if SCOPE not in get_jwt()["scope"].split():
            abort(403)
        return {"id": id}

    return app


APPS: Mapping[str, Callable[[Mapping[str, Any]], Flask]] = {
    "Flask": lambda _: flask_app(),
    "Flask + guard": flask_guarded,
    "Flask + guard + current_identity": flask_with_identity,
    "Flask + flask-jwt-extended": flask_on_jwt_extended,
}


class _Gunicorn(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    def __init__(self, app: Flask, listener: socket.socket) -> None:
        self._app = app
        self._listener = listener
        super().__init__()

    def load_config(self) -> None:
        for name, value in {**OPTIONS, "bind": f"fd://{self._listener.fileno()}"}.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return self._app


def main(name: str) -> None:
    """Serve one application."""
    app = APPS[name](json.loads(sys.stdin.readline()))
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    print(listener.getsockname()[1], flush=True)
    _Gunicorn(app, listener).run()


if __name__ == "__main__":
    main(sys.argv[1])
