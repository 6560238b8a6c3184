"""Translate a case into the configuration an author would write for it; nothing here judges a token.

The class of a case is a custom ``TokenClass`` with every column filled. What the case leaves unchecked is
written as the explicit absence, and since production refuses those, each is overridden by name.
"""

from __future__ import annotations

from datetime import date

from jwtguard import (
    BEARER,
    NO_AUDIENCE,
    UNBOUNDED,
    Audience,
    AudienceCount,
    Carrier,
    Config,
    Endpoint,
    Expires,
    HeaderKey,
    InlineKeys,
    Issuer,
    Limits,
    Mode,
    NoExpiry,
    Override,
    Subject,
    TokenClass,
    cookie,
)
from jwtguard.core.issuer import HMAC
from tests.corpus.case import Case, IssuerEntry, PolicyEntry

ANY_AGE_S = float("inf")
"""For a case that requires neither ``exp`` nor a bounded age: ``NoExpiry`` demands that the bound is written."""

_COOKIE_NAME_BYTES = 256
_DEPTH = 32
_OVERRIDDEN = date(2026, 1, 1)


def limits_of(policy: PolicyEntry) -> Limits:
    """Return the ``corpus`` override set: every limit that is not the default, and why.

    A case bounds its token as a whole and nothing inside it; what has a bound of its own here gets the whole.
    """
    defaults = Limits()
    token_bytes = policy.get("max_token_bytes", defaults.token_bytes)
    return Limits(
        token_bytes=token_bytes,  # the case states it
        leeway_s=policy.get("leeway", defaults.leeway_s),  # the case states it
        cookie_bytes=token_bytes + _COOKIE_NAME_BYTES,  # holds name and value: a token of full size must fit in
        header_bytes=token_bytes,  # part of the token: some cases carry certificates in it
        kid_chars=token_bytes,  # part of the token
        subject_chars=token_bytes,  # part of the token
        json_members=token_bytes,  # part of the token
        json_integer=2**64,  # as deep nesting: bounded by us; acceptable claims hold integers of 61 bits
        header_depth=_DEPTH,  # the corpus wants nesting bounded and leaves the bound to us;
        claims_depth=_DEPTH,  # acceptable claims of it are 20 deep, unacceptable ones 1,000 and more
    )


def config_of(case: Case) -> Config:
    """Build issuers, class, limits and overrides; at level ``http`` also the one endpoint.

    Raises:
        ConfigurationError: The case's issuers or policy are such that start-up refuses them.
    """
    policy = case["policy"]
    row = class_of(policy)
    issuers = [issuer_of(entry, policy, f"issuer-{index}") for index, entry in enumerate(case["issuers"])]
    return Config(
        issuers=issuers,
        endpoints=[_endpoint(policy, issuers)] if case["level"] == "http" else [],
        classes=[row],
        limits=limits_of(policy),
        mode=Mode.PRODUCTION,
        overrides=[*_absences(row), *map(_unusable_keys, issuers)],
    )


def issuer_of(entry: IssuerEntry, policy: PolicyEntry, name: str) -> Issuer:
    """Build one trusted issuer with its keys inline.

    Raises:
        ConfigurationError: Its algorithms may not stand together, are unknown, or are none.
    """
    wanted = policy.get("audience")
    own = entry.get("audience")
    return Issuer(
        name=name,
        issuer=entry["issuer"],
        algorithms=tuple(entry["algorithms"]),
        keys=InlineKeys(_members(entry["jwks"])),
        audience=tuple(value for value in wanted or () if own is None or value in own),
        issues=frozenset({policy["token_class"]}),  # the explicit declaration that this key set signs this class
        key_urls=(entry["jwks_uri"],) if "jwks_uri" in entry else (),
        shared_secret=any(name in HMAC for name in entry["algorithms"]),
    )


def _members(document: object) -> list[object]:
    """Take the keys out of a JWK set; a document that is none (RFC 7517, section 5) has no keys."""
    keys = document.get("keys") if isinstance(document, dict) else None
    return keys if isinstance(keys, list) else []


def class_of(policy: PolicyEntry) -> TokenClass:
    """Write the class of a case with every column.

    A check that needs a claim makes the claim required: an audience ``aud``, a lifetime ``exp`` and ``iat``.
    """
    audience, lifetime, age = policy["audience"], policy["max_lifetime"], policy["max_age"]
    expiry: Expires | NoExpiry
    required = {*policy["required_claims"], "iss"}
    if audience is not None:
        required.add("aud")
    if lifetime is not None:
        required |= {"exp", "iat"}
    if "exp" in required:
        expiry = Expires(UNBOUNDED if lifetime is None else lifetime)
    else:
        expiry = NoExpiry(ANY_AGE_S if age is None else age)
    return TokenClass(
        name=policy["token_class"],
        typ=frozenset(policy["typ"]),
        required=frozenset(required),
        any_of=frozenset(),
        forbidden=frozenset(policy["forbidden_claims"]),
        one_of={name: frozenset({value}) for name, value in policy["claim_equals"].items()},
        none_of={},
        events=frozenset(policy.get("required_events", ())),
        not_events=frozenset(),
        header_key=HeaderKey.FORBIDDEN,
        subject=Subject.ANY,
        audience=NO_AUDIENCE if audience is None else Audience.RESOURCE,
        audience_count=AudienceCount.ANY,
        audience_claim="aud",
        expiry=expiry,
        max_age_s=UNBOUNDED if age is None else age,
        carriers=frozenset({"header", "cookie"}),
    )


def _absences(row: TokenClass) -> list[Override]:
    absent = []
    if row.audience is NO_AUDIENCE:
        absent.append(("R-CLM-03", "audience", "the case does not check the audience"))
    if isinstance(row.expiry, NoExpiry):
        absent.append(("R-CLM-05", "expiry", "the case does not require exp"))
    elif row.expiry.max_lifetime_s is UNBOUNDED:
        absent.append(("R-CLM-08", "expiry", "the case does not bound the lifetime"))
    return [Override(rule, f"classes.{row.name}.{column}", _OVERRIDDEN, why) for rule, column, why in absent]


def _unusable_keys(issuer: Issuer) -> Override:
    why = "fetched keys are not seen at start-up either: the stages must refuse by themselves when none can be used"
    return Override("R-ALG-07", f"issuers.{issuer.name}.keys", _OVERRIDDEN, why)


def _endpoint(policy: PolicyEntry, issuers: list[Issuer]) -> Endpoint:
    """Write the one endpoint of a request. An issuer that may address nobody here is not accepted at it."""
    sources = policy.get("sources")
    return Endpoint(
        match=("/**",),
        accept=(policy["token_class"],),
        issuers=[issuer.name for issuer in issuers if issuer.audience],
        carriers=[BEARER] if sources is None else [_carrier(source) for source in sources],
        name="corpus",
    )


def _carrier(source: dict[str, str]) -> Carrier:
    if source["in"] == "cookie":
        return cookie(source["name"])
    return Carrier(BEARER.kind, source["name"].lower(), source["scheme"].lower())
