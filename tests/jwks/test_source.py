"""Where an issuer's keys are, and what its documents may say about that."""

from __future__ import annotations

import json
from collections.abc import Iterator

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jwtguard import ConfigurationError, Discovery, InlineKeys, Issuer, JwksUri, Limits, Mode
from jwtguard.jwks import source as source_module
from jwtguard.jwks.fetch import Fetched, FetchLimits
from jwtguard.jwks.source import KeySetSource, SourceFailed, metadata_urls
from tests.kit import answers
from tests.kit.canary import Canary
from tests.kit.exchange import Answer
from tests.kit.fake_idp import JWKS_PATH, OAUTH_PATH, OIDC_PATH, FakeIdP
from tests.kit.json_values import nested
from tests.kit.local_ca import LocalCa

A_KEY = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "k1"}
LIMITS = Limits()


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


def source_of(
    issuer: str, keys: Discovery | JwksUri | InlineKeys | None = None, *, mode: Mode = Mode.DEVELOPMENT
) -> KeySetSource:
    """The source of an issuer's keys, through its metadata unless said otherwise."""
    named = Issuer(name="login", issuer=issuer, algorithms=("Ed25519",), keys=keys or Discovery(), audience=("api",))
    return KeySetSource(named, LIMITS, mode)


async def failure(source: KeySetSource, *, fresh: bool = False) -> str:
    """Read, and return in which word that failed."""
    with pytest.raises(SourceFailed) as caught:
        await source.read(fresh=fresh)
    return caught.value.reason


# What is configured


@pytest.mark.anyio
async def test_a_literal_url_is_all_that_is_asked(idp: FakeIdP) -> None:
    """R-JWK-02, R-JWK-04: with a URL in the policy no metadata is read; keys and max-age come back as sent."""
    idp.set_headers(Cache_Control="max-age=300")
    source = source_of(idp.issuer, JwksUri(idp.jwks_uri))
    assert await source.read(fresh=False) == ([A_KEY], 300.0)
    assert idp.hits == {JWKS_PATH: 1}


@pytest.mark.parametrize(
    "url",
    [
        "http://login.example.com/keys",
        "https://user:secret@login.example.com/keys",
        "https://login.example.com/keys#1",
        "file:///etc/passwd",
        "https://",
        "https://login.example.com\\@evil.example/keys",
        "",
        "http://127.0.0.1:8000/keys",
    ],
)
@pytest.mark.parametrize("discovered", [False, True])
def test_R_JWK_04_a_url_that_keys_must_not_come_from_stops_start_up(url: str, *, discovered: bool) -> None:
    """R-JWK-04: plain http, user information and fragments are configuration errors that do not repeat the URL."""
    issuer = (url or "none") if discovered else "https://login.example.com"
    with pytest.raises(ConfigurationError) as caught:
        source_of(issuer, Discovery() if discovered else JwksUri(url), mode=Mode.PRODUCTION)
    assert (caught.value.rule, caught.value.key) == (
        "R-JWK-04", f"issuers.login.{'issuer' if discovered else 'jwks_uri'}",
    )  # fmt: skip
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/keys", "http://localhost/keys", "http://[::1]:1/keys"])
def test_R_JWK_04_only_development_exempts_loopback(url: str) -> None:
    """R-JWK-04: http on loopback is fine in development and a configuration error in production."""
    source_of("https://login.example.com", JwksUri(url), mode=Mode.DEVELOPMENT)
    with pytest.raises(ConfigurationError):
        source_of("https://login.example.com", JwksUri(url), mode=Mode.PRODUCTION)


def test_inline_keys_have_no_source() -> None:
    """R-JWK-02: keys written into the policy are never fetched; asking for their source is a bug."""
    with pytest.raises(TypeError):
        source_of("https://login.example.com", InlineKeys([A_KEY]))


