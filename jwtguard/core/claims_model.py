"""Claims as a type of the application: a dataclass, a msgspec ``Struct`` or a pydantic model (R-IDN-08).

Claims are JSON, and nothing is coerced: ``"5"`` is no ``int``, ``true`` no ``int`` either. An ``int`` is a fine
``float``, as it is to a type checker. Claims that the model does not name are ignored. pydantic and msgspec read by
their own strict rules for JSON, so an array can fill a ``frozenset`` and a text an ``Enum`` there.

A dataclass may use ``str``, ``int``, ``float``, ``bool``, ``None``, ``object``, ``Literal``, unions of these, lists,
tuples, mappings with text keys, and other dataclasses. A claim whose name is no Python name is given by
``field(metadata={"claim": "https://example.com/roles"})``.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Literal, TypeAlias, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from jwtguard.core.strict_json import JsonValue
from jwtguard.errors import ConfigurationError, JwtGuardError

T = TypeVar("T")
Claims: TypeAlias = Mapping[str, JsonValue]
_Check: TypeAlias = Callable[[JsonValue, str], object]
_KINDS: Mapping[type, tuple[type, ...]] = {
    str: (str,), int: (int,), float: (int, float), bool: (bool,), NoneType: (NoneType,),
}  # fmt: skip
_RULE = "R-IDN-08"


class ClaimsModelError(JwtGuardError):
    """The claims do not fit the model. Names the claim and what it should be, and shows no value."""

    def __init__(self, claim: str, expected: str) -> None:
        super().__init__(f"the claim {claim!r} is not {expected}")
        self.claim = claim
        self.expected = expected


def convert(model: type[T], claims: Claims) -> T:
    """Make an instance of a model from claims, once; ``reader_of`` keeps what can be prepared.

    Raises:
        ClaimsModelError: They do not fit a dataclass.
        ConfigurationError: It is no model that can be filled.
        Exception: Whatever pydantic, msgspec or the model's own checks raise.
    """
    return reader_of(model)(claims)


def reader_of(model: type[T]) -> Callable[[Claims], T]:
    """Prepare to fill a model; for start-up, which learns here whether it can be filled at all.

    Args:
        model: A dataclass, a msgspec ``Struct``, a pydantic model or dataclass.

    Returns:
        What makes an instance of claims, and raises as ``convert`` does.

    Raises:
        ConfigurationError: It is none of these, or has a field whose type JSON does not fill.
    """
    if isinstance(model, type):
        if hasattr(model, "__pydantic_validator__"):
            return _pydantic_reader(model)
        if hasattr(model, "__struct_fields__"):
            return _msgspec_reader(model)
        if dataclasses.is_dataclass(model):
            return _dataclass_reader(model)
    message = f"{model!r} is no dataclass, msgspec Struct or pydantic model"
    raise ConfigurationError(message, key="model", rule=_RULE)


def _pydantic_reader(model: type[T]) -> Callable[[Claims], T]:
    from pydantic import TypeAdapter  # noqa: PLC0415 - whoever has such a model has imported it

    adapter = TypeAdapter(model)
    return lambda claims: adapter.validate_json(json.dumps(claims, default=_plain), strict=True)


def _msgspec_reader(model: type[T]) -> Callable[[Claims], T]:
    from msgspec import convert as fill  # noqa: PLC0415 - as above

    return lambda claims: fill(claims, model, strict=True)


def _plain(value: object) -> object:
    """Make JSON of the read-only mappings that an identity shows."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError


def _dataclass_reader(model: type[T]) -> Callable[[Claims], T]:
    fill = _object_check(model, (model,))
    return lambda claims: cast("T", fill(claims, ""))


