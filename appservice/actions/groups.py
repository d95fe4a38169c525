"""Making a group, and the people in it."""

from dataclasses import dataclass, replace

from appservice.actions.work import Work
from appservice.domain.admission import admit
from appservice.domain.effect import CreateRoom, Invite, Kick, SendState, Tell
from appservice.domain.group import Group
from appservice.domain.ids import GroupId, Number, RoomId, UserId
from appservice.domain.member import Member, Presence, Role
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.matrix import rooms as building
from appservice.present import words
from appservice.present.acknowledge import acknowledge, answer
from appservice.present.text import notice
from appservice.store.ledger import Entry
from appservice.store.rooms import Room, RoomKind
from appservice.store.unit import fresh_id

DAY_MS = 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class CreateGroup:
    """A new group as its owner wants it."""

    name: str
    cap: int


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
    )
    await work.unit.groups.add(group, work.unit.now)
    await _note(work, group, "group_created", {"cap": group.cap})
    await work.owe(
        CreateRoom(building.group_room(group), answer="group_room", subject=group.id),
        CreateRoom(building.desk_room(group), answer="desk_room", subject=group.id),
        *acknowledge(work.cause),
        answer(work.cause, words.group_creating(group.name)),
    )


async def room_made(work: Work, group_id: GroupId, room_id: RoomId, kind: RoomKind) -> None:
    """Note one of a group's two rooms; with both there, invite the owner and say so."""
    before = await work.unit.groups.lock(group_id)
    is_group = kind is RoomKind.GROUP
    group = before.with_rooms(room_id=room_id if is_group else None, desk_id=None if is_group else room_id)
    await work.unit.groups.save(group)
    await work.unit.rooms.add(Room(room_id, kind, group_id))
    if group.room_id is None or group.desk_id is None:
        return
    owner = Member(group.id, group.owner, Presence.INVITED, power=Role.OWNER, invited_by=group.owner)
    await work.unit.groups.save_member(owner, work.unit.now)
    await work.owe(
        Invite(group.room_id, group.owner, answer="invited", subject=group.id),
        Invite(group.desk_id, group.owner, answer="invited", subject=group.id),
        Tell(group.owner, notice(words.group_ready(group))),
    )


async def room_refused(work: Work, group_id: GroupId, error: str) -> None:
    """Tell the owner that the homeserver would not make a room."""
    group = await work.unit.groups.lock(group_id)
    await work.owe(Tell(group.owner, notice(words.group_failed(group.name, error))))


async def invite(work: Work, group_id: GroupId, user_id: UserId, *, power: int = 0) -> Refusal | None:
    """Take a seat for a person and invite them; the seat is taken before the invitation leaves."""
    group = await work.unit.groups.lock(group_id)
    if group.room_id is None:
        return refuse(Reason.STILL_CREATING)
    known = await work.unit.groups.member(group_id, user_id)
    seats_taken = await work.unit.groups.seats_taken(group_id)
    refusal = admit(cap=group.cap, seats_taken=seats_taken, invitee=known)
    if refusal is not None:
        return refusal
    base = known or Member(group_id, user_id, Presence.INVITED)
    is_owner = user_id == group.owner
    member = replace(
        base, presence=Presence.INVITED, power=Role.OWNER if is_owner else power, invited_by=work.cause.sender
    )
    await work.unit.groups.save_member(member, work.unit.now)
    await work.owe(Invite(group.room_id, user_id, answer="invited", subject=group.id))
    if is_owner and group.desk_id is not None:
        await work.owe(Invite(group.desk_id, user_id, answer="invited", subject=group.id))
    expires_at = work.unit.now + work.config.groups.invitation_days * DAY_MS
    await work.unit.timers.set("invitation", f"{group_id} {user_id}", expires_at)
    return None


async def invitation_expired(work: Work, group_id: GroupId, user_id: UserId) -> None:
    """Take back an invitation that was not answered in time, and give its seat back."""
    group = await work.unit.groups.lock(group_id)
    member = await work.unit.groups.member(group_id, user_id)
    if member is None or member.presence is not Presence.INVITED or group.room_id is None:
        return
    await _give_seat_back(work, group, member)
    await work.owe(Kick(group.room_id, user_id, reason="the invitation has expired"))
    if member.invited_by:
        await work.owe(Tell(member.invited_by, notice(words.invitation_expired(user_id, group))))


