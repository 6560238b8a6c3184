"""Decorators on Django's functions and views, under WSGI and ASGI, where no middleware of ours runs."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO

import pytest
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import get_resolver, path
from django.views import View

from jwtguard import current_identity
from jwtguard.core.endpoint import access
from jwtguard.current import CURRENT
from tests.kit import wsgi_calls
from tests.kit.asgi_calls import http_scope
from tests.kit.django_site import answer, asgi, site, wsgi
from tests.kit.guarded import bearer, guard, token

READ = access(scopes={"reports:read"})


def who(request: HttpRequest) -> HttpResponse:
    """Say who called."""
    identity = current_identity()
    assert request.identity is identity
    return JsonResponse({"subject": identity.subject})


async def who_waits(request: HttpRequest) -> HttpResponse:
    """Say it from a coroutine."""
    return who(request)


def who_numbered(request: HttpRequest, number: int) -> HttpResponse:
    """Say it, whatever the number."""
    assert number
    return who(request)


class Whole(View):
    """Say it from a class."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Be a method."""
        return who(request)


class WholeWaits(View):
    """Say it from a class of coroutines."""

    async def get(self, request: HttpRequest) -> HttpResponse:
        """Be a coroutine."""
        return who(request)


class Parts(View):
    """Say it from a method with a policy of its own."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Be replaced below."""
        return who(request)


CREDENTIALS = {
    "none": [],
    "good": [bearer(token(sub="ada"))],
    "little": [bearer(token(scope=""))],
    "bad": [bearer(b"x")],
}
STATUS = {"none": 401, "good": 200, "little": 403, "bad": 401}
PATHS = ("function", "waits", "class", "class_waits", "method", "behind/7")
BODIES = {
    "none": b'{"error":"no_credential"',
    "good": b'{"subject": "ada"}',
    "little": b'{"error":"insufficient_scope"',
    "bad": b'{"error":"invalid_token"',
}


@pytest.fixture(params=[(), ("jwtguard.adapters.django.JWTGuardMiddleware",)], ids=["alone", "behind the middleware"])
def middleware(request: pytest.FixtureRequest) -> Iterator[tuple[str, ...]]:
    """A site of decorated views, with our middleware and without."""
    policy = guard()
    protect = policy.protect(READ)
    views = [
        protect(who),
        protect(who_waits),
        protect(type("OwnWhole", (Whole,), {})).as_view(),
        protect(type("OwnWaits", (WholeWaits,), {})).as_view(),
        type("OwnParts", (Parts,), {"get": protect(Parts.get)}).as_view(),
    ]
    patterns = [path(name, view) for name, view in zip(PATHS, views, strict=False)]
    patterns.append(path("behind/<int:number>", protect(who_numbered)))
    with site(policy, *patterns, middleware=request.param):
        if request.param:
            policy.bind(get_resolver())
        yield request.param


@pytest.mark.parametrize("credential", CREDENTIALS)
@pytest.mark.parametrize("name", PATHS)
def test_the_same_answer_everywhere(middleware: tuple[str, ...], name: str, credential: str) -> None:
    """R-POL-12: Django's functions and classes, sync and async, answer the same under WSGI, ASGI, with both ways."""
    headers = CREDENTIALS[credential]
    under_wsgi = wsgi_calls.request(wsgi(), "GET", f"/{name}", headers, wsgi__input=BytesIO())
    under_asgi = answer(asgi(), http_scope("GET", f"/{name}", headers))
    for call in (under_wsgi, under_asgi):
        assert call.status == STATUS[credential]
        challenge = next((value for field, value in call.fields if field.lower() == b"www-authenticate"), None)
        assert (challenge is None) == (credential == "good")
    assert under_wsgi.body == under_asgi.body
    assert CURRENT.get(None) is None  # R-IDN-05: the thread that served it has forgotten it
    assert under_wsgi.body.startswith(BODIES[credential])
