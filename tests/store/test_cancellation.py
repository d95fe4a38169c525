"""A unit that is cancelled at any await whatever is undone as a whole, and leaves the database ready for the next.

The crash at every await: each test runs the same work again and again, and cancels it at its first, second, third …
suspension, until it runs through.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

import pytest

from appservice.store.db import Database
from appservice.store.unit import Store, Unit
from tests.store.engine import count, counts, fetch, gathered
from tests.store.given import GROUP, arrival, group_exists, member
from tests.store.interrupted import Moment, interrupt

Work = Callable[[], Coroutine[Any, Any, None]]
MOST = 200
"""Of suspensions that are tried; each work here has fewer."""


@pytest.fixture(autouse=True)
async def nothing_goes_wrong_in_the_background() -> AsyncIterator[None]:
    """No task of asyncpg or of ours ends with an error that nobody sees."""
    seen: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: seen.append(context))
    yield
    await asyncio.sleep(0)
    loop.set_exception_handler(None)
    assert [context for context in seen if "Resetting connection" not in context["message"]] == []


async def write(unit: Unit) -> None:
    """A bit of everything that a unit does."""
    await unit.groups.lock(GROUP.id)
    async with unit.savepoint():
        await unit.settings.put("a", "1")
    with contextlib.suppress(KeyError):
        async with unit.savepoint():
            await unit.settings.put("never", "1")
            raise KeyError
    await unit.inbox.due("!room", unit.now, 10)
    await unit.groups.save_member(member(1), unit.now)


NONE = {"coterie_group": 1, "room": 2}
ALL = {**NONE, "setting": 1, "member": 1}


async def try_every_suspension(
    work: Work, check: Callable[[], Awaitable[None]], moment: Moment = Moment.AT_ONCE, times: int = 1
) -> int:
    """Cancel the work at each of its suspensions in turn, and check after each; gives how many there were."""
    for at in range(1, MOST):
        suspensions, cancelled = await interrupt(work(), at, moment, times)
        async with asyncio.timeout(5):
            await check()
        if suspensions < at:
            assert not cancelled
            return suspensions
        assert cancelled, f"the cancellation at suspension {at} of {suspensions} was swallowed"
    raise AssertionError("it never ran through")


@pytest.mark.parametrize("moment", Moment)
async def test_a_unit_cancelled_at_any_await_is_undone_and_the_next_works_at_once(
    store: Store, database: Database, moment: Moment
) -> None:
    await group_exists(store)
    outcomes = []

    async def work() -> None:
        async with store.unit() as unit:
            await write(unit)

    async def check() -> None:
        async with store.unit() as unit:
            await unit.settings.put("probe", "1")
        found = await counts(database)
        found["setting"] -= 1
        found = {table: rows for table, rows in found.items() if rows}
        assert found in (ALL, NONE)
        outcomes.append(found == ALL)
        async with database.transaction() as connection:
            await connection.execute("DELETE FROM setting")
            await connection.execute("DELETE FROM member")

    suspensions = await try_every_suspension(work, check, moment)
    assert suspensions >= 10
    assert outcomes[-1]
    assert outcomes.count(True) <= 5, "cancelled before its end, it is undone"
    await ready(store, database)


@pytest.mark.parametrize("moment", Moment)
async def test_a_journal_cancelled_at_any_await_holds_all_of_a_batch_or_nothing(
    store: Store, database: Database, moment: Moment
) -> None:
    batch = [arrival(f"${n}") for n in range(3)]

    async def work() -> None:
        await store.journal(batch)

    async def check() -> None:
        assert await count(database, "arrival") in (0, 3)
        assert await store.journal(batch) + await count(database, "arrival") in (3, 6)
        assert await count(database, "arrival") == 3
        async with database.transaction() as connection:
            await connection.execute("DELETE FROM arrival")

    assert await try_every_suspension(work, check, moment) >= 5
    await ready(store, database)


async def test_further_cancellations_while_it_is_undone_do_not_keep_it_from_being_undone(
    store: Store, database: Database
) -> None:
    await group_exists(store)

    async def work() -> None:
        async with store.unit() as unit:
            await unit.settings.put("a", "1")
            await unit.groups.lock(GROUP.id)

    async def check() -> None:
        async with store.unit() as unit:
            await unit.groups.lock(GROUP.id)  # nobody holds it any more
            await unit.settings.put("a", "2")

    for times in (2, 3, 50):
        await try_every_suspension(work, check, times=times)
        await ready(store, database)


async def test_a_unit_cancelled_while_it_is_undone_for_an_error_ends_as_cancelled(
    store: Store, database: Database
) -> None:
    """Who was told to stop must not go on as if only the database had failed."""

    async def work() -> None:
        with contextlib.suppress(ZeroDivisionError):
            async with store.unit() as unit:
                await unit.settings.put("a", "1")
                raise ZeroDivisionError

    async def check() -> None:
        assert await count(database, "setting") == 0

    await try_every_suspension(work, check)
    await try_every_suspension(work, check, times=2)
    await ready(store, database)


async def test_a_look_cancelled_at_any_await_gives_its_connection_back(store: Store, database: Database) -> None:
    await group_exists(store, members=5)

    async def work() -> None:
        async with store.look() as unit:
            await unit.groups.members(GROUP.id)
            await unit.inbox.due_lanes(unit.now, 10)

    async def check() -> None:
        async with store.unit() as unit:  # a statement left open would keep SQLite from writing
            await unit.groups.lock(GROUP.id)

    for moment in Moment:
        await try_every_suspension(work, check, moment)
    await ready(store, database)


async def test_units_that_wait_for_one_another_can_be_cancelled_at_any_await(store: Store, database: Database) -> None:
    """Cancelled while it waits for the writer or for a lock on a row, a unit leaves the queue."""
    await group_exists(store)

    async def work() -> None:
        async with store.unit() as unit:
            await unit.groups.lock(GROUP.id)
            await unit.settings.put("a", "1")

    for at in range(1, 30):
        async with store.unit() as first:
            await first.groups.lock(GROUP.id)
            second = asyncio.create_task(interrupt(work(), at))
            third = asyncio.create_task(interrupt(work(), MOST))
            await asyncio.sleep(0.005)
        async with asyncio.timeout(5):
            _, second_was_cancelled = await second
            _, third_was_cancelled = await third
        assert not third_was_cancelled
        if not second_was_cancelled:
            break
    else:
        raise AssertionError("it never ran through")
    await ready(store, database)


async def test_a_crowd_of_which_every_other_is_cancelled_writes_the_other_half(
    store: Store, database: Database
) -> None:
    await group_exists(store)

    async def one(name: str) -> None:
        async with store.unit() as unit:
            await unit.groups.lock(GROUP.id)
            await unit.settings.put(name, "1")

    tasks = [asyncio.create_task(one(f"{n:02}")) for n in range(60)]
    for n, task in enumerate(tasks):
        await asyncio.sleep(0)
        if n % 2:
            task.cancel()
    async with asyncio.timeout(20):
        await asyncio.wait(tasks)
    written = {name for (name,) in await fetch(database, "SELECT name FROM setting")}
    assert all(task.cancelled() or not task.exception() for task in tasks)
    assert written >= {f"{n:02}" for n in range(0, 60, 2)}
    assert written >= {f"{n:02}" for n, task in enumerate(tasks) if not task.cancelled()}
    await ready(store, database)


async def ready(store: Store, database: Database) -> None:
    """Nothing is wedged: more units at once than there are connections, and no transaction is left open."""

    async def one(n: int) -> None:
        async with store.unit() as unit:
            await unit.settings.put(f"ready {n}", "1")

    async with asyncio.timeout(10):
        await gathered(one(n) for n in range(25))
        async with contextlib.AsyncExitStack() as stack:  # every connection of the pool
            for _ in range(3 if database.is_sqlite else 10):
                connection = await stack.enter_async_context(database.reading())
                wrapped = connection.wrapped
                open_one = wrapped.in_transaction if database.is_sqlite else wrapped.is_in_transaction()
                assert not open_one
    if not database.is_sqlite:
        left = await fetch(
            database,
            "SELECT query FROM pg_stat_activity WHERE datname = current_database() AND state LIKE '%in transaction%'",
        )
        assert left == []
    assert await fetch(database, "SELECT COUNT(*) FROM setting WHERE name LIKE 'ready %'") == [(25,)]
