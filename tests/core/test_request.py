"""The head of a request, and the type that alone holds a token (R-OBS-03)."""

from __future__ import annotations

import copy
import hashlib
import pickle

import pytest

from jwtguard.core.request import RequestHead, Token, http_method

SECRET = b"header.payload.signature"


def test_a_token_shows_nothing() -> None:
    """R-OBS-03, R-IDN-02: no way of showing a token shows a part of it, whatever the token is."""
    token = Token(SECRET)
    for shown in (repr(token), str(token), f"{token}", f"{token!r:>40}", "%s" % token, repr([token]), repr({1: token})):  # noqa: UP031 - one more way
        assert "Token redacted" in shown
        assert not any(part in shown for part in ("header", "payload", "signature"))
    assert repr(token) == repr(Token(b""))


def test_a_token_does_not_travel() -> None:
    """R-IDN-02: a token is neither pickled nor copied, and has no attributes to be listed."""
    token = Token(SECRET)
    for travel in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot be pickled"):
            travel(token)
    assert not hasattr(token, "__dict__")


def test_a_token_is_read_on_purpose() -> None:
    """R-EXT-06: its length is known before anything else is done with it, and its bytes are asked for by name."""
    token = Token(SECRET)
    assert len(token) == len(SECRET)
    assert token.reveal() == SECRET
    assert len(Token(b"")) == 0


def test_a_token_is_remembered_by_its_digest() -> None:
    """The digest is the SHA-256 of the whole token, made once."""
    token = Token(SECRET)
    digest = token.digest()
    assert digest == hashlib.sha256(SECRET).digest()
    assert token.digest() is digest
    assert Token(SECRET + b"x").digest() != digest


def test_a_head_shows_no_header() -> None:
    """R-OBS-03, R-EXT-04: method and path are shown, cut and encoded; header fields and query are not."""
    head = RequestHead("GET", "/a\nb" + "c" * 100, [(b"authorization", b"Bearer x.y.z")], "https", "example.com")
    assert repr(head) == "<RequestHead GET '/a\\nb" + "c" * 60 + "'>"
    assert (head.method, head.scheme, head.server) == ("GET", "https", "example.com")
    assert head.path == "/a\nb" + "c" * 100
    assert list(head.headers) == [(b"authorization", b"Bearer x.y.z")]


def test_a_head_without_a_server() -> None:
    """R-EXT-09: a server that does not name itself is nobody, and so no exemption applies to it."""
    assert RequestHead("GET", "/", [], "http").server == ""


@pytest.mark.parametrize(
    ("sent", "method"),
    [
        ("GET", "GET"),
        ("M-SEARCH", "M-SEARCH"),
        ("get", ""),
        ("Post", ""),
        ("", ""),
        ("WEBSOCKET", ""),
        ("WebSocket", ""),
    ],
)
def test_a_method_is_upper_case(sent: str, method: str) -> None:
    """R-POL-04, F61: a method in lower case is none, and none that is sent passes for a WebSocket handshake."""
    assert http_method(sent) == method
