"""The only door to mautrix.util.async_db: opening, migrating, and transactions that survive cancellation."""

import asyncio
import fcntl
import logging
import os
import re
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import IO, Any, Protocol

import asyncpg
from mautrix.util.async_db import Database as AsyncDatabase
from mautrix.util.async_db import Scheme, UnsupportedDatabaseVersion
from yarl import URL

from appservice.store.migrations import UPGRADES, VERSION_TABLE

log = logging.getLogger("coterie.store")

STANDBY_LOCK = 0x636F7465726965  # "coterie": any constant that other programs do not use will do
_PARAMETER = re.compile(r"\$(\d+)")
_SCHEMA_LOCK = 0x736368656D61  # "schema"


class Connection(Protocol):
    """What the stores use of a connection: the same on both engines, with parameters as $1, $2 …"""

    scheme: Scheme
    wrapped: Any

    async def execute(self, query: str, *args: Any) -> Any: ...
    async def fetch(self, query: str, *args: Any) -> list[Any]: ...
    async def fetchrow(self, query: str, *args: Any) -> Any: ...
    async def fetchval(self, query: str, *args: Any) -> Any: ...


class _SqliteConnection:
    """SQLite with one step of its thread for each statement. mautrix takes three, and a caller who is cancelled between
    them leaves a statement open, with it a lock, and the next transaction of that connection fails."""

    scheme = Scheme.SQLITE

    def __init__(self, wrapped: Any) -> None:
        self.wrapped = wrapped

    async def fetch(self, query: str, *args: Any) -> list[Any]:
        return list(await self.wrapped.execute_fetchall(_PARAMETER.sub(r"?\1", query), args))

    async def execute(self, query: str, *args: Any) -> Any:
        await self.fetch(query, *args)

    async def fetchrow(self, query: str, *args: Any) -> Any:
        rows = await self.fetch(query, *args)
        return rows[0] if rows else None

    async def fetchval(self, query: str, *args: Any) -> Any:
        row = await self.fetchrow(query, *args)
        return None if row is None else row[0]


class NewerSchema(Exception):
    """The database was made by a newer Coterie."""


class UnitLost(Exception):
    """The whole transaction is gone, though its unit went on: the unit can only be tried again."""


_LOST = (
    sqlite3.Error, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, ValueError,
)  # fmt: skip


class Database:
    """An open database. `transaction` is for writing, `reading` for a look without a lock."""

    def __init__(self, pool: AsyncDatabase) -> None:
        self._pool = pool
        self.is_sqlite = pool.scheme is Scheme.SQLITE
        self._writer = asyncio.Lock()  # SQLite has one writer; waiting here is fair, its busy timeout is not

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Give a connection inside a transaction: committed on leaving, rolled back on any exception or
        cancellation."""
        if self.is_sqlite:
            async with self._writer, self._transaction("BEGIN IMMEDIATE") as connection:
                yield connection
        else:
            async with self._transaction("BEGIN") as connection:
                yield connection

    def snapshot(self) -> AbstractAsyncContextManager[Connection]:
        """Give a connection that reads the database as it is at one moment, whoever writes meanwhile."""
        return self._transaction("BEGIN" if self.is_sqlite else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    @asynccontextmanager
    async def _transaction(self, begin: str) -> AsyncIterator[Connection]:
        async with self.reading() as connection:
            try:
                await connection.execute(begin)
                yield connection
                if await connection.execute("COMMIT") == "ROLLBACK":  # PostgreSQL, where an error was passed over
                    raise UnitLost("nothing was written: a statement had failed")
            except BaseException:
                await _surely(self._rollback(connection))
                raise

    async def _rollback(self, connection: Connection) -> None:
        try:
            if self.is_sqlite:
                await connection.wrapped.rollback()
            elif not connection.wrapped.is_closed() and connection.wrapped.is_in_transaction():
                await connection.execute("ROLLBACK")
        except _LOST as error:
            log.warning("rollback failed, the connection was lost: %s", type(error).__name__)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection]:
        """Give a connection outside a transaction."""
        async with self._pool.acquire_direct() as connection:
            yield _SqliteConnection(connection.wrapped) if self.is_sqlite else connection

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.stop()


def is_sqlite(connection: Connection) -> bool:
    """Tell which of the two engines a connection leads to."""
    return connection.scheme is Scheme.SQLITE


def storable(text: str, longest: int = 500) -> str:
    """Give a text as both engines can keep it, cut: what is noted of an error may quote what a member sent."""
    return text[:longest].encode("utf-8", "replace").decode().replace("\0", "\ufffd")


async def _surely(work: Awaitable[None]) -> None:
    """Finish the work even if this task is cancelled meanwhile; the cancellation comes after it."""
    task = asyncio.ensure_future(work)  # noqa: TID251 - only so that it can be shielded to its end
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    task.result()
    if cancelled is not None:
        raise cancelled


def is_transient(error: BaseException) -> bool:
    """Tell whether the database, and not what was asked of it, is to blame: try the unit again later."""
    if isinstance(error, (UnitLost, asyncpg.DeadlockDetectedError, asyncpg.SerializationError)):
        return True
    if isinstance(error, (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.OperatorInterventionError)):
        return True
    if isinstance(error, (asyncpg.InsufficientResourcesError, asyncpg.InternalClientError, OSError)):
        return True  # asyncpg loses its own step now and then when a connection breaks
    return isinstance(error, sqlite3.OperationalError) and any(
        word in str(error) for word in ("locked", "busy", "disk", "I/O", "readonly", "unable to open")
    )


def _sqlite_path(url: str) -> Path | None:
    """Give the file of an SQLite URL, or None for PostgreSQL."""
    parsed = URL(url)
    return Path(parsed.path) if parsed.scheme.startswith("sqlite") else None


def _pool(url: str) -> AsyncDatabase:
    if _sqlite_path(url):
        # WAL with synchronous=FULL: what was answered with 200 survives a power cut
        options: dict[str, Any] = {"min_size": 3, "init_commands": ["PRAGMA synchronous = FULL"]}
    else:
        options = {"min_size": 2, "max_size": 10, "meow_exit_on_ice": False}
    return AsyncDatabase.create(
        url, db_args=options, owner_name="coterie", ignore_foreign_tables=False, upgrade_table=UPGRADES
    )


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    """Open the database at the URL, at the newest schema. Raises NewerSchema where it has one that is newer still."""
    path = _sqlite_path(url)
    if path is not None and path.parent.is_dir():
        path.touch(mode=0o600)  # who is in which group is nobody else's business
    pool = _pool(url)
    database = Database(pool)
    try:
        async with _alone_with_schema(url):
            await pool.start()
        yield database
    except UnsupportedDatabaseVersion as error:
        version, latest = await inspect(url)
        raise NewerSchema(
            f"the database has schema {version}, this version knows up to {latest}; install the newer Coterie again"
        ) from error
    finally:
        await _surely(database.close())  # after a failed start as well: its threads would keep the process alive


@asynccontextmanager
async def _alone_with_schema(url: str) -> AsyncIterator[None]:
    """Wait until no other process makes or migrates the tables; none of mautrix's steps bears company."""
    path = _sqlite_path(url)
    if path is not None:
        async with _locked_folder(path.parent):
            yield
        return
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _SCHEMA_LOCK)
        yield
    finally:
        await _surely(connection.close(timeout=5))


