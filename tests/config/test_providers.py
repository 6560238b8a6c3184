"""Provider presets against tokens in the shapes that those providers issue."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

import pytest

from jwtguard import (
    Config,
    ConfigurationError,
    Discovery,
    Endpoint,
    Guard,
    Identity,
    InlineKeys,
    Issuer,
    JwksUri,
    Kind,
    Reason,
    Refusal,
)
from jwtguard.config import providers
from jwtguard.core.table import PolicyTable
from jwtguard.lint import Severity, lint
from tests.core.class_tokens import bearer, status_of
from tests.kit import provider_tokens as tokens
from tests.kit.fake_clock import FakeClock
from tests.kit.provider_tokens import API, CLIENT, MACHINE, NOW, Recorded
from tests.kit.token_forge import OMIT, TokenForge

FORGE = TokenForge()
KEY = FORGE.key("RS256", "provider-2026")
SINCE = date(2026, 1, 15)
TENANT, OTHER_TENANT = "9b6e1f5c-8d0a-4c2b-a1f7-5e3d2c1b0a99", "11111111-2222-4333-8444-555555555555"
ENTRA_API = "0e2f4a6b-1c3d-4e5f-8a9b-7c6d5e4f3a21"
POOL = "eu-west-1_aBcDeFgHi"


def keycloak(since: date | None = SINCE, **changes: object) -> Issuer:
    """A realm."""
    options = {"base": "https://sso.example.com", "realm": "main", "audience": "reports-api", "client_id": CLIENT}
    return providers.keycloak(since=since, **{**options, **changes})  # type: ignore[arg-type]  # its own, by name


def auth0(since: date | None = SINCE, **changes: object) -> Issuer:
    """A tenant of Auth0."""
    options = {"domain": "example.eu.auth0.com", "audience": API, "client_id": CLIENT}
    return providers.auth0(since=since, **{**options, **changes})  # type: ignore[arg-type]  # as above


def entra(callers: providers.EntraCallers = providers.EntraCallers.USERS, **changes: object) -> Issuer:
    """A tenant of Entra ID."""
    options = {"tenant": TENANT, "audience": ENTRA_API, "client_id": CLIENT, "since": SINCE}
    return providers.entra(callers=callers, **{**options, **changes})  # type: ignore[arg-type]  # as above


def cognito() -> Issuer:
    """A user pool."""
    return providers.cognito(region="eu-west-1", user_pool=POOL, client_id=(CLIENT, MACHINE), since=SINCE)


def workos() -> Issuer:
    """An environment of WorkOS."""
    return providers.workos(client_id="client_01HXYZ", since=SINCE)


def workos_connect() -> Issuer:
    """The same environment's applications."""
    return providers.workos_connect(
        domain="example.authkit.app", audience="client_01HXYZ", client_id="client_01HXYZ", since=SINCE
    )


@dataclass(frozen=True, slots=True)
class Case:
    """A preset, the tokens of its provider, and what they say.

    Attributes:
        refused: The reason for which its ID token is refused at an API.
    """

    issuer: Issuer
    recorded: Recorded
    scopes: frozenset[str]
    roles: frozenset[str]
    tenant: str
    refused: Reason
    client_roles: frozenset[str] = frozenset()
    client_scopes: frozenset[str] = frozenset()

    @property
    def accept(self) -> str:
        """The class of its access tokens."""
        return "access" if self.issuer.legacy is None else "access_legacy"

    def guard(self, **demands: object) -> Guard:
        """Build a guard over the preset, with the test's key in place of the provider's."""
        issuer = dataclasses.replace(self.issuer, keys=InlineKeys([KEY.public_jwk()]))
        endpoint = Endpoint(match=("/reports",), accept=(self.accept,), **demands)  # type: ignore[arg-type]  # as above
        return Guard(Config(issuers=[issuer], endpoints=[endpoint]), clock=FakeClock(float(NOW)))

    def sign(self, claims: Mapping[str, object], *, typ: object = None) -> bytes:
        """Sign as the provider does."""
        changed = {name: value for name, value in ({"iss": self.recorded.iss} | dict(claims)).items() if value != OMIT}
        return FORGE.sign(changed, key=KEY, header={"typ": self.recorded.typ if typ is None else typ})

    def verified(self, claims: Mapping[str, object]) -> Identity | Reason:
        """Verify a token as an access token of this provider."""
        try:
            return self.guard().verify(self.sign(claims), accept=self.accept)
        except Refusal as refusal:
            return refusal.reason


