"""CORS layers that let every origin in with credentials (R-STO-07; ASVS 3.4.2).

Such a layer lets any page that a user visits send requests with the user's cookies, and read the answers. Starlette and
Flask-CORS take ``"*"`` together with credentials for "whoever asks", so that the browser's own refusal of a plain ``*``
does not help. Layers are found where frameworks keep them and judged by what they would answer to strangers; nothing
of the application runs. Flask-CORS's ``@cross_origin`` around a single view cannot be seen.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from inspect import getclosurevars

from jwtguard.core.endpoint import CarrierKind
from jwtguard.core.policy import Mode
from jwtguard.core.table import PolicyTable
from jwtguard.errors import ConfigurationError
from jwtguard.lint.app_routes import inside_of
from jwtguard.lint.findings import Finding, Severity

RULE = "R-STO-07"
_STRANGERS = ("https://jwtguard-probe.example", "http://jwtguard-probe.test:8443", "null")
"""Origins that nobody can have meant: two that nobody owns, and that of a sandboxed frame, which anybody can make."""

_DJANGO_LAYER = "corsheaders.middleware.CorsMiddleware"


class OpenCorsError(ConfigurationError):
    """An application hands what its users' cookies open to every origin."""


def cors_findings(app: object, table: PolicyTable) -> list[Finding]:
    """Find the CORS layers of an application that admit every origin with credentials.

    Args:
        app: An application of Starlette, FastAPI or Flask, or one of Django's.
        table: The policy, which may override the finding by name (``rule = "R-STO-07"``, ``at = "cors.…"``).
    """
    found: list[Finding] = []
    overrides = {(override.rule, override.at): override for override in table.config.overrides}
    for at, origin in dict.fromkeys(_open_doors(app)):
        message = f"lets pages of any origin ({origin}) send cookies and read the answers; list the origins that may"
        override = overrides.get((RULE, at))
        if override is None:
            found.append(Finding(RULE, Severity.ERROR, at, message))
        else:
            text = f"overridden since {override.since}: {override.reason} ({message})"
            found.append(Finding(RULE, Severity.NOTE, at, text))
    return found


def stop_on_open_cors(app: object, table: PolicyTable) -> None:
    """Refuse to start in production with such a layer where an endpoint takes cookies.

    Raises:
        OpenCorsError: Names the layer.
    """
    if table.config.mode is not Mode.PRODUCTION or app is None or not _takes_cookies(table):
        return
    for finding in cors_findings(app, table):
        if finding.severity is Severity.ERROR:
            raise OpenCorsError(finding.message, key=finding.at, rule=finding.rule)


def _takes_cookies(table: PolicyTable) -> bool:
    kinds = {carrier.kind for endpoint in table.endpoints for carrier in endpoint.carriers}
    return bool(kinds - {CarrierKind.HEADER})


def _open_doors(app: object) -> Iterator[tuple[str, str]]:
    """Yield the name of each layer that lets a stranger in, and which."""
    layers = list(_layers(app, set()))
    yield from _of_starlette(layers)
    yield from _of_flask(layers)
    if not any(hasattr(layer, "routes") or hasattr(layer, "after_request_funcs") for layer in layers):
        yield from _of_django()


def _layers(app: object, seen: set[int]) -> Iterator[object]:
    """Walk the layers of an application, those that it has not built yet, and those of what it mounts."""
    while app is not None and id(app) not in seen:
        seen.add(id(app))
        yield app
        yield from getattr(app, "user_middleware", ())
        yield from _layers(getattr(app, "middleware_stack", None), seen)  # of a router, which builds it at once
        routes = getattr(app, "routes", ())
        for route in routes if isinstance(routes, list | tuple) else ():
            yield from _layers(getattr(route, "app", None), seen)
        app = inside_of(app)


def _stranger(matches: Callable[[str], object]) -> str:
    return next((origin for origin in _STRANGERS if matches(origin)), "")


def _of_starlette(layers: Iterable[object]) -> Iterator[tuple[str, str]]:
    if "starlette.middleware.cors" not in sys.modules:
        return
    from starlette.middleware.cors import CORSMiddleware  # noqa: PLC0415 - no layer is made of what nobody loaded

    for layer in layers:
        kind = getattr(layer, "cls", type(layer))
        if not isinstance(kind, type) or not issubclass(kind, CORSMiddleware):
            continue
        built = layer if isinstance(layer, CORSMiddleware) else kind(_nowhere, *layer.args, **layer.kwargs)  # type: ignore[attr-defined]  # an entry of user_middleware
        credentials = "Access-Control-Allow-Credentials" in built.simple_headers
        if credentials and (origin := _stranger(built.is_allowed_origin)):
            yield f"cors.{kind.__name__}", origin


async def _nowhere(*_: object) -> None:
    """Stand for the application behind a layer that is only looked at."""


def _of_flask(layers: Iterable[object]) -> Iterator[tuple[str, str]]:
    """Read what Flask-CORS keeps: a closure with the options of each path."""
    for layer in layers:
        for function in (one for some in getattr(layer, "after_request_funcs", {}).values() for one in some):
            if getattr(function, "__module__", "") != "flask_cors.extension":
                continue
            for _, options in getclosurevars(function).nonlocals.get("resources", ()):
                origin = _stranger(partial(_fits, options.origins))
                if options.supports_credentials and origin:
                    yield "cors.flask_cors", origin


def _fits(origins: Iterable[str | re.Pattern[str]], origin: str) -> bool:
    """Match as Flask-CORS and django-cors-headers do: an expression from the start, a text as a whole."""
    return any(
        one.match(origin) if isinstance(one, re.Pattern) else one.casefold() == origin.casefold() for one in origins
    )


def _of_django() -> Iterator[tuple[str, str]]:
    """Read the settings of django-cors-headers, where its layer is one of the site's."""
    if "django.conf" not in sys.modules:
        return
    from django.conf import settings  # noqa: PLC0415 - a site of Django is loaded

    if not settings.configured or _DJANGO_LAYER not in getattr(settings, "MIDDLEWARE", ()):
        return
    from corsheaders.conf import conf  # noqa: PLC0415 - as the site's own settings say

    expressions = [re.compile(expression) for expression in conf.CORS_ALLOWED_ORIGIN_REGEXES]
    allowed = [re.compile(".*")] if conf.CORS_ALLOW_ALL_ORIGINS else [*conf.CORS_ALLOWED_ORIGINS, *expressions]
    if conf.CORS_ALLOW_CREDENTIALS and (origin := _stranger(partial(_fits, allowed))):
        yield "cors.corsheaders", origin
