"""Keycloak, and Red Hat's build of it.

From its Server Administration Guide, "Managing OpenID Connect and SAML Clients" (audience support, service
accounts, advanced settings), and its source where the guide is silent.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from jwtguard.config.providers.arguments import base_url, one_or_template, segment, texts
from jwtguard.core.classes import Marker
from jwtguard.core.issuer import Discovery, Issuer, Legacy

NOTES = {
    "issuer": "No slash at the end. Up to Keycloak 16 the path began with /auth; it still does where "
    "--http-relative-path says so.",
    "audience": "Keycloak names your API in `aud` only if an audience mapper says so: Client scopes > your scope > Add "
    "mapper > Audience. Its usual `account` is Keycloak's own console, never yours.",
    "clients": "Tokens of service accounts, and only those, hold the caller's host. Keep the client scope "
    "service_account: without it, such a token looks like a user's.",
    "roles_claim": 'Realm roles. For the roles of one client: ["resource_access", "CLIENT", "roles"].',
    "marker": "The claim `typ`, beside the header of that name: Bearer in access tokens, ID in ID tokens, Refresh and "
    "Logout in others.",
}


def keycloak(  # noqa: PLR0913 - one parameter for each fact of a set-up
    *,
    base: str,
    realm: str | Sequence[str],
    audience: str | Sequence[str],
    since: date | None,
    client_id: str | Sequence[str] = (),
    name: str = "login",
) -> Issuer:
    """Describe the realms of a Keycloak server.

    The issuer is ``BASE/realms/REALM`` without a slash at the end; the keys come by discovery. Keycloak signs by
    RS256 unless the realm says otherwise; change ``algorithms`` with it. Access tokens live for 5 minutes by default,
    so no life is prolonged. The kind of caller rests on ``clientHost``, which the built-in client scope
    ``service_account`` puts into tokens of service accounts alone; lightweight access tokens leave it out, and
    ``sub`` too, so they are refused, as are tokens with ``nonce`` (up to Keycloak 24). There is no tenant claim: each
    realm is an issuer of its own.

    Args:
        base: Where Keycloak is, such as ``https://sso.example.com`` or ``https://sso.example.com/auth``.
        realm: The realm, or several, each with keys of its own.
        audience: What the audience mapper calls this API.
        since: The day from which access tokens with the header type ``JWT``, Keycloak's default, are accepted as
            ``access_legacy``. ``None``: the clients are set to "Use at+jwt as access token header type" and a
            mapper adds ``client_id``, as RFC 9068 demands; they are accepted as ``access``.
        client_id: Our own client ids, for ID tokens and logout tokens.
        name: Its name in policies and events.

    Raises:
        ConfigurationError: An argument cannot be used.
    """
    place, tenants = one_or_template(tuple(segment(one, "realm") for one in texts(realm)), "realm")
    return Issuer(
        name=name,
        issuer=f"{base_url(base, 'base')}/realms/{place}",
        tenants=tenants,
        audience=texts(audience),
        client_id=texts(client_id),
        algorithms=("RS256",),
        keys=Discovery(),
        roles_claim=("realm_access", "roles"),
        clients=Marker("clientHost"),
        legacy=Legacy(marker=Marker("typ", frozenset({"Bearer"})), since=since) if since else None,
    )
