"""The WSGI shell: environ in, ``Identity`` in the environ or a challenge out. It decides nothing."""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import copy_context
from http import HTTPStatus
from typing import TYPE_CHECKING

from jwtguard.bodies import InContext, Stream
from jwtguard.core.challenge import Answer
from jwtguard.core.decision import Allowed, Refused
from jwtguard.core.policy import Startup
from jwtguard.current import CURRENT, IDENTITY_KEY
from jwtguard.errors import ConfigurationError
from jwtguard.guard import Guard
from jwtguard.incoming import head_of_environ

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


class JWTGuardWSGI:
    """Decide every request before the application sees it, in the thread that serves it.

    The identity is put into the environ for ``identity_of``, and into the context for
    ``current_identity``, where it stays while the response is being made. The request body is never
    read. An event loop is asked only where the answer is not at hand (keys that must be fetched), and
    for a bounded time.

    Args:
        app: The application.
        guard: What decides. With ``startup = "eager"`` all its keys are fetched here and now.

    Raises:
        ConfigurationError: The guard is none.
        Unavailable: An issuer gave no keys, and the policy is eager.
    """

    def __init__(self, app: WSGIApplication, *, guard: Guard) -> None:
        if not isinstance(guard, Guard):
            message = f"guard must be a jwtguard.Guard, not {type(guard).__name__}"
            raise ConfigurationError(message, key="guard")
        self.app = app
        self._guard = guard
        self._is_bound = False
        if guard.table.config.startup is Startup.EAGER:
            import anyio  # noqa: PLC0415 - only an eager start waits for all keys

            anyio.run(guard.start)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        guard = self._guard
        if not self._is_bound:  # by now the application has all its routes
            guard.bind(self.routed)
            self._is_bound = True
        head = head_of_environ(environ)
        found = guard.decide_locally(head)
        decision = guard.verify_unknown_sync(*found) if isinstance(found, tuple) else found
        if isinstance(decision, Allowed):
            environ[IDENTITY_KEY] = decision.identity
            return self._serve(decision, environ, start_response)
        environ.pop(IDENTITY_KEY, None)
        if isinstance(decision, Refused):
            return self.refuse(guard.answer(decision, head), environ, start_response)
        return send(decision.answer, environ, start_response)

    @property
    def routed(self) -> object:
        """What has the routes; a framework's adapter may know better than its middleware shows."""
        return self.app

    def refuse(self, answer: Answer, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Tell the client; a framework's adapter may do so in the framework's own way."""
        return send(answer, environ, start_response)

    def _serve(self, allowed: Allowed, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        context = copy_context()
        context.run(CURRENT.set, allowed.identity)
        stream = None
        if allowed.policy.reads_credentials:
            stream = Stream(allowed, self._guard)
            start_response = stream.started(start_response)
        body = context.run(self.app, environ, start_response)
        wrapper = environ.get("wsgi.file_wrapper")
        ready = (list, tuple, wrapper) if isinstance(wrapper, type) else (list, tuple)
        return body if isinstance(body, ready) else InContext(context, body, stream)


def send(answer: Answer, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    """Send an answer that is ready."""
    headers = answer.fields()
    start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", headers)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [answer.body]
