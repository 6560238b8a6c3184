"""The order of the stages, and what a decision holds (R-ERR-01, R-OBS-01)."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from jwtguard import BEARER, Access, ConfigurationError, InlineKeys, Limits, Mode, Reason, Refusal, cookie
from jwtguard.core import pipeline, rules
from jwtguard.core.asked import Asked
from jwtguard.core.decision import Allowed, Context, Decision, Refused, Remember
from jwtguard.core.jws import JwsParser, UnverifiedJws
from jwtguard.core.keys import HeldKeys, KeySet
from jwtguard.core.needs import NeedKeys
from jwtguard.core.pipeline import STAGES, decide, decide_token, verification
from jwtguard.core.request import RequestHead, Token
from jwtguard.core.unfinished import Unknown
from jwtguard.errors import JwtGuardError, Unavailable, unknown
from tests.core.policies import FORGE, KEY, LOGIN, NEVER, NOW, context, endpoint, issuer, keys_of
from tests.kit.token_forge import OMIT

ROOT = Path(__file__).parents[2]
CORE = ROOT / "jwtguard" / "core"


def test_the_page_on_architecture_lists_the_stages() -> None:
    """R-GOV-10: ARCHITECTURE.md names the same stages in the same order as the code."""
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    listed = re.search(r"\| stage \| question \|\n\|[-|]+\|\n((?:\|.*\n)+)", page)
    assert listed is not None
    assert tuple(re.findall(r"^\| `(\w+)` \|", listed[1], re.MULTILINE)) == STAGES


@pytest.mark.parametrize("stage", STAGES)
def test_each_stage_is_a_module(stage: str) -> None:
    """R-GOV-10: each stage is one file, which says what it is for, and which the pipeline imports."""
    module = importlib.import_module(f"jwtguard.core.{stage}")
    assert module.__doc__
    if stage != "jws":  # its parser comes with the context
        assert f"from jwtguard.core.{stage} import" in inspect.getsource(pipeline)


def test_the_whole_story_is_one_page() -> None:
    """The pipeline is at most 150 lines, and nothing else in the core catches a refusal."""
    assert len((CORE / "pipeline.py").read_text(encoding="utf-8").splitlines()) <= 150
    catching = {file.stem for file in CORE.glob("*.py") if re.search(r"except .*Refusal", file.read_text("utf-8"))}
    assert catching == {"pipeline"}


def imported(file: Path) -> set[str]:
    """Return the modules of the core that a file imports, wherever in it."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    names = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    return {name.removeprefix("jwtguard.core.") for name in names if name.startswith("jwtguard.core.")}


def test_a_stage_knows_only_earlier_stages() -> None:
    """Imports follow the flow of data: no stage imports a later one, but for what recall finds again."""
    order = {stage: number for number, stage in enumerate(stage for stage in STAGES if stage != "recall")}
    for stage, number in order.items():
        earlier = {other for other, place in order.items() if place < number}
        assert imported(CORE / f"{stage}.py") & order.keys() <= earlier
    assert "authorization" not in imported(CORE / "recall.py")


