"""The inbox at work: each arrival is acted on exactly once, and one that is poison harms nobody else."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from appservice.domain.ids import RoomId
from appservice.store.db import Database, UnitLost
from appservice.store.inbox import MOST_ATTEMPTS, Arrival
from appservice.store.rooms import Room, RoomKind
from appservice.store.unit import Store, Unit
from appservice.workers.inbox import BATCH, handle_lane, inbox_lanes
from tests.store.engine import SetClock, fetch, on_postgres
from tests.store.given import arrival
from tests.workers.conftest import running, until

GROUP, DIRECT = RoomId("!group"), RoomId("!direct")
Break = Callable[[Unit, Arrival], Awaitable[None]]


class Handler:
    """Writes down what it acts on, in the unit; breaks where it is told to."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.breaks: dict[str, Break] = {}

    async def handle(self, unit: Unit, arrival: Arrival) -> None:
        self.seen.append(arrival.id)
        await unit.settings.put(arrival.id, str(int(await unit.settings.get(arrival.id) or 0) + 1))
        if arrival.id in self.breaks:
            await self.breaks[arrival.id](unit, arrival)


def raising(error: BaseException) -> Break:
    async def broken(unit: Unit, arrival: Arrival) -> None:
        raise error

    return broken


@pytest.fixture
def handler() -> Handler:
    return Handler()


@pytest.fixture
async def rooms(store: Store) -> None:
    """A group's room, whose arrivals share a unit, and a direct room."""
    async with store.unit() as unit:
        await unit.rooms.add(Room(GROUP, RoomKind.GROUP, "g1"))
        await unit.rooms.add(Room(DIRECT, RoomKind.DIRECT, "@ana:example.org"))


async def journal(store: Store, count: int, lane: str = GROUP) -> list[str]:
    names = [f"${lane[1:]}{n:03}" for n in range(count)]
    await store.journal([arrival(name, lane, content=f'{{"said": "secret {name}"}}') for name in names])
    return names


async def written(database: Database) -> dict[str, str]:
    return dict(await fetch(database, "SELECT name, value FROM setting"))  # type: ignore[arg-type]


async def statuses(database: Database) -> Counter[str]:
    return Counter(status for (status,) in await fetch(database, "SELECT status FROM arrival"))


# One lane


async def test_arrivals_of_a_group_share_a_unit_up_to_a_limit(
    store: Store, handler: Handler, rooms: None, database: Database
) -> None:
    names = await journal(store, BATCH + 5)
    await handle_lane(store, handler.handle, GROUP)
    assert handler.seen == names[:BATCH]
    assert await statuses(database) == {"done": BATCH, "waiting": 5}
    await handle_lane(store, handler.handle, GROUP)
    assert handler.seen == names
    assert await written(database) == dict.fromkeys(names, "1")


@pytest.mark.parametrize("lane", [DIRECT, "!unknown", "read !group"])
async def test_elsewhere_each_arrival_has_a_unit_of_its_own(
    store: Store, handler: Handler, rooms: None, lane: str
) -> None:
    names = await journal(store, 3, lane)
    await handle_lane(store, handler.handle, lane)
    assert handler.seen == names[:1]


async def test_a_poisonous_arrival_among_fifty_is_parked_after_its_attempts_and_the_others_are_done_at_once(
    store: Store, handler: Handler, rooms: None, database: Database, clock: SetClock, caplog: pytest.LogCaptureFixture
) -> None:
    names = await journal(store, 50)
    handler.breaks[names[20]] = raising(ValueError("quotes the secret"))
    await handle_lane(store, handler.handle, GROUP)
    assert handler.seen == names
    assert await statuses(database) == {"done": 49, "waiting": 1}
    assert await written(database) == dict.fromkeys(set(names) - {names[20]}, "1"), "what it had written is undone"
    for attempt in range(2, MOST_ATTEMPTS + 1):
        clock.pass_ms(10**6)
        await handle_lane(store, handler.handle, GROUP)
        assert handler.seen[50:] == [names[20]] * (attempt - 1)
    clock.pass_ms(10**9)
    await handle_lane(store, handler.handle, GROUP)
    assert len(handler.seen) == 50 + MOST_ATTEMPTS - 1
    assert await statuses(database) == {"done": 49, "parked": 1}
    assert await fetch(database, "SELECT id, error FROM arrival WHERE status = 'parked'") == [
        (names[20], "ValueError: quotes the secret")
    ]
    assert caplog.text.count("arrival a21 (m.room.message) failed") == MOST_ATTEMPTS
    assert caplog.text.count("parked: see coterie parked") == 1
    assert "secret" not in caplog.text, "what a member wrote is not logged above debug"


