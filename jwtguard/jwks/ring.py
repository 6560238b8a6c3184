"""The keys of all issuers of one policy table: written inline, kept in files, or fetched.

What fetching needs (HTTP, flights, the cache) is imported when an issuer needs it: a policy with inline
keys starts without. So is what watches files.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from jwtguard.clock import Clock
from jwtguard.core import events
from jwtguard.core.issuer import InlineKeys, Issuer, KeyFile
from jwtguard.core.key_import import Published, import_key_set, read_pem
from jwtguard.core.keys import HeldKeys, KeySet
from jwtguard.core.needs import NeedKeys
from jwtguard.core.policy import Config
from jwtguard.drive import Pending
from jwtguard.errors import ConfigurationError

if TYPE_CHECKING:
    from jwtguard.jwks.cache import IssuerKeys
    from jwtguard.jwks.file import FileKeys

Emit = Callable[[events.Event], None]
_NEVER = float("inf")


class KeyRing:
    """The keys of all issuers of one policy table, and the answers to ``NeedKeys``."""

    def __init__(self, config: Config, clock: Clock, emit: Emit, previous: KeyRing | None = None) -> None:
        """Import inline keys, read key files, and set up what will be fetched.

        Args:
            config: Issuers, limits and mode.
            clock: Where the time comes from.
            emit: Where events go; may be called from a thread of its own.
            previous: The ring this one replaces; issuers that did not change keep their keys.

        Raises:
            ConfigurationError: A key URL or a key file may not be used, or an inline PEM is not a public key.
        """
        self._config = config
        self._clock = clock
        self._fetched: dict[str, IssuerKeys] = {}
        self._files: dict[str, FileKeys] = {}
        self.held: dict[str, HeldKeys] = {}
        for issuer in config.issuers:
            if isinstance(issuer.keys, InlineKeys):
                key_set = import_key_set(_inline_jwks(issuer, issuer.keys), issuer.algorithms, Published.INLINE)
                report_keys(issuer.name, key_set, emit)
                self.held[issuer.name] = HeldKeys(key_set, _NEVER, _NEVER)
                continue
            former = previous if previous and previous.unchanged(issuer, config) else None
            if isinstance(issuer.keys, KeyFile):
                file = former.file(issuer) if former else _file_keys(issuer, issuer.keys, config, emit)
                self._files[issuer.name] = file
                self.held[issuer.name] = file.held
                continue
            keys = former.fetched(issuer) if former else _fetched_keys(issuer, config, clock, emit)
            self._fetched[issuer.name] = keys
            self.held[issuer.name] = keys.held

    def unchanged(self, issuer: Issuer, config: Config) -> bool:
        """Tell whether nothing that shapes an issuer's keys differs in another configuration.

        What only shapes decisions, such as an audience, may differ: a reload during an outage of the issuer
        must not throw good keys away.
        """
        shapes = [
            (old.issuer, old.keys, old.algorithms) == (issuer.issuer, issuer.keys, issuer.algorithms)
            for old in self._config.issuers
            if old.name == issuer.name
        ]
        return any(shapes) and (config.limits, config.mode) == (self._config.limits, self._config.mode)

    def fetched(self, issuer: Issuer) -> IssuerKeys:
        """Return the keys of an issuer whose keys are fetched."""
        return self._fetched[issuer.name]

    def file(self, issuer: Issuer) -> FileKeys:
        """Return the keys of an issuer whose keys are kept in a file, after a look at it."""
        keys = self._files[issuer.name]
        keys.refresh_if_due()
        return keys

    def local(self, need: NeedKeys) -> KeySet | Pending | None:
        """Answer from memory, or say that the issuer should be asked."""
        keys = self._fetched.get(need.issuer.name)
        return self.held[need.issuer.name].key_set if keys is None else keys.local(need.kid)

    async def ask(self, need: NeedKeys) -> KeySet | None:
        """Ask the issuer, for at most about a second."""
        return await self._fetched[need.issuer.name].ask(need.kid)

    def known(self, need: NeedKeys) -> KeySet | None:
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
        """Start the refresh of every issuer that is due, which nobody waits for, and look at every key file."""
        for keys in self._fetched.values():
            keys.refresh_if_due()
        for file in self._files.values():
            file.refresh_if_due()


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


def _file_keys(issuer: Issuer, file: KeyFile, config: Config, emit: Emit) -> FileKeys:
    from jwtguard.jwks.file import FileKeys  # noqa: PLC0415 - see the top of this module

    return FileKeys(issuer, str(file.path), config.limits, emit)


def report_keys(issuer: str, key_set: KeySet, emit: Emit) -> None:
    """Emit what a key set left out and what it exposed."""
    for skipped in key_set.skipped:
        emit(events.KeySkipped(issuer, events.printable(skipped.kid), skipped.reason))
    for kid in key_set.exposed:
        emit(events.PrivateKeyExposed(issuer, events.printable(kid)))
