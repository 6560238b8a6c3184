"""Issuers: how to verify what one authorization server signs (Envoy's *how*, apart from *where*)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from jwtguard.core.classes import PUBLISHED, READY_MADE, Audience, Expires, Marker, TokenClass, prove_exclusive
from jwtguard.errors import ConfigurationError, unknown

HMAC = ("HS256", "HS384", "HS512")
ALGORITHMS: Mapping[str, str] = {  # name -> key type; RFC 7518, RFC 8037, RFC 9864
    **dict.fromkeys(HMAC, "oct"),
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    **dict.fromkeys(("ES256", "ES384", "ES512"), "EC"),
    **dict.fromkeys(("Ed25519", "Ed448", "EdDSA"), "OKP"),
}


@dataclass(frozen=True, slots=True)
class Discovery:
    """Keys found through the issuer's metadata: OpenID Connect Discovery, then RFC 8414."""


@dataclass(frozen=True, slots=True)
class JwksUri:
    """Keys fetched from one literal URL."""

    url: str


@dataclass(frozen=True, slots=True)
class InlineKeys:
    """Keys written into the configuration: a parsed JWK set, or PEM texts of public keys."""

    jwks: Sequence[object] = field(repr=False)
    pem: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Legacy:
    """The opt-in to access tokens without a ``typ`` of their own (class ``access_legacy``, R-CLS-09).

    Attributes:
        marker: What such a token holds and an ID token of this issuer never does.
        since: The day this was switched on; shown by the lint.
        audience_from: The claim that stands in for a missing ``aud`` (Cognito: ``client_id``).
        scope_from: The claim that holds the scopes (Entra ID: ``scp``).
        max_lifetime_s: Overrides the class cap of 60 minutes (Auth0: 24 h).
    """

    marker: Marker
    since: date
    audience_from: str = "aud"
    scope_from: str = "scope"
    max_lifetime_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """One authorization server, and what it may sign for us.

    Attributes:
        name: Its name in policies and events.
        issuer: The exact ``iss``, code point for code point (R-CLM-02).
        algorithms: The allow-list; never empty, never HMAC beside public keys (R-ALG-01, R-ALG-03).
        keys: Where its keys come from.
        audience: The identifiers of this API, for classes that name a resource.
        client_id: Our client ids there, for classes that name a client.
        audiences: Identifiers for the other namespaces (issuer, action, receiver).
        issues: Every class signed with these keys. Default: what a provider publishes, and what the
            endpoints accept from it. Sharing one key set among classes is declared here (R-CLS-07).
        legacy: The opt-in to ``access_legacy``.
        max_lifetime_s: Raises the cap of a class by name.
        key_urls: The exact ``jku`` or ``x5u`` a header may name without being refused; never fetched.
        shared_secret: States that issuer and verifier are one service, as HMAC needs (R-ALG-09).
        leeway_s: Allowed clock difference; default: the limit's.
        tenant_claim: The claim that names the tenant, if any.
    """

    name: str
    issuer: str
    algorithms: tuple[str, ...]
    keys: Discovery | JwksUri | InlineKeys
    audience: tuple[str, ...] = ()
    client_id: tuple[str, ...] = ()
    audiences: Mapping[Audience, tuple[str, ...]] = field(default_factory=dict)
    issues: frozenset[str] | None = None
    legacy: Legacy | None = None
    max_lifetime_s: Mapping[str, float] = field(default_factory=dict)
    key_urls: tuple[str, ...] = ()
    shared_secret: bool = False
    leeway_s: float | None = None
    tenant_claim: str | None = None

    def __post_init__(self) -> None:
        """Refuse an issuer that could be read in two ways.

        Raises:
            ConfigurationError: The issuer or its algorithm list is empty, an algorithm is unknown,
                HMAC stands beside public keys or without ``shared_secret``.
        """
        key = f"issuers.{self.name}"
        if not self.issuer:
            message = "must be the issuer's exact `iss`"
            raise ConfigurationError(message, key=f"{key}.issuer", rule="R-CLM-02")
        for column in ("audience", "client_id", "key_urls"):
            if isinstance(getattr(self, column), str):
                message = "must be a tuple of texts; a text alone would be read letter by letter"
                raise ConfigurationError(message, key=f"{key}.{column}", rule="R-CLM-03")
        _check_algorithms(self.algorithms, f"{key}.algorithms")
        if self.algorithms[0] in HMAC and not self.shared_secret:
            message = (
                "HMAC lets every verifier mint tokens. Sign with a key pair (ES256, Ed25519), or state "
                "shared_secret = true if issuer and verifier are one service with one audience"
            )
            raise ConfigurationError(message, key=f"{key}.algorithms", rule="R-ALG-09")

        if self.algorithms[0] in HMAC and not isinstance(self.keys, InlineKeys):
            message = "a secret cannot be fetched from a published key set; give it inline"
            raise ConfigurationError(message, key=f"{key}.keys", rule="R-ALG-09")

    def audiences_of(self, token_class: TokenClass) -> tuple[str, ...]:
        """Return the audiences this issuer may address with a class; empty if none is configured."""
        if token_class.audience is Audience.RESOURCE:
            return self.audience
        if token_class.audience is Audience.CLIENT:
            return self.client_id
        return self.audiences.get(token_class.audience, ()) if isinstance(token_class.audience, Audience) else ()

    def class_table(self, custom: Mapping[str, TokenClass], accepted: frozenset[str]) -> dict[str, TokenClass]:
        """Return the classes this issuer signs, with its overrides applied and proven exclusive.

        Args:
            custom: Classes of this configuration; one with a ready-made name replaces it.
            accepted: The classes that endpoints accept from this issuer.

        Raises:
            ConfigurationError: A class is unknown or needs the legacy opt-in, or two classes overlap.
        """
        known = {**READY_MADE, **custom}
        key = f"issuers.{self.name}"
        untyped = {"access_legacy"} - custom.keys()
        usual = PUBLISHED | accepted - untyped if self.legacy is None else PUBLISHED | accepted | untyped
        issues = usual if self.issues is None else self.issues
        what = "token class"
        for column, names in (("issues", issues), ("max_lifetime", self.max_lifetime_s.keys())):
            for name in sorted(names - known.keys()):
                raise unknown(what, name, known, key=f"{key}.{column}", rule="R-CLS-01")
        if issues & untyped and self.legacy is None:
            message = "access_legacy must be switched on with a marker: [issuers.NAME.access_legacy]"
            raise ConfigurationError(message, key=f"{key}.access_legacy", rule="R-CLS-09")
        table = {name: self._adapted(known[name]) for name in sorted(issues)}
        prove_exclusive(table.values(), issuer=self.name)
        return table

    def _adapted(self, row: TokenClass) -> TokenClass:
        lifetime = self.max_lifetime_s.get(row.name)
        if self.legacy and row.name == "access_legacy":
            lifetime = lifetime if self.legacy.max_lifetime_s is None else self.legacy.max_lifetime_s
            required = (row.required - {"aud"}) | {self.legacy.audience_from}
            row = dataclasses.replace(row, audience_claim=self.legacy.audience_from, required=required)
            row = self.legacy.marker.required_of(row)
        elif self.legacy:
            row = self.legacy.marker.kept_from(row)
        return dataclasses.replace(row, expiry=Expires(lifetime)) if lifetime is not None else row


def _check_algorithms(algorithms: tuple[str, ...], key: str) -> None:
    if not algorithms:
        message = "must name at least one algorithm, such as ES256"
        raise ConfigurationError(message, key=key, rule="R-ALG-01")
    for name in algorithms:
        if name not in ALGORITHMS:
            message = "algorithm"
            raise unknown(message, name, ALGORITHMS, key=key, rule="R-ALG-02")
    if len({name in HMAC for name in algorithms}) > 1:
        message = "HMAC and public-key algorithms may not stand together: the public key would serve as a secret"
        raise ConfigurationError(message, key=key, rule="R-ALG-03")


def labels(algorithms: Sequence[str]) -> dict[str, str]:
    """Map each header ``alg`` that an allow-list lets in to the algorithm it means.

    ``EdDSA`` in the list means Ed25519, and only then do the two labels count as equal (RFC 9864).
    """
    allowed = {name: name for name in algorithms if name != "EdDSA"}
    if "EdDSA" in algorithms:
        allowed |= {"EdDSA": "Ed25519", "Ed25519": "Ed25519"}
    return allowed
