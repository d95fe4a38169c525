"""Lanes: one after another within a lane, lanes side by side, no lane in the way of another."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict

import pytest

from appservice.workers import lanes as lanes_module
from appservice.workers.lanes import POLL_MS, Lanes
from tests.store.engine import START, SetClock
from tests.workers.conftest import SOON, running, until


class Desk:
    """Lanes with things to do, in memory; a gate for each lane at which its work waits when it is shut."""

    def __init__(self, clock: SetClock, width: int = 8) -> None:
        self.clock = clock
        self.waiting: dict[str, list[int]] = defaultdict(list)
        self.due_at: dict[str, int] = defaultdict(lambda: START)
        self.gates: dict[str, asyncio.Event] = {}
        self.failing: set[str] = set()
        self.done: list[tuple[str, int]] = []
        self.begun: list[str] = []
        self.at_work: set[str] = set()
        self.most_at_work = 0
        self.looks = 0
        self.broken = False
        self.lanes = Lanes("test", clock, self._due_lanes, self._next_due, self._work, width)

    def add(self, lane: str, *things: int) -> None:
        self.waiting[lane].extend(things)

    def shut(self, *lanes: str) -> None:
        for lane in lanes:
            self.gates[lane] = asyncio.Event()

    def open(self, lane: str) -> None:
        self.gates[lane].set()

    async def _due_lanes(self, now: int, limit: int) -> list[str]:
        self.looks += 1
        if self.broken:
            raise ConnectionError
        return [lane for lane, things in self.waiting.items() if things and self.due_at[lane] <= now][:limit]

    async def _next_due(self) -> int | None:
        return min((self.due_at[lane] for lane, things in self.waiting.items() if things), default=None)

    async def _work(self, lane: str) -> None:
        assert lane not in self.at_work, "two at once in a lane"
        self.at_work.add(lane)
        self.most_at_work = max(self.most_at_work, len(self.at_work))
        self.begun.append(lane)
        try:
            if lane in self.gates:
                await self.gates[lane].wait()
            if lane in self.failing:
                raise RuntimeError(f"{lane} fails")
            self.done.append((lane, self.waiting[lane].pop(0)))
        finally:
            self.at_work.discard(lane)


@pytest.fixture
def desk(clock: SetClock) -> Desk:
    return Desk(clock)


# Order and width


async def test_within_a_lane_things_are_done_one_after_another(desk: Desk) -> None:
    desk.add("a", *range(50))
    desk.add("b", *range(50))
    async with running(desk.lanes):
        await until(lambda: len(desk.done) == 100)
    for lane in ("a", "b"):
        assert [n for name, n in desk.done if name == lane] == list(range(50))


async def test_lanes_are_worked_on_side_by_side_up_to_the_width(clock: SetClock) -> None:
    desk = Desk(clock, width=3)
    names = [f"lane{n}" for n in range(7)]
    desk.shut(*names)
    for name in names:
        desk.add(name, 1)
    async with running(desk.lanes):
        await until(lambda: len(desk.at_work) == 3)
        await asyncio.sleep(0.02)
        assert desk.begun == names[:3]
        desk.open("lane1")
        await until(lambda: len(desk.begun) == 4)
        assert desk.begun[3] == "lane3"
        for name in names:
            desk.open(name)
        await until(lambda: len(desk.done) == 7)
    assert desk.most_at_work == 3


async def test_a_slow_lane_does_not_hold_up_the_others(desk: Desk) -> None:
    desk.shut("slow")
    desk.add("slow", 1)
    async with running(desk.lanes):
        await until(lambda: desk.begun == ["slow"])
        desk.add("a", *range(30))
        desk.lanes.ring()
        await until(lambda: len(desk.done) == 30, seconds=0.5)
        assert desk.at_work == {"slow"}
        desk.open("slow")
        await until(lambda: len(desk.done) == 31)


async def test_as_many_slow_lanes_as_there_is_width_do_not_keep_the_due_ones_from_being_seen(clock: SetClock) -> None:
    """What is asked for is more than the width: else the busy lanes alone would come back."""
    desk = Desk(clock, width=2)
    desk.shut("slow")
    desk.add("slow", 1)
    async with running(desk.lanes):
        await until(lambda: desk.begun == ["slow"])
        for n in range(5):
            desk.add(f"lane{n}", 1)
        desk.lanes.ring()
        await until(lambda: len(desk.done) == 5, seconds=0.5)
        desk.open("slow")


# Waking and calm


async def test_a_ring_wakes_at_once(desk: Desk) -> None:
    async with running(desk.lanes):
        await until(lambda: desk.looks == 1)
        await asyncio.sleep(0.02)
        desk.add("a", 1)
        desk.lanes.ring()
        await until(lambda: desk.done, seconds=0.2)


async def test_a_ring_while_it_looks_is_not_lost(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    next_due = desk._next_due

    async def and_then_something_comes() -> int | None:
        due_at = await next_due()
        if desk.looks == 1:
            desk.add("a", 1)
            desk.lanes.ring()
        return due_at

    monkeypatch.setattr(desk.lanes, "_next_due", and_then_something_comes)
    async with running(desk.lanes):
        await until(lambda: desk.done, seconds=0.2)


async def test_what_becomes_due_later_is_begun_on_time_without_a_ring(desk: Desk) -> None:
    desk.add("a", 1)
    desk.due_at["a"] = START + 60
    async with running(desk.lanes):
        await until(lambda: desk.looks == 1)
        assert desk.begun == []
        desk.clock.pass_ms(60)
        await until(lambda: desk.done, seconds=0.5)


async def test_what_another_process_wrote_is_seen_at_the_next_look(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes_module, "POLL_MS", 30)
    async with running(desk.lanes):
        await until(lambda: desk.looks == 1)
        desk.add("a", 1)
        await until(lambda: desk.done, seconds=0.5)


@pytest.mark.parametrize("state", ["nothing due", "due far in the future", "all due in hand", "due but resting"])
async def test_with_nothing_to_begin_the_database_is_left_in_peace(desk: Desk, state: str) -> None:
    if state != "nothing due":
        desk.add("a", 1)
    if state == "due far in the future":
        desk.due_at["a"] = START + 10**9
    elif state == "all due in hand":
        desk.shut("a")
    elif state == "due but resting":
        desk.failing.add("a")
    async with running(desk.lanes):
        await asyncio.sleep(0.6)
        # one at the start, one when a lane has rung at its end; the next after POLL_MS
        assert desk.looks <= 2
        assert POLL_MS == 1_000
        for gate in desk.gates.values():
            gate.set()


# Failing


async def test_a_failing_lane_rests_ever_longer_and_the_others_go_on(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.failing.add("bad")
    desk.add("bad", 1)
    rests = []
    async with running(desk.lanes):
        for attempt in range(1, 10):
            await until(lambda attempt=attempt: len(desk.begun) == attempt)
            await until(lambda: not desk.at_work)
            rest = 0
            while len(desk.begun) == attempt and rest < 100_000:
                step = 500
                rest += step
                desk.clock.pass_ms(step)
                desk.lanes.ring()
                for _ in range(6):
                    await asyncio.sleep(0)
            rests.append(rest)
    assert rests == [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 64_000, 64_000]
    assert "bad fails" not in caplog.text, "what a member wrote is not logged above debug"


async def test_a_resting_lane_recovers_and_starts_anew_with_short_rests(desk: Desk) -> None:
    desk.failing.add("a")
    desk.add("a", 1, 2, 3)
    async with running(desk.lanes):
        for _ in range(4):
            before = len(desk.begun)
            desk.clock.pass_ms(64_000)
            desk.lanes.ring()
            await until(lambda before=before: len(desk.begun) > before)
        desk.failing.clear()
        desk.clock.pass_ms(64_000)
        desk.lanes.ring()
        await until(lambda: len(desk.done) == 3)
        assert desk.lanes._resting == {}
        desk.failing.add("a")
        desk.add("a", 4)
        desk.lanes.ring()
        await until(lambda: "a" in desk.lanes._resting)
        assert desk.lanes._resting["a"] == (desk.clock.at + 1_000, 1)


async def test_many_resting_lanes_do_not_hide_the_one_that_can_work(clock: SetClock) -> None:
    desk = Desk(clock, width=2)
    for n in range(10):
        desk.failing.add(f"bad{n}")
        desk.add(f"bad{n}", 1)
    async with running(desk.lanes):
        await until(lambda: len(desk.begun) == 10)
        desk.add("good", 1)
        desk.lanes.ring()
        await until(lambda: desk.done == [("good", 1)], seconds=0.5)


async def test_a_database_that_does_not_answer_is_asked_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lanes_module, "POLL_MS", 20)
    desk.broken = True
    desk.add("a", 1)
    with caplog.at_level(logging.ERROR, "coterie.workers"):
        async with running(desk.lanes):
            await until(lambda: desk.looks >= 3)
            assert desk.done == []
            desk.broken = False
            await until(lambda: desk.done)
    assert "the database does not answer (ConnectionError)" in caplog.text


# Stopping


async def test_stopping_finishes_what_is_in_hand_and_begins_nothing_more(desk: Desk) -> None:
    desk.shut("a", "b")
    desk.add("a", 1, 2)
    desk.add("b", 1)
    async with running(desk.lanes) as task:
        await until(lambda: len(desk.at_work) == 2)
        desk.lanes.stop()
        await asyncio.sleep(0.02)
        assert not task.done()
        desk.add("c", 1)
        desk.lanes.ring()
        desk.open("a")
        desk.open("b")
        await asyncio.wait_for(task, SOON)
    assert sorted(desk.done) == [("a", 1), ("b", 1)]
    assert sorted(desk.begun) == ["a", "b"]


async def test_stopping_an_idle_worker_ends_at_once(desk: Desk) -> None:
    async with running(desk.lanes) as task:
        await until(lambda: desk.looks == 1)
        desk.lanes.stop()
        await asyncio.wait_for(task, 0.2)


async def test_what_hangs_at_the_end_is_given_up_after_its_grace(desk: Desk) -> None:
    desk.shut("a")
    desk.add("a", 1)
    task = asyncio.create_task(desk.lanes.run(grace_s=0.05))
    await until(lambda: desk.at_work == {"a"})
    desk.lanes.stop()
    await asyncio.wait_for(task, 1)
    assert desk.done == []
    assert desk.at_work == set()


async def test_a_cancelled_worker_still_finishes_what_is_in_hand(desk: Desk) -> None:
    desk.shut("a")
    desk.add("a", 1)
    task = asyncio.create_task(desk.lanes.run())
    await until(lambda: desk.at_work == {"a"})
    task.cancel()
    await asyncio.sleep(0.02)
    assert not task.done()
    desk.open("a")
    await asyncio.wait({task}, timeout=SOON)
    assert task.cancelled()
    assert desk.done == [("a", 1)]


async def test_a_worker_cancelled_twice_leaves_no_task_behind(desk: Desk) -> None:
    desk.shut("a")
    desk.add("a", 1)
    task = asyncio.create_task(desk.lanes.run())
    await until(lambda: desk.at_work == {"a"})
    task.cancel()
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait({task}, timeout=SOON)
    await until(lambda: desk.at_work == set(), seconds=0.5)
