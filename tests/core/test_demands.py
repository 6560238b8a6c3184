"""What an endpoint demands of the principal: kind, roles, actor, tenant, a model of its claims."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import pytest

from jwtguard import ConfigurationError, Guard, Kind, Marker, Reason
from jwtguard.core.claims_model import ClaimsModelError
from jwtguard.core.decision import Allowed, Decision, Refused
from jwtguard.core.endpoint import Access, ActorRule, Demands, Endpoint, access, at
from jwtguard.core.request import RequestHead
from jwtguard.core.tenant import Tenant, TenantPlace, TenantReader
from tests.kit.guarded import ISSUER, bearer, guard, protected, token

RICH = dataclasses.replace(
    ISSUER, tenant_claim="org", roles_claim=("realm_access", "roles"), clients=Marker("gty"), user_subjects=("user-",)
)


def guarded(*match: str, **demands: object) -> Guard:
    """A guard over one endpoint of an issuer that says all there is to say."""
    return guard(protected(*(match or ("/x",)), **demands), issuers=(RICH,))


def decided(by: Guard, path: str = "/x", *fields: tuple[bytes, bytes], **claims: object) -> Decision:
    """Decide a request with a token of these claims, twice: from the start, and remembered."""
    head = RequestHead("GET", path, (bearer(token(**claims)), *fields), "https")
    first, second = by.decide_locally(head), by.decide_locally(head)
    assert type(first) is type(second)
    assert isinstance(second, Allowed | Refused)
    return second


def reason(by: Guard, path: str = "/x", *fields: tuple[bytes, bytes], **claims: object) -> Reason | None:
    """Say why a request was refused."""
    decision = decided(by, path, *fields, **claims)
    return decision.refusal.reason if isinstance(decision, Refused) else None


@pytest.mark.parametrize(
    ("claims", "kind"),
    [
        ({}, Kind.USER),
        ({"sub": "web", "client_id": "web"}, Kind.CLIENT),
        ({"gty": "client-credentials"}, Kind.CLIENT),
        ({"sub": "service-7"}, Kind.CLIENT),
        ({"sub": "spiffe://prod/billing"}, Kind.WORKLOAD),
    ],
)
def test_kinds(claims: dict[str, object], kind: Kind) -> None:
    """R-CLM-10, R-POL-02: an endpoint may be for users, clients or workloads only; nobody passes as another kind."""
    for wanted in (Kind.USER, Kind.CLIENT, Kind.WORKLOAD):
        expected = None if wanted is kind else Reason.RULE_REFUSED
        assert reason(guarded(kinds=frozenset({wanted})), **claims) is expected
    assert reason(guarded(kinds=frozenset(Kind) - {kind, Kind.ANONYMOUS}), **claims) is Reason.RULE_REFUSED
    assert reason(guarded(), **claims) is None


@pytest.mark.parametrize(
    ("held", "passes"),
    [
        ({"realm_access": {"roles": ["clerk", "boss"]}}, True),
        ({"realm_access": {"roles": ["boss", "clerk", "x"]}}, True),
        ({"realm_access": {"roles": ["clerk"]}}, False),
        ({"realm_access": {"roles": "clerk boss"}}, False),
        ({"realm_access": {"roles": [["clerk", "boss"]]}}, False),
        ({"realm_access": ["clerk", "boss"]}, False),
        ({"roles": ["clerk", "boss"]}, False),
        ({}, False),
    ],
)
def test_roles(held: dict[str, object], passes: bool) -> None:  # noqa: FBT001
    """R-POL-02: all roles are demanded, from the claim that the issuer's configuration names and no other."""
    by = guarded(roles=frozenset({"clerk", "boss"}))
    assert reason(by, **held) is (None if passes else Reason.RULE_REFUSED)


def chain(*names: str) -> dict[str, object]:
    """An actor claim, the current actor first."""
    actor: dict[str, object] = {}
    for name in reversed(names):
        actor = {"act": {"sub": name, **actor}}
    return actor


