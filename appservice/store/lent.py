"""A database as mautrix's crypto store wants it, over ours: what it writes belongs to the unit in hand."""

import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

from mautrix.util.async_db import Scheme

from appservice.store.db import Connection, Database

_lent: ContextVar[Connection | None] = ContextVar("lent", default=None)


class _LentConnection:
    """A connection inside a transaction; an inner transaction is part of it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def execute(self, query: str, *args: Any) -> Any:
        return await self._connection.execute(query, *args)

    async def executemany(self, query: str, rows: Sequence[Sequence[Any]]) -> None:
        for row in rows:
            await self._connection.execute(query, *row)

    async def copy_records_to_table(self, table: str, *, records: Sequence[Any], columns: Sequence[str]) -> None:
        places = ", ".join(f"${place}" for place in range(1, len(columns) + 1))
        await self.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})", records)  # noqa: S608

    def transaction(self) -> AbstractAsyncContextManager[None]:
        return nullcontext()


class LentDatabase:
    """What `PgCryptoStore` asks of mautrix's `Database`. Inside `lending` everything takes place on that connection,
    and is committed or undone with it; outside, each statement is a transaction of its own.

    No task may be born inside `lending`: it would inherit the connection.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.scheme = Scheme.SQLITE if database.is_sqlite else Scheme.POSTGRES
        self.log = logging.getLogger("coterie.keys")

    @contextmanager
    def lending(self, connection: Connection) -> Iterator[None]:
        """Have a connection used for whatever this task does inside the block."""
        token = _lent.set(connection)
        try:
            yield
        finally:
            _lent.reset(token)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Give the connection that is lent, or one with a transaction of its own."""
        lent = _lent.get()
        if lent is not None:
            yield lent
        else:
            async with self._database.transaction() as connection:
                with self.lending(connection):
                    yield connection

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[_LentConnection]:
        async with self.transaction() as connection:
            yield _LentConnection(connection)

    async def execute(self, query: str, *args: Any) -> Any:
        async with self.transaction() as connection:
            return await connection.execute(query, *args)

    async def fetch(self, query: str, *args: Any) -> list[Any]:
        async with self._looking(query) as connection:
            return await connection.fetch(query, *args)

    async def fetchrow(self, query: str, *args: Any) -> Any:
        async with self._looking(query) as connection:
            return await connection.fetchrow(query, *args)

    async def fetchval(self, query: str, *args: Any) -> Any:
        async with self._looking(query) as connection:
            return await connection.fetchval(query, *args)

    def _looking(self, query: str) -> AbstractAsyncContextManager[Connection]:
        is_look = _lent.get() is None and query.lstrip().startswith("SELECT")
        return self._database.reading() if is_look else self.transaction()
