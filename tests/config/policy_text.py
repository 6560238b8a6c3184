"""Policy files as text, right and wrong, and what becomes of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date

import pytest

from jwtguard.config import PolicyFileError, mistakes_in, parse
from jwtguard.core.policy import Config
from jwtguard.core.table import PolicyTable

FILE = "jwtguard.toml"

LOGIN = """
[issuers.login]
issuer = "https://login.example.com/"
audience = "https://api.example.com"
algorithms = ["ES256"]
keys = "discovery"
"""

REPORTS = """
[[endpoints]]
match = "GET /reports"
name = "reports"
accept = "access"
"""

COLUMNS: Mapping[str, str] = {
    "typ": '["report+jwt"]',
    "required": '["iss", "aud", "exp", "iat"]',
    "any_of": "[]",
    "forbidden": '["nonce", "purpose", "events"]',
    "one_of": "{}",
    "none_of": "{}",
    "events": "[]",
    "not_events": "[]",
    "header_key": '"forbidden"',
    "subject": '"any"',
    "audience": '"resource"',
    "audience_claim": '"aud"',
    "audience_count": '"any"',
    "expiry": '{ max_lifetime = "1h" }',
    "max_age": '"unbounded"',
    "carriers": '["header"]',
}


def class_text(**changes: str | None) -> str:
    """Write the class ``report`` with some columns changed; ``None`` leaves one out."""
    columns = {**COLUMNS, **changes}
    return "[classes.report]\n" + "".join(f"{key} = {value}\n" for key, value in columns.items() if value is not None)


def build(text: str) -> tuple[Config, PolicyTable]:
    """Read a policy and prove it."""
    config = parse(text, name=FILE)
    with mistakes_in(FILE):
        return config, PolicyTable(config)


def refused(text: str) -> str:
    """Return the message that a policy is refused with, whether by the reader or by the proof."""
    with pytest.raises(PolicyFileError) as caught:
        build(text)
    return str(caught.value)


def toml(value: object) -> str:
    """Write a value as TOML, tables inline."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case date() | int() | float():
            return str(value)
        case list() | tuple():
            return f"[{', '.join(map(toml, value))}]"
        case dict():
            return "{" + ", ".join(f"{toml(str(key))} = {toml(item)}" for key, item in value.items()) + "}"
        case _:
            raise TypeError(value)
