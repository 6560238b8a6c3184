"""A policy as the text of a ``jwtguard.toml``, every line with the reason why it is there.

The text is made from the ``Issuer`` itself, so that a preset and the file that ``jwtguard init`` writes cannot
drift apart.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence

from jwtguard.core.classes import Marker, Scalar
from jwtguard.core.issuer import Discovery, Issuer, JwksUri, Legacy
from jwtguard.errors import ConfigurationError

_WIDTH = 100
_UNITS = (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1))
_NOTES: Mapping[str, str] = {
    "issuer": "The exact `iss` of its tokens, character for character.",
    "audience": "What its access tokens call this API in `aud`.",
    "client_id": "Our own clients there: the audience of ID tokens and logout tokens.",
    "algorithms": "The allow-list. Whatever a token's header says, nothing else is tried.",
    "keys": "Found through the issuer's metadata, and only on its own host; refreshed ahead of need.",
    "tenants": "The allow-list of tenants. Each is an issuer with keys of its own.",
    "user_subjects": "How every user's `sub` starts; whoever else calls is a client.",
    "scope_from": "The claim that holds the scopes.",
}

Line = tuple[str, str, str]
"""A key, its value as TOML, and the name of the note that explains it."""


def policy_text(issuer: Issuer, notes: Mapping[str, str], title: str) -> str:
    """Write a whole policy for one issuer.

    Args:
        issuer: Whose tokens count.
        notes: What is worth knowing of this provider, by key; other keys get a general note.
        title: The first line's text.

    Raises:
        ConfigurationError: A column of the issuer cannot be written here.
    """
    _refuse_unwritable(issuer)
    parts = [
        _comment(f"{title} Check it with `jwtguard check`; every key is described in docs/configuration.md."),
        "",
        _comment('A credential counts over https alone. On your own machine write "development"; never deploy that.'),
        'mode = "production"',
        "",
        *_issuer(issuer, {**_NOTES, **notes}),
        *_endpoints(issuer),
    ]
    return "\n".join(parts)


def _refuse_unwritable(issuer: Issuer) -> None:
    """Leave nothing out in silence: what no preset sets has no words here."""
    columns = {"audiences": {}, "key_urls": (), "shared_secret": False, "leeway_s": None, "family": ""}
    found = [column for column, usual in columns.items() if getattr(issuer, column) != usual]
    if not isinstance(issuer.keys, Discovery | JwksUri):
        found.append("keys")
    if any(life % 1 for life in issuer.max_lifetime_s.values()):
        found.append("max_lifetime")
    if found:
        message = "must be written by hand"
        raise ConfigurationError(message, key=f"issuers.{issuer.name}.{found[0]}")


def _issuer(issuer: Issuer, notes: Mapping[str, str]) -> Iterator[str]:
    yield f"[issuers.{issuer.name}]"
    for line in _columns(issuer):
        yield from _explained(line, notes)
    if issuer.legacy is not None:
        yield _comment(
            "These access tokens have no `typ` of their own (RFC 9068), so a claim must tell them from ID tokens. The "
            "way out is to ask the provider for at+jwt."
        )
        yield f"[issuers.{issuer.name}.access_legacy]"
        for line in _legacy(issuer.legacy):
            yield from _explained(line, notes)


def _columns(issuer: Issuer) -> Iterator[Line]:
    yield "issuer", _toml(issuer.issuer), "issuer"
    yield from _listed(issuer, ("tenants", "audience", "client_id"))
    yield "algorithms", _toml(list(issuer.algorithms)), "algorithms"
    yield _keys(issuer)
    if issuer.issues is not None:
        yield "issues", _toml(sorted(issuer.issues)), "issues"
    if issuer.tenant_claim:
        yield "tenant_claim", _toml(issuer.tenant_claim), "tenant_claim"
    yield from _listed(issuer, ("roles_claim", "user_subjects"))
    for column, marker in (("clients", issuer.clients), ("workloads", issuer.workloads)):
        if marker is not None:
            yield column, _marker(marker), column
    if issuer.max_lifetime_s:
        lives = (f"{name} = {_duration(life)}" for name, life in issuer.max_lifetime_s.items())
        yield "max_lifetime", f"{{ {', '.join(lives)} }}", "max_lifetime"


def _listed(issuer: Issuer, columns: Sequence[str]) -> Iterator[Line]:
    for column in columns:
        if values := getattr(issuer, column):
            yield column, _toml(values[0] if len(values) == 1 else values), column


def _keys(issuer: Issuer) -> Line:
    if isinstance(issuer.keys, JwksUri):
        return "jwks_uri", _toml(issuer.keys.url), "jwks_uri"
    return "keys", _toml("discovery"), "keys"


def _legacy(legacy: Legacy) -> Iterator[Line]:
    yield "marker", _marker(legacy.marker), f"marker:{legacy.marker.claim}"
    yield "since", legacy.since.isoformat(), ""
    if legacy.audience_from != "aud":
        yield "audience_from", _toml(legacy.audience_from), "audience_from"
    if legacy.scope_from != "scope":
        yield "scope_from", _toml(legacy.scope_from), "scope_from"
    if legacy.max_lifetime_s is not None:
        yield "max_lifetime", _duration(legacy.max_lifetime_s), "access_legacy.max_lifetime"


def _endpoints(issuer: Issuer) -> Iterator[str]:
    yield _comment("Public because it is written so. A request that no endpoint matches is refused.")
    yield '[[endpoints]]\nmatch  = "GET /health"\npublic = true\n'
    accept = "access" if issuer.legacy is None else "access_legacy"
    if issuer.issues is None or accept in issuer.issues:
        yield _comment(
            "Everything else needs an access token. Replace this by one entry for each group of routes, with the "
            "scopes, roles or claims it demands; `jwtguard routes` lists them."
        )
        yield f'[[endpoints]]\nmatch  = "/**"\naccept = "{accept}"\n'


def _explained(line: Line, notes: Mapping[str, str]) -> Iterator[str]:
    key, value, note = line
    text = notes.get(note) or notes.get(note.partition(":")[0])
    if text:
        yield _comment(text)
    yield f"{key} = {value}"
    yield ""


def _comment(text: str) -> str:
    return textwrap.fill(
        text, _WIDTH, initial_indent="# ", subsequent_indent="# ", break_long_words=False, break_on_hyphens=False
    )


def _toml(value: Scalar | Sequence[Scalar]) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return f"[{', '.join(map(_toml, value))}]"


def _marker(marker: Marker) -> str:
    values = sorted(marker.values, key=str)
    if not values:
        said = "present = true"
    else:
        said = f"equals = {_toml(values[0])}" if len(values) == 1 else f"one_of = {_toml(values)}"
    return f"{{ claim = {_toml(marker.claim)}, {said} }}"


def _duration(seconds: float) -> str:
    amount, unit = next((int(seconds // size), unit) for unit, size in _UNITS if seconds % size == 0)
    return f'"{amount}{unit}"'
