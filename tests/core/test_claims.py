"""The claims of a verified token: every type, every bound from both sides, one class left (R-CLM-02 to R-CLM-08)."""

from __future__ import annotations

import dataclasses
from datetime import date
from itertools import permutations

import pytest

from jwtguard import NO_AUDIENCE, UNBOUNDED, Expires, Legacy, Marker, NoExpiry, Reason, Subject
from jwtguard.core.claims import ClaimsSet, Commons, validate_claims
from jwtguard.core.classes import BACKCHANNEL_LOGOUT, READY_MADE, AudienceCount
from jwtguard.core.policy import Profile
from tests.core.policies import FORGE, LOGIN, NEVER, NOW, YES, issuer, profile, told, verified
from tests.kit.token_forge import OMIT

BAD, MISSING, WRONG_CLASS, AUDIENCE = Reason.BAD_CLAIM, Reason.MISSING_CLAIM, Reason.WRONG_CLASS, Reason.BAD_AUDIENCE
EXPIRED, EARLY, LONG, OLD = Reason.EXPIRED, Reason.NOT_YET_VALID, Reason.TOO_LONG_LIVED, Reason.TOO_OLD
API = FORGE.audience
ACCESS = profile()
LEEWAY, HOUR, YEAR_10000 = 30, 3600, 253_402_300_800


def claims_of(**changes: object) -> dict[str, object]:
    """The claims of a good access token, changed."""
    return FORGE.access_claims(now=NOW, **changes)


def validate(claims: dict[str, object], *profiles: Profile, now: float = NOW, **header: object) -> ClaimsSet:
    """Validate claims under these profiles; by default that of access tokens."""
    return validate_claims(verified(claims, **header), profiles or (ACCESS,), 255, now)


def refused(claims: dict[str, object], *profiles: Profile, now: float = NOW, **header: object) -> tuple[Reason, str]:
    """Return reason and check of the refusal of such claims."""
    return told(lambda: validate(claims, *profiles, now=now, **header))[:2]


def rows(claim: str, reason: Reason, *values: object) -> list[tuple[str, object, Reason]]:
    """Write rows of the table of wrong values."""
    return [(claim, value, reason) for value in values]


NO_TEXTS: list[object] = [None, True, 0, 1.5, [], ["x"], {}, {"x": "y"}]
NO_OBJECTS: list[object] = [None, True, 1, "x", []]


NUMBERS: list[object] = [None, True, False, "", "1767225900", [], [1], {}, -1, -0.5, float("nan"), NEVER, -NEVER, 1e300]
NUMBERS += [YEAR_10000, YEAR_10000 + 0.5]
WRONG = [
    *[row for name in ("exp", "nbf", "iat", "auth_time") for row in rows(name, BAD, *NUMBERS)],
    *[row for name in ("iss", "sub", "jti", "client_id") for row in rows(name, BAD, "", *NO_TEXTS)],
    *[row for name in ("scope", "azp", "acr", "sid") for row in rows(name, BAD, *NO_TEXTS)],
    *rows("amr", BAD, {}, *NO_OBJECTS[:-1]),
    *rows("act", BAD, *NO_OBJECTS),
    *rows("cnf", BAD, *NO_OBJECTS),
    *rows("sub", BAD, "a" * 256, "a\x00", "a\nb", "\x1f", "\x7f", "\x80", "\x9f"),
    *rows("aud", BAD, {API: 1}, [API, 1], [[API]], [None], [API, None], 1.5, {}, *NO_OBJECTS[:3]),
    *rows(
        "aud", AUDIENCE, "", " ", API[:-1], API + "/", API.upper(), f" {API}", f"{API} ", f"{API} x", f"x,{API}", "*"
    ),
    *rows("aud", AUDIENCE, [], [""], ["x"], [API[:-1]], [f"{API} x"], ["x", API.upper()]),
    *rows("exp", EXPIRED, 0, 1, NOW - LEEWAY, NOW - LEEWAY - 0.5, int(NOW) - LEEWAY),
    *rows("nbf", EARLY, NOW + LEEWAY + 0.5, int(NOW) + LEEWAY + 1, NOW + 86_400, YEAR_10000 - 1),
    *rows("iat", EARLY, NOW + LEEWAY + 0.5, int(NOW) + LEEWAY + 1, NOW + 86_400, YEAR_10000 - 1),
    *rows("exp", BAD, NOW, NOW - 1, NOW - LEEWAY + 0.5),
    *rows("exp", LONG, NOW + HOUR + 0.5, NOW + HOUR + 1, YEAR_10000 - 1),
    *rows("iat", LONG, NOW + 300 - HOUR - 0.5, 0, 1),
]
RIGHT: list[tuple[str, object]] = [
    *[("aud", value) for value in (API, [API], ["x", API], [API, API], [API, "x"])],
    *[("sub", value) for value in ("a" * 255, "a b", "é", "\u200b a", "\xa0", " ", "null", "0")],
    *[("exp", value) for value in (NOW + 1, NOW + 0.5, NOW + HOUR, NOW + HOUR - 0.5)],
    *[("nbf", value) for value in (0, 0.5, NOW, NOW + LEEWAY, NOW + LEEWAY - 0.5)],
    *[("iat", value) for value in (NOW, NOW + LEEWAY, NOW + 300 - HOUR, NOW - 0.5)],
    *[("auth_time", value) for value in (0, NOW, YEAR_10000 - 1, 0.5)],
    *[("scope", value) for value in ("", " ", "a", "a  b")],
    *[("amr", value) for value in ([], ["pwd"], [1])],
    *[("act", value) for value in ({}, {"sub": "x"})],
    *[("azp", ""), ("acr", ""), ("sid", ""), ("roles", None), ("tenant", 7), ("x", {"y": [None]})],
]


