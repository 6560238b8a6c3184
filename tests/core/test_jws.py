"""The strict parser of compact JWS: one token, one spelling (R-HDR-01 to R-HDR-09, F52, F53, F55)."""

from __future__ import annotations

import json
import time
from collections.abc import Collection
from functools import partial
from typing import Any

import pytest

from jwtguard import Limits, Reason
from jwtguard.core.jws import JoseHeader, JwsParser, UnverifiedJws, media_type, read_header
from jwtguard.core.request import Token
from tests.core.policies import ANY_ALGORITHM, told
from tests.kit.forged_key import b64

LIMITS = Limits()
HEADER = {"alg": "ES256", "kid": "k1", "typ": "at+jwt"}
PLAIN = b64(b'{"alg":"ES256"}')
BAD_HEADER, MALFORMED = Reason.BAD_HEADER, Reason.MALFORMED
CANONICAL = (MALFORMED, "base64url", "canonical, without padding", None)
SPARE_BITS = (MALFORMED, "base64url", "canonical, unused bits zero", None)


def parser(known: dict[bytes, JoseHeader] | None = None, **limits: Any) -> JwsParser:
    """A parser under the default limits, changed."""
    return JwsParser(Limits(**limits), known or {})


def parse(text: bytes, algorithms: Collection[str] = ANY_ALGORITHM, **limits: Any) -> UnverifiedJws:
    """Parse one text."""
    return parser(**limits).parse(Token(text), algorithms)


def refused(text: bytes, **limits: Any) -> tuple[Reason, str, object, object]:
    """Return all that the refusal of a text tells."""
    return told(lambda: parse(text, **limits))


def compact(header: object, payload: bytes = b"{}", signature: bytes = b"sig") -> bytes:
    """Write a compact JWS: a header as JSON, or bytes in its place."""
    first = header if isinstance(header, bytes) else json.dumps(header).encode()
    return b".".join(map(b64, (first, payload, signature)))


def test_a_token_is_taken_apart() -> None:
    """R-EXT-07: three segments become header, signing input and signature, and nothing of the payload shows."""
    text = compact(HEADER, b'{"iss":"me"}', b"\x00\xffsignature")
    jws = parse(text)
    assert (jws.header.alg, jws.header.kid, jws.header.typ) == ("ES256", "k1", "at+jwt")
    assert jws.header.segment == text.split(b".")[0]
    assert jws.signing_input == text.rpartition(b".")[0]
    assert jws.signature == b"\x00\xffsignature"
    assert parser().unverified_issuer(jws) == "me"


def test_an_unverified_token_shows_nothing() -> None:
    """R-CLM-01, R-OBS-03: before the signature there is no way to a claim, and no part of the token is shown."""
    jws = parse(compact({**HEADER, "alg": "A" * 20}, b'{"iss":"me","sub":"secret"}'), ["A" * 20])
    assert repr(jws) == "<UnverifiedJws redacted>"
    assert repr(jws.header) == f"<JoseHeader {'A' * 16!r}>"
    public = {name for name in dir(jws) if not name.startswith("_")}
    assert public == {"header", "signature", "signing_input"}
    assert not hasattr(jws, "__dict__")


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 8])
def test_three_segments(count: int) -> None:
    """R-EXT-07, F55: any other number of segments is refused, the five of a JWE included."""
    text = b".".join([PLAIN] * (count + 1))
    assert refused(text) == (MALFORMED, "segments", 3, count + 1)


@pytest.mark.parametrize("text", [b"", b".", b"...", b"....", b"." * 5000, b"a..b.", b"{}"])
def test_dots_are_no_token(text: bytes) -> None:
    """F51: dots without a token, or too many of them, are refused before anything is decoded."""
    assert refused(text) == (MALFORMED, "segments", 3, text.count(b".") + 1)


@pytest.mark.parametrize(
    "text",
    [
        b'{"payload":"e30","signatures":[{"protected":"e30","signature":"e30"}]}',
        b'{"protected":"e30","payload":"e30","signature":"e.3.0"}',
    ],
)
def test_json_serialisation_is_refused(text: bytes) -> None:
    """R-EXT-07: the JSON serialisations of RFC 7515 are not accepted."""
    assert refused(text)[0] in {MALFORMED, BAD_HEADER}


