"""``jwtguard explain``: the pipeline's own verdict, every stage told, and no part of the token."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

import pytest
from typer.testing import CliRunner, Result

from jwtguard import (
    Config,
    ConfigurationError,
    Discovery,
    Endpoint,
    Guard,
    InlineKeys,
    Issuer,
    Legacy,
    Marker,
    Reason,
    Refusal,
    cookie,
)
from jwtguard.cli import application
from jwtguard.cli.explain import told
from jwtguard.cli.explanation import Asked, Explanation, StepVerdict, explain_request
from jwtguard.core.pipeline import STAGES
from jwtguard.core.request import Token
from jwtguard.core.rules import equals
from jwtguard.core.table import PolicyTable
from jwtguard.jwks.ring import KeyRing
from tests.corpus.build import config_of
from tests.corpus.case import Case, read_folders, token_of
from tests.corpus.outcome import Outcome
from tests.kit.canary import Canary
from tests.kit.fake_clock import FakeClock
from tests.kit.fake_idp import FakeIdP
from tests.kit.guarded import FORGE, ISSUER, bearer, optional, protected, public, token
from tests.kit.token_forge import OMIT

NOW: Final = 1_767_225_600.0
SEED: Final = 2025
KEY: Final = FORGE.key()
OTHER: Final = Issuer(
    name="partner",
    issuer="https://partner.example.com",
    audience=(FORGE.audience,),
    algorithms=("ES256", "ES384"),
    keys=InlineKeys([FORGE.key(kid="p1").public_jwk()]),
)
LOGIN: Final = dataclasses.replace(ISSUER, client_id=("our-client",))
ENDPOINTS: Final = (
    protected("GET /reports", "GET /reports/{id}", issuers=("login",), scopes=frozenset({"reports:read"})),
    protected("POST /reports/", scopes=frozenset({"reports:write"})),
    protected("GET /sales", rules=(equals("department", "sales"),), max_age_s=60.0),
    protected("GET /cookie", "POST /cookie", carriers=(cookie("session"),)),
    protected("GET /partner", issuers=("partner",)),
    optional("GET /hello"),
    public("GET /health"),
)


def explained(
    request: str = "GET /reports/7",
    credential: bytes | None = None,
    *,
    headers: Sequence[tuple[bytes, bytes]] = (),
    issuers: Sequence[Issuer] = (LOGIN, OTHER),
    endpoints: Sequence[Endpoint] = ENDPOINTS,
) -> Explanation:
    """Explain one request at the time of the forge."""
    config = Config(issuers=issuers, endpoints=endpoints)
    method, _, path = request.partition(" ")
    asked = Asked(method, path, tuple(headers), None if credential is None else Token(credential))
    ring = KeyRing(config, FakeClock(), lambda _: None)
    explanation = explain_request(PolicyTable(config), ring.held, asked, NOW)
    assert_says_no_part_of(credential or b"", explanation)
    assert [step.stage for step in explanation.steps] == list(STAGES)
    return explanation


def assert_says_no_part_of(credential: bytes, explanation: Explanation) -> None:
    """No segment of a token, nor its first or last characters, is in the text."""
    text = "\n".join(told(explanation))
    assert all(character == "\n" or character.isprintable() for character in text)
    for segment in credential.strip(b"\"' \n").removeprefix(b"Bearer ").split(b"."):
        if len(segment) >= 8:
            assert segment.decode("latin-1") not in text
            assert segment[-16:].decode("latin-1") not in text


def stage(explanation: Explanation) -> str:
    """The stage that refused."""
    (refused,) = [step.stage for step in explanation.steps if step.verdict is StepVerdict.REFUSED]
    return refused


def signed(header: dict[str, object] | None = None, **claims: Any) -> bytes:
    """A token of the forge with a header and claims of your own."""
    return FORGE.sign(FORGE.access_claims(**claims), key=KEY, header=header)


def test_an_allowed_request_passes_every_stage() -> None:
    """R-POL-13: each stage tells what it expected and saw."""
    explanation = explained(credential=token())
    assert (explanation.reason, explanation.status, explanation.hints) == (None, 0, ())
    assert {step.verdict for step in explanation.steps} == {StepVerdict.PASSED}
    assert all(step.expected and step.seen for step in explanation.steps)
    assert explanation.steps[0].seen == "policy 'GET /reports', protected"
    assert explanation.steps[-1].expected == "scope reports:read"


def test_a_public_endpoint_ends_after_routing() -> None:
    """R-POL-13: what needs no token reaches no other stage."""
    verdicts = [step.verdict for step in explained("GET /health", token()).steps]
    assert verdicts == [StepVerdict.PASSED, *[StepVerdict.NOT_REACHED] * (len(STAGES) - 1)]


def test_an_optional_endpoint_lets_nobody_in() -> None:
    """R-POL-09: without a token an optional endpoint is passed as anonymous."""
    explanation = explained("GET /hello")
    assert explanation.reason is None
    assert explanation.steps[1].seen == "no token: anonymous"
    assert explanation.steps[2].verdict is StepVerdict.NOT_REACHED


HS = FORGE.sign(FORGE.access_claims(), key=FORGE.key("HS256", "k1"))
ES384 = FORGE.sign(FORGE.access_claims(), key=FORGE.key("ES384", "k1"))
STRANGER = FORGE.sign(FORGE.access_claims(), key=KEY, signature=b"x" * 64)
CASES: Final[dict[str, tuple[bytes, str, Reason, str, str]]] = {
    # name: token, stage, reason, check, a part of a hint
    "bearer": (b"Bearer " + token(), "extraction", Reason.MALFORMED_CREDENTIALS, "credential", "'Bearer ' is part of"),
    "quotes": (b'"' + token() + b'"', "jws", Reason.MALFORMED, "base64url", "quotes around it"),
    "newline": (token() + b"\n", "jws", Reason.MALFORMED, "base64url", "a newline in it"),
    "folded": (token()[:40] + b"\n" + token()[40:], "jws", Reason.MALFORMED, "base64url", "a newline in it"),
    "jwe": (b"a.b.c.d.e", "jws", Reason.MALFORMED, "segments", "5 segments is encrypted (JWE)"),
    "opaque": (b"2YotnFZFEjr1zCsicMWpAA", "jws", Reason.MALFORMED, "segments", "opaque"),
    "padding": (token() + b"=", "jws", Reason.MALFORMED, "base64url", "plain base64"),
    "alg none": (signed({"alg": "none"}), "jws", Reason.UNSUPPORTED_ALG, "alg", "not signed at all"),
    "hs": (HS, "jws", Reason.UNSUPPORTED_ALG, "alg", "HS256 is made with a shared secret, but 'login'"),
    "es384": (ES384, "jws", Reason.UNSUPPORTED_ALG, "alg", "add it to issuers.login.algorithms"),
    "id token": (
        signed({"typ": "JWT"}, nonce="n", aud="our-client"),
        "classification", Reason.WRONG_CLASS, "typ", "holds nonce: this is an ID token sent as an access token",
    ),
    "untyped": (signed({"typ": OMIT}), "classification", Reason.WRONG_CLASS, "typ", "Its typ is not at+jwt"),
    "typ": (signed({"typ": "application/logout+JWT"}), "classification", Reason.WRONG_CLASS, "typ", "that of logout"),
    "iss slash": (
        signed(iss="https://login.example.com"),
        "classification", Reason.BAD_ISSUER, "iss", "differs from 'https://login.example.com/' by a trailing slash",
    ),
    "iss case": (
        signed(iss="https://Login.example.com/"), "classification", Reason.BAD_ISSUER, "iss", "in case or space",
    ),
    "iss scheme": (
        signed(iss="http://login.example.com/"), "classification", Reason.BAD_ISSUER, "iss", "in its scheme",
    ),
    "iss elsewhere": (
        signed(iss=OTHER.issuer),
        "classification", Reason.BAD_ISSUER, "iss", "issuer 'partner' is configured, but this endpoint does not",
    ),
    "kid of another": (signed({"kid": "p1"}), "keys", Reason.NO_KEY, "kid", "belongs to the issuer 'partner'"),
    "kid case": (signed({"kid": "K1"}), "keys", Reason.NO_KEY, "kid", "in case or space only"),
    "kid unknown": (signed({"kid": "k9"}), "keys", Reason.NO_KEY, "kid", "No key has that kid"),
    "kid and issuer unknown": (
        signed({"kid": "k9"}, iss=FORGE.issuer.rstrip("/")), "keys", Reason.NO_KEY, "kid", "by a trailing slash",
    ),
    "signature": (STRANGER, "signature", Reason.BAD_SIGNATURE, "signature", "altered, or signed by another key"),
    "aud slash": (
        signed(aud="https://api.example.com/"), "claims", Reason.BAD_AUDIENCE, "aud", "by a trailing slash",
    ),
    "aud case": (signed(aud=["x", "https://API.example.com"]), "claims", Reason.BAD_AUDIENCE, "aud", "in case"),
    "aud client": (signed(aud="our-client"), "claims", Reason.BAD_AUDIENCE, "aud", "one of our client ids"),
    "expired": (signed(exp=NOW - 47), "claims", Reason.EXPIRED, "exp", "a clock is off by about 47 s"),
    "early": (
        signed(nbf=NOW + 90), "claims", Reason.NOT_YET_VALID, "nbf and iat", "a clock is off by about 90 s",
    ),
    "milliseconds": (signed(exp=int(NOW * 1000)), "claims", Reason.BAD_CLAIM, "exp", "looks like milliseconds"),
    "date as text": (signed(exp="1767225900"), "claims", Reason.BAD_CLAIM, "exp", "a string of digits"),
    "scope list": (signed(scope=["reports:read"]), "claims", Reason.BAD_CLAIM, "scope", "one string with spaces"),
    "azp": (
        signed(client_id=OMIT, azp="c"), "claims", Reason.MISSING_CLAIM, "client_id", "azp in place of client_id",
    ),
    "long life": (signed(exp=NOW + 9000), "claims", Reason.TOO_LONG_LIVED, "exp - iat", "max_lifetime"),
    "cnf": (signed(cnf={"jkt": "x"}), "claims", Reason.UNPROVEN_BINDING, "cnf", "DPoP or mutual TLS"),
    "scope": (signed(scope="a b"), "authorization", Reason.SCOPE_MISSING, "scope", "Missing: reports:read."),
    "scope case": (signed(scope="Reports:Read"), "authorization", Reason.SCOPE_MISSING, "scope", "in case only"),
    "scp": (
        signed(scope="a", scp=["reports:read"]),
        "authorization", Reason.SCOPE_MISSING, "scope", "reports:read is in the claim scp",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_failing_check_and_the_nearest_miss(name: str) -> None:
    """R-POL-13: the first failing check is named at its stage, with what may be behind it."""
    credential, where, reason, check, hint = CASES[name]
    explanation = explained(credential=credential)
    assert (stage(explanation), explanation.reason, explanation.check) == (where, reason, check)
    assert hint in "\n".join(explanation.hints)
    refused = list(STAGES).index(where)
    assert all(step.verdict is StepVerdict.PASSED for step in explanation.steps[:refused])
    assert all(step.verdict is StepVerdict.NOT_REACHED for step in explanation.steps[refused + 1 :])


@pytest.mark.parametrize("off", [31, 299, 301, 86_400])
def test_only_a_small_difference_is_called_a_clock(off: int) -> None:
    """R-CLM-06: a token that is hours old is expired, whatever the clock."""
    hints = "\n".join(explained(credential=signed(exp=NOW - off, iat=NOW - off - 60)).hints)
    assert f"{off} s ago" in hints
    assert ("a clock is off" in hints) is (off <= 300)


@pytest.mark.parametrize(
    ("request_line", "hint"),
    [
        ("GET /reports/", "A policy covers /reports: the trailing slash"),
        ("POST /reports", "A policy covers /reports/: the trailing slash"),
        ("DELETE /reports/7", "covered for GET, not for DELETE"),
        ("GET /Reports/7", "'GET /reports/{id}' is spelt otherwise"),
        ("GET /report/7", "The nearest pattern is 'GET /reports"),
    ],
)
def test_a_path_that_nearly_matches(request_line: str, hint: str) -> None:
    """R-POL-01: no policy is the first refusal, and the nearest pattern is named."""
    explanation = explained(request_line, token())
    assert (stage(explanation), explanation.reason, explanation.status) == ("routing", Reason.NO_POLICY, 403)
    assert hint in "\n".join(explanation.hints)


def test_a_path_like_no_other_gets_no_hint() -> None:
    """R-POL-01: where nothing is near, nothing is claimed."""
    assert explained("GET /zzzzzzzzzzzzzzzzzzzz").hints == ()


@pytest.mark.parametrize(
    ("request_line", "headers", "hint"),
    [
        ("GET /reports", [], "Give the token with --token."),
        ("GET /reports", [(b"authorization", b"Basic dXNlcjpwYXNz")], "not with the scheme"),
        ("GET /reports", [(b"authorization", token())], "not with the scheme"),
    ],
)
def test_a_request_without_a_token(request_line: str, headers: list[tuple[bytes, bytes]], hint: str) -> None:
    """R-ERR-01: a missing token is refused at extraction, and what was sent instead is not shown."""
    explanation = explained(request_line, headers=headers)
    assert (stage(explanation), explanation.reason, explanation.status) == ("extraction", Reason.MISSING_TOKEN, 401)
    assert hint in explanation.hints[0]
    assert_says_no_part_of(headers[0][1].rpartition(b" ")[2] if headers else b"", explanation)


def test_two_tokens_are_one_too_many() -> None:
    """R-EXT-03: with a token of each kind, neither is chosen."""
    explanation = explained(credential=token(), headers=[bearer(token())])
    assert explanation.reason is Reason.AMBIGUOUS_CREDENTIALS
    assert "give no header or cookie that carries a token too" in explanation.hints[0]


def test_a_token_in_a_header_by_hand_is_explained_and_hidden() -> None:
    """R-OBS-03: a credential given with --header is verified, and none of it is shown."""
    credential = signed(aud="https://api.example.com/")
    explanation = explained(headers=[bearer(credential)])
    assert explanation.reason is Reason.BAD_AUDIENCE
    assert_says_no_part_of(credential, explanation)


def test_the_token_goes_where_the_endpoint_expects_it() -> None:
    """R-EXT-01: an endpoint that reads a cookie gets the token in that cookie."""
    explanation = explained("GET /cookie", token())
    assert explanation.reason is None
    assert explanation.steps[1].expected == "one token in cookie session"


def test_a_cookie_from_a_foreign_page() -> None:
    """R-STO-03: a request with a cookie that no page of ours sent is refused at csrf, with what would be needed."""
    explanation = explained("POST /cookie", token())
    assert (stage(explanation), explanation.reason, explanation.status) == ("csrf", Reason.CSRF, 403)
    assert "Sec-Fetch-Site: same-origin" in explanation.hints[0]
    own = explained("POST /cookie", token(), headers=[(b"sec-fetch-site", b"same-origin")])
    assert own.reason is None
    assert [step.seen for step in own.steps if step.stage == "csrf"] == ["it is"]


def test_rules_and_ages_are_demands_of_the_endpoint() -> None:
    """R-CLM-12: claim rules and the endpoint's age limit fail at authorization, with the values compared."""
    refused = explained("GET /sales", signed(department="it"))
    assert (stage(refused), refused.reason, refused.check) == (
        "authorization",
        Reason.RULE_REFUSED,
        "department",
    )
    assert next(step for step in refused.steps if step.verdict is StepVerdict.REFUSED).seen == "it"
    old = explained("GET /sales", signed(department="sales", iat=NOW - 200))
    assert (stage(old), old.reason) == ("authorization", Reason.TOO_OLD)
    passed = explained("GET /sales", signed(department="sales")).steps[-1]
    assert passed.expected == "department equals 'sales'; at most 60 s old"


