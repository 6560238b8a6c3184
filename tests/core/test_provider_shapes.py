"""Tokens in the shapes that four providers issue: access tokens come in through ``access_legacy``, ID tokens do not."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import pytest

from jwtguard import (
    Config,
    ConfigurationError,
    Endpoint,
    Guard,
    Identity,
    InlineKeys,
    Issuer,
    Kind,
    Legacy,
    Marker,
    Reason,
    Refusal,
)
from jwtguard.lint import Severity, lint
from tests.core.class_tokens import bearer, status_of
from tests.kit import provider_tokens
from tests.kit.fake_clock import FakeClock
from tests.kit.provider_tokens import API, CLIENT, NOW
from tests.kit.token_forge import OMIT, TokenForge

FORGE = TokenForge()
KEY = FORGE.key("RS256", "provider-2026")
SINCE = date(2026, 1, 15)


@dataclass(frozen=True, slots=True)
class Provider:
    """How a provider's tokens look, and what its issuer entry must say."""

    name: str
    iss: str
    typ: object
    api: str
    legacy: Legacy
    access: Mapping[str, object]
    id_token: Mapping[str, object]
    scopes: frozenset[str]
    id_lifetime_s: float = 3600.0

    def issuer(self, **legacy: object) -> Issuer:
        """Write the issuer entry, with changes to its opt-in."""
        return Issuer(
            name="login",
            issuer=self.iss,
            algorithms=("RS256",),
            keys=InlineKeys([KEY.public_jwk()]),
            audience=(self.api,),
            client_id=(CLIENT,),
            legacy=dataclasses.replace(self.legacy, **legacy),  # type: ignore[arg-type]  # its own fields, by name
            max_lifetime_s={"id_token": self.id_lifetime_s},
        )

    def guard(self, **legacy: object) -> Guard:
        """Build a guard with one endpoint that wants a scope of this provider's access token."""
        endpoint = Endpoint(match=("GET /reports",), accept=("access_legacy",), scopes=self.scopes)
        return Guard(Config(issuers=[self.issuer(**legacy)], endpoints=[endpoint]), clock=FakeClock(float(NOW)))

    def sign(self, claims: Mapping[str, object]) -> bytes:
        """Sign as the provider does."""
        changed = {name: value for name, value in ({"iss": self.iss} | dict(claims)).items() if value is not OMIT}
        return FORGE.sign(changed, key=KEY, header={"typ": self.typ})


KEYCLOAK = Provider(
    name="keycloak",
    iss=provider_tokens.KEYCLOAK.iss,
    typ=provider_tokens.KEYCLOAK.typ,
    api="reports-api",
    legacy=Legacy(marker=Marker("typ", frozenset({"Bearer"})), since=SINCE),
    access=provider_tokens.KEYCLOAK.access,
    id_token=provider_tokens.KEYCLOAK.id_token,
    scopes=frozenset({"reports"}),
)
AUTH0 = Provider(
    name="auth0",
    iss=provider_tokens.AUTH0.iss,
    typ=provider_tokens.AUTH0.typ,
    api=API,
    legacy=Legacy(marker=Marker("scope"), since=SINCE, max_lifetime_s=86_400.0),
    access=provider_tokens.AUTH0.access,
    id_token=provider_tokens.AUTH0.id_token,
    scopes=frozenset({"read:reports"}),
    id_lifetime_s=36_000.0,
)
ENTRA = Provider(
    name="entra",
    iss=provider_tokens.ENTRA.iss,
    typ=provider_tokens.ENTRA.typ,
    api="0e2f4a6b-1c3d-4e5f-8a9b-7c6d5e4f3a21",
    legacy=Legacy(marker=Marker("scp"), since=SINCE, scope_from="scp", max_lifetime_s=5400.0),
    access=provider_tokens.ENTRA.access,
    id_token=provider_tokens.ENTRA.id_token,
    scopes=frozenset({"Reports.Read"}),
    id_lifetime_s=3900.0,
)
COGNITO = Provider(
    name="cognito",
    iss=provider_tokens.COGNITO.iss,
    typ=provider_tokens.COGNITO.typ,
    api=CLIENT,
    legacy=Legacy(marker=Marker("token_use", frozenset({"access"})), since=SINCE, audience_from="client_id"),
    access=provider_tokens.COGNITO.access,
    id_token=provider_tokens.COGNITO.id_token,
    scopes=frozenset({"reports/read"}),
)
PROVIDERS = [KEYCLOAK, AUTH0, ENTRA, COGNITO]
EACH = pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)


