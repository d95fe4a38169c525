"""The workers together: started as one, stopped as one."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol

from appservice.workers.lanes import Lanes
from appservice.workers.timers import TimerWorker


class Worker(Protocol):
    """What runs until it is stopped, and looks for work when it is rung."""

    def ring(self) -> None: ...
    def stop(self) -> None: ...
    async def run(self) -> None: ...


class Crew:
    """Inbox, outbox (with a part of its own for what waits on other servers), timers and crypto traffic of this
    process."""

    inbox: Lanes
    outbox: Lanes
    timers: TimerWorker
    doors: Lanes | None = None
    traffic: Worker | None = None

    def __init__(self) -> None:
        self._stop = asyncio.Event()
        self.working = False

    @property
    def stopping(self) -> bool:
        """Tell whether the workers are to end."""
        return self._stop.is_set()

    def _workers(self) -> list[Worker]:
        rest = [worker for worker in (self.doors, self.traffic) if worker is not None]
        return [self.inbox, self.outbox, self.timers, *rest]

    def ring_all(self) -> None:
        """Say that there may be something due."""
        for worker in self._workers():
            worker.ring()

    def stop(self) -> None:
        """Let each worker finish what is in hand."""
        self._stop.set()
        for worker in self._workers():
            worker.stop()

    async def sleep(self, seconds: float) -> None:
        """Wait, but not beyond the end."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)

    async def work(self, lost: asyncio.Event) -> None:
        """Run all workers until stopped, or until the right to work on this database is lost."""
        watch = asyncio.create_task(self._stop_when(lost))
        self.working = True
        try:
            async with asyncio.TaskGroup() as group:
                for worker in self._workers():
                    group.create_task(worker.run())
        finally:
            watch.cancel()

    async def _stop_when(self, lost: asyncio.Event) -> None:
        await lost.wait()
        self.stop()


@asynccontextmanager
async def run_together(work: Coroutine[Any, Any, None], crew: Crew) -> AsyncIterator[None]:
    """Have the work going on inside the block; at its end the crew is stopped and waited for."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        crew.stop()
        with suppress(asyncio.CancelledError):
            if crew.working:
                await asyncio.wait({task}, timeout=30)
            task.cancel()  # only where it stands by, waits for the homeserver, or hangs
            await task