def test_a_reason_that_two_stages_share_is_told_at_the_right_one() -> None:
    """R-CLS-09: a claim named typ that decides the class is judged among the claims, not in the header."""
    legacy = Legacy(Marker("typ", frozenset({"Bearer"})), date(2026, 1, 1))
    issuer = dataclasses.replace(LOGIN, legacy=legacy)
    endpoint = Endpoint(match=("GET /legacy",), accept=("access_legacy",))
    for claims, where in (({"typ": "Refresh"}, "claims"), ({"typ": "Bearer"}, None)):
        explanation = explained("GET /legacy", signed({"typ": "JWT"}, **claims), issuers=[issuer], endpoints=[endpoint])
        assert (None if explanation.reason is None else stage(explanation)) == where


def test_without_keys_nobody_can_tell() -> None:
    """R-ERR-05: keys that would have to be fetched are not; the answer is 503, with the way out."""
    issuer = dataclasses.replace(LOGIN, keys=Discovery())
    endpoint = protected("GET /reports")
    explanation = explained("GET /reports", token(), issuers=[issuer], endpoints=[endpoint])
    assert (stage(explanation), explanation.reason, explanation.status) == ("keys", Reason.KEYS_UNAVAILABLE, 503)
    assert "--jwks FILE" in explanation.hints[0]


