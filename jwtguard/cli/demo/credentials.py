"""The tokens that the scenes of the demo send: two good ones, and what attackers make of them."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode

from jwtguard.cli.demo.issuer import TOKEN_LIFETIME_S
from jwtguard.cli.demo.signing import ALGORITHM, new_signing_key
from jwtguard.cli.demo.world import World

USER = "alice"
READ = "reports:read"
_LEEWAY_AND_MORE_S = 300


def service(world: World) -> str:
    """A machine's token, from the issuer's token endpoint."""
    return world.service_token(READ)


def user(world: World) -> str:
    """A user's token. It is kept, and sent again when the issuer is down and when its key is withdrawn."""
    return world.kept.setdefault("user", world.issuer.issue_access(USER, READ))


def another(world: World) -> str:
    """A user's token that the guard has not seen before, signed by the newest key."""
    return world.issuer.issue_access(USER, READ)


def tampered(world: World) -> str:
    """The user's token with one more scope written into it, under the old signature."""
    header, claims, signature = user(world).split(".")
    more = {**json.loads(urlsafe_b64decode(claims + "=" * (-len(claims) % 4))), "scope": f"{READ} admin"}
    return f"{header}.{urlsafe_b64encode(json.dumps(more).encode()).rstrip(b'=').decode()}.{signature}"


def expired(world: World) -> str:
    """A token whose time is over, and the leeway with it."""
    exp = int(time.time()) - _LEEWAY_AND_MORE_S  # noqa: TID251 - a forger has no clock of ours
    return world.issuer.issue_access(USER, READ, iat=exp - TOKEN_LIFETIME_S, exp=exp)


def for_another_api(world: World) -> str:
    """A good token for somebody else."""
    return world.issuer.issue_access(USER, READ, aud="https://billing.example.com")


def id_token(world: World) -> str:
    """Proof of a login, where an access token is asked for."""
    return world.issuer.issue_id_token(USER)


def unsigned(world: World) -> str:
    """A token that says it needs no signature (RFC 8725, section 2.1)."""
    return world.issuer.sign(_claims(world), _header(world, alg="none"))


def signed_with_public_key(world: World) -> str:
    """A token whose HMAC secret is the issuer's public key, which everybody has (RFC 8725, section 2.1)."""
    public = world.issuer.signing_jwks().keys[0].as_pem(private=False)  # type: ignore[union-attr]  # an EC key
    return world.issuer.sign(_claims(world), _header(world, alg="HS256"), public)


def with_key_url(world: World) -> str:
    """A token that names the attacker's own key set, and is signed by a key from there."""
    key = new_signing_key()
    return world.issuer.sign(_claims(world), _header(world, kid=key.kid, jku=world.attacker.url), key)


def by_unknown_key(world: World) -> str:
    """A token by a key that the issuer never had."""
    key = new_signing_key()
    return world.issuer.sign(_claims(world), _header(world, kid=key.kid), key)


def _claims(world: World) -> dict[str, object]:
    """The claims of a good token."""
    claims = another(world).split(".")[1]
    found: dict[str, object] = json.loads(urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    return found


def _header(world: World, **changes: object) -> dict[str, object]:
    """The JOSE header of a good token, changed."""
    return {"alg": ALGORITHM, "typ": "at+jwt", "kid": world.issuer.current_kid, **changes}
