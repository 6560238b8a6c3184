"""The command ``jwtguard explain``: one request through the real pipeline, every stage told."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote

import anyio
import typer

from jwtguard.cli.explanation import Asked, Explanation, StepVerdict, explain_request
from jwtguard.clock import SystemClock
from jwtguard.config import load, mistakes_in
from jwtguard.core.events import Event
from jwtguard.core.issuer import InlineKeys
from jwtguard.core.policy import Config
from jwtguard.core.request import Token, http_method
from jwtguard.core.strict_json import json_reader
from jwtguard.core.table import PolicyTable
from jwtguard.errors import ConfigurationError
from jwtguard.jwks.ring import KeyRing
from jwtguard.lint.route_order import WEBSOCKET

_LABEL = 15
_MARKS = {StepVerdict.PASSED: "passed", StepVerdict.REFUSED: "REFUSED", StepVerdict.NOT_REACHED: "not reached"}


class WrongCall(Exception):  # noqa: N818 - an outcome of the command line, told to whoever typed it
    """The command was called with something that cannot be used."""


def explain(  # noqa: PLR0913 - one parameter for each option
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="The policy, such as jwtguard.toml.")
    ],
    request: Annotated[str, typer.Argument(metavar="REQUEST", help='Method and path, such as "GET /reports/7".')],
    *,
    token: Annotated[str, typer.Option(metavar="FILE", help="Where the token is; - reads standard input.")] = "",
    jwks: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="A key set to use in place of the issuers' own.")
    ] = None,
    now: Annotated[float | None, typer.Option(help="Judge at this NumericDate; default: the present.")] = None,
    header: Annotated[list[str] | None, typer.Option(metavar="NAME: VALUE", help="A header field; repeatable.")] = None,
    fetch: Annotated[bool, typer.Option("--fetch", help="Fetch the issuers' keys; else nothing is fetched.")] = False,
) -> None:
    """Tell how a request would be decided: each stage, what it expected and saw, and what may be wrong.

    Exits with 0 if the request is allowed, with 1 if it is refused, with 2 if it cannot be tried. No part of
    the token is printed.
    """
    try:
        asked = asked_for(request, header or [], read_token(token) if token else None)
        config = load(file)
        with mistakes_in(str(file)):
            config = config if jwks is None else with_keys(config, jwks)
            table = PolicyTable(config)
            ring = KeyRing(config, SystemClock(), _ignore)
    except (WrongCall, ConfigurationError) as mistake:
        typer.echo(f"jwtguard explain: {mistake}", err=True)
        raise typer.Exit(2) from None
    if fetch and (missing := anyio.run(ring.start)):
        typer.echo(f"jwtguard explain: no keys came from {', '.join(missing)}", err=True)
    explanation = explain_request(table, ring.held, asked, SystemClock.now() if now is None else now)
    for line in told(explanation):
        typer.echo(line)
    if explanation.reason is not None:
        raise typer.Exit(1)


def asked_for(request: str, headers: list[str], token: Token | None) -> Asked:
    """Read a request as people write it.

    Args:
        request: Method and path; WEBSOCKET stands for a handshake. The path is decoded as a server does; a query
            plays no part.
        headers: ``Name: value``.
        token: What ``--token`` gave.

    Raises:
        WrongCall: Anything is not of that form.
    """
    method, _, target = request.strip().partition(" ")
    path = unquote(target.strip().partition("?")[0])
    if not path.startswith("/"):
        message = f'the request must be a method and a path, such as "GET /reports/7", not {request!r}'
        raise WrongCall(message)
    fields = []
    for line in headers:
        name, colon, value = line.partition(":")
        if not (colon and name.strip()):
            message = 'a header must be "Name: value"'  # the line may hold a token, so it is not shown
            raise WrongCall(message)
        fields.append((name.strip().lower().encode("latin-1", "replace"), value.strip().encode("latin-1", "replace")))
    return Asked(method if method == WEBSOCKET else http_method(method), path, tuple(fields), token)


def read_token(place: str) -> Token:
    """Read a token from a file or from standard input; the line end after it is not part of it.

    Raises:
        WrongCall: The file cannot be read.
    """
    try:
        text = sys.stdin.buffer.read() if place == "-" else Path(place).read_bytes()
    except OSError as error:
        message = f"cannot read the token: {error.strerror}; --token takes a file or -, never the token itself"
        raise WrongCall(message) from None
    return Token(text.removesuffix(b"\n").removesuffix(b"\r"))


def with_keys(config: Config, file: Path) -> Config:
    """Return a configuration whose issuers all have the keys of a file.

    Raises:
        WrongCall: The file is not a JWK set (RFC 7517, section 5) or one JWK.
    """
    try:
        document = json_reader(depth=config.limits.claims_depth, members=config.limits.json_members)(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        document = {}
    keys = document.get("keys", [document] if "kty" in document else None)
    if not isinstance(keys, list):
        message = f"{file} is not a JWK set: one JSON object with the member keys"
        raise WrongCall(message)
    issuers = [dataclasses.replace(issuer, keys=InlineKeys(keys)) for issuer in config.issuers]
    return dataclasses.replace(config, issuers=issuers)


def told(explanation: Explanation) -> list[str]:
    """Write an explanation down, line by line."""
    lines = []
    for step in explanation.steps:
        lines.append(f"{step.stage:<{_LABEL}} {_MARKS[step.verdict]}")
        if step.verdict is not StepVerdict.NOT_REACHED:
            lines += [f"{'':<{_LABEL}}   expected  {step.expected}", f"{'':<{_LABEL}}   seen      {step.seen}"]
    if explanation.reason is None:
        return [*lines, "", "allowed"]
    lines += ["", f"refused: {explanation.reason} ({explanation.check}); the client is answered {explanation.status}"]
    return [*lines, *(f"hint: {hint}" for hint in explanation.hints)]


def _ignore(_: Event) -> None:
    """Which keys are left out, ``jwtguard check`` tells."""
