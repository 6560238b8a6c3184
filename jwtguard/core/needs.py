"""The questions that only the outside can answer, and their answers.

The pipeline yields a question and is sent the answer; it never learns whether answering meant a
look into a dictionary or a request over the network.
"""

from __future__ import annotations

from typing import TypeAlias

from jwtguard.core.issuer import Issuer
from jwtguard.core.keys import KeySet


class NeedKeys:
    """Which keys has this issuer? A ``kid`` that is not among those held may be worth a refresh.

    The answer is a ``KeySet``, or ``None`` if the issuer has no usable keys at all right now.
    """

    __slots__ = ("issuer", "kid")

    def __init__(self, issuer: Issuer, kid: str | None) -> None:
        self.issuer = issuer
        self.kid = kid


Need: TypeAlias = NeedKeys
Answer: TypeAlias = KeySet | None
