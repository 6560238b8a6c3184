"""MCP over streamable HTTP: the example as it is under uvicorn, driven by the real client of the SDK."""

from __future__ import annotations

import importlib.util
import json
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import anyio
import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.auth import TokenStorage
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken
from mcp_types import CallToolResult, TextContent

from jwtguard.cli.demo.issuer import DemoIssuer
from jwtguard.cli.demo.servers import ApiServer

EXAMPLE = Path(__file__).parents[2] / "examples" / "mcp_server.py"
BOTH_PROTOCOLS = pytest.mark.parametrize("mode", ["auto", "legacy"])  # without and with sessions
OPENING = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}
NO_FIELDS: Mapping[str, str] = MappingProxyType({})
LISTING = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}


class ClientsIssuer(DemoIssuer):
    """The demo's issuer, with the member that the SDK's client demands of every authorization server."""

    def metadata(self) -> dict[str, object]:
        """Name an authorization endpoint, which client credentials do not need."""
        return {**super().metadata(), "authorization_endpoint": f"{self.issuer}/authorize"}


@dataclass(frozen=True, slots=True)
class World:
    """The example, running, and whose tokens it accepts."""

    issuer: DemoIssuer
    url: str

    @property
    def mcp(self) -> str:
        """The URL of the MCP endpoint, which is also the resource's identifier."""
        return f"{self.url}/mcp"

    def bearer(self, subject: str = "ada", scope: str = "reports:read", **changes: object) -> dict[str, str]:
        """The header field with a token of the issuer."""
        return {"Authorization": f"Bearer {self.issuer.issue_access(subject, scope, **changes)}"}

    def post(self, message: Mapping[str, object] = LISTING, fields: Mapping[str, str] = NO_FIELDS) -> httpx2.Response:
        """Send a message as a client does, and return the bare answer."""
        usual = {"Accept": "application/json, text/event-stream"}
        return httpx2.post(self.mcp, json=message, headers={**usual, **fields}, trust_env=False)


@pytest.fixture
def anyio_backend() -> str:
    """Run the client on asyncio: on trio it leaves generators of its streams unfinished, which warn."""
    return "asyncio"


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """The example with the addresses of issuer and server filled in; nothing else is changed."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with ClientsIssuer() as issuer:
        text = EXAMPLE.read_text("utf-8")
        for written, real in (("http://127.0.0.1:8812", issuer.issuer), ("127.0.0.1:8000", f"127.0.0.1:{port}")):
            assert written in text
            text = text.replace(written, real)
        spec = importlib.util.spec_from_loader("mcp_server", loader=None)
        assert spec is not None
        module = importlib.util.module_from_spec(spec)
        exec(compile(text, str(EXAMPLE), "exec"), module.__dict__)  # noqa: S102 - the example, from this repository
        with ApiServer(module.app, port=port) as server:
            yield World(issuer, server.url)


@asynccontextmanager
async def client(url: str, mode: str = "auto", **http: object) -> AsyncIterator[tuple[Client, httpx2.AsyncClient]]:
    """The SDK's client, and the HTTP client under it."""
    async with (
        httpx2.AsyncClient(trust_env=False, **http) as under,  # type: ignore[arg-type]  # headers or auth
        Client(streamable_http_client(url, http_client=under), mode=mode, cache=None) as connected,
    ):
        yield connected, under


def text_of(result: CallToolResult) -> str:
    """The text a tool answered."""
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


@pytest.mark.anyio
@BOTH_PROTOCOLS
async def test_a_good_token(world: World, mode: str) -> None:
    """R-IDN-05: with a token the client lists the tools and calls one, which knows who called."""
    async with client(world.mcp, mode, headers=world.bearer("ada")) as (connected, _):
        listed = await connected.list_tools()
        assert [tool.name for tool in listed.tools] == ["list_reports", "publish_report"]
        assert "caller" not in json.dumps([tool.input_schema for tool in listed.tools])
        assert text_of(await connected.call_tool("list_reports", {})) == "reports 7 and 8, for ada"


@pytest.mark.anyio
@BOTH_PROTOCOLS
async def test_a_scope_of_a_tool(world: World, mode: str) -> None:
    """R-POL-07: a tool that demands more than its endpoint is refused without the scope, and works with it."""
    async with client(world.mcp, mode, headers=world.bearer()) as (connected, _):
        refused = await connected.call_tool("publish_report", {"title": "Q3"})
        assert refused.is_error
        assert "needs the scope reports:write" in text_of(refused)
    async with client(world.mcp, mode, headers=world.bearer("bob", "reports:write")) as (connected, _):
        assert text_of(await connected.call_tool("publish_report", {"title": "Q3"})) == "published 'Q3' by bob"


@pytest.mark.anyio
@BOTH_PROTOCOLS
async def test_callers_do_not_mix(world: World, mode: str) -> None:
    """R-IDN-05: of many callers at once, each tool call sees its own."""
    names = [f"user-{number}" for number in range(8)]

    async def call(name: str) -> None:
        async with client(world.mcp, mode, headers=world.bearer(name)) as (connected, _):
            for _ in range(3):
                assert text_of(await connected.call_tool("list_reports", {})) == f"reports 7 and 8, for {name}"

    async with anyio.create_task_group() as group:
        for name in names:
            group.start_soon(call, name)


