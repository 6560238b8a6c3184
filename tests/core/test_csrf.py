"""Cookies and the pages that send them: the csrf stage through the whole pipeline (F63)."""

from __future__ import annotations

import itertools
from hashlib import sha256

import pytest

from jwtguard import BEARER, ConfigurationError, Endpoint, Guard, Reason, cookie
from jwtguard.core.csrf import csrf_token
from jwtguard.core.decision import Allowed, Refused
from jwtguard.core.endpoint import Csrf, session_cookie
from jwtguard.core.request import RequestHead
from tests.kit.guarded import bearer, guard, protected, token

OURS, TRUSTED, FOREIGN = b"https://api.example.com", b"https://app.example.com", b"https://evil.example.net"
KEY, OLD_KEY = b"k" * 32, b"o" * 32
TOKEN = token()
JAR = (b"cookie", b"__Host-t=" + TOKEN)
SITE, ORIGIN, REFERER = b"sec-fetch-site", b"origin", b"referer"
LINK = ((SITE, b"cross-site"), (b"sec-fetch-mode", b"navigate"), (b"sec-fetch-dest", b"document"))
COOKIES = cookie("__Host-t")


def guarded(**demands: object) -> Guard:
    """A guard over one endpoint that takes cookies, for every method."""
    return guard(
        protected("/x", "WEBSOCKET /ws", **{"carriers": (COOKIES,), "origins": (TRUSTED.decode(),), **demands})
    )


def reason(by: Guard, method: str, *fields: tuple[bytes, bytes], path: str = "/x") -> Reason | None:
    """Send a request with the cookie; return why it was refused."""
    decision = by.decide_locally(RequestHead(method, path, (JAR, *fields), "https"))
    assert isinstance(decision, Allowed | Refused)
    return decision.refusal.reason if isinstance(decision, Refused) else None


UNSAFE = ("POST", "PUT", "PATCH", "DELETE", "QUERY", "TRACE", "CONNECT")


@pytest.mark.parametrize("method", UNSAFE)
@pytest.mark.parametrize(
    ("fields", "passes"),
    [
        ([(SITE, b"same-origin")], True),
        ([(SITE, b"same-origin"), (ORIGIN, OURS)], True),
        ([(SITE, b"same-site")], False),
        ([(SITE, b"cross-site")], False),
        ([(SITE, b"none")], False),
        ([(SITE, b"")], False),
        ([(SITE, b"SAME-ORIGIN")], False),
        ([(SITE, b"same-site"), (ORIGIN, TRUSTED)], True),
        ([(SITE, b"cross-site"), (ORIGIN, FOREIGN)], False),
        ([(SITE, b"cross-site"), (REFERER, TRUSTED + b"/page")], False),
        ([(ORIGIN, TRUSTED)], True),
        ([(ORIGIN, FOREIGN)], False),
        ([(ORIGIN, b"null")], False),
        ([(ORIGIN, b"")], False),
        ([(ORIGIN, TRUSTED + b".evil.net")], False),
        ([(ORIGIN, b"http://app.example.com")], False),
        ([(ORIGIN, FOREIGN), (REFERER, TRUSTED + b"/page")], False),
        ([(ORIGIN, b"null"), (REFERER, TRUSTED + b"/page")], False),
        ([(ORIGIN, b""), (REFERER, TRUSTED + b"/page")], False),
        ([(ORIGIN, TRUSTED), (REFERER, FOREIGN + b"/page")], True),
        ([(REFERER, TRUSTED + b"/page?x=1")], True),
        ([(REFERER, TRUSTED)], True),
        ([(REFERER, FOREIGN + b"/" + TRUSTED)], False),
        ([(REFERER, b"https://app.example.com@evil.example.net/")], False),
        ([(REFERER, b"https://[broken")], False),
        ([], False),
        ([(SITE, b"same-origin"), (SITE, b"same-origin")], False),
        ([(ORIGIN, TRUSTED), (b"Origin", TRUSTED)], False),
    ],
)
def test_what_changes_something(method: str, fields: list[tuple[bytes, bytes]], passes: bool) -> None:  # noqa: FBT001
    """R-STO-03, F63: Fetch Metadata decides, else Origin, else Referer; none of them, or two, is a no."""
    assert reason(guarded(), method, *fields) is (None if passes else Reason.CSRF)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("fields", "passes"),
    [
        ([], True),
        ([(SITE, b"same-origin")], True),
        ([(SITE, b"none")], True),
        ([(SITE, b"cross-site")], False),
        ([(SITE, b"same-site")], False),
        ([(SITE, b"unheard-of")], False),
        ([(SITE, b"cross-site"), (ORIGIN, TRUSTED)], True),
        ([(SITE, b"same-origin"), (ORIGIN, OURS)], True),
        ([(ORIGIN, TRUSTED)], True),
        ([(ORIGIN, FOREIGN)], False),
        ([(ORIGIN, b"null")], False),
        ([(ORIGIN, FOREIGN), (REFERER, TRUSTED + b"/page")], False),
        (LINK, False),
    ],
)
def test_what_changes_nothing(method: str, fields: list[tuple[bytes, bytes]], passes: bool) -> None:  # noqa: FBT001
    """R-STO-06: a safe method passes unless a foreign page is known to have sent it, links included."""
    assert reason(guarded(), method, *fields) is (None if passes else Reason.CSRF)


