"""Tokens, headers and JSON: what must hold for any input, not only for those that somebody thought of."""

from __future__ import annotations

import asyncio
import json
import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from jwtguard import BEARER, Carrier, Expires, InlineKeys, Limits, Mode, NoExpiry, Refusal, cookie
from jwtguard.core.asked import Asked
from jwtguard.core.classes import READY_MADE
from jwtguard.core.classification import classify
from jwtguard.core.decision import Allowed, Context, Decision, Refused
from jwtguard.core.endpoint import CarrierKind
from jwtguard.core.extraction import extract
from jwtguard.core.jws import JwsParser
from jwtguard.core.keys import NO_KEYS, HeldKeys
from jwtguard.core.needs import Answer, Need
from jwtguard.core.pipeline import decide_token, verification
from jwtguard.core.policy import EndpointPolicy
from jwtguard.core.request import RequestHead, Token
from jwtguard.core.strict_json import json_reader
from jwtguard.core.unfinished import Unknown
from jwtguard.drive import PENDING, Pending, drive, drive_sync
from tests.core.policies import ANY_ALGORITHM, FORGE, KEY, LOGIN, NEVER, NOW, context, endpoint, issuer, keys_of, policy
from tests.kit.forged_key import b64
from tests.kit.json_values import nested
from tests.properties.bounded import examples

ALGORITHMS = ("ES256", "Ed25519", "RS256")
SEVERAL = issuer(algorithms=ALGORITHMS, keys=InlineKeys([FORGE.key(alg, alg).public_jwk() for alg in ALGORITHMS]))
SIGNED = context(endpoint("/x"), issuers=[SEVERAL])
TOKENS = [FORGE.sign(FORGE.access_claims(now=NOW), key=FORGE.key(alg, alg)) for alg in ALGORITHMS]
JSON_VALUES = nested(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text(max_size=8), st.text(max_size=4), 4
)


def decided(own: Context, policy: EndpointPolicy, token: bytes, now: float = NOW) -> Decision:
    """Decide a token whose issuer's keys are at hand."""
    decision = decide_token(own, Asked(policy, None, Token(token), now, 0.0))
    assert not isinstance(decision, Unknown)
    return decision


def outcome(decision: Decision) -> str:
    """Tell how a decision ended, and nothing that two equal ones could differ in."""
    return decision.refusal.reason if isinstance(decision, Refused) else f"allowed {decision.identity!r}"


def test_the_tokens_are_valid() -> None:
    """The tokens that the next property changes are allowed as they are, or it would prove nothing."""
    assert all(isinstance(decided(SIGNED, SIGNED.table.endpoints[0], token), Allowed) for token in TOKENS)


@examples(1200)
@given(
    st.sampled_from(TOKENS),
    st.integers(0, 10_000),
    st.integers(0, 255),
    st.sampled_from(["change", "insert", "drop", "swap"]),
)
def test_a_changed_token_is_never_allowed(token: bytes, place: int, byte: int, way: str) -> None:
    """R-EXT-08, F53, F54: a token with one byte changed, added, dropped or swapped is never allowed."""
    refuse_changed(token, place % len(token), byte, way)


@pytest.mark.parametrize("token", TOKENS, ids=ALGORITHMS)
@pytest.mark.parametrize("way", ["change", "insert"])
def test_the_ends_of_segments_are_exact(token: bytes, way: str) -> None:
    """R-EXT-08, F53: no other byte is accepted where segments begin and end, which is where spellings are loose."""
    dots = [index for index, byte in enumerate(token) if byte == ord(".")]
    for index in {0, *dots, *(dot - 1 for dot in dots), *(dot + 1 for dot in dots), len(token) - 1}:
        for byte in range(256):
            refuse_changed(token, index, byte, way)


