"""Nearest misses: what may be behind a refusal. One row for each ``Reason`` that has something to add.

Hints read the token without believing it. They are for whoever runs ``jwtguard explain`` on their own machine,
never for an answer.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import chain

from jwtguard.cli.evidence import Evidence, bare
from jwtguard.core.endpoint import Csrf
from jwtguard.core.issuer import HMAC, InlineKeys, KeyFile
from jwtguard.core.paths import METHODS, Pattern
from jwtguard.core.policy import EndpointPolicy
from jwtguard.core.request import Token
from jwtguard.errors import Reason, Refusal

Hint = Callable[[Evidence, EndpointPolicy | None, Refusal], Iterator[str]]
_CLOCK_S = 300  # further off than this, it is not the clock
_MILLISECONDS = 1e11
_ID_TOKEN = ("nonce", "at_hash", "c_hash")
_SCOPE_CLAIMS = ("scp", "scopes", "permissions", "roles")
_SEGMENTS_OF_JWE = 5


def hints_for(evidence: Evidence, policy: EndpointPolicy | None, refusal: Refusal) -> Iterable[str]:
    """Return what may be behind a refusal, the likeliest first."""
    rows = HINTS.get(refusal.reason, ())
    return dict.fromkeys(chain.from_iterable(row(evidence, policy, refusal) for row in rows))


def _path(evidence: Evidence, _: EndpointPolicy | None, __: Refusal) -> Iterator[str]:
    texts = [text for policy in evidence.table.endpoints for text in policy.patterns]
    missed = tuple(_path_missed(evidence, texts))
    yield from missed
    if not missed:
        close = difflib.get_close_matches(f"{evidence.head.method} {evidence.head.path}", texts, n=1)
        yield from (f"The nearest pattern is {text!r}." for text in close)


def _path_missed(evidence: Evidence, texts: Iterable[str]) -> Iterator[str]:
    method, path, find = evidence.head.method, evidence.head.path, evidence.table.routes.find
    turned = path.rstrip("/") if path.endswith("/") else f"{path}/"
    if find(method, turned) is not None:
        yield f"A policy covers {evidence.display.value(turned)}: the trailing slash makes it another path."
    others = [other for other in sorted(METHODS) if other != method and find(other, path) is not None]
    if others:
        yield f"This path is covered for {', '.join(others)}, not for {evidence.display.value(method)}."
    elif folded := [text for text in texts if _fits_folded(Pattern(text), path)]:
        yield f"Paths are case-sensitive, and {folded[0]!r} is spelt otherwise."


def _fits_folded(pattern: Pattern, path: str) -> bool:
    """Whether a pattern would match if case did not count, which it does."""
    given = path.lower().split("/")[1:]
    if len(given) < len(pattern.segments) or (len(given) > len(pattern.segments) and not pattern.rest):
        return False
    pairs = zip(pattern.segments, given, strict=False)
    return all(bool(seen) if wanted is None else wanted.lower() == seen for wanted, seen in pairs)


def _no_token(evidence: Evidence, policy: EndpointPolicy | None, _: Refusal) -> Iterator[str]:
    if policy is None:
        return
    sent = {name for name, _ in evidence.head.headers}
    found = sorted(name.decode() for name in policy.fields if name in sent)
    if found:
        yield f"{', '.join(found)} is there, but not with the scheme or the cookie name that the policy lists."
    else:
        yield "Give the token with --token."


def _csrf(evidence: Evidence, policy: EndpointPolicy | None, _: Refusal) -> Iterator[str]:
    if evidence.head.method == "WEBSOCKET":
        yield "A page's handshake has an Origin, which the policy must list in `origins`."
    else:
        yield "A page of ours sends --header 'Sec-Fetch-Site: same-origin'; other origins are listed in `origins`."
    if policy is not None and policy.csrf is Csrf.DOUBLE_SUBMIT:
        yield "It also sends X-CSRF-Token, with the value of guard.csrf_token(token)."


def _token_text(evidence: Evidence, _: EndpointPolicy | None, __: Refusal) -> Iterator[str]:
    if evidence.token is None:
        return
    text = evidence.token.reveal()
    if text.strip()[:1] in (b'"', b"'") or text.strip()[-1:] in (b'"', b"'"):
        yield "The token has quotes around it."
    if text.strip(b" \t\r\n\"'")[:7].lower() == b"bearer ":
        yield "The word 'Bearer ' is part of the token; give the token alone."
    elif len(text.split()) > 1 or text != text.strip():
        yield "The token has a space or a newline in it or around it."
    yield from _token_form(evidence.token)


def _token_form(token: Token) -> Iterator[str]:
    text = bare(token)
    segments = text.count(b".") + 1
    if segments == _SEGMENTS_OF_JWE:
        yield "A token of 5 segments is encrypted (JWE); only signed ones (JWS) are accepted."
    elif segments == 1:
        yield "A token without dots is opaque: no JWT, so its issuer alone can read it."
    elif b"=" in text or b"+" in text or b"/" in text:
        yield "The characters '=', '+' and '/' are not base64url: this was encoded as plain base64."


def _issuer(evidence: Evidence, policy: EndpointPolicy | None, refusal: Refusal) -> Iterator[str]:
    seen = refusal.seen
    if not isinstance(seen, str) or policy is None:
        return
    for expected in sorted({issuer for issuer, _, _ in policy.choices}):
        yield from _near("iss", expected, seen)
    if seen in evidence.table.issuers:
        yield f"The issuer {evidence.table.issuers[seen].name!r} is configured, but this endpoint does not accept it."


def _audience(evidence: Evidence, policy: EndpointPolicy | None, refusal: Refusal) -> Iterator[str]:
    seen = refusal.seen if isinstance(refusal.seen, list) else [refusal.seen]
    for expected in sorted(
        {name for profile in (policy.profiles if policy else ()) for name in profile.audiences or ()}
    ):
        for value in seen:
            yield from _near("aud", expected, str(value))
    clients = {name for issuer in evidence.table.config.issuers for name in issuer.client_id}
    if clients.intersection(map(str, seen)):
        yield "The audience is one of our client ids: this is an ID token, or the API's audience was not asked for."


def _near(name: str, expected: str, seen: str) -> Iterator[str]:
    """Tell two identifiers apart that people take for one."""
    if expected == seen:
        return
    if expected.rstrip("/") == seen.rstrip("/"):
        yield f"{name} differs from {expected!r} by a trailing slash; it is compared character for character."
    elif expected.strip().lower().rstrip("/") == seen.strip().lower().rstrip("/"):
        yield f"{name} differs from {expected!r} in case or space; it is compared character for character."
    elif expected.partition("://")[2] == seen.partition("://")[2] != "":
        yield f"{name} differs from {expected!r} in its scheme."


def _class(evidence: Evidence, _: EndpointPolicy | None, __: Refusal) -> Iterator[str]:
    typ = evidence.header.get("typ")
    marks = [name for name in _ID_TOKEN if name in evidence.claims]
    untyped = typ is None or str(typ).lower().removeprefix("application/") == "jwt"
    if marks:
        yield f"It holds {', '.join(marks)}: this is an ID token sent as an access token. Send the access token."
    elif untyped:
        yield (
            "Its typ is not at+jwt (RFC 9068). Ask the issuer for typed access tokens, or opt in to untyped ones: "
            "[issuers.NAME.access_legacy]."
        )
    known = {name: row for rows in evidence.table.classes.values() for name, row in rows.items()}
    typed = str(typ).lower().removeprefix("application/")
    named = sorted(name for name, row in known.items() if not untyped and typed in row.typ)
    if named:
        yield f"This typ is that of {', '.join(named)}, which the endpoint does not accept."


def _algorithm(evidence: Evidence, policy: EndpointPolicy | None, refusal: Refusal) -> Iterator[str]:
    alg = refusal.seen
    issuer = evidence.table.issuers.get(str(evidence.claims.get("iss")))
    if str(alg).lower() == "none":
        yield "The token is not signed at all."
    elif issuer is None:
        return
    elif alg in HMAC and issuer.algorithms[0] not in HMAC:
        yield (
            f"{alg} is made with a shared secret, but {issuer.name!r} signs with key pairs: a forgery made with the "
            "public key, or a token of another issuer."
        )
    elif alg in issuer.algorithms and policy is not None:
        yield f"The issuer may use {alg}, but the endpoint narrows the list."
    else:
        shown = evidence.display.value(alg)
        yield f"If the issuer really signs with {shown}, add it to issuers.{issuer.name}.algorithms."


def _key(evidence: Evidence, policy: EndpointPolicy | None, refusal: Refusal) -> Iterator[str]:
    kid, iss = refusal.seen, evidence.claims.get("iss")
    own = evidence.table.issuers.get(str(iss))
    if own is None and isinstance(iss, str):
        yield "No issuer of the policy has the iss of this token."
        for expected in sorted({issuer for issuer, _, _ in policy.choices} if policy else ()):
            yield from _near("iss", expected, iss)
    for name, held in evidence.held.items():
        kids = {str(key.kid) for key in held.key_set.live if key.kid is not None}
        if own is not None and name == own.name:
            yield from _own_key(kid, kids, {str(key.kid): key.reason for key in held.key_set.skipped})
        elif kid in kids:
            yield f"A key of that kid belongs to the issuer {name!r}: the token may come from there."


def _own_key(kid: object, kids: set[str], skipped: Mapping[str, object]) -> Iterator[str]:
    if kid is None:
        yield f"The header names no kid, and the issuer has {len(kids)} keys: which one is a guess nobody may make."
    elif kid in kids:
        yield "A key of that kid is known, but for another algorithm."
    elif str(kid) in skipped:
        yield f"A key of that kid is in the set but cannot be used: {skipped[str(kid)]}."
    elif str(kid).strip().lower() in {known.lower() for known in kids}:
        yield "A key differs from that kid in case or space only."
    else:
        yield "No key has that kid: the issuer changed its keys since, or this is a token of another environment."


def _no_keys(evidence: Evidence, _: EndpointPolicy | None, __: Refusal) -> Iterator[str]:
    issuer = evidence.table.issuers.get(str(evidence.claims.get("iss")))
    if issuer is not None and not isinstance(issuer.keys, InlineKeys | KeyFile):
        yield "This command fetches nothing by itself: give the key set with --jwks FILE, or let it fetch with --fetch."


def _signature(_: Evidence, __: EndpointPolicy | None, ___: Refusal) -> Iterator[str]:
    yield (
        "The token was altered, or signed by another key that goes by the same kid: another environment, or a key "
        "that was replaced without a new name."
    )


def _time(evidence: Evidence, _: EndpointPolicy | None, refusal: Refusal) -> Iterator[str]:
    seen = refusal.seen
    if not isinstance(seen, int | float):
        return
    off = evidence.now - seen
    word = "ago" if off > 0 else "from now"
    yield f"{refusal.check} is {_at(seen)}, {abs(off):.0f} s {word}; judged at {_at(evidence.now)}."
    if abs(off) <= _CLOCK_S:
        yield f"If the token is fresh, a clock is off by about {abs(off):.0f} s."


def _at(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return f"{seconds:g}"


def _claim(evidence: Evidence, _: EndpointPolicy | None, refusal: Refusal) -> Iterator[str]:
    seen = refusal.seen
    if isinstance(seen, int | float) and seen > _MILLISECONDS:
        yield f"{refusal.check} looks like milliseconds; a NumericDate counts seconds."
    elif isinstance(seen, str) and seen.isdigit():
        yield f"{refusal.check} is a string of digits; a NumericDate is a number."
    elif isinstance(seen, list) and refusal.check in ("scope", *_SCOPE_CLAIMS):
        yield "Scopes come as one string with spaces between them (RFC 6749, section 3.3)."
    if refusal.reason is Reason.MISSING_CLAIM:
        if refusal.check == "client_id" and "azp" in evidence.claims:
            yield "It has azp in place of client_id; access tokens of RFC 9068 have client_id."
        if marks := [name for name in _ID_TOKEN if name in evidence.claims]:
            yield f"It holds {', '.join(marks)}: this may be an ID token."


def _scope(evidence: Evidence, policy: EndpointPolicy | None, _: Refusal) -> Iterator[str]:
    if policy is None:
        return
    held = str(evidence.claims.get("scope", "")).split(" ")
    missing = sorted(policy.scopes.difference(held)) or sorted(policy.any_scopes)
    yield f"Missing: {' '.join(missing)}."
    for name in missing:
        if name.lower() in {scope.lower() for scope in held}:
            yield f"A scope differs from {name} in case only."
        for claim in _SCOPE_CLAIMS:
            value = evidence.claims.get(claim)
            if name in (value if isinstance(value, list) else str(value).split(" ")):
                yield f"{name} is in the claim {claim}, which is not where this class keeps its scopes."


def _lifetime(_: Evidence, __: EndpointPolicy | None, ___: Refusal) -> Iterator[str]:
    yield "A longer life can be granted by name: max_lifetime of the issuer."


def _binding(_: Evidence, __: EndpointPolicy | None, ___: Refusal) -> Iterator[str]:
    yield "The token is bound to its sender (DPoP or mutual TLS); such proofs are not supported yet."


def _two(evidence: Evidence, _: EndpointPolicy | None, __: Refusal) -> Iterator[str]:
    if evidence.token is not None:
        yield "With --token, give no header or cookie that carries a token too."


HINTS: Mapping[Reason, tuple[Hint, ...]] = {
    Reason.NO_POLICY: (_path,),
    Reason.MISSING_TOKEN: (_no_token,),
    Reason.CSRF: (_csrf,),
    Reason.AMBIGUOUS_CREDENTIALS: (_two,),
    Reason.MALFORMED_CREDENTIALS: (_token_text,),
    Reason.MALFORMED: (_token_text,),
    Reason.BAD_HEADER: (_token_text,),
    Reason.UNSUPPORTED_ALG: (_algorithm,),
    Reason.BAD_ISSUER: (_issuer,),
    Reason.WRONG_CLASS: (_class,),
    Reason.NO_KEY: (_key,),
    Reason.KEYS_UNAVAILABLE: (_no_keys,),
    Reason.BAD_SIGNATURE: (_signature,),
    Reason.BAD_AUDIENCE: (_audience,),
    Reason.MISSING_CLAIM: (_claim,),
    Reason.BAD_CLAIM: (_claim,),
    Reason.EXPIRED: (_time,),
    Reason.NOT_YET_VALID: (_time,),
    Reason.TOO_LONG_LIVED: (_lifetime,),
    Reason.UNPROVEN_BINDING: (_binding,),
    Reason.SCOPE_MISSING: (_scope,),
}