def test_the_contract_names_every_module() -> None:
    """The import contract of the core lists each of its modules once, the stages in the order of the pipeline."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (layers,) = [found["layers"] for found in contracts if found.get("containers") == ["jwtguard.core"]]
    built = [re.split(r" *[|:] *", re.sub(r"\(\w+\)", "", layer)) for layer in layers]
    height = {name: number for number, names in enumerate(reversed(built)) for name in names if name}
    assert sorted(height) == sorted(file.stem for file in CORE.glob("*.py") if file.stem != "__init__")
    heights = [height[stage] for stage in STAGES if stage != "recall"]
    assert heights == sorted(heights)


def test_the_core_asks_nobody() -> None:
    """The core is sans-IO: no file of it imports a clock, a socket, a loop, a lock, a log or randomness."""
    forbidden = {
        "time",
        "datetime",
        "socket",
        "ssl",
        "asyncio",
        "anyio",
        "threading",
        "logging",
        "random",
        "secrets",
        "os",
    }
    for file in CORE.glob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        plain = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        assert not plain & forbidden, file.name
        found = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)} & forbidden
        assert found <= {"datetime"}, file.name  # dates of overrides; the ban on now() is ruff's


STRICT: dict[str, Any] = {"scopes": frozenset({"admin"}), "rules": [rules.equals("tier", 1)], "max_age_s": 60.0}
CONTEXT = context(
    endpoint("/reports"),
    endpoint("/admin", **STRICT),
    endpoint("/cookie", carriers=(BEARER, cookie("at"))),
    endpoint("WEBSOCKET /feed", carriers=(BEARER, cookie("at"))),
    endpoint("/rule", rules=[rules.equals("tier", 1)]),
    endpoint("/young", max_age_s=10.0),
    endpoint("/maybe", access=Access.OPTIONAL),
    endpoint("/open", access=Access.PUBLIC, accept=()),
)
OTHER_KEY = FORGE.key(kid="k2")


def head(
    path: str, token: bytes = b"", *more: tuple[bytes, bytes], method: str = "GET", scheme: str = "https"
) -> RequestHead:
    """A request, with a bearer token if one is given."""
    fields = [(b"authorization", b"Bearer " + token)] if token else []
    return RequestHead(method, path, [*fields, *more], scheme)


def token_of(header: dict[str, object] | None = None, signature: bytes | None = None, **claims: object) -> bytes:
    """A good access token of the forge, changed."""
    return FORGE.sign(FORGE.access_claims(now=NOW, **claims), key=KEY, header=header, signature=signature)


def decided(path: str, token: bytes = b"", *more: tuple[bytes, bytes], now: float = NOW, **changes: Any) -> Decision:
    """Decide a request whose keys are all at hand."""
    decision = decide(CONTEXT, head(path, token, *more, **changes), now=now, monotonic=0.0)
    assert not isinstance(decision, Unknown)
    return decision


def reason_of(decision: Decision) -> Reason | None:
    """Return why, or ``None`` if the request may pass."""
    return decision.refusal.reason if isinstance(decision, Refused) else None


BAD_SIGNATURE = b"\x01" * 64
WEAK = KeySet({}, [("k1", "ES256")], (), ())
PROVOKED: list[tuple[Reason, Callable[[], Decision]]] = [
    (Reason.NO_POLICY, lambda: decided("/nowhere")),
    (Reason.MISSING_TOKEN, lambda: decided("/reports")),
    (Reason.AMBIGUOUS_CREDENTIALS, lambda: decided("/reports", b"x", (b"authorization", b"y"))),
    (Reason.MALFORMED_CREDENTIALS, lambda: decided("/reports", b"x y")),
    (Reason.INSECURE_TRANSPORT, lambda: decided("/reports", b"x", scheme="http")),
    (Reason.CSRF, lambda: decided("/feed", b"", (b"cookie", b"at=x"), method="WEBSOCKET")),
    (Reason.TOO_LARGE, lambda: decided("/reports", b"x" * 8193)),
    (Reason.MALFORMED, lambda: decided("/reports", b"x")),
    (Reason.BAD_HEADER, lambda: decided("/reports", token_of({"crit": ["x"]}))),
    (Reason.UNSUPPORTED_ALG, lambda: decided("/reports", token_of({"alg": "none"}))),
    (Reason.BAD_ISSUER, lambda: decided("/reports", token_of(iss="x"))),
    (Reason.WRONG_CLASS, lambda: decided("/reports", token_of({"typ": "JWT"}))),
    (Reason.NO_KEY, lambda: decided("/reports", token_of({"kid": "k9"}))),
    (Reason.WEAK_KEY, lambda: with_keys(WEAK, token_of())),
    (Reason.KEYS_UNAVAILABLE, lambda: with_keys(None, token_of())),
    (Reason.BAD_SIGNATURE, lambda: decided("/reports", token_of(signature=BAD_SIGNATURE))),
    (Reason.BAD_CLAIM, lambda: decided("/reports", token_of(sub=7))),
    (Reason.MISSING_CLAIM, lambda: decided("/reports", token_of(jti=OMIT))),
    (Reason.BAD_AUDIENCE, lambda: decided("/reports", token_of(aud="x"))),
    (Reason.EXPIRED, lambda: decided("/reports", token_of(), now=NOW + 400)),
    (Reason.NOT_YET_VALID, lambda: decided("/reports", token_of(), now=NOW - 400)),
    (Reason.TOO_LONG_LIVED, lambda: decided("/reports", token_of(exp=NOW + 4000))),
    (Reason.UNPROVEN_BINDING, lambda: decided("/reports", token_of(cnf={}))),
    (Reason.TOO_OLD, lambda: decided("/young", token_of(), now=NOW + 41)),
    (Reason.SCOPE_MISSING, lambda: decided("/admin", token_of())),
    (Reason.RULE_REFUSED, lambda: decided("/rule", token_of())),
]
LATER = {
    *(Reason.REVOKED, Reason.REPLAYED),  # of stages that are not built yet
    *(Reason.TENANT_MISMATCH, Reason.STORE_UNAVAILABLE, Reason.UNKNOWN_SESSION, Reason.UNKNOWN_SUBJECT),
}
"""Reasons that need more than a token: tests/core/test_demands.py and tests/test_outside.py provoke them."""


def asked(path: str, token: bytes, *, held: HeldKeys | None = None) -> tuple[Context, Unknown]:
    """Decide a request of whose issuer no keys are held, up to the question for them."""
    own = Context(CONTEXT.table, {"login": held or HeldKeys(KeySet({}, (), (), ()), -NEVER)})
    decision = decide(own, head(path, token), now=NOW, monotonic=0.0)
    assert isinstance(decision, Unknown)
    return own, decision


def with_keys(keys: KeySet | None, token: bytes, path: str = "/reports") -> Decision:
    """Decide a request whose keys have to be asked for, and answer with these."""
    steps = verification(*asked(path, token))
    assert isinstance(next(steps), NeedKeys)
    with pytest.raises(StopIteration) as done:
        steps.send(keys)
    decision: Decision = done.value.value
    return decision


@pytest.mark.parametrize(("reason", "provoke"), PROVOKED, ids=lambda value: value if isinstance(value, str) else "")
def test_every_reason_is_provoked(reason: Reason, provoke: Callable[[], Decision]) -> None:
    """R-OBS-01: each reason of the closed list is what some request is refused for."""
    assert reason_of(provoke()) is reason


def test_the_list_of_reasons_is_closed() -> None:
    """R-OBS-01: a reason that nothing provokes is not in the list, but for those of later stages."""
    assert {reason for reason, _ in PROVOKED} | LATER == set(Reason)
    assert not {reason for reason, _ in PROVOKED} & LATER


def test_a_good_token_passes() -> None:
    """R-POL-02: a token that satisfies all stages yields an identity and is to be remembered."""
    token = token_of(scope="admin x", tier=1)
    decision = decided("/admin", token)
    assert isinstance(decision, Allowed)
    assert (decision.identity.subject, decision.identity.policy) == ("user-1", "/admin")
    assert decision.policy.name == "/admin"
    remember = decision.remember
    assert isinstance(remember, Remember)
    assert remember.token.reveal() == token
    assert remember.header.segment == token.split(b".")[0]
    assert remember.claims_set.claims["sub"] == "user-1"


def test_a_public_endpoint_reads_no_token() -> None:
    """R-POL-01: a public endpoint lets everybody pass as nobody, whatever the request carries."""
    for given in (b"", b"x", b"x y", token_of(), b"x" * 10_000):
        decision = decided("/open", given, scheme="http")
        assert isinstance(decision, Allowed)
        assert not decision.identity.is_authenticated
        assert decision.identity.policy == decision.policy.name == "/open"
        assert decision.remember is None


def test_an_optional_endpoint() -> None:
    """R-POL-09: without a credential the caller is anonymous; with one it is verified, and a bad one is refused."""
    nobody, somebody = decided("/maybe"), decided("/maybe", token_of())
    assert isinstance(nobody, Allowed)
    assert isinstance(somebody, Allowed)
    assert (nobody.identity.is_authenticated, nobody.identity.policy) == (False, "/maybe")
    assert nobody.policy.name == "/maybe"
    assert somebody.identity.is_authenticated
    for bad in (b"x", token_of(signature=BAD_SIGNATURE), token_of(aud="x")):
        assert isinstance(decided("/maybe", bad), Refused)
    assert isinstance(decided("/maybe", b"", (b"authorization", b"Basic x")), Allowed)


def test_a_protected_endpoint_without_a_token() -> None:
    """R-POL-01, R-ERR-01: without a credential the refusal says what is missing and repeats nothing."""
    decision = decided("/reports", b"", (b"authorization", b"Basic x"))
    assert isinstance(decision, Refused)
    refusal = decision.refusal
    told = (refusal.reason, refusal.check, refusal.expected, refusal.seen)
    assert told == (Reason.MISSING_TOKEN, "credential", "a token in a declared carrier", None)
    assert decision.policy is not None
    assert decision.policy.name == "/reports"
    assert decision.remember is None


def test_a_refusal_knows_its_policy() -> None:
    """R-OBS-02: a refused request names its policy as soon as one is known."""
    assert decided("/nowhere").policy is None
    for bad in (b"x y", b"x", token_of(signature=BAD_SIGNATURE), token_of(aud="x"), token_of({"kid": "k9"})):
        decision = decided("/reports", bad)
        assert isinstance(decision, Refused)
        assert decision.policy is not None
        assert decision.policy.name == "/reports"


FAULTS: list[tuple[dict[str, Any], Reason]] = [
    ({"iat": NOW - 100}, Reason.TOO_OLD),
    ({"exp": NOW - 31, "iat": NOW - 200}, Reason.EXPIRED),
    ({"signature": BAD_SIGNATURE}, Reason.BAD_SIGNATURE),
    ({"header": {"typ": "JWT"}}, Reason.WRONG_CLASS),
    ({"iss": "x"}, Reason.BAD_ISSUER),
    ({"header": {"kid": "k9", "typ": "JWT"}}, Reason.NO_KEY),
    ({"header": {"kid": "k9", "typ": "JWT", "alg": "none"}}, Reason.UNSUPPORTED_ALG),
    ({"header": {"kid": "k9", "typ": "JWT", "alg": "none", "crit": []}}, Reason.BAD_HEADER),
]


def test_the_first_failing_stage_wins() -> None:
    """R-OBS-01: a token with several faults is refused for the earliest stage; forged and expired is bad_signature."""
    worse: dict[str, Any] = {}
    assert reason_of(decided("/admin", token_of())) is Reason.SCOPE_MISSING
    for changes, reason in FAULTS:
        worse |= changes
        assert reason_of(decided("/admin", token_of(**worse))) is reason
    assert reason_of(decided("/admin", token_of(**worse) + b" ")) is Reason.BAD_HEADER
    assert reason_of(decided("/admin", token_of(**worse) + b" x")) is Reason.MALFORMED_CREDENTIALS
    assert reason_of(decided("/nowhere", token_of(**worse) + b" x")) is Reason.NO_POLICY


def remembering(*tokens: bytes) -> Context:
    """A context that remembers good tokens, as the guard would."""
    own = Context(CONTEXT.table, CONTEXT.held)
    for token in tokens:
        decision = decide(own, head("/reports", token), now=NOW, monotonic=0.0)
        assert isinstance(decision, Allowed)
        assert decision.remember is not None
        own.memory[decision.remember.token.digest()] = decision.remember.claims_set
        own.headers[decision.remember.header.segment] = decision.remember.header
    return own


def test_a_remembered_token_is_judged_by_its_endpoint() -> None:
    """R-POL-07: what an endpoint demands is judged on every request, remembered or not."""
    token = token_of()
    own = remembering(token)
    seen = {
        path: decide(own, head(path, token), now=NOW + 41, monotonic=0.0)
        for path in ("/reports", "/admin", "/young", "/rule")
    }
    reasons = {path: reason_of(decision) for path, decision in seen.items() if not isinstance(decision, Unknown)}
    assert reasons == {
        "/reports": None, "/admin": Reason.SCOPE_MISSING, "/young": Reason.TOO_OLD, "/rule": Reason.RULE_REFUSED,
    }  # fmt: skip
    warm = seen["/reports"]
    assert isinstance(warm, Allowed)
    assert warm.remember is None
    assert (warm.identity.subject, warm.identity.policy, warm.policy.name) == ("user-1", "/reports", "/reports")


@pytest.mark.parametrize("now", [-400, -30.25, -30, 0, 10, 40, 40.25, 41, 329.75, 330, 330.25, 400, 1e9])
@pytest.mark.parametrize("path", ["/reports", "/admin", "/young", "/maybe", "/cookie", "/rule"])
def test_warm_and_cold_agree(path: str, now: float) -> None:
    """R-CLM-05: at any time a remembered token gets the answer it would get if it were seen for the first time."""
    token = token_of()
    cold = decide(Context(CONTEXT.table, CONTEXT.held), head(path, token), now=NOW + now, monotonic=0.0)
    warm = decide(remembering(token), head(path, token), now=NOW + now, monotonic=0.0)
    assert not isinstance(cold, Unknown)
    assert not isinstance(warm, Unknown)
    assert reason_of(warm) is reason_of(cold)
    assert type(warm) is type(cold)


def test_a_remembered_token_needs_keys_in_force() -> None:
    """R-JWK-10: once the keys may not be used without asking, a remembered token is asked about like any other."""
    token = token_of()
    own = remembering(token)
    stale = Context(own.table, {"login": HeldKeys(own.held["login"].key_set, 100.0)})
    stale.memory = own.memory
    fresh = decide(stale, head("/reports", token), now=NOW, monotonic=99.75)
    assert isinstance(fresh, Allowed)
    assert fresh.remember is None
    assert isinstance(decide(stale, head("/reports", token), now=NOW, monotonic=100.0), Unknown)


@pytest.mark.parametrize(
    ("mode", "server", "reason"),
    [
        (Mode.PRODUCTION, "localhost", Reason.INSECURE_TRANSPORT),
        (Mode.DEVELOPMENT, "localhost", None),
        (Mode.DEVELOPMENT, "api.example.com", Reason.INSECURE_TRANSPORT),
    ],
)
def test_the_mode_reaches_extraction(mode: Mode, server: str, reason: Reason | None) -> None:
    """R-EXT-09: whether plain http may carry a credential is the mode's decision."""
    own = context(endpoint(), mode=mode)
    request = RequestHead("GET", "/x", [(b"authorization", b"Bearer " + token_of())], "http", server)
    decision = decide(own, request, now=NOW, monotonic=0.0)
    assert not isinstance(decision, Unknown)
    assert reason_of(decision) is reason


