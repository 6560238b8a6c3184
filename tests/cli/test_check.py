"""``jwtguard check``: findings, exit codes and both kinds of output."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from jwtguard.cli import application

GOOD = """
[issuers.login]
issuer = "https://login.example.com/"
audience = "https://api.example.com"
algorithms = ["ES256"]
jwks_uri = "https://login.example.com/jwks"
issues = ["access"]

[[endpoints]]
match = ["GET /reports", "GET /reports/{id}"]
name = "reports"
accept = "access"
scopes = ["reports:read"]
claims = { department = "sales" }

[[endpoints]]
match = "GET /locks/:lock:/[a]"
public = true
"""
UNBOUNDED = """
[classes.report]
typ = ["report+jwt"]
required = ["iss", "aud", "exp"]
any_of = []
forbidden = []
one_of = {}
none_of = {}
events = []
not_events = []
header_key = "forbidden"
subject = "any"
audience = "resource"
audience_claim = "aud"
audience_count = "any"
expiry = { max_lifetime = "unbounded" }
max_age = "unbounded"
carriers = ["header"]
"""
OVERRIDE = """
[[overrides]]
rule = "R-CLM-08"
at = "classes.report.expiry"
since = 2026-11-01
reason = "the old scanner; gone in December"
"""
WARNED = GOOD.replace("[[endpoints]]", "[limits]\ntoken_bytes = 16384\n\n[[endpoints]]", 1)


@pytest.fixture(autouse=True)
def plain_output(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the reader's own wishes for colour and width out of what is compared."""
    for name in ("FORCE_COLOR", "COLUMNS", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)


def check(folder: Path, text: str, *options: str) -> Result:
    """Run the command in process on a policy."""
    file = folder / "jwtguard.toml"
    file.write_text(text, encoding="utf-8")
    return CliRunner().invoke(application(), ["check", str(file), *options])


def findings(folder: Path, text: str) -> list[dict[str, str]]:
    """Return the findings as machines get them."""
    found: list[dict[str, str]] = json.loads(check(folder, text, "--json").stdout)["findings"]
    return found


def test_a_good_policy_exits_0_and_shows_what_it_holds(tmp_path: Path) -> None:
    """R-GOV-01: check proves a policy without running the application, and lists issuers, classes and endpoints."""
    result = check(tmp_path, GOOD)
    assert (result.exit_code, result.stderr) == (0, "")
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["login", "https://login.example.com/", "ES256", "https://login.example.com/jwks", "access"] in rows
    assert [
        "reports",
        "GET",
        "/reports",
        "access",
        "login",
        "scope",
        "reports:read;",
        "department",
        "equals",
        "'sales'",
    ] in rows
    assert ["GET", "/reports/{id}"] in rows
    assert ["GET", "/locks/:lock:/[a]", "public", "-", "-"] in rows
    assert result.stdout.endswith("jwtguard.toml: production profile, 0 errors, 0 warnings, 0 notes\n")


def test_warnings_and_notes_exit_0(tmp_path: Path) -> None:
    """R-GOV-01: only an error fails; a warning is shown with its rule and its place."""
    result = check(tmp_path, WARNED)
    assert result.exit_code == 0
    assert "warning R-GOV-02  limits.token_bytes: is 16384; the default is 8192\n" in result.stdout
    assert result.stdout.endswith("0 errors, 1 warning, 0 notes\n")


def test_an_error_exits_1(tmp_path: Path) -> None:
    """R-GOV-01: an error-level finding exits with 1 and is shown with its rule and its place."""
    result = check(tmp_path, GOOD + UNBOUNDED)
    assert result.exit_code == 1
    assert "error   R-CLM-08  classes.report.expiry: " in result.stdout
    assert result.stdout.endswith("production profile, 1 error, 0 warnings, 0 notes\n")


def test_findings_come_worst_first(tmp_path: Path) -> None:
    """R-GOV-01: what stops start-up is told before what only weakens the policy, whichever rule looked first."""
    keys = 'jwks = [{ kty = "EC" }]\nmax_lifetime = { access = "2h" }'
    text = GOOD.replace('jwks_uri = "https://login.example.com/jwks"', keys)
    assert [found["severity"] for found in findings(tmp_path, text)] == ["error", "warning", "warning"]


def test_an_override_turns_an_error_into_a_note(tmp_path: Path) -> None:
    """R-GOV-02: an override is individual and dated, and stays listed with its reason."""
    result = check(tmp_path, GOOD + UNBOUNDED + OVERRIDE)
    assert result.exit_code == 0
    (note,) = findings(tmp_path, GOOD + UNBOUNDED + OVERRIDE)
    assert (note["rule"], note["severity"], note["at"]) == ("R-CLM-08", "note", "classes.report.expiry")
    assert "2026-11-01" in note["message"]
    assert "the old scanner; gone in December" in note["message"]


