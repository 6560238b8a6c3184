"""How much a property may try: as much as its test says, and the same on every run."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def examples(count: int) -> settings:
    """Bound a property to so many examples."""
    return settings(max_examples=count, derandomize=True, database=None, deadline=None, suppress_health_check=_SLOW)
