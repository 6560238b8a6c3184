"""What a fetch accepts, and that it ends soon, small and with one word whatever the server does."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import anyio
import httpx2
import pytest
from anyio.lowlevel import checkpoint
from hypothesis import given
from hypothesis import strategies as st

from jwtguard.jwks.fetch import FetchFailed, FetchLimits, FetchReason, check_url, fetch, tls_context
from tests.kit import answers
from tests.kit.canary import Canary
from tests.kit.exchange import Answer
from tests.kit.fake_idp import JWKS_PATH, FakeIdP
from tests.kit.local_ca import LocalCa, handshake_only
from tests.kit.thread_server import ThreadServer

BODY_BYTES = 256 * 1024
LIMITS = FetchLimits(body_bytes=BODY_BYTES)
HURRIED = FetchLimits(body_bytes=BODY_BYTES, total_s=0.3)
A_KEY = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "k1"}
HUNG_S = 60.0  # a fetch that takes this long is not going to end


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Run each async test on both event loops."""
    backend: str = request.param
    return backend


@pytest.fixture
def idp() -> Iterator[FakeIdP]:
    """A provider with one key, over plain HTTP on loopback."""
    with FakeIdP() as server:
        server.set_keys([A_KEY])
        yield server


@pytest.fixture(scope="session")
def ca() -> LocalCa:
    """The authority that the client trusts."""
    return LocalCa()


@pytest.fixture(scope="session")
def rogue() -> LocalCa:
    """An authority that the client does not trust."""
    return LocalCa()


async def failure(url: str, *, limits: FetchLimits = LIMITS, verify: ssl.SSLContext | None = None) -> FetchFailed:
    """Fetch, and return how that failed."""
    with anyio.fail_after(HUNG_S), pytest.raises(FetchFailed) as caught:
        await fetch(url, limits=limits, verify=verify)
    return caught.value


# What comes back, and what is sent


@pytest.mark.anyio
async def test_a_document_is_returned_as_sent(idp: FakeIdP) -> None:
    """R-JWK-06: the body of a 200 answer comes back byte for byte after a single request."""
    fetched = await fetch(idp.jwks_uri, limits=LIMITS)
    assert fetched.body == idp.document(JWKS_PATH)
    assert fetched.max_age_s is None
    assert idp.hits == {JWKS_PATH: 1}


@pytest.mark.anyio
async def test_a_body_of_exactly_the_limit_is_accepted(idp: FakeIdP) -> None:
    """R-JWK-06: the body limit is the longest body accepted; a byte more is too much."""
    idp.answer(JWKS_PATH, answers.content(b" " * BODY_BYTES))
    assert len((await fetch(idp.jwks_uri, limits=LIMITS)).body) == BODY_BYTES
    idp.answer(JWKS_PATH, answers.content(b" " * (BODY_BYTES + 1)))
    assert (await failure(idp.jwks_uri)).reason == "too_large"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("cache_control", "max_age_s"),
    [
        ("max-age=600", 600.0),
        ("public, Max-Age=60, must-revalidate", 60.0),
        ('max-age="60"', 60.0),
        ("max-age=0", 0.0),
        ("max-age=60, max-age=600", 60.0),
        ("max-age=" + "9" * 5000, 2.0**31),
        ("no-store", 0.0),
        ("max-age=600, no-cache", 0.0),
        ('max-age=600, no-cache="Set-Cookie, Age"', 0.0),
        ("max-age=-1", None),
        ("max-age=1.5", None),
        ("max-age=1e3", None),
        ("max-age=", None),
        ("max-age", None),
        ("max-age=\xb2", None),
        ("s-maxage=600", None),
        ("", None),
    ],
)
async def test_cache_control_is_read(idp: FakeIdP, cache_control: str, max_age_s: float | None) -> None:
    """R-JWK-07: max-age is read if it is a whole number; no-cache and no-store mean zero."""
    idp.set_headers(Cache_Control=cache_control)
    assert (await fetch(idp.jwks_uri, limits=LIMITS)).max_age_s == max_age_s


