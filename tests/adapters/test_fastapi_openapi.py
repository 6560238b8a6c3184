"""The policy in FastAPI's OpenAPI document: schemes, scopes and refusals of every operation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Security
from fastapi.security import APIKeyHeader, HTTPBearer
from starlette.testclient import TestClient

from jwtguard import BEARER, Carrier, Config, Discovery, Endpoint, Guard, Identity, Issuer, JWTGuardMiddleware, cookie
from jwtguard.adapters.fastapi import CurrentIdentity, current_identity, document
from jwtguard.core.endpoint import CarrierKind, access
from tests.kit.guarded import ISSUER, guard, optional, protected, public

DOCUMENTATION = public("GET /openapi.json", "GET /docs", "GET /docs/oauth2-redirect", "GET /redoc")
REFUSED = ["401", "403", "503"]


def ping() -> str:
    """An endpoint that knows nothing of the guard."""
    return "pong"


def documented(policy: Guard, *routes: tuple[str, str]) -> FastAPI:
    """A documented application of these routes."""
    app = FastAPI()
    for method, path in routes:
        app.add_api_route(path, ping, methods=[method])
    document(app, policy)
    return app


def operation(app: FastAPI, method: str, path: str) -> dict[str, Any]:
    """One operation of the document."""
    found: dict[str, Any] = app.openapi()["paths"][path][method.lower()]
    return found


def demanded(app: FastAPI, method: str, path: str) -> tuple[object, list[str]]:
    """What one operation needs, and the refusals it tells of."""
    found = operation(app, method, path)
    return found.get("security"), [code for code in found["responses"] if code in REFUSED]


def references(value: object) -> Iterator[str]:
    """Every reference in a document."""
    if isinstance(value, dict):
        yield from ([value["$ref"]] if isinstance(value.get("$ref"), str) else [])
        value = list(value.values())
    for part in value if isinstance(value, list) else ():
        yield from references(part)


def check_consistent(schema: dict[str, Any]) -> None:
    """Every reference leads somewhere, every scheme named exists, none is left over, and all of it is JSON."""
    schema = json.loads(json.dumps(schema))
    for reference in references(schema):
        place = schema
        for name in reference.removeprefix("#/").split("/"):
            place = place[name]
    operations = [one for path in schema["paths"].values() for one in path.values()]
    used = {name for one in operations for need in one.get("security", []) for name in need}
    assert used == set(schema.get("components", {}).get("securitySchemes", {}))


def test_routes_of_the_policy_file() -> None:
    """R-POL-12: routes that only the file protects have their scheme, their scopes and their refusals."""
    policy = guard(
        DOCUMENTATION,
        public("GET /public"),
        optional("GET /optional"),
        protected("GET /reports/{id}", scopes=frozenset({"b", "a"})),
        protected("DELETE /reports/{id}", scopes=frozenset({"w"}), any_scopes=frozenset({"x", "y"})),
        protected("/files/**"),
    )
    app = documented(
        policy, ("GET", "/public"), ("GET", "/optional"), ("GET", "/reports/{number}"), ("DELETE", "/reports/{number}"),
        ("PUT", "/files/{rest:path}"), ("GET", "/forgotten"), ("HEAD", "/reports/{number}"),
    )  # fmt: skip
    assert demanded(app, "GET", "/public") == (None, [])
    assert demanded(app, "GET", "/optional") == ([{}, {"bearer": []}], REFUSED)
    assert demanded(app, "GET", "/reports/{number}") == ([{"bearer": ["a", "b"]}], REFUSED)
    assert demanded(app, "HEAD", "/reports/{number}") == ([{"bearer": ["a", "b"]}], REFUSED)
    assert demanded(app, "DELETE", "/reports/{number}") == ([{"bearer": ["w", "x"]}, {"bearer": ["w", "y"]}], REFUSED)
    assert demanded(app, "PUT", "/files/{rest}") == ([{"bearer": []}], REFUSED)
    assert demanded(app, "GET", "/forgotten") == (None, ["403"])
    schemes = app.openapi()["components"]["securitySchemes"]
    assert schemes == {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    check_consistent(app.openapi())


def test_a_literal_in_the_policy_is_not_the_rule() -> None:
    """R-POL-12: an exception for one value of a parameter does not show as the policy of all."""
    policy = guard(public("GET /items/special"), protected("GET /items/{id}"))
    assert demanded(documented(policy, ("GET", "/items/{id}")), "GET", "/items/{id}")[0] == [{"bearer": []}]


def test_decorated_functions() -> None:
    """R-POL-12: policies beside functions are in the document, before the first request too."""
    policy = guard()
    app, router = FastAPI(), APIRouter(prefix="/v1")
    router.get("/reports")(policy.protect(access(scopes={"reports:read"}))(ping))
    app.include_router(router)
    app.get("/health")(policy.public(ping))
    document(app, policy)
    assert demanded(app, "GET", "/v1/reports") == ([{"bearer": ["reports:read"]}], REFUSED)
    assert demanded(app, "GET", "/health") == (None, [])


def test_scopes_of_security() -> None:
    """R-POL-07: the scopes that ``Security`` demands stand beside those of the policy; ours is no scheme of its own."""
    app = FastAPI()
    read = frozenset({"read"})

    @app.get("/write")
    @app.get("/optional")
    def write(caller: Annotated[Identity, Security(current_identity, scopes=["write"])]) -> str:
        return caller.subject

    @app.get("/who")
    @app.get("/public")
    def who(caller: Annotated[Identity, CurrentIdentity]) -> str:
        return caller.subject

    endpoints = [protected("GET /write", "GET /who", scopes=read), optional("GET /optional"), public("GET /public")]
    document(app, guard(*endpoints))
    assert demanded(app, "GET", "/write") == ([{"bearer": ["read", "write"]}], REFUSED)
    assert demanded(app, "GET", "/optional")[0] == [{"bearer": ["write"]}]  # anonymous callers are refused there
    assert demanded(app, "GET", "/who")[0] == [{"bearer": ["read"]}]
    assert demanded(app, "GET", "/public") == (None, [])
    check_consistent(app.openapi())


def test_carriers_and_issuers() -> None:
    """R-POL-12: every way to bring a token is a scheme: headers, cookies, and issuers that publish their metadata."""
    login = Issuer(
        name="log in", issuer="https://login.example.com/", algorithms=("ES256",), keys=Discovery(), audience=("x",)
    )
    carriers = (BEARER, cookie("__Host-t!"), Carrier(CarrierKind.HEADER, "x-token", "jwt"))
    policy = guard(protected("GET /a", carriers=carriers, scopes=frozenset({"s"})), issuers=[login])
    app = documented(policy, ("GET", "/a"))
    assert app.openapi()["components"]["securitySchemes"] == {
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
        "openid_log_in": {
            "type": "openIdConnect",
            "openIdConnectUrl": "https://login.example.com/.well-known/openid-configuration",
        },
        "cookie___Host-t_": {"type": "apiKey", "in": "cookie", "name": "__Host-t!"},
        "header_x-token": {
            "type": "apiKey", "in": "header", "name": "x-token",
            "description": "The scheme `jwt`, a space, and the token.",
        },
    }  # fmt: skip
    assert {name for need in operation(app, "GET", "/a")["security"] for name in need} == {
        "bearer", "openid_log_in", "cookie___Host-t_", "header_x-token",
    }  # fmt: skip
    assert all(list(need.values()) == [["s"]] for need in operation(app, "GET", "/a")["security"])


def test_what_the_application_demands_itself_stays() -> None:
    """R-POL-12: schemes of the application's own are demanded together with ours, and keep their names."""
    app = FastAPI()

    @app.get("/both")
    def both(key: Annotated[str, Depends(APIKeyHeader(name="x-key", scheme_name="key"))]) -> str:
        return key

    @app.get("/named", responses={403: {"description": "own"}})
    def named(token: Annotated[object, Depends(HTTPBearer(scheme_name="bearer", description="own"))]) -> None: ...

    document(app, guard(protected("/**")))
    assert operation(app, "GET", "/both")["security"] == [{"jwtguard_bearer": [], "key": []}]
    assert operation(app, "GET", "/named")["security"] == [{"jwtguard_bearer": [], "bearer": []}]
    assert operation(app, "GET", "/named")["responses"]["403"]["description"] == "own"
    check_consistent(app.openapi())


