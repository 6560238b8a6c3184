"""Which token class this may be: header type and unverified issuer narrow, the claims decide later."""

from __future__ import annotations

from typing import NoReturn

from jwtguard.core.classes import HeaderKey
from jwtguard.core.jws import JoseHeader, JwsParser, UnverifiedJws
from jwtguard.core.policy import Choice, EndpointPolicy, Profile
from jwtguard.errors import Reason, Refusal


def classify(parser: JwsParser, policy: EndpointPolicy, jws: UnverifiedJws) -> Choice:
    """Select the profiles a token could satisfy at this endpoint; nothing in it is believed yet.

    Raises:
        Refusal: ``BAD_ISSUER``, ``WRONG_CLASS``, ``UNSUPPORTED_ALG`` or ``BAD_HEADER``, in that order;
            ``MALFORMED``, ``MISSING_CLAIM`` or ``BAD_CLAIM`` if there is no issuer to read.
    """
    issuer = parser.unverified_issuer(jws)
    if not isinstance(issuer, str):
        raise Refusal(Reason.BAD_CLAIM, "iss", "a string", issuer)
    header = jws.header
    choice = policy.choices.get((issuer, header.typ, header.alg))
    if choice is None:
        _explain_mismatch(policy, issuer, header)
    return _check_header_keys(choice, header)


def _explain_mismatch(policy: EndpointPolicy, issuer: str, header: JoseHeader) -> NoReturn:
    types = policy.types.get(issuer)
    if types is None:
        raise Refusal(Reason.BAD_ISSUER, "iss", policy.types.keys(), issuer)
    if header.typ not in types:
        raise Refusal(Reason.WRONG_CLASS, "typ", types, header.typ)
    algorithms = sorted(alg for iss, typ, alg in policy.choices if iss == issuer and typ == header.typ)
    raise Refusal(Reason.UNSUPPORTED_ALG, "alg", algorithms, header.alg)


def _check_header_keys(choice: Choice, header: JoseHeader) -> Choice:
    """Refuse key material and key locations in the header, but for those configured (R-HDR-02, R-HDR-03)."""
    profiles = tuple(profile for profile in choice.profiles if _carries_key(profile) is header.carries_key)
    if not profiles:
        expected = "absent" if header.carries_key else "present"
        raise Refusal(Reason.BAD_HEADER, "jwk", expected, header.carries_key)
    if header.urls:
        allowed = profiles[0].issuer.key_urls
        for url in header.urls:
            if url not in allowed:
                raise Refusal(Reason.BAD_HEADER, "jku or x5u", list(allowed), url)
    return choice if len(profiles) == len(choice.profiles) else Choice(choice.alg, profiles)


def _carries_key(profile: Profile) -> bool:
    return profile.token_class.header_key is HeaderKey.REQUIRED
