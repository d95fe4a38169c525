"""A unit: everything or nothing, with one `now`; a savepoint undoes its part and no more."""

import asyncio
import sqlite3
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest

from appservice.store import db
from appservice.store.db import Database, UnitLost, is_transient
from appservice.store.inbox import NewArrival
from appservice.store.unit import Store, Unit, fresh_id
from tests.store.engine import START, SetClock, counts, fetch, on_postgres, on_sqlite
from tests.store.given import GROUP, arrival


async def names(database: Database) -> list[str]:
    return [name for (name,) in await fetch(database, "SELECT name FROM setting ORDER BY name")]


async def break_sql(unit: Unit) -> None:
    """What PostgreSQL answers by refusing everything else until a rollback."""
    with pytest.raises((sqlite3.Error, asyncpg.PostgresError)):
        await unit.groups.add(GROUP, unit.now)
        await unit.groups.add(GROUP, unit.now)


# Units


async def test_a_unit_that_ends_well_is_seen_by_the_next(store: Store, database: Database) -> None:
    async with store.unit() as unit:
        await unit.settings.put("a", "1")
    assert await names(database) == ["a"]


async def test_a_unit_is_not_seen_by_others_before_it_ends(store: Store, database: Database) -> None:
    async with store.unit() as unit:
        await unit.settings.put("a", "1")
        assert await names(database) == []
        assert await unit.settings.get("a") == "1"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, asyncio.CancelledError, GeneratorExit, SystemExit])
async def test_whatever_is_raised_in_a_unit_undoes_all_of_it(
    store: Store, database: Database, error: type[BaseException]
) -> None:
    with pytest.raises(error):
        async with store.unit() as unit:
            await unit.groups.add(GROUP, unit.now)
            await unit.settings.put("a", "1")
            await unit.timers.set("card", "b1", 5)
            raise error
    assert await counts(database) == {}
    async with asyncio.timeout(2), store.unit() as unit:
        await unit.settings.put("b", "1")
    assert await names(database) == ["b"]


async def test_an_sql_error_undoes_the_unit_even_if_it_was_caught(store: Store, engine: str) -> None:
    """On PostgreSQL a statement that failed takes the whole transaction with it, unless a savepoint was set."""

    async def unit_with_error() -> None:
        async with store.unit() as unit:
            await unit.settings.put("before", "1")
            await break_sql(unit)
            await unit.settings.put("after", "1")

    if engine == "sqlite":
        await unit_with_error()
    else:
        with pytest.raises(asyncpg.InFailedSQLTransactionError):
            await unit_with_error()


@on_postgres
async def test_a_unit_in_which_an_sql_error_was_passed_over_does_not_end_as_if_it_had_been_written(
    store: Store, database: Database
) -> None:
    """PostgreSQL answers COMMIT with ROLLBACK then, and with no error."""
    with pytest.raises(UnitLost):
        async with store.unit() as unit:
            await unit.settings.put("before", "1")
            await break_sql(unit)
    assert await counts(database) == {}


async def test_a_unit_has_one_now_that_is_read_when_it_begins(store: Store, clock: SetClock) -> None:
    async with store.unit() as unit:
        clock.pass_ms(5)
        assert unit.now == START
    async with store.look() as unit:
        assert unit.now == START + 5


@on_sqlite
async def test_the_time_of_receipt_is_read_when_the_writing_begins_and_not_when_it_was_asked_for(
    database: Database, clock: SetClock
) -> None:
    """Who waits for the writer has not been received yet: else a settled buy could be too late for it."""
    store = Store(database, clock.now)
    async with store.unit():
        waiting = asyncio.create_task(store.journal([arrival("$a")]))
        await asyncio.sleep(0.02)
        clock.pass_ms(100)
    await waiting
    assert await fetch(database, "SELECT received_at FROM arrival") == [(START + 100,)]


async def test_many_units_at_once_on_one_row_lose_no_update(store: Store) -> None:
    async def raise_by_one() -> None:
        async with store.unit() as unit:
            await unit.groups.lock(GROUP.id)
            count = int(await unit.settings.get("count") or 0)
            await asyncio.sleep(0)
            await unit.settings.put("count", str(count + 1))

    async with store.unit() as unit:
        await unit.groups.add(GROUP, unit.now)
    await asyncio.gather(*(raise_by_one() for _ in range(40)))
    async with store.look() as unit:
        assert await unit.settings.get("count") == "40"


def test_a_fresh_id_can_be_read_out() -> None:
    ids = {fresh_id() for _ in range(500)}
    assert len(ids) == 500
    assert all(len(id) == 6 and not set(id) & set("01iloIO") for id in ids)
    assert len(fresh_id(8)) == 8


# Savepoints


async def test_a_savepoint_undoes_its_part_and_only_that(store: Store, database: Database) -> None:
    async with store.unit() as unit:
        await unit.settings.put("before", "1")
        with pytest.raises(KeyError):
            async with unit.savepoint():
                await unit.settings.put("within", "1")
                raise KeyError
        assert await unit.settings.get("within") is None
        await unit.settings.put("after", "1")
    assert await names(database) == ["after", "before"]


