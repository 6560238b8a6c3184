"""First sight of a token, and a token seen before, beside the bare signature check and other libraries."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

from joserfc.errors import SecurityWarning

from benchmarks import peers
from benchmarks.apps import bare, guard_for
from benchmarks.calls import decodings, head_of, requests
from benchmarks.machine import optimized
from benchmarks.plan import Plan
from benchmarks.table import Report, Row, Target
from benchmarks.timing import Batch, Case, Samples, measure
from benchmarks.tokens import ALGORITHMS, SigningKey
from jwtguard import Guard, JWTGuardMiddleware
from jwtguard.core.decision import Allowed
from jwtguard.core.request import Token

RAW = "cryptography"
_BARE = "bare ASGI app"
_FIRST = "bare ASGI app + guard, first sight"
_AGAIN = "bare ASGI app + guard, seen before"
_VERIFY = "guard.verify()"
_LIMITS = {"RS256": 1.85, "ES256": 1.5, "EdDSA": 1.35}
_RS256_OPTIMIZED = 1.6
_AGAIN_LIMIT = 0.20


def run(plan: Plan) -> Report:
    """Measure every algorithm."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)  # joserfc, at every EdDSA token: the label is deprecated
        reports = [_algorithm(alg, plan) for alg in ALGORITHMS]
    reports.append(_seen_before(plan))
    rows = [row for report in reports for row in report.rows]
    return Report(rows, {name: timing for report in reports for name, timing in report.timings.items()})


def raw_check(key: SigningKey, tokens: Sequence[bytes]) -> Case:
    """Time the bare signature check of ``cryptography``, with signature, padding and hash prepared."""

    def prepare() -> Batch:
        calls = [key.arguments(token) for token in tokens]

        async def batch() -> None:
            verify = key.verify
            while calls:
                verify(*calls.pop())

        return batch

    return Case(RAW, prepare, len(tokens))


def _algorithm(alg: str, plan: Plan) -> Report:
    key = SigningKey(alg)
    *tokens, other = key.tokens(plan.tokens + 1)
    rivals = peers.installed(key.jwk)
    for rival in rivals:
        peers.prove(rival, key)
    remembered = _woken(key, [other]).snapshot.context.memory
    assert not any(Token(token).digest() in remembered for token in tokens), "not the first sight"

    def first_sight() -> Batch:
        return requests(JWTGuardMiddleware(bare, guard=_woken(key, [other])), tokens)

    def verified() -> Batch:
        guard = _woken(key, [other])
        return decodings(lambda text: guard.verify(text, accept="access"), tokens)

    cases = [
        raw_check(key, tokens),
        Case(_BARE, lambda: requests(bare, tokens), len(tokens)),
        Case(_FIRST, first_sight, len(tokens)),
        Case(_VERIFY, verified, len(tokens)),
        *(Case(rival.name, _decoding(rival, tokens), len(tokens)) for rival in rivals),
    ]
    samples = measure(cases, plan.rounds)
    return Report(_rows(alg, samples, [rival.name for rival in rivals]), {f"verify {alg}": samples.summary(RAW)})


def _seen_before(plan: Plan) -> Report:
    key = SigningKey("RS256")
    tokens = key.tokens(plan.tokens)
    guard = _woken(key, tokens)
    assert all(type(guard.decide_locally(head_of(token))) is Allowed for token in tokens), "not remembered"
    app = JWTGuardMiddleware(bare, guard=guard)
    cases = [
        raw_check(key, tokens),
        Case(_BARE, lambda: requests(bare, tokens), len(tokens)),
        Case(_AGAIN, lambda: requests(app, tokens), len(tokens)),
    ]
    samples = measure(cases, plan.cheap_rounds)
    row = Row(
        figure="token seen before, whole decision / bare check, RS256",
        ours=samples.quiet_added(_AGAIN, _BARE, RAW),
        median=samples.median_added(_AGAIN, _BARE, RAW),
        target=Target(_AGAIN_LIMIT),
    )
    return Report([row], {"seen before": samples.summary(RAW)})


def _woken(key: SigningKey, tokens: Sequence[bytes]) -> Guard:
    """Make a guard as it is in a running server: key bound, header of this issuer known, these tokens seen."""
    guard = guard_for(key.jwk)
    for token in tokens:
        guard.verify(token, accept="access")
    return guard


def _decoding(rival: peers.Peer, tokens: Sequence[bytes]) -> Callable[[], Batch]:
    return lambda: decodings(rival.decode, tokens)


def _rows(alg: str, samples: Samples, rivals: Sequence[str]) -> list[Row]:
    limit = _RS256_OPTIMIZED if alg == "RS256" and optimized() else _LIMITS[alg]
    return [
        Row(
            figure=f"first sight of a token, whole decision / bare check, {alg}",
            ours=samples.quiet_added(_FIRST, _BARE, RAW),
            median=samples.median_added(_FIRST, _BARE, RAW),
            target=Target(limit),
            peers={rival: samples.quiet_ratio(rival, RAW) for rival in rivals},
        ),
        Row(
            figure=f"guard.verify() / bare check, {alg}",
            ours=samples.quiet_ratio(_VERIFY, RAW),
            median=samples.median_ratio(_VERIFY, RAW),
        ),
    ]
