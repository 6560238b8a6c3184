"""One signature is verified, never more, by the one key that was chosen (RFC 7515, section 5.2)."""

from __future__ import annotations

from jwtguard.core.jws import JoseHeader, UnverifiedJws
from jwtguard.core.keys import VerificationKey
from jwtguard.core.strict_json import JsonObject
from jwtguard.errors import Reason, Refusal


class VerifiedJws:
    """A token whose signature was checked; the only type the claims stage accepts."""

    __slots__ = ("claims", "header", "key")

    def __init__(self, header: JoseHeader, claims: JsonObject, key: VerificationKey) -> None:
        self.header = header
        self.claims = claims
        self.key = key

    def __repr__(self) -> str:
        """Show the key, no claim."""
        return f"<VerifiedJws by {self.key!r}>"


def check_signature(jws: UnverifiedJws, key: VerificationKey) -> None:
    """Check the signature over the signing input as it was sent.

    Raises:
        Refusal: ``BAD_SIGNATURE``.
    """
    if not key.verify(jws.signing_input, jws.signature):
        raise Refusal(Reason.BAD_SIGNATURE, "signature", f"made by key {key.kid!r}", None)


def verify_signature(jws: UnverifiedJws, key: VerificationKey) -> VerifiedJws:
    """Check the signature and release the claims that were read from the same bytes.

    Raises:
        Refusal: ``BAD_SIGNATURE``.
    """
    check_signature(jws, key)
    return VerifiedJws(jws.header, jws._claims or {}, key)  # noqa: SLF001 - the one place that may read them
