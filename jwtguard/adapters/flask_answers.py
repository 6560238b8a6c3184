"""Flask: how a refused request is answered inside of Flask's own cycle."""

from __future__ import annotations

from flask import Flask, Response, request

from jwtguard.core.challenge import Answer
from jwtguard.errors import JwtGuardError

_DESCRIBED = frozenset({"content-type", "content-length"})


class RequestRefused(JwtGuardError):  # noqa: N818 - like Refusal, it is an outcome
    """A refused request, for ``app.errorhandler``: what the client is told, and nothing of why.

    What a handler returns is the body. Status and challenge stay those of the answer.

    Attributes:
        answer: Status, header fields and body that are sent without a handler.
    """

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def rendered(app: Flask, answer: Answer) -> Response:
    """Let the application's handler for a refusal write the body; one for ``Exception`` is none."""
    headers = answer.fields()
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
