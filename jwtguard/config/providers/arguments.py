"""What the presets take: texts and lists of them, hosts, and the names of tenants, each checked before it is used.

A preset pastes its arguments into URLs. One that brought its own ``/`` or ``?`` along would make another URL.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from jwtguard.errors import ConfigurationError

RULE = "R-IDN-09"
TENANT = "{tenant}"
_NAME = re.compile(r"[A-Za-z0-9._~-]+")
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?")
_BASE = re.compile(r"https?://[a-z0-9.:\[\]-]+(/[A-Za-z0-9._~-]+)*")
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def texts(value: str | Sequence[str]) -> tuple[str, ...]:
    """Read one text or several."""
    return (value,) if isinstance(value, str) else tuple(value)


def segment(value: str, what: str) -> str:
    """Return a text that is one segment of a path, such as the name of a realm.

    Raises:
        ConfigurationError: It is not.
    """
    if not _NAME.fullmatch(value) or not value.strip("."):
        message = f"{value!r} is no {what}: letters, digits, '-', '_', '.' and '~' only"
        raise ConfigurationError(message, key=what, rule=RULE)
    return value


def host(value: str, what: str) -> str:
    """Return a text that is a host, such as ``example.eu.auth0.com``.

    Raises:
        ConfigurationError: It is not; a URL is none.
    """
    if not _HOST.fullmatch(value):
        message = f"{value!r} is no host in lower case, such as login.example.com, without https:// and path"
        raise ConfigurationError(message, key=what, rule=RULE)
    return value


def base_url(value: str, what: str) -> str:
    """Return a URL without query, fragment and the slash at its end.

    Raises:
        ConfigurationError: It is none.
    """
    url = value.removesuffix("/")
    if not _BASE.fullmatch(url):
        message = f"{value!r} is no URL such as https://login.example.com or https://login.example.com/auth"
        raise ConfigurationError(message, key=what, rule=RULE)
    return url


def guid(value: str, what: str, why: str) -> str:
    """Return a text that is a GUID in lower case.

    Raises:
        ConfigurationError: It is not; the message ends with ``why`` it must be.
    """
    if not _GUID.fullmatch(value):
        message = f"{value!r} is no GUID in lower case; {why}"
        raise ConfigurationError(message, key=what, rule=RULE)
    return value


def one_or_template(names: tuple[str, ...], what: str) -> tuple[str, tuple[str, ...]]:
    """Return what stands in the issuer's URL, and the tenants: a single name is written out, several are tenants.

    Raises:
        ConfigurationError: There is none.
    """
    if not names:
        message = "name at least one"
        raise ConfigurationError(message, key=what, rule="R-JWK-15")
    return (names[0], ()) if len(names) == 1 else (TENANT, names)
