"""Ways past the memory of verified tokens: what was right once must be right here and now (RFC 8725, section 3.12)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import date

import pytest

from jwtguard import Config, ConfigurationError, Endpoint, InlineKeys, Issuer, Legacy, Limits, Marker, Reason, cookie
from jwtguard.core.endpoint import BEARER
from jwtguard.core.rules import equals
from tests.attacks.target import KEY, REPORTS, Target, fetching_target, issuer_of, signed
from tests.kit.fake_idp import FakeIdP
from tests.kit.guarded import FORGE, ISSUER, bearer, protected
from tests.kit.token_forge import OMIT, TokenForge

OTHER = FORGE.key("ES256", "k2")
STRICT = [
    (protected("/strict", audience=("https://b.example.com",)), Reason.BAD_AUDIENCE),
    (protected("/strict", issuers=("other",)), Reason.BAD_ISSUER),
    (protected("/strict", issuers=("login",), algorithms=("RS256",)), Reason.UNSUPPORTED_ALG),
    (protected("/strict", scopes=frozenset({"reports:write"})), Reason.SCOPE_MISSING),
    (protected("/strict", rules=(equals("tenant", "b"),)), Reason.RULE_REFUSED),
    (protected("/strict", max_age_s=10), Reason.TOO_OLD),
    (Endpoint(match=("/strict",), accept=("access_legacy",)), Reason.WRONG_CLASS),
    (Endpoint(match=("GET /strict",), accept=("access",), carriers=(cookie("at"),)), Reason.MISSING_TOKEN),
]  # fmt: skip


def issuers() -> list[Issuer]:
    """Two issuers; the first signs with two algorithms, for two audiences, typed and untyped."""
    keys = InlineKeys([KEY.public_jwk(), FORGE.key("RS256", "r1").public_jwk()])
    login = dataclasses.replace(
        ISSUER, algorithms=("ES256", "RS256"), keys=keys, audience=(FORGE.audience, "https://b.example.com"),
        legacy=Legacy(Marker("scp"), date(2026, 1, 1)),
    )  # fmt: skip
    same_kid = dataclasses.replace(OTHER, kid=KEY.kid)
    return [login, issuer_of(same_kid, name="other", issuer="https://other.example.com/", audience=login.audience)]


@pytest.mark.parametrize(("strict", "reason"), STRICT, ids=[reason.value for _, reason in STRICT])
def test_remembered_at_one_endpoint_and_sent_to_a_stricter_one(strict: Endpoint, reason: Reason) -> None:
    """R-CLS-01, R-POL-02: what one endpoint accepts, and the guard remembers, is judged anew by the other's policy."""
    target = Target(REPORTS, strict, issuers=issuers())
    token = signed(tenant="a")
    target.clock.advance(45)
    target.refuses(token, reason, path="/strict")
    for _ in range(2):
        target.lets_in(token)
        target.refuses(token, reason, path="/strict")


def test_remembered_under_another_spelling_of_the_field() -> None:
    """R-EXT-02: the memory is of the token, so neither the field's casing nor the scheme's makes it another one."""
    target = Target()
    token = signed()
    for name, scheme in (
        (b"authorization", b"Bearer "),
        (b"AUTHORIZATION", b"bearer  "),
        (b"Authorization", b" BEARER "),
    ):
        assert target.send([(name, scheme + token)]).status == 200
    assert len(target.guard.snapshot.context.memory) == 1
    target.refuses_request([(b"AUTHORIZATION", b"Basic " + token)], Reason.MISSING_TOKEN)
    target.refuses_request(
        [(b"Authorization", b"Bearer " + token), (b"AUTHORIZATION", b"x")], Reason.AMBIGUOUS_CREDENTIALS
    )


def test_remembered_and_cut_or_continued() -> None:
    """R-EXT-08: a prefix or a continuation of a remembered token is another token."""
    target = Target()
    token = signed()
    target.lets_in(token)
    for forged in (token[:-1], token + b"A", token + b"AAAA", token[1:], token + b".", token + token, b"." + token):
        target.refuses(forged, Reason.BAD_SIGNATURE, Reason.MALFORMED, Reason.BAD_HEADER)
    target.lets_in(token)