def test_length_is_checked_first() -> None:
    """R-EXT-06, F51: a token one byte too long is refused by its length alone; one byte less is parsed."""
    text = compact(HEADER, b"x" * 100)
    assert parse(text, token_bytes=len(text)).signing_input
    assert refused(text, token_bytes=len(text) - 1) == (Reason.TOO_LARGE, "token length", len(text) - 1, len(text))
    assert refused(b"." * 8193) == (Reason.TOO_LARGE, "token length", 8192, 8193)


def test_a_huge_token_costs_nothing() -> None:
    """F51: 64 MB are refused without being looked at."""
    tokens = [Token(fill * 64_000_000) for fill in (b".", b"a")]
    start = time.perf_counter()
    for _ in range(100):
        assert [told(partial(parser().parse, token, ()))[0] for token in tokens] == [Reason.TOO_LARGE] * 2
    assert time.perf_counter() - start < 1.0  # one look at one of them takes about 5 ms


ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("char", sorted(set(range(256)) - set(ALPHABET) - {0x2E}))
def test_every_other_character_is_refused(place: int, char: int) -> None:
    """R-EXT-07, F53: no byte outside base64url is accepted in any segment, at its start, in it or at its end."""
    for made in (b"%cAAA", b"AA%cA", b"AAA%c", b"AAAA%c", b"AAA%cAAAA"):
        segments = [PLAIN, b"e30", b"AAAA"]
        segments[place] = made % char
        assert refused(b".".join(segments)) == CANONICAL


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("tail", [b"=", b"==", b"===", b"\n", b" ", b"\r\n", b"%3D"])
def test_padding_and_space_are_refused(place: int, tail: bytes) -> None:
    """F53: a segment with its padding, or with anything like white space around it, is another spelling."""
    for plain in (b64(b"{}"), b64(b"{ }"), b64(b"{  }")):
        for segment in (plain + tail, tail + plain):
            segments = [PLAIN, b"e30", b"AAAA"]
            segments[place] = segment
            assert refused(b".".join(segments)) == CANONICAL


@pytest.mark.parametrize("last", [bytes([char]) for char in ALPHABET])
def test_unused_bits_are_zero(last: bytes) -> None:
    """R-EXT-08, F53: of the spellings that lenient decoders take for one value only the canonical is accepted."""
    for segment, mask in ((b"A" + last, 0b1111), (b"AA" + last, 0b11), (b"AAA" + last, 0)):
        text = b".".join([PLAIN, b"e30", segment])
        if ALPHABET.index(last) & mask:
            assert refused(text) == SPARE_BITS
        else:
            assert b64(parse(text).signature) == segment


@pytest.mark.parametrize("segment", [b"A", b"AAAAA", b"AAAAAAAAA"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_character_too_many(segment: bytes, place: int) -> None:
    """R-EXT-08: a length that no number of bytes encodes to is refused in each segment."""
    segments = [PLAIN, b"e30", b"AAAA"]
    segments[place] = segment
    assert refused(b".".join(segments))[:2] == (MALFORMED, "base64url")


def test_empty_segments() -> None:
    """R-EXT-08: an empty payload or signature is a spelling of nothing; an empty header is no header."""
    jws = parse(PLAIN + b"..")
    assert jws.signature == b""
    assert told(lambda: parser().unverified_issuer(jws))[0] is MALFORMED
    assert refused(b".e30.AAAA") == (BAD_HEADER, "JOSE header", "one strict JSON object", None)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"x",
        b"null",
        b'"alg"',
        b"[]",
        b'[{"alg":"ES256"}]',
        b"7",
        b'{"alg":"ES256"} x',
        b'\xef\xbb\xbf{"alg":"ES256"}',
        b'{"alg":"ES256","alg":"none"}',
        b'{"alg":"ES256","x":NaN}',
        b'{"alg":"ES256","x":1e999}',
        b'{"alg":"ES256","x":9007199254740993}',
        b'{"alg":"ES256","x":"\\ud800"}',
        b'{"alg":"ES256","x":"\xff"}',
        b'{"alg":"ES256","x":[[[[[[[[]]]]]]]]}',
    ],
)
def test_no_jose_header(text: bytes) -> None:
    """R-HDR-09, F52: a header that is not one strict JSON object is refused, with nothing else raised."""
    assert refused(compact(text)) == (BAD_HEADER, "JOSE header", "one strict JSON object", None)