@pytest.mark.anyio
async def test_F11_a_fresh_fetch_passes_edge_caches(idp: FakeIdP) -> None:
    """F11: only a fresh fetch says no-cache, and so sees what a cache on the way still hides."""
    old = idp.document(JWKS_PATH)
    idp.freeze_in_edge_cache()
    idp.set_keys([])
    assert (await fetch(idp.jwks_uri, limits=LIMITS)).body == old
    assert (await fetch(idp.jwks_uri, limits=LIMITS, fresh=True)).body == idp.document(JWKS_PATH)


@pytest.mark.anyio
async def test_nothing_ambient_is_sent(idp: FakeIdP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-JWK-04: neither proxies, nor netrc, nor cookies of an earlier answer have an influence."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login user password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    cookies = {"Set-Cookie": "session=\xe9; Path=/", "Connection": "keep-alive", "Content-Length": "100"}
    idp.answer(JWKS_PATH, answers.sequence(answers.status(200, b"cut short", cookies), answers.normal()))
    with Canary() as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
            monkeypatch.setenv(name.lower(), proxy.url)
        await fetch(idp.jwks_uri, limits=LIMITS, accept="application/jwk-set+json")
        proxy.assert_untouched()
    expected = {
        "host": idp.issuer.removeprefix("http://"),
        "accept": "application/jwk-set+json",
        "accept-encoding": "identity",
        "connection": "close",
        "user-agent": "jwtguard",
    }
    assert [seen.headers for seen in idp.requests] == [expected, expected]


@pytest.mark.anyio
@pytest.mark.parametrize("code", [201, 204, 206, 400, 401, 404, 429, 500, 503])
async def test_only_200_is_a_success(idp: FakeIdP, code: int) -> None:
    """R-JWK-06: an answer of another status is refused and not asked for again."""
    idp.answer(JWKS_PATH, answers.status(code, b"" if code == 204 else b'{"keys": []}'))
    failed = await failure(idp.jwks_uri)
    assert (failed.reason, idp.hits[JWKS_PATH]) == (FetchReason.STATUS, 1)
    assert str(code) in str(failed)


# Slow answers (F14)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "answer",
    [
        answers.hang(),
        answers.drip_head(),
        answers.drip_head(0.01),
        answers.drip_body(),
        answers.drip_body(0.01),
        answers.after(HUNG_S, answers.normal()),
        answers.sequence(answers.close(), answers.hang()),
    ],
    ids=["hang", "slow head", "steady head", "slow body", "steady body", "late", "second attempt hangs"],
)
async def test_F14_one_deadline_covers_everything(idp: FakeIdP, answer: Answer) -> None:
    """F14: silence, a byte a second and a second attempt all end at the one total deadline."""
    idp.answer(JWKS_PATH, answer)
    started = anyio.current_time()
    failed = await failure(idp.jwks_uri, limits=HURRIED)
    assert failed.reason == "timeout"
    assert HURRIED.total_s <= anyio.current_time() - started < HURRIED.total_s + 5


@pytest.mark.anyio
async def test_F14_an_answer_may_take_longer_than_a_connection(idp: FakeIdP) -> None:
    """F14: the connect limit does not cut an answer that keeps to the total."""
    idp.answer(JWKS_PATH, answers.after(0.6, answers.normal()))
    limits = FetchLimits(body_bytes=BODY_BYTES, connect_s=0.3, total_s=HUNG_S)
    assert (await fetch(idp.jwks_uri, limits=limits)).body


@pytest.mark.anyio
async def test_F14_a_silent_handshake_ends(ca: LocalCa) -> None:
    """F14: the connect limit also ends a TLS handshake that the server does not answer."""
    with FakeIdP() as silent:  # waits for the end of a plain request
        url = f"https://127.0.0.1:{silent.port}/"
        limits = FetchLimits(body_bytes=BODY_BYTES, connect_s=0.2, total_s=HUNG_S)
        assert (await failure(url, limits=limits, verify=ca.client_context())).reason == "timeout"


