"""Try mutants in forked children: each imports the package with one module changed, and runs tests.

The parent has imported what is slow to import and never changes, but not jwtguard. Nothing is written into the
source tree: byte code and the examples of hypothesis go to a folder that is removed at the end, and the changed
module exists in the child's memory only.
"""

from __future__ import annotations

import gc
import importlib
import os
import resource
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType

import hypothesis
import hypothesis.configuration
import pytest

from tests.mutation.mutants import mutated
from tests.mutation.stages import module_of, source_of

_IMPORTED_ONCE = (
    "cryptography.hazmat.primitives.asymmetric.rsa", "cryptography.x509", "joserfc.jwk", "joserfc.jws", "joserfc.jwt",
    "starlette.applications", "starlette.testclient", "starlette.websockets", "authlib", "cachetools", "httpx2",
    "anyio.pytest_plugin", "anyio._backends._asyncio", "trio", "trustme", "hypothesis.strategies",
)  # fmt: skip
_AT_ONCE = 2
_MEMORY_BYTES = 4 << 30
_LEAST_LIMIT_S = 30


@dataclass(frozen=True, slots=True)
class Job:
    """One child's work: the tests, and the mutant of a stage or, for ``None``, the code as it is."""

    stage: str
    number: int | None
    files: Sequence[str]
    limit_s: int


def prepare(folder: str) -> None:
    """Import what every child needs, and send what is written on the way to a folder outside the tree."""
    sys.pycache_prefix = str(Path(folder, "bytecode"))
    hypothesis.configuration.set_hypothesis_home_dir(str(Path(folder, "hypothesis")))
    hypothesis.settings.register_profile("mutation", database=None, derandomize=True)
    hypothesis.settings.load_profile("mutation")
    for name in _IMPORTED_ONCE:
        importlib.import_module(name)
    if "jwtguard" in sys.modules:
        message = "jwtguard is imported already: a child could not change it"
        raise RuntimeError(message)
    gc.freeze()


def survivors(jobs: Iterable[Job]) -> Iterator[Job]:
    """Run the jobs, two at once, and yield those whose tests all pass."""
    running: dict[int, Job] = {}
    for job in jobs:
        if len(running) == _AT_ONCE:
            yield from _finished(running)
        running[_start(job)] = job
    while running:
        yield from _finished(running)


def limit_of(stage: str, files: Sequence[str]) -> int:
    """Run the tests on the code as it is, and return after how many seconds a mutant counts as hanging.

    Raises:
        RuntimeError: The tests fail without a mutant, so they would prove nothing.
    """
    before = time.monotonic()
    if not list(survivors([Job(stage, None, files, 600)])):
        message = f"{stage}: the tests fail on the unchanged code: {' '.join(files)}"
        raise RuntimeError(message)
    return max(_LEAST_LIMIT_S, int(6 * (time.monotonic() - before)))


def _finished(running: dict[int, Job]) -> Iterator[Job]:
    pid, status = os.wait()
    job = running.pop(pid)
    if os.waitstatus_to_exitcode(status) == pytest.ExitCode.OK:
        yield job


def _start(job: Job) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 3
    try:
        code = _run(job)
    finally:
        os._exit(code)


def _run(job: Job) -> int:
    """Run in the child. The alarm has no handler, so it ends a child that hangs."""
    signal.alarm(job.limit_s)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    silence = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(silence, stream)
    sys.meta_path.insert(0, _Finder(job.stage, job.number))
    return int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "--assert=plain", *job.files]))


class _Finder:
    """Answers for the one changed module; everything else is found as always.

    Unchanged code comes the same way, so that a fault in here would not look like mutants killed.
    """

    def __init__(self, stage: str, number: int | None) -> None:
        self._name, self._path, self._number = module_of(stage), str(source_of(stage)), number

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name != self._name:
            return None
        return spec_from_file_location(name, self._path, loader=_Loader(name, self._path, self._number))


class _Loader(SourceFileLoader):
    def __init__(self, name: str, path: str, number: int | None) -> None:
        super().__init__(name, path)
        self._number = number

    def get_code(self, fullname: str) -> CodeType:
        source = Path(self.path).read_text(encoding="utf-8")
        code: CodeType = compile(mutated(source, self._number), self.path, "exec")
        return code
