"""RFC 8725, section 3.7: UTF-8 and strict JSON; what two parsers could read in two ways is refused."""

from __future__ import annotations

import json
import time
import tracemalloc

import pytest

from jwtguard import Reason, Refusal
from tests.attacks.target import KEY, Target, signed
from tests.kit.forged_key import b64
from tests.kit.guarded import FORGE

GOOD = FORGE.access_claims()
TEXT = json.dumps(GOOD)
EVIL = "https://evil.example.com/"


def with_member(text: str) -> bytes:
    """The good claims, with more text at their end."""
    return f"{TEXT[:-1]},{text}}}".encode()


PAYLOADS = {
    "empty": b"",
    "null": b"null",
    "string": b'"iss"',
    "number": b"1",
    "array": b"[]",
    "array-around": f"[{TEXT}]".encode(),
    "nothing": b"{}x",
    "bom": b"\xef\xbb\xbf" + TEXT.encode(),
    "utf-16": TEXT.encode("utf-16"),
    "utf-16-le": TEXT.encode("utf-16-le"),
    "utf-32-be": TEXT.encode("utf-32-be"),
    "utf-7-byte": b"+AHs-" + TEXT.encode(),
    "latin-1": with_member('"name":"\u00fc"').decode().encode("latin-1"),
    "overlong": TEXT.encode().replace(b"user-1", b"user-\xc0\xb1"),
    "raw-surrogate": TEXT.encode().replace(b"user-1", b"\xed\xa0\x80"),
    "beyond-unicode": TEXT.encode().replace(b"user-1", b"\xf5\x80\x80\x80"),
    "cut-character": TEXT.encode().replace(b"user-1", b"\xe2\x82"),
    "escaped-surrogate": TEXT.encode().replace(b"user-1", b"\\ud800"),
    "escaped-surrogates-swapped": TEXT.encode().replace(b"user-1", b"\\udc00\\ud800"),
    "surrogate-in-name": with_member('"\\udfff":1'),
    "surrogate-deep": with_member('"a":[{"b":["\\ud834"]}]'),
    "raw-control": TEXT.encode().replace(b"user-1", b"user\n1"),
    "raw-nul": TEXT.encode().replace(b"user-1", b"user\x001"),
    "bad-escape": TEXT.encode().replace(b"user-1", b"\\x41"),
    "short-escape": TEXT.encode().replace(b"user-1", b"\\u12"),
    "single-quotes": TEXT.replace('"', "'").encode(),
    "trailing-comma": f"{TEXT[:-1]},}}".encode(),
    "leading-comma": f"{{,{TEXT[1:]}".encode(),
    "comment": f"{TEXT[:-1]}/* */}}".encode(),
    "line-comment": f"{TEXT}//".encode(),
    "two-objects": f"{TEXT}{TEXT}".encode(),
    "two-objects-apart": f"{TEXT}\n{TEXT}".encode(),
    "nul-after": TEXT.encode() + b"\0",
    "form-feed": b"\x0c" + TEXT.encode(),
    "no-break-space": "\u00a0".encode() + TEXT.encode(),
    "line-separator": TEXT.encode() + "\u2028".encode(),
    "cut": TEXT[:-1].encode(),
    "NaN": with_member('"a":NaN'),
    "Infinity": with_member('"a":Infinity'),
    "minus-infinity": with_member('"a":-Infinity'),
    "overflow": with_member('"a":1e999'),
    "overflow-deep": with_member('"a":[[-1e309]]'),
    "hex": with_member('"a":0x10'),
    "leading-zero": with_member('"a":01'),
    "plus": with_member('"a":+1'),
    "half-number": with_member('"a":1.'),
    "fullwidth-digit": with_member('"a":\uff11'),
    "True": with_member('"a":True'),
    "undefined": with_member('"a":undefined'),
    "bare-name": with_member("a:1"),
    "number-name": with_member("1:1"),
    "huge-integer": with_member('"a":' + "9" * 5000),
    "beyond-2-53": with_member(f'"a":{2**53 + 1}'),
    "twice": with_member(f'"iss":"{EVIL}"'),
    "twice-the-same": with_member(f'"iss":"{FORGE.issuer}"'),
    "twice-escaped": with_member(f'"\\u0069ss":"{EVIL}"'),
    "twice-escaped-in-full": with_member('"\\u0073\\u0075\\u0062":"root"'),
    "twice-escaped-slash": with_member('"a/b":1,"a\\/b":2'),
    "twice-deep": with_member('"a":[{"b":{"c":1,"c":1}}]'),
    "twice-empty-name": with_member('"":1,"":2'),
    "deep": with_member('"a":' + "[" * 16 + "]" * 16),
    "deep-objects": with_member('"a":' + '{"a":' * 16 + "1" + "}" * 16),
    "very-deep": b"[" * 5000,
    "many-members": json.dumps({**GOOD, **dict.fromkeys(map(str, range(257)))}).encode(),
}


@pytest.mark.parametrize("name", PAYLOADS)
def test_claims_that_are_not_strict_json(name: str) -> None:
    """R-HDR-09, F52: signed by the right key or not, claims that are not one strict JSON object are refused."""
    target = Target()
    target.refuses(signed(PAYLOADS[name]), Reason.MALFORMED)
    target.refuses(FORGE.sign(PAYLOADS[name], key=KEY, signature=b""), Reason.MALFORMED)


