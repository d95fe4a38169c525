"""A store on SQLite, a clock that is set by hand, and workers that end with their test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import pytest

from tests.store.conftest import clock, database, store  # noqa: F401 - the same fixtures, on SQLite
from tests.store.engine import SQLITE, drop_shared_database, empty_database

SOON = 5
"""Seconds after which a test gives up waiting."""


class Worker(Protocol):
    async def run(self) -> None: ...
    def stop(self) -> None: ...
    def ring(self) -> None: ...


@asynccontextmanager
async def running(worker: Worker) -> AsyncIterator[asyncio.Task[None]]:
    """The worker at work inside the block, stopped at its end."""
    task = asyncio.create_task(worker.run())
    try:
        yield task
    finally:
        worker.stop()
        done, _ = await asyncio.wait({task}, timeout=SOON)
        task.cancel()
        assert done, "the worker did not stop"
    if not task.cancelled():
        task.result()


async def until(holds: Callable[[], Awaitable[object] | object], seconds: float = SOON) -> None:
    """Wait until something holds; it is asked every few milliseconds."""
    async with asyncio.timeout(seconds):
        while True:
            held = holds()
            if isinstance(held, Awaitable):
                held = await held
            if held:
                return
            await asyncio.sleep(0.003)


@pytest.fixture(scope="session", autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    yield
    asyncio.run(drop_shared_database())


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> str:
    """SQLite, unless a test says otherwise by `on_postgres`."""
    return str(getattr(request, "param", SQLITE))


@pytest.fixture
async def url(engine: str, tmp_path: Path) -> str:
    return await empty_database(engine, tmp_path)
