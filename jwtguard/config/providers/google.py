"""Google, as a place to log in with.

From its documentation: "OpenID Connect" (Google Identity). Google's access tokens are opaque, so there is nothing
to verify at an API: this issuer signs ID tokens alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from jwtguard.config.providers.arguments import texts
from jwtguard.core.issuer import Issuer, JwksUri

NOTES = {
    "issuer": "No slash at the end. A token that names accounts.google.com without https:// is refused.",
    "client_id": "Your OAuth clients, the audience of ID tokens.",
    "jwks_uri": "On another host than the issuer, so it is written out.",
    "issues": "Google's access tokens are opaque. An ID token opens no endpoint: guard.verify_login takes it, in the "
    "handler of an endpoint with login = true.",
    "tenant_claim": "The Workspace domain; absent for accounts of nobody's domain.",
}


def google(*, client_id: str | Sequence[str], name: str = "login") -> Issuer:
    """Describe Google's ID tokens, for login.

    Args:
        client_id: Our OAuth client, or several.
        name: Its name in policies and events.
    """
    return Issuer(
        name=name,
        issuer="https://accounts.google.com",
        client_id=texts(client_id),
        algorithms=("RS256",),
        keys=JwksUri("https://www.googleapis.com/oauth2/v3/certs"),
        issues=frozenset({"id_token"}),
        tenant_claim="hd",
    )
