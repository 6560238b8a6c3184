"""In which form a refused client is told: JSON, problem details, HTML, or the way to the login page."""

from __future__ import annotations

import json
from typing import TypeAlias

import pytest

from jwtguard import Config, Guard, Hooks, Reason, Refusal, cookie
from jwtguard.core.answering import PublicView
from jwtguard.core.challenge import OUTCOMES, Answer, Outcome
from jwtguard.core.decision import Refused
from jwtguard.core.request import RequestHead
from tests.kit.fake_clock import FakeClock
from tests.kit.guarded import ISSUER, bearer, protected, token
from tests.kit.guarded import guard as guard_of

Field: TypeAlias = tuple[bytes, bytes]

ACCEPT, MODE, DEST = b"accept", b"sec-fetch-mode", b"sec-fetch-dest"
WINDOW = ((MODE, b"navigate"), (DEST, b"document"))
SENTENCE = "The token is not acceptable here."


def guarded(hooks: Hooks | None = None, **demands: object) -> Guard:
    """A guard over two endpoints, one for browsers."""
    endpoints = (protected("/api/**"), protected("/page/**", **{"carriers": (cookie("t"),), **demands}))
    return Guard(Config(issuers=(ISSUER,), endpoints=endpoints), hooks=hooks, clock=FakeClock())


def answer(by: Guard, *sent: Field, path: str = "/api/x", method: str = "GET", root: str = "") -> Answer:
    """Refuse a request, and return what its client is told."""
    head = RequestHead(method, path, sent, "https", root_path=root)
    decision = by.decide_locally(head)
    assert isinstance(decision, Refused)
    return by.answer(decision, head)


def fields(given: Answer) -> dict[str, str]:
    """The header fields, each of which occurs once."""
    found = {name.decode(): value.decode() for name, value in given.headers}
    assert len(found) == len(given.headers)
    return found


BAD = bearer(b"junk")
PROBLEM = {"title": "Unauthorized", "status": 401, "detail": SENTENCE}


@pytest.mark.parametrize(
    "accept",
    [b"", b"*/*", b"application/json", b"application/*", b"text/html", b"image/png", b"application/problem+json;q=0",
     b"application/json, application/problem+json", b"application/problem+json;q=0.5, application/json;q=0.6", b",;=,",
     b"application/problem+json;q=x", b"application/problem+json;q=-1", b"*/*;q=nan",
     b"application/json;q=1, application/problem+json", b"application/json, application/problem+json;q=7"],
)  # fmt: skip
def test_json_unless_asked_otherwise(accept: bytes) -> None:
    """R-ERR-08: the usual body is JSON, also for clients that accept none of ours, or ask nonsense."""
    usual = answer(guarded(), BAD)
    given = answer(guarded(), BAD, (ACCEPT, accept))
    assert (given.status, given.headers, given.body) == (usual.status, usual.headers, usual.body)
    assert fields(given)["content-type"] == "application/json"


@pytest.mark.parametrize(
    "accept",
    [
        b"application/problem+json",
        b"Application/Problem+JSON, */*;q=0.1",
        b"application/json;q=0.5, application/problem+json",
        b"text/html, application/problem+json;q=0.5",
    ],
)
def test_problem_details(accept: bytes) -> None:
    """R-ERR-08: clients that prefer problem details get them, with no more in them than the challenge says."""
    given = answer(guarded(), BAD, (ACCEPT, accept))
    assert json.loads(given.body) == PROBLEM
    headers = fields(given)
    assert headers["content-type"] == "application/problem+json"
    assert int(headers["content-length"]) == len(given.body)
    assert headers["www-authenticate"] == fields(answer(guarded(), BAD))["www-authenticate"]
    assert headers["cache-control"] == "no-store"


def test_every_problem_has_a_title() -> None:
    """R-ERR-08: every outcome can be told as problem details, with its status and the sentence alone."""
    by = guarded()
    head = RequestHead("GET", "/api/x", ((ACCEPT, b"application/problem+json"),), "https")
    for reason in Reason:
        given = by.answer(Refused(None, Refusal(reason)), head)
        status, _, sentence = OUTCOMES[reason].value
        told = json.loads(given.body)
        assert (told.pop("status"), told.pop("detail")) == (status, sentence)
        assert list(told) == ["title"]


def test_pages_of_the_application() -> None:
    """R-ERR-08: an HTML hook writes the page for clients that prefer HTML, and sees the public view alone."""
    seen: list[PublicView] = []

    def page(view: PublicView) -> str:
        seen.append(view)
        return f"<h1>{view.status} é</h1>"

    by = guarded(Hooks(html=page))
    given = answer(by, BAD, (ACCEPT, b"text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"))
    assert given.body == "<h1>401 é</h1>".encode()
    assert fields(given)["content-type"] == "text/html; charset=utf-8"
    assert int(fields(given)["content-length"]) == len(given.body)
    assert seen == [PublicView(401, "invalid_token", SENTENCE)]
    assert fields(answer(by, BAD, (ACCEPT, b"*/*")))["content-type"] == "application/json"


