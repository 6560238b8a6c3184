"""Django: what is read and checked when a site starts, before its first request."""

from __future__ import annotations

from django.conf import settings
from django.urls import get_resolver
from django.utils.module_loading import import_string

from jwtguard.core.policy import Startup
from jwtguard.errors import ConfigurationError, unknown
from jwtguard.guard import Guard

_KEY = "settings.JWTGUARD"
_CONFIG, _GUARD = _SETTINGS = ("CONFIG", "GUARD")
_CORS = "corsheaders.middleware.CorsMiddleware"
_CACHE = "django.middleware.cache.FetchFromCacheMiddleware"


def started_guard(middleware: type) -> Guard:
    """Return the guard of ``settings.JWTGUARD``, with everything checked that can be.

    Args:
        middleware: The class that ``settings.MIDDLEWARE`` names.

    Raises:
        ConfigurationError: The settings are wrong, or, in production, no policy covers a route of the site.
        Unavailable: An issuer gave no keys, and the policy is eager.
    """
    from jwtguard.lint.census import stop_on_gaps  # noqa: PLC0415 - once, at the start

    guard = _configured_guard()
    _check_order(middleware)
    site = get_resolver()
    guard.bind(site)
    stop_on_gaps(site, guard.table)
    if guard.table.config.startup is Startup.EAGER:
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - only an eager start waits for all keys

        import anyio  # noqa: PLC0415 - as above

        with ThreadPoolExecutor(1) as beside_the_loop:  # ASGI servers import a site inside of theirs
            beside_the_loop.submit(anyio.run, guard.start).result()
    return guard


def _configured_guard() -> Guard:
    written = getattr(settings, "JWTGUARD", {})
    if not isinstance(written, dict):
        message = f"must be a dict with {' or '.join(_SETTINGS)}, not {type(written).__name__}"
        raise ConfigurationError(message, key=_KEY)
    if misspelt := written.keys() - set(_SETTINGS):
        what = "setting"
        raise unknown(what, min(misspelt), _SETTINGS, key=_KEY)
    if len(written) != 1:
        message = f"must hold one of {' and '.join(_SETTINGS)}"
        raise ConfigurationError(message, key=_KEY)
    if _CONFIG in written:
        return Guard.from_file(written[_CONFIG])
    guard = written[_GUARD]
    if isinstance(guard, str):
        guard = import_string(guard)
    if not isinstance(guard, Guard):
        message = f"must be a jwtguard.Guard or the dotted path of one, not {type(guard).__name__}"
        raise ConfigurationError(message, key=f"{_KEY}.{_GUARD}")
    return guard


def _check_order(middleware: type) -> None:
    """Refuse an order in which refusals lack their CORS fields, or a cache answers in our place."""
    order = [import_string(path) for path in settings.MIDDLEWARE]
    place = order.index(middleware)
    for name, wrong, mend in ((_CORS, order[place:], "before"), (_CACHE, order[:place], "after")):
        kinds = (kind for found in wrong for kind in getattr(found, "__mro__", ()))
        if any(f"{kind.__module__}.{kind.__qualname__}" == name for kind in kinds):
            message = f"put {name!r} {mend} {settings.MIDDLEWARE[place]!r}"
            raise ConfigurationError(message, key="settings.MIDDLEWARE")
