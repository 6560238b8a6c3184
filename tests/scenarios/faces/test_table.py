"""One table of requests through every face: equal verdicts, challenges and reasons (R-EXT-14)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import pytest

from tests.scenarios.faces.row import Elsewhere, Other, Row, Trait
from tests.scenarios.faces.seen import Face, Seen, secrets_in
from tests.scenarios.faces.table import PARTS, TABLE
from tests.scenarios.faces.tokens import CANARIES
from tests.scenarios.faces.told import BROKEN

Outcome: TypeAlias = tuple[object, ...]
"""Status, reasons, handlers; of what the guard answers by itself, also header fields and body."""


def wanted(row: Row) -> Outcome:
    """Return what the row says, and nothing else does."""
    reason = None if row.reason is None else str(row.reason)
    if row.told is None:
        return 200, (reason,), row.handlers
    body = "" if row.sent.method == "HEAD" else row.told.body
    return row.told.status, (reason,), (), tuple(sorted(row.told.fields)), body


def outcome(row: Row, seen: Seen) -> Outcome:
    """Return what came of it, as far as the row says."""
    if row.told is None:
        return seen.status, seen.reasons, seen.handlers
    return seen.status, seen.reasons, seen.handlers, seen.fields, seen.body.decode()


def differences(face: Face, row: Row) -> Iterator[object]:
    """Send the request of a row, and yield how what came of it differs."""
    expected = row.on(face.traits)
    seen = face.send(row.sent)
    if isinstance(expected, Elsewhere):
        if seen.handlers or seen.reasons != expected.reasons or seen.status not in expected.statuses:
            yield seen
    elif expected.told is BROKEN:
        if (seen.status, seen.handlers) != (500, ()):
            yield seen
    elif outcome(expected, seen) != wanted(expected):
        yield {"seen": outcome(expected, seen), "wanted": wanted(expected)}
    if seen.body_reads and not seen.handlers and Trait.DJANGO_ASGI not in face.traits:
        yield "somebody read the body"
    yield from (secret for secret in secrets_in(row.sent) if secret in seen.raw)


@pytest.mark.parametrize("part", PARTS)
def test_the_table(face: Face, part: str) -> None:
    """R-EXT-14, F58, F59, F60, F61, F62, F63, F64, F66: status, answer, reason, handler and subject are the row's."""
    found: dict[str, list[object]] = {}
    for row in PARTS[part]:
        expected = row.on(face.traits)
        if not isinstance(expected, Elsewhere) or expected.statuses:
            found[row.name] = [*differences(face, row), *differences(face, row)]
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


def test_the_table_holds_every_outcome() -> None:
    """R-EXT-14: the rows end in every way a request can end, and most of them with a credential that is a canary."""
    rows = TABLE.values()
    assert {row.told.status if row.told else 200 for row in rows} == {200, 204, 303, 400, 401, 403, 405, 500, 503}
    assert len({row.reason for row in rows}) > 20
    assert sum(len(secrets_in(row.sent)) > len(CANARIES) for row in rows) > 150


@pytest.mark.parametrize(
    ("traits", "most"),
    [
        (set(), 0),
        ({Trait.WSGI}, 4),
        ({Trait.WSGI, Trait.FLASK}, 4),
        ({Trait.WSGI, Trait.FLASK, Trait.GUNICORN}, 10),
        ({Trait.WSGI, Trait.DJANGO}, 8),
        ({Trait.DJANGO, Trait.DJANGO_ASGI}, 12),
    ],
)
def test_exceptions_are_few_and_justified(traits: set[Trait], most: int) -> None:
    """R-EXT-14: a shell differs where its server or framework cannot carry a request, and the row says why."""
    named = [row for row in TABLE.values() if row.on(frozenset(traits)) is not row and traits & row.unlike.keys()]
    assert len(named) <= most, [row.name for row in named]


def test_decorators_alone_differ_where_a_path_is_no_functions() -> None:
    """R-POL-12: of what nobody wrote a policy for, decorators decide nothing; all else is decided by them too."""
    decorated = {Trait.DECORATORS, Trait.DECORATED_STARLETTE, Trait.DECORATED_FLASK, Trait.DECORATED_DJANGO}
    for row in TABLE.values():
        for trait in decorated & row.unlike.keys():
            unlike = row.unlike[trait]
            lost = row.reason == "no_policy" or (row.told is not None and row.told.status in {200, 204, 405})
            assert lost or row.sent.is_socket, row.name
            assert unlike.why
            assert not isinstance(unlike, Other) or row.reason == "no_policy"
