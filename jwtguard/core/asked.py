"""One question to the pipeline: may this token pass here, now?"""

from __future__ import annotations

from jwtguard.core.policy import EndpointPolicy
from jwtguard.core.request import RequestHead, Token


class Asked:
    """A request as far as it is decided: which policy, which token, of which request (none for a bare token), when."""

    __slots__ = ("head", "monotonic", "now", "policy", "token")

    def __init__(
        self, policy: EndpointPolicy, head: RequestHead | None, token: Token, now: float, monotonic: float
    ) -> None:
        self.policy = policy
        self.head = head
        self.token = token
        self.now = now
        self.monotonic = monotonic

    def with_token(self, token: Token) -> Asked:
        """Return the same request with the token that its session stands for."""
        return Asked(self.policy, self.head, token, self.now, self.monotonic)
