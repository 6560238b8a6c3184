"""Which token class this may be: header type and unverified issuer narrow, the claims decide later."""

from __future__ import annotations

from typing import NoReturn

from jwtguard.core.classes import HeaderKey
from jwtguard.core.jws import JoseHeader, JwsParser, UnverifiedJws
from jwtguard.core.policy import Choice, EndpointPolicy
from jwtguard.core.strict_json import JsonValue
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
    _check_header_keys(choice, header)
    return choice


def _explain_mismatch(policy: EndpointPolicy, issuer: JsonValue, header: JoseHeader) -> NoReturn:
    issuers = {known for known, _, _ in policy.choices}
    if issuer not in issuers:
        raise Refusal(Reason.BAD_ISSUER, "iss", sorted(issuers), issuer)
    types = {typ for known, typ, _ in policy.choices if known == issuer}
    if header.typ not in types:
        raise Refusal(Reason.WRONG_CLASS, "typ", sorted(typ or "(absent)" for typ in types), header.typ)
    algorithms = sorted({alg for known, typ, alg in policy.choices if known == issuer and typ == header.typ})
    raise Refusal(Reason.UNSUPPORTED_ALG, "alg", algorithms, header.alg)


def _check_header_keys(choice: Choice, header: JoseHeader) -> None:
    """Refuse key material and key locations in the header, but for those configured (R-HDR-02, R-HDR-03)."""
    needs_key = choice.profiles[0].token_class.header_key is HeaderKey.REQUIRED
    if header.carries_key is not needs_key:
        raise Refusal(Reason.BAD_HEADER, "jwk", "present" if needs_key else "absent", header.carries_key)
    if header.urls:
        allowed = choice.profiles[0].issuer.key_urls
        for url in header.urls:
            if url not in allowed:
                raise Refusal(Reason.BAD_HEADER, "jku or x5u", list(allowed), url)
