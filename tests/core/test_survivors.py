"""What mutation testing found unproven: bounds and branches whose change no other test noticed."""

from __future__ import annotations

import dataclasses
from datetime import date
from typing import TYPE_CHECKING

import pytest

from jwtguard import (
    BEARER,
    Config,
    ConfigurationError,
    Expires,
    Hooks,
    InlineKeys,
    JwksUri,
    Legacy,
    Limits,
    LoginExpectations,
    Marker,
    Mode,
    NoExpiry,
    Override,
    Reason,
    Tenant,
    TenantPlace,
    access,
    cookie,
)  # fmt: skip
from jwtguard.core.answering import PublicView
from jwtguard.core.claims import validate_claims
from jwtguard.core.classes import READY_MADE
from jwtguard.core.decision import Context, Refused
from jwtguard.core.extraction import extract
from jwtguard.core.jws import JoseHeader
from jwtguard.core.key_import import Published, import_key_set
from jwtguard.core.keys import NO_KEYS, HeldKeys, SkipReason, refuse_unknown_kid
from jwtguard.core.pipeline import decide
from jwtguard.core.request import RequestHead
from jwtguard.core.resource import Resource
from jwtguard.issuing import CsrfCookie, TokenCookie
from tests.core.policies import (
    FORGE,
    KEY,
    LOGIN,
    NEVER,
    NOW,
    context,
    endpoint,
    issuer,
    policy,
    profile,
    refusal_of,
    table,
    verified,
)
from tests.kit.forged_key import b64

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

LIMITS = Limits()
P448 = 2**448 - 2**224 - 1


def head(*headers: tuple[bytes, bytes]) -> RequestHead:
    """A request over https with these header fields."""
    return RequestHead("GET", "/x", headers, "https", "")


@pytest.mark.parametrize(("spaces", "refused"), [(1024 - 64, False), (1024 - 63, True), (1023, True), (1024, True)])
def test_only_the_front_of_a_field_that_is_too_long_is_read(spaces: int, *, refused: bool) -> None:
    """R-EXT-06: of a field that is too long 1024 bytes are read; where no scheme shows in them it is refused."""
    request = head((b"authorization", b" " * spaces + b"Basic " + b"a" * LIMITS.token_bytes))
    if refused:
        assert refusal_of(lambda: extract(policy(), request, LIMITS, Mode.PRODUCTION)).reason is Reason.TOO_LARGE
    else:
        assert extract(policy(), request, LIMITS, Mode.PRODUCTION) is None


