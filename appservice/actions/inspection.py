"""Looking at a group's two rooms every hour, and once at the start: for what no event told, or what got lost."""

import logging
from collections.abc import Mapping
from typing import Any

from appservice.actions import seats, stats
from appservice.actions.desk import note, tell_desk
from appservice.actions.groups import INSPECTED_EVERY_MS
from appservice.actions.guarding import at_the_desk, invited_by_other, judge, rules_of, watched
from appservice.actions.pictures import compare_pictures
from appservice.actions.reach import tell_unreached
from appservice.actions.work import Work
from appservice.domain.duration import MINUTE_MS
from appservice.domain.effect import Inspect, SendState, Unlist, invite_lane
from appservice.domain.group import Group, GroupStatus
from appservice.domain.guarding import ENCRYPTION, drift
from appservice.domain.ids import GroupId, RoomId, UserId
from appservice.domain.member import Presence
from appservice.present.words import guarding as say
from appservice.wire.event import Event
from appservice.wire.room_state import RoomState

log = logging.getLogger("coterie.guarding")

_STANDING = {"join": Presence.JOINED, "invite": Presence.INVITED, "ban": Presence.BANNED}
_UNDER_WAY_MS = MINUTE_MS
"""What was asked of the homeserver about a person in this time may not show in the room yet."""


async def inspect(work: Work, group_id: GroupId) -> None:
    """Have a group's rooms looked at now, and in an hour again."""
    group = await work.unit.groups.get(group_id)
    if group.status is GroupStatus.CLOSED:
        return
    await _forget_hourly(work, watched(group_id))
    for room_id in (group.room_id, group.desk_id):
        if room_id is not None:
            await work.owe(Inspect(room_id, answer="inspected", subject=group_id, asked_at=work.unit.now))
    await work.unit.timers.set("inspection", group_id, work.unit.now + INSPECTED_EVERY_MS)
    if group.status is GroupStatus.OPEN:
        await stats.schedule(work, group)  # for groups that were there before figures were


async def _forget_hourly(work: Work, subject: str) -> None:
    """Forget what the desk has been told of, so that it is told anew; once an hour, however often rooms are looked
    at."""
    hour = f"hour {work.unit.now // INSPECTED_EVERY_MS}"
    if await work.unit.told.first(subject, hour, work.unit.now):
        await work.unit.told.forget(subject)
        await work.unit.told.first(subject, hour, work.unit.now)


async def inspected(work: Work, group_id: GroupId, room: RoomState) -> None:
    """Put right what was found in one of a group's rooms: state, people, aliases and listing."""
    group = await work.unit.groups.lock(group_id)
    in_desk = room.room_id == group.desk_id
    if group.status is GroupStatus.CLOSED or room.room_id not in (group.room_id, group.desk_id):
        return
    await _compare_state(work, group, room)
    if in_desk:
        await _compare_desk(work, group, room)
    elif group.status is not GroupStatus.CREATING:  # an adopted room lets nobody in until its desk is there
        await _compare_people(work, group, room)
        await compare_pictures(work, group, room)
        await tell_unreached(work, group)
    if room.listed:
        await note(work, group_id, "unlisted", in_desk=in_desk)
        await tell_desk(work, group, say.listed(in_desk=in_desk))
    if not room.aliases:
        await work.unit.told.forget(_addresses(room.room_id))
    if room.aliases or room.listed:
        await work.owe(Unlist(room.room_id, room.aliases, answer="unlisted", subject=group_id))


async def _compare_state(work: Work, group: Group, room: RoomState) -> None:
    rules = await rules_of(work, group, in_desk=room.room_id == group.desk_id)
    wrong = drift(rules, room.contents())
    if (ENCRYPTION, "") in room.events:
        wrong.setdefault((ENCRYPTION, ""), {})  # somebody may have turned it on
    for (type, key), content in wrong.items():
        found = room.events.get((type, key))
        if found is None:
            await work.owe(SendState(room.room_id, type, key, content))
        else:
            event = Event(found.event_id, room.room_id, type, found.sender, key, found.content)
            await judge(work, group, event, rules)


async def _compare_people(work: Work, group: Group, room: RoomState) -> None:
    """Take for true who is in the room: who has left gives the seat back first, then who has come in gets one, in the
    order in which they came."""
    there = {one.user_id: _STANDING.get(one.membership, Presence.LEFT) for one in room.members}
    members = await work.unit.groups.members(group.id)
    here = {member.user_id: member.presence for member in members}
    newer = await work.unit.groups.changed_since(group.id, room.asked_at)

    async def differs(user_id: UserId, now: Presence) -> bool:
        before = here.get(user_id, Presence.LEFT)
        is_newer = user_id in newer or work.config.is_own_account(user_id)
        if now is before or is_newer or await _is_under_way(work, room, user_id):
            return False
        await work.unit.rooms.changed([room.room_id])  # nobody has told us: who reads there is not whom we took it for
        return True

    for member in members:
        now = there.get(member.user_id, Presence.LEFT)
        if now in (Presence.LEFT, Presence.BANNED) and await differs(member.user_id, now):
            await seats.left(work, group.id, member.user_id, banned=now is Presence.BANNED)
    for one in room.members:
        if there[one.user_id] is Presence.JOINED and await differs(one.user_id, Presence.JOINED):
            await seats.joined(work, group.id, one.user_id, one.name)
        elif there[one.user_id] is Presence.INVITED and await differs(one.user_id, Presence.INVITED):
            await invited_by_other(work, group.id, one.user_id, one.sender)


async def _compare_desk(work: Work, group: Group, room: RoomState) -> None:
    newer = await work.unit.groups.changed_since(group.id, room.asked_at)
    for one in room.with_membership("join", "invite"):
        if one.user_id not in newer and not await _is_under_way(work, room, one.user_id):
            await at_the_desk(work, group.id, one.user_id)


async def _is_under_way(work: Work, room: RoomState, user_id: str) -> bool:
    """Tell whether an invitation or a removal of a person is still to be made, or was just now."""
    return await work.unit.outbox.is_busy(invite_lane(room.room_id, user_id), room.asked_at - _UNDER_WAY_MS)


async def unlisted(work: Work, group_id: GroupId, room_id: RoomId, answer: Mapping[str, Any]) -> None:
    """Tell desk and operator, once, of what leads to a room and could not be removed."""
    group = await work.unit.groups.get(group_id)
    in_desk = room_id == group.desk_id
    if group.desk_id is None:
        return  # the next inspection finds it again
    for alias in answer["left"]:
        if await work.unit.told.first(_addresses(room_id), alias, work.unit.now):
            log.warning(
                "the alias %s leads to a room of group %s, and the service may not remove it: delete it as a server "
                "admin (DELETE /_matrix/client/v3/directory/room/…), and see docs/groups.md",
                alias,
                group_id,
            )
            await tell_desk(work, group, say.alias_stays(alias, in_desk=in_desk))
    if answer["listed"] and await work.unit.told.first(_addresses(room_id), "listed", work.unit.now):
        log.warning("room %s of group %s stands in the directory: take it out as a server admin", room_id, group_id)
        await tell_desk(work, group, say.still_listed(in_desk=in_desk))


def _addresses(room_id: str) -> str:
    return f"addresses {room_id}"
