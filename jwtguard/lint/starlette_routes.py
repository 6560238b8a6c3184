"""The routes of a Starlette or FastAPI application, flattened in the order in which they are asked.

Mounts are entered where what they mount has routes of its own, also behind other middleware. FastAPI keeps
an included router as one route with ``effective_route_contexts``, and its front-end files and the default
handler as last resorts. What cannot be looked into (a mounted WSGI application, static files, a route class
of somebody's own) is one stop that takes everything below it.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from inspect import unwrap
from itertools import count
from typing import TYPE_CHECKING

from jwtguard.lint.route_order import WEBSOCKET, Host, Kind, Order, Stop
from jwtguard.lint.specimens import Template

if TYPE_CHECKING:
    from starlette.routing import BaseRoute, Mount
    from starlette.routing import Host as HostRoute

_REST = "/{path:path}"
_WRAPPERS = 32  # how many layers of middleware to look through


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the application we are: below which path, hosts and router."""

    path: str = ""
    hosts: tuple[Host, ...] = ()
    router: int = 0


def order_of(app: object) -> Order | None:
    """Flatten an application's routes; ``None`` if it has none of Starlette's."""
    return Order(tuple(_Walk().router(app, _Place()))) if _has_routes(app) else None


def with_routes(app: object) -> object | None:
    """Find the application that has routes, behind middleware that keeps what it wraps as ``app``."""
    for _ in range(_WRAPPERS):
        if _has_routes(app):
            return app
        app = getattr(app, "app", None)
    return None


def _has_routes(app: object) -> bool:
    from starlette.routing import BaseRoute  # noqa: PLC0415 - the census runs at start-up, if at all

    routes = getattr(app, "routes", None)
    return isinstance(routes, list | tuple) and all(isinstance(route, BaseRoute) for route in routes)


class _Walk:
    """One walk over an application; numbers the routers it meets."""

    def __init__(self) -> None:
        self._routers = count()

    def router(self, app: object, place: _Place) -> Iterator[Stop]:
        """Yield the stops of one router, its last resorts at the end."""
        place = dataclasses.replace(place, router=next(self._routers))
        router = getattr(app, "router", app)
        for route in getattr(app, "routes", ()):
            yield from self._route(route, place)
        frontends = getattr(router, "_iter_low_priority_routes", None)
        for group in frontends() if frontends is not None else ():
            yield from _frontends(group, place)
        default = getattr(router, "default", None)
        if default is not None and default != getattr(router, "not_found", None):
            yield _everything(Kind.DEFAULT, _name_of(default), place, is_last_resort=True)

    def _route(self, route: BaseRoute, place: _Place) -> Iterator[Stop]:
        from starlette import routing  # noqa: PLC0415 - as above

        contexts = getattr(route, "effective_route_contexts", None)
        if contexts is not None:
            for context in contexts():
                yield from self._route(getattr(context, "starlette_route", None) or context, place)
            return
        original = getattr(route, "original_route", route)
        if isinstance(original, routing.Mount):
            yield from self._mount(original, place)
        elif isinstance(original, routing.Host):
            yield from self._host(original, place)
        elif isinstance(original, routing.Route):
            methods = getattr(route, "methods", None)
            yield _handler(Kind.ROUTE, route, place, http=frozenset(methods) if methods else None)
        elif isinstance(original, routing.WebSocketRoute):
            yield _handler(Kind.WEBSOCKET, route, place, http=frozenset(), answers=(WEBSOCKET,))
        else:
            yield _everything(Kind.UNKNOWN, type(route).__name__, place)

    def _mount(self, mount: Mount, place: _Place) -> Iterator[Stop]:
        below = dataclasses.replace(place, path=place.path + mount.path)
        inner = with_routes(mount.app) or (mount if mount.routes else None)
        # An application with a root path of its own strips that, not the path it is mounted at.
        if inner is not None and getattr(inner, "root_path", "") in ("", below.path):
            yield from self.router(inner, below)
            yield _everything(Kind.DEAD_END, f"the mount at {below.path or '/'}", below)
            return
        yield _everything(Kind.MOUNT, mount.name or type(mount.app).__name__, below, answers=_answers_of(mount.app))

    def _host(self, route: HostRoute, place: _Place) -> Iterator[Stop]:
        names = (re.sub(r"\{[^}]*\}", value, route.host).rsplit(":", 1)[0] for value in ("x", "1"))
        specimen = next((name for name in names if route.host_regex.fullmatch(name)), "")
        inside = dataclasses.replace(place, hosts=(*place.hosts, Host(route.host_regex, specimen)))
        inner = with_routes(route.app)
        if inner is not None:
            yield from self.router(inner, inside)
            yield _everything(Kind.DEAD_END, f"the host {route.host}", inside)
            return
        yield _everything(Kind.MOUNT, route.name or type(route.app).__name__, inside)


