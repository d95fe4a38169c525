"""Both database engines for tests: an empty database of each, and a clock that is set by hand."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import random
import secrets
from collections.abc import AsyncIterator, Awaitable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import pytest

from appservice.store import db
from appservice.store.db import Database
from tests.harness.postgres import Postgres

T = TypeVar("T")

_SHARED = f"coterie_test_{secrets.token_hex(6)}"
_made: list[bytes] = []
_CUT = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)

SQLITE, POSTGRES = "sqlite", "postgres"
ENGINES = (SQLITE, POSTGRES)
on_sqlite = pytest.mark.parametrize("engine", [SQLITE], indirect=True)
on_postgres = pytest.mark.parametrize("engine", [POSTGRES], indirect=True)
"""For a test that says something of one engine only."""
START = 1_800_000_000_000
"""When the clock of a test stands at first (ms)."""


@dataclass
class SetClock:
    """A clock that stands still until it is moved."""

    at: int = START

    def now(self) -> int:
        return self.at

    def pass_ms(self, ms: int) -> None:
        self.at += ms


@functools.cache
def postgres() -> Postgres:
    """The PostgreSQL server of this test run. Its keeper ends it when this process ends."""
    return Postgres().__enter__()


@asynccontextmanager
async def bare_database(engine: str, folder: Path) -> AsyncIterator[str]:
    """The URL of a database without tables."""
    if engine == SQLITE:
        yield f"sqlite://{folder / 'coterie.db'}"
    else:
        async with postgres().fresh_database() as url:
            yield url


async def empty_database(engine: str, folder: Path) -> str:
    """The URL of a database without rows; on PostgreSQL it is the same for every test, for speed."""
    if engine == SQLITE:
        if not _made:
            await db.migrate(f"sqlite://{folder / 'made.db'}")
            _made.append((folder / "made.db").read_bytes())
        (folder / "coterie.db").write_bytes(_made[0])
        return f"sqlite://{folder / 'coterie.db'}"
    url = postgres().url(_SHARED)
    try:
        connection = await asyncpg.connect(url)
    except asyncpg.InvalidCatalogNameError:
        await _as_admin(f"CREATE DATABASE {_SHARED} TEMPLATE template0")
        await _as_admin(f"ALTER DATABASE {_SHARED} SET deadlock_timeout = '20ms'")
        return url
    try:
        await connection.execute(_CUT)
        with contextlib.suppress(asyncpg.UndefinedTableError):  # before the first test
            await connection.execute("".join(_EMPTY))
    finally:
        await connection.close()
    return url


async def drop_shared_database() -> None:
    """Leave nothing behind on a server that is not ours alone."""
    if postgres.cache_info().currsize:
        await _as_admin(f"DROP DATABASE IF EXISTS {_SHARED} WITH (FORCE)")


async def _as_admin(sql: str) -> None:
    connection = await asyncpg.connect(postgres().admin_url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


async def fetch(database: Database, query: str, *args: Any) -> list[tuple[Any, ...]]:
    """Rows as plain tuples, the same on both engines."""
    async with database.reading() as connection:
        return [tuple(row) for row in await connection.fetch(query, *args)]


async def count(database: Database, table: str) -> int:
    """How many rows a table has."""
    ((rows,),) = await fetch(database, f"SELECT COUNT(*) FROM {table}")
    return int(rows)


async def counts(database: Database) -> dict[str, int]:
    """How many rows each table has that has any."""
    return {table: rows for table in TABLES if (rows := await count(database, table))}


TABLES = (
    "question_note", "question_event", "question", "unplaced_question", "proposal", "canned",
    "arrival", "effect", "timer", "setting", "room", "direct", "ledger", "payment", "checkout", "unplaced",
    "shown_in", "purchase_order", "card_event", "card", "tranche", "group_buy", "recommendation", "liked", "product",
    "alias", "vouch", "code", "waiting", "guess", "told", "adoption", "member", "coterie_group",
    "megolm_inbound", "megolm_index", "megolm_outbound", "crypto_account", "crypto_tracked_user", "crypto_device",
    "crypto_olm_session", "crypto_cross_signing_keys", "crypto_cross_signing_signatures",
)  # fmt: skip
"""Every table with rows of ours; what refers to another comes before it."""
_EMPTY = (
    *(f"DELETE FROM {table};" for table in TABLES),  # faster than TRUNCATE
    *(
        f"SELECT setval(pg_get_serial_sequence('{table}', 'seq'), 1, false);"
        for table in ("arrival", "effect", "ledger", "guess")
    ),
)


async def cut_connections(url: str) -> int:
    """End every other session on a PostgreSQL database, as a restart of the server would; tells how many.

    Returns when they have ended and this process has been told so.
    """
    connection = await asyncpg.connect(url)
    try:
        return len(await connection.fetch(_CUT))
    finally:
        await connection.close()
        await asyncio.sleep(0.02)


async def gathered(work: Iterable[Awaitable[T]]) -> list[T]:
    """All results, or the first error once everything has ended."""
    results = await asyncio.gather(*work, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]


async def at_once(work: Sequence[Awaitable[T]], seed: int = 1) -> list[T]:
    """Results of everything started in a random order, in the order of the list."""
    order = list(enumerate(work))
    random.Random(seed).shuffle(order)
    results = await gathered(one for _, one in order)
    return [result for _, result in sorted(zip((n for n, _ in order), results, strict=True), key=lambda pair: pair[0])]
