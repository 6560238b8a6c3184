"""Django: a middleware for ``settings.MIDDLEWARE``, and ``request.identity`` in every view.

MIDDLEWARE = ["corsheaders.middleware.CorsMiddleware", "jwtguard.adapters.django.JWTGuardMiddleware", ...]
JWTGUARD = {"CONFIG": BASE_DIR / "jwtguard.toml"}

It serves WSGI and ASGI. Only what works without an identity stands before it; a cache of whole pages must not.
``current_identity()`` works too, save in what is streamed under WSGI once the view has returned.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers

from jwtguard.adapters.django_start import started_guard
from jwtguard.bodies import Stream
from jwtguard.core.decision import Allowed, Refused, Served
from jwtguard.core.identity import Identity
from jwtguard.core.request import RequestHead
from jwtguard.current import CURRENT, IDENTITY_KEY
from jwtguard.incoming import head_of_django

GetResponse: TypeAlias = Callable[[HttpRequest], Any]
"""What Django gives a middleware: the rest of the site, sync or async."""


class JWTGuardMiddleware:
    """Decide every request before the site sees it, and put the caller's identity into ``request.identity``.

    Args:
        get_response: The rest of the site.

    Raises:
        ConfigurationError: ``settings.JWTGUARD`` or the order of ``settings.MIDDLEWARE`` is wrong, or, in
            production, no policy covers a route of the site.
        Unavailable: An issuer gave no keys, and the policy is eager.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response
        self._guard = started_guard(type(self))
        self._is_async = iscoroutinefunction(get_response)
        self.process_view: Callable[..., Any] = _check_undecided
        if self._is_async:
            markcoroutinefunction(self)
            self.process_view = _check_undecided_async

    def __call__(self, request: HttpRequest) -> HttpResponse | Awaitable[HttpResponse]:
        """Answer one request."""
        if self._is_async:
            return self._call_async(request)
        head = head_of_django(request)
        decision = self._guard.decide_locally(head)
        if isinstance(decision, tuple):
            decision = self._guard.verify_unknown_sync(*decision)
        if not isinstance(decision, Allowed):
            return self._answered(decision, head)
        _admit(request, decision.identity)
        token = CURRENT.set(decision.identity)
        try:
            return self._lasting(decision, self._get_response(request))
        finally:
            CURRENT.reset(token)  # the thread goes on to serve others

    async def _call_async(self, request: HttpRequest) -> HttpResponse:
        head = head_of_django(request)
        decision = self._guard.decide_locally(head)
        if isinstance(decision, tuple):
            decision = await self._guard.verify_unknown(*decision)
        if not isinstance(decision, Allowed):
            return self._answered(decision, head)
        _admit(request, decision.identity)
        CURRENT.set(decision.identity)  # in the task of this request, for as long as its answer is streamed
        return self._lasting(decision, await self._get_response(request))

    def _lasting(self, allowed: Allowed, response: HttpResponse) -> HttpResponse:
        """Say what a response varies on, and let a stream end with its token."""
        if not allowed.policy.reads_credentials:
            return response
        patch_vary_headers(response, [name.decode() for name in allowed.policy.fields])
        if response.streaming and not response.has_header("Content-Length"):
            stream = Stream(allowed, self._guard)
            stream.begins(response.get("Content-Type", ""))
            pieces = stream.pieces_async if response.is_async else stream.pieces
            response.streaming_content = pieces(response.streaming_content)
        return response

    def _answered(self, decision: Refused | Served, head: RequestHead) -> HttpResponse:
        answer = self._guard.answer(decision, head) if isinstance(decision, Refused) else decision.answer
        response = HttpResponse(b"" if head.method == "HEAD" else answer.body, status=answer.status)
        del response["Content-Type"]
        for name, value in answer.headers:
            field, text = name.decode("latin-1"), value.decode("latin-1")
            # Django's responses hold one field of each name (RFC 9110, section 5.3).
            response[field] = f"{response[field]}, {text}" if field in response else text
        return response


def _admit(request: HttpRequest, identity: Identity) -> None:
    request.identity = request.META[IDENTITY_KEY] = identity
    request.decided_by_jwtguard = (request.method, request.path_info)


def _check_undecided(request: HttpRequest, *_: object) -> None:
    """Stop where another middleware gave the request a method or path that nobody decided on."""
    if request.decided_by_jwtguard != (request.method, request.path_info):
        message = "a middleware behind jwtguard changed the method or path of a request; put it before jwtguard"
        raise RuntimeError(message)


async def _check_undecided_async(request: HttpRequest, *_: object) -> None:
    _check_undecided(request)
