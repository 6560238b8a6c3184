"""The command ``jwtguard``. typer and rich come with the extra ``cli``, so they are imported when it runs."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import typer

_COMMANDS = (
    "jwtguard.cli.init:init",
    "jwtguard.cli.check:check",
    "jwtguard.cli.explain:explain",
    "jwtguard.cli.routes:routes",
    "jwtguard.cli.demo.run:demo",
)


def main() -> None:
    """Run the command line.

    Exits with 0 if all is well, 1 if something was found, 2 if it was called wrongly.
    """
    try:
        app = application()
    except ModuleNotFoundError as missing:
        package = (missing.name or "").partition(".")[0]
        if package not in ("typer", "rich"):
            raise
        sys.stderr.write(f"jwtguard: the command line needs {package}: pip install 'jwtguard-asgi[cli]'\n")
        raise SystemExit(2) from None
    app(prog_name="jwtguard")


def application() -> typer.Typer:
    """Build the command line.

    Raises:
        ModuleNotFoundError: typer or rich is not installed.
    """
    import typer  # noqa: PLC0415 - see the top of this module

    # Pretty exceptions are off: they can print local variables, and a local may hold a token.
    app = typer.Typer(
        help="The policy boundary for JWTs: prove a policy, explain a decision, list what is covered.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(_group)
    for target in _COMMANDS:
        module, _, function = target.partition(":")
        app.command()(getattr(import_module(module), function))
    return app


def _group() -> None:
    """Keep ``check`` a subcommand, however many others there are."""
