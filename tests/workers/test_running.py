"""The workers together: started as one, stopped as one."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from appservice.workers.running import Crew, run_together
from tests.workers.conftest import SOON, until


class Hand:
    """A worker that works until it is stopped, and then for `late_s` more."""

    def __init__(self, late_s: float = 0) -> None:
        self.begun = asyncio.Event()
        self.ended = False
        self.cancelled = False
        self.rings = 0
        self.fail: Exception | None = None
        self._stop = asyncio.Event()
        self._late_s = late_s

    async def run(self) -> None:
        self.begun.set()
        try:
            await self._stop.wait()
            if self.fail:
                raise self.fail
            await asyncio.sleep(self._late_s)
            self.ended = True
        except asyncio.CancelledError:
            self.cancelled = True
            raise

    def ring(self) -> None:
        self.rings += 1

    def stop(self) -> None:
        self._stop.set()


def crew_of(*hands: Hand) -> Crew:
    crew = Crew()
    crew.inbox, crew.outbox, crew.timers = cast(Any, hands)
    return crew


@pytest.fixture
def hands() -> list[Hand]:
    return [Hand(), Hand(0.05), Hand()]


async def test_a_ring_reaches_every_worker(hands: list[Hand]) -> None:
    crew_of(*hands).ring_all()
    assert [hand.rings for hand in hands] == [1, 1, 1]


async def test_all_work_inside_the_block_and_have_ended_after_it(hands: list[Hand]) -> None:
    crew = crew_of(*hands)
    async with run_together(crew.work(asyncio.Event()), crew):
        for hand in hands:
            await asyncio.wait_for(hand.begun.wait(), SOON)
        assert not any(hand.ended for hand in hands)
        assert not crew.stopping
    assert crew.stopping
    assert [(hand.ended, hand.cancelled) for hand in hands] == [(True, False)] * 3


async def test_an_error_inside_the_block_stops_them_in_order_as_well(hands: list[Hand]) -> None:
    crew = crew_of(*hands)
    with pytest.raises(KeyError):
        async with run_together(crew.work(asyncio.Event()), crew):
            await asyncio.wait_for(hands[2].begun.wait(), SOON)
            raise KeyError
    assert all(hand.ended for hand in hands)


async def test_the_loss_of_the_lock_stops_every_worker(hands: list[Hand]) -> None:
    crew = crew_of(*hands)
    lost = asyncio.Event()
    work = asyncio.create_task(crew.work(lost))
    await asyncio.wait_for(hands[2].begun.wait(), SOON)
    lost.set()
    await asyncio.wait_for(work, SOON)
    assert all(hand.ended for hand in hands)


async def test_a_worker_that_breaks_ends_the_others_and_is_heard_of(hands: list[Hand]) -> None:
    crew = crew_of(*hands)
    hands[0].fail = ZeroDivisionError()
    with pytest.raises(ExceptionGroup) as broken:
        async with run_together(crew.work(asyncio.Event()), crew):
            await asyncio.wait_for(hands[2].begun.wait(), SOON)
            hands[0].stop()
            await until(lambda: hands[1].cancelled and hands[2].cancelled)
    assert broken.group_contains(ZeroDivisionError)


async def test_an_instance_that_stands_by_ends_at_once(hands: list[Hand]) -> None:
    crew = crew_of(*hands)

    async def stand_by() -> None:
        await asyncio.sleep(60)
        await crew.work(asyncio.Event())

    async with asyncio.timeout(1):
        async with run_together(stand_by(), crew):
            await asyncio.sleep(0.01)
    assert not any(hand.begun.is_set() for hand in hands)


async def test_a_service_that_could_not_start_working_says_why(hands: list[Hand]) -> None:
    async def refused() -> None:
        raise ConnectionRefusedError

    with pytest.raises(ConnectionRefusedError):
        async with run_together(refused(), crew_of(*hands)):
            await asyncio.sleep(0.01)


async def test_a_sleep_ends_with_the_service() -> None:
    crew = crew_of(Hand(), Hand(), Hand())
    await crew.sleep(0.01)
    sleeping = asyncio.create_task(crew.sleep(60))
    await asyncio.sleep(0.01)
    crew.stop()
    await asyncio.wait_for(sleeping, 1)
