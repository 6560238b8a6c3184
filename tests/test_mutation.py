"""The mutator: which changes of a source it makes, and which it does not."""

from __future__ import annotations

import ast

import pytest

from tests.mutation.mutants import mutated, sample, sites
from tests.mutation.stages import ROOT, STAGES, own_files, source_of, wider_files


def changes(source: str) -> list[tuple[str, str]]:
    """Return what the mutants of a source replace, and by what."""
    return [(site.before, site.after) for site in sites(ast.parse(source))]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a < b", [("a < b", "a <= b"), ("a < b", "a >= b")]),
        ("a >= b", [("a >= b", "a > b"), ("a >= b", "a < b")]),
        ("a == b", [("a == b", "a != b")]),
        ("a not in b", [("a not in b", "a in b")]),
        ("a is None", [("a is None", "a is not None")]),
        ("a == b in c", [("a == b in c", "a != b in c"), ("a == b in c", "a == b not in c")]),
        ("a and b", [("a and b", "a or b")]),
        ("a or b", [("a or b", "a and b")]),
        ("not a", [("not a", "a")]),
        ("a + b", [("a + b", "a - b")]),
        ("a // b", [("a // b", "a * b")]),
        ("a | b", [("a | b", "a & b")]),
        ("a & b", [("a & b", "a | b")]),
        ("f(7)", [("7", "8")]),
        ("f(True)", [("True", "False")]),
        ("f(None)", [("None", "True")]),
        ("raise E", [("raise E", "pass")]),
        ("def f():\n    return a", [("return a", "return None")]),
        ("def f():\n    return None", [("None", "True")]),
        ("a if b else c", [("b", "True"), ("b", "False")]),
        ("[a for a in b if c]", [("c", "True"), ("c", "False")]),
    ],
)  # fmt: skip
def test_operators(source: str, expected: list[tuple[str, str]]) -> None:
    """Mutation: each operator makes the changes it is there for, in the order of the source, and no other."""
    assert changes(source) == expected


@pytest.mark.parametrize(
    "source",
    [
        '"""A docstring of 7 words."""',
        "def f(a: int | None) -> int | None: ...",
        "a: int | None",
        "def f():\n    return",
        "class C:\n    __slots__ = ('a', *(b + c))",
        "class C:\n    def __repr__(self):\n        return self.a + 1",
        "if TYPE_CHECKING:\n    a = 1",
        "message = f'{a + 1}'",
        "f(f'{1 + 2}')",
        "Refusal(Reason.X, 1, None)",
        "@dataclass(slots=True)\nclass C: ...",
    ],
)
def test_nothing_that_does_nothing(source: str) -> None:
    """Mutation: what has no behaviour, or would be the same again, is no mutant."""
    assert changes(source) == []


def test_a_forced_condition_is_changed_only_where_it_differs() -> None:
    """Mutation: a condition that is true already is not forced true."""
    assert changes("a if True else b") == [("True", "False")]


def test_one_mutant_at_a_time() -> None:
    """Mutation: the numbered mutant is the source with that one change, and line numbers stay."""
    source = "if a < 1:\n    raise E\nx = b and c\n"
    count = len(changes(source))
    texts = [ast.unparse(mutated(source, number)) for number in range(count)]
    assert len(set(texts)) == count
    assert ast.unparse(mutated(source, None)) == ast.unparse(ast.parse(source))
    assert ast.unparse(ast.parse(source)) not in texts
    assert texts[-1] == "if a < 1:\n    raise E\nx = b or c"
    assert [site.line for site in sites(ast.parse(source))] == [1, 1, 1, 1, 1, 2, 3]


def test_samples_are_the_same_on_every_run_and_spread() -> None:
    """Mutation: a sample takes one of each equal span, by a fixed seed, and all of what is small."""
    chosen = sample(100, 10, "paths")
    assert chosen == sample(100, 10, "paths")
    assert [number // 10 for number in chosen] == list(range(10))
    assert list(sample(5, 10, "paths")) == list(sample(5, None, "paths")) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_has_tests(stage: str) -> None:
    """Mutation: the files of a stage exist, and no file is asked twice."""
    own, wider = own_files(stage), wider_files(stage)
    assert source_of(stage).is_file()
    assert own
    assert all((ROOT / name).is_file() for name in own)
    assert not set(own) & set(wider)
    assert len(set(own)) == len(own)
    assert "tests/test_asgi_credentials.py" in wider
