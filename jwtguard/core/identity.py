"""The typed result for the application: who is calling, as the issuer said it and we verified it.

An ``Identity`` is a read-only view of a validated claims set; only the claims stage makes those, so
there is no other way to an authenticated identity (R-IDN-04). It holds no token.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeVar

from jwtguard.core.claims import ClaimsSet
from jwtguard.core.claims_model import convert
from jwtguard.core.issuer import Kind
from jwtguard.core.policy import EndpointPolicy
from jwtguard.core.principal import actors_of, kind_of, roles_of, tenant_of
from jwtguard.core.strict_json import JsonValue, frozen

T = TypeVar("T")


class Identity:
    """Who is calling. Also what Starlette calls a user and, with ``scopes``, its credentials.

    On a public endpoint, or an optional one without a token, the identity is anonymous:
    ``is_authenticated`` is false, strings are empty, collections have no members.
    The key of a principal is the pair (``issuer``, ``subject``), never an e-mail address or a name.
    """

    __slots__ = ("_claims", "_policy", "_under")

    def __init__(self, claims: ClaimsSet | None, policy: str, under: EndpointPolicy | None = None) -> None:
        self._claims = claims
        self._policy = policy
        self._under = under

    def __repr__(self) -> str:
        """Show issuer name, class and policy; no claim value."""
        if self._claims is None:
            return f"<Identity anonymous at {self._policy!r}>"
        return f"<Identity {self.kind} by {self._claims.profile!r} at {self._policy!r}>"

    def __eq__(self, other: object) -> bool:
        """Compare the principals: same issuer, same subject; without a subject nobody equals anybody else."""
        if not isinstance(other, Identity):
            return NotImplemented
        return self is other or (bool(self.subject) and self.key == other.key)

    def __hash__(self) -> int:
        """Hash the principal."""
        return hash(self.key)

    def is_under(self, policy: EndpointPolicy | None) -> bool:
        """Whether this very policy admitted the caller: another guard may have one of the same name."""
        return policy is not None and self._under is policy

    def _text(self, name: str) -> str:
        value = self._claims.claims.get(name) if self._claims else None
        return value if isinstance(value, str) else ""

    @property
    def is_authenticated(self) -> bool:
        """Whether a token was verified."""
        return self._claims is not None

    @property
    def issuer(self) -> str:
        """The issuer that vouches for the subject."""
        return self._text("iss")

    @property
    def issuer_name(self) -> str:
        """What the policy calls the issuer; empty if anonymous."""
        return self._claims.profile.issuer.name if self._claims else ""

    @property
    def subject(self) -> str:
        """The principal's name at that issuer; unique only together with it."""
        return self._text("sub")

    @property
    def key(self) -> tuple[str, str]:
        """The unique key of the principal: issuer and subject (R-IDN-03)."""
        return self.issuer, self.subject

    @property
    def display_name(self) -> str:
        """What Starlette shows for a user: the subject."""
        return self.subject

    @property
    def identity(self) -> str:
        """What Starlette uses to tell users apart: issuer and subject in one string."""
        return f"{self.issuer}#{self.subject}" if self._claims else ""

    @property
    def token_class(self) -> str:
        """The class the token was validated as; empty if anonymous."""
        return self._claims.profile.token_class.name if self._claims else ""

    @property
    def kind(self) -> Kind:
        """A user, a client that speaks for itself (RFC 9068, section 5), a workload, or nobody."""
        return kind_of(self._claims) if self._claims else Kind.ANONYMOUS

    @property
    def client_id(self) -> str:
        """The client the token was issued to: ``client_id``, else ``azp``."""
        return self._text("client_id") or self._text("azp")

    @property
    def audiences(self) -> tuple[str, ...]:
        """Everybody the token is meant for."""
        return self._claims.audiences if self._claims else ()

    @property
    def scopes(self) -> frozenset[str]:
        """The scopes granted."""
        return self._claims.scopes if self._claims else frozenset()

    @property
    def acr(self) -> str:
        """The authentication context class reached."""
        return self._text("acr")

    @property
    def amr(self) -> tuple[str, ...]:
        """The authentication methods used."""
        value = self.claims.get("amr", ())
        return tuple(str(item) for item in value) if isinstance(value, tuple) else ()

    @property
    def auth_time(self) -> float | None:
        """When the user authenticated, as a NumericDate."""
        return self._number("auth_time")

    @property
    def tenant(self) -> str:
        """The tenant, from the claim that the issuer's configuration names."""
        return tenant_of(self._claims) if self._claims else ""

    @property
    def roles(self) -> frozenset[str]:
        """The roles, from the claim that the issuer's configuration names."""
        return roles_of(self._claims) if self._claims else frozenset()

    @property
    def actors(self) -> tuple[str, ...]:
        """Who acts for the subject, the current actor first (RFC 8693, section 4.1)."""
        return actors_of(self._claims) if self._claims else ()

    @property
    def session_id(self) -> str:
        """The session at the issuer (``sid``)."""
        return self._text("sid")

    @property
    def jti(self) -> str:
        """The token's own id."""
        return self._text("jti")

    @property
    def binding(self) -> str:
        """How the sender is bound to the token: ``none`` until proofs are supported."""
        return "none"

    @property
    def issued_at(self) -> float | None:
        """When the token was issued, as a NumericDate."""
        return self._number("iat")

    @property
    def expires_at(self) -> float | None:
        """When the token expires, as a NumericDate."""
        return self._number("exp")

    @property
    def good_until(self) -> float:
        """The first NumericDate at which the token is refused here, leeway included; infinite without one."""
        if self._claims is None:
            return float("inf")
        max_age_s = self._under.max_age_s if self._under is not None else None
        if max_age_s is None:
            return self._claims.good_until
        end = (self.issued_at or 0.0) + max_age_s + self._claims.profile.leeway_s
        return min(self._claims.good_until, end)

    @property
    def policy(self) -> str:
        """The name of the endpoint policy that admitted the request."""
        return self._policy

    @property
    def claims(self) -> Mapping[str, JsonValue]:
        """All claims, read-only at every depth: arrays come as tuples, objects as mappings."""
        if self._claims is None:
            return MappingProxyType({})
        return MappingProxyType({name: frozen(value) for name, value in self._claims.claims.items()})

    def claims_as(self, model: type[T]) -> T:
        """Return the claims as a dataclass, msgspec or pydantic type of yours (R-IDN-08).

        At an endpoint that names the model in its policy, claims that do not fit are a server error (500).

        Raises:
            LookupError: Nobody is authenticated, so there are no claims.
            Exception: Whatever the model raises for claims that do not fit it.
        """
        if self._claims is None:
            message = "an anonymous identity has no claims"
            raise LookupError(message)
        return convert(model, self.claims)  # read-only: what is remembered must not change

    def _number(self, name: str) -> float | None:
        value = self._claims.claims.get(name) if self._claims else None
        return value if isinstance(value, int | float) else None
