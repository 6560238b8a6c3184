"""A whole request in process: what the guard adds to Starlette and FastAPI, beside what people add instead.

All tokens were seen before, in turn, none twice in a row.
"""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.apps import APPS
from benchmarks.calls import requests
from benchmarks.plan import Plan
from benchmarks.table import Report, Row, Target
from benchmarks.timing import Batch, Case, Samples, measure
from benchmarks.tokens import SigningKey

_FRAMEWORKS = {"Starlette": 1.35, "FastAPI": 1.12}
_IDENTITY = "FastAPI + guard + CurrentIdentity"


def run(plan: Plan) -> Report:
    """Measure every application."""
    key = SigningKey("RS256")
    tokens = key.tokens(plan.tokens)

    def asking(name: str) -> Callable[[], Batch]:
        app = APPS[name](key.jwk)
        return lambda: requests(app, tokens)

    samples = measure([Case(name, asking(name), len(tokens)) for name in APPS], plan.rounds)
    rows = [_row(framework, limit, samples) for framework, limit in _FRAMEWORKS.items()]
    rows.append(
        Row(
            figure="the same, with CurrentIdentity in the endpoint, FastAPI",
            ours=samples.quiet_ratio(_IDENTITY, "FastAPI"),
            median=samples.median_ratio(_IDENTITY, "FastAPI"),
        )
    )
    return Report(rows, {"middleware": samples.summary("bare ASGI")})


def _row(framework: str, limit: float, samples: Samples) -> Row:
    ours, today = f"{framework} + guard", f"{framework} + PyJWT"
    return Row(
        figure=f"whole request in process, seen before, + guard / no auth, {framework}",
        ours=samples.quiet_ratio(ours, framework),
        median=samples.median_ratio(ours, framework),
        target=Target(limit),
        peers={"PyJWT": samples.quiet_ratio(today, framework)},
    )
