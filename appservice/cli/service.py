"""The commands for the service as a whole: run, check, migrate."""

import asyncio
import sys

import click

from appservice.cli.failure import in_one_line, plain
from appservice.cli.settings import Settings, pass_settings
from appservice.config import Config, files_open_to_all
from appservice.matrix.check import Finding, Verdict, findings

SIGNS = {Verdict.GOOD: "✓", Verdict.BAD: "✗", Verdict.WARNING: "!", Verdict.SKIPPED: "-"}
ASCII_SIGNS = {**SIGNS, Verdict.GOOD: "ok ", Verdict.BAD: "BAD"}


@click.command(epilog="Before the first run: coterie check. To stop: Ctrl-C or SIGTERM.")
@pass_settings
def run(settings: Settings) -> None:
    """Run the service until it is told to stop."""
    config = settings.config()

    from appservice import app

    with in_one_line(config, "cannot run"):
        asyncio.run(app.run(config))


@click.command(epilog="Afterwards: coterie run")
@pass_settings
def migrate(settings: Settings) -> None:
    """Bring the database to the schema of this version. Running the service does the same."""
    config = settings.config()

    from appservice.store import db

    with in_one_line(config, config.appservice.database_shown):
        before, after = asyncio.run(db.migrate(config.appservice.database))
    click.echo(f"{config.appservice.database_shown}: schema was {before}, is {after}")


@click.command(epilog="When all is well: coterie run")
@pass_settings
def check(settings: Settings) -> None:
    """Say whether configuration, homeserver and database fit together, and what mends what does not.

    Changes nothing. If the service is not running, this listens in its place for a moment, to see whether the
    homeserver reaches it. Exit code 1 if anything is wrong.
    """
    config = settings.config()
    _print(config, Finding("config", Verdict.GOOD, f"{settings.path} can be used"))
    for file in files_open_to_all(settings.path):
        says = f"{file} holds secrets and every user of this machine can read it"
        _print(config, Finding("config", Verdict.WARNING, says, f"chmod 640 {file}"))
    if not config.groups.owners:
        _print(config, Finding("config", Verdict.WARNING, "nobody may create groups", "fill groups.owners"))
    if not asyncio.run(_all_good(config)):
        raise SystemExit(1)


async def _all_good(config: Config) -> bool:
    bad = 0
    async for finding in findings(config):
        _print(config, finding)
        bad += finding.verdict is Verdict.BAD
    if config.purchase.provider == "stripe":
        finding = await _stripe(config)
        _print(config, finding)
        bad += finding.verdict is Verdict.BAD
    click.echo(f"{bad} to mend." if bad else "All is well.")
    return not bad


async def _stripe(config: Config) -> Finding:
    """Say whether Stripe takes our key; what it reports to us shows only when somebody pays."""
    from appservice.payment import stripe
    from appservice.payment.session import NotGiven

    assert config.purchase.stripe is not None
    try:
        async with stripe.opened(config.purchase.stripe) as account:
            await account.ask()
    except NotGiven as error:
        mend = "check purchase.stripe.api_key, and what the key may do: Checkout Sessions, write"
        if not error.is_final:
            mend = "see whether this machine reaches purchase.stripe.api_base, and try again"
        return Finding("stripe", Verdict.BAD, f"does not let us make payment pages ({error})", mend)
    where = f"{config.web.public_url}/stripe/webhook"
    return Finding("stripe", Verdict.GOOD, f"takes our key; let it report to {where}")


def _print(config: Config, finding: Finding) -> None:
    text = f"{_signs()[finding.verdict]} {finding.subject}: {' '.join(finding.says.split())}"
    if finding.mend:
        text += f". To mend: {finding.mend}"
    click.echo(plain(config.without_secrets(text)))


def _signs() -> dict[Verdict, str]:
    try:
        "✓✗…".encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII_SIGNS
    return SIGNS
