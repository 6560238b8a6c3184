"""Whatever is written under the known keys, the answer is a configuration or a ``ConfigurationError``."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jwtguard import ConfigurationError
from jwtguard.clock import SystemClock
from jwtguard.config import PolicyFileError, load, parse
from jwtguard.config.shapes import KEYS
from jwtguard.core.table import PolicyTable
from jwtguard.jwks.ring import KeyRing
from jwtguard.lint import lint
from tests.config.policy_text import FILE, toml
from tests.kit.json_values import nested
from tests.kit.token_forge import TokenForge

Path_ = tuple[str | int, ...]

# A policy in which every table of the file occurs.
WHOLE: dict[str, object] = {
    "mode": "production",
    "startup": "lazy",
    "limits": {"token_bytes": 4096, "keys_ttl_s": 300.5, "leeway_s": 10},
    "issuers": {
        "login": {
            "issuer": "https://login.example.com/",
            "audience": ["https://api.example.com"],
            "client_id": "web",
            "audiences": {"issuer": ["https://as.example.com"], "action": ["a"], "receiver": ["r"]},
            "algorithms": ["ES256"],
            "keys": "discovery",
            "issues": ["access", "access_legacy", "id_token", "report"],
            "key_urls": ["https://login.example.com/keys"],
            "shared_secret": False,
            "leeway": "30s",
            "tenant_claim": "tid",
            "max_lifetime": {"access": "2h"},
            "access_legacy": {
                "marker": {"claim": "token_use", "equals": "access"},
                "since": date(2026, 11, 1),
                "audience_from": "client_id",
                "scope_from": "scp",
                "max_lifetime": "24h",
            },
        },
        "inline": {
            "issuer": "https://inline.example.com/",
            "audience": "https://api.example.com",
            "algorithms": ["ES256", "RS256"],
            "jwks": {"keys": [TokenForge().key().public_jwk()]},
        },
    },
    "classes": {
        "report": {
            "typ": ["report+jwt"],
            "required": ["iss", "aud", "iat"],
            "any_of": [],
            "forbidden": ["nonce"],
            "one_of": {"kind": ["report", 1]},
            "none_of": {"env": ["test"]},
            "events": [],
            "not_events": [],
            "header_key": "forbidden",
            "subject": "any",
            "audience": "resource",
            "audience_claim": "aud",
            "audience_count": "any",
            "expiry": {"none": {"max_age": "24h"}},
            "max_age": "unbounded",
            "carriers": ["header"],
        },
    },
    "policies": {"staff": {"accept": "access", "issuers": ["login"], "claims": {"team": {"one_of": ["a", 1]}}}},
    "endpoints": [
        {
            "match": ["GET /reports", "GET /reports/{id}"],
            "name": "reports",
            "accept": ["access", "access_legacy"],
            "issuers": ["login"],
            "audience": ["https://api.example.com"],
            "algorithms": ["ES256"],
            "carriers": ["bearer", {"cookie": "__Host-at"}, {"header": "x-token", "scheme": "bearer"}],
            "scopes": ["a"],
            "any_scopes": ["b", "c"],
            "max_age": "1h",
            "claims": {"department": "sales", "roles": {"contains": ["x"]}, "team": {"matches": "[a-z]+"}},
        },
        {"match": "/health", "public": True},
        {"match": "/hello", "optional": True, "use": "staff"},
    ],
    "overrides": [{"rule": "R-CLM-05", "at": "classes.report.expiry", "since": date(2026, 11, 1), "reason": "old"}],
}


def places(value: object, path: Path_ = ()) -> Iterator[Path_]:
    """List every place in a document where a value stands."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from places(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from places(item, (*path, index))


def with_value(path: Path_, value: object) -> str:
    """Write the whole policy with one value replaced."""
    document = copy.deepcopy(WHOLE)
    place: object = document
    for step in path[:-1]:
        place = place[step]  # type: ignore[index]  # a path from places() leads through tables and lists
    place[path[-1]] = value  # type: ignore[index]
    return written(document)


def written(document: dict[str, object]) -> str:
    """Write a document as TOML."""
    return "".join(f"{toml(key)} = {toml(value)}\n" for key, value in document.items())


def judge(text: str) -> None:
    """Read, prove and lint a policy: everything that start-up does with a file, short of fetching keys."""
    try:
        config = parse(text, name=FILE)
    except PolicyFileError as mistake:
        assert str(mistake).startswith(f"{FILE}: ")  # noqa: PT017 - an accepted policy is as good an outcome
        return
    try:
        lint(PolicyTable(config), KeyRing(config, SystemClock(), lambda _: None).held)
    except ConfigurationError as mistake:
        assert mistake.key  # noqa: PT017 - as above


KEY_NAMES = sorted({name for names in KEYS.values() for name in names} | {"login", "report", "staff", "nobody", "x y"})
TEXTS = st.sampled_from(
    ["", " ", "access", "id_token", "ES256", "HS256", "none", "GET /a", "/a/{x}", "/**", "30s", "0s", "absent", "login",
     "unbounded", "discovery", "bearer", "\x00", "\u202e", "aud", "exp", "R-CLM-05", "(", "-----BEGIN PUBLIC KEY-----"]
) | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)  # fmt: skip
SCALARS = (
    TEXTS
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, -(10**400), 2**53, 0, -1])
    | st.floats()
    | st.dates()
    | st.datetimes()
)
VALUES = nested(SCALARS, st.sampled_from(KEY_NAMES) | TEXTS, 3)
DOCUMENTS = st.dictionaries(st.sampled_from(sorted(WHOLE)), VALUES, max_size=4)


def test_the_whole_policy_is_right() -> None:
    """R-POL-06: the document that the properties below spoil is itself accepted, so each refusal has one cause."""
    PolicyTable(parse(written(WHOLE), name=FILE))


@pytest.mark.filterwarnings("ignore::FutureWarning")  # Python's own remark on some of the patterns tried for `matches`
@settings(max_examples=400, deadline=None)
@given(path=st.sampled_from(list(places(WHOLE))), value=VALUES)
def test_one_wrong_value_is_a_configuration_error(path: Path_, value: object) -> None:
    """R-POL-06: a policy with any one value replaced by any other is accepted or refused, and nothing else happens."""
    judge(with_value(path, value))


@pytest.mark.filterwarnings("ignore::FutureWarning")  # as above
@settings(max_examples=200, deadline=None)
@given(document=DOCUMENTS)
def test_arbitrary_values_under_known_keys_are_configuration_errors(document: dict[str, object]) -> None:
    """R-POL-06: documents of known keys and arbitrary values raise nothing but ``ConfigurationError``."""
    judge(written(document))


@settings(max_examples=200, deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_arbitrary_text_is_a_configuration_error(text: str) -> None:
    """R-POL-06: text that was never meant as a policy raises nothing but ``ConfigurationError``."""
    judge(text)


@settings(max_examples=50, deadline=None)
@given(data=st.binary(max_size=60))
def test_arbitrary_bytes_are_a_configuration_error(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    """R-POL-06: nor does a file of arbitrary bytes."""
    file: Path = tmp_path_factory.mktemp("policy") / FILE
    file.write_bytes(data)
    try:
        load(file)
    except PolicyFileError as mistake:
        assert mistake.file == str(file)  # noqa: PT017 - as above
