"""``[[endpoints]]`` and ``[policies.NAME]`` through the file."""

from __future__ import annotations

import pytest

from jwtguard import BEARER, Access, Carrier, Endpoint, cookie
from jwtguard.config import parse
from jwtguard.core.endpoint import CarrierKind
from jwtguard.core.strict_json import JsonValue
from tests.config.policy_text import FILE, LOGIN, REPORTS, build, refused

STAFF = """
[policies.staff]
accept = "access"
issuers = ["login"]
scopes = ["staff"]
max_age = "1h"
claims = { department = "sales", level = 2 }
"""


def read(text: str) -> Endpoint:
    """Read a policy file with one endpoint."""
    (endpoint,) = parse(LOGIN + text, name=FILE).endpoints
    return endpoint


def test_every_key_reaches_the_endpoint() -> None:
    """R-POL-02: one policy states carriers, issuers, audiences, classes, algorithms, scopes and age."""
    endpoint = read(
        f"""{REPORTS}
issuers = "login"
audience = "https://api.example.com"
algorithms = ["ES256"]
carriers = ["bearer", {{ cookie = "__Host-at" }}, {{ header = "x-token" }}, {{ header = "x-jwt", scheme = "jwt" }}]
scopes = "a"
any_scopes = ["b", "c"]
max_age = "7d"
"""
    )
    assert endpoint == Endpoint(
        match=("GET /reports",),
        name="reports",
        accept=("access",),
        issuers=("login",),
        audience=("https://api.example.com",),
        algorithms=("ES256",),
        carriers=(
            BEARER,
            cookie("__Host-at"),
            Carrier(CarrierKind.HEADER, "x-token", "bearer"),
            Carrier(CarrierKind.HEADER, "x-jwt", "jwt"),
        ),
        scopes=frozenset({"a"}),
        any_scopes=frozenset({"b", "c"}),
        max_age_s=604_800.0,
    )


@pytest.mark.parametrize(
    ("rule", "passing", "failing"),
    [
        ('"sales"', "sales", "Sales"),
        ("1", 1, True),
        ("{ one_of = ['a', 1] }", 1, "1"),
        ("{ contains = ['a', 'b'] }", ["a", "b", "c"], ["a"]),
        ("{ matches = '[a-z]+' }", "abc", "abc1"),
    ],
)
def test_claim_rules_mean_what_they_say(rule: str, passing: JsonValue, failing: JsonValue) -> None:
    """R-POL-02: the claim rules of the file are those of the core: equal, in a set, holding, matching."""
    (found,) = read(f"{REPORTS}claims = {{ department = {rule} }}").rules
    assert found.claim == "department"
    assert found.test(passing)
    assert not found.test(failing)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("{}", "write exactly one of 'one_of', 'contains', 'matches'; found none [R-POL-06]"),
        ("['a']", "must be a string, a number, true or false, not the list [R-POL-06]"),
        ("2026-11-01", "must be a string, a number, true or false, not the date 2026-11-01 [R-POL-06]"),
        ("nan", "must be a finite number, not nan [R-POL-06]"),
    ],
)
def test_a_claim_rule_of_the_wrong_form_is_refused(rule: str, message: str) -> None:
    """R-POL-06: a claim rule says one thing, with a value that a claim can have."""
    expected = f"jwtguard.toml: endpoints.reports.claims.department: {message}"
    assert refused(f"{REPORTS}claims = {{ department = {rule} }}") == expected


@pytest.mark.parametrize("pattern", ["(", "a{2,1}", "a{99999999999999999999}", "(?<=a*)b"])
def test_a_broken_pattern_is_refused(pattern: str) -> None:
    """R-POL-06: what is no regular expression is a configuration error that says so."""
    message = refused(f"{REPORTS}claims = {{ team = {{ matches = '{pattern}' }} }}")
    assert message.startswith("jwtguard.toml: endpoints.reports.claims.team.matches: is no regular expression: ")


def test_an_endpoint_is_public_only_by_saying_so() -> None:
    """R-POL-01: an endpoint that accepts nothing is refused, unless it is marked public."""
    assert refused(f"{LOGIN}[[endpoints]]\nmatch = 'GET /a'").startswith(
        "jwtguard.toml: endpoints.GET /a: must accept at least one token class, or be public"
    )
    assert read("[[endpoints]]\nmatch = 'GET /a'\npublic = true").access is Access.PUBLIC
    assert refused(f"{LOGIN}[[endpoints]]\nmatch = 'GET /a'\npublic = 'yes'") == (
        "jwtguard.toml: endpoints.GET /a.public: must be true or false, not the string 'yes' [R-POL-06]"
    )


