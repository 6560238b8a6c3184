"""``[issuers.NAME]`` through the file."""

from __future__ import annotations

from datetime import date

import pytest

from jwtguard import Audience, Guard, InlineKeys, JwksUri, Legacy, Marker, Reason, Refusal
from jwtguard.config import parse
from tests.config.policy_text import FILE, LOGIN, REPORTS, build, class_text, refused, toml
from tests.kit.token_forge import OMIT, TokenForge

HMAC_JWK = '{ kty = "oct", alg = "HS256", k = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldCE" }'
COGNITO = """
[issuers.login.access_legacy]
marker = { claim = "token_use", equals = "access" }
since = 2026-11-01
audience_from = "client_id"
"""
NOW = 1_767_225_600.0


def test_every_key_reaches_the_issuer() -> None:
    """R-POL-06: each key of an issuer ends in the field it stands for, durations in seconds."""
    text = f"""{LOGIN}
client_id = ["web", "mobile"]
audiences = {{ issuer = "https://as.example.com", action = ["https://a.example.com/reset"], receiver = "r1" }}
issues = ["access", "access_legacy", "id_token"]
key_urls = ["https://login.example.com/keys"]
leeway = "0s"
tenant_claim = "tid"
max_lifetime = {{ access = "2h", id_token = "90m" }}

[issuers.login.access_legacy]
marker = {{ claim = "ver", one_of = ["1.0", "2.0"] }}
since = 2026-11-01
audience_from = "client_id"
scope_from = "scp"
max_lifetime = "1d"
"""
    (issuer,) = parse(text, name=FILE).issuers
    assert issuer.client_id == ("web", "mobile")
    assert issuer.audiences == {
        Audience.ISSUER: ("https://as.example.com",),
        Audience.ACTION: ("https://a.example.com/reset",),
        Audience.RECEIVER: ("r1",),
    }
    assert issuer.issues == frozenset({"access", "access_legacy", "id_token"})
    assert issuer.key_urls == ("https://login.example.com/keys",)
    assert (issuer.leeway_s, issuer.tenant_claim) == (0.0, "tid")
    assert issuer.max_lifetime_s == {"access": 7200.0, "id_token": 5400.0}
    assert issuer.legacy == Legacy(
        Marker("ver", frozenset({"1.0", "2.0"})), date(2026, 11, 1), "client_id", "scp", 86_400.0
    )


@pytest.mark.parametrize(
    ("written", "marker"),
    [
        ("present = true", Marker("scope")),
        ('equals = "access"', Marker("scope", frozenset({"access"}))),
        ("one_of = [1, 2]", Marker("scope", frozenset({1, 2}))),
    ],
)
def test_a_marker_is_presence_one_value_or_a_set(written: str, marker: Marker) -> None:
    """R-CLS-09: the marker of access_legacy is a claim present, equal, or in a set."""
    text = f"{LOGIN}\n[issuers.login.access_legacy]\nmarker = {{ claim = 'scope', {written} }}\nsince = 2026-11-01"
    (issuer,) = parse(text, name=FILE).issuers
    assert issuer.legacy is not None
    assert issuer.legacy.marker == marker


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("marker = ", "# ", "access_legacy: 'marker' must be written [R-POL-06]"),
        ("since = ", "# ", "access_legacy: 'since' must be written [R-POL-06]"),
        (
            'equals = "access"',
            "present = false",
            "marker: a marker is a claim that these tokens hold: present = true [R-CLS-09]",
        ),
        (
            ', equals = "access"',
            "",
            "marker: write exactly one of 'present', 'equals', 'one_of'; found none [R-POL-06]",
        ),
        (
            'equals = "access"',
            "equals = 'a', one_of = ['b']",
            "marker: write exactly one of 'present', 'equals', 'one_of'; found 'equals' and 'one_of' [R-POL-06]",
        ),
        (
            'equals = "access"',
            "one_of = [1, true]",
            "marker.one_of: lists a value twice; 1, 1.0 and true count as one [R-POL-06]",
        ),
        (
            'equals = "access"',
            "equals = ['a']",
            "marker.equals: must be a string, a number, true or false, not the list [R-POL-06]",
        ),
    ],
)
def test_untyped_access_tokens_need_a_dated_marker(old: str, new: str, message: str) -> None:
    """R-CLS-09: access_legacy is switched on with a marker and a date, and both are written in full."""
    assert refused(LOGIN + COGNITO.replace(old, new)).endswith(message)


