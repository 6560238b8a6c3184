"""Auth0.

From its documentation: "Access Token Profiles", "Update Access Token Lifetime", "Enable Role-Based Access Control
for APIs", "Work with Tokens and Organizations".
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from jwtguard.config.providers.arguments import RULE, host, texts
from jwtguard.core.classes import Marker
from jwtguard.core.issuer import Discovery, Issuer, Legacy
from jwtguard.errors import ConfigurationError

_DAY_S = 86_400.0
_ID_TOKEN_S = 36_000.0
NOTES = {
    "issuer": "With the slash at the end. With a custom domain, tokens asked for there name it; others name the domain "
    "at auth0.com.",
    "audience": "The identifier of the API in the dashboard. Without `audience` in the request, Auth0 issues an opaque "
    "token that nobody but Auth0 can read.",
    "clients": "`gty` tells machine-to-machine tokens; their `sub` is CLIENT@clients.",
    "user_subjects": "The connections that users come from. The RFC 9068 profile has no `gty`, so this alone tells "
    "users from clients (CLIENT@clients).",
    "tenant_claim": "The organization, where one was logged in to.",
    "roles_claim": 'Auth0 writes no roles into access tokens. With RBAC and "Add Permissions in the Access Token" it '
    "writes `permissions`.",
    "max_lifetime": "ID tokens live for 10 h; access tokens for 24 h unless the API's settings say less: say less, "
    "then lower this.",
    "access_legacy.max_lifetime": "24 h unless the API's settings say less: say less, then lower this.",
    "marker": "ID tokens hold no `scope`; do not let an Action add one. A token without any scope is refused.",
}


def auth0(  # noqa: PLR0913 - one parameter for each fact of a set-up
    *,
    domain: str,
    audience: str | Sequence[str],
    since: date | None,
    user_subjects: str | Sequence[str] = (),
    client_id: str | Sequence[str] = (),
    name: str = "login",
) -> Issuer:
    """Describe an Auth0 tenant.

    The issuer is ``https://DOMAIN/`` with its slash; the keys come by discovery. RS256 is the default; an API that
    signs by HS256 shares its secret with us and is not served by this preset.

    Args:
        domain: The tenant's domain, such as ``example.eu.auth0.com``, or its custom domain.
        audience: The identifier of the API.
        since: The day from which tokens of the Auth0 profile (header type ``JWT``) are accepted, as
            ``access_legacy``. ``None``: the API is set to the RFC 9068 profile (``at+jwt``), accepted as ``access``.
        user_subjects: How users' subjects start, by connection: ``auth0|`` for its own database,
            ``google-oauth2|``, ``samlp|``, … Required for the RFC 9068 profile, whose tokens hold nothing else
            that tells a user from a client.
        client_id: Our own client ids, for ID tokens and logout tokens.
        name: Its name in policies and events.

    Raises:
        ConfigurationError: An argument cannot be used, or nothing would tell users from clients.
    """
    if since is None and not user_subjects:
        message = "the RFC 9068 profile tells users by their subject alone; name their connections, such as 'auth0|'"
        raise ConfigurationError(message, key="user_subjects", rule="R-CLM-10")
    for start in texts(user_subjects):
        if not start.endswith("|"):
            message = f"{start!r} is no connection: its name and a bar, such as 'auth0|'"
            raise ConfigurationError(message, key="user_subjects", rule=RULE)
    return Issuer(
        name=name,
        issuer=f"https://{host(domain, 'domain')}/",
        audience=texts(audience),
        client_id=texts(client_id),
        algorithms=("RS256",),
        keys=Discovery(),
        tenant_claim="org_id",
        roles_claim=("permissions",),
        clients=Marker("gty", frozenset({"client-credentials"})) if since else None,
        user_subjects=texts(user_subjects),
        max_lifetime_s={"id_token": _ID_TOKEN_S} if since else {"access": _DAY_S, "id_token": _ID_TOKEN_S},
        legacy=Legacy(marker=Marker("scope"), since=since, max_lifetime_s=_DAY_S) if since else None,
    )