def refuse_changed(token: bytes, index: int, byte: int, way: str) -> None:
    """Expect a token that is changed in one place to be refused."""
    before, after = token[:index], token[index + 1 :]
    changed = {
        "change": before + bytes([byte]) + after,
        "insert": before + bytes([byte]) + token[index:],
        "drop": before + after,
        "swap": before + after[:1] + token[index : index + 1] + after[1:],
    }[way]
    assert changed == token or isinstance(decided(SIGNED, SIGNED.table.endpoints[0], changed), Refused)


NAMES = st.sampled_from([b"authorization", b"Authorization", b"AUTHORIZATION", b"cookie", b"Cookie", b"dpop", b"host"])
PARTS = st.sampled_from(
    [b"Bearer", b"bearer", b"DPoP", b" ", b"  ", b"\t", b",", b";", b"=", b"at", b"bt", b"t.o.k", b"x"]
)
WHOLE = st.sampled_from(
    [b"Bearer", b"Bearer ", b"bearer t.o.k", b"Bearer a b", b"DPoP t.o.k", b"at=t; x=y", b"at=", b"at=t; bt=t"]
)
VALUES = WHOLE | st.lists(PARTS | st.binary(max_size=6), max_size=8).map(b"".join)
HEADERS = st.lists(st.tuples(NAMES | st.binary(max_size=13), VALUES), max_size=4)
POLICIES = [
    policy(),
    policy(carriers=(cookie("at"),)),
    policy(carriers=(BEARER, Carrier(CarrierKind.HEADER, "dpop", "dpop"), cookie("at"), cookie("bt"))),
]
METHODS = st.sampled_from(["GET", "HEAD", "POST", "WEBSOCKET", "OPTIONS", ""])


@examples(500)
@given(
    st.sampled_from(POLICIES), HEADERS, METHODS, st.sampled_from(["https", "wss", "http", ""]), st.sampled_from(Mode)
)
def test_extraction_refuses_or_finds(
    given_policy: EndpointPolicy, headers: list[tuple[bytes, bytes]], method: str, scheme: str, mode: Mode
) -> None:
    """R-HDR-13, R-EXT-01: any header list ends in a Refusal, in nothing, or in a part of a declared field."""
    head = RequestHead(method, "/x", headers, scheme, "localhost")
    try:
        token = extract(given_policy, head, Limits(token_bytes=20, cookie_bytes=4), mode)
    except Refusal:
        return
    if token is not None:
        assert token.reveal()
        assert sum(token.reveal() in value for name, value in headers if name.lower() in given_policy.fields) >= 1
        assert scheme in {"https", "wss"} or mode is Mode.DEVELOPMENT


@examples(400)
@given(st.binary(max_size=60) | st.lists(st.binary(max_size=20).map(b64), min_size=2, max_size=4).map(b".".join))
def test_any_bytes_are_parsed_or_refused(text: bytes) -> None:
    """R-HDR-13, F52: for arbitrary bytes the parser raises nothing but a Refusal."""
    assert type(decided(SIGNED, SIGNED.table.endpoints[0], text)) is Refused
    parser = JwsParser(Limits(), {})
    with suppress(Refusal):
        parser.unverified_issuer(parser.parse(Token(text), ANY_ALGORITHM))


HEADER_NAMES = [
    "alg",
    "kid",
    "typ",
    "cty",
    "crit",
    "b64",
    "jwk",
    "jku",
    "x5u",
    "x5c",
    "zip",
    "enc",
    "iss",
    "sub",
    "aud",
]
JOSE_HEADERS = st.dictionaries(
    st.sampled_from(HEADER_NAMES), JSON_VALUES | st.sampled_from(["ES256", "at+jwt", "JWT", "k1", "ES256"]), max_size=5
)
CLAIM_NAMES = ["iss", "sub", "aud", "exp", "iat", "nbf", "jti", "client_id", "scope", "cnf", "events", "act", "amr"]
CLAIMS = st.dictionaries(st.sampled_from(CLAIM_NAMES), JSON_VALUES, max_size=6)
PARSER = JwsParser(Limits(), {})
ONE = context(endpoint("/x"))


