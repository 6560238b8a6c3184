"""The command ``jwtguard routes``: every route of an application, and the policies its requests meet."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from jwtguard.config import load, mistakes_in
from jwtguard.core.endpoint import Access
from jwtguard.core.table import PolicyTable
from jwtguard.declared.declaration import Declaration, Judge, declared_on, declared_within
from jwtguard.errors import ConfigurationError, JwtGuardError
from jwtguard.guard import Guard
from jwtguard.lint.app_routes import order_of
from jwtguard.lint.census import CensusRow, Cover, UncoveredRoutesError, Verdict, census
from jwtguard.lint.cors import OpenCorsError, cors_findings
from jwtguard.lint.django_routes import urlconf
from jwtguard.lint.findings import Finding, Severity
from jwtguard.lint.route_order import Stop

_STYLES = {
    Verdict.COVERED: "green",
    Verdict.PARTLY: "yellow",
    Verdict.UNPROTECTED: "bold red",
    Verdict.SHADOWED: "bold red",
}
_FAILS = frozenset({Verdict.UNPROTECTED, Verdict.SHADOWED})
_PLAIN_WIDTH = 200
_WANTED = "give an application of Starlette, FastAPI, Flask or Django"


class WrongCall(Exception):  # noqa: N818 - an outcome of the command line, told to whoever typed it
    """The command was called with something that cannot be used."""


def routes(
    file: Annotated[
        Path | None,
        typer.Argument(
            exists=True,
            dir_okay=False,
            readable=True,
            help="The policy, such as jwtguard.toml; without one, that of the application's own decorators.",
        ),
    ] = None,
    *,
    app: Annotated[
        str,
        typer.Option(
            "--app", metavar="MODULE:APP", help="The application, such as main:app; a Django URLconf: mysite.urls."
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print the census as JSON.")] = False,
) -> None:
    """List the routes of an application with the policies that cover them.

    It may be one of Starlette, FastAPI, Flask or Django. It is imported from the current directory. Exits
    with 0 if every route is covered at least in part, with 1 if one is unprotected or shadowed or if CORS lets every
    origin in with credentials, with 2 if policy or application cannot be loaded.
    """
    try:
        rows, findings = take(file, app)
    except (UncoveredRoutesError, OpenCorsError) as found:  # the application would not be imported with its own guard
        typer.echo(f"jwtguard routes: {found}", err=True)
        raise typer.Exit(1) from None
    except (WrongCall, ConfigurationError) as mistake:
        typer.echo(f"jwtguard routes: {mistake}", err=True)
        raise typer.Exit(2) from None
    if as_json:
        typer.echo(to_json(rows, findings))
    else:
        _print(rows)
        for finding in findings:
            typer.echo(f"{finding.severity}: {finding.at}: {finding.message} [{finding.rule}]")
    if _fails(rows, findings):
        raise typer.Exit(1)


def take(file: Path | None, target: str) -> tuple[list[CensusRow], list[Finding]]:
    """Take the census of an application, with what is wrong with its CORS layers.

    Policies that it declares by decorators count with those of its guard.

    Args:
        file: The policy; ``None``: the application's decorators have one.
        target: The application as ``module:attribute``, or a URLconf of Django as ``module``.

    Raises:
        ConfigurationError: The policy cannot be used, or the application's own cannot.
        WrongCall: There is no such application, or it has no routes.
    """
    table = None
    if file is not None:
        with mistakes_in(str(file)):
            table = PolicyTable(load(file))
    app = application(target)
    order = order_of(app)
    if order is None:
        message = f"{target!r} is a {type(app).__name__} without routes; {_WANTED}"
        raise WrongCall(message)
    judges = {
        id(judge): judge
        for judge in (*_of_middleware(app), *(one.judge for stop in order.stops for one in _declared(stop)))
    }
    for judge in judges.values():
        judge.bind(app)
        if judge.declares:
            table = judge.table
    if table is None:
        message = f"{target!r} declares no policy by decorators; give the policy file"
        raise WrongCall(message)
    return census(app, table), cors_findings(app, table)


def _fails(rows: list[CensusRow], findings: list[Finding]) -> bool:
    return any(row.verdict in _FAILS for row in rows) or any(one.severity is Severity.ERROR for one in findings)


def _of_middleware(app: object) -> Iterator[Judge]:
    """Find the guards of the application's own middleware: one may have decorators that no route leads to."""
    for middleware in getattr(app, "user_middleware", ()):
        guard = getattr(middleware, "kwargs", {}).get("guard")
        if isinstance(guard, Guard):
            yield guard


