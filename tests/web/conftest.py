"""A shop on both engines."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from appservice.store import db
from appservice.store.unit import Store
from tests.harness.stripe import FakeStripe
from tests.store.engine import ENGINES, SetClock, drop_shared_database, empty_database
from tests.web.shop import Shop


@pytest.fixture(scope="session", autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    yield
    asyncio.run(drop_shared_database())


@pytest.fixture(params=ENGINES)
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[db.Database]:
    async with db.opened(await empty_database(request.param, tmp_path)) as database:
        yield database


@pytest.fixture
async def bare(database: db.Database) -> AsyncIterator[Shop]:
    """A shop that has to be opened."""
    clock = SetClock()
    async with FakeStripe(now=clock.now) as account:
        yield Shop(Store(database, clock.now), database, clock, account)


@pytest.fixture
async def shop(bare: Shop) -> AsyncIterator[Shop]:
    async with AsyncExitStack() as stack:
        await bare.open(stack)
        yield bare