def test_claims_are_shown_cut_and_without_controls() -> None:
    """R-OBS-04: what a sender wrote cannot drive the terminal."""
    explanation = explained(credential=signed(iss="https://x\x1b[31m\r\n\u202e/" + "y" * 500))
    refused = next(step for step in explanation.steps if step.verdict is StepVerdict.REFUSED)
    assert len(refused.seen) == 64
    assert "\x1b" not in "".join(told(explanation))


def test_a_header_that_repeats_the_token_stays_hidden() -> None:
    """R-OBS-03: a kid or a claim that holds a segment of the token is not shown."""
    signature = "c2lnbmF0dXJl" * 7
    made = signed({"kid": signature})
    forged = b".".join((*made.split(b".")[:2], signature.encode()))
    explanation = explained(credential=forged)
    assert explanation.reason in (Reason.NO_KEY, Reason.MALFORMED)
    assert signature not in "\n".join(told(explanation))
    assert "(part of the token)" in "\n".join(told(explanation))


def corpus_cases() -> list[tuple[Case, Config]]:
    """The cases of level ``jwt`` that a guard can be built for, each with an endpoint for its class."""
    cases = []
    for case in read_folders([Path(__file__).parent.parent / "corpus"]):
        if case["level"] == "jwt":
            try:
                endpoint = Endpoint(match=("GET /case",), accept=(case["policy"]["token_class"],))
                config = dataclasses.replace(config_of(case), endpoints=[endpoint])
                PolicyTable(config)
            except ConfigurationError:
                continue
            cases.append((case, config))
    return cases