def test_limits_of_the_header() -> None:
    """R-HDR-09: depth 8, bounded members and integers, 1 KiB of text: what just fits is accepted."""
    assert parse(compact(b'{"alg":"ES256","x":[[[[[[[]]]]]]],"y":9007199254740992}')).header.alg == "ES256"
    filled = b'{"alg":"ES256","x":"%s"}'
    room = 1024 - len(filled % b"")
    assert parse(compact(filled % (b"x" * room))).header.alg == "ES256"
    refusal = refused(compact(filled % (b"x" * (room + 1))))
    assert refusal == (BAD_HEADER, "header length", 1024, len(b64(b"x" * 1025)))
    few = compact({"alg": "ES256", **dict.fromkeys("abc", 0)})
    assert parse(few, json_members=4).header.alg == "ES256"
    assert refused(few, json_members=3)[:2] == (BAD_HEADER, "JOSE header")
    large = compact({"alg": "ES256", "x": 99})
    assert parse(large, json_integer=99).header.alg == "ES256"
    assert refused(large, json_integer=98)[:2] == (BAD_HEADER, "JOSE header")
    deep = compact({"alg": "ES256", "x": [[]]})
    assert parse(deep, header_depth=3).header.alg == "ES256"
    assert refused(deep, header_depth=2)[:2] == (BAD_HEADER, "JOSE header")


@pytest.mark.parametrize("name", ["crit", "b64", "x5c", "zip", "enc"])
@pytest.mark.parametrize("value", [None, [], ["exp"], ["b64"], False, True, "DEF", "A256GCM", {}, 0])
def test_parameters_that_change_the_meaning(name: str, value: object) -> None:
    """R-HDR-03, R-HDR-08, F55: crit, b64, x5c, zip and enc are refused whatever they say; no extension is known."""
    assert refused(compact({**HEADER, name: value})) == (BAD_HEADER, name, "absent", value)


@pytest.mark.parametrize("value", [None, 1, True, [], ["ES256"], {}, {"alg": "ES256"}])
def test_alg_is_a_string(value: object) -> None:
    """R-HDR-06: an alg of another type, or none at all, is refused."""
    assert refused(compact({**HEADER, "alg": value})) == (BAD_HEADER, "alg", "a string", value)
    assert refused(compact({"typ": "at+jwt"})) == (BAD_HEADER, "alg", "a string", None)


@pytest.mark.parametrize("alg", ["none", "None", "nOnE", "NONE", "", "HS256", "es256", "ES256 ", "ES25", "ES2566"])
def test_alg_is_compared_as_it_is(alg: str) -> None:
    """R-HDR-06, F54: an alg that is not among the allowed ones, in exactly this spelling, is refused."""
    text = compact({"alg": alg})
    assert told(lambda: parse(text, ["ES256", "RS256"])) == (Reason.UNSUPPORTED_ALG, "alg", ["ES256", "RS256"], alg)
    assert told(lambda: parse(text, []))[0] is Reason.UNSUPPORTED_ALG
    assert parse(text, ["ES256", alg]).header.alg == alg


@pytest.mark.parametrize("rest", [b".e30=.AAAA", b".e30.!", b".A.A"])
def test_alg_is_judged_before_the_rest_is_decoded(rest: bytes) -> None:
    """R-ALG-01: what is not allowed costs no further decoding; a known header is no excuse."""
    segment = b64(b'{"alg":"none"}')
    known = parser({segment: read_header({"alg": "none"}, LIMITS)})
    for remembering in (parser(), known):
        token = Token(segment + rest)
        assert told(partial(remembering.parse, token, ["ES256"]))[0] is Reason.UNSUPPORTED_ALG
        assert told(partial(remembering.parse, token, ["none"]))[0] is MALFORMED


HOSTILE = ["k1\x00", "k\n1", "k\r\n1", "\x7f", "k\u200b", "\u2028", "\ud83d", "a" * 257, "\t"]


@pytest.mark.parametrize("kid", ["", None, 1, 1.5, True, [], ["k1"], {}, *HOSTILE])
def test_no_kid(kid: object) -> None:
    """R-HDR-04: a kid is a string of 1 to 256 printable characters, or absent."""
    refusal = refused(compact({**HEADER, "kid": kid}))
    assert refusal[0] is BAD_HEADER
    if kid != "\ud83d":
        assert refusal[1:] == ("kid", "1 to 256 printable characters", kid)


