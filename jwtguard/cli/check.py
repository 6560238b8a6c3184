"""The command ``jwtguard check``: build a policy, prove it, and lint it, without touching the network."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from jwtguard.cli.inventory import endpoint_rows, issuer_rows
from jwtguard.clock import SystemClock
from jwtguard.config import load
from jwtguard.core.events import Event
from jwtguard.core.table import PolicyTable
from jwtguard.errors import ConfigurationError
from jwtguard.jwks.ring import KeyRing
from jwtguard.lint import Finding, Severity, lint

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.NOTE: "dim"}
_PLAIN_WIDTH = 160


def check(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="The policy, such as jwtguard.toml.")
    ],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Prove a policy and list what is weaker in it than it could be.

    Exits with 0 if the policy can be used (warnings and notes do not change that), with 1 if it cannot
    be built or holds an error that nobody overrode, with 2 if the file does not exist.
    """
    table, findings = judge(file)
    if as_json:
        typer.echo(to_json(file, findings))
    else:
        _print(file, table, findings)
    if any(finding.severity is Severity.ERROR for finding in findings):
        raise typer.Exit(1)


def judge(file: Path) -> tuple[PolicyTable | None, list[Finding]]:
    """Build and lint a policy.

    Args:
        file: Where it is.

    Returns:
        The table, or ``None`` if the policy cannot be built, and the findings, the worst first. A policy
        that cannot be built is a finding too: the mistake that stopped it.
    """
    try:
        table = PolicyTable(load(file))
        ring = KeyRing(table.config, SystemClock(), _ignore)
    except ConfigurationError as mistake:
        return None, [Finding(mistake.rule, Severity.ERROR, mistake.key, mistake.message)]
    order = list(Severity)
    return table, sorted(lint(table, ring.held), key=lambda finding: (order.index(finding.severity), finding.at))


def to_json(file: Path, findings: list[Finding]) -> str:
    """Write the findings for machines; keys are only ever added."""
    document = {
        "file": str(file),
        "ok": not any(finding.severity is Severity.ERROR for finding in findings),
        "findings": [
            {"rule": finding.rule, "severity": finding.severity, "at": finding.at, "message": finding.message}
            for finding in findings
        ],
    }
    return json.dumps(document, indent=2)


def _ignore(_: Event) -> None:
    """What a key ring reports while it is built, the lint finds as well."""


def _print(file: Path, table: PolicyTable | None, findings: list[Finding]) -> None:
    console = Console(highlight=False, markup=False, emoji=False)  # patterns may hold brackets and colons
    if not console.is_terminal:
        console.width = _PLAIN_WIDTH
    if table is not None:
        console.print(issuer_rows(table), endpoint_rows(table), sep="\n\n", end="\n\n")
    for finding in findings:
        where = f"{finding.at}: " if finding.at else ""
        console.print(f"{finding.severity:<8}", end="", style=_STYLES[finding.severity])
        console.print(f"{finding.rule:<9} {where}{finding.message}", soft_wrap=True)
    counts = Counter(finding.severity for finding in findings)
    verdict = ", ".join(f"{counts[severity]} {severity}{'' if counts[severity] == 1 else 's'}" for severity in Severity)
    mode = f"{table.config.mode} profile, " if table else "cannot be built: "
    console.print(f"{file}: {mode}{verdict}", soft_wrap=True)