HEADERS = {
    "empty": b"",
    "null": b"null",
    "array": b'["alg","ES256"]',
    "string": b'"ES256"',
    "bom": b'\xef\xbb\xbf{"alg":"ES256","kid":"k1","typ":"at+jwt"}',
    "utf-16": '{"alg":"ES256","kid":"k1","typ":"at+jwt"}'.encode("utf-16"),
    "latin-1": '{"alg":"ES256","kid":"k1","typ":"at+jwt","x":"\u00fc"}'.encode("latin-1"),
    "two": b'{"alg":"ES256","kid":"k1","typ":"at+jwt"}{}',
    "alg-twice": b'{"alg":"none","alg":"ES256","kid":"k1","typ":"at+jwt"}',
    "alg-escaped": b'{"alg":"ES256","\\u0061lg":"none","kid":"k1","typ":"at+jwt"}',
    "kid-twice": b'{"alg":"ES256","kid":"k1","kid":"k1","typ":"at+jwt"}',
    "typ-escaped": b'{"alg":"ES256","kid":"k1","typ":"at+jwt","t\\u0079p":"jwt"}',
    "crit-escaped-twice": b'{"alg":"ES256","kid":"k1","typ":"at+jwt","a":1,"\\u0061":2}',
    "surrogate": b'{"alg":"ES256","kid":"k1\\ud800","typ":"at+jwt"}',
    "NaN": b'{"alg":"ES256","kid":"k1","typ":"at+jwt","x":NaN}',
    "deep": b'{"alg":"ES256","kid":"k1","typ":"at+jwt","x":' + b"[" * 8 + b"]" * 8 + b"}",
    "very-deep": b"[" * 1000,
    "comment": b'{"alg":"ES256","kid":"k1","typ":"at+jwt"}//',
    "control": b'{"alg":"ES256","kid":"k\n1","typ":"at+jwt"}',
    "long": b'{"alg":"ES256","kid":"k1","typ":"at+jwt","x":"' + b"x" * 1000 + b'"}',
}


@pytest.mark.parametrize("name", HEADERS)
def test_headers_that_are_not_strict_json(name: str) -> None:
    """R-HDR-09, F52: a JOSE header that is not one strict JSON object of at most 1 KiB is a bad header."""
    Target().refuses(signed(header=HEADERS[name]), Reason.BAD_HEADER)


def test_a_hidden_crit_is_found() -> None:
    """R-HDR-08: a parameter spelt with escapes is that parameter."""
    header = b'{"alg":"ES256","kid":"k1","typ":"at+jwt","\\u0063rit":["x"],"x":1}'
    Target().refuses(signed(header=header), Reason.BAD_HEADER)


@pytest.mark.parametrize(
    "payload",
    [
        b" \t\r\n" + TEXT.encode() + b" \n",
        with_member('"a":' + "[" * 15 + "]" * 15),
        with_member('"a":"' + "[{" * 100 + '\\"' * 50 + '"'),
        with_member('"a":"\\ud83d\\ude00"'),
        with_member(f'"a":[{2**53},{-(2**53)},1e2,-0.5,true,null]'),
        with_member('"iss\\u0000":1'),
    ],
)
def test_strict_is_not_narrow(payload: bytes) -> None:
    """R-HDR-09: white space, brackets inside strings, surrogate pairs and fifteen levels are all right."""
    Target().lets_in(signed(payload))


@pytest.mark.parametrize(
    "payload",
    [
        b'"' + b'\\"' * 2950 + b"[" * 17,
        b'{"a":"' + b'\\"' * 2950 + b"[" * 17,
        b'{"a":"' + b"\\\\" * 2950 + b"[" * 17,
        b'{"a":"' + b"\\" * 5901 + b"[" * 17,
        b'"' * 5900 + b"[" * 17,
        b"[" * 16 + b"][" * 2900,
        b'{"a":' * 1000,
        b'{"a":1e' + b"9" * 5800 + b"}",
        b'{"a":-' + b"9" * 5800 + b".5}",
        b'{"a":"' + b"\\ud83d" * 980 + b'"}',
    ],
    ids=range(10),
)
def test_claims_that_are_slow_to_refuse(payload: bytes) -> None:
    """F51, F52: no stranger's 8 KiB keep the event loop busy; a quadratic look at them takes half a second."""
    target = Target()
    forged = FORGE.sign(payload, key=KEY, signature=b"")
    assert len(forged) <= 8192
    spent_s = []
    for _ in range(3):
        start = time.process_time()
        target.refuses(forged, Reason.MALFORMED)
        spent_s.append(time.process_time() - start)
    assert min(spent_s) < 0.1


def test_a_broken_token_is_not_kept_in_its_refusal() -> None:
    """R-OBS-03, F58: the exception that leaves ``verify`` drags no part of the token along, not even as its context."""
    target = Target()
    forged = FORGE.sign(b'{"password":"hunter2"', key=KEY)
    with pytest.raises(Refusal) as refused:
        target.guard.verify(forged, accept="access")
    error: BaseException | None = refused.value
    while error is not None:
        assert "hunter2" not in repr(vars(error)) + repr(error.args)
        error = error.__cause__ or error.__context__


def test_memory_of_refusing_deep_claims() -> None:
    """F51, F52: claims that would nest thousands deep are refused before anything is built of them."""
    target = Target()
    forged = FORGE.sign(b"[" * 5900, key=KEY, signature=b"")
    target.refuses(forged, Reason.MALFORMED)
    tracemalloc.start()
    try:
        target.refuses(b64(b"{}") + b"." + b64(b"[" * 5900) + b".", Reason.BAD_HEADER)
        target.refuses(forged, Reason.MALFORMED)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1024 * 1024