@pytest.mark.parametrize("place", [0, 25, 49])
async def test_an_sql_error_of_one_arrival_leaves_the_others_alone(
    store: Store, handler: Handler, rooms: None, database: Database, place: int
) -> None:
    async def broken(unit: Unit, arrival: Arrival) -> None:
        await unit.outbox._connection.execute("INSERT INTO setting (name) VALUES (NULL)")

    names = await journal(store, 50)
    handler.breaks[names[place]] = broken
    await handle_lane(store, handler.handle, GROUP)
    assert await written(database) == dict.fromkeys(set(names) - {names[place]}, "1")
    assert await statuses(database) == {"done": 49, "waiting": 1}


@on_postgres
async def test_an_sql_error_of_one_arrival_leaves_the_others_alone_on_postgresql(
    store: Store, handler: Handler, rooms: None, database: Database
) -> None:
    """There it takes the whole transaction with it, but for the savepoint."""
    await test_an_sql_error_of_one_arrival_leaves_the_others_alone(store, handler, rooms, database, 25)


@pytest.mark.parametrize(
    "error",
    [
        sqlite3.OperationalError("database is locked"),
        sqlite3.OperationalError("disk I/O error"),
        asyncpg.DeadlockDetectedError("x"),
        asyncpg.InterfaceError("connection is closed"),
        ConnectionResetError(),
    ],
    ids=repr,
)
async def test_a_transient_error_of_the_database_undoes_the_whole_unit_and_is_no_attempt(
    store: Store, handler: Handler, rooms: None, database: Database, error: Exception
) -> None:
    names = await journal(store, 10)
    handler.breaks[names[6]] = raising(error)
    with pytest.raises(type(error)):
        await handle_lane(store, handler.handle, GROUP)
    assert handler.seen == names[:7]
    assert await written(database) == {}
    assert await fetch(database, "SELECT DISTINCT status, attempts FROM arrival") == [("waiting", 0)]
    handler.breaks.clear()
    await handle_lane(store, handler.handle, GROUP)
    assert await written(database) == dict.fromkeys(names, "1")


@on_postgres
async def test_a_connection_that_is_lost_in_mid_unit_undoes_all_of_it_and_the_next_try_does_it(
    store: Store, handler: Handler, rooms: None, database: Database
) -> None:
    async def lose(unit: Unit, arrival: Arrival) -> None:
        handler.breaks.clear()
        await unit.outbox._connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    names = await journal(store, 10)
    handler.breaks[names[6]] = lose
    with pytest.raises(UnitLost):
        await handle_lane(store, handler.handle, GROUP)
    await asyncio.sleep(0.02)
    assert await written(database) == {}
    await handle_lane(store, handler.handle, GROUP)
    assert await written(database) == dict.fromkeys(names, "1")


async def test_what_another_worker_has_done_meanwhile_is_not_done_again(
    store: Store, handler: Handler, rooms: None, database: Database
) -> None:
    names = await journal(store, 3)

    async def others_were_faster(unit: Unit, arrival: Arrival) -> None:
        await unit.inbox.claim((await unit.inbox.due(GROUP, unit.now, 1))[0])

    handler.breaks[names[0]] = others_were_faster
    await handle_lane(store, handler.handle, GROUP)
    assert handler.seen == [names[0], names[2]]


async def test_a_cancelled_unit_is_undone_and_done_by_the_next(
    store: Store, handler: Handler, rooms: None, database: Database
) -> None:
    names = await journal(store, 10)
    reached = asyncio.Event()

    async def hang(unit: Unit, arrival: Arrival) -> None:
        reached.set()
        await asyncio.sleep(60)

    handler.breaks[names[4]] = hang
    task = asyncio.create_task(handle_lane(store, handler.handle, GROUP))
    await asyncio.wait_for(reached.wait(), 5)
    task.cancel()
    await asyncio.wait({task})
    assert await written(database) == {}
    handler.breaks.clear()
    await handle_lane(store, handler.handle, GROUP)
    assert await written(database) == dict.fromkeys(names, "1")


