"""Protected resource metadata: what the policies say in public, and where (RFC 9728)."""

from __future__ import annotations

import json
from datetime import date

import pytest

from jwtguard import Access, Audience, Carrier, ConfigurationError, Endpoint, InlineKeys, Issuer, Legacy, Marker, cookie
from jwtguard.core.endpoint import BEARER, CarrierKind
from jwtguard.core.metadata import Publication, metadata_answer, metadata_document
from jwtguard.core.resource import Resource
from jwtguard.core.table import PolicyTable
from tests.core.policies import FORGE, KEY, LOGIN, endpoint, table

API = Resource("https://resource.example.com")
X_TOKEN = Carrier(CarrierKind.HEADER, "x-token", "jwt")


def server(url: str, name: str, **changes: object) -> Issuer:
    """Another authorization server for the same audience, with the same key."""
    columns: dict[str, object] = {
        "name": name,
        "issuer": url,
        "audience": (FORGE.audience,),
        "client_id": ("app",),
        "algorithms": ("ES256",),
        "keys": InlineKeys([KEY.public_jwk()]),
    }
    return Issuer(**{**columns, **changes})  # type: ignore[arg-type]  # columns of an Issuer, whatever they are


def document(*endpoints: Endpoint, resource: Resource = API, **changes: object) -> dict[str, object]:
    """The metadata of these endpoints."""
    return metadata_document(table(*endpoints, **changes), resource)


@pytest.mark.parametrize(
    ("identifier", "url"),
    [
        ("https://resource.example.com", "https://resource.example.com/.well-known/oauth-protected-resource"),
        (
            "https://resource.example.com/resource1",
            "https://resource.example.com/.well-known/oauth-protected-resource/resource1",
        ),
        ("https://resource.example.com/", "https://resource.example.com/.well-known/oauth-protected-resource"),
        ("https://a.example:8443/v1/mcp", "https://a.example:8443/.well-known/oauth-protected-resource/v1/mcp"),
        ("https://a.example/mcp/", "https://a.example/.well-known/oauth-protected-resource/mcp/"),
        ("https://[2001:db8::1]/mcp", "https://[2001:db8::1]/.well-known/oauth-protected-resource/mcp"),
        ("http://localhost:8000/mcp", "http://localhost:8000/.well-known/oauth-protected-resource/mcp"),
    ],
)
def test_where_it_is(identifier: str, url: str) -> None:
    """R-GOV-11: the well-known path goes between host and path; only the slash after the host falls away (§3.1)."""
    resource = Resource(identifier)
    assert resource.metadata_url == url
    assert url.endswith(resource.metadata_path)
    assert resource.metadata_path.startswith("/.well-known/oauth-protected-resource")


@pytest.mark.parametrize(
    "identifier",
    [
        "",
        "api",
        "urn:example:api",
        "//api.example.com",
        "api.example.com/mcp",
        "https://",
        "https:///mcp",
        "ftp://api.example.com",
        "http://api.example.com",
        "http://127.0.0.1.example.com/mcp",
        "http://localhost.example.com",
        "https://api.example.com?",
        "https://api.example.com/mcp?tenant=1",
        "https://api.example.com#",
        "https://api.example.com/mcp#part",
        "https://user@api.example.com",
        "https://user:password@api.example.com/mcp",
        "https://@api.example.com",
        "https://api.example.com:port/mcp",
        "https://api.example.com:/mcp",
        "https://api.example.com:65536/mcp",
        "https://[::1/mcp",
        "https://api.example.com/a b",
        "https://api.example.com/a\n",
        " https://api.example.com/a",
        'https://api.example.com/", error="x',
        "https://api.example.com/a\\b",
        "https://api.example.com/{tenant}",
        "https://api.example.com/a%2Fb",
        "https://api.example.com/%6Dcp",
        "https://api.example.com//mcp",
        "https://api.example.com/a/../mcp",
        "https://api.example.com/./mcp",
        "https://api.example.com/mcp/..",
        "https://äpi.example.com/mcp",
    ],
)
def test_identifiers_of_two_readings(identifier: str) -> None:
    """R-GOV-11: what is no plain https URL of host and path is an error that names the key; http is for loopback."""
    with pytest.raises(ConfigurationError) as caught:
        Resource(identifier)
    assert (caught.value.key, caught.value.rule) == ("resource.identifier", "R-GOV-11")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8000", "[::1]:8000"])
