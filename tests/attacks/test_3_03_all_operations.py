"""RFC 8725, section 3.3: every cryptographic operation is validated, and the whole token with it."""

from __future__ import annotations

import json

import pytest

from jwtguard import Reason
from tests.attacks.target import KEY, Target, issuer_of, signed
from tests.kit.forged_key import ForgedKey, b64
from tests.kit.guarded import FORGE, bearer
from tests.kit.token_forge import sign_bytes

ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def test_every_character_counts() -> None:
    """R-HDR-13, F13: whichever character of a good token is changed, it is refused, remembered twin or not."""
    target = Target()
    token = signed()
    target.lets_in(token)
    for place, old in enumerate(token):
        new = ALPHABET[(ALPHABET.index(old) + 1) % 64] if old in ALPHABET else ord("A")
        forged = token[:place] + bytes([new]) + token[place + 1 :]
        assert target.send([bearer(forged)]).status == 401, place
    assert len(target.probe.scopes) == 1


def test_every_cut_counts() -> None:
    """R-EXT-07: no beginning of a good token is good."""
    target = Target()
    token = signed()
    assert not [end for end in range(1, len(token)) if target.send([bearer(token[:end])]).status != 401]
    assert not target.probe.scopes


@pytest.mark.parametrize("fill", [b"\0", b"\x01", b"\xff", b"\x30"])
@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256", "ES512", "Ed25519", "Ed448"])
def test_signatures_of_any_length(alg: str, fill: bytes) -> None:
    """F54: a dummy signature of any length is a bad signature and no foreign exception."""
    key = FORGE.key(alg)
    target = Target(issuers=[issuer_of(key)])
    for length in (*range(150), 255, 256, 257, 512):
        target.refuses(FORGE.sign(FORGE.access_claims(), key=key, signature=fill * length), Reason.BAD_SIGNATURE)


@pytest.mark.parametrize("alg", ["RS256", "ES256", "Ed25519"])
def test_the_signature_of_another_token(alg: str) -> None:
    """F13: a good signature is good for its own header and claims alone."""
    key = FORGE.key(alg)
    target = Target(issuers=[issuer_of(key)])
    one, other = signed(key=key, sub="user-1"), signed(key=key, sub="root")
    target.lets_in(one)
    target.lets_in(other)
    for first, second in ((one, other), (other, one)):
        forged = first.rpartition(b".")[0] + b"." + second.rpartition(b".")[2]
        target.refuses(forged, Reason.BAD_SIGNATURE)


def test_a_signature_over_something_else() -> None:
    """F13: what is signed is the text as it was sent: not the claims alone, not the decoded bytes."""
    target = Target()
    signing_input = signed().rpartition(b".")[0]
    head, _, payload = signing_input.partition(b".")
    for data in (
        payload,
        head,
        head + payload,
        payload + b"." + head,
        signing_input + b".",
        b"",
        signing_input.lower(),
    ):
        signature = sign_bytes(data, KEY.private, "ES256")
        target.refuses(signing_input + b"." + b64(signature), Reason.BAD_SIGNATURE)


def test_the_key_of_somebody_else() -> None:
    """F13: a stranger's key under the right kid, right type and right algorithm is a bad signature."""
    for alg in ("RS256", "ES256", "Ed25519"):
        stranger = ForgedKey(alg, "k1", FORGE.key(alg, "stranger").private)
        Target(issuers=[issuer_of(FORGE.key(alg))]).refuses(signed(key=stranger), Reason.BAD_SIGNATURE)


def test_a_token_inside_a_token() -> None:
    """R-HDR-10, F55: a nested token is refused, good inside and out, however ``cty`` spells it."""
    inner = signed()
    target = Target()
    for cty in ("JWT", "jwt", "application/jwt", "APPLICATION/JWT", "Jwt"):
        target.refuses(signed(header={"cty": cty}), Reason.BAD_HEADER)
        target.refuses(signed(inner, header={"cty": cty}), Reason.BAD_HEADER)
    misshapen: list[object] = [["JWT"], {"a": "JWT"}, 1, True]
    for value in misshapen:
        target.refuses(signed(header={"cty": value}), Reason.BAD_HEADER)
    target.refuses(signed(inner), Reason.MALFORMED)


def test_claims_that_only_the_payload_of_the_inner_token_holds() -> None:
    """R-HDR-10: a token in a claim vouches for nothing."""
    stranger = ForgedKey("ES256", "k1", FORGE.key("ES256", "stranger").private)
    inner = signed(key=stranger).decode()
    Target().refuses(signed({"iss": FORGE.issuer, "token": inner}), Reason.MISSING_CLAIM)


@pytest.mark.parametrize("segments", [1, 2, 4, 5, 6, 100])
def test_any_number_of_segments_but_three(segments: int) -> None:
    """R-EXT-07, F55: one segment, two, four, and the five of a JWE are not parsed at all."""
    token = b".".join([signed().split(b".")[0]] * segments)
    Target().refuses(token, Reason.MALFORMED)


def test_unencoded_and_detached_payloads() -> None:
    """R-HDR-08, F55: neither ``b64: false`` nor a payload that travels elsewhere is accepted (RFC 7797)."""
    target = Target()
    claims = json.dumps(FORGE.access_claims()).encode()
    head = b64(json.dumps({"alg": "ES256", "kid": "k1", "typ": "at+jwt", "b64": False, "crit": ["b64"]}).encode())
    plain = head + b"." + b64(claims) + b"." + b64(sign_bytes(head + b"." + claims, KEY.private, "ES256"))
    target.refuses(plain, Reason.BAD_HEADER)
    head, _, signature = signed().split(b".")
    target.refuses(head + b".." + signature, Reason.MALFORMED)


@pytest.mark.parametrize(
    "crit",
    [
        ["exp"],
        [],
        ["b64"],
        "exp",
        None,
        {},
        ["alg"],
        ["http://example.com/unknown"],
        [""],
        [None],
        ["exp", "exp"],
        True,
    ],
    ids=repr,
)
def test_critical_extensions(crit: object) -> None:
    """R-HDR-08, F55: nothing critical is understood here, so nothing critical is accepted."""
    header: dict[str, object] = {"crit": crit, "exp": 1, "http://example.com/unknown": True}
    Target().refuses(signed(header=header), Reason.BAD_HEADER)


def test_a_critical_header_is_refused_also_after_its_twin_was_remembered() -> None:
    """R-HDR-08: the header cache keeps headers of verified tokens, and such a one never gets there."""
    target = Target()
    target.lets_in(signed())
    forged = signed(header={"crit": ["x"], "x": 1})
    for _ in range(2):
        target.refuses(forged, Reason.BAD_HEADER)
