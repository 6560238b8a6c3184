"""Which tenant a request is about: from its path, a header field, or its host (R-POL-11).

What the request says proves nothing. It must equal the tenant that the verified token names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from jwtguard.core.columns import member
from jwtguard.core.paths import Pattern, readings
from jwtguard.core.request import RequestHead
from jwtguard.errors import ConfigurationError

_PLACE = "{tenant}"
_RULE = "R-POL-11"


class TenantPlace(StrEnum):
    """Where a request may name its tenant."""

    PATH = "path"
    HEADER = "header"
    HOST = "host"


@dataclass(frozen=True, slots=True)
class Tenant:
    """Where the requests of an endpoint name their tenant.

    Attributes:
        place: Path, header or host.
        name: The name of the path's parameter, the header field's name in lower case, or the host with
            ``{tenant}`` in the place of one or more of its labels, such as ``{tenant}.example.com``.
    """

    place: TenantPlace
    name: str

    def __post_init__(self) -> None:
        """Refuse a name that could match nothing.

        Raises:
            ConfigurationError: It is empty, not in lower case, or a host without ``{tenant}``.
        """
        object.__setattr__(self, "place", member(TenantPlace, self.place, "endpoints.tenant"))
        wrong = not self.name or (self.place is not TenantPlace.PATH and self.name != self.name.lower())
        if wrong or (self.place is TenantPlace.HOST and self.name.count(_PLACE) != 1):
            message = f"{self.name!r} names no {self.place} in lower case, such as 'x-tenant' or '{_PLACE}.example.com'"
            raise ConfigurationError(message, key="endpoints.tenant", rule=_RULE)


class TenantReader:
    """A ``Tenant`` made ready to read requests."""

    __slots__ = ("_patterns", "_position", "_source")

    def __init__(self, source: Tenant, patterns: Sequence[str], key: str) -> None:
        """Find the parameter's place in the path.

        Raises:
            ConfigurationError: The endpoint's patterns do not all hold the parameter, at one place.
        """
        self._source = source
        self._position = 0
        self._patterns: tuple[Pattern, ...] = ()
        if source.place is TenantPlace.PATH:
            wanted = "{" + source.name + "}"
            places = {_place_of(wanted, pattern) for pattern in patterns}
            if len(places) != 1 or 0 in places:
                message = f"every pattern of this endpoint must hold {wanted} as the same segment of the path"
                raise ConfigurationError(message, key=f"{key}.tenant", rule=_RULE)
            self._position = places.pop()
            self._patterns = tuple(Pattern(pattern) for pattern in patterns)

    def read(self, head: RequestHead) -> str | None:
        """Return the tenant a request is about; ``None`` if it names none, or more than one."""
        if self._source.place is TenantPlace.PATH:
            return self._in_path(head.path)
        name = b"host" if self._source.place is TenantPlace.HOST else self._source.name.encode()
        found = [value for field, value in head.headers if field.lower() == name]
        if len(found) != 1:
            return None
        text = found[0].decode("latin-1").strip(" \t")
        return _in_host(text, self._source.name) if self._source.place is TenantPlace.HOST else text or None

    def _in_path(self, path: str) -> str | None:
        """Read it where all readings of the path name the same tenant: file servers resolve dot segments.

        A path of another application than the one whose routes gave the patterns names none.
        """
        if not any(pattern.covers(path) for pattern in self._patterns):
            return None
        found = {_segment_at(reading, self._position) for reading in (path, *readings(path))}
        return found.pop() if len(found) == 1 else None


def _segment_at(path: str, position: int) -> str | None:
    segments = path.split("/")
    return segments[position] if position < len(segments) else None


def _place_of(wanted: str, pattern: str) -> int:
    Pattern(pattern)
    segments = pattern.rpartition(" ")[2].split("/")
    return segments.index(wanted) if segments.count(wanted) == 1 else 0


def _in_host(host: str, template: str) -> str | None:
    before, _, after = template.partition(_PLACE)
    name = host.lower()
    if not after.rpartition(":")[2].isdigit():
        name = name.partition(":")[0]
    inside = name.startswith(before) and name.endswith(after) and len(name) > len(before) + len(after)
    return name[len(before) : len(name) - len(after)] if inside else None
