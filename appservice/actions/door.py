"""Whether somebody may come in, or let in: asked by the homeserver before the event. Reads only, without a lock: were
two to ask for the last seat at once, the later is removed when both have come in."""

from appservice.config import Config
from appservice.domain.admission import Seat, enter
from appservice.domain.ids import GroupId
from appservice.domain.member import Presence, Role
from appservice.store.rooms import RoomKind
from appservice.store.unit import Unit


async def may_join(unit: Unit, config: Config, user_id: str, room_id: str) -> bool:
    """Tell whether a person may join a room, by the rule that is applied once they have."""
    room = None if config.is_own_account(user_id) else await unit.rooms.get(room_id)
    if room is None:
        return True
    match room.kind:
        case RoomKind.GROUP:
            return await _may_enter(unit, GroupId(room.subject), user_id)
        case RoomKind.DESK:
            person = await unit.groups.member(room.subject, user_id)
            return person is not None and person.power >= Role.CONCIERGE and person.presence is not Presence.BANNED
        case RoomKind.DIRECT:
            return user_id == room.subject
        case RoomKind.HELP:
            return await _is_in_help(unit, room.subject, user_id)


async def _is_in_help(unit: Unit, question_id: str, user_id: str) -> bool:
    """Tell whether a help room is for this person: its member, or the concierge who helps."""
    put = await unit.questions.get(question_id)
    person = await unit.groups.member(put.question.group_id, user_id) if put is not None else None
    if put is None or person is None or person.number is None:
        return False
    return person.number in (put.question.asker, put.helper)


async def _may_enter(unit: Unit, group_id: GroupId, user_id: str) -> bool:
    """Tell it for a group. Homeservers ask about a new display name, too: who is in is always let in."""
    person = await unit.groups.member(group_id, user_id)
    if person is not None and person.presence is Presence.JOINED:
        return True
    group = await unit.groups.get(group_id)
    return enter(group, await unit.groups.seats_taken(group_id), person) is Seat.FREE


async def may_invite(unit: Unit, config: Config, user_id: str, room_id: str) -> bool:
    """Tell whether a person may invite into a room: into ours nobody but the service, which takes a seat first."""
    return config.is_own_account(user_id) or await unit.rooms.get(room_id) is None
