"""``[classes.NAME]`` through the file."""

from __future__ import annotations

import dataclasses

import pytest

from jwtguard import NO_AUDIENCE, UNBOUNDED, Audience, AudienceCount, Expires, HeaderKey, NoExpiry, Subject, TokenClass
from jwtguard.config import parse
from jwtguard.core.classes import READY_MADE
from tests.config.policy_text import COLUMNS, FILE, LOGIN, REPORTS, class_text, refused


def read(**changes: str | None) -> TokenClass:
    """Read one class with some columns changed."""
    (row,) = parse(class_text(**changes), name=FILE).classes
    return row


def test_every_column_reaches_the_class() -> None:
    """R-CLS-02: each column of a class ends in the field it stands for."""
    assert read(
        one_of='{ ver = ["1.0", 2], live = [true] }',
        none_of='{ env = ["test"] }',
        any_of='["sub", "sid"]',
        events='["urn:a"]',
        not_events='["urn:b"]',
        header_key='"required"',
        subject='"principal"',
        max_age='"10m"',
        carriers='["header", "cookie"]',
    ) == TokenClass(
        name="report",
        typ=frozenset({"report+jwt"}),
        required=frozenset({"iss", "aud", "exp", "iat"}),
        any_of=frozenset({"sub", "sid"}),
        forbidden=frozenset({"nonce", "purpose", "events"}),
        one_of={"ver": frozenset({"1.0", 2}), "live": frozenset({True})},
        none_of={"env": frozenset({"test"})},
        events=frozenset({"urn:a"}),
        not_events=frozenset({"urn:b"}),
        header_key=HeaderKey.REQUIRED,
        subject=Subject.PRINCIPAL,
        audience=Audience.RESOURCE,
        audience_claim="aud",
        audience_count=AudienceCount.ANY,
        expiry=Expires(3600.0),
        max_age_s=600.0,
        carriers=frozenset({"header", "cookie"}),
    )


def test_the_columns_are_those_of_the_core() -> None:
    """R-CLS-02: no column of a token class is missing from the file's table."""
    fields = {field.name for field in dataclasses.fields(TokenClass)} - {"name"}
    assert {*COLUMNS, "max_age_s"} - {"max_age"} == fields


@pytest.mark.parametrize("column", sorted(COLUMNS))
def test_every_column_must_be_written(column: str) -> None:
    """R-CLS-02: a class that leaves a column out is refused, and the message names the column."""
    assert refused(class_text(**{column: None})) == (
        f"jwtguard.toml: classes.report: a class states every column; missing: {column} [R-CLS-02]"
    )


def test_all_missing_columns_are_named_at_once() -> None:
    """R-CLS-02: the author of a class learns everything that is missing in one go."""
    assert refused("[classes.report]\n").endswith(f"missing: {', '.join(sorted(COLUMNS))} [R-CLS-02]")


@pytest.mark.parametrize(
    ("expiry", "meaning"),
    [
        ('{ max_lifetime = "1h" }', Expires(3600.0)),
        ('{ max_lifetime = "unbounded" }', Expires(UNBOUNDED)),
        ('{ none = { max_age = "24h" } }', NoExpiry(86_400.0)),
    ],
)
def test_expiry_is_bounded_or_says_that_it_is_not(expiry: str, meaning: Expires | NoExpiry) -> None:
    """R-CLS-02: a check that a class does without is written out."""
    assert read(expiry=expiry).expiry == meaning


def test_absences_are_words() -> None:
    """R-CLS-02: an absent typ, no audience and an unbounded age are written, never left out."""
    row = read(typ='["absent", "application/Report+JWT"]', audience='"none"', max_age='"unbounded"', carriers="[]")
    assert row.typ == {None, "report+jwt"}
    assert row.audience is NO_AUDIENCE
    assert row.max_age_s is UNBOUNDED
    assert row.carriers == frozenset()


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("typ", "[]", "typ: the list is empty; name at least one, or leave the key out [R-POL-06]"),
        ("typ", '[""]', "typ: must not be empty [R-POL-06]"),
        ("header_key", '"forbiden"', "header_key: unknown word 'forbiden'; did you mean 'forbidden'? [R-CLS-02]"),
        ("subject", '"principle"', "subject: unknown word 'principle'; did you mean 'principal'? [R-CLS-02]"),
        ("audience", '"resorce"', "audience: unknown audience 'resorce'; did you mean 'resource'? [R-CLS-02]"),
        ("carriers", '["cokie"]', "carriers: unknown carrier 'cokie'; did you mean 'cookie'? [R-CLS-02]"),
        (
            "expiry",
            '"1h"',
            "expiry: must be a table, not the string '1h' [R-POL-06]",
        ),
        ("expiry", "{}", "expiry: write exactly one of 'max_lifetime', 'none'; found none [R-POL-06]"),
        (
            "expiry",
            "{ none = true }",
            "expiry.none: must be a table, not the boolean true [R-POL-06]",
        ),
        ("expiry", "{ none = {} }", "expiry.none: 'max_age' must be written [R-POL-06]"),
        (
            "max_age",
            '"forever"',
            'max_age: must be a duration such as "30s", "10m", "24h" or "7d", not the string \'forever\' [R-POL-06]',
        ),
        ("one_of", "{ ver = '1' }", "one_of.ver: must be a list, not the string '1' [R-POL-06]"),
        ("one_of", "{ ver = [] }", "one_of.ver: the list is empty; name at least one, or leave the key out [R-POL-06]"),
        ("one_of", "{ ver = [1, 1.0] }", "one_of.ver: lists a value twice; 1, 1.0 and true count as one [R-POL-06]"),
        ("required", '["iss", "aud"]', "required: exp must be required [R-CLM-05]"),
        (
            "required",
            '["iss", "exp"]',
            "required: an audience is expected, so 'aud' must be required [R-CLM-03]",
        ),
    ],
)
def test_a_column_of_the_wrong_form_is_refused(column: str, value: str, message: str) -> None:
    """R-CLS-02: a class that is mistyped or contradicts itself is refused with its column."""
    assert refused(class_text(**{column: value})) == f"jwtguard.toml: classes.report.{message}"


def test_a_claim_is_not_both_required_and_forbidden() -> None:
    """R-CLS-02: a class that no token could satisfy is refused."""
    assert refused(class_text(forbidden='["iss"]')) == (
        "jwtguard.toml: classes.report: ['iss'] both required and forbidden [R-CLS-02]"
    )


def test_an_overlapping_class_does_not_start() -> None:
    """R-CLS-03: a class that an access token could pass as stops start-up; both names and a remedy are told."""
    text = LOGIN + class_text(typ='["at+jwt"]') + REPORTS.replace('"access"', '["access", "report"]')
    message = refused(text)
    assert message.startswith(
        "jwtguard.toml: issuers.login.issues: one token could pass as 'access' and as 'report': both allow typ at+jwt, "
    )
    assert "A typ of its own would separate them" in message
    assert message.endswith("[R-CLS-03]")


def test_a_class_under_a_ready_made_name_replaces_it() -> None:
    """R-CLS-02: the lint speaks of it, but a ready-made name can be taken, with every column written anew."""
    (row,) = parse(class_text().replace("report]", "access]"), name=FILE).classes
    assert row.name == "access"
    assert row != READY_MADE["access"]
