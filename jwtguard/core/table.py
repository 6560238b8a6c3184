"""The policy table: a whole configuration compiled, and proven before anything uses it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from jwtguard.core.classes import NO_AUDIENCE, READY_MADE, TokenClass
from jwtguard.core.endpoint import Access, CarrierKind, Csrf, Endpoint
from jwtguard.core.issuer import Issuer, labels
from jwtguard.core.paths import PathTrie, Pattern
from jwtguard.core.policy import Choice, Config, EndpointPolicy, Profile
from jwtguard.errors import ConfigurationError, unknown


class PolicyTable:
    """A whole configuration, compiled and proven. Immutable: a reload builds another one."""

    def __init__(self, config: Config) -> None:
        """Build and prove.

        Raises:
            ConfigurationError: Any name is unknown, two issuers share an ``iss``, a class has no
                audience here, classes overlap (R-CLS-03), or patterns are ambiguous (R-POL-05).
        """
        self.config = config
        self.limits = config.limits
        self.issuers = _unique_issuers(config.issuers)
        self._by_name: dict[str, list[Issuer]] = {}
        for issuer in config.issuers:
            self._by_name[issuer.name] = [issuer]
            if issuer.family:
                self._by_name.setdefault(issuer.family, []).append(issuer)
        self._custom = {row.name: row for row in config.classes}
        self._profiles: dict[tuple[str, str, frozenset[str] | None, float, tuple[str, ...]], Profile] = {}
        accepted = {issuer.name: frozenset(self._accepted_from(issuer)) for issuer in config.issuers}
        self.classes = {
            issuer.name: issuer.class_table(self._custom, accepted[issuer.name]) for issuer in config.issuers
        }
        self.endpoints = tuple(self._compile(endpoint) for endpoint in config.endpoints)
        self.routes: PathTrie[EndpointPolicy] = PathTrie()
        for policy in self.endpoints:
            for text in policy.patterns:
                self.routes.add(Pattern(text, key=f"endpoints.{policy.name}.match"), policy)
        _check_names(self.endpoints)
        self.metadata = self._add_metadata()
        self.routes.prove_unambiguous()

    def _add_metadata(self) -> EndpointPolicy | None:
        """Open the path of the metadata to everybody, if there is a resource to describe (RFC 9728)."""
        if self.config.resource is None:
            return None
        match = (self.config.resource.metadata_path,)
        if any(Pattern(text).path == match[0] for policy in self.endpoints for text in policy.patterns):
            message = f"an endpoint of yours matches {match[0]!r}, where the guard itself serves the metadata"
            raise ConfigurationError(message, key="resource.identifier", rule="R-GOV-11")
        policy = EndpointPolicy(Endpoint(match=match, access=Access.PUBLIC, name="metadata"), {})
        self.routes.add(Pattern(match[0], key="resource.identifier"), policy)
        return policy

    def acceptance(self, accept: Sequence[str]) -> EndpointPolicy:
        """Compile a policy without a path, for ``guard.verify``; any class may be named.

        Raises:
            ConfigurationError: A class is unknown, or no issuer signs it or has an audience for it.
        """
        endpoint = Endpoint(match=("verify",), accept=accept, name="verify")
        what, known = "token class of any issuer's `issues`", frozenset[str]().union(*self.classes.values())
        for name in accept:
            if name not in known:
                raise unknown(what, name, known, key="accept", rule="R-CLS-07")
        signers = [issuer for issuer in self.config.issuers if self._can_address_us(issuer, accept)]
        if not signers:
            message = f"no issuer has an audience for {' or '.join(accept)}; set its audience, client_id or audiences"
            raise ConfigurationError(message, key="issuers", rule="R-CLM-03")
        return EndpointPolicy(endpoint, self._choices(endpoint, signers))

    def _can_address_us(self, issuer: Issuer, accept: Sequence[str]) -> bool:
        rows = [self.classes[issuer.name][name] for name in accept if name in self.classes[issuer.name]]
        return any(row.audience is NO_AUDIENCE or issuer.audiences_of(row) for row in rows)

    def _accepted_from(self, issuer: Issuer) -> Iterable[str]:
        for endpoint in self.config.endpoints:
            if not endpoint.issuers or {issuer.name, issuer.family} & set(endpoint.issuers):
                yield from endpoint.accept

    def _compile(self, endpoint: Endpoint) -> EndpointPolicy:
        if endpoint.access is Access.PUBLIC:
            return EndpointPolicy(endpoint, {})
        issuers = self._issuers_of(endpoint)
        self._check_feasible(endpoint, issuers)
        for name in endpoint.accept:
            self._check_signed(name, endpoint, issuers)
        for issuer in issuers:
            for row in self.classes[issuer.name].values():
                if row.name in endpoint.accept and endpoint.access is not Access.LOGIN:
                    self._check_carriers(row, endpoint)
        return EndpointPolicy(endpoint, self._choices(endpoint, issuers))

    def _issuers_of(self, endpoint: Endpoint) -> list[Issuer]:
        what = "issuer"
        for name in endpoint.issuers:
            if name not in self._by_name:
                raise unknown(what, name, self._by_name, key=f"{endpoint.key}.issuers", rule="R-POL-10")
        named = {issuer.name: issuer for name in endpoint.issuers for issuer in self._by_name[name]}
        issuers = list(named.values()) or list(self.config.issuers)
        if not issuers:
            message = "no issuer is configured that could sign a token"
            raise ConfigurationError(message, key=endpoint.key, rule="R-POL-10")
        return issuers

    def _check_feasible(self, endpoint: Endpoint, issuers: Sequence[Issuer]) -> None:
        """Refuse what no request could meet: a demand without the configuration that it rests on."""
        if endpoint.csrf is Csrf.DOUBLE_SUBMIT and not self.config.csrf_keys:
            message = "double_submit needs csrf_keys (in a file: csrf_key_file)"
            raise ConfigurationError(message, key=f"{endpoint.key}.csrf", rule="R-STO-04")
        for issuer in issuers:
            if endpoint.tenant is not None and issuer.tenant_claim is None and not issuer.family:
                message = f"the issuer {issuer.name!r} has no tenant_claim, so no token of its names a tenant"
                raise ConfigurationError(message, key=f"{endpoint.key}.tenant", rule="R-POL-11")
            if endpoint.roles and not issuer.roles_claim:
                message = f"the issuer {issuer.name!r} has no roles_claim, so no token of its names roles"
                raise ConfigurationError(message, key=f"{endpoint.key}.roles", rule="R-POL-02")

    def _check_signed(self, name: str, endpoint: Endpoint, issuers: Sequence[Issuer]) -> None:
        """Refuse a class that none of the endpoint's issuers signs."""
        what, known = "token class", {**READY_MADE, **self._custom}
        if name not in known:
            raise unknown(what, name, known, key=f"{endpoint.key}.accept", rule="R-CLS-01")
        if any(name in self.classes[issuer.name] for issuer in issuers):
            return
        if name == "access_legacy":
            message = "access_legacy must be switched on with a marker: [issuers.NAME.access_legacy]"
            raise ConfigurationError(message, key=f"{endpoint.key}.accept", rule="R-CLS-09")
        message = f"no issuer of this endpoint declares {name!r} in its `issues`"
        raise ConfigurationError(message, key=f"{endpoint.key}.accept", rule="R-CLS-07")

    def _check_carriers(self, row: TokenClass, endpoint: Endpoint) -> None:
        for carrier in endpoint.carriers:
            kind = CarrierKind.COOKIE if carrier.kind is CarrierKind.SESSION else carrier.kind
            if kind not in row.carriers:
                message = (
                    f"no endpoint may take {row.name!r} from a {carrier.kind}; tokens of that class go to guard.verify"
                )
                rule = "R-CLS-10" if row.name == "id_token" else "R-CLS-06"
                raise ConfigurationError(message, key=f"{endpoint.key}.accept", rule=rule)

    def _choices(self, endpoint: Endpoint, issuers: Sequence[Issuer]) -> dict[tuple[str, str | None, str], Choice]:
        choices: dict[tuple[str, str | None, str], Choice] = {}
        for issuer in issuers:
            algorithms = self._narrowed_algorithms(endpoint, issuer)
            for name in dict.fromkeys(endpoint.accept):
                row = self.classes[issuer.name].get(name)
                if row is None:
                    continue
                if "iss" not in row.required:
                    message = f"{name!r} names no issuer, so no issuer's key can verify it"
                    raise ConfigurationError(message, key=f"{endpoint.key}.accept", rule="R-CLM-02")
                profile = self._profile(endpoint, issuer, row, algorithms)
                for typ in row.typ:
                    for label, alg in labels(algorithms).items():
                        known = choices.get((issuer.issuer, typ, label))
                        others = known.profiles if known else ()
                        choices[issuer.issuer, typ, label] = Choice(alg, (*others, profile))
        return choices

    def _narrowed_algorithms(self, endpoint: Endpoint, issuer: Issuer) -> tuple[str, ...]:
        if extra := set(endpoint.algorithms) - set(issuer.algorithms):
            message = "algorithm"
            raise unknown(message, min(extra), issuer.algorithms, key=f"{endpoint.key}.algorithms", rule="R-ALG-01")
        return tuple(name for name in issuer.algorithms if not endpoint.algorithms or name in endpoint.algorithms)

    def _profile(self, endpoint: Endpoint, issuer: Issuer, row: TokenClass, algorithms: tuple[str, ...]) -> Profile:
        audiences = self._audiences(endpoint, issuer, row)
        leeway_s = self.limits.leeway_s if issuer.leeway_s is None else issuer.leeway_s
        if not 0 <= leeway_s <= self.limits.leeway_max_s:
            message = "the leeway may not exceed 120 s"
            raise ConfigurationError(message, key=f"issuers.{issuer.name}.leeway", rule="R-CLM-06")
        key = (issuer.name, row.name, audiences, leeway_s, algorithms)
        return self._profiles.setdefault(key, Profile(issuer, row, audiences, leeway_s))

    def _audiences(self, endpoint: Endpoint, issuer: Issuer, row: TokenClass) -> frozenset[str] | None:
        if row.audience is NO_AUDIENCE:
            if endpoint.audience:
                message = f"class {row.name!r} checks no audience, so the endpoint cannot narrow it"
                raise ConfigurationError(message, key=f"{endpoint.key}.audience", rule="R-CLM-03")
            return None
        known = frozenset(issuer.audiences_of(row))
        wanted = known & frozenset(endpoint.audience) if endpoint.audience else known
        if not wanted:
            message = (
                f"no audience for class {row.name!r}: the issuer speaks for {sorted(known)}, the endpoint asks for "
                f"{sorted(endpoint.audience)}; without one, a token for another service would pass"
            )
            raise ConfigurationError(message, key=f"issuers.{issuer.name}.audience", rule="R-CLM-03")
        return wanted


def _check_names(endpoints: Iterable[EndpointPolicy]) -> None:
    """Refuse two endpoints of one name: by it, a login finds the policy it is verified under."""
    seen: set[str] = set()
    for policy in endpoints:
        if policy.name in seen:
            message = "two endpoints have this name; give each its own"
            raise ConfigurationError(message, key=f"endpoints.{policy.name}.name", rule="R-POL-05")
        seen.add(policy.name)


def _unique_issuers(issuers: Sequence[Issuer]) -> dict[str, Issuer]:
    found: dict[str, Issuer] = {}
    for issuer in issuers:
        names = {name for other in found.values() for name in (other.name, other.family)}
        twice = issuer.family in {other.name for other in found.values()} - {""}
        if issuer.issuer in found or issuer.name in names or twice:
            message = "is configured twice"
            raise ConfigurationError(message, key=f"issuers.{issuer.name}", rule="R-JWK-01")
        found[issuer.issuer] = issuer
    return found
