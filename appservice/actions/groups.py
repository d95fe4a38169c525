"""Making a group: its room, its desk, its cap."""

from dataclasses import dataclass, replace

from appservice.actions import stats
from appservice.actions.cards import post_anew
from appservice.actions.desk import note, number_of, tell_desk
from appservice.actions.powers import POWER_LEVELS, desk_power_levels, promote
from appservice.actions.seats import advance, invite, wish_of
from appservice.actions.work import Work
from appservice.domain.duration import HOUR_MS
from appservice.domain.effect import CreateRoom, Invite, Leave, SendState, Tell
from appservice.domain.group import Group, GroupStatus
from appservice.domain.guarding import ENCRYPTED, ENCRYPTION
from appservice.domain.ids import GroupId, UserId
from appservice.domain.member import Member, Presence, Role
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.matrix import rooms as building
from appservice.present.acknowledge import acknowledge, answer
from appservice.present.text import notice
from appservice.present.words import groups as say
from appservice.store.rooms import Room, RoomKind
from appservice.store.unit import fresh_id
from appservice.wire import group as wire_group

INSPECTED_EVERY_MS = HOUR_MS
"""Our homeserver is asked so often how it has a group's rooms: aliases and listings leave no event."""


@dataclass(frozen=True, slots=True)
class CreateGroup:
    """A new group as its owner wants it."""

    name: str
    cap: int
    encrypted: bool


async def create(work: Work, request: CreateGroup) -> None:
    """Make a group: its room and its desk, with whoever asked as the owner."""
    defaults = work.config.groups
    group = Group(
        id=GroupId(fresh_id()),
        name=request.name,
        owner=work.cause.sender,
        cap=request.cap,
        currency=defaults.currency,
        locale=defaults.locale,
        time_zone=defaults.time_zone,
        encrypted=request.encrypted,
    )
    await work.unit.groups.add(group, work.unit.now)
    await note(work, group.id, "group_created", cap=group.cap)
    await work.owe(
        CreateRoom(building.group_room(group, defaults.backup_creator), answer="group_room", subject=group.id),
        CreateRoom(building.desk_room(group), answer="desk_room", subject=group.id),
        *acknowledge(work.cause),
        answer(work.cause, say.group_creating(group.name)),
    )


async def room_made(work: Work, room: Room) -> None:
    """Note one of a group's two rooms; with both there, let the owner in and say so."""
    room_id = room.room_id
    before = await work.unit.groups.lock(room.subject)
    if before.status is GroupStatus.CLOSED:  # its owner was erased meanwhile
        await work.owe(Leave(room_id))
        return
    is_group = room.kind is RoomKind.GROUP
    group = before.with_rooms(room_id=room_id if is_group else None, desk_id=None if is_group else room_id)
    await work.unit.groups.save(group)
    await work.unit.rooms.add(room)
    backup = work.config.groups.backup_creator
    if is_group and backup:  # a creator who is not in the room could not let themself in
        await work.owe(Invite(room_id, UserId(backup)))
    if group.room_id is None or group.desk_id is None:
        return
    await work.unit.timers.set_earlier("inspection", group.id, work.unit.now + INSPECTED_EVERY_MS)
    await stats.schedule(work, group)
    owner = await work.unit.groups.member(group.id, group.owner)
    if owner is None:
        owner = Member(group.id, group.owner, Presence.INVITED, power=Role.OWNER, invited_by=group.owner)
        await work.unit.groups.save_member(owner, work.unit.now)
    if owner.presence is Presence.INVITED:
        await work.owe(Invite(group.room_id, group.owner, answer="invited", subject=group.id))
    for member in await work.unit.groups.members(group.id):  # an adopted room has concierges already
        if member.power >= Role.CONCIERGE and member.takes_seat:
            await work.owe(Invite(group.desk_id, member.user_id, answer="invited", subject=group.id))
    is_adopted = owner.presence is Presence.JOINED
    if is_adopted:
        await work.owe(SendState(group.desk_id, POWER_LEVELS, "", await desk_power_levels(work, group)))
    ready = say.group_adopted(group) if is_adopted else say.group_ready(group)
    await work.owe(Tell(group.owner, notice(ready)))