def at_endpoint(guard: Guard, token: bytes) -> int:
    """Send the token to the endpoint, twice, and return the status, the same both times."""
    first, second = (asyncio.run(status_of(guard, "/reports", bearer(token))) for _ in range(2))
    assert first == second
    return first


def verified(provider: Provider, claims: Mapping[str, object], accept: str = "access_legacy") -> Identity | Reason:
    """Verify a token of the provider without a request."""
    try:
        return provider.guard().verify(provider.sign(claims), accept=accept)
    except Refusal as refusal:
        return refusal.reason


@EACH
def test_an_access_token_is_accepted(provider: Provider) -> None:
    """R-CLS-09: a provider's own access token comes in through access_legacy with the overrides named."""
    assert at_endpoint(provider.guard(), provider.sign(provider.access)) == 200
    who = verified(provider, provider.access)
    assert isinstance(who, Identity)
    assert (who.token_class, who.issuer, who.subject) == ("access_legacy", provider.iss, provider.access["sub"])
    assert (who.client_id, who.kind) == (CLIENT, Kind.USER)
    assert provider.scopes < who.scopes
    assert provider.api in who.audiences


@EACH
def test_an_id_token_is_refused_where_the_access_token_is_accepted(provider: Provider) -> None:
    """R-CLS-09, R-CLS-10: the same provider's ID token is valid at login and refused at the endpoint."""
    at_login = verified(provider, provider.id_token, accept="id_token")
    assert isinstance(at_login, Identity)
    assert at_login.token_class == "id_token"
    assert at_endpoint(provider.guard(), provider.sign(provider.id_token)) == 401


@EACH
def test_an_id_token_for_this_very_api_is_refused(provider: Provider) -> None:
    """R-CLS-09: without its other give-aways, and naming the API as audience, an ID token still lacks the marker."""
    bare = dict.fromkeys(("nonce", "at_hash"), OMIT)
    claims = {**provider.id_token, **bare, "aud": provider.api, "client_id": CLIENT}
    claims["exp"] = NOW + 60
    assert verified(provider, claims) in {Reason.WRONG_CLASS, Reason.MISSING_CLAIM}
    assert at_endpoint(provider.guard(), provider.sign(claims)) == 401


@EACH
def test_an_access_token_is_no_id_token(provider: Provider) -> None:
    """R-CLS-04: an access token made out to the client is refused at login, marker and all."""
    assert verified(provider, {**provider.access, "aud": CLIENT}, accept="id_token") is Reason.WRONG_CLASS


@EACH
def test_the_opt_in_is_needed(provider: Provider) -> None:
    """R-CLS-09: without the opt-in no endpoint accepts untyped access tokens."""
    issuer = dataclasses.replace(provider.issuer(), legacy=None)
    with pytest.raises(ConfigurationError, match="R-CLS-09"):
        Guard(Config(issuers=[issuer], endpoints=[Endpoint(match=("/**",), accept=("access_legacy",))]))


@EACH
def test_the_opt_in_opens_nothing_else(provider: Provider) -> None:
    """R-CLS-06: an endpoint that accepts `access` does not accept untyped tokens because the issuer opted in."""
    endpoint = Endpoint(match=("/reports",), accept=("access",))
    guard = Guard(Config(issuers=[provider.issuer()], endpoints=[endpoint]), clock=FakeClock(float(NOW)))
    assert at_endpoint(guard, provider.sign(provider.access)) == 401