@pytest.mark.parametrize(
    ("issuer", "oidc", "oauth"),
    [
        ("https://a.example", "https://a.example" + OIDC_PATH, "https://a.example" + OAUTH_PATH),
        ("https://a.example/", "https://a.example" + OIDC_PATH, "https://a.example" + OAUTH_PATH),
        ("https://a.example/t/1", "https://a.example/t/1" + OIDC_PATH, "https://a.example" + OAUTH_PATH + "/t/1"),
        ("https://a.example/t/", "https://a.example/t" + OIDC_PATH, "https://a.example" + OAUTH_PATH + "/t"),
        ("https://a.example:8443/t", "https://a.example:8443/t" + OIDC_PATH, f"https://a.example:8443{OAUTH_PATH}/t"),
    ],
)
def test_the_well_known_locations(issuer: str, oidc: str, oauth: str) -> None:
    """R-JWK-02: OpenID Connect Discovery appends its path to the issuer, RFC 8414 inserts its own before the path."""
    assert metadata_urls(issuer) == (oidc, oauth)


# Metadata


@pytest.mark.anyio
async def test_metadata_is_read_once(idp: FakeIdP) -> None:
    """R-JWK-06: where the keys are is remembered while that works, so a refresh is one request."""
    source = source_of(idp.issuer)
    for _ in range(3):
        assert (await source.read(fresh=False))[0] == [A_KEY]
    assert idp.hits == {OIDC_PATH: 1, JWKS_PATH: 3}


@pytest.mark.anyio
async def test_R_JWK_02_an_authorization_server_without_openid(idp: FakeIdP) -> None:
    """R-JWK-02: where OpenID's location has nothing, the one of RFC 8414 is asked."""
    idp.answer(OIDC_PATH, answers.status(404))
    assert (await source_of(idp.issuer).read(fresh=False))[0] == [A_KEY]
    assert idp.hits == {OIDC_PATH: 1, OAUTH_PATH: 1, JWKS_PATH: 1}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (answers.status(404), "no_metadata"),
        (answers.status(500), "no_metadata"),
        (answers.html(), "not_json"),
        (answers.content(b"[]"), "not_json"),
        (answers.content(b'{"issuer": "a", "issuer": "b"}'), "not_json"),
        (answers.content(b"{}"), "bad_metadata"),
        (answers.content(b" " * (64 * 1024 + 1)), "too_large"),
        (answers.redirect("/elsewhere"), "redirect"),
    ],
    ids=range(8),
)
async def test_R_JWK_03_what_is_no_metadata(idp: FakeIdP, answer: Answer, reason: str) -> None:
    """R-JWK-03, R-JWK-06: a document that is missing, broken, redirected or beyond 64 KiB names no key set."""
    idp.answer(OIDC_PATH, answer)
    idp.answer(OAUTH_PATH, answer)
    assert await failure(source_of(idp.issuer)) == reason
    assert idp.hits[JWKS_PATH] == 0


@pytest.mark.anyio
@pytest.mark.parametrize(
    "spelling",
    [
        "{}/",
        "{} ",
        "{}?",
        "{}/.",
        "HTTP{0[4:]}",
        "{}/tenant",
        "https://login.example.com",
        "",
        7,
        None,
        ["{}"],
        {"{}": 1},
    ],
    ids=repr,
)
async def test_R_JWK_03_the_issuer_is_compared_character_for_character(idp: FakeIdP, spelling: object) -> None:
    """R-JWK-03, F23: metadata whose issuer is not ours to the letter names no key set, near as it may be."""
    texts = {"HTTP{0[4:]}": "HTTP" + idp.issuer[4:]}
    idp.set_discovery(
        issuer=texts.get(spelling, spelling.replace("{}", idp.issuer))
        if isinstance(spelling, str)
        else json.loads(json.dumps(spelling).replace("{}", idp.issuer))
    )
    assert await failure(source_of(idp.issuer)) in {"issuer_mismatch", "bad_metadata"}
    assert idp.hits[JWKS_PATH] == 0