def test_explain_and_the_guard_agree_on_the_corpus() -> None:
    """R-OBS-01, R-OBS-03: the same verdict, reason and check as guard.verify on every case, and no token in it."""
    agreed = 0
    for case, config in corpus_cases():
        credential = token_of(case).encode("utf-8", "surrogatepass")
        explanation = _explained_case(config, credential, case["now"])
        if explanation.reason is not None and stage(explanation) == "extraction":
            continue  # what is no header value never becomes a token
        if credential != credential.strip(b" "):
            continue  # spaces around a header's value are not part of it
        try:
            Guard(config, clock=FakeClock(case["now"])).verify(
                credential, accept=case["policy"]["token_class"], now=case["now"]
            )
            seen: tuple[Reason | None, str] = (None, "")
        except Refusal as refusal:
            seen = (refusal.reason, refusal.check)
        assert (explanation.reason, explanation.check) == seen, case["id"]
        agreed += 1
    assert agreed > 100


def test_twenty_refusals_of_the_corpus_are_named() -> None:
    """R-POL-13, R-OBS-03: the first failing check of twenty cases, drawn with a fixed seed, and no token."""
    refused = [
        (case, config) for case, config in corpus_cases() if case["expect"] == "reject" and not case.get("strict")
    ]
    for case, config in random.Random(SEED).sample(refused, 20):
        explanation = _explained_case(config, token_of(case).encode(), case["now"])
        assert explanation.reason is not None, case["id"]
        assert Outcome(reason=explanation.reason).has_right_reason(case), (case["id"], explanation)
        assert explanation.check
        assert f"refused: {explanation.reason} ({explanation.check})" in "\n".join(told(explanation))


