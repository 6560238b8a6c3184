"""A Django site inside the test process, under WSGI and under ASGI.

Django's settings belong to the process: they are made once here, and every site changes them for its own time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Final
from wsgiref.types import WSGIApplication

import anyio
import django
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.test import override_settings
from starlette.types import ASGIApp, Message, Scope

from jwtguard import Guard
from tests.kit.asgi_calls import Call

GUARD: Final = "jwtguard.adapters.django.JWTGuardMiddleware"

if not settings.configured:
    settings.configure(
        ALLOWED_HOSTS=["*"],
        DATABASES={},
        INSTALLED_APPS=[
            "django.contrib.admin",
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.messages",
            "django.contrib.sessions",
        ],
        LANGUAGES=[("en", "English"), ("de", "Deutsch")],
        LOGGING_CONFIG=None,
        SECRET_KEY="of the tests",
        USE_TZ=True,
    )
    django.setup()


def urlconf(*patterns: object) -> ModuleType:
    """A module of URL patterns."""
    module = ModuleType("urls_of_a_test")
    module.urlpatterns = list(patterns)  # type: ignore[attr-defined]  # what makes it a URLconf
    return module


@contextmanager
def site(guard: Guard, *patterns: object, middleware: tuple[str, ...] = (GUARD,), **changes: Any) -> Iterator[None]:
    """Settings of a site with these URL patterns, behind the guard."""
    chosen = {"JWTGUARD": {"GUARD": guard}, "ROOT_URLCONF": urlconf(*patterns), "MIDDLEWARE": middleware, **changes}
    with override_settings(**chosen):
        yield


def wsgi() -> WSGIApplication:
    """The WSGI application of the site whose settings are in force."""
    handler: WSGIApplication = WSGIHandler()
    return handler


def asgi() -> ASGIApp:
    """The ASGI application of the site whose settings are in force."""
    handler: ASGIApp = ASGIHandler()
    return handler


async def run(app: ASGIApp, scope: Scope) -> Call:
    """Run one request whose client stays until it is answered, as Django wants it."""
    call = Call()

    async def receive() -> Message:
        call.asked += 1
        if call.asked > 1:
            await anyio.sleep_forever()
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        call.sent.append(message)

    await app(scope, receive, send)
    return call


def answer(app: ASGIApp, scope: Scope) -> Call:
    """Run one request in an event loop of its own."""
    ran: Callable[..., Call] = anyio.run
    return ran(run, app, scope)
