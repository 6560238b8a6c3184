"""The scenes of the demo: what is sent, and what must come back.

The table is the demo. A scene may first change the world (the issuer rotates its key, or is switched
off); then it sends one request and compares the verdict. Scenes build on one another, in this order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from jwtguard.cli.demo import credentials
from jwtguard.cli.demo.world import World
from jwtguard.errors import Reason

_DESCRIPTION = re.compile(r', error_description="[^"]*"')


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a request ended.

    Attributes:
        status: What the client saw.
        reason: Why it was refused, as the guard reports it and no client learns; ``None`` if allowed.
        challenge: The ``WWW-Authenticate`` field, without the sentence in it, which is always the same.
    """

    status: int
    reason: Reason | None = None
    challenge: str = ""

    @property
    def text(self) -> str:
        """The verdict in one line."""
        return " ".join((str(self.status), self.reason or "allowed", self.challenge)).strip()


@dataclass(frozen=True, slots=True)
class Scene:
    """One request, and the verdict it must have.

    Attributes:
        title: What is sent, in a few words.
        request: Method and path.
        expected: The right verdict.
        credential: Makes the token; ``None``: no token is sent.
        first: What happens before.
        heading: Starts a chapter.
    """

    title: str
    request: str
    expected: Verdict
    credential: Callable[[World], str] | None = None
    first: Callable[[World], None] | None = None
    heading: str = ""


def send(scene: Scene, world: World) -> Verdict:
    """Play one scene and return the verdict it had."""
    if scene.first is not None:
        scene.first(world)
    headers = {} if scene.credential is None else {"Authorization": f"Bearer {scene.credential(world)}"}
    method, _, path = scene.request.partition(" ")
    answer = world.api.request(method, path, headers=headers)
    challenge = _DESCRIPTION.sub("", answer.headers.get("WWW-Authenticate", ""))
    return Verdict(answer.status_code, world.decisions.take().reason, challenge)


def rotate(world: World) -> None:
    """The issuer publishes a second key and signs with it from now on."""
    world.wait_out_cooldown()
    world.issuer.rotate()


def switch_off(world: World) -> None:
    """The issuer's port closes."""
    world.issuer.stop()


def come_back_without_first_key(world: World) -> None:
    """The issuer returns, has withdrawn its first key, and signs with a third."""
    world.wait_out_cooldown()
    world.issuer.start()
    world.issuer.withdraw(world.first_kid)
    world.issuer.rotate()


def _bad_token(reason: Reason) -> Verdict:
    """The one answer to every token that is not acceptable."""
    return Verdict(401, reason, 'Bearer error="invalid_token"')


_OK = Verdict(200)
_NO_TOKEN = Verdict(401, Reason.MISSING_TOKEN, "Bearer")
_NO_SCOPE = Verdict(403, Reason.SCOPE_MISSING, 'Bearer error="insufficient_scope", scope="reports:write"')

SCENES: Sequence[Scene] = (
    Scene("no token, public endpoint", "GET /health", _OK, heading="What is let in"),
    Scene("a service's token, from POST /token", "GET /reports", _OK, credentials.service),
    Scene("a user's token", "GET /reports/7", _OK, credentials.user),
    Scene("no token", "GET /reports", _NO_TOKEN, heading="What is not"),
    Scene("tampered: a scope added", "GET /reports", _bad_token(Reason.BAD_SIGNATURE), credentials.tampered),
    Scene("expired", "GET /reports", _bad_token(Reason.EXPIRED), credentials.expired),
    Scene("wrong audience", "GET /reports", _bad_token(Reason.BAD_AUDIENCE), credentials.for_another_api),
    Scene("an ID token as access token", "GET /reports", _bad_token(Reason.WRONG_CLASS), credentials.id_token),
    Scene("alg none", "GET /reports", _bad_token(Reason.UNSUPPORTED_ALG), credentials.unsigned),
    Scene(
        "HS256, signed with the public key",
        "GET /reports",
        _bad_token(Reason.UNSUPPORTED_ALG),
        credentials.signed_with_public_key,
    ),
    Scene("jku to an attacker's key set", "GET /reports", _bad_token(Reason.BAD_HEADER), credentials.with_key_url),
    Scene("unknown kid", "GET /reports", _bad_token(Reason.NO_KEY), credentials.by_unknown_key),
    Scene("missing scope", "POST /reports", _NO_SCOPE, credentials.user),
    Scene(
        "a token by the new key",
        "GET /reports",
        _OK,
        credentials.another,
        rotate,
        heading="The issuer rotates its key. Once per cool-down (1 s here, else 30 s) an unknown kid causes a refresh",
    ),
    Scene("a token by the old key, still published", "GET /reports/7", _OK, credentials.user),
    Scene("a token seen before", "GET /reports/7", _OK, credentials.user, switch_off, heading="The issuer is off"),
    Scene("a token never seen before", "GET /reports", _OK, credentials.another),
    Scene(
        "a token by the third key",
        "GET /reports",
        _OK,
        credentials.another,
        come_back_without_first_key,
        heading="The issuer is back, without its first key and with a third one, so the guard refreshes",
    ),
    Scene("the withdrawn key's token, seen before", "GET /reports/7", _bad_token(Reason.NO_KEY), credentials.user),
)
