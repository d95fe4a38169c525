"""Timers at work: what is due is acted on, one that fails later again and in nobody's way."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from appservice.store.db import Database
from appservice.store.timers import Timer, Timers
from appservice.store.unit import Store, Unit
from appservice.workers import timers as timers_module
from appservice.workers.lanes import POLL_MS
from appservice.workers.timers import TimerWorker, fire_timer
from tests.store.engine import START, SetClock, fetch, on_postgres
from tests.store.given import GROUP, group_exists
from tests.workers.conftest import SOON, running, until

Break = Callable[[Unit, Timer], Awaitable[None]]
RETRY_MS = 30_000


class Bell:
    """Writes down what rang, in the unit; breaks where it is told to."""

    def __init__(self) -> None:
        self.rang: list[str] = []
        self.breaks: dict[str, Break] = {}
        self.done = 0

    async def fire(self, unit: Unit, timer: Timer) -> None:
        self.rang.append(timer.subject)
        await unit.settings.put(timer.subject, "1")
        if timer.subject in self.breaks:
            await self.breaks[timer.subject](unit, timer)

    def ring(self) -> None:
        self.done += 1


def raising(error: Exception) -> Break:
    async def broken(unit: Unit, timer: Timer) -> None:
        raise error

    return broken


@pytest.fixture
def bell() -> Bell:
    return Bell()


@pytest.fixture
def worker(store: Store, clock: SetClock, bell: Bell) -> TimerWorker:
    return TimerWorker(store, clock, bell.fire, bell.ring)


async def put(store: Store, **due: int) -> None:
    async with store.unit() as unit:
        for subject, due_at in due.items():
            await unit.timers.set("card", subject, START + due_at)


async def rows(database: Database) -> list[tuple[Any, ...]]:
    return await fetch(database, "SELECT subject, due_at FROM timer ORDER BY subject")


async def test_a_timer_that_was_acted_on_is_gone(store: Store, bell: Bell, database: Database) -> None:
    await put(store, a=0)
    await fire_timer(store, bell.fire, Timer("card", "a", START))
    assert bell.rang == ["a"]
    assert await rows(database) == []
    assert await fetch(database, "SELECT name FROM setting") == [("a",)]


async def test_a_timer_that_was_moved_or_taken_meanwhile_is_not_acted_on(
    store: Store, bell: Bell, database: Database
) -> None:
    await put(store, a=5)
    await fire_timer(store, bell.fire, Timer("card", "a", START))
    await fire_timer(store, bell.fire, Timer("card", "b", START))
    assert bell.rang == []
    assert await rows(database) == [("a", START + 5)]


async def test_a_failing_timer_is_undone_and_tried_again_later(
    store: Store, bell: Bell, database: Database, clock: SetClock, caplog: pytest.LogCaptureFixture
) -> None:
    await put(store, a=0)
    bell.breaks["a"] = raising(KeyError("a secret"))
    clock.pass_ms(7)
    await fire_timer(store, bell.fire, Timer("card", "a", START))
    assert await rows(database) == [("a", START + 7 + RETRY_MS)]
    assert await fetch(database, "SELECT name FROM setting") == []
    assert "failed, tried again in 30 s: KeyError" in caplog.text
    assert "secret" not in caplog.text
    bell.breaks.clear()
    await fire_timer(store, bell.fire, Timer("card", "a", START + 7 + RETRY_MS))
    assert await rows(database) == []
    assert await fetch(database, "SELECT name FROM setting") == [("a",)]


@pytest.mark.parametrize("error", [sqlite3.OperationalError("database is locked"), asyncpg.DeadlockDetectedError("x")])
async def test_a_timer_that_found_the_database_failing_is_tried_again_soon(
    store: Store, bell: Bell, database: Database, error: Exception
) -> None:
    """A deadlock must not put the closing of a buy off for half a minute."""
    await put(store, a=0)
    bell.breaks["a"] = raising(error)
    await fire_timer(store, bell.fire, Timer("card", "a", START))
    assert await rows(database) == [("a", START + POLL_MS)]


async def test_a_timer_that_sets_itself_again_stays_set(store: Store, bell: Bell, database: Database) -> None:
    async def again(unit: Unit, timer: Timer) -> None:
        await unit.timers.set("card", timer.subject, unit.now + 100)

    await put(store, a=0)
    bell.breaks["a"] = again
    await fire_timer(store, bell.fire, Timer("card", "a", START))
    assert await rows(database) == [("a", START + 100)]


@on_postgres
async def test_a_timer_and_a_unit_that_sets_it_do_not_lock_each_other_out(
    store: Store, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """As a pledge, which locks its buy and then wants the card edited, while the card's timer fires."""
    await group_exists(store)
    await put(store, a=0)
    holds = asyncio.Event()

    async def locks_first(unit: Unit, timer: Timer) -> None:
        await unit.groups.lock(GROUP.id)

    async def sets_it() -> None:
        async with store.unit() as unit:
            await unit.groups.lock(GROUP.id)
            holds.set()
            await asyncio.sleep(0.1)
            await unit.timers.set_earlier("card", "a", START - 1)
            await unit.timers.set_earlier("card", "a", START + 1)

    setting = asyncio.create_task(sets_it())
    await asyncio.wait_for(holds.wait(), SOON)
    async with asyncio.timeout(SOON):
        await fire_timer(store, locks_first, Timer("card", "a", START))
        await setting
    assert caplog.text == ""
    assert await rows(database) == [("a", START - 1)], "it was moved, and fires again"


