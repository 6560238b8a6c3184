"""Which Chromium the browser tests drive: ``python -m tests.kit.browser_program`` finds or installs one.

Nothing is downloaded except by the system's own package manager, and by that only where it may: as root, where
``apt-get`` is there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from typing import Final

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
VARIABLE: Final = "CHROMIUM"
PACKAGE: Final = "chromium"
_PATIENCE_S: Final = 60.0


class NoBrowserError(Exception):
    """No Chromium is here, and none could be installed; the text says what to do."""


def find(environment: Mapping[str, str]) -> str | None:
    """Return the program that ``CHROMIUM`` names, or else the first of the usual names that runs.

    Raises:
        NoBrowserError: ``CHROMIUM`` names something that does not run as a browser.
    """
    path = environment.get("PATH", os.defpath)
    if named := environment.get(VARIABLE):
        program = shutil.which(named, path=path)
        if program is None or not _runs(program):
            message = f"{VARIABLE}={named} is not a Chromium that runs here."
            raise NoBrowserError(message)
        return program
    found = (shutil.which(name, path=path) for name in NAMES)
    return next((program for program in found if program is not None and _runs(program)), None)


def find_or_install(environment: Mapping[str, str], *, root: bool) -> str:
    """Return a Chromium, installing the system's own where that is allowed.

    Args:
        environment: ``PATH`` and ``CHROMIUM`` count.
        root: Whether packages may be installed.

    Raises:
        NoBrowserError: There is none, and none could be installed.
    """
    if program := find(environment):
        return program
    apt_get = shutil.which("apt-get", path=environment.get("PATH", os.defpath))
    if apt_get is None or not root:
        message = (
            f"no Chromium is installed (looked for {', '.join(NAMES)}). Install one, on Debian by "
            f"'apt-get install {PACKAGE}' as root, or say where it is: make browser {VARIABLE}=/path/to/chromium"
        )
        raise NoBrowserError(message)
    print(f"Installing {PACKAGE} by apt-get ...", file=sys.stderr)  # noqa: T201 - it takes a while; the path is stdout's
    quiet = {**environment, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update", "-qq"], ["install", "-qq", "--yes", "--no-install-recommends", PACKAGE]):
        done = subprocess.run(
            [apt_get, *arguments], env=quiet, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False
        )
        if done.returncode:
            message = f"'apt-get {' '.join(arguments)}' failed. Install {PACKAGE} by hand, or set {VARIABLE}."
            raise NoBrowserError(message)
    if program := find(environment):
        return program
    message = f"apt-get installed {PACKAGE}, and still none of {', '.join(NAMES)} runs. Set {VARIABLE}."
    raise NoBrowserError(message)


def _runs(program: str) -> bool:
    """Start it once: some systems put a script there that only says how to install the browser."""
    try:
        asked = subprocess.run([program, "--version"], capture_output=True, timeout=_PATIENCE_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0 and b"Chrom" in asked.stdout


def main() -> int:
    """Print the path, or the reason why there is none."""
    try:
        print(find_or_install(os.environ, root=os.geteuid() == 0))  # noqa: T201 - that is what the caller reads
    except NoBrowserError as error:
        print(f"make: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
