"""The command that writes tables of a group buy into files."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from appservice.cli.failure import Failed, in_one_line, plain
from appservice.cli.settings import Settings, pass_settings
from appservice.config import Config
from appservice.present.exports import Kind

if TYPE_CHECKING:
    from appservice.actions.exporting import File

ALL = "all"


@click.command(epilog="The id of a group buy stands on its card. One table: coterie export k3x9qf --kind unpaid")
@click.argument("buy")
@click.option(
    "--kind",
    "kinds",
    type=click.Choice([*(kind.value for kind in Kind), ALL]),
    multiple=True,
    default=[ALL],
    help="Which table; repeatable. All of them if none is named.",
)
@click.option(
    "--format", "suffix", type=click.Choice(["csv", "json"]), default="csv", show_default=True, help="What is written."
)
@click.option(
    "--output",
    "folder",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, writable=True, path_type=Path),
    default=".",
    help="Where the files go; the current folder if it is left out.",
)
@click.option("--force", is_flag=True, help="Overwrite files of the same names.")
@pass_settings
def export(settings: Settings, buy: str, kinds: tuple[str, ...], suffix: str, folder: Path, force: bool) -> None:
    """Write tables of a group buy that has succeeded: orders, units and money, members under their aliases.

    \b
    supplier   what to order: units by variant, packs, amounts
    by-member  what each member ordered, owes and has paid
    by-item    who gets each variant
    matrix     units, members down and variants across
    packing    whose bag gets what, with boxes to tick
    unpaid     who still owes how much, and until when
    refunds    what is to go back, and what has gone back

    Changes nothing in the database; the service may run meanwhile.
    """
    wanted = list(Kind) if ALL in kinds else [Kind(kind) for kind in dict.fromkeys(kinds)]
    config = settings.config()
    with in_one_line(config, config.appservice.database_shown):
        files = asyncio.run(_files(config, buy, wanted, as_json=suffix == "json"))
    if isinstance(files, str):
        raise Failed(files)
    there = [file.name for file in files if (folder / file.name).exists()]
    if there and not force:
        raise Failed(f"there already: {', '.join(there)}; name another folder with --output, or overwrite with --force")
    with in_one_line(config, str(folder)):
        for file in files:
            _write(folder / file.name, file.data)
            click.echo(plain(str(folder / file.name)))


async def _files(config: Config, buy_id: str, kinds: Sequence[Kind], *, as_json: bool) -> "Sequence[File] | str":
    """Give the files, or why there are none."""
    from appservice.actions.exporting import tables
    from appservice.actions.work import Work
    from appservice.clock import SystemClock
    from appservice.domain.cause import Cause
    from appservice.domain.refusal import Refusal
    from appservice.present.words.refusals import refusal
    from appservice.store import db
    from appservice.store.unit import Store

    url = config.appservice.database
    version, latest = await db.inspect(url)
    if version < latest:
        return f"{config.appservice.database_shown}: schema is {version}, must be {latest}; run coterie migrate first"
    async with db.opened(url) as database, Store(database, SystemClock().now).snapshot() as unit:
        buy = await unit.buys.find(buy_id)
        if buy is None:
            return f"there is no group buy {plain(buy_id)}; its id stands on its card"
        made = await tables(Work(unit, config, Cause("export", unit.now)), buy, kinds, as_json=as_json)
    return refusal(made) if isinstance(made, Refusal) else made


def _write(path: Path, data: bytes) -> None:
    """Write a file, whole or not at all; others on this machine cannot read it, as it says who bought what."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