@examples(300)
@given(JOSE_HEADERS, CLAIMS | JSON_VALUES)
def test_any_json_is_parsed_or_refused(header: dict[str, Any], payload: object) -> None:
    """R-HDR-13, F52: for arbitrary JSON in header and payload parser and classification raise nothing but a Refusal."""
    text = b".".join(b64(json.dumps(part).encode()) for part in ({"alg": "ES256", **header}, payload)) + b".c2ln"
    with suppress(Refusal):
        jws = PARSER.parse(Token(text), ANY_ALGORITHM)
        PARSER.unverified_issuer(jws)
        classify(PARSER, ONE.table.endpoints[0], jws)


@examples(250)
@given(CLAIMS, JOSE_HEADERS)
def test_any_signed_claims_are_judged(claims: dict[str, Any], header: dict[str, Any]) -> None:
    """F52, F56: whatever an issuer signs, the decision is a decision, and no exception of any other kind."""
    signed = FORGE.sign(
        {**FORGE.access_claims(now=NOW), **claims}, key=KEY, header={**header, "alg": "ES256", "kid": "k1"}
    )
    decision = decided(ONE, ONE.table.endpoints[0], signed)
    if isinstance(decision, Allowed):
        who = decision.identity
        assert who.is_authenticated
        assert all(getattr(who, name) is not None for name in ("key", "actors", "amr", "claims", "tenant", "kind"))


PIECES = st.sampled_from(
    [*list('{}[]",:\\ \n0123456789.eE+-'), "null", "true", "NaN", "-Infinity", "\\u0061", "\\ud800", '"a"']
)
TEXTS = st.dictionaries(st.text(max_size=3), JSON_VALUES, max_size=3).map(json.dumps) | st.lists(
    PIECES, max_size=14
).map("".join)


@examples(1000)
@given(TEXTS, st.integers(0, 200), PIECES, st.booleans())
def test_strict_json_is_json(text: str, place: int, piece: str, spoil: bool) -> None:  # noqa: FBT001 - drawn
    """R-HDR-09: the strict reader raises ValueError, or agrees with the usual one on value and type."""
    if spoil:
        index = place % (len(text) + 1)
        text = text[:index] + piece + text[index:]
    try:
        mine = json_reader(depth=16, members=256)(text.encode("utf-8", "surrogatepass"))
    except ValueError:
        return
    usual = json.loads(text)
    assert mine == usual
    assert repr(mine) == repr(usual)


FINITE = nested(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    st.text(max_size=4),
    3,
)


@examples(150)
@given(st.dictionaries(st.text(max_size=4), FINITE, max_size=4), st.booleans())
def test_good_json_is_read(value: dict[str, Any], ascii_only: bool) -> None:  # noqa: FBT001 - drawn
    """R-HDR-09: an object within the bounds is read, in either spelling of its characters."""
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert json_reader(depth=100, members=256)(text.encode()) == value


class Told:
    """Answers every question from a list, by whatever way it is asked."""

    def __init__(self, answers: list[tuple[Answer, bool]]) -> None:
        self._answers = iter(answers)
        self._pending: Answer = None

    def local(self, need: Need) -> Answer | Pending:
        """Answer, or keep the answer for the asking."""
        answer, at_hand = next(self._answers)
        self._pending = answer
        return answer if at_hand else PENDING

    async def ask(self, need: Need) -> Answer:
        """Give the answer that was kept."""
        return self._pending

    def known(self, need: Need) -> Answer:
        """Answer."""
        return next(self._answers)[0]


KEY_SETS = [None, NO_KEYS, keys_of(LOGIN), keys_of(issuer(keys=InlineKeys([FORGE.key(kid="k2").public_jwk(kid="k1")])))]
NOBODY = Context(ONE.table, {"login": HeldKeys(NO_KEYS, -NEVER)})
VARIED: list[dict[str, Any]] = [{}, {"aud": "x"}, {"exp": NOW - 60, "iat": NOW - 90}, {"scope": ""}, {"sub": 1}]