def test_access_legacy_is_not_switched_on_by_accepting_it() -> None:
    """R-CLS-09: an endpoint that accepts access_legacy does not build unless the issuer opted in."""
    message = refused(LOGIN + REPORTS.replace("access", "access_legacy"))
    assert message.startswith("jwtguard.toml: endpoints.reports.accept: access_legacy must be switched on")
    assert message.endswith("[R-CLS-09]")


def test_a_token_without_audience_passes_by_its_named_substitute_alone() -> None:
    """R-CLS-09: Cognito's access tokens pass through audience_from and the marker, its ID tokens do not."""
    forge = TokenForge()
    key = forge.key()
    login = LOGIN.replace('keys = "discovery"', f"jwks = {{ keys = [{toml(key.public_jwk())}] }}")
    text = login.replace("https://api.example.com", "client-1") + COGNITO + REPORTS.replace("access", "access_legacy")
    guard = Guard(parse(text, name=FILE))
    untyped = {"typ": OMIT}
    cognito = forge.access_claims(now=NOW, aud=OMIT, token_use="access")
    identity = guard.verify(forge.sign(cognito, key=key, header=untyped), accept="access_legacy", now=NOW)
    assert identity.subject == "user-1"
    id_token = forge.access_claims(now=NOW, aud="client-1", client_id=OMIT, scope=OMIT, token_use="id")
    with pytest.raises(Refusal) as caught:
        guard.verify(forge.sign(id_token, key=key, header=untyped), accept="access_legacy", now=NOW)
    assert caught.value.reason in (Reason.WRONG_CLASS, Reason.MISSING_CLAIM, Reason.BAD_AUDIENCE)


@pytest.mark.parametrize(
    ("algorithms", "message"),
    [
        ("[]", "must name at least one algorithm, such as ES256 [R-ALG-01]"),
        (None, "must name at least one algorithm, such as ES256 [R-ALG-01]"),
        ('["ES265"]', "unknown algorithm 'ES265'; did you mean 'ES256'? [R-ALG-02]"),
        ('["ES256", "ES256"]', "lists 'ES256' twice [R-POL-06]"),
        ("[256]", "must be a string, not the integer 256 [R-POL-06]"),
    ],
)
def test_the_allow_list_is_explicit(algorithms: str | None, message: str) -> None:
    """R-ALG-01, R-ALG-02: no list, an empty one, and one with an unknown name do not build."""
    line = f"algorithms = {algorithms}" if algorithms else ""
    assert (
        refused(LOGIN.replace('algorithms = ["ES256"]', line)) == f"jwtguard.toml: issuers.login.algorithms: {message}"
    )


def test_hmac_and_public_keys_do_not_mix() -> None:
    """R-ALG-03: a list of both would let the public key serve as a secret; it does not build."""
    message = refused(LOGIN.replace('["ES256"]', '["ES256", "HS256"]') + "shared_secret = true")
    assert message.startswith("jwtguard.toml: issuers.login.algorithms: HMAC and public-key algorithms ")
    assert message.endswith("[R-ALG-03]")


def test_hmac_is_not_silent() -> None:
    """R-ALG-09: HMAC without the statement is refused, and key pairs are recommended."""
    message = refused(LOGIN.replace("ES256", "HS256"))
    assert message.startswith("jwtguard.toml: issuers.login.algorithms: HMAC lets every verifier mint tokens")
    assert "ES256, Ed25519" in message
    assert "shared_secret = true" in message
    assert message.endswith("[R-ALG-09]")


