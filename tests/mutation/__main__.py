"""Mutation testing: ``python -m tests.mutation [STAGE ...]``. Exits 1 if a stage is below 85 %."""

from __future__ import annotations

import argparse
import ast
import sys
import tempfile
from collections.abc import Sequence

from tests.mutation.mutants import Site, sample, sites
from tests.mutation.run import Job, limit_of, prepare, survivors
from tests.mutation.stages import ROOT, STAGES, own_files, source_of, wider_files

_SAMPLE = 40  # of each stage: about twelve minutes on two processes
_LEAST_SCORE = 85
_WIDER_LIMIT_S = 600  # half a minute's tests, on a machine that does much else


def main() -> int:
    """Try the mutants of each stage and print what survived."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("stage", nargs="*", help=f"one or more of {', '.join(STAGES)}; all if none is named")
    parser.add_argument("--sample", type=int, default=_SAMPLE, help="try at most so many of each stage; 0 is all")
    arguments = parser.parse_args()
    if unknown := sorted(set(arguments.stage) - set(STAGES)):
        parser.error(f"not a stage: {', '.join(unknown)}")
    with tempfile.TemporaryDirectory() as folder:
        prepare(folder)
        scores = [_score(stage, arguments.sample or None) for stage in arguments.stage or STAGES]
    return 0 if min(scores) >= _LEAST_SCORE else 1


def _score(stage: str, most: int | None) -> float:
    found = list(sites(ast.parse(source_of(stage).read_text(encoding="utf-8"))))
    chosen = sample(len(found), most, stage)
    limit_s = limit_of(stage, own_files(stage))
    left = _left_by(stage, chosen, own_files(stage), limit_s)
    left = _left_by(stage, left, wider_files(stage), _WIDER_LIMIT_S)
    killed = len(chosen) - len(left)
    score = 100 * killed / len(chosen) if chosen else 100.0
    print(f"{stage:20} {len(chosen):4} of {len(found):4} mutants {killed:4} killed {score:6.1f} %", flush=True)
    for number in left:
        print(f"    {_described(stage, found[number])}", flush=True)
    return score


def _left_by(stage: str, numbers: Sequence[int], files: Sequence[str], limit_s: int) -> Sequence[int]:
    jobs = [Job(stage, number, files, limit_s) for number in numbers]
    return sorted(job.number for job in survivors(jobs) if job.number is not None)


def _described(stage: str, site: Site) -> str:
    return f"{source_of(stage).relative_to(ROOT)}:{site.line}: {site.before}  ->  {site.after}"


if __name__ == "__main__":
    sys.exit(main())
