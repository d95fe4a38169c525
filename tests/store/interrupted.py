"""Runs a coroutine and cancels it at a chosen suspension, as a task that is cancelled at the worst moment."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any


class Moment(Enum):
    """AT_ONCE: while the awaited thing is under way. TOO_LATE: when it is done, just before it is seen."""

    AT_ONCE = auto()
    TOO_LATE = auto()


@dataclass
class Interrupted:
    """`await` it in a task of its own: cancels that task at the suspensions of which `chosen` is told the number.

    `suspensions` tells afterwards how many there were.
    """

    work: Coroutine[Any, Any, object]
    chosen: frozenset[int]
    moment: Moment = Moment.AT_ONCE
    suspensions: int = 0

    def __await__(self) -> Generator[Any, Any, object]:
        task = asyncio.current_task()
        assert task is not None
        thrown: BaseException | None = None
        while True:
            try:
                awaited = self.work.throw(thrown) if thrown else self.work.send(None)
            except StopIteration as stop:
                return stop.value
            self.suspensions += 1
            if self.suspensions in self.chosen:
                self._cancel(task, awaited)
            thrown = None
            try:
                yield awaited
            except GeneratorExit:
                self.work.close()
                raise
            except BaseException as error:
                thrown = error

    def _cancel(self, task: asyncio.Task[Any], awaited: object) -> None:
        if self.moment is Moment.TOO_LATE and isinstance(awaited, asyncio.Future):
            awaited.add_done_callback(lambda _: task.cancel())
        else:
            asyncio.get_running_loop().call_soon(task.cancel)


async def interrupt(
    work: Coroutine[Any, Any, object], at: int, moment: Moment = Moment.AT_ONCE, times: int = 1
) -> tuple[int, bool]:
    """Run the work, cancelling it at its suspension `at` and at those right after it, `times` in all.

    Tells how many suspensions there were, and whether the work ended by cancellation.
    """
    run = Interrupted(work, frozenset(range(at, at + times)), moment)

    async def own_task() -> None:
        await run

    task = asyncio.create_task(own_task())
    async with asyncio.timeout(20):
        await asyncio.wait({task})
    if not task.cancelled():
        task.result()
    return run.suspensions, task.cancelled()
