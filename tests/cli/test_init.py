"""``jwtguard init``: a policy file that says what its preset says, and that is proven before it is there."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from jwtguard import Audience, Discovery, InlineKeys, Issuer, JwksUri, Legacy, Marker
from jwtguard.cli import application
from jwtguard.cli.init import described
from jwtguard.cli.policy_text import policy_text
from jwtguard.cli.providers import PRESETS, Provider
from jwtguard.clock import SystemClock
from jwtguard.config import load, parse, providers
from jwtguard.errors import ConfigurationError

SINCE = date(2026, 11, 1)
TENANT, OTHER = "9b6e1f5c-8d0a-4c2b-a1f7-5e3d2c1b0a99", "11111111-2222-4333-8444-555555555555"
API = "0e2f4a6b-1c3d-4e5f-8a9b-7c6d5e4f3a21"
WRITTEN: Mapping[str, tuple[Sequence[str], Issuer]] = {
    "keycloak": (
        ["--base", "https://sso.example.com", "--realm", "shop", "--audience", "reports-api", "--client-id", "web"],
        providers.keycloak(
            base="https://sso.example.com", realm="shop", audience="reports-api", client_id="web", since=SINCE
        ),
    ),
    "keycloak ": (
        ["--issuer", "https://sso.example.com/auth/realms/shop", "--audience", "a", "--audience", "b"],
        providers.keycloak(base="https://sso.example.com/auth", realm="shop", audience=("a", "b"), since=SINCE),
    ),
    "keycloak  ": (
        ["--base", "https://sso.example.com", "--realm", "a", "--realm", "b", "--audience", "x", "--typ", "at+jwt"],
        providers.keycloak(base="https://sso.example.com", realm=("a", "b"), audience="x", since=None),
    ),
    "auth0": (
        ["--domain", "example.eu.auth0.com", "--audience", "https://api.example.com"],
        providers.auth0(domain="example.eu.auth0.com", audience="https://api.example.com", since=SINCE),
    ),
    "auth0 ": (
        ["--domain", "a.auth0.com", "--audience", "x", "--typ", "at+jwt", "--user-subject", "auth0|"],
        providers.auth0(domain="a.auth0.com", audience="x", user_subjects="auth0|", since=None),
    ),
    "entra": (
        ["--tenant", TENANT, "--audience", API],
        providers.entra(tenant=TENANT, audience=API, since=SINCE),
    ),
    "entra ": (
        ["--tenant", TENANT, "--tenant", OTHER, "--audience", API, "--callers", "users-and-apps"],
        providers.entra(
            tenant=(TENANT, OTHER), audience=API, callers=providers.EntraCallers.USERS_AND_APPS, since=SINCE
        ),
    ),
    "cognito": (
        ["--region", "eu-west-1", "--user-pool", "eu-west-1_aBc", "--client-id", "1example"],
        providers.cognito(region="eu-west-1", user_pool="eu-west-1_aBc", client_id="1example", since=SINCE),
    ),
    "workos": (["--client-id", "client_01"], providers.workos(client_id="client_01", since=SINCE)),
    "workos ": (
        ["--client-id", "client_01", "--issuer", "https://auth.example.com"],
        providers.workos(client_id="client_01", issuer="https://auth.example.com", since=SINCE),
    ),
    "workos-connect": (
        ["--domain", "example.authkit.app", "--audience", "client_01"],
        providers.workos_connect(domain="example.authkit.app", audience="client_01", since=SINCE),
    ),
    "google": (["--client-id", "web", "--client-id", "app"], providers.google(client_id=("web", "app"))),
}
PLAIN = Issuer(
    name="login", issuer="https://as.example.com", audience=("api",), algorithms=("ES256",), keys=Discovery()
)
EACH = pytest.mark.parametrize("case", WRITTEN)


@pytest.fixture(autouse=True)
def plain_output(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the reader's own wishes for colour and width out of what is compared."""
    for name in ("FORCE_COLOR", "COLUMNS", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)


def init(output: Path, *options: str) -> Result:
    """Run the command in process; an input that is empty answers no question."""
    return CliRunner().invoke(application(), ["init", "--output", str(output), *options], input="")


def options_of(case: str) -> list[str]:
    """The options of a case."""
    provider, options = case.strip(), WRITTEN[case][0]
    dated = [] if provider == "google" or "at+jwt" in options else ["--since", SINCE.isoformat()]
    return ["--provider", provider, *options, *dated]