@on_postgres
async def test_a_timer_that_two_act_on_at_once_is_acted_on_once(
    store: Store, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    await group_exists(store)
    await put(store, a=0)

    async def count(unit: Unit, timer: Timer) -> None:
        await unit.groups.lock(GROUP.id)
        await unit.settings.put("count", str(int(await unit.settings.get("count") or 0) + 1))
        await asyncio.sleep(0.02)

    await asyncio.gather(*(fire_timer(store, count, Timer("card", "a", START)) for _ in range(4)))
    assert await fetch(database, "SELECT value FROM setting") == [("1",)]
    assert await rows(database) == []
    assert caplog.text == ""


async def test_the_worker_acts_on_what_is_due_in_order_and_leaves_the_rest(
    store: Store, bell: Bell, worker: TimerWorker, database: Database
) -> None:
    await put(store, c=0, a=-2, b=-1, later=10**6)
    async with running(worker):
        await until(lambda: len(bell.rang) == 3)
        await asyncio.sleep(0.02)
    assert bell.rang == ["a", "b", "c"]
    assert bell.done == 3
    assert await rows(database) == [("later", START + 10**6)]


async def test_a_failing_timer_does_not_hold_up_the_others(
    store: Store, bell: Bell, worker: TimerWorker, database: Database
) -> None:
    await put(store, a=-5, b=-4, c=-3)
    bell.breaks["a"] = raising(RecursionError())
    async with running(worker):
        await until(lambda: bell.rang == ["a", "b", "c"])
        await until(lambda: len(bell.rang) == 3)
        await asyncio.sleep(0.05)
        assert bell.rang.count("a") == 1
    assert await rows(database) == [("a", START + RETRY_MS)]


async def test_more_than_a_hundred_due_timers_are_all_acted_on(
    store: Store, bell: Bell, worker: TimerWorker, database: Database
) -> None:
    await put(store, **{f"t{n:03}": n - 250 for n in range(250)})
    async with running(worker):
        await until(lambda: len(bell.rang) == 250, seconds=20)
    assert bell.rang == [f"t{n:03}" for n in range(250)]


async def test_a_timer_becomes_due_without_a_ring(
    store: Store, bell: Bell, worker: TimerWorker, clock: SetClock
) -> None:
    await put(store, a=60)
    async with running(worker):
        await asyncio.sleep(0.02)
        assert bell.rang == []
        clock.pass_ms(60)
        await until(lambda: bell.rang == ["a"], seconds=0.5)


async def test_a_ring_wakes_the_worker_at_once(store: Store, bell: Bell, worker: TimerWorker) -> None:
    async with running(worker):
        await asyncio.sleep(0.05)
        await put(store, a=0)
        worker.ring()
        await until(lambda: bell.rang == ["a"], seconds=0.5)


@pytest.mark.parametrize("due", [{}, {"a": 10**9}])
async def test_an_idle_worker_leaves_the_database_in_peace(
    store: Store, bell: Bell, worker: TimerWorker, monkeypatch: pytest.MonkeyPatch, due: dict[str, int]
) -> None:
    looks = 0
    due_timers = Timers.due

    async def counted(self: Timers, now: int, limit: int) -> list[Timer]:
        nonlocal looks
        looks += 1
        return await due_timers(self, now, limit)

    await put(store, **due)
    monkeypatch.setattr(Timers, "due", counted)
    async with running(worker):
        await asyncio.sleep(0.5)
        assert looks == 1


async def test_a_database_that_does_not_answer_is_asked_again(
    store: Store, bell: Bell, worker: TimerWorker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked = 0

    async def refuse(self: Timers, now: int, limit: int) -> list[Timer]:
        nonlocal asked
        asked += 1
        raise asyncpg.ConnectionDoesNotExistError("x")

    monkeypatch.setattr(timers_module, "POLL_MS", 20)
    await put(store, a=0)
    with monkeypatch.context() as broken, caplog.at_level(logging.ERROR):
        broken.setattr(Timers, "due", refuse)
        async with running(worker):
            await until(lambda: asked >= 3)
            broken.undo()
            monkeypatch.setattr(timers_module, "POLL_MS", 20)
            await until(lambda: bell.rang == ["a"])
    assert "the database does not answer" in caplog.text


async def test_stopping_finishes_the_timer_in_hand_and_leaves_the_others_due(
    store: Store, bell: Bell, worker: TimerWorker, database: Database
) -> None:
    reached, go = asyncio.Event(), asyncio.Event()

    async def wait(unit: Unit, timer: Timer) -> None:
        reached.set()
        await go.wait()

    await put(store, a=-2, b=-1)
    bell.breaks["a"] = wait
    async with running(worker) as task:
        await asyncio.wait_for(reached.wait(), SOON)
        worker.stop()
        go.set()
        await asyncio.wait_for(task, SOON)
    assert bell.rang == ["a"]
    assert await rows(database) == [("b", START - 1)]


async def test_a_worker_that_is_cancelled_while_a_failed_timer_is_put_off_ends(
    store: Store, bell: Bell, clock: SetClock, worker: TimerWorker
) -> None:
    """A cancellation that comes while the database takes something back is not lost."""
    await put(store, a=0)
    task: asyncio.Task[None] | None = None

    async def broken(unit: Unit, timer: Timer) -> None:
        assert task is not None
        asyncio.get_running_loop().call_soon(task.cancel)
        raise KeyError

    bell.breaks["a"] = broken
    task = asyncio.create_task(worker.run())
    await asyncio.wait({task}, timeout=SOON)
    assert task.cancelled()
