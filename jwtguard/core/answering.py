"""In which form a refused client is told: JSON, problem details, HTML, or the way to the login page.

What it is told is in ``challenge.py``; no form says more (R-ERR-03, R-ERR-08). Functions of the application
that write a body see the public view alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from jwtguard.core.challenge import Answer, Outcome
from jwtguard.core.policy import EndpointPolicy
from jwtguard.core.request import RequestHead

_JSON, _PROBLEM, _HTML = "application/json", "application/problem+json", "text/html"
_PHRASES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 503: "Service Unavailable"}
_SEE_OTHER = 303
_ACCEPT_BYTES = 1024
_TO_LOGIN = frozenset({Outcome.NO_CREDENTIAL, Outcome.BAD_TOKEN})


@dataclass(frozen=True, slots=True)
class PublicView:
    """All that a client may learn of a refusal.

    Attributes:
        status: Of the response.
        error: The error code, such as ``invalid_token``.
        sentence: The fixed sentence that goes with it.
    """

    status: int
    error: str
    sentence: str


WriteHtml = Callable[[PublicView], str]
WriteBody = Callable[[PublicView], tuple[str, str] | None]


def in_form(
    answer: Answer, policy: EndpointPolicy | None, head: RequestHead, html: WriteHtml | None, body: WriteBody | None
) -> Answer:
    """Return an answer in the form that its client asked for.

    Args:
        answer: The challenge, with the usual JSON body.
        policy: The endpoint's policy, which may name a login page (R-ERR-10).
        head: The request.
        html: The application's page of a refusal, for clients that prefer HTML.
        body: The application's body of a refusal, for everybody.

    Raises:
        Exception: Whatever a function of the application raises.
    """
    accept = _field(head, b"accept")
    if policy is not None and policy.login_page and answer.outcome in _TO_LOGIN and _navigates(head, accept):
        return _redirect(answer, policy.login_page, head)
    if body is not None and (written := body(_view(answer))) is not None:
        return _with_body(answer, *written)
    if not accept:
        return answer
    form = _preferred(accept, (_JSON, _PROBLEM, _HTML) if html is not None else (_JSON, _PROBLEM))
    if form == _PROBLEM:
        return _with_body(answer, _PROBLEM, _problem(answer))
    if form == _HTML and html is not None:
        return _with_body(answer, f"{_HTML}; charset=utf-8", html(_view(answer)))
    return answer


def _view(answer: Answer) -> PublicView:
    status, error, sentence = answer.outcome.value
    return PublicView(status, error or answer.outcome.name.lower(), sentence)


def _problem(answer: Answer) -> str:
    """Write problem details (RFC 9457): the status, its phrase and the sentence, nothing more."""
    status, _, sentence = answer.outcome.value
    return json.dumps({"title": _PHRASES[status], "status": status, "detail": sentence}, separators=(",", ":"))


def _with_body(answer: Answer, content_type: str, text: str) -> Answer:
    body = text.encode()
    fields = {b"content-type": content_type.encode(), b"content-length": str(len(body)).encode()}
    headers = tuple((name, fields.get(name, value)) for name, value in answer.headers)
    return Answer(answer.status, headers, body, answer.outcome)


def _redirect(answer: Answer, login: str, head: RequestHead) -> Answer:
    location = login
    path = head.root_path + head.path
    if not path.startswith("//") and "\\" not in path:  # such a path would lead a browser to another host
        location += f"{'&' if '?' in login else '?'}return_to={quote(path, safe='/')}"
    headers = (
        (b"location", location.encode("ascii")),
        (b"content-type", b"text/html; charset=utf-8"),  # of nothing; without it, Flask would add it
        (b"cache-control", b"no-store"),
        (b"content-length", b"0"),
    )
    return Answer(_SEE_OTHER, headers, b"", answer.outcome)


def _navigates(head: RequestHead, accept: str) -> bool:
    """Whether a user opens this in a browser window: a script would follow the redirect and misread the page."""
    mode = _field(head, b"sec-fetch-mode")
    if mode:
        return head.method == "GET" and mode == "navigate" and _field(head, b"sec-fetch-dest") == "document"
    return head.method == "GET" and _preferred(accept, (_JSON, _HTML)) == _HTML


def _field(head: RequestHead, name: bytes) -> str:
    """Return a header field, several joined as WSGI servers do (RFC 9110, section 5.3); nothing if it is long."""
    value = b",".join(value for field, value in head.headers if field.lower() == name)
    return value.decode("latin-1") if len(value) <= _ACCEPT_BYTES else ""


def _preferred(accept: str, offers: tuple[str, ...]) -> str:
    """Return the offer with the highest weight (RFC 9110, section 12.5.1); the first of several."""
    ranges = [part.split(";") for part in accept.lower().split(",")]
    weights = {parts[0].strip(): _weight(parts[1:]) for parts in ranges}

    def weight(offer: str) -> float:
        kind = offer.partition("/")[0]
        return next((weights[name] for name in (offer, f"{kind}/*", "*/*") if name in weights), 0.0)

    return max(offers, key=weight)


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.strip().partition("=")
        if name == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0