class Closed(JwsParser):
    """A parser that reads headers and must not be asked for more."""

    def open(self, jws: UnverifiedJws) -> NoReturn:
        """Fail."""
        pytest.fail("the payload was decoded")


def test_an_unknown_kid_costs_a_header() -> None:
    """R-JWK-09, F01: a kid that is known not to exist is refused before anything else of the token is decoded."""
    own = Context(CONTEXT.table, CONTEXT.held)
    own.parser = Closed(Limits(), {})
    decision = decide(own, head("/reports", token_of({"kid": "k9"})), now=NOW, monotonic=0.0)
    assert isinstance(decision, Refused)
    assert decision.refusal.reason is Reason.NO_KEY


@pytest.mark.parametrize("monotonic", [0.0, 60.0])
@pytest.mark.parametrize("change", [{"typ": "JWT"}, {}])
def test_an_unknown_kid_is_told_first(change: dict[str, object], monotonic: float) -> None:
    """R-OBS-01: whether it is worth asking about or not, an unknown kid is the reason of a token wrong otherwise."""
    own = Context(CONTEXT.table, {"login": HeldKeys(keys_of(LOGIN), 100.0, 50.0)})
    token = token_of({"kid": "k9", **change}, iss="x" if not change else FORGE.issuer)
    decision = decide(own, head("/reports", token), now=NOW, monotonic=monotonic)
    assert isinstance(decision, Refused)
    assert decision.refusal.reason is Reason.NO_KEY