def test_a_public_endpoint_demands_nothing() -> None:
    """R-POL-01: public beside a demand is a contradiction, however it came about."""
    for text in (f"{REPORTS}public = true", f"{STAFF}[[endpoints]]\nmatch='/a'\nuse = 'staff'\npublic = true"):
        message = refused(LOGIN + text)
        assert "a public endpoint reads no token" in message
        assert message.endswith("[R-POL-01]")


def test_public_and_optional_exclude_each_other() -> None:
    """R-POL-01: an endpoint is public, optional or protected."""
    assert refused(f"{REPORTS}public = true\noptional = true").startswith(
        "jwtguard.toml: endpoints.reports: write public or optional, not both: "
    )
    assert read(f"{REPORTS}public = false\noptional = true").access is Access.OPTIONAL
    assert read(f"{REPORTS}public = false").access is Access.PROTECTED


@pytest.mark.parametrize(
    "key", ["accept", "issuers", "audience", "algorithms", "carriers", "scopes", "any_scopes", "match"]
)
def test_an_empty_list_is_refused(key: str) -> None:
    """R-POL-06: an empty list could mean everything or nothing, so it means neither."""
    text = "\n".join(line for line in REPORTS.splitlines() if not line.startswith(f"{key} ="))
    assert refused(f"{LOGIN}{text}\n{key} = []") == (
        f"jwtguard.toml: endpoints.reports.{key}: the list is empty; name at least one, or leave the key out [R-POL-06]"
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("issuers = ['logn']", "issuers: unknown issuer 'logn'; did you mean 'login'? [R-POL-10]"),
        ("use = 'staf'", "use: unknown policy 'staf'; did you mean 'staff'? [R-POL-06]"),
        ("algorithms = ['RS265']", "algorithms: unknown algorithm 'RS265'; did you mean 'RS256'? [R-ALG-02]"),
        (
            "audience = ['https://api.exmaple.com']",
            (
                "audience: unknown audience of these issuers 'https://api.exmaple.com'; did you mean "
                "'https://api.example.com'? [R-CLM-03]"
            ),
        ),
        ("carriers = ['baerer']", "carriers: unknown carrier 'baerer'; did you mean 'bearer'? [R-POL-06]"),
        (
            "carriers = [{ cookie = 'a', header = 'b' }]",
            "carriers: write exactly one of 'cookie', 'header', 'session'; found 'cookie' and 'header' [R-POL-06]",
        ),
        ("carriers = [{ cookie = 'a', scheme = 'b' }]", "carriers: a cookie has no scheme [R-POL-06]"),
        ("carriers = [{ header = 'X-Token' }]", "carriers: write header and scheme in lower case [R-EXT-01]"),
        ("carriers = [{ cookie = 'a b' }]", "carriers: 'a b' is no header, scheme or cookie name [R-EXT-01]"),
        ("carriers = ['bearer', { header = 'authorization' }]", "carriers: lists a carrier twice [R-POL-06]"),
        ("scopes = ['two words']", "scopes: 'two words' is no scope (RFC 6749, section 3.3) [R-ERR-04]"),
        ("scopes = ['a', 'a']", "scopes: lists 'a' twice [R-POL-06]"),
        (
            "max_age = 3600",
            'max_age: must be a duration such as "30s", "10m", "24h" or "7d", not the integer 3600 [R-POL-06]',
        ),
    ],
)
def test_an_unknown_word_is_refused_with_the_nearest(line: str, message: str) -> None:
    """R-POL-06: a mistake names file, key, value and, where there is one, the nearest valid spelling."""
    assert refused(f"{LOGIN}{STAFF}{REPORTS}{line}") == f"jwtguard.toml: endpoints.reports.{message}"


def test_an_unknown_class_is_named_where_it_was_written() -> None:
    """R-CLS-01: a class that nobody knows is a mistake of the endpoint that accepts it."""
    assert refused(LOGIN + REPORTS.replace('"access"', '"acess"')) == (
        "jwtguard.toml: endpoints.reports.accept: unknown token class 'acess'; did you mean 'access'? [R-CLS-01]"
    )


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("GTE /a", "unknown method 'GTE'; did you mean 'GET'? [R-POL-04]"),
        ("get /a", "unknown method 'get'; "),
        ("HEAD /a", "HEAD follows GET; write GET [R-POL-04]"),
        ("GET a", "the path of 'GET a' must start with '/' [R-POL-03]"),
        ("GET /*", "'*' in 'GET /*' is neither literal, nor {name} (without a type), nor a final ** [R-POL-03]"),
        ("GET /a%20b", "'a%20b' in 'GET /a%20b' must be written decoded, as the router sees it [R-POL-03]"),
    ],
)
def test_a_pattern_outside_the_grammar_is_refused(pattern: str, message: str) -> None:
    """R-POL-04: an unknown method, and a path outside the grammar, are named where they were written."""
    expected = f"jwtguard.toml: endpoints.reports.match: {message}"
    assert refused(LOGIN + REPORTS.replace("GET /reports", pattern)).startswith(expected)