def test_no_token(world: World) -> None:
    """R-ERR-07: without a token 401, and the bare challenge names the metadata (RFC 9728, section 5.1)."""
    answer = world.post()
    assert answer.status_code == 401
    expected = f'Bearer resource_metadata="{world.url}/.well-known/oauth-protected-resource/mcp"'
    assert answer.headers["WWW-Authenticate"] == expected


def test_the_metadata(world: World) -> None:
    """R-GOV-11: the challenge leads to metadata that name this very server, its issuer and its scopes."""
    challenge = world.post().headers["WWW-Authenticate"]
    answer = httpx2.get(challenge.partition('"')[2].rstrip('"'), trust_env=False)
    assert answer.json() == {
        "resource": world.mcp,
        "authorization_servers": [world.issuer.issuer],
        "scopes_supported": ["reports:read", "reports:write"],
        "bearer_methods_supported": ["header"],
        "resource_name": "Reports",
    }


def test_an_id_token(world: World) -> None:
    """R-CLS-01: proof of a login is no access token, whoever signed it."""
    answer = world.post(fields={"Authorization": f"Bearer {world.issuer.issue_id_token('ada')}"})
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    assert "resource_metadata=" in answer.headers["WWW-Authenticate"]


def test_a_token_for_another_service(world: World) -> None:
    """R-CLM-03: a token that the client got for another resource is refused, so nobody can pass theirs on to us."""
    answer = world.post(fields=world.bearer(aud="https://other.example.com"))
    assert answer.status_code == 401
    assert world.post(fields=world.bearer()).status_code != 401  # it is the audience, nothing else


def test_no_scope_at_all(world: World) -> None:
    """R-POL-07: without any scope of the endpoint 403; the challenge names what a client may ask for in addition."""
    answer = world.post(fields=world.bearer(scope="admin"))
    assert answer.status_code == 403
    challenge = answer.headers["WWW-Authenticate"]
    assert challenge.startswith('Bearer error="insufficient_scope"')
    assert 'scope="reports:read reports:write"' in challenge
    assert "resource_metadata=" in challenge


@pytest.mark.parametrize("path", ["/mcp/", "/mcp/x", "/", "/sse", "/messages"])
def test_nothing_else_is_open(world: World, path: str) -> None:
    """R-POL-01: a path that no endpoint names is closed, with the best of tokens."""
    answer = httpx2.post(f"{world.url}{path}", headers=world.bearer(), trust_env=False)
    assert answer.status_code == 403


def test_a_session_belongs_to_its_caller(world: World) -> None:
    """R-IDN-05: whoever learns the id of a session cannot join it under another identity (the SDK says 404)."""
    opened = world.post(OPENING, world.bearer("ada"))
    session = {"Mcp-Session-Id": opened.headers["Mcp-Session-Id"]}
    assert world.post(LISTING, {**world.bearer("bob"), **session}).status_code == 404
    assert world.post(LISTING, session).status_code == 401
    assert world.post(LISTING, {**world.bearer("ada"), **session}).status_code == 200  # with a renewed token


class Memory(TokenStorage):
    """The client's own storage."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None

    async def get_tokens(self) -> OAuthToken | None:
        """What it was given."""
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        """Keep them."""
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        """It was registered by hand."""
        return None

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """Refuse: there is nothing to register."""
        raise AssertionError(client_info)


@pytest.mark.anyio
@BOTH_PROTOCOLS
async def test_a_client_finds_its_way(world: World, mode: str) -> None:
    """R-ERR-07, R-GOV-11: from the URL of the server alone, the SDK's client gets a token and calls a tool."""
    storage = Memory()
    issuer = world.issuer
    auth = ClientCredentialsOAuthProvider(
        world.mcp, storage, issuer.client_id, issuer.client_secret, issuer=issuer.issuer
    )
    async with client(world.mcp, mode, auth=auth) as (connected, _):
        answer = text_of(await connected.call_tool("list_reports", {}))
    assert answer == f"reports 7 and 8, for {issuer.client_id}"
    assert storage.tokens is not None
    assert storage.tokens.scope == "reports:read reports:write"  # what the metadata told it to ask for


@pytest.mark.anyio
async def test_a_client_without_a_token(world: World) -> None:
    """R-EXT-01: the SDK's client gets no further than the refusal."""
    with pytest.raises(BaseExceptionGroup) as ended:
        async with client(world.mcp, "legacy"):
            pass
    assert ended.group_contains(MCPError, depth=None)


def test_the_page_shows_the_example() -> None:
    """R-GOV-10: what docs/mcp.md says about tools and the application is what the example runs."""
    page = (EXAMPLE.parents[1] / "docs" / "mcp.md").read_text("utf-8")
    first, second = [block.partition("```")[0] for block in page.split("```python\n")[1:3]]
    shown = [line.strip() for line in (*first.splitlines()[1:], second.splitlines()[0]) if line]
    assert len(shown) == 8
    assert not set(shown) - {line.strip() for line in EXAMPLE.read_text("utf-8").splitlines()}