def _explained_case(config: Config, credential: bytes, now: float) -> Explanation:
    ring = KeyRing(config, FakeClock(now), lambda _: None)
    explanation = explain_request(PolicyTable(config), ring.held, Asked("GET", "/case", (), Token(credential)), now)
    assert_says_no_part_of(credential, explanation)
    return explanation


POLICY: Final = """
[issuers.login]
issuer = "https://login.example.com/"
audience = "https://api.example.com"
algorithms = ["ES256"]
jwks_uri = "JWKS_URI"

[[endpoints]]
match = ["GET /reports", "GET /reports/{id}"]
accept = "access"
scopes = ["reports:read"]

[[endpoints]]
match = "WEBSOCKET /feed"
public = true
"""
Run = Callable[..., Result]


@pytest.fixture
def explain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command in a folder with a policy, a token and a key set."""
    monkeypatch.chdir(tmp_path)
    Path("jwtguard.toml").write_text(POLICY.replace("JWKS_URI", "https://login.example.com/jwks"))
    Path("token").write_bytes(token() + b"\n")
    Path("jwks.json").write_text(json.dumps({"keys": [KEY.public_jwk()]}))

    def run(request: str, *options: str, given: bytes | None = None) -> Result:
        return CliRunner().invoke(application(), ["explain", "jwtguard.toml", request, *options], input=given)

    return run


AT: Final = ("--now", str(NOW))


def test_the_command_tells_an_allowed_request(explain: Run) -> None:
    """R-POL-13: exit 0, each stage in the pipeline's order; the line end of the file is not part of the token."""
    result = explain("GET /reports/7?page=2", "--token", "token", "--jwks", "jwks.json", *AT)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines if line and not line.startswith(" ")][:-1] == list(STAGES)
    assert lines[-1] == "allowed"


