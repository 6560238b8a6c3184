"""Token classes as data, and the proof that no token can pass as two of them (R-CLS-02, R-CLS-03).

A class says what a token of one kind must look like: header type, claims it must and must not hold,
what its audience means, how long it may live. A class states every column; what is not checked is
written as a value (``UNBOUNDED``, ``NO_AUDIENCE``, ``NoExpiry``), never left out.

Only what is inside a token counts as proof: two configured audiences may be disjoint and one token
still name both, so audiences separate nothing here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Literal, TypeAlias

from jwtguard.core.columns import member
from jwtguard.core.limits import check_amount
from jwtguard.errors import ConfigurationError

Scalar: TypeAlias = str | int | float | bool
BACKCHANNEL_LOGOUT = "http://schemas.openid.net/event/backchannel-logout"


class Column(Enum):
    """Values of columns that are no number and no list: checks done without, and "all but these"."""

    UNBOUNDED = "unbounded"
    NO_AUDIENCE = "none"
    EVERY_OTHER = "every_other"


Unbounded: TypeAlias = Literal[Column.UNBOUNDED]
NoAudience: TypeAlias = Literal[Column.NO_AUDIENCE]
EveryOther: TypeAlias = Literal[Column.EVERY_OTHER]
UNBOUNDED: Unbounded = Column.UNBOUNDED
NO_AUDIENCE: NoAudience = Column.NO_AUDIENCE
EVERY_OTHER: EveryOther = Column.EVERY_OTHER


class Audience(StrEnum):
    """What the ``aud`` of a class names: the namespace of its values."""

    RESOURCE = "resource"
    CLIENT = "client"
    ISSUER = "issuer"
    ACTION = "action"
    RECEIVER = "receiver"


class AudienceCount(StrEnum):
    """How many audiences a token may name: a second one makes it usable elsewhere (RFC 10070, section 4)."""

    ANY = "any"
    SOLE = "sole"


class HeaderKey(StrEnum):
    """Whether the JOSE header must carry the key itself, as only a DPoP proof does (R-HDR-03)."""

    FORBIDDEN = "forbidden"
    REQUIRED = "required"


class Subject(StrEnum):
    """How ``sub`` relates to ``iss`` and to SPIFFE."""

    ANY = "any"
    PRINCIPAL = "principal"  # neither the issuer itself nor a SPIFFE ID
    ISSUER = "issuer"  # equal to iss: a client speaking for itself (RFC 7523)


@dataclass(frozen=True, slots=True)
class Expires:
    """``exp`` is required, and ``exp - iat`` may not exceed ``max_lifetime_s``."""

    max_lifetime_s: float | Unbounded


@dataclass(frozen=True, slots=True)
class NoExpiry:
    """``exp`` is not required; the age of ``iat`` is bounded instead."""

    max_age_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenClass:
    """One kind of token, every column filled (R-CLS-02).

    Attributes:
        name: Its name in policies.
        typ: The header types it may carry: lower case, without ``application/``; ``None`` stands
            for an absent ``typ``.
        required: Claims that must be present.
        any_of: Claims of which at least one must be present; empty: none of them is demanded.
        forbidden: Claims that must be absent; a ``null`` counts as present.
        one_of: Claims that must be present with one of these values, JSON type included.
        none_of: Claims that, if present, must not have one of these values.
        events: Members that the ``events`` claim must hold (RFC 8417).
        not_events: Members that ``events`` must not hold, or ``EVERY_OTHER``.
        header_key: Whether the header must or must not carry a ``jwk``.
        subject: How ``sub`` relates to ``iss``.
        audience: What its audience names, or ``NO_AUDIENCE``.
        audience_claim: The claim that holds the audience: ``aud``, or a named substitute.
        audience_count: Whether it may name others beside us.
        expiry: ``Expires(max_lifetime_s)`` or ``NoExpiry(max_age_s)``.
        max_age_s: How old ``iat`` may be, in seconds, or ``UNBOUNDED``.
        carriers: The kinds of carrier it may travel in on a request: ``header``, ``cookie``. Empty:
            no request carries it, only ``guard.verify`` sees it.
    """

    name: str
    typ: frozenset[str | None]
    required: frozenset[str]
    any_of: frozenset[str]
    forbidden: frozenset[str]
    one_of: Mapping[str, frozenset[Scalar]]
    none_of: Mapping[str, frozenset[Scalar]]
    events: frozenset[str]
    not_events: frozenset[str] | EveryOther
    header_key: HeaderKey
    subject: Subject
    audience: Audience | NoAudience
    audience_claim: str
    audience_count: AudienceCount
    expiry: Expires | NoExpiry
    max_age_s: float | Unbounded
    carriers: frozenset[str]

    def __post_init__(self) -> None:
        """Refuse a class that contradicts itself or leaves its type open.

        Raises:
            ConfigurationError: The class names no ``typ``, requires what it forbids, or has an
                audience without a claim that must hold it.
        """
        key = f"classes.{self.name}"
        for name, kind in (("header_key", HeaderKey), ("subject", Subject), ("audience_count", AudienceCount)):
            object.__setattr__(self, name, member(kind, getattr(self, name), f"{key}.{name}"))
        if self.audience is not NO_AUDIENCE:
            object.__setattr__(self, "audience", member(Audience, self.audience, f"{key}.audience"))
        if not self.typ:
            message = "typ must list at least one type"
            raise ConfigurationError(message, key=f"{key}.typ", rule="R-CLS-02")
        if clash := (self.required | self.one_of.keys()) & self.forbidden:
            message = f"{sorted(clash)} both required and forbidden"
            raise ConfigurationError(message, key=key, rule="R-CLS-02")
        if self.any_of and self.any_of <= self.forbidden:
            message = f"{sorted(self.any_of)} demanded and forbidden"
            raise ConfigurationError(message, key=key, rule="R-CLS-02")
        if self.audience is not NO_AUDIENCE and self.audience_claim not in self.required:
            message = f"an audience is expected, so {self.audience_claim!r} must be required"
            raise ConfigurationError(message, key=f"{key}.required", rule="R-CLM-03")
        self._check_times(key)

    def _check_times(self, key: str) -> None:
        if isinstance(self.expiry, Expires) and "exp" not in self.required:
            message = "exp must be required"
            raise ConfigurationError(message, key=f"{key}.required", rule="R-CLM-05")
        if isinstance(self.expiry, NoExpiry):
            check_amount(self.expiry.max_age_s, f"{key}.expiry", "R-CLM-08")
        elif self.expiry.max_lifetime_s is not UNBOUNDED:
            check_amount(self.expiry.max_lifetime_s, f"{key}.expiry", "R-CLM-08")
        if self.max_age_s is not UNBOUNDED:
            check_amount(self.max_age_s, f"{key}.max_age", "R-CLM-08")


# Members characteristic of one class are forbidden in every class that does not require them.
_CHARACTERISTIC = frozenset(
    [
        "events",
        "sub_id",
        "purpose",
        "bind",
        "fam",
        "gen",
        "htm",
        "htu",
        "ath",
        "req_wl",
        "tctx",
        "rctx",
        "status_list",
        "token_introspection",
    ]
)
_SOLE = frozenset({"client_assertion", "action"})
_HEADER_OR_COOKIE = frozenset({"header", "cookie"})
_NONE: frozenset[str] = frozenset()
_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86_400.0


def _row(  # noqa: PLR0913, PLR0917 - a row of a table has as many columns as the table
    name: str,
    typ: Iterable[str | None],
    required: str,
    forbidden: str,
    expiry: Expires | NoExpiry,
    audience: Audience | NoAudience = NO_AUDIENCE,
    *,
    purpose: str | None = None,
    events: frozenset[str] = _NONE,
    not_events: frozenset[str] | EveryOther = _NONE,
    any_of: frozenset[str] = _NONE,
    header_key: HeaderKey = HeaderKey.FORBIDDEN,
    subject: Subject = Subject.ANY,
    carriers: frozenset[str] = _NONE,
) -> TokenClass:
    must = frozenset(required.split())
    return TokenClass(
        name=name,
        typ=frozenset(typ),
        required=must,
        any_of=any_of,
        forbidden=(frozenset(forbidden.split()) | _CHARACTERISTIC) - must,
        one_of={"purpose": frozenset({purpose})} if purpose else {},
        none_of={},
        events=events,
        not_events=not_events,
        header_key=header_key,
        subject=subject,
        audience=audience,
        audience_claim="aud",
        audience_count=AudienceCount.SOLE if name in _SOLE else AudienceCount.ANY,
        expiry=expiry,
        max_age_s=UNBOUNDED,
        carriers=carriers,
    )


def _single_use(name: str, typ: str, lifetime_s: float) -> TokenClass:
    required = "iss sub aud exp iat jti purpose bind"
    forbidden = "scope client_id nonce cnf at_hash c_hash"
    return _row(name, [typ], required, forbidden, Expires(lifetime_s), Audience.ACTION, purpose=name)


_NOT_ACCESS = "nonce at_hash c_hash"
_TABLE = (
    _row(
        "access", ["at+jwt"], "iss sub aud client_id exp iat jti", _NOT_ACCESS,
        Expires(_HOUR), Audience.RESOURCE, carriers=_HEADER_OR_COOKIE,
    ),
    _row(
        "access_legacy", [None, "jwt"], "iss sub aud exp iat", _NOT_ACCESS,
        Expires(_HOUR), Audience.RESOURCE, subject=Subject.PRINCIPAL, carriers=_HEADER_OR_COOKIE,
    ),
    _row(
        "id_token", [None, "jwt"], "iss sub aud exp iat", "client_id scope cnf",
        Expires(_HOUR), Audience.CLIENT, subject=Subject.PRINCIPAL,
    ),
    _row(
        "refresh", ["rt+jwt"], "iss sub aud client_id exp iat jti fam gen", "scope nonce at_hash c_hash",
        Expires(30 * _DAY), Audience.ISSUER,
    ),
    _row(
        "logout", ["logout+jwt"], "iss aud iat exp jti events", "nonce scope client_id at_hash c_hash",
        Expires(2 * _MINUTE), Audience.CLIENT, events=frozenset({BACKCHANNEL_LOGOUT}), not_events=EVERY_OTHER,
        any_of=frozenset({"sub", "sid"}),
    ),
    _row(
        "set", ["secevent+jwt"], "iss aud iat jti events sub_id", "sub exp nonce scope at_hash c_hash",
        NoExpiry(_DAY), Audience.RECEIVER, not_events=frozenset({BACKCHANNEL_LOGOUT}),
    ),
    _single_use("password_reset", "pwreset+jwt", 15 * _MINUTE),
    _single_use("email_verification", "emailverify+jwt", _DAY),
    _single_use("action", "action+jwt", 10 * _MINUTE),
    _row(
        "client_assertion", ["client-authentication+jwt"], "iss sub aud exp iat jti",
        "scope nonce cnf client_id at_hash c_hash", Expires(5 * _MINUTE), Audience.ISSUER, subject=Subject.ISSUER,
    ),
    _row(
        "dpop_proof", ["dpop+jwt"], "jti htm htu iat", "scope client_id at_hash c_hash",
        NoExpiry(_MINUTE), header_key=HeaderKey.REQUIRED,
    ),
)  # fmt: skip
READY_MADE: Mapping[str, TokenClass] = {row.name: row for row in _TABLE}
# What a provider's published key set signs unless it says otherwise; the rest has keys of its own.
PUBLISHED = frozenset({"access", "id_token", "logout", "set"})
_UNTYPED = frozenset({"id_token", "client_assertion"})


@dataclass(frozen=True, slots=True)
class Marker:
    """What an issuer's untyped access tokens always hold and its ID tokens never do (R-CLS-09).

    ``values`` empty: the claim is present. Otherwise: present with one of these values.
    """

    claim: str
    values: frozenset[Scalar] = frozenset()

    def required_of(self, row: TokenClass) -> TokenClass:
        """Return the class with this marker demanded."""
        if self.values:
            one_of = {**row.one_of, self.claim: self.values}
            return dataclasses.replace(row, one_of=one_of, forbidden=row.forbidden - {self.claim})
        return dataclasses.replace(row, required=row.required | {self.claim}, forbidden=row.forbidden - {self.claim})

    def kept_from(self, row: TokenClass) -> TokenClass:
        """Return an untyped class with this marker forbidden; a typed class needs no such help."""
        if row.name not in _UNTYPED:
            return row
        if self.values:
            return dataclasses.replace(row, none_of={**row.none_of, self.claim: self.values})
        return dataclasses.replace(row, forbidden=row.forbidden | {self.claim})


def separations(one: TokenClass, other: TokenClass) -> tuple[str, ...]:
    """List every independent reason why no token can satisfy both classes; empty means unproven."""
    return (*_separated_by_form(one, other), *_separated_one_way(one, other), *_separated_one_way(other, one))


def _separated_by_form(one: TokenClass, other: TokenClass) -> Iterable[str]:
    if not one.typ & other.typ:
        yield "typ"
    if one.header_key is not other.header_key:
        yield "header jwk"
    if {one.subject, other.subject} == {Subject.ISSUER, Subject.PRINCIPAL}:
        yield "sub against iss"
    for claim in one.one_of.keys() & other.one_of.keys():
        if not _typed(one.one_of[claim]) & _typed(other.one_of[claim]):
            yield f"value of {claim}"


def _separated_one_way(one: TokenClass, other: TokenClass) -> Iterable[str]:
    for claim in sorted((one.required | one.one_of.keys()) & other.forbidden):
        yield f"{claim} required against forbidden"
    for claim in sorted(one.one_of.keys() & other.none_of.keys()):
        if _typed(one.one_of[claim]) <= _typed(other.none_of[claim]):
            yield f"value of {claim}"
    unwanted = one.events - other.events if other.not_events is EVERY_OTHER else one.events & other.not_events
    if unwanted:
        yield "member of events"


def _typed(values: frozenset[Scalar]) -> set[tuple[type, Scalar]]:
    return {(type(value), value) for value in values}


def prove_exclusive(classes: Iterable[TokenClass], *, issuer: str) -> None:
    """Prove that no token of one issuer can pass as two of these classes (R-CLS-03).

    Raises:
        ConfigurationError: Two classes overlap; names both and what would separate them.
    """
    rows = list(classes)
    for index, one in enumerate(rows):
        for other in rows[index + 1 :]:
            if not separations(one, other):
                shared = sorted(str(typ) if typ else "(absent)" for typ in one.typ & other.typ)
                message = (
                    f"one token could pass as {one.name!r} and as {other.name!r}: both allow typ {', '.join(shared)}, "
                    "and neither requires what the other forbids. A typ of its own would separate them, or a claim "
                    "that one requires and the other forbids; if the issuer signs no such tokens, list in `issues` "
                    "what it does sign"
                )
                raise ConfigurationError(message, key=f"issuers.{issuer}.issues", rule="R-CLS-03")
