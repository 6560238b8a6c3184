"""``python -m benchmarks.picture``: where a first sight and a seen token spend their time, by cProfile.

cProfile makes every Python call dearer and no built-in one: read it for proportions among our own
functions, and take costs from the table.
"""

from __future__ import annotations

import asyncio
import cProfile
import pstats

from benchmarks.apps import bare, guard_for
from benchmarks.calls import requests
from benchmarks.timing import Batch
from benchmarks.tokens import SigningKey
from jwtguard import JWTGuardMiddleware

_TOKENS = 2_000
_LINES = 25


def main() -> None:
    """Profile one request for each token twice: when it is new, and when it was seen."""
    key = SigningKey("RS256")
    *tokens, other = key.tokens(_TOKENS + 1)
    guard = guard_for(key.jwk)
    guard.verify(other, accept="access")
    app = JWTGuardMiddleware(bare, guard=guard)
    for title in ("first sight", "seen before"):
        print(f"{title}, {_TOKENS} requests")
        _profile(requests(app, tokens))


def _profile(batch: Batch) -> None:
    profile = cProfile.Profile()

    async def profiled() -> None:
        profile.enable()
        await batch()
        profile.disable()

    asyncio.run(profiled())
    pstats.Stats(profile).strip_dirs().sort_stats("tottime").print_stats(_LINES)


if __name__ == "__main__":
    main()
