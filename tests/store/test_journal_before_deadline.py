"""Nothing that was received before a deadline is overlooked, even if its writing has not ended yet."""

import asyncio

from appservice.domain.ids import RoomId
from appservice.store.db import Database
from appservice.store.inbox import MOST_ATTEMPTS, Inbox
from appservice.store.rooms import Room, RoomKind
from appservice.store.unit import Store
from tests.store.engine import SetClock, fetch, on_postgres
from tests.store.given import DEADLINE, DESK, GROUP, ROOM, arrival, group_exists, member

LANE = "!room"


async def is_waiting(store: Store) -> bool:
    async with store.unit() as unit:
        return await unit.inbox.is_waiting_before(DEADLINE, unit.now)


async def test_only_what_was_received_before_and_is_still_to_be_handled_is_waited_for(
    store: Store, clock: SetClock
) -> None:
    clock.at = DEADLINE
    await store.journal([arrival("$at the deadline", LANE)])
    assert not await is_waiting(store)
    clock.at = DEADLINE - 1
    await store.journal([arrival("$before", LANE)])
    assert await is_waiting(store)
    async with store.unit() as unit:
        await unit.inbox.claim((await unit.inbox.due(LANE, unit.now, 9))[0])
        assert not await unit.inbox.is_waiting_before(DEADLINE, unit.now)


async def test_of_a_group_only_what_came_in_its_rooms_or_from_its_people_is_waited_for(
    store: Store, clock: SetClock
) -> None:
    """One room that is stuck elsewhere must not put off the closing of every buy."""
    await group_exists(store, members=2)
    async with store.unit() as unit:
        for room_id, number in (("!direct1", 1), ("!stranger", 9)):
            await unit.rooms.add(Room(RoomId(room_id), RoomKind.DIRECT, member(number).user_id))
    clock.at = DEADLINE - 1
    for lane in (ROOM, DESK, "!direct1", "!stranger", "!other", f"read {ROOM}"):
        await store.journal([arrival(f"$in {lane}", lane)])
        async with store.unit() as unit:
            waiting = await unit.inbox.is_waiting_before(DEADLINE, unit.now, GROUP.id)
            assert waiting is (lane in (ROOM, DESK, "!direct1")), lane
            assert not await unit.inbox.is_waiting_before(DEADLINE, unit.now, "g2")
            assert await unit.inbox.is_waiting_before(DEADLINE, unit.now)
            await unit.inbox.claim((await unit.inbox.due(lane, unit.now, 1))[0])


async def test_what_failed_is_waited_for_until_it_is_parked(store: Store, clock: SetClock) -> None:
    clock.at = DEADLINE - 1
    await store.journal([arrival("$before", LANE)])
    for _ in range(MOST_ATTEMPTS):
        assert await is_waiting(store)
        async with store.unit() as unit:
            (one,) = await unit.inbox.due(LANE, unit.now + 10**9, 1)
            await unit.inbox.fail(one, "trouble", unit.now)
    assert not await is_waiting(store)


@on_postgres
async def test_a_journal_that_is_being_written_is_waited_for(store: Store, database: Database) -> None:
    async with database.transaction() as connection:
        inbox = Inbox(connection)
        await inbox.begin_journaling()
        await inbox.journal([arrival("$in time", LANE)], DEADLINE - 1)
        answer = asyncio.create_task(is_waiting(store))
        await asyncio.sleep(0.1)
        assert not answer.done()
    assert await asyncio.wait_for(answer, 5) is True


@on_postgres
async def test_without_the_lock_it_would_be_overlooked(store: Store, database: Database) -> None:
    """The proof that the test before tests something: an insert that is not committed is seen by nobody else."""
    async with database.transaction() as connection:
        await Inbox(connection).journal([arrival("$in time", LANE)], DEADLINE - 1)
        assert await asyncio.wait_for(is_waiting(store), 5) is False
    assert await is_waiting(store) is True


@on_postgres
async def test_a_journal_that_is_taken_back_was_not_received(store: Store, database: Database) -> None:
    try:
        async with database.transaction() as connection:
            inbox = Inbox(connection)
            await inbox.begin_journaling()
            await inbox.journal([arrival("$in time", LANE)], DEADLINE - 1)
            answer = asyncio.create_task(is_waiting(store))
            await asyncio.sleep(0.05)
            raise ZeroDivisionError
    except ZeroDivisionError:
        assert await asyncio.wait_for(answer, 5) is False


@on_postgres
async def test_those_who_write_to_the_journal_do_not_wait_for_one_another(store: Store, database: Database) -> None:
    async with database.transaction() as connection:
        await Inbox(connection).begin_journaling()
        for n in range(5):
            assert await asyncio.wait_for(store.journal([arrival(f"${n}", LANE)]), 5) == 1


@on_postgres
async def test_what_arrives_during_the_settling_is_received_after_it(
    store: Store, database: Database, clock: SetClock
) -> None:
    """The time of receipt is read when the lock has been got: whoever waited for the settling came too late."""
    clock.at = DEADLINE - 1
    async with store.unit() as unit:
        assert not await unit.inbox.is_waiting_before(DEADLINE, unit.now)
        journal = asyncio.create_task(store.journal([arrival("$late", LANE)]))
        await asyncio.sleep(0.1)
        assert not journal.done()
        clock.at = DEADLINE + 7
    assert await asyncio.wait_for(journal, 5) == 1
    assert await fetch(database, "SELECT received_at FROM arrival") == [(DEADLINE + 7,)]


async def test_settling_and_journaling_at_once_never_overlook_what_came_in_time(
    store: Store, database: Database, clock: SetClock
) -> None:
    """Whatever was told to be settled before: nothing in the journal is older than the deadline and unseen."""
    for round in range(10):
        clock.at = deadline = DEADLINE + 1_000 * round
        clock.at -= 1

        async def write(n: int, round: int = round) -> None:
            await asyncio.sleep(0.001 * (n % 5))
            await store.journal([arrival(f"${round} {n}", LANE)])

        async def settle(deadline: int = deadline) -> int:
            await asyncio.sleep(0.002)
            clock.at = deadline
            async with store.unit() as unit:
                waiting = await unit.inbox.is_waiting_before(deadline, unit.now)
                in_time = await unit.inbox._connection.fetchval(
                    "SELECT COUNT(*) FROM arrival WHERE received_at < $1 AND status = 'waiting'", deadline
                )
                assert waiting is (in_time > 0)
            return int(in_time)

        seen, *_ = await asyncio.gather(settle(), *(write(n) for n in range(12)))
        ((after,),) = await fetch(
            database, "SELECT COUNT(*) FROM arrival WHERE status = 'waiting' AND received_at < $1", deadline
        )
        assert after == seen, "one came in time and was not seen"
        async with database.transaction() as connection:
            await connection.execute("DELETE FROM arrival")
