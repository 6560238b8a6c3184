"""The strict parser of compact JWS: one token has one accepted spelling (RFC 7515, sections 3 and 4).

Three segments of canonical base64url, a strict JSON header, nothing critical. What comes out is
unverified: its type shows ``alg``, ``kid``, ``typ`` and ``unverified_issuer`` and nothing more, and
those only choose configuration (R-CLM-01). Header parameters never supply a key (R-HDR-01).
"""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import NoReturn

from jwtguard.core.limits import Limits
from jwtguard.core.request import Token
from jwtguard.core.strict_json import JsonObject, JsonValue, json_reader
from jwtguard.errors import Reason, Refusal

# "+", "/" and "=" map to a byte that no base64 alphabet holds, so the strict decoder refuses them.
_TO_BASE64 = bytes.maketrans(b"-_+/=", b"+/!!!")
_PADDING = (b"", b"", b"==", b"=")
# The last character of a segment carries unused bits, which must be zero (RFC 4648, section 3.5).
_CANONICAL_END: tuple[frozenset[int], ...] = (
    frozenset(),
    frozenset(),
    frozenset(b"AQgw"),
    frozenset(b"AEIMQUYcgkosw048"),
)
_DOT = 0x2E
_REPLICATED = frozenset({"iss", "sub", "aud"})
_KEY_URLS = frozenset({"jku", "x5u"})
_NOTHING: Mapping[str, JsonValue] = MappingProxyType({})


class JoseHeader:
    """The JOSE header parameters we read, checked for form; ``segment`` is the text they were read from."""

    __slots__ = ("alg", "carries_key", "kid", "replicated", "segment", "typ", "urls")

    def __init__(self, alg: str, kid: str | None, typ: str | None, members: JsonObject) -> None:
        self.segment = b""
        self.alg = alg
        self.kid = kid
        self.typ = typ
        self.carries_key = "jwk" in members
        self.urls = (
            () if _KEY_URLS.isdisjoint(members) else [members[name] for name in sorted(_KEY_URLS & members.keys())]
        )
        self.replicated = _NOTHING
        if not _REPLICATED.isdisjoint(members):
            self.replicated = {name: members[name] for name in _REPLICATED & members.keys()}

    def __repr__(self) -> str:
        """Show the algorithm alone: the rest is the sender's text."""
        return f"<JoseHeader {self.alg[:16]!r}>"


class UnverifiedJws:
    """A JWS whose signature nobody has checked. Payload and signature are text until ``JwsParser.open``."""

    __slots__ = ("_claims", "_payload", "header", "signature", "signing_input")

    def __init__(self, header: JoseHeader, signing_input: bytes, payload: bytes, signature: bytes) -> None:
        self.header = header
        self.signing_input = signing_input
        self.signature = signature
        self._payload = payload
        self._claims: JsonObject | None = None

    def __repr__(self) -> str:
        """Show no part of the token."""
        return "<UnverifiedJws redacted>"


