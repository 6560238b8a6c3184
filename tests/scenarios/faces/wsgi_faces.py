"""The WSGI faces in process, and Django's two: with the guard before them, and with decorators alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from django.http import HttpRequest, HttpResponse
from django.urls import get_resolver, path
from django.views import View
from flask import Flask, Response, request

from jwtguard import Guard, JWTGuardWSGI, current_identity, identity_of
from jwtguard.adapters.flask import JWTGuard
from tests.kit import django_site, wsgi_calls
from tests.scenarios.faces.asgi_faces import AsgiFace
from tests.scenarios.faces.guards import declaring, guard_of, named
from tests.scenarios.faces.places import PLACES, BrokenError, Place
from tests.scenarios.faces.row import Sent, Trait
from tests.scenarios.faces.seen import FROM_THE_APPLICATION, Face, Journal, Seen

UPGRADE = ((b"Upgrade", b"websocket"), (b"Connection", b"Upgrade"))


class Unread(BytesIO):
    """A body that counts who reads it."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Count."""
        self.reads += 1
        return super().read(size)


class WsgiFace:
    """An application in process, its environs made as servers make them."""

    def __init__(self, name: str, app: WSGIApplication, guard: Guard, journal: Journal, *traits: Trait) -> None:
        self.name = name
        self.app = app
        self.guard = guard
        self.journal = journal
        self.traits = frozenset({Trait.WSGI, *traits})

    def send(self, sent: Sent) -> Seen:
        """Send a request and see what comes of it."""
        body = Unread()
        fields = sent.fields + UPGRADE if sent.is_socket else sent.fields
        more: dict[str, Any] = {"wsgi__url_scheme": sent.scheme, "wsgi__input": body}
        environ = wsgi_calls.environ_of(sent.method, sent.target, fields, **more)
        try:
            call = wsgi_calls.run(self.app, environ)
        except BrokenError:  # the server's business, and a 500
            return self.journal.seen(500, [], b"")
        assert call.starts == 1
        return self.journal.seen(call.status, call.headers, call.body, body.reads)

    def log(self) -> str:
        """Nothing: what is logged in process, pytest has."""
        return ""


def bare_wsgi() -> WsgiFace:
    """The shell alone, around an application that says yes to everything."""
    journal = Journal()
    guard = guard_of(journal)

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        identity = identity_of(environ)
        journal.enter(identity.policy, identity)
        start_response("200 OK", [])
        return [FROM_THE_APPLICATION]

    return WsgiFace("bare wsgi", JWTGuardWSGI(app, guard=guard), guard, journal, Trait.SHELL)


def flask_app(enter: Callable[[str], None], protect: Callable[[Place], Callable[..., Any]] | None = None) -> Flask:
    """A Flask application of all places.

    Args:
        enter: Called with the name of a place when its function runs.
        protect: Makes the decorator of a place, where there are any.
    """
    app = Flask(__name__, static_folder=None)  # its route for static files would want a policy
    for place in PLACES:

        def view(place: Place = place, **_: str) -> Response:
            enter(place.name)
            return Response(FROM_THE_APPLICATION)

        target = protect(place)(named(place, view)) if protect is not None else view
        rule = place.path.replace("**", "<path:rest>").replace("{", "<").replace("}", ">")
        if place.is_socket:
            app.add_url_rule(rule, place.name, target, methods=["GET"], websocket=True)
        else:
            app.add_url_rule(rule, place.name, target, methods=place.methods, provide_automatic_options=False)
    return app


def flask() -> WsgiFace:
    """Flask behind its extension, in process."""
    journal = Journal()
    guard = guard_of(journal)
    app = flask_app(lambda name: journal.enter(name, identity_of(request.environ)))
    JWTGuard(app, guard=guard)
    return WsgiFace("flask", app, guard, journal, Trait.SHELL, Trait.FLASK)


def decorated_flask() -> WsgiFace:
    """Flask with decorators alone, whose routes the guard was shown."""
    journal = Journal()
    guard = declaring(journal)
    enter = lambda name: journal.enter(name, identity_of(request.environ))  # noqa: E731 - as above
    app = flask_app(enter, lambda place: guard.protect(place.demands))
    app.config["PROPAGATE_EXCEPTIONS"] = True
    guard.bind(app)
    return WsgiFace("decorated flask", app, guard, journal, Trait.FLASK, Trait.DECORATORS, Trait.DECORATED_FLASK)


def _django_patterns(function: Callable[[Place], Callable[..., Any]]) -> list[object]:
    """A class-based view for each path, with a method of ours for each HTTP method."""
    patterns: list[object] = []
    for text in dict.fromkeys(place.path for place in PLACES if not place.is_socket):
        members: dict[str, object] = {}
        for place in PLACES:
            if place.path == text:
                members |= dict.fromkeys((method.lower() for method in place.methods), function(place))
        members["http_method_names"] = list(members)
        view: Any = type("Views", (View,), members)
        route = text[1:].replace("**", "<path:rest>").replace("{", "<str:").replace("}", ">")
        patterns.append(path(route, view.as_view()))
    return patterns


def _method(journal: Journal, place: Place) -> Callable[..., Any]:
    def method(_: View, request: HttpRequest, **_rest: str) -> HttpResponse:
        assert current_identity() is request.identity
        journal.enter(place.name, request.identity)
        return HttpResponse(FROM_THE_APPLICATION)

    return named(place, method)


def _async_method(journal: Journal, place: Place) -> Callable[..., Any]:
    async def method(_: View, request: HttpRequest, **_rest: str) -> HttpResponse:
        assert current_identity() is request.identity
        journal.enter(place.name, request.identity)
        return HttpResponse(FROM_THE_APPLICATION)

    return named(place, method)


@contextmanager
def django_wsgi() -> Iterator[Face]:
    """Django under WSGI, behind its middleware."""
    journal = Journal()
    guard = guard_of(journal)
    patterns = _django_patterns(partial(_method, journal))
    with django_site.site(guard, *patterns):
        yield WsgiFace("django wsgi", django_site.wsgi(), guard, journal, Trait.SHELL, Trait.DJANGO)


@contextmanager
def django_asgi() -> Iterator[Face]:
    """Django under ASGI, behind its middleware."""
    journal = Journal()
    guard = guard_of(journal)
    patterns = _django_patterns(partial(_async_method, journal))
    with django_site.site(guard, *patterns):
        traits = (Trait.DJANGO, Trait.DJANGO_ASGI)
        yield AsgiFace("django asgi", django_site.asgi(), guard, journal, *traits, call=django_site.run)


@contextmanager
def decorated_django(kind: str) -> Iterator[Face]:
    """Django with decorators alone, whose routes the guard was shown, under ``wsgi`` or ``asgi``."""
    journal = Journal()
    guard = declaring(journal)
    method = partial(_method if kind == "wsgi" else _async_method, journal)
    patterns = _django_patterns(lambda place: guard.protect(place.demands)(method(place)))
    traits: tuple[Trait, ...] = (Trait.DJANGO, Trait.DECORATORS, Trait.DECORATED_DJANGO)
    with django_site.site(guard, *patterns, middleware=()):
        guard.bind(get_resolver())
        if kind == "wsgi":
            yield WsgiFace("decorated django wsgi", django_site.wsgi(), guard, journal, *traits)
        else:
            traits = (*traits, Trait.DJANGO_ASGI)
            yield AsgiFace("decorated django", django_site.asgi(), guard, journal, *traits, call=django_site.run)
