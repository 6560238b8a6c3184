"""Set the demo up: issuer, guarded API and attacker on loopback, and a client."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2

from jwtguard.cli.demo.app import build_app, write_policy
from jwtguard.cli.demo.issuer import DemoIssuer
from jwtguard.cli.demo.servers import ApiServer, AttackerServer
from jwtguard.cli.demo.world import Decisions, World
from jwtguard.guard import Guard


@contextmanager
def running(port: int) -> Iterator[World]:
    """Run the servers as long as the ``with`` block.

    Args:
        port: The API's port, the issuer taking the next one; 0 takes free ones.

    Raises:
        OSError: A port is taken.
    """
    decisions = Decisions()
    with (
        TemporaryDirectory(prefix="jwtguard-demo-") as folder,
        AttackerServer() as attacker,
        DemoIssuer(port=port + 1 if port else 0) as issuer,
    ):
        policy = write_policy(Path(folder), issuer.issuer)
        guard = Guard.from_file(policy, on_event=decisions)
        with (
            ApiServer(build_app(guard), port=port) as api,
            httpx2.Client(base_url=api.url, trust_env=False) as client,
        ):
            yield World(
                issuer=issuer,
                api=client,
                attacker=attacker,
                decisions=decisions,
                policy=policy,
                kid_cooldown_s=guard.table.limits.kid_cooldown_s,
            )
