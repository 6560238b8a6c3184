"""Multi-tenant issuers: an allow-list of tenants, each an issuer of its own (R-JWK-15)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from jwtguard import (
    Config,
    ConfigurationError,
    Discovery,
    Endpoint,
    Guard,
    InlineKeys,
    Issuer,
    JwksUri,
    Mode,
    Reason,
    Refusal,
)
from jwtguard.config import parse
from jwtguard.core.table import PolicyTable
from jwtguard.core.tenant import Tenant, TenantPlace
from tests.core.class_tokens import bearer, status_of
from tests.kit import answers
from tests.kit.fake_clock import FakeClock
from tests.kit.fake_idp import FakeIdP
from tests.kit.forged_key import ForgedKey
from tests.kit.token_forge import TokenForge

NOW = 1_767_225_600.0
FORGE = TokenForge()
KEYS = {"a": FORGE.key("ES256", "k1"), "b": FORGE.key("ES256", "k2")}
SAME_KID = ForgedKey("ES256", "k1", KEYS["b"].private)
"""The key of tenant b under the kid of tenant a."""


@pytest.fixture
def anyio_backend() -> str:
    """Run on asyncio."""
    return "asyncio"


@pytest.fixture
def idp() -> Iterator[FakeIdP]:
    """One host with two tenants, each with metadata and keys of its own, and a third that nobody listed."""
    with FakeIdP() as server:
        for tenant in ("a", "b", "c"):
            issuer = f"{server.issuer}/{tenant}"
            keys = {"keys": [KEYS.get(tenant, KEYS["a"]).public_jwk()]}
            metadata = {**server.discovery(), "issuer": issuer, "jwks_uri": f"{issuer}/keys"}
            server.answer(f"/{tenant}/keys", answers.content(json.dumps(keys).encode()))
            path = f"/{tenant}/.well-known/openid-configuration"
            server.answer(path, answers.content(json.dumps(metadata).encode()))
        yield server


def template(base: str, **changes: Any) -> Issuer:
    """The issuer of both tenants."""
    columns: dict[str, Any] = {
        "name": "login",
        "issuer": f"{base}/{{tenant}}",
        "algorithms": ("ES256",),
        "keys": JwksUri(f"{base}/{{tenant}}/keys"),
        "audience": (FORGE.audience,),
        "tenants": ("a", "b"),
    }
    return Issuer(**{**columns, **changes})


def guard_of(issuer: Issuer, *endpoints: Endpoint) -> Guard:
    """A guard that may fetch from loopback."""
    return Guard(Config(issuers=[issuer], endpoints=endpoints, mode=Mode.DEVELOPMENT), clock=FakeClock(NOW))


def token(idp: FakeIdP, tenant: str, key: ForgedKey) -> bytes:
    """An access token that names a tenant as its issuer."""
    return FORGE.sign(FORGE.access_claims(now=NOW, iss=f"{idp.issuer}/{tenant}"), key=key)


async def reason(guard: Guard, credential: bytes) -> Reason | None:
    """Verify, and say why not."""
    try:
        await guard.verify_async(credential, accept="access")
    except Refusal as refusal:
        return refusal.reason
    return None


@pytest.mark.anyio
@pytest.mark.parametrize("by", ["url", "discovery"])
async def test_each_tenant_has_keys_of_its_own(idp: FakeIdP, by: str) -> None:
    """R-JWK-15: a tenant's key verifies that tenant's tokens and no other's, whatever kid it is under."""
    keys = Discovery() if by == "discovery" else JwksUri(f"{idp.issuer}/{{tenant}}/keys")
    guard = guard_of(template(idp.issuer, keys=keys))
    assert [await reason(guard, token(idp, name, KEYS[name])) for name in KEYS] == [None, None]
    assert await reason(guard, token(idp, "b", KEYS["a"])) is Reason.NO_KEY
    assert await reason(guard, token(idp, "a", KEYS["b"])) is Reason.NO_KEY
    assert await reason(guard, token(idp, "a", SAME_KID)) is Reason.BAD_SIGNATURE
    assert idp.hits["/a/keys"] >= 1
    assert idp.hits["/b/keys"] >= 1


@pytest.mark.anyio
async def test_an_identity_is_of_its_tenant(idp: FakeIdP) -> None:
    """R-JWK-15, R-IDN-03: the same subject at two tenants is two principals."""
    guard = guard_of(template(idp.issuer))
    one, other = [await guard.verify_async(token(idp, name, KEYS[name]), accept="access") for name in KEYS]
    assert (one.issuer, other.issuer) == (f"{idp.issuer}/a", f"{idp.issuer}/b")
    assert one.subject == other.subject
    assert one != other


@pytest.mark.anyio
@pytest.mark.parametrize("tenant", ["c", "A", "", "a/", "a/b", "{tenant}", "../a", "a%00"])
async def test_a_tenant_that_is_not_listed_is_refused(idp: FakeIdP, tenant: str) -> None:
    """R-JWK-15: an issuer that only looks like the template is unknown, and nothing is fetched for it."""
    guard = guard_of(template(idp.issuer))
    assert [await reason(guard, token(idp, name, KEYS[name])) for name in KEYS] == [None, None]
    before = idp.hits.total()
    assert await reason(guard, token(idp, tenant, KEYS["a"])) is Reason.BAD_ISSUER
    assert idp.hits.total() == before
    assert not [path for path in idp.hits if path.startswith("/c/")]


