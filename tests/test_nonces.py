"""Nonces that were used: each once, for as long as it matters, in bounded memory (R-CLS-11)."""

from __future__ import annotations

import threading

import pytest

from jwtguard import Reason, Refusal
from jwtguard.nonces import UsedNonces
from tests.kit.fake_clock import FakeClock

ISSUER = "https://login.example.com/"


def refused(used: UsedNonces, issuer: str = ISSUER, nonce: str | bytes = "n-1") -> Reason:
    """The reason for which a nonce cannot be used."""
    with pytest.raises(Refusal) as caught:
        used.use(issuer, nonce, for_s=300)
    return caught.value.reason


def test_a_nonce_is_used_once() -> None:
    """R-CLS-11: the second login with one nonce is a replay."""
    used = UsedNonces(FakeClock())
    used.use(ISSUER, "n-1", for_s=300)
    assert refused(used) is Reason.REPLAYED
    assert refused(used, nonce=b"n-1") is Reason.REPLAYED


def test_nonces_of_two_issuers_are_not_the_same() -> None:
    """R-CLS-11: one issuer cannot use up the nonces of another, whatever the texts run into."""
    used = UsedNonces(FakeClock())
    used.use("https://a", "bc", for_s=300)
    used.use("https://ab", "c", for_s=300)
    used.use("https://b", "bc", for_s=300)
    assert refused(used, "https://a", "bc") is Reason.REPLAYED


def test_a_nonce_is_remembered_until_its_token_is_over_and_no_longer() -> None:
    """R-CLS-11: it may not be forgotten while a token with it is accepted; afterwards it takes no room."""
    clock = FakeClock()
    used = UsedNonces(clock)
    used.use(ISSUER, "n-1", for_s=300)
    clock.advance(299.9)
    assert refused(used) is Reason.REPLAYED
    clock.advance(0.2)
    used.use(ISSUER, "n-2", for_s=300)
    assert len(used) == 1


def test_a_corrected_wall_clock_forgets_nothing() -> None:
    """F68: what was used stays used when the wall clock jumps."""
    clock = FakeClock()
    used = UsedNonces(clock)
    used.use(ISSUER, "n-1", for_s=300)
    clock.step_wall(86_400)
    assert refused(used) is Reason.REPLAYED


def test_full_memory_refuses_and_forgets_nothing() -> None:
    """R-CLS-11: filling the memory does not make room for a replay."""
    clock = FakeClock()
    used = UsedNonces(clock, kept=3)
    for number in range(3):
        used.use(ISSUER, f"n-{number}", for_s=300)
    assert refused(used, nonce="n-3") is Reason.STORE_UNAVAILABLE
    assert refused(used, nonce="n-0") is Reason.REPLAYED
    clock.advance(301)
    used.use(ISSUER, "n-3", for_s=300)
    assert len(used) == 1


def test_looking_and_marking_are_one_step() -> None:
    """R-CLS-11: whenever the memory asks for the time, to look or to mark, its lock is held."""

    class Watched(FakeClock):
        held: list[bool]

        def monotonic(self) -> float:
            self.held.append(used._lock.locked())
            return super().monotonic()

    clock = Watched()
    clock.held = []
    used = UsedNonces(clock)
    used.use(ISSUER, "n-1", for_s=300)
    assert len(clock.held) >= 3
    assert all(clock.held)


def test_of_many_at_once_one_succeeds() -> None:
    """R-CLS-11: single use holds between threads."""
    used = UsedNonces(FakeClock())
    outcomes: list[Reason | None] = []
    gate = threading.Barrier(16)

    def attempt() -> None:
        gate.wait(30)
        try:
            used.use(ISSUER, "n-1", for_s=300)
        except Refusal as refusal:
            outcomes.append(refusal.reason)
        else:
            outcomes.append(None)

    threads = [threading.Thread(target=attempt) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(map(str, outcomes)) == sorted(["None", *["replayed"] * 15])