@pytest.mark.parametrize(
    "kid", ["k", "a" * 256, "../../etc/passwd", "' OR 1=1 --", "*)(uid=*", "http://evil.test/k", "ключ", "%00", " "]
)
def test_a_kid_is_text(kid: str) -> None:
    """R-HDR-04, F24: whatever a kid looks like, it comes out as the text it is."""
    assert parse(compact({**HEADER, "kid": kid})).header.kid == kid


def test_a_kid_is_optional() -> None:
    """R-HDR-05: without a kid the header has none, and the limit of its length can be changed."""
    assert parse(compact({"alg": "ES256"})).header.kid is None
    assert refused(compact({"alg": "ES256", "kid": "abc"}), kid_chars=2)[:2] == (BAD_HEADER, "kid")


@pytest.mark.parametrize("typ", [None, 1, True, [], ["at+jwt"], {}])
def test_typ_is_a_string(typ: object) -> None:
    """R-HDR-07: a typ of another type is refused and not taken for absent."""
    assert refused(compact({**HEADER, "typ": typ})) == (BAD_HEADER, "typ", "a string", typ)


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("at+jwt", "at+jwt"),
        ("AT+JWT", "at+jwt"),
        ("application/at+jwt", "at+jwt"),
        ("APPLICATION/At+Jwt", "at+jwt"),
        ("application/application/at+jwt", "application/application/at+jwt"),
        ("application/x/at+jwt", "application/x/at+jwt"),
        ("x/at+jwt", "x/at+jwt"),
        ("text/jwt", "text/jwt"),
        ("application/", ""),
        ("", ""),
        (" at+jwt", " at+jwt"),
        ("at+jwt;v=1", "at+jwt;v=1"),
        ("application", "application"),
        ("AT+JWT\u212a", "AT+JWT\u212a"),  # the Kelvin sign, which lower() would make a k
        ("JOS\u0130", "JOS\u0130"),
    ],
)
def test_a_media_type(text: str, short: str) -> None:
    """R-HDR-07: case and one leading application/ do not count, and there is no other normalisation."""
    assert media_type(text) == short
    assert parse(compact({"alg": "ES256", "typ": text})).header.typ == short


@pytest.mark.parametrize("cty", ["JWT", "jwt", "application/jwt", "Application/JWT", 1, True, [], ["x"], {}])
def test_nothing_is_nested(cty: object) -> None:
    """R-HDR-10: content that is itself a token, or a cty that is no string, is refused."""
    assert refused(compact({**HEADER, "cty": cty})) == (BAD_HEADER, "cty", "no nested token", cty)


@pytest.mark.parametrize("cty", ["json", "application/json", "at+jwt", ""])
def test_other_content_types(cty: str) -> None:
    """R-HDR-10: a cty that names no token changes nothing."""
    assert parse(compact({**HEADER, "cty": cty})).header.alg == "ES256"


def test_a_null_is_no_content_type() -> None:
    """R-HDR-09: like kid and typ, a cty of null is of the wrong type and not taken for absent."""
    assert refused(compact({**HEADER, "cty": None}))[:2] == (BAD_HEADER, "cty")


def test_what_else_is_kept_of_a_header() -> None:
    """R-HDR-01, R-HDR-12: whether it carries a key, the URLs it names, the claims it repeats, and no more."""
    header = read_header({**HEADER, "jku": "a", "x5u": ["b"], "iss": "i", "sub": None, "aud": ["x"], "exp": 1}, LIMITS)
    assert list(header.urls) == ["a", ["b"]]
    assert header.replicated == {"iss": "i", "sub": None, "aud": ["x"]}
    assert header.carries_key is False
    plain = read_header({"alg": "ES256", "jwk": None}, LIMITS)
    assert (plain.carries_key, list(plain.urls), dict(plain.replicated), plain.segment) == (True, [], {}, b"")


