"""The limits: their defaults are promises, and each can be changed by name."""

from __future__ import annotations

import dataclasses

import pytest

from jwtguard import ConfigurationError, Limits

KIB, MIB, HOUR_S = 1024, 1024 * 1024, 3600
PROMISED: dict[str, float] = {
    "token_bytes": 8 * KIB,
    "cookie_bytes": 4096,
    "header_bytes": KIB,
    "header_depth": 8,
    "claims_depth": 16,
    "json_members": 256,
    "json_integer": 2**53,
    "kid_chars": 256,
    "subject_chars": 255,
    "leeway_s": 30,
    "leeway_max_s": 120,
    "jwks_bytes": 256 * KIB,
    "jwks_keys": 64,
    "discovery_bytes": 64 * KIB,
    "fetch_connect_s": 2,
    "fetch_total_s": 5,
    "keys_ttl_s": 600,
    "keys_ttl_min_s": 60,
    "keys_ttl_max_s": 24 * HOUR_S,
    "keys_refresh_at": 0.8,
    "keys_jitter": 0.1,
    "keys_stale_s": 4 * HOUR_S,
    "keys_retry_max_s": 120,
    "keys_cold_retry_s": 0.5,
    "kid_cooldown_s": 30,
    "kid_wait_s": 1,
    "kid_waiters": 100,
    "cold_waiters": 1000,
    "kid_negative": 1024,
    "outside_s": 0.25,
    "outside_threads": 40,
    "subject_s": 30,
    "subjects": 10_000,
    "remembered_tokens": 10_000,
    "remembered_bytes": 16 * MIB,
    "remembered_headers": 256,
}


def test_every_limit_is_promised() -> None:
    """R-GOV-08: no limit is without a documented default."""
    assert {field.name for field in dataclasses.fields(Limits)} == PROMISED.keys()


@pytest.mark.parametrize("name", sorted(PROMISED))
def test_the_defaults_are_the_promises(name: str) -> None:
    """R-EXT-06, R-CLM-06, R-JWK-06 to R-JWK-10: the limits are those that the documentation promises."""
    assert getattr(Limits(), name) == PROMISED[name]


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Limits)])
@pytest.mark.parametrize("value", [-1, -0.5, float("nan"), True, "8", None])
def test_no_limit_is_negative_or_no_number(name: str, value: object) -> None:
    """R-POL-06: a limit that is no number from zero up stops the start and is named."""
    with pytest.raises(ConfigurationError, match="must be a number from 0 up") as stopped:
        Limits(**{name: value})  # type: ignore[arg-type]  # the mistake that is tested
    assert stopped.value.key == f"limits.{name}"


def test_zero_is_a_limit() -> None:
    """R-CLM-06: no leeway at all is allowed, and so is remembering nothing."""
    assert Limits(leeway_s=0).leeway_s == 0
    assert Limits(remembered_tokens=0, keys_stale_s=0.0).remembered_tokens == 0


@pytest.mark.parametrize(
    ("leeway_s", "leeway_max_s", "fits"),
    [(120, 120, True), (30, 30, True), (0, 0, True), (31, 30, False), (121, 121, False), (30, 120.5, False)],
)
def test_the_leeway_is_capped(leeway_s: float, leeway_max_s: float, fits: bool) -> None:  # noqa: FBT001 - a column
    """R-CLM-06: the leeway stays within its own limit, and that within 120 s."""
    if fits:
        assert Limits(leeway_s=leeway_s, leeway_max_s=leeway_max_s).leeway_s == leeway_s
        return
    with pytest.raises(ConfigurationError, match="120 s") as stopped:
        Limits(leeway_s=leeway_s, leeway_max_s=leeway_max_s)
    assert (stopped.value.key, stopped.value.rule) == ("limits.leeway_s", "R-CLM-06")


def test_limits_by_name() -> None:
    """R-POL-06: a policy file changes limits by their names, and the others keep their defaults."""
    assert Limits.named({"token_bytes": 4096, "leeway_s": 5}) == Limits(token_bytes=4096, leeway_s=5)
    assert Limits.named({}) == Limits()


def test_an_unknown_limit_is_a_mistake() -> None:
    """R-POL-06: a misspelt limit stops the start, with the nearest right spelling."""
    with pytest.raises(
        ConfigurationError, match=r"unknown limit 'token_size'; did you mean 'token_bytes'\?"
    ) as stopped:
        Limits.named({"leeway_s": 5, "token_size": 1})
    assert stopped.value.key == "limits"
    with pytest.raises(ConfigurationError, match="leeway_s"):
        Limits.named({"leeway_s": -1})


def test_limits_do_not_change() -> None:
    """R-POL-06: the limits of a policy in force cannot be raised behind its back."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        Limits().token_bytes = 1  # type: ignore[misc]  # the mistake that is tested
