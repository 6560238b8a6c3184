"""Claims as a type of the application: dataclass, msgspec, pydantic; nothing coerced (R-IDN-08)."""

from __future__ import annotations

import enum
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Optional

import msgspec
import pydantic
import pytest

from jwtguard import ConfigurationError
from jwtguard.core.claims_model import ClaimsModelError, convert, reader_of
from tests.kit.guarded import guard, token

CLAIMS: Mapping[str, Any] = {
    "sub": "user-1", "level": 3, "iat": 1_767_225_600, "rate": 0.5, "verified": True, "nothing": None, "nick": None,
    "groups": ["a", "b"], "pair": ["x", 1], "address": {"city": "Köln", "zip": None}, "limits": {"a": 1},
    "https://example.com/roles": ["admin"], "unknown": "ignored",
}  # fmt: skip


@dataclass(frozen=True)
class Address:
    """An object within a claims set."""

    city: str
    zip: str | None


@dataclass(frozen=True, kw_only=True)
class User:
    """Every annotation that a dataclass may use."""

    sub: str
    level: int
    iat: float
    rate: float
    verified: bool
    nothing: None
    nick: Optional[str]  # noqa: UP045 - both spellings must be understood
    groups: list[str]
    pair: tuple[str, int]
    address: Address
    limits: Mapping[str, int]
    roles: tuple[str, ...] = field(metadata={"claim": "https://example.com/roles"})
    plan: Literal["free", "paid"] = "free"
    aliases: Sequence[str] = ()
    extra: object = None
    made: str = field(default="here", init=False)


class Struct(msgspec.Struct):
    """The same in msgspec, in short."""

    sub: str
    level: int
    groups: frozenset[str]
    nick: str | None = None


class Model(pydantic.BaseModel):
    """The same in pydantic, which is lax unless told otherwise."""

    sub: str
    level: int
    groups: frozenset[str]
    nick: str | None = None


class Plan(enum.StrEnum):
    """Values of a claim."""

    PAID = "paid"


def test_a_dataclass_is_filled_from_claims() -> None:
    """R-IDN-08: each field by its name or its named claim, defaults where a claim is absent, the rest ignored."""
    user = convert(User, CLAIMS)
    assert user == User(
        sub="user-1", level=3, iat=1_767_225_600, rate=0.5, verified=True, nothing=None, nick=None, groups=["a", "b"],
        pair=("x", 1), address=Address("Köln", None), limits={"a": 1}, roles=("admin",),
    )  # fmt: skip
    assert (type(user.iat), user.made) == (int, "here")


def model_of(annotation: object) -> type[Any]:
    """A dataclass with one field of this type."""
    made = type("Made", (), {"__annotations__": {"x": annotation}})
    return dataclass(made)


FITTING: list[tuple[object, object]] = [
    (str, ""), (int, 0), (float, 1), (float, 1.5), (bool, False), (type(None), None), (str | None, None),
    (int | str, "x"), (list, [1, "x"]), (list[int], []), (tuple[int, ...], (1, 2)), (tuple[str, int], ("x", 1)),
    (Sequence[str], ("x",)), (dict[str, int], {"a": 1}), (dict, {"a": [1]}), (Mapping[str, list[int]], {"a": [1]}),
    (Literal["a", 1], 1), (object, {"a": [None]}), (Any, [1]), (list[Address | None], [Address("x", None), None]),
]  # fmt: skip


@pytest.mark.parametrize(("annotation", "value"), FITTING)
def test_values_of_the_annotated_type_are_taken_as_they_are(annotation: object, value: Any) -> None:
    """R-IDN-08: the value itself, of the type the annotation names."""
    given = value
    if isinstance(value, tuple):
        given = list(value)
    if annotation == list[Address | None]:
        given = [{"city": "x", "zip": None}, None]
    made = convert(model_of(annotation), {"x": given})
    assert made.x == value
    assert type(made.x) is type(value)


MISFITS: list[tuple[object, list[object]]] = [
    (str, [1, None, True, ["x"], {"x": 1}]),
    (int, ["1", 1.0, True, False, None, [1]]),
    (float, ["1.5", True, None]),
    (bool, [0, 1, "true", None]),
    (type(None), [0, "", False, []]),
    (str | None, [1, False]),
    (int | str, [1.0, True, None]),
    (list[int], ["12", {"0": 1}, [True], ["1"], [1, None], None]),
    (tuple[int, ...], ["12", [1.0]]),
    (tuple[str, int], [["x"], ["x", 1, 1], [1, "x"], "x1"]),
    (Sequence[str], ["text", [1]]),
    (dict[str, int], [[["a", 1]], {"a": "1"}, {"a": True}]),
    (Literal["a", 1], ["b", True, 1.0, "1"]),
    (Address, [["Köln", None], {"city": "Köln"}, {"city": 1, "zip": None}, None]),
]
MISFIT_CASES = [(annotation, value) for annotation, values in MISFITS for value in values]


@pytest.mark.parametrize(("annotation", "value"), MISFIT_CASES)
def test_nothing_is_coerced(annotation: object, value: object) -> None:
    """R-IDN-08: a claim of another JSON type does not fit, however near it is."""
    with pytest.raises(ClaimsModelError):
        convert(model_of(annotation), {"x": value})


def test_a_claim_that_is_missing_does_not_fit() -> None:
    """R-IDN-08: a field without default is required, also where ``None`` would be allowed."""
    for name in ("sub", "nick", "https://example.com/roles"):
        with pytest.raises(ClaimsModelError) as caught:
            convert(User, {known: value for known, value in CLAIMS.items() if known != name})
        assert caught.value.claim == name


