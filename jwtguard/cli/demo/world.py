"""What the scenes of the demo act on: the issuer, the API over HTTP, an attacker, and what they keep."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from jwtguard.cli.demo.issuer import DemoIssuer
from jwtguard.cli.demo.servers import AttackerServer
from jwtguard.core.events import Decided, Event

_KEPT_DECISIONS = 16


class Decisions:
    """The guard's event sink: keeps its latest decisions, so that the demo can show the reason.

    A client never learns the reason. The demo sends one request at a time, and the guard reports a
    decision before it answers, so the only decision since the last ``take`` belongs to the request
    just answered.
    """

    def __init__(self) -> None:
        """Keep nothing yet."""
        self._latest: deque[Decided] = deque(maxlen=_KEPT_DECISIONS)

    def __call__(self, event: Event) -> None:
        """Take an event of the guard."""
        if isinstance(event, Decided):
            self._latest.append(event)

    def take(self) -> Decided:
        """Return the decision on the one request since the last call.

        Raises:
            RuntimeError: There was none, or somebody else sent a request too.
        """
        decided = list(self._latest)
        self._latest.clear()
        if len(decided) != 1:
            message = f"one request was sent, and the guard decided {len(decided)}: is somebody else calling the API?"
            raise RuntimeError(message)
        return decided[0]


@dataclass(slots=True, kw_only=True)
class World:
    """Everything a scene may use or change.

    Attributes:
        issuer: The authorization server.
        api: A client of the API.
        attacker: The server that forged tokens point to.
        decisions: What the guard reports.
        policy: The guard's policy file.
        kid_cooldown_s: The limit of that name in it.
        first_kid: The key that signed when the demo began.
        kept: Tokens that a later scene sends again.
    """

    issuer: DemoIssuer
    api: httpx2.Client
    attacker: AttackerServer
    decisions: Decisions
    policy: Path
    kid_cooldown_s: float
    first_kid: str = field(init=False)
    kept: dict[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Note which key signs now."""
        self.first_kid = self.issuer.current_kid

    @property
    def url(self) -> str:
        """Where the API is."""
        return str(self.api.base_url).rstrip("/")

    def service_token(self, scope: str) -> str:
        """Get a token as a machine does: from the issuer's ``POST /token``, by client credentials."""
        answer = httpx2.post(
            f"{self.issuer.issuer}/token",
            data={"grant_type": "client_credentials", "scope": scope},
            auth=(self.issuer.client_id, self.issuer.client_secret),
            trust_env=False,
        )
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    def wait_out_cooldown(self) -> None:
        """Let the pause pass in which an unknown key id causes no further refresh."""
        time.sleep(self.kid_cooldown_s)