@pytest.mark.parametrize(("claim", "value", "reason"), WRONG)
def test_a_wrong_claim(claim: str, value: object, reason: Reason) -> None:
    """F56, R-CLM-03, R-CLM-05, R-CLM-07, R-CLM-11: no value of a wrong type, form or time is accepted or coerced."""
    check = {EARLY: "nbf and iat", LONG: "exp - iat"}.get(reason, claim)
    assert refused(claims_of(**{claim: value})) == (reason, check)


@pytest.mark.parametrize(("claim", "value"), RIGHT)
def test_a_right_claim(claim: str, value: object) -> None:
    """F56: just inside of every bound, and for what is merely unusual, the token is accepted."""
    assert validate(claims_of(**{claim: value})).claims[claim] == value


@pytest.mark.parametrize("claim", sorted(READY_MADE["access"].required))
def test_a_missing_claim(claim: str) -> None:
    """R-CLM-05: every claim the class names is required, `exp` and `aud` among them."""
    assert told(lambda: validate(claims_of(**{claim: OMIT}))) == (MISSING, claim, "present", None)


TRIFLES: list[object] = ["", 0, False, []]


def test_a_required_null_is_no_value() -> None:
    """R-CLM-11: a required claim that is null is there and wrong, whatever the class calls it."""
    custom = profile(required=READY_MADE["access"].required | {"tier"})
    assert refused(claims_of(), custom) == (MISSING, "tier")
    assert refused(claims_of(tier=None), custom) == (BAD, "tier")
    for value in TRIFLES:
        assert validate(claims_of(tier=value), custom).claims["tier"] == value


def test_what_the_operator_is_told() -> None:
    """R-CLM-05: expected and seen are shown for each check, so that `explain` can name the difference."""
    assert told(lambda: validate(claims_of(sub=7))) == (BAD, "sub", "a non-empty str", 7)
    assert told(lambda: validate(claims_of(scope=7))) == (BAD, "scope", "a str", 7)
    assert told(lambda: validate(claims_of(sub="a" * 256)))[2:] == ("at most 255 characters, none a control", "a" * 256)
    assert told(lambda: validate(claims_of(aud=["x"])))[2:] == ([API], ["x"])
    assert told(lambda: validate(claims_of(aud=1)))[2:] == ("a string or an array of strings", 1)
    assert told(lambda: validate(claims_of(exp="x")))[2:] == ("a NumericDate before the year 10000", "x")
    assert told(lambda: validate(claims_of(exp=NOW - 100)))[2:] == (f"after {NOW - LEEWAY}", NOW - 100)
    early = told(lambda: validate(claims_of(nbf=NOW + 50, iat=NOW + 40)))
    assert early[2:] == (f"at most {NOW + LEEWAY}", NOW + 50)
    assert told(lambda: validate(claims_of(nbf=NOW, iat=NOW + 40)))[3] == NOW + 40
    assert told(lambda: validate(claims_of(exp=NOW)))[2:] == ("after iat and nbf", NOW)
    assert told(lambda: validate(claims_of(exp=NOW + 4000)))[2:] == ("at most 3600.0 s", 4000)
    assert told(lambda: validate(claims_of(nonce="x")))[1:] == ("nonce", "absent", "present")
    assert told(lambda: validate(claims_of(cnf={})))[2:] == ("no sender constraint until proofs are supported", None)


