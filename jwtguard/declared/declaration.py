"""One policy that a decorator put beside a function or a class, and the question whether a call was admitted.

The decorated function decides nothing. Behind a shell it sees that its own policy admitted the request;
elsewhere it asks the guard to decide under that policy, by the same pipeline, and passes the answer on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Protocol

from jwtguard.core.challenge import Answer
from jwtguard.core.decision import Allowed, Decision, Refused, Served
from jwtguard.core.endpoint import Demands
from jwtguard.core.identity import Identity
from jwtguard.core.policy import EndpointPolicy
from jwtguard.core.request import RequestHead
from jwtguard.core.table import PolicyTable
from jwtguard.core.unfinished import Unfinished
from jwtguard.current import CURRENT, IDENTITY_KEY
from jwtguard.declared.connections import Connection, connection_in, scope_in
from jwtguard.errors import ConfigurationError

MARK = "__jwtguard__"
ENTRIES = ("dispatch", "dispatch_request")  # of Starlette's and Django's class-based endpoints, and of Flask's
_VERBS = ("get", "post", "put", "patch", "delete", "options", "query", "trace")


class Judge(Protocol):
    """What a declaration asks of its guard."""

    @property
    def table(self) -> PolicyTable:
        """The policy in force."""
        ...

    @property
    def declares(self) -> bool:
        """Whether decorators declared any policy."""
        ...

    def bind(self, app: object, *others: object) -> None:
        """Give every declared policy its routes."""
        ...

    def policy_of(self, name: str) -> EndpointPolicy | None:
        """Return a declared policy, compiled; ``None`` before the start."""
        ...

    def decide_declared(self, name: str, head: RequestHead) -> Decision | tuple[Any, Unfinished]:
        """Decide under a declared policy."""
        ...

    async def verify_unknown(self, snapshot: Any, unknown: Unfinished) -> Decision:
        """Go on by waiting."""
        ...

    def verify_unknown_sync(self, snapshot: Any, unknown: Unfinished) -> Decision:
        """Go on in a thread that may wait."""
        ...

    def answer(self, refused: Refused, head: RequestHead) -> Answer:
        """Say what a refused client is told."""
        ...

    def lacking(self, identity: Identity, scopes: frozenset[str], head: RequestHead) -> Answer:
        """Say what an admitted client is told that lacks scopes."""
        ...


class Declaration:
    """A policy, the guard it belongs to, and what it was written beside.

    Attributes:
        name: The policy's name in events and identities: module and qualified name.
        demands: The policy.
        target: The function or class, as it was before it was decorated.
        judge: The guard.
    """

    __slots__ = ("demands", "judge", "name", "target")

    def __init__(self, judge: Judge, name: str, demands: Demands, target: Callable[..., object]) -> None:
        self.judge = judge
        self.name = name
        self.demands = demands
        self.target = target

    def undecided(self, args: Iterable[object], keywords: Mapping[str, object]) -> Connection | None:
        """Return the connection to decide on, or ``None`` if this policy admitted the call already.

        Raises:
            LookupError: There is no identity, and no connection to find one for.
        """
        policy, scope = self.judge.policy_of(self.name), scope_in(args, keywords)
        if scope is not None and IDENTITY_KEY in scope and scope[IDENTITY_KEY].is_under(policy):
            return None
        connection = connection_in(args, keywords)
        identity = CURRENT.get(None) if connection is None else connection.identity()
        if identity is not None and identity.is_under(policy):
            return None
        if connection is None:
            message = (
                f"{self.name} is protected, but nobody decided on this call and it has no request to decide on: "
                "install the jwtguard middleware, or let the function take the framework's request as a parameter"
            )
            raise LookupError(message)
        return connection

    async def decide(self, connection: Connection) -> Identity | Answer:
        """Decide by the pipeline, under this policy."""
        head = connection.head()
        decision = self.judge.decide_declared(self.name, head)
        if isinstance(decision, tuple):
            decision = await self.judge.verify_unknown(*decision)
        return self._outcome(decision, head)

    def decide_sync(self, connection: Connection) -> Identity | Answer:
        """Decide as ``decide`` does, in a thread that may wait."""
        head = connection.head()
        decision = self.judge.decide_declared(self.name, head)
        if isinstance(decision, tuple):
            decision = self.judge.verify_unknown_sync(*decision)
        return self._outcome(decision, head)

    def _outcome(self, decision: Decision, head: RequestHead) -> Identity | Answer:
        match decision:
            case Allowed(identity=identity):
                return identity
            case Refused():
                return self.judge.answer(decision, head)
            case Served(answer=answer):
                return answer


def declared_on(endpoint: object) -> Declaration | None:
    """Return what was declared on a route's function, method or class; behind ``as_view()`` too."""
    while isinstance(endpoint, partial):
        endpoint = endpoint.func
    for place in (endpoint, getattr(endpoint, "view_class", None)):
        found = getattr(place, MARK, None)
        if isinstance(found, Declaration) and (not isinstance(place, type) or _enters_by(place, found)):
            return found
    return None


def _enters_by(kind: type, declaration: Declaration) -> bool:
    """Whether a class is still entered through its policy: a subclass may have an entry of its own."""
    return any(getattr(getattr(kind, name, None), MARK, None) is declaration for name in ENTRIES)


def declared_within(endpoint: object) -> dict[str, Declaration]:
    """Return what was declared on the methods of a class-based endpoint, by HTTP method."""
    known = endpoint if isinstance(endpoint, type) else getattr(endpoint, "view_class", None)
    if known is None:
        return {}
    found = {verb.upper(): getattr(getattr(known, verb, None), MARK, None) for verb in _VERBS}
    return {verb: one for verb, one in found.items() if isinstance(one, Declaration)}


def name_of(target: object) -> str:
    """Name a function or class by module and qualified name.

    Raises:
        ConfigurationError: It is neither.
    """
    qualified = getattr(target, "__qualname__", None)
    if not callable(target) or qualified is None or isinstance(target, staticmethod | classmethod):
        message = (
            f"decorate a function, a method or a class, not a {type(target).__name__}; put it beneath other wrappers"
        )
        raise ConfigurationError(message, key="protect", rule="R-POL-12")
    return f"{target.__module__}.{qualified}"
