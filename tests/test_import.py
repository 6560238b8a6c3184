"""What ``import jwtguard`` may load beyond what an ASGI application on Starlette has loaded anyway."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parent.parent
_MAY_LOAD = {"anyio", "cachetools", "jwtguard", "starlette"}
# Each costs as much as Starlette itself, or is an extra that need not be installed. joserfc brings cryptography, and
# both come with the first key.
_MUST_NOT_LOAD = ("authlib", "cryptography", "fastapi", "httpcore2", "httpx2", "joserfc", "pydantic", "typer")
_LOADED = """
import json, sys
import starlette.requests
before = set(sys.modules)
import jwtguard
print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before})))
"""
_WITHOUT = """
import sys
sys.modules[sys.argv[1]] = None
import jwtguard
"""


def _python(program: str, *arguments: str) -> str:
    command = [sys.executable, "-W", "error", "-c", program, *arguments]
    return subprocess.run(command, cwd=_ROOT, check=True, stdout=subprocess.PIPE, text=True, timeout=60).stdout


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    """The top-level modules that the import adds in a fresh interpreter."""
    return set(json.loads(_python(_LOADED)))


def test_import_loads_only_the_listed_packages(loaded: set[str]) -> None:
    """R-OBS-08: beyond ``starlette.requests``, the import loads the listed packages and the standard library."""
    assert "jwtguard" in loaded
    assert loaded - set(sys.stdlib_module_names) <= _MAY_LOAD


@pytest.mark.parametrize("package", _MUST_NOT_LOAD)
def test_import_leaves_heavy_packages_alone(loaded: set[str], package: str) -> None:
    """R-OBS-08: HTTP client, key import, OAuth metadata and extras are imported by the function that needs them."""
    assert package not in loaded


@pytest.mark.parametrize("package", _MUST_NOT_LOAD)
def test_import_works_without_heavy_packages(package: str) -> None:
    """R-OBS-08: no heavy package is even tried: where it cannot be imported, jwtguard still can."""
    _python(_WITHOUT, package)
