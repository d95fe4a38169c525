"""`python -m tests.demo [--once]`: play the main job, print it, and (without --once or ONCE=1) stay up."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack, suppress
from typing import Any, TypeVar

from tests.demo.guide import leave_open, open_another_on_enter
from tests.demo.play import NotSeen, Play
from tests.demo.stage import Refused, set_up
from tests.demo.transcript import prepare_output, show
from tests.harness.process import ProcessFailedError

USAGE = "usage: python -m tests.demo [--once]    (or ONCE=1 in the environment: exit after the play)"
_Done = TypeVar("_Done")


class Stopped(Exception):
    """Somebody pressed Ctrl-C before the end."""


async def main(once: bool) -> int:
    """The exit code: 0 if every step was seen by the clients."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        await _demo(once, stop)
        return 0
    except Stopped:
        show("\nStopped before the end.")
        return 130
    except Refused as refused:
        print(refused, file=sys.stderr)
    except (NotSeen, ProcessFailedError) as failure:
        print(f"\nThe demo ends here. {failure}", file=sys.stderr)
    return 1


async def _demo(once: bool, stop: asyncio.Event) -> None:
    began = time.monotonic()
    async with AsyncExitStack() as stack:
        stage = await _unless(stop, stack.enter_async_context(set_up()))
        play = Play(stage)
        await _unless(stop, play.perform())
        show()
        show(f"All of this was seen by the clients of everybody concerned, in {time.monotonic() - began:.0f} s.")
        if not once:
            await _unless(stop, leave_open(stage))
            with suppress(Stopped):
                await _unless(stop, open_another_on_enter(play))
            await stop.wait()
            show("\nStopping.")


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, _Done]) -> _Done:
    """The work's result; raises Stopped, with the work undone, if somebody wants an end first."""
    task, stopped = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not task.done():
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise Stopped
    return await task


if __name__ == "__main__":
    prepare_output()
    words = sys.argv[1:]
    if words not in ([], ["--once"]):
        sys.exit(USAGE)
    sys.exit(asyncio.run(main(once=bool(words) or os.environ.get("ONCE", "0") not in ("", "0"))))
