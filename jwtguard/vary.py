"""What a response varies on: what it says itself, and the carrier of the credential (RFC 9110, section 12.5.5)."""

from __future__ import annotations

from collections.abc import Iterable


def vary_on(carriers: Iterable[bytes], said: Iterable[bytes]) -> bytes:
    """Return the ``Vary`` of a response that says some itself: all of that, and the carriers."""
    said = list(said)
    known = {word.strip().lower() for value in said for word in value.split(b",")}
    return b", ".join(filter(None, [*said, *(name for name in carriers if name not in known and b"*" not in known)]))
