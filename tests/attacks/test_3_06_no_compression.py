"""RFC 8725, section 3.6: nothing compressed is read, so nothing leaks by length and nothing inflates."""

from __future__ import annotations

import gzip
import json
import zlib

import pytest

from jwtguard import Reason
from tests.attacks.target import Target, signed
from tests.kit.forged_key import b64
from tests.kit.guarded import FORGE, bearer


def deflated() -> bytes:
    """A claims set as a compressing issuer would send it."""
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(json.dumps(FORGE.access_claims()).encode()) + packer.flush()


@pytest.mark.parametrize("zip_", ["DEF", "def", "GZIP", "", None, 1, ["DEF"], False], ids=repr)
def test_zip_in_any_form(zip_: object) -> None:
    """R-HDR-11, F55: a ``zip`` parameter is refused whatever it says, over a plain payload and a compressed one."""
    target = Target()
    target.refuses(signed(header={"zip": zip_}), Reason.BAD_HEADER)
    target.refuses(signed(deflated(), header={"zip": zip_}), Reason.BAD_HEADER)


@pytest.mark.parametrize("pack", [zlib.compress, gzip.compress], ids=["zlib", "gzip"])
def test_compressed_claims_without_saying_so(pack: object) -> None:
    """R-HDR-11: compressed claims are no JSON, and nobody guesses."""
    assert callable(pack)
    data = pack(json.dumps(FORGE.access_claims()).encode())
    assert isinstance(data, bytes)
    target = Target()
    target.refuses(signed(data), Reason.MALFORMED)
    target.refuses(signed(deflated()), Reason.MALFORMED)


def test_a_compressed_jwe() -> None:
    """R-HDR-11, F55: a five-part token is refused before its header is read."""
    header = json.dumps({"alg": "dir", "enc": "A128GCM", "zip": "DEF"}).encode()
    token = b".".join([b64(header), b"", b64(bytes(12)), b64(deflated()), b64(bytes(16))])
    Target().refuses(token, Reason.MALFORMED)


def test_content_encodings_of_the_request() -> None:
    """R-HDR-11: a request that says its fields or its body are compressed is judged by the same token as ever."""
    target = Target()
    for encoding in (b"gzip", b"deflate", b"br"):
        fields = [(b"content-encoding", encoding), (b"transfer-encoding", encoding)]
        assert target.send([*fields, bearer(signed())]).status == 200
        target.refuses_request(
            [*fields, bearer(gzip.compress(signed()))], Reason.MALFORMED, Reason.MALFORMED_CREDENTIALS
        )
