"""What the documents say is what the code does: ids, reasons, limits, links, the quick start."""

from __future__ import annotations

import ast
import dataclasses
import re
import runpy
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest
from starlette.testclient import TestClient

from jwtguard import Reason
from jwtguard.clock import SystemClock
from jwtguard.core.challenge import OUTCOMES
from jwtguard.core.limits import Limits
from tests.kit.fake_idp import FakeIdP
from tests.kit.token_forge import TokenForge

ROOT: Final = Path(__file__).resolve().parent.parent
TESTS, SOURCE, DOCS = ROOT / "tests", ROOT / "jwtguard", ROOT / "docs"
RULES, FAULTS = DOCS / "requirements.md", DOCS / "faults.md"
IDS: Final = re.compile(r"\bR-[A-Z]{3}-\d\d\b|\bF\d\d\b")
IDS_IN_NAMES: Final = re.compile(r"(?<=_)(?:R_[A-Z]{3}_\d\d|F\d\d)(?=_|$)")
NAMED_TEST: Final = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
MARKDOWN: Final = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md")])
LATER: Final = "(Later.)"
FOREIGN: Final = (
    "/wo" + "rk/",
    "../" + "shared",
    "py" + "pi.org",
    "pytho" + "nhosted",
    "index-" + "url",
    "/ro" + "ot/",
)
"""What no file of the project may name: places on one machine, and a package index."""
NOT_OURS: Final = frozenset({"__pycache__", "build", "dist", "htmlcov", "venv", "node_modules"})


def text(path: Path) -> str:
    """A file of the project."""
    return path.read_text(encoding="utf-8")


def rows(page: Path, columns: int) -> list[list[str]]:
    """The rows of all tables of so many columns, heads left out."""
    found = [line.strip().strip("|").split(" | ") for line in text(page).splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in row] for row in found if len(row) == columns]
    return [row for row in cells if row[0] not in ("id", "reason", "name", "situation")]


@cache
def functions(module: Path) -> dict[str, str]:
    """The test functions of a file, with their docstrings."""
    return {
        node.name: ast.get_docstring(node) or ""
        for node in ast.walk(ast.parse(text(module)))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test")
    }


@cache
def modules_of_tests() -> tuple[Path, ...]:
    """Every file with tests."""
    return tuple(sorted(TESTS.rglob("test_*.py")))


def ids_of(name: str, docstring: str) -> set[str]:
    """The ids that a test claims to prove."""
    return {*IDS.findall(docstring), *(found.replace("_", "-") for found in IDS_IN_NAMES.findall(name))}


def ids_in_use() -> Iterator[tuple[str, str]]:
    """Every id that a test or the code names, and where."""
    for module in modules_of_tests():
        for name, docstring in functions(module).items():
            for found in ids_of(name, docstring):
                yield found, f"{module.relative_to(ROOT)}::{name}"
    for module in SOURCE.rglob("*.py"):
        for found in IDS.findall(text(module)):
            yield found, str(module.relative_to(ROOT))


def documented() -> dict[str, str]:
    """Every id that has a row, and its tests."""
    table = [row for page in (RULES, FAULTS) for row in rows(page, 4) if IDS.fullmatch(row[0])]
    ids = [row[0] for row in table]
    assert len(ids) == len(set(ids)), "an id has two rows"
    return {row[0]: row[3] for row in table}


def test_every_id_has_a_row() -> None:
    """R-GOV-10: no test and no line of code names a rule or a fault that the documents do not."""
    known = documented()
    assert len(known) > 100
    assert not sorted({(found, where) for found, where in ids_in_use() if found not in known})


def test_rules_and_faults_have_pages_of_their_own() -> None:
    """R-GOV-10: R-… rows are in requirements.md, F… rows in faults.md, and every column of each is filled."""
    assert all(row[0].startswith("R-") for row in rows(RULES, 4) if IDS.fullmatch(row[0]))
    assert all(not row[0].startswith("R-") for row in rows(FAULTS, 4))
    for row in [*rows(RULES, 4), *rows(FAULTS, 4)]:
        assert all(row), row