def test_the_order_of_the_checks() -> None:
    """R-OBS-01: the same bad token gives the same reason everywhere; the first failing check wins."""
    worse: dict[str, object] = {}
    faults: list[tuple[dict[str, object], Reason]] = [
        ({"cnf": {}}, Reason.UNPROVEN_BINDING),
        ({"exp": NOW + HOUR + 500, "iat": NOW}, LONG),
        ({"nbf": NOW + HOUR + 600}, EARLY),
        ({"exp": NOW - 40}, EXPIRED),
        ({"aud": "x"}, AUDIENCE),
        ({"nonce": "x"}, WRONG_CLASS),
        ({"jti": OMIT}, MISSING),
        ({"sub": 1}, BAD),
    ]
    for changes, reason in faults:
        worse |= changes
        assert refused(claims_of(**worse))[0] is reason


@pytest.mark.parametrize(
    ("now", "reason"),
    [(329.75, None), (330, EXPIRED), (330.25, EXPIRED), (-30, None), (-30.25, EARLY)],
)
def test_the_span_of_a_token(now: float, reason: Reason | None) -> None:
    """F56, R-CLM-05: a token counts from iat - leeway on, and until exp + leeway is reached."""
    claims = claims_of(nbf=NOW - 5)
    if reason is None:
        validate(claims, now=NOW + now)
    else:
        assert refused(claims, now=NOW + now)[0] is reason


@pytest.mark.parametrize("leeway_s", [0.0, 7.5, 120.0])
def test_the_leeway_counts_both_ways(leeway_s: float) -> None:
    """R-CLM-06: the leeway of the profile, whatever it is, is added to exp and taken from nbf and iat."""
    own = profile(leeway_s=leeway_s)
    good = validate(claims_of(), own)
    assert (good.good_from, good.good_until) == (NOW - leeway_s, NOW + 300 + leeway_s)
    assert refused(claims_of(), own, now=NOW + 300 + leeway_s) == (EXPIRED, "exp")
    assert refused(claims_of(), own, now=NOW - leeway_s - 0.001) == (EARLY, "nbf and iat")


@pytest.mark.parametrize(
    ("claims", "span"),
    [
        ({"exp": NOW + 10}, (NOW - 30, NOW + 40)),
        ({"nbf": NOW + 20}, (NOW - 10, NOW + 330)),
        ({"iat": NOW + 20, "nbf": NOW - 5}, (NOW - 10, NOW + 330)),
        ({"iat": NOW - 9, "nbf": NOW - 5}, (NOW - 35, NOW + 330)),
        ({"iat": NOW - 9, "nbf": NOW - 12}, (NOW - 39, NOW + 330)),
    ],
)
def test_a_claims_set_knows_its_span(claims: dict[str, object], span: tuple[float, float]) -> None:
    """R-CLM-05: what is remembered of a token says from when until when its times hold."""
    good = validate(claims_of(**claims))
    assert (good.good_from, good.good_until) == span


@pytest.mark.parametrize(("nbf", "iat"), [(300, 0), (0, 300), (300.5, 0), (0, 300.5), (299.5, 299.5)])
def test_contradictory_times(nbf: float, iat: float) -> None:
    """R-CLM-05: a token that ends when or before it begins is refused, even with all the leeway in the world."""
    claims = claims_of(nbf=NOW + nbf, iat=NOW + iat)
    if max(nbf, iat) < 300:
        validate(claims, now=NOW + 299)
    else:
        assert refused(claims, now=NOW + 299) == (BAD, "exp")


