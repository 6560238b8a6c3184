"""The routes of a Django site, flattened in the order in which they are asked.

Django takes the first pattern that matches the path, whatever the method; the view then answers 405 by
itself. Under ``i18n_patterns``, and with translated paths, each language has paths of its own. Regular
expressions are searched for: without ``$`` anything may come after, and without both ``^`` and ``$`` before, too.
One that we cannot read counts as everything below the path that it surely starts with.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from typing import Any, TypeAlias

from jwtguard.lint.expressions import NotUnderstood, Piece, Reading, literal_start
from jwtguard.lint.route_order import Kind, Order, Stop
from jwtguard.lint.specimens import Template

Chain: TypeAlias = tuple[Any, ...]
"""The patterns from the root to a view, each of which takes its part of the path (Django is untyped)."""

_PARAMETER = re.compile(r"<(?:[^>:]+:)?([^>]+)>")
_ANYTHING: Piece = ("", ".*")
_MOST_FORMS = 64
_METHODS = ("get", "post", "put", "patch", "delete", "head", "options", "trace")


def order_of(app: object) -> Order:
    """Flatten the routes of Django's own application objects, of a URLconf, or of its patterns."""
    from django.conf import settings  # noqa: PLC0415 - there is a site of Django
    from django.urls import get_resolver  # noqa: PLC0415 - as above
    from django.urls.resolvers import RegexPattern, URLResolver  # noqa: PLC0415 - as above

    if isinstance(app, URLResolver):
        root = app
    elif isinstance(app, list | tuple) or hasattr(app, "urlpatterns"):
        root = URLResolver(RegexPattern(r"^/"), app)
    else:
        root = get_resolver(settings.ROOT_URLCONF)
    return Order(tuple(_stops(root)))


def urlconf(name: str) -> object | None:
    """Import a URLconf by name, with the site set up; ``None`` where there is no site, or it is no URLconf.

    Args:
        name: A module, such as ``mysite.urls``.

    Raises:
        ImportError: There is no such module, or it cannot be imported.
    """
    if "DJANGO_SETTINGS_MODULE" not in os.environ:
        return None
    import django  # noqa: PLC0415 - as above

    django.setup()
    module = import_module(name)
    return module if hasattr(module, "urlpatterns") else None


def _stops(root: Any) -> Iterator[Stop]:
    for chain, pattern in _views(root, (root.pattern,)):
        seen: set[str] = set()
        for language in _languages(chain):
            with _speaking(language):
                stop = _stop(chain, pattern.callback, language)
            if stop.template.text not in seen:
                seen.add(stop.template.text)
                yield stop


def _views(resolver: Any, chain: Chain) -> Iterator[tuple[Chain, Any]]:
    for pattern in resolver.url_patterns:
        below = (*chain, pattern.pattern)
        if hasattr(pattern, "url_patterns"):
            yield from _views(pattern, below)
        else:
            yield below, pattern


def _languages(chain: Chain) -> Iterable[str | None]:
    """The languages in which this path differs."""
    from django.conf import settings  # noqa: PLC0415 - as above
    from django.urls import LocalePrefixPattern  # noqa: PLC0415 - as above

    written = (getattr(part, "_route", getattr(part, "_regex", "")) for part in chain)
    if not any(isinstance(part, LocalePrefixPattern) for part in chain) and all(isinstance(t, str) for t in written):
        return (None,)
    return [code for code, _ in settings.LANGUAGES]


def _speaking(language: str | None) -> AbstractContextManager[object]:
    from django.utils import translation  # noqa: PLC0415 - as above

    return nullcontext() if language is None else translation.override(language)


