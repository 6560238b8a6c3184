"""The demo issuer's keys, and the one function that signs.

Rules:
- A rotation publishes the new key before anything is signed with it.
- Publishing and signing are apart: ``withdraw`` changes the JWKS and nothing else, so a demo can
  show what happens to tokens of a key that verifiers may no longer trust.
- ``sign`` adds nothing and checks nothing. It exists to make tokens that must be refused.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping

from joserfc.jwk import ECKey, Key, KeySet, KeySetSerialization, OctKey
from joserfc.jws import JWSRegistry

ALGORITHM = "ES256"


def new_signing_key() -> ECKey:
    """Make a P-256 key whose ``kid`` is its RFC 7638 thumbprint."""
    return ECKey.generate_key("P-256", parameters={"use": "sig", "alg": ALGORITHM}, auto_kid=True)


class SigningKeys:
    """The newest key signs; any number are published.

    Server threads read while the owner rotates, so both attributes are replaced whole, never changed.
    """

    def __init__(self) -> None:
        """Make the first key, and publish it."""
        self._current = new_signing_key()
        self._published: tuple[ECKey, ...] = (self._current,)

    @property
    def current_kid(self) -> str:
        """The ``kid`` of the key that signs now."""
        return str(self._current.kid)

    def rotate(self) -> str:
        """Publish a new key beside the others, then sign with it; return its ``kid``."""
        key = new_signing_key()
        self._published = (*self._published, key)
        self._current = key
        return self.current_kid

    def withdraw(self, kid: str) -> None:
        """Take a key out of the JWKS. A key that signs goes on signing.

        Raises:
            KeyError: No published key has this ``kid``.
        """
        rest = tuple(key for key in self._published if key.kid != kid)
        if len(rest) == len(self._published):
            raise KeyError(kid)
        self._published = rest

    def public_jwks(self) -> KeySetSerialization:
        """Return the JWKS as published: public members only."""
        return KeySet(list(self._published)).as_dict(private=False)

    def signing_jwks(self) -> KeySet:
        """Return the signing key as a set: only from a set does joserfc copy the kid into a header."""
        return KeySet([self._current])

    def sign(self, claims: Mapping[str, object], header: Mapping[str, object], key: Key | bytes | None = None) -> str:
        """Sign any claims set under any JOSE header, both taken as they are.

        joserfc's own ``jwt.encode`` refuses the headers and keys that a forger would use, so the
        serialization is written out here (RFC 7515, section 7.1); the signature itself is joserfc's.

        Args:
            claims: The claims set.
            header: The JOSE header. Its ``alg`` picks the signature; any spelling of ``none`` makes it empty.
            key: A key, or the bytes of an HMAC secret; by default the key that signs now.

        Raises:
            KeyError: joserfc has no such ``alg``. A slip of the pen must not pass for a forgery.
        """
        parts = (_base64url(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
        signing_input = b".".join(parts)
        alg = str(header["alg"])
        if alg.lower() == "none":
            return f"{signing_input.decode()}."
        # Not OctKey.import_key: it refuses a published key as HMAC secret, and that confusion
        # (RFC 8725, section 2.1) is what a demo has to show.
        signing_key = OctKey(key, key) if isinstance(key, bytes) else (key or self._current)
        signature = JWSRegistry.algorithms[alg].sign(signing_input, signing_key)
        return f"{signing_input.decode()}.{_base64url(signature).decode()}"


def _base64url(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")
