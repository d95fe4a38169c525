"""Lanes: one after another within a lane, lanes side by side. They give order and calm; correctness is the store's."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from appservice.clock import Clock

log = logging.getLogger("coterie.workers")

POLL_MS = 1_000
"""A look at the database at least this often: another process may have written there."""
_REST_MS = 1_000

DueLanes = Callable[[int, int], Awaitable[list[str]]]
NextDue = Callable[[], Awaitable[int | None]]
WorkLane = Callable[[str], Awaitable[None]]


class Lanes:
    """Works on every lane that has something due, at most `width` at once."""

    def __init__(
        self, name: str, clock: Clock, due_lanes: DueLanes, next_due: NextDue, work: WorkLane, width: int
    ) -> None:
        self._name = name
        self._clock = clock
        self._due_lanes = due_lanes
        self._next_due = next_due
        self._work = work
        self._width = width
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._resting: dict[str, tuple[int, int]] = {}
        self._bell = asyncio.Event()
        self._stopping = False

    def ring(self) -> None:
        """Say that there may be something due."""
        self._bell.set()

    def stop(self) -> None:
        """Finish what is in hand and return from `run`."""
        self._stopping = True
        self._bell.set()

    async def run(self, grace_s: float = 10) -> None:
        """Work until stopped; what is in hand then is finished, or given up after `grace_s`, to be repeated."""
        try:
            while not self._stopping:
                self._bell.clear()
                pause_ms = await self._start_due()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._bell.wait(), pause_ms / 1000)
        finally:
            await self._wind_up(grace_s)

    async def _start_due(self) -> int:
        """Start what is due; gives how long to wait for more (ms)."""
        now = self._clock.now()
        try:
            lanes = await self._due_lanes(now, self._width + len(self._busy) + len(self._resting))
            due_at = await self._next_due()
        except Exception as error:
            log.error("%s: the database does not answer (%s), trying again", self._name, type(error).__name__)
            return POLL_MS
        for lane in lanes:
            resting_until, _ = self._resting.get(lane, (0, 0))
            if len(self._busy) < self._width and lane not in self._busy and resting_until <= now:
                task = asyncio.create_task(self._work_on(lane), name=f"{self._name} {lane}")
                self._busy[lane] = task
        if due_at is None or due_at <= now:  # what is due now is in hand or resting, and rings when it is done
            return POLL_MS
        return min(POLL_MS, due_at - now)

    async def _work_on(self, lane: str) -> None:
        try:
            await self._work(lane)
            self._resting.pop(lane, None)
        except Exception as error:
            _, failures = self._resting.get(lane, (0, 0))
            rest_ms = _REST_MS * 2 ** min(failures, 6)
            self._resting[lane] = (self._clock.now() + rest_ms, failures + 1)
            log.error("%s: a lane failed and rests for %d ms: %s", self._name, rest_ms, type(error).__name__)
            log.debug("%s: lane %s", self._name, lane, exc_info=error)
        finally:
            self._busy.pop(lane, None)
            self._bell.set()

    async def _wind_up(self, grace_s: float) -> None:
        tasks = list(self._busy.values())
        try:
            if tasks:
                await asyncio.wait(tasks, timeout=grace_s)
        finally:  # cancelled a second time, too: no task may be left to the closed database
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