def test_every_row_has_a_test() -> None:
    """R-GOV-10: one or two tests stand behind every row, and their docstrings or names say which rule they prove."""
    wrong = []
    for row, named in documented().items():
        found = NAMED_TEST.findall(named)
        silent = [name for path, name in found if row not in ids_of(name, functions(ROOT / path).get(name, ""))]
        if silent or not 1 <= len(found) <= 2:
            wrong.append((row, named))
    assert not wrong


@pytest.mark.parametrize("page", MARKDOWN, ids=lambda page: page.name)
def test_every_test_that_is_named_exists(page: Path) -> None:
    """R-GOV-10: a renamed test takes its mention in the documents along."""
    missing = [
        f"{path}::{function}"
        for path, function in NAMED_TEST.findall(text(page))
        if not (ROOT / path).is_file() or function not in functions(ROOT / path)
    ]
    assert not missing


def test_the_reasons_are_those_of_the_code() -> None:
    """R-OBS-01: the documented list of reasons is the closed list, with the answer that each one gets."""
    expected = {}
    for reason, outcome in OUTCOMES.items():
        status, error, _ = outcome.value
        expected[f"`{reason}`"] = f"{status} {error}" if error else str(status)
    assert {f"`{reason}`" for reason in Reason} == set(expected)
    assert {row[0]: row[2] for row in rows(RULES, 3)} == expected
    assert all(row[1].endswith((".", ".)")) for row in rows(RULES, 3))


def reasons_for_later() -> set[str]:
    """The reasons that belong to stages not built yet, as the document marks them."""
    return {row[0].strip("`") for row in rows(RULES, 3) if row[1].endswith(LATER)}


def test_reasons_for_later_are_given_by_nobody() -> None:
    """R-OBS-01: exactly the reasons marked as later are raised nowhere."""
    stages = [module for module in SOURCE.rglob("*.py") if module.name not in ("errors.py", "challenge.py")]
    raised = {name for module in stages for name in re.findall(r"\bReason\.([A-Z_]+)\b", text(module))}
    assert {reason.value for reason in Reason if reason.name not in raised} == reasons_for_later()


def test_every_reason_is_provoked() -> None:
    """R-OBS-01: each reason that can be given is what some test, which sends a request or a token, expects."""
    looking_only = {TESTS / "core/test_challenge.py", Path(__file__)}
    expected = {
        name
        for module in modules_of_tests()
        if module not in looking_only
        for name in re.findall(r"\bReason\.([A-Z_]+)\b", text(module))
    }
    assert not {reason.name for reason in Reason if reason.value not in reasons_for_later()} - expected


def test_the_limits_are_those_of_the_code() -> None:
    """R-GOV-08: the documented limits are all there are, with the defaults in force."""
    table = {row[0].strip("`"): float(row[1]) for row in rows(FAULTS, 3)}
    assert table == {field.name: float(getattr(Limits(), field.name)) for field in dataclasses.fields(Limits)}


def test_the_readme_is_short() -> None:
    """R-GOV-10: who wants to know what this is need not read more than two hundred lines."""
    assert len(text(ROOT / "README.md").splitlines()) <= 200