def test_the_beginning_of_time() -> None:
    """R-CLM-07: zero is a time like any other and not taken for absent."""
    early = claims_of(iat=0, nbf=0, exp=1)
    good = validate(early, now=0.5)
    assert (good.good_from, good.good_until) == (-LEEWAY, 1 + LEEWAY)
    assert refused(claims_of(iat=0, nbf=0, exp=0), now=0) == (BAD, "exp")


BARE = frozenset({"iss", "sub", "aud"})
EVENTUAL = profile(required=BARE, expiry=NoExpiry(100))
ENDLESS = profile(required=BARE | {"exp"}, expiry=Expires(UNBOUNDED))


def test_without_a_bound() -> None:
    """R-CLM-08: where the class writes out that life is unbounded, neither iat nor a short life is asked for."""
    claims = claims_of(iat=OMIT, exp=YEAR_10000 - 1)
    assert validate(claims, ENDLESS).good_until == YEAR_10000 - 1 + LEEWAY
    assert validate(claims_of(exp=YEAR_10000 - 1), ENDLESS).good_from == NOW - LEEWAY
    assert validate(claims, ENDLESS).good_from == -LEEWAY


def test_a_bounded_life_needs_iat() -> None:
    """R-CLM-08: a life cannot be bounded without its beginning; a class that bounds it misses iat."""
    bounded = profile(required=BARE | {"exp"})
    expected = (MISSING, "iat", "present, since life or age is bounded", None)
    assert told(lambda: validate(claims_of(iat=OMIT), bounded)) == expected
    assert told(lambda: validate(claims_of(iat=OMIT), EVENTUAL)) == expected
    aged = profile(required=BARE | {"exp"}, expiry=Expires(UNBOUNDED), max_age_s=100)
    assert told(lambda: validate(claims_of(iat=OMIT), aged)) == expected


@pytest.mark.parametrize(
    ("age", "reason"),
    [(100 + LEEWAY, None), (100 + LEEWAY + 0.25, OLD), (0, None), (-LEEWAY, None), (-LEEWAY - 1, EARLY)],
)
def test_an_age_is_bounded(age: float, reason: Reason | None) -> None:
    """R-CLM-08: a token without exp counts until its age exceeds the bound and the leeway."""
    claims = claims_of(exp=OMIT, iat=NOW - age)
    if reason is None:
        good = validate(claims, EVENTUAL)
        assert (good.good_from, good.good_until) == (NOW - age - LEEWAY, NOW - age + 100 + LEEWAY)
    else:
        assert refused(claims, EVENTUAL)[0] is reason


def test_an_age_is_bounded_although_exp_lies_ahead() -> None:
    """R-CLM-08: of the two ends the earlier one counts."""
    both = profile(max_age_s=100.0)
    assert validate(claims_of(), both).good_until == NOW + 100 + LEEWAY
    assert validate(claims_of(exp=NOW + 50), both).good_until == NOW + 50 + LEEWAY
    late = told(lambda: validate(claims_of(), both, now=NOW + 131))
    assert late == (OLD, "now - iat", "at most 100.0 s", 131)
    assert refused(claims_of(exp=NOW + 50), both, now=NOW + 80)[0] is EXPIRED


def test_an_unneeded_exp_still_counts() -> None:
    """R-CLM-05: a class that does without exp honours one that is there."""
    assert refused(claims_of(exp=NOW - 31, iat=NOW - 50), EVENTUAL)[0] is EXPIRED
    assert validate(claims_of(exp=NOW + 50), EVENTUAL).good_until == NOW + 80


def test_a_lifetime_at_its_cap() -> None:
    """R-CLM-08: exp - iat may equal the cap of the class and not exceed it, fractions included."""
    short = profile(expiry=Expires(60.5))
    validate(claims_of(exp=NOW + 60.5), short)
    assert told(lambda: validate(claims_of(exp=NOW + 60.75), short))[1:] == ("exp - iat", "at most 60.5 s", 60.75)
    nothing = profile(expiry=Expires(0))
    assert refused(claims_of(exp=NOW + 0.25), nothing) == (LONG, "exp - iat")