def test_the_command_reads_the_token_from_standard_input(explain: Run) -> None:
    """R-OBS-03: --token - keeps the token out of the command line."""
    result = explain("GET /reports", "--token", "-", "--jwks", "jwks.json", *AT, given=token() + b"\r\n")
    assert result.exit_code == 0, result.output


def test_the_command_tells_a_refusal(explain: Run) -> None:
    """R-POL-13: exit 1, the reason, the check, the answer to the client, and hints."""
    late = str(NOW + 400)
    result = explain("GET /reports", "--token", "token", "--jwks", "jwks.json", "--now", late)
    assert result.exit_code == 1
    assert "refused: expired (exp); the client is answered 401" in result.stdout
    assert "hint: If the token is fresh, a clock is off by about 100 s." in result.stdout


def test_one_jwk_is_a_key_set_too(explain: Run) -> None:
    """A file with a single JWK serves as well."""
    Path("jwks.json").write_text(json.dumps(KEY.public_jwk()))
    assert explain("GET /reports", "--token", "token", "--jwks", "jwks.json", *AT).exit_code == 0


def test_headers_can_be_given(explain: Run) -> None:
    """A header given by hand carries the token as well."""
    field = f"Authorization: Bearer {token().decode()}"
    result = explain("GET /reports", "--header", field, "--header", "X-Other: 1", "--jwks", "jwks.json", *AT)
    assert result.exit_code == 0, result.output


