"""What a stranger can make us spend: refusals before any signature is checked, and none may fetch.

Two figures each: the whole decision, which binds, and the whole request with its 401 sent; nothing is
subtracted from either. The keys come from a loopback server and
were fetched once; the cool-down for unknown kids is set longer than the run, as under a flood, so that not
one refused token may cause another fetch. The server counts, and the run stops if it counted more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import anyio

from benchmarks.apps import ORDERS, bare
from benchmarks.calls import head_of, requests
from benchmarks.key_server import KeyServer
from benchmarks.plan import Plan
from benchmarks.table import Gate, Report, Row, Target
from benchmarks.timing import Batch, Case, Samples, measure
from benchmarks.tokens import AUDIENCE, ISSUER, KID, SigningKey, with_header
from benchmarks.verify import RAW, raw_check
from jwtguard import Config, Guard, Issuer, JwksUri, JWTGuardMiddleware, Limits, Mode, Reason, Startup, events
from jwtguard.core.decision import Refused

_LIMIT = 0.5
_REASONS = {
    "bad header": Reason.BAD_HEADER,
    "unknown kid": Reason.NO_KEY,
    "wrong alg": Reason.UNSUPPORTED_ALG,
    "bad signature": Reason.BAD_SIGNATURE,
}
_BINDING = ("bad header", "unknown kid", "wrong alg")


def run(plan: Plan) -> Report:
    """Measure every refusal, and see that nothing was fetched for it."""
    key = SigningKey("RS256")
    tokens = key.tokens(plan.tokens)
    with KeyServer(key.jwk) as server:
        guard = _guard(server.url, None)
        guard.verify(tokens[0], accept="access")  # the header of this issuer is known, as in a running server
        refused = _refused_tokens(tokens)
        _prove_reasons(server.url, refused)
        fetched = server.fetches
        app = JWTGuardMiddleware(bare, guard=guard)
        cases = [
            raw_check(key, tokens),
            *(Case(name, _deciding(guard, bad), len(bad)) for name, bad in refused.items()),
            *(Case(_answered(name), _asking(app, bad), len(bad)) for name, bad in refused.items()),
        ]
        samples = measure(cases, plan.cheap_rounds)
        assert server.fetches == fetched, f"refused tokens caused {server.fetches - fetched} fetches"
    rows = [*(_row(name, samples) for name in _REASONS), *(_answered_row(name, samples) for name in _REASONS)]
    return Report(rows, {"refusals": samples.summary(RAW)})


def _guard(url: str, on_event: Callable[[events.Event], None] | None) -> Guard:
    """Make a guard that has fetched its keys; on loopback without TLS only the development profile does that."""
    issuer = Issuer(name="login", issuer=ISSUER, algorithms=("RS256",), keys=JwksUri(url), audience=(AUDIENCE,))
    config = Config(
        issuers=[issuer],
        endpoints=[ORDERS],
        limits=Limits(kid_cooldown_s=3600.0),
        mode=Mode.DEVELOPMENT,
        startup=Startup.EAGER,
    )
    guard = Guard(config, on_event=on_event)
    anyio.run(guard.start)
    return guard


def _refused_tokens(tokens: Sequence[bytes]) -> Mapping[str, Sequence[bytes]]:
    """Make distinct tokens for each refusal; nothing in them was signed for what they say."""
    swapped = zip(tokens, [*tokens[1:], tokens[0]], strict=True)
    names = [f"key-{serial:011d}" for serial in range(len(tokens))]
    return {
        "bad header": [with_header(token, alg="RS256", typ="at+jwt", kid=KID, crit=["exp"]) for token in tokens],
        "unknown kid": [
            with_header(token, alg="RS256", typ="at+jwt", kid=name) for token, name in zip(tokens, names, strict=True)
        ],
        "wrong alg": [with_header(token, alg="HS256", typ="at+jwt", kid=KID) for token in tokens],
        "bad signature": [one.rpartition(b".")[0] + b"." + other.rpartition(b".")[2] for one, other in swapped],
    }


def _prove_reasons(url: str, refused: Mapping[str, Sequence[bytes]]) -> None:
    """See that each token is refused for the reason its figure names."""
    seen: list[events.Event] = []
    app = JWTGuardMiddleware(bare, guard=_guard(url, seen.append))
    for name, tokens in refused.items():
        seen.clear()
        batch = requests(app, tokens[:1], 401)
        anyio.run(batch)
        decided = [event.reason for event in seen if isinstance(event, events.Decided)]
        assert decided == [_REASONS[name]], f"{name}: refused for {decided}"


def _answered(name: str) -> str:
    return f"{name}, answered"


def _asking(app: JWTGuardMiddleware, tokens: Sequence[bytes]) -> Callable[[], Batch]:
    return lambda: requests(app, tokens, 401)


def _deciding(guard: Guard, tokens: Sequence[bytes]) -> Callable[[], Batch]:
    def prepare() -> Batch:
        heads = [head_of(token) for token in tokens]

        async def batch() -> None:
            while heads:
                decision = guard.decide_locally(heads.pop())
                if type(decision) is tuple:
                    decision = await guard.verify_unknown(*decision)
                assert type(decision) is Refused

        return batch

    return prepare


def _row(name: str, samples: Samples) -> Row:
    binding = name in _BINDING
    return Row(
        figure=f"refusal, {name}, whole decision / bare check, RS256",
        ours=samples.quiet_ratio(name, RAW),
        median=samples.median_ratio(name, RAW),
        target=Target(_LIMIT) if binding else None,
        gate=Gate.BINDING if binding else Gate.REPORTED,
    )


def _answered_row(name: str, samples: Samples) -> Row:
    return Row(
        figure=f"refusal, {name}, request and 401 / bare check, RS256",
        ours=samples.quiet_ratio(_answered(name), RAW),
        median=samples.median_ratio(_answered(name), RAW),
    )
