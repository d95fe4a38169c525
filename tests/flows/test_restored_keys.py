"""A database from a backup, and one whose keys were written under another token."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path

import pytest
from yarl import URL

from appservice import app
from appservice.actions.keyless import PATIENCE_MS
from appservice.matrix.crypto.device import KeysUnreadable
from appservice.present.words.outages import device_renewed
from tests.flows.homeserver import FakeHomeserver
from tests.flows.journey import Journey
from tests.flows.service import HandClock, Service
from tests.flows.test_key_servers import news, reads
from tests.flows.test_keys import NO_KEY
from tests.harness.postgres import Postgres


class Backup:
    """A copy of a database that nobody uses at the moment."""

    def __init__(self, database: str, server: Postgres | None) -> None:
        self.database = database
        self.server = server

    async def save(self) -> None:
        await self._copy(self._name, f"{self._name}_saved")

    async def restore(self) -> None:
        await self._copy(f"{self._name}_saved", self._name)

    @property
    def _name(self) -> str:
        return URL(self.database).path.lstrip("/") if self.server else self.database.partition(":")[2]

    async def _copy(self, source: str, target: str) -> None:
        if self.server is not None:
            await self.server._execute(f"DROP DATABASE IF EXISTS {target}")
            await self.server._execute(f"CREATE DATABASE {target} TEMPLATE {source}")
            return
        with closing(sqlite3.connect(source)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        for suffix in ("-wal", "-shm"):
            Path(target + suffix).unlink(missing_ok=True)
        shutil.copyfile(source, target)


@pytest.fixture
def backup(request: pytest.FixtureRequest, engine: str, database: str) -> Backup:
    return Backup(database, request.getfixturevalue("postgres") if engine == "postgres" else None)


@asynccontextmanager
async def running(play: Journey, database: str) -> AsyncIterator[Service]:
    """The service, on this database as it is now."""
    clock = play.service.clock
    clock.advance(1)
    async with Service(play.hs, clock, database, encrypted=True) as service:
        play.service = service
        await service.start()
        yield service
        await service.assert_nothing_set_aside()
    play.hs.assert_conformant()


def devices(hs: FakeHomeserver) -> set[str]:
    return {device for user, device in hs.world.devices if user == hs.bot}


@pytest.mark.slow
async def test_a_database_of_yesterday_gets_a_new_device_and_the_group_is_told_once(
    engine: str, hs: FakeHomeserver, clock: HandClock, database: str, backup: Backup
) -> None:
    play = Journey(hs, Service(hs, clock, database))
    async with running(play, database):
        await play.open_group()
        await play.open_buy()
        await play.plus(play.ana, 2)
        await play.direct(play.otto)
    await backup.save()
    old = devices(hs)
    async with running(play, database) as service:
        assert devices(hs) == old, "nothing is newer than this database"
        await service.wait(12 * 3_600_000)
        again = await play.plus(play.ana, 1)
        lost = await play.plus(play.otto, 3)
        assert await play.units() == {"ana": 3, "otto": 3}
        await news(play)
        await service.wait(12 * 3_600_000)
    await backup.restore()
    said = play.posted()
    async with running(play, database) as service:
        [new] = devices(hs)
        assert {new} != old
        assert play.posted()[len(said) :] == [device_renewed()]
        await service.wait(2 * PATIENCE_MS)
        await play.rest()
        assert await play.units() == {"ana": 3}, "what can still be read counts, and nothing twice"
        assert play.told(play.otto)[-1] == NO_KEY and "⚠️" in play.signs(lost)
        assert "✅" in play.signs(again)
        asked = await play.plus(play.mia, 4)
        assert play.signs(asked) == ["✅"] and (await play.units())["mia"] == 4
        after = await news(play)
        assert all(reads(person, after) for person in (play.rosa, play.ana, play.otto, play.mia))
        said = play.posted()
    async with running(play, database):
        assert devices(hs) == {new} and play.posted() == said
        await play.plus(play.mia, 1)
        assert (await play.units())["mia"] == 5
    sessions = [(key.session, key.index) for key in hs.crypto.keys_sent if key.room == play.group]
    assert sessions


async def test_a_lost_database_gets_a_new_device(hs: FakeHomeserver, clock: HandClock, tmp_path: Path) -> None:
    play = Journey(hs, Service(hs, clock, "sqlite:"))
    async with running(play, f"sqlite:{tmp_path / 'first.db'}"):
        await play.direct(play.ana)
    old = devices(hs)
    async with running(play, f"sqlite:{tmp_path / 'second.db'}"):
        [new] = devices(hs)
        assert {new} != old


async def test_keys_under_another_token_stop_the_service_with_a_clear_sentence(
    engine: str, hs: FakeHomeserver, clock: HandClock, database: str
) -> None:
    play = Journey(hs, Service(hs, clock, database))
    async with running(play, database) as service:
        await play.direct(play.ana)
        config = service.config
    kept = devices(hs), dict(hs.world.keys.account_data[hs.bot])
    hs.as_token = "another".ljust(40, "-")
    changed = replace(config, appservice=replace(config.appservice, as_token=hs.as_token))
    stop = asyncio.Event()
    with pytest.raises(KeysUnreadable, match="written under another as_token: put that back, or run `coterie crypto"):
        async with app.running(changed, clock, stop):
            await asyncio.wait_for(stop.wait(), 20)
    assert (devices(hs), hs.world.keys.account_data[hs.bot]) == kept
    hs.as_token = config.appservice.as_token
    async with running(play, database):
        assert (await play.tell(play.ana, "!help")) and devices(hs) == kept[0]
