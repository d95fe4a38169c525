"""The schema: made once, whoever comes first; never touched where it is not ours."""

import asyncio
import hashlib
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from mautrix.util.async_db import Scheme, UpgradeTable
from mautrix.util.async_db import errors as mautrix_errors
from mautrix.util.async_db.connection import LoggingConnection

from appservice.domain.group_buy import Pledger, Status
from appservice.domain.ids import GroupId, Number
from appservice.store import db, migrations
from appservice.store.migrations import UPGRADES
from appservice.store.unit import Store
from tests.store.engine import POSTGRES, SQLITE, TABLES, bare_database, fetch, gathered, on_postgres

LATEST = len(UPGRADES.upgrades)

SHAPE = {
    SQLITE: "SELECT type, name, sql FROM sqlite_master ORDER BY type, name",
    POSTGRES: """
        SELECT 'column', table_name || '.' || column_name,
               concat_ws(' ', data_type, is_nullable, column_default, is_identity, identity_generation)
        FROM information_schema.columns WHERE table_schema = 'public'
        UNION ALL SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
        UNION ALL SELECT 'constraint', conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace
        ORDER BY 1, 2""",
}
Shape = list[tuple[Any, ...]]


async def shape(url: str, engine: str) -> Shape:
    """Tables, columns, indexes and constraints, read without the code under test."""
    if engine == SQLITE:
        path = url.removeprefix("sqlite://")
        if not Path(path).exists():
            return []
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            return connection.execute(SHAPE[engine]).fetchall()
        finally:
            connection.close()
    server = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await server.fetch(SHAPE[engine])]
    finally:
        await server.close()


async def run(url: str, engine: str, *statements: str) -> None:
    """SQL without the code under test."""
    if engine == SQLITE:
        connection = sqlite3.connect(url.removeprefix("sqlite://"), isolation_level=None)
        for statement in statements:
            connection.execute(statement)
        connection.close()
        return
    server = await asyncpg.connect(url)
    try:
        for statement in statements:
            await server.execute(statement)
    finally:
        await server.close()


def file_digest(url: str) -> str:
    return hashlib.sha256(Path(url.removeprefix("sqlite://")).read_bytes()).hexdigest()


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# Making and migrating


async def test_opening_a_fresh_database_makes_every_table(bare_url: str, engine: str) -> None:
    async with db.opened(bare_url) as database:
        for table in TABLES:
            assert await fetch(database, f"SELECT * FROM {table}") == []
    names = {name for kind, name, _ in await shape(bare_url, engine) if kind == "table"}
    names |= {name.partition(".")[0] for kind, name, _ in await shape(bare_url, engine) if kind == "column"}
    assert names - {"sqlite_sequence"} == {*TABLES, "coterie_version", "database_owner"}, "TABLES in engine.py"


async def test_opening_again_changes_nothing(bare_url: str, engine: str) -> None:
    async with db.opened(bare_url):
        pass
    before = await shape(bare_url, engine)
    async with db.opened(bare_url):
        pass
    assert await shape(bare_url, engine) == before


