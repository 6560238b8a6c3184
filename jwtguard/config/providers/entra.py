"""Microsoft Entra ID, formerly Azure Active Directory; tokens of version 2.0.

From Microsoft's documentation: "Access token claims reference", "Optional claims reference", "Configurable token
lifetimes", "Secure applications and APIs by validating claims".
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from enum import StrEnum

from jwtguard.config.providers.arguments import base_url, guid, one_or_template, texts
from jwtguard.core.classes import Marker
from jwtguard.core.issuer import Discovery, Issuer, Legacy

_ACCESS_S = 95 * 60.0  # 60 to 90 minutes, and `iat` lies 5 minutes before the moment of issue
_ID_TOKEN_S = 65 * 60.0
NOTES = {
    "issuer": "The tenant's GUID, never its domain, `common` or `organizations`. Tokens of version 1.0 name "
    "https://sts.windows.net/TENANT/ and are refused: set requestedAccessTokenVersion to 2 in the API's manifest.",
    "audience": "The API's client id. In tokens of version 2.0 it is never the App ID URI (api://…).",
    "tenants": "Each tenant has its own issuer. The list is the allow-list: whoever is not in it is refused.",
    "tenant_claim": "The tenant's GUID.",
    "roles_claim": "App roles. Groups come in `groups`, and only if you ask for them.",
    "clients": "Needs the optional claim idtyp, see the marker.",
    "max_lifetime": "ID tokens live for 60 minutes, and `iat` lies 5 minutes in the past.",
    "access_legacy.max_lifetime": "60 to 90 minutes, at Microsoft's choice, and `iat` lies 5 minutes in the past.",
    "scope_from": "Entra's name for the scopes; app-only tokens hold none, they have roles.",
    "marker:scp": "Users' access tokens hold `scp`, ID tokens never do. App-only tokens hold none either and are "
    "refused: `jwtguard init --callers users-and-apps` shows how to let them in.",
    "marker:idtyp": "The optional claim idtyp with include_user_token must be set in the API's manifest. Then every "
    "access token holds it, app-only ones too, and ID tokens never do. Without it every token is refused.",
}


class EntraCallers(StrEnum):
    """Who may call: users through an app, or also apps in their own name."""

    USERS = "users"
    USERS_AND_APPS = "users-and-apps"


_MARKERS = {
    EntraCallers.USERS: Marker("scp"),
    EntraCallers.USERS_AND_APPS: Marker("idtyp", frozenset({"user", "app"})),
}


def entra(  # noqa: PLR0913 - one parameter for each fact of a set-up
    *,
    tenant: str | Sequence[str],
    audience: str | Sequence[str],
    since: date,
    callers: EntraCallers = EntraCallers.USERS,
    client_id: str | Sequence[str] = (),
    authority: str = "https://login.microsoftonline.com",
    name: str = "login",
) -> Issuer:
    """Describe one or more tenants of Microsoft Entra ID.

    The issuer is ``https://login.microsoftonline.com/TENANT/v2.0`` without a slash at the end; the keys come by the
    discovery of each tenant and are on the same host. Entra has no ``typ: at+jwt``, so that its access tokens are
    ``access_legacy``. Their life is 60 to 90 minutes; that ``iat`` lies 5 minutes before the moment of issue is seen
    in recorded tokens, not documented. A user's ``sub`` differs from app to app; ``oid`` (with ``tid``) is the same
    in all of them. External ID (``ciamlogin.com``) and Azure AD B2C have issuers of another form and are not served
    by this preset.

    Args:
        tenant: The tenant's GUID, or several.
        audience: The client id of the API's app registration.
        since: The day from which these tokens are accepted.
        callers: Users alone, told by ``scp``, or apps too, told by the optional claim ``idtyp``, without which no
            claim tells an app from a user with certainty.
        client_id: The client ids of our own apps, for ID tokens.
        authority: Another cloud, such as ``https://login.microsoftonline.us``.
        name: Its name in policies and events.

    Raises:
        ConfigurationError: An argument cannot be used; a tenant or an audience is no GUID.
    """
    why_tenant = "the issuer names the tenant by its GUID (Directory ID), never by a domain"
    why_audience = "tokens of version 2.0 name the API by its client id, never by api://…"
    place, tenants = one_or_template(tuple(guid(one, "tenant", why_tenant) for one in texts(tenant)), "tenant")
    apps = callers is EntraCallers.USERS_AND_APPS
    return Issuer(
        name=name,
        issuer=f"{base_url(authority, 'authority')}/{place}/v2.0",
        tenants=tenants,
        audience=tuple(guid(one, "audience", why_audience) for one in texts(audience)),
        client_id=texts(client_id),
        algorithms=("RS256",),
        keys=Discovery(),
        tenant_claim="tid",
        roles_claim=("roles",),
        clients=Marker("idtyp", frozenset({"app"})) if apps else None,
        max_lifetime_s={"id_token": _ID_TOKEN_S},
        legacy=Legacy(marker=_MARKERS[callers], since=since, scope_from="scp", max_lifetime_s=_ACCESS_S),
    )
