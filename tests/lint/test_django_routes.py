"""The census of a Django site: what its resolver routes is what is judged."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import product
from types import SimpleNamespace
from typing import Any, Final

import pytest
from django.conf.urls.i18n import i18n_patterns
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import Resolver404, URLResolver, get_resolver, include, path, re_path, register_converter
from django.urls.converters import get_converters
from django.utils.translation import gettext_lazy
from django.views import View
from django.views.decorators.http import require_http_methods, require_safe

from jwtguard import Config, ConfigurationError, Endpoint, Mode
from jwtguard.core.table import PolicyTable
from jwtguard.lint.app_routes import order_of
from jwtguard.lint.census import CensusRow, Verdict, census, stop_on_gaps
from tests.kit import django_site
from tests.kit.guarded import ISSUER, guard, protected, public

COVERED, PARTLY, UNPROTECTED, SHADOWED = Verdict
SEED: Final = 66
SITES: Final = 60


def table(*endpoints: Endpoint, mode: Mode = Mode.PRODUCTION) -> PolicyTable:
    """A policy of these endpoints."""
    return PolicyTable(Config(issuers=[ISSUER], endpoints=endpoints, mode=mode))


def view(request: HttpRequest, *_: object, **__: object) -> HttpResponse:
    """Say yes, whatever the method."""
    return HttpResponse()


def other(request: HttpRequest, *_: object, **__: object) -> HttpResponse:
    """Say yes, too."""
    return HttpResponse()


class Reports(View):
    """A view by methods; Django adds HEAD and OPTIONS."""

    def get(self, request: HttpRequest, **_: object) -> HttpResponse:
        """Read."""
        return HttpResponse()

    def post(self, request: HttpRequest, **_: object) -> HttpResponse:
        """Write."""
        return HttpResponse()


class OwnOptions(View):
    """A view that answers OPTIONS itself."""

    def options(self, request: HttpRequest, *_: object, **__: object) -> HttpResponse:
        """Answer."""
        return HttpResponse()


def found(patterns: list[Any], *endpoints: Endpoint) -> list[tuple[str, str, str, Verdict]]:
    """Method, path, view and verdict of every row."""
    return [(row.method, row.path, row.endpoint, row.verdict) for row in census(patterns, table(*endpoints))]


def row_of(patterns: list[Any], *endpoints: Endpoint) -> CensusRow:
    """The first row."""
    return census(patterns, table(*endpoints))[0]


def test_a_class_based_view_is_a_row_for_each_method() -> None:
    """R-POL-01, R-POL-04: HEAD and Django's own OPTIONS are no rows; an OPTIONS of the site's own is one."""
    patterns = [path("reports/", Reports.as_view()), path("own/", OwnOptions.as_view())]
    assert found(patterns, protected("GET /reports/")) == [
        ("GET", "/reports/", "Reports", COVERED),
        ("POST", "/reports/", "Reports", UNPROTECTED),
        ("OPTIONS", "/own/", "OwnOptions", UNPROTECTED),
    ]


def test_decorated_views_are_rows_for_the_methods_that_are_let_through() -> None:
    """R-POL-04: ``@require_http_methods`` and its kin say which methods reach the view."""
    patterns = [path("a/", require_http_methods(["GET", "DELETE"])(view)), path("b/", require_safe(view))]
    assert found(patterns, protected("/a/", "GET /b/")) == [
        ("DELETE", "/a/", "view", COVERED),
        ("GET", "/a/", "view", COVERED),
        ("GET", "/b/", "view", COVERED),
    ]


def test_a_plain_view_answers_every_method() -> None:
    """R-POL-04: a function without a decorator is reached by methods that no policy names."""
    assert row_of([path("a/", view)], protected("GET /a/")).verdict is PARTLY
    assert row_of([path("a/", view)], protected("/a/")).verdict is COVERED


def test_view_sets_are_rows_by_their_actions() -> None:
    """R-POL-01: what Django REST framework keeps on its views is read without importing it."""

    def view_set(request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    view_set.actions = {"get": "list", "post": "create", "head": "list"}  # type: ignore[attr-defined]  # as DRF does
    assert [row[:2] for row in found([path("sets/", view_set)])] == [("GET", "/sets/"), ("POST", "/sets/")]


@pytest.mark.parametrize(
    ("route", "pattern", "verdict"),
    [
        ("items/<name>/", "/items/{id}/", COVERED),
        ("items/<int:id>/", "/items/{id}/", COVERED),
        ("items/<slug:id>/", "/items/{id}/", COVERED),
        ("items/<uuid:id>/", "/items/{id}/", COVERED),
        ("items/<path:rest>", "/items/{id}", PARTLY),
        ("items/<path:rest>", "/items/**", COVERED),
        ("items/<path:rest>/edit/", "/items/{id}/edit/", PARTLY),
        ("items/<name>.json", "/items/{id}", COVERED),
        ("items/", "/items", UNPROTECTED),
        ("", "/", COVERED),
    ],
)
def test_converters_become_parameters_or_a_rest(route: str, pattern: str, verdict: Verdict) -> None:
    """R-POL-03: a converter is one segment, or any number of them, as Django has it."""
    assert row_of([path(route, view)], protected(pattern)).verdict is verdict


@pytest.mark.parametrize(
    ("regex", "pattern", "verdict"),
    [
        (r"^items/(?P<id>[0-9]+)/$", "/items/{id}/", COVERED),
        (r"^items/(?P<id>[0-9]{4})/\Z", "/items/{id}/", COVERED),
        (r"^items/(?P<id>\w+)(?:/raw)?$", "/items/{id}", PARTLY),
        (r"^items/(?P<id>\w+)(?:/raw)?$", "/items/**", COVERED),
        (r"^items/(?P<id>\w+)/?$", "/items/{id}", PARTLY),
        (r"^items/(list|grid)$", "/items/list", PARTLY),
        (r"^items/(list|grid)$", "/items/{view}", COVERED),
        (r"^items/(?P<rest>.*)$", "/items/{id}", PARTLY),
        (r"^items/(?P<rest>.*)$", "/items/**", COVERED),
        (r"^items/$", "/items/", COVERED),
        (r"^items/", "/items/", PARTLY),
        (r"^items/", "/items/**", COVERED),
        (r"items/$", "/items/", COVERED),
        (r"items/\Z", "/items/", PARTLY),
        (r"items/\Z", "/**", COVERED),
        (r"^robots.txt$", "/robots.txt", PARTLY),
        (r"^robots\.txt$", "/robots.txt", COVERED),
        (r"^other/$", "/items/", UNPROTECTED),
    ],
)
def test_expressions_are_read(regex: str, pattern: str, verdict: Verdict) -> None:
    """R-POL-03: a regular expression is searched for: what it leaves open at either end must be covered, too."""
    assert row_of([re_path(regex, view)], protected(pattern)).verdict is verdict


@pytest.mark.parametrize(
    ("regex", "pattern", "verdict"),
    [
        (r"^items/(?!secret)\w+$", "/items/**", COVERED),
        (r"^items/(?!secret)\w+$", "/items/{id}", PARTLY),
        (r"^items/(?:\w+/)*end$", "/items/**", COVERED),
        (r"(?i)^items/$", "/items/", PARTLY),
        (r"(?i)^items/$", "/**", COVERED),
        (r"^a/$|^b/$", "/a/", PARTLY),
        (r"^(\w+)/\1/$", "/{a}/{b}/", PARTLY),
        (r"^items/(?!secret)\w+$", "/other/", UNPROTECTED),
    ],
)
def test_an_expression_beyond_the_census_is_told(regex: str, pattern: str, verdict: Verdict) -> None:
    """R-POL-01: what cannot be read counts as everything below the path it starts with, and is never left out."""
    row = row_of([re_path(regex, view)], protected(pattern))
    assert row.verdict is verdict
    assert ("beyond the census" in row.note) is (verdict is not COVERED)


def test_included_patterns_are_entered() -> None:
    """R-POL-01: ``include`` joins texts, whether or not there is a slash between them."""
    inner = [path("list/", view), re_path(r"^(?P<id>\d+)/$", other)]
    patterns = [path("a/", include(inner)), re_path(r"^b/", include(inner)), path("c", include([path("/d", view)]))]
    assert found(patterns, protected("/a/list/", "/a/{id}/", "/b/list/", "/c/d")) == [
        ("*", "/a/list/", "view", COVERED),
        ("*", "/a/(?P<id>\\d+)/$", "other", COVERED),
        ("*", "/b/list/", "view", COVERED),
        ("*", "/b/(?P<id>\\d+)/$", "other", UNPROTECTED),
        ("*", "/c/d", "view", COVERED),
    ]


def test_the_first_pattern_wins() -> None:
    """R-POL-05: Django asks in order, so a literal after a parameter is shadowed."""
    patterns = [path("items/<name>/", view), path("items/special/", other)]
    rows = census(patterns, table(protected("/items/{id}/"), public("/items/special/")))
    assert [row.verdict for row in rows] == [SHADOWED, SHADOWED]
    assert "which is the pattern of other" in rows[0].note
    assert "ends at view" in rows[1].note
    rows = census(patterns[::-1], table(protected("/items/{id}/"), public("/items/special/")))
    assert [row.verdict for row in rows] == [COVERED, COVERED]


class Known:
    """A converter that takes what is in a database, say."""

    regex = "[a-z]+"

    def to_python(self, value: str) -> str:
        """Take one value alone."""
        if value != "zyx":
            raise ValueError(value)
        return value

    def to_url(self, value: str) -> str:
        """Write it."""
        return value


def test_a_converter_that_turns_down_all_we_try_is_told() -> None:
    """R-POL-01: a route is not called dead because the census knows no value that it takes."""
    if "known" not in get_converters():
        register_converter(Known, "known")
    patterns = [path("n/<known:n>/", view), path("n/<str:n>/", other)]
    assert [row.verdict for row in census(patterns, table(protected("/n/{n}/")))] == [COVERED, COVERED]
    row = row_of(patterns, protected("/m/"))
    assert (row.verdict, "turn down every path" in row.note) == (UNPROTECTED, True)


class Even:
    """A converter that turns down half of what its expression matches."""

    regex = "[0-9]+"

    def to_python(self, value: str) -> int:
        """Take even numbers alone."""
        if int(value) % 2:
            raise ValueError(value)
        return int(value)

    def to_url(self, value: int) -> str:
        """Write it."""
        return str(value)


def test_a_converter_is_asked_what_it_takes() -> None:
    """R-POL-03: what ``to_python`` turns down goes to the next pattern, so that one is not dead."""
    if "even" not in get_converters():
        register_converter(Even, "even")
    patterns = [path("n/<even:n>/", view), path("n/<int:n>/", other)]
    assert [row[2:] for row in found(patterns, protected("/n/{n}/"))] == [("view", COVERED), ("other", COVERED)]


def test_each_language_has_paths_of_its_own() -> None:
    """R-POL-03: prefixes of languages and translated paths are rows of their own."""
    patterns = i18n_patterns(path("home/", view))
    assert found(patterns, protected("/en/home/")) == [
        ("*", "/en/home/", "view", COVERED),
        ("*", "/de/home/", "view", UNPROTECTED),
    ]
    translated = [path(gettext_lazy("Yes"), view)]  # Django itself has a translation of this word
    assert [row[1] for row in found(translated)] == ["/Yes", "/Ja"]


def test_the_admin_site_is_entered() -> None:
    """R-POL-01: Django's admin is routes like any other, and one pattern covers them all."""
    patterns = [path("admin/", admin.site.urls)]
    assert {row.verdict for row in census(patterns, table(protected("/admin/**")))} == {COVERED}
    assert {row.verdict for row in census(patterns, table(protected("/other/**")))} == {UNPROTECTED}
    with pytest.raises(ConfigurationError, match="/admin/login/"):
        stop_on_gaps(patterns, table(protected("/other/**")))


