"""The lint rules. Each is a function from a table and its keys to findings; the list below is the registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import combinations

from jwtguard.core.classes import NO_AUDIENCE, READY_MADE, Expires, NoExpiry, TokenClass, separations
from jwtguard.core.endpoint import Access, CarrierKind
from jwtguard.core.issuer import InlineKeys, KeyFile
from jwtguard.core.keys import HeldKeys, SkipReason
from jwtguard.core.limits import Limits
from jwtguard.core.paths import Pattern
from jwtguard.core.policy import Mode
from jwtguard.core.table import PolicyTable
from jwtguard.errors import ConfigurationError
from jwtguard.lint.findings import Finding, Severity

Held = Mapping[str, HeldKeys]
Rule = Callable[[PolicyTable, Held], Iterator[Finding]]
_HOUR_S = 3600.0
OF_THE_APPLICATION = frozenset({"R-STO-07"})  # rules that need more than a policy, so that it may override them unseen
_PREFIXES = ("__Host-", "__Secure-", "__Http-")


def lint(table: PolicyTable, held: Held) -> list[Finding]:
    """Run every rule; findings that the configuration overrides by name come out as notes.

    Args:
        table: The policy, already built and proven.
        held: The keys in force, by issuer name; inline keys are judged, fetched ones may not be there yet.
    """
    overrides = {(override.rule, override.at): override for override in table.config.overrides}
    unused = {key: override for key, override in overrides.items() if key[0] not in OF_THE_APPLICATION}
    findings: list[Finding] = []
    for rule in RULES:
        for finding in dict.fromkeys(rule(table, held)):  # the tenants of an issuer are found fault with once
            override = overrides.get((finding.rule, finding.at))
            unused.pop((finding.rule, finding.at), None)
            if override is None:
                findings.append(finding)
            else:
                text = f"overridden since {override.since}: {override.reason} ({finding.message})"
                findings.append(Finding(finding.rule, Severity.NOTE, finding.at, text))
    for rule_id, at in unused:
        message = "this override overrides nothing: the finding is gone, or its rule or place is misspelt"
        findings.append(Finding(rule_id, Severity.WARNING, at, message))
    return findings


def stop_on_errors(table: PolicyTable, held: Held) -> None:
    """Stop a start-up in production at the first error nobody overrode (R-GOV-02).

    Raises:
        ConfigurationError: The finding, with its rule and place.
    """
    for finding in lint(table, held):
        if finding.severity is Severity.ERROR:
            raise ConfigurationError(finding.message, key=finding.at, rule=finding.rule)


def _used_classes(table: PolicyTable) -> Iterator[tuple[str, TokenClass]]:
    for issuer in table.config.issuers:
        for name, row in table.classes[issuer.name].items():
            if any(name in endpoint.accept for endpoint in table.config.endpoints):
                yield issuer.family or issuer.name, row


def explicit_absences(table: PolicyTable, _: Held) -> Iterator[Finding]:
    """A custom class that leaves a check out says so in the policy, and must be overridden by name."""
    for row in table.config.classes:
        at = f"classes.{row.name}"
        if row.audience is NO_AUDIENCE:
            message = "tokens of this class are accepted whatever their audience; a token for another service passes"
            yield Finding("R-CLM-03", Severity.ERROR, f"{at}.audience", message)
        if isinstance(row.expiry, NoExpiry):
            message = f"tokens of this class need no exp; only their age is bounded, at {row.expiry.max_age_s:g} s"
            yield Finding("R-CLM-05", Severity.ERROR, f"{at}.expiry", message)
        elif not isinstance(row.expiry.max_lifetime_s, float | int):
            message = "tokens of this class may live for any length of time"
            yield Finding("R-CLM-08", Severity.ERROR, f"{at}.expiry", message)


def replaced_classes(table: PolicyTable, _: Held) -> Iterator[Finding]:
    """A custom class under a ready-made name changes what that name promises."""
    for row in table.config.classes:
        if row.name in READY_MADE:
            message = "replaces the ready-made class of that name; give it a name of its own"
            yield Finding("R-CLS-02", Severity.WARNING, f"classes.{row.name}", message)


def long_lifetimes(table: PolicyTable, _: Held) -> Iterator[Finding]:
    """More than 60 minutes for what an endpoint accepts is a decision worth showing."""
    for issuer, row in _used_classes(table):
        lifetime = row.expiry.max_lifetime_s if isinstance(row.expiry, Expires) else None
        if isinstance(lifetime, float | int) and lifetime > _HOUR_S:
            message = f"{row.name} tokens may live {lifetime / 60:g} minutes; 60 is the rule"
            yield Finding("R-LIF-02", Severity.WARNING, f"issuers.{issuer}.max_lifetime", message)


def single_separations(table: PolicyTable, _: Held) -> Iterator[Finding]:
    """Two classes of one issuer should differ in at least two independent ways."""
    for issuer in table.config.issuers:
        for one, other in combinations(table.classes[issuer.name].values(), 2):
            ways = separations(one, other)
            if len(ways) == 1:
                message = f"{one.name} and {other.name} are kept apart by {ways[0]} alone"
                yield Finding("R-CLS-05", Severity.NOTE, f"issuers.{issuer.family or issuer.name}.issues", message)


def legacy_tokens(table: PolicyTable, _: Held) -> Iterator[Finding]:
    """Access tokens without a type of their own are a bridge, not a destination."""
    for issuer in table.config.issuers:
        if issuer.legacy is not None:
            message = f"untyped access tokens are accepted since {issuer.legacy.since}; ask the issuer for typ at+jwt"
            yield Finding(
                "R-CLS-09", Severity.WARNING, f"issuers.{issuer.family or issuer.name}.access_legacy", message
            )


def usable_keys(table: PolicyTable, held: Held) -> Iterator[Finding]:
    """Keys at hand that cannot be used, inline or in a file, are a mistake that start-up can still see."""
    for issuer in table.config.issuers:
        if not isinstance(issuer.keys, InlineKeys | KeyFile):
            continue
        what = "an inline key" if isinstance(issuer.keys, InlineKeys) else "a key of the file"
        key_set, at = held[issuer.name].key_set, f"issuers.{issuer.family or issuer.name}.keys"
        if not key_set.live:
            reasons = ", ".join(sorted({skipped.reason for skipped in key_set.skipped})) or "none given"
            yield Finding("R-ALG-07", Severity.ERROR, at, f"no inline key can be used: {reasons}")
        for skipped in key_set.skipped:
            rule = "R-ALG-07" if skipped.reason is SkipReason.WEAK else "R-JWK-13"
            yield Finding(rule, Severity.WARNING, at, f"{what} is not used: {skipped.reason}")
        if key_set.exposed:
            message = f"{what} holds private members; verifying needs the public ones alone"
            yield Finding("R-JWK-13", Severity.WARNING, at, message)


def algorithm_choice(table: PolicyTable, _: Held) -> Iterator[Finding]:
    """Names that mean more than one thing, and secrets that more than one service could hold."""
    for issuer in table.config.issuers:
        at = f"issuers.{issuer.family or issuer.name}.algorithms"
        if "EdDSA" in issuer.algorithms:
            yield Finding("R-ALG-11", Severity.NOTE, at, "EdDSA is taken to mean Ed25519; write Ed25519 (RFC 9864)")
        if issuer.shared_secret:
            message = "HMAC: every service that verifies can also mint; prefer ES256 or Ed25519"
            yield Finding("R-ALG-09", Severity.WARNING, at, message)
            if isinstance(issuer.keys, InlineKeys):
                message = "a secret stands in the policy; keep it in a file of its own: jwks_file"
                yield Finding("R-ISS-03", Severity.WARNING, f"issuers.{issuer.family or issuer.name}.jwks", message)


def raised_limits(table: PolicyTable, _: Held) -> Iterator[Finding]:
    """A limit above its default is a promise weakened."""
    default = Limits()
    for name in Limits.__slots__:
        value, usual = getattr(table.limits, name), getattr(default, name)
        if value > usual:
            yield Finding("R-GOV-02", Severity.WARNING, f"limits.{name}", f"is {value:g}; the default is {usual:g}")


def open_doors(table: PolicyTable, _: Held) -> Iterator[Finding]:
    """Public wildcards and the development profile deserve a second look."""
    for endpoint in table.endpoints:
        if endpoint.access is Access.PUBLIC and any(pattern.endswith("/**") for pattern in endpoint.patterns):
            message = "a public wildcard also opens what is added under it later"
            yield Finding("R-POL-01", Severity.WARNING, f"endpoints.{endpoint.name}", message)
    if table.config.mode is Mode.DEVELOPMENT:
        message = "the development profile accepts plain http on loopback; never deploy it"
        yield Finding("R-EXT-09", Severity.WARNING, "mode", message)


def cookie_names(table: PolicyTable, _: Held) -> Iterator[Finding]:
    """A cookie that a sibling domain or plain http could set is somebody else's word (R-STO-01)."""
    for endpoint in table.endpoints:
        for carrier in endpoint.carriers:
            if carrier.kind is not CarrierKind.HEADER and not carrier.name.startswith(_PREFIXES):
                message = f"the cookie {carrier.name!r} can be set by other hosts of the domain; call it __Host-…"
                yield Finding("R-STO-01", Severity.WARNING, f"endpoints.{endpoint.name}.carriers", message)


