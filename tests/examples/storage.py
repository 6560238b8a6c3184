"""The examples of the storage patterns, each as it is but for the addresses of what they talk to."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Final
from unittest import mock

from jwtguard.cli.demo.app import build_app, write_policy
from jwtguard.cli.demo.issuer import DemoIssuer
from jwtguard.cli.demo.servers import ApiServer
from jwtguard.guard import Guard

EXAMPLES: Final = Path(__file__).parents[2] / "examples"
ISSUER: Final = "http://127.0.0.1:8812"
API: Final = "http://127.0.0.1:8811"
SPA_API: Final = "http://127.0.0.1:8000"
SPA_PAGE: Final = "http://127.0.0.1:8001"


def moved(text: str, addresses: Mapping[str, str]) -> str:
    """The text of an example, with other addresses in it."""
    for written, real in addresses.items():
        assert written in text, f"{written} is not in the example"
        text = text.replace(written, real)
    return text


def load(example: str, folder: Path, addresses: Mapping[str, str]) -> ModuleType:
    """Copy an example, put addresses in, and import the copy."""
    copy = folder / example
    copy.write_text(moved((EXAMPLES / example).read_text("utf-8"), addresses), "utf-8")
    name = f"copy_of_{copy.stem}"
    spec = importlib.util.spec_from_file_location(name, copy)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with mock.patch.dict(sys.modules, {name: module}):  # where FastAPI looks annotations up
        spec.loader.exec_module(module)
    return module


@contextmanager
def demo(folder: Path) -> Iterator[tuple[DemoIssuer, ApiServer]]:
    """What ``make demo ARGS=--serve`` keeps running: an issuer and an API that trusts it."""
    with DemoIssuer() as issuer:
        api = build_app(Guard.from_file(write_policy(folder, issuer.issuer)))
        with ApiServer(api) as server:
            yield issuer, server


def load_bff(folder: Path, issuer: DemoIssuer, api: str) -> ModuleType:
    """The backend for a frontend, which learns its client's secret from the environment."""
    with mock.patch.dict(os.environ, {"CLIENT_SECRET": issuer.client_secret}):
        return load("bff_app.py", folder, {ISSUER: issuer.issuer, API: api})
