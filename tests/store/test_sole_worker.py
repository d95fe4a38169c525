"""One instance works on a database; a second one stands by (PostgreSQL) or is refused (SQLite)."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import pytest

from appservice.store import db
from tests.store.engine import POSTGRES, SQLITE, bare_database, cut_connections

SOON = 5
"""Seconds; whoever stands by asks once a second."""


@dataclass
class Instance:
    """One service that wants to work on the database."""

    url: str
    waits: int = 0
    works: asyncio.Event = field(default_factory=asyncio.Event)
    lost: asyncio.Event | None = None
    leave: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        async with db.sole_worker(self.url, self._waiting) as self.lost:
            self.works.set()
            await self.leave.wait()
        self.works.clear()

    def _waiting(self) -> None:
        self.waits += 1


@asynccontextmanager
async def running(instance: Instance) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(instance.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait({task}, timeout=SOON)


@pytest.fixture
async def server_url(tmp_path: Path) -> AsyncIterator[str]:
    async with bare_database(POSTGRES, tmp_path) as url:
        yield url


async def works(instance: Instance) -> None:
    await asyncio.wait_for(instance.works.wait(), SOON)


# PostgreSQL


async def test_a_second_instance_stands_by_and_takes_over_when_the_first_ends(server_url: str) -> None:
    first, second = Instance(server_url), Instance(server_url)
    async with running(first):
        await works(first)
        assert first.waits == 0
        async with running(second):
            await asyncio.sleep(0.3)
            assert (second.waits, second.works.is_set()) == (1, False)
            first.leave.set()
            await works(second)
            assert second.waits == 1, "it said that it waits once"
            assert not first.works.is_set()
            assert first.lost is not None
            assert second.lost is not None
            assert not second.lost.is_set()


async def test_whoever_is_cancelled_while_it_works_lets_the_next_take_over(server_url: str) -> None:
    first, second = Instance(server_url), Instance(server_url)
    async with running(first) as task:
        await works(first)
        async with running(second):
            task.cancel()
            await works(second)


async def test_whoever_is_cancelled_while_it_stands_by_never_works(server_url: str) -> None:
    first, second, third = (Instance(server_url) for _ in range(3))
    async with running(first):
        await works(first)
        async with running(second) as waiting:
            await asyncio.sleep(0.2)
            waiting.cancel()
            await asyncio.wait({waiting}, timeout=SOON)
            assert waiting.cancelled()
        first.leave.set()
        async with running(third):
            await works(third)
        assert not second.works.is_set()


async def test_an_instance_whose_connection_is_cut_learns_it_and_another_takes_over(server_url: str) -> None:
    first, second = Instance(server_url), Instance(server_url)
    async with running(first):
        await works(first)
        assert first.lost is not None
        assert await cut_connections(server_url) == 1
        await asyncio.wait_for(first.lost.wait(), SOON)
        async with running(second):
            await works(second)
            assert second.waits == 0
            first.leave.set()  # its end, late, takes nothing from the second
            await asyncio.sleep(0.1)
            third = Instance(server_url)
            async with running(third):
                await asyncio.sleep(0.2)
                assert (third.waits, third.works.is_set()) == (1, False)


async def test_an_instance_that_stands_by_survives_as_an_error_that_its_connection_is_cut(server_url: str) -> None:
    first, second = Instance(server_url), Instance(server_url)
    async with running(first):
        await works(first)
        async with running(second) as waiting:
            await asyncio.sleep(0.2)
            await cut_connections(server_url)
            await asyncio.wait({waiting}, timeout=SOON)
            with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
                await waiting


async def test_an_instance_that_was_killed_lets_the_next_take_over(server_url: str) -> None:
    code = (
        "import asyncio, sys\nfrom appservice.store import db\n"
        "async def main():\n"
        "    async with db.sole_worker(sys.argv[1], lambda: None):\n"
        "        print('works', flush=True)\n        await asyncio.sleep(60)\n"
        "asyncio.run(main())"
    )
    for url in (server_url,):
        process = subprocess.Popen([sys.executable, "-c", code, url], stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"works\n"
        second = Instance(url)
        async with running(second):
            await asyncio.sleep(0.2)
            assert second.waits == 1
            process.kill()
            process.wait()
            process.stdout.close()
            await works(second)


async def test_instances_on_different_databases_do_not_know_of_each_other(server_url: str, tmp_path: Path) -> None:
    async with bare_database(POSTGRES, tmp_path) as other_url:
        first, second = Instance(server_url), Instance(other_url)
        async with running(first), running(second):
            await works(first)
            await works(second)


async def test_the_lock_keeps_nobody_from_writing_to_the_journal(server_url: str) -> None:
    """Whoever stands by answers the homeserver as well."""
    first = Instance(server_url)
    async with running(first), db.opened(server_url) as database:
        await works(first)
        async with asyncio.timeout(SOON), database.transaction() as connection:
            await connection.execute("INSERT INTO setting (name, value) VALUES ('a', 'b')")


# SQLite


async def test_a_second_instance_on_sqlite_is_refused_in_plain_words(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path / 'coterie.db'}"
    first, second = Instance(url), Instance(url)
    async with running(first):
        await works(first)
        with pytest.raises(db.AlreadyRunning, match=r"another coterie runs.*coterie\.db\.lock.*stop it first"):
            await second.run()
        assert second.waits == 0
        assert first.works.is_set()
    await asyncio.wait_for(asyncio.create_task(_comes_and_goes(url)), SOON)


async def test_a_second_process_on_sqlite_is_refused(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path / 'coterie.db'}"
    code = (
        "import asyncio, sys\nfrom appservice.store import db\n"
        "async def main():\n    async with db.sole_worker(sys.argv[1], lambda: None):\n        pass\n"
        "asyncio.run(main())"
    )
    first = Instance(url)
    async with running(first):
        await works(first)
        refused = subprocess.run([sys.executable, "-c", code, url], capture_output=True, text=True, check=False)
        assert refused.returncode == 1
        assert "AlreadyRunning" in refused.stderr
    subprocess.run([sys.executable, "-c", code, url], check=True)


@pytest.mark.parametrize("engine", [SQLITE])
async def test_a_lock_file_left_by_a_crash_is_no_lock(engine: str, tmp_path: Path) -> None:
    (tmp_path / "coterie.db.lock").write_bytes(b"4711\n")
    await _comes_and_goes(f"sqlite://{tmp_path / 'coterie.db'}")


async def test_a_lock_file_that_cannot_be_made_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await _comes_and_goes(f"sqlite://{tmp_path / 'none' / 'coterie.db'}")


async def test_migrating_does_not_wait_for_the_instance_that_works(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path / 'coterie.db'}"
    first = Instance(url)
    async with running(first), asyncio.timeout(SOON):
        await works(first)
        await db.migrate(url)
    assert sorted(os.listdir(tmp_path)) == ["coterie.db", "coterie.db.lock"]


async def _comes_and_goes(url: str) -> None:
    async with db.sole_worker(url, lambda: pytest.fail("it waits")) as lost:
        assert not lost.is_set()
