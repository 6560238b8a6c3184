"""Play the scenes and print one line each, with a tick where the verdict is the expected one."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from jwtguard.cli.demo.scenes import Scene, Verdict, send
from jwtguard.cli.demo.world import World

_TITLE, _REQUEST, _VERDICT, _STATUS, _REASON = 42, 15, 9, 8, 17  # column widths


def play(scenes: Sequence[Scene], world: World, console: Console) -> list[str]:
    """Play every scene, whatever the others brought.

    Args:
        scenes: The table.
        world: What they act on.
        console: Where the lines go; plain text if that is no terminal.

    Returns:
        One sentence for each thing that was not as expected.
    """
    began = time.monotonic()
    mismatches: list[str] = []
    _print_heads(console)
    for scene in scenes:
        if scene.heading:
            _print(console, Text(f"\n{scene.heading}", "bold"))
        seen = send(scene, world)
        if seen != scene.expected:
            mismatches.append(f"{scene.title}: expected {scene.expected.text}, got {seen.text}")
        _print(console, _line(scene, seen, _mark(console, fits=seen == scene.expected)))
    visits = world.attacker.visits()
    if visits:
        mismatches.append(f"the attacker's server: expected 0 visits, got {visits}")
    _print(console, Text.assemble("\n", _mark(console, fits=not visits), f" the attacker's server had {visits} visits"))
    _print_summary(console, len(scenes) + 1, mismatches, time.monotonic() - began)
    return mismatches


def _print_heads(console: Console) -> None:
    columns = (("sent", _TITLE), ("request", _REQUEST), ("verdict", _VERDICT), ("status", _STATUS), ("reason", _REASON))
    heads = "".join(f"{name:{width}}" for name, width in columns)
    _print(console, Text(f"\n  {heads}challenge", "dim"))


def _line(scene: Scene, seen: Verdict, mark: Text) -> Text:
    verdict = "refused" if seen.reason else "allowed"
    return Text.assemble(
        mark,
        f" {scene.title:{_TITLE}}{scene.request:{_REQUEST}}",
        (f"{verdict:{_VERDICT}}", "yellow" if seen.reason else "green"),
        f"{seen.status:<{_STATUS}}{seen.reason or '':{_REASON}}",
        (seen.challenge, "dim"),
    )


def _mark(console: Console, *, fits: bool) -> Text:
    """A green tick or a red cross, in letters where the output's encoding has neither."""
    tick, cross = ("+", "!") if console.options.ascii_only else ("\u2713", "\u2717")
    return Text(tick, "bold green") if fits else Text(cross, "bold red")


def _print_summary(console: Console, count: int, mismatches: Sequence[str], took_s: float) -> None:
    _print(console, Text(f"\n{count - len(mismatches)} of {count} as expected, in {took_s:.1f} s."))
    for mismatch in mismatches:
        _print(console, Text(f"  {mismatch}", "red"))


def _print(console: Console, text: Text) -> None:
    """Print one line as one line, however narrow the terminal is."""
    text.rstrip()
    console.print(text, soft_wrap=True)
