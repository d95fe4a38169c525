"""What cannot be read yet: it waits for its key, and its sender is told once that it does."""

from appservice.actions.work import Work
from appservice.domain.cause import Cause, Place, Way
from appservice.domain.duration import HOUR_MS, MINUTE_MS
from appservice.domain.effect import SendEvent
from appservice.domain.group import GroupStatus
from appservice.domain.ids import RoomId, UserId
from appservice.domain.refusal import Reason, refuse
from appservice.present import acknowledge
from appservice.present.text import notice
from appservice.present.words import outages as say
from appservice.store.inbox import Arrival
from appservice.store.rooms import Room
from appservice.store.settings import RENEWED, RUNNING
from appservice.store.unit import Unit
from appservice.wire import message

PATIENCE_MS = MINUTE_MS
"""For how long a key may be late before its sender hears of it, and what they say next is acted on."""


async def wait(unit: Unit, arrival: Arrival, session_id: str) -> None:
    """Have an arrival wait until the key of its session has come, in its place."""
    await unit.inbox.wait_for_key(arrival, session_id)
    room_id, sender = arrival.lane, arrival.content["sender"]
    await unit.timers.set_earlier("key", f"{room_id} {session_id} {sender}", unit.now + PATIENCE_MS)


async def is_behind(unit: Unit, arrival: Arrival) -> bool:
    """Have an arrival wait for what the same person has said there before, if that has no key yet; not for long."""
    since = await unit.inbox.waits_since(arrival, unit.now - PATIENCE_MS)
    if since is None:
        return False
    await unit.inbox.put_off(arrival, since + PATIENCE_MS)
    return True


async def missed(work: Work, room_id: RoomId, sender: UserId, session_id: str) -> None:
    """Tell somebody that what they wrote cannot be read, if it still cannot; once in an hour."""
    waiting = await work.unit.inbox.keyless(room_id, session_id)
    first = next((arrival for arrival in waiting if arrival.content.get("sender") == sender), None)
    room = await work.unit.rooms.get(room_id)
    if first is None or room is None:
        return
    if await work.unit.told.again(f"key {room_id} {sender}", "unreadable", work.unit.now, HOUR_MS):
        await _tell(work, first, room)


async def _tell(work: Work, arrival: Arrival, room: Room) -> None:
    sender, place = UserId(arrival.content["sender"]), Place(room.kind.value)
    cause = Cause(arrival.id, arrival.received_at, arrival.seq, sender, room.room_id, place, Way.MESSAGE)
    await work.owe(*acknowledge.refuse(cause, refuse(Reason.NO_KEY)))


async def device_renewed(work: Work) -> None:
    """Tell the open groups, once each, that what was written to the bot's old device may be lost. What the homeserver
    had delivered after the backup is read back, as after an end that nobody has noted."""
    await work.unit.settings.put(RENEWED, "")
    await work.unit.settings.put(RUNNING, "1")
    for group in await work.unit.groups.of_status(GroupStatus.OPEN, GroupStatus.CLOSING):
        room = await work.unit.rooms.get(group.room_id) if group.room_id else None
        if room is not None and room.encryption is not None:
            await work.owe(SendEvent(room.room_id, message.TYPE, notice(say.device_renewed())))