def test_remembered_and_over_http() -> None:
    """R-EXT-09: a remembered token over plain http is refused like any other."""
    target = Target()
    token = signed()
    target.lets_in(token)
    target.refuses_request([bearer(token)], Reason.INSECURE_TRANSPORT, scheme="http")


def test_remembered_from_the_header_and_sent_as_a_cookie() -> None:
    """R-EXT-01: being remembered opens no undeclared carrier."""
    target = Target(REPORTS, protected("/cookies", carriers=(BEARER, cookie("at"))))
    token = signed()
    target.lets_in(token)
    target.refuses_request([(b"cookie", b"at=" + token)], Reason.MISSING_TOKEN)
    assert target.send([(b"cookie", b"at=" + token)], "/cookies").status == 200
    target.refuses_request([(b"cookie", b"at=" + token)], Reason.CSRF, path="/cookies", method="POST")


def test_remembered_and_expired() -> None:
    """R-CLM-05, F68: a remembered token ends by the wall clock, and comes back with it."""
    target = Target()
    token = signed()
    target.lets_in(token)
    target.clock.step_wall(330)
    target.refuses(token, Reason.EXPIRED)
    target.clock.step_wall(-330)
    target.lets_in(token)
    target.clock.step_wall(-31)
    target.refuses(token, Reason.NOT_YET_VALID)
    target.clock.step_wall(86_400)
    target.refuses(token, Reason.EXPIRED)


def test_remembered_until_nbf_is_ahead_again() -> None:
    """R-CLM-05, F68: a wall clock set back makes a remembered ``nbf`` count again."""
    target = Target()
    token = signed(nbf=int(target.clock.now()) + 20)
    target.lets_in(token)
    target.clock.step_wall(-15)
    target.refuses(token, Reason.NOT_YET_VALID)


def test_verified_for_another_time() -> None:
    """R-OBS-09: a verdict for a time the caller gave is not remembered for requests of now."""
    target = Target()
    now = target.clock.now()
    old = signed(FORGE.access_claims(now=now - 10_000))
    early = signed(FORGE.access_claims(now=now + 10_000))
    assert target.guard.verify(old, accept="access", now=now - 10_000).is_authenticated
    assert target.guard.verify(early, accept="access", now=now + 10_000).is_authenticated
    target.refuses(old, Reason.EXPIRED)
    target.refuses(early, Reason.NOT_YET_VALID)


def test_remembered_as_another_class() -> None:
    """R-CLS-04: in both orders, a token is good only where its class is accepted, whoever verified it first."""
    target = Target(REPORTS, Endpoint(match=("/legacy",), accept=("access_legacy",)), issuers=issuers())
    typed = signed()
    untyped = signed(header={"typ": OMIT}, scp="x", scope=OMIT)
    for _ in range(2):
        target.lets_in(typed)
        target.refuses(typed, Reason.WRONG_CLASS, path="/legacy")
        target.refuses(untyped, Reason.WRONG_CLASS)
        target.lets_in(untyped, "/legacy")
        assert target.guard.verify(untyped, accept="access_legacy").is_authenticated


def configured(target: Target, **changes: object) -> Config:
    """The target's configuration, changed."""
    return dataclasses.replace(target.guard.table.config, **changes)  # type: ignore[arg-type]  # a test's own


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"issuers": [issuer_of(OTHER)]}, Reason.NO_KEY),
        ({"issuers": [issuer_of(dataclasses.replace(OTHER, kid="k1"))]}, Reason.BAD_SIGNATURE),
        ({"issuers": [issuer_of(KEY, audience=("https://elsewhere.example.com",))]}, Reason.BAD_AUDIENCE),
        ({"issuers": [issuer_of(KEY, issuer="https://renamed.example.com/")]}, Reason.BAD_ISSUER),
        (
            {"issuers": [issuer_of(KEY, algorithms=("ES256", "RS256"), max_lifetime_s={"access": 60.0})]},
            Reason.TOO_LONG_LIVED,
        ),
        ({"endpoints": [protected("/reports", scopes=frozenset({"reports:write"}))]}, Reason.SCOPE_MISSING),
        ({"endpoints": [protected("/elsewhere")]}, Reason.NO_POLICY),
        ({"limits": Limits(token_bytes=64)}, Reason.TOO_LARGE),
        ({"limits": Limits(subject_chars=3)}, Reason.BAD_CLAIM),
    ],
    ids=["key", "key-same-kid", "audience", "issuer", "lifetime", "scope", "path", "size", "subject"],
)
def test_remembered_before_a_reload(changes: dict[str, object], reason: Reason) -> None:
    """F69: what the old policy remembered does not count under the new one."""
    target = Target()
    token = signed()
    target.lets_in(token)
    old = target.guard.table.config
    target.guard.reload(configured(target, **changes))
    target.refuses(token, reason)
    target.guard.reload(old)
    target.lets_in(token)


