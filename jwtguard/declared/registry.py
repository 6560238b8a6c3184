"""All that was declared for one guard, from the first decorator to the start.

Decorators run while modules are imported. At the start, which is the lifespan, the first request or
``guard.bind(app)``, the application's routes give each policy its methods and paths, and it enters the
same table as those of the file. What nobody bound is compiled beside the table, for the functions themselves.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from jwtguard.core.endpoint import Demands, Endpoint, at
from jwtguard.core.policy import Config, EndpointPolicy, Mode
from jwtguard.core.table import PolicyTable
from jwtguard.core.tenant import TenantPlace
from jwtguard.declared.declaration import Declaration, Judge, name_of
from jwtguard.errors import ConfigurationError

F = TypeVar("F", bound=Callable[..., object])


class Owner(Judge, Protocol):
    """The guard, as the registry needs it."""

    @property
    def table(self) -> PolicyTable:
        """The policy in force."""
        ...

    def rebuild(self) -> None:
        """Build the policy again, with what is declared, and only then put it in force."""
        ...


class Declarations:
    """What was declared for one guard, and the endpoints that it became."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._lock = threading.RLock()
        self._all: dict[str, Declaration] = {}
        self._endpoints: tuple[Endpoint, ...] = ()
        self._app: object = None
        self._is_started = False

    def __len__(self) -> int:
        """Count the policies declared."""
        return len(self._all)

    def protect(self, demands: Demands) -> Callable[[F], F]:
        """Return the decorator for a policy.

        Raises:
            ConfigurationError: What it decorates cannot have a policy, or the guard has started.
        """
        if type(demands) is not Demands:  # an Endpoint has a path of its own
            message = f"give it what is demanded, such as access(scopes=...), not {type(demands).__name__}"
            raise ConfigurationError(message, key="protect", rule="R-POL-12")

        def decorate(target: F) -> F:
            from jwtguard.declared.wrapping import behind  # noqa: PLC0415 - a guard without decorators wraps nothing

            name = self._new_name(name_of(target))
            declaration = Declaration(self._owner, name, demands, target)
            wrapped: F = behind(declaration, target)  # type: ignore[assignment]  # it is called as the target is
            self._all[name] = declaration
            return wrapped

        return decorate

    def bind(self, *apps: object) -> None:
        """Give every declaration the routes that lead to it.

        Args:
            apps: The application; then where else to look if its routes do not show.

        Raises:
            ConfigurationError: A declaration has no route, contradicts the file, or the routes are others than
                when the guard started.
        """
        with self._lock:
            if not self._all:
                self._is_started = True
                return
            from jwtguard.declared import binding  # noqa: PLC0415 - once, at the start

            strict = self._owner.table.config.mode is Mode.PRODUCTION
            app = binding.first_with_routes(apps)
            found = binding.endpoints_of(app, tuple(self._all.values()), strict=strict)
            if self._app is not None:
                self._check_same(found)
                return
            self._app, self._endpoints = app, found
            try:
                self._owner.rebuild()
            except BaseException:
                self._app, self._endpoints = None, ()
                raise
            self._is_started = True

    def settle(self) -> None:
        """Compile what nobody bound: the first decorated function asks for a decision.

        Raises:
            ConfigurationError: A policy names what the configuration does not know.
        """
        if self._is_started:
            return
        with self._lock:
            if not self._is_started:
                self._owner.rebuild()
                self._is_started = True

    def added_to(self, config: Config) -> Config:
        """Return a configuration with the endpoints that were declared.

        Raises:
            ConfigurationError: One contradicts the file.
        """
        if self._app is None:
            return config
        from jwtguard.declared.binding import check_against  # noqa: PLC0415 - as above

        check_against(config.endpoints, self._endpoints)
        return dataclasses.replace(config, endpoints=(*config.endpoints, *self._endpoints))

    def policies(self, table: PolicyTable, written: Config) -> Mapping[str, EndpointPolicy]:
        """Return every declared policy by its name, compiled: those of the table, and those that no route leads to.

        Args:
            table: The whole policy, declared endpoints included.
            written: The configuration without them.

        Raises:
            ConfigurationError: A policy names what the configuration does not know, needs a route's path, or
                would hold for a route without a policy.
        """
        if self._app is not None:
            from jwtguard.declared.binding import check_strays  # noqa: PLC0415 - as above

            check_strays(self._app, table, self._endpoints, written.endpoints)
        bound = {endpoint.name for endpoint in self._endpoints}
        found = {policy.name: policy for policy in table.endpoints if policy.name in bound}
        apart = [declaration for name, declaration in self._all.items() if name not in bound]
        if apart:
            endpoints = [_unrouted(declaration, place) for place, declaration in enumerate(apart)]
            beside = PolicyTable(dataclasses.replace(table.config, endpoints=endpoints))
            found |= {policy.name: policy for policy in beside.endpoints}
        return found

    def _new_name(self, name: str) -> str:
        if self._is_started:
            message = "was decorated after the start; decorate while modules are imported, before the first request"
            raise ConfigurationError(message, key=name, rule="R-POL-06")
        number, known = 1, name
        while known in self._all:  # a factory makes several functions of one name
            number += 1
            known = f"{name}#{number}"
        return known

    def _check_same(self, found: tuple[Endpoint, ...]) -> None:
        if found != self._endpoints:
            message = (
                "routes were added after the start, or this guard serves two applications; give each its own guard"
            )
            raise ConfigurationError(message, key="bind", rule="R-POL-06")


def _unrouted(declaration: Declaration, place: int) -> Endpoint:
    tenant = declaration.demands.tenant
    if tenant is not None and tenant.place is TenantPlace.PATH:
        message = "reads the tenant from the path, which only a route has; call guard.bind(app)"
        raise ConfigurationError(message, key=declaration.name, rule="R-POL-11")
    # In a table of its own, that routes nothing: the path is never looked up.
    return at((f"/{place}",), declaration.demands, name=declaration.name)