@pytest.mark.parametrize(
    ("one", "other", "message"),
    [
        ("GET /a", "GET /a", "'GET /a' and 'GET /a' match the same requests"),
        ("GET /a/{x}", "GET /a/{y}", "'GET /a/{x}' and 'GET /a/{y}' match the same requests"),
        ("/a/{x}", "/{y}/b", "'/a/{x}' and '/{y}/b' both match '/a/b'"),
    ],
)
def test_policies_that_overlap_do_not_start(one: str, other: str, message: str) -> None:
    """R-POL-05: two patterns of equal rank for one request stop start-up; the message shows such a request."""
    text = "".join(f'[[endpoints]]\nmatch = "{pattern}"\naccept = "access"\n' for pattern in (one, other))
    told = refused(LOGIN + text)
    assert told.startswith(f"jwtguard.toml: endpoints.match: {message}")
    assert told.endswith("[R-POL-05]")


def test_the_more_specific_policy_wins_in_any_order() -> None:
    """R-POL-05: which endpoint decides does not depend on the order in the file."""
    patterns = ["/a/**", "GET /a/{x}", "GET /a/b"]
    for order in (patterns, patterns[::-1]):
        text = "".join(f'[[endpoints]]\nmatch = "{pattern}"\naccept = "access"\n' for pattern in order)
        _, table = build(LOGIN + text)
        found = [table.routes.find("GET", path) for path in ("/a/b", "/a/c", "/a/c/d")]
        assert [policy.name for policy in found if policy] == ["GET /a/b", "GET /a/{x}", "/a/**"]


def test_endpoint_names_are_used_once() -> None:
    """R-POL-06: a name in an event or a finding leads to one endpoint."""
    assert refused(LOGIN + REPORTS + REPORTS.replace("GET", "POST")) == (
        "jwtguard.toml: endpoints.reports: another endpoint has the name 'reports' already [R-POL-06]"
    )
    assert "holds characters that cannot be shown" in refused(REPORTS.replace('"reports"', '"a\\nb"'))


def test_an_id_token_opens_no_endpoint() -> None:
    """R-CLS-10: a policy that accepts id_token on an endpoint does not start."""
    message = refused(f'{LOGIN}client_id = "web"{REPORTS}'.replace('"access"', '"id_token"'))
    assert message.startswith("jwtguard.toml: endpoints.reports.accept: no endpoint ")
    assert "guard.verify" in message
    assert message.endswith("[R-CLS-10]")


def test_an_endpoint_narrows_algorithms_and_audiences_only() -> None:
    """R-ALG-01: an endpoint cannot allow what its issuer does not."""
    assert refused(f"{LOGIN}{REPORTS}algorithms = ['ES384']") == (
        "jwtguard.toml: endpoints.reports.algorithms: unknown algorithm 'ES384'; known are 'ES256' [R-ALG-01]"
    )


def test_a_named_policy_gives_its_keys_to_endpoints() -> None:
    """R-POL-02: what several endpoints demand is written once; an endpoint's own key replaces the policy's."""
    endpoint = read(f"{STAFF}[[endpoints]]\nmatch = 'GET /a'\nuse = 'staff'\nscopes = ['boss']")
    assert endpoint.accept == ("access",)
    assert endpoint.issuers == ("login",)
    assert endpoint.scopes == {"boss"}
    assert endpoint.max_age_s == 3600.0


def test_claims_of_a_policy_are_kept_beside_those_of_the_endpoint() -> None:
    """R-POL-02: an endpoint that demands one more claim does not lose those of the policy it uses."""
    text = f"{STAFF}[[endpoints]]\nmatch = 'GET /a'\nuse = 'staff'\nclaims = {{ level = 3, region = 'eu' }}"
    assert {rule.claim: rule.text for rule in read(text).rules} == {
        "department": "equals 'sales'",
        "level": "equals 3",
        "region": "equals 'eu'",
    }


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("scopes = []", "scopes: the list is empty; name at least one, or leave the key out [R-POL-06]"),
        ("accept = 'acess'", "accept: unknown token class 'acess'; did you mean 'access'? [R-CLS-01]"),
        (
            "use = 'other'",
            ".use: unknown policy 'other'; known are 'bff', 'browser_cookie', 'native', 'service', 'spa'",
        ),
    ],
)
def test_a_policy_is_checked_even_if_unused(line: str, message: str) -> None:
    """R-POL-06: a mistake in a named policy is found before the first endpoint uses it, under its own name."""
    assert message in refused(f"{LOGIN}[policies.staff]\n{line}")
    assert "jwtguard.toml: policies.staff" in refused(f"{LOGIN}[policies.staff]\n{line}")
