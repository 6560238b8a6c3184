"""The policy file as a whole: what it compiles to, and how it is refused."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from jwtguard import (
    BEARER,
    Access,
    Config,
    ConfigurationError,
    Discovery,
    Endpoint,
    Guard,
    Issuer,
    Limits,
    Mode,
    Override,
    Startup,
    cookie,
)
from jwtguard.config import PolicyFileError, load, mistakes_in, parse
from tests.config.policy_text import FILE, LOGIN, REPORTS, build, class_text, refused

OVERRIDE = """
[[overrides]]
rule = "R-CLM-05"
at = "classes.report.expiry"
since = 2026-11-01
reason = "tokens of the old batch job, gone in December"
"""
NO_EXPIRY = class_text(expiry='{ none = { max_age = "24h" } }', required='["iss", "aud", "iat"]')


def test_file_and_python_objects_compile_to_one_form() -> None:
    """R-POL-06: a TOML file and Python objects are the same configuration."""
    text = f"""
mode = "development"
startup = "eager"

[limits]
token_bytes = 4096
keys_ttl_s = 300
{LOGIN}
leeway = "10s"

[[endpoints]]
match = ["GET /reports", "GET /reports/{{id}}"]
name = "reports"
accept = "access"
scopes = ["reports:read"]
any_scopes = ["eu", "us"]
max_age = "1h"
carriers = ["bearer", {{ cookie = "__Host-at" }}]

[[endpoints]]
match = "GET /health"
public = true

[[endpoints]]
match = "GET /hello"
optional = true
accept = ["access"]

