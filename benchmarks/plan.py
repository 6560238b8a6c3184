"""How much one run measures: enough to be believed, or enough to see that everything still works."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The size of a run.

    Attributes:
        rounds: How often every case is measured, by turns.
        cheap_rounds: The same for groups whose rounds take milliseconds; most that bind are among them.
        process_rounds: The same where every sample starts a process.
        server_rounds: The same for servers under load.
        server_requests: How many requests a server gets in one round.
        tokens: How many distinct tokens a batch of verifications or requests has. Many short rounds are
            better than few long ones: a noisy spell of the machine then hits all cases.
        remembered: How many distinct tokens the memory is weighed with.
    """

    rounds: int
    cheap_rounds: int
    process_rounds: int
    server_rounds: int
    server_requests: int
    tokens: int
    remembered: int

    @property
    def fewest_rounds(self) -> int:
        """Return how many rounds every figure of the table has at least."""
        return min(self.rounds, self.cheap_rounds, self.process_rounds, self.server_rounds)


FULL = Plan(
    rounds=121,
    cheap_rounds=401,
    process_rounds=41,
    server_rounds=31,
    server_requests=1_000,
    tokens=64,
    remembered=10_000,
)
QUICK = Plan(
    rounds=31,
    cheap_rounds=61,
    process_rounds=9,
    server_rounds=5,
    server_requests=320,
    tokens=32,
    remembered=2_000,
)
