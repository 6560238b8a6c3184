"""Validate the claims of a signature-verified token; exactly one class remains (RFC 7519, section 4).

Every claim a class names is required: there is no "validate only if present". Registered claims of the
wrong JSON type are refused, never coerced. Unknown claims are kept and never interpreted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jwtguard.core.classes import EVERY_OTHER, AudienceCount, Scalar, Subject, TokenClass
from jwtguard.core.keys import VerificationKey
from jwtguard.core.policy import Profile
from jwtguard.core.signature import VerifiedJws
from jwtguard.core.strict_json import JsonObject, JsonValue
from jwtguard.errors import Reason, Refusal

_ACTORS = 8
_YEAR_10000 = 253_402_300_800
_STRINGS = "iss sub jti client_id scope nonce azp acr sid purpose at_hash c_hash fam htm htu ath"
_TYPES: Mapping[str, type] = {
    **dict.fromkeys(_STRINGS.split(), str),
    **dict.fromkeys(("cnf", "act", "events", "sub_id"), dict),
    "amr": list,
}
_COMMON = frozenset({"iss", "aud", "scope", "scp", "client_id", "azp", "acr", "typ", "token_use", "tid"})
_NEVER_EMPTY = frozenset({"iss", "sub", "jti", "client_id"})


class Commons:
    """One copy of what many tokens have in common, for those who remember many."""

    __slots__ = ("audiences", "scopes", "texts")

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.scopes: dict[frozenset[str], frozenset[str]] = {}
        self.audiences: dict[tuple[str, ...], tuple[str, ...]] = {}

    def __len__(self) -> int:
        """Count the copies; the owner bounds them."""
        return len(self.texts) + len(self.scopes) + len(self.audiences)


class ClaimsSet:
    """What a verified and validated token says, and until when that holds.

    Attributes:
        claims: All claims as they were signed.
        profile: Issuer and class under which it was validated.
        key: The key that signed it.
        audiences: ``aud`` (or its substitute) as a tuple, even for one.
        scopes: The scope tokens.
        good_from: Earliest ``now`` at which the time claims hold, leeway included.
        good_until: First ``now`` at which they no longer hold.
        size: What it counts for in memory, in bytes, once it is remembered.
    """

    __slots__ = ("audiences", "claims", "good_from", "good_until", "key", "profile", "scopes", "size")

    def __init__(
        self, jws: VerifiedJws, profile: Profile, audiences: tuple[str, ...], scopes: frozenset[str],
        good: tuple[float, float],
    ) -> None:  # fmt: skip
        self.claims = jws.claims
        self.profile = profile
        self.key: VerificationKey = jws.key
        self.audiences = audiences
        self.scopes = scopes
        self.good_from, self.good_until = good
        self.size = 0

    def share(self, commons: Commons) -> None:
        """Use the common copy of names and of values that many tokens repeat: a remembered token should be small."""
        text = commons.texts.setdefault
        self.claims = {
            text(name, name): text(value, value) if name in _COMMON and isinstance(value, str) else value
            for name, value in self.claims.items()
        }
        self.scopes = commons.scopes.setdefault(self.scopes, self.scopes)
        self.audiences = commons.audiences.setdefault(self.audiences, self.audiences)

    def __repr__(self) -> str:
        """Show class and issuer name, no claim."""
        return f"<ClaimsSet {self.profile!r}>"


def validate_claims(jws: VerifiedJws, profiles: Sequence[Profile], max_subject: int, now: float) -> ClaimsSet:
    """Validate the claims of a verified token against its candidate profiles.

    Args:
        jws: A token whose signature has been checked. An ``UnverifiedJws`` is a type error.
        profiles: The profiles it may satisfy; the classes of one issuer exclude each other.
        max_subject: How many characters ``sub`` may have.
        now: Current time as a NumericDate: seconds since the epoch, may be fractional.

    Raises:
        Refusal: ``BAD_CLAIM``, ``MISSING_CLAIM``, ``WRONG_CLASS``, ``BAD_AUDIENCE``, ``EXPIRED`` if
            ``now >= exp + leeway``, ``NOT_YET_VALID``, ``TOO_LONG_LIVED``, ``TOO_OLD`` or
            ``UNPROVEN_BINDING``. The first failing check wins, in that order.
    """
    claims = jws.claims
    _check_types(claims, max_subject)
    profile = profiles[0] if len(profiles) == 1 else _only_fitting(profiles, claims)
    row = profile.token_class
    for name in row.required:
        if claims.get(name) is None:  # null is no value
            raise Refusal(Reason.BAD_CLAIM if name in claims else Reason.MISSING_CLAIM, name, "present", None)
    if row.any_of and all(claims.get(name) is None for name in row.any_of):
        raise Refusal(Reason.MISSING_CLAIM, " or ".join(sorted(row.any_of)), "present", None)
    if (misfit := _misfit(row, claims)) is not None:
        raise Refusal(Reason.WRONG_CLASS, *misfit)
    for name, value in jws.header.replicated.items():
        if name not in claims or claims[name] != value:
            raise Refusal(Reason.BAD_HEADER, f"{name} in the header", claims.get(name), value)
    audiences = _audiences(profile, claims)
    good = _check_times(profile, claims, now)
    if "cnf" in claims:
        raise Refusal(Reason.UNPROVEN_BINDING, "cnf", "no sender constraint until proofs are supported", None)
    return ClaimsSet(jws, profile, audiences, _scopes(profile, claims), good)


def _check_types(claims: JsonObject, max_subject: int) -> None:
    for name, value in claims.items():
        kind = _TYPES.get(name)
        if kind is None:
            continue
        if name == "act":
            _check_actors(value)
        if type(value) is not kind or (value == "" and name in _NEVER_EMPTY):
            raise Refusal(Reason.BAD_CLAIM, name, f"a {'non-empty ' * (name in _NEVER_EMPTY)}{kind.__name__}", value)
    subject = claims.get("sub")
    if isinstance(subject, str) and (len(subject) > max_subject or _has_controls(subject)):
        raise Refusal(Reason.BAD_CLAIM, "sub", f"at most {max_subject} characters, none a control", subject)


def _check_actors(value: JsonValue) -> None:
    """Refuse an actor chain that is too long or holds something else than actors (RFC 8693, section 4.1)."""
    for _ in range(_ACTORS):
        if type(value) is not dict or not isinstance(value.get("sub", ""), str):
            raise Refusal(Reason.BAD_CLAIM, "act", "an object with a sub, and another act in it at most", value)
        if "act" not in value:
            return
        value = value["act"]
    raise Refusal(Reason.BAD_CLAIM, "act", f"at most {_ACTORS} actors", value)


def _has_controls(text: str) -> bool:
    return not text.isprintable() and any(char < " " or "\x7f" <= char <= "\x9f" for char in text)


def _only_fitting(profiles: Sequence[Profile], claims: JsonObject) -> Profile:
    fitting = [
        profile
        for profile in profiles
        if profile.token_class.required <= claims.keys() and _misfit(profile.token_class, claims) is None
    ]
    if len(fitting) != 1:
        names = [profile.token_class.name for profile in profiles]
        raise Refusal(Reason.WRONG_CLASS, "claims", f"those of exactly one of {names}", None)
    return fitting[0]


def _misfit(row: TokenClass, claims: JsonObject) -> tuple[str, object, object] | None:
    """Return (check, expected, seen) for the first claim that another class would hold."""
    if not row.forbidden.isdisjoint(claims):
        return min(row.forbidden & claims.keys()), "absent", "present"
    for name, values in row.one_of.items():
        if not _is_among(claims.get(name), values):
            return name, sorted(map(repr, values)), claims.get(name)
    for name, values in row.none_of.items():
        if _is_among(claims.get(name), values):
            return name, f"none of {sorted(map(repr, values))}", claims.get(name)
    if row.events or row.not_events:
        events = claims.get("events")
        held = events.keys() if isinstance(events, dict) else frozenset[str]()
        unwanted = held - row.events if row.not_events is EVERY_OTHER else row.not_events & held
        if not row.events <= held or unwanted:
            return "events", f"with {sorted(row.events)} and no other kind", sorted(held)
    return _misfit_subject(row.subject, claims)


def _misfit_subject(rule: Subject, claims: JsonObject) -> tuple[str, object, object] | None:
    subject = claims.get("sub")
    if rule is Subject.PRINCIPAL and (subject == claims.get("iss") or str(subject).startswith("spiffe:")):
        return "sub", "a principal, not the issuer or a workload", subject
    if rule is Subject.ISSUER and subject != claims.get("iss"):
        return "sub", "equal to iss", subject
    return None


def _is_among(value: JsonValue, allowed: frozenset[Scalar]) -> bool:
    return any(type(value) is type(known) and value == known for known in allowed)


def _audiences(profile: Profile, claims: JsonObject) -> tuple[str, ...]:
    name = profile.token_class.audience_claim
    value = claims.get(name)
    if isinstance(value, str):
        audiences: tuple[str, ...] = (value,)
    elif isinstance(value, list) and all(isinstance(item, str) for item in value):
        audiences = tuple(value)
    elif value is None and name not in claims:
        audiences = ()
    else:
        raise Refusal(Reason.BAD_CLAIM, name, "a string or an array of strings", value)
    if profile.audiences is not None and profile.audiences.isdisjoint(audiences):
        raise Refusal(Reason.BAD_AUDIENCE, name, sorted(profile.audiences), value)
    if len(audiences) > 1 and profile.token_class.audience_count is AudienceCount.SOLE:
        raise Refusal(Reason.BAD_AUDIENCE, name, "no audience but us", value)
    return audiences


def _scopes(profile: Profile, claims: JsonObject) -> frozenset[str]:
    value = claims.get(profile.scope_claim, "")
    if not isinstance(value, str):
        raise Refusal(Reason.BAD_CLAIM, profile.scope_claim, "a space-delimited string", value)
    return frozenset(filter(None, value.split(" ")))


def _numeric_date(claims: JsonObject, name: str) -> float | None:
    if name not in claims:
        return None
    value = claims[name]
    # An exact type: bool is an int to Python, and no date to anybody.
    if (type(value) is int or type(value) is float) and 0 <= value < _YEAR_10000:
        return value
    raise Refusal(Reason.BAD_CLAIM, name, "a NumericDate before the year 10000", value)


def _check_times(profile: Profile, claims: JsonObject, now: float) -> tuple[float, float]:
    """Check exp, nbf and iat, and return the span of ``now`` for which they hold."""
    exp, nbf, iat = _numeric_date(claims, "exp"), _numeric_date(claims, "nbf"), _numeric_date(claims, "iat")
    if "auth_time" in claims:
        _numeric_date(claims, "auth_time")
    leeway = profile.leeway_s
    until = float("inf")
    if exp is not None:
        until = exp + leeway
        if now >= until:
            raise Refusal(Reason.EXPIRED, "exp", f"after {now - leeway}", exp)
    start = max(nbf or 0, iat or 0) - leeway
    if now < start:
        raise Refusal(Reason.NOT_YET_VALID, "nbf and iat", f"at most {now + leeway}", max(nbf or 0, iat or 0))
    if exp is not None and (exp <= (iat or 0) or exp <= (nbf or 0)):
        raise Refusal(Reason.BAD_CLAIM, "exp", "after iat and nbf", exp)
    return start, _check_age(profile, exp, iat, until, now)


def _check_age(profile: Profile, exp: float | None, iat: float | None, until: float, now: float) -> float:
    lifetime, age = profile.max_lifetime_s, profile.max_age_s
    if iat is None:
        if age is not None or lifetime is not None:
            raise Refusal(Reason.MISSING_CLAIM, "iat", "present, since life or age is bounded", None)
        return until
    if lifetime is not None and exp is not None and exp - iat > lifetime:
        raise Refusal(Reason.TOO_LONG_LIVED, "exp - iat", f"at most {lifetime} s", exp - iat)
    if age is None:
        return until
    end = iat + age + profile.leeway_s
    if now > end:
        raise Refusal(Reason.TOO_OLD, "now - iat", f"at most {age} s", now - iat)
    return min(until, end)