[[overrides]]
rule = "R-EXT-09"
at = "mode"
since = 2026-11-01
reason = "local only"
"""
    assert parse(text, name=FILE) == Config(
        issuers=(
            Issuer(
                name="login",
                issuer="https://login.example.com/",
                audience=("https://api.example.com",),
                algorithms=("ES256",),
                keys=Discovery(),
                leeway_s=10.0,
            ),
        ),
        endpoints=(
            Endpoint(
                match=("GET /reports", "GET /reports/{id}"),
                name="reports",
                accept=("access",),
                scopes=frozenset({"reports:read"}),
                any_scopes=frozenset({"eu", "us"}),
                max_age_s=3600.0,
                carriers=(BEARER, cookie("__Host-at")),
            ),
            Endpoint(match=("GET /health",), access=Access.PUBLIC),
            Endpoint(match=("GET /hello",), access=Access.OPTIONAL, accept=("access",)),
        ),
        limits=Limits(token_bytes=4096, keys_ttl_s=300.0),
        mode=Mode.DEVELOPMENT,
        startup=Startup.EAGER,
        overrides=(Override("R-EXT-09", "mode", date(2026, 11, 1), "local only"),),
    )


def test_an_empty_file_is_a_policy_that_covers_nothing() -> None:
    """R-POL-01: what no policy mentions is refused, so nothing written is nothing allowed."""
    config, table = build("")
    assert config == Config(issuers=(), endpoints=())
    assert (config.mode, config.startup) == (Mode.PRODUCTION, Startup.LAZY)
    assert table.routes.find("GET", "/") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("isuers = {}", "jwtguard.toml: unknown key 'isuers'; did you mean 'issuers'? [R-POL-06]"),
        (
            "[issuers.login]\nalgoritms = []",
            "jwtguard.toml: issuers.login: unknown key 'algoritms'; did you mean 'algorithms'? [R-POL-06]",
        ),
        (
            f"{LOGIN}\n[issuers.login.acess_legacy]",
            "jwtguard.toml: issuers.login: unknown key 'acess_legacy'; did you mean 'access_legacy'? [R-POL-06]",
        ),
        (
            f"{LOGIN}\n[issuers.login.access_legacy]\nmaker = {{}}",
            "jwtguard.toml: issuers.login.access_legacy: unknown key 'maker'; did you mean 'marker'? [R-POL-06]",
        ),
        (
            f"{LOGIN}audiences = {{ actions = [] }}",
            "jwtguard.toml: issuers.login.audiences: unknown key 'actions'; did you mean 'action'? [R-POL-06]",
        ),
        (
            "[limits]\ntoken_byte = 1",
            "jwtguard.toml: limits: unknown key 'token_byte'; did you mean 'token_bytes'? [R-POL-06]",
        ),
        (
            f"{REPORTS}scope = 'a'",
            "jwtguard.toml: endpoints.reports: unknown key 'scope'; did you mean 'scopes'? [R-POL-06]",
        ),
        (
            "[[endpoints]]\nmatch = ['GET /a', 'GET /b']\npublik = true",
            "jwtguard.toml: endpoints.GET /a: unknown key 'publik'; did you mean 'public'? [R-POL-06]",
        ),
        (
            "[[endpoints]]\npublik = true",
            "jwtguard.toml: endpoints.#1: unknown key 'publik'; did you mean 'public'? [R-POL-06]",
        ),
        (
            f"{REPORTS}carriers = [{{ cokie = 'a' }}]",
            "jwtguard.toml: endpoints.reports.carriers: unknown key 'cokie'; did you mean 'cookie'? [R-POL-06]",
        ),
        (
            f"{REPORTS}claims = {{ team = {{ oneof = [1] }} }}",
            "jwtguard.toml: endpoints.reports.claims.team: unknown key 'oneof'; did you mean 'one_of'? [R-POL-06]",
        ),
        (
            "[policies.staff]\nmatch = '/a'",
            (
                "jwtguard.toml: policies.staff: unknown key 'match'; known are 'accept', 'actors', 'algorithms', "
                "'any_scopes', 'audience', 'carriers', 'claims', 'csrf', 'issuers', 'kinds', 'login', 'login_page', "
                "'max_age', 'navigable', 'optional', 'origins', 'public', 'roles', 'scopes', 'tenant', 'use' [R-POL-06]"
            ),
        ),
        (
            class_text(expirey="1"),
            "jwtguard.toml: classes.report: unknown key 'expirey'; did you mean 'expiry'? [R-POL-06]",
        ),
        (
            class_text(expiry="{ maxlifetime = '1h' }"),
            "jwtguard.toml: classes.report.expiry: unknown key 'maxlifetime'; did you mean 'max_lifetime'? [R-POL-06]",
        ),
        (
            OVERRIDE.replace("since", "sinse"),
            "jwtguard.toml: overrides.classes.report.expiry: unknown key 'sinse'; did you mean 'since'? [R-POL-06]",
        ),
    ],
)
def test_an_unknown_key_is_refused_at_every_level(text: str, message: str) -> None:
    """R-POL-06: an unknown key is an error that names file, place, key and nearest valid spelling."""
    assert refused(text) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('mode = "producton"', "jwtguard.toml: mode: unknown mode 'producton'; did you mean 'production'? [R-POL-06]"),
        ('startup = "eger"', "jwtguard.toml: startup: unknown startup 'eger'; did you mean 'eager'? [R-POL-06]"),
        ("mode = true", "jwtguard.toml: mode: must be a string, not the boolean true [R-POL-06]"),
        ("limits = 5", "jwtguard.toml: limits: must be a table, not the integer 5 [R-POL-06]"),
        ("issuers = []", "jwtguard.toml: issuers: must be a table, not the list [R-POL-06]"),
        (
            "endpoints = { match = '/' }",
            "jwtguard.toml: endpoints: must be a list of tables: write [[endpoints]], not the table [R-POL-06]",
        ),
        ("endpoints = [1]", "jwtguard.toml: endpoints.#1: must be a table, not the integer 1 [R-POL-06]"),
        (
            "[issuers.'two words']",
            "jwtguard.toml: issuers: 'two words' is no name: use up to 64 letters, digits, '_' and '-' [R-POL-06]",
        ),
        ("[issuers.'']", "jwtguard.toml: issuers: holds a key without a name [R-POL-06]"),
    ],
)
def test_a_value_of_the_wrong_form_is_refused(text: str, message: str) -> None:
    """R-POL-06: the file is checked against its schema before anything is built from it."""
    assert refused(text) == message


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("token_bytes = true", "limits.token_bytes: must be a whole number, not the boolean true"),
        ("token_bytes = 4096.5", "limits.token_bytes: must be a whole number, not the float 4096.5"),
        ("token_bytes = '8k'", "limits.token_bytes: must be a whole number, not the string '8k'"),
        ("keys_ttl_s = '5m'", "limits.keys_ttl_s: must be a number, not the string '5m'"),
        ("keys_ttl_s = true", "limits.keys_ttl_s: must be a number, not the boolean true"),
        ("keys_ttl_s = nan", "limits.keys_ttl_s: must be a finite number, not nan"),
        ("keys_ttl_s = inf", "limits.keys_ttl_s: must be a finite number, not inf"),
        (f"keys_ttl_s = {10**400}", "limits.keys_ttl_s: is beyond 64 bits"),
        (f"token_bytes = 0x{'f' * 5000}", "limits.token_bytes: is beyond 64 bits"),
    ],
)
def test_a_limit_is_a_number_of_its_own_kind(value: str, message: str) -> None:
    """R-POL-06: sizes are whole numbers, durations of limits are finite numbers, and a boolean is neither."""
    assert refused(f"[limits]\n{value}") == f"jwtguard.toml: {message} [R-POL-06]"


def test_a_negative_limit_is_refused() -> None:
    """R-POL-06: what the core refuses is told with the file's name."""
    assert refused("[limits]\ntoken_bytes = -1") == (
        "jwtguard.toml: limits.token_bytes: must be a number from 0 up, not -1"
    )