@pytest.mark.parametrize(("spare", "refused"), [(0, False), (1, True)])
def test_cookie_fields_are_bounded_together(spare: int, *, refused: bool) -> None:
    """R-EXT-06: cookies spread over several fields have the room of one field, not of one each."""
    room = LIMITS.cookie_bytes * 16
    half = b"x=" + b"a" * (room // 2 - 2)
    request = head((b"cookie", half), (b"cookie", half + b"a" * spare))
    protected = policy(carriers=(cookie("at"),))
    if refused:
        assert refusal_of(lambda: extract(protected, request, LIMITS, Mode.PRODUCTION)).reason is Reason.TOO_LARGE
    else:
        assert extract(protected, request, LIMITS, Mode.PRODUCTION) is None


@pytest.mark.parametrize("length", [42, 43])
def test_a_short_der_sequence_is_no_secret(length: int) -> None:
    """R-ALG-05: DER with a length of one byte, such as an Ed25519 public key, is no HMAC secret either."""
    assert reasons_of_secret(b"\x30" + bytes([length]) + bytes(range(100, 100 + length))) == [SkipReason.WEAK]


@pytest.mark.parametrize("start", [b"\x31\x2a", b"\x30\x2b", b"\x30\xaa"])
def test_a_secret_that_only_resembles_der_is_one(start: bytes) -> None:
    """R-ALG-05: a secret of another tag, or with a length that is not its own, is accepted."""
    assert reasons_of_secret(start + bytes(range(100, 142))) == []


def reasons_of_secret(secret: bytes) -> list[SkipReason]:
    """Return why a secret cannot be loaded."""
    jwk = {"kty": "oct", "k": b64(secret).decode(), "kid": "k1"}
    return [skipped.reason for skipped in import_key_set([jwk], ("HS256",), Published.INLINE).skipped]


@pytest.mark.parametrize("sign", [0, 1])
@pytest.mark.parametrize("y", [0, 1, P448 - 1, P448, P448 + 1])
def test_an_ed448_point_of_small_order_is_no_key(y: int, sign: int) -> None:
    """R-ALG-07: a key of small order is refused as weak, in whatever way its point is written."""
    assert reasons_of_point("Ed448", (y | sign << 455).to_bytes(57, "little")) == [SkipReason.WEAK]


@pytest.mark.parametrize(("alg", "size"), [("Ed25519", 1), ("Ed25519", 33), ("Ed448", 56), ("Ed448", 58)])
def test_a_point_of_another_length_is_malformed(alg: str, size: int) -> None:
    """R-JWK-13: a point that is too short or too long is malformed before it can be called weak."""
    assert reasons_of_point(alg, bytes(size)) == [SkipReason.MALFORMED]


def reasons_of_point(alg: str, point: bytes) -> list[SkipReason]:
    """Return why an Edwards point cannot be a key."""
    jwk = {"kty": "OKP", "crv": alg, "x": b64(point).decode(), "kid": "k1"}
    return [skipped.reason for skipped in import_key_set([jwk], (alg,), Published.FETCHED).skipped]


def test_a_malformed_token_of_an_unknown_kid_is_refused_for_its_kid() -> None:
    """R-JWK-09: while an unknown kid is worth asking about, what fails before anybody is asked does not hide it."""
    reads = context(endpoint("/x"))
    held = reads.held["login"]
    asking = Context(reads.table, {"login": HeldKeys(held.key_set, NEVER, 0.0)})
    token = FORGE.sign(b"no JSON", key=FORGE.key(kid="k9"))
    decision = decide(asking, head((b"authorization", b"Bearer " + token)), now=NOW, monotonic=100.0)
    assert isinstance(decision, Refused)
    assert decision.refusal.reason is Reason.NO_KEY


STATED = [
    Expires(60.0),
    NoExpiry(60.0),
    Marker("scope"),
    READY_MADE["access"],
    JwksUri("https://login.example.com/keys"),
    InlineKeys([]),
    Legacy(Marker("scope"), date(2026, 1, 1)),
    LOGIN,
    BEARER,
    endpoint("/x"),
    Override("rule", "at", date(2026, 1, 1), "reason"),
    Config(issuers=[], endpoints=[]),
    LIMITS,
    access(),
    Tenant(TenantPlace.PATH, "org"),
    Resource("https://api.example.com"),
    LoginExpectations(nonce="n"),
    PublicView(401, "invalid_token", "No."),
    Hooks(),
    TokenCookie(),
    CsrfCookie(),
]


@pytest.mark.parametrize("stated", STATED, ids=lambda stated: type(stated).__name__)
def test_what_an_author_stated_cannot_be_changed(stated: DataclassInstance) -> None:
    """R-POL-06: a configuration is proven once, so no part of it may change afterwards, nor gain one."""
    field = dataclasses.fields(stated)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(stated, field, None)
    assert not hasattr(stated, "__dict__")


@pytest.mark.parametrize(
    "stated",
    [
        READY_MADE["access"],
        LOGIN,
        endpoint("/x"),
        Config(issuers=[], endpoints=[]),
        LIMITS,
        access(),
        LoginExpectations(nonce="n"),
        Hooks(),
        TokenCookie(),
        CsrfCookie(),
    ],
    ids=lambda stated: type(stated).__name__,
)
def test_long_rows_are_written_by_name(stated: DataclassInstance) -> None:
    """R-CLS-02: where columns are many, a value in the wrong place cannot be taken for another column."""
    for field in dataclasses.fields(stated):
        with pytest.raises(TypeError, match="takes 1 positional argument"):
            type(stated)(getattr(stated, field.name))


def test_inline_keys_are_not_shown() -> None:
    """R-IDN-02: the text of inline keys, secrets among them, holds no key."""
    assert "geheim" not in repr(InlineKeys([{"kty": "oct", "k": "geheim"}]))


def test_nothing_is_on_by_omission() -> None:
    """R-POL-06: what an author leaves out of an issuer is absent, not set."""
    assert (LOGIN.issues, LOGIN.legacy, LOGIN.leeway_s, LOGIN.tenant_claim, LOGIN.shared_secret) == (
        None, None, None, None, False,
    )  # fmt: skip
    assert endpoint("/x").max_age_s is None


def test_a_claims_set_weighs_nothing_before_it_is_remembered() -> None:
    """R-OBS-08: only whoever remembers a claims set says what it counts for."""
    assert validate_claims(verified(FORGE.access_claims(now=NOW)), (profile(),), 255, NOW).size == 0


def test_an_unknown_class_is_called_unknown_whatever_the_issuer_declares() -> None:
    """R-CLS-01: a class that nobody defined is unknown, even where the issuer lists what it signs."""
    declared = issuer(issues=frozenset({"access"}))
    with pytest.raises(ConfigurationError) as caught:
        table(endpoint("/x", accept=("acess",)), issuers=[declared])
    assert caught.value.rule == "R-CLS-01"


@pytest.mark.parametrize(
    "member", [{"jwk": KEY.public_jwk()}, {"jku": "https://evil.example"}, {"x5u": "https://evil.example"}]
)
def test_keys_in_the_header_are_refused_before_an_unknown_kid(member: dict[str, object]) -> None:
    """R-HDR-02: a header that carries a key or names its place is refused for that, whatever its kid."""
    reads = context(endpoint("/x"))
    token = FORGE.sign(FORGE.access_claims(now=NOW), key=FORGE.key(kid="k9"), header=member)
    decision = decide(reads, head((b"authorization", b"Bearer " + token)), now=NOW, monotonic=100.0)
    assert isinstance(decision, Refused)
    assert decision.refusal.reason is Reason.BAD_HEADER


@pytest.mark.parametrize("kid", [5, ["k1"], {"k": "1"}, True])
def test_a_kid_that_is_no_text_is_not_shown_as_one(kid: object) -> None:
    """R-JWK-13: a key with a kid of another type is left out, and listed without it: events hold texts only."""
    (skipped,) = import_key_set([{**KEY.public_jwk(), "kid": kid}], ("ES256",), Published.FETCHED).skipped
    assert (skipped.kid, skipped.reason) == (None, SkipReason.MALFORMED)


def test_a_set_at_its_very_end_is_worth_asking_about() -> None:
    """R-JWK-09: once a set has outlived its life a kid it lacks is for the issuer to judge, and not a moment before."""
    unknown, held = JoseHeader("ES256", "k9", "at+jwt", {}), HeldKeys(NO_KEYS, 600.0)
    refuse_unknown_kid(unknown, [held], 600.0)
    assert refusal_of(lambda: refuse_unknown_kid(unknown, [held], 599.9)).reason is Reason.NO_KEY


def test_a_long_field_of_another_scheme_beside_a_cookie() -> None:
    """R-EXT-01, R-EXT-06: a long field of a scheme that is none of ours takes nothing from the credential beside it."""
    both = policy(carriers=(BEARER, cookie("at")))
    request = head((b"authorization", b"Basic " + b"a" * 10_000), (b"cookie", b"at=a.b.c"))
    token = extract(both, request, LIMITS, Mode.PRODUCTION)
    assert token is not None
    assert token.reveal() == b"a.b.c"


def test_a_field_of_many_cookies_is_not_taken_apart() -> None:
    """R-EXT-06, F51: a cookie field of more pairs than a browser sends is refused before it is split."""
    one = policy(carriers=(cookie("at"),))
    for pairs, reason in ((512, None), (513, Reason.TOO_LARGE)):
        request = head((b"cookie", b"at=a.b.c" + b";" * pairs))
        if reason is None:
            assert extract(one, request, LIMITS, Mode.PRODUCTION) is not None
        else:
            assert refusal_of(lambda request=request: extract(one, request, LIMITS, Mode.PRODUCTION)).reason is reason
