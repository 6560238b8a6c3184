"""ASGI and WSGI side by side: the corpus, and a table of requests, with answers equal to the byte (R-EXT-14)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import unquote

import anyio

from jwtguard import BEARER, ConfigurationError, Endpoint, Guard, JWTGuardMiddleware, Reason, cookie
from jwtguard.core.rules import equals
from jwtguard.wsgi import JWTGuardWSGI
from tests.corpus.build import config_of
from tests.corpus.case import Case, corpus_folders, read_folders
from tests.corpus.request import _filled
from tests.corpus.run import CaseClock
from tests.kit import asgi_calls, wsgi_calls
from tests.kit.guarded import FORGE, Events, bearer, guard, optional, protected, public, token
from tests.kit.token_forge import OMIT

Fields: TypeAlias = list[tuple[bytes, bytes]]
Face: TypeAlias = tuple[Guard, Events]


@dataclass(frozen=True)
class Seen:
    """What one face made of a request: reason, and everything a client sees."""

    reason: Reason | None
    status: int
    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes
    reached: int


def through_asgi(face: Face, method: str, path: str, fields: Fields) -> Seen:
    """Send it through the ASGI shell."""
    policy, events = face
    probe = asgi_calls.Probe()
    raw, _, query = path.partition("?")
    lower = [(name.lower(), value) for name, value in fields]
    more = {"query_string": query.encode("latin-1"), "raw_path": raw.encode("latin-1")}
    app = JWTGuardMiddleware(probe, guard=policy)
    scope = asgi_calls.http_scope(method, unquote(raw), lower, **more)
    call = anyio.run(asgi_calls.run, app, scope)
    fields_told = () if probe.scopes else tuple(call.fields)
    return Seen(events.reasons[-1], call.status, fields_told, call.body, len(probe.scopes))


def through_wsgi(face: Face, method: str, path: str, fields: Fields, *, comma: str = ",") -> Seen:
    """Send it through the WSGI shell."""
    policy, events = face
    probe = wsgi_calls.WsgiProbe()
    call = wsgi_calls.request(JWTGuardWSGI(probe, guard=policy), method, path, fields, comma=comma)
    fields_told = () if probe.environs else tuple(call.fields)
    return Seen(events.reasons[-1], call.status, fields_told, call.body, len(probe.environs))


def corpus() -> Iterator[Case]:
    """Every case with a request whose policy starts."""
    for case in read_folders(corpus_folders()):
        if case["level"] == "http":
            yield case


def guard_of(case: Case, events: Events) -> Guard | None:
    """A guard of its own, so that nothing is remembered from the other face; ``None``: it does not start."""
    try:
        return Guard(config_of(case), on_event=events, clock=CaseClock(case["now"]))
    except ConfigurationError:
        return None


def sent_in(case: Case) -> tuple[str, str, Fields]:
    """Method, path and fields of a case."""
    request = case["request"]
    assert request is not None
    fields = [(name.encode("latin-1"), _filled(value, case).encode("latin-1")) for name, value in request["headers"]]
    return request["method"], _filled(request["path"], case), fields


def test_every_http_case_of_the_corpus_gets_the_same_answer() -> None:
    """R-EXT-14: reason, status, challenge and body are equal to the byte, at first sight and when remembered."""
    told = 0
    for case in corpus():
        sent = sent_in(case)
        both: list[list[Seen]] = []
        for send in (through_asgi, through_wsgi):
            events = Events()
            policy = guard_of(case, events)
            both.append([] if policy is None else [send((policy, events), *sent) for _ in range(2)])
        assert both[0] == both[1], case["id"]
        told += len(both[0])
    assert told > 100


def test_another_way_of_joining_changes_no_verdict() -> None:
    """R-EXT-14: where a server joins fields with a comma and a space, who was refused is refused."""
    for case in corpus():
        events = Events()
        policy = guard_of(case, events)
        if policy is not None:
            comma, space = (through_wsgi((policy, events), *sent_in(case), comma=comma) for comma in (",", ", "))
            assert comma.reached == space.reached, case["id"]
            assert space.status in {comma.status, 401}, case["id"]


POLICY = (
    public("GET /health"),
    optional("/hello"),
    protected("GET /reports", "POST /reports", "/reports/{id}", scopes=frozenset({"reports:read"})),
    protected("/any", any_scopes=frozenset({"b", "a"})),
    protected("/admin/**", rules=(equals("tier", "gold"),)),
    protected("/fresh", max_age_s=60),
    Endpoint(match=("GET /page",), accept=("access",), carriers=(BEARER, cookie("__Host-at"))),
)
NOW = 1_767_225_600
GOOD = token()
TOKENS: dict[str, bytes] = {
    "good": GOOD,
    "gold": token(tier="gold"),
    "without scopes": token(scope=OMIT),
    "other scope": token(scope="a"),
    "old": token(iat=NOW - 120, exp=NOW + 60),
    "expired": token(iat=NOW - 900, exp=NOW - 600),
    "not yet": token(nbf=NOW + 600),
    "elsewhere": token(aud="https://elsewhere.example"),
    "stranger": token(iss="https://stranger.example/"),
    "no subject": token(sub=OMIT),
    "bound": token(cnf={"jkt": "x"}),
    "forged": GOOD[:-8] + b"AAAAAAAA",
    "id token": FORGE.sign(FORGE.access_claims(), key=FORGE.key(), header={"typ": "JWT"}),
    "unknown kid": FORGE.sign(FORGE.access_claims(), key=FORGE.key("ES256", "k9")),
    "unsigned": FORGE.sign(FORGE.access_claims(), key=FORGE.key(), alg="none"),
    "no alg of ours": FORGE.sign(FORGE.access_claims(), key=FORGE.key("RS256")),
    "junk": b"junk",
    "long": b"a" * 9000,
}
PLACES = ("/health", "/hello", "/reports", "/reports/7", "/any", "/admin", "/admin/x/y", "/fresh", "/page", "/nothing")
TRICKS = (
    "//reports", "/reports/", "/reports//7", "/reports/%2e%2e/health", "/reports%2F7", "/health%00", "/health;x=1",
    "/HEALTH", "/health?x=1", "/%68ealth", "/reports/%E2%82%AC", "/admin/..%2fhealth", "/",
)  # fmt: skip
METHODS = ("GET", "HEAD", "POST", "OPTIONS", "DELETE", "TRACE", "get", "PROPFIND")


def ways(sent: bytes) -> dict[str, Fields]:
    """The ways to send a token."""
    jar = (b"Cookie", b"theme=dark; __Host-at=" + sent)
    return {
        "header": [bearer(sent)],
        "lower case": [(b"authorization", b"bearer " + sent)],
        "cookie": [jar],
        "both": [bearer(sent), jar],
        "twice": [bearer(sent), bearer(sent)],
        "two cookies": [jar, jar],
        "beside basic": [(b"Authorization", b"Basic dTpw"), bearer(sent)],
        "other scheme": [(b"Authorization", b"DPoP " + sent)],
        "spaced": [(b"Authorization", b"  Bearer   " + sent + b" ")],
        "trailing": [(b"Authorization", b"Bearer " + sent + b" x")],
        "comma": [(b"Authorization", b"Bearer " + sent + b", " + sent)],
        "nowhere": [(b"X-Token", sent)],
    }


def requests() -> Iterator[tuple[str, str, Fields]]:
    """The table: every token at every place, every way at some, every trick, every method."""
    for path in PLACES:
        yield "GET", path, []
        for sent in TOKENS.values():
            yield "GET", path, [bearer(sent)]
        for name in ("good", "junk"):
            for fields in ways(TOKENS[name]).values():
                yield "GET", path, fields
    for path in TRICKS:
        yield "GET", path, []
        yield "GET", path, [bearer(GOOD)]
    for method in METHODS:
        for path in ("/health", "/hello", "/reports", "/nothing"):
            yield method, path, []
            yield method, path, [bearer(GOOD)]


def test_a_table_of_requests_gets_the_same_answers() -> None:
    """R-EXT-14, F58 to F62: every request of the table gets the same reason and answer from both faces."""
    answers: set[tuple[Reason | None, int]] = set()
    faces = []
    for _ in range(2):
        events = Events()
        faces.append((guard(*POLICY, on_event=events), events))
    for sent in requests():
        asgi, wsgi = through_asgi(faces[0], *sent), through_wsgi(faces[1], *sent)
        assert asgi == wsgi, sent
        answers.add((asgi.reason, asgi.status))
    assert {status for _, status in answers} == {200, 400, 401, 403}
    assert len(answers) >= 15, "the table holds many kinds of refusal"
