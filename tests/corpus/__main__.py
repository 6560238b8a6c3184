"""Run the corpus: ``python -m tests.corpus``. Exits 1 on a wrong non-strict verdict or a foreign exception."""

from __future__ import annotations

import argparse
import sys

from tests.corpus.case import corpus_folders, read_folders
from tests.corpus.report import Report
from tests.corpus.run import run_cases


def main() -> int:
    """Run every case and print the report."""
    description = "Judge the corpus beside this module, and every folder named in JWTGUARD_CORPUS (separated by ':')."
    argparse.ArgumentParser(prog="python -m tests.corpus", description=description).parse_args()
    report = Report.of(run_cases(read_folders(corpus_folders())))
    for line in report.lines():
        print(line)
    return 0 if report.passed else 1


if __name__ == "__main__":
    sys.exit(main())