def test_the_body_of_a_refusal() -> None:
    """R-ERR-08: the schemas of a refusal's body are those of what clients get, in both forms."""
    app = documented(guard(DOCUMENTATION, protected("GET /a")), ("GET", "/a"))
    app.add_middleware(JWTGuardMiddleware, guard=guard(DOCUMENTATION, protected("GET /a")))
    client = TestClient(app, base_url="https://testserver")
    schema = client.get("/openapi.json").json()
    content = schema["paths"]["/a"]["get"]["responses"]["401"]["content"]
    assert list(content) == ["application/json", "application/problem+json"]
    for form, described in content.items():
        answer = client.get("/a", headers={"accept": form})
        body = schema["components"]["schemas"][described["schema"]["$ref"].rpartition("/")[2]]
        assert (answer.status_code, answer.headers["content-type"]) == (401, form)
        assert set(answer.json()) == set(body["properties"]) == set(body["required"])
        assert answer.json().get("error") in body["properties"].get("error", {}).get("enum", [None])


def test_the_document_is_made_once() -> None:
    """R-POL-12: FastAPI's cache stays in force: the same document until routes or policy change."""
    app = documented(guard(protected("GET /a"), protected("GET /b")), ("GET", "/a"))
    first = app.openapi()
    assert app.openapi() is first
    app.add_api_route("/b", ping)
    assert demanded(app, "GET", "/b")[0] == [{"bearer": []}]
    assert "security" not in (app.openapi_schema or {})["paths"]["/a"]["get"]


