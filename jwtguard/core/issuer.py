"""Issuers: how to verify what one authorization server signs (Envoy's *how*, apart from *where*)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from pathlib import PurePath

from jwtguard.core.classes import PUBLISHED, READY_MADE, Audience, Expires, Marker, TokenClass, prove_exclusive
from jwtguard.core.columns import instance, texts
from jwtguard.errors import ConfigurationError, unknown

HMAC = ("HS256", "HS384", "HS512")
ALGORITHMS: Mapping[str, str] = {  # name -> key type; RFC 7518, RFC 8037, RFC 9864
    **dict.fromkeys(HMAC, "oct"),
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    **dict.fromkeys(("ES256", "ES384", "ES512"), "EC"),
    **dict.fromkeys(("Ed25519", "Ed448", "EdDSA"), "OKP"),
}

_TENANT = "{tenant}"
_TENANT_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
_MOST_TENANTS = 1000


class Kind(StrEnum):
    """What kind of caller a token speaks for."""

    USER = "user"
    CLIENT = "client"
    WORKLOAD = "workload"
    ANONYMOUS = "anonymous"


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
class KeyFile:
    """Keys in a file of this machine, read again whenever it changes: a JWK set, one JWK, or PEM public keys.

    A relative path counts from the working directory; in a policy file, from that file's folder.
    """

    path: str | PurePath


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
        roles_claim: The way to the claim that lists roles: names of members, the outermost first.
        clients: What tokens hold in which a client speaks for itself; those with ``sub`` equal to ``client_id``
            count as such in any case.
        workloads: What tokens of workloads hold; those with a SPIFFE ID as ``sub`` count as such in any case.
        user_subjects: How every user's ``sub`` starts; others are clients. Empty: users may have any.
        tenants: The tenants accepted of a multi-tenant issuer: ``{tenant}`` in ``issuer`` and in a key URL stands
            for each of them, and each has keys of its own.
        family: The name of the multi-tenant issuer this one was made of.
    """

    name: str
    issuer: str
    algorithms: tuple[str, ...]
    keys: Discovery | JwksUri | InlineKeys | KeyFile
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
    roles_claim: tuple[str, ...] = ()
    clients: Marker | None = None
    workloads: Marker | None = None
    user_subjects: tuple[str, ...] = ()
    tenants: tuple[str, ...] = ()
    family: str = ""

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
        self._read(key)
        if "" in self.user_subjects:
            message = "an empty start is that of every subject"
            raise ConfigurationError(message, key=f"{key}.user_subjects", rule="R-CLM-10")
        _check_algorithms(self.algorithms, f"{key}.algorithms")
        if self.algorithms[0] in HMAC and not self.shared_secret:
            message = (
                "HMAC lets every verifier mint tokens. Sign with a key pair (ES256, Ed25519), or state "
                "shared_secret = true if issuer and verifier are one service with one audience"
            )
            raise ConfigurationError(message, key=f"{key}.algorithms", rule="R-ALG-09")

        if self.algorithms[0] in HMAC and not isinstance(self.keys, InlineKeys | KeyFile):
            message = "a secret cannot be fetched from a published key set; keep it in a file of this machine"
            raise ConfigurationError(message, key=f"{key}.keys", rule="R-ALG-09")

    def _read(self, key: str) -> None:
        sources = (Discovery, JwksUri, InlineKeys, KeyFile)
        instance(self.keys, sources, f"{key}.keys", 'in a file: keys = "discovery"')
        instance(self.shared_secret, (bool,), f"{key}.shared_secret")
        for column in ("algorithms", "audience", "client_id", "key_urls", "roles_claim", "user_subjects", "tenants"):
            if isinstance(getattr(self, column), str):
                message = "must be a tuple of texts; a text alone would be read letter by letter"
                raise ConfigurationError(message, key=f"{key}.{column}", rule="R-CLM-03")
            object.__setattr__(self, column, texts(getattr(self, column), f"{key}.{column}"))
        for column in ("clients", "workloads"):
            if getattr(self, column) is not None:
                instance(getattr(self, column), (Marker,), f"{key}.{column}")

    def by_tenant(self) -> tuple[Issuer, ...]:
        """Return one issuer for each tenant, or this one if it has none (R-JWK-15).

        Raises:
            ConfigurationError: The issuer has ``{tenant}`` without tenants or the reverse, too many tenants, or
                one that would change the URL around it.
        """
        key = f"issuers.{self.name}.tenants"
        if (_TENANT in self.issuer) is not bool(self.tenants):
            message = f"an issuer with {_TENANT} in it lists the tenants accepted, and only such a one does"
            raise ConfigurationError(message, key=key, rule="R-JWK-15")
        if not self.tenants:
            if not isinstance(self.keys, Discovery) and _TENANT in _place_of(self.keys):
                message = f"the keys' place holds {_TENANT}, and the issuer does not"
                raise ConfigurationError(message, key=key, rule="R-JWK-15")
            return (self,)
        if len(self.tenants) > _MOST_TENANTS or len(set(self.tenants)) < len(self.tenants):
            message = f"must list at most {_MOST_TENANTS} tenants, each once"
            raise ConfigurationError(message, key=key, rule="R-JWK-15")
        if not isinstance(self.keys, Discovery) and _TENANT not in _place_of(self.keys):
            message = (
                f"tenants would share these keys, and each could sign for the others; put {_TENANT} into their place"
            )
            raise ConfigurationError(message, key=key, rule="R-JWK-01")
        for tenant in self.tenants:
            if not tenant.strip(".") or not set(tenant) <= _TENANT_CHARACTERS:
                message = f"{tenant!r} is no tenant: letters, digits, '-', '_' and '.' only"
                raise ConfigurationError(message, key=key, rule="R-JWK-15")
        return tuple(self._of_tenant(tenant) for tenant in self.tenants)

    def _of_tenant(self, tenant: str) -> Issuer:
        keys = self.keys
        if isinstance(keys, JwksUri):
            keys = JwksUri(keys.url.replace(_TENANT, tenant))
        elif isinstance(keys, KeyFile):
            keys = KeyFile(str(keys.path).replace(_TENANT, tenant))
        issuer = self.issuer.replace(_TENANT, tenant)
        return dataclasses.replace(
            self, name=f"{self.name}/{tenant}", issuer=issuer, keys=keys, tenants=(), family=self.name
        )

    @property
    def tenant(self) -> str:
        """The tenant this issuer is of, if it was made of a multi-tenant one."""
        return self.name.removeprefix(f"{self.family}/") if self.family else ""

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


def _place_of(keys: JwksUri | InlineKeys | KeyFile) -> str:
    if isinstance(keys, JwksUri):
        return keys.url
    return str(keys.path) if isinstance(keys, KeyFile) else ""


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