def test_what_is_asked_for() -> None:
    """R-JWK-09: the question names the issuer that the token was classified under and the kid of its header."""
    for kid in ("k1", "k9", None):
        token = token_of({"kid": OMIT if kid is None else kid})
        own, unknown_token = asked("/reports", token)
        need = next(verification(own, unknown_token))
        assert need.issuer is own.table.config.issuers[0]
        assert need.kid == kid


def test_only_an_acceptable_token_asks() -> None:
    """R-JWK-09, R-HDR-01: what no key could save is refused before anybody is asked for keys."""
    silent = Context(CONTEXT.table, {"login": HeldKeys(KeySet({}, (), (), ()), -NEVER)})
    hopeless: list[dict[str, Any]] = [
        {"iss": "x"},
        {"header": {"typ": "x"}},
        {"header": {"alg": "none"}},
        {"header": {"jku": "x"}},
    ]
    for changes in hopeless:
        assert isinstance(decide(silent, head("/reports", token_of(**changes)), now=NOW, monotonic=0.0), Refused)


@pytest.mark.parametrize(
    ("kid", "monotonic", "asks"),
    [
        ("k1", 0.0, False),
        ("k1", 99.75, False),
        ("k1", 100.0, True),
        ("k9", 49.75, False),
        ("k9", 50.0, True),
        (None, 60.0, False),
        (None, 100.0, True),
    ],
)
def test_when_keys_are_asked_for(kid: str | None, monotonic: float, asks: bool) -> None:  # noqa: FBT001 - a column
    """R-JWK-09: keys in force answer for their kids, and for unknown ones until these are worth asking about."""
    own = Context(CONTEXT.table, {"login": HeldKeys(keys_of(LOGIN), 100.0, 50.0)})
    token = token_of({"kid": OMIT if kid is None else kid})
    decision = decide(own, head("/reports", token), now=NOW, monotonic=monotonic)
    assert isinstance(decision, Unknown) is asks


