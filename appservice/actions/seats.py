"""Seats: taken before an invitation leaves, given back when its person is out, passed on to who waits.

At every moment joined members, standing invitations and live codes are at most the cap; each of these functions begins
with the group's lock.
"""

from dataclasses import replace

from appservice.actions import aliases, helping, welcome
from appservice.actions.desk import note, number_of, tell_desk
from appservice.actions.powers import is_forgotten_equal, out_of_the_desk, publish_powers
from appservice.actions.work import Work
from appservice.domain.admission import Seat, admit, enter
from appservice.domain.duration import DAY_MS, HOUR_MS
from appservice.domain.effect import Invite, Kick, Tell
from appservice.domain.group import Group, GroupStatus
from appservice.domain.ids import GroupId, Number, RoomId, UserId
from appservice.domain.member import Member, Presence, Role
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.present.text import notice
from appservice.present.words import guarding as guarded
from appservice.present.words import seats as say
from appservice.store.waitlist import Waiting


async def invite(work: Work, wish: Waiting) -> int | Refusal:
    """Take a seat for a person and invite them: gives 0, or their place on the waitlist where the group is full."""
    group = await work.unit.groups.lock(wish.group_id)
    if group.room_id is None:
        return refuse(Reason.STILL_CREATING)
    if wish.user_id == work.config.groups.backup_creator:
        await work.owe(Invite(group.room_id, wish.user_id))
        return 0
    known = await work.unit.groups.member(group.id, wish.user_id)
    found = admit(group, await work.unit.groups.seats_taken(group.id), known)
    match found:
        case Refusal():
            return found
        case Seat.FREE:
            await _take(work, group, known, wish)
            return 0
        case Seat.NONE:
            return await work.unit.waitlist.put(wish, work.unit.now)


async def _take(work: Work, group: Group, known: Member | None, wish: Waiting) -> Member:
    """Give a person a free seat, and let the invitation leave. Who was a member before keeps their sponsor: so nobody
    comes to stand below those whom they vouched for."""
    before = known or await _stranger(work, group, wish.user_id, Presence.INVITED)
    power = int(Role.OWNER) if wish.user_id == group.owner else wish.power
    member = replace(
        before,
        presence=Presence.INVITED,
        power=max(power, before.power) if group.is_beyond(before.power) else power,
        invited_by=wish.asked_by,
        sponsor=wish.sponsor if known is None or known.number is None else known.sponsor,
    )
    await work.unit.groups.save_member(member, work.unit.now)
    await work.unit.waitlist.drop(group.id, member.user_id)
    if group.room_id is not None:
        await work.owe(Invite(group.room_id, member.user_id, answer="invited", subject=group.id))
    if member.power >= Role.CONCIERGE:
        await publish_powers(work, group)
        if group.desk_id is not None:
            await work.owe(Invite(group.desk_id, member.user_id, answer="invited", subject=group.id))
    expires_at = work.unit.now + work.config.groups.invitation_days * DAY_MS
    await work.unit.timers.set("invitation", f"{group.id} {member.user_id}", expires_at)
    return member


async def _stranger(work: Work, group: Group, user_id: UserId, presence: Presence) -> Member:
    """Give a person as a member of whom nothing is known but, where it is so, that the bot cannot lower them."""
    is_equal = group.bot_power is not None and await is_forgotten_equal(work, group, user_id)
    return Member(group.id, user_id, presence, power=group.bot_power or 0 if is_equal else 0)


async def advance(work: Work, group: Group) -> None:
    """Let those who wait have the seats that are free, in order; the group is locked."""
    while group.status is GroupStatus.OPEN and await work.unit.groups.seats_taken(group.id) < group.cap:
        wish = await work.unit.waitlist.take_first(group.id)
        if wish is None:
            return
        known = await work.unit.groups.member(group.id, wish.user_id)
        if admit(group, await work.unit.groups.seats_taken(group.id), known) is Seat.FREE:
            member = await _take(work, group, known, wish)
            await work.owe(Tell(wish.asked_by, notice(say.seat_free(member, group))))


async def invitation_expired(work: Work, group_id: GroupId, user_id: UserId) -> None:
    """Take back an invitation that was not answered in time. Its seat is free once the homeserver has done so: until
    then they can still come in. The one of somebody who has as much power as the bot stays."""
    group = await work.unit.groups.lock(group_id)
    member = await work.unit.groups.member(group_id, user_id)
    if member is None or member.presence is not Presence.INVITED or group.room_id is None:
        return
    stays = group.is_beyond(member.power)
    if not stays:
        await work.owe(Kick(group.room_id, user_id, reason="the invitation has expired", invited_only=True))
    if member.invited_by:
        await work.owe(Tell(member.invited_by, notice(say.invitation_expired(member, group, stays=stays))))


async def invitation_failed(work: Work, group_id: GroupId, room_id: RoomId, user_id: UserId, errcode: str) -> None:
    """Give the seat back and tell who asked, unless the person has come in meanwhile; nobody who is out keeps a
    concierge's power."""
    group = await work.unit.groups.lock(group_id)
    member = await work.unit.groups.member(group_id, user_id)
    if member is None or not member.takes_seat:
        return
    if room_id == group.desk_id:
        if member.power >= Role.CONCIERGE:
            await work.owe(Tell(group.owner, notice(say.desk_invitation_failed(member, errcode))))
    elif room_id == group.room_id and member.presence is Presence.INVITED:
        if member.invited_by:
            await work.owe(Tell(member.invited_by, notice(say.invitation_failed(member, errcode))))
        await give_back(work, group, member)