@EACH
def test_the_file_is_the_preset(tmp_path: Path, case: str) -> None:
    """R-IDN-09: the file that is written, read back, is the preset's issuer in every column."""
    file = tmp_path / "jwtguard.toml"
    result = init(file, *options_of(case))
    assert (result.exit_code, result.stderr) == (0, "")
    assert tuple(load(file).issuers) == WRITTEN[case][1].by_tenant()


@EACH
def test_the_file_passes_the_check(tmp_path: Path, case: str) -> None:
    """R-GOV-01: what init calls checked, check finds usable, with the same findings."""
    file = tmp_path / "jwtguard.toml"
    said = init(file, *options_of(case)).stdout
    result = CliRunner().invoke(application(), ["check", str(file), "--json"])
    assert result.exit_code == 0
    findings = json.loads(result.stdout)["findings"]
    assert said.splitlines()[-1].startswith(f"{file}: written and checked: 0 errors, ")
    assert len(said.splitlines()) == len(findings) + 1
    assert all(finding["message"] in said for finding in findings)


@EACH
def test_every_line_says_why(tmp_path: Path, case: str) -> None:
    """R-IDN-09: each key of the issuer has a comment above it, except the date."""
    file = tmp_path / "jwtguard.toml"
    init(file, *options_of(case))
    lines = file.read_text("utf-8").partition("[issuers.")[2].partition("[[endpoints]]")[0].splitlines()
    keys = [(above, line.partition(" = ")[0]) for above, line in pairwise(lines) if " = " in line]
    keys = [(above, key) for above, key in keys if not key.startswith("#")]
    assert len(keys) >= 5
    assert [key for above, key in keys if not above.startswith("# ")] in ([], ["since"])


@EACH
def test_the_file_demands_a_token_everywhere_but_at_one_place(tmp_path: Path, case: str) -> None:
    """R-POL-01: only the health check is public; every other path wants the provider's access token, if it has any."""
    file = tmp_path / "jwtguard.toml"
    init(file, *options_of(case))
    health, *others = load(file).endpoints
    assert (health.access, health.match) == ("public", ("GET /health",))
    wanted = "access_legacy" if WRITTEN[case][1].legacy else "access"
    assert [(one.match, one.accept) for one in others] == ([] if case == "google" else [(("/**",), (wanted,))])


def test_every_provider_is_tried() -> None:
    """R-IDN-09: the cases above leave no provider out."""
    assert {case.strip() for case in WRITTEN} == {str(provider) for provider in Provider} == set(PRESETS)


def test_without_a_provider_the_file_has_placeholders(tmp_path: Path) -> None:
    """R-GOV-01: a plain file passes the check and says at each placeholder what belongs there."""
    file = tmp_path / "jwtguard.toml"
    result = init(file)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "0 errors, 0 warnings, 0 notes" in result.stdout
    (issuer,) = load(file).issuers
    assert (issuer.issuer, issuer.audience) == ("https://login.example.com/", ("https://api.example.com",))
    assert file.read_text("utf-8").count("PUT YOURS HERE") == 2


def test_without_a_provider_what_is_given_is_written(tmp_path: Path) -> None:
    """R-GOV-01: an issuer and an audience of one's own leave no placeholder behind."""
    file = tmp_path / "jwtguard.toml"
    init(file, "--issuer", "https://as.example.com", "--audience", "api", "--name", "ours")
    (issuer,) = load(file).issuers
    assert (issuer.name, issuer.issuer, issuer.audience) == ("ours", "https://as.example.com", ("api",))
    assert "PUT YOURS HERE" not in file.read_text("utf-8")


def test_a_file_is_never_overwritten(tmp_path: Path) -> None:
    """R-GOV-01: a file that is there stays as it is, and the command says so."""
    file = tmp_path / "jwtguard.toml"
    file.write_text("mine", encoding="utf-8")
    result = init(file)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"jwtguard init: {file} exists already and is left alone; write elsewhere with --output\n"
    assert file.read_text("utf-8") == "mine"


