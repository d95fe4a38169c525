"""A database on each engine, empty for each test, and the store on it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from appservice.store import db
from appservice.store.db import Database
from appservice.store.unit import Store
from tests.store.engine import ENGINES, SetClock, bare_database, drop_shared_database, empty_database


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
