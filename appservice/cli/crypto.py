"""The commands for the bot's keys: what they are worth, the recovery key, and beginning anew."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING

import click

from appservice.cli.failure import Failed, in_one_line
from appservice.cli.finding import show, show_sum
from appservice.cli.settings import Settings, pass_settings
from appservice.config import Config

if TYPE_CHECKING:
    from appservice.matrix.crypto.crypto import Crypto
    from appservice.matrix.crypto.recovery import Recovery
    from appservice.matrix.homeserver import Homeserver
    from appservice.store.unit import Store

VARIABLE = "COTERIE_RECOVERY_KEY"
_RESTORE = "coterie crypto recovery --restore"


@dataclass(frozen=True, slots=True)
class _Keys:
    """What the commands work with."""

    store: "Store"
    homeserver: "Homeserver"
    crypto: "Crypto"
    recovery: "Recovery"


@click.group(epilog="Begin with: coterie crypto status")
def crypto() -> None:
    """See to the bot's keys for end-to-end encryption.

    They are kept in the database, encrypted under as_token. The bot has one device, and an identity of its own that
    signs it: that is what members verify.
    """


@crypto.command(epilog="If no recovery key was made yet: coterie crypto recovery")
@pass_settings
def status(settings: Settings) -> None:
    """Say what the keys of the bot are worth, and what mends what is wrong.

    A member who verifies the bot compares the fingerprint that their client shows with the one here. Changes nothing;
    the service may run meanwhile. Exit code 1 if anything is wrong.
    """
    config = settings.config()
    with in_one_line(config, config.appservice.database_shown):
        bad = asyncio.run(_status(config))
    show_sum(bad)


@crypto.command(epilog=f"After the database was lost, before the first start: {_RESTORE}")
@click.option("--restore", is_flag=True, help="Bring the bot's identity back by the recovery key, which is asked for.")
@click.option(
    "--key-file",
    metavar="FILE",
    type=click.File(),
    help="With --restore: a file that holds the recovery key; - is standard input.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_settings
def recovery(settings: Settings, restore: bool, key_file: IO[str] | None, yes: bool) -> None:
    """Make a recovery key and print it, once. The service may run meanwhile.

    With it the bot has the same identity again when the database was lost, and nobody has to verify it anew: that
    identity is kept at the homeserver, encrypted, and the recovery key opens it. An earlier key stops working.

    With --restore the service has to be stopped. The key is never an argument: it is asked for, or read from --key-file
    or from the environment (COTERIE_RECOVERY_KEY).
    """
    config = settings.config()
    if not restore:
        if key_file is not None:
            raise click.UsageError("--key-file goes with --restore.")
        with in_one_line(config, "no recovery key was made"):
            click.echo(_shown(config, asyncio.run(_make(config, ask=not yes))))
        return
    key = _recovery_key(key_file)
    with in_one_line(config, "nothing was restored"):
        asyncio.run(_restore(config, key))
    click.echo("The bot has its identity again; the next start signs its device by it. Next: coterie run")


@crypto.command(epilog="Afterwards: coterie run, which makes a new device.")
@click.option("--identity", is_flag=True, help="Forget the bot's identity too; who has verified it will notice.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_settings
def reset(settings: Settings, identity: bool, yes: bool) -> None:
    """Forget the keys of the bot's device, for when they are broken or as_token was changed.

    The service has to be stopped. Messages that were sent to the old device and not read yet stay unreadable; the
    groups are told at the next start.
    """
    config = settings.config()
    with in_one_line(config, "nothing was reset"):
        can_start = asyncio.run(_reset(config, identity=identity, ask=not yes))
    if can_start:
        click.echo("Forgotten. Next: coterie run" + (", then: coterie crypto recovery" if identity else ""))
        return
    click.echo(
        "The device's keys are forgotten. The bot's identity was written under another as_token and cannot be read.\n"
        f"Next: {_RESTORE}, or, if there is no recovery key: coterie crypto reset --identity"
    )


def show_first_recovery_key(config: Config) -> None:
    """Make a recovery key and print it before the service runs for the first time, if somebody is there to see it.

    Does nothing where there is one, at either side, or where the homeserver does not answer.
    """
    if _is_terminal():
        key = asyncio.run(_first(config))
        if key is not None:
            click.echo(_shown(config, key))


@asynccontextmanager
async def _opened(config: Config, *, alone: bool = False) -> AsyncIterator[_Keys]:
    """Give the keys in the database; where `alone`, only while no service works on it. Errors that people can mend are
    a Failed."""
    import aiohttp

    from appservice.clock import SystemClock
    from appservice.domain.ids import UserId
    from appservice.matrix.crypto.crypto import Crypto
    from appservice.matrix.crypto.device import KeysUnreadable
    from appservice.matrix.crypto.recovery import NoIdentity, NotRestored, Recovery
    from appservice.matrix.homeserver import Homeserver
    from appservice.store import db
    from appservice.store.unit import Store

    def running() -> None:
        raise db.AlreadyRunning("another coterie runs on this database; stop it first")

    url, clock = config.appservice.database, SystemClock()
    async with AsyncExitStack() as stack:
        if alone:
            await stack.enter_async_context(db.sole_worker(url, running))
        else:
            version, latest = await db.inspect(url)
            if version < latest:
                says = f"schema is {version}, must be {latest}; do coterie run or coterie migrate first"
                raise Failed(f"{config.appservice.database_shown}: {says}")
        database = await stack.enter_async_context(db.opened(url))
        session = await stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)))
        address, as_token = config.homeserver.address, config.appservice.as_token
        homeserver = Homeserver(session, address, as_token, UserId(config.bot_mxid))
        store = Store(database, clock.now)
        crypto = Crypto(database, store, clock, homeserver, as_token, lambda: None)
        try:
            yield _Keys(store, homeserver, crypto, Recovery(store, homeserver, crypto.device))
        except (KeysUnreadable, NoIdentity, NotRestored) as error:
            raise Failed(str(error)) from None


async def _status(config: Config) -> int:
    from appservice.matrix.crypto.condition import Condition

    bad = 0
    async with _opened(config) as keys:
        async for finding in Condition(keys.store, keys.homeserver, keys.crypto.device).findings():
            bad += show(config, finding)
    return bad


async def _make(config: Config, *, ask: bool) -> str:
    async with _opened(config) as keys:
        await keys.recovery.identity()
        kept, made_at = await keys.recovery.kept()
        there = await keys.recovery.there()
        if ask and (kept or there):
            when = f", made {datetime.fromtimestamp(made_at / 1000, UTC):%Y-%m-%d}" if kept and made_at else ""
            click.confirm(f"There is a recovery key{when}. Make another, so that it stops working?", abort=True)
        return await keys.recovery.make()


async def _first(config: Config) -> str | None:
    from appservice.matrix.homeserver import HomeserverError
    from appservice.store import db

    with suppress(HomeserverError, db.AlreadyRunning):
        async with _opened(config, alone=True) as keys:
            if (await keys.recovery.kept())[0] is not None:
                return None
            await keys.homeserver.prepare(config.appservice.bot_username, config.appservice.bot_displayname)
            if await keys.recovery.there() is not None:
                click.echo(f"The homeserver keeps an identity of the bot that this database does not know: {_RESTORE}")
                return None
            if await keys.crypto.device.identity() is None:
                await keys.crypto.device.new_identity()
            return await keys.recovery.make()
    return None


async def _restore(config: Config, key: str) -> None:
    async with _opened(config, alone=True) as keys:
        await keys.recovery.restore(key)


async def _reset(config: Config, *, identity: bool, ask: bool) -> bool:
    from appservice.matrix.crypto.recovery import reset

    async with _opened(config, alone=True) as keys:
        if ask:
            what = "the bot's identity and the keys of its device" if identity else "the keys of the bot's device"
            more = " Who has verified the bot has to do so again." if identity else ""
            click.confirm(f"Forget {what} for good?{more}", abort=True)
        return await reset(keys.store, keys.crypto.device, keys.crypto.passphrase, identity=identity)


def _is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _recovery_key(file: IO[str] | None) -> str:
    sources: tuple[Callable[[], str], ...] = (
        lambda: file.read() if file is not None else "",
        lambda: os.environ.get(VARIABLE, ""),
        lambda: click.prompt("Recovery key", hide_input=True) if sys.stdin.isatty() else sys.stdin.read(),
    )
    key = next((key for key in (source().strip() for source in sources) if key), None)
    if key is None:
        raise click.UsageError(f"Give the recovery key: in a terminal, by --key-file, or as {VARIABLE}.")
    return key


def _shown(config: Config, key: str) -> str:
    return f"""The recovery key of {config.bot_mxid}:

  {key}

It is not shown again. Keep it away from this machine and its backups, in a password manager for example.
If the database is ever lost: {_RESTORE}
"""
