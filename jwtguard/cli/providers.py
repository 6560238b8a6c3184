"""The identity providers that ``jwtguard init`` knows: their functions, their notes, the options they take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from jwtguard.config.providers import EntraCallers, auth0, cognito, entra, google, keycloak, workos, workos_connect
from jwtguard.config.providers.arguments import RULE
from jwtguard.config.providers.auth0 import NOTES as AUTH0_NOTES
from jwtguard.config.providers.cognito import NOTES as COGNITO_NOTES
from jwtguard.config.providers.entra import NOTES as ENTRA_NOTES
from jwtguard.config.providers.google import NOTES as GOOGLE_NOTES
from jwtguard.config.providers.keycloak import NOTES as KEYCLOAK_NOTES
from jwtguard.config.providers.workos import CONNECT_NOTES as WORKOS_CONNECT_NOTES
from jwtguard.config.providers.workos import NOTES as WORKOS_NOTES
from jwtguard.core.issuer import Discovery, Issuer
from jwtguard.errors import ConfigurationError, unknown

Given = Mapping[str, str | list[str]]
_REALMS = "/realms/"
_PLACEHOLDERS = {"issuer": "https://login.example.com/", "audience": "https://api.example.com"}
_PLAIN_NOTES = {
    "issuer": "PUT YOURS HERE: the exact `iss` of your tokens, trailing slash included.",
    "audience": "PUT YOURS HERE: what your tokens call this API in `aud`. A token for another service must not pass.",
    "algorithms": "The allow-list: what your issuer signs by. Whatever a token's header says, nothing else is tried.",
    "keys": 'Found through the issuer\'s metadata. Or write jwks_uri = "https://…" in its place.',
}


class Provider(StrEnum):
    """The identity providers that are known."""

    KEYCLOAK = "keycloak"
    AUTH0 = "auth0"
    ENTRA = "entra"
    COGNITO = "cognito"
    WORKOS = "workos"
    WORKOS_CONNECT = "workos-connect"
    GOOGLE = "google"


def _as_given(given: Given) -> dict[str, str | list[str]]:
    return dict(given)


def _keycloak_spelt(given: Given) -> dict[str, str | list[str]]:
    spelt = dict(given)
    if "issuer" in spelt and not spelt.keys() & {"base", "realm"}:
        base, slash, realm = str(spelt.pop("issuer")).partition(_REALMS)
        if not slash:
            message = "the issuer of a realm ends with /realms/NAME"
            raise ConfigurationError(message, key="issuer", rule=RULE)
        spelt |= {"base": base, "realm": [realm]}
    return spelt


def _entra_spelt(given: Given) -> dict[str, str | list[str]]:
    spelt = dict(given)
    if "callers" in spelt:
        known = [str(callers) for callers in EntraCallers]
        if spelt["callers"] not in known:
            what = "kind of callers"
            raise unknown(what, spelt["callers"], known, key="callers", rule=RULE)
        spelt["callers"] = EntraCallers(str(spelt["callers"]))
    return spelt


def _workos_spelt(given: Given) -> dict[str, str | list[str]]:
    spelt = dict(given)
    if isinstance(clients := spelt.get("client_id"), list):
        if len(clients) > 1:
            message = "an environment has one client id"
            raise ConfigurationError(message, key="client_id", rule=RULE)
        spelt["client_id"] = clients[0]
    return spelt


@dataclass(frozen=True, slots=True)
class Preset:
    """What ``jwtguard init`` knows of a provider.

    Attributes:
        title: Its name for people.
        make: The function that describes it.
        notes: What is worth knowing of its lines.
        needs: The options it needs.
        may: The options it also takes.
        dated: Whether its tokens may lack a type of their own, so that the day is written down.
        spelt: Turns options as they were written into the function's arguments.
    """

    title: str
    make: Callable[..., Issuer]
    notes: Mapping[str, str]
    needs: frozenset[str]
    may: frozenset[str] = frozenset()
    dated: bool = True
    spelt: Callable[[Given], dict[str, str | list[str]]] = _as_given


PRESETS: Mapping[Provider, Preset] = {
    Provider.KEYCLOAK: Preset(
        "Keycloak", keycloak, KEYCLOAK_NOTES, frozenset({"base", "realm", "audience"}),
        frozenset({"client_id", "typ", "since"}), spelt=_keycloak_spelt,
    ),
    Provider.AUTH0: Preset(
        "Auth0", auth0, AUTH0_NOTES, frozenset({"domain", "audience"}),
        frozenset({"client_id", "user_subject", "typ", "since"}),
    ),
    Provider.ENTRA: Preset(
        "Microsoft Entra ID", entra, ENTRA_NOTES, frozenset({"tenant", "audience"}),
        frozenset({"client_id", "callers", "since"}), spelt=_entra_spelt,
    ),
    Provider.COGNITO: Preset(
        "Amazon Cognito", cognito, COGNITO_NOTES, frozenset({"region", "user_pool", "client_id"}), frozenset({"since"}),
    ),
    Provider.WORKOS: Preset(
        "WorkOS AuthKit", workos, WORKOS_NOTES, frozenset({"client_id"}), frozenset({"issuer", "since"}),
        spelt=_workos_spelt,
    ),
    Provider.WORKOS_CONNECT: Preset(
        "WorkOS Connect", workos_connect, WORKOS_CONNECT_NOTES, frozenset({"domain", "audience"}),
        frozenset({"client_id", "since"}),
    ),
    Provider.GOOGLE: Preset("Google", google, GOOGLE_NOTES, frozenset({"client_id"}), dated=False),
}  # fmt: skip


def plain_issuer(name: str, given: Given) -> tuple[Issuer, Mapping[str, str], str]:
    """Describe an issuer of whom nothing is known but what was given.

    Returns:
        The issuer, the notes on its lines, and the title of the file. Whatever was not given is a placeholder
        that can be proven but verifies nobody's tokens, and its note says so.
    """
    audience = given.get("audience", _PLACEHOLDERS["audience"])
    issuer = Issuer(
        name=name,
        issuer=str(given.get("issuer", _PLACEHOLDERS["issuer"])),
        audience=(audience,) if isinstance(audience, str) else tuple(audience),
        algorithms=("ES256",),
        keys=Discovery(),
    )
    notes = {key: note for key, note in _PLAIN_NOTES.items() if key not in given}
    return issuer, notes, "What this application accepts, and from whom."
