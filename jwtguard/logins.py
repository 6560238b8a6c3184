"""Which endpoint may verify a login, and that each login is accepted once (R-CLS-10, R-CLS-11)."""

from __future__ import annotations

from jwtguard.clock import Clock
from jwtguard.core.asked import Asked
from jwtguard.core.endpoint import Access
from jwtguard.core.identity import Identity
from jwtguard.core.login import LoginExpectations, check_login
from jwtguard.core.policy import EndpointPolicy
from jwtguard.errors import ConfigurationError, Reason, Refusal
from jwtguard.nonces import UsedNonces
from jwtguard.snapshot import Snapshot


class Logins:
    """The logins of one guard, across reloads."""

    def __init__(self, clock: Clock) -> None:
        self._nonces = UsedNonces(clock)

    def endpoint_of(self, snapshot: Snapshot, identity: Identity) -> EndpointPolicy:
        """Return the policy of the login endpoint that serves a request.

        Raises:
            ConfigurationError: It is no login endpoint.
        """
        policies = snapshot.policies
        named = [policy for policy in policies if policy.name == identity.policy]
        if not named or any(policy.access is not Access.LOGIN for policy in named):
            message = "only an endpoint with login = true may verify a login; an ID token opens nothing else"
            raise ConfigurationError(message, key=f"endpoints.{identity.policy}", rule="R-CLS-10")
        return named[0]

    def check(self, asked: Asked, identity: Identity, expected: LoginExpectations) -> None:
        """Refuse an ID token, otherwise good, that is not of this login.

        Raises:
            Refusal: As ``check_login``, or ``REPLAYED``.
        """
        claims_set = identity._claims  # noqa: SLF001 - the login stage reads the claims set itself
        if claims_set is None:
            raise Refusal(Reason.MISSING_TOKEN, "id_token", "a verified ID token", None)
        check_login(claims_set, expected, now=asked.now)
        once = expected.nonce if isinstance(expected.nonce, str) else asked.token.signed_digest()
        self._nonces.use(identity.issuer, once, for_s=identity.good_until - asked.now)

    def renew_lock(self) -> None:
        """Forget who holds the lock: in a forked child, nobody does."""
        self._nonces.renew_lock()
