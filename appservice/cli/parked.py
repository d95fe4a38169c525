"""The commands for what was set aside because it could not be handled."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from appservice.cli.failure import Failed, in_one_line, plain
from appservice.cli.settings import Settings, pass_settings

if TYPE_CHECKING:
    from appservice.store.parked import Parked, ParkedItem

T = TypeVar("T")

COLUMNS = ("ID", "KIND", "WHAT", "ROOM", "TRIES", "SINCE", "ERROR")


@click.group(epilog="Begin with: coterie parked list")
def parked() -> None:
    """See and settle what the service set aside because it could not handle it.

    An arrival is an event that came from the homeserver, an effect is something that had to be sent to it.
    """


@parked.command("list", epilog="Next: coterie parked show ID")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_settings
def list_(settings: Settings, as_json: bool) -> None:
    """List what is set aside, oldest first, without its content."""
    items = _with_parked(settings, lambda parked: parked.list())
    if as_json:
        click.echo(json.dumps([_fields(item) for item in items], indent=2))
    elif not items:
        click.echo("Nothing is set aside.")
    else:
        _print_table([COLUMNS, *map(_row, items)])


@parked.command(epilog="Next: coterie parked retry ID, or coterie parked drop ID")
@click.argument("id")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_settings
def show(settings: Settings, id: str, as_json: bool) -> None:
    """Show one thing with its content, which may be what a member wrote."""
    item = _shown(settings, id)
    if as_json:
        click.echo(json.dumps({**_fields(item), "content": _content(item)}, indent=2))
        return
    for name, value in zip(COLUMNS, _row(item), strict=True):
        click.echo(f"{name.lower()}: {value}")
    text = json.dumps(_content(item), indent=2, ensure_ascii=False)
    click.echo("content:\n" + "\n".join(plain(line) for line in text.split("\n")))


@parked.command(epilog="The service takes them up within moments. Next: coterie parked list")
@click.argument("ids", metavar="[ID]...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Retry everything that is set aside.")
@pass_settings
def retry(settings: Settings, ids: tuple[str, ...], every: bool) -> None:
    """Let things be tried again, when their cause has been mended."""
    if bool(ids) is every:
        raise click.UsageError("Name what to retry, or give --all.")

    async def work(parked: "Parked") -> list[str]:
        wanted = [item.id for item in await parked.list()] if every else ids
        return [id for id in wanted if not await _told(id, parked.retry(id))]

    if unknown := _with_parked(settings, work):
        raise Failed(f"not set aside: {', '.join(map(plain, unknown))}; see coterie parked list")


@parked.command(epilog="Look at it first: coterie parked show ID")
@click.argument("id")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_settings
def drop(settings: Settings, id: str, yes: bool) -> None:
    """Give one thing up for good."""
    item = _shown(settings, id)
    if not yes:
        what = plain(f"{item.kind} {item.id} ({item.what} in {item.room_id})")
        click.confirm(f"Give up {what} for good?", abort=True)
    if not _with_parked(settings, lambda parked: parked.drop(id)):
        raise _unknown(id)
    click.echo(f"{plain(id)}: given up")


def _with_parked(settings: Settings, work: Callable[["Parked"], Awaitable[T]]) -> T:
    """What `work` gives when called with the parked things of the configured database."""
    config = settings.config()

    from appservice.store import db
    from appservice.store.parked import Parked

    async def opened() -> T:
        async with db.opened(config.appservice.database) as database:
            return await work(Parked(database))

    with in_one_line(config, config.appservice.database_shown):
        return asyncio.run(opened())


async def _told(id: str, step: Awaitable[bool]) -> bool:
    done = await step
    if done:
        click.echo(f"{plain(id)}: will be tried again")
    return done


def _shown(settings: Settings, id: str) -> "ParkedItem":
    item = _with_parked(settings, lambda parked: parked.show(id))
    if item is None:
        raise _unknown(id)
    return item


def _unknown(id: str) -> Failed:
    return Failed(f"not set aside: {plain(id)}; see coterie parked list")


def _fields(item: "ParkedItem") -> dict[str, Any]:
    return {name: value for name, value in asdict(item).items() if name != "content"}


def _content(item: "ParkedItem") -> Any:
    try:
        return json.loads(item.content)
    except ValueError:
        return item.content


def _row(item: "ParkedItem") -> tuple[str, ...]:
    since = datetime.fromtimestamp(item.received_at // 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    cells = (item.id, item.kind, item.what, item.room_id, str(item.attempts), since, item.error)
    return tuple(plain(" ".join(cell.split())) for cell in cells)


def _print_table(rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
