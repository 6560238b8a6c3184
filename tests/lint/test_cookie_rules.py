"""What the lint says of endpoints that take cookies, and of secrets in a policy."""

from __future__ import annotations

import dataclasses

import pytest

from jwtguard import BEARER, Config, ConfigurationError, Endpoint, InlineKeys, cookie, session_cookie
from jwtguard.core.key_import import Published, import_key_set
from jwtguard.core.keys import HeldKeys
from jwtguard.core.table import PolicyTable
from jwtguard.lint.findings import Finding, Severity
from jwtguard.lint.rules import lint, stop_on_errors
from tests.kit.guarded import ISSUER, protected

HOST = cookie("__Host-token")
PAGE = "/login"


def found(endpoint: Endpoint, rule: str) -> list[Finding]:
    """Return the findings of one rule."""
    return [finding for finding in lint(*built(endpoint)) if finding.rule == rule]


def built(*endpoints: Endpoint) -> tuple[PolicyTable, dict[str, HeldKeys]]:
    """Return a table and its keys."""
    assert isinstance(ISSUER.keys, InlineKeys)
    keys = import_key_set(ISSUER.keys.jwks, ISSUER.algorithms, Published.INLINE)
    return PolicyTable(Config(issuers=(ISSUER,), endpoints=endpoints)), {"login": HeldKeys(keys, float("inf"))}


@pytest.mark.parametrize("carrier", [cookie("token"), session_cookie("sid"), cookie("host-token")])
def test_cookies_that_others_could_set(carrier: object) -> None:
    """R-STO-01: a cookie without a prefix can be set by other hosts of the domain."""
    (finding,) = found(protected("/x", carriers=(carrier,), login_page=PAGE), "R-STO-01")
    assert (finding.severity, finding.at) == (Severity.WARNING, "endpoints./x.carriers")
    for prefix in ("__Host-", "__Secure-", "__Host-Http-"):
        assert not found(protected("/x", carriers=(cookie(f"{prefix}t"),), login_page=PAGE), "R-STO-01")
    assert not found(protected("/x", carriers=(BEARER,)), "R-STO-01")


def test_a_page_for_the_expired() -> None:
    """R-LIF-03: a cookie whose token has expired needs a place to be renewed; a header's client has its own ways."""
    (finding,) = found(protected("/x", carriers=(HOST,)), "R-LIF-03")
    assert (finding.severity, finding.at) == (Severity.WARNING, "endpoints./x.login_page")
    assert not found(protected("/x", carriers=(HOST,), login_page=PAGE), "R-LIF-03")
    assert not found(protected("/x"), "R-LIF-03")


def test_handshakes_that_nothing_could_pass() -> None:
    """R-EXT-12: a WebSocket for cookies alone without origins would refuse everybody, so it does not start."""
    closed = protected("WEBSOCKET /ws", carriers=(HOST,), login_page=PAGE)
    (finding,) = found(closed, "R-EXT-12")
    assert finding.severity is Severity.ERROR
    with pytest.raises(ConfigurationError, match="R-EXT-12"):
        stop_on_errors(*built(closed))
    both = dataclasses.replace(closed, carriers=(BEARER, HOST))
    assert [finding.severity for finding in found(both, "R-EXT-12")] == [Severity.WARNING]
    assert not found(dataclasses.replace(closed, origins=("https://app.example.com",)), "R-EXT-12")


@pytest.mark.parametrize(("match", "told"), [("POST /x", True), ("/x", True), ("GET /x", False)])
def test_browsers_without_fetch_metadata(match: str, told: bool) -> None:  # noqa: FBT001
    """R-STO-03: without origins old browsers are refused where something changes; the author is told."""
    assert bool(found(protected(match, carriers=(HOST,), login_page=PAGE), "R-STO-03")) is told
    with_origins = protected(match, carriers=(HOST,), login_page=PAGE, origins=("https://app.example.com",))
    assert not found(with_origins, "R-STO-03")


def test_secrets_in_the_policy() -> None:
    """R-ISS-03: a shared secret in the policy is told of, with the place where it belongs."""
    secret = {"kty": "oct", "k": "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k", "kid": "s"}
    issuer = dataclasses.replace(ISSUER, algorithms=("HS256",), keys=InlineKeys([secret]), shared_secret=True)
    table = PolicyTable(Config(issuers=(issuer,), endpoints=(protected("/x"),)))
    keys = import_key_set([secret], issuer.algorithms, Published.INLINE)
    told = [finding for finding in lint(table, {"login": HeldKeys(keys, float("inf"))}) if finding.rule == "R-ISS-03"]
    assert [(finding.severity, finding.at) for finding in told] == [(Severity.WARNING, "issuers.login.jwks")]
    assert "jwks_file" in told[0].message
