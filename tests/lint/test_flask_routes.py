"""The census of a Flask application: what Werkzeug routes is what is judged."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import product
from types import SimpleNamespace
from typing import Final

import pytest
from flask import Blueprint, Flask, g, request
from flask.views import MethodView
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import Rule

from jwtguard import Config, ConfigurationError, Endpoint, Mode
from jwtguard.core.table import PolicyTable
from jwtguard.lint.app_routes import order_of
from jwtguard.lint.census import CensusRow, Verdict, census, stop_on_gaps
from tests.kit.guarded import ISSUER, protected, public

COVERED, PARTLY, UNPROTECTED, SHADOWED = Verdict
SEED: Final = 60
APPLICATIONS: Final = 40
Found = list[tuple[str, str, str, Verdict]]


def table(*endpoints: Endpoint, mode: Mode = Mode.PRODUCTION) -> PolicyTable:
    """A policy of these endpoints."""
    return PolicyTable(Config(issuers=[ISSUER], endpoints=endpoints, mode=mode))


def view(name: str) -> Callable[..., str]:
    """A view of this name."""

    def function(**_: object) -> str:
        return name

    function.__name__ = name
    return function


def flask(**views: str) -> Flask:
    """An application without static files, with one GET view for each path."""
    app = Flask("census", static_folder=None)
    for name, path in views.items():
        app.add_url_rule(path, view_func=view(name))
    return app


def found(app: object, *endpoints: Endpoint) -> Found:
    """Method, path, endpoint and verdict of every row."""
    return [(row.method, row.path, row.endpoint, row.verdict) for row in census(app, table(*endpoints))]


def row_of(app: object, name: str, *endpoints: Endpoint) -> CensusRow:
    """The one row of an endpoint."""
    (row,) = [row for row in census(app, table(*endpoints)) if row.endpoint == name]
    return row


def test_every_method_is_a_row_but_head_and_automatic_options() -> None:
    """R-POL-01, R-POL-04: what Flask answers by itself is no row; what a view answers is one."""
    app = flask(plain="/plain")
    app.add_url_rule("/own", view_func=view("own"), methods=["POST", "OPTIONS"])
    assert found(app, protected("GET /plain"), protected("POST /own")) == [
        ("GET", "/plain", "plain", COVERED),
        ("OPTIONS", "/own", "own", UNPROTECTED),
        ("POST", "/own", "own", COVERED),
    ]


def test_class_based_views_and_blueprints_are_entered() -> None:
    """R-POL-01: a method of a view class in a blueprint is a row under the blueprint's prefix."""

    class Reports(MethodView):
        def get(self) -> str:
            return ""

        def delete(self) -> str:
            return ""

    inner, outer = Blueprint("inner", __name__), Blueprint("outer", __name__)
    inner.add_url_rule("/reports", view_func=Reports.as_view("reports"))
    outer.register_blueprint(inner, url_prefix="/in")
    app = flask()
    app.register_blueprint(outer, url_prefix="/out")
    assert found(app, protected("GET /out/in/reports")) == [
        ("DELETE", "/out/in/reports", "outer.inner.reports", UNPROTECTED),
        ("GET", "/out/in/reports", "outer.inner.reports", COVERED),
    ]


@pytest.mark.parametrize(
    ("rule", "pattern", "verdict"),
    [
        ("/items/<name>", "GET /items/{id}", COVERED),
        ("/items/<int:number>", "GET /items/{id}", COVERED),
        ("/items/<float(signed=True):number>", "GET /items/{id}", COVERED),
        ("/items/<uuid:id>", "GET /items/{id}", COVERED),
        ("/items/<string(length=2):code>", "GET /items/{id}", COVERED),
        ("/items/<any(de, en):code>", "GET /items/{id}", COVERED),
        ("/items/<any(de, en):code>", "GET /items/de", PARTLY),
        ("/items/<path:rest>", "GET /items/{id}", PARTLY),
        ("/items/<path:rest>", "GET /items/**", COVERED),
        ("/items/<path:rest>/edit", "GET /items/{id}/edit", PARTLY),
        ("/items/<name>.json", "GET /items/{id}", COVERED),
        ("/items/<name>", "GET /item/{id}", UNPROTECTED),
    ],
)
def test_converters_become_parameters_or_a_rest(rule: str, pattern: str, verdict: Verdict) -> None:
    """R-POL-03: a converter is one segment, or any number of them, as Werkzeug has it."""
    assert row_of(flask(item=rule), "item", protected(pattern)).verdict is verdict


def test_every_listed_value_is_judged() -> None:
    """R-POL-03: where a converter lists its values, none of them is represented by another."""
    app = flask(item="/items/<any(x, y, help):code>")
    row = row_of(app, "item", protected("GET /items/x", "GET /items/y"))
    assert (row.verdict, "GET /items/help" in row.note) == (PARTLY, True)