def test_asked_keys_decide() -> None:
    """R-JWK-11, F13: with the keys that were asked for the token is decided like any other, and asked about once."""
    good = with_keys(keys_of(LOGIN), token_of())
    assert isinstance(good, Allowed)
    assert good.remember is not None
    assert reason_of(with_keys(KeySet({}, (), (), ()), token_of())) is Reason.NO_KEY
    assert reason_of(with_keys(keys_of(LOGIN), token_of(signature=BAD_SIGNATURE))) is Reason.BAD_SIGNATURE
    assert reason_of(with_keys(keys_of(LOGIN), token_of(), "/admin")) is Reason.SCOPE_MISSING


@pytest.mark.parametrize("path", ["/admin", "/rule"])
def test_a_verified_token_is_remembered_though_refused(path: str) -> None:
    """R-POL-07: what failed at the endpoint alone is verified all the same, so that asking again costs little."""
    decision = decided(path, token_of())
    assert isinstance(decision, Refused)
    assert decision.remember is not None
    assert decision.remember.claims_set.claims["sub"] == "user-1"


@pytest.mark.parametrize(
    "change",
    [{"signature": BAD_SIGNATURE}, {"aud": "x"}, {"exp": NOW - 60, "iat": NOW - 90}, {"header": {"kid": "k9"}}],
)
def test_an_unverified_token_is_not_remembered(change: dict[str, Any]) -> None:
    """F57: strangers cannot fill the memory: only what verified is remembered."""
    assert decided("/reports", token_of(**change)).remember is None


