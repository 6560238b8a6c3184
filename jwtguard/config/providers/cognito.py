"""Amazon Cognito user pools.

From the Amazon Cognito Developer Guide: "Verifying JSON web tokens", "Understanding the access token", "Scopes,
M2M, and resource servers".
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from jwtguard.config.providers.arguments import RULE, segment, texts
from jwtguard.core.classes import Marker
from jwtguard.core.issuer import Issuer, JwksUri, Legacy
from jwtguard.errors import ConfigurationError

NOTES = {
    "issuer": "No slash at the end. A pool replicated to several regions has https://issuer.cognito-idp.… instead.",
    "audience": "The app clients that may call: Cognito's access tokens name no API, `client_id` stands in for `aud`.",
    "jwks_uri": "The documented place, on the issuer's own host.",
    "roles_claim": "The groups of the user.",
    "marker": "access or id.",
    "audience_from": "There is no `aud`, unless resource binding put one there; the client is checked in any case.",
}


def cognito(
    *,
    region: str,
    user_pool: str,
    client_id: str | Sequence[str],
    since: date,
    name: str = "login",
) -> Issuer:
    """Describe a user pool of Amazon Cognito.

    The issuer is ``https://cognito-idp.REGION.amazonaws.com/POOL`` without a slash at the end. Access tokens have no
    ``aud`` and no header type, so that they are ``access_legacy``, their audience is their ``client_id``, and an
    endpoint must tell APIs apart by scopes (``RESOURCE-SERVER/SCOPE``). Tokens of the client-credentials grant have
    their client as ``sub``. The longest life is left at 60 minutes; raise it if the app client's is longer.

    Args:
        region: Such as ``eu-west-1``.
        user_pool: The pool's id, such as ``eu-west-1_aBcDeFgHi``.
        client_id: The app client whose tokens are accepted, or several.
        since: The day from which these tokens are accepted.
        name: Its name in policies and events.

    Raises:
        ConfigurationError: An argument cannot be used, or the pool is of another region.
    """
    if not segment(user_pool, "user_pool").startswith(f"{segment(region, 'region')}_"):
        message = f"{user_pool!r} is no pool of {region}: its id starts with {region}_"
        raise ConfigurationError(message, key="user_pool", rule=RULE)
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    issuer = f"https://cognito-idp.{region}.{suffix}/{user_pool}"
    return Issuer(
        name=name,
        issuer=issuer,
        audience=texts(client_id),
        client_id=texts(client_id),
        algorithms=("RS256",),
        keys=JwksUri(f"{issuer}/.well-known/jwks.json"),
        roles_claim=("cognito:groups",),
        legacy=Legacy(marker=Marker("token_use", frozenset({"access"})), since=since, audience_from="client_id"),
    )
