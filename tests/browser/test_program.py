"""How ``make browser`` comes by a Chromium, and how ``make test`` does without."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.browser_program import NAMES, NoBrowserError, find, find_or_install

ROOT = Path(__file__).parents[2]


def script(folder: Path, name: str, text: str) -> Path:
    """Put a shell script there."""
    program = folder / name
    program.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize("name", NAMES)
def test_every_usual_name_is_found(tmp_path: Path, name: str) -> None:
    """A Chromium under any of its names will do."""
    program = script(tmp_path, name, "echo Chromium 156")
    assert find({"PATH": str(tmp_path)}) == str(program)


def test_a_stub_is_passed_over(tmp_path: Path) -> None:
    """What has the name and does not run, as where the real one is in another package format, does not count."""
    script(tmp_path, "chromium", "exit 1")
    script(tmp_path, "chromium-browser", "echo install it elsewhere")
    program = script(tmp_path, "google-chrome", "echo Google Chrome 156")
    assert find({"PATH": str(tmp_path)}) == str(program)


def test_the_named_one_is_taken_or_nothing(tmp_path: Path) -> None:
    """CHROMIUM names a program; if it does not run, no other is taken in its place."""
    script(tmp_path, "chromium", "echo Chromium 156")
    mine = script(tmp_path, "mine", "echo Chromium 157")
    assert find({"PATH": str(tmp_path), "CHROMIUM": str(mine)}) == str(mine)
    with pytest.raises(NoBrowserError, match="CHROMIUM=other is not"):
        find({"PATH": str(tmp_path), "CHROMIUM": "other"})


def test_one_is_installed_where_it_may(tmp_path: Path) -> None:
    """As root, with apt-get: the lists are updated once, then the package is installed."""
    log = tmp_path / "log"
    browser = tmp_path / "chromium"
    script(
        tmp_path,
        "apt-get",
        f'echo "$@" >> {log}\n'
        f'[ "$1" != install ] || {{ printf "#!/bin/sh\\necho Chromium" > {browser}; /bin/chmod +x {browser}; }}',
    )
    assert find_or_install({"PATH": str(tmp_path)}, root=True) == str(browser)
    assert log.read_text("utf-8").splitlines() == ["update -qq", "install -qq --yes --no-install-recommends chromium"]


@pytest.mark.parametrize(("root", "apt_get"), [(False, True), (True, False)])
def test_where_none_may_be_installed_the_reader_is_told(tmp_path: Path, *, root: bool, apt_get: bool) -> None:
    """Without root, or without apt-get, nothing is run, and the text says what to install."""
    if apt_get:
        script(tmp_path, "apt-get", f"touch {tmp_path}/was-run")
    with pytest.raises(NoBrowserError, match="'apt-get install chromium' as root, or say where it is"):
        find_or_install({"PATH": str(tmp_path)}, root=root)
    assert not (tmp_path / "was-run").exists()


def test_a_failed_installation_is_told(tmp_path: Path) -> None:
    """When apt-get fails, the text says at what."""
    script(tmp_path, "apt-get", "exit 100")
    with pytest.raises(NoBrowserError, match="'apt-get update -qq' failed"):
        find_or_install({"PATH": str(tmp_path)}, root=True)


@pytest.mark.parametrize("chosen", [[], ["tests/browser"]])
def test_without_a_browser_the_rest_says_what_it_left_out(chosen: list[str]) -> None:
    """Without CHROMIUM nothing of tests/browser is collected, playwright is not imported, one line says so."""
    environment = {name: value for name, value in os.environ.items() if name != "CHROMIUM"}
    plain = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    # The folders that take no part here only cost time to collect.
    ignored = [
        f"--ignore={path}" for path in (ROOT / "tests").iterdir() if path.name not in {"browser", "test_import.py"}
    ]
    ran = subprocess.run(
        [*plain, *ignored, *chosen], cwd=ROOT, env={**environment, "PYTHONPROFILEIMPORTTIME": "1"}, capture_output=True,
        text=True, timeout=120, check=False,
    )  # fmt: skip
    assert "Left out: tests/browser" in ran.stdout
    assert "make browser" in ran.stdout
    assert "::" not in "".join(line for line in ran.stdout.splitlines() if "browser" in line)
    assert "playwright" not in ran.stderr
