"""Storage patterns as presets: complete, overridable, and refusing what their pattern has no place for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest

from jwtguard import (
    BEARER,
    Access,
    Carrier,
    Config,
    ConfigurationError,
    Csrf,
    Demands,
    Guard,
    Hooks,
    JWTGuardMiddleware,
    Kind,
    Mode,
    Reason,
    cookie,
    session_cookie,
)
from jwtguard.config import parse
from jwtguard.config.presets import PRESETS, preset
from jwtguard.core.endpoint import at
from jwtguard.core.table import PolicyTable
from jwtguard.jwks.ring import KeyRing
from jwtguard.lint import Severity, lint
from tests.kit.asgi_calls import Probe, request
from tests.kit.fake_clock import FakeClock
from tests.kit.guarded import ISSUER, Events, token

HEAD = """
[issuers.login]
issuer = "https://login.example.com/"
audience = "https://api.example.com"
algorithms = ["ES256"]
keys = "discovery"
"""
COOKIES = {"browser_cookie": cookie("__Host-token"), "bff": session_cookie("__Host-session")}
USER, CLIENT = token(sub="alice"), token(sub="client-1", client_id="client-1")
WORKLOAD = token(sub="spiffe://example.com/billing")
SESSIONS = {"s-alice": USER.decode(), "s-robot": CLIENT.decode()}
CARRIERS: Mapping[str, Carrier] = {name: COOKIES.get(name, BEARER) for name in PRESETS}


def read(text: str) -> Demands:
    """The only endpoint of a policy file."""
    (endpoint,) = parse(f"{HEAD}{text}", name="jwtguard.toml").endpoints
    return endpoint


def used(name: str, more: str = "") -> Demands:
    """An endpoint that uses a preset, in a file."""
    return read(f"[[endpoints]]\nmatch = 'GET /a'\nuse = '{name}'\n{more}\n")


def judged(name: str, headers: Mapping[str, str], method: str = "POST", **additions: Any) -> Reason | None:
    """Why a preset refuses a request; ``None`` if it lets it in."""
    events = Events()
    endpoint = at(["/a"], preset(name, **additions))
    config = Config(issuers=(ISSUER,), endpoints=(endpoint,))
    guard = Guard(config, clock=FakeClock(), on_event=events, hooks=Hooks(session_token=SESSIONS.get))
    fields = [(field.encode(), value.encode()) for field, value in headers.items()]
    anyio.run(request, JWTGuardMiddleware(Probe(), guard=guard), method, "/a", fields)
    (reason,) = events.reasons
    return reason


@pytest.mark.parametrize("name", PRESETS)
def test_each_is_a_complete_policy(name: str) -> None:
    """R-STO-15: in a file and in Python alike, a preset alone is all that a protected endpoint needs."""
    demands = preset(name)
    assert demands.access is Access.PROTECTED
    assert (tuple(demands.accept), tuple(demands.carriers)) == (("access",), (CARRIERS[name],))
    assert used(name) == at(("GET /a",), demands)
    assert read(f"[policies.ours]\nuse = '{name}'\n[[endpoints]]\nmatch = 'GET /a'\nuse = 'ours'\n") == used(name)


@pytest.mark.parametrize("name", PRESETS)
def test_the_lint_has_no_objection(name: str) -> None:
    """R-STO-15, R-LIF-03: each starts in production; what takes cookies names the page where they are renewed."""
    endpoint = at(["GET /a", "POST /a"], preset(name, origins=["https://app.example.com"]))
    table = PolicyTable(Config(issuers=(ISSUER,), endpoints=(endpoint,), mode=Mode.PRODUCTION))
    findings = lint(table, KeyRing(table.config, FakeClock(), Events(), None).held)
    assert [finding for finding in findings if finding.severity is not Severity.NOTE] == []
    assert bool(endpoint.login_page) == (name in COOKIES)


@pytest.mark.parametrize("name", COOKIES)
def test_a_cookie_policy_without_renewal_is_found(name: str) -> None:
    """R-LIF-03: a cookie policy that names no way to a new token is a finding of the lint."""
    endpoint = at(["GET /a"], preset(name, login_page=""))
    table = PolicyTable(Config(issuers=(ISSUER,), endpoints=(endpoint,)))
    findings = lint(table, KeyRing(table.config, FakeClock(), Events(), None).held)
    assert ("R-LIF-03", "endpoints.GET /a.login_page") in {(finding.rule, finding.at) for finding in findings}


def test_single_keys_are_overridden() -> None:
    """R-STO-15: what an author writes goes in place of the preset's own, and the rest of the preset stays."""
    changed = used("browser_cookie", "login_page = '/sign-in'\nscopes = 'reports:read'\ncsrf = 'double_submit'")
    assert (changed.login_page, changed.scopes, changed.csrf) == (
        "/sign-in",
        frozenset({"reports:read"}),
        Csrf.DOUBLE_SUBMIT,
    )
    assert tuple(changed.carriers) == (COOKIES["browser_cookie"],)
    both = used("bff", "carriers = [{ session = '__Host-s' }, 'bearer']")
    assert tuple(both.carriers) == (session_cookie("__Host-s"), BEARER)
    assert used("service", "kinds = 'workload'").kinds == {Kind.WORKLOAD}
    python = preset("service", kinds=[Kind.WORKLOAD], scopes=["a", "b"], max_age_s=60.0)
    assert (python.kinds, python.scopes, python.max_age_s) == (frozenset({Kind.WORKLOAD}), frozenset({"a", "b"}), 60.0)


