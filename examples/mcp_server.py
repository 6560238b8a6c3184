"""An MCP server behind jwtguard: what it demands, who calls a tool, and a tool that demands more.

make demo ARGS=--serve                      # an issuer; prints how to get a token
uvicorn --app-dir examples mcp_server:app   # this server: http://127.0.0.1:8000/mcp
curl -i -X POST http://127.0.0.1:8000/mcp   # 401; its resource_metadata tells an MCP client where to log in
"""

from __future__ import annotations

from typing import Annotated

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from jwtguard import Config, Discovery, Endpoint, Guard, Identity, Issuer, JWTGuardMiddleware, Mode, Resource
from jwtguard.adapters.mcp import CurrentIdentity, MCPIdentity

LOGIN = Issuer(
    name="demo",
    issuer="http://127.0.0.1:8812",
    audience=("https://api.example.com",),  # of the demo's tokens; a real issuer's name the resource below
    algorithms=("ES256",),
    keys=Discovery(),
)
TOOLS = Endpoint(match=["/mcp"], accept=["access"], any_scopes=frozenset({"reports:read", "reports:write"}))
guard = Guard(
    Config(
        issuers=[LOGIN],
        endpoints=[TOOLS],
        resource=Resource("http://127.0.0.1:8000/mcp", name="Reports"),
        mode=Mode.DEVELOPMENT,  # for plain http on loopback; leave it out in production
    )
)

server = MCPServer("reports")
Caller = Annotated[Identity, CurrentIdentity]


@server.tool()
async def list_reports(caller: Caller) -> str:
    """List the reports that the caller may read."""
    return f"reports 7 and 8, for {caller.subject}"


@server.tool()
async def publish_report(title: str, caller: Caller) -> str:
    """Publish a report."""
    if "reports:write" not in caller.scopes:
        message = "publish_report needs the scope reports:write"
        raise ToolError(message)
    return f"published {title!r} by {caller.subject}"


app = JWTGuardMiddleware(MCPIdentity(server.streamable_http_app()), guard=guard)