EXAMPLES: Final = sorted((ROOT / "examples").glob("*.py"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_every_example_is_short_and_named(example: Path) -> None:
    """R-GOV-10: an example can be read at once, and the README leads to it."""
    assert len(text(example).splitlines()) <= 60
    assert f"examples/{example.name})" in text(ROOT / "README.md")


@pytest.mark.parametrize("page", MARKDOWN, ids=lambda page: page.name)
def test_links_inside_the_project_lead_somewhere(page: Path) -> None:
    """R-GOV-10: every relative link is to a file, or to a heading, that exists."""
    for target in re.findall(r"\]\(([^)\s]+)\)", text(page)):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, heading = target.partition("#")
        linked = page.parent / path if path else page
        assert linked.exists(), target
        if heading:
            assert heading in headings(linked), target


def headings(page: Path) -> set[str]:
    """The names by which headings are linked to."""
    titles = re.findall(r"^#+ (.+)$", text(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_rooms_exist() -> None:
    """R-GOV-10: ARCHITECTURE.md names no file and no directory that is not there."""
    drawing = re.search(r"^jwtguard/\n(.*?)^```", text(ROOT / "ARCHITECTURE.md"), re.MULTILINE | re.DOTALL)
    assert drawing is not None
    named: list[Path] = []
    room = SOURCE
    for line in drawing.group(1).splitlines():
        inside = line.startswith("    ")
        names = re.findall(r"(?<!\S)(\w+\.py|\w+/)(?!\S)", line)
        if not inside and names and names[0].endswith("/"):
            room = SOURCE / names[0]
        named += [(room if inside else SOURCE) / name for name in names]
    assert len(named) > 20
    assert not [path for path in named if not path.exists()]


def files_of_the_project() -> Iterator[Path]:
    """Every file that would be in a clone, and nothing that tools leave behind."""
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        hidden = any(part.startswith(".") and part not in (".ci", ".gitignore", ".github") for part in parts)
        made = any(part in NOT_OURS or part.endswith(".egg-info") for part in parts)
        if path.is_file() and not hidden and not made:
            yield path


def test_no_file_names_a_machine_or_an_index() -> None:
    """R-GOV-10: nothing in the project depends on where it was written or where packages come from."""
    found = list(files_of_the_project())
    assert Path(__file__).resolve() in found
    assert ROOT / ".ci" / "run" in found
    marks = [mark.encode() for mark in FOREIGN]
    assert not [(str(path.relative_to(ROOT)), mark) for path in found for mark in marks if mark in path.read_bytes()]


def quick_start(name: str) -> str:
    """One file of the README's quick start, as written."""
    block = re.search(
        rf"<!-- quick start: {re.escape(name)} -->\n```\w+\n(.*?)```", text(ROOT / "README.md"), re.DOTALL
    )
    assert block is not None, f"the README shows no {name}"
    return block.group(1)


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[TestClient, TokenForge]]:
    """The quick start's application, whose one change is an issuer on loopback, and that issuer's tokens."""
    with FakeIdP() as idp:
        policy = quick_start("jwtguard.toml")
        (issuer,) = re.findall(r'^issuer\s*=\s*"(.+)"$', policy, re.MULTILINE)
        (audience,) = re.findall(r'^audience\s*=\s*"(.+)"$', policy, re.MULTILINE)
        forge = TokenForge(idp.issuer, audience)
        idp.set_keys([forge.key().public_jwk()])
        local = 'mode = "development"\n' + policy.replace(issuer, idp.issuer)
        (tmp_path / "jwtguard.toml").write_text(local, encoding="utf-8")
        (tmp_path / "app.py").write_text(quick_start("app.py"), encoding="utf-8")
        monkeypatch.chdir(tmp_path)
        app = runpy.run_path(str(tmp_path / "app.py"))["app"]
        with TestClient(app) as session:
            yield session, forge


def test_the_quick_start_works(client: tuple[TestClient, TokenForge]) -> None:
    """R-GOV-10: the README's policy and application, run as written, do what the README says."""
    session, forge = client
    now = SystemClock().now()

    def status(path: str, **claims: object) -> int:
        token = forge.sign(forge.access_claims(now=now, **claims), key=forge.key()).decode()
        return session.get(path, headers={"Authorization": f"Bearer {token}"}).status_code

    refused = session.get("/reports/7")
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    good = forge.sign(forge.access_claims(now=now), key=forge.key()).decode()
    allowed = session.get("/reports/7", headers={"Authorization": f"Bearer {good}"})
    assert allowed.status_code == 200
    assert allowed.json() == {"report": 7, "reader": "user-1", "scopes": ["reports:read"]}
    assert status("/reports/7", scope="reports:write") == 403
    assert status("/reports/7", aud="https://elsewhere.example.com") == 401
    assert session.get("/health").json() == {"status": "up"}
    assert status("/nothing") == 403