def test_a_policy_of_the_authors_own_goes_between() -> None:
    """R-STO-15: endpoint over policy over preset, each for the keys it writes."""
    text = """
[policies.pages]
use = "browser_cookie"
navigable = true
login_page = "/sign-in"
[[endpoints]]
match = "GET /a"
use = "pages"
login_page = "/staff"
"""
    found = read(text)
    assert (found.navigable, found.login_page, tuple(found.carriers)) == (True, "/staff", (COOKIES["browser_cookie"],))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("browser-cookie", "did you mean 'browser_cookie'?"),
        ("services", "did you mean 'service'?"),
        ("xyz", "known are"),
    ],
)
def test_a_misspelt_preset(name: str, message: str) -> None:
    """R-STO-15: the nearest spelling is named, in Python, in an endpoint and in a policy."""
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        preset(name)
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        used(name)
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        read(f"[policies.ours]\nuse = '{name}'\n[[endpoints]]\nmatch = 'GET /a'\nuse = 'ours'\n")


def test_a_misspelt_column() -> None:
    """R-STO-15: so is that of a column, and what contradicts itself is refused as anywhere."""
    with pytest.raises(ConfigurationError, match="did you mean 'scopes'"):
        preset("spa", scope=["a"])  # type: ignore[call-arg]
    with pytest.raises(ConfigurationError, match="no scope"):
        preset("spa", scopes=['"'])
    with pytest.raises(ConfigurationError, match="is the name of a preset"):
        read("[policies.spa]\naccept = 'access'\n[[endpoints]]\nmatch = 'GET /a'\nuse = 'spa'\n")


def test_a_preset_is_no_public_endpoint() -> None:
    """R-STO-15: a preset beside public = true contradicts itself."""
    with pytest.raises(ConfigurationError, match="public"):
        used("browser_cookie", "public = true")


def bearer_of(credential: bytes) -> dict[str, str]:
    """The header with a token."""
    return {"authorization": f"Bearer {credential.decode()}"}


def test_the_service_preset_takes_machines_in_headers_alone() -> None:
    """R-STO-14: clients and workloads pass without a csrf gate; users are refused; cookies are not even looked at."""
    foreign = {"sec-fetch-site": "cross-site", "origin": "https://evil.example"}
    assert judged("service", bearer_of(CLIENT) | foreign) is None
    assert judged("service", bearer_of(WORKLOAD)) is None
    assert judged("service", bearer_of(USER)) is Reason.RULE_REFUSED
    beside = {"cookie": f"__Host-token={USER.decode()}; __Host-session=s-alice"}
    assert judged("service", bearer_of(CLIENT) | beside) is None
    for value in (f"__Host-token={CLIENT.decode()}", "__Host-session=s-robot", f"token={CLIENT.decode()}"):
        assert judged("service", {"cookie": value}) is Reason.MISSING_TOKEN


@pytest.mark.parametrize("name", ["spa", "native"])
def test_spa_and_native_take_users_in_headers_alone(name: str) -> None:
    """R-STO-12, R-STO-13: a user's token in the header passes; one in a cookie is none, and machines are refused."""
    assert judged(name, bearer_of(USER)) is None
    assert judged(name, bearer_of(CLIENT)) is Reason.RULE_REFUSED
    for method in ("GET", "POST"):
        own_page = {"cookie": f"__Host-token={USER.decode()}; __Host-session=s-alice", "sec-fetch-site": "same-origin"}
        assert judged(name, own_page, method) is Reason.MISSING_TOKEN


@pytest.mark.parametrize(
    ("name", "value"), [("browser_cookie", f"__Host-token={USER.decode()}"), ("bff", "__Host-session=s-alice")]
)
def test_cookie_presets_have_a_csrf_gate(name: str, value: str) -> None:
    """R-STO-15, R-STO-03: the own page passes, a foreign one does not, and a header is no way in."""
    sent = {"cookie": value}
    assert judged(name, sent | {"sec-fetch-site": "same-origin"}) is None
    assert judged(name, sent | {"sec-fetch-site": "cross-site"}) is Reason.CSRF
    assert judged(name, sent) is Reason.CSRF
    assert judged(name, bearer_of(USER)) is Reason.MISSING_TOKEN


def test_a_token_is_no_session() -> None:
    """R-STO-10: a token in the place of the session's name opens nothing, nor does a name that nobody knows."""
    for value in (USER.decode(), "s-nobody"):
        sent = {"cookie": f"__Host-session={value}", "sec-fetch-site": "same-origin"}
        assert judged("bff", sent) is Reason.UNKNOWN_SESSION


PAGE = Path(__file__).parents[2] / "docs/storage.md"
SNIPPETS = dict(re.findall(r"<!-- storage: (\w+) -->\n```\w+\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL))


@pytest.mark.parametrize("name", PRESETS)
def test_the_page_shows_each_preset_as_it_is(name: str) -> None:
    """R-STO-15: the lines that docs/storage.md shows as comments are those of the preset, no more and no fewer."""
    shown = SNIPPETS[name]
    spelt_out = re.sub(r"^# ", "", re.sub(r"^use .*\n", "", shown, flags=re.MULTILINE), flags=re.MULTILINE)
    assert read(shown) == read(spelt_out)
    written = {line.split()[1] for line in shown.splitlines() if line.startswith("# ")}
    assert written == set(PRESETS[name])


def test_the_page_shows_how_to_use_one() -> None:
    """R-STO-15: the same policies in both of its spellings, and every preset in its table."""
    said: dict[str, Any] = {}
    exec(SNIPPETS["python"], said)  # noqa: S102 - a page of our own
    page, reports = parse(HEAD + SNIPPETS["use"], name="jwtguard.toml").endpoints
    assert (page, reports) == (at(("GET /",), said["page"]), at(("GET /reports", "POST /reports"), said["reports"]))
    assert re.findall(r"^\| \[`(\w+)`\]", PAGE.read_text("utf-8"), re.MULTILINE) == list(PRESETS)
