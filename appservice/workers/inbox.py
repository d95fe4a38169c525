"""The inbox: each arrival is claimed, acted on and recorded in one unit; many arrivals of one room may share it."""

import logging
from collections.abc import Awaitable, Callable

from appservice.clock import Clock
from appservice.store.db import is_transient
from appservice.store.inbox import Arrival
from appservice.store.rooms import RoomKind
from appservice.store.unit import Store, Unit
from appservice.workers.lanes import Lanes

log = logging.getLogger("coterie.inbox")

BATCH = 50
"""Arrivals of one group that share a unit: commits are what costs."""

Handle = Callable[[Unit, Arrival], Awaitable[None]]
Opened = Callable[[Unit, Arrival], Awaitable[Arrival | None]]


async def as_it_is(unit: Unit, arrival: Arrival) -> Arrival | None:
    """Open nothing."""
    return arrival


def inbox_lanes(
    store: Store,
    clock: Clock,
    handle: Handle,
    done: Callable[[], None],
    width: int = 8,
    *,
    opened: Opened = as_it_is,
) -> Lanes:
    """Give the worker of the inbox; `done` is called after each unit. `opened` decrypts an arrival, or gives None where
    it has to wait for its key."""

    async def due_lanes(now: int, limit: int) -> list[str]:
        async with store.look() as unit:
            return await unit.inbox.due_lanes(now, limit)

    async def next_due() -> int | None:
        async with store.look() as unit:
            return await unit.inbox.next_due_at()

    async def work(lane: str) -> None:
        await handle_lane(store, handle, lane, opened)
        done()

    return Lanes("inbox", clock, due_lanes, next_due, work, width)


async def handle_lane(store: Store, handle: Handle, lane: str, opened: Opened = as_it_is) -> None:
    """Act on what is due in a lane, in one unit."""
    async with store.unit() as unit:
        room = await unit.rooms.get(lane)
        limit = BATCH if room is not None and room.kind is RoomKind.GROUP else 1
        for arrival in await unit.inbox.due(lane, unit.now, limit):
            await _handle(unit, opened, handle, arrival)


async def _handle(unit: Unit, opened: Opened, handle: Handle, arrival: Arrival) -> None:
    try:
        async with unit.savepoint():
            plain = await opened(unit, arrival)
            if plain is not None and await unit.inbox.claim(arrival):
                await handle(unit, plain)
    except Exception as error:
        if is_transient(error):
            raise
        parked = await unit.inbox.fail(arrival, f"{type(error).__name__}: {error}", unit.now)
        log.error("arrival a%d (%s) failed%s: %s", arrival.seq, arrival.type,
                  ", parked: see coterie parked" if parked else "", type(error).__name__)  # fmt: skip
        log.debug("arrival a%d", arrival.seq, exc_info=error)