async def room_refused(work: Work, group_id: GroupId, error: str) -> None:
    """Tell the owner that the homeserver would not make a room."""
    group = await work.unit.groups.lock(group_id)
    owner = await work.unit.groups.member(group_id, group.owner)
    is_adopted = owner is not None and owner.presence is Presence.JOINED
    if is_adopted:
        await work.unit.told.first(no_desk(group_id), error, work.unit.now)
    said = say.desk_failed(group, error) if is_adopted else say.group_failed(group.name, error)
    await work.owe(Tell(group.owner, notice(said)))


def no_desk(group_id: GroupId) -> str:
    """Name the note that the desk of an adopted group could not be made, and is to be asked for again."""
    return f"no desk {group_id}"


async def set_cap(work: Work, group_id: GroupId, cap: int) -> Refusal | None:
    """Change how many people a group takes; never below those who have a seat. Who waits may come in now."""
    before = await work.unit.groups.lock(group_id)
    if before.room_id is None:
        return refuse(Reason.STILL_CREATING)
    seats_taken = await work.unit.groups.seats_taken(group_id)
    if cap < seats_taken and cap < before.cap:
        return refuse(Reason.CAP_BELOW, taken=seats_taken)
    group = replace(before, cap=cap)
    await work.unit.groups.save(group)
    actor = await number_of(work, group_id, work.cause.sender)
    await note(work, group_id, "cap_changed", actor=actor, cap=cap, before=before.cap)
    await work.owe(SendState(before.room_id, wire_group.TYPE, "", wire_group.format_group(cap)))
    await work.owe(*acknowledge(work.cause), answer(work.cause, say.cap_changed(group)))
    await advance(work, group)
    return None


async def appoint(work: Work, group_id: GroupId, user_id: UserId) -> Refusal | None:
    """Make a person a concierge, inviting them where they are not in the group yet."""
    group = await work.unit.groups.lock(group_id)
    if group.desk_id is None:
        return refuse(Reason.STILL_CREATING)
    known = await work.unit.groups.member(group_id, user_id)
    if known is not None and known.takes_seat:
        refusal = await promote(work, group_id, user_id)
        if refusal is not None:
            return refusal
        said = say.concierge_added(known, group)
    else:
        sponsor = await number_of(work, group_id, work.cause.sender)
        place = await invite(work, wish_of(work, group_id, user_id, sponsor, Role.CONCIERGE))
        if isinstance(place, Refusal):
            return place
        added = known or Member(group_id, user_id, Presence.INVITED)
        said = say.concierge_waits(added, group, place) if place else say.concierge_added(added, group)
    await work.owe(*acknowledge(work.cause), answer(work.cause, said))
    return None


async def encrypt(work: Work, group_id: GroupId, *, confirmed: bool) -> None:
    """Have a group's room and desk encrypted from now on, once its owner has confirmed; it cannot be undone."""
    group = await work.unit.groups.lock(group_id)
    rooms = [await work.unit.rooms.get(room_id) for room_id in (group.room_id, group.desk_id) if room_id]
    plain = [room for room in rooms if room is not None and room.encryption is None]
    if not plain or not confirmed:
        await work.owe(answer(work.cause, say.encryption_asked(group) if plain else say.encrypted_already(group)))
        return
    for room in plain:
        await work.unit.rooms.encrypt(room.room_id, ENCRYPTED)
        await work.owe(SendState(room.room_id, ENCRYPTION, "", ENCRYPTED))
    await note(work, group_id, "encryption_on", actor=await number_of(work, group_id, work.cause.sender))
    await work.unit.timers.set_earlier("inspection", group_id, work.unit.now)  # what state tells of buys
    await work.owe(*acknowledge(work.cause), answer(work.cause, say.encrypted_now(group)))
    await tell_desk(work, group, say.encrypted_now(group))


async def set_pledges(work: Work, group_id: GroupId, *, private: bool) -> None:
    """Say whether one pledges in a group by direct message only; the cards of its open buys are posted anew, with
    buttons or without."""
    before = await work.unit.groups.lock(group_id)
    said = say.pledges_private(before) if private else say.pledges_open(before)
    await work.owe(*acknowledge(work.cause), answer(work.cause, said))
    if before.private_pledges == private:
        return
    group = replace(before, private_pledges=private)
    await work.unit.groups.save(group)
    actor = await number_of(work, group_id, work.cause.sender)
    await note(work, group_id, "pledges_private" if private else "pledges_open", actor=actor)
    await tell_desk(work, group, said)
    for buy_id in await work.unit.buys.live_of(group_id):
        await post_anew(work, await work.unit.buys.get(buy_id), group, remove=True)
