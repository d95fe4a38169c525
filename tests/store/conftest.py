"""A database on each engine, empty for each test, and the store on it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from appservice.store import db
from appservice.store.db import Database
from appservice.store.unit import Store
from tests.store.engine import ENGINES, SQLITE, SetClock, bare_database, drop_shared_database, empty_database
from tests.store.rush import Crew, Work, work_off


@pytest.fixture(scope="session", autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    yield
    asyncio.run(drop_shared_database())


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """`sqlite`, then `postgres`."""
    return str(request.param)


@pytest.fixture
async def bare_url(engine: str, tmp_path: Path) -> AsyncIterator[str]:
    """A database without tables."""
    async with bare_database(engine, tmp_path) as url:
        yield url


@pytest.fixture
async def url(engine: str, tmp_path: Path) -> str:
    """The database that the fixture `database` opens: without rows."""
    return await empty_database(engine, tmp_path)


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    """A database with every table and no row."""
    async with db.opened(url) as database:
        yield database


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def store(database: Database, clock: SetClock) -> Store:
    return Store(database, clock.now)


@pytest.fixture
async def stores(url: str, database: Database, clock: SetClock) -> AsyncIterator[list[Store]]:
    """One store on SQLite; two on PostgreSQL, each with connections of its own."""
    if database.is_sqlite:
        yield [Store(database, clock.now)]
        return
    async with db.opened(url) as second:
        yield [Store(database, clock.now), Store(second, clock.now)]


@pytest.fixture(scope="module")
def crew() -> Iterator[Crew]:
    """The two processes of the tests on PostgreSQL."""
    crew = Crew()
    yield crew
    crew.end()


@pytest.fixture
def work(request: pytest.FixtureRequest, engine: str, url: str, database: Database) -> Work:
    """What works off the journal: one process on SQLite, two on PostgreSQL, which both have their part."""
    if engine == SQLITE:
        return lambda: work_off(database)
    crew: Crew = request.getfixturevalue("crew")

    async def together() -> int:
        first, second = await crew.work_off(url)
        assert min(first, second) * 10 > first + second, (first, second)
        return first + second

    return together
