"""The part of `coterie check` that looks at the database."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import TypeVar

from appservice.config import Config
from appservice.matrix.finding import SECONDS, Finding, Verdict, in_words
from appservice.store import db

T = TypeVar("T")


async def database_findings(config: Config) -> AsyncIterator[Finding]:
    """Say whether the database can be used, and whether its schema fits; a write is taken back."""
    where = config.appservice.database_shown
    version, trouble = await _tried(db.inspect(config.appservice.database))
    if trouble or version is None:
        mend = "correct appservice.database, start the database server, or let Coterie's user use it"
        yield Finding("database", Verdict.BAD, f"{where}: {trouble}", mend)
        yield Finding("schema", Verdict.SKIPPED, "not checked: the database comes first")
        return
    _, trouble = await _tried(db.probe(config.appservice.database))
    if trouble:
        mend = "give Coterie's user the right to write (SQLite: to the file and its folder)"
        yield Finding("database", Verdict.BAD, f"{where} cannot be written: {trouble}", mend)
    else:
        yield Finding("database", Verdict.GOOD, f"{where} can be written")
    yield _schema(*version)


def _schema(version: int, latest: int) -> Finding:
    if version == latest:
        return Finding("schema", Verdict.GOOD, f"{version}, the newest")
    if version > latest:
        says = f"{version} is of a newer Coterie; this one knows up to {latest}"
        return Finding("schema", Verdict.BAD, says, "install the newer Coterie again")
    if version == 0:
        return Finding("schema", Verdict.GOOD, "empty; the tables will be made at the first run")
    return Finding("schema", Verdict.BAD, f"{version}, needs {latest}", "run coterie migrate")


async def _tried(step: Awaitable[T]) -> tuple[T | None, str]:
    """What a database step gives, or in a few words why it gave nothing."""
    try:
        return await asyncio.wait_for(step, SECONDS), ""
    except TimeoutError:
        return None, f"no answer within {SECONDS} seconds"
    except Exception as error:
        return None, in_words(error)
