"""Flask: ``JWTGuard(app)`` decides every request before Flask sees it; ``current_identity`` is who called.

Where decisions are made is the WSGI shell, around ``app.wsgi_app``: static files, unknown routes and
applications mounted inside are decided too. Wrap it in ``ProxyFix`` after this, not before, so that the guard
knows the scheme too.

A refused request is answered inside of Flask's request context, and nothing else of the application runs but
its ``after_request`` functions, which may add headers (Flask-CORS does), and an error handler, if it has one
for ``RequestRefused``. A refused CORS preflight gets Flask's automatic answer to OPTIONS in the same way.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Flask, Response, request
from werkzeug.local import LocalProxy

from jwtguard.core.challenge import Answer
from jwtguard.core.identity import Identity
from jwtguard.current import identity_of
from jwtguard.errors import ConfigurationError, JwtGuardError, unknown
from jwtguard.guard import Guard
from jwtguard.lint.census import stop_on_gaps
from jwtguard.wsgi import JWTGuardWSGI

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

_PREFIX = "JWTGUARD_"
_FILE, _SINK = "JWTGUARD_CONFIG", "JWTGUARD_ON_EVENT"
_DESCRIBED = frozenset({"content-type", "content-length"})


def _identity() -> Identity:
    return identity_of(request.environ)


current_identity: Identity = LocalProxy(_identity)  # type: ignore[assignment]  # a stand-in for the identity
"""The identity of the request that is being served; a ``LookupError`` comes out of it if no guard ran."""


class RequestRefused(JwtGuardError):  # noqa: N818 - like Refusal, it is an outcome
    """A refused request, for ``app.errorhandler``: what the client is told, and nothing of why.

    What a handler returns is the body. Status and challenge stay those of the answer.

    Attributes:
        answer: Status, header fields and body that are sent without a handler.
    """

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


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

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if not self._is_checked:  # by now all routes are there
            self._guard.bind(self._flask)
            stop_on_gaps(self._flask, self._guard.table)
            self._is_checked = True
        return super().__call__(environ, start_response)

    @property
    def routed(self) -> object:
        return self._flask

    def refuse(self, answer: Answer, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # Never through app.wsgi_app: whatever else it wraps might serve the request.
        app = self._flask
        with app.request_context(environ):
            response = app.make_default_options_response() if _is_preflight(environ) else _rendered(app, answer)
            return app.process_response(response)(environ, start_response)


def _is_preflight(environ: WSGIEnvironment) -> bool:
    asked = "HTTP_ORIGIN" in environ and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
    return asked and environ["REQUEST_METHOD"] == "OPTIONS"


def _rendered(app: Flask, answer: Answer) -> Response:
    """Let the application's handler for a refusal write the body; one for ``Exception`` is none."""
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.headers]
    for scope in (*request.blueprints, None):
        handlers = app.error_handler_spec.get(scope, {}).get(None, {})
        handler = handlers.get(RequestRefused) or handlers.get(JwtGuardError)
        if handler is not None:
            response = app.make_response(app.ensure_sync(handler)(RequestRefused(answer)))
            response.status_code = answer.status
            for name, value in headers:
                if name not in _DESCRIBED:
                    response.headers[name] = value
            return response
    return app.response_class(answer.body, answer.status, headers)


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