async def joined(work: Work, group_id: GroupId, user_id: UserId, name: str | None) -> None:
    """Note that a person has come in, by whatever door: who finds no seat is removed at once. The first time they get
    a number and an alias. `name` is their display name in the room."""
    group = await work.unit.groups.lock(group_id)
    if work.config.is_own_account(user_id):
        return
    known = await work.unit.groups.member(group_id, user_id)
    if known is not None and known.presence is Presence.JOINED:
        await aliases.named(work, group, known, name)
        return
    found = enter(group, await work.unit.groups.seats_taken(group_id), known)
    before = known or await _stranger(work, group, user_id, Presence.JOINED)
    if found is not Seat.FREE and not group.is_beyond(before.power):
        await _turn_away(work, group, user_id, found)
        return
    member = replace(before, presence=Presence.JOINED)
    is_new = member.number is None
    if member.number is None:
        number = await work.unit.groups.next_number(group_id)
        alias = await aliases.give_friendly(work, group_id, number)
        member = replace(member, number=number, alias=alias, joined_at=work.unit.now)
    await work.unit.groups.save_member(member, work.unit.now)
    await work.unit.waitlist.drop(group_id, user_id)
    await work.unit.timers.clear("forget", user_id)
    await work.unit.timers.clear("invitation", f"{group_id} {user_id}")
    await work.unit.told.forget(_turned_away(group_id, user_id))
    await note(work, group_id, "joined", number=member.number)
    if found is Seat.NONE:
        await tell_desk(work, group, guarded.came_in_beyond_me(say.called(member), group))
    if known is not None and known.presence is Presence.INVITED and member.role is Role.CONCIERGE:
        actor = await number_of(work, group_id, member.invited_by or group.owner)
        await note(work, group_id, "concierge_added", number=member.number, actor=actor)
    await welcome.welcome(work, group, member, is_new=is_new)
    await aliases.named(work, group, member, name)


async def _turn_away(work: Work, group: Group, user_id: UserId, why: Seat | Refusal) -> None:
    """Remove a person who came in without a seat, and put them first on the waitlist; the reason that everybody can
    read is neutral, they are told the real one."""
    if group.room_id is None:
        return
    await work.owe(Kick(group.room_id, user_id, reason="removed by the service"))
    await going_without_seat(work, group.id, user_id)
    if isinstance(why, Refusal):
        return
    known = await work.unit.groups.member(group.id, user_id)
    wish = Waiting(group.id, user_id, asked_by=user_id, sponsor=known.sponsor if known else None)
    await work.unit.waitlist.put(wish, work.unit.now, first=True)
    await note(work, group.id, "turned_away", number=known.number if known else None, cap=group.cap)
    if await work.unit.told.again(f"over the cap {group.id} {user_id}", "", work.unit.now, HOUR_MS):
        await work.owe(Tell(user_id, notice(say.over_the_cap(group))))
    if await work.unit.told.again(f"over the cap {group.id}", "", work.unit.now, HOUR_MS):
        await tell_desk(work, group, say.turned_away(group))


async def going_without_seat(work: Work, group_id: GroupId, user_id: UserId) -> None:
    """Keep in mind that a person without a seat is to be removed, until they are out: they may get a seat before that,
    which their going does not give back."""
    await work.unit.told.first(_turned_away(group_id, user_id), "", work.unit.now)


def _turned_away(group_id: GroupId, user_id: UserId) -> str:
    return f"turned away {group_id} {user_id}"


async def left(work: Work, group_id: GroupId, user_id: UserId, *, banned: bool = False) -> None:
    """Give the seat of a person back who declined, left or was removed; a concierge is out of the desk as well."""
    group = await work.unit.groups.lock(group_id)
    if work.config.is_own_account(user_id):
        return
    known = await work.unit.groups.member(group_id, user_id)
    gone = Presence.BANNED if banned else Presence.LEFT
    had_no_seat = await work.unit.told.forget(_turned_away(group_id, user_id))
    if had_no_seat and not banned and known is not None and known.presence is Presence.INVITED:
        return  # out at last; the seat is the one of the invitation that they have got meanwhile
    if known is None:
        if banned:
            await work.unit.groups.save_member(Member(group_id, user_id, gone), work.unit.now)
    elif not known.takes_seat:
        await work.unit.groups.save_member(replace(known, presence=gone), work.unit.now)
    else:
        await note(work, group_id, "banned" if banned else "left", number=known.number)
        if known.number is not None:
            await end_codes(work, group, known.number)
        await give_back(work, group, known, gone)
        await welcome.farewell(work, group, known)


async def give_back(work: Work, group: Group, known: Member, presence: Presence = Presence.LEFT) -> None:
    """Give a seat back, with a concierge's power, and let who waits have it."""
    was_concierge = known.power >= Role.CONCIERGE and known.user_id != group.owner
    loses_power = was_concierge and not group.is_beyond(known.power)
    member = replace(known, presence=presence, power=0 if loses_power else known.power)
    await work.unit.groups.save_member(member, work.unit.now)
    await work.unit.timers.clear("invitation", f"{group.id} {known.user_id}")
    if was_concierge:
        await publish_powers(work, group)
        await out_of_the_desk(work, group, known.user_id)
    await helping.member_gone(work, group, member)
    await advance(work, group)


async def end_codes(work: Work, group: Group, maker: Number) -> int:
    """End the codes of a member who must not bring anybody in any more, and count them; whoever calls this lets who
    waits have their seats."""
    ended = await work.unit.codes.end_of(group.id, maker, "ended")
    for code_id in ended:
        await work.unit.timers.clear("code", code_id)
    return len(ended)


def wish_of(work: Work, group_id: GroupId, user_id: UserId, sponsor: Number | None = None, power: int = 0) -> Waiting:
    """Give the wish of whoever asks now that a person be invited."""
    return Waiting(group_id, user_id, asked_by=work.cause.sender, power=power, sponsor=sponsor)
