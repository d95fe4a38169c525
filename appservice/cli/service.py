"""The commands for the service as a whole: run, check, migrate."""

import asyncio

import click

from appservice.cli.crypto import show_first_recovery_key
from appservice.cli.failure import in_one_line
from appservice.cli.finding import show, show_sum
from appservice.cli.settings import Settings, pass_settings
from appservice.config import Config, files_open_to_all
from appservice.matrix.check import findings
from appservice.matrix.finding import Finding, Verdict


@click.command(epilog="Before the first run: coterie check. To stop: Ctrl-C or SIGTERM.")
@pass_settings
def run(settings: Settings) -> None:
    """Run the service until it is told to stop.

    If no recovery key was made yet and this is a terminal, one is made and shown; see coterie crypto recovery.
    """
    config = settings.config()

    from appservice import app

    with in_one_line(config, "cannot run"):
        show_first_recovery_key(config)
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
    show(config, Finding("config", Verdict.GOOD, f"{settings.path} can be used"))
    for file in files_open_to_all(settings.path):
        says = f"{file} holds secrets and every user of this machine can read it"
        show(config, Finding("config", Verdict.WARNING, says, f"chmod 640 {file}"))
    if not config.groups.owners:
        show(config, Finding("config", Verdict.WARNING, "nobody may create groups", "fill groups.owners"))
    show_sum(asyncio.run(_shown(config)))


async def _shown(config: Config) -> int:
    """Print what is found; gives how much of it is bad."""
    bad = 0
    async for finding in findings(config):
        bad += show(config, finding)
    if config.purchase.provider == "stripe":
        bad += show(config, await _stripe(config))
    return bad


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
