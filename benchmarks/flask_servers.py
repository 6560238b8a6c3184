"""Requests per second of Flask under gunicorn, the token seen before: alone, guarded, and with flask-jwt-extended.

The same load, by turns, as in ``servers``. Beside it the processor time of gunicorn's worker, all threads of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from benchmarks.plan import Plan
from benchmarks.serve_flask import APPS
from benchmarks.servers import measure
from benchmarks.table import Report, Row, Sense, Target
from benchmarks.timing import Samples

_ALONE, _GUARDED = "Flask", "Flask + guard"
_RIVALS = {
    "current_identity too": "Flask + guard + current_identity",
    "flask-jwt-extended": "Flask + flask-jwt-extended",
}


def run(plan: Plan) -> Report:
    """Start every server, load them by turns, and end them."""
    samples, processor = measure(plan, "benchmarks.serve_flask", APPS, _processor_s)
    return _report(samples, Samples(processor))


def _processor_s(master: int) -> float:
    """Return the processor time of all threads of a master's workers; 0 where the system does not say so."""
    children = Path(f"/proc/{master}/task/{master}/children")
    workers = children.read_text().split() if children.exists() else []
    return sum(_threads_s(Path(f"/proc/{worker}/task").glob("*/schedstat")) for worker in workers)


def _threads_s(schedules: Iterable[Path]) -> float:
    return sum(int(schedule.read_text().split()[0]) for schedule in schedules) / 1e9


def _report(samples: Samples, used: Samples) -> Report:
    rows = [
        Row(
            figure="requests/s under gunicorn, seen before, + guard / no auth, Flask",
            ours=samples.quiet_ratio(_ALONE, _GUARDED),
            median=samples.median_ratio(_ALONE, _GUARDED),
            target=Target(0.90, Sense.AT_LEAST),
            peers={rival: samples.quiet_ratio(_ALONE, case) for rival, case in _RIVALS.items()},
        )
    ]
    timings = {"Flask under gunicorn, seconds a request": samples.summary(_ALONE)}
    if all(min(taken) > 0 for taken in used.by_case.values()):
        timings["Flask under gunicorn, processor time a request"] = used.summary(_ALONE)
        rows.append(
            Row(
                figure="processor time of the worker a request, + guard / no auth, Flask",
                ours=used.quiet_ratio(_GUARDED, _ALONE),
                median=used.median_ratio(_GUARDED, _ALONE),
                target=Target(1.10),
                peers={rival: used.quiet_ratio(case, _ALONE) for rival, case in _RIVALS.items()},
            )
        )
    return Report(rows, timings)
