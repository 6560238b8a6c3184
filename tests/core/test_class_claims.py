"""The claims of every class, each of them wrong in every way that was seen in the field (F56)."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from jwtguard import Audience, AudienceCount, Expires, Guard, NoExpiry, Reason, Refusal
from tests.core.class_tokens import FORGE, NOW, ROWS, SEPARATE, SPECIMENS, Specimen, guard_of, label, sign
from tests.kit.token_forge import OMIT

MISSING, BAD, AUDIENCE, ISSUER = Reason.MISSING_CLAIM, Reason.BAD_CLAIM, Reason.BAD_AUDIENCE, Reason.BAD_ISSUER
VERIFIABLE = [specimen for specimen in SPECIMENS if specimen.row.name != "dpop_proof"]
EVERY = pytest.mark.parametrize("specimen", VERIFIABLE, ids=label)
API = SEPARATE[Audience.RESOURCE]
SOON = int(NOW) + 60


def wrong(claim: str, reason: Reason, values: Iterable[object]) -> list[tuple[str, object, Reason]]:
    """Write rows of the table: an access token with this one change is refused for this reason."""
    return [(claim, value, reason) for value in values]


def right(claim: str, values: Iterable[object]) -> list[tuple[str, object]]:
    """Write rows of the other table: what looks unusual and is right."""
    return [(claim, value) for value in values]


WRONG = [
    *wrong("aud", AUDIENCE, ["", API + "/", API[:-1], API.upper(), f" {API}", f"{API} other", "*", "client-1"]),
    *wrong("aud", AUDIENCE, [[], [""], ["other"], [f"{API},other"], ["other", API + "/"]]),
    *wrong("aud", BAD, [None, 1, True, {}, {"value": API}, [API, 1], [[API]], [None], [API, None]]),
    *wrong("iss", ISSUER, [FORGE.issuer[:-1], FORGE.issuer + "/", FORGE.issuer.upper(), FORGE.issuer + "\x00"]),
    *wrong("iss", ISSUER, ["", " ", "login", "https://login.example.com.evil.test/"]),
    *wrong("iss", BAD, [None, 1, True, [FORGE.issuer], {"iss": FORGE.issuer}]),
    *wrong("exp", BAD, [None, str(SOON), True, [SOON], {}, -1, 1e12, 253_402_300_800, SOON * 1000]),
    *wrong("exp", BAD, [int(NOW), int(NOW) - 1]),  # within the leeway, but not after iat
    *wrong("exp", Reason.EXPIRED, [0, 1, int(NOW) - 30, int(NOW) - 30.5, int(NOW) - 86_400]),
    *wrong("exp", Reason.TOO_LONG_LIVED, [int(NOW) + 3601, int(NOW) + 3600.5, 4e9]),
    *wrong("nbf", BAD, [None, str(int(NOW)), False, [0], -1, 1e300]),
    *wrong("nbf", Reason.NOT_YET_VALID, [int(NOW) + 31, int(NOW) + 30.5, SOON]),
    *wrong("iat", BAD, [None, str(int(NOW)), True, [], {}, -1, 1e300]),
    *wrong("iat", Reason.NOT_YET_VALID, [int(NOW) + 31, int(NOW) + 30.5]),
    *wrong("sub", BAD, [None, "", 0, 7, True, ["user-1"], {"id": 1}, "a" * 256, "a\nb", "a\x00"]),
    *wrong("jti", BAD, [None, "", 7, True, ["j"], {}]),
    *wrong("client_id", BAD, [None, "", 7, ["client-1"]]),
    *wrong("scope", BAD, [None, 7, ["reports:read"], {"reports": "read"}]),
]
RIGHT = [
    *right("aud", [[API], ["other", API], [API, API]]),
    *right("exp", [SOON + 0.5, int(NOW) + 3600, int(NOW) + 1]),
    *right("nbf", [0, int(NOW), int(NOW) + 29.5]),
    *right("iat", [int(NOW) + 29, int(NOW) - 0.25]),
    *right("sub", ["0", "a" * 255, "Zoë", "ключ", "a b", "null"]),
    *right("scope", ["", "a b"]),
]


def verdict(guard: Guard, specimen: Specimen, **changes: object) -> Reason | None:
    """Return why a changed token is refused as its class, or ``None`` if it is not."""
    claims = {k: v for k, v in (specimen.claims(SEPARATE) | changes).items() if v is not OMIT}
    try:
        guard.verify(sign(specimen, claims), accept=specimen.row.name)
    except Refusal as refusal:
        return refusal.reason
    return None


@pytest.mark.parametrize(("claim", "value", "reason"), WRONG)
def test_a_wrong_claim_is_refused(claim: str, value: object, reason: Reason) -> None:
    """F56: exact matches only; a wrong type, an empty value, a part or a list of the right one are refused."""
    access = Specimen(ROWS["access"], "at+jwt")
    assert verdict(guard_of(SEPARATE), access, **{claim: value}) is reason


@pytest.mark.parametrize(("claim", "value"), RIGHT)
def test_an_odd_claim_is_accepted(claim: str, value: object) -> None:
    """F56: what the RFC allows is not refused for looking odd, so the table above tests the right thing."""
    access = Specimen(ROWS["access"], "at+jwt")
    assert verdict(guard_of(SEPARATE), access, **{claim: value}) is None


@pytest.mark.parametrize("claim", ["iat", "nbf"])
def test_contradictory_times_are_refused(claim: str) -> None:
    """R-CLM-05: a token that ends before or when it begins is refused, though the leeway would cover both."""
    access = Specimen(ROWS["access"], "at+jwt")
    for start, reason in ((int(NOW) + 19, None), (int(NOW) + 20, BAD), (int(NOW) + 21, BAD)):
        assert verdict(guard_of(SEPARATE), access, exp=int(NOW) + 20, **{claim: start}) is reason


@EVERY
def test_every_required_claim_is_missed(specimen: Specimen) -> None:
    """F56: each claim a class requires is required in fact, `exp` and `aud` by default among them."""
    guard = guard_of(SEPARATE)
    assert verdict(guard, specimen) is None
    for name in sorted(specimen.row.required | specimen.row.one_of.keys()):
        assert verdict(guard, specimen, **{name: OMIT}) in {MISSING, Reason.WRONG_CLASS}, name


@EVERY
def test_every_registered_claim_has_its_type(specimen: Specimen) -> None:
    """F56, R-CLM-11: in no class is a registered claim of the wrong JSON type coerced or taken for absent."""
    guard = guard_of(SEPARATE)
    for name in sorted(specimen.row.required & {"iss", "sub", "aud", "exp", "iat", "jti", "client_id", "events"}):
        for value in (None, True, 7.5 if name not in {"exp", "iat"} else "7", [1], [None]):
            assert verdict(guard, specimen, **{name: value}) is BAD, (name, value)


@EVERY
def test_every_audience_is_exact(specimen: Specimen) -> None:
    """F56, R-CLM-03, R-CLM-04: in every class the audience is one of its own namespace; in some, no other beside it."""
    guard = guard_of(SEPARATE)
    own = specimen.claims(SEPARATE)["aud"]
    for value in (*(set(SEPARATE.values()) - {own}), f"{own}/", str(own)[:-1], [], [f"{own} "], ""):
        assert verdict(guard, specimen, aud=value) is AUDIENCE, value
    sole = specimen.row.audience_count is AudienceCount.SOLE
    assert verdict(guard, specimen, aud=["other", own]) is (AUDIENCE if sole else None)
    assert verdict(guard, specimen, aud=[own]) is None


@EVERY
def test_every_lifetime_is_capped(specimen: Specimen) -> None:
    """R-CLM-08: a token that lives longer, or is older, than its class may be is refused though it has not expired."""
    guard = guard_of(SEPARATE)
    match specimen.row.expiry:
        case Expires(float(longest)):
            assert verdict(guard, specimen, exp=NOW + longest) is None
            assert verdict(guard, specimen, exp=NOW + longest + 1) is Reason.TOO_LONG_LIVED
        case NoExpiry(oldest):
            assert verdict(guard, specimen, iat=NOW - oldest - 30) is None
            assert verdict(guard, specimen, iat=NOW - oldest - 31) is Reason.TOO_OLD
        case unbounded:
            pytest.fail(f"a ready-made class without a bound: {unbounded}")
