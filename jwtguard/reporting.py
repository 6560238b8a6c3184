"""What happened, told to whoever listens: a sink that raises is counted, and decides nothing (F66)."""

from __future__ import annotations

from collections.abc import Callable

from jwtguard.core import events
from jwtguard.core.decision import Allowed, Decision, Refused


class Reporter:
    """Hands events to ``on_event``.

    Attributes:
        listens: Whether anybody wants to know.
        failures: How often the sink raised.
    """

    def __init__(self, on_event: Callable[[events.Event], None] | None) -> None:
        self._on_event = on_event
        self.listens = on_event is not None
        self.failures = 0

    def emit(self, event: events.Event) -> None:
        """Tell of one event."""
        if self._on_event is None:
            return
        try:
            self._on_event(event)
        except Exception:  # noqa: BLE001 - a broken sink must not decide
            self.failures += 1

    def decided(self, decision: Decision) -> None:
        """Tell of a decision: policy and reason, issuer and class, no claim."""
        policy = decision.policy.name if decision.policy else ""
        reason = decision.refusal.reason if isinstance(decision, Refused) else None
        issuer = token_class = ""
        if isinstance(decision, Allowed) and decision.identity.is_authenticated:
            issuer, token_class = decision.identity.issuer_name, decision.identity.token_class
        self.emit(events.Decided(policy, reason, issuer, token_class))