def test_remembered_through_a_failing_reload() -> None:
    """F69: a policy that does not build leaves the old one in force, memory and all."""
    target = Target()
    token = signed()
    target.lets_in(token)
    with pytest.raises(ConfigurationError):
        target.guard.reload(configured(target, endpoints=[protected("/a/{x}"), protected("/{y}/b")]))
    target.lets_in(token)
    target.refuses(signed(exp=1), Reason.EXPIRED)


@pytest.fixture
def idp() -> Iterator[FakeIdP]:
    """The issuer's key server."""
    with FakeIdP() as server:
        server.set_keys([KEY.public_jwk(), OTHER.public_jwk()])
        yield server


@pytest.mark.parametrize("end", ["withdrawn", "replaced", "for-encryption", "leaked", "twice"])
def test_remembered_under_a_key_that_is_no_longer_in_force(end: str, idp: FakeIdP) -> None:
    """R-JWK-12, F12: a token outlives its key nowhere, remembered or not; what is told of the key now counts."""
    target = fetching_target(idp)
    forge = TokenForge(idp.issuer)
    token, neighbour = signed(forge=forge), signed(forge=forge, key=OTHER)
    target.lets_in(token)
    target.lets_in(neighbour)
    now = {
        "withdrawn": [],
        "replaced": [FORGE.key("ES256", "k3").public_jwk(kid="k1")],
        "for-encryption": [KEY.public_jwk(use="enc")],
        "leaked": [KEY.private_jwk()],
        "twice": [KEY.public_jwk(), FORGE.key("ES256", "k3").public_jwk(kid="k1")],
    }[end]
    idp.set_keys([*now, OTHER.public_jwk()])
    target.clock.advance(60)
    target.refuses(signed(forge=forge, header={"kid": "unknown"}), Reason.NO_KEY)  # makes the guard look
    for _ in range(2):
        target.refuses(token, Reason.NO_KEY, Reason.BAD_SIGNATURE)
        target.lets_in(neighbour)


def test_remembered_and_crowded_out() -> None:
    """F57: a memory of two keeps two, and what fell out of it is verified again, not refused and not waved through."""
    target = Target(limits=Limits(remembered_tokens=2, remembered_headers=1))
    tokens = [signed(header={"n": number}) for number in range(4)]
    for _ in range(2):
        for token in tokens:
            target.lets_in(token)
    assert len(target.guard.snapshot.context.memory) == 2
    assert len(target.guard.snapshot.context.headers) == 1
    forged = tokens[0].rpartition(b".")[0] + b"." + tokens[1].rpartition(b".")[2]
    target.refuses(forged, Reason.BAD_SIGNATURE)


def test_the_memory_holds_no_token() -> None:
    """R-OBS-03, F58: what is remembered is a digest and the claims; a dump of the memory is no bag of bearer tokens."""
    target = Target()
    token = signed()
    target.lets_in(token)
    memory = target.guard.snapshot.context.memory
    assert token not in memory
    assert not [value for value in memory.values() if token.rpartition(b".")[2].decode() in repr(vars_of(value))]


def vars_of(value: object) -> dict[str, object]:
    """The slots of an object, as a dictionary."""
    return {name: getattr(value, name) for name in type(value).__slots__}  # type: ignore[attr-defined]  # it has slots
