"""A backend's calls for its pages: the browser holds a session, and the session's token is added here (R-STO-10).

- A request goes where the list says (``targets.py``), or nowhere.
- Only fields that are known to be harmless pass, in both directions. So no cookie, no credential, no second method
  (``X-HTTP-Method-Override``), no address of a forged client and no framing reaches the API, and no cookie, CORS
  permission or challenge comes back from it.
- Redirects are neither followed nor passed on: they lead off the list.
- What comes back is for scripts of the page; opened as a page of its own it may run nothing.

The guard in front has judged the session, its token and where the request comes from. A connection serves one request.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from jwtguard.connection import CONNECTION_KEY, Connection
from jwtguard.core.extraction import extract
from jwtguard.core.needs import CANNOT_TELL, NeedToken
from jwtguard.core.request import RequestHead, SessionName, Token
from jwtguard.endpoints.targets import Targets
from jwtguard.errors import ConfigurationError
from jwtguard.incoming import head_of_scope
from jwtguard.jwks.fetch import tls_context

if TYPE_CHECKING:
    import httpx2

_SENT = frozenset({
    b"accept", b"accept-encoding", b"accept-language", b"content-encoding", b"content-type", b"idempotency-key",
    b"if-match", b"if-modified-since", b"if-none-match", b"if-range", b"if-unmodified-since", b"prefer", b"range",
    b"traceparent", b"tracestate", b"x-request-id",
})  # fmt: skip
_RETURNED = frozenset({
    b"accept-ranges", b"cache-control", b"content-disposition", b"content-encoding", b"content-language",
    b"content-length", b"content-range", b"content-type", b"etag", b"last-modified", b"retry-after", b"vary",
    b"x-request-id",
})  # fmt: skip
_ADDED = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; sandbox"),
    (b"x-content-type-options", b"nosniff"),
)
_NO_STORE = {"cache-control": "no-store"}
_LENGTH, _FRAMING, _BODILESS = b"content-length", {b"content-length", b"transfer-encoding"}, {"GET", "HEAD", "OPTIONS"}
_OK, _REDIRECTS, _NOT_MODIFIED, _POLICY_VIOLATION = 200, range(300, 400), 304, 1008


class Forward:
    """An ASGI application that calls an API with the access token of the session.

    Mount it where an endpoint policy takes a session cookie, such as one that uses the preset ``bff``. The path below
    the mount is the path at the API.

    Args:
        to: What may be called, such as ``"GET https://api.internal/reports/**"``; see ``Targets``.
        timeout_s: How long to wait for a connection, and then for each piece of the answer.
        tls: Whose certificates to trust; default: the system's.

    Raises:
        ConfigurationError: The list is empty, something on it is nothing to call, or two of it are ambiguous.
    """

    def __init__(self, to: Iterable[str], *, timeout_s: float = 30.0, tls: ssl.SSLContext | None = None) -> None:
        self._targets = Targets(to)
        if tls is not None and (tls.verify_mode is not ssl.CERT_REQUIRED or not tls.check_hostname):
            message = "must be a context that verifies certificate and host name"
            raise ConfigurationError(message, key="tls", rule="R-STO-10")
        self._tls = tls or tls_context()
        self._timeout_s = timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward one request."""
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
            return
        head = head_of_scope(scope)
        url = self._targets.find(head.method, head.path, scope.get("query_string", b""))
        if url is None:
            await Response(status_code=403, headers=_NO_STORE)(scope, receive, send)
        elif isinstance(token := await _token(scope, head), Token):
            await self._call(url, token, Request(scope, receive), send)
        else:
            status = 503 if token is CANNOT_TELL else 401
            await Response(status_code=status, headers=_NO_STORE)(scope, receive, send)

    async def _call(self, url: str, token: Token, request: Request, send: Send) -> None:
        import httpx2  # noqa: PLC0415 - an application that mounts it may never be asked

        content, headers = _sendable(request)
        headers.append((b"authorization", b"Bearer " + token.reveal()))
        limits = {"timeout": httpx2.Timeout(self._timeout_s).as_dict()}
        call = httpx2.Request(request.method, url, headers=headers, content=content, extensions=limits)
        # Not a client: that would keep cookies of one user for the next, and read Location.
        async with httpx2.AsyncHTTPTransport(verify=self._tls, trust_env=False) as transport:
            try:
                answer = await transport.handle_async_request(call)
            except ClientDisconnect:
                return
            except httpx2.TimeoutException:
                response = Response(status_code=504, headers=_NO_STORE)
            except (httpx2.TransportError, ssl.SSLError):
                response = Response(status_code=502, headers=_NO_STORE)
            else:
                response = _returnable(answer)
            await response(request.scope, request.receive, send)


async def _token(scope: Scope, head: RequestHead) -> object:
    """Ask for the token of the session, by the very name that the guard asked by."""
    connection = scope.get(CONNECTION_KEY)
    if not isinstance(connection, Connection):
        message = "Forward must be mounted behind JWTGuardMiddleware, at an endpoint that is not public"
        raise RuntimeError(message)  # noqa: TRY004 - it is no argument that is wrong, but the place
    snapshot = connection.guard.snapshot
    known = snapshot.policies
    policy = next((policy for policy in known if policy.name == connection.identity.policy), None)
    if policy is None:  # the policy was reloaded since
        return CANNOT_TELL
    name = extract(policy, head, snapshot.table.limits, snapshot.table.config.mode)
    if name is not None and not isinstance(name, SessionName):
        message = f"the policy {policy.name!r} let a token in that came with the request; take session cookies alone"
        raise ConfigurationError(message, key=f"endpoints.{policy.name}.carriers", rule="R-STO-10")
    return await snapshot.outside.ask(NeedToken(name)) if name is not None else None


def _sendable(request: Request) -> tuple[AsyncIterator[bytes] | None, list[tuple[bytes, bytes]]]:
    """Return the body to send, if there is one, and the fields."""
    given = request.headers.raw
    headers = [(name, value) for name, value in given if name in _SENT]
    is_framed = any(name in _FRAMING for name, _ in given) or not request.scope["http_version"].startswith("1")
    if request.method in _BODILESS or not is_framed:
        return None, headers
    return request.stream(), headers + [(name, value) for name, value in given if name == _LENGTH]


def _returnable(answer: httpx2.Response) -> Response:
    if answer.status_code < _OK or (answer.status_code in _REDIRECTS and answer.status_code != _NOT_MODIFIED):
        return Response(status_code=502, headers=_NO_STORE)
    kept = [(name.lower(), value) for name, value in answer.headers.raw if name.lower() in _RETURNED]
    if not any(name == b"cache-control" for name, _ in kept):
        kept.append((b"cache-control", b"no-store"))
    response = StreamingResponse(answer.stream, status_code=answer.status_code)
    response.raw_headers = [*kept, *_ADDED]
    return response
