"""Every limit, in one place, each changeable by name.

Sizes are bytes, durations float seconds. The defaults are promises (docs/faults.md); a larger value
is a decision of the author of the policy, and the lint reports it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from jwtguard.errors import ConfigurationError, unknown

LEEWAY_CAP_S = 120.0


def check_amount(value: object, key: str, rule: str = "") -> None:
    """Refuse what is no number from zero up: a duration, a size, a count.

    Raises:
        ConfigurationError: It is negative, NaN, a bool, a text, a ``timedelta``.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        message = f"must be a number from 0 up, not {value!r}"
        raise ConfigurationError(message, key=key, rule=rule)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one guard allows itself to spend on strangers and on issuers."""

    token_bytes: int = 8 * 1024
    cookie_bytes: int = 4096
    header_bytes: int = 1024
    header_depth: int = 8
    claims_depth: int = 16
    json_members: int = 256
    json_integer: int = 2**53
    kid_chars: int = 256
    subject_chars: int = 255
    leeway_s: float = 30.0
    leeway_max_s: float = 120.0

    jwks_bytes: int = 256 * 1024
    jwks_keys: int = 64
    discovery_bytes: int = 64 * 1024
    fetch_connect_s: float = 2.0
    fetch_total_s: float = 5.0

    keys_ttl_s: float = 600.0
    keys_ttl_min_s: float = 60.0
    keys_ttl_max_s: float = 86_400.0
    keys_refresh_at: float = 0.8
    keys_jitter: float = 0.1
    keys_stale_s: float = 4 * 3600.0
    keys_retry_max_s: float = 120.0
    keys_cold_retry_s: float = 0.5
    kid_cooldown_s: float = 30.0
    kid_wait_s: float = 1.0
    kid_waiters: int = 100
    cold_waiters: int = 1000
    kid_negative: int = 1024

    outside_s: float = 0.25
    outside_threads: int = 40
    subject_s: float = 30.0
    subjects: int = 10_000

    remembered_tokens: int = 10_000
    remembered_bytes: int = 16 * 1024 * 1024
    remembered_headers: int = 256

    def __post_init__(self) -> None:
        """Refuse negative values and a leeway beyond its cap (R-CLM-06).

        Raises:
            ConfigurationError: A value is negative, not a number, or the leeway is above 120 s.
        """
        for field in dataclasses.fields(self):
            check_amount(getattr(self, field.name), f"limits.{field.name}")
        if not self.leeway_s <= self.leeway_max_s <= LEEWAY_CAP_S:
            message = "the leeway may not exceed 120 s"
            raise ConfigurationError(message, key="limits.leeway_s", rule="R-CLM-06")

    @classmethod
    def named(cls, changes: dict[str, float]) -> Limits:
        """Build limits from names and values, as a policy file holds them.

        Raises:
            ConfigurationError: A name is unknown (with the nearest valid one) or a value unusable.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        for name in changes:
            if name not in known:
                message = "limit"
                raise unknown(message, name, known, key="limits")
        return dataclasses.replace(cls(), **changes)  # type: ignore[arg-type]  # names checked above, values in __post_init__