async def invitation_failed(work: Work, group_id: GroupId, room_id: RoomId, user_id: UserId, errcode: str) -> None:
    """Give the seat back and tell who asked, unless the person has come in meanwhile; nobody who is out keeps a
    concierge's power."""
    group = await work.unit.groups.lock(group_id)
    member = await work.unit.groups.member(group_id, user_id)
    if member is None or not member.takes_seat:
        return
    if room_id == group.desk_id:
        if member.power >= Role.CONCIERGE:
            await work.owe(Tell(group.owner, notice(words.desk_invitation_failed(user_id, errcode))))
    elif room_id == group.room_id and member.presence is Presence.INVITED:
        await _give_seat_back(work, group, member)
        if member.invited_by:
            await work.owe(Tell(member.invited_by, notice(words.invitation_failed(user_id, errcode))))


async def joined(work: Work, group_id: GroupId, user_id: UserId) -> None:
    """Note that a person has come in; the first time they get a number and an alias."""
    await work.unit.groups.lock(group_id)
    known = await work.unit.groups.member(group_id, user_id)
    member = replace(known or Member(group_id, user_id, Presence.JOINED), presence=Presence.JOINED)
    if member.number is None:
        number = await work.unit.groups.next_number(group_id)
        member = replace(member, number=number, alias=f"Member {number}")
    if member != known:
        await work.unit.groups.save_member(member, work.unit.now)
        await _note_member(work, group_id, "joined", member.number)


async def left(work: Work, group_id: GroupId, user_id: UserId) -> None:
    """Give the seat of a person back who declined, left or was removed; a concierge is out of the desk as well."""
    group = await work.unit.groups.lock(group_id)
    known = await work.unit.groups.member(group_id, user_id)
    if known is None or known.presence is Presence.LEFT:
        return
    await _give_seat_back(work, group, known)
    await _note_member(work, group_id, "left", known.number)


async def _give_seat_back(work: Work, group: Group, known: Member) -> None:
    was_concierge = known.power >= Role.CONCIERGE and known.user_id != group.owner
    member = replace(known, presence=Presence.LEFT, power=0 if was_concierge else known.power)
    await work.unit.groups.save_member(member, work.unit.now)
    if was_concierge:
        await _publish_powers(work, group)
        await _out_of_the_desk(work, group, known.user_id)


async def add_concierge(work: Work, group_id: GroupId, user_id: UserId) -> Refusal | None:
    """Make a person a concierge, inviting them where they are not in the group yet, and let them into the desk."""
    group = await work.unit.groups.lock(group_id)
    if group.desk_id is None:
        return refuse(Reason.STILL_CREATING)
    member = await work.unit.groups.member(group_id, user_id)
    if member is None or not member.takes_seat:
        refusal = await invite(work, group_id, user_id, power=Role.CONCIERGE)
        if refusal is not None:
            return refusal
    elif member.power < Role.CONCIERGE:
        await work.unit.groups.save_member(replace(member, power=Role.CONCIERGE), work.unit.now)
    else:
        return refuse(Reason.ALREADY_CONCIERGE)
    await _publish_powers(work, group)
    await work.owe(Invite(group.desk_id, user_id, answer="invited", subject=group.id))
    await work.owe(*acknowledge(work.cause), answer(work.cause, words.concierge_added(user_id, group)))
    return None


async def remove_concierge(work: Work, group_id: GroupId, user_id: UserId) -> Refusal | None:
    """Make a concierge an ordinary member, and take them out of the desk at once."""
    group = await work.unit.groups.lock(group_id)
    member = await work.unit.groups.member(group_id, user_id)
    if member is None or Role.of(member.power) is not Role.CONCIERGE:
        return refuse(Reason.NO_CONCIERGE)
    await work.unit.groups.save_member(replace(member, power=0), work.unit.now)
    await _publish_powers(work, group)
    await _out_of_the_desk(work, group, user_id)
    await work.owe(*acknowledge(work.cause), answer(work.cause, words.concierge_removed(user_id, group)))
    return None


async def _publish_powers(work: Work, group: Group) -> None:
    members = await work.unit.groups.members(group.id)
    users = {member.user_id: member.power for member in members if member.power > 0}
    content = building.power_levels(users)
    for room_id in (group.room_id, group.desk_id):
        if room_id is not None:
            await work.owe(SendState(room_id, "m.room.power_levels", "", content))


async def _out_of_the_desk(work: Work, group: Group, user_id: UserId) -> None:
    if group.desk_id is not None:
        await work.owe(Kick(group.desk_id, user_id, reason="no longer a concierge"))


async def _note_member(work: Work, group_id: GroupId, fact: str, number: Number | None) -> None:
    entry = Entry(group_id, fact, number=number, cause=work.cause.id, at=work.unit.now)
    await work.unit.ledger.append(entry)


async def _note(work: Work, group: Group, fact: str, detail: dict[str, object]) -> None:
    entry = Entry(group.id, fact, detail=detail, cause=work.cause.id, at=work.unit.now)
    await work.unit.ledger.append(entry)