def test_a_token_is_opened_in_two_steps() -> None:
    """R-ALG-01: first the header alone is read; payload and signature are decoded when asked for, as strictly."""
    begun = parser().begin(Token(PLAIN + b".e30=.AAAA"), ANY_ALGORITHM)
    assert begun.header.alg == "ES256"
    assert told(lambda: parser().open(begun)) == CANONICAL
    token = Token(compact(HEADER, b'{"iss":"me"}', b"sig"))
    begun = parser().begin(token, ANY_ALGORITHM)
    parser().open(begun)
    whole = parser().parse(token, ANY_ALGORITHM)
    assert begun.signature == whole.signature == b"sig"
    assert begun.signing_input == whole.signing_input
    assert parser().unverified_issuer(begun) == "me"


def test_a_known_header_is_not_parsed_again() -> None:
    """R-HDR-01: the text of a header that verified before stands for it, and another text does not."""
    known = read_header(dict(HEADER), LIMITS)
    text = compact(HEADER)
    remembering = parser({text.split(b".")[0]: known})
    assert remembering.parse(Token(text), ANY_ALGORITHM).header is known
    assert remembering.parse(Token(compact({**HEADER, "kid": "k2"})), ANY_ALGORITHM).header.kid == "k2"
    assert remembering.known_headers == {text.split(b".")[0]: known}


def test_a_known_header_excuses_nothing_else() -> None:
    """R-EXT-08: the rest of a token with a known header is parsed as strictly as ever."""
    segment = b64(json.dumps(HEADER).encode())
    remembering = parser({segment: read_header(dict(HEADER), LIMITS)})
    assert told(lambda: remembering.parse(Token(segment + b".e30=.AAAA"), ANY_ALGORITHM))[0] is MALFORMED
    assert told(lambda: remembering.parse(Token(segment + b".e30.AAAA."), ANY_ALGORITHM))[0] is MALFORMED


CLAIMS_DEPTH = b'{"iss":%s"me"%s}'


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"x",
        b"null",
        b"[]",
        b'"iss"',
        b'{"iss":"a","iss":"b"}',
        b'{"iss":"a","x":NaN}',
        b'{"iss":"a","x":Infinity}',
        b'{"iss":"a","x":-1e999}',
        b'{"iss":"a","x":"\\udc00"}',
        b'{"iss":"a","x":"\xff"}',
        b'{"iss":"a","x":' + b"9" * 5000 + b"}",
        b'{"iss":"a"}{"iss":"a"}',
        b'\xef\xbb\xbf{"iss":"a"}',
        CLAIMS_DEPTH % (b"[" * 16, b"]" * 16),
        b"[" * 6000,
        b'{"a":' * 1200,
    ],
)
def test_no_claims_set(payload: bytes) -> None:
    """R-HDR-09, F52: a payload that is not one strict JSON object is refused, with nothing else raised."""
    jws = parse(compact(HEADER, payload))
    assert told(lambda: parser().unverified_issuer(jws)) == (MALFORMED, "claims set", "one strict JSON object", None)


def test_limits_of_the_claims() -> None:
    """F52: depth 16, members and integers within the limits: what just fits is read."""
    deep = parse(compact(HEADER, CLAIMS_DEPTH % (b"[" * 15, b"]" * 15)))
    assert parser().unverified_issuer(deep)
    assert told(lambda: parser(claims_depth=15).unverified_issuer(deep))[0] is MALFORMED
    pair = parse(compact(HEADER, b'{"iss":"me","x":99}'))
    assert parser(json_members=2, json_integer=99).unverified_issuer(pair) == "me"
    assert told(lambda: parser(json_members=1).unverified_issuer(pair))[0] is MALFORMED
    assert told(lambda: parser(json_integer=98).unverified_issuer(pair))[0] is MALFORMED


@pytest.mark.parametrize("issuer", ["", "me", None, 1, ["me"], {}])
def test_the_unverified_issuer(issuer: object) -> None:
    """R-CLM-01: the issuer is told as it stands, whatever its type; nothing believes it yet."""
    jws = parse(compact(HEADER, json.dumps({"iss": issuer}).encode()))
    assert parser().unverified_issuer(jws) == issuer


def test_no_issuer_at_all() -> None:
    """R-CLM-02: a token that names no issuer is refused before any key is asked for."""
    jws = parse(compact(HEADER, b'{"sub":"me"}'))
    assert told(lambda: parser().unverified_issuer(jws)) == (Reason.MISSING_CLAIM, "iss", "present", None)