@examples(80)
@given(st.sampled_from(KEY_SETS), st.booleans(), st.sampled_from(VARIED), st.sampled_from(["k1", "k9"]))
def test_both_drivers_agree(keys: Answer, at_hand: bool, claims: dict[str, Any], kid: str) -> None:  # noqa: FBT001 - drawn
    """R-EXT-14: whatever the answers, the async and the sync driver reach the same decision."""
    token = FORGE.sign(FORGE.access_claims(now=NOW) | claims, key=KEY, header={"kid": kid})
    unknown = decide_token(NOBODY, Asked(ONE.table.endpoints[0], None, Token(token), NOW, 0.0))
    assert isinstance(unknown, Unknown)
    answers = [(keys, at_hand)]
    blocking = drive_sync(verification(NOBODY, unknown), Told(answers))
    waiting = asyncio.run(drive(verification(NOBODY, unknown), Told(answers)))
    assert outcome(waiting) == outcome(blocking)


SECRET = FORGE.key("HS256")
TIMES = st.sampled_from([-3630.0, -3600, -130, -100, -60.5, -30, -0.1, 0, 0.1, 30, 60, 100.3, 3600, 3630]) | st.floats(
    -4000, 4000
)


@examples(500)
@given(
    st.fixed_dictionaries({}, optional={"exp": TIMES, "nbf": TIMES, "iat": TIMES}),
    st.sampled_from([Expires(3600.0), Expires(60.25), NoExpiry(100.1), NoExpiry(0.3)]),
    st.sampled_from([0.0, 0.1, 30.0, 120.0]),
    st.none() | st.sampled_from([0.0, 10.1, 100.0]),
    st.sampled_from(["exp", "nbf", "iat", ""]),
    TIMES,
    st.sampled_from([-1, 0, 1]),
)
def test_warm_and_cold_agree(  # noqa: PLR0917 - one column of the table each
    times: dict[str, float],
    expiry: Expires | NoExpiry,
    leeway_s: float,
    max_age_s: float | None,
    near: str,
    offset: float,
    step: int,
) -> None:
    """R-CLM-05, F68: at any clock value a remembered token gets the answer it would get at first sight."""
    row = own_class(expiry)
    shared = issuer(
        algorithms=("HS256",), shared_secret=True, keys=InlineKeys([SECRET.private_jwk()]), leeway_s=leeway_s
    )
    cold = context(endpoint("/x", accept=["own"], max_age_s=max_age_s), issuers=[shared], classes=[row])
    claims = {"iat": NOW, "exp": NOW + 50} | {name: NOW + time for name, time in times.items()}
    token = FORGE.sign({"iss": FORGE.issuer, "aud": FORGE.audience, **claims}, key=SECRET, header={"typ": "own+jwt"})
    warm = Context(cold.table, cold.held)
    for first in (claims["iat"], claims["iat"] - leeway_s, claims.get("nbf", NOW)):
        remember = decided(warm, cold.table.endpoints[0], token, first).remember
        if remember is not None:
            warm.memory[Token(token).digest()] = remember.claims_set
    assume(warm.memory)
    edge = claims.get(near, NOW) + offset
    for now in (edge, edge + leeway_s, edge - leeway_s):
        now = math.nextafter(now, now + step) if step else now  # noqa: PLW2901 - the next number a clock can show
        seen = decided(warm, cold.table.endpoints[0], token, now)
        assert outcome(seen) == outcome(decided(cold, cold.table.endpoints[0], token, now))


def own_class(expiry: Expires | NoExpiry) -> Any:
    """A class that requires little besides its times."""
    row: dict[str, Any] = {name: getattr(READY_MADE["access"], name) for name in READY_MADE["access"].__slots__}
    changes = {
        "name": "own",
        "typ": frozenset({"own+jwt"}),
        "required": frozenset({"iss", "aud", "exp"}),
        "expiry": expiry,
    }
    return type(READY_MADE["access"])(**row | changes)
