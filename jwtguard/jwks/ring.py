"""The keys of all issuers of one policy table: those written inline, and those that are fetched.

What fetching needs (HTTP, flights, the cache) is imported when an issuer needs it: a policy with inline
keys starts without.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from jwtguard.clock import Clock
from jwtguard.core import events
from jwtguard.core.issuer import InlineKeys, Issuer
from jwtguard.core.key_import import Published, import_key_set, read_pem
from jwtguard.core.keys import HeldKeys, KeySet
from jwtguard.core.needs import Answer, Need
from jwtguard.core.policy import Config
from jwtguard.drive import Pending
from jwtguard.errors import ConfigurationError

if TYPE_CHECKING:
    from jwtguard.jwks.cache import IssuerKeys

Emit = Callable[[events.Event], None]
_NEVER = float("inf")


class KeyRing:
    """The keys of all issuers of one policy table, and the answers to ``NeedKeys``."""

    def __init__(self, config: Config, clock: Clock, emit: Emit, previous: KeyRing | None = None) -> None:
        """Import inline keys, and set up what will be fetched.

        Args:
            config: Issuers, limits and mode.
            clock: Where the time comes from.
            emit: Where events go; may be called from a thread of its own.
            previous: The ring this one replaces; issuers that did not change keep their keys.

        Raises:
            ConfigurationError: A key URL may not be used, or an inline PEM is not a public key.
        """
        self._config = config
        self._clock = clock
        self._fetched: dict[str, IssuerKeys] = {}
        self.held: dict[str, HeldKeys] = {}
        for issuer in config.issuers:
            if isinstance(issuer.keys, InlineKeys):
                key_set = import_key_set(_inline_jwks(issuer, issuer.keys), issuer.algorithms, Published.INLINE)
                report_keys(issuer.name, key_set, emit)
                self.held[issuer.name] = HeldKeys(key_set, _NEVER, _NEVER)
                continue
            kept = previous.unchanged(issuer, config) if previous else None
            self._fetched[issuer.name] = keys = kept or _fetched_keys(issuer, config, clock, emit)
            self.held[issuer.name] = keys.held

    def unchanged(self, issuer: Issuer, config: Config) -> IssuerKeys | None:
        """Return an issuer's keys if nothing that shapes them differs in another configuration.

        What only shapes decisions, such as an audience, may differ: a reload during an outage of the issuer
        must not throw good keys away.
        """
        shapes = [
            (old.issuer, old.keys, old.algorithms) == (issuer.issuer, issuer.keys, issuer.algorithms)
            for old in self._config.issuers
            if old.name == issuer.name
        ]
        same = any(shapes) and (config.limits, config.mode) == (self._config.limits, self._config.mode)
        return self._fetched.get(issuer.name) if same else None

    def local(self, need: Need) -> Answer | Pending:
        """Answer from memory, or say that the issuer should be asked."""
        keys = self._fetched.get(need.issuer.name)
        return self.held[need.issuer.name].key_set if keys is None else keys.local(need.kid)

    async def ask(self, need: Need) -> Answer:
        """Ask the issuer, for at most about a second."""
        return await self._fetched[need.issuer.name].ask(need.kid)

    def known(self, need: Need) -> Answer:
        """Answer from memory alone."""
        keys = self._fetched.get(need.issuer.name)
        return self.held[need.issuer.name].key_set if keys is None else keys.known()

    async def start(self) -> list[str]:
        """Fetch every key set once, all at the same time; return the names of issuers without keys."""
        import anyio  # noqa: PLC0415 - see the top of this module

        missing: list[str] = []

        async def fetch(name: str, keys: IssuerKeys) -> None:
            if not await keys.refresh():
                missing.append(name)

        async with anyio.create_task_group() as group:
            for name, keys in self._fetched.items():
                group.start_soon(fetch, name, keys)
        return sorted(missing)

    def refresh_due(self) -> None:
        """Start the refresh of every issuer that is due; nobody waits for it."""
        for keys in self._fetched.values():
            keys.refresh_if_due()


def _inline_jwks(issuer: Issuer, keys: InlineKeys) -> list[object]:
    jwks = list(keys.jwks)
    for text in keys.pem:
        try:
            jwks.append(read_pem(text))
        except ValueError as error:
            raise ConfigurationError(str(error), key=f"issuers.{issuer.name}.pem", rule="R-JWK-13") from None
    return jwks


def _fetched_keys(issuer: Issuer, config: Config, clock: Clock, emit: Emit) -> IssuerKeys:
    from jwtguard.jwks.cache import IssuerKeys  # noqa: PLC0415 - see the top of this module
    from jwtguard.jwks.source import KeySetSource  # noqa: PLC0415

    return IssuerKeys(issuer, KeySetSource(issuer, config.limits, config.mode), config.limits, clock, emit)


def report_keys(issuer: str, key_set: KeySet, emit: Emit) -> None:
    """Emit what a key set left out and what it exposed."""
    for skipped in key_set.skipped:
        emit(events.KeySkipped(issuer, events.printable(skipped.kid), skipped.reason))
    for kid in key_set.exposed:
        emit(events.PrivateKeyExposed(issuer, events.printable(kid)))
