"""The allowlist of a backend: what may be called, and every way around it."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwtguard import ConfigurationError
from jwtguard.endpoints.targets import Targets
from tests.properties.bounded import examples

API = "https://api.internal"
LIST = (f"GET {API}/reports/**", f"POST {API}/reports", "DELETE https://other.internal:8443/reports/{id}/notes")
TARGETS = Targets(LIST)


@pytest.mark.parametrize(
    ("method", "path", "query", "url"),
    [
        ("GET", "/reports", b"", f"{API}/reports"),
        ("HEAD", "/reports/7", b"", f"{API}/reports/7"),
        ("GET", "/reports/7/notes", b"page=2&q=a%20b", f"{API}/reports/7/notes?page=2&q=a%20b"),
        ("POST", "/reports", b"", f"{API}/reports"),
        ("DELETE", "/reports/7/notes", b"", "https://other.internal:8443/reports/7/notes"),
        ("GET", "/reports/für alle?#", b"", f"{API}/reports/f%C3%BCr%20alle%3F%23"),
        ("GET", "/reports/@evil.example", b"", f"{API}/reports/%40evil.example"),
        ("GET", "/reports/...", b"", f"{API}/reports/..."),
    ],
)
def test_what_is_listed_is_called(method: str, path: str, query: bytes, url: str) -> None:
    """R-STO-10: method, host and path on the list lead to that URL, whose path is written anew."""
    assert TARGETS.find(method, path, query) == url


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/reports/7"),  # another method
        ("PUT", "/reports"),
        ("", "/reports"),  # a method in lower case
        ("OPTIONS", "/reports"),
        ("GET", "/admin"),
        ("GET", "/Reports"),
        ("GET", "/reportsx"),
        ("GET", "/"),
        ("GET", ""),
        ("DELETE", "/reports/7"),
        ("GET", "/reports/../admin"),
        ("GET", "/reports/.."),
        ("GET", "/reports/./7"),
        ("GET", "/reports/7/../8"),  # would stay inside, and is still read in two ways
        ("GET", "//reports"),
        ("GET", "/reports//7"),
        ("GET", "/reports/..\\admin"),
        ("GET", "/reports/%2e%2e/admin"),  # sent as %252e%252e
        ("GET", "/reports/%2Fadmin"),
        ("GET", "/reports/..;/admin"),
        ("GET", "/reports/..;x=1/admin"),
        ("GET", "/reports/7\r\nHost: evil.example"),
        ("GET", "/reports/7\x00"),
        ("GET", "/reports/\ufffd"),
        ("GET", "https://evil.example/reports"),
        ("GET", "//evil.example/reports"),
        ("GET", "@evil.example/reports"),
        ("GET", "outside of root_path"),
    ],
)
def test_what_is_not_listed_is_not_called(method: str, path: str) -> None:
    """R-STO-10: dot segments, second encodings, absolute URLs, other methods and other spellings are on no list."""
    assert TARGETS.find(method, path, b"") is None


@pytest.mark.parametrize("query", [b"a#b", b"a b", b"a\r\nX: 1", b"\xff", b"\x00"])
def test_a_query_is_a_query(query: bytes) -> None:
    """R-STO-10: a query that could end the request line, or the query itself, is not passed on."""
    assert TARGETS.find("GET", "/reports", b"plain=1") is not None
    assert TARGETS.find("GET", "/reports", query) is None


@examples(500)
@given(path=st.text(alphabet="/.%;\\@:?#a2eF reports\u2215\uff0e\x00", max_size=24))
def test_no_path_leads_off_the_list(path: str) -> None:
    """R-STO-10: whatever the path, what is called is at the listed origin and path, and reads as it came."""
    url = TARGETS.find("GET", f"/reports{path}", b"")
    if url is not None:
        parts = urlsplit(url)
        assert (parts.scheme, parts.netloc, parts.query, parts.fragment) == ("https", "api.internal", "", "")
        assert unquote(parts.path) == unquote(unquote(parts.path)) == f"/reports{path}"
        assert parts.path == "/reports" or parts.path.startswith("/reports/")
        assert not {".", "..", ""} & set(parts.path[1:].rstrip("/").split("/"))


@pytest.mark.parametrize(
    "entry",
    [
        "https://api.internal/**",  # no method
        "/reports",
        "",
        "GET api.internal/reports",
        "GET http://api.internal/reports",  # without TLS
        "GET http://127.evil.example/reports",
        "GET http://localhost.evil.example/reports",
        "GET https://api.internal",  # no path
        "GET https://user@api.internal/reports",
        "GET https://API.internal/reports",
        "GET https://api.internal:443/reports",  # the port that goes without saying
        "GET https://api.internal/reports?all=1",
        "GET https://api.internal/*/reports",
        "GET ftp://api.internal/reports",
        "HEAD https://api.internal/reports",
        "WEBSOCKET https://api.internal/feed",
        "CONNECT https://api.internal/reports",
        "GTE https://api.internal/reports",
    ],
)
def test_what_cannot_be_listed(entry: str) -> None:
    """R-STO-10: an entry names a method, an origin as browsers spell it, and a path of the policies' grammar."""
    with pytest.raises(ConfigurationError):
        Targets([entry])


@pytest.mark.parametrize("host", ["127.0.0.1:8811", "localhost:8811", "[::1]:8811", "localhost"])
def test_loopback_needs_no_tls(host: str) -> None:
    """R-STO-10: the own machine may be called over plain http."""
    assert Targets(f"GET http://{host}/**").find("GET", "/a", b"") == f"http://{host}/a"


def test_an_empty_or_ambiguous_list() -> None:
    """R-STO-10: a list of nothing, and one in which a path leads to two hosts, are refused when they are built."""
    for entries in ([], [f"GET {API}/a", "GET https://other.internal/a"], [f"GET {API}/a/{{x}}", f"GET {API}/{{y}}/b"]):
        with pytest.raises(ConfigurationError):
            Targets(entries)