@pytest.mark.anyio
@pytest.mark.parametrize("issuer", ["{}/", "{}/tenant/"])
async def test_R_JWK_03_a_slash_at_the_end_is_part_of_the_issuer(idp: FakeIdP, issuer: str) -> None:
    """R-JWK-03: an issuer configured and published with its slash is found; configured without, it is another one."""
    name = issuer.format(idp.issuer)
    document = json.dumps({"issuer": name, "jwks_uri": idp.jwks_uri}).encode()
    idp.answer(metadata_urls(name)[0].removeprefix(idp.issuer), answers.content(document))
    assert (await source_of(name).read(fresh=False))[0] == [A_KEY]
    assert await failure(source_of(name.rstrip("/"))) == "issuer_mismatch"


@pytest.mark.anyio
@pytest.mark.parametrize("uri", ["CANARY", "http://localhost:PORT/jwks.json", "http://127.0.0.1/jwks.json"])
async def test_R_JWK_04_keys_are_on_the_host_of_the_issuer(idp: FakeIdP, uri: str) -> None:
    """R-JWK-04, F23: metadata cannot send us to another host or port; for keys kept there the policy has jwks_uri."""
    with Canary() as canary:
        idp.set_discovery(jwks_uri=uri.replace("CANARY", canary.url).replace("PORT", str(idp.port)))
        assert await failure(source_of(idp.issuer)) == "jwks_uri_on_another_host"
        canary.assert_untouched()


@pytest.mark.anyio
@pytest.mark.parametrize(
    "uri", [7, [], {}, "", None, "jwks.json", "//127.0.0.1/jwks.json", "http://[", "ftp://a/"], ids=repr
)
async def test_R_JWK_04_what_is_no_url_is_no_key_set(idp: FakeIdP, uri: object) -> None:
    """R-JWK-04, F23: a jwks_uri that is missing, no string, relative or no URL ends the refresh with a closed word."""
    idp.set_discovery(jwks_uri=uri)
    assert await failure(source_of(idp.issuer)) in {"bad_metadata", "bad_jwks_uri"}
    assert idp.hits[JWKS_PATH] == 0


@pytest.mark.anyio
@pytest.mark.parametrize("insecure", ["1", ""])
async def test_R_JWK_04_production_takes_no_plain_key_set(monkeypatch: pytest.MonkeyPatch, insecure: str) -> None:
    """R-JWK-04, F23: metadata over TLS cannot name a key set over plain http, nor can the environment allow it."""
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", insecure)
    ca = LocalCa()
    with FakeIdP(tls=ca.server_context()) as idp, Canary() as canary:
        source = source_of(idp.issuer, mode=Mode.PRODUCTION)
        source._tls = ca.client_context()
        idp.set_keys([A_KEY])
        assert (await source.read(fresh=False))[0] == [A_KEY]
        for uri in (canary.url, f"http://127.0.0.1:{idp.port}{JWKS_PATH}"):
            idp.set_discovery(jwks_uri=uri)
            other = source_of(idp.issuer, mode=Mode.PRODUCTION)
            other._tls = ca.client_context()
            assert await failure(other) in {"bad_metadata", "bad_jwks_uri"}
        canary.assert_untouched()


@pytest.mark.anyio
async def test_metadata_is_read_again_after_a_fetch_that_failed(idp: FakeIdP) -> None:
    """R-JWK-12: when the key set has moved and the old place is gone, the next refresh finds the new one."""
    source = source_of(idp.issuer)
    await source.read(fresh=False)
    idp.answer("/moved.json", answers.content(json.dumps({"keys": [{**A_KEY, "kid": "k2"}]}).encode()))
    idp.set_discovery(jwks_uri=idp.issuer + "/moved.json")
    idp.answer(JWKS_PATH, answers.status(404))
    assert await failure(source) == "status"
    assert (await source.read(fresh=False))[0] == [{**A_KEY, "kid": "k2"}]


@pytest.mark.anyio
@pytest.mark.parametrize(
    "left_behind", [answers.html(), answers.content(b"{}"), answers.content(b'{"keys": {}}')], ids=range(3)
)
async def test_metadata_is_read_again_where_something_else_took_the_old_place(
    idp: FakeIdP, left_behind: Answer
) -> None:
    """R-JWK-12: when the key set has moved and its old place answers with something else, the next refresh finds it."""
    source = source_of(idp.issuer)
    await source.read(fresh=False)
    idp.answer("/moved.json", answers.content(json.dumps({"keys": [{**A_KEY, "kid": "k2"}]}).encode()))
    idp.set_discovery(jwks_uri=idp.issuer + "/moved.json")
    idp.answer(JWKS_PATH, left_behind)
    assert await failure(source) in {"not_json", "not_a_key_set"}
    assert (await source.read(fresh=False))[0] == [{**A_KEY, "kid": "k2"}]