REALM_ROLES = frozenset({"offline_access", "uma_authorization"})
APPS = providers.EntraCallers.USERS_AND_APPS
CASES = {
    "keycloak": Case(
        keycloak(), tokens.KEYCLOAK, frozenset({"openid", "email", "profile", "reports"}), REALM_ROLES, "",
        Reason.WRONG_CLASS, frozenset({"batch"}), frozenset({"email", "profile", "reports"}),
    ),
    "keycloak-typed": Case(
        keycloak(None), tokens.KEYCLOAK_TYPED, frozenset({"openid", "email", "profile", "reports"}), REALM_ROLES, "",
        Reason.WRONG_CLASS, frozenset({"batch"}), frozenset({"email", "profile", "reports"}),
    ),
    "auth0": Case(
        auth0(), tokens.AUTH0, frozenset({"openid", "profile", "email", "read:reports"}), frozenset({"read:reports"}),
        "", Reason.MISSING_CLAIM, frozenset({"read:reports"}), frozenset({"read:reports"}),
    ),
    "auth0-typed": Case(
        auth0(None, user_subjects="auth0|"), tokens.AUTH0_TYPED, frozenset({"openid", "profile", "read:reports"}),
        frozenset({"read:reports"}), "org_9ybsU1dN2dKfDkBi", Reason.WRONG_CLASS, frozenset({"read:reports"}),
        frozenset({"read:reports"}),
    ),
    "entra": Case(
        entra(), dataclasses.replace(tokens.ENTRA, client={}), frozenset({"Reports.Read", "User.Read"}), frozenset(),
        TENANT, Reason.MISSING_CLAIM,
    ),
    "entra-apps": Case(
        entra(APPS), tokens.ENTRA_APPS, frozenset({"Reports.Read", "User.Read"}), frozenset({"Reports.Reader"}),
        TENANT, Reason.WRONG_CLASS, frozenset({"Reports.Read.All"}),
    ),
    "cognito": Case(
        cognito(), tokens.COGNITO, frozenset({"openid", "reports/read"}), frozenset({"analysts"}), "",
        Reason.MISSING_CLAIM, frozenset(), frozenset({"reports/read"}),
    ),
    "workos": Case(
        workos(), tokens.WORKOS, frozenset(), frozenset({"member"}), "org_01HRDMC6CM357W30QMHMQ96Q0S",
        Reason.MISSING_CLAIM,
    ),
    "workos-connect": Case(
        workos_connect(), tokens.WORKOS_CONNECT, frozenset({"openid", "profile", "reports"}), frozenset(),
        "org_01HRDMC6CM357W30QMHMQ96Q0S", Reason.MISSING_CLAIM, frozenset(), frozenset({"reports"}),
    ),
}  # fmt: skip
EACH = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
WITH_CLIENTS = {name: case for name, case in CASES.items() if case.recorded.client}
EACH_CLIENT = pytest.mark.parametrize("case", WITH_CLIENTS.values(), ids=WITH_CLIENTS)


def status(guard: Guard, token: bytes) -> int:
    """Send a token to the guarded endpoint."""
    return asyncio.run(status_of(guard, "/reports", bearer(token)))