def test_links_lead_to_navigable_pages_only() -> None:
    """R-STO-06: a link on a foreign page leads to GET of a navigable endpoint, in a window of its own."""
    page = guarded(navigable=True)
    assert reason(page, "GET", *LINK) is None
    assert reason(page, "HEAD", *LINK) is Reason.CSRF
    assert reason(page, "POST", *LINK) is Reason.CSRF
    for missing in range(1, 3):
        assert reason(page, "GET", *(LINK[:missing] + LINK[missing + 1 :])) is Reason.CSRF
    frame = (*LINK[:2], (b"sec-fetch-dest", b"iframe"))
    assert reason(page, "GET", *frame) is Reason.CSRF
    assert (
        reason(page, "GET", *LINK[:2], (b"sec-fetch-dest", b"document"), (b"sec-fetch-dest", b"iframe")) is Reason.CSRF
    )


@pytest.mark.parametrize(
    ("fields", "passes"),
    [
        ([(ORIGIN, TRUSTED)], True),
        ([(ORIGIN, OURS)], False),
        ([(ORIGIN, FOREIGN)], False),
        ([], False),
        ([(SITE, b"same-origin")], False),
        ([(REFERER, TRUSTED + b"/")], False),
        ([(ORIGIN, FOREIGN), (REFERER, TRUSTED + b"/")], False),
        ([(ORIGIN, TRUSTED), (SITE, b"cross-site")], True),
        ([(ORIGIN, TRUSTED), (ORIGIN, TRUSTED)], False),
    ],
)
def test_handshakes(fields: list[tuple[bytes, bytes]], passes: bool) -> None:  # noqa: FBT001
    """R-EXT-12, F61: a handshake with a cookie needs an allowed Origin; nothing else stands in for it."""
    assert reason(guarded(), "WEBSOCKET", *fields, path="/ws") is (None if passes else Reason.CSRF)


@pytest.mark.parametrize("method", ["POST", "WEBSOCKET"])
def test_headers_are_not_attached_by_browsers(method: str) -> None:
    """R-STO-05: a token in a header needs no csrf check, unless a cookie takes part as well."""
    both = guarded(carriers=(BEARER, COOKIES))
    path = "/ws" if method == "WEBSOCKET" else "/x"
    alone = both.decide_locally(RequestHead(method, path, (bearer(TOKEN), (SITE, b"cross-site")), "https"))
    assert isinstance(alone, Allowed)
    assert reason(both, method, bearer(TOKEN), (SITE, b"same-origin"), path=path) is Reason.AMBIGUOUS_CREDENTIALS


def test_the_check_comes_first() -> None:
    """F63: a forged request is refused before its token is looked at, remembered or not."""
    by = guarded()
    for _ in range(2):
        assert reason(by, "POST", (SITE, b"cross-site")) is Reason.CSRF
        assert reason(by, "POST", (SITE, b"same-origin")) is None
    junk = RequestHead("POST", "/x", ((b"cookie", b"__Host-t=junk"),), "https")
    refused = by.decide_locally(junk)
    assert isinstance(refused, Refused)
    assert refused.refusal.reason is Reason.CSRF


def test_public_pages_are_not_checked() -> None:
    """R-STO-05: where no cookie counts, a foreign page may send what it likes."""
    by = guard(protected("/x", carriers=(BEARER,)))
    assert reason(by, "POST", (SITE, b"cross-site")) is Reason.MISSING_TOKEN


OWN_PAGE = (SITE, b"same-origin")


def submitted(value: str | bytes) -> tuple[bytes, bytes]:
    """The header of a double-submit token."""
    return b"X-CSRF-Token", value if isinstance(value, bytes) else value.encode()


def doubled(*keys: bytes) -> Guard:
    """A guard that demands a double-submit token too."""
    return guard(protected("/x", carriers=(COOKIES,), csrf=Csrf.DOUBLE_SUBMIT), csrf_keys=keys or (KEY,))


