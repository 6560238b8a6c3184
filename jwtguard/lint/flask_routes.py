"""The routes of a Flask application, and who gets a request: Werkzeug itself is asked.

A rule without ``strict_slashes`` takes its path with and without the last slash. Requests that Werkzeug only
redirects reach no handler. HEAD comes with GET, and OPTIONS where Flask answers it by itself: neither is a row.
Applications beside this one in a ``DispatcherMiddleware`` are entered if they are Flask's, too; any other is
one stop that takes everything below its prefix.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from jwtguard.lint.expressions import examples
from jwtguard.lint.route_order import WEBSOCKET, Host, Kind, Stop
from jwtguard.lint.specimens import Template

if TYPE_CHECKING:
    from flask import Flask
    from werkzeug.routing import Rule

    from jwtguard.lint.expressions import Piece

_WRAPPERS = 32
_PARAMETER = re.compile(r"<(?:(?P<converter>[a-zA-Z_]\w*)(?:\((?P<arguments>.*?)\))?:)?(?P<name>[a-zA-Z_]\w*)>")
_NOWHERE = "localhost"


class _Section(NamedTuple):
    """One application and the prefix under which it is called; ``None`` for one without rules."""

    prefix: str
    app: Flask | None
    name: str


class FlaskRoutes:
    """Every rule of an application, and what is mounted beside it.

    Attributes:
        stops: Every place where a request can end.
    """

    def __init__(self, app: object) -> None:
        """Collect the rules."""
        sections = sorted(_sections(app, ""), key=lambda section: len(section.prefix), reverse=True)
        self._sections = tuple(sections)
        self._by_rule: dict[int, Stop] = {}
        self._opaque: dict[str, Stop] = {}
        for section in reversed(sections):
            self._collect(section)
        self.stops = (*self._by_rule.values(), *self._opaque.values())

    def first(self, method: str, path: str, host: str = "") -> Stop | None:
        """Return where a request ends, or ``None`` if no handler gets it."""
        from werkzeug.exceptions import HTTPException  # noqa: PLC0415 - there is an application of Flask

        section = next(part for part in self._sections if _is_under(path, part.prefix))
        if section.app is None:
            return self._opaque[section.prefix]
        rules, inside = section.app.url_map, path[len(section.prefix) :]
        if rules.host_matching:
            bound = rules.bind(host or _NOWHERE)
        else:
            bound = rules.bind(_NOWHERE, subdomain=host if section.app.subdomain_matching else None)
        try:
            rule, _ = bound.match(inside, method, return_rule=True, websocket=method == WEBSOCKET)
        except HTTPException:  # redirects are among them
            return None
        return self._by_rule.get(id(rule))

    def _collect(self, section: _Section) -> None:
        prefix, app, name = section
        if app is None:
            text = f"{prefix}/{{path}}"
            template = Template(text, [(f"{prefix}/", ""), ("path", ".*")])
            forms = (Template(prefix, [(prefix, "")]),) if prefix else ()
            self._opaque[prefix] = Stop(
                kind=Kind.MOUNT, name=name, template=template, forms=forms, websocket=False, answers=("*",)
            )
            return
        for rule in app.url_map.iter_rules():
            if not rule.build_only:
                self._by_rule[id(rule)] = _stop(rule, prefix, app.view_functions.get(rule.endpoint))


def order_of(app: object) -> FlaskRoutes | None:
    """Return the routes of a Flask application, or of a dispatcher with one in it; ``None`` of any other."""
    routes = FlaskRoutes(app)
    return routes if any(section.app is not None for section in routes._sections) else None  # noqa: SLF001 - ours


def _sections(app: object, prefix: str, around: tuple[object, ...] = ()) -> Iterator[_Section]:
    """Yield an application, and what is mounted beside it in its own middleware or around it."""
    from jwtguard.lint.app_routes import inside_of  # noqa: PLC0415 - that one starts here

    flask: Flask | None = None
    name = _name_of(app)
    for _ in range(_WRAPPERS):
        mounts = getattr(app, "mounts", None)
        for below, inner in mounts.items() if isinstance(mounts, dict) else ():
            yield from _sections(inner, prefix + below, (*around, flask))
        if any(app is one for one in around if one is not None):  # mounted in itself: there is no end of it
            break
        if hasattr(app, "url_map") and app is not flask:
            flask = app  # type: ignore[assignment]  # by what it has
            app = flask.wsgi_app  # type: ignore[union-attr]  # as above
            continue
        following = inside_of(app)
        if following is None or following is flask:
            break
        app = following
    yield _Section(prefix, flask, name)


def _is_under(path: str, prefix: str) -> bool:
    return path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in ("", "/")


def _name_of(app: object) -> str:
    return str(getattr(app, "__name__", type(app).__name__))


def _stop(rule: Rule, prefix: str, view: object) -> Stop:
    text = prefix + (re.sub("/{2,}", "/", rule.rule) if rule.merge_slashes else rule.rule)
    forms = [text] if rule.strict_slashes else [text, text[:-1] if text.endswith("/") else f"{text}/"]
    templates = [Template(form, _pieces(rule, form)) for form in forms if form]
    methods = frozenset(rule.methods) if rule.methods is not None else None
    only_redirects = rule.redirect_to is not None or (rule.alias and rule.map.redirect_defaults)
    return Stop(
        kind=Kind.DEAD_END if only_redirects else Kind.WEBSOCKET if rule.websocket else Kind.ROUTE,
        name=str(rule.endpoint),
        template=templates[0],
        forms=tuple(templates[1:]),
        http=frozenset() if rule.websocket else methods,
        websocket=rule.websocket,
        answers=() if only_redirects else (WEBSOCKET,) if rule.websocket else _answers(rule, methods),
        hosts=_hosts(rule),
        endpoint=view,
    )


def _answers(rule: Rule, methods: frozenset[str] | None) -> tuple[str, ...]:
    if methods is None:
        return ("*",)
    # Flask puts this mark on the rules for which it answers OPTIONS by itself.
    automatic = {"OPTIONS"} if getattr(rule, "provide_automatic_options", False) else set()
    return tuple(sorted(methods - automatic - ({"HEAD"} if "GET" in methods else set())))


def _pieces(rule: Rule, text: str) -> list[Piece]:
    """Split a rule as Werkzeug does, each parameter with the expression of its converter."""
    from werkzeug.routing.rules import parse_converter_args  # noqa: PLC0415 - as above

    at = 0
    pieces: list[Piece] = []
    for found in _PARAMETER.finditer(text):
        arguments, named = parse_converter_args(found["arguments"] or "")
        converter = rule.get_converter(found["name"], found["converter"] or "default", arguments, named)
        pieces += [(text[at : found.start()], ""), (found["name"], converter.regex)]
        at = found.end()
    return [*pieces, (text[at:], "")]


def _hosts(rule: Rule) -> tuple[Host, ...]:
    text = (rule.host if rule.map.host_matching else rule.subdomain) or ""
    if not text:
        return ()
    pieces = _pieces(rule, text)
    regex = "".join(f"(?:{regex})" if regex else re.escape(literal) for literal, regex in pieces)
    texts = (next(islice(examples(regex), 1), "x") if regex else literal for literal, regex in pieces)
    return (Host(re.compile(regex), "".join(texts)),)
