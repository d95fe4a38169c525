"""The commands that set the service up: init and registration."""

import json
import os
import re
import secrets
import sys
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import yaml

from appservice.cli.failure import Failed
from appservice.cli.settings import Settings, pass_settings
from appservice.config import Config, ConfigError, parse, rule
from appservice.matrix.registration import registration as registration_of

REGISTRATION = "coterie-registration.yaml"
HOMESERVER = "http://127.0.0.1:8008"
ADDRESS = "http://127.0.0.1:29333"
DATABASE = "sqlite:coterie.db"
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def _ruled(check: Callable[[str], str]) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """What makes click hold an option, or each of a repeatable one, to a rule of the configuration."""

    def callback(context: click.Context, option: click.Parameter, value: Any) -> Any:
        try:
            return tuple(map(check, value)) if isinstance(value, tuple) else value and check(value)
        except rule.WrongValue as wrong:
            raise click.BadParameter(str(wrong)) from None

    return callback


@click.command(epilog="Next: give the registration to the homeserver, then: coterie check")
@click.option(
    "--homeserver",
    metavar="URL",
    callback=_ruled(rule.http_url),
    help=f"The homeserver's client API, such as {HOMESERVER}.",
)
@click.option(
    "--domain",
    metavar="NAME",
    callback=_ruled(rule.server_name),
    help="The homeserver's server_name, such as example.org.",
)
@click.option(
    "--owner",
    "owners",
    metavar="USER",
    multiple=True,
    callback=_ruled(rule.user_id),
    help="Who may create groups, such as @you:example.org; repeatable.",
)
@click.option(
    "--address",
    metavar="URL",
    callback=_ruled(rule.http_url),
    help=f"Where the homeserver reaches Coterie (default {ADDRESS}).",
)
@click.option(
    "--database",
    metavar="URL",
    callback=_ruled(rule.database_url),
    help=f"An sqlite: or postgres:// URL (default {DATABASE}).",
)
@pass_settings
def init(
    settings: Settings,
    homeserver: str | None,
    domain: str | None,
    owners: tuple[str, ...],
    address: str | None,
    database: str | None,
) -> None:
    """Write a configuration and a registration with fresh tokens. Never overwrites a file.

    Asks for what the options leave open; asks nothing if --homeserver, --domain and --owner are given.
    """
    files = (settings.path, settings.path.with_name(REGISTRATION))
    _refuse_existing(files)
    if not (homeserver and domain and owners):
        _need_terminal(homeserver=homeserver, domain=domain, owner=owners)
        homeserver = homeserver or _ask("Homeserver's client API", rule.http_url, HOMESERVER)
        domain = domain or _ask("Homeserver's server_name", rule.server_name, _domain_of(homeserver))
        owners = owners or (_ask(f"Who may create groups, such as @you:{domain}", rule.user_id),)
        address = address or _ask("URL where the homeserver reaches Coterie", rule.http_url, ADDRESS)
        database = database or _ask("Database", rule.database_url, DATABASE)
    text = _filled_in(homeserver, domain, owners, address or ADDRESS, database or DATABASE)
    try:
        config = parse(text, settings.path, os.environ)
    except ConfigError as error:
        raise Failed(str(error)) from None
    _write({files[0]: text, files[1]: _registration_text(config)})
    click.echo(_next_steps(*files))


@click.command(epilog="Next: give it to the homeserver, then: coterie check")
@click.option("-o", "--output", metavar="FILE", type=click.Path(path_type=Path), help="Write a new file.")
@pass_settings
def registration(settings: Settings, output: Path | None) -> None:
    """Print the registration for the homeserver. It holds secrets. Never overwrites a file."""
    text = _registration_text(settings.config())
    if output is None:
        click.echo(text, nl=False)
        return
    _refuse_existing((output,))
    _write({output: text})
    click.echo(f"Wrote {output}.")


