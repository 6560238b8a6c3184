"""One policy in force: its table, its keys, and the tokens that were verified under it."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from jwtguard.core.claims import Commons
from jwtguard.core.decision import Context, Remember
from jwtguard.core.jws import JoseHeader
from jwtguard.core.limits import Limits
from jwtguard.core.policy import Config, EndpointPolicy
from jwtguard.core.table import PolicyTable
from jwtguard.jwks.ring import KeyRing
from jwtguard.outside import Outside

_ENTRY_BYTES = 512
_COMMONS = 4096


class Snapshot:
    """One policy table with its key ring and its memory. Replaced whole by a reload."""

    __slots__ = (
        "_bytes", "_commons", "_limits", "_lock", "acceptances", "context", "declared", "outside", "ring", "table",
        "written",
    )  # fmt: skip

    def __init__(
        self, table: PolicyTable, ring: KeyRing, outside: Outside, written: Config,
        declared: Mapping[str, EndpointPolicy],
    ) -> None:  # fmt: skip
        self.table = table
        self.written = written
        self.declared = declared
        self.ring = ring
        self.outside = outside
        self.context = Context(table, ring.held, outside.confirmed if outside.asks_subjects else None)
        self.acceptances: dict[tuple[str, ...], EndpointPolicy] = {}
        self._limits: Limits = table.limits
        self._lock = threading.Lock()
        self._commons = Commons()
        self._bytes = 0

    @property
    def policies(self) -> tuple[EndpointPolicy, ...]:
        """Every policy, those included that a decorator declared and no route leads to."""
        return (*self.table.endpoints, *self.declared.values())

    def renew_locks(self) -> None:
        """Forget who holds a lock: in a forked child, nobody does."""
        self._lock = threading.Lock()
        self.outside.renew_lock()

    def store(self, remember: Remember) -> None:
        """Remember a verified token and its header, dropping the oldest beyond the bounds."""
        memory, claims_set = self.context.memory, remember.claims_set
        digest, claims_set.size = remember.token.digest(), len(remember.token) + _ENTRY_BYTES
        with self._lock:
            if len(self._commons) > _COMMONS:
                self._commons = Commons()
            claims_set.share(self._commons)
            self._bytes += claims_set.size
            if (former := memory.get(digest)) is not None:
                self._bytes -= former.size
            memory[digest] = claims_set
            while len(memory) > self._limits.remembered_tokens or self._bytes > self._limits.remembered_bytes:
                self._bytes -= memory.pop(next(iter(memory))).size
            if remember.header.segment not in self.context.headers:
                self._store_header(remember.header)

    def _store_header(self, header: JoseHeader) -> None:
        headers = self.context.headers
        headers[header.segment] = header
        if len(headers) > self._limits.remembered_headers:
            del headers[next(iter(headers))]
