"""A route's path as patterns of a policy, and which pattern contains which."""

from __future__ import annotations

import re
from collections.abc import Iterator

from jwtguard.core.paths import Pattern
from jwtguard.errors import ConfigurationError
from jwtguard.lint.route_order import Stop
from jwtguard.lint.specimens import Template

_NAMES = re.compile(r"\{(\w+)(?::\w+)?\}|<(?:[^<>:]*:)?(\w+)>")  # of Starlette; of Flask and Django


def patterns_of(stop: Stop, methods: tuple[str, ...], key: str) -> Iterator[str]:
    """Yield the patterns that cover a route for these methods; ``*`` stands for every one.

    Raises:
        ConfigurationError: The policy's grammar has no pattern for such a path.
    """
    for template in stop.templates:
        path = _path(template, key)
        for method in methods:
            yield path if method == "*" else f"{method} {path}"


def _path(template: Template, key: str) -> str:
    texts = template.text.split("/")[1:]
    names = texts if len(texts) == len(template.parts) else [""] * len(template.parts)
    segments: list[str] = []
    for place, (part, text) in enumerate(zip(template.parts, names, strict=True)):
        if part.spans and place < len(template.parts) - 1:
            message = f"the path {template.text!r} spans segments before its end; write its policy into the file"
            raise ConfigurationError(message, key=key, rule="R-POL-03")
        found = _NAMES.fullmatch(text)
        name = (found[1] or found[2]) if found else f"part{place}"
        segments.append("**" if part.spans else part.literal if part.literal is not None else f"{{{name}}}")
    return "/" + "/".join(segments)


def contains(wide: Pattern, narrow: Pattern) -> bool:
    """Whether every path of the one pattern is a path of the other; methods are not looked at."""
    if len(wide.segments) > len(narrow.segments) or (narrow.rest and not wide.rest):
        return False
    if len(wide.segments) < len(narrow.segments) and not wide.rest:
        return False
    pairs = zip(wide.segments, narrow.segments, strict=False)  # what is left over, the rest takes
    return all(ours == theirs or (ours is None and theirs != "") for ours, theirs in pairs)