@pytest.mark.parametrize(
    ("rule", "patterns", "verdict"),
    [
        ("/a", ["GET /a"], PARTLY),
        ("/a", ["GET /a", "GET /a/"], COVERED),
        ("/a/", ["GET /a/"], PARTLY),
        ("/a/", ["GET /a/**"], COVERED),
    ],
)
def test_a_rule_without_strict_slashes_takes_two_paths(rule: str, patterns: list[str], verdict: Verdict) -> None:
    """F60: ``strict_slashes=False`` opens a second path, which needs a policy like the first."""
    app = flask()
    app.add_url_rule(rule, view_func=view("slashed"), strict_slashes=False)
    assert row_of(app, "slashed", protected(*patterns)).verdict is verdict


def test_a_redirect_to_the_slash_reaches_no_handler() -> None:
    """F60: with strict slashes, the path without one is only redirected, so it needs no policy."""
    assert row_of(flask(slashed="/a/"), "slashed", protected("GET /a/")).verdict is COVERED


def test_werkzeug_prefers_the_narrower_rule_whatever_the_order() -> None:
    """R-POL-05: unlike in Starlette, a literal rule after a parameter is not shadowed."""
    app = flask(item="/items/<name>", special="/items/special")
    assert found(app, protected("GET /items/{id}"), protected("GET /items/special")) == [
        ("GET", "/items/<name>", "item", COVERED),
        ("GET", "/items/special", "special", COVERED),
    ]


def test_a_rule_shows_every_policy_that_its_requests_meet() -> None:
    """R-POL-05: what ``int`` turns down falls to the next rule, under the policy of the first one's path."""
    app = flask(number="/items/<int:number>", word="/<section>/<word>")
    row = row_of(app, "word", public("GET /items/{number}"), protected("GET /{section}/{word}"))
    assert sorted(cover.name for cover in row.covers) == ["GET /items/{number}", "GET /{section}/{word}"]


def test_a_policy_without_method_that_catches_another_rules_requests_is_reported() -> None:
    """R-POL-05: a rule whose requests meet the policy written for another rule is shadowed."""
    app = flask(word="/items/<word>")
    app.add_url_rule("/items/new", view_func=view("new"), methods=["POST"])
    row = row_of(app, "word", public("/items/new"), protected("GET /items/{word}"))
    assert (row.verdict, "which is the pattern of new" in row.note) == (SHADOWED, True)


def test_static_files_are_a_route_and_are_named_where_they_are_a_gap() -> None:
    """R-POL-01: Flask adds /static by itself; whoever forgot it learns how to open or remove it."""
    app = Flask("census")
    assert found(app, public("GET /static/**")) == [("GET", "/static/<path:filename>", "static", COVERED)]
    with pytest.raises(ConfigurationError, match=r"Flask adds /static/<path:filename> by itself: make it public"):
        stop_on_gaps(app, table(protected("GET /a")))


def test_gaps_stop_start_up_in_production_alone() -> None:
    """R-POL-01: a Flask application with a route that no policy covers does not start in production."""
    app = flask(open_="/open", shut="/shut")
    with pytest.raises(ConfigurationError, match=r"no policy covers GET /open;") as raised:
        stop_on_gaps(app, table(protected("GET /shut")))
    assert raised.value.rule == "R-POL-01"
    stop_on_gaps(app, table(protected("GET /shut"), public("GET /open")))
    stop_on_gaps(app, table(protected("GET /shut"), mode=Mode.DEVELOPMENT))


def test_hosts_and_subdomains_are_worlds_of_their_own() -> None:
    """R-POL-01: a rule bound to a host or subdomain is asked there, and its row names the host."""
    hosted = Flask("census", static_folder=None, host_matching=True)
    hosted.add_url_rule("/a", host="<tenant>.example.com", view_func=view("tenant"))
    row = row_of(hosted, "tenant", protected("GET /a"))
    assert (row.verdict, row.host.endswith(".example.com")) == (COVERED, True)
    split = Flask("census", static_folder=None, subdomain_matching=True)
    split.add_url_rule("/a", subdomain="api", view_func=view("api"))
    split.add_url_rule("/b", view_func=view("main"))
    assert [(row.host, row.verdict) for row in census(split, table(protected("GET /a")))] == [
        ("api", COVERED),
        ("", UNPROTECTED),
    ]


def test_a_subdomain_that_flask_does_not_match_is_dead() -> None:
    """R-POL-01: without ``subdomain_matching`` no request reaches a rule of a subdomain."""
    app = flask()
    app.add_url_rule("/a", subdomain="api", view_func=view("api"))
    assert row_of(app, "api", protected("GET /a")).verdict is SHADOWED


def test_rules_that_only_redirect_or_build_are_no_rows() -> None:
    """R-POL-01: what has no handler needs no policy."""
    app = flask(new="/new")
    app.url_map.add(Rule("/old", endpoint="new", redirect_to="/new"))
    app.url_map.add(Rule("/built", endpoint="new", build_only=True))
    assert found(app, protected("GET /new")) == [("GET", "/new", "new", COVERED)]


