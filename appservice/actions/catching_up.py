"""What a homeserver has forgotten to deliver is looked up.

One that stops keeps the transaction that it is sending, and forgets what was queued behind it. So whenever a
transaction was cut off, or this service ended without having been stopped, the rooms are read back: once the event that
the bot sends to itself has come back, since what is missing then does not come by itself any more.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from appservice.actions.work import Work
from appservice.domain.duration import DAY_MS, MINUTE_MS
from appservice.domain.effect import ReadBack, SendEvent
from appservice.domain.group import GroupStatus
from appservice.domain.ids import RoomId
from appservice.store.inbox import NewArrival
from appservice.store.settings import LOOK_BACK_TO, OWN_ROOM, RUNNING
from appservice.wire import started

_MARGIN_MS = 10 * MINUTE_MS
"""So much earlier the reading begins: what waits for an answer waits a minute, and clocks differ."""
_LONGEST_MS = 7 * DAY_MS
"""Far less than the journal remembers ids, so that nothing is acted on twice."""


async def begin(work: Work, heard_at: int) -> None:
    """Note that the service runs; where it ended without having been stopped, the rooms are to be read back to when
    something was journaled last (ms), before this start."""
    if await work.unit.settings.get(RUNNING):
        await _note(work, heard_at)
    await work.unit.settings.put(RUNNING, "1")


async def end(work: Work) -> None:
    """Note that the service was stopped, and has answered every transaction."""
    await work.unit.settings.put(RUNNING, "")


async def cut_off(work: Work, started_at: int) -> None:
    """Have the rooms read back: the homeserver has gone before it had the answer to a transaction."""
    await _note(work, work.unit.now)
    await ask_for_sign(work, started_at)


async def ask_for_sign(work: Work, started_at: int) -> None:
    """Send the event that is to come back, once more."""
    room_id = await work.unit.settings.get(OWN_ROOM)
    if room_id is not None:
        await work.owe(SendEvent(RoomId(room_id), started.TYPE, started.format_started(started_at)))


async def look_back(work: Work) -> None:
    """Read the rooms back, if that is to be done; what is no message (who has joined, power levels) is found by their
    inspection."""
    since = await work.unit.settings.get(LOOK_BACK_TO)
    if not since:
        return
    await work.unit.settings.put(LOOK_BACK_TO, "")
    for room_id in sorted(await work.unit.rooms.all_ids()):
        await work.owe(ReadBack(RoomId(room_id), int(since), answer="read_back", subject=room_id))
    for group in await work.unit.groups.of_status(GroupStatus.OPEN, GroupStatus.CLOSING):
        await work.unit.timers.set_earlier("inspection", group.id, work.unit.now)


async def read_back(work: Work, room_id: RoomId, events: Sequence[Mapping[str, Any]]) -> None:
    """Journal what is missing of the events that a room has; it counts as received now."""
    arrivals = [NewArrival(event["event_id"], room_id, event["type"], json.dumps(event)) for event in events]
    await work.unit.inbox.journal(arrivals, work.unit.now)


async def _note(work: Work, at: int) -> None:
    pending = await work.unit.settings.get(LOOK_BACK_TO)
    since = max(at - _MARGIN_MS, work.unit.now - _LONGEST_MS)
    await work.unit.settings.put(LOOK_BACK_TO, str(min(since, int(pending)) if pending else since))
