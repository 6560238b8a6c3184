"""The connection a decorated function was called for, in its framework's own words.

Frameworks are recognised by what the call holds; none is imported that the application does not use.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.websockets import WebSocket

from jwtguard.core.challenge import Answer
from jwtguard.core.identity import Identity
from jwtguard.core.request import RequestHead
from jwtguard.current import IDENTITY_KEY, put_into
from jwtguard.incoming import head_of_django, head_of_environ, head_of_scope

if TYPE_CHECKING:
    from starlette.types import Scope

_POLICY_VIOLATION = 1008
_DENIAL = "websocket.http.response"


class Connection(Protocol):
    """One request or handshake.

    Attributes:
        shares_context: Whether what is put into the context might be seen by the next request: threads serve
            many, and Django gives a thread the context of the coroutine it waited for. Starlette's requests
            have a task each, in which responses stream on after the function has returned.
    """

    shares_context: bool

    def identity(self) -> Identity | None:
        """Return the identity somebody established for it."""
        ...

    def head(self) -> RequestHead:
        """Read it as the shell of its framework would."""
        ...

    def admit(self, identity: Identity) -> None:
        """Put the identity where the framework's own words look for it."""
        ...

    def refusal(self, answer: Answer) -> object:
        """Return what a function returns to answer in its place."""
        ...

    async def refuse(self, answer: Answer) -> object:
        """Answer, or return what an asynchronous function returns to answer in its place."""
        ...


class _Scope:
    """A request to Starlette or FastAPI, answered by what the function returns."""

    shares_context = False

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def identity(self) -> Identity | None:
        return self._scope.get(IDENTITY_KEY)

    def head(self) -> RequestHead:
        scope = self._scope
        # Below a mount the path is the whole application's, as it is for the shell around that.
        return head_of_scope({**scope, "root_path": scope.get("app_root_path", scope.get("root_path", ""))})

    def admit(self, identity: Identity) -> None:
        put_into(self._scope, identity)

    def refusal(self, answer: Answer) -> Response:
        response = Response(b"" if self._scope.get("method") == "HEAD" else answer.body, answer.status)
        response.raw_headers = list(answer.headers)
        return response

    async def refuse(self, answer: Answer) -> object:
        return self.refusal(answer)


class _Endpoint(_Scope):
    """A class-based endpoint of Starlette, which sends its response itself."""

    def __init__(self, endpoint: HTTPEndpoint) -> None:
        super().__init__(endpoint.scope)
        self._endpoint = endpoint

    async def refuse(self, answer: Answer) -> object:
        await self.refusal(answer)(self._scope, self._endpoint.receive, self._endpoint.send)
        return None


class _Handshake(_Scope):
    """A WebSocket that was not accepted yet."""

    def __init__(self, websocket: WebSocket) -> None:
        super().__init__(websocket.scope)
        self._websocket = websocket

    async def refuse(self, answer: Answer) -> object:
        if _DENIAL in (self._scope.get("extensions") or {}):
            await self._websocket.send_denial_response(self.refusal(answer))
        else:
            await self._websocket.close(_POLICY_VIOLATION)
        return None


class _Flask:
    """The request that Flask serves in this context."""

    shares_context = True

    def __init__(self, environ: dict[str, Any]) -> None:
        self._environ = environ

    def identity(self) -> Identity | None:
        return self._environ.get(IDENTITY_KEY)

    def head(self) -> RequestHead:
        return head_of_environ(self._environ)

    def admit(self, identity: Identity) -> None:
        self._environ[IDENTITY_KEY] = identity

    def refusal(self, answer: Answer) -> object:
        from flask import Response as FlaskResponse  # noqa: PLC0415 - it serves this very request

        headers = answer.fields()
        return FlaskResponse(answer.body, answer.status, headers)

    async def refuse(self, answer: Answer) -> object:
        return self.refusal(answer)


class _Django:
    """A Django request (Django is untyped)."""

    shares_context = True

    def __init__(self, request: Any) -> None:
        self._request = request

    def identity(self) -> Identity | None:
        found = getattr(self._request, "identity", None)
        return found if isinstance(found, Identity) else None

    def head(self) -> RequestHead:
        return head_of_django(self._request)

    def admit(self, identity: Identity) -> None:
        self._request.identity = self._request.META[IDENTITY_KEY] = identity

    def refusal(self, answer: Answer) -> object:
        from django.http import HttpResponse  # noqa: PLC0415 - it serves this very request

        response = HttpResponse(b"" if self._request.method == "HEAD" else answer.body, status=answer.status)
        del response["Content-Type"]
        for name, value in answer.headers:
            response[name.decode("latin-1")] = value.decode("latin-1")
        return response

    async def refuse(self, answer: Answer) -> object:
        return self.refusal(answer)


def scope_in(args: Iterable[object], keywords: Mapping[str, object]) -> Scope | None:
    """Find the scope of Starlette's own request or WebSocket, the quick way: most calls have one."""
    for value in (*args, *keywords.values()):
        kind = type(value)
        if kind is Request or kind is WebSocket:
            return value.scope  # type: ignore[attr-defined, no-any-return]  # just looked
    return None


def connection_in(args: Iterable[object], keywords: Mapping[str, object]) -> Connection | None:
    """Find the connection among a call's arguments, or in Flask's context; ``None`` if there is none."""
    django = getattr(sys.modules.get("django.http"), "HttpRequest", ())
    endpoint: Connection | None = None
    for value in (*args, *keywords.values()):
        if isinstance(value, HTTPConnection):
            return connection_of(value)
        if isinstance(value, django):
            return _Django(value)
        if isinstance(value, HTTPEndpoint):
            endpoint = _Endpoint(value)
        elif isinstance(value, WebSocketEndpoint):
            endpoint = _Handshake(WebSocket(value.scope, value.receive, value.send))
    if endpoint is not None:
        return endpoint
    flask = sys.modules.get("flask")
    return _Flask(flask.request.environ) if flask is not None and flask.has_request_context() else None


def connection_of(connection: HTTPConnection) -> Connection:
    """Return the connection behind a Starlette request or WebSocket."""
    return _Handshake(connection) if isinstance(connection, WebSocket) else _Scope(connection.scope)
