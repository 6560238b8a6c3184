"""What a Django site is told when it starts: settings, the order of middleware, routes without a policy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from corsheaders.middleware import CorsMiddleware
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import path

from jwtguard import ConfigurationError, Guard, Mode, Startup, Unavailable
from jwtguard.adapters.django import JWTGuardMiddleware
from tests.cli.test_routes import POLICY
from tests.kit.django_site import GUARD, asgi, site, urlconf, wsgi
from tests.kit.fake_idp import FakeIdP
from tests.kit.guarded import guard, protected, public
from tests.scenarios.protected_api import Login, configured

CORS = "corsheaders.middleware.CorsMiddleware"
SHARED = guard(protected("GET /reports"))


def view(request: HttpRequest) -> HttpResponse:
    """Say yes."""
    return HttpResponse()


class OwnCors(CorsMiddleware):
    """A site's own version of the CORS middleware."""


class OwnGuard(JWTGuardMiddleware):
    """A site's own version of ours."""


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ({}, "settings.JWTGUARD: must hold one of CONFIG and GUARD"),
        ({"GUARD": SHARED, "CONFIG": "jwtguard.toml"}, "settings.JWTGUARD: must hold one of CONFIG and GUARD"),
        ({"CONFG": "jwtguard.toml"}, "settings.JWTGUARD: unknown setting 'CONFG'; did you mean 'CONFIG'?"),
        ({"GUARD": "pathlib.Path"}, "settings.JWTGUARD.GUARD: must be a jwtguard.Guard or the dotted path of one"),
        ({"GUARD": None}, "must be a jwtguard.Guard or the dotted path of one, not NoneType"),
        ({"CONFIG": "/nowhere/jwtguard.toml"}, "/nowhere/jwtguard.toml"),
    ],
)
@pytest.mark.parametrize("start", [wsgi, asgi])
def test_wrong_settings_stop_the_site(written: dict[str, Any], told: str, start: Callable[[], object]) -> None:
    """R-POL-06: settings that cannot be used are told with the nearest spelling before the first request."""
    with site(SHARED, JWTGUARD=written), pytest.raises(ConfigurationError) as raised:
        start()
    assert told in str(raised.value)


def test_a_site_without_our_settings_does_not_start() -> None:
    """R-POL-01: the middleware alone is no policy."""
    with (
        override_settings(MIDDLEWARE=(GUARD,), ROOT_URLCONF=urlconf()),
        pytest.raises(ConfigurationError, match=r"settings.JWTGUARD: must hold one of"),
    ):
        wsgi()


def test_a_guard_may_be_named_or_given_or_read_from_a_file(tmp_path: Path) -> None:
    """R-POL-06: an object, a dotted path and a file are three ways to the same policy."""
    file = tmp_path / "jwtguard.toml"
    file.write_text(POLICY)
    for written in ({"GUARD": SHARED}, {"GUARD": f"{__name__}.SHARED"}, {"CONFIG": file}, {"CONFIG": str(file)}):
        with site(SHARED, JWTGUARD=written):
            wsgi()


@pytest.mark.parametrize("cors", [CORS, f"{__name__}.OwnCors"])
@pytest.mark.parametrize("ours", [GUARD, f"{__name__}.OwnGuard"])
def test_cors_behind_the_guard_stops_the_site(cors: str, ours: str) -> None:
    """F59: refusals would lack their CORS fields, so the order is refused, and the mend is named."""
    with site(SHARED, middleware=(ours, cors)), pytest.raises(ConfigurationError) as raised:
        wsgi()
    assert f"settings.MIDDLEWARE: put {CORS!r} before {ours!r}" in str(raised.value)
    with site(SHARED, middleware=(cors, ours)):
        wsgi()


def test_a_page_cache_before_the_guard_stops_the_site() -> None:
    """R-POL-01: a cache of whole pages before the guard would answer without a decision."""
    cache = "django.middleware.cache.FetchFromCacheMiddleware"
    with (
        site(SHARED, middleware=(cache, GUARD)),
        pytest.raises(ConfigurationError, match=f"put '{cache}' after '{GUARD}'"),
    ):
        wsgi()
    with site(SHARED, middleware=(GUARD, cache)):
        wsgi()


@pytest.mark.parametrize("start", [wsgi, asgi])
def test_a_route_without_a_policy_stops_the_site_in_production(start: Callable[[], object]) -> None:
    """R-POL-01: in production a site with a route that no policy covers does not start; in development it does."""
    patterns = path("reports", view), path("open", view)
    with site(SHARED, *patterns), pytest.raises(ConfigurationError, match=r"no policy covers \* /open;") as raised:
        start()
    assert raised.value.rule == "R-POL-01"
    with site(guard(protected("GET /reports"), public("GET /open")), *patterns):
        start()
    with site(guard(protected("GET /reports"), mode=Mode.DEVELOPMENT), *patterns):
        start()


@pytest.mark.parametrize("start", [wsgi, asgi])
def test_an_eager_policy_fetches_its_keys_at_the_start(start: Callable[[], object]) -> None:
    """R-JWK-11: ``startup = "eager"`` holds where no lifespan runs: with keys the site starts, without it does not."""
    with FakeIdP() as idp:
        login = Login(idp)
        login.publish("k1")
        with site(Guard(configured(login, startup=Startup.EAGER))):
            start()
        assert login.fetches == 1
    with site(Guard(configured(login, startup=Startup.EAGER))), pytest.raises(Unavailable, match="login"):
        start()