@pytest.mark.anyio
async def test_F14_a_cancelled_fetch_leaves_no_connection(idp: FakeIdP) -> None:
    """F14: a fetch cut off by its caller closes its connection."""
    idp.answer(JWKS_PATH, answers.hang())
    with anyio.move_on_after(0.2) as scope:
        await fetch(idp.jwks_uri, limits=LIMITS)
    assert scope.cancelled_caught
    idp.settle()
    assert (idp.connections, idp.open_connections) == (1, 0)


# Huge answers (F15)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (answers.huge_content_length(), "too_large"),
        (answers.huge_content_length(10**19), "too_large"),
        (answers.endless_chunks(), "too_large"),
        (answers.endless_body(), "too_large"),
        (answers.gzip_bomb(), "encoding"),
        (answers.content(b"{}", headers={"Content-Encoding": "br"}), "encoding"),
        (answers.content(b"{}", headers={"Content-Encoding": "identity, gzip"}), "encoding"),
    ],
    ids=["declared", "declared absurdly", "chunks", "until close", "gzip bomb", "br", "listed twice"],
)
async def test_F15_a_huge_answer_is_given_up_early(idp: FakeIdP, answer: Answer, reason: str) -> None:
    """F15: of a gigabyte no more is read than the limit, and nothing is decoded or asked again."""
    idp.answer(JWKS_PATH, answer)
    assert (await failure(idp.jwks_uri)).reason == reason
    assert idp.hits[JWKS_PATH] == 1
    idp.stop()
    assert idp.bytes_sent < 2 * 1024 * 1024  # the limit and what socket buffers hold


@pytest.mark.anyio
async def test_F15_identity_is_no_encoding(idp: FakeIdP) -> None:
    """F15: an answer that names the identity encoding is as good as one that names none."""
    idp.set_headers(Content_Encoding="Identity")
    assert (await fetch(idp.jwks_uri, limits=LIMITS)).body == idp.document(JWKS_PATH)


@pytest.mark.anyio
async def test_F15_tiny_chunks_do_not_hold_the_loop(idp: FakeIdP) -> None:
    """F15: other tasks run between the chunks of a body, even of those that arrived together."""
    idp.answer(JWKS_PATH, answers.tiny_chunks(20_000))
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            await checkpoint()
            turns += 1

    async with anyio.create_task_group() as group:
        group.start_soon(count_turns)
        fetched = await fetch(idp.jwks_uri, limits=FetchLimits(body_bytes=BODY_BYTES, total_s=HUNG_S))
        group.cancel_scope.cancel()
    assert len(fetched.body) == 20_000
    assert turns > 10_000


# Redirects are refused (F16)


@pytest.mark.anyio
@pytest.mark.parametrize("code", [300, 301, 302, 303, 304, 307, 308])
async def test_F16_no_redirect_is_followed(idp: FakeIdP, code: int) -> None:
    """F16, R-JWK-04: a redirect of any kind fails the fetch and contacts nobody."""
    with Canary() as canary:
        idp.answer(JWKS_PATH, answers.redirect(canary.url, code))
        assert (await failure(idp.jwks_uri)).reason == "redirect"
        canary.assert_untouched()
    assert idp.hits == {JWKS_PATH: 1}


@pytest.mark.anyio
@pytest.mark.parametrize(
    "location",
    ["file:///etc/passwd", "//b@", "http://xn--./", "http://[::1%25lo].\xe9/", "https:", "/jwks.json", "\x80", ""],
)
async def test_F16_odd_locations_are_redirects_too(idp: FakeIdP, location: str) -> None:
    """F16: a Location that is no usable URL changes nothing about the failure."""
    idp.answer(JWKS_PATH, answers.redirect(location))
    assert (await failure(idp.jwks_uri)).reason == "redirect"
    assert idp.hits == {JWKS_PATH: 1}


# Whom a fetch trusts (F17)