@pytest.mark.parametrize(
    ("rule", "actors", "passes"),
    [
        (ActorRule.ANY, (), True),
        (ActorRule.ANY, ("a",), True),
        (ActorRule.FORBIDDEN, (), True),
        (ActorRule.FORBIDDEN, ("a",), False),
        (ActorRule.REQUIRED, (), False),
        (ActorRule.REQUIRED, ("a",), True),
        (frozenset({"a"}), (), True),
        (frozenset({"a"}), ("a",), True),
        (frozenset({"a"}), ("a", "b"), True),
        (frozenset({"a"}), ("b", "a"), False),
        (frozenset({"a"}), ("b",), False),
    ],
)
def test_actors(rule: ActorRule | frozenset[str], actors: tuple[str, ...], passes: bool) -> None:  # noqa: FBT001
    """R-IDN-06: actors can be forbidden, required or listed; only the current one counts."""
    assert reason(guarded(actors=rule), **chain(*actors)) is (None if passes else Reason.RULE_REFUSED)


@pytest.mark.parametrize(
    "act", ["x", ["x"], {"sub": 1}, {"sub": "a", "act": "b"}, {"sub": "a", "act": {"act": []}}, None]
)
def test_actors_of_another_form(act: object) -> None:
    """R-IDN-06: what is no chain of actors is no valid token."""
    assert reason(guarded(), act=act) is Reason.BAD_CLAIM


def test_chains_have_an_end() -> None:
    """R-IDN-06: eight actors are a chain, nine are too many."""
    eight = chain(*(f"a{number}" for number in range(8)))
    decision = decided(guarded(), **eight)
    assert isinstance(decision, Allowed)
    assert decision.identity.actors == tuple(f"a{number}" for number in range(8))
    assert reason(guarded(), **chain(*"123456789")) is Reason.BAD_CLAIM


IN_PATH = Tenant(TenantPlace.PATH, "org")
HOSTED = Tenant(TenantPlace.HOST, "{tenant}.example.com")


@pytest.mark.parametrize(
    ("path", "passes"), [("/acme/x", True), ("/evil/x", False), ("/ACME/x", False), ("/acme2/x", False)]
)
def test_tenants_in_the_path(path: str, passes: bool) -> None:  # noqa: FBT001
    """R-POL-11: the tenant in the path must be the token's."""
    by = guarded("/{org}/x", tenant=IN_PATH)
    assert reason(by, path, org="acme") is (None if passes else Reason.TENANT_MISMATCH)
    for other in ({}, {"org": ""}, {"org": ["acme"]}, {"tenant": "acme"}):
        assert reason(by, "/acme/x", **other) is Reason.TENANT_MISMATCH


@pytest.mark.parametrize(
    ("fields", "passes"),
    [
        ([(b"x-tenant", b"acme")], True),
        ([(b"X-Tenant", b" acme ")], True),
        ([(b"x-tenant", b"evil")], False),
        ([(b"x-tenant", b"")], False),
        ([(b"x-tenant", b"acme"), (b"x-tenant", b"acme")], False),
        ([], False),
    ],
)
def test_tenants_in_a_header(fields: list[tuple[bytes, bytes]], passes: bool) -> None:  # noqa: FBT001
    """R-POL-11: the tenant in a header field must be the token's, and be named once."""
    by = guarded(tenant=Tenant(TenantPlace.HEADER, "x-tenant"))
    assert reason(by, "/x", *fields, org="acme") is (None if passes else Reason.TENANT_MISMATCH)


@pytest.mark.parametrize(
    ("host", "passes"),
    [
        (b"acme.example.com", True),
        (b"ACME.Example.com:8443", True),
        (b"evil.example.com", False),
        (b"acme.example.com.evil.net", False),
        (b"acme.example.org", False),
        (b".example.com", False),
        (b"example.com", False),
        (b"acme.evil.example.com", False),
    ],
)
def test_tenants_in_the_host(host: bytes, passes: bool) -> None:  # noqa: FBT001
    """R-POL-11: the tenant in the host must be the token's."""
    by = guarded(tenant=HOSTED)
    assert reason(by, "/x", (b"host", host), org="acme") is (None if passes else Reason.TENANT_MISMATCH)


