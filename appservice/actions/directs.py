"""Direct rooms: one per person, reused."""

import json
from collections.abc import Mapping
from typing import Any

from appservice.actions.work import Work
from appservice.domain.duration import HOUR_MS
from appservice.domain.effect import Invite, Join, Leave, direct_lane
from appservice.domain.guarding import is_encrypted
from appservice.domain.ids import RoomId, UserId
from appservice.store.inbox import NewArrival
from appservice.store.rooms import Direct, DirectStatus, Room, RoomKind

MOST_DIRECT_ROOMS = 3
"""With one person; one is used, and the others are what their clients have made by accident."""

MOST_AN_HOUR = 5
"""So many invitations of one person are accepted in an hour."""
ASKED = "direct room for"
"""How the subject begins under which accepted invitations are noted."""


async def accept(work: Work, room_id: RoomId, user_id: UserId) -> None:
    """Join the direct room to which a person has invited the bot. It is known from now on, so that nothing said
    there is overlooked. Who has some already, or asks again and again, gets no more."""
    has_enough = await work.unit.rooms.count_direct(user_id) >= MOST_DIRECT_ROOMS
    if has_enough or await _asks_too_often(work, user_id):
        await decline(work, room_id)
        return
    await work.unit.rooms.add(Room(room_id, RoomKind.DIRECT, user_id))
    await work.unit.told.first(_entering(room_id), "join", work.unit.now)
    await work.owe(Join(room_id, answer="direct_joined", subject=user_id))


async def _asks_too_often(work: Work, user_id: UserId) -> bool:
    """Tell whether a person has had as many invitations accepted lately as one gets; note this one if not."""
    asked = f"{ASKED} {user_id}"
    if await work.unit.told.count(asked, work.unit.now - HOUR_MS) >= MOST_AN_HOUR:
        return True
    await work.unit.told.first(asked, f"direct room {work.cause.id}", work.unit.now)
    return False


async def decline(work: Work, room_id: RoomId) -> None:
    """Stay out of a room that is neither direct nor adopted."""
    await work.owe(Leave(room_id))


async def joined(
    work: Work, user_id: UserId, room_id: RoomId, said: list[dict[str, Any]], encryption: Mapping[str, Any] | None
) -> None:
    """Use the room that a person has opened with the bot, and hear what they said there before it came in."""
    await work.unit.told.forget(_entering(room_id))
    await _use(work, user_id, room_id, encryption)
    earlier = [NewArrival(event["event_id"], room_id, event["type"], json.dumps(event)) for event in said]
    await work.unit.inbox.journal(earlier, work.unit.now)


async def not_joined(work: Work, user_id: UserId, room_id: RoomId) -> None:
    """Forget a room that could not be joined, or in which there were others."""
    await work.unit.told.forget(_entering(room_id))
    await _forget(work, user_id, room_id)


async def encrypted(work: Work, room_id: RoomId, encryption: Mapping[str, Any]) -> None:
    """Note that a direct room is encrypted from now on; what is on already stays as it is."""
    room = await work.unit.rooms.get(room_id)
    if room is not None and room.encryption is None and is_encrypted(encryption):
        await work.unit.rooms.encrypt(room_id, encryption)


async def made(work: Work, user_id: UserId, room_id: RoomId, encryption: Mapping[str, Any] | None) -> None:
    """Note the direct room that the bot has made for a person, and invite them."""
    direct = await work.unit.rooms.direct(user_id)
    if direct is None or direct.status is not DirectStatus.WANTED:  # the person opened one meanwhile
        await work.owe(Leave(room_id))
        return
    await work.unit.rooms.add(Room(room_id, RoomKind.DIRECT, user_id, encryption))
    await work.unit.rooms.save_direct(Direct(user_id, room_id, DirectStatus.INVITED))
    await work.owe(Invite(room_id, user_id, answer="direct_invited", subject=user_id, is_direct=True))


async def not_made(work: Work, user_id: UserId, room_id: RoomId | None) -> None:
    """Give a direct room up that could not be made, or into which its person could not be invited."""
    direct = await work.unit.rooms.direct(user_id)
    if direct is None or direct.room_id != room_id:
        return
    if room_id is None:
        await work.unit.rooms.forget_direct(user_id)
    else:
        await person_left(work, user_id, room_id)


async def person_joined(work: Work, user_id: UserId, room_id: RoomId) -> None:
    """Say what has waited for a person now that they have joined their direct room."""
    direct = await work.unit.rooms.direct(user_id)
    if direct is not None and direct.room_id == room_id:
        await _use(work, user_id, room_id)


async def heard(work: Work, user_id: UserId, room_id: RoomId) -> None:
    """Answer a person where they have spoken last, if they have several rooms with the bot. In one that it has only
    just joined, nothing is said before it is known whether it is encrypted."""
    direct = await work.unit.rooms.direct(user_id)
    if await work.unit.told.knows(_entering(room_id), "join"):
        if direct is None or direct.room_id != room_id:
            await work.unit.rooms.save_direct(Direct(user_id, room_id, DirectStatus.INVITED))
            await work.unit.outbox.hold(direct_lane(user_id))
    elif direct is None or direct.room_id != room_id or direct.status is not DirectStatus.JOINED:
        await _use(work, user_id, room_id)


async def lost(work: Work, user_id: UserId, room_id: RoomId) -> None:
    """Leave a direct room in which the bot may not speak: it makes one of its own when there is more to say."""
    room = await work.unit.rooms.get(room_id)
    if room is not None and room.kind is RoomKind.DIRECT and room.subject == user_id:
        await person_left(work, user_id, room_id)


async def person_left(work: Work, user_id: UserId, room_id: RoomId) -> None:
    """Leave a direct room that its person has left; what waits for them is kept for the next one."""
    await work.owe(Leave(room_id))
    await _forget(work, user_id, room_id)


async def _forget(work: Work, user_id: UserId, room_id: RoomId) -> None:
    direct = await work.unit.rooms.direct(user_id)
    await work.unit.rooms.forget(room_id)
    if direct is not None and direct.room_id == room_id:
        await work.unit.outbox.hold(direct_lane(user_id))
        await work.unit.rooms.forget_direct(user_id)


async def _use(work: Work, user_id: UserId, room_id: RoomId, encryption: Mapping[str, Any] | None = None) -> None:
    await work.unit.rooms.add(Room(room_id, RoomKind.DIRECT, user_id, encryption))
    await work.unit.rooms.save_direct(Direct(user_id, room_id, DirectStatus.JOINED))
    await work.unit.outbox.release(direct_lane(user_id), work.unit.now)


def _entering(room_id: str) -> str:
    """Give under which subject it is noted that the bot is on its way into a room."""
    return f"entering {room_id}"
