"""Flask: ``JWTGuard(app)`` decides every request before Flask sees it; ``current_identity`` is who called.

Where decisions are made is the WSGI shell, around ``app.wsgi_app``: static files, unknown routes and
applications mounted inside are decided too. Wrap it in ``ProxyFix`` after this, not before, so that the guard
knows the scheme too.

A refused request is answered inside of Flask's request context, and nothing else of the application runs but
its ``after_request`` functions, which may add headers (Flask-CORS does), its ``teardown_request`` functions, and
an error handler, if it has one for ``RequestRefused``. A refused CORS preflight gets Flask's automatic answer to
OPTIONS in the same way.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Flask, request
from werkzeug.local import LocalProxy
from werkzeug.wsgi import ClosingIterator

from jwtguard.adapters.flask_answers import RequestRefused, rendered
from jwtguard.core.challenge import Answer
from jwtguard.core.decision import Allowed
from jwtguard.core.identity import Identity
from jwtguard.current import identity_of
from jwtguard.errors import ConfigurationError, unknown
from jwtguard.guard import Guard
from jwtguard.lint.census import stop_on_gaps
from jwtguard.wsgi import JWTGuardWSGI

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

__all__ = ["JWTGuard", "RequestRefused", "current_identity"]

_PREFIX = "JWTGUARD_"
_FILE, _SINK = "JWTGUARD_CONFIG", "JWTGUARD_ON_EVENT"
_DECIDED = "jwtguard.decided"


def _identity() -> Identity:
    return identity_of(request.environ)


current_identity: Identity = LocalProxy(_identity)  # type: ignore[assignment]  # a stand-in for the identity
"""The identity of the request that is being served; a ``LookupError`` comes out of it if no guard ran."""


class JWTGuard:
    """The Flask extension.

    Args:
        app: The application; left out by factories, which call ``init_app``.
        guard: What decides; left out, it is built from the application's configuration:
            ``JWTGUARD_CONFIG`` is the path of a ``jwtguard.toml``, relative to ``app.root_path``, and
            ``JWTGUARD_ON_EVENT`` what is called with every event.
    """

    def __init__(self, app: Flask | None = None, *, guard: Guard | None = None) -> None:
        self._guard = guard
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Put the guard around an application; it is ``app.extensions["jwtguard"]`` from then on.

        Raises:
            ConfigurationError: The policy cannot be built or proven, there is none or two, a key is
                misspelt, or the application has a guard.
        """
        if "jwtguard" in app.extensions:
            message = "this application has a guard"
            raise ConfigurationError(message, key="init_app")
        guard = _guard_of(app, self._guard)
        app.wsgi_app = _Shell(app, guard)  # type: ignore[method-assign]  # as Flask's documentation says
        app.extensions["jwtguard"] = guard


class _Shell(JWTGuardWSGI):
    def __init__(self, app: Flask, guard: Guard) -> None:
        super().__init__(app.wsgi_app, guard=guard)
        self._flask = app
        self._is_checked = False
        app.before_request_funcs.setdefault(None, []).insert(0, _check_undecided)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if not self._is_checked:  # by now all routes are there
            self._guard.bind(self._flask)
            stop_on_gaps(self._flask, self._guard.table)
            self._is_checked = True
        environ[_DECIDED] = _place_of(environ)
        return super().__call__(environ, start_response)

    @property
    def routed(self) -> object:
        return self._flask

    def _serve(self, allowed: Allowed, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body = super()._serve(allowed, environ, start_response)
        if "werkzeug.debug.preserve_context" not in environ:
            return body
        # Flask's test client as a context manager: it enters Flask's contexts anew before the body is read.
        with closing(ClosingIterator(body)) as pieces:
            return list(pieces)

    def refuse(self, answer: Answer, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # Never through app.wsgi_app: whatever else it wraps might serve the request.
        app = self._flask
        with app.request_context(environ):
            response = app.process_response(rendered(app, answer))
            if _is_preflight(environ) and "Access-Control-Allow-Origin" in response.headers:
                response.status_code, response.data = 200, b""  # a layer for CORS has spoken
            return response(environ, start_response)


def _place_of(environ: WSGIEnvironment) -> tuple[str, str]:
    return environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")  # what Flask routes by


def _check_undecided() -> None:
    """Stop where a middleware behind the shell gave the request a method or path that nobody decided on."""
    if request.environ.get(_DECIDED) != _place_of(request.environ):
        message = (
            "nobody decided on this request: it came around jwtguard, or a middleware behind jwtguard changed its "
            "method or path; wrap it around after JWTGuard(app)"
        )
        raise RuntimeError(message)


def _is_preflight(environ: WSGIEnvironment) -> bool:
    asked = "HTTP_ORIGIN" in environ and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
    return asked and environ["REQUEST_METHOD"] == "OPTIONS"


def _guard_of(app: Flask, guard: Guard | None) -> Guard:
    for key in app.config:
        if key.startswith(_PREFIX) and key not in (_FILE, _SINK):
            what = "configuration key"
            raise unknown(what, key, (_FILE, _SINK), key=key)
    file, sink = app.config.get(_FILE), app.config.get(_SINK)
    if guard is not None and file is None and sink is None:
        return guard
    if guard is not None or not isinstance(file, str | Path):
        message = "give either a guard, or the path of a jwtguard.toml"
        raise ConfigurationError(message, key=_FILE)
    return Guard.from_file(Path(app.root_path, file), on_event=sink)