@pytest.mark.parametrize("spelling", ["none", "None", "NONE", "nOnE"])
def test_none_cannot_be_written(spelling: str) -> None:
    """R-ALG-02: ``none``, in any spelling, is an unknown algorithm, for issuers and for endpoints."""
    for text in (LOGIN.replace("ES256", spelling) + REPORTS, f"{LOGIN}{REPORTS}algorithms = ['{spelling}']"):
        message = refused(text)
        assert f"algorithms: unknown algorithm '{spelling}'; " in message
        assert message.endswith("[R-ALG-02]")


def test_hmac_is_stated() -> None:
    """R-ALG-09: HMAC works once the file states that issuer and verifier share a secret."""
    keys = f"shared_secret = true\njwks = [{HMAC_JWK}]"
    build(LOGIN.replace("ES256", "HS256").replace('keys = "discovery"', keys) + REPORTS)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("", "issuers.login: write exactly one of 'keys', 'jwks_uri', 'jwks_file', 'jwks', 'pem'; found none"),
        (
            'keys = "discovery"\njwks_uri = "https://login.example.com/jwks"',
            (
                "issuers.login: write exactly one of 'keys', 'jwks_uri', 'jwks_file', 'jwks', 'pem'; "
                "found 'keys' and 'jwks_uri'"
            ),
        ),
        ('keys = "discover"', "issuers.login.keys: unknown key source 'discover'; did you mean 'discovery'?"),
        ("jwks_uri = 1", "issuers.login.jwks_uri: must be a string, not the integer 1"),
        ("pem = []", "issuers.login.pem: the list is empty; name at least one, or leave the key out"),
        ("jwks = []", "issuers.login.jwks: the list is empty; name at least one, or leave the key out"),
        ("jwks = { key = [] }", "issuers.login.jwks: unknown key 'key'; did you mean 'keys'?"),
    ],
)
def test_keys_have_exactly_one_source(keys: str, message: str) -> None:
    """R-POL-06: where the keys of an issuer come from is written once."""
    assert refused(LOGIN.replace('keys = "discovery"', keys)) == f"jwtguard.toml: {message} [R-POL-06]"


def test_keys_may_be_a_url_jwks_or_pem() -> None:
    """R-JWK-01: a literal URL, a JWK set in both of its spellings and PEM texts become the issuer's own keys."""
    sources = {
        'jwks_uri = "https://login.example.com/jwks"': JwksUri("https://login.example.com/jwks"),
        f"jwks = [{HMAC_JWK}]": InlineKeys(
            ({"kty": "oct", "alg": "HS256", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldCE"},)
        ),
        "jwks = { keys = [{ kty = 'EC' }, { kty = 'RSA' }] }": InlineKeys(({"kty": "EC"}, {"kty": "RSA"})),
        'pem = "-----BEGIN PUBLIC KEY-----"': InlineKeys((), ("-----BEGIN PUBLIC KEY-----",)),
    }
    for text, keys in sources.items():
        (issuer,) = parse(LOGIN.replace('keys = "discovery"', text), name=FILE).issuers
        assert issuer.keys == keys


@pytest.mark.parametrize(
    "jwks", ["'{secret}'", "['{secret}']", "[{{ kty = 'oct' }}, '{secret}']", "{{ keys = '{secret}' }}"]
)
def test_messages_show_no_key_material(jwks: str) -> None:
    """R-OBS-01: a secret that was written in the wrong form is not repeated in the message."""
    message = refused(LOGIN.replace('keys = "discovery"', f"jwks = {jwks.format(secret='correct-horse')}"))
    assert "must be JWKs: a list of tables, or a table { keys = [...] }" in message
    assert "correct-horse" not in message


def test_two_private_keys_alike_are_not_shown() -> None:
    """R-OBS-01: nor is a PEM text that was pasted twice."""
    pem = '"""-----BEGIN PRIVATE KEY-----\ncorrect-horse"""'
    message = refused(LOGIN.replace('keys = "discovery"', f"pem = [{pem}, {pem}]"))
    assert message == "jwtguard.toml: issuers.login.pem: lists a text twice [R-POL-06]"


def test_what_an_issuer_signs_is_declared() -> None:
    """R-CLS-07: a class that endpoints accept must be among those the issuer's keys are declared to sign."""
    message = refused(f'{LOGIN}issues = ["id_token"]{REPORTS}')
    assert message.startswith("jwtguard.toml: endpoints.reports.accept: no issuer of this endpoint declares 'access'")
    assert message.endswith("[R-CLS-07]")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('issues = ["acess"]', "issuers.login.issues: unknown token class 'acess'; did you mean 'access'? [R-CLS-01]"),
        (
            'max_lifetime = { acces = "2h" }',
            "issuers.login.max_lifetime: unknown token class 'acces'; did you mean 'access'? [R-CLS-01]",
        ),
        (
            "issues = []",
            "issuers.login.issues: the list is empty; name at least one, or leave the key out [R-POL-06]",
        ),
    ],
)
def test_classes_are_known(line: str, message: str) -> None:
    """R-CLS-01: a class that nobody knows is refused with the nearest name, wherever an issuer names one."""
    assert refused(f"{LOGIN}{line}") == f"jwtguard.toml: {message}"


