"""Which keys are too weak to be used, and what is no secret although it has the length of one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from jwtguard import Reason, Refusal
from jwtguard.core.jws import JoseHeader
from jwtguard.core.key_import import Published, import_key_set
from jwtguard.core.keys import KeySet, SkipReason, select_key
from tests.kit.forged_key import b64
from tests.kit.token_forge import TokenForge

FORGE = TokenForge()
RSA: Mapping[str, object] = FORGE.key("RS256").public_jwk()
P25519 = 2**255 - 19
P448 = 2**448 - 2**224 - 1


def selected(key_set: KeySet, alg: str) -> str | Reason:
    """The algorithm and kid of the key that a token of k1 selects, or why none is."""
    try:
        key = select_key(key_set, JoseHeader(alg, "k1", "at+jwt", {}), alg)
    except Refusal as refusal:
        return refusal.reason
    return f"{key.alg} {key.kid}"


def number(value: int) -> str:
    """An integer as a JWK has it."""
    return b64(value.to_bytes((value.bit_length() + 7) // 8)).decode()


def point_of(alg: str, point: bytes) -> KeySet:
    """The key set of one Edwards point."""
    jwk = {"kty": "OKP", "crv": alg, "x": b64(point).decode(), "kid": "k1"}
    return import_key_set([jwk], (alg,), Published.FETCHED)


def rsa_of(bits: int, exponent: int = 65537) -> dict[str, object]:
    """An RSA key of so many bits; nobody knows its factors, nor whether it has any."""
    return {**RSA, "n": number((1 << (bits - 1)) | 1), "e": number(exponent)}


@pytest.mark.parametrize(
    ("jwk", "weak"),
    [
        (rsa_of(512), True),
        (rsa_of(2047), True),
        (rsa_of(2048), False),
        ({**RSA, "n": b64(bytes(200) + (1 << 1023).to_bytes(128)).decode()}, True),
        (rsa_of(2048, 3), False),
        (rsa_of(2048, 1), True),
        (rsa_of(2048, 2), True),
        (rsa_of(2048, 65536), True),
        ({**RSA, "e": ""}, True),
        ({**RSA, "e": "AA"}, True),
    ],
)
def test_R_ALG_07_rsa_below_the_floor_is_weak(jwk: dict[str, object], *, weak: bool) -> None:
    """R-ALG-07: an RSA key below 2048 bits, padding not counted, or with an exponent even or below 3 is weak."""
    key_set = import_key_set([jwk], ("RS256",), Published.FETCHED)
    assert selected(key_set, "RS256") == (Reason.WEAK_KEY if weak else "RS256 k1")
    assert [skipped.reason for skipped in key_set.skipped] == [SkipReason.WEAK] * weak


@pytest.mark.parametrize(
    ("alg", "size", "weak"),
    [(f"HS{bits}", bits // 8 - short, bool(short)) for bits in (256, 384, 512) for short in (0, 1)]
    + [("HS256", 0, True), ("HS512", 32, True)],
)
def test_R_ALG_07_a_secret_shorter_than_the_hash_is_weak(alg: str, size: int, *, weak: bool) -> None:
    """R-ALG-07: an HMAC secret must be at least as long as the hash."""
    jwk = {"kty": "oct", "k": b64(bytes(range(size))).decode(), "kid": "k1"}
    key_set = import_key_set([jwk], (alg,), Published.INLINE)
    assert selected(key_set, alg) == (Reason.WEAK_KEY if weak else f"{alg} k1")


def small_order_25519() -> list[bytes]:
    """Every encoding of the Ed25519 points of order 1, 2, 4 and 8, canonical or not."""
    order_8 = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"
    ys = [0, 1, P25519 - 1, P25519, P25519 + 1]
    y8 = int.from_bytes(bytes.fromhex(order_8), "little")
    return [(y | sign << 255).to_bytes(32, "little") for y in (*ys, y8, P25519 - y8) for sign in (0, 1)]


def small_order_448() -> list[bytes]:
    """Every encoding of the Ed448 points of order 1, 2 and 4, canonical or not."""
    return [(y | sign << 455).to_bytes(57, "little") for y in (0, 1, P448 - 1, P448, P448 + 1) for sign in (0, 1)]


@pytest.mark.parametrize("point", small_order_25519(), ids=bytes.hex)
def test_R_ALG_07_an_ed25519_point_of_small_order_is_no_key(point: bytes) -> None:
    """R-ALG-07: a key of small order is refused: a constant would verify as its signature for any message."""
    assert selected(point_of("Ed25519", point), "Ed25519") is Reason.WEAK_KEY


@pytest.mark.parametrize("alg", ["Ed25519", "Ed448"])
def test_R_ALG_07_no_constant_is_a_signature(alg: str) -> None:
    """R-ALG-07: under no key of small order that is let in does a point with a zero scalar sign every message."""
    points = small_order_25519() if alg == "Ed25519" else small_order_448()
    for point in points:
        for key in point_of(alg, point).live:
            forgeries = [r + bytes(len(point)) for r in points]
            messages = [bytes([n]) for n in range(16)]
            assert not [f for f in forgeries if all(key.verify(message, f) for message in messages)], point.hex()


def certificate(version: bytes = b"\x02") -> bytes:
    """A certificate in DER, whose version field says what the test wants."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "login.example.com")])
    builder = x509.CertificateBuilder(name, name, private.public_key(), 7)
    day = datetime(2026, 1, 1, tzinfo=UTC)
    made = builder.not_valid_before(day).not_valid_after(day.replace(year=2027)).sign(private, hashes.SHA256())
    marker = b"\xa0\x03\x02\x01"
    return made.public_bytes(Encoding.DER).replace(marker + b"\x02", marker + version, 1)


