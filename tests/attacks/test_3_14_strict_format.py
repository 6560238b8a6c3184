"""RFC 8725 successor, section 3.14: compact serialisation in its one spelling, in one field, once."""

from __future__ import annotations

import base64
import json

import pytest

from jwtguard import Reason, cookie
from jwtguard.core.endpoint import BEARER
from tests.attacks.target import KEY, Target, signed
from tests.kit.asgi_calls import Fields
from tests.kit.forged_key import b64
from tests.kit.guarded import FORGE, bearer, protected

TOKEN = signed(note="???>>>~~~\x7f\x7f")  # its base64url has characters that base64 has not, wherever they fall
HEAD, PAYLOAD, SIGNATURE = TOKEN.split(b".")


def text(segment: bytes) -> str:
    """A segment, for JSON."""
    return segment.decode()


JSON_FORMS = {
    "flattened": {"protected": text(HEAD), "payload": text(PAYLOAD), "signature": text(SIGNATURE)},
    "general": {"payload": text(PAYLOAD), "signatures": [{"protected": text(HEAD), "signature": text(SIGNATURE)}]},
    "unprotected": {"header": {"alg": "none"}, "payload": text(PAYLOAD), "signature": ""},
    "confused": {"protected": text(HEAD), "payload": text(b64(b'{"sub":"root"}')), "x": text(TOKEN)},
}


@pytest.mark.parametrize("name", JSON_FORMS)
def test_json_serialisation(name: str) -> None:
    """R-EXT-07: JSON serialisation is refused before any claim is read; the compact token inside it is not found."""
    plain = json.dumps(JSON_FORMS[name], separators=(",", ":")).encode()
    Target().refuses(plain, Reason.MALFORMED_CREDENTIALS)
    Target().refuses(plain.replace(b",", b";"), Reason.MALFORMED)
    Target().refuses(b64(json.dumps(JSON_FORMS[name]).encode()), Reason.MALFORMED)


def respelt() -> dict[str, bytes]:
    """The good token in spellings that lenient decoders read as the same."""
    standard = base64.b64encode(base64.urlsafe_b64decode(PAYLOAD + b"=="))
    return {
        "padded-header": HEAD + b"=" * (-len(HEAD) % 4 or 4) + b"." + PAYLOAD + b"." + SIGNATURE,
        "padded-signature": TOKEN + b"=" * (-len(SIGNATURE) % 4 or 4),
        "one-equals": TOKEN + b"=",
        "standard-payload": HEAD + b"." + standard + b"." + SIGNATURE,
        "quoted": b'"' + TOKEN + b'"',
        "single-quoted": b"'" + TOKEN + b"'",
        "angle": b"<" + TOKEN + b">",
        "newline": TOKEN + b"\n",
        "carriage-return": TOKEN + b"\r",
        "newline-inside": HEAD + b"\n." + PAYLOAD + b"." + SIGNATURE,
        "nul": TOKEN + b"\0",
        "nul-inside": HEAD + b".\0" + PAYLOAD + b"." + SIGNATURE,
        "nul-before": b"\0" + TOKEN,
        "vertical-tab": TOKEN + b"\x0b",
        "latin-1": TOKEN + b"\xe9",
        "no-break-space": TOKEN + b"\xa0",
        "utf-8-bom": b"\xef\xbb\xbf" + TOKEN,
        "fullwidth-dot": "\uff0e".encode().join([HEAD, PAYLOAD, SIGNATURE]),
        "percent": TOKEN.replace(b".", b"%2E"),
        "trailing-dot": TOKEN + b".",
        "leading-dot": b"." + TOKEN,
        "two-dots": HEAD + b".." + PAYLOAD + b"." + SIGNATURE,
        "plus": TOKEN + b"+",
        "slash": TOKEN + b"/",
        "tilde": TOKEN + b"~",
        "semicolon": TOKEN + b";q=1",
        "backslash": TOKEN + b"\\",
        "scheme-twice": b"Bearer" + TOKEN,
        "upper": TOKEN.upper(),
    }


@pytest.mark.parametrize("name", respelt())
def test_other_spellings_of_a_good_token(name: str) -> None:
    """R-EXT-07, R-EXT-08, F53: one token has one spelling; the others are refused, the good one remembered or not."""
    reasons = (Reason.MALFORMED, Reason.MALFORMED_CREDENTIALS, Reason.BAD_SIGNATURE, Reason.BAD_HEADER)
    target = Target()
    target.refuses(respelt()[name], *reasons)
    target.lets_in(TOKEN)
    target.refuses(respelt()[name], *reasons)


