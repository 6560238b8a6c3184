"""docs/configuration.md against the code: it is what users go by."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from jwtguard import Limits
from jwtguard.config import parse
from jwtguard.config.shapes import KEYS, Shape
from jwtguard.core.classes import READY_MADE
from jwtguard.core.issuer import ALGORITHMS
from jwtguard.core.table import PolicyTable

TEXT = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text("utf-8")
SECTIONS = re.split(r"^#{2,3} ", TEXT, flags=re.MULTILINE)[1:]
BLOCKS = re.findall(r"^```toml\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)
ROW = re.compile(
    r"^\| `(?P<key>[a-z_]+)` \| (?P<type>[^|]*) \| (?P<default>[^|]*) \| (?P<meaning>.*) \|$", re.MULTILINE
)


def section(shape: Shape) -> str:
    """Return the part of the reference that describes a table."""
    wanted = "The top level" if shape is Shape.TOP else f"`{shape}`"
    (found,) = (part for part in SECTIONS if wanted in part.partition("\n")[0].replace("[", "").replace("]", ""))
    return found


def anchor(heading: str) -> str:
    """Return the anchor that a Markdown viewer gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("shape", list(Shape), ids=lambda shape: shape or "top")
def test_every_key_is_documented(shape: Shape) -> None:
    """R-POL-06: the reference lists exactly the keys that the loader knows, each once, with type and meaning."""
    rows = list(ROW.finditer(section(shape)))
    assert sorted(row["key"] for row in rows) == sorted(KEYS[shape])
    for row in rows:
        assert row["type"].strip(), row
        assert row["default"].strip(), row
        assert row["meaning"].strip(), row


def test_the_defaults_of_limits_are_right() -> None:
    """R-GOV-08: the documented default of each limit is the one in force."""
    documented = {row["key"]: float(row["default"].strip("` ")) for row in ROW.finditer(section(Shape.LIMITS))}
    assert documented == {name: float(getattr(Limits(), name)) for name in KEYS[Shape.LIMITS]}


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_every_example_is_a_policy(number: int) -> None:
    """R-POL-06: what the reference shows can be pasted: it is read without complaint."""
    parse(BLOCKS[number], name="docs/configuration.md")


def test_examples_with_issuers_and_endpoints_can_be_proven() -> None:
    """R-CLS-03: the examples that are whole policies start, too."""
    whole = [block for block in BLOCKS if "[issuers." in block]
    assert len(whole) >= 4
    for block in whole:
        PolicyTable(parse(block, name="docs/configuration.md"))


def test_every_name_is_documented() -> None:
    """R-ALG-10, R-CLS-02: the reference names every algorithm and every ready-made class."""
    for name in (*ALGORITHMS, *READY_MADE):
        assert f"`{name}`" in TEXT


def test_links_inside_lead_somewhere() -> None:
    """R-POL-06: a link to another section of the reference finds its heading."""
    headings = {anchor(part.partition("\n")[0]) for part in SECTIONS}
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= headings
