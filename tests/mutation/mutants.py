"""Which small changes of a module count as mutants, and how one is applied.

A site is one node of the syntax tree and one node to put in its place. Sites are found in the order of the
tree, so the same source has the same numbered mutants on every run. Nothing is changed that only people read:
annotations, docstrings, messages, ``__repr__``, and what a refusal says about itself; nor ``__slots__`` and
imports for type checkers, which have no behaviour.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tests.mutation.operators import replacements

_NAMED_TEXTS = frozenset({"message", "what", "__slots__", "__all__"})
_UNREAD_FIELDS = frozenset({"annotation", "returns", "type_params", "type_comment"})


@dataclass(frozen=True, slots=True)
class Site:
    """One place and its change; ``apply`` makes the change in the tree that the site was found in."""

    line: int
    before: str
    after: str
    apply: Callable[[], None]


def sites(tree: ast.AST) -> Iterator[Site]:
    """Yield every mutant of a tree, in a fixed order."""
    for parent, field, index, node in _places(tree):
        seen = {ast.dump(node)}
        for replacement in replacements(node, parent, field):
            dump = ast.dump(replacement)
            if dump in seen:
                continue
            seen.add(dump)
            line = getattr(node, "lineno", 0)
            yield Site(line, _text(node), _text(replacement), _change(parent, field, index, replacement))


def mutated(source: str, number: int | None) -> ast.Module:
    """Return the tree of a source with its mutant of that number; ``None`` changes nothing."""
    tree = ast.parse(source)
    if number is not None:
        list(sites(tree))[number].apply()
    return ast.fix_missing_locations(tree)


def sample(count: int, most: int | None, seed: str) -> Sequence[int]:
    """Choose at most ``most`` of ``count`` numbers: one from each of as many equal spans, the same on every run."""
    if most is None or count <= most:
        return range(count)
    chance = random.Random(seed)
    return [chance.randrange(span * count // most, (span + 1) * count // most) for span in range(most)]


def _places(parent: ast.AST) -> Iterator[tuple[ast.AST, str, int | None, ast.AST]]:
    """Yield every node that behaves, with the place it stands in."""
    for field, value in ast.iter_fields(parent):
        if field in _UNREAD_FIELDS:
            continue
        for index, node in enumerate(value) if isinstance(value, list) else ((None, value),):
            if isinstance(node, ast.AST) and not _is_unread(node, parent):
                yield parent, field, index, node
                yield from _places(node)


def _is_unread(node: ast.AST, parent: ast.AST) -> bool:
    """Tell whether only people, type checkers or the memory layout read this."""
    match node:
        case ast.JoinedStr() | ast.Expr(value=ast.Constant()):
            return True
        case ast.FunctionDef(name="__repr__") | ast.keyword(arg="slots"):
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING")) | ast.AnnAssign(annotation=ast.Name(id="TypeAlias")):
            return True
        case ast.Assign(targets=[ast.Name(id=name)]):
            return name in _NAMED_TEXTS
        case ast.Constant():
            return isinstance(parent, ast.Call) and _is_refusal(parent)
        case _:
            return False


def _is_refusal(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id in {"Refusal", "Unavailable", "ConfigurationError"}


def _change(parent: ast.AST, field: str, index: int | None, replacement: ast.AST) -> Callable[[], None]:
    def apply() -> None:
        if index is None:
            setattr(parent, field, replacement)
        else:
            getattr(parent, field)[index] = replacement

    return apply


def _text(node: ast.AST) -> str:
    lines = ast.unparse(node).splitlines()
    return lines[0] + (" ..." if len(lines) > 1 else "")