def test_every_way_to_name_a_site_leads_to_its_routes() -> None:
    """R-POL-01: handlers, also inside of middleware, a URLconf, its patterns and a resolver are one site."""
    conf = django_site.urlconf(path("a/", view))
    with django_site.site(guard(protected("/a/")), *conf.urlpatterns):
        resolver = get_resolver()
        handlers = django_site.wsgi(), django_site.asgi(), SimpleNamespace(app=django_site.wsgi())
        for app in (*handlers, conf, conf.urlpatterns, resolver):
            (row,) = census(app, table(protected("/a/")))
            assert (row.path, row.verdict) == ("/a/", COVERED)
    assert order_of([]) is None
    assert order_of(["a"]) is None


ROUTES: Final[list[Any]] = [
    "a/", "a/b", "a/<x>", "a/<int:x>", "<x>/b", "<path:x>", "a/<path:x>/b", "<x>", "<path:x>b", "", "7/<x>",
]  # fmt: skip
REGEXES: Final[list[Any]] = [
    r"^a/?$", r"^a/(b|q)$", r"^(?P<x>\w+)/b$", r"a", r"^a", r"b$", r"^7/(?:[0-9]+/)?q$", r"^a/(?!b)", r"^[ab]/.*q$",
]  # fmt: skip
PATTERNS: Final = ["/a", "/a/", "/a/b", "/a/{x}", "/{x}/b", "/a/**", "/**", "/{x}", "/7/**", "/7/{x}/q", "/{x}/{y}/b"]
SEGMENTS: Final = ["a", "b", "7", "q", ""]