def test_middleware_is_looked_through() -> None:
    """R-POL-01: wherever the WSGI middleware stands, the census finds the rules."""
    app = flask(a="/a")
    around = SimpleNamespace(app=ProxyFix(app))
    bound = SimpleNamespace(app=app.wsgi_app)
    app.wsgi_app = ProxyFix(app.wsgi_app)  # type: ignore[method-assign]  # as Flask's documentation has it
    for application in (app, around, bound):
        assert found(application, protected("GET /a")) == [("GET", "/a", "a", COVERED)]


@pytest.mark.parametrize("inside", ["wsgi_app", "around"])
def test_what_is_mounted_beside_it_is_judged_too(inside: str) -> None:
    """R-POL-12: an application in a dispatcher is entered under its prefix; any other is one stop for all below."""
    app, admin = flask(a="/a", hidden="/metrics/own"), flask(users="/users")

    def metrics(environ: object, start_response: object) -> list[bytes]:
        return []

    mounts = {"/admin": admin, "/metrics": metrics}
    application: object = app
    if inside == "wsgi_app":
        app.wsgi_app = DispatcherMiddleware(app.wsgi_app, mounts)  # type: ignore[method-assign]  # as above
    else:
        application = DispatcherMiddleware(app, mounts)
    rows = found(application, protected("GET /a"), protected("GET /admin/**"))
    assert sorted(rows) == [
        ("*", "/metrics/{path}", "metrics", UNPROTECTED),
        ("GET", "/a", "a", COVERED),
        ("GET", "/admin/users", "users", COVERED),
        ("GET", "/metrics/own", "hidden", SHADOWED),
    ]
    assert verdict_of_metrics(application, "/metrics/**") is COVERED
    assert verdict_of_metrics(application, "/metrics/{any}") is PARTLY


def verdict_of_metrics(application: object, pattern: str) -> Verdict:
    """What the census says of the mounted application under a policy."""
    return row_of(application, "metrics", protected(pattern)).verdict


def test_an_application_without_rules_has_no_routes() -> None:
    """R-POL-01: nothing is said of what cannot be looked into."""
    assert order_of(DispatcherMiddleware(lambda *_: [], {})) is None
    assert order_of(lambda *_: []) is None


RULES: Final = ["/a", "/a/", "/a/b", "/a/<x>", "/a/<int:x>", "/<x>/b", "/<path:x>", "/a/<path:x>/b", "/<x>", "/7/<x>"]
PATTERNS: Final = ["/a", "/a/", "/a/b", "/a/{x}", "/{x}/b", "/a/**", "/**", "/{x}", "/7/**", "/{x}/{y}/b"]
SEGMENTS: Final = ["a", "b", "7", "q", ""]


def random_case(chance: random.Random) -> tuple[Flask, PolicyTable] | None:
    """An application and a policy; ``None`` if the patterns are ambiguous."""
    app = Flask("census", static_folder=None)
    app.before_request(lambda: setattr(g, "seen", request.endpoint))
    for number, rule in enumerate(chance.sample(RULES, k=4)):
        methods = chance.choice([["GET"], ["POST"], ["GET", "POST"]])
        name = f"r{number}"
        options = {"strict_slashes": chance.random() < 0.5}
        app.add_url_rule(rule, endpoint=name, view_func=view(name), methods=methods, **options)
    patterns = (f"{chance.choice(['GET ', 'POST ', ''])}{path}" for path in chance.sample(PATTERNS, k=3))
    try:
        return app, table(*(protected(pattern) for pattern in patterns))
    except ConfigurationError:
        return None


def requests() -> Iterator[tuple[str, str]]:
    """Every short request."""
    for depth in range(1, 4):
        for segments in product(SEGMENTS, repeat=depth):
            path = "/" + "/".join(segments)
            if "//" not in path:
                yield from ((method, path) for method in ("GET", "POST"))


def test_the_census_tells_what_real_requests_meet() -> None:
    """F60: for random applications, "covered" holds for every request that Flask serves, "unprotected" for none."""
    chance = random.Random(SEED)
    judged = 0
    while judged < APPLICATIONS:
        case = random_case(chance)
        if case is None:
            continue
        judged += 1
        app, policy = case
        verdicts = {(row.endpoint, row.method): row.verdict for row in census(app, policy)}
        client = app.test_client()
        for method, path in requests():
            answer = client.open(path, method=method)
            if answer.status_code != 200:
                continue
            verdict = verdicts[answer.text, method]
            covered = policy.routes.find(method, path) is not None
            assert verdict is not SHADOWED or "pattern of" in "".join(r.note for r in census(app, policy)), path
            assert covered or verdict is not COVERED, (method, path)
            assert not covered or verdict is not UNPROTECTED, (method, path)