def test_loose_bits_at_the_end_of_every_segment() -> None:
    """R-EXT-08, F53: the unused bits of a last character are zero; all other characters there are refused."""
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    target = Target()
    seen = 0
    for place, segment in enumerate((HEAD, PAYLOAD, SIGNATURE)):
        spare = {2: 16, 3: 4}.get(len(segment) % 4, 1)
        value = alphabet.index(segment[-1])
        for loose in range(1, spare):
            parts = [HEAD, PAYLOAD, SIGNATURE]
            parts[place] = segment[:-1] + bytes([alphabet[value + loose]])
            target.refuses(b".".join(parts), Reason.MALFORMED)
            seen += 1
    assert seen > 0
    target.lets_in(TOKEN)


@pytest.mark.parametrize("length", [1, 5, 9])
def test_segments_of_impossible_length(length: int) -> None:
    """R-EXT-08, F53: no base64url text is one character longer than a multiple of four."""
    for place in range(3):
        parts = [HEAD, PAYLOAD, SIGNATURE]
        parts[place] = b"A" * length
        Target().refuses(b".".join(parts), Reason.MALFORMED)


def twins() -> dict[str, tuple[Fields, Reason]]:
    """Requests with more than one credential, or with one in pieces."""
    good, bad = b"Bearer " + TOKEN, b"Bearer " + signed(exp=1)
    ambiguous, malformed = Reason.AMBIGUOUS_CREDENTIALS, Reason.MALFORMED_CREDENTIALS
    return {
        "good-twice": ([(b"authorization", good), (b"authorization", good)], ambiguous),
        "odd-casing": ([(b"authorization", good), (b"AUTHORIZATION", bad)], ambiguous),
        "odder-casing": ([(b"aUtHoRiZaTiOn", bad), (b"Authorization", good)], ambiguous),
        "basic-first": ([(b"authorization", b"Basic dTpw"), (b"authorization", good)], ambiguous),
        "basic-last": ([(b"Authorization", good), (b"authorization", b"Basic dTpw")], ambiguous),
        "empty-first": ([(b"authorization", b""), (b"Authorization", good)], ambiguous),
        "bearer-twice": ([(b"authorization", b"Bearer " + good)], malformed),
        "comma": ([(b"authorization", good + b"," + good)], malformed),
        "comma-space": ([(b"authorization", good + b", " + good)], malformed),
        "trailing": ([(b"authorization", good + b" x")], malformed),
        "tab-inside": ([(b"authorization", good + b"\tx")], malformed),
        "tab-after-space": ([(b"authorization", b"Bearer \t" + TOKEN)], malformed),
        "bare": ([(b"authorization", b"Bearer")], malformed),
        "bare-spaces": ([(b"authorization", b"  bearer   ")], malformed),
        "parameters": ([(b"authorization", b'Bearer token="' + TOKEN + b'", realm=x')], malformed),
        "other-scheme": ([(b"authorization", b"Token " + TOKEN)], Reason.MISSING_TOKEN),
        "no-scheme": ([(b"authorization", TOKEN)], Reason.MISSING_TOKEN),
        "no-space": ([(b"authorization", b"Bearer" + TOKEN)], Reason.MISSING_TOKEN),
        "tab-for-space": ([(b"authorization", b"Bearer\t" + TOKEN)], Reason.MISSING_TOKEN),
        "nul-for-space": ([(b"authorization", b"Bearer\0" + TOKEN)], Reason.MISSING_TOKEN),
        "latin-1-space": ([(b"authorization", b"Bearer\xa0" + TOKEN)], Reason.MISSING_TOKEN),
        "colon": ([(b"authorization", b"Bearer: " + TOKEN)], Reason.MISSING_TOKEN),
        "dpop": ([(b"authorization", b"DPoP " + TOKEN)], Reason.MISSING_TOKEN),
        "field-with-space": ([(b"authorization ", good)], Reason.MISSING_TOKEN),
        "field-with-nul": ([(b"authorization\0", good)], Reason.MISSING_TOKEN),
        "field-underscore": ([(b"http_authorization", good)], Reason.MISSING_TOKEN),
    }


