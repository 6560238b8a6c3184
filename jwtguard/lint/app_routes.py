"""Which framework an application is of, and its routes as the census wants them.

Applications are told apart by what they have, never by importing a framework: whoever serves Flask has no
Django to load. Middleware that keeps what it wraps as ``app``, as ours does, is looked through.
"""

from __future__ import annotations

from jwtguard.lint.route_order import Routes

_WRAPPERS = 32  # how many layers of middleware to look through
_INNER = ("app", "application", "__self__")  # the last: ``flask_app.wsgi_app`` is a method of the application


def order_of(app: object) -> Routes | None:
    """Return an application's routes; ``None`` if it has none that we can see.

    Args:
        app: A Starlette, FastAPI or Flask application, Django's WSGI or ASGI application, a Django URLconf
            (a module, or its ``urlpatterns``), or middleware around one of them.
    """
    for _ in range(_WRAPPERS):
        if app is None:
            return None
        if (routes := _routes_of(app)) is not None:
            return routes
        app = inside_of(app)
    return None


def inside_of(app: object) -> object | None:
    """Return what a layer of middleware wraps, or ``None``."""
    return next((inner for name in _INNER if (inner := getattr(app, name, None)) is not None), None)


def _routes_of(app: object) -> Routes | None:
    if isinstance(getattr(app, "routes", None), list | tuple):
        from jwtguard.lint import starlette_routes  # noqa: PLC0415 - one framework at a time

        return starlette_routes.order_of(app)
    if hasattr(app, "url_map") or isinstance(getattr(app, "mounts", None), dict):
        from jwtguard.lint import flask_routes  # noqa: PLC0415 - as above

        return flask_routes.order_of(app)
    if _is_of_django(app):
        from jwtguard.lint import django_routes  # noqa: PLC0415 - as above

        return django_routes.order_of(app)
    return None


def _is_of_django(app: object) -> bool:
    if isinstance(app, list | tuple):
        return bool(app) and all(map(_is_of_django, app))
    modules = [kind.__module__ for kind in type(app).__mro__]
    return (
        any(module.startswith(("django.core.handlers.", "django.urls.")) for module in modules)
        or getattr(app, "urlpatterns", None) is not None
    )
