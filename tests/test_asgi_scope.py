"""How a scope is read: path, method, scheme, and who is local."""

from __future__ import annotations

from typing import Any

import pytest

from jwtguard import Mode
from jwtguard.core.decision import Allowed
from jwtguard.incoming import head_of_scope
from tests.kit.guarded import bearer, guard, protected, public, token


def scope_of(path: str = "/x", **members: Any) -> dict[str, Any]:
    """The scope of a GET request."""
    return {"type": "http", "method": "GET", "path": path, "headers": [], **members}


@pytest.mark.parametrize(
    ("path", "root", "read"),
    [
        ("/open", "", "/open"),
        ("/api/open", "/api", "/open"),
        ("/api/", "/api", "/"),
        ("/api", "/api", ""),
        ("/api/v1/open", "/api/v1", "/open"),
        ("/api/api/open", "/api", "/api/open"),
    ],
)
def test_the_path_is_inside_of_its_root(path: str, root: str, read: str) -> None:
    """F60: the path is read as Starlette routes it: without ``root_path``, whoever set it, which is taken off once."""
    for head in (head_of_scope(scope_of(path, root_path=root)), head_of_scope(scope_of(path), root)):
        assert (head.path, head.root_path) == (read, root)


@pytest.mark.parametrize("path", ["/open", "/apiopen", "/apis/open", "/ap", "/API/open", "/open/api", "//api/open"])
def test_a_path_outside_of_its_root_is_covered_by_nothing(path: str) -> None:
    """F60: what does not begin with the segments of ``root_path`` matches no policy, not even one for everything."""
    head = head_of_scope(scope_of(path, root_path="/api"))
    assert not head.path.startswith("/")
    assert not isinstance(guard(public("/**")).decide_locally(head), Allowed)


def test_what_the_application_will_set_counts_before_what_the_server_set() -> None:
    """F60: FastAPI overwrites ``root_path`` behind the guard, so that one is read."""
    head = head_of_scope(scope_of("/outer/inner/x", root_path="/outer"), "/outer/inner")
    assert (head.path, head.root_path) == ("/x", "/outer/inner")


@pytest.mark.parametrize(
    ("raw_path", "passes"),
    [(b"/%EF%BF%BD", True), (b"/\xef\xbf\xbd", True), (b"/%FF", False), (b"/\xff", False), (b"", False), (None, False)],
)
def test_what_is_no_utf_8_is_covered_by_nothing(raw_path: bytes | None, passes: bool) -> None:  # noqa: FBT001
    """F60: a character that servers put in place of broken bytes counts only if the bytes sent say it themselves."""
    for scope in (scope_of("/\ufffd", raw_path=raw_path), scope_of("/api/\ufffd", raw_path=raw_path, root_path="/api")):
        assert isinstance(guard(public("/**")).decide_locally(head_of_scope(scope)), Allowed) is passes


@pytest.mark.parametrize(
    ("members", "method"),
    [
        ({"method": "HEAD"}, "HEAD"),
        ({"method": "get"}, ""),
        ({"method": "WEBSOCKET"}, ""),
        ({"type": "websocket"}, "WEBSOCKET"),
    ],
)
def test_the_method(members: dict[str, str], method: str) -> None:
    """R-EXT-12: a handshake, and nothing else, has the method WEBSOCKET; what is no method matches nothing."""
    assert head_of_scope(scope_of(**members)).method == method


@pytest.mark.parametrize(
    ("members", "passes"),
    [
        ({"scheme": "https"}, True),
        ({"scheme": "http", "server": ("127.0.0.1", 8000)}, True),
        ({"scheme": "http", "server": ("10.0.0.7", 8000)}, False),
        ({"scheme": "http", "server": ("", None)}, False),
        ({"scheme": "http", "server": (None, None)}, False),
        ({"scheme": "http", "server": None}, False),
        ({"scheme": "http"}, False),
        ({"server": ("10.0.0.7", 443)}, False),
    ],
)
def test_who_is_local(members: dict[str, object], passes: bool) -> None:  # noqa: FBT001
    """R-EXT-09: plain http counts in development alone, and there to a loopback address that the server names."""
    head = head_of_scope(scope_of(**members, headers=[bearer(token())]))
    decision = guard(protected("/x"), mode=Mode.DEVELOPMENT).decide_locally(head)
    assert isinstance(decision, Allowed) is passes
