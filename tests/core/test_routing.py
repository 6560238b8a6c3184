"""Routing: exactly one policy covers a request, or nobody passes (R-POL-01)."""

from __future__ import annotations

import pytest

from jwtguard import Access, Reason
from jwtguard.core.request import RequestHead
from jwtguard.core.routing import route
from tests.core.policies import endpoint, table, told

TABLE = table(
    endpoint("GET /a", name="a"), endpoint("/b/**", name="b"), endpoint("/b/x", access=Access.PUBLIC, accept=())
)


def head(method: str, path: str, *headers: tuple[bytes, bytes]) -> RequestHead:
    """A request over https."""
    return RequestHead(method, path, headers, "https")


@pytest.mark.parametrize(
    ("method", "path", "name"), [("GET", "/a", "a"), ("HEAD", "/a", "a"), ("PUT", "/b/c", "b"), ("GET", "/b/x", "/b/x")]
)
def test_the_policy_of_a_request(method: str, path: str, name: str) -> None:
    """R-POL-04, R-POL-05: method and path select the most specific policy."""
    assert route(TABLE, head(method, path)).name == name


@pytest.mark.parametrize(("method", "path"), [("POST", "/a"), ("GET", "/"), ("GET", "/a/"), ("get", "/a"), ("", "")])
def test_no_policy_no_entrance(method: str, path: str) -> None:
    """R-POL-01: what nobody wrote a policy for is refused, and the refusal repeats nothing of the request."""
    refused = told(lambda: route(TABLE, head(method, path)))
    assert refused == (Reason.NO_POLICY, "endpoint policy", "a policy for this method and path", None)


@pytest.mark.parametrize(
    "name",
    [
        b"x-http-method-override",
        b"x-method-override",
        b"x-original-url",
        b"x-rewrite-url",
        b"host",
        b"x-forwarded-host",
    ],
)
def test_headers_do_not_route(name: bytes) -> None:
    """R-POL-04, F59: no header changes which policy covers a request."""
    fields = [(name, value) for value in (b"GET", b"PUT", b"/b/x")]
    for field in fields:
        assert route(TABLE, head("GET", "/a", field)).name == "a"
    assert told(lambda: route(TABLE, head("POST", "/a", *fields)))[0] is Reason.NO_POLICY
