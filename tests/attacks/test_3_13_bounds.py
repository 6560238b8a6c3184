"""RFC 8725 successor, section 3.13: what is large is refused before it is unpacked, split or copied."""

from __future__ import annotations

import gc
import json
import tracemalloc
import zlib
from collections.abc import Callable

import pytest

from jwtguard import Reason, cookie
from tests.attacks.target import KEY, Target, signed
from tests.kit.asgi_calls import Fields
from tests.kit.forged_key import b64
from tests.kit.guarded import FORGE, bearer, optional, protected

MIB = 1024 * 1024
CARRIED: dict[str, tuple[Callable[[], bytes], Reason]] = {
    "64-MiB-token": (lambda: b"Bearer " + b"a" * (64 * MIB), Reason.TOO_LARGE),
    "a-million-dots": (lambda: b"Bearer " + b"." * MIB, Reason.TOO_LARGE),
    "a-million-commas": (lambda: b"Bearer " + b"," * MIB, Reason.TOO_LARGE),
    "a-million-spaces": (lambda: b"Bearer" + b" " * MIB + b"x", Reason.TOO_LARGE),
    "a-million-bearers": (lambda: b"Bearer " * MIB, Reason.TOO_LARGE),
    "a-million-tabs": (lambda: b"Bearer \t" + b"\t" * MIB, Reason.TOO_LARGE),
    "a-million-nuls": (lambda: b"bEARER " + b"\0" * MIB, Reason.TOO_LARGE),
    "another-scheme": (lambda: b"Negotiate " + b"a" * (64 * MIB), Reason.MISSING_TOKEN),
    "no-scheme": (lambda: b"a" * (64 * MIB), Reason.MISSING_TOKEN),
    "one-too-many": (lambda: b"Bearer " + b"a" * 8193, Reason.TOO_LARGE),
    "dots-just-in": (lambda: b"Bearer " + b"." * 8192, Reason.MALFORMED),
}


def peak_of(work: Callable[[], object]) -> int:
    """How much memory was taken at the most while it ran."""
    work()
    gc.collect()
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", CARRIED)
def test_large_credentials(name: str) -> None:
    """R-EXT-06, F51: beyond 8 KiB nothing is parsed, split or copied: the answer takes less than 256 KiB."""
    make, reason = CARRIED[name]
    value = make()
    target = Target()
    peak = peak_of(lambda: target.refuses_request([(b"authorization", value)], reason))
    assert peak < MIB // 4  # most of it is the event loop that the test starts


@pytest.mark.parametrize("fields", [10, 1000])
def test_many_credentials(fields: int) -> None:
    """R-EXT-03, F51, F62: a thousand fields are as ambiguous as two."""
    Target().refuses_request([bearer(signed())] * fields, Reason.AMBIGUOUS_CREDENTIALS)
    headers: Fields = [(b"authorization", b"Basic x")] * fields
    Target().refuses_request(headers, Reason.AMBIGUOUS_CREDENTIALS)


def test_a_field_of_empty_cookies() -> None:
    """R-EXT-06, F51: a cookie field of 64 KiB is not taken apart into objects of a hundred times its size."""
    target = Target(protected("/reports", carriers=(cookie("at"),)))
    field = (b"cookie", b";" * 65_536)
    assert peak_of(lambda: target.refuses_request([field], Reason.MISSING_TOKEN)) < MIB


def test_many_fields_of_cookies() -> None:
    """R-EXT-06, F51: cookies may be spread over fields, and all of them together are bounded as one field is."""
    target = Target(protected("/reports", carriers=(cookie("at"),)))
    target.refuses_request([(b"cookie", b";" * 60_000)] * 16, Reason.TOO_LARGE)
    crumbs = [(b"cookie", b"a=b"), (b"cookie", b"at=" + signed())]
    assert target.send(crumbs).status == 200


@pytest.mark.parametrize(
    "scheme", [b"Bearer ", b"bearer   ", b"  Bearer ", b" " * 100 + b"Bearer ", b" " * 5000 + b"Bearer "]
)
def test_a_large_token_is_not_taken_for_none(scheme: bytes) -> None:
    """R-POL-09, F51: where a token is optional, one too long to look at is refused and does not count as absent."""
    target = Target(optional("/reports"))
    target.refuses_request([(b"authorization", scheme + b"a" * MIB)], Reason.TOO_LARGE)


def test_a_bomb_in_a_jwe() -> None:
    """R-HDR-11, F55: a compressed JWE that would inflate to 64 MiB is refused with nothing inflated."""
    packer = zlib.compressobj(9, wbits=-15)
    bomb = packer.compress(bytes(5 * MIB)) + packer.flush()
    header = b64(json.dumps({"alg": "dir", "enc": "A128GCM", "zip": "DEF"}).encode())
    token = b".".join([header, b"", b64(bytes(12)), b64(bomb), b64(bytes(16))])
    assert len(token) < 8192
    target = Target()
    assert peak_of(lambda: target.refuses(token, Reason.MALFORMED)) < MIB // 4


def test_a_bomb_in_a_jws() -> None:
    """R-HDR-11, F55: a well-signed JWS that says its payload is deflated is refused with nothing inflated."""
    packer = zlib.compressobj(9, wbits=-15)
    bomb = packer.compress(bytes(4 * MIB)) + packer.flush()
    token = FORGE.sign(bomb, key=KEY, header={"zip": "DEF"})
    target = Target()
    assert peak_of(lambda: target.refuses(token, Reason.BAD_HEADER)) < MIB // 4


def test_a_large_header_is_not_parsed() -> None:
    """F52: a JOSE header beyond 1 KiB is refused, though the token as a whole is within its bound."""
    Target().refuses(signed(header={"x": "y" * 1024}), Reason.BAD_HEADER)
    Target().refuses(signed(header={"x": ["y"] * 300}), Reason.BAD_HEADER)
    Target().lets_in(signed(header={"x": "y" * 900}))


def test_large_claims_within_the_bound() -> None:
    """R-EXT-06: a token of exactly 8 KiB is still read, one byte more is not."""
    pad = 8192 - len(signed(pad=""))
    tokens = [signed(pad="x" * length) for length in range(pad * 3 // 4 - 4, pad * 3 // 4 + 4)]
    target = Target()
    assert {len(token) > 8192 for token in tokens} == {True, False}
    for token in tokens:
        if len(token) > 8192:
            target.refuses(token, Reason.TOO_LARGE)
        else:
            target.lets_in(token)


def test_what_strangers_send_is_not_remembered() -> None:
    """F57: refused tokens take up no memory that outlives their request."""
    target = Target()
    snapshot = target.guard.snapshot
    target.lets_in(signed())
    before = len(snapshot.context.memory), len(snapshot.context.headers)
    for number in range(200):
        target.refuses(signed(header={"kid": f"k-{number}"}), Reason.NO_KEY)
        target.refuses(
            FORGE.sign(FORGE.access_claims(), key=KEY, header={"n": number}, signature=b""), Reason.BAD_SIGNATURE
        )
    assert (len(snapshot.context.memory), len(snapshot.context.headers)) == before