async def test_what_is_journaled_by_a_unit_is_handled_by_a_later_one(
    store: Store, handler: Handler, rooms: None, database: Database
) -> None:
    names = await journal(store, 1)

    async def hear_more(unit: Unit, one: Arrival) -> None:
        await unit.inbox.journal([arrival("$more", GROUP)], unit.now)

    handler.breaks[names[0]] = hear_more
    await handle_lane(store, handler.handle, GROUP)
    assert handler.seen == names
    await handle_lane(store, handler.handle, GROUP)
    assert handler.seen == [*names, "$more"]


# The worker


async def test_the_worker_does_everything_once_in_the_order_of_each_room(
    store: Store, handler: Handler, rooms: None, clock: SetClock, database: Database
) -> None:
    lanes = [GROUP, DIRECT, *(f"!r{n}" for n in range(6))]
    names = {lane: await journal(store, 60 if lane == GROUP else 8, lane) for lane in lanes}
    rung = 0

    def ring() -> None:
        nonlocal rung
        rung += 1

    async with running(inbox_lanes(store, clock, handler.handle, ring)):
        await until(lambda: len(handler.seen) == sum(map(len, names.values())))
        await until(lambda: rung >= 2 + 7 * 8)
    for lane in lanes:
        assert [id for id in handler.seen if id in set(names[lane])] == names[lane]
    assert await statuses(database) == {"done": len(handler.seen)}


async def test_a_poisonous_arrival_in_one_room_does_not_hold_up_that_room_or_another(
    store: Store, handler: Handler, rooms: None, clock: SetClock, database: Database
) -> None:
    direct, group = await journal(store, 5, DIRECT), await journal(store, 5, GROUP)
    handler.breaks[direct[0]] = raising(KeyError("x"))
    handler.breaks[group[0]] = raising(RecursionError())
    async with running(inbox_lanes(store, clock, handler.handle, lambda: None)):
        await until(lambda: statuses_are(database, done=8, waiting=2))
        assert set(await written(database)) == set(direct[1:] + group[1:])


async def test_a_room_that_finds_the_database_failing_rests_and_then_does_all_of_it(
    store: Store, handler: Handler, rooms: None, clock: SetClock, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    names = await journal(store, 5)
    others = await journal(store, 5, DIRECT)
    handler.breaks[names[3]] = raising(sqlite3.OperationalError("database is locked"))
    with caplog.at_level(logging.ERROR):
        worker = inbox_lanes(store, clock, handler.handle, lambda: None)
        async with running(worker):
            await until(lambda: statuses_are(database, done=5, waiting=5))
            assert set(await written(database)) == set(others)
            assert handler.seen.count(names[0]) == 1, "it rests"
            handler.breaks.clear()
            clock.pass_ms(1_000)
            worker.ring()
            await until(lambda: statuses_are(database, done=10))
    assert await written(database) == dict.fromkeys(names + others, "1")
    assert "a lane failed and rests for 1000 ms: OperationalError" in caplog.text


async def test_a_worker_that_is_stopped_finishes_its_unit_and_the_next_run_goes_on(
    store: Store, handler: Handler, rooms: None, clock: SetClock, database: Database
) -> None:
    names = await journal(store, 10, DIRECT)
    reached, go = asyncio.Event(), asyncio.Event()

    async def wait(unit: Unit, arrival: Arrival) -> None:
        reached.set()
        await go.wait()

    handler.breaks[names[2]] = wait
    worker = inbox_lanes(store, clock, handler.handle, lambda: None)
    async with running(worker) as task:
        await asyncio.wait_for(reached.wait(), 5)
        worker.stop()
        await asyncio.sleep(0.01)
        go.set()
        await asyncio.wait_for(task, 5)
    assert handler.seen == names[:3]
    assert await statuses(database) == {"done": 3, "waiting": 7}
    async with running(inbox_lanes(store, clock, handler.handle, lambda: None)):
        await until(lambda: statuses_are(database, done=10))
    assert handler.seen == names


@on_postgres
async def test_two_workers_on_one_database_do_everything_once(
    store: Store, handler: Handler, rooms: None, clock: SetClock, database: Database
) -> None:
    """Should the lock of the sole worker ever fail: lanes give calm, correctness is the store's."""
    names = [name for lane in (GROUP, DIRECT, "!x") for name in await journal(store, 20, lane)]
    workers = [inbox_lanes(store, clock, handler.handle, lambda: None, width=3) for _ in range(2)]
    async with running(workers[0]), running(workers[1]):
        await until(lambda: statuses_are(database, done=60), seconds=20)
    assert await written(database) == dict.fromkeys(names, "1")


async def statuses_are(database: Database, **expected: int) -> bool:
    return await statuses(database) == Counter(expected)
