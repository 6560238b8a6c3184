"""Deciding the same ten requests under 10, 100, 1,000 and 10,000 endpoint policies.

The ten are spread evenly over each table, half of them static paths, half with a parameter. Beside it
stands the loop of Starlette's own router over the same routes. A last figure asks all 10,000 in disorder:
the price there is memory that no cache holds, and a flat algorithm does not remove it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

from benchmarks.apps import guard_for
from benchmarks.calls import head_of, scope_of
from benchmarks.plan import Plan
from benchmarks.table import Gate, Report, Row, Target
from benchmarks.timing import Batch, Case, Samples, measure
from benchmarks.tokens import SCOPE, SigningKey
from jwtguard import Endpoint, Guard
from jwtguard.core.decision import Allowed
from jwtguard.core.routing import route

SIZES = (10, 100, 1_000, 10_000)
_ASKED = 10
_REPEAT = 20
_STARLETTE_LOOPS = 20_000  # routes looked at in a batch
_SEED = 10_000
_GROWTH = 1.10


def run(plan: Plan) -> Report:
    """Measure every size of table, then Starlette's loop over routes of every size."""
    key = SigningKey("RS256")
    token = key.tokens(1)[0]
    guards = {size: _guard(key, size, token) for size in SIZES}
    cases = [_deciding(size, guard, token) for size, guard in guards.items()]
    cases += [_looking_up(size, guard, _paths(size, _ASKED)) for size, guard in guards.items()]
    everything = _paths(SIZES[-1], SIZES[-1])
    random.Random(_SEED).shuffle(everything)
    cases.append(_looking_up(SIZES[-1], guards[SIZES[-1]], everything[:1000], "in disorder"))
    ours = measure(cases, plan.cheap_rounds)
    starlette = measure([_starlette(size) for size in SIZES], plan.process_rounds)
    timings = {"routing": ours.summary(_name("decision", SIZES[0])), "routing, Starlette": starlette.summary("10")}
    return Report(_rows(ours, starlette), timings)


def _name(what: str, size: int) -> str:
    return f"{what}, {size}"


def _places(size: int) -> list[int]:
    """Return where the ten requested policies stand among all of them."""
    return [place * size // _ASKED for place in range(_ASKED)]


def _patterns(size: int) -> list[str]:
    """Name the ten requested policies alike in every table, and fill up with others between them."""
    asked = {place: number for number, place in enumerate(_places(size))}
    names = [f"asked{asked[place]}" if place in asked else f"other{place}" for place in range(size)]
    tails = [asked.get(place, place) % 2 for place in range(size)]
    return [f"/{name}/orders/{{id}}" if tail else f"/{name}/orders" for name, tail in zip(names, tails, strict=True)]


def _paths(size: int, count: int) -> list[str]:
    patterns = _patterns(size)
    chosen = [patterns[place] for place in _places(size)] if count == _ASKED else patterns[:count]
    return [pattern.replace("{id}", "17") for pattern in chosen]


def _guard(key: SigningKey, size: int, token: bytes) -> Guard:
    scopes = frozenset({SCOPE})
    endpoints = [Endpoint(match=(f"GET {text}",), accept=("access",), scopes=scopes) for text in _patterns(size)]
    guard = guard_for(key.jwk, endpoints)
    guard.verify(token, accept="access")
    return guard


def _deciding(size: int, guard: Guard, token: bytes) -> Case:
    paths = _paths(size, _ASKED) * _REPEAT

    def prepare() -> Batch:
        heads = [head_of(token, path) for path in paths]

        async def batch() -> None:
            decide = guard.decide_locally
            while heads:
                assert type(decide(heads.pop())) is Allowed

        return batch

    return Case(_name("decision", size), prepare, len(paths))


def _looking_up(size: int, guard: Guard, asked: list[str], how: str = "look-up") -> Case:
    paths = asked * _REPEAT if len(asked) == _ASKED else asked

    def prepare() -> Batch:
        heads = [head_of(b"", path) for path in paths]
        table = guard.table

        async def batch() -> None:
            while heads:
                route(table, heads.pop())

        return batch

    return Case(_name(how, size), prepare, len(paths))


def _starlette(size: int) -> Case:
    routes = [Route(text, _endpoint, methods=["GET"]) for text in _patterns(size)]
    paths = _paths(size, _ASKED) * max(1, _STARLETTE_LOOPS // (_ASKED * size))

    def prepare() -> Batch:
        scopes = [scope_of(b"", path) for path in paths]

        async def batch() -> None:
            while scopes:
                assert _first_full_match(routes, scopes.pop())

        return batch

    return Case(str(size), prepare, len(paths))


def _first_full_match(routes: Sequence[Route], scope: Scope) -> Route | None:
    """Do what Starlette's router does for each request, nothing else."""
    for candidate in routes:
        match, _ = candidate.matches(scope)
        if match is Match.FULL:
            return candidate
    return None


async def _endpoint(request: Request) -> Response:
    return Response()


def _rows(ours: Samples, starlette: Samples) -> list[Row]:
    first, *larger = SIZES
    rows = [
        Row(
            figure=f"decision under {size} policies / under {first}",
            ours=ours.quiet_ratio(_name("decision", size), _name("decision", first)),
            median=ours.median_ratio(_name("decision", size), _name("decision", first)),
            target=Target(_GROWTH),
            gate=Gate.BINDING,
            peers={"Starlette's router": starlette.quiet_ratio(str(size), str(first))},
        )
        for size in larger
    ]
    for how in ("look-up", "in disorder"):
        case, base = _name(how, SIZES[-1]), _name("look-up", first)
        words = "policy look-up alone" if how == "look-up" else "look-up of all in disorder"
        figure = f"{words}, {SIZES[-1]} policies / {first}"
        rows.append(Row(figure=figure, ours=ours.quiet_ratio(case, base), median=ours.median_ratio(case, base)))
    return rows
