"""``python -m benchmarks [--quick] [--only NAME ...]``: measure, print one table, write ``latest.json``."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.machine import described
from benchmarks.plan import FULL, QUICK, Plan
from benchmarks.table import Report, failures, render
from jwtguard.clock import SystemClock

GROUPS = ("verify", "middleware", "routing", "refusals", "memory", "imports", "servers", "flask_servers")
LATEST = Path(__file__).parent / "latest.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the groups asked for; return 1 if a binding row misses its target, else 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_const", const=QUICK, default=FULL, dest="plan", help="under a minute")
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=GROUPS, metavar="NAME", help=", ".join(GROUPS))
    options = parser.parse_args(arguments)
    reports = {name: _run(name, options.plan) for name in GROUPS if name in options.only}
    rows = [row for report in reports.values() for row in report.rows]
    LATEST.write_text(json.dumps(_as_json(options.plan, reports), indent=2) + "\n")
    print(render(rows))
    print(f"\n10th percentiles over at least {options.plan.fewest_rounds} rounds by turns. Written to {LATEST}.")
    for row in (missed := failures(rows)):
        print(f"missed, and binding: {row.figure}")
    return 1 if missed else 0


def _run(name: str, plan: Plan) -> Report:
    print(f"{name} ...", file=sys.stderr, flush=True)
    report: Report = importlib.import_module(f"benchmarks.{name}").run(plan)
    return report


def _as_json(plan: Plan, reports: dict[str, Report]) -> dict[str, object]:
    return {
        "made": datetime.fromtimestamp(SystemClock().now(), UTC).isoformat(timespec="seconds"),
        "plan": asdict(plan),
        "machine": described(),
        "rows": [{"group": name, **row.as_json()} for name, report in reports.items() for row in report.rows],
        "timings": {name: timing for report in reports.values() for name, timing in report.timings.items()},
    }


if __name__ == "__main__":
    raise SystemExit(main())
