"""The table, second part: how credentials travel, and browsers with their cookies (F62, F63)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from jwtguard import Reason
from tests.scenarios.faces import tokens
from tests.scenarios.faces.places import APP, COOKIE
from tests.scenarios.faces.row import Fields, Other, Row, Sent, Trait, allowed, refused
from tests.scenarios.faces.rows_tokens import READ, with_token
from tests.scenarios.faces.tokens import GOOD, double_submit, in_jar, in_session
from tests.scenarios.faces.told import BAD_REQUEST, BAD_TOKEN, FORBIDDEN, no_credential, to_login

_AUTH: Final = b"Authorization"
_GOOD: Final = b"Bearer " + GOOD
_JAR: Final = in_jar(GOOD)
_SITE: Final = b"Sec-Fetch-Site"
_ORIGIN: Final = b"Origin"
_SAME: Final = (_SITE, b"same-origin")
_CROSS: Final = (_SITE, b"cross-site")
_NAVIGATION: Final[Fields] = (
    (b"Sec-Fetch-Mode", b"navigate"),
    (b"Sec-Fetch-Dest", b"document"),
    (b"Accept", b"text/html,*/*;q=0.8"),
)
_JOINED: Final = "gunicorn joins the cookies of two fields with a comma, which a cookie's value may hold: one bad token"


def carrier_rows() -> Iterator[Row]:
    """One credential in one place, or none."""
    alone = (b"Cookie", COOKIE.encode() + b"=" + GOOD)
    ambiguous: dict[str, Sent] = {
        "two headers": Sent(fields=((_AUTH, _GOOD), (_AUTH, _GOOD))),
        "two headers, other casing": Sent(fields=((_AUTH, _GOOD), (b"AUTHORIZATION", b"bearer " + GOOD))),
        "two headers, one of them junk": Sent(fields=((_AUTH, _GOOD), (_AUTH, b"Bearer junk"))),
        "beside Basic": Sent(fields=((_AUTH, b"Basic dTpw"), (_AUTH, _GOOD))),
        "header and cookie": Sent(target="/jar", fields=((_AUTH, _GOOD), _JAR)),
        "header and junk in the cookie": Sent(target="/jar", fields=((_AUTH, _GOOD), in_jar(b"junk"))),
        "cookie twice in a field": Sent(target="/jar", fields=((b"Cookie", alone[1] + b"; " + alone[1]),)),
    }  # fmt: skip
    for what, sent in ambiguous.items():
        yield refused(what, sent, BAD_REQUEST, Reason.AMBIGUOUS_CREDENTIALS)
    two_jars = Sent(target="/jar", fields=(_JAR, _JAR))
    yield refused("cookie in two fields", two_jars, BAD_REQUEST, Reason.AMBIGUOUS_CREDENTIALS)
    unlike = {Trait.GUNICORN: Other(refused("", Sent(), BAD_TOKEN, Reason.MALFORMED), _JOINED)}
    two_alone = Sent(target="/jar", fields=(alone, alone))
    yield refused("cookie alone in two fields", two_alone, BAD_REQUEST, Reason.AMBIGUOUS_CREDENTIALS, unlike)
    for what, value in {
        "trailing data": _GOOD + b" x",
        "a comma": _GOOD + b",x",
        "a list": _GOOD + b", " + _GOOD,
        "no token": b"Bearer ",
        "two spaces within": _GOOD + b"  " + GOOD,
    }.items():
        yield refused(what, Sent(fields=((_AUTH, value),)), BAD_REQUEST, Reason.MALFORMED_CREDENTIALS)
    yield from _joined_rows()
    tab = Sent(fields=((_AUTH, b"Bearer\t" + GOOD),))
    yield refused("a tab behind the scheme", tab, no_credential(READ), Reason.MISSING_TOKEN)
    yield refused("another scheme", Sent(fields=((_AUTH, b"Basic dTpw"),)), no_credential(READ), Reason.MISSING_TOKEN)
    yield refused("DPoP", Sent(fields=((_AUTH, b"DPoP " + GOOD),)), no_credential(READ), Reason.MISSING_TOKEN)
    yield allowed("another scheme, optional", Sent(target="/hello", fields=((_AUTH, b"Basic dTpw"),)), "hello", "")
    yield refused("a bare token", Sent(fields=((_AUTH, GOOD),)), no_credential(READ), Reason.MISSING_TOKEN)
    yield allowed("the scheme in upper case", Sent(fields=((_AUTH, b"BEARER " + GOOD),)), "reports")
    yield allowed("spaces around", Sent(fields=((_AUTH, b"  Bearer   " + GOOD + b"  "),)), "reports")
    long = Sent(fields=((_AUTH, b"Bearer " + 20_000 * b"a"),))
    yield refused("an oversized field", long, BAD_TOKEN, Reason.TOO_LARGE)
    other = Sent(fields=((_AUTH, b"Negotiate " + 20_000 * b"a"),))
    yield refused("an oversized field of another scheme", other, no_credential(READ), Reason.MISSING_TOKEN)
    idle = (b"X-Long", 20_000 * b"a")
    yield allowed("an oversized field of no concern", with_token(GOOD, "/reports", idle), "reports")
    for what, fields in {
        "in the query": (),
        "in another field": ((b"X-Token", GOOD), (b"Proxy-Authorization", _GOOD), (b"X-Access-Token", GOOD)),
        "in a cookie not declared": (_JAR,),
    }.items():
        target = f"/reports?access_token={GOOD.decode()}" if what == "in the query" else "/reports"
        yield refused(f"a token {what}", Sent(target=target, fields=fields), no_credential(READ), Reason.MISSING_TOKEN)
    yield refused("plain http", Sent(fields=((_AUTH, _GOOD),), scheme="http"), BAD_REQUEST, Reason.INSECURE_TRANSPORT)
    plain = Sent(target="/jar", fields=(_JAR, _SAME), scheme="http")
    yield refused("plain http, cookie", plain, BAD_REQUEST, Reason.INSECURE_TRANSPORT)
    yield refused("plain http, no credential", Sent(scheme="http"), no_credential(READ), Reason.MISSING_TOKEN)


def _joined_rows() -> Iterator[Row]:
    """What a WSGI server has joined with a comma cannot be told from what was sent with one (PEP 3333)."""
    ambiguous, malformed = Reason.AMBIGUOUS_CREDENTIALS, Reason.MALFORMED_CREDENTIALS
    missing = refused("", Sent(), no_credential(READ), Reason.MISSING_TOKEN)
    for what, values, told, reason, joined in (
        ("a list without spaces", (_GOOD + b",Basic x",), BAD_REQUEST, malformed, ambiguous),
        (
            "a list of Basic and ours",
            (b"Basic x,Bearer " + GOOD,),
            no_credential(READ),
            Reason.MISSING_TOKEN,
            ambiguous,
        ),
        ("beside an empty field", (_GOOD, b""), BAD_REQUEST, ambiguous, malformed),
        ("two schemes without tokens", (b"Bearer", b"Bearer"), BAD_REQUEST, ambiguous, None),
    ):
        other = missing if joined is None else refused("", Sent(), BAD_REQUEST, joined)
        sent = Sent(fields=tuple((_AUTH, value) for value in values))
        yield refused(what, sent, told, reason, {Trait.WSGI: Other(other, "joined, it reads as that")})


def browser_rows() -> Iterator[Row]:
    """F63: cookies count where the browser says that our own page sent them."""
    for what, fields in {
        "from our page": (_SAME,),
        "from a trusted origin": (_CROSS, (_ORIGIN, APP.encode())),
        "without Fetch Metadata, our Origin": ((_ORIGIN, APP.encode()),),
        "without Fetch Metadata, our Referer": ((b"Referer", APP.encode() + b"/x"),),
    }.items():
        yield allowed(f"cookie POST {what}", Sent("POST", "/jar", (_JAR, *fields)), "jar_write")
    for what, fields in {
        "from a foreign page": (_CROSS,),
        "from a sister site": ((_SITE, b"same-site"),),
        "from a foreign origin": (_CROSS, (_ORIGIN, b"https://evil.example")),
        "without Fetch Metadata": (),
        "without Fetch Metadata, foreign Origin": ((_ORIGIN, b"https://evil.example"),),
        "from an opaque origin": ((_ORIGIN, b"null"),),
        "with a lying Referer": ((b"Referer", APP.encode() + b".evil.example/"),),
        "with two answers": (_SAME, _CROSS),
        "with one answer twice": (_SAME, _SAME),
        "with two origins": ((_ORIGIN, APP.encode()), (_ORIGIN, b"https://evil.example")),
    }.items():
        yield refused(f"cookie POST {what}", Sent("POST", "/jar", (_JAR, *fields)), FORBIDDEN, Reason.CSRF)
    yield allowed("header POST from a foreign page", Sent("POST", "/jar", ((_AUTH, _GOOD), _CROSS)), "jar_write")
    yield allowed("cookie GET", Sent("GET", "/jar", (_JAR,)), "jar")
    yield refused("cookie GET from a foreign page", Sent("GET", "/jar", (_JAR, _CROSS)), FORBIDDEN, Reason.CSRF)
    yield allowed("cookie HEAD", Sent("HEAD", "/jar", (_JAR,)), "jar")
    expired = Sent("GET", "/jar", (in_jar(tokens.EXPIRED),))
    yield refused("cookie, expired", expired, BAD_TOKEN, Reason.EXPIRED)
    yield from _double_submit_rows()
    yield from _session_rows()
    yield from _page_rows()


def _double_submit_rows() -> Iterator[Row]:
    def post(*fields: tuple[bytes, bytes]) -> Sent:
        return Sent("POST", "/double", (_JAR, _SAME, *fields))

    name = b"X-CSRF-Token"
    yield allowed("double submit", post((name, double_submit(GOOD))), "double")
    yield refused("double submit, none", post(), FORBIDDEN, Reason.CSRF)
    yield refused("double submit, another session's", post((name, double_submit(b"x"))), FORBIDDEN, Reason.CSRF)
    yield refused("double submit, empty", post((name, b"")), FORBIDDEN, Reason.CSRF)


def _session_rows() -> Iterator[Row]:
    known, stale = tokens.SESSIONS
    yield allowed("a session", Sent(target="/session", fields=(in_session(known),)), "session")
    yield allowed("a session, POST", Sent("POST", "/session", (in_session(known), _SAME)), "session")
    foreign = Sent("POST", "/session", (in_session(known), _CROSS))
    yield refused("a session, POST from a foreign page", foreign, FORBIDDEN, Reason.CSRF)
    unknown = Sent(target="/session", fields=(in_session("unknown"),))
    yield refused("an unknown session", unknown, BAD_TOKEN, Reason.UNKNOWN_SESSION)
    yield refused("a session, expired", Sent(target="/session", fields=(in_session(stale),)), BAD_TOKEN, Reason.EXPIRED)
    yield refused("no session", Sent(target="/session"), no_credential(), Reason.MISSING_TOKEN)
    in_place = Sent(target="/session", fields=(in_session(GOOD.decode()),))
    yield refused("a token in place of a session", in_place, BAD_TOKEN, Reason.UNKNOWN_SESSION)


def _page_rows() -> Iterator[Row]:
    login = to_login("/login?return_to=/page")
    page = Sent(target="/page", fields=_NAVIGATION)
    yield refused("a navigation without a token", page, login, Reason.MISSING_TOKEN)
    expired = Sent(target="/page?x=1", fields=(*_NAVIGATION, in_jar(tokens.EXPIRED)))
    yield refused("a navigation with an expired token", expired, login, Reason.EXPIRED)
    foreign = Sent(target="/page", fields=(*_NAVIGATION, _JAR, _CROSS))
    yield allowed("a link on a foreign page", foreign, "page")
    script = Sent(target="/page", fields=((b"Sec-Fetch-Mode", b"cors"), (b"Sec-Fetch-Dest", b"empty")))
    yield refused("a script", script, no_credential(), Reason.MISSING_TOKEN)
    old = Sent(target="/page", fields=((b"Accept", b"text/html"),))
    yield refused("a navigation of an old browser", old, login, Reason.MISSING_TOKEN)
    twice = Sent(target="/page", fields=(*_NAVIGATION, (b"Sec-Fetch-Mode", b"navigate")))
    yield refused("a navigation that says so twice", twice, no_credential().as_page, Reason.MISSING_TOKEN)
    head = Sent("HEAD", "/page", _NAVIGATION)
    yield refused("HEAD is no navigation", head, no_credential().as_page, Reason.MISSING_TOKEN)


def form_rows() -> Iterator[Row]:
    """Refusals as clients ask for them."""
    accept = b"Accept"
    wanted = {
        "problem": (b"application/problem+json", no_credential(READ).as_problem),
        "anything": (b"*/*", no_credential(READ)),
        "a page": (b"text/html", no_credential(READ).as_page),
        "a problem before JSON": (b"application/json;q=0.5, application/problem+json", no_credential(READ).as_problem),
        "an image": (b"image/png", no_credential(READ)),
    }
    for what, (value, told) in wanted.items():
        yield refused(f"accepts {what}", Sent(fields=((accept, value),)), told, Reason.MISSING_TOKEN)
    problem = (accept, b"application/problem+json")
    for sent, told, reason in (
        (with_token(tokens.EXPIRED, "/reports", problem), BAD_TOKEN, Reason.EXPIRED),
        (with_token(GOOD, "/role", problem), FORBIDDEN, Reason.RULE_REFUSED),
        (Sent(fields=((_AUTH, b"Bearer a b"), problem)), BAD_REQUEST, Reason.MALFORMED_CREDENTIALS),
        (Sent(target="/nowhere", fields=(problem,)), FORBIDDEN, Reason.NO_POLICY),
    ):
        yield refused(f"a problem: {reason}", sent, told.as_problem, reason)
    twice = Sent(fields=((accept, b"application/problem+json"), (accept, b"text/html;q=0.5")))
    yield refused("accept in two fields", twice, no_credential(READ).as_problem, Reason.MISSING_TOKEN)