async def test_a_savepoint_saves_the_unit_from_an_sql_error(store: Store, database: Database) -> None:
    async with store.unit() as unit:
        await unit.settings.put("before", "1")
        for _ in range(3):
            with pytest.raises((sqlite3.Error, asyncpg.PostgresError)):
                async with unit.savepoint():
                    await unit.settings.put("within", "1")
                    await unit.groups.add(GROUP, unit.now)
                    await unit.groups.add(GROUP, unit.now)
        await unit.settings.put("after", "1")
    assert await counts(database) == {"setting": 2}


async def test_many_savepoints_follow_each_other_in_one_unit(store: Store, database: Database) -> None:
    async with store.unit() as unit:
        for n in range(60):
            with suppress(ZeroDivisionError):
                async with unit.savepoint():
                    await unit.settings.put(f"{n:02}", "")
                    n / (n % 3)
    assert await names(database) == [f"{n:02}" for n in range(60) if n % 3]


async def test_a_savepoint_within_a_savepoint_undoes_the_inner_part_only(store: Store, database: Database) -> None:
    async with store.unit() as unit, unit.savepoint():
        await unit.settings.put("outer", "")
        with pytest.raises(KeyError):
            async with unit.savepoint():
                await unit.settings.put("inner", "")
                raise KeyError
        async with unit.savepoint():
            await unit.settings.put("second", "")
    assert await names(database) == ["outer", "second"]


async def test_a_cancellation_within_a_savepoint_undoes_the_whole_unit(store: Store, database: Database) -> None:
    with pytest.raises(asyncio.CancelledError):
        async with store.unit() as unit:
            await unit.settings.put("before", "")
            async with unit.savepoint():
                await unit.settings.put("within", "")
                raise asyncio.CancelledError
    assert await names(database) == []


async def test_a_full_disk_within_a_savepoint_is_told_as_such_and_undoes_the_unit(tmp_path: Path) -> None:
    """SQLite takes the whole transaction back by itself then: there is no savepoint left to return to."""
    async with db.opened(f"sqlite://{tmp_path / 'full.db'}") as database:
        store = Store(database, SetClock().now)
        for _ in range(3):  # every connection of the pool
            async with database.transaction() as connection, database.reading() as second, database.reading() as third:
                for each in (connection, second, third):
                    await each.execute("PRAGMA max_page_count = 1")  # as many as there are
        with pytest.raises(UnitLost, match="OperationalError: database or disk is full") as full:
            async with store.unit() as unit:
                await unit.settings.put("before", "")
                async with unit.savepoint():
                    await unit.settings.put("within", "x" * 10**6)
        assert is_transient(full.value)
        assert await names(database) == []


@on_postgres
async def test_a_connection_lost_within_a_savepoint_is_told_as_such(store: Store) -> None:
    with pytest.raises(UnitLost) as lost:
        async with store.unit() as unit, unit.savepoint():
            await unit.settings.put("a", "")
            await unit.settings._connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    assert is_transient(lost.value)
    async with asyncio.timeout(2), store.unit() as unit:
        assert await unit.settings.get("a") is None


# What is to blame


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (sqlite3.OperationalError("database is locked"), True),
        (sqlite3.OperationalError("database table is locked"), True),
        (sqlite3.OperationalError("disk I/O error"), True),
        (sqlite3.OperationalError("database or disk is full"), True),
        (sqlite3.OperationalError("attempt to write a readonly database"), True),
        (sqlite3.OperationalError("unable to open database file"), True),
        (sqlite3.OperationalError("no such table: x"), False),
        (sqlite3.IntegrityError("UNIQUE constraint failed: locked"), False),
        (UnitLost("x"), True),
        (asyncpg.DeadlockDetectedError("x"), True),
        (asyncpg.SerializationError("x"), True),
        (asyncpg.ConnectionDoesNotExistError("x"), True),
        (asyncpg.InterfaceError("connection is closed"), True),
        (asyncpg.AdminShutdownError("x"), True),
        (asyncpg.CannotConnectNowError("x"), True),
        (asyncpg.TooManyConnectionsError("x"), True),
        (asyncpg.DiskFullError("x"), True),
        (asyncpg.InternalClientError("cannot switch to state 15"), True),
        (ConnectionRefusedError(), True),
        (TimeoutError(), True),
        (asyncpg.UniqueViolationError("x"), False),
        (asyncpg.DataError("invalid input"), False),
        (asyncpg.CharacterNotInRepertoireError("x"), False),
        (KeyError("disk"), False),
        (ValueError("locked"), False),
        (RecursionError(), False),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_the_database_is_told_from_what_was_asked_of_it(error: Exception, transient: bool) -> None:
    assert is_transient(error) is transient


async def test_what_cannot_be_stored_is_not_blamed_on_the_database(store: Store, engine: str) -> None:
    """An arrival that asks for it has to be parked, not tried for ever."""
    for text in ["\ud800"] if engine == "sqlite" else ["\ud800", "\0"]:
        with pytest.raises(Exception) as refused:
            async with store.unit() as unit:
                await unit.settings.put("name", text)
        assert not is_transient(refused.value), refused.value


async def test_a_number_too_large_for_its_column_is_not_blamed_on_the_database(store: Store) -> None:
    with pytest.raises(Exception) as refused:
        async with store.unit() as unit:
            await unit.timers.set("card", "b1", 2**63)
    assert not is_transient(refused.value), refused.value


async def test_no_arrivals_need_no_row(store: Store, database: Database) -> None:
    nothing: list[NewArrival] = []
    assert await store.journal(nothing) == 0
    assert await counts(database) == {}