# Documents


@pytest.mark.anyio
@pytest.mark.parametrize(("count", "reason"), [(64, None), (65, "too_many_keys"), (5000, "too_many_keys")])
async def test_R_JWK_06_a_set_has_64_keys_at_most(idp: FakeIdP, count: int, reason: str | None) -> None:
    """R-JWK-06: 64 keys are read, one more is no key set."""
    idp.set_keys([{"kty": "x"}] * count)
    source = source_of(idp.issuer, JwksUri(idp.jwks_uri))
    if reason is None:
        assert len((await source.read(fresh=False))[0]) == count
    else:
        assert await failure(source) == reason


@pytest.mark.anyio
async def test_R_JWK_06_a_set_has_256_kib_at_most(idp: FakeIdP) -> None:
    """R-JWK-06: a document of 256 KiB is read, a byte more is not."""
    source = source_of(idp.issuer, JwksUri(idp.jwks_uri))
    for size, outcome in ((LIMITS.jwks_bytes, True), (LIMITS.jwks_bytes + 1, False)):
        idp.answer(JWKS_PATH, answers.content(b'{"keys": []}'.ljust(size)))
        if outcome:
            assert await source.read(fresh=False) == ([], None)
        else:
            assert await failure(source) == "too_large"


@pytest.mark.anyio
async def test_F11_fresh_asks_everything_anew(idp: FakeIdP) -> None:
    """F11: a fetch for an unknown kid says no-cache for metadata and keys alike; an ordinary one says nothing."""
    await source_of(idp.issuer).read(fresh=True)
    await source_of(idp.issuer).read(fresh=False)
    said = [(request.path, request.headers.get("cache-control")) for request in idp.requests]
    assert said == [(OIDC_PATH, "no-cache"), (JWKS_PATH, "no-cache"), (OIDC_PATH, None), (JWKS_PATH, None)]


json_like = nested(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20), st.text(max_size=8), 4
)
urls = st.sampled_from(
    [
        "https://login.example.com",
        "https://login.example.com/keys",
        "https://evil.example/",
        "https://[",
        "http://:0",
        "",
    ]
)
metadata = st.fixed_dictionaries(
    {}, optional={"issuer": urls | json_like, "jwks_uri": urls | json_like, "keys": json_like}
)
bodies = st.binary(max_size=60) | (json_like | metadata).map(lambda value: json.dumps(value).encode())


@settings(max_examples=250, deadline=None)
@given(contents=st.lists(bodies, min_size=3, max_size=3), discovered=st.booleans())
def test_F20_whatever_comes_the_word_for_it_is_closed(contents: list[bytes], *, discovered: bool) -> None:
    """F20, F23: for any bytes as metadata and as key set, reading ends with a list or with one word, nothing else."""
    told = iter(contents)
    asked: list[str] = []
    outcomes: list[list[object] | str] = []

    async def fetch(url: str, *, limits: FetchLimits, verify: object, fresh: bool) -> Fetched:
        asked.append(url)
        return Fetched(next(told), None)

    issuer = "https://login.example.com"
    source = source_of(issuer, None if discovered else JwksUri(f"{issuer}/keys"), mode=Mode.PRODUCTION)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source_module, "fetch", fetch)
        patch.setattr(source_module, "tls_context", lambda: None)

        async def read() -> None:
            try:
                outcomes.append((await source.read(fresh=False))[0])
            except SourceFailed as failed:
                outcomes.append(failed.reason)

        anyio.run(read)
    (outcome,) = outcomes
    assert isinstance(outcome, list) or outcome.replace("_", "").isalpha()
    assert all(url.startswith(f"{issuer}/") or url == issuer for url in asked)
