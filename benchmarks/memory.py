"""What a remembered token of 870 bytes occupies, beside a TTLCache of claims.

Each way runs in a process of its own: growth of the resident memory, which includes what allocators waste,
and what Python allocated. The bounds are tried too: a memory that may hold few entries or few bytes is
given too many, and must hold no more.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.apps import ORDERS
from benchmarks.plan import Plan
from benchmarks.remember import WAYS
from benchmarks.table import Report, Row, Target, Unit
from benchmarks.tokens import AUDIENCE, ISSUER, SigningKey
from jwtguard import Config, Guard, InlineKeys, Issuer, Limits

_LIMIT_BYTES = 1.1 * 1024
_FEW = 20
_ROOT = Path(__file__).parent.parent
_PATIENCE_S = 300


def run(plan: Plan) -> Report:
    """Weigh every way."""
    key = SigningKey("RS256")
    tokens = key.tokens(plan.remembered)
    _prove_bounds(key, tokens[: 3 * _FEW])
    weighed = {way: _weigh(way, key, tokens) for way in WAYS}
    rows = [
        Row(
            figure=f"a remembered token of 870 bytes, {words}, {len(tokens)} tokens",
            ours=ours,
            target=Target(_LIMIT_BYTES),
            unit=Unit.BYTES,
            peers={way: value for way in weighed if way != "guard" and (value := weighed[way][kind]) is not None},
        )
        for kind, words in {"allocated": "allocated", "resident": "growth of the process"}.items()
        if (ours := weighed["guard"][kind]) is not None
    ]
    return Report(rows)


def _weigh(way: str, key: SigningKey, tokens: Sequence[bytes]) -> dict[str, float | None]:
    sent = b"\n".join([json.dumps(key.jwk).encode(), *tokens])
    command = [sys.executable, "-m", "benchmarks.remember", way]
    done = subprocess.run(command, input=sent, stdout=subprocess.PIPE, cwd=_ROOT, check=True, timeout=_PATIENCE_S)
    weights: dict[str, float | None] = json.loads(done.stdout)
    return weights


def _prove_bounds(key: SigningKey, tokens: Sequence[bytes]) -> None:
    for limits in (Limits(remembered_tokens=_FEW), Limits(remembered_bytes=_FEW * 2 * len(tokens[0]))):
        issuer = Issuer(
            name="login", issuer=ISSUER, algorithms=("RS256",), keys=InlineKeys([key.jwk]), audience=(AUDIENCE,)
        )
        guard = Guard(Config(issuers=[issuer], endpoints=[ORDERS], limits=limits))
        for token in tokens:
            guard.verify(token, accept="access")
        held = len(guard.snapshot.context.memory)
        assert 0 < held <= limits.remembered_tokens, "the memory outgrew its bound on entries"
        assert held * len(token) <= limits.remembered_bytes, "the memory outgrew its bound on bytes"