@pytest.mark.parametrize(
    ("issuer", "iss", "keys"),
    [
        (keycloak(), "https://sso.example.com/realms/main", Discovery()),
        (keycloak(base="https://sso.example.com/auth/"), "https://sso.example.com/auth/realms/main", Discovery()),
        (auth0(), "https://example.eu.auth0.com/", Discovery()),
        (entra(), f"https://login.microsoftonline.com/{TENANT}/v2.0", Discovery()),
        (
            cognito(),
            f"https://cognito-idp.eu-west-1.amazonaws.com/{POOL}",
            JwksUri(f"https://cognito-idp.eu-west-1.amazonaws.com/{POOL}/.well-known/jwks.json"),
        ),
        (
            providers.cognito(region="cn-north-1", user_pool="cn-north-1_a", client_id=CLIENT, since=SINCE),
            "https://cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_a",
            JwksUri("https://cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_a/.well-known/jwks.json"),
        ),
        (
            workos(),
            "https://api.workos.com/user_management/client_01HXYZ",
            JwksUri("https://api.workos.com/sso/jwks/client_01HXYZ"),
        ),
        (
            providers.workos(client_id="client_01HXYZ", since=SINCE, issuer="https://api.workos.com"),
            "https://api.workos.com",
            JwksUri("https://api.workos.com/sso/jwks/client_01HXYZ"),
        ),
        (workos_connect(), "https://example.authkit.app", Discovery()),
        (
            providers.google(client_id=CLIENT),
            "https://accounts.google.com",
            JwksUri("https://www.googleapis.com/oauth2/v3/certs"),
        ),
    ],
)
def test_issuer_and_keys_are_the_providers_own(issuer: Issuer, iss: str, keys: object) -> None:
    """R-IDN-09: each preset has the exact issuer, slash or none, and fetches keys from where the provider has them."""
    assert (issuer.issuer, issuer.keys, issuer.algorithms) == (iss, keys, ("RS256",))


@EACH
def test_a_users_access_token_is_accepted(case: Case) -> None:
    """R-IDN-09: a user's access token comes in, with subject, kind, scopes, roles and tenant where they belong."""
    who = case.verified(case.recorded.access)
    assert isinstance(who, Identity)
    assert (who.issuer, who.subject, who.kind) == (case.recorded.iss, case.recorded.access["sub"], Kind.USER)
    assert (who.scopes, who.roles, who.tenant) == (case.scopes, case.roles, case.tenant)
    assert status(case.guard(kinds=frozenset({Kind.USER}), roles=case.roles), case.sign(case.recorded.access)) == 200


@EACH_CLIENT
def test_a_client_is_no_user(case: Case) -> None:
    """R-CLM-10: a token of the client-credentials grant comes in as a client, and never where users alone may."""
    who = case.verified(case.recorded.client)
    assert isinstance(who, Identity)
    assert (who.subject, who.kind) == (case.recorded.client["sub"], Kind.CLIENT)
    assert (who.scopes, who.roles) == (case.client_scopes, case.client_roles)
    token = case.sign(case.recorded.client)
    assert status(case.guard(kinds=frozenset({Kind.CLIENT})), token) == 200
    assert status(case.guard(kinds=frozenset({Kind.USER, Kind.WORKLOAD})), token) == 403


@EACH
def test_a_user_is_no_client(case: Case) -> None:
    """R-CLM-10: where clients alone may come in, a user's token does not."""
    assert status(case.guard(kinds=frozenset({Kind.CLIENT})), case.sign(case.recorded.access)) == 403


@EACH
def test_an_id_token_opens_nothing(case: Case) -> None:
    """R-CLS-10: the provider's ID token is refused at the API, also when it names the API as its audience."""
    typ = OMIT if case.recorded.typ is OMIT else "JWT"
    token = case.sign(case.recorded.id_token, typ=typ)
    with pytest.raises(Refusal) as caught:
        case.guard().verify(token, accept=case.accept)
    assert caught.value.reason is case.refused
    assert status(case.guard(), token) == 401
    ours = {**case.recorded.id_token, "aud": list(case.issuer.audience), "nonce": OMIT, "at_hash": OMIT}
    with pytest.raises(Refusal) as caught:
        case.guard().verify(case.sign(ours, typ=typ), accept=case.accept)
    assert caught.value.reason in {Reason.WRONG_CLASS, Reason.MISSING_CLAIM}


