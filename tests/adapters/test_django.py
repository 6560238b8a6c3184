"""Django behind the guard: the verdicts of the ASGI shell under WSGI and ASGI, and the identity in every view."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any, Final, TypeAlias

import anyio
import pytest
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path, re_path

from jwtguard import ClaimRule, Guard, JWTGuardMiddleware, current_identity
from tests.kit import asgi_calls, wsgi_calls
from tests.kit.asgi_calls import Call, Probe, http_scope
from tests.kit.django_site import GUARD, answer, asgi, run, site, wsgi
from tests.kit.fake_clock import FakeClock
from tests.kit.fake_idp import FakeIdP
from tests.kit.guarded import FORGE, bearer, guard, optional, protected, public, token
from tests.kit.wsgi_calls import WsgiCall
from tests.scenarios.protected_api import Login, configured

Fields: TypeAlias = list[tuple[bytes, bytes]]
Ask: TypeAlias = Callable[..., Call | WsgiCall]
"""Send method, path and header fields to the site whose settings are in force."""

ENDPOINTS: Final = (
    public("GET /health"),
    optional("GET /hello"),
    protected("GET /reports/{id}", scopes=frozenset({"reports:read"})),
    protected("POST /reports/{id}", scopes=frozenset({"reports:write"})),
    protected("GET /réports"),
)


def ask_wsgi(method: str, raw_path: str, headers: Fields = [], **changes: Any) -> WsgiCall:  # noqa: B006 - read only
    """Through Django's WSGI handler."""
    return wsgi_calls.request(wsgi(), method, raw_path, headers, wsgi__input=BytesIO(), **changes)


def ask_asgi(method: str, raw_path: str, headers: Fields = [], **changes: Any) -> Call:  # noqa: B006 - read only
    """Through Django's ASGI handler."""
    return answer(asgi(), http_scope(method, _decoded(raw_path), headers, **changes))


def _decoded(raw_path: str) -> str:
    return wsgi_calls.environ_of("GET", raw_path)["PATH_INFO"].encode("latin-1").decode()  # type: ignore[no-any-return]


