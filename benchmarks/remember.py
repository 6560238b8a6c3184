"""One fresh process of ``memory``: remember tokens in one of the ways, and print what each took.

Reads a JWK and then tokens, one a line, from standard input, so that nothing else was ever allocated here.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cachetools import TTLCache

from benchmarks import peers
from benchmarks.apps import guard_for
from benchmarks.tokens import LIFE_S
from jwtguard import Guard

_STATM = Path("/proc/self/statm")
_WARM_UP = 50


def guard_memory(jwk: Mapping[str, Any], tokens: Sequence[bytes]) -> Guard:
    """Let the guard remember."""
    guard = guard_for(jwk)
    for token in tokens:
        guard.verify(token, accept="access")
    assert len(guard.snapshot.context.memory) == len(tokens)
    return guard


def ttl_cache(jwk: Mapping[str, Any], tokens: Sequence[bytes]) -> TTLCache[str, Mapping[str, Any]]:
    """Do what people do around PyJWT: claims by token in a TTLCache."""
    cache: TTLCache[str, Mapping[str, Any]] = TTLCache(len(tokens), LIFE_S)
    decode = peers.pyjwt(jwk).decode
    for token in tokens:
        text = token.decode()
        cache[text] = decode(text)
    assert len(cache) == len(tokens)
    return cache


WAYS: Mapping[str, Callable[[Mapping[str, Any], Sequence[bytes]], object]] = {
    "guard": guard_memory,
    "TTLCache": ttl_cache,
}


def main(way: str) -> None:
    """Weigh one way twice: by the growth of the process, then by what Python allocated."""
    jwk, *tokens = sys.stdin.buffer.read().split(b"\n")
    key, fill = json.loads(jwk), WAYS[way]
    fill(key, tokens[:_WARM_UP])
    gc.collect()
    before = _resident_bytes()
    kept = fill(key, tokens)
    gc.collect()
    grown = _resident_bytes() - before if before else None
    del kept
    gc.collect()
    tracemalloc.start()
    kept = fill(key, tokens)
    gc.collect()
    allocated, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del kept
    result = {"resident": grown / len(tokens) if grown is not None else None, "allocated": allocated / len(tokens)}
    print(json.dumps(result))


def _resident_bytes() -> int:
    """Return what this process occupies, or 0 where the system does not say so."""
    return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if _STATM.exists() else 0


if __name__ == "__main__":
    main(sys.argv[1])