@asynccontextmanager
async def _locked_folder(path: Path) -> AsyncIterator[None]:
    """Hold the lock of a folder: it is there before the database is, and nothing has to be cleared away."""
    folder = os.open(path, os.O_RDONLY)
    try:
        while not _try_lock(folder):  # noqa: ASYNC110 - the holder's end tells nobody
            await asyncio.sleep(0.02)
        yield
    finally:
        os.close(folder)


def _try_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        log.debug("this file system has no locks: %s", error)
    return True


async def migrate(url: str) -> tuple[int, int]:
    """Bring the database to the newest schema; gives the version before and after."""
    async with _alone_with_schema(url):  # never a version that another process is just passing through
        before, _ = await inspect(url)
    async with opened(url):
        pass
    return before, len(UPGRADES.upgrades)


async def inspect(url: str) -> tuple[int, int]:
    """Give the schema version that the database has and the newest one, changing nothing; 0 where it is empty."""
    latest = len(UPGRADES.upgrades)
    path = _sqlite_path(url)
    if path is not None and not path.exists():
        return 0, latest
    async with _raw(url) as connection:
        if not await connection.table_exists(VERSION_TABLE):
            return 0, latest
        version = await connection.fetchval(f"SELECT version FROM {VERSION_TABLE}")  # noqa: S608
        return version or 0, latest


async def probe(url: str) -> None:
    """Write in a transaction and take it back: raises where the database cannot be written to."""
    path = _sqlite_path(url)
    if path is not None and not path.exists():
        with tempfile.TemporaryFile(dir=path.parent):
            return
    async with _raw(url) as connection:
        await connection.execute("BEGIN IMMEDIATE" if connection.scheme is Scheme.SQLITE else "BEGIN")
        try:
            await connection.execute("CREATE TABLE coterie_probe (x INTEGER)")
        finally:
            await connection.execute("ROLLBACK")


@asynccontextmanager
async def _raw(url: str) -> AsyncIterator[Any]:
    if _sqlite_path(url):
        # asking for the journal mode keeps mautrix from changing it
        options: dict[str, Any] = {"min_size": 1, "init_commands": ["PRAGMA journal_mode"]}
    else:
        options = {"min_size": 1, "max_size": 1, "meow_exit_on_ice": False}
    pool = AsyncDatabase.create(url, db_args=options)
    try:
        await pool.start()
        async with pool.acquire_direct() as connection:
            yield connection
    finally:
        await _surely(pool.stop())


class AlreadyRunning(Exception):
    """Another Coterie works on this SQLite file."""


class LockLost(Exception):
    """Another instance may work on this database now."""


@asynccontextmanager
async def sole_worker(url: str, waiting: Callable[[], None]) -> AsyncIterator[asyncio.Event]:
    """Be the only instance whose workers run on this database.

    PostgreSQL: waits, calling `waiting` once, until the instance before has gone. SQLite: raises AlreadyRunning.
    Gives an event that is set when the lock was lost, upon which this instance has to stop.
    """
    lost = asyncio.Event()
    path = _sqlite_path(url)
    if path is not None:
        with _locked_file(path.with_name(path.name + ".lock")):
            yield lost
        return
    connection = await asyncpg.connect(url)
    connection.add_termination_listener(lambda _: lost.set())
    try:
        if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", STANDBY_LOCK):
            waiting()
            while not await connection.fetchval(  # noqa: ASYNC110 - the holder's end tells nobody
                "SELECT pg_try_advisory_lock($1)", STANDBY_LOCK
            ):
                await asyncio.sleep(1)
        yield lost
    finally:
        await _surely(connection.close(timeout=5))


class _locked_file:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None

    def __enter__(self) -> None:
        self._file = open(self._path, "ab")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise AlreadyRunning(
                f"another coterie runs on this database ({self._path} is locked); stop it first"
            ) from error

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
