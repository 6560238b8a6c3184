"""``jwtguard.toml`` as a whole: from a file or its text to a ``Config``."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from jwtguard.config.classes import read_classes
from jwtguard.config.endpoints import EndpointReader
from jwtguard.config.issuers import in_folder, read_issuers
from jwtguard.config.mistakes import mistakes_in
from jwtguard.config.read import RULE, Table, Value
from jwtguard.config.shapes import Shape
from jwtguard.core.classes import READY_MADE
from jwtguard.core.limits import Limits
from jwtguard.core.policy import Config, Mode, Override, Startup
from jwtguard.core.resource import Resource
from jwtguard.errors import ConfigurationError

_HERE = Path()
_RULE_ID = re.compile(r"R-[A-Z]{3}-[0-9]{2}")


def load(path: Path) -> Config:
    """Read a policy file.

    Args:
        path: Where it is. Messages show it as given.

    Returns:
        The configuration. It is well-formed and uses only known names; whether it is safe is proven when a
        guard or a ``PolicyTable`` is built from it.

    Raises:
        ConfigurationError: The file cannot be read, is not TOML, or holds a mistake. The message names
            the file, the key, the value and the nearest valid spelling.
    """
    with mistakes_in(str(path)):
        text = _text_of(path)
    config = parse(text, name=str(path), folder=path.parent)
    return dataclasses.replace(config, issuers=in_folder(config.issuers, path.parent))


def parse(text: str, *, name: str, folder: Path = _HERE) -> Config:
    """Read the text of a policy file.

    Args:
        text: TOML.
        name: What messages call the file.
        folder: Where files that it names count from.

    Returns:
        The configuration, as ``load`` returns it.

    Raises:
        ConfigurationError: As for ``load``.
    """
    with mistakes_in(name):
        return _read(Value(_decode(text), "").table(Shape.TOP), folder)


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")  # some editors write a byte order mark
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
    except ValueError:
        message = "is not UTF-8 text"
    raise ConfigurationError(message, rule=RULE)


def _decode(text: str) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        message = "is nested too deeply"
    except ValueError as error:  # TOMLDecodeError, or an integer of thousands of digits
        end = f"at line {text.count(chr(10)) + 1}, the end of the file"
        message = f"is not TOML: {error}".replace("at end of document", end)
    raise ConfigurationError(message, rule=RULE)


def _read(table: Table, folder: Path) -> Config:
    classes = table.get("classes", read_classes, ())
    names = frozenset(READY_MADE) | {row.name for row in classes}
    issuers = table.get("issuers", lambda value: read_issuers(value, names), ())
    policies = table.get("policies", lambda value: value, None)
    endpoints = EndpointReader(issuers, names, policies)
    return Config(
        issuers=issuers,
        endpoints=table.get("endpoints", endpoints.read, ()),
        classes=classes,
        limits=table.get("limits", _read_limits, Limits()),
        mode=Mode(table.get("mode", lambda value: value.word("mode", Mode), Mode.PRODUCTION)),
        startup=Startup(table.get("startup", lambda value: value.word("startup", Startup), Startup.LAZY)),
        overrides=table.get("overrides", _read_overrides, ()),
        resource=table.get("resource", _read_resource, None),
        csrf_keys=table.get("csrf_key_file", lambda value: _read_keys(value, folder), ()),
    )


def _read_resource(value: Value) -> Resource:
    table = value.table(Shape.RESOURCE)
    return Resource(
        identifier=table.need("identifier", Value.text),
        name=table.get("name", Value.text, ""),
        documentation=table.get("documentation", Value.text, ""),
    )


def _read_keys(value: Value, folder: Path) -> tuple[bytes, ...]:
    """Read secrets from a file, one a line, the one that signs first: none stands in the policy (R-ISS-03)."""
    try:
        lines = (folder / value.text()).read_bytes().splitlines()
    except OSError as error:
        value.refuse(f"cannot be read: {error.strerror}", "R-STO-04")
    return tuple(line.strip() for line in lines if line.strip()) or value.refuse("holds no key", "R-STO-04")


def _read_limits(value: Value) -> Limits:
    usual = Limits()
    changes: Mapping[str, Value] = value.table(Shape.LIMITS).values
    return Limits.named(
        {
            name: change.integer() if isinstance(getattr(usual, name), int) else change.number()
            for name, change in changes.items()
        }
    )


def _read_overrides(value: Value) -> tuple[Override, ...]:
    overrides: dict[tuple[str, str], Override] = {}
    for table in value.tables(Shape.OVERRIDE, "at"):
        override = Override(
            rule=table.need("rule", _rule_id),
            at=table.need("at", Value.text),
            since=table.need("since", Value.day),
            reason=table.need("reason", Value.text),
        )
        if (override.rule, override.at) in overrides:
            table.refuse(f"{override.rule} is overridden here already", "R-GOV-02")
        overrides[override.rule, override.at] = override
    return tuple(overrides.values())


def _rule_id(value: Value) -> str:
    rule = value.text()
    if not _RULE_ID.fullmatch(rule):
        value.refuse(f"{rule!r} is no rule id; `jwtguard check` shows them, such as R-CLM-05", "R-GOV-02")
    return rule