def _stop(chain: Chain, view: Any, language: str | None) -> Stop:
    text = "/" + "".join(str(part).removeprefix("^") for part in chain[1:])
    forms: list[list[Piece]] = [[]]
    doubt = ""
    for place, part in enumerate(chain):
        try:
            forms = _joined(forms, _read(part, is_last=place == len(chain) - 1))
        except NotUnderstood:
            start = [(literal_start(str(part)), "")]
            forms = _joined(forms, [start, [*start, ("/", ""), _ANYTHING]] if start[0][0] else [[_ANYTHING]])
            doubt = "its expression is beyond the census, which takes it for everything below a path"
            break
    templates = [Template(text, form, asks=None if doubt else _leads(chain, language)) for form in forms]
    if not any(template.specimens({}, len(template.parts)) for template in templates):
        templates = [Template(text, form) for form in forms]
        doubt = "its patterns turn down every path that the census tried"
    return Stop(
        kind=Kind.UNKNOWN if doubt else Kind.ROUTE,
        name=_name_of(view),
        template=templates[0],
        forms=tuple(templates[1:]),
        answers=_answers(view),
        doubt=doubt,
        endpoint=view,
    )


def _joined(starts: list[list[Piece]], ends: list[list[Piece]]) -> list[list[Piece]]:
    if len(starts) * len(ends) > _MOST_FORMS:
        raise NotUnderstood
    return [[*start, *end] for start in starts for end in ends]


def _read(part: Any, *, is_last: bool) -> list[list[Piece]]:
    """Read one pattern as forms.

    Raises:
        NotUnderstood: It is an expression beyond us, or a pattern of somebody's own.
    """
    from django.urls import LocalePrefixPattern  # noqa: PLC0415 - as above
    from django.urls.resolvers import RegexPattern, RoutePattern  # noqa: PLC0415 - as above

    if isinstance(part, RoutePattern):
        return [_route(str(part), part.converters)]
    if isinstance(part, LocalePrefixPattern):
        return [[(part.language_prefix, "")]]
    if not isinstance(part, RegexPattern):
        raise NotUnderstood
    reading = Reading(str(part))
    is_searched = not (is_last and str(part).endswith("$"))
    before = [_ANYTHING] if reading.starts_anywhere and is_searched and str(part) else []
    after = [_ANYTHING] if reading.is_open and is_last else []
    return [[*before, *form, *after] for form in reading.forms]


def _route(text: str, converters: dict[str, Any]) -> list[Piece]:
    at = 0
    pieces: list[Piece] = []
    for found in _PARAMETER.finditer(text):
        pieces += [(text[at : found.start()], ""), (found[1], converters[found[1]].regex)]
        at = found.end()
    return [*pieces, (text[at:], "")]


def _leads(chain: Chain, language: str | None) -> Callable[[str], bool]:
    """Ask the patterns themselves: converters may turn down what their expression matches."""

    def asks(path: str) -> bool:
        with _speaking(language):
            for part in chain:
                found = part.match(path)
                if found is None:
                    return False
                path = found[0]
        return True

    return asks


def _name_of(view: Any) -> str:
    known = getattr(view, "view_class", None) or getattr(view, "cls", None) or view
    return str(getattr(known, "__qualname__", type(known).__name__))


def _answers(view: Any) -> tuple[str, ...]:
    """The methods to report: those of the class, those that a decorator lets through, or every one."""
    if isinstance(actions := getattr(view, "actions", None), dict):  # a view set of Django REST framework
        return _without_head(actions)
    known = getattr(view, "view_class", None) or getattr(view, "cls", None)
    if known is None:
        required = _required_methods(view)
        return _without_head(required) if required is not None else ("*",)
    names = (name for name in known.http_method_names if name in _METHODS and hasattr(known, name))
    return _without_head(name for name in names if name != "options" or not _is_automatic(known.options)) or ("*",)


def _without_head(methods: Iterable[str]) -> tuple[str, ...]:
    named = {name.upper() for name in methods}
    return tuple(sorted(named - {"HEAD"} if "GET" in named else named))


def _is_automatic(options: Any) -> bool:
    return str(getattr(options, "__module__", "")).partition(".")[0] in ("django", "rest_framework")


def _required_methods(view: Any) -> Iterable[str] | None:
    """The methods of ``@require_http_methods``, which keeps them to itself; ``None`` without that decorator."""
    while view is not None:
        code = getattr(view, "__code__", None)
        if code is not None and "request_method_list" in code.co_freevars:
            methods: Iterable[str] = view.__closure__[code.co_freevars.index("request_method_list")].cell_contents
            return methods
        view = getattr(view, "__wrapped__", None)
    return None
