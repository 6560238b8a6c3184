"""What gunicorn runs: the Flask face in a process of its own, and the file that it keeps its journal in."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

from flask import request

from jwtguard import identity_of
from jwtguard.adapters.flask import JWTGuard
from jwtguard.core.events import Decided, Event
from tests.scenarios.faces.guards import guard_of
from tests.scenarios.faces.places import BrokenError
from tests.scenarios.faces.wsgi_faces import flask_app

SETUP: Final[dict[str, Any]] = json.loads(os.environ["JWTGUARD_TEST_SETUP"])
JOURNAL: Final = Path(SETUP["journal"])


def note(**entry: object) -> None:
    """Write a line that the test reads once it has the answer."""
    with JOURNAL.open("a") as file:
        file.write(json.dumps(entry) + "\n")


def sink(event: Event) -> None:
    """Note a decision, and fail as a sink may.

    Raises:
        BrokenError: Always.
    """
    if isinstance(event, Decided):
        note(policy=event.policy, reason=event.reason, shown=repr(event))
    raise BrokenError


def enter(name: str) -> None:
    """Note that a function runs, and for whom."""
    identity = identity_of(request.environ)
    note(handler=name, by=identity.policy, subject=identity.subject)


app = flask_app(enter)
JWTGuard(app, guard=guard_of(sink, SETUP["keys"], SETUP["sessions"]))