def _object_check(model: type, above: tuple[type, ...]) -> _Check:
    """Prepare to make a dataclass of an object; ``above``: the dataclasses that this one is a part of."""
    try:
        hints = get_type_hints(model)
    except (NameError, TypeError, AttributeError) as error:
        message = f"{model.__name__} has annotations that cannot be read: {error}"
        raise ConfigurationError(message, key="model", rule=_RULE) from None
    columns = [field for field in dataclasses.fields(model) if field.init]
    checks = [_check_of(hints[field.name], above, f"{model.__name__}.{field.name}") for field in columns]
    names = [str(field.metadata.get("claim", field.name)) for field in columns]

    def fill(value: JsonValue, where: str) -> object:
        if not isinstance(value, Mapping):
            raise ClaimsModelError(where, "an object")
        filled: dict[str, object] = {}
        for field, name, check in zip(columns, names, checks, strict=True):
            path = f"{where}.{name}" if where else name
            if name in value:
                filled[field.name] = check(value[name], path)
            elif field.default is field.default_factory:  # both are MISSING
                raise ClaimsModelError(path, "there")
        return model(**filled)

    return fill


def _check_of(hint: object, above: tuple[type, ...], at: str) -> _Check:
    """Prepare to check a value against an annotation; ``at`` names the field in errors."""
    origin, parts = get_origin(hint), get_args(hint)
    if hint is object or hint is Any:
        return lambda value, _: value
    if isinstance(hint, type) and (kinds := _KINDS.get(hint)):
        return _one_of_kinds(kinds)
    if origin is Literal:
        return _one_of_values(parts)
    if origin is Union or origin is UnionType:
        return _first_fitting([_check_of(part, above, at) for part in parts])
    return _part_check(hint, origin or hint, parts, above, at)


def _part_check(hint: object, kind: object, parts: tuple[object, ...], above: tuple[type, ...], at: str) -> _Check:
    if kind in (list, tuple, Sequence):
        return _array_check(kind, parts, above, at)
    if kind in (dict, Mapping) and parts[:1] in ((), (str,)):
        return _members(_check_of(parts[1] if parts else object, above, at))
    if isinstance(hint, type) and dataclasses.is_dataclass(hint) and hint not in above:
        return _object_check(hint, (*above, hint))
    message = f"{at} has a type that claims cannot fill: {hint}"
    raise ConfigurationError(message, key="model", rule=_RULE)


def _array_check(kind: object, parts: tuple[object, ...], above: tuple[type, ...], at: str) -> _Check:
    if kind is tuple and parts and parts[-1] is not Ellipsis:
        return _row([_check_of(part, above, at) for part in parts])
    return _items(_check_of(parts[0] if parts else object, above, at), list if kind is list else tuple)


def _one_of_kinds(kinds: tuple[type, ...]) -> _Check:
    def check(value: JsonValue, where: str) -> object:
        if type(value) not in kinds:
            raise ClaimsModelError(where, f"of type {kinds[-1].__name__}")
        return value

    return check


def _one_of_values(values: Sequence[object]) -> _Check:
    def check(value: JsonValue, where: str) -> object:
        if not any(type(value) is type(known) and value == known for known in values):
            raise ClaimsModelError(where, f"one of {', '.join(map(repr, values))}")
        return value

    return check


def _first_fitting(checks: Sequence[_Check]) -> _Check:
    def check(value: JsonValue, where: str) -> object:
        expected = []
        for one in checks:
            try:
                return one(value, where)
            except ClaimsModelError as error:
                expected.append(error.expected)
        raise ClaimsModelError(where, " or ".join(expected))

    return check


def _array_of(value: JsonValue, where: str) -> Sequence[JsonValue]:
    if isinstance(value, list | tuple):  # a tuple is how an identity shows an array
        return value
    raise ClaimsModelError(where, "an array")


def _items(check: _Check, make: type[list[object]] | type[tuple[object, ...]]) -> _Check:
    return lambda value, where: make(check(item, f"{where}[]") for item in _array_of(value, where))


def _row(checks: Sequence[_Check]) -> _Check:
    def check(value: JsonValue, where: str) -> object:
        items = _array_of(value, where)
        if len(items) != len(checks):
            raise ClaimsModelError(where, f"an array of {len(checks)}")
        return tuple(one(item, f"{where}[]") for one, item in zip(checks, items, strict=True))

    return check


def _members(check: _Check) -> _Check:
    def read(value: JsonValue, where: str) -> object:
        if not isinstance(value, Mapping):
            raise ClaimsModelError(where, "an object")
        return {name: check(item, f"{where}.{name}") for name, item in value.items()}

    return read
