"""The command ``jwtguard init``: write a first ``jwtguard.toml``, and prove it before saying so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer

from jwtguard.cli.check import judge
from jwtguard.cli.policy_text import policy_text
from jwtguard.cli.providers import PRESETS, Provider, plain_issuer
from jwtguard.clock import SystemClock
from jwtguard.config.read import NAME
from jwtguard.core.issuer import Issuer
from jwtguard.errors import ConfigurationError
from jwtguard.lint import Finding, Severity

_TYPES = ("JWT", "at+jwt")


class WrongOptions(Exception):  # noqa: N818 - an outcome of the command line, told to whoever typed it
    """The options do not describe an issuer, or the file cannot be written."""


def init(  # noqa: PLR0913 - one parameter for each option
    *,
    provider: Annotated[Provider | None, typer.Option(help="Whose tokens; without it, fill in the file.")] = None,
    issuer: Annotated[str, typer.Option(metavar="URL", help="The exact `iss` of the tokens.")] = "",
    audience: Annotated[list[str] | None, typer.Option(help="What the tokens call this API; repeatable.")] = None,
    base: Annotated[str, typer.Option(metavar="URL", help="keycloak: where the server is.")] = "",
    realm: Annotated[list[str] | None, typer.Option(help="keycloak: the realm; repeatable.")] = None,
    domain: Annotated[str, typer.Option(help="auth0, workos-connect: the tenant's host.")] = "",
    tenant: Annotated[list[str] | None, typer.Option(metavar="GUID", help="entra: the tenant; repeatable.")] = None,
    callers: Annotated[str, typer.Option(help="entra: users, or users-and-apps.")] = "",
    region: Annotated[str, typer.Option(help="cognito: such as eu-west-1.")] = "",
    user_pool: Annotated[str, typer.Option(help="cognito: the pool's id.")] = "",
    client_id: Annotated[list[str] | None, typer.Option(help="Our own client ids; repeatable.")] = None,
    user_subject: Annotated[
        list[str] | None, typer.Option(metavar="CONNECTION|", help="auth0: how users' subjects start; repeatable.")
    ] = None,
    typ: Annotated[str, typer.Option(help="keycloak, auth0: the tokens' header type, JWT or at+jwt.")] = "",
    since: Annotated[str, typer.Option(metavar="DATE", help="Since when JWT is accepted; default: today.")] = "",
    name: Annotated[str, typer.Option(help="What the policy calls the issuer.")] = "login",
    output: Annotated[Path, typer.Option(help="Where to write; never over a file.")] = Path("jwtguard.toml"),
) -> None:
    """Write a commented policy for an identity provider, and prove it as `jwtguard check` does.

    Nothing is asked: what is missing is named. Exits with 0 if the policy was written and can be used, with 2 if
    not, and then nothing was written.
    """
    given: dict[str, str | list[str] | None] = {
        "issuer": issuer, "audience": audience, "base": base, "realm": realm, "domain": domain, "tenant": tenant,
        "callers": callers, "region": region, "user_pool": user_pool, "client_id": client_id,
        "user_subject": user_subject, "typ": typ, "since": since,
    }  # fmt: skip
    try:
        said = {key: value for key, value in given.items() if value}
        findings = write(output, *described(provider, name, said))
    except (WrongOptions, ConfigurationError) as mistake:
        typer.echo(f"jwtguard init: {mistake}", err=True)
        raise typer.Exit(2) from None
    for finding in findings:
        typer.echo(f"{finding.severity:<8}{finding.rule:<9} {finding.at}: {finding.message}")
    counts = Counter(finding.severity for finding in findings)
    verdict = ", ".join(f"{counts[one]} {one}{'' if counts[one] == 1 else 's'}" for one in Severity)
    typer.echo(f"{output}: written and checked: {verdict}")


def described(
    provider: Provider | None, name: str, given: Mapping[str, str | list[str]]
) -> tuple[Issuer, Mapping[str, str], str]:
    """Make the issuer that the options describe.

    Args:
        provider: The identity provider; ``None`` for any other.
        name: What the policy calls the issuer.
        given: The options that were written, by name.

    Returns:
        The issuer, the notes on its lines, and the title of the file.

    Raises:
        WrongOptions: An option is missing, or means nothing for this provider.
        ConfigurationError: An option's value cannot be used.
    """
    if not NAME.fullmatch(name):
        message = f"{name!r} is no name: use up to 64 letters, digits, '_' and '-'"
        raise ConfigurationError(message, key="name", rule="R-POL-06")
    if provider is None:
        _check_options("an issuer without --provider", given, frozenset(), frozenset({"issuer", "audience"}))
        return plain_issuer(name, given)
    preset = PRESETS[provider]
    spelt = preset.spelt(given)
    _check_options(f"--provider {provider}", spelt, preset.needs, preset.may)
    extra = {"since": _since(spelt)} if preset.dated else {}
    arguments = {key: value for key, value in spelt.items() if key not in ("typ", "since")}
    if "user_subject" in arguments:
        arguments["user_subjects"] = arguments.pop("user_subject")
    return preset.make(name=name, **arguments, **extra), preset.notes, f"Policy for tokens of {preset.title}."


def write(output: Path, issuer: Issuer, notes: Mapping[str, str], title: str) -> list[Finding]:
    """Write a policy file and prove it; one that cannot be used is taken away again.

    Returns:
        What the check found, the worst first; no errors.

    Raises:
        WrongOptions: There is a file already, it cannot be written, or the policy cannot be used.
    """
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(policy_text(issuer, notes, title))
    except FileExistsError:
        message = f"{output} exists already and is left alone; write elsewhere with --output"
        raise WrongOptions(message) from None
    except OSError as error:
        message = f"{output} cannot be written: {error.strerror}"
        raise WrongOptions(message) from None
    _, findings = judge(output)
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    if errors:
        output.unlink()
        message = "; ".join(f"{error.at}: {error.message} [{error.rule}]" for error in errors)
        raise WrongOptions(message)
    return findings


def _check_options(who: str, given: Mapping[str, object], needs: frozenset[str], may: frozenset[str]) -> None:
    if missing := sorted(needs - given.keys()):
        message = f"{who} needs {', '.join(map(_spelling, missing))}"
        raise WrongOptions(message)
    if unknown := sorted(given.keys() - needs - may):
        message = f"{', '.join(map(_spelling, unknown))} means nothing for {who}"
        raise WrongOptions(message)


def _spelling(option: str) -> str:
    return f"--{option.replace('_', '-')}"


def _since(given: Mapping[str, str | list[str]]) -> date | None:
    typ, text = given.get("typ", _TYPES[0]), str(given.get("since", ""))
    if typ not in _TYPES:
        message = f"--typ is JWT or at+jwt, not {typ!r}"
        raise WrongOptions(message)
    if typ == "at+jwt":
        if text:
            message = "--since is the day from which JWT is accepted; with --typ at+jwt it never is"
            raise WrongOptions(message)
        return None
    try:
        return date.fromisoformat(text) if text else datetime.fromtimestamp(SystemClock.now(), tz=UTC).date()
    except ValueError:
        message = f"--since is a date such as 2026-11-01, not {text!r}"
        raise WrongOptions(message) from None