def test_one_token_without_a_request() -> None:
    """R-CLS-01: guard.verify goes the same way, from the token on."""
    accepted = CONTEXT.table.acceptance(["access"])
    good = decide_token(CONTEXT, Asked(accepted, None, Token(token_of()), NOW, 0.0))
    assert isinstance(good, Allowed)
    assert good.identity.policy == "verify"
    bad = decide_token(CONTEXT, Asked(accepted, None, Token(b"x"), NOW, 0.0))
    assert isinstance(bad, Refused)
    assert bad.policy is accepted


def test_keys_of_one_issuer_are_of_no_use_to_another() -> None:
    """R-POL-10, R-JWK-01, F25: two issuers share a kid; each token is verified by the keys of its own issuer."""
    foreign = InlineKeys([OTHER_KEY.public_jwk(kid="k1")])
    neighbour = issuer(name="other", issuer="https://other.example.com/", keys=foreign)
    own = context(endpoint(), issuers=[LOGIN, neighbour])
    for iss, expected in ((LOGIN.issuer, None), (neighbour.issuer, Reason.BAD_SIGNATURE)):
        decision = decide(own, head("/x", token_of(iss=iss)), now=NOW, monotonic=0.0)
        assert not isinstance(decision, Unknown)
        assert reason_of(decision) is expected