def example() -> str:
    """The text of config/example.yaml, which the package carries."""
    return resources.files("appservice.cli").joinpath("example.yaml").read_text(encoding="utf-8")


def fill(text: str, values: Mapping[str, object]) -> str:
    """A configuration's text with other values: comments stay, each dotted path must be there on one line."""
    lines, section, missing = [], "", dict(values)
    for line in text.splitlines():
        if found := re.match(r"(\w+):", line):
            section = found[1]
        elif (found := re.match(r"  (\w+): ", line)) and (path := f"{section}.{found[1]}") in missing:
            line = f"  {found[1]}: {json.dumps(missing.pop(path), ensure_ascii=False)}"
        lines.append(line)
    if missing:
        raise KeyError(*missing)
    return "\n".join(lines) + "\n"


def _filled_in(homeserver: str, domain: str, owners: tuple[str, ...], address: str, database: str) -> str:
    values: dict[str, object] = {
        "homeserver.address": homeserver,
        "homeserver.domain": domain,
        "appservice.address": address,
        "appservice.as_token": secrets.token_urlsafe(48),
        "appservice.hs_token": secrets.token_urlsafe(48),
        "appservice.database": database,
        "groups.owners": owners,
    }
    at = urlsplit(address)
    if at.hostname == "::1":
        values["appservice.hostname"] = "::1"
    elif at.hostname not in LOOPBACK:
        values["appservice.hostname"] = "0.0.0.0"  # noqa: S104 - another machine has to reach it
    if at.port and at.scheme == "http":  # behind https there is a reverse proxy, with a port of its own
        values["appservice.port"] = at.port
    return fill(example(), values)


def _domain_of(homeserver: str) -> str | None:
    host = urlsplit(homeserver).hostname
    return None if host in LOOPBACK else host


def _need_terminal(**given: object) -> None:
    if not _is_terminal():
        missing = " and ".join(f"--{name}" for name, value in given.items() if not value)
        raise click.UsageError(f"Give {missing}, or run this in a terminal to be asked.")


def _is_terminal() -> bool:
    return sys.stdin.isatty()


def _ask(question: str, check: Callable[[str], str], default: str | None = None) -> str:
    def answer(text: str) -> str:
        try:
            return check(text.strip())
        except rule.WrongValue as wrong:
            raise click.UsageError(str(wrong)) from None  # click prints it and asks again

    reply: str = click.prompt(question, default=default, value_proc=answer)
    return reply


def _registration_text(config: Config) -> str:
    head = "# Coterie's registration for the homeserver, which reads it when it starts. It holds secrets.\n"
    return head + yaml.safe_dump(registration_of(config), sort_keys=False, allow_unicode=True)


def _refuse_existing(files: tuple[Path, ...]) -> None:
    for file in files:
        if os.path.lexists(file):
            raise Failed(f"{file}: exists already and is left as it is; move it away or choose another name")


def _write(files: Mapping[Path, str]) -> None:
    """Writes all the new files, readable by their owner only, or none."""
    made: list[Path] = []
    try:
        for file, text in files.items():
            with open(file, "x", encoding="utf-8", opener=_private) as stream:
                made.append(file)
                stream.write(text)
    except OSError as error:
        for done in made:
            done.unlink(missing_ok=True)
        raise Failed(
            f"{error.filename or made[-1]}: cannot be written ({error.strerror}); nothing was changed"
        ) from None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _next_steps(config: Path, registration: Path) -> str:
    command = "coterie" if config == Path("config.yaml") else f"coterie -c {config}"
    return f"""Wrote {config} and {registration}. Both hold secrets; only you can read them.

Next:
  1. Let Synapse read the registration (it runs as its own user) and name it in homeserver.yaml:
       app_service_config_files:
         - {registration.absolute()}
  2. Restart Synapse.
  3. {command} check
  4. {command} run
  5. {command} crypto recovery, once that runs: it prints the key for the day on which the database is lost"""