@pytest.mark.parametrize("name", ["iss", "sub", "aud"])
def test_a_claim_repeated_in_the_header(name: str) -> None:
    """R-HDR-12: iss, sub or aud in the header equal the claims exactly, or the token is refused."""
    claims = claims_of()
    told_by = {name: claims[name]}
    validate(claims, **told_by)  # type: ignore[arg-type]  # parameters of the header, not `now`
    for value in ("", "x", None, [claims[name]], str(claims[name]) + "/", 1):
        seen = told(lambda value=value: validate(claims, **{name: value}))  # type: ignore[misc]
        assert seen == (Reason.BAD_HEADER, f"{name} in the header", claims[name], value)


@pytest.mark.parametrize("value", ["user-1", None])
def test_a_claim_only_in_the_header(value: object) -> None:
    """R-HDR-12: what the header repeats and the claims lack is no repetition, null included."""
    own = profile(required=BARE - {"sub"} | {"exp", "iat"})
    assert refused(claims_of(sub=OMIT), own, sub=value) == (Reason.BAD_HEADER, "sub in the header")


@pytest.mark.parametrize("claim", sorted(READY_MADE["access"].forbidden))
@pytest.mark.parametrize("value", [None, "x", {}])
def test_a_forbidden_claim(claim: str, value: object) -> None:
    """R-CLS-06: a claim of another class refuses the token though everything else is right; null counts as present."""
    assert refused(claims_of(**{claim: value})) in {(WRONG_CLASS, claim), (BAD, claim)}
    alone = profile(forbidden=frozenset({"tier"}))
    assert refused(claims_of(tier=value), alone) == (WRONG_CLASS, "tier")


def test_the_first_forbidden_claim_is_named() -> None:
    """R-OBS-01: of several forbidden claims always the same one is told."""
    for order in permutations(["x", "y", "z"]):
        changes = dict.fromkeys(order, 1)
        assert refused(claims_of(**changes), profile(forbidden=frozenset("zyx"))) == (WRONG_CLASS, "x")


ONE_OF = profile(one_of={"tier": frozenset({"gold", 7})}, none_of={})
NONE_OF = profile(none_of={"tier": frozenset({"gold", 7})})


@pytest.mark.parametrize("value", [OMIT, None, "", "Gold", "gold ", ["gold"], "7", 7.0, True, {"gold": 1}])
def test_a_value_of_the_class(value: object) -> None:
    """R-CLS-09: where a class demands one of some values, type included, nothing else will do, nor nothing at all."""
    seen = None if value is OMIT else value
    assert told(lambda: validate(claims_of(tier=value), ONE_OF)) == (WRONG_CLASS, "tier", ["'gold'", "7"], seen)
    validate(claims_of(tier=value), NONE_OF)


@pytest.mark.parametrize("value", ["gold", 7])
def test_a_value_of_another_class(value: object) -> None:
    """R-CLS-09: the values that a class keeps away from are refused, and only those."""
    validate(claims_of(tier=value), ONE_OF)
    assert told(lambda: validate(claims_of(tier=value), NONE_OF))[1:] == ("tier", "none of [\"'gold'\", '7']", value)


BARE_EVENT = frozenset({"iss", "iat"})
LOGOUT = profile(
    "logout", audience=NO_AUDIENCE, any_of=frozenset(), required=frozenset({"iss", "iat", "exp", "events"})
)
SET = profile("set", audience=NO_AUDIENCE, required=BARE_EVENT, forbidden=frozenset())
OTHER_EVENT = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"


def event_claims(*events: str) -> dict[str, object]:
    """The claims that a logout token and a security event token share."""
    return {"iss": FORGE.issuer, "iat": NOW, "exp": NOW + 60, "events": {name: {} for name in events}}


@pytest.mark.parametrize(
    ("events", "logout", "other"),
    [
        ([BACKCHANNEL_LOGOUT], True, False),
        ([BACKCHANNEL_LOGOUT, OTHER_EVENT], False, False),
        ([OTHER_EVENT], False, True),
        ([], False, True),
    ],
)
def test_members_of_events(events: list[str], logout: bool, other: bool) -> None:  # noqa: FBT001 - columns
    """R-CLS-02: the back-channel member alone makes a logout token, and keeps a token from being another event."""
    for own, fits in ((LOGOUT, logout), (SET, other)):
        if fits:
            validate(event_claims(*events), own)
        else:
            assert refused(event_claims(*events), own) == (WRONG_CLASS, "events")