def random_site(chance: random.Random) -> tuple[URLResolver, PolicyTable] | None:
    """A site and a policy; ``None`` if the patterns are ambiguous."""

    def named(number: int) -> Any:
        def one(request: HttpRequest, **_: object) -> HttpResponse:
            return HttpResponse()

        one.__qualname__ = f"view {number}"
        return one

    patterns = [path(route, named(number)) for number, route in enumerate(chance.sample(ROUTES, k=2))]
    patterns += [re_path(regex, named(number + 2)) for number, regex in enumerate(chance.sample(REGEXES, k=2))]
    if chance.random() < 0.5:
        patterns.append(path("a/", include([path("<x>", named(4)), re_path(r"^b/?$", named(5))])))
    chance.shuffle(patterns)
    try:
        policy = table(*(protected(pattern) for pattern in chance.sample(PATTERNS, k=3)))
    except ConfigurationError:
        return None
    return get_resolver(django_site.urlconf(*patterns)), policy


def paths() -> Iterator[str]:
    """Every short path."""
    for depth in range(1, 4):
        for segments in product(SEGMENTS, repeat=depth):
            tried = "/" + "/".join(segments)
            if "//" not in tried:
                yield tried


def test_the_census_tells_what_the_resolver_does() -> None:
    """F60: for random sites, "covered" holds for every path that Django resolves, "unprotected" for none."""
    chance = random.Random(SEED)
    judged = 0
    while judged < SITES:
        case = random_site(chance)
        if case is None:
            continue
        judged += 1
        resolver, policy = case
        rows = {row.endpoint: row for row in census(resolver, policy)}
        for tried in paths():
            try:
                name = resolver.resolve(tried).func.__qualname__
            except Resolver404:
                continue
            row, covered = rows[name], policy.routes.find("GET", tried) is not None
            assert covered or row.verdict is not COVERED, (tried, row)
            assert not covered or row.verdict is not UNPROTECTED, (tried, row)


def test_without_translations_nothing_is_asked_of_them() -> None:
    """R-POL-01: a site without translations is read without them."""
    with override_settings(USE_I18N=False):
        assert found([path("a/", view)], protected("/a/"))[0][3] is COVERED