@pytest.mark.anyio
async def test_F17_a_verified_server_is_accepted(ca: LocalCa) -> None:
    """F17: a certificate for this address by a trusted authority is what a fetch accepts."""
    with FakeIdP(tls=ca.server_context()) as idp:
        fetched = await fetch(idp.discovery_url, limits=LIMITS, verify=ca.client_context())
        assert fetched.body == idp.document("/.well-known/openid-configuration")


@pytest.mark.anyio
@pytest.mark.parametrize("flaw", ["expired", "self-signed", "unknown authority", "wrong host"])
async def test_F17_a_bad_certificate_is_refused(ca: LocalCa, rogue: LocalCa, flaw: str) -> None:
    """F17: expired, self-signed, foreign and misplaced certificates get no request and no retry."""
    shown: dict[str, Callable[[], ssl.SSLContext]] = {
        "expired": lambda: ca.server_context(not_after=datetime(2020, 1, 1, tzinfo=UTC)),
        "self-signed": rogue.self_signed_context,
        "unknown authority": rogue.server_context,
        "wrong host": lambda: ca.server_context("login.example.com"),
    }
    with FakeIdP(tls=shown[flaw]()) as idp:
        assert (await failure(idp.jwks_uri, verify=ca.client_context())).reason == "tls"
        assert not idp.hits


