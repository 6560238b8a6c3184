"""What the MCP SDK is told by the guard: of callers that the middleware let in, and of tokens it has verified."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from mcp_types import TextContent
from pydantic import AnyHttpUrl
from starlette.types import ASGIApp, Receive, Scope, Send

from jwtguard import (
    Config,
    ConfigurationError,
    Discovery,
    Endpoint,
    Guard,
    Identity,
    Issuer,
    JWTGuardMiddleware,
    Mode,
    Unavailable,
    current_identity,
    identity_of,
)
from jwtguard.adapters.mcp import CurrentIdentity, GuardTokenVerifier, MCPIdentity
from jwtguard.cli.demo.servers import ApiServer
from jwtguard.clock import SystemClock
from jwtguard.core.resource import Resource
from jwtguard.lint.census import Verdict, census
from tests.kit.asgi_calls import Call, Probe, http_scope, lifespan, request
from tests.kit.fake_idp import FakeIdP
from tests.kit.guarded import FORGE, ISSUER, bearer, guard, optional, protected, public, token

pytestmark = pytest.mark.anyio
RESOURCE = "https://api.example.com/mcp"
SERVER = "http://127.0.0.1:8000/mcp"


async def test_nobody_in_front() -> None:
    """R-POL-01: without JWTGuardMiddleware no request gets through: there is nobody to tell the SDK of."""
    probe = Probe()
    with pytest.raises(LookupError, match="JWTGuardMiddleware"):
        await request(MCPIdentity(probe), "POST", "/mcp")
    assert not probe.scopes
    assert (await lifespan(MCPIdentity(probe))).types[0] == "lifespan.startup.complete"


async def test_the_sdk_learns_who_calls() -> None:
    """R-IDN-05: principal, scopes and end are those of the identity, which stays where it was."""
    probe = Probe()
    app = JWTGuardMiddleware(MCPIdentity(probe), guard=guard(protected("/mcp")))
    await request(app, "POST", "/mcp", [bearer(token(sub="ada", client_id="agent", scope="b a"))])
    (scope,) = probe.scopes
    access = scope["user"].access_token
    assert (access.client_id, access.subject, access.claims) == ("agent", "ada", {"iss": FORGE.issuer})
    assert (access.scopes, access.resource) == (["a", "b"], FORGE.audience)
    assert access.expires_at == int(identity_of(scope).good_until)
    assert identity_of(scope).subject == "ada"


async def test_code_of_the_sdk_asks_its_own_way() -> None:
    """R-IDN-05: ``get_access_token``, by which the SDK seals the state that clients carry, knows the caller."""
    seen = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(get_access_token())

    await request(
        JWTGuardMiddleware(MCPIdentity(app), guard=guard(protected("/mcp"))), "POST", "/mcp", [bearer(token(sub="ada"))]
    )
    (access,) = seen
    assert access is not None
    assert access.subject == "ada"
    assert get_access_token() is None


def test_the_census_sees_through_it() -> None:
    """R-POL-01: the routes of an MCP server are counted behind it, so that a policy that misses one is noticed."""
    inner = MCPServer("census").streamable_http_app()
    for match, verdict in (("/mcp", Verdict.COVERED), ("/other", Verdict.UNPROTECTED)):
        policy = guard(protected(match))
        rows = census(JWTGuardMiddleware(MCPIdentity(inner), guard=policy), policy.table)
        assert [(row.path, row.verdict) for row in rows] == [("/mcp", verdict)]


async def test_no_token_is_handed_over() -> None:
    """R-OBS-03: what the SDK holds has no token in it, so no tool passes it on (MCP forbids that) or logs it."""
    probe, credential = Probe(), token()
    await request(
        JWTGuardMiddleware(MCPIdentity(probe), guard=guard(protected("/mcp"))), "POST", "/mcp", [bearer(credential)]
    )
    verified = await GuardTokenVerifier(guard(protected("/mcp"))).verify_token(credential.decode())
    for access in (probe.scopes[0]["user"].access_token, verified):
        assert access.token == ""
        assert credential.decode() not in repr(access)


@pytest.mark.parametrize("endpoint", [public("/mcp"), optional("/mcp")])
async def test_anonymous_callers(endpoint: Endpoint) -> None:
    """R-IDN-05: whoever needs no token has none: the SDK is told of nobody."""
    probe = Probe()
    await request(JWTGuardMiddleware(MCPIdentity(probe), guard=guard(endpoint)), "POST", "/mcp")
    (scope,) = probe.scopes
    assert isinstance(scope["user"], Identity)
    assert not scope["user"].is_authenticated


async def test_the_verifier_accepts() -> None:
    """R-CLS-01: the guard's verdict as the SDK's access token."""
    verified = await GuardTokenVerifier(guard(protected("/mcp"))).verify_token(token(sub="ada").decode())
    assert verified is not None
    assert (verified.subject, verified.client_id, verified.scopes) == ("ada", "client-1", ["reports:read"])


@pytest.mark.parametrize(
    "credential",
    [
        token(aud="https://other.example.com"),
        token(exp=1_767_225_000),
        FORGE.sign(FORGE.access_claims(), key=FORGE.key(), header={"typ": "JWT"}),
        FORGE.sign(FORGE.access_claims(), key=FORGE.key("ES256", "k9")),
        FORGE.sign(FORGE.access_claims(), key=FORGE.key(), signature=b"x" * 64),
        b"junk",
        b"",
        "töken".encode(),
    ],
)
async def test_the_verifier_refuses(credential: bytes) -> None:
    """R-CLS-01: whatever is wrong with a token, the SDK is told no, without a reason."""
    assert await GuardTokenVerifier(guard(protected("/mcp"))).verify_token(credential.decode()) is None


def test_the_verifier_knows_its_classes() -> None:
    """R-CLS-07: a class that nobody signs for us is an error when the server is built, not at its first request."""
    with pytest.raises(ConfigurationError, match="did you mean 'access'"):
        GuardTokenVerifier(guard(protected("/mcp")), accept="acess")


@pytest.mark.parametrize("resource", [None, Resource(RESOURCE), Resource("https://elsewhere.example.com")])
async def test_the_resource_among_several_audiences(resource: Resource | None) -> None:
    """R-GOV-11: of a token's audiences the SDK is told ours, if the policy says which, so that it may compare too."""
    issuer = Issuer(name="login", issuer=FORGE.issuer, audience=(RESOURCE,), algorithms=("ES256",), keys=ISSUER.keys)
    verifier = GuardTokenVerifier(guard(protected("/mcp"), issuers=[issuer], resource=resource))
    verified = await verifier.verify_token(token(aud=["https://first.example.com", RESOURCE]).decode())
    assert verified is not None
    ours = resource is not None and resource.identifier == RESOURCE
    assert verified.resource == (RESOURCE if ours else "https://first.example.com")