def test_loopback_may_use_http(host: str) -> None:
    """R-GOV-11: a developer's own machine needs no certificate."""
    assert Resource(f"http://{host}/mcp").metadata_path.endswith("/mcp")


@pytest.mark.parametrize(
    ("column", "value"),
    [("name", "a\nb"), ("name", "a\x1b[31m"), ("documentation", "docs"), ("documentation", "javascript:alert(1)")],
)
def test_what_is_shown_to_people(column: str, value: str) -> None:
    """R-GOV-11: a client may show the name and link the page, so neither may do more than be shown."""
    with pytest.raises(ConfigurationError) as caught:
        Resource("https://api.example.com", **{column: value})
    assert (caught.value.key, caught.value.rule) == (f"resource.{column}", "R-GOV-11")


def test_the_example_of_the_rfc() -> None:
    """R-GOV-11: the example of RFC 9728, section 3.2, comes out of policies, without the form body."""
    one, two = server("https://as1.example.com", "one"), server("https://as2.example.net", "two")
    found = document(
        endpoint("/me", scopes=frozenset({"profile", "email"})),
        endpoint("/phone", any_scopes=frozenset({"phone"})),
        issuers=[one, two],
        resource=Resource(
            "https://resource.example.com", documentation="https://resource.example.com/resource_documentation.html"
        ),
    )
    assert found == {
        "resource": "https://resource.example.com",
        "authorization_servers": ["https://as1.example.com", "https://as2.example.net"],
        "scopes_supported": ["email", "phone", "profile"],
        "bearer_methods_supported": ["header"],
        "resource_documentation": "https://resource.example.com/resource_documentation.html",
    }


def test_what_is_empty_is_left_out() -> None:
    """R-GOV-11: a member without a value is omitted (§3.2), and nothing is made up for it."""
    assert document(endpoint("/x")) == {
        "resource": API.identifier,
        "authorization_servers": [LOGIN.issuer],
        "bearer_methods_supported": ["header"],
    }
    assert document(Endpoint(match=("/x",), access=Access.PUBLIC)) == {"resource": API.identifier}


def test_a_name_for_people() -> None:
    """R-GOV-11: the name is published as written, in ASCII on the wire."""
    answer = metadata_answer(table(endpoint()), Resource("https://api.example.com", "Bücher"))
    assert answer.body.isascii()
    assert json.loads(answer.body)["resource_name"] == "Bücher"


@pytest.mark.parametrize("carrier", [cookie("__Host-session"), X_TOKEN])
def test_only_bearer_tokens_count(carrier: Carrier) -> None:
    """R-GOV-11: an endpoint that takes no bearer token in Authorization adds neither issuer nor scope."""
    own = server("https://own.example.com", "own")
    hidden = endpoint("/web", carriers=(carrier,), issuers=("own",), scopes=frozenset({"web"}))
    open_ = endpoint("/api", carriers=(BEARER,), issuers=("login",), scopes=frozenset({"api"}))
    found = document(hidden, open_, issuers=[own, LOGIN])
    assert found["authorization_servers"] == [LOGIN.issuer]
    assert found["scopes_supported"] == ["api"]
    both = endpoint("/web", carriers=(carrier, BEARER), issuers=("own",), scopes=frozenset({"web"}))
    assert document(both, open_, issuers=[own, LOGIN])["authorization_servers"] == [own.issuer, LOGIN.issuer]


def test_issuers_that_no_endpoint_accepts() -> None:
    """R-GOV-11: an issuer that only guard.verify knows is not advertised."""
    other = server("https://other.example.com", "other")
    found = document(endpoint("/x", issuers=("login",)), issuers=[other, LOGIN])
    assert found["authorization_servers"] == [LOGIN.issuer]