@pytest.mark.anyio
async def test_F17_the_environment_adds_no_trust(
    rogue: LocalCa, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F17: SSL_CERT_FILE and SSL_CERT_DIR convince Python's default context, and never ours."""
    pem = tmp_path / "rogue.pem"
    pem.write_bytes(rogue.pem)
    keys = tmp_path / "keys.log"
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    monkeypatch.setenv("SSLKEYLOGFILE", str(keys))
    with FakeIdP(tls=rogue.server_context()) as idp:
        convinced = ssl.create_default_context()
        assert (await fetch(idp.jwks_uri, limits=LIMITS, verify=convinced)).body
        keys.unlink()
        assert (await failure(idp.jwks_uri, verify=tls_context())).reason == "tls"
        assert not keys.exists()


def test_F17_the_context_verifies_everything() -> None:
    """F17: certificate and host name are verified, and nothing before TLS 1.2 is spoken."""
    context = tls_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


@pytest.mark.anyio
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")  # the point is to speak an old one
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
async def test_F17_old_tls_is_refused(ca: LocalCa, version: ssl.TLSVersion) -> None:
    """F17: a server that knows only TLS 1.0 or 1.1 is refused, by a client that could speak it."""
    old, lenient, ours = ca.server_context(), ca.client_context(), ca.client_context()
    for context in (old, lenient):
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = version
    with FakeIdP(tls=old) as idp:
        assert (await fetch(idp.jwks_uri, limits=LIMITS, verify=lenient)).body
    ours.minimum_version = tls_context().minimum_version
    with ThreadServer(handshake_only(old)) as server:
        failed = await failure(f"https://127.0.0.1:{server.port}/", verify=ours)
        assert (failed.reason, server.connections) == ("tls", 1)


@pytest.mark.anyio
async def test_F17_a_handshake_cut_short_is_a_broken_connection(ca: LocalCa) -> None:
    """F17: a server that hangs up during the handshake is asked once more and never trusted."""
    with Canary() as server:
        url = f"https://127.0.0.1:{server.port}/"
        assert (await failure(url, verify=ca.client_context())).reason == "connect"
        server.settle()
        assert server.connections == 2


@pytest.mark.anyio
async def test_F17_a_server_that_wants_a_certificate_is_a_tls_failure(ca: LocalCa) -> None:
    """F17: an alert that TLS 1.3 delivers after the handshake is a typed failure as well."""
    mutual = ca.server_context()
    mutual.verify_mode = ssl.CERT_REQUIRED
    with ThreadServer(handshake_only(mutual)) as server:
        failed = await failure(f"https://127.0.0.1:{server.port}/", verify=ca.client_context())
        assert (failed.reason, server.connections) == ("tls", 1)


@pytest.mark.anyio
async def test_F17_https_needs_a_verifying_context(ca: LocalCa) -> None:
    """F17: no context, or one with a check switched off, is an error of the caller."""
    unchecked_host = ca.client_context()
    unchecked_host.check_hostname = False
    optional = ca.client_context()
    optional.verify_mode = ssl.CERT_OPTIONAL
    for context in (None, unchecked_host, optional):
        with pytest.raises(ValueError, match="tls_context"):
            await fetch("https://127.0.0.1/", limits=LIMITS, verify=context)


@pytest.mark.anyio
async def test_plain_http_loads_no_trust_store(idp: FakeIdP, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-JWK-06: a loopback fetch over http does not pay for loading certificates."""
    with monkeypatch.context() as patched:
        patched.setattr(ssl.SSLContext, "load_verify_locations", _never)
        patched.setattr(ssl.SSLContext, "load_default_certs", _never)
        assert (await fetch(idp.jwks_uri, limits=LIMITS)).body
        with pytest.raises(AssertionError):
            tls_context()


def _never(*args: object, **kwargs: object) -> None:
    raise AssertionError


# The one retry (F19)


@pytest.mark.anyio
@pytest.mark.parametrize("answer", [answers.close(), answers.reset(), answers.cut_short()])
async def test_F19_a_closed_connection_is_tried_once_more(idp: FakeIdP, answer: Answer) -> None:
    """F19: a connection that ends early is replaced by a fresh one, and the fetch succeeds."""
    idp.answer(JWKS_PATH, answers.sequence(answer, answers.normal()))
    assert (await fetch(idp.jwks_uri, limits=LIMITS)).body == idp.document(JWKS_PATH)
    assert (idp.hits[JWKS_PATH], idp.connections) == (2, 2)


@pytest.mark.anyio
@pytest.mark.parametrize("answer", [answers.close(), answers.reset(), answers.cut_short(), answers.raw(b"SSH-2.0\r\n")])
async def test_F19_two_attempts_are_all(idp: FakeIdP, answer: Answer) -> None:
    """F19, R-JWK-06: there is one retry and no more."""
    idp.answer(JWKS_PATH, answer)
    assert (await failure(idp.jwks_uri)).reason == "broken"
    assert idp.hits[JWKS_PATH] == 2


@pytest.mark.anyio
async def test_F19_a_server_that_promised_to_keep_the_connection(idp: FakeIdP) -> None:
    """F19: no connection is reused, so one closed after its answer costs the next fetch nothing."""
    idp.set_headers(Connection="keep-alive")
    for _ in range(3):
        await fetch(idp.jwks_uri, limits=LIMITS)
    assert (idp.hits[JWKS_PATH], idp.connections) == (3, 3)


@pytest.mark.anyio
async def test_F19_a_closed_port_fails_and_recovers(idp: FakeIdP) -> None:
    """F19: nobody listening is a failure to connect, which is forgotten when somebody does."""
    idp.stop()
    assert (await failure(idp.jwks_uri)).reason == "connect"
    idp.start()
    assert (await fetch(idp.jwks_uri, limits=LIMITS)).body


@pytest.mark.anyio
async def test_F18_an_unknown_host_fails_to_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    """F18: a name that does not resolve is a failure to connect."""

    def unknown(*args: object, **kwargs: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert (await failure("https://login.example.com/", verify=tls_context())).reason == "connect"


# Which URLs (R-JWK-04)


@pytest.mark.parametrize(
    "url",
    [
        "https://login.example.com/keys",
        "https://login.example.com:8443/keys?policy=b2c",
        "https://LOGIN.example.com",
        "https://a_b.internal/",
        "https://192.0.2.1/",
        "https://[2001:db8::1]:443/",
    ],
)
def test_https_urls_are_accepted(url: str) -> None:
    """R-JWK-04: any https URL in normal form will do."""
    check_url(url, allow_loopback_http=False)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "localhost", "LocalHost", "[::1]"])
def test_loopback_http_is_for_development(host: str) -> None:
    """R-JWK-04: http is accepted for loopback hosts where the caller allows it, and only there."""
    check_url(f"http://{host}:8000/jwks.json", allow_loopback_http=True)
    with pytest.raises(ValueError, match="must use https"):
        check_url(f"http://{host}:8000/jwks.json", allow_loopback_http=False)


@pytest.mark.parametrize(
    ("url", "flaw"),
    [
        ("", "printable ASCII"),
        ("https://example.com/\n", "printable ASCII"),
        ("https://example.com/a b", "printable ASCII"),
        ("https://ex\xe4mple.com/", "printable ASCII"),
        ("https://example.com\\@evil.example/", "printable ASCII"),
        ("https://example.com/" + "a" * 2048, "2048"),
        ("ftp://example.com/", "https://"),
        ("file:///etc/passwd", "https://"),
        ("example.com/keys", "https://"),
        ("HTTPS://example.com/", "https://"),
        ("//example.com/keys", "https://"),
        ("https://user:secret@example.com/", "user information"),
        ("https://@example.com/", "user information"),
        ("https://example.com/#", "fragment"),
        ("https://example.com/#keys", "fragment"),
        ("https:///keys", "host"),
        ("https://", "host"),
        ("https:example.com", "https://"),
        ("https://:443/", "host"),
        ("https://example.com:/", "host"),
        ("https://example.com:0443/", "host"),
        ("https://example..com/", "host"),
        ("https://" + "a" * 64 + ".com/", "host"),
        ("https://" + "a." * 130 + "com/", "host"),
        ("https://127.1/", "host"),
        ("https://2130706433/", "host"),
        ("https://0x7f.0x1/", "host"),
        ("https://192.0.2.256/", "host"),
        ("https://192.0.2.01/", "host"),
        ("https://[fe80::1%25lo]/", "host"),
        ("https://exam%70le.com/", "host"),
        ("https://[::1]evil.example/", "the URL"),
        ("https://[::1/", "not one"),
        ("https://[secret]/", "the URL"),
        ("https://example.com:secret/", "not one"),
        ("https://example.com:65536/", "not one"),
        ("http://example.com/", "must use https"),
        ("http://10.0.0.1/", "must use https"),
        ("http://localhost.example.com/", "must use https"),
        ("http://[::ffff:127.0.0.1]/", "must use https"),
        ("http://0.0.0.0/", "must use https"),
    ],
)
def test_other_urls_are_refused(url: str, flaw: str) -> None:
    """R-JWK-04: a URL that is not plainly https is refused, and its password is not repeated."""
    with pytest.raises(ValueError, match=flaw) as caught:
        check_url(url, allow_loopback_http=True)
    assert "secret" not in str(caught.value)


@pytest.mark.anyio
async def test_a_refused_url_is_not_fetched() -> None:
    """R-JWK-04: a fetch checks its URL itself, whoever calls it."""
    with Canary() as canary:
        failed = await failure(canary.url.replace("http://", "http://user@"))
        assert (failed.reason, failed.detail) == ("url", "the URL must not contain user information")
        canary.assert_untouched()


@given(st.text(st.sampled_from("abc:/?#[]@!%.\\ \xe9-_0123456789x"), max_size=20))
def test_an_accepted_url_means_the_same_to_the_http_client(rest: str) -> None:
    """R-JWK-04: the host that was checked is the host that is contacted."""
    url = f"https://{rest}"
    try:
        check_url(url, allow_loopback_http=False)
    except ValueError:
        return
    parsed = httpx2.URL(url)
    host = f"[{parsed.host}]" if ":" in parsed.host else parsed.host
    assert url.lower().removeprefix("https://").startswith(host)
    assert not parsed.userinfo


def test_importing_does_not_load_the_http_client() -> None:
    """R-JWK-06: an app whose keys come from files does not pay for httpx2."""
    code = "import sys, jwtguard.jwks.fetch; sys.exit('httpx2' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
