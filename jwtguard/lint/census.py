"""The census: every route an application has, and the policy that covers it (R-POL-01)."""

from __future__ import annotations

from jwtguard.core.table import PolicyTable


def stop_on_gaps(app: object, table: PolicyTable) -> None:
    """Being written."""
