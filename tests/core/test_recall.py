"""Remembered tokens: what must still hold before one counts (R-POL-10, R-REV-11)."""

from __future__ import annotations

import pytest

from jwtguard.core.asked import Asked
from jwtguard.core.claims import ClaimsSet
from jwtguard.core.keys import HeldKeys, KeySet, VerificationKey
from jwtguard.core.policy import EndpointPolicy
from jwtguard.core.recall import recall
from jwtguard.core.request import Token
from tests.core.policies import NEVER, NOW, YES, endpoint, issuer, table, verified

TOKEN = Token(b"a.b.c")
TABLE = table(
    endpoint("/a"), endpoint("/b", audience=["https://api.example.com"]), endpoint("/c", algorithms=["ES256"])
)
POLICY = TABLE.endpoints[0]
(PROFILE,) = POLICY.profiles
REMEMBERED = ClaimsSet(verified({"sub": "me"}), PROFILE, (), frozenset(), (NOW - 30.0, NOW + 330.0))
OTHER_KEY = VerificationKey("k1", "ES256", YES.fingerprint, YES.verify)


def key_set(*keys: VerificationKey) -> KeySet:
    """A key set in which just these keys are live."""
    return KeySet({(str(index), "ES256"): key for index, key in enumerate(keys)}, (), (), ())


def hit(
    policy: EndpointPolicy = POLICY,
    *,
    keys: KeySet | None = None,
    now: float = NOW,
    monotonic: float = 99.0,
    token: Token = TOKEN,
) -> bool:
    """Tell whether the remembered token counts; its keys may be used until 100 on the monotonic clock."""
    held = {"login": HeldKeys(keys or key_set(YES), 100.0, NEVER)}
    memory = {TOKEN.digest(): REMEMBERED}
    found = recall(memory, held, Asked(policy, None, token, now, monotonic))
    assert found is None or found is REMEMBERED
    return found is not None


def test_a_remembered_token_counts() -> None:
    """R-OBS-08: a token whose profile, key and times still hold is known by the digest of its bytes."""
    assert hit()
    assert hit(token=Token(b"a.b.c"))


@pytest.mark.parametrize("token", [b"a.b.d", b"a.b.", b"a.b.c ", b""])
def test_another_token_does_not(token: bytes) -> None:
    """R-REV-02: any other byte makes it another token."""
    assert not hit(token=Token(token))


@pytest.mark.parametrize(
    ("now", "holds"),
    [
        (-30, True),
        (-30.25, False),
        (0, True),
        (329.75, True),
        (330, False),
        (330.25, False),
        (1e9, False),
        (-1e9, False),
    ],
)
def test_its_times_are_judged_anew(now: float, holds: bool) -> None:  # noqa: FBT001 - a column
    """R-CLM-05, F68: on every hit the span of its time claims is compared with the clock, on both sides."""
    assert hit(now=NOW + now) is holds


@pytest.mark.parametrize(("monotonic", "holds"), [(-1.0, True), (99.75, True), (100.0, False), (100.25, False)])
def test_its_keys_must_be_in_force(monotonic: float, holds: bool) -> None:  # noqa: FBT001 - a column
    """R-JWK-10: once the key set may no longer be used without asking, nothing is remembered under it."""
    assert hit(monotonic=monotonic) is holds


def test_its_key_must_be_live() -> None:
    """R-REV-11, R-JWK-12: a withdrawn key takes its tokens with it; another key of its kid does not stand in."""
    assert hit(keys=key_set(OTHER_KEY, YES))
    assert not hit(keys=key_set(OTHER_KEY))
    assert not hit(keys=KeySet({}, (), (), ()))


def test_its_profile_must_be_accepted() -> None:
    """R-CLS-01, F69: it counts where endpoints verify alike, and not under another class, audience or table."""
    assert [hit(policy) for policy in TABLE.endpoints] == [True, True, True]
    assert not hit(table(endpoint("/a")).endpoints[0])
    assert not hit(EndpointPolicy(endpoint(), {}))
    audiences = table(endpoint("/a"), endpoint("/b", audience=["b"]), issuers=[issuer(audience=("a", "b"))])
    wide, narrow = audiences.endpoints
    (profile,) = wide.profiles
    known = ClaimsSet(verified({}), profile, (), frozenset(), (0.0, 1e12))
    for policy, found in ((wide, known), (narrow, None)):
        held = {"login": HeldKeys(key_set(YES), 100.0, NEVER)}
        assert recall({TOKEN.digest(): known}, held, Asked(policy, None, TOKEN, NOW, 0.0)) is found