def test_a_reload_shows() -> None:
    """R-POL-06: after a reload the document tells of the new policy."""
    policy = guard(protected("GET /a"))
    app = documented(policy, ("GET", "/a"))
    assert demanded(app, "GET", "/a")[0] == [{"bearer": []}]
    endpoint = Endpoint(match=("GET /a",), accept=("access",), scopes=frozenset({"new"}))
    policy.reload(Config(issuers=[ISSUER], endpoints=[endpoint]))
    assert demanded(app, "GET", "/a")[0] == [{"bearer": ["new"]}]
    policy.reload(Config(issuers=[ISSUER], endpoints=[public("GET /a")]))
    assert demanded(app, "GET", "/a") == (None, [])
    assert "components" not in app.openapi() or "securitySchemes" not in app.openapi()["components"]


@pytest.mark.parametrize("root_path", ["", "/proxied"])
def test_mounted_applications(root_path: str) -> None:
    """F60: a mounted application's document tells of the policies for its paths below the mount."""
    policy = guard(
        DOCUMENTATION,
        public("GET /sub/openapi.json"),
        protected("GET /sub/a", scopes=frozenset({"below"})),
        protected("GET /a", scopes=frozenset({"above"})),
    )
    app, sub = FastAPI(), FastAPI()
    sub.add_api_route("/a", ping)
    app.add_api_route("/a", ping)
    app.mount("/sub", sub)
    document(app, policy)
    app.add_middleware(JWTGuardMiddleware, guard=policy)
    client = TestClient(app, base_url="https://testserver", root_path=root_path)
    for path, scope in (("/openapi.json", "above"), ("/sub/openapi.json", "below")):
        schema = client.get(root_path + path).json()
        assert schema["paths"]["/a"]["get"]["security"] == [{"bearer": [scope]}]
        check_consistent(schema)