def cookie_policies(table: PolicyTable, _: Held) -> Iterator[Finding]:
    """An endpoint that takes cookies says where its pages are, and where an expired token leads to."""
    for endpoint in table.endpoints:
        if not endpoint.cookies:
            continue
        at = f"endpoints.{endpoint.name}"
        methods = {Pattern(text).method for text in endpoint.patterns}
        if "WEBSOCKET" in methods and not endpoint.origins:
            only = all(carrier.kind is not CarrierKind.HEADER for carrier in endpoint.carriers)
            message = "a handshake with a cookie needs an allowed origin, and none is: every one of them is refused"
            yield Finding("R-EXT-12", Severity.ERROR if only else Severity.WARNING, f"{at}.origins", message)
        elif not methods <= {"GET", "OPTIONS"} and not endpoint.origins:
            message = "without origins, browsers that send no Sec-Fetch-Site (before 2023) are refused"
            yield Finding("R-STO-03", Severity.NOTE, f"{at}.origins", message)
        if not endpoint.login_page:
            message = "names no login_page, so nothing tells a browser where an expired token can be renewed"
            yield Finding("R-LIF-03", Severity.WARNING, f"{at}.login_page", message)


RULES: tuple[Rule, ...] = (
    explicit_absences,
    replaced_classes,
    long_lifetimes,
    single_separations,
    legacy_tokens,
    usable_keys,
    algorithm_choice,
    raised_limits,
    open_doors,
    cookie_names,
    cookie_policies,
)