@EACH
def test_an_id_token_is_one_at_login(case: Case) -> None:
    """R-IDN-09: the ID token holds as what it is, its own lifetime included, so that it was refused for its class."""
    typ = OMIT if case.recorded.typ is OMIT else "JWT"
    who = case.guard().verify(case.sign(case.recorded.id_token, typ=typ), accept="id_token")
    assert (who.subject, who.token_class) == (case.recorded.id_token["sub"], "id_token")


@EACH
def test_another_tenants_token_is_refused(case: Case) -> None:
    """R-CLM-02: a token of another realm, tenant, pool or environment is refused, and so is a slash too many."""
    iss = case.recorded.iss
    for other in (f"{iss}/" if not iss.endswith("/") else iss[:-1], f"{iss}2", iss.replace("https://", "https://x.")):
        assert case.verified({**case.recorded.access, "iss": other}) is Reason.BAD_ISSUER


@EACH
def test_another_apis_token_is_refused(case: Case) -> None:
    """R-CLM-03: the audience, or the claim in its place, is one of ours exactly."""
    claim = case.issuer.legacy.audience_from if case.issuer.legacy else "aud"
    assert case.verified({**case.recorded.access, claim: "somebody-else"}) is Reason.BAD_AUDIENCE


@EACH
def test_presets_pass_the_lint(case: Case) -> None:
    """R-GOV-02: no preset brings an error along; an untyped one is listed with its day."""
    guard = case.guard()
    findings = lint(guard.table, guard.snapshot.ring.held)
    assert not [finding for finding in findings if finding.severity is Severity.ERROR]
    legacy = [finding.message for finding in findings if finding.rule == "R-CLS-09"]
    assert len(legacy) == (case.issuer.legacy is not None)
    assert all(str(SINCE) in message for message in legacy)


@pytest.mark.parametrize(
    ("name", "seconds"), [("auth0", 86_400), ("auth0-typed", 86_400), ("entra", 5700), ("cognito", 3600)]
)
def test_lives_are_the_providers_and_no_longer(name: str, seconds: int) -> None:
    """R-CLM-08: the longest life is the provider's documented one, and one second more is refused."""
    case = CASES[name]
    life = {**case.recorded.access, "iat": NOW - 10, "nbf": OMIT, "exp": NOW - 10 + seconds}
    assert isinstance(case.verified(life), Identity)
    assert case.verified({**life, "exp": NOW - 9 + seconds}) is Reason.TOO_LONG_LIVED


def test_entra_lets_apps_in_by_idtyp_alone() -> None:
    """R-CLM-10: without the optional claim nothing tells an app from a user, so such a token is refused."""
    users, both = CASES["entra"], CASES["entra-apps"]
    app = {**tokens.ENTRA.client, "idtyp": OMIT}
    assert users.verified(tokens.ENTRA.client) is Reason.MISSING_CLAIM
    assert users.verified(app) is Reason.MISSING_CLAIM
    assert both.verified(app) is Reason.WRONG_CLASS
    assert both.verified(tokens.ENTRA.access) is Reason.WRONG_CLASS
    assert both.verified({**tokens.ENTRA.client, "idtyp": "device"}) is Reason.WRONG_CLASS


def test_keycloaks_refresh_token_is_no_access_token() -> None:
    """R-CLS-09: Keycloak's other tokens differ by the claim `typ` alone, and are refused by it."""
    for kind in ("Refresh", "Offline", "ID", "Logout", OMIT):
        assert CASES["keycloak"].verified({**tokens.KEYCLOAK.access, "typ": kind}) is Reason.WRONG_CLASS


def test_an_impersonated_session_shows_its_actor() -> None:
    """R-IDN-06: WorkOS names the administrator behind an impersonated session, and the identity shows it."""
    who = CASES["workos"].verified(tokens.WORKOS.access)
    assert isinstance(who, Identity)
    assert who.actors == ("admin@example.com",)


