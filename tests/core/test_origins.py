"""Origins: what a URL's is, in the spelling of browsers, and what cannot be one."""

from __future__ import annotations

import pytest

from jwtguard import ConfigurationError
from jwtguard.core.origins import check_origins, origin_of


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://app.example.com", "https://app.example.com"),
        ("https://app.example.com/page?next=https://evil.example.net#x", "https://app.example.com"),
        ("HTTPS://App.Example.COM/", "https://app.example.com"),
        ("https://app.example.com:443/", "https://app.example.com"),
        ("http://app.example.com:80/", "http://app.example.com"),
        ("https://app.example.com:/", "https://app.example.com"),
        ("https://app.example.com:80/", "https://app.example.com:80"),
        ("http://app.example.com:443/", "http://app.example.com:443"),
        ("https://app.example.com:8443/", "https://app.example.com:8443"),
        ("https://app.example.com:65535/", "https://app.example.com:65535"),
        ("https://[::1]/", "https://[::1]"),
        ("https://[2001:DB8::1]:8443/", "https://[2001:db8::1]:8443"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000"),
    ],
)
def test_the_origin_of_a_url(url: str, origin: str) -> None:
    """R-STO-03: an origin is scheme, host and port: in lower case, without the port that the scheme implies."""
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    "url",
    [
        "",
        "null",
        "*",
        "/page",
        "//app.example.com/page",
        "app.example.com",
        "https:",
        "https://",
        "https:///page",
        "https://:443/",
        "ftp://app.example.com/",
        "wss://app.example.com/",
        "data:text/html,https://app.example.com",
        "https://app.example.com:65536/",
        "https://app.example.com:x/",
        "https://[::1/",
        "https://bücher.example/",
        "https://user@app.example.com/",
        "https://@app.example.com/",
        "https://app.example.com:443@evil.example.net/",
        "https://evil.example.net\\@app.example.com/",
    ],
)
def test_what_has_no_origin(url: str) -> None:
    """R-STO-03: what is no http URL of a host, or names a user before it, has no origin to be trusted by."""
    assert origin_of(url) is None


def test_every_origin_is_looked_at() -> None:
    """R-STO-03: a list of origins is refused for any of them, which the message names, and its column with it."""
    check_origins((), "endpoints.x.origins")
    check_origins(("https://a.example", "http://localhost:8000"), "endpoints.x.origins")
    for wrong, told in (("b.example", "is no origin"), ("https://b.example/", "did you mean 'https://b.example'")):
        with pytest.raises(ConfigurationError, match=f"'{wrong}'.*{told}") as caught:
            check_origins(("https://a.example", wrong), "endpoints.x.origins")
        assert (caught.value.key, caught.value.rule) == ("endpoints.x.origins", "R-STO-03")