def test_a_misfit_names_the_claim_and_shows_no_value() -> None:
    """F58: the error goes to the server's log, so it holds no claim value."""
    claims = {**CLAIMS, "address": {"city": "Köln", "zip": ["canary"]}}
    with pytest.raises(ClaimsModelError, match=r"'address.zip' is not of type str or of type NoneType") as caught:
        convert(User, claims)
    assert "canary" not in str(caught.value)


def test_checks_of_the_model_itself_are_heard() -> None:
    """R-IDN-08: what a dataclass raises of its own comes through unchanged."""

    @dataclass
    class Adult:
        age: int

        def __post_init__(self) -> None:
            if self.age < 18:
                raise ZeroDivisionError

    assert convert(Adult, {"age": 18}).age == 18
    with pytest.raises(ZeroDivisionError):
        convert(Adult, {"age": 17})


@pydantic.dataclasses.dataclass
class Checked:
    """A dataclass of pydantic's, which is lax unless told otherwise, too."""

    sub: str
    level: int
    groups: frozenset[str]
    nick: str | None = None


@pytest.mark.parametrize("model", [Struct, Model, Checked])
def test_msgspec_and_pydantic_models_are_read_strictly(model: type[Any]) -> None:
    """R-IDN-08: by their own rules for JSON, with nothing coerced, whatever the model is set to."""
    made = convert(model, CLAIMS)
    assert (made.sub, made.level, made.groups, made.nick) == ("user-1", 3, frozenset({"a", "b"}), None)
    for bad in ({"level": "3"}, {"level": True}, {"sub": 1}, {"groups": "ab"}, {"nick": 1}):
        with pytest.raises((msgspec.ValidationError, pydantic.ValidationError)):
            convert(model, {**CLAIMS, **bad})
    with pytest.raises((msgspec.ValidationError, pydantic.ValidationError)):
        convert(model, {"sub": "user-1"})


def test_a_text_can_fill_an_enum_of_a_library_that_knows_them() -> None:
    """R-IDN-08: strict rules for JSON, not for Python objects, since claims are JSON."""

    class Planned(pydantic.BaseModel):
        plan: Plan

    class PlannedStruct(msgspec.Struct):
        plan: Plan

    assert convert(Planned, {"plan": "paid"}).plan is Plan.PAID
    assert convert(PlannedStruct, {"plan": "paid"}).plan is Plan.PAID


@pytest.mark.parametrize("kind", ["dataclass", "msgspec", "pydantic"])
def test_the_claims_of_an_identity_fill_every_kind_of_model(kind: str) -> None:
    """R-IDN-08: also in the read-only form that an identity shows, which the model cannot reach into."""

    @dataclass
    class Plain:
        sub: str
        groups: list[str]
        address: dict[str, object]

    class OfMsgspec(msgspec.Struct):
        sub: str
        groups: list[str]
        address: dict[str, object]

    class OfPydantic(pydantic.BaseModel):
        sub: str
        groups: list[str]
        address: dict[str, object]

    model: type[Any] = {"dataclass": Plain, "msgspec": OfMsgspec, "pydantic": OfPydantic}[kind]
    identity = guard().verify(token(groups=["a"], address={"city": {"name": "Köln"}}), accept="access")
    made = convert(model, identity.claims)
    assert (made.sub, made.groups, made.address["city"]["name"]) == ("user-1", ["a"], "Köln")
    made.groups.append("admin")
    made.address["city"] = "elsewhere"
    assert identity.claims["groups"] == ("a",)
    assert convert(model, identity.claims).groups == ["a"]


class NoModel:
    """A class that nobody can fill."""


@dataclass
class Ring:
    """A dataclass that holds itself."""

    next: Ring | None


@dataclass
class Case:
    """A dataclass that holds one that holds itself."""

    ring: Ring


@dataclass
class Torn:
    """A dataclass with an annotation that names nothing."""

    x: Nowhere  # type: ignore[name-defined]  # noqa: F821 - that is the case


@pytest.mark.parametrize(
    "model",
    [
        NoModel, Ring, Case, Torn, dict, str, object, CLAIMS, User.__init__, None, Address("x", None),
        *map(model_of, (set[str], frozenset[str], bytes, complex, Plan, NoModel, dict[int, str], list[bytes], type,
                        tuple[bytes, ...], str | bytes, Mapping[str, NoModel])),
    ],
)  # fmt: skip
def test_what_claims_cannot_fill_is_refused_when_it_is_named(model: Any) -> None:
    """R-IDN-08: an endpoint's model is judged at start-up, not at the first request."""
    with pytest.raises(ConfigurationError) as caught:
        reader_of(model)
    assert caught.value.rule == "R-IDN-08"


@dataclass(frozen=True)
class Computed:
    """What a model works out by itself."""

    sub: str
    initials: frozenset[str] = field(init=False, default=frozenset("?"))


def test_what_a_model_works_out_is_no_claim() -> None:
    """R-IDN-08: a field that is not filled from outside may be of any type, and a claim of its name is ignored."""
    assert convert(Computed, {"sub": "user-1", "initials": ["x"]}) == Computed("user-1")


def test_neither_library_is_imported_without_its_model() -> None:
    """R-IDN-08: a dataclass needs neither msgspec nor pydantic, and no entry of the import path is tried for them."""
    program = (
        "import sys; from dataclasses import dataclass; from jwtguard.core.claims_model import convert\n"
        "@dataclass\nclass User:\n    sub: str\n"
        "assert convert(User, {'sub': 'x'}).sub == 'x'\n"
        "assert not {'msgspec', 'pydantic'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