@pytest.mark.anyio
async def test_a_remembered_token_does_not_change_its_tenant(idp: FakeIdP) -> None:
    """R-JWK-15: a token that was verified for one tenant's endpoint is refused at another tenant's."""
    endpoints = [
        Endpoint(match=("/a",), accept=("access",), issuers=("login/a",)),
        Endpoint(match=("/b",), accept=("access",), issuers=("login/b",)),
        Endpoint(match=("/both",), accept=("access",), issuers=("login",)),
    ]
    guard = guard_of(template(idp.issuer), *endpoints)
    for name, other in (("a", "b"), ("b", "a")):
        credential = bearer(token(idp, name, KEYS[name]))
        for path, status in ((f"/{name}", 200), (f"/{other}", 401), (f"/{name}", 200), ("/both", 200)):
            assert await status_of(guard, path, credential) == status


@pytest.mark.anyio
async def test_an_endpoint_is_of_the_issuers_tenant(idp: FakeIdP) -> None:
    """R-POL-11, R-JWK-15: at an endpoint that names its tenant in the path, a token opens its issuer's tenant alone."""
    endpoint = Endpoint(match=("/{org}/x",), accept=("access",), tenant=Tenant(TenantPlace.PATH, "org"))
    guard = guard_of(template(idp.issuer), endpoint)
    for name, other in (("a", "b"), ("b", "a")):
        credential = bearer(token(idp, name, KEYS[name]))
        assert [await status_of(guard, f"/{org}/x", credential) for org in (name, other)] == [200, 403]
        assert (await guard.verify_async(token(idp, name, KEYS[name]), accept="access")).tenant == name


def test_the_family_is_all_of_its_tenants() -> None:
    """R-JWK-15: an endpoint that names the issuer accepts every tenant of it, and no other issuer."""
    other = Issuer(
        name="other", issuer="https://other.example", algorithms=("ES256",), keys=Discovery(), audience=("x",)
    )
    endpoint = Endpoint(match=("/**",), accept=("access",), issuers=("login",))
    table = PolicyTable(Config(issuers=[template("https://as.example.com"), other], endpoints=[endpoint]))
    assert set(table.endpoints[0].issuers) == {"login/a", "login/b"}


def test_the_columns_are_every_tenants() -> None:
    """R-JWK-15: what the template says of tokens holds for each tenant."""
    issuer = template("https://as.example.com", tenant_claim="tid", roles_claim=("roles",), user_subjects=("u",))
    for name, one in zip("ab", Config(issuers=[issuer], endpoints=[]).issuers, strict=True):
        assert (one.name, one.family, one.tenants) == (f"login/{name}", "login", ())
        assert (one.issuer, one.keys) == (
            f"https://as.example.com/{name}",
            JwksUri(f"https://as.example.com/{name}/keys"),
        )
        assert (one.tenant_claim, one.roles_claim, one.user_subjects) == ("tid", ("roles",), ("u",))
        assert one.audience == issuer.audience


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tenants": ()}, "lists the tenants accepted"),
        ({"issuer": "https://as.example.com"}, "lists the tenants accepted"),
        ({"tenants": ("a", "a")}, "each once"),
        ({"tenants": tuple(map(str, range(1001)))}, "at most 1000"),
        ({"tenants": ("a", "")}, "'' is no tenant"),
        ({"tenants": ("a/b",)}, "'a/b' is no tenant"),
        ({"tenants": ("a?b",)}, "'a?b' is no tenant"),
        ({"tenants": ("{tenant}",)}, "'{tenant}' is no tenant"),
        ({"tenants": ("ä",)}, "'ä' is no tenant"),
        ({"tenants": ("a\n",)}, "is no tenant"),
    ],
)
def test_a_template_needs_its_tenants(changes: dict[str, Any], words: str) -> None:
    """R-JWK-15: without a list, with one for nothing, or with a name that would change the URL, nothing starts."""
    with pytest.raises(ConfigurationError) as caught:
        Config(issuers=[template("https://as.example.com", **changes)], endpoints=[])
    assert words in caught.value.message
    assert (caught.value.key, caught.value.rule) == ("issuers.login.tenants", "R-JWK-15")


def test_a_thousand_tenants_are_built() -> None:
    """R-JWK-15: as many tenants as the bound allows are as many issuers."""
    issuer = template("https://as.example.com", tenants=tuple(map(str, range(1000))))
    assert len(Config(issuers=[issuer], endpoints=[]).issuers) == 1000


def test_two_issuers_cannot_claim_one_tenant() -> None:
    """R-JWK-01: a tenant that is configured beside the template is configured twice."""
    single = Issuer(
        name="mine", issuer="https://as.example.com/a", algorithms=("ES256",), keys=InlineKeys([]), audience=("x",)
    )
    with pytest.raises(ConfigurationError, match="is configured twice"):
        PolicyTable(Config(issuers=[template("https://as.example.com"), single], endpoints=[]))


def test_tenants_are_written_in_a_file() -> None:
    """R-POL-06, R-JWK-15: the file's template is the same as that of Python objects; endpoints name it as a whole."""
    text = """
[issuers.login]
issuer = "https://as.example.com/{tenant}"
jwks_uri = "https://as.example.com/{tenant}/keys"
tenants = ["a", "b"]
audience = "https://api.example.com"
algorithms = "ES256"

[[endpoints]]
match = "/**"
accept = "access"
issuers = "login"
"""
    config = parse(text, name="jwtguard.toml")
    assert config.issuers == template("https://as.example.com").by_tenant()
    assert set(PolicyTable(config).endpoints[0].issuers) == {"login/a", "login/b"}