def test_optional_endpoints_count() -> None:
    """R-GOV-11: where a token is optional, one may still be sent."""
    assert document(endpoint("/x", access=Access.OPTIONAL))["authorization_servers"] == [LOGIN.issuer]


def test_issuers_without_a_url() -> None:
    """R-GOV-11: an issuer that is no URL has no metadata (RFC 8414, §2), so no client could use it."""
    own = server("reports-backend", "own")
    assert document(endpoint("/x"), issuers=[own, LOGIN])["authorization_servers"] == [LOGIN.issuer]


def test_tenants_are_nobody_elses_business() -> None:
    """R-GOV-11: the tenants of a multi-tenant issuer are a list of customers, and not published."""
    customer = server("https://sts.example.com/customer-1/v2", "entra/customer-1", family="entra")
    assert document(endpoint("/x"), issuers=[customer, LOGIN])["authorization_servers"] == [LOGIN.issuer]


def test_tokens_that_no_request_carries() -> None:
    """R-GOV-11: the issuer of a login is not one that clients could get an access token from."""
    login = server("https://people.example.com", "people")
    back = Endpoint(match=("/back",), access=Access.LOGIN, accept=("id_token",), issuers=("people",))
    found = document(back, endpoint("/x", issuers=("login",)), issuers=[login, LOGIN])
    assert found["authorization_servers"] == [LOGIN.issuer]


def test_an_issuer_is_named_once() -> None:
    """R-GOV-11: several classes and endpoints of one issuer are one entry."""
    legacy = Legacy(Marker("token_use", frozenset({"access"})), date(2026, 1, 1))
    both = server("https://as1.example.com", "one", legacy=legacy, audiences={Audience.ISSUER: ("x",)})
    found = document(endpoint("/x", accept=("access", "access_legacy")), endpoint("/y"), issuers=[both])
    assert found["authorization_servers"] == ["https://as1.example.com"]


@pytest.fixture
def publication() -> Publication:
    """What is published of one endpoint."""
    built: PolicyTable = table(endpoint("/mcp", scopes=frozenset({"tools"})))
    return Publication(built, Resource("https://api.example.com/mcp"))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_answer(publication: Publication, method: str) -> None:
    """R-GOV-11: 200 with JSON (§3.2), cacheable, and readable by clients in browsers."""
    answer = publication.answer(method)
    assert publication.path == "/.well-known/oauth-protected-resource/mcp"
    assert answer.status == 200
    assert dict(answer.headers) == {
        b"content-type": b"application/json",
        b"content-length": str(len(answer.body)).encode(),
        b"cache-control": b"public, max-age=3600",
        b"access-control-allow-origin": b"*",
    }
    assert json.loads(answer.body)["resource"] == "https://api.example.com/mcp"


def test_a_preflight(publication: Publication) -> None:
    """R-GOV-11: an MCP client in a browser sends a header of its own, so its browser asks first."""
    answer = publication.answer("OPTIONS")
    fields = dict(answer.headers)
    assert (answer.status, answer.body) == (204, b"")
    assert fields[b"access-control-allow-origin"] == b"*"
    assert fields[b"access-control-allow-headers"] == b"*"
    assert b"content-length" not in fields  # RFC 9110, section 8.6: never with 204
    assert b"access-control-allow-credentials" not in fields


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "WEBSOCKET", "get", ""])
def test_other_methods(publication: Publication, method: str) -> None:
    """R-GOV-11: the guard alone answers at this path, so another method is 405 and reaches no policy."""
    answer = publication.answer(method)
    assert (answer.status, answer.body) == (405, b"")
    assert dict(answer.headers)[b"allow"] == b"GET, HEAD, OPTIONS"


def test_nothing_is_written_for_a_request(publication: Publication) -> None:
    """R-GOV-11: every request gets the same bytes; a flood costs no JSON."""
    assert publication.answer("GET") is publication.answer("HEAD")