def test_requests_are_read_as_a_server_reads_them(explain: Run) -> None:
    """R-POL-03: the path is decoded, a method in lower case is none, WEBSOCKET is a handshake."""
    assert explain("WEBSOCKET /feed").exit_code == 0
    assert explain("GET /feed").exit_code == 1
    assert "a policy for GET /reports\n" in explain("GET /re%70orts").stdout
    assert "refused: no_policy" in explain("get /reports").stdout


def test_nothing_is_fetched_unless_asked_for(explain: Run) -> None:
    """F24: without --fetch the issuer's URL is not touched, and the answer says what to do."""
    with Canary() as canary:
        text = POLICY.replace("JWKS_URI", canary.url)
        Path("jwtguard.toml").write_text(f'mode = "development"\n{text}')
        result = explain("GET /reports", "--token", "token", *AT)
        canary.assert_untouched()
        assert result.exit_code == 1
        assert "--jwks FILE" in result.stdout
        fetched = explain("GET /reports", "--token", "token", "--fetch", *AT)
        assert canary.connections > 0
    assert "no keys came from login" in fetched.stderr


def test_keys_are_fetched_where_asked_for(explain: Run) -> None:
    """R-JWK-01: with --fetch the issuer's own keys verify the token."""
    with FakeIdP() as idp:
        idp.set_keys([KEY.public_jwk()])
        text = POLICY.replace("JWKS_URI", idp.jwks_uri)
        Path("jwtguard.toml").write_text(f'mode = "development"\n{text}')
        result = explain("GET /reports", "--token", "token", "--fetch", *AT)
    assert result.exit_code == 0, result.output
    assert sum(idp.hits.values()) == 1


@pytest.mark.parametrize(
    ("request_line", "options", "told_on_stderr"),
    [
        ("GET", (), "the request must be a method and a path"),
        ("/reports", (), "the request must be a method and a path"),
        ("GET reports", (), "the request must be a method and a path"),
        ("GET /reports", ("--header", "secret-without-colon"), 'a header must be "Name: value"'),
        ("GET /reports", ("--token", "missing"), "cannot read the token: No such file"),
        ("GET /reports", ("--jwks", "token"), "token is not a JWK set"),
        ("GET /reports", ("--jwks", "missing"), "does not exist"),
        ("GET /reports", ("--now", "soon"), "Invalid value for '--now'"),
    ],
)
def test_wrong_calls(explain: Run, request_line: str, options: tuple[str, ...], told_on_stderr: str) -> None:
    """A call that cannot be tried is exit 2, tells why, and repeats no secret."""
    result = explain(request_line, *options)
    assert result.exit_code == 2
    assert told_on_stderr in " ".join(result.stderr.split())
    assert "secret" not in result.stderr


def test_a_policy_that_cannot_be_built(explain: Run) -> None:
    """A mistake in the policy is exit 2 and names the file."""
    Path("jwtguard.toml").write_text(POLICY.replace("JWKS_URI", "http://login.example.com/jwks"))
    result = explain("GET /reports")
    assert result.exit_code == 2
    assert result.stderr.startswith("jwtguard explain: jwtguard.toml: ")