def test_classes_of_the_file_are_known() -> None:
    """R-CLS-02: a class that the file defines is as good a name as a ready-made one."""
    text = f'{LOGIN}issues = ["report"]\nmax_lifetime = {{ report = "10m" }}\n{class_text()}'
    config, table = build(text + REPORTS.replace('"access"', '"report"'))
    assert config.issuers[0].max_lifetime_s == {"report": 600.0}
    assert table.classes["login"].keys() == {"report"}


@pytest.mark.parametrize(
    "text", ['"30"', '"30 s"', '"1.5h"', '"-1s"', '"1h30m"', '"P1D"', '"\u0663s"', '""', '"9999999999s"', "30", "true"]
)
def test_a_duration_is_a_number_and_a_unit(text: str) -> None:
    """R-POL-06: durations are written like 30s, 10m, 24h, 7d, and nothing else is guessed at."""
    message = refused(f"{LOGIN}leeway = {text}")
    assert 'issuers.login.leeway: must be a duration such as "30s", "10m", "24h" or "7d", not the ' in message


def test_a_life_of_nothing_is_refused() -> None:
    """R-CLM-08: a bound of zero would refuse every token, or count as no bound at all."""
    legacy = f'{COGNITO}max_lifetime = "0h"'
    for text in (f"{LOGIN}max_lifetime = {{ access = '0h' }}", LOGIN + legacy, f"{REPORTS}max_age = '0h'"):
        assert refused(text).endswith("must be longer than '0h', which no token could satisfy [R-POL-06]")


def test_the_leeway_is_capped() -> None:
    """R-CLM-06: an issuer's leeway may not exceed 120 s."""
    build(f"{LOGIN}leeway = '2m'{REPORTS}")
    assert refused(f"{LOGIN}leeway = '121s'{REPORTS}") == (
        "jwtguard.toml: issuers.login.leeway: the leeway may not exceed 120 s [R-CLM-06]"
    )


def test_a_policy_without_an_audience_does_not_start() -> None:
    """R-CLM-03: without an audience of ours, a token for another service would pass; the policy is refused."""
    message = refused(LOGIN.replace("audience", "# audience") + REPORTS)
    assert message.startswith("jwtguard.toml: issuers.login.audience: no audience for class 'access'")
    assert message.endswith("[R-CLM-03]")


@pytest.mark.parametrize("audience", ['""', "[]", '[""]', "5", '["a", 5]', '["a", "a"]'])
def test_an_audience_says_something(audience: str) -> None:
    """R-CLM-03: an empty or mistyped audience is refused when the file is read."""
    assert "issuers.login.audience: " in refused(LOGIN.replace('"https://api.example.com"', audience) + REPORTS)


