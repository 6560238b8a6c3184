"""Tokens as well-known providers issue them: header type and claims, of a user, of a client, and ID tokens.

The claims are recorded or documented shapes with names of our own: nothing but the names and the times was changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tests.kit.token_forge import OMIT

NOW = 1_767_225_600
SUBJECT = "3f1c2a9e-7d44-4f0b-9a53-2b8c9e1d7f60"
CLIENT, API = "5c9d1f2e-web", "https://api.example.com"
MACHINE = "8f3b6d0c-batch"


@dataclass(frozen=True, slots=True)
class Recorded:
    """The tokens of one provider.

    Attributes:
        iss: Its issuer.
        typ: The header type of its access tokens.
        access: A user's access token.
        client: An access token of the client-credentials grant; empty if there are none.
        id_token: An ID token; its header type is JWT, or absent where that of access tokens is.
    """

    iss: str
    typ: object
    access: Mapping[str, object]
    client: Mapping[str, object]
    id_token: Mapping[str, object]


KEYCLOAK = Recorded(
    iss="https://sso.example.com/realms/main",
    typ="JWT",
    access={
        "exp": NOW + 290, "iat": NOW - 10, "auth_time": NOW - 60, "jti": "onrtac:8b0f4b6e-6f0c-4a53-8d0b-2f1f6a1a7c11",
        "aud": ["reports-api", "account"], "sub": SUBJECT, "typ": "Bearer", "azp": CLIENT,
        "sid": "0a2f7a43-55c1-4a0e-8d63-6f0c2c2a9d1b", "acr": "1", "allowed-origins": ["https://app.example.com"],
        "realm_access": {"roles": ["offline_access", "uma_authorization"]},
        "resource_access": {"account": {"roles": ["manage-account", "view-profile"]}},
        "scope": "openid email profile reports", "email_verified": True, "name": "Ada Example",
        "preferred_username": "ada", "given_name": "Ada", "family_name": "Example", "email": "ada@example.com",
    },
    client={
        "exp": NOW + 290, "iat": NOW - 10, "jti": "trrtcc:2c7ab4d0-93c5-4c1e-8c6b-0a7f6a0d9b11",
        "aud": ["reports-api", "account"], "sub": "c6a1f0b2-9f5d-4a55-a0cf-5f6f8e7a1d02", "typ": "Bearer",
        "azp": MACHINE, "acr": "1", "realm_access": {"roles": ["batch"]}, "scope": "email profile reports",
        "clientHost": "10.0.0.7", "email_verified": False, "preferred_username": f"service-account-{MACHINE}",
        "clientAddress": "10.0.0.7", "client_id": MACHINE,
    },
    id_token={
        "exp": NOW + 290, "iat": NOW - 10, "auth_time": NOW - 60, "jti": "6d4f7f0a-0c55-4f0f-9f0e-3f6c0b1f7a55",
        "aud": CLIENT, "sub": SUBJECT, "typ": "ID", "azp": CLIENT, "nonce": "n-0S6_WzA2Mj",
        "sid": "0a2f7a43-55c1-4a0e-8d63-6f0c2c2a9d1b", "at_hash": "77QmUPtjPfzWtF2AnpK9RQ", "acr": "1",
        "email_verified": True, "name": "Ada Example", "preferred_username": "ada", "email": "ada@example.com",
    },
)  # fmt: skip
AUTH0 = Recorded(
    iss="https://example.eu.auth0.com/",
    typ="JWT",
    access={
        "sub": "auth0|66f0c1a2b3c4d5e6f7a8b9c0", "aud": [API, "https://example.eu.auth0.com/userinfo"],
        "iat": NOW - 10, "exp": NOW - 10 + 86_400, "scope": "openid profile email read:reports", "azp": CLIENT,
        "permissions": ["read:reports"],
    },
    client={
        "sub": f"{MACHINE}@clients", "aud": API, "iat": NOW - 10, "exp": NOW - 10 + 86_400, "scope": "read:reports",
        "gty": "client-credentials", "azp": MACHINE, "permissions": ["read:reports"],
    },
    id_token={
        "nickname": "ada", "name": "ada@example.com", "picture": "https://s.example.com/avatar.png",
        "updated_at": "2025-12-31T23:59:00.000Z", "email": "ada@example.com", "email_verified": True, "aud": CLIENT,
        "sub": "auth0|66f0c1a2b3c4d5e6f7a8b9c0", "iat": NOW - 10, "exp": NOW - 10 + 36_000,
        "sid": "Zk1f0c5uT0hY2x8wQ3rV6a", "nonce": "n-0S6_WzA2Mj",
    },
)  # fmt: skip
ENTRA = Recorded(
    iss="https://login.microsoftonline.com/9b6e1f5c-8d0a-4c2b-a1f7-5e3d2c1b0a99/v2.0",
    typ="JWT",
    access={
        "aud": "0e2f4a6b-1c3d-4e5f-8a9b-7c6d5e4f3a21", "iat": NOW - 10, "nbf": NOW - 10, "exp": NOW - 10 + 5017,
        "aio": "AXQAi/8ZAAAAq0", "azp": CLIENT, "azpacr": "1", "name": "Ada Example",
        "oid": "7a1c3e5f-2b4d-4f6a-8c0e-9d7b5a3f1e22", "preferred_username": "ada@example.com",
        "rh": "1.AXkAXB9um", "scp": "Reports.Read User.Read", "sid": "00b1f2a3-4c5d-6e7f-8091-a2b3c4d5e6f7",
        "sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ", "tid": "9b6e1f5c-8d0a-4c2b-a1f7-5e3d2c1b0a99",
        "uti": "fqiBqXLPj0eQa82S-IYFAA", "ver": "2.0",
    },
    client={
        "aud": "0e2f4a6b-1c3d-4e5f-8a9b-7c6d5e4f3a21", "iat": NOW - 10, "nbf": NOW - 10, "exp": NOW - 10 + 3900,
        "aio": "k2RgYPj/e7k0AA==", "azp": MACHINE, "azpacr": "1", "idtyp": "app",
        "oid": "1b2c3d4e-5f60-4718-92a3-b4c5d6e7f801", "rh": "1.AXkAXB9um", "roles": ["Reports.Read.All"],
        "sub": "1b2c3d4e-5f60-4718-92a3-b4c5d6e7f801", "tid": "9b6e1f5c-8d0a-4c2b-a1f7-5e3d2c1b0a99",
        "uti": "Qm9vYmFyQmF6UXV4QUFBAA", "ver": "2.0",
    },
    id_token={
        "aud": CLIENT, "iat": NOW - 10, "nbf": NOW - 10, "exp": NOW - 10 + 3900, "name": "Ada Example",
        "nonce": "678910", "oid": "7a1c3e5f-2b4d-4f6a-8c0e-9d7b5a3f1e22", "preferred_username": "ada@example.com",
        "rh": "1.AXkAXB9um", "sid": "00b1f2a3-4c5d-6e7f-8091-a2b3c4d5e6f7",
        "sub": "AAAAAAAAAAAAAAAAAAAAAMjA2xQyR5Pq0TqjV1mQ2oE", "tid": "9b6e1f5c-8d0a-4c2b-a1f7-5e3d2c1b0a99",
        "uti": "b3qZcYQ9rU2tVwXyZ0ABAA", "ver": "2.0",
    },
)  # fmt: skip
COGNITO = Recorded(
    iss="https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_aBcDeFgHi",
    typ=OMIT,
    access={
        "sub": SUBJECT, "cognito:groups": ["analysts"], "version": 2, "client_id": CLIENT,
        "origin_jti": "b1f0c2d3-0a1b-4c2d-8e3f-4a5b6c7d8e9f", "event_id": "c2a1b0f9-8e7d-4c6b-a5f4-3e2d1c0b9a8f",
        "token_use": "access", "scope": "openid reports/read", "auth_time": NOW - 10, "exp": NOW - 10 + 3600,
        "iat": NOW - 10, "jti": "d3b2c1a0-9f8e-4d7c-b6a5-4f3e2d1c0b9a", "username": "ada",
    },
    client={
        "sub": MACHINE, "token_use": "access", "scope": "reports/read", "auth_time": NOW - 10, "exp": NOW - 10 + 3600,
        "iat": NOW - 10, "version": 2, "jti": "39cdbc77-8743-4e1e-9669-96e62b165f1c", "client_id": MACHINE,
    },
    id_token={
        "at_hash": "77QmUPtjPfzWtF2AnpK9RQ", "sub": SUBJECT, "cognito:groups": ["analysts"], "email_verified": True,
        "cognito:username": "ada", "origin_jti": "b1f0c2d3-0a1b-4c2d-8e3f-4a5b6c7d8e9f", "aud": CLIENT,
        "event_id": "c2a1b0f9-8e7d-4c6b-a5f4-3e2d1c0b9a8f", "token_use": "id", "auth_time": NOW - 10,
        "exp": NOW - 10 + 3600, "iat": NOW - 10, "jti": "e4c3b2a1-0f9e-4e8d-87b6-5a4f3e2d1c0b",
        "email": "ada@example.com",
    },
)  # fmt: skip
AUTH0_TYPED = Recorded(
    iss=AUTH0.iss,
    typ="at+jwt",
    access={
        "sub": "auth0|66f0c1a2b3c4d5e6f7a8b9c0", "aud": [API, "https://example.eu.auth0.com/userinfo"],
        "client_id": CLIENT, "iat": NOW - 10, "exp": NOW - 10 + 86_400, "jti": "73WakrfVbNJBaAmhQtEeDv",
        "scope": "openid profile read:reports", "permissions": ["read:reports"], "org_id": "org_9ybsU1dN2dKfDkBi",
    },
    client={
        "sub": f"{MACHINE}@clients", "aud": API, "client_id": MACHINE, "iat": NOW - 10, "exp": NOW - 10 + 86_400,
        "jti": "4nQyWq0bV1xSx2m3DnUeLk", "scope": "read:reports", "permissions": ["read:reports"],
    },
    id_token=AUTH0.id_token,
)  # fmt: skip
KEYCLOAK_TYPED = Recorded(
    iss=KEYCLOAK.iss,
    typ="at+jwt",
    access={**KEYCLOAK.access, "client_id": CLIENT},
    client=KEYCLOAK.client,
    id_token=KEYCLOAK.id_token,
)
ENTRA_APPS = Recorded(
    iss=ENTRA.iss,
    typ="JWT",
    access={**ENTRA.access, "idtyp": "user", "roles": ["Reports.Reader"]},
    client=ENTRA.client,
    id_token={**ENTRA.id_token, "roles": ["Reports.Reader"]},
)
WORKOS = Recorded(
    iss="https://api.workos.com/user_management/client_01HXYZ",
    typ=OMIT,
    access={
        "sub": "user_01HBEQKA6K4QJAS93VPE39W1JT", "client_id": "client_01HXYZ", "act": {"sub": "admin@example.com"},
        "org_id": "org_01HRDMC6CM357W30QMHMQ96Q0S", "role": "member", "roles": ["member"],
        "permissions": ["posts:read", "posts:write"], "entitlements": ["audit-logs"],
        "sid": "session_01HQSXZGF8FHF7A9ZZFCW4387R", "jti": "01HQSXZXPPFPKMDD32RKTFY6PV", "auth_time": NOW - 60,
        "exp": NOW + 290, "iat": NOW - 10,
    },
    client={},
    id_token={
        "aud": "client_01HXYZ", "sub": "user_01HBEQKA6K4QJAS93VPE39W1JT", "name": "Ada Example",
        "email": "ada@example.com", "email_verified": True, "nonce": "f39a8e47d2c9b6fa", "exp": NOW + 3590,
        "iat": NOW - 10,
    },
)  # fmt: skip
WORKOS_CONNECT = Recorded(
    iss="https://example.authkit.app",
    typ=OMIT,
    access={
        "aud": "client_01HXYZ", "sub": "user_01JQ0E27VT3MH79RY0FVA4QBP9", "client_id": "client_01APP",
        "org_id": "org_01HRDMC6CM357W30QMHMQ96Q0S", "sid": "app_consent_01JQ0E27WE4K1RCMH7Q094M1GJ",
        "scope": "openid profile reports", "jti": "01JQ0E27ZXE4XNHVP870S6PWYN", "exp": NOW + 290, "iat": NOW - 10,
    },
    client={
        "aud": "client_01HXYZ", "sub": "client_01BATCH", "client_id": "client_01BATCH",
        "org_id": "org_01HRDMC6CM357W30QMHMQ96Q0S", "scope": "reports", "jti": "01JQ0E27ZXE4XNHVP870S6PXXX",
        "exp": NOW + 290, "iat": NOW - 10,
    },
    id_token={**WORKOS.id_token, "sub": "user_01JQ0E27VT3MH79RY0FVA4QBP9"},
)  # fmt: skip
GOOGLE_ID_TOKEN: Mapping[str, object] = {
    "azp": CLIENT, "aud": CLIENT, "sub": "110169484474386276334", "at_hash": "HK6E_P6Dh8Y93mRNtsDB1Q",
    "hd": "example.com", "email": "ada@example.com", "email_verified": True, "nonce": "0394852-3190485-2490358",
    "iat": NOW - 10, "exp": NOW + 3590,
}  # fmt: skip
"""Google's access tokens are opaque."""