def test_bodies_of_the_application() -> None:
    """R-ERR-08: a body hook writes the body for everybody, or leaves it as it is."""
    by = guarded(Hooks(body=lambda view: ("text/plain", f"{view.error}!") if view.status == 401 else None))
    given = answer(by, BAD, (ACCEPT, b"application/problem+json"))
    assert (given.body, fields(given)["content-type"]) == (b"invalid_token!", "text/plain")
    assert json.loads(answer(by, path="/nowhere").body)["error"] == "forbidden"


def test_hooks_that_raise() -> None:
    """F66: what a hook raises is the application's bug: it propagates, and nobody is let in."""

    def broken(view: PublicView) -> str:
        return str(view.status / 0)

    by = guarded(Hooks(html=broken))
    with pytest.raises(ZeroDivisionError):
        answer(by, BAD, (ACCEPT, b"text/html"))


BROWSER = guarded(login_page="/login")


@pytest.mark.parametrize("sent", [(), ((b"cookie", b"t=junk"),)], ids=["no token", "bad token"])
@pytest.mark.parametrize("how", [WINDOW, ((ACCEPT, b"text/html,*/*;q=0.8"),)], ids=["fetch metadata", "accept"])
def test_windows_are_led_to_the_login(sent: tuple[Field, ...], how: tuple[Field, ...]) -> None:
    """R-ERR-10: a browser window without a good token is sent to the login, with the path it wanted."""
    given = answer(BROWSER, *sent, *how, path="/page/a b&x=1")
    assert given.status == 303
    assert given.body == b""
    assert fields(given) == {
        "location": "/login?return_to=/page/a%20b%26x%3D1",
        "content-type": "text/html; charset=utf-8",
        "cache-control": "no-store",
        "content-length": "0",
    }


@pytest.mark.parametrize(
    "how",
    [
        {"fields": [(MODE, b"cors"), (DEST, b"empty")]},
        {"fields": [(MODE, b"navigate"), (DEST, b"iframe")]},
        {"fields": [(ACCEPT, b"application/json")]},
        {"fields": [(ACCEPT, b"*/*")]},
        {"fields": []},
        {"fields": [*WINDOW], "method": "POST"},
        {"fields": [*WINDOW], "path": "/api/x"},
        {"fields": [*WINDOW], "path": "/nowhere"},
        {"fields": [*WINDOW, (b"cookie", b"t=" + token(scope="")), (b"sec-fetch-site", b"cross-site")]},
    ],
)  # fmt: skip
def test_nobody_else_is(how: dict[str, object]) -> None:
    """R-ERR-10: scripts, frames, other methods, other endpoints and the merely forbidden get the refusal."""
    given = answer(BROWSER, *how.pop("fields"), **{"path": "/page/x", **how})  # type: ignore[misc, arg-type]
    assert given.status in (401, 403)
    assert "location" not in fields(given)


@pytest.mark.parametrize(
    ("path", "root", "location"),
    [
        ("/page/x", "/app", "/login?return_to=/app/page/x"),
        ("/page//evil.example", "", "/login?return_to=/page//evil.example"),
        ("/page/\\evil", "", "/login"),
        ("/page/ü", "", "/login?return_to=/page/%C3%BC"),
    ],
)
def test_the_way_back(path: str, root: str, location: str) -> None:
    """R-ERR-10: the return path is one of this origin; one that browsers could read otherwise is left out."""
    assert fields(answer(BROWSER, *WINDOW, path=path, root=root))["location"] == location


def test_a_way_back_that_leads_elsewhere() -> None:
    """R-ERR-10, F60: what starts with two slashes names another host to a browser, so it is no return path."""
    by = guard_of(protected("/**", carriers=(cookie("t"),), login_page="https://sso.example.com/?app=1"))
    head = RequestHead("GET", "//evil.example/x", WINDOW, "https")
    decision = by.decide_locally(head)
    assert isinstance(decision, Refused)
    assert fields(by.answer(decision, head))["location"] == "https://sso.example.com/?app=1"
    assert fields(answer(by, *WINDOW, path="/x"))["location"] == "https://sso.example.com/?app=1&return_to=/x"


def test_what_is_repeated_is_one_list_and_what_is_long_is_not_read() -> None:
    """R-ERR-08, F51: two Accept fields are one, as WSGI servers hand them over; only a little of them is read."""
    twice = answer(guarded(), BAD, (ACCEPT, b"application/problem+json"), (ACCEPT, b"text/html;q=0.5"))
    assert fields(twice)["content-type"] == "application/problem+json"
    wanted = b"application/problem+json"
    many = [(ACCEPT, b"a/b") for _ in range(300)]
    for long in ([(ACCEPT, wanted + b"," + b"a/b," * 300)], [(ACCEPT, wanted), *many]):
        assert fields(answer(guarded(), BAD, *long))["content-type"] == "application/json"


def test_outcomes_are_what_answers_know() -> None:
    """R-ERR-02: an answer knows its outcome, never its reason."""
    assert answer(guarded(), BAD).outcome is Outcome.BAD_TOKEN