class JwsParser:
    """Parses tokens under one set of limits.

    ``known_headers`` is read, never written: it maps the text of header segments to their parsed
    form. The guard fills it with headers of tokens that verified, so strangers cannot.
    """

    __slots__ = ("_limits", "_read_claims", "_read_header", "known_headers")

    def __init__(self, limits: Limits, known_headers: Mapping[bytes, JoseHeader]) -> None:
        self._limits = limits
        self._read_header = json_reader(
            depth=limits.header_depth, members=limits.json_members, integer=limits.json_integer
        )
        self._read_claims = json_reader(
            depth=limits.claims_depth, members=limits.json_members, integer=limits.json_integer
        )
        self.known_headers = known_headers

    def parse(self, token: Token, algorithms: Collection[str]) -> UnverifiedJws:
        """Split and decode one token; the payload stays opaque bytes.

        Args:
            token: The credential.
            algorithms: The header's ``alg`` must be one of these; nothing else is decoded before.

        Raises:
            Refusal: What ``begin`` and ``open`` raise.
        """
        jws = self.begin(token, algorithms)
        self.open(jws)
        return jws

    def begin(self, token: Token, algorithms: Collection[str]) -> UnverifiedJws:
        """Split one token and read its header, and nothing else yet.

        Raises:
            Refusal: ``TOO_LARGE`` before anything is looked at; ``MALFORMED`` for anything but three
                segments; ``BAD_HEADER`` for the JOSE header; ``UNSUPPORTED_ALG``.
        """
        if len(token) > self._limits.token_bytes:
            raise Refusal(Reason.TOO_LARGE, "token length", self._limits.token_bytes, len(token))
        text = token.reveal()
        signing_input, _, signature = text.rpartition(b".")
        segment, second_dot, payload = signing_input.partition(b".")
        if not second_dot or _DOT in payload:
            raise Refusal(Reason.MALFORMED, "segments", 3, text.count(b".") + 1)
        header = self.known_headers.get(segment)
        if header is None:
            header = self._header(segment)
        if header.alg not in algorithms:
            raise Refusal(Reason.UNSUPPORTED_ALG, "alg", algorithms, header.alg)
        return UnverifiedJws(header, signing_input, payload, signature)

    def open(self, jws: UnverifiedJws) -> None:
        """Decode payload and signature.

        Raises:
            Refusal: ``MALFORMED`` for anything but canonical base64url.
        """
        jws._payload, jws.signature = _base64url(jws._payload), _base64url(jws.signature)  # noqa: SLF001 - made here

    def unverified_issuer(self, jws: UnverifiedJws) -> JsonValue:
        """Read the claims set strictly and return its ``iss``, which only selects configuration.

        Raises:
            Refusal: ``MALFORMED`` if the payload is not one strict JSON object, ``MISSING_CLAIM``
                without ``iss``.
        """
        try:
            jws._claims = claims = self._read_claims(jws._payload)  # noqa: SLF001 - the parser owns what it made
        except (ValueError, RecursionError):
            raise Refusal(Reason.MALFORMED, "claims set", "one strict JSON object") from None
        if "iss" not in claims:
            raise Refusal(Reason.MISSING_CLAIM, "iss", "present", None)
        return claims["iss"]

    def _header(self, segment: bytes) -> JoseHeader:
        if len(segment) > self._limits.header_bytes * 4 // 3 + 1:
            raise Refusal(Reason.BAD_HEADER, "header length", self._limits.header_bytes, len(segment))
        try:
            members = self._read_header(_base64url(segment))
        except (ValueError, RecursionError):
            raise Refusal(Reason.BAD_HEADER, "JOSE header", "one strict JSON object") from None
        header = read_header(members, self._limits)
        header.segment = segment
        return header


def read_header(members: JsonObject, limits: Limits) -> JoseHeader:
    """Check the parameters of a JOSE header (RFC 7515, section 4.1).

    Raises:
        Refusal: ``BAD_HEADER`` for a missing or mistyped ``alg``, ``kid`` or ``typ``, any ``crit`` or
            ``b64`` (no extension is implemented), ``x5c``, ``zip`` or ``enc``, a nested token.
    """
    if not _REFUSED_PARAMETERS.isdisjoint(members):
        name = min(_REFUSED_PARAMETERS & members.keys())
        _bad(name, "absent", members[name])
    alg = members.get("alg")
    if not isinstance(alg, str):
        _bad("alg", "a string", alg)
    if "cty" in members:
        cty = members["cty"]
        if not isinstance(cty, str) or media_type(cty) == "jwt":
            _bad("cty", "no nested token", cty)
    kid = members.get("kid")
    if "kid" in members and not (isinstance(kid, str) and 0 < len(kid) <= limits.kid_chars and kid.isprintable()):
        _bad("kid", f"1 to {limits.kid_chars} printable characters", kid)
    typ = members.get("typ")
    if "typ" in members and not isinstance(typ, str):
        _bad("typ", "a string", typ)
    return JoseHeader(alg, kid, media_type(typ) if typ is not None else None, members)  # type: ignore[arg-type]


_REFUSED_PARAMETERS = frozenset({"crit", "b64", "x5c", "zip", "enc"})


def _bad(name: str, expected: str, seen: JsonValue) -> NoReturn:
    raise Refusal(Reason.BAD_HEADER, name, expected, seen)


def media_type(text: str) -> str:
    """Normalise a ``typ`` or ``cty``: ASCII lower case, one leading ``application/`` dropped (R-HDR-07)."""
    if text.islower() and "/" not in text:
        return text
    lowered = text.lower() if text.isascii() else text
    short = lowered.removeprefix("application/")
    return short if "/" not in short else lowered


def _base64url(segment: bytes) -> bytes:
    spare = len(segment) & 3
    try:
        data = a2b_base64(segment.translate(_TO_BASE64) + _PADDING[spare], strict_mode=True)
    except Base64Error:
        raise Refusal(Reason.MALFORMED, "base64url", "canonical, without padding") from None
    if spare and (spare == 1 or segment[-1] not in _CANONICAL_END[spare]):
        raise Refusal(Reason.MALFORMED, "base64url", "canonical, unused bits zero")
    return data
