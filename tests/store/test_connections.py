"""Every connection is set up so that what was answered with 200 survives; a lost one is replaced."""

import asyncio
from contextlib import AsyncExitStack

import asyncpg
import pytest

from appservice.store import db
from appservice.store.db import Database, is_transient
from appservice.store.unit import Store
from tests.store.engine import SetClock, count, counts, cut_connections, fetch, gathered, on_postgres, on_sqlite
from tests.store.given import GROUP, arrival, group_exists

CUT = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)


# SQLite


@on_sqlite
async def test_every_pooled_connection_writes_through_to_the_disk(database: Database) -> None:
    seen = []
    async with AsyncExitStack() as stack:
        for _ in range(3):
            connection = await stack.enter_async_context(database.reading())
            settings = [
                await connection.fetchval(f"PRAGMA {name}")
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            ]
            assert settings == ["wal", 2, 1, 5000]
            seen.append(connection.wrapped)
        assert len(set(map(id, seen))) == 3
        with pytest.raises(TimeoutError):  # there is no fourth
            async with asyncio.timeout(0.05), database.reading():
                pass


async def test_foreign_keys_are_kept(store: Store, database: Database) -> None:
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        async with store.unit() as unit:
            await unit.groups.add(GROUP, unit.now)
            await database_row_without_group(unit._connection)
    assert await counts(database) == {}


async def database_row_without_group(connection: db.Connection) -> None:
    await connection.execute(
        "INSERT INTO member (group_id, user_id, presence, power, since_at) VALUES ('none', '@a:b', 'left', 0, 0)"
    )


@on_sqlite
async def test_the_writers_of_one_process_take_turns_in_the_order_in_which_they_came(
    store: Store, database: Database
) -> None:
    async def one(n: int) -> None:
        async with store.unit() as unit:
            await unit.settings.put(f"{n:02}", "")
            await asyncio.sleep(0)

    await gathered(one(n) for n in range(50))
    written = await fetch(database, "SELECT name FROM setting ORDER BY rowid")
    assert [name for (name,) in written] == [f"{n:02}" for n in range(50)]


async def test_readers_do_not_wait_for_the_writer(store: Store) -> None:
    async with store.unit() as writer:
        await writer.settings.put("a", "1")
        async with asyncio.timeout(2):
            for _ in range(20):
                async with store.look() as unit:
                    assert await unit.settings.get("a") is None


@on_sqlite
async def test_another_process_that_writes_is_waited_for(url: str, store: Store) -> None:
    """As `coterie parked retry` beside the running service."""
    async with db.opened(url) as other:
        async with other.transaction() as connection:
            await connection.execute("INSERT INTO setting (name, value) VALUES ('theirs', '')")
            waiting = asyncio.create_task(store.journal([arrival("$a")]))
            await asyncio.sleep(0.1)
            assert not waiting.done()
        assert await asyncio.wait_for(waiting, 5) == 1


# PostgreSQL


@on_postgres
async def test_after_all_connections_were_cut_the_next_unit_works(url: str, store: Store, database: Database) -> None:
    await group_exists(store)
    await gathered(store.journal([arrival(f"${n}")]) for n in range(10))  # fills the pool
    assert await cut_connections(url) >= 2
    for n in range(12):
        async with store.unit() as unit:
            await unit.groups.lock(GROUP.id)
            await unit.settings.put(f"{n}", "")
    assert await count(database, "setting") == 12


@on_postgres
async def test_a_unit_whose_connection_is_cut_is_undone_and_blames_the_database(
    url: str, store: Store, database: Database
) -> None:
    await group_exists(store)
    with pytest.raises(CUT) as cut:
        async with store.unit() as unit:
            await unit.groups.lock(GROUP.id)
            await unit.settings.put("a", "")
            await cut_connections(url)
            await unit.settings.put("b", "")
    assert is_transient(cut.value)
    async with asyncio.timeout(2), store.unit() as unit:
        await unit.groups.lock(GROUP.id)  # the lock went with the connection
    assert await count(database, "setting") == 0


@on_postgres
async def test_a_unit_whose_connection_is_cut_before_its_commit_does_not_end_well(
    url: str, store: Store, database: Database
) -> None:
    with pytest.raises(CUT) as cut:
        async with store.unit() as unit:
            await unit.settings.put("a", "")
            await cut_connections(url)
    assert is_transient(cut.value)
    assert await count(database, "setting") == 0


@on_postgres
async def test_units_under_way_all_fail_or_succeed_when_connections_are_cut_again_and_again(
    url: str, store: Store, database: Database
) -> None:
    """Whatever is told to have ended well is there; whatever is told to have failed is not, or the commit's answer
    was lost."""
    await group_exists(store)
    done: set[str] = set()
    lost: set[str] = set()

    async def one(name: str) -> None:
        try:
            async with store.unit() as unit:
                await unit.groups.lock(GROUP.id)
                await unit.settings.put(name, "")
            done.add(name)
        except CUT as error:
            assert is_transient(error), repr(error)
            lost.add(name)

    async def storm() -> None:
        for _ in range(5):
            await asyncio.sleep(0.02)
            await cut_connections(url)

    await asyncio.gather(storm(), *(one(f"{n:03}") for n in range(150)))
    written = {name for (name,) in await fetch(database, "SELECT name FROM setting")}
    assert done <= written
    assert len(done) + len(lost) == 150
    assert len(written - done) <= 5  # at most one commit was under way each time
    async with asyncio.timeout(2), store.unit() as unit:
        await unit.groups.lock(GROUP.id)


async def test_more_units_at_once_than_connections_wait_their_turn(store: Store, database: Database) -> None:
    async def one(n: int) -> None:
        async with store.unit() as unit:
            await unit.settings.put(f"{n}", "")
            await asyncio.sleep(0.001)

    async with asyncio.timeout(20):
        await gathered(one(n) for n in range(80))
    assert await count(database, "setting") == 80


async def test_a_closed_database_cannot_be_used_any_more(url: str, clock: SetClock) -> None:
    async with db.opened(url) as database:
        pass
    with pytest.raises((RuntimeError, asyncpg.InterfaceError)):
        async with Store(database, clock.now).unit():
            pytest.fail("it was open")