@EACH
def test_the_lint_lists_the_opt_in(provider: Provider) -> None:
    """R-CLS-09: the opt-in is a warning with the day it was switched on."""
    guard = provider.guard()
    (found,) = [finding for finding in lint(guard.table, guard.snapshot.ring.held) if finding.rule == "R-CLS-09"]
    assert found.severity is Severity.WARNING
    assert found.at == "issuers.login.access_legacy"
    assert str(SINCE) in found.message


@pytest.mark.parametrize(
    ("provider", "without", "status", "reason"),
    [
        (AUTH0, {"max_lifetime_s": None}, 401, Reason.TOO_LONG_LIVED),
        (ENTRA, {"max_lifetime_s": None}, 401, Reason.TOO_LONG_LIVED),
        (ENTRA, {"scope_from": "scope"}, 403, None),
        (COGNITO, {"audience_from": "aud"}, 401, Reason.MISSING_CLAIM),
    ],
    ids=["auth0-24h", "entra-90min", "entra-scp", "cognito-client_id"],
)
def test_each_override_is_needed(
    provider: Provider, without: Mapping[str, object], status: int, reason: Reason | None
) -> None:
    """R-CLS-09: nothing is guessed from a token's shape; each deviation is accepted only where it is named."""
    guard, token = provider.guard(**without), provider.sign(provider.access)
    assert at_endpoint(guard, token) == status
    if reason is not None:
        with pytest.raises(Refusal, match=reason):
            guard.verify(token, accept="access_legacy")


@EACH
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"exp": NOW - 31, "iat": NOW - 300, "nbf": OMIT}, Reason.EXPIRED),
        ({"exp": NOW + 86_401, "iat": NOW, "nbf": OMIT}, Reason.TOO_LONG_LIVED),
        ({"sub": OMIT}, Reason.MISSING_CLAIM),
        ({"sub": "spiffe://example.com/reports"}, Reason.WRONG_CLASS),
        ({"nonce": "n-0S6_WzA2Mj"}, Reason.WRONG_CLASS),
        ({"purpose": "password_reset"}, Reason.WRONG_CLASS),
        ({"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}, Reason.UNPROVEN_BINDING),
    ],
    ids=["expired", "long-lived", "no-sub", "workload", "nonce", "purpose", "bound"],
)
def test_the_rest_of_the_class_still_holds(provider: Provider, changes: Mapping[str, object], reason: Reason) -> None:
    """R-CLS-09: the overrides relax what they name and nothing else."""
    assert verified(provider, {**provider.access, **changes}) is reason


@EACH
def test_a_subject_that_is_the_issuer_is_refused(provider: Provider) -> None:
    """R-CLS-09: an untyped token whose subject is its issuer could be a client assertion, and is refused."""
    assert verified(provider, {**provider.access, "sub": provider.iss}) is Reason.WRONG_CLASS


@EACH
def test_a_token_for_another_api_is_refused(provider: Provider) -> None:
    """R-CLM-03: the audience, or the claim named in its place, is matched exactly."""
    claim = provider.legacy.audience_from
    for other in (f"{provider.api}-2", provider.api[:-1], ["account"], ""):
        assert verified(provider, {**provider.access, claim: other}) in {Reason.BAD_AUDIENCE, Reason.BAD_CLAIM}


def test_cognito_ignores_an_audience_it_does_not_issue() -> None:
    """R-CLS-09: where client_id stands in for aud, a right `aud` makes up for no wrong client_id."""
    assert verified(COGNITO, {**COGNITO.access, "aud": CLIENT, "client_id": "other"}) is Reason.BAD_AUDIENCE


@pytest.mark.parametrize("kind", ["ID", "Refresh", "Offline", "Logout", "bearer", "DPoP", "", None, True, ["Bearer"]])
def test_keycloak_marks_its_kinds_by_value(kind: object) -> None:
    """R-CLS-09: a marker with values is matched exactly, JSON type included."""
    assert verified(KEYCLOAK, {**KEYCLOAK.access, "typ": kind}) is Reason.WRONG_CLASS