@pytest.mark.parametrize(
    ("host", "passes"),
    [
        (b"acme.example.com:8443", True),
        (b"acme.example.com", False),
        (b"acme.example.com:443", False),
        (b"acme.example.com:8443:8443", False),
        (b"evil.example.com:8443", False),
    ],
)
def test_tenants_in_a_host_with_its_port(host: bytes, passes: bool) -> None:  # noqa: FBT001
    """R-POL-11: where the policy names a port, it is part of what must be the same."""
    by = guarded(tenant=Tenant(TenantPlace.HOST, "{tenant}.example.com:8443"))
    assert reason(by, "/x", (b"host", host), org="acme") is (None if passes else Reason.TENANT_MISMATCH)


@pytest.mark.parametrize(
    ("place", "name", "fields"),
    [
        (TenantPlace.HEADER, "x-tenant", []),
        (TenantPlace.HEADER, "x-tenant", [(b"x-tenant", b" ")]),
        (TenantPlace.HEADER, "x-tenant", [(b"x-tenant", b"acme"), (b"x-tenant", b"acme")]),
        (TenantPlace.HOST, "{tenant}.example.com", []),
        (TenantPlace.HOST, "{tenant}.example.com", [(b"host", b"example.com")]),
        (TenantPlace.HOST, "{tenant}.example.com", [(b"host", b".example.com")]),
        (TenantPlace.HOST, "api.{tenant}.api", [(b"host", b"api.api")]),
    ],
)
def test_no_tenant_is_named(place: TenantPlace, name: str, fields: list[tuple[bytes, bytes]]) -> None:
    """R-POL-11: where a request names no tenant, or two, the operator sees that it named none."""
    decision = decided(guarded(tenant=Tenant(place, name)), "/x", *fields, org="acme")
    assert isinstance(decision, Refused)
    assert (decision.refusal.reason, decision.refusal.expected) == (Reason.TENANT_MISMATCH, None)
    assert decision.refusal.seen == "acme"


@pytest.mark.parametrize("path", ["/t/acme/../..", "/t/acme/..", "/t/acme/../evil"])
def test_a_path_that_may_be_read_without_its_tenant(path: str) -> None:
    """R-POL-11: where file servers would read a path as one without this tenant, it names none."""
    reader = TenantReader(IN_PATH, ("/t/{org}/**",), "endpoints.t")
    assert reader.read(RequestHead("GET", "/t/acme/x", (), "https")) == "acme"
    assert reader.read(RequestHead("GET", path, (), "https")) is None


def test_a_tenant_without_a_request() -> None:
    """R-POL-11: a token verified by itself is of no request, so there is no tenant to compare."""
    by = guarded(tenant=HOSTED)
    assert by.verify(token(org="acme"), accept="access").tenant == "acme"


@pytest.mark.parametrize(
    ("match", "tenant"), [(("/x",), IN_PATH), (("/{org}/x", "/x/{org}"), IN_PATH), (("/{org}/{org}",), IN_PATH)]
)
def test_a_parameter_that_is_not_there(match: tuple[str, ...], tenant: Tenant) -> None:
    """R-POL-11: a pattern without the parameter, or with it elsewhere, is a mistake."""
    with pytest.raises(ConfigurationError, match=r"tenant: every pattern .* \{org\}"):
        guarded(*match, tenant=tenant)


@pytest.mark.parametrize(
    ("place", "name"), [("path", ""), ("header", "X-Tenant"), ("host", "example.com"), ("host", "{tenant}.{tenant}")]
)
def test_tenants_that_match_nothing(place: str, name: str) -> None:
    """R-POL-11: a place that could name no tenant is a mistake."""
    with pytest.raises(ConfigurationError, match="names no"):
        Tenant(TenantPlace(place), name)