def test_double_submit() -> None:
    """R-STO-04: the second layer is bound to the token in the cookie; without it nothing is changed."""
    by = doubled()
    good = by.csrf_token(TOKEN)
    assert reason(by, "POST", OWN_PAGE, submitted(good)) is None
    assert reason(by, "POST", OWN_PAGE) is Reason.CSRF
    assert reason(by, "POST", submitted(good)) is Reason.CSRF
    assert reason(by, "GET", OWN_PAGE) is None
    for wrong in (b"", good[:-1], good + "A", good.swapcase(), b"\xff" * 43, by.csrf_token(token(jti="other"))):
        assert reason(by, "POST", OWN_PAGE, submitted(wrong)) is Reason.CSRF
    assert reason(by, "POST", OWN_PAGE, submitted(good), submitted(good)) is Reason.CSRF


def test_double_submit_keys_rotate() -> None:
    """R-STO-04: the first key signs, all of them verify, and one that is gone does not."""
    before, during, after = doubled(OLD_KEY), doubled(KEY, OLD_KEY), doubled(KEY)
    old, new = before.csrf_token(TOKEN), during.csrf_token(TOKEN)
    assert (old, new) == tuple(csrf_token(key, sha256(TOKEN).digest()) for key in (OLD_KEY, KEY))
    assert [reason(during, "POST", OWN_PAGE, submitted(value)) for value in (old, new)] == [None, None]
    assert [reason(after, "POST", OWN_PAGE, submitted(value)) for value in (old, new)] == [Reason.CSRF, None]


def test_double_submit_needs_a_key() -> None:
    """R-STO-04: without a secret, or with a short one, there is no double submit, and nothing starts."""
    with pytest.raises(ConfigurationError, match=r"csrf_key_file.*R-STO-04"):
        guard(protected("/x", carriers=(COOKIES,), csrf=Csrf.DOUBLE_SUBMIT))
    with pytest.raises(ConfigurationError, match=r"csrf_keys: must hold at least 32"):
        doubled(b"k" * 31)
    with pytest.raises(ConfigurationError, match="csrf_key"):
        guarded().csrf_token(TOKEN)


@pytest.mark.parametrize(
    ("origin", "told"),
    [
        ("https://app.example.com/", "did you mean 'https://app.example.com'"),
        ("https://APP.example.com", "did you mean 'https://app.example.com'"),
        ("https://app.example.com:443", "did you mean 'https://app.example.com'"),
        ("http://app.example.com:80", "did you mean 'http://app.example.com'"),
        ("https://app.example.com/path", "did you mean"),
        ("app.example.com", "is no origin"),
        ("*", "is no origin"),
        ("null", "is no origin"),
        ("https://user@app.example.com", "is no origin"),
        ("https://bücher.example", "is no origin"),
        ("https://*.example.com", "is no origin"),
        ("https://a b", "is no origin"),
        ("https://a,b", "is no origin"),
        ("https://a%20b", "is no origin"),
        ("https://app.example.com:x", "is no origin"),
        ("", "is no origin"),
    ],
)
def test_origins_as_browsers_write_them(origin: str, told: str) -> None:
    """R-STO-03: an origin that no browser would send is a mistake, not an exemption that never holds."""
    with pytest.raises(ConfigurationError, match=told):
        Endpoint(match=("/x",), accept=("access",), carriers=(COOKIES,), origins=(origin,))


@pytest.mark.parametrize("origin", ["https://app.example.com", "http://localhost:8000", "https://[::1]:8443"])
def test_good_origins(origin: str) -> None:
    """R-STO-03: scheme, host and port, in lower case."""
    assert Endpoint(match=("/x",), accept=("access",), origins=(origin,)).origins == (origin,)


def test_a_text_is_one_origin() -> None:
    """R-STO-03: a text in the place of a tuple is one origin, and never its letters."""
    assert Endpoint(match=("/x",), accept=("access",), origins=TRUSTED.decode()).origins == (TRUSTED.decode(),)


def test_one_cookie_is_one_carrier() -> None:
    """R-EXT-01: a cookie holds a token or the name of a session, not either."""
    with pytest.raises(ConfigurationError, match="two carriers in one cookie"):
        Endpoint(match=("/x",), accept=("access",), carriers=(cookie("a"), session_cookie("a")))


def test_nothing_but_what_is_declared_decides() -> None:
    """F59: Host and forwarding headers exempt from nothing."""
    told = [(b"host", b"app.example.com"), (b"x-forwarded-host", b"app.example.com"), (b"forwarded", b"host=app")]
    for count in range(len(told) + 1):
        for fields in itertools.combinations(told, count):
            assert reason(guarded(), "POST", (ORIGIN, OURS), *fields) is Reason.CSRF