def _declared(stop: Stop) -> Iterable[Declaration]:
    whole = declared_on(stop.endpoint)
    return (whole,) if whole is not None else declared_within(stop.endpoint).values()


def application(target: str) -> object:
    """Import an application; the current directory counts as a place for modules.

    Raises:
        WrongCall: The target is not ``module:attribute`` (nor, where ``DJANGO_SETTINGS_MODULE`` is set, the
            module of a URLconf), or there is no such module or attribute.
    """
    name, colon, path = target.partition(":")
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    if name and not colon and (site := _imported(name, urlconf)) is not None:
        return site
    if not (name and colon and path):
        message = f"--app must be MODULE:APP, such as main:app, not {target!r}"
        raise WrongCall(message)
    found = _imported(name, import_module)
    for attribute in path.split("."):
        if not hasattr(found, attribute):
            message = f"{name!r} has no attribute {path!r}"
            raise WrongCall(message)
        found = getattr(found, attribute)
    return found


def _imported(name: str, load_module: Callable[[str], object]) -> object:
    try:
        return load_module(name)
    except ModuleNotFoundError as missing:
        message = f"cannot import {name!r}: there is no module {missing.name!r}"
        raise WrongCall(message) from None
    except (JwtGuardError, WrongCall):
        raise  # says itself what is wrong
    except Exception as broken:  # noqa: BLE001 - an application may fail in any way while it is imported
        message = f"cannot import {name!r}: {type(broken).__name__}: {broken}"
        raise WrongCall(message) from None


def to_json(rows: list[CensusRow], findings: list[Finding]) -> str:
    """Write the census for machines; keys are only ever added."""
    document = {
        "ok": not _fails(rows, findings),
        "findings": [dataclasses.asdict(finding) for finding in findings],
        "routes": [
            {
                "kind": row.kind,
                "method": row.method,
                "path": row.path,
                "host": row.host,
                "endpoint": row.endpoint,
                "verdict": row.verdict,
                "note": row.note,
                "policies": [
                    {
                        "name": cover.name,
                        "access": cover.access,
                        "classes": cover.classes,
                        "scopes": cover.scopes,
                        "any_scopes": cover.any_scopes,
                        "demands": cover.demands,
                    }
                    for cover in row.covers
                ],
            }
            for row in rows
        ],
    }
    return json.dumps(document, indent=2)


def _print(rows: list[CensusRow]) -> None:
    console = Console(highlight=False, markup=False, emoji=False)  # paths hold braces, and may hold brackets
    if not console.is_terminal:
        console.width = _PLAIN_WIDTH
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("method", "path", "endpoint", "verdict", "policy", "demands"):
        shown.add_column(column, overflow="fold")
    for row in rows:
        covers = row.covers
        where = f"{row.path} on {row.host}" if row.host else row.path
        demands = "\n".join(map(_demands, covers))
        names = "\n".join(cover.name for cover in covers)
        shown.add_row(row.method, where, row.endpoint, row.verdict, names, demands, style=_STYLES[row.verdict])
    console.print(shown)
    for row in rows:
        if row.note:
            console.print(f"{row.verdict}: {row.method} {row.path}: {row.note}", soft_wrap=True)
    counts = Counter(row.verdict for row in rows)
    console.print(", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict), soft_wrap=True)


def _demands(cover: Cover) -> str:
    if cover.access is Access.PUBLIC:
        return "public"
    classes = ", ".join(cover.classes)
    return "; ".join([f"nothing, or {classes}" if cover.access is Access.OPTIONAL else classes, *cover.demands])