def _handler(
    kind: Kind, route: object, place: _Place, *, http: frozenset[str] | None, answers: tuple[str, ...] = ()
) -> Stop:
    endpoint = getattr(route, "endpoint", None)
    return Stop(
        kind=kind,
        name=str(getattr(route, "name", "") or _name_of(endpoint)),
        template=_template(place.path + str(getattr(route, "path", ""))),
        http=http,
        websocket=kind is Kind.WEBSOCKET,
        answers=answers or _methods_of(endpoint, http),
        hosts=place.hosts,
        router=place.router,
        endpoint=endpoint,
    )


def _everything(
    kind: Kind, name: str, place: _Place, *, answers: tuple[str, ...] = ("*",), is_last_resort: bool = False
) -> Stop:
    return Stop(
        kind=kind,
        name=name,
        template=_template(place.path + _REST),
        websocket=True,
        answers=() if kind is Kind.DEAD_END else answers,
        hosts=place.hosts,
        router=place.router,
        is_last_resort=is_last_resort,
    )


def _frontends(group: object, place: _Place) -> Iterator[Stop]:
    prefix = str(getattr(group, "frontend_prefix", ""))
    routes = getattr(getattr(group, "original_route", group), "routes", ())
    # Of two that match, the longer path wins, whichever was added first.
    paths = sorted((prefix + str(route.path).rstrip("/") for route in routes), key=len, reverse=True)
    for path in paths:
        for text in ((place.path + path,) if path else ()) + (place.path + path + _REST,):
            yield Stop(
                kind=Kind.FRONTEND,
                name="frontend",
                template=_template(text),
                http=frozenset({"GET", "HEAD"}),
                answers=("GET",),
                hosts=place.hosts,
                router=place.router,
                is_last_resort=True,
            )


def _methods_of(endpoint: object, http: frozenset[str] | None) -> tuple[str, ...]:
    """The methods to report. HEAD follows GET, so it shows only where it stands alone."""
    from starlette.endpoints import HTTPEndpoint  # noqa: PLC0415 - as above

    if http is None and isinstance(endpoint, type) and issubclass(endpoint, HTTPEndpoint):
        named = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY")
        if unwrap(endpoint.dispatch) is HTTPEndpoint.dispatch:  # a decorator of ours may be around it
            http = frozenset(name for name in named if hasattr(endpoint, name.lower()))
    if http is None:
        return ("*",)
    return tuple(sorted(http - {"HEAD"} if "GET" in http else http))


def _answers_of(app: object) -> tuple[str, ...]:
    from starlette.staticfiles import StaticFiles  # noqa: PLC0415 - as above

    return ("GET",) if isinstance(app, StaticFiles) else ("*",)


def _name_of(endpoint: object) -> str:
    return str(getattr(endpoint, "__name__", type(endpoint).__name__))


def _template(text: str) -> Template:
    return Template(text, _pieces(text))


def _pieces(text: str) -> Iterable[tuple[str, str]]:
    """Split a path as Starlette does, each parameter with the expression of its convertor."""
    from starlette.convertors import CONVERTOR_TYPES  # noqa: PLC0415 - as above
    from starlette.routing import PARAM_REGEX  # noqa: PLC0415 - as above

    at = 0
    pieces: list[tuple[str, str]] = []
    for match in PARAM_REGEX.finditer(text):
        pieces.append((text[at : match.start()], ""))
        convertor = CONVERTOR_TYPES[(match.group(2) or ":str").lstrip(":")]
        pieces.append((match.group(1), convertor.regex))
        at = match.end()
    return [*pieces, (text[at:], "")]
