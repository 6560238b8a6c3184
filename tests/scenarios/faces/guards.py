"""The guard of one face: of the whole policy, or of one that decorators fill in."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from jwtguard import Guard
from jwtguard.core.events import Event
from tests.kit.fake_clock import FakeClock
from tests.scenarios.faces.places import Place, config_of, hooks_of
from tests.scenarios.faces.tokens import SESSIONS, public_keys

F = TypeVar("F", bound=Callable[..., object])


def guard_of(
    on_event: Callable[[Event], None],
    keys: Sequence[Mapping[str, object]] | None = None,
    sessions: Mapping[str, str] | None = None,
) -> Guard:
    """A guard of every place, at the time of the forge.

    Args:
        on_event: What is told of decisions.
        keys: The issuer's public keys, where another process made them.
        sessions: The application's sessions, as above.
    """
    config, hooks = (
        config_of(public_keys() if keys is None else keys),
        hooks_of(SESSIONS if sessions is None else sessions),
    )
    return Guard(config, on_event=on_event, clock=FakeClock(), hooks=hooks)


def declaring(on_event: Callable[[Event], None]) -> Guard:
    """A guard of the same issuers whose policies decorators declare."""
    config = dataclasses.replace(config_of(public_keys()), endpoints=())
    return Guard(config, on_event=on_event, clock=FakeClock(), hooks=hooks_of(SESSIONS))


def named(place: Place, function: F) -> F:
    """Name a function so that the policy declared on it is called like the place."""
    function.__module__, function.__qualname__ = "faces", place.name
    return function
