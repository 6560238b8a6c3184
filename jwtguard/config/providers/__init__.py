"""Ready-made issuers for well-known identity providers (R-IDN-09).

Each function returns an ``Issuer`` with the provider's own spelling of things: the exact ``iss``, where the keys
are, what tells access tokens from ID tokens, which claims hold scopes, roles and the tenant, and how the token of
a client differs from that of a user. Where a provider's documentation leaves something open, the strict side is
taken and the docstring says so. ``jwtguard init`` writes the same issuers as a file, and docs/providers.md tells
what to configure on the provider's side.

``dataclasses.replace`` changes what differs in your set-up.
"""

from jwtguard.config.providers.auth0 import auth0
from jwtguard.config.providers.cognito import cognito
from jwtguard.config.providers.entra import EntraCallers, entra
from jwtguard.config.providers.google import google
from jwtguard.config.providers.keycloak import keycloak
from jwtguard.config.providers.workos import workos, workos_connect

__all__ = ["EntraCallers", "auth0", "cognito", "entra", "google", "keycloak", "workos", "workos_connect"]
