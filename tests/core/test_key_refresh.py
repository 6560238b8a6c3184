"""Which keys outlive a refresh, and what is seen of them while it happens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from jwtguard import Config, Guard, InlineKeys, Issuer, Mode
from jwtguard.core.asked import Asked
from jwtguard.core.issuer import ALGORITHMS
from jwtguard.core.jws import JoseHeader
from jwtguard.core.key_import import Published, import_key_set
from jwtguard.core.keys import NO_KEYS, HeldKeys, KeySet, refuse_unknown_kid
from jwtguard.core.recall import recall
from jwtguard.core.request import Token
from tests.kit.fake_clock import FakeClock
from tests.kit.token_forge import TokenForge

FORGE = TokenForge()
ALL = tuple(name for name in ALGORITHMS if not name.startswith("HS"))
PUBLIC_KINDS = ("RS256", "PS384", "ES256", "ES384", "ES512", "Ed25519", "Ed448")
EC = FORGE.key("ES256").public_jwk()
RSA: Mapping[str, object] = FORGE.key("RS256").public_jwk()


def imported(*jwks: object, algorithms: Sequence[str] = ALL, published: Published = Published.FETCHED) -> KeySet:
    """The key set of these JWKs."""
    return import_key_set(jwks, algorithms, published)


def without(jwk: Mapping[str, object], *names: str) -> dict[str, object]:
    """The JWK with some members left out."""
    return {name: value for name, value in jwk.items() if name not in names}


def test_unchanged_keys_stay_the_same_objects() -> None:
    """R-JWK-07: a refresh keeps the objects of unchanged keys, in whatever order the set and its members come."""
    jwks = [FORGE.key(alg, alg).public_jwk() for alg in PUBLIC_KINDS]
    first = imported(*jwks)
    shuffled = [dict(reversed(jwk.items())) for jwk in reversed(jwks)]
    second = import_key_set(shuffled, ALL, Published.FETCHED, first)
    assert {id(key) for key in second.live} == {id(key) for key in first.live}


@pytest.mark.parametrize(
    "changes",
    [
        {"x": FORGE.key("ES256", "k2").public_jwk()["x"], "y": FORGE.key("ES256", "k2").public_jwk()["y"]},
        {"kid": "k2"},
    ],
)
def test_F12_a_changed_key_is_another_key(changes: dict[str, object]) -> None:
    """F12: a key with new material or a new name is a new object: no token remembered under the old one counts."""
    first = imported(EC)
    second = import_key_set([{**EC, **changes}], ALL, Published.FETCHED, first)
    assert len(second.live) == 1
    assert not first.live & second.live


def test_F12_a_key_meant_for_another_algorithm_is_another_key() -> None:
    """F12, R-ALG-06: a key that the issuer now binds to another algorithm does not keep its old object."""
    first = imported(without(RSA, "alg"), algorithms=("RS256",))
    second = import_key_set([without(RSA, "alg")], ("PS256",), Published.FETCHED, first)
    assert [key.alg for key in second.live] == ["PS256"]
    assert not first.live & second.live


def test_F12_a_key_that_turned_bad_is_not_kept() -> None:
    """F12, R-JWK-13: a key that is now exposed, for encryption or one of two under its kid leaves the live ones."""
    first = imported(EC)
    twin = FORGE.key("ES256", "twin").public_jwk(kid="k1")
    for jwks in ([FORGE.key("ES256").private_jwk()], [{**EC, "use": "enc"}], [EC, twin], [twin, EC], []):
        assert not first.live & import_key_set(jwks, ALL, Published.FETCHED, first).live


class Changing(HeldKeys):
    """Keys that change between two reads, as a fetch in another thread may change them."""

    __slots__ = ("_moments",)

    def __init__(self, *moments: tuple[KeySet, float]) -> None:
        self._moments = list(moments)
        self.unknown_from = 0.0

    def __getattribute__(self, name: str) -> object:
        """Show one moment after the other, and then the last one."""
        if name not in {"key_set", "usable_until"}:
            return object.__getattribute__(self, name)
        key_set, usable_until = self._moments.pop(0) if len(self._moments) > 1 else self._moments[0]
        return key_set if name == "key_set" else usable_until


def test_F12_a_refresh_between_two_reads_lends_no_life_to_a_withdrawn_key() -> None:
    """F12: an expired set and the life of the set that replaces it are never taken for one."""
    issuer = Issuer(
        name="login", issuer=FORGE.issuer, algorithms=("ES256",), audience=(FORGE.audience,), keys=InlineKeys([EC])
    )
    guard = Guard(Config(issuers=[issuer], endpoints=[], mode=Mode.DEVELOPMENT), clock=FakeClock())
    text = FORGE.sign(FORGE.access_claims(), key=FORGE.key())
    guard.verify(text, accept="access")
    snapshot = guard.snapshot
    memory, policy = snapshot.context.memory, snapshot.acceptances["access",]
    (known,) = memory.values()
    expired, next_one = (snapshot.ring.held["login"].key_set, 600.0), (NO_KEYS, 1600.0)

    def recalled(held: HeldKeys, monotonic: float) -> object:
        return recall(memory, {"login": held}, Asked(policy, None, Token(text), FakeClock().now(), monotonic))

    assert recalled(Changing(expired), 599.0) is known
    assert recalled(Changing(expired), 600.0) is None
    assert recalled(Changing(expired, next_one), 1000.0) is None


def test_F10_a_refresh_between_two_looks_refuses_no_new_key() -> None:
    """F10: a kid that was unknown at the first look and is known at the second is not refused for the first."""
    before, after = (imported(FORGE.key("ES256", "old").public_jwk()), 600.0), (imported(EC), 600.0)
    for looks in range(4):
        refuse_unknown_kid(JoseHeader("ES256", "k1", "at+jwt", {}), [Changing(*[before] * looks, after)], 100.0)