@pytest.mark.parametrize(
    ("demand", "told"), [({"tenant": HOSTED}, "tenant_claim"), ({"roles": frozenset("r")}, "roles_claim")]
)
def test_demands_that_nobody_could_meet(demand: dict[str, object], told: str) -> None:
    """R-POL-11: a tenant or role of an issuer that names none is a mistake, not a door for ever closed."""
    with pytest.raises(ConfigurationError, match=told):
        guard(protected("/x", **demand))


@dataclass
class Clerk:
    """Claims as an application wants them."""

    sub: str
    desk: int


def test_a_model_of_the_claims() -> None:
    """R-IDN-08: claims come as the application's type, checked before it is called; one that does not fit is a 500."""
    by = guarded(model=Clerk)
    decision = decided(by, desk=7)
    assert isinstance(decision, Allowed)
    assert decision.identity.claims_as(Clerk) == Clerk("user-1", 7)
    for claims in ({}, {"desk": "7"}, {"desk": None}):
        with pytest.raises(ClaimsModelError):
            reason(by, **claims)


def test_nobody_has_no_model() -> None:
    """R-IDN-08: an anonymous identity cannot be mapped."""
    by = guard(Endpoint(match=("/x",), access=Access.PUBLIC))
    decision = by.decide_locally(RequestHead("GET", "/x", (), "https"))
    assert isinstance(decision, Allowed)
    with pytest.raises(LookupError, match="anonymous"):
        decision.identity.claims_as(Clerk)


@pytest.mark.parametrize(("max_age_s", "end"), [(None, 330), (100.0, 130), (1000.0, 330)])
def test_how_long_an_identity_holds(max_age_s: float | None, end: float) -> None:
    """R-EXT-12, R-CLM-08: until the token expires, or is too old for this endpoint, leeway included."""
    decision = decided(guarded(max_age_s=max_age_s))
    assert isinstance(decision, Allowed)
    assert decision.identity.good_until == (decision.identity.issued_at or 0) + end


def test_login_endpoints_are_open_and_demand_nothing() -> None:
    """R-CLS-10: a login takes requests as a public endpoint does; the token it brings back is no credential."""
    issuer = dataclasses.replace(ISSUER, client_id=("web",))
    by = guard(Endpoint(match=("/callback",), access=Access.LOGIN, accept=("id_token",)), issuers=(issuer,))
    decision = by.decide_locally(RequestHead("POST", "/callback", (bearer(token()),), "https"))
    assert isinstance(decision, Allowed)
    assert not decision.identity.is_authenticated
    with pytest.raises(ConfigurationError, match="login endpoint is open"):
        Endpoint(match=("/callback",), access=Access.LOGIN, accept=("id_token",), scopes=frozenset({"a"}))
    with pytest.raises(ConfigurationError, match="at least one token class"):
        Endpoint(match=("/callback",), access=Access.LOGIN)


@pytest.mark.parametrize(
    "page", ["login", "//evil.example", "javascript:alert(1)", "/a b", "/\r\nx: y", "/\\evil", "/ü"]
)
def test_login_pages(page: str) -> None:
    """R-ERR-10, R-ERR-04: a login page is a path of this site or a URL, and nothing that breaks a header."""
    with pytest.raises(ConfigurationError, match=r"login_page.*R-ERR-10"):
        Endpoint(match=("/x",), accept=("access",), login_page=page)


def test_demands_are_endpoints_without_a_place() -> None:
    """R-POL-06: what is written beside a function compiles to the same endpoint as what is written in a file."""
    written = access(scopes=["a"], roles=["r"], max_age_s=60.0)
    assert at(["GET /x"], written, name="n") == Endpoint(
        match=["GET /x"], name="n", accept=("access",), scopes=frozenset("a"), roles=frozenset("r"), max_age_s=60.0
    )
    with pytest.raises(ConfigurationError, match=r"^policy: must accept"):
        Demands()