@pytest.mark.parametrize("limit", ["leeway_s = 121", "leeway_max_s = 121\nleeway_s = 121"])
def test_no_limit_raises_the_leeway_beyond_its_cap(limit: str) -> None:
    """R-CLM-06: the leeway may not exceed 120 s, and neither may its limit."""
    assert refused(f"[limits]\n{limit}") == (
        "jwtguard.toml: limits.leeway_s: the leeway may not exceed 120 s [R-CLM-06]"
    )


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("mode = 'production'\n[issuers.login\n", "at line 2, column 15"),
        ("a = 1\n\na = 2\n", "at line 3, column 6"),
        ("[issuers.login]\n[issuers.login]", "at line 2, column 15"),
        ('mode = "production"\nstartup = """lazy', "at line 2, the end of the file"),
        ("since = 2026-02-30", "at line 1, column 9"),
    ],
)
def test_a_syntax_error_names_its_line(text: str, place: str) -> None:
    """R-POL-06: a file that is not TOML is refused with the line; two issuers of one name are such a file."""
    message = refused(text)
    assert message.startswith("jwtguard.toml: is not TOML: ")
    assert message.endswith(f"({place}) [R-POL-06]")


@pytest.mark.parametrize("text", [f"mode = {'9' * 5000}", "mode = " + "[" * 50_000])
def test_a_text_that_overwhelms_the_parser_is_refused(text: str) -> None:
    """R-POL-06: what makes the TOML parser give up in its own ways is a configuration error like any other."""
    assert refused(text).startswith("jwtguard.toml: is n")


def test_a_file_is_read(tmp_path: Path) -> None:
    """R-POL-06: ``load`` reads UTF-8, with or without the byte order mark that some editors write."""
    file = tmp_path / "jwtguard.toml"
    file.write_bytes(b"\xef\xbb\xbf" + f"{LOGIN}{REPORTS}# \u20ac".encode())
    assert load(file) == parse(LOGIN + REPORTS, name=FILE)


def test_messages_show_the_file_as_it_was_named(tmp_path: Path) -> None:
    """R-POL-06: a mistake names the file that holds it; key, rule and message can be read apart."""
    file = tmp_path / "policy.toml"
    file.write_text("mode = 'x'")
    with pytest.raises(PolicyFileError) as caught:
        load(file)
    assert str(caught.value).startswith(f"{file}: mode: unknown mode 'x'")
    assert (caught.value.file, caught.value.key, caught.value.rule) == (str(file), "mode", "R-POL-06")


def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    """R-POL-06: a file that is missing, a directory or not text is a configuration error, not a traceback."""
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    for path, why in [
        (tmp_path / "none", "No such file or directory"),
        (tmp_path, "Is a directory"),
        (binary, "is not UTF-8"),
    ]:
        with pytest.raises(ConfigurationError, match=f"^{re.escape(str(path))}: .*{why}"):
            load(path)


def test_a_mistake_names_its_file_once() -> None:
    """R-POL-06: whoever builds a policy read from a file can name the file again without harm."""
    with pytest.raises(PolicyFileError) as caught, mistakes_in(FILE), mistakes_in(FILE):
        parse("x = 1", name=FILE)
    assert str(caught.value).count(FILE) == 1


def test_an_error_of_the_lint_stops_production() -> None:
    """R-GOV-02: an error-level finding stops start-up; an override that is named and dated lets it start."""
    text = LOGIN + REPORTS.replace('"access"', '"report"') + NO_EXPIRY
    with pytest.raises(ConfigurationError, match=r"classes\.report\.expiry: .* \[R-CLM-05\]$"):
        Guard(parse(text, name=FILE))
    Guard(parse(text + OVERRIDE, name=FILE))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('rule = "R-CLM-05"', ""), "'rule' must be written [R-POL-06]"),
        (("since = 2026-11-01", ""), "'since' must be written [R-POL-06]"),
        (("reason = ", "# "), "'reason' must be written [R-POL-06]"),
        (("R-CLM-05", "CLM-5"), "'CLM-5' is no rule id; `jwtguard check` shows them, such as R-CLM-05 [R-GOV-02]"),
        (
            ("2026-11-01", "'2026-11-01'"),
            "must be a date such as 2026-11-01, without quotes, not the string '2026-11-01' [R-POL-06]",
        ),
        (
            ("2026-11-01", "2026-11-01T10:00:00Z"),
            "must be a date such as 2026-11-01, without quotes, not the date with a time 2026-11-01 10:00:00+00:00",
        ),
        (("tokens of the old batch job, gone in December", " "), "must not be empty [R-POL-06]"),
    ],
)
def test_an_override_says_which_since_when_and_why(change: tuple[str, str], message: str) -> None:
    """R-GOV-02: overrides are individual, named and dated: every part of one must be written."""
    assert message in refused(OVERRIDE.replace(*change))


def test_an_override_is_written_once() -> None:
    """R-GOV-02: two overrides of one finding would leave open which reason and date hold."""
    assert "R-CLM-05 is overridden here already [R-GOV-02]" in refused(OVERRIDE + OVERRIDE)


def test_a_key_of_the_top_after_a_table() -> None:
    """R-POL-06: TOML puts what follows a table into it; who appends `mode` at the end is told where it belongs."""
    with pytest.raises(ConfigurationError, match=r"'mode' belongs at the top of the file, before the first \[table\]"):
        parse(f"{LOGIN}{REPORTS}mode = 'development'\n", name="jwtguard.toml")