MALFORMED_TOKENS = [
    b"x",
    b"eyJ.e30.A",
    b"e30.e30.",
    token_of(signature=BAD_SIGNATURE),
    FORGE.sign(b"\xff", key=KEY),
    FORGE.sign(b'{"iss":', key=KEY),
    FORGE.sign(b'{"iss":"\\ud800"}', key=KEY),
    FORGE.sign(b"{}", key=KEY, header=b"\xff{"),
    FORGE.sign(b"{}", key=KEY, header=b'{"alg":'),
]


@pytest.mark.parametrize("token", MALFORMED_TOKENS, ids=lambda token: f"{len(token)}-bytes")
def test_a_refusal_holds_nothing_of_the_token(token: bytes) -> None:
    """F58, R-OBS-03: neither frames nor the errors of a decoder, which hold the whole text, outlive the decision."""
    decision = decided("/reports", token)
    assert isinstance(decision, Refused)
    refusal = decision.refusal
    assert refusal.__traceback__ is None
    assert refusal.__cause__ is None
    assert refusal.__context__ is None


def test_a_refusal_shows_its_reason_alone() -> None:
    """R-ERR-03, R-OBS-03: str and repr of a refusal show the reason and nothing that the check saw."""
    refusal = Refusal(Reason.BAD_CLAIM, "sub", "a string", "secret value")
    assert str(refusal) == "bad_claim"
    assert repr(refusal) in {"Refusal('bad_claim')", f"Refusal({Reason.BAD_CLAIM!r})"}
    assert refusal.args == ("bad_claim",)
    assert (refusal.reason, refusal.check, refusal.expected, refusal.seen) == (
        Reason.BAD_CLAIM,
        "sub",
        "a string",
        "secret value",
    )
    bare = Refusal(Reason.EXPIRED)
    assert (bare.check, bare.expected, bare.seen) == ("", None, None)


def test_what_jwtguard_raises() -> None:
    """R-HDR-13: whatever is raised on purpose has one base."""
    assert {kind.__mro__[1] for kind in (Refusal, Unavailable, ConfigurationError)} == {JwtGuardError}


def test_an_error_of_the_author_says_where() -> None:
    """R-POL-06: a configuration error names its place and the rule, if it has them."""
    full = ConfigurationError("is wrong", key="issuers.login", rule="R-POL-06")
    assert str(full) == "issuers.login: is wrong [R-POL-06]"
    assert (full.message, full.key, full.rule) == ("is wrong", "issuers.login", "R-POL-06")
    assert str(ConfigurationError("is wrong")) == "is wrong"


@pytest.mark.parametrize(
    ("value", "known", "hint"),
    [
        ("acess", ["access", "logout"], "did you mean 'access'?"),
        ("ACCESS", ["access"], "did you mean 'access'?"),
        ("zzz", ["b", "a"], "known are 'a', 'b'"),
        ("zzz", [], "known are none"),
        (7, ["a"], "known are 'a'"),
    ],
)
def test_a_misspelt_word_has_a_hint(value: object, known: list[str], hint: str) -> None:
    """R-POL-06: the nearest right spelling is named, or all there are."""
    error = unknown("thing", value, known, key="here", rule="R-POL-06")
    assert (error.message, error.key, error.rule) == (f"unknown thing {value!r}; {hint}", "here", "R-POL-06")


def test_limits_reach_every_stage() -> None:
    """R-EXT-06: the limits of the table are those that extraction, parser and claims go by."""
    tight = context(endpoint(), limits=Limits(token_bytes=100, subject_chars=3))
    long = decide(tight, head("/x", b"a" * 101), now=NOW, monotonic=0.0)
    assert isinstance(long, Refused)
    assert long.refusal.reason is Reason.TOO_LARGE
    named = context(endpoint(), limits=Limits(subject_chars=3))
    sub = decide(named, head("/x", token_of()), now=NOW, monotonic=0.0)
    assert isinstance(sub, Refused)
    assert (sub.refusal.reason, sub.refusal.check) == (Reason.BAD_CLAIM, "sub")