async def test_a_migrated_database_has_the_schema_of_a_fresh_one(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From each older version on, as an operator who updates step by step has it."""
    shapes = []
    all_upgrades = list(UPGRADES.upgrades)
    for start in range(LATEST + 1):
        folder = tmp_path / str(start)
        folder.mkdir()
        async with bare_database(engine, folder) as url:
            for version in range(start, LATEST + 1):
                monkeypatch.setattr(UPGRADES, "upgrades", all_upgrades[:version])
                async with db.opened(url):
                    pass
                assert await db.inspect(url) == (version, version)
            shapes.append(await shape(url, engine))
    assert all(found == shapes[-1] for found in shapes)


async def test_orders_of_a_buy_that_had_succeeded_are_kept_whole(
    bare_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Schema 2 knew one order for each member, and nothing of payments."""
    whole = list(UPGRADES.upgrades)
    monkeypatch.setattr(UPGRADES, "upgrades", whole[:2])
    async with db.opened(bare_url) as database, database.transaction() as connection:
        for statement in (
            "INSERT INTO coterie_group (id, name, owner, cap, currency, locale, time_zone, status, created_at)"
            " VALUES ('g1', 'Wool', '@ana:x', 10, 'EUR', 'en', 'UTC', 'open', 1)",
            "INSERT INTO product (id, group_id, sku, name, price_minor, currency, link, posted_by, posted_at)"
            " VALUES ('p1', 'g1', 's', 'Throw', 8900, 'EUR', 'https://x', 1, 1)",
            "INSERT INTO group_buy (id, group_id, product_id, status, currency, tiers, pack, deadline_at, announced,"
            " opened_by, opened_at) VALUES ('b1', 'g1', 'p1', 'succeeded', 'EUR',"
            ' \'[{"minimum": 3, "unit_price": 7900}, {"minimum": 8, "unit_price": 6900}]\', 1, 5, 3, 1, 1)',
            "INSERT INTO tranche (buy_id, id, number, quantity, flex, position) VALUES ('b1', '$a', 2, 4, 0, 1)",
            "INSERT INTO purchase_order (id, buy_id, line_id, number, units, unit_minor, total_minor, currency,"
            " created_at) VALUES ('o1', 'b1', 'l1', 2, 3, 7900, 23700, 'EUR', 7)",
            "INSERT INTO purchase_order (id, buy_id, line_id, number, units, unit_minor, total_minor, currency,"
            " created_at) VALUES ('o2', 'b1', 'l2', 1, 1, 7900, 7900, 'EUR', 7)",
        ):
            await connection.execute(statement)
    monkeypatch.setattr(UPGRADES, "upgrades", whole)
    async with db.opened(bare_url) as database, Store(database, lambda: 9).unit() as unit:
        buy = await unit.buys.get("b1")
        state = await unit.orders.get(buy)
    assert buy.status is Status.COLLECTING and buy.frozen
    assert [tranche.pledger for tranche in buy.pledged] == [Pledger(GroupId("g1"), Number(2))]
    assert state is not None and (state.total, state.minimum, state.unit_price) == (4, 3, 7900)
    assert [(o.id, o.pledger.number, o.units, o.total, o.status.value) for o in state.orders] == [
        ("o2", 1, 1, 7900, "owed"), ("o1", 2, 3, 23700, "owed"),
    ]  # fmt: skip


async def test_migrate_tells_the_version_before_and_after(bare_url: str) -> None:
    assert await db.migrate(bare_url) == (0, LATEST)
    assert await db.migrate(bare_url) == (LATEST, LATEST)


async def test_a_migration_that_fails_leaves_the_version_before_it(
    bare_url: str, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with db.opened(bare_url):
        pass
    before = await shape(bare_url, engine)

    async def broken(connection: LoggingConnection, scheme: Scheme) -> None:
        await connection.execute("CREATE TABLE half (x INTEGER)")
        await connection.execute("CREATE TABLE half (x INTEGER)")

    table = UpgradeTable(version_table_name=migrations.VERSION_TABLE)
    table.upgrades = list(UPGRADES.upgrades)
    table.register(broken)
    monkeypatch.setattr(db, "UPGRADES", table)
    with pytest.raises((sqlite3.Error, asyncpg.PostgresError)):
        await db.migrate(bare_url)
    assert await shape(bare_url, engine) == before
    assert await db.inspect(bare_url) == (LATEST, LATEST + 1)


async def test_many_who_open_a_fresh_database_at_once_all_find_it_ready(bare_url: str) -> None:
    """As two instances that are started together do: mautrix alone lets them run into each other."""

    async def start() -> int:
        async with db.opened(bare_url) as database:
            return len(await fetch(database, "SELECT version FROM coterie_version"))

    assert await gathered(start() for _ in range(6)) == [1] * 6
    assert await db.inspect(bare_url) == (LATEST, LATEST)


async def test_two_processes_that_migrate_at_once_both_succeed(bare_url: str) -> None:
    code = "import asyncio, sys; from appservice.store import db; print(asyncio.run(db.migrate(sys.argv[1])))"
    processes = [
        subprocess.Popen([sys.executable, "-c", code, bare_url], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for _ in range(3)
    ]
    said = [process.communicate(timeout=30)[0].decode().strip() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], said
    assert set(said) <= {f"(0, {LATEST})", f"({LATEST}, {LATEST})"}
    assert f"(0, {LATEST})" in said
    assert await db.inspect(bare_url) == (LATEST, LATEST)


async def test_who_is_cancelled_while_waiting_to_migrate_leaves_the_others_alone(bare_url: str) -> None:
    async with db._alone_with_schema(bare_url):
        waiting = asyncio.create_task(db.migrate(bare_url))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        waiting.cancel()
        await asyncio.wait({waiting}, timeout=5)
        assert waiting.cancelled()
    async with asyncio.timeout(5):
        assert await db.migrate(bare_url) == (0, LATEST)


# What is not ours


@asynccontextmanager
async def made(url: str, engine: str, *statements: str) -> AsyncIterator[Shape]:
    """A database that somebody else made: must be the same afterwards."""
    await run(url, engine, *statements)
    before = await shape(url, engine)
    yield before
    assert await shape(url, engine) == before


async def test_a_newer_schema_is_refused_in_plain_words_and_left_alone(bare_url: str, engine: str) -> None:
    async with db.opened(bare_url):
        pass
    newer = ("UPDATE coterie_version SET version = 99", "ALTER TABLE setting ADD COLUMN later TEXT")
    async with made(bare_url, engine, *newer):
        with pytest.raises(db.NewerSchema, match=f"has schema 99, this version knows up to {LATEST}; install"):
            async with db.opened(bare_url):
                pytest.fail("it was opened")
        with pytest.raises(db.NewerSchema):
            await db.migrate(bare_url)
        assert await db.inspect(bare_url) == (99, LATEST)


@pytest.mark.parametrize("table", ["state_groups_state", "roomserver_rooms"])
async def test_a_homeservers_own_database_is_refused_and_left_alone(bare_url: str, engine: str, table: str) -> None:
    async with made(bare_url, engine, f"CREATE TABLE {table} (x INTEGER)"):
        with pytest.raises(mautrix_errors.ForeignTablesFound, match="belonging to"):
            async with db.opened(bare_url):
                pytest.fail("it was opened")


async def test_the_database_of_another_bridge_is_refused_and_left_alone(bare_url: str, engine: str) -> None:
    owner = (
        "CREATE TABLE database_owner (key INTEGER PRIMARY KEY, owner TEXT NOT NULL)",
        "INSERT INTO database_owner VALUES (0, 'mautrix-signal')",
    )
    async with made(bare_url, engine, *owner):
        with pytest.raises(mautrix_errors.DatabaseNotOwned, match="mautrix-signal"):
            async with db.opened(bare_url):
                pytest.fail("it was opened")


async def test_a_refused_database_does_not_keep_the_process_alive(tmp_path: Path) -> None:
    """SQLite's connections have threads, for which Python waits at its end."""
    url = f"sqlite://{tmp_path / 'coterie.db'}"
    await run(url, SQLITE, "CREATE TABLE state_groups_state (x INTEGER)")
    code = "import asyncio, sys; from appservice.store import db; asyncio.run(db.migrate(sys.argv[1]))"
    command = [sys.executable, "-c", code, url]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 1
    assert "ForeignTablesFound" in ended.stderr


@on_postgres
async def test_a_refused_database_keeps_no_connection(bare_url: str, engine: str) -> None:
    await run(bare_url, engine, "CREATE TABLE state_groups_state (x INTEGER)")
    with pytest.raises(mautrix_errors.ForeignTablesFound):
        await db.migrate(bare_url)
    server = await asyncpg.connect(bare_url)
    others = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    async with asyncio.timeout(5):
        while await server.fetchval(others):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    await server.close()


# Looking


async def test_inspecting_an_empty_database_tells_zero_and_makes_nothing(
    bare_url: str, engine: str, tmp_path: Path
) -> None:
    assert await db.inspect(bare_url) == (0, LATEST)
    assert await shape(bare_url, engine) == []
    assert files(tmp_path) == []


async def test_inspecting_tells_the_version_and_changes_nothing(bare_url: str, engine: str) -> None:
    async with db.opened(bare_url):
        pass
    async with made(bare_url, engine, "UPDATE coterie_version SET version = 0"):
        assert await db.inspect(bare_url) == (0, LATEST)
    async with made(bare_url, engine, "DELETE FROM coterie_version"):
        assert await db.inspect(bare_url) == (0, LATEST)


async def test_probing_writes_and_takes_it_back(bare_url: str, engine: str, tmp_path: Path) -> None:
    await db.probe(bare_url)
    assert await shape(bare_url, engine) == []
    assert files(tmp_path) == [], "a database that did not exist"
    async with db.opened(bare_url):
        pass
    before = await shape(bare_url, engine)
    await db.probe(bare_url)
    assert await shape(bare_url, engine) == before


async def test_neither_inspecting_nor_probing_changes_a_file_that_is_not_ours(tmp_path: Path) -> None:
    """Not even its journal mode, which SQLite keeps in the file."""
    url = f"sqlite://{tmp_path / 'theirs.db'}"
    await run(url, SQLITE, "PRAGMA journal_mode = DELETE", "CREATE TABLE version (version INTEGER)")
    before = file_digest(url)
    assert await db.inspect(url) == (0, LATEST)
    assert file_digest(url) == before
    await db.probe(url)
    connection = sqlite3.connect(tmp_path / "theirs.db")
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("version",)]
    connection.close()
    assert files(tmp_path) == ["theirs.db"]


async def test_probing_while_the_service_writes_waits_its_turn(bare_url: str) -> None:
    async with db.opened(bare_url) as database:
        async with database.transaction() as connection:
            await connection.execute("INSERT INTO setting (name, value) VALUES ('a', 'b')")
            waiting = asyncio.create_task(db.probe(bare_url))
            await asyncio.sleep(0.05)
        await asyncio.wait_for(waiting, 5)
        assert await fetch(database, "SELECT name FROM setting") == [("a",)]


async def test_a_database_that_cannot_be_written_is_told(engine: str, tmp_path: Path) -> None:
    if engine == SQLITE:
        url = f"sqlite://{tmp_path / 'none' / 'coterie.db'}"
        for look in (db.probe, db.migrate):
            with pytest.raises((OSError, sqlite3.Error), match=r"none|unable to open"):
                await look(url)
        assert await db.inspect(url) == (0, LATEST)
        assert files(tmp_path) == []
        return
    async with bare_database(engine, tmp_path) as url:
        await run(url, engine, f"ALTER DATABASE {url_name(url)} SET default_transaction_read_only = on")
        for look in (db.probe, db.migrate):
            with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
                await look(url)
        assert await db.inspect(url) == (0, LATEST)


def url_name(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]


async def test_a_relative_path_is_taken_from_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert await db.migrate("sqlite:with space.db") == (0, LATEST)
    assert files(tmp_path) == ["with space.db"]
