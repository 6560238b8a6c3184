"""WorkOS: AuthKit's session tokens, and the tokens of WorkOS Connect.

From its documentation: "Session tokens", "Access token claims" (Connect), "M2M applications". On the ``iss`` of
session tokens its pages differ (https://api.workos.com with and without a slash, a custom authentication domain);
what it issues today names the client, so that form is the preset's, and others are given by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from jwtguard.config.providers.arguments import base_url, host, segment, texts
from jwtguard.core.classes import Marker
from jwtguard.core.issuer import Discovery, Issuer, JwksUri, Legacy

_API = "https://api.workos.com"
NOTES = {
    "issuer": "WorkOS documents several forms. Look at `iss` in a token of yours; it must be this, character for "
    "character. Older environments write https://api.workos.com, a custom domain its own URL.",
    "audience": "Your own client id: session tokens name no API, `client_id` stands in for `aud`.",
    "jwks_uri": "The issuer has no metadata, so the place of the keys is written out.",
    "tenant_claim": "The organization the session is in; absent outside of one.",
    "roles_claim": "All roles in that organization. Permissions are no scopes: demand them by claims.permissions = "
    '{ contains = ["posts:read"] }.',
    "user_subjects": "Every user's id starts so; a client's is client_….",
    "marker": "The session. ID tokens of WorkOS hold none.",
    "audience_from": "There is no `aud`, unless a JWT template adds one.",
}
CONNECT_NOTES = {
    "issuer": "Your AuthKit domain, no slash at the end.",
    "audience": "The resource that was asked for, or the environment's client id where none is configured; always the "
    "latter in M2M tokens.",
    "tenant_claim": "The organization the token was granted for.",
    "user_subjects": NOTES["user_subjects"],
    "marker": "Access tokens name the application they were issued to; ID tokens name it in `aud` alone.",
}


def workos(*, client_id: str, since: date, issuer: str = "", name: str = "login") -> Issuer:
    """Describe the sessions of WorkOS AuthKit.

    The issuer is ``https://api.workos.com/user_management/CLIENT`` without a slash at the end. The keys are at
    ``https://api.workos.com/sso/jwks/CLIENT``, which no metadata names. Session tokens speak for users alone; when
    a WorkOS administrator impersonates one, ``act`` says so, which an endpoint can forbid.

    Args:
        client_id: The environment's client id, ``client_…``.
        since: The day from which these tokens, which have no type of their own, are accepted.
        issuer: Another ``iss``, exactly as your tokens have it.
        name: Its name in policies and events.

    Raises:
        ConfigurationError: An argument cannot be used.
    """
    client = segment(client_id, "client_id")
    return Issuer(
        name=name,
        issuer=issuer or f"{_API}/user_management/{client}",
        audience=(client,),
        client_id=(client,),
        algorithms=("RS256",),
        keys=JwksUri(f"{_API}/sso/jwks/{client}"),
        tenant_claim="org_id",
        roles_claim=("roles",),
        user_subjects=("user_",),
        legacy=Legacy(marker=Marker("sid"), since=since, audience_from="client_id"),
    )


def workos_connect(
    *,
    domain: str,
    audience: str | Sequence[str],
    since: date,
    client_id: str | Sequence[str] = (),
    name: str = "login",
) -> Issuer:
    """Describe WorkOS Connect: access tokens for other applications, MCP clients and machines.

    The issuer is ``https://DOMAIN`` without a slash at the end; the keys come by discovery. The header type of its
    access tokens is not documented; recorded ones have none.

    Args:
        domain: The AuthKit domain, such as ``example.authkit.app``.
        audience: The resource indicators of this API, or the environment's client id.
        since: The day from which these tokens are accepted.
        client_id: Our own applications' client ids, for ID tokens.
        name: Its name in policies and events.

    Raises:
        ConfigurationError: An argument cannot be used.
    """
    return Issuer(
        name=name,
        issuer=base_url(f"https://{host(domain, 'domain')}", "domain"),
        audience=texts(audience),
        client_id=texts(client_id),
        algorithms=("RS256",),
        keys=Discovery(),
        tenant_claim="org_id",
        user_subjects=("user_",),
        legacy=Legacy(marker=Marker("client_id"), since=since),
    )
