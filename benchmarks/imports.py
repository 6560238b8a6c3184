"""What ``import jwtguard`` costs an application that has imported Starlette anyway, in fresh interpreters.

As installed packages are, everything is compiled before it counts: the bytecode goes to a directory of
this run, in the round that is thrown away, whatever the environment says about writing bytecode.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.plan import Plan
from benchmarks.table import Gate, Report, Row, Target, Unit
from benchmarks.timing import Samples, collect

_NOTHING, _STARLETTE, _OURS, _PYJWT = "nothing", "starlette", "starlette, jwtguard", "starlette, PyJWT"
_PROGRAMS = {
    _NOTHING: "pass",
    _STARLETTE: "import starlette.requests",
    _OURS: "import starlette.requests, jwtguard",
    _PYJWT: "import starlette.requests, jwt",
}
_LIMIT_MS = 40.0
HEAVY = ("authlib", "cryptography", "fastapi", "httpcore2", "httpx2", "joserfc", "pydantic", "typer")
_LIST_MODULES = "import starlette.requests, jwtguard, json, sys; print(json.dumps(list(sys.modules)))"
_ROOT = Path(__file__).parent.parent


def run(plan: Plan) -> Report:
    """Start interpreters by turns, and look at what one of them loaded."""
    with TemporaryDirectory() as bytecode:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPYCACHEPREFIX"] = bytecode
        samples = collect(list(_PROGRAMS), plan.process_rounds, lambda name: _seconds(_PROGRAMS[name], environment))
    loaded = _loaded_heavy()
    rows = [
        Row(
            figure="import jwtguard beyond import starlette.requests",
            ours=_beyond(samples, _OURS),
            median=(samples.median(_OURS) - samples.median(_STARLETTE)) * 1e3,
            target=Target(_LIMIT_MS),
            gate=Gate.BINDING,
            unit=Unit.MILLISECONDS,
            peers={"PyJWT": _beyond(samples, _PYJWT)},
        ),
        Row(
            figure=f"heavy modules loaded by it{': ' * bool(loaded)}{', '.join(loaded)}",
            ours=len(loaded),
            target=Target(0),
            gate=Gate.BINDING,
            unit=Unit.MODULES,
        ),
    ]
    return Report(rows, {"imports": samples.summary(_STARLETTE)})


def _beyond(samples: Samples, case: str) -> float:
    return (samples.quiet(case) - samples.quiet(_STARLETTE)) * 1e3


def _seconds(program: str, environment: Mapping[str, str]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], cwd=_ROOT, env=environment, check=True)
    return time.perf_counter() - start


def _loaded_heavy() -> list[str]:
    done = subprocess.run([sys.executable, "-c", _LIST_MODULES], cwd=_ROOT, check=True, stdout=subprocess.PIPE)
    return sorted(set(HEAVY) & set(json.loads(done.stdout)))