@pytest.mark.parametrize("name", twins())
def test_credentials_that_are_not_exactly_one(name: str) -> None:
    """R-EXT-02, R-EXT-03, F62: two fields, two tokens, trailing data and other schemes are refused, in any casing."""
    headers, reason = twins()[name]
    Target().refuses_request(headers, reason)


def test_header_and_cookie() -> None:
    """R-EXT-03, F62: tokens in two declared places are ambiguous, whichever of them is good."""
    target = Target(protected("/reports", carriers=(BEARER, cookie("at"))))
    good, bad = TOKEN, signed(exp=1)
    for one, other in ((good, good), (good, bad), (bad, good), (good, b"x")):
        target.refuses_request([bearer(one), (b"cookie", b"at=" + other)], Reason.AMBIGUOUS_CREDENTIALS)
        target.refuses_request([(b"COOKIE", b"a=b; at=" + other), bearer(one)], Reason.AMBIGUOUS_CREDENTIALS)
    target.refuses_request([bearer(good), (b"cookie", b"at=")], Reason.MALFORMED_CREDENTIALS)
    target.refuses_request([(b"cookie", b"at=" + good + b"; at=" + good)], Reason.AMBIGUOUS_CREDENTIALS)
    target.refuses_request([(b"cookie", b"at=" + good), (b"cookie", b"at=" + bad)], Reason.AMBIGUOUS_CREDENTIALS)
    target.lets_in(good)
    assert target.send([(b"cookie", b"AT=x; at=" + good + b"; att=y")]).status == 200


@pytest.mark.parametrize(
    "value", [b"AT=%s", b"at =%s", b"at%%3D%s", b"%s", b"__Host-at=%s", b"xat=%s", b"at[]=%s", b'"at"=%s', b"$at=%s"]
)
def test_cookies_with_almost_the_name(value: bytes) -> None:
    """R-EXT-01, F62: a cookie of another name is no credential, whatever a lenient parser would make of it."""
    target = Target(protected("/reports", carriers=(cookie("at"),)))
    target.refuses_request([(b"cookie", value.replace(b"%s", TOKEN))], Reason.MISSING_TOKEN)


@pytest.mark.parametrize("value", [b'"%s"', b" %s", b"%s,", b"%s x", b"Bearer %s", b"%s%%00", b"\xef\xbb\xbf%s"])
def test_cookies_with_more_than_a_token(value: bytes) -> None:
    """R-EXT-07: a quoted, spaced or prefixed token in a cookie is not the token."""
    target = Target(protected("/reports", carriers=(cookie("at"),)))
    target.refuses_request([(b"cookie", b"at=" + value.replace(b"%s", TOKEN))], Reason.MALFORMED, Reason.BAD_SIGNATURE)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_cookies_on_unsafe_methods(method: str) -> None:
    """R-STO-03, F63: a cookie alone changes nothing: any site can make a browser send it."""
    target = Target(protected("/reports", carriers=(cookie("at"),)))
    target.refuses_request([(b"cookie", b"at=" + TOKEN)], Reason.CSRF, method=method)


def test_a_cookie_on_a_handshake() -> None:
    """R-EXT-12, F61: a handshake with a token cookie is refused, since any site can make a browser send one."""
    target = Target(protected("WEBSOCKET /reports", carriers=(BEARER, cookie("at"))))
    call = target.handshake([(b"cookie", b"at=" + TOKEN)])
    assert (call.status, target.reason) == (403, Reason.CSRF)
    assert not target.probe.scopes
    assert target.handshake([bearer(TOKEN)]).types[0] == "websocket.accept"


def test_the_token_in_other_parts_of_a_handshake() -> None:
    """R-EXT-01, F61: neither subprotocols nor the query carry a token."""
    target = Target(protected("WEBSOCKET /reports"))
    for field in ((b"sec-websocket-protocol", b"bearer, " + TOKEN), (b"sec-websocket-key", TOKEN)):
        assert target.handshake([field]).status == 401
        assert target.reason is Reason.MISSING_TOKEN
    assert not target.probe.scopes


def test_a_signature_with_the_token_of_a_friend() -> None:
    """R-EXT-08: segments of two good tokens make no third."""
    target = Target()
    other = FORGE.sign(FORGE.access_claims(sub="user-2"), key=KEY).split(b".")
    target.lets_in(TOKEN)
    target.refuses(b".".join([HEAD, other[1], SIGNATURE]), Reason.BAD_SIGNATURE)
    target.refuses(b".".join([other[0], PAYLOAD, other[2]]), Reason.BAD_SIGNATURE)
