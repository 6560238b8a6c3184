"""Requests per second of Flask under gunicorn, the token seen before: alone, guarded, and with flask-jwt-extended.

The same load, by turns, as in ``servers``. Beside it the processor time of gunicorn's worker, all threads of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

from benchmarks.plan import Plan
from benchmarks.serve_flask import APPS
from benchmarks.servers import process, read, write
from benchmarks.table import Report, Row, Sense, Target
from benchmarks.timing import Samples, collect
from benchmarks.tokens import SigningKey

_ALONE, _GUARDED = "Flask", "Flask + guard"
_RIVALS = {
    "current_identity too": "Flask + guard + current_identity",
    "flask-jwt-extended": "Flask + flask-jwt-extended",
}


def run(plan: Plan) -> Report:
    """Start every server, load them by turns, and end them."""
    key = SigningKey("RS256")
    tokens = [token.decode() for token in key.tokens(plan.tokens)]
    processor: dict[str, list[float]] = {name: [] for name in APPS}
    with ExitStack() as stack:
        load = stack.enter_context(process("benchmarks.load"))
        servers = {name: stack.enter_context(process("benchmarks.serve_flask", name)) for name in APPS}
        for server in servers.values():
            write(server, json.dumps(key.jwk))
        ports = {name: int(read(server)) for name, server in servers.items()}
        write(load, json.dumps(tokens))

        def once(name: str) -> float:
            before = _processor_s(servers[name].pid)
            write(load, json.dumps({"port": ports[name], "requests": plan.server_requests}))
            seconds = float(read(load))
            processor[name].append((_processor_s(servers[name].pid) - before) / plan.server_requests)
            return seconds / plan.server_requests

        samples = collect(list(APPS), plan.server_rounds, once)
    return _report(samples, Samples({name: taken[1:] for name, taken in processor.items()}))


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
