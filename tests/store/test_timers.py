"""Timers: due by now, one for each kind and subject."""

import pytest

from appservice.store.db import Database
from appservice.store.timers import Timer
from appservice.store.unit import Store
from tests.store.engine import START, fetch, gathered


async def rows(database: Database) -> list[tuple[object, ...]]:
    return await fetch(database, "SELECT kind, subject, due_at FROM timer ORDER BY kind, subject")


async def test_setting_a_timer_again_moves_it_either_way(store: Store, database: Database) -> None:
    async with store.unit() as unit:
        for due_at in (START, START + 5, START - 5):
            await unit.timers.set("card", "b1", due_at)
            assert await unit.timers.due(START + 9, 10) == [Timer("card", "b1", due_at)]
    assert await rows(database) == [("card", "b1", START - 5)]


async def test_setting_a_timer_earlier_never_moves_it_later(store: Store, database: Database) -> None:
    async with store.unit() as unit:
        await unit.timers.set_earlier("card", "b1", START)
        await unit.timers.set_earlier("card", "b1", START + 1)
        assert await unit.timers.next_due_at() == START
        await unit.timers.set_earlier("card", "b1", START - 1)
    assert await rows(database) == [("card", "b1", START - 1)]


async def test_timers_of_other_kinds_and_subjects_are_others(store: Store, database: Database) -> None:
    async with store.unit() as unit:
        for kind, subject in (("card", "b1"), ("card", "b2"), ("hour", "b1"), ("prune", "")):
            await unit.timers.set(kind, subject, START)
        await unit.timers.clear("card", "b1")
        await unit.timers.clear("nothing", "b1")
    assert await rows(database) == [("card", "b2", START), ("hour", "b1", START), ("prune", "", START)]


async def test_timers_are_due_in_the_order_of_their_time_up_to_now(store: Store) -> None:
    async with store.unit() as unit:
        for subject, due_at in (("c", 3), ("a", 1), ("d", 4), ("b", 2)):
            await unit.timers.set("card", subject, START + due_at)
        assert [timer.subject for timer in await unit.timers.due(START + 3, 10)] == ["a", "b", "c"]
        assert [timer.subject for timer in await unit.timers.due(START + 3, 2)] == ["a", "b"]
        assert await unit.timers.due(START, 10) == []
        assert await unit.timers.next_due_at() == START + 1


async def test_what_became_due_while_nobody_ran_is_still_due(store: Store) -> None:
    async with store.unit() as unit:
        await unit.timers.set("deadline", "b1", START)
        assert await unit.timers.due(START + 10**12, 10) == [Timer("deadline", "b1", START)]


async def test_without_timers_nothing_is_next(store: Store) -> None:
    async with store.look() as unit:
        assert await unit.timers.next_due_at() is None
        assert await unit.timers.due(START, 10) == []


async def test_a_claimed_timer_is_gone(store: Store, database: Database) -> None:
    async with store.unit() as unit:
        await unit.timers.set("card", "b1", START)
        assert await unit.timers.claim(Timer("card", "b1", START))
        assert not await unit.timers.claim(Timer("card", "b1", START))
    assert await rows(database) == []


async def test_a_timer_that_was_moved_cannot_be_claimed_at_its_old_time(store: Store, database: Database) -> None:
    async with store.unit() as unit:
        await unit.timers.set("card", "b1", START)
        await unit.timers.set("card", "b1", START + 1)
        assert not await unit.timers.claim(Timer("card", "b1", START))
    assert await rows(database) == [("card", "b1", START + 1)]


async def test_a_timer_that_was_acted_on_is_gone_at_the_end(store: Store, database: Database) -> None:
    await timer_is_set(store)
    async with store.unit() as unit:
        assert await unit.timers.begin(Timer("card", "b1", START))
        assert await unit.timers.finish()
    assert await rows(database) == []


@pytest.mark.parametrize("due_at", [START - 7, START, START + 7])
@pytest.mark.parametrize("way", ["set", "set_earlier"])
async def test_a_timer_set_anew_while_it_is_acted_on_stays(
    store: Store, database: Database, way: str, due_at: int
) -> None:
    """Also when that makes it later: the one that is acted on counts as gone."""
    await timer_is_set(store)
    async with store.unit() as unit:
        assert await unit.timers.begin(Timer("card", "b1", START))
        await unit.timers.set("card", "b2", START)
        await getattr(unit.timers, way)("card", "b1", due_at)
        await unit.timers.set_earlier("card", "b1", START + 100)
        assert await unit.timers.finish()
        await unit.timers.clear("card", "b2")
    assert await rows(database) == [("card", "b1", due_at)]


async def test_a_timer_cleared_while_it_is_acted_on_is_gone(store: Store, database: Database) -> None:
    await timer_is_set(store)
    async with store.unit() as unit:
        assert await unit.timers.begin(Timer("card", "b1", START))
        await unit.timers.clear("card", "b1")
        assert await unit.timers.finish()
    assert await rows(database) == []


async def test_a_timer_that_was_moved_or_taken_before_is_not_begun(store: Store) -> None:
    await timer_is_set(store)
    async with store.unit() as unit:
        assert not await unit.timers.begin(Timer("card", "b1", START - 1))
        assert not await unit.timers.begin(Timer("card", "b2", START))
        assert await unit.timers.finish()
        assert await unit.timers.due(START, 9) == [Timer("card", "b1", START)]


async def test_a_timer_that_others_moved_or_took_while_it_was_acted_on_is_told_so(store: Store) -> None:
    await timer_is_set(store)
    async with store.unit() as unit:
        assert await unit.timers.begin(Timer("card", "b1", START))
        await unit.timers._connection.execute("UPDATE timer SET due_at = due_at + 1")
        assert not await unit.timers.finish()
        assert await unit.timers.begin(Timer("card", "b1", START + 1))
        await unit.timers._connection.execute("DELETE FROM timer")
        assert not await unit.timers.finish()


async def timer_is_set(store: Store) -> None:
    async with store.unit() as unit:
        await unit.timers.set("card", "b1", START)


async def test_of_many_who_claim_a_timer_at_once_one_gets_it(store: Store) -> None:
    async with store.unit() as unit:
        await unit.timers.set("deadline", "b1", START)

    async def claim() -> bool:
        async with store.unit() as unit:
            return await unit.timers.claim(Timer("deadline", "b1", START))

    assert sorted(await gathered(claim() for _ in range(8))) == [False] * 7 + [True]
