"""Cases as they stand in the files. The README beside this module says what each member means."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NotRequired, TypeAlias, TypedDict

Scalar: TypeAlias = str | int | float | bool
FOLDERS_VARIABLE = "JWTGUARD_CORPUS"


class IssuerEntry(TypedDict):
    """A trusted issuer of a case."""

    issuer: str
    algorithms: list[str]
    jwks: NotRequired[object]
    jwks_ref: NotRequired[str]
    jwks_uri: NotRequired[str]
    audience: NotRequired[list[str]]


class PolicyEntry(TypedDict):
    """The policy of a case; at level ``jws`` only ``token_class``."""

    token_class: str
    typ: NotRequired[list[str | None]]
    required_claims: NotRequired[list[str]]
    forbidden_claims: NotRequired[list[str]]
    claim_equals: NotRequired[dict[str, Scalar]]
    audience: NotRequired[list[str] | None]
    leeway: NotRequired[float]
    max_age: NotRequired[float | None]
    max_lifetime: NotRequired[float | None]
    max_token_bytes: NotRequired[int]
    sources: NotRequired[list[dict[str, str]]]
    required_events: NotRequired[list[str]]


class RequestEntry(TypedDict):
    """The request of a case, with ``{token}`` and ``{alt_token}`` to be filled in."""

    method: str
    path: str
    headers: list[tuple[str, str]]


class TokenRecipe(TypedDict):
    """How to build a long token: strings, and ``[string, count]`` for repetitions."""

    kind: str
    parts: list[str | tuple[str, int]]


class Case(TypedDict):
    """One line of a corpus file."""

    id: str
    family: str
    level: str
    now: float
    issuers: list[IssuerEntry]
    policy: PolicyEntry
    request: RequestEntry | None
    expect: str
    token: NotRequired[str]
    token_gen: NotRequired[TokenRecipe]
    alt_token: NotRequired[str]
    expect_identity: NotRequired[dict[str, str]]
    reject_reason: NotRequired[str]
    reason_alts: NotRequired[list[str]]
    strict: NotRequired[bool]
    must_not_fetch: NotRequired[str]
    time_budget_ms: NotRequired[float]


def corpus_folders() -> list[Path]:
    """Return the folder of this module and those the environment names."""
    named = os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep)
    return [Path(__file__).parent, *(Path(name) for name in named if name)]


def read_folders(folders: Iterable[Path]) -> Iterator[Case]:
    """Read every case of these folders, with its key sets put in place of their names.

    Raises:
        ValueError: A folder holds no case, so that a misspelt name does not pass as a clean run.
    """
    for folder in folders:
        key_sets: dict[str, object] = {}
        for path in sorted(folder.glob("*jwks*.json")):
            key_sets |= json.loads(path.read_text("utf-8"))
        files = sorted(folder.glob("*.jsonl"))
        if not files:
            msg = f"{folder} holds no *.jsonl"
            raise ValueError(msg)
        for path in files:
            for line in path.read_text("utf-8").split("\n"):
                if line:
                    yield _with_keys(json.loads(line), key_sets)


def _with_keys(case: Case, key_sets: Mapping[str, object]) -> Case:
    for issuer in case["issuers"]:
        if "jwks_ref" in issuer:
            issuer["jwks"] = key_sets[issuer["jwks_ref"]]
    return case


def token_of(case: Case) -> str:
    """Return the token of a case, built first if it is a long one."""
    if "token" in case:
        return case["token"]
    parts = case["token_gen"]["parts"]
    return "".join(part if isinstance(part, str) else part[0] * part[1] for part in parts)
