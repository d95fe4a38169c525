"""What was set aside: the operator sees it, lets it be tried again, or gives it up."""

import json

import pytest

from appservice.domain.effect import Leave
from appservice.domain.ids import RoomId
from appservice.store.db import Database
from appservice.store.inbox import MOST_ATTEMPTS
from appservice.store.parked import Parked, ParkedItem
from appservice.store.unit import Store
from tests.store.engine import START, SetClock, fetch
from tests.store.given import arrival

LANE = RoomId("!room")
RAW = {"body": "é\0\ud800", "n": [1]}


@pytest.fixture
async def parked(store: Store, database: Database, clock: SetClock) -> Parked:
    """An arrival (a1) and an effect (e1) set aside; a waiting one of each behind them."""
    await store.journal([arrival("$bad", LANE, content=json.dumps(RAW))])
    clock.pass_ms(1)
    await store.journal([arrival("$good", "!other")])
    async with store.unit() as unit:
        for _ in range(MOST_ATTEMPTS):
            (bad,) = await unit.inbox.due(LANE, unit.now + 10**9, 1)
            await unit.inbox.fail(bad, "KeyError: 'x'", unit.now)
        for id in ("1", "2"):
            await unit.outbox.put(id, Leave(LANE), unit.now)
        owed = await unit.outbox.head(LANE, unit.now)
        assert owed is not None
        await unit.outbox.park(owed, "403 M_FORBIDDEN: no")
    return Parked(database)


async def test_everything_set_aside_is_listed_oldest_first(parked: Parked) -> None:
    assert await parked.list() == [
        ParkedItem(
            "a1", "arrival", LANE, "m.room.message", "KeyError: 'x'", MOST_ATTEMPTS, START,
            json.dumps(RAW, indent=2, ensure_ascii=False),
        ),
        ParkedItem(
            "e1", "effect", LANE, "Leave", "403 M_FORBIDDEN: no", 1, START + 1, '{\n  "room_id": "!room"\n}'
        ),
    ]  # fmt: skip


async def test_nothing_is_listed_where_nothing_is_set_aside(database: Database) -> None:
    assert await Parked(database).list() == []


async def test_one_thing_is_shown_as_it_is_listed(parked: Parked) -> None:
    for item in await parked.list():
        assert await parked.show(item.id) == item


ODD = (
    "", "a", "e", "1", "a0", "a2", "e2", "e99", "x1", "A1", "a-1", "a1 ", " a1", "a+1", "a1.0", "a1e0", "a0x1", "a٣",
    "a¹", "aa1", "a1;DROP TABLE arrival", "a\0", "a\ud800", "a" + "9" * 18, "a" + "9" * 19, "a" + "9" * 5000,
)  # fmt: skip


async def test_an_id_of_nothing_that_is_set_aside_gives_nothing_and_changes_nothing(
    parked: Parked, database: Database
) -> None:
    before = [await fetch(database, f"SELECT * FROM {table} ORDER BY seq") for table in ("arrival", "effect")]
    for id in ODD:
        assert await parked.show(id) is None, ascii(id)
        assert await parked.retry(id) is False, ascii(id)
        assert await parked.drop(id) is False, ascii(id)
    assert [await fetch(database, f"SELECT * FROM {table} ORDER BY seq") for table in ("arrival", "effect")] == before


async def test_a_retried_arrival_is_due_at_once_with_all_its_attempts(parked: Parked, store: Store) -> None:
    assert await parked.retry("a1")
    assert [item.id for item in await parked.list()] == ["e1"]
    async with store.unit() as unit:
        (again,) = await unit.inbox.due(LANE, unit.now, 10)
        assert (again.id, again.attempts, again.content) == ("$bad", 0, RAW)
        assert await unit.inbox.due_lanes(unit.now, 10) == [LANE, "!other"]
        assert await unit.inbox.claim(again)


async def test_a_retried_effect_takes_its_old_place_in_the_lane(parked: Parked, store: Store) -> None:
    assert await parked.retry("e1")
    async with store.look() as unit:
        owed = await unit.outbox.head(LANE, unit.now)
    assert owed is not None
    assert (owed.id, owed.attempts, owed.effect) == ("1", 0, Leave(LANE))


async def test_what_was_dropped_is_neither_listed_nor_tried_nor_taken_up_again(
    parked: Parked, store: Store, database: Database
) -> None:
    assert await parked.drop("a1")
    assert await parked.drop("e1")
    assert await parked.list() == []
    for id in ("a1", "e1"):
        assert await parked.show(id) is None
        assert not await parked.retry(id)
        assert not await parked.drop(id)
    async with store.look() as unit:
        assert await unit.inbox.due(LANE, unit.now + 10**9, 10) == []
        owed = await unit.outbox.head(LANE, unit.now)
    assert owed is not None
    assert owed.id == "2"
    assert await store.journal([arrival("$bad", LANE)]) == 0  # and the homeserver's repeat is known
    assert await fetch(database, "SELECT content FROM arrival WHERE id = '$bad'") == [(None,)]


async def test_an_arrival_parked_again_after_a_retry_is_listed_again(parked: Parked, store: Store) -> None:
    assert await parked.retry("a1")
    async with store.unit() as unit:
        for _ in range(MOST_ATTEMPTS):
            (bad,) = await unit.inbox.due(LANE, unit.now + 10**9, 1)
            await unit.inbox.fail(bad, "again", unit.now)
    assert [(item.id, item.error) for item in await parked.list()] == [("a1", "again"), ("e1", "403 M_FORBIDDEN: no")]


async def test_a_thing_that_cannot_be_read_does_not_hide_the_others(parked: Parked, database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute("UPDATE arrival SET content = $1 WHERE id = '$bad'", "[" * 100_000)
    assert [item.id for item in await parked.list()] == ["a1", "e1"]
    shown = await parked.show("a1")
    assert shown is not None
    assert shown.content.startswith("[[[")
