"""What this application is called as a protected resource, and where its metadata is (RFC 9728).

The identifier is what clients name when they ask for a token (RFC 8707) and compare with what they find at
the metadata URL, code point for code point (RFC 9728, section 3.3). So it is taken as written or refused,
never mended. What the metadata says is in ``metadata.py``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from jwtguard.errors import ConfigurationError

WELL_KNOWN = "/.well-known/oauth-protected-resource"
_RULE = "R-GOV-11"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
# No percent-encoding: servers decode the path, and it is compared decoded. No quote: the URL stands in a challenge.
_IDENTIFIER = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>(?:/[A-Za-z0-9._~!$&'()+,;=:@-]*)*)"
)
_PAGE = re.compile(r"https?://[!#-\[\]-~]+")
_LAST_PORT = 65_535


@dataclass(frozen=True, slots=True)
class Resource:
    """This application as its clients know it: a protected resource (RFC 9728, section 1.2).

    Attributes:
        identifier: Its URL, exactly as clients write it, such as ``https://api.example.com/mcp``.
        name: What a client may call it before a person; empty: nothing.
        documentation: The URL of a page for the developers of clients; empty: none.
    """

    identifier: str
    name: str = ""
    documentation: str = ""

    def __post_init__(self) -> None:
        """Refuse an identifier that clients and servers could read in two ways.

        Raises:
            ConfigurationError: It is no https URL, or one with a query, a fragment, a user name, an encoded
                character, or a path that gets another when normalised; or name or page are not fit to be shown.
        """
        if fault := _fault_of(self.identifier):
            message = f"{self.identifier!r} {fault}"
            raise ConfigurationError(message, key="resource.identifier", rule=_RULE)
        if not self.name.isprintable():
            message = "must be one line of printable text"
            raise ConfigurationError(message, key="resource.name", rule=_RULE)
        if self.documentation and not _PAGE.fullmatch(self.documentation):
            message = f"{self.documentation!r} is no URL of a page"
            raise ConfigurationError(message, key="resource.documentation", rule=_RULE)

    @property
    def metadata_path(self) -> str:
        """The path of the metadata: the well-known one, then the resource's own (RFC 9728, section 3.1)."""
        return WELL_KNOWN + _split(self.identifier)[1]

    @property
    def metadata_url(self) -> str:
        """The URL of the metadata, for ``resource_metadata`` in challenges (RFC 9728, section 5.1)."""
        origin, path = _split(self.identifier)
        return origin + WELL_KNOWN + path


def _split(identifier: str) -> tuple[str, str]:
    scheme, _, rest = identifier.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host}", slash + path if path else ""


def _fault_of(identifier: str) -> str:
    found = _IDENTIFIER.fullmatch(identifier)
    if found is None or int(found["port"] or 0) > _LAST_PORT:
        return (
            "is no https URL of host and path alone (no query, fragment, user name or percent-encoding), such as "
            "'https://api.example.com/mcp'"
        )
    if found["scheme"] == "http" and found["host"] not in _LOOPBACK:
        return "must use https; http is for loopback hosts in development"
    segments = found["path"].split("/")[1:]
    if "" in segments[:-1] or {".", ".."} & set(segments):
        return "must have no empty and no dot segment in its path: clients would take it for another"
    return ""
