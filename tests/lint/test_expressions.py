"""Expressions of routes: what their forms say, and what is honestly not understood."""

from __future__ import annotations

import re

import pytest

from jwtguard.lint.expressions import NotUnderstood, Reading, every_value, examples, literal_start


def shown(reading: Reading) -> list[str]:
    """Each form as text, its parameters in braces."""
    return ["".join(f"{{{regex}}}" if regex else text for text, regex in form) for form in reading.forms]


@pytest.mark.parametrize(
    ("source", "forms"),
    [
        (r"^files/(?P<name>\w+)(?:/raw)?$", [r"files/{\w+}/raw", r"files/{\w+}"]),
        (r"^(de|en)/?$", ["de/", "de", "en/", "en"]),
        (r"^[0-9]{4}-[a-z]+$", ["{[0-9]{4}}-{[a-z]+}"]),
        (r"^[]a-z]+?$", ["{[]a-z]+}"]),
        (r"^a\.b\-c\Z", ["a.b-c"]),
        (r"^ab+$", ["a{b+}"]),
        (r"^(?:[a-z]{2}-)+x$", ["{(?:[a-z]{2}-)+}x"]),
        (r"^$", [""]),
    ],
)
def test_forms(source: str, forms: list[str]) -> None:
    """R-POL-03: options and alternatives become forms; what repeats becomes a parameter."""
    assert shown(Reading(source)) == forms


@pytest.mark.parametrize(
    "source",
    [r"^a(?=b)", r"^(?!x)a", r"(?i)^a$", r"^a$|^b$", r"^(a)\1$", r"^(?:a/)+$", r"^(?:.*-)+$", r"^a/+$", r"^[^a]{1,2}$",
     r"^a$b", r"^\bword$", r"^(a$)", r"^{name}$", r"^\n$"],
)  # fmt: skip
def test_what_is_beyond_it(source: str) -> None:
    """R-POL-01: rather than guess, it says that it does not understand."""
    with pytest.raises(NotUnderstood):
        Reading(source)


@pytest.mark.parametrize(
    ("source", "start"),
    [
        (r"^api/v1/(?!x)", "api/v1"),
        (r"^api/v(?!x)", "api"),
        (r"^api/v1/?(?!x)", "api"),
        (r"^api\.v1/(?!x)", "api.v1"),
        (r"api/(?!x)", ""),
        (r"(?i)^api/x", ""),
        (r"^api/$|^other/$", ""),
        (r"^(?!x)api/", ""),
    ],
)
def test_the_start_that_is_certain(source: str, start: str) -> None:
    """R-POL-01: of an expression that is not understood, whole segments that every match begins with."""
    assert literal_start(source) == start


@pytest.mark.parametrize("regex", ["[^/]{2}", "[A-Z]{3}-\\d+", "(?:x|y)z", "[0-9a-f]{8}-[0-9a-f]{4}", "\\S+", "a?b"])
def test_examples_match(regex: str) -> None:
    """F60: every example is a value of the expression, and there are some."""
    found = examples(regex)
    assert found
    assert all(re.fullmatch(regex, value) for value in found)


def test_lists_of_values_are_told_from_patterns() -> None:
    """F60: where an expression only lists values, each of them is judged."""
    assert every_value("(?:about|help)") == ("about", "help")
    assert every_value("[a-z]+") == every_value("(?!a)b") == ()
