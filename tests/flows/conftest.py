"""Fixtures for flows: a transaction goes in, and the fake homeserver has recorded what came of it."""

from __future__ import annotations

import logging
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.flows.exposure import exposures
from tests.flows.homeserver import FakeHomeserver
from tests.flows.journey import Journey
from tests.flows.outcome import outcome
from tests.flows.service import TOKENS, HandClock, Service
from tests.flows.snapshot import Snapshot
from tests.harness.postgres import Postgres
from tests.harness.replay import assert_every_ledger_says_all

_snapshots: dict[tuple[str, str | None, bool], Snapshot] = {}
_calm: dict[str, Any] = {}


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The PostgreSQL server; `async with postgres.fresh_database() as url` for a test's own database."""
    with Postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest) -> str:
    """Which of the two engines this test runs on: one that names this fixture runs on both, others on SQLite."""
    return str(request.param)


@pytest.fixture
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """The URL of a database: empty, or that of the group which the test asks for."""
    ready, encrypted = _ready(request), _is_sealed(request)
    if _engine(request) == "sqlite":
        file = tmp_path / "coterie.db"
        if ready:
            made = await _snapshot(ready, "sqlite", f"sqlite:{tmp_path / 'made.db'}", encrypted)
            file.write_bytes(made.database)
        yield f"sqlite:{file}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    if not ready:
        async with server.fresh_database() as url:
            yield url
        return
    template = f"coterie_ready_{ready}{'_sealed' if encrypted else ''}"
    name = f"coterie_copy_{secrets.token_hex(6)}"
    if ("postgres", ready, encrypted) not in _snapshots:
        await server._execute(f"CREATE DATABASE {template}")
        await _snapshot(ready, "postgres", server.url(template), encrypted)
    await server._execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield server.url(name)
    await server._execute(f"DROP DATABASE {name} WITH (FORCE)")


def _engine(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("engine")) if "engine" in request.fixturenames else "sqlite"


def _ready(request: pytest.FixtureRequest) -> str | None:
    """What is there already when the test begins: the group, or the group with a buy."""
    return next((name for name in ("shop", "circle") if name in request.fixturenames), None)


def _is_sealed(request: pytest.FixtureRequest) -> bool:
    return "sealed" in request.fixturenames


@pytest.fixture
def sealed() -> None:
    """For a test in which the service makes encrypted rooms, as it does where nothing else is configured."""


@pytest.fixture
def clock() -> HandClock:
    """Monday, 23 November 2026, 12:00 UTC, until the test says otherwise."""
    return HandClock()


@pytest.fixture
async def hs(clock: HandClock) -> AsyncIterator[FakeHomeserver]:
    async with FakeHomeserver(clock=clock.now, **TOKENS) as server:
        yield server


@pytest.fixture
def errors() -> list[str]:
    """Words in those errors that a test expects to be logged; all others fail it."""
    return []


@pytest.fixture
def by_hand() -> None:
    """For a test that writes to a group buy past the service: its ledger cannot know of that."""


@pytest.fixture
async def service(
    request: pytest.FixtureRequest,
    hs: FakeHomeserver,
    clock: HandClock,
    database: str,
    errors: list[str],
    caplog: pytest.LogCaptureFixture,
) -> AsyncIterator[Service]:
    """The service, running. After the test nothing may be set aside, no error logged, no spec broken, and the ledger
    alone must give every group buy as it is stored."""
    caplog.set_level(logging.INFO, "coterie")
    made = _snapshots.get((_engine(request), _ready(request), _is_sealed(request)))
    known = made.restore(hs) if made else {}
    async with Service(hs, clock, database, encrypted=_is_sealed(request)) as running:
        running.known = known
        await running.start()
        yield running
        if not errors:
            await running.assert_nothing_set_aside()
        if "by_hand" not in request.fixturenames:
            await assert_every_ledger_says_all(running.store)
    hs.assert_conformant()
    logged = [record.getMessage() for record in caplog.get_records("call") if record.levelno >= logging.ERROR]
    unexpected = [line for line in logged if not any(words in line for words in errors)]
    assert not unexpected, unexpected


async def _snapshot(name: str, engine: str, database: str, encrypted: bool) -> Snapshot:
    """The group as it is at the start of many tests, made by the service once in this database."""
    if (engine, name, encrypted) not in _snapshots:
        clock = HandClock()
        async with (
            FakeHomeserver(clock=clock.now, **TOKENS) as hs,
            Service(hs, clock, database, encrypted=encrypted) as service,
        ):
            await service.start()
            play = Journey(hs, service)
            await play.open_group()
            if name == "shop":
                await play.open_buy()
            await service.stop()
            _snapshots[engine, name, encrypted] = Snapshot.of(play)
    return _snapshots[engine, name, encrypted]


@pytest.fixture
async def play(hs: FakeHomeserver, service: Service) -> Journey:
    """The people of the journey; nothing has been said yet, unless the test asks for `circle` or `shop`."""
    return Journey(hs, service, **service.known)


@pytest.fixture
async def circle(play: Journey) -> Journey:
    """A group with its owner rosa, the concierge ben and the members ana, otto and mia, all joined."""
    if not play.group:
        await play.open_group()
    return play


@pytest.fixture
async def grown(circle: Journey) -> Journey:
    """The circle a week later: its members may vouch."""
    await circle.settled()
    return circle


@pytest.fixture
async def shop(circle: Journey) -> Journey:
    """The group with an open buy of the Merino throw: 10 for 79 each, 25 for 69."""
    if not circle.buy:
        await circle.open_buy()
    return circle


@pytest.fixture
async def nobody_exposed(play: Journey) -> AsyncIterator[None]:
    """After the test, no member's Matrix id or display name may stand in anything that the service wrote."""
    yield
    found = await exposures(play)
    assert not found, "\n".join(found)


@pytest.fixture
async def calm(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the main job comes to when nothing goes wrong; played once."""
    if not _calm:
        clock = HandClock()
        database = f"sqlite:{tmp_path_factory.mktemp('calm') / 'coterie.db'}"
        async with FakeHomeserver(clock=clock.now, **TOKENS) as hs, Service(hs, clock, database) as service:
            await service.start()
            play = Journey(hs, service)
            await play.main_job()
            _calm.update(await outcome(play))
    return _calm
