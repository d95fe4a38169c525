"""Timers: what is due by now is acted on, one unit each."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from appservice.clock import Clock
from appservice.store.db import is_transient
from appservice.store.timers import Timer
from appservice.store.unit import Store, Unit
from appservice.workers.lanes import POLL_MS

log = logging.getLogger("coterie.timers")

_RETRY_MS = 30_000

Fire = Callable[[Unit, Timer], Awaitable[None]]


class TimerWorker:
    """Acts on due timers in order."""

    def __init__(self, store: Store, clock: Clock, fire: Fire, done: Callable[[], None]) -> None:
        self._store = store
        self._clock = clock
        self._fire = fire
        self._done = done
        self._bell = asyncio.Event()
        self._stopping = False

    def ring(self) -> None:
        """Say that a timer may have been set."""
        self._bell.set()

    def stop(self) -> None:
        """Finish what is in hand and return from `run`."""
        self._stopping = True
        self._bell.set()

    async def run(self) -> None:
        """Work until stopped."""
        while not self._stopping:
            self._bell.clear()
            try:
                pause_ms = await self._fire_due()
            except Exception as error:
                log.error("the database does not answer (%s), trying again", type(error).__name__)
                pause_ms = POLL_MS
            with suppress(TimeoutError):
                await asyncio.wait_for(self._bell.wait(), pause_ms / 1000)

    async def _fire_due(self) -> int:
        async with self._store.look() as unit:
            due = await unit.timers.due(unit.now, 100)
        for timer in due:
            if self._stopping:
                break
            await fire_timer(self._store, self._fire, timer)
            self._done()
        async with self._store.look() as unit:
            next_at = await unit.timers.next_due_at()
        return POLL_MS if next_at is None else max(0, min(POLL_MS, next_at - self._clock.now()))


class _TakenByAnother(Exception):
    """What was done for a timer has to be undone."""


async def fire_timer(store: Store, fire: Fire, timer: Timer) -> None:
    """Act on one timer in a unit; one that fails is tried again later, and does not hold up the others."""
    try:
        async with store.unit() as unit:
            if await unit.timers.begin(timer):
                await fire(unit, timer)
                if not await unit.timers.finish():
                    raise _TakenByAnother
    except _TakenByAnother:
        log.debug("timer %s %s was moved, or acted on by another, meanwhile", timer.kind, timer.subject)
    except Exception as error:
        wait_ms = POLL_MS if is_transient(error) else _RETRY_MS
        log.error("timer %s failed, tried again in %d s: %s", timer.kind, wait_ms // 1000, type(error).__name__)
        log.debug("timer %s %s", timer.kind, timer.subject, exc_info=error)
        async with store.unit() as unit:
            if await unit.timers.claim(timer):
                await unit.timers.set(timer.kind, timer.subject, unit.now + wait_ms)