def test_an_override_covers_its_own_place_only(tmp_path: Path) -> None:
    """R-GOV-02: an override of another rule or place changes nothing."""
    for other in (OVERRIDE.replace("R-CLM-08", "R-CLM-05"), OVERRIDE.replace("report.expiry", "other.expiry")):
        assert check(tmp_path, GOOD + UNBOUNDED + other).exit_code == 1


@pytest.mark.parametrize(
    ("text", "rule", "at", "words"),
    [
        ("isuers = {}", "R-POL-06", "", "unknown key 'isuers'; did you mean 'issuers'?"),
        ("[issuers", "R-POL-06", "", "is not TOML: "),
        (GOOD.replace("ES256", "HS256"), "R-ALG-09", "issuers.login.algorithms", "HMAC"),
        (GOOD.replace("audience =", "# "), "R-CLM-03", "issuers.login.audience", "no audience"),
        (GOOD.replace('jwks_uri = "https', 'jwks_uri = "http'), "R-JWK-04", "issuers.login.jwks_uri", "https"),
        (GOOD.replace("jwks_uri = ", "pem = "), "R-JWK-13", "issuers.login.pem", "PEM"),
    ],
)
def test_a_policy_that_cannot_be_built_is_one_error(tmp_path: Path, text: str, rule: str, at: str, words: str) -> None:
    """R-GOV-01: a policy that does not build exits with 1 and tells why, in both outputs."""
    result = check(tmp_path, text)
    assert result.exit_code == 1
    assert f"error   {rule}  {at}{': ' if at else ''}" in result.stdout
    assert result.stdout.endswith("cannot be built: 1 error, 0 warnings, 0 notes\n")
    (finding,) = findings(tmp_path, text)
    assert (finding["rule"], finding["severity"], finding["at"]) == (rule, "error", at)
    assert words in finding["message"]


def test_json_has_stable_keys(tmp_path: Path) -> None:
    """R-GOV-01: the output for machines is one JSON object whose keys stay."""
    result = check(tmp_path, WARNED, "--json")
    assert json.loads(result.stdout) == {
        "file": str(tmp_path / "jwtguard.toml"),
        "ok": True,
        "findings": [
            {
                "rule": "R-GOV-02",
                "severity": "warning",
                "at": "limits.token_bytes",
                "message": "is 16384; the default is 8192",
            }
        ],
    }
    broken = check(tmp_path, "x = 1", "--json")
    assert broken.exit_code == 1
    assert json.loads(broken.stdout)["ok"] is False


@pytest.mark.parametrize(
    "arguments", [["check"], ["check", "nowhere.toml"], ["check", "."], ["check", "--jsn", "x"], ["chek"]]
)
def test_wrong_usage_exits_2(arguments: list[str]) -> None:
    """R-GOV-01: a file that does not exist, and arguments nobody knows, are usage errors and no findings."""
    result = CliRunner().invoke(application(), arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr


def test_inline_keys_are_judged_and_not_shown(tmp_path: Path) -> None:
    """R-ALG-07: an inline secret that is too short is an error, and no output repeats it."""
    keys = 'shared_secret = true\njwks = [{ kty = "oct", alg = "HS256", k = "Y29ycmVjdC1ob3JzZQ" }]'
    text = GOOD.replace("ES256", "HS256").replace('jwks_uri = "https://login.example.com/jwks"', keys)
    assert {"error", "warning"} <= {
        found["severity"] for found in findings(tmp_path, text) if found["rule"] == "R-ALG-07"
    }
    for output in (check(tmp_path, text).stdout, check(tmp_path, text, "--json").stdout):
        assert "Y29ycmVj" not in output


def test_the_command_runs_for_real(tmp_path: Path) -> None:
    """R-GOV-01: the command itself, in a process of its own, exits and prints as it does here."""
    file = tmp_path / "jwtguard.toml"
    for text, code in ((GOOD, 0), (GOOD + UNBOUNDED, 1)):
        file.write_text(text, encoding="utf-8")
        run = _run("-m", "jwtguard", "check", str(file), "--json")
        assert (run.returncode, run.stderr) == (code, "")
        assert json.loads(run.stdout)["ok"] is (code == 0)


def test_help_names_the_command(tmp_path: Path) -> None:
    """R-GOV-01: help tells what the exit codes mean."""
    run = _run("-m", "jwtguard", "check", "--help")
    assert run.returncode == 0
    assert "Usage: jwtguard check" in run.stdout
    assert "Exits with 0" in run.stdout


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_the_extra_the_command_says_how_to_get_it(missing: str) -> None:
    """R-GOV-01: without typer or rich the command exits with 2 and one sentence; importing it needs neither."""
    run = _run(
        "-c", f"import sys; sys.modules['{missing}'] = None; from jwtguard.cli import main; print('imported'); main()"
    )
    assert (run.returncode, run.stdout) == (2, "imported\n")
    assert run.stderr == f"jwtguard: the command line needs {missing}: pip install 'jwtguard-asgi[cli]'\n"


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, timeout=60)
