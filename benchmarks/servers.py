"""Requests per second under uvicorn, the token seen before: each application in a process of its own.

Another process makes the load over 16 connections, one server at a time, by turns. The client is Python
too and needs about as much processor as the fastest application: where both share few cores, ratios come
out nearer to 1 than they are. The processor time of the server a request, taken beside them, does not
depend on the client. Reported, never gated.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from benchmarks.apps import APPS
from benchmarks.plan import Plan
from benchmarks.table import Report, Row, Sense, Target
from benchmarks.timing import Samples, collect
from benchmarks.tokens import SigningKey

_LIMITS = {"bare ASGI": 0.85, "Starlette": 0.90, "FastAPI": 0.95}
_ROOT = Path(__file__).parent.parent
_PATIENCE_S = 10.0


def run(plan: Plan) -> Report:
    """Start every server, load them by turns, and end them."""
    return _report(*measure(plan, "benchmarks.serve", APPS, _processor_s))


def measure(
    plan: Plan, module: str, apps: Collection[str], processor_s: Callable[[int], float]
) -> tuple[Samples, dict[str, list[float]]]:
    """Return the seconds, and the server's processor seconds, of one request to each application.

    Args:
        plan: How much to measure.
        module: What serves an application, given its name.
        apps: The names.
        processor_s: Reads the processor time that a server with this process id has taken so far.
    """
    key = SigningKey("RS256")
    tokens = [token.decode() for token in key.tokens(plan.tokens)]
    processor: dict[str, list[float]] = {name: [] for name in apps}
    with ExitStack() as stack:
        load = stack.enter_context(process("benchmarks.load"))
        servers = {name: stack.enter_context(process(module, name)) for name in apps}
        for server in servers.values():
            write(server, json.dumps(key.jwk))
        ports = {name: int(read(server)) for name, server in servers.items()}
        write(load, json.dumps(tokens))

        def once(name: str) -> float:
            before = processor_s(servers[name].pid)
            write(load, json.dumps({"port": ports[name], "requests": plan.server_requests}))
            seconds = float(read(load))
            processor[name].append((processor_s(servers[name].pid) - before) / plan.server_requests)
            return seconds / plan.server_requests

        samples = collect(list(apps), plan.server_rounds, once)
    return samples, {name: taken[1:] for name, taken in processor.items()}


@contextmanager
def process(module: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a module beside us, and end it by its own process id."""
    command = [sys.executable, "-m", module, *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=_ROOT)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            _opened(pipe).close()


def write(process: subprocess.Popen[str], line: str) -> None:
    """Send a line to a process."""
    pipe = _opened(process.stdin)
    pipe.write(line + "\n")
    pipe.flush()


def read(process: subprocess.Popen[str]) -> str:
    """Wait for a line from a process."""
    line = _opened(process.stdout).readline()
    if not line:
        message = f"a server or the load ended early, code {process.wait(_PATIENCE_S)}; what it printed is above"
        raise RuntimeError(message)
    return line


def _opened(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


def _processor_s(pid: int) -> float:
    """Return the processor time of a process's main thread so far; 0 where the system does not say so."""
    schedule = Path(f"/proc/{pid}/schedstat")
    return int(schedule.read_text().split()[0]) / 1e9 if schedule.exists() else 0.0


def _report(samples: Samples, processor: Mapping[str, list[float]]) -> Report:
    rows = [
        Row(
            figure=f"requests/s under uvicorn, seen before, + guard / no auth, {name}",
            ours=samples.quiet_ratio(name, f"{name} + guard"),
            median=samples.median_ratio(name, f"{name} + guard"),
            target=Target(limit, Sense.AT_LEAST),
            peers={rival: samples.quiet_ratio(name, case) for rival, case in _rivals(name).items()},
        )
        for name, limit in _LIMITS.items()
    ]
    timings = {"servers, seconds a request": samples.summary("bare ASGI")}
    if all(min(taken) > 0 for taken in processor.values()):
        used = Samples(processor)
        timings["servers, processor time a request"] = used.summary("bare ASGI")
        rows += [_processor_row(name, used) for name in _LIMITS]
    return Report(rows, timings)


def _processor_row(name: str, used: Samples) -> Row:
    return Row(
        figure=f"processor time of the server a request, + guard / no auth, {name}",
        ours=used.quiet_ratio(f"{name} + guard", name),
        median=used.median_ratio(f"{name} + guard", name),
        peers={rival: used.quiet_ratio(case, name) for rival, case in _rivals(name).items()},
    )


def _rivals(name: str) -> dict[str, str]:
    """Name the other applications on the same framework that ask who is calling."""
    ways = {"CurrentIdentity too": f"{name} + guard + CurrentIdentity", "PyJWT": f"{name} + PyJWT"}
    return {rival: case for rival, case in ways.items() if case in APPS}
