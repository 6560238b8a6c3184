"""A server that nobody may contact."""

from __future__ import annotations

import asyncio

from tests.kit.thread_server import ThreadServer


class Canary(ThreadServer):
    """Count connections and close them. One is too many."""

    def __init__(self) -> None:
        super().__init__(_say_nothing)

    @property
    def url(self) -> str:
        """What to lure the code under test with."""
        return f"http://127.0.0.1:{self.port}/canary"

    def assert_untouched(self) -> None:
        """Fail if anybody ever connected."""
        self.settle()
        assert self.connections == 0, f"the canary was contacted {self.connections} times"


async def _say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Return, and so close."""