def test_members_that_a_class_names() -> None:
    """R-CLS-02: each member named must be there, and none of those that are named as unwanted."""
    both = profile("set", audience=NO_AUDIENCE, required=BARE_EVENT, forbidden=frozenset(), events=frozenset("ab"),
                   not_events=frozenset("cd"))  # fmt: skip
    validate(event_claims("a", "b", "e"), both)
    for events in ("a", "b", "abc", "abd", "cd", ""):
        assert refused(event_claims(*events), both) == (WRONG_CLASS, "events")


def test_events_are_told_by_their_names() -> None:
    """R-CLS-02: the members expected and seen are listed, and events that are absent or no object are none."""
    refusal = told(lambda: validate(event_claims(OTHER_EVENT, "a"), LOGOUT))
    assert refusal[2:] == (f"with ['{BACKCHANNEL_LOGOUT}'] and no other kind", ["a", OTHER_EVENT])
    validate({"iss": FORGE.issuer, "iat": NOW}, SET)
    assert refused(event_claims() | {"events": [BACKCHANNEL_LOGOUT]}, LOGOUT) == (BAD, "events")


def test_one_claim_of_several() -> None:
    """R-CLS-02: of some claims at least one is there; null is none of them."""
    either = profile(any_of=frozenset({"sid", "azp"}))
    for changes in ({"sid": "s"}, {"azp": "a"}, {"sid": "", "azp": ""}):
        validate(claims_of(**changes), either)
    assert told(lambda: validate(claims_of(), either)) == (MISSING, "azp or sid", "present", None)
    unknown = profile(any_of=frozenset({"x", "y"}))
    assert refused(claims_of(x=None), unknown) == (MISSING, "x or y")
    for value in TRIFLES:
        validate(claims_of(x=value, y=None), unknown)


PRINCIPAL, CLIENT = profile(subject=Subject.PRINCIPAL), profile(subject=Subject.ISSUER)


@pytest.mark.parametrize("sub", [FORGE.issuer, "spiffe:", "spiffe://example.com/web"])
def test_no_principal(sub: str) -> None:
    """R-CLS-02: where a principal is meant, the issuer itself and workloads are not."""
    expected = (WRONG_CLASS, "sub", "a principal, not the issuer or a workload", sub)
    assert told(lambda: validate(claims_of(sub=sub), PRINCIPAL)) == expected
    validate(claims_of(sub=sub))


@pytest.mark.parametrize("sub", ["user-1", "spiffe", "xspiffe:", "SPIFFE://x", FORGE.issuer + "x"])
def test_a_principal(sub: str) -> None:
    """R-CLS-02: everybody else is a principal, and not the issuer."""
    validate(claims_of(sub=sub), PRINCIPAL)
    assert told(lambda: validate(claims_of(sub=sub), CLIENT))[1:] == ("sub", "equal to iss", sub)
    validate(claims_of(sub=FORGE.issuer), CLIENT)


def test_an_absent_subject_is_nobody_in_particular() -> None:
    """R-CLS-02: a class that requires no sub compares what is not there with nothing."""
    required = frozenset({"iss", "aud", "exp", "iat"})
    validate(claims_of(sub=OMIT), profile(subject=Subject.PRINCIPAL, required=required))
    assert refused(claims_of(sub=OMIT), profile(subject=Subject.ISSUER, required=required)) == (WRONG_CLASS, "sub")


LEGACY_ISSUER = issuer(
    legacy=Legacy(marker=Marker("token_use", frozenset({"access"})), since=date(2026, 1, 1), audience_from="client_id"),
    client_id=("client-1",),
)
LEGACY_ROWS = LEGACY_ISSUER.class_table({}, frozenset())
UNTYPED = tuple(
    Profile(LEGACY_ISSUER, LEGACY_ROWS[name], frozenset({"client-1"}), 30.0) for name in ("access_legacy", "id_token")
)


def untyped(**changes: object) -> dict[str, object]:
    """The claims of an untyped access token, changed."""
    return claims_of(**{"aud": OMIT, "token_use": "access", **changes})


def test_the_claims_decide() -> None:
    """R-CLS-06: of two classes of one type the claims leave exactly one, in either order of the candidates."""
    for candidates in (UNTYPED, UNTYPED[::-1]):
        assert validate(untyped(), *candidates).profile is UNTYPED[0]
        id_token = claims_of(aud="client-1", client_id=OMIT, scope=OMIT)
        assert validate(id_token, *candidates).profile is UNTYPED[1]


