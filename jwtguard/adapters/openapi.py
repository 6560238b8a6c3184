"""FastAPI's OpenAPI document with the guard's policy in it: what each operation demands, and how it refuses.

What an operation demands is what the guard's own table answers for its method and path, so that routes
which only the policy file protects are documented too. FastAPI's document is left as it is; ours is a copy.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy
from itertools import product

from fastapi import FastAPI
from starlette.routing import Mount

from jwtguard.adapters.openapi_terms import RESPONSES, Json, refusal_schemas, requirements
from jwtguard.core.endpoint import Access
from jwtguard.core.policy import EndpointPolicy
from jwtguard.core.table import PolicyTable
from jwtguard.guard import Guard

SCHEME = "jwtguard"
"""The name under which FastAPI itself lists the dependency ``current_identity``."""

_VALUE = "some~thing"  # a path parameter's: no policy spells it out
_PARAMETER = re.compile(r"\{[^}]*\}")
_OPEN = (Access.PUBLIC, Access.LOGIN)


def document(app: FastAPI, guard: Guard) -> None:
    """Write the guard's policy into an application's OpenAPI document, and into those mounted in it.

    The document is made again when the routes change, and when the policy is reloaded. Call it when all
    applications are mounted.

    Args:
        app: The application that the guard stands before.
        guard: The guard.
    """
    _document(app, guard, app, "")


def _document(app: FastAPI, guard: Guard, outermost: FastAPI, prefix: str) -> None:
    app.openapi = _Documented(app.openapi, guard, outermost, prefix)  # type: ignore[method-assign]  # as FastAPI says
    for route in app.routes:
        if isinstance(route, Mount) and isinstance(route.app, FastAPI):
            _document(route.app, guard, outermost, prefix + route.path)


class _Documented:
    """What stands in the place of ``app.openapi``."""

    def __init__(self, plain: Callable[[], Json], guard: Guard, outermost: FastAPI, prefix: str) -> None:
        self._plain = plain
        self._guard = guard
        self._outermost = outermost
        self._prefix = prefix
        self._made_of: tuple[Json | None, PolicyTable | None] = (None, None)
        self._schema: Json = {}

    def __call__(self) -> Json:
        plain = self._plain()
        if self._made_of[0] is not plain:
            self._guard.bind(self._outermost)
        table = self._guard.table
        if self._made_of[0] is not plain or self._made_of[1] is not table:
            self._schema, self._made_of = _with_policy(deepcopy(plain), table, self._prefix), (plain, table)
        return self._schema


def _with_policy(schema: Json, table: PolicyTable, prefix: str) -> Json:
    components = schema.setdefault("components", {})
    schemes = components.setdefault("securitySchemes", {})
    schemes.pop(SCHEME, None)
    refusals = False
    for path, operations in schema.get("paths", {}).items():
        specimen = prefix + _PARAMETER.sub(_VALUE, path)
        for method, operation in operations.items():
            if isinstance(operation, dict) and "responses" in operation:
                policy = table.routes.find(method.upper(), specimen)
                _demand(operation, policy, table, schemes)
                refusals |= _refuse(operation, policy)
    if refusals:
        components.setdefault("schemas", {}).update(refusal_schemas())
    schema["components"] = {name: part for name, part in components.items() if part}
    return schema


def _demand(operation: Json, policy: EndpointPolicy | None, table: PolicyTable, schemes: Json) -> None:
    """Say what an operation needs: one way of ours, together with what the application itself demands."""
    theirs = operation.pop("security", [])
    more = {scope for one in theirs for scope in one.get(SCHEME, ())}
    others = [one for one in theirs if SCHEME not in one] or [{}]
    ours: list[Json] = [{}]
    if policy is not None and policy.access not in _OPEN:
        ours = list(requirements(policy, table, more, schemes))
        if policy.access is Access.OPTIONAL and not more:
            ours.insert(0, {})
    security = [{**one, **other} for one, other in product(ours, others)]
    if security != [{}]:
        operation["security"] = security


def _refuse(operation: Json, policy: EndpointPolicy | None) -> bool:
    """Say how an operation refuses, where the application did not, and whether it does at all."""
    codes = ("403",) if policy is None else () if policy.access in _OPEN else tuple(RESPONSES)
    for code in codes:
        operation["responses"].setdefault(code, deepcopy(RESPONSES[code]))
    return bool(codes)