@pytest.fixture(params=["wsgi", "asgi"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """One face of Django."""
    return ask_wsgi if request.param == "wsgi" else ask_asgi


def who(request: HttpRequest) -> HttpResponse:
    """Say who called, from both places where that is known."""
    identity = request.identity
    assert current_identity() is identity
    assert request.path_info
    return JsonResponse({"subject": identity.subject, "policy": identity.policy, "kind": identity.kind})


def who_numbered(request: HttpRequest, number: int) -> HttpResponse:
    """Say it, whatever the number."""
    return who(request)


async def who_async(request: HttpRequest) -> HttpResponse:
    """Say it from an async view."""
    return who(request)


ANYTHING: Final = re_path(r"(?s)^.*$", who)
"""A route for every path there is, so that whatever the guard lets through is answered."""


def fields(call: Call | WsgiCall) -> Fields:
    """Header fields, names in lower case."""
    return sorted((name.lower(), value) for name, value in call.fields)


EXPIRED: Final = FORGE.sign(FORGE.access_claims(now=1_767_225_600 - 7_200), key=FORGE.key())
WRONG_CLASS: Final = FORGE.sign(FORGE.access_claims(), key=FORGE.key(), header={"typ": "JWT"})
FORGED: Final = FORGE.sign(FORGE.access_claims(), key=FORGE.key(), signature=b"x" * 64)
GOOD: Final = token()
CASES: Final[list[tuple[str, str, Fields, int]]] = [
    ("GET", "/reports/7", [bearer(GOOD)], 200),
    ("GET", "/reports/7", [], 401),
    ("GET", "/reports/7", [bearer(GOOD), bearer(GOOD)], 400),
    ("GET", "/reports/7", [bearer(GOOD), (b"authorization", b"Basic eDp4")], 400),
    ("GET", "/reports/7", [(b"authorization", b"Bearer " + GOOD + b" x")], 400),
    ("GET", "/reports/7", [(b"authorization", b"Basic eDp4")], 401),
    ("GET", "/reports/7", [bearer(WRONG_CLASS)], 401),
    ("GET", "/reports/7", [bearer(EXPIRED)], 401),
    ("GET", "/reports/7", [bearer(FORGED)], 401),
    ("GET", "/reports/7", [bearer(b"x" * 20_000)], 401),
    ("POST", "/reports/7", [bearer(GOOD)], 403),
    ("POST", "/reports/7", [bearer(GOOD), (b"x-http-method-override", b"GET")], 403),
    ("DELETE", "/reports/7", [bearer(GOOD)], 403),
    ("OPTIONS", "/reports/7", [bearer(GOOD)], 403),
    ("get", "/reports/7", [bearer(GOOD)], 403),
    ("HEAD", "/reports/7", [bearer(GOOD)], 200),
    ("HEAD", "/reports/7", [], 401),
    ("GET", "/nowhere", [bearer(GOOD)], 403),
    ("GET", "/health", [], 200),
    ("GET", "/health", [bearer(FORGED)], 200),
    ("GET", "/hello", [], 200),
    ("GET", "/hello", [bearer(GOOD)], 200),
    ("GET", "/hello", [bearer(FORGED)], 401),
    ("GET", "/reports/7", [(b"host", b"evil.example/health?"), (b"x-original-url", b"/health")], 401),
    ("GET", "//reports/7", [bearer(GOOD)], 403),
    ("GET", "/reports//7", [bearer(GOOD)], 403),
    ("GET", "/reports/7/", [bearer(GOOD)], 403),
    ("GET", "/REPORTS/7", [bearer(GOOD)], 403),
    ("GET", "/health/../reports/7", [], 403),
    ("GET", "/reports/%2e%2e", [bearer(GOOD)], 403),
    ("GET", "/reports%2F7", [], 401),
    ("GET", "/health%0a", [], 403),
    ("GET", "/health%00", [], 403),
    ("GET", "/health;x", [], 403),
    ("GET", "/r%C3%A9ports", [bearer(GOOD)], 200),
    ("GET", "/r%C3%A9ports", [], 401),
    ("GET", "/r%C3%83%C2%A9ports", [bearer(GOOD)], 403),
    ("GET", "/%E6%97%A5", [], 403),
]


@pytest.mark.parametrize(("method", "raw_path", "headers", "status"), CASES)
def test_answers_are_those_of_the_asgi_shell(
    ask: Ask, method: str, raw_path: str, headers: Fields, status: int
) -> None:
    """R-POL-12, F59, F60, F62: under both faces a refusal equals the ASGI shell's to the byte."""
    decides = guard(*ENDPOINTS)
    shell = anyio.run(
        asgi_calls.run, JWTGuardMiddleware(Probe(), guard=decides), http_scope(method, _decoded(raw_path), headers)
    )
    with site(decides, ANYTHING):
        call = ask(method, raw_path, headers)
    assert (call.status, shell.status) == (status, status)
    if status != 200:
        assert (fields(call), call.body) == (fields(shell), shell.body)


@pytest.mark.parametrize("view", [who, who_async])
def test_the_identity_is_on_the_request_and_in_the_context(ask: Ask, view: Callable[..., Any]) -> None:
    """R-IDN-01: a view, sync or async, sees the typed identity; afterwards nobody does."""
    with site(guard(*ENDPOINTS), path("reports/7", view)):
        call = ask("GET", "/reports/7", [bearer(token(sub="alice"))])
    assert call.body == b'{"subject": "alice", "policy": "GET /reports/{id}", "kind": "user"}'
    with pytest.raises(LookupError):
        current_identity()


def test_public_and_optional_views_see_an_anonymous_identity(ask: Ask) -> None:
    """R-POL-09: where no token came, ``request.identity`` is there and anonymous."""
    with site(guard(*ENDPOINTS), ANYTHING):
        assert b'"kind": "anonymous"' in ask("GET", "/health").body
        assert b'"kind": "anonymous"' in ask("GET", "/hello").body
        assert b'"subject": "user-1"' in ask("GET", "/hello", [bearer(GOOD)]).body


def test_what_is_streamed_knows_the_caller(ask: Ask) -> None:
    """R-IDN-01: a stream outlives its view, and still sees who called; under WSGI, on the request."""

    async def pieces(request: HttpRequest) -> AsyncIterator[str]:
        yield current_identity().subject
        yield request.identity.subject

    def plain_pieces(request: HttpRequest) -> Iterator[str]:
        yield request.identity.subject * 2

    def view(request: HttpRequest) -> StreamingHttpResponse:
        return StreamingHttpResponse(pieces(request) if hasattr(request, "scope") else plain_pieces(request))

    with site(guard(*ENDPOINTS), path("reports/7", view)):
        assert ask("GET", "/reports/7", [bearer(token(sub="bob"))]).body == b"bobbob"


def test_a_body_is_not_read_for_a_decision() -> None:
    """F64: under WSGI the guard leaves the request body alone."""
    with site(guard(*ENDPOINTS), ANYTHING):
        body = BytesIO(b"untouched")
        assert wsgi_calls.request(wsgi(), "POST", "/reports/7", wsgi__input=body, CONTENT_LENGTH="9").status == 401
        assert body.tell() == 0


def test_identities_do_not_leak_between_threads() -> None:
    """R-IDN-05: eight requests that are in their views at the same time each see their own caller."""
    together = threading.Barrier(8)

    def view(request: HttpRequest) -> HttpResponse:
        together.wait(timeout=30)
        return who(request)

    with site(guard(*ENDPOINTS), path("réports", view)):
        app = wsgi()

        def ask(number: int) -> bytes:
            field = bearer(token(sub=f"user-{number}"))
            return wsgi_calls.request(app, "GET", "/r%C3%A9ports", [field], wsgi__input=BytesIO()).body

        with ThreadPoolExecutor(8) as pool:
            bodies = list(pool.map(ask, range(8)))
            assert list(pool.map(lambda _: _nobody(), range(8))) == [True] * 8
    assert all(f'"subject": "user-{number}"'.encode() in body for number, body in enumerate(bodies))


def _nobody() -> bool:
    try:
        current_identity()
    except LookupError:
        return True
    return False


def test_identities_do_not_leak_between_tasks() -> None:
    """R-IDN-05: eight requests that wait for each other in one event loop each see their own caller."""
    arrived: list[HttpRequest] = []

    async def view(request: HttpRequest) -> HttpResponse:
        arrived.append(request)
        with anyio.fail_after(30):
            while len(arrived) < 8:
                await anyio.lowlevel.checkpoint()
        return who(request)

    bodies: dict[int, bytes] = {}

    async def main() -> None:
        app = asgi()

        async def one(number: int) -> None:
            call = await run(app, http_scope("GET", "/réports", [bearer(token(sub=f"user-{number}"))]))
            bodies[number] = call.body

        async with anyio.create_task_group() as group:
            for number in range(8):
                group.start_soon(one, number)

    with site(guard(*ENDPOINTS), path("réports", view)):
        anyio.run(main)
    assert all(f'"subject": "user-{number}"'.encode() in bodies[number] for number in range(8))


@pytest.fixture
def login() -> Iterator[Login]:
    """An issuer whose keys must be fetched."""
    with FakeIdP() as idp:
        issuer = Login(idp)
        issuer.publish("k1")
        yield issuer


def test_keys_are_fetched_on_demand(ask: Ask, login: Login) -> None:
    """R-JWK-01: without a lifespan, the first request that needs the keys has them fetched, once."""
    clock = FakeClock()
    decides = Guard(configured(login, endpoints=[protected("GET /reports/{id}")]), clock=clock)
    with site(decides, ANYTHING):
        assert ask("GET", "/reports/7", [bearer(login.token(clock=clock))]).status == 200
        assert ask("GET", "/reports/7", [bearer(login.token(clock=clock))]).status == 200
        assert ask("GET", "/reports/7", [bearer(login.token("k2", clock=clock))]).status == 401
    assert login.fetches <= 2


def test_a_bug_in_the_guard_is_a_500_and_no_view(ask: Ask) -> None:
    """F66: an exception inside the guard never falls through to the site."""
    called: list[str] = []

    def broken(_: object) -> bool:
        raise ZeroDivisionError

    def view(request: HttpRequest) -> HttpResponse:
        called.append(request.path)
        return HttpResponse()

    endpoint = protected("GET /reports/{id}", rules=(ClaimRule("sub", "breaks", broken),))
    with site(guard(endpoint), re_path("^", view), DEBUG_PROPAGATE_EXCEPTIONS=False):
        assert ask("GET", "/reports/7", [bearer(GOOD)]).status == 500
    assert called == []


def test_not_even_the_debug_page_shows_the_token(ask: Ask) -> None:
    """F58: with DEBUG on, Django shows headers and local variables, and the token is in none of them."""

    def broken(_: object) -> bool:
        raise ZeroDivisionError

    endpoint = protected("GET /reports/{id}", rules=(ClaimRule("sub", "breaks", broken),))
    with site(guard(endpoint), ANYTHING, DEBUG=True):
        call = ask("GET", "/reports/7", [bearer(GOOD)])
    assert call.status == 500
    assert b"ZeroDivisionError" in call.body
    assert GOOD not in call.body
    assert GOOD.rpartition(b".")[2] not in call.body


class Rewriting:
    """A middleware that gives every request another path."""

    async_capable = False

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve another path than the one that was asked for."""
        request.path_info = "/reports/7"
        return self._get_response(request)


REWRITING: Final = f"{__name__}.Rewriting"


def test_a_path_changed_behind_the_guard_is_not_served(ask: Ask) -> None:
    """F60: a middleware behind the guard cannot lead a request to a view under another policy."""
    with site(guard(*ENDPOINTS), ANYTHING, middleware=(GUARD, REWRITING)):
        assert ask("GET", "/health").status == 500
        assert ask("GET", "/reports/7", [bearer(GOOD)]).status == 200


def test_a_path_changed_before_the_guard_is_the_one_decided(ask: Ask) -> None:
    """F60: the guard decides on the path that Django's resolver will match."""
    with site(guard(*ENDPOINTS), ANYTHING, middleware=(REWRITING, GUARD)):
        assert ask("GET", "/health").status == 401


def test_the_script_name_is_not_part_of_the_path() -> None:
    """R-POL-03: below a prefix, the path is what Django's resolver matches, however the prefix is known."""
    with site(guard(*ENDPOINTS), path("reports/<int:number>", who_numbered)):
        assert ask_wsgi("GET", "/reports/7", [bearer(GOOD)], SCRIPT_NAME="/api").status == 200
        assert ask_asgi("GET", "/api/reports/7", [bearer(GOOD)], root_path="/api").status == 200
        assert ask_asgi("GET", "/apireports/7", [bearer(GOOD)], root_path="/api").status == 403
    with site(guard(*ENDPOINTS), ANYTHING, FORCE_SCRIPT_NAME="/api"):
        assert ask_wsgi("GET", "/reports/7").status == 401
        assert ask_asgi("GET", "/api/reports/7").status == 401
        assert ask_asgi("GET", "/api/health").status == 200


def test_a_missing_slash_is_decided_before_it_is_redirected(ask: Ask) -> None:
    """F60: APPEND_SLASH redirects only what a policy lets through."""
    common = "django.middleware.common.CommonMiddleware"
    pattern = path("reports/<int:number>/", who_numbered)
    with site(guard(protected("GET /reports/{id}/")), pattern, middleware=(common, GUARD)):
        assert ask("GET", "/reports/7", [bearer(GOOD)]).status == 403
        assert ask("GET", "/reports/7/", [bearer(GOOD)]).status == 200
    with site(guard(protected("GET /reports/{id}/**")), pattern, middleware=(common, GUARD)):
        assert ask("GET", "/reports/7").status == 401
        assert ask("GET", "/reports/7", [bearer(GOOD)]).status == 301


def test_preflights_and_refusals_keep_their_cors_fields(ask: Ask) -> None:
    """F59: behind django-cors-headers a preflight needs no token, and a refusal can be read by the page."""
    cors = "corsheaders.middleware.CorsMiddleware"
    origin = (b"origin", b"https://page.example")
    settings = {"CORS_ALLOWED_ORIGINS": ["https://page.example"], "middleware": (cors, GUARD)}
    with site(guard(*ENDPOINTS), ANYTHING, **settings):
        preflight = ask("OPTIONS", "/reports/7", [origin, (b"access-control-request-method", b"GET")])
        refused = ask("GET", "/reports/7", [origin])
    allow = (b"access-control-allow-origin", b"https://page.example")
    assert preflight.status == 200
    assert allow in fields(preflight)
    assert refused.status == 401
    assert allow in fields(refused)
    assert (b"www-authenticate", b"Bearer") in fields(refused)


def test_plain_http_is_refused_in_production(ask: Ask) -> None:
    """R-EXT-09: the scheme comes from the server, and no forwarding header changes it."""
    forwarded = [bearer(GOOD), (b"x-forwarded-proto", b"https")]
    plain: dict[str, Any] = {"wsgi__url_scheme": "http"} if ask is ask_wsgi else {"scheme": "http"}
    settings = {"SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https")}
    with site(guard(*ENDPOINTS), ANYTHING, **settings):
        assert ask("GET", "/reports/7", forwarded, **plain).status == 400