@pytest.mark.parametrize(
    "claims",
    [
        untyped(token_use="id"),
        untyped(client_id=OMIT),
        untyped(nonce="x"),
        claims_of(client_id=OMIT),
        untyped(exp=OMIT),
    ],
)
def test_neither_class(claims: dict[str, object]) -> None:
    """R-CLS-06: what is not exactly one of the candidates is none of them."""
    refusal = told(lambda: validate(claims, *UNTYPED))
    assert refusal == (WRONG_CLASS, "claims", "those of exactly one of ['access_legacy', 'id_token']", None)


def test_both_classes() -> None:
    """R-CLS-03: if two candidates fitted, though the proof excludes it, the token would be refused."""
    assert refused(claims_of(), ACCESS, profile()) == (WRONG_CLASS, "claims")


def test_the_least_that_a_class_requires() -> None:
    """R-CLS-06: among candidates, too, a token with all required claims and no other fits."""
    names = LEGACY_ROWS["access_legacy"].required
    least = {name: value for name, value in untyped().items() if name in names} | {"token_use": "access"}
    only = dataclasses.replace(LEGACY_ROWS["access_legacy"], one_of={})
    bare = {name: value for name, value in least.items() if name in names}
    candidates = (Profile(LEGACY_ISSUER, only, frozenset({"client-1"}), 30.0), UNTYPED[1])
    assert validate(bare, *candidates).profile is candidates[0]
    assert validate(least, *UNTYPED).profile is UNTYPED[0]


def test_a_substitute_for_the_audience() -> None:
    """R-CLS-09: where another claim stands in for aud, that one is compared, exactly."""
    assert validate(untyped(), UNTYPED[0]).audiences == ("client-1",)
    assert refused(untyped(client_id="client-2"), UNTYPED[0]) == (AUDIENCE, "client_id")
    assert refused(untyped() | {"aud": "client-1", "client_id": "x"}, UNTYPED[0]) == (AUDIENCE, "client_id")


@pytest.mark.parametrize(
    ("aud", "audiences"), [(OMIT, ()), ("x", ("x",)), (["x", "y"], ("x", "y")), ([], ()), ("", ("",))]
)
def test_no_audience_is_compared(aud: object, audiences: tuple[str, ...]) -> None:
    """R-CLS-02: a profile without an audience accepts any, and still one of the right type."""
    anybody = Profile(
        LOGIN,
        dataclasses.replace(READY_MADE["access"], audience=NO_AUDIENCE, required=BARE - {"aud"} | {"exp"}),
        None,
        30.0,
    )
    assert validate(claims_of(aud=aud), anybody).audiences == audiences
    assert refused(claims_of(aud=7), anybody) == (BAD, "aud")
    assert refused(claims_of(aud=None), anybody) == (BAD, "aud")


@pytest.mark.parametrize("aud", [[API, "x"], ["x", API], [API, API]])
def test_a_sole_audience(aud: list[str]) -> None:
    """R-CLM-04: a class that wants to be the only audience refuses a token that names it twice or another beside it."""
    sole = profile(audience_count=AudienceCount.SOLE)
    assert told(lambda: validate(claims_of(aud=aud), sole)) == (AUDIENCE, "aud", "no audience but us", aud)
    for alone in (API, [API]):
        assert validate(claims_of(aud=alone), sole).audiences == (API,)
    assert refused(claims_of(aud=[]), sole) == (AUDIENCE, "aud")


def test_one_of_several_audiences_is_enough() -> None:
    """R-CLM-03: one value of the token equals one audience of the policy, and all of the token's are kept."""
    two = Profile(LOGIN, READY_MADE["access"], frozenset({"b", "c"}), 30.0)
    assert validate(claims_of(aud=["a", "b"]), two).audiences == ("a", "b")
    assert told(lambda: validate(claims_of(aud="a"), two))[1:] == ("aud", ["b", "c"], "a")


