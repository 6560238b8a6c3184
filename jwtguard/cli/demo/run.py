"""The command ``jwtguard demo``: a real issuer and a protected API in one process, and what requests get.

Frameworks and servers are imported when the demo runs: they come with the extra ``demo``, and the
other commands must neither need them nor wait for them.
"""

from __future__ import annotations

import signal
import threading
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from jwtguard.cli.demo.world import World

_SERVE_PORT = 8811
_READ_ANSWER = """sed -E 's/.*"access_token": *"([^"]+)".*/\\1/'"""


def demo(
    *,
    serve: Annotated[bool, typer.Option("--serve", help="Keep issuer and API running afterwards.")] = False,
    port: Annotated[
        int,
        typer.Option(
            min=0,
            max=65534,
            help="Port of the API; the issuer takes the next one. "
            f"Default: free ones, or {_SERVE_PORT} and the next with --serve.",
            show_default=False,
        ),
    ] = 0,
) -> None:
    """Run a real issuer and a protected API on loopback, and show what each request gets.

    Exits with 1 if any verdict differs from the right one.
    """
    try:
        from jwtguard.cli.demo.scenes import SCENES  # noqa: PLC0415 - see the top of this module
        from jwtguard.cli.demo.show import play  # noqa: PLC0415
        from jwtguard.cli.demo.stage import running  # noqa: PLC0415
    except ModuleNotFoundError as missing:
        typer.echo(f"the demo needs {missing.name}: pip install 'jwtguard-asgi[demo]'", err=True)
        raise typer.Exit(2) from None
    console = Console(highlight=False)
    with ExitStack() as stack:
        try:
            world = stack.enter_context(running(port or (_SERVE_PORT if serve else 0)))
        except OSError as error:
            typer.echo(f"the demo cannot listen: {error.strerror}; choose another port with --port", err=True)
            raise typer.Exit(2) from None
        _print(console, f"A real issuer at {world.issuer.issuer} and a guarded API at {world.url}, in this process.")
        mismatches = play(SCENES, world, console)
        if serve:
            _keep_running(console, world)
        else:
            _tell_how_to_keep_it_running(console)
    if mismatches:
        raise typer.Exit(1)


def _tell_how_to_keep_it_running(console: Console) -> None:
    _print(
        console,
        "",
        "Keep it running:  make demo ARGS=--serve      (or: jwtguard demo --serve)",
        f"Call it then:     curl -i http://127.0.0.1:{_SERVE_PORT}/reports",
        "                  It answers 401; --serve also prints the lines that get a token and use it.",
    )


def _keep_running(console: Console, world: World) -> None:
    """Tell how to call the API, and wait for Ctrl-C or SIGTERM."""
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell that starts it with "&" has SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    issuer = world.issuer
    _print(
        console,
        "",
        "The issuer and the API keep running. In another terminal, get a token and use it:",
        "",
        f"  TOKEN=$(curl -s -u {issuer.client_id}:{issuer.client_secret} -d grant_type=client_credentials \\",
        f"    -d scope=reports:read {issuer.issuer}/token | {_READ_ANSWER})",
        f'  curl -i -H "Authorization: Bearer $TOKEN" {world.url}/reports/7',
        "",
        f"The policy is in {world.policy}. Ctrl-C ends it.",
    )
    with suppress(KeyboardInterrupt):
        threading.Event().wait()


def _print(console: Console, *lines: str) -> None:
    for line in lines:
        console.print(Text(line), soft_wrap=True)