def test_the_day_is_todays_unless_given(tmp_path: Path) -> None:
    """R-CLS-09: the opt-in to untyped tokens carries the day on which it was switched on."""
    before = datetime.fromtimestamp(SystemClock.now(), tz=UTC).date()
    init(tmp_path / "a.toml", "--provider", "workos", "--client-id", "client_01")
    after = datetime.fromtimestamp(SystemClock.now(), tz=UTC).date()
    (issuer,) = load(tmp_path / "a.toml").issuers
    assert issuer.legacy is not None
    assert before <= issuer.legacy.since <= after


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--provider keycloak", "--provider keycloak needs --audience, --base, --realm"),
        ("--provider keycloak --issuer https://sso.example.com --audience x", "ends with /realms/NAME"),
        ("--provider cognito --region eu-west-1", "--provider cognito needs --client-id, --user-pool"),
        ("--provider workos --client-id a --client-id b", "an environment has one client id"),
        ("--provider workos --client-id a --audience b", "--audience means nothing for --provider workos"),
        ("--provider google --client-id a --since 2026-11-01", "--since means nothing for --provider google"),
        (f"--provider entra --tenant {TENANT} --audience {API} --callers user", "did you mean 'users'?"),
        (f"--provider entra --tenant common --audience {API}", "'common' is no GUID"),
        ("--provider auth0 --domain a.auth0.com --audience x --typ at+jwt", "name their connections"),
        ("--provider auth0 --domain a.auth0.com --audience x --typ JWS", "--typ is JWT or at+jwt, not 'JWS'"),
        ("--provider auth0 --domain a.auth0.com --audience x --since today", "--since is a date"),
        (
            "--provider keycloak --issuer https://a.example/realms/b --audience x --typ at+jwt --since 2026-11-01",
            "--since is the day from which JWT is accepted",
        ),
        ("--realm shop", "--realm means nothing for an issuer without --provider"),
        ("--issuer http://login.example.com", "issuers.login.issuer: the URL must use https"),
        ("--name a.b", "[R-POL-06]"),
        ("--provider okta", "okta"),
        ("--audience x --audience x", "[R-POL-06]"),
    ],
)
def test_options_that_make_no_policy_write_nothing(tmp_path: Path, options: str, words: str) -> None:
    """R-GOV-01: a missing, meaningless or unusable option is a usage error, asks nothing, and leaves no file."""
    file = tmp_path / "jwtguard.toml"
    result = init(file, *options.split())
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr.replace("\n", " ")
    assert not file.exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """R-GOV-01: a folder that does not exist is a usage error."""
    result = init(tmp_path / "nowhere" / "jwtguard.toml")
    assert result.exit_code == 2
    assert "cannot be written: No such file or directory" in result.stderr


def test_awkward_texts_survive() -> None:
    """R-IDN-09: quotes, brackets and characters beyond ASCII come back as they were."""
    issuer = Issuer(
        name="login",
        issuer='https://login.example.com/"a\\b"/ä\x7f#[x]',
        audience=("it's", 'a "b"', "tab\there", "line\nbreak"),
        algorithms=("ES256", "EdDSA"),
        keys=JwksUri("https://login.example.com/jwks"),
        issues=frozenset({"access", "access_legacy"}),
        max_lifetime_s={"access": 90.0, "access_legacy": 172_800.0},
        clients=Marker("level", frozenset({1, 2})),
        workloads=Marker("machine", frozenset({True})),
        legacy=Legacy(Marker("urn:x y", frozenset({1.5, "b"})), SINCE, "azp", "scp", 5400.0),
    )
    text = policy_text(issuer, {}, "A # title.")
    assert parse(text, name="jwtguard.toml").issuers == (issuer,)
    assert tomllib.loads(text)["issuers"]["login"]["max_lifetime"] == {"access": "90s", "access_legacy": "2d"}


@pytest.mark.parametrize(
    "changes",
    [
        {"keys": InlineKeys([])},
        {"audiences": {Audience.ISSUER: ("https://as.example.com",)}},
        {"key_urls": ("https://as.example.com/keys",)},
        {"shared_secret": True},
        {"leeway_s": 0.0},
        {"max_lifetime_s": {"access": 0.5}},
    ],
)
def test_nothing_is_left_out_in_silence(changes: dict[str, Any]) -> None:
    """R-IDN-09: a column that the writer cannot express it refuses."""
    with pytest.raises(ConfigurationError, match="written by hand"):
        policy_text(dataclasses.replace(PLAIN, **changes), {}, "")


def test_described_is_the_plain_issuer() -> None:
    """R-IDN-09: without a provider nothing is assumed but discovery and ES256."""
    issuer, _, _ = described(None, "login", {"issuer": "https://as.example.com", "audience": ["api"]})
    assert issuer == PLAIN


def test_the_command_runs_for_real(tmp_path: Path) -> None:
    """R-GOV-01: the command itself, in a process of its own and without a terminal, writes and proves the file."""
    file = tmp_path / "jwtguard.toml"
    options = ["--provider", "workos", "--client-id", "client_01", "--output", str(file)]
    command = [sys.executable, "-m", "jwtguard", "init", *options]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL)
    assert (run.returncode, run.stderr) == (0, "")
    assert f"{file}: written and checked: 0 errors, " in run.stdout
    assert load(file).issuers