@pytest.mark.parametrize(
    ("scope", "scopes"),
    [(OMIT, ""), ("", ""), ("a", "a"), ("a b", "a b"), (" a  b ", "a b"), ("a,b", "a,b"), ("a/b b:c", "a/b b:c")],
)
def test_scopes(scope: object, scopes: str) -> None:
    """R-CLM-11: scope is a string of tokens between spaces, and nothing else separates them."""
    assert validate(claims_of(scope=scope)).scopes == set(scopes.split())
    assert validate(claims_of(scope="a\tb\nc")).scopes == {"a\tb\nc"}


def test_scopes_in_another_claim() -> None:
    """R-CLM-11: only the claim that the preset names is read, and it too must be a string."""
    entra = issuer(legacy=Legacy(marker=Marker("tid"), since=date(2026, 1, 1), scope_from="scp"))
    row = entra.class_table({}, frozenset())["access_legacy"]
    own = Profile(entra, row, frozenset({API}), 30.0)
    assert validate(claims_of(tid="t", scp="a b", scope="c"), own).scopes == {"a", "b"}
    for value in (["a"], None, 7):
        assert told(lambda value=value: validate(claims_of(tid="t", scp=value), own)) == (  # type: ignore[misc]
            BAD, "scp", "a space-delimited string", value,
        )  # fmt: skip


def test_a_bound_token_is_refused() -> None:
    """R-POP-01: until proofs are supported a token with cnf is refused, as the last check of all."""
    assert refused(claims_of(cnf={"jkt": "x"})) == (Reason.UNPROVEN_BINDING, "cnf")
    assert refused(claims_of(cnf={}, exp=NOW - 60, iat=NOW - 90)) == (EXPIRED, "exp")


@pytest.mark.parametrize("limit", [0, 5, 7])
def test_the_length_of_a_subject(limit: int) -> None:
    """R-CLM-11: the bound of a subject's length is the one given."""
    jws = verified(claims_of(sub="s" * 6))
    if limit == 7:
        assert validate_claims(jws, (ACCESS,), limit, NOW).claims["sub"] == "s" * 6
    else:
        refusal = told(lambda: validate_claims(jws, (ACCESS,), limit, NOW))
        assert refusal[:3] == (BAD, "sub", f"at most {limit} characters, none a control")
    validate_claims(jws, (ACCESS,), 6, NOW)


def test_what_a_claims_set_holds() -> None:
    """R-CLM-13: unknown claims are kept as they are and never interpreted; the key and the profile are known."""
    claims = claims_of(url="https://evil.test/", x={"y": [1]})
    good = validate(claims)
    assert good.claims == claims
    assert good.size == 0
    assert (good.key, good.profile) == (YES, ACCESS)
    assert (good.audiences, good.scopes) == ((API,), frozenset({"reports:read"}))
    assert repr(good) == "<ClaimsSet <Profile login/access>>"


def test_remembered_claims_share_what_is_common() -> None:
    """F57: names, and values that many tokens repeat, are held once; the claims stay what they were."""
    commons = Commons()
    assert len(commons) == 0
    texts = {"scope": "a" * 9 + " b", "iss": FORGE.issuer, "jti": "j" * 9}
    one, other = (
        validate(claims_of(**{name: "".join(list(value)) for name, value in texts.items()})) for _ in range(2)
    )
    before = dict(one.claims)
    for good in (one, other):
        good.share(commons)
    assert one.claims == before
    assert list(one.claims) == list(before)
    assert one.claims["scope"] is other.claims["scope"]
    assert one.claims["jti"] is not other.claims["jti"]
    assert all(a is b for a, b in zip(one.claims, other.claims, strict=True))
    assert one.scopes is other.scopes
    assert one.audiences is other.audiences
    assert (one.scopes, one.audiences) == (frozenset({"a" * 9, "b"}), (API,))
    held = len(commons)
    assert held == len(commons.texts) + 2
    third = validate(claims_of(scope="c", new=True, aud=[API, "x"]))
    third.share(commons)
    assert len(commons) == held + 4
    assert (third.scopes, third.audiences) == (frozenset({"c"}), (API, "x"))


def test_only_texts_are_shared() -> None:
    """R-CLM-11: values that compare equal across types, such as 1 and true, stay what they are."""
    commons = Commons()
    for value in (True, 1, 1.0, "1"):
        good = validate(claims_of(token_use=value, tid=value))
        good.share(commons)
        assert repr(good.claims["token_use"]) == repr(value)