def test_google_is_for_login() -> None:
    """R-CLS-10: Google's ID tokens are read at login; no endpoint can accept anything from it."""
    issuer = dataclasses.replace(providers.google(client_id=CLIENT), keys=InlineKeys([KEY.public_jwk()]))
    guard = Guard(Config(issuers=[issuer], endpoints=[]), clock=FakeClock(float(NOW)))
    claims = {"iss": "https://accounts.google.com", **tokens.GOOGLE_ID_TOKEN}
    who = guard.verify(FORGE.sign(claims, key=KEY, header={"typ": "JWT"}), accept="id_token")
    assert (who.subject, who.tenant) == ("110169484474386276334", "example.com")
    for accept in ("access", "access_legacy", "id_token"):
        with pytest.raises(ConfigurationError):
            PolicyTable(Config(issuers=[issuer], endpoints=[Endpoint(match=("/**",), accept=(accept,))]))


def test_auth0_users_come_from_named_connections() -> None:
    """R-CLM-10: where only subjects tell users from clients, whoever comes from no named connection is no user."""
    who = CASES["auth0-typed"].verified({**tokens.AUTH0_TYPED.access, "sub": "google-oauth2|1029384756"})
    assert isinstance(who, Identity)
    assert who.kind is Kind.CLIENT


def test_many_realms_are_many_issuers() -> None:
    """R-JWK-15: several realms or tenants become a template, and each of them an issuer of its own."""
    realms = Config(issuers=[keycloak(realm=["main", "shop"])], endpoints=[]).issuers
    assert [(one.name, one.issuer) for one in realms] == [
        ("login/main", "https://sso.example.com/realms/main"),
        ("login/shop", "https://sso.example.com/realms/shop"),
    ]
    tenants = Config(issuers=[entra(tenant=[TENANT, OTHER_TENANT])], endpoints=[]).issuers
    assert [one.issuer for one in tenants] == [
        f"https://login.microsoftonline.com/{tenant}/v2.0" for tenant in (TENANT, OTHER_TENANT)
    ]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: keycloak(realm="a/b"), "'a/b' is no realm"),
        (lambda: keycloak(realm=".."), "'..' is no realm"),
        (lambda: keycloak(realm=[]), "name at least one"),
        (lambda: keycloak(base="sso.example.com"), "'sso.example.com' is no URL"),
        (lambda: keycloak(base="https://sso.example.com/?x"), "is no URL"),
        (lambda: keycloak(base="https://sso.example.com#"), "is no URL"),
        (lambda: auth0(domain="https://example.eu.auth0.com/"), "is no host"),
        (lambda: auth0(domain="Example.eu.auth0.com"), "is no host"),
        (lambda: auth0(None), "the RFC 9068 profile tells users by their subject alone"),
        (lambda: auth0(user_subjects="auth0"), "'auth0' is no connection"),
        (lambda: entra(tenant="contoso.onmicrosoft.com"), "the issuer names the tenant by its GUID"),
        (lambda: entra(tenant="common"), "the issuer names the tenant by its GUID"),
        (lambda: entra(tenant=TENANT.upper()), "is no GUID in lower case"),
        (lambda: entra(audience="api://reports"), "tokens of version 2.0 name the API by its client id"),
        (
            lambda: providers.cognito(region="eu-west-2", user_pool=POOL, client_id=CLIENT, since=SINCE),
            "is no pool of eu-west-2",
        ),
        (lambda: providers.workos(client_id="client/../x", since=SINCE), "is no client_id"),
    ],
)
def test_an_argument_that_would_make_another_url_is_refused(make: Callable[[], Issuer], words: str) -> None:
    """R-IDN-09: what is pasted into an issuer's URL is one name or host, and a tenant is spelt as `iss` spells it."""
    with pytest.raises(ConfigurationError) as caught:
        make()
    assert words in caught.value.message
    assert caught.value.key