@pytest.fixture
def idp() -> Iterator[FakeIdP]:
    """An issuer that can fall silent."""
    with FakeIdP() as running:
        running.set_keys([FORGE.key().public_jwk()])
        yield running


def sdk_guarded(idp: FakeIdP) -> ASGIApp:
    """An MCP server that the SDK itself guards, by our verifier, over keys that must be fetched."""
    issuer = Issuer(name="login", issuer=idp.issuer, audience=(SERVER,), algorithms=("ES256",), keys=Discovery())
    config = Config(issuers=[issuer], endpoints=[protected("/mcp")], resource=Resource(SERVER), mode=Mode.DEVELOPMENT)
    server = MCPServer(
        "told",
        token_verifier=GuardTokenVerifier(Guard(config)),
        auth=AuthSettings(
            issuer_url=AnyHttpUrl(idp.issuer), resource_server_url=AnyHttpUrl(SERVER), validate_token_resource=True
        ),
    )

    @server.tool()
    def told(caller: Annotated[Identity, CurrentIdentity]) -> str:
        """Tell what is known of the caller, in a thread as the SDK runs plain functions."""
        access = get_access_token()
        assert access is not None
        return f"{caller.subject} {current_identity().subject} {access.subject}"

    return server.streamable_http_app()


@pytest.fixture
def api(idp: FakeIdP) -> Iterator[ApiServer]:
    """That server, running."""
    with ApiServer(sdk_guarded(idp)) as server:
        yield server


def field(idp: FakeIdP, **changes: object) -> dict[str, str]:
    """The header field with a token of this issuer, of this moment."""
    claims = FORGE.access_claims(now=SystemClock().now(), iss=idp.issuer, aud=SERVER, **changes)
    return {"Authorization": f"Bearer {FORGE.sign(claims, key=FORGE.key()).decode()}"}


@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # on trio the client leaves generators unfinished, which warn
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_server_that_the_sdk_guards(idp: FakeIdP, api: ApiServer, mode: str) -> None:
    """R-IDN-05: the SDK's client calls a tool there, with and without a session, and the tool knows who it is."""
    async with (
        httpx2.AsyncClient(headers=field(idp, sub="ada"), trust_env=False) as http,
        Client(streamable_http_client(f"{api.url}/mcp", http_client=http), mode=mode) as client,
    ):
        (content,) = (await client.call_tool("told", {})).content
    assert isinstance(content, TextContent)
    assert content.text == "ada ada ada"


async def call(app: ASGIApp, fields: dict[str, str]) -> Call:
    """Send a request to the server, into whose answer nobody looks further than its status."""
    sent = Call()
    scope = http_scope("POST", "/mcp", [(name.lower().encode(), value.encode()) for name, value in fields.items()])

    async def receive() -> dict[str, object]:
        return {"type": "http.request"}

    async def send(message: dict[str, object]) -> None:
        sent.sent.append(message)

    try:
        await app(scope, receive, send)
    except Unavailable as error:
        sent.sent.append({"raised": error})
    return sent


async def test_the_sdk_refuses_with_401(idp: FakeIdP) -> None:
    """R-CLS-01: a token that is not acceptable is the client's to replace."""
    answer = await call(sdk_guarded(idp), field(idp, scope=7))
    assert answer.status == 401
    assert b"resource_metadata=" in (answer.header(b"www-authenticate") or b"")


async def test_the_sdk_cannot_tell(idp: FakeIdP) -> None:
    """R-ERR-05: without keys the SDK has no 503, but it says 500 and not 401: no client throws a good token away."""
    app, fields = sdk_guarded(idp), field(idp)
    idp.stop()
    answer = await call(app, fields)
    assert answer.status == 500
    assert answer.header(b"www-authenticate") is None
    error = answer.sent[-1]["raised"]
    assert fields["Authorization"][7:] not in f"{error!r} {locals_of(error)}"


def locals_of(error: BaseException) -> str:
    """What a log with local variables would show of the frames of ours that an error passed."""
    shown, trace = [], error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename.endswith("adapters/mcp.py"):
            shown.append(repr(trace.tb_frame.f_locals))
        trace = trace.tb_next
    assert shown
    return "\n".join(shown)