def test_an_issuer_is_configured_once() -> None:
    """R-JWK-01: keys belong to one exact issuer, so two tables for one ``iss`` are a mistake."""
    message = refused(LOGIN + LOGIN.replace("issuers.login", "issuers.again"))
    assert message == "jwtguard.toml: issuers.again: is configured twice [R-JWK-01]"


@pytest.mark.parametrize("issuer", ["", 'issuer = ""', "issuer = []"])
def test_an_issuer_has_its_exact_name(issuer: str) -> None:
    """R-CLM-02: ``iss`` is compared with what the file says, so the file must say it."""
    message = refused(LOGIN.replace('issuer = "https://login.example.com/"', issuer))
    assert "jwtguard.toml: issuers.login" in message
    assert "issuer" in message


PRINCIPAL = """
[issuers.login]
issuer = "https://login.example.com/{tenant}/v2.0"
audience = "https://api.example.com"
algorithms = ["ES256"]
keys = "discovery"
tenants = ["one", "two"]
roles_claim = ["realm_access", "roles"]
clients = { claim = "idtyp", equals = "app" }
workloads = { claim = "pod", present = true }
user_subjects = ["auth0|", "samlp|"]
"""


def test_what_tells_principals_apart_is_written_in_the_file() -> None:
    """R-CLM-10, R-JWK-15: tenants, roles, and the markers of clients and workloads reach the issuer."""
    issuers = parse(PRINCIPAL, name=FILE).issuers
    assert [issuer.issuer for issuer in issuers] == [
        "https://login.example.com/one/v2.0",
        "https://login.example.com/two/v2.0",
    ]
    for issuer in issuers:
        assert issuer.roles_claim == ("realm_access", "roles")
        assert issuer.clients == Marker("idtyp", frozenset({"app"}))
        assert issuer.workloads == Marker("pod")
        assert issuer.user_subjects == ("auth0|", "samlp|")


def test_one_role_claim_may_be_a_string() -> None:
    """R-POL-06: a way of one step is written as a string, as lists of one may be everywhere."""
    text = LOGIN + 'roles_claim = "cognito:groups"\nuser_subjects = "user_"\n'
    (issuer,) = parse(text, name=FILE).issuers
    assert (issuer.roles_claim, issuer.user_subjects) == (("cognito:groups",), ("user_",))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'tenants = ["one", "two"]',
            "",
            "issuers.login.tenants: an issuer with {tenant} in it lists the tenants accepted, and only such a one does",
        ),
        ('["one", "two"]', '["one", "one"]', "issuers.login.tenants: lists 'one' twice [R-POL-06]"),
        ('["one", "two"]', '["one", "t/o"]', "'t/o' is no tenant: letters, digits, '-', '_' and '.' only [R-JWK-15]"),
        ('["one", "two"]', "[]", "issuers.login.tenants: the list is empty; name at least one, or leave the key out "),
        (', equals = "app"', "", "clients: write exactly one of 'present', 'equals', 'one_of'; found none [R-POL-06]"),
        ("present = true", "present = false", "workloads: a marker is a claim that these tokens hold: present = true "),
        ('claim = "pod", ', "", "issuers.login.workloads: 'claim' must be written [R-POL-06]"),
        ('claim = "pod"', 'clain = "pod"', "issuers.login.workloads: unknown key 'clain'; did you mean 'claim'? "),
        ('["auth0|", "samlp|"]', '[""]', "issuers.login.user_subjects: must not be empty [R-POL-06]"),
        ('["realm_access", "roles"]', "{ a = 1 }", "issuers.login.roles_claim: must be a string, not the table "),
    ],
)
def test_what_tells_principals_apart_is_read_strictly(old: str, new: str, message: str) -> None:
    """R-POL-06: a marker, a tenant or a prefix that says nothing is a mistake, named with its key."""
    assert old in PRINCIPAL
    assert message in refused(PRINCIPAL.replace(old, new))
