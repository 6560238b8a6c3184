"""What the fault scenarios share: an identity provider, a server nobody may contact, time, and both event loops."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kit.canary import Canary
from tests.kit.fake_clock import FakeClock
from tests.kit.fake_idp import FakeIdP
from tests.scenarios.protected_api import Login


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Run each async test on both event loops."""
    backend: str = request.param
    return backend


@pytest.fixture
def login() -> Iterator[Login]:
    """A provider that publishes one key."""
    with FakeIdP() as idp:
        login = Login(idp)
        login.publish("k1")
        yield login


@pytest.fixture
def canary() -> Iterator[Canary]:
    """A server that nobody may contact."""
    with Canary() as server:
        yield server


@pytest.fixture
def clock() -> FakeClock:
    """Time that passes when the test says so."""
    return FakeClock()