def key_texts() -> dict[str, bytes]:
    """What somebody may have at hand who wants to verify by a public key."""
    private = FORGE.key("RS256").private
    elliptic = FORGE.key("ES256").private
    edwards = FORGE.key("Ed25519").private
    assert isinstance(private, rsa.RSAPrivateKey)
    assert not isinstance(elliptic, bytes)
    assert not isinstance(edwards, bytes)
    public = private.public_key()
    ssh = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return {
        "pem": pem,
        "pem after a line": b"Key of the login server\n" + pem,
        "pem pkcs1": public.public_bytes(Encoding.PEM, PublicFormat.PKCS1),
        "pem private": private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        "der": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "der pkcs1": public.public_bytes(Encoding.DER, PublicFormat.PKCS1),
        "der ec": elliptic.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "ssh rsa": ssh,
        "ssh rsa indented": b"  " + ssh,
        "ssh rsa with options": b"no-pty,no-X11-forwarding " + ssh,
        "ssh security key": b"sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIA==",
        "ssh ed25519": edwards.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
        "ssh ecdsa": elliptic.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
        "ssh2": b"---- BEGIN SSH2 PUBLIC KEY ----\n" + ssh.split()[1] + b"\n---- END SSH2 PUBLIC KEY ----",
        "certificate pem": x509.load_der_x509_certificate(certificate()).public_bytes(Encoding.PEM),
        "certificate der": certificate(),
        "certificate of a version unknown": certificate(b"\x05"),
        "jwk": b'{"kty": "RSA", "n": "' + b"A" * 342 + b'", "e": "AQAB"}',
        "jwks": b'\n{ "keys": [{"kty": "RSA", "n": "' + b"A" * 342 + b'", "e": "AQAB"}]}',
    }


@pytest.mark.parametrize("kind", key_texts())
def test_R_ALG_05_the_text_of_a_key_is_no_secret(kind: str) -> None:
    """R-ALG-05: what looks like a key, a certificate or a JWK set in text or DER cannot be loaded as an HMAC secret."""
    jwk = {"kty": "oct", "k": b64(key_texts()[kind]).decode(), "kid": "k1"}
    key_set = import_key_set([jwk], ("HS256",), Published.INLINE)
    assert not key_set.live
    assert {skipped.reason for skipped in key_set.skipped} <= {SkipReason.WEAK, SkipReason.MALFORMED}
