"""Concierges and owners: who has which power, in the room and in the desk."""

from dataclasses import replace
from hashlib import sha256

from appservice.actions import helping
from appservice.actions.desk import note, number_of
from appservice.actions.work import Work
from appservice.domain.effect import Invite, Kick, SendState, Tell
from appservice.domain.group import Group
from appservice.domain.ids import GroupId, Number, UserId
from appservice.domain.member import Member, Presence, Role
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.matrix import rooms as building
from appservice.present.acknowledge import acknowledge, answer
from appservice.present.text import notice
from appservice.present.words import groups as say

POWER_LEVELS = "m.room.power_levels"


async def promote(work: Work, group_id: GroupId, user_id: UserId) -> Refusal | None:
    """Make a person who is in the group, or invited, a concierge, and let them into the desk."""
    group = await work.unit.groups.lock(group_id)
    member = await work.unit.groups.member(group_id, user_id)
    if group.desk_id is None or member is None:
        return refuse(Reason.STILL_CREATING)
    if member.power >= Role.CONCIERGE:
        return refuse(Reason.ALREADY_CONCIERGE)
    await work.unit.groups.save_member(replace(member, power=Role.CONCIERGE), work.unit.now)
    if member.presence is Presence.JOINED:  # else it is noted when they come in
        await note(work, group_id, "concierge_added", number=member.number, actor=await _asker(work, group_id))
    await publish_powers(work, group)
    await work.owe(Invite(group.desk_id, user_id, answer="invited", subject=group.id))
    await work.owe(Tell(user_id, notice(say.concierge_now(group))))
    return None


async def remove_concierge(work: Work, group_id: GroupId, user_id: UserId) -> Refusal | None:
    """Make a concierge an ordinary member, and take them out of the desk at once."""
    group = await work.unit.groups.lock(group_id)
    member = await work.unit.groups.member(group_id, user_id)
    if await work.unit.waitlist.lower(group_id, user_id):
        waiting = member or Member(group_id, user_id, Presence.LEFT)
        await work.owe(*acknowledge(work.cause), answer(work.cause, say.concierge_wish_taken_back(waiting, group)))
        return None
    if member is None or Role.of(member.power) is not Role.CONCIERGE:
        return refuse(Reason.NO_CONCIERGE)
    await work.unit.groups.save_member(replace(member, power=0), work.unit.now)
    await note(work, group_id, "concierge_removed", number=member.number, actor=await _asker(work, group_id))
    await publish_powers(work, group)
    await out_of_the_desk(work, group, user_id)
    await work.owe(Tell(user_id, notice(say.concierge_no_more(group))))
    await work.owe(*acknowledge(work.cause), answer(work.cause, say.concierge_removed(member, group)))
    return None


async def hand_over(work: Work, group_id: GroupId, user_id: UserId, *, confirmed: bool) -> Refusal | None:
    """Make a member the owner, and the owner a concierge; unconfirmed, only say what would happen."""
    group = await work.unit.groups.lock(group_id)
    member = await work.unit.groups.member(group_id, user_id)
    if member is None or member.presence is not Presence.JOINED:
        return refuse(Reason.NO_SUCH_MEMBER)
    if user_id == group.owner:
        return refuse(Reason.ALREADY_OWNER)
    former = await work.unit.groups.member(group_id, group.owner)
    stays = former is not None and group.is_beyond(former.power)
    here = former is not None and former.presence is Presence.JOINED
    if not confirmed:
        await work.owe(answer(work.cause, say.hand_over_asked(member, group, stays=stays, here=here)))
        return None
    if former is not None and not stays:
        power = Role.CONCIERGE if former.presence is Presence.JOINED else Role.MEMBER
        await work.unit.groups.save_member(replace(former, power=power), work.unit.now)
    await work.unit.groups.save_member(replace(member, power=max(member.power, Role.OWNER)), work.unit.now)
    after = replace(group, owner=user_id)
    await work.unit.groups.save(after)
    actor = former.number if former else None
    await note(work, group_id, "handed_over", number=member.number, actor=actor)
    await publish_powers(work, after)
    if group.desk_id is not None and member.power < Role.CONCIERGE:
        await work.owe(Invite(group.desk_id, user_id, answer="invited", subject=group.id))
    await work.owe(*acknowledge(work.cause), answer(work.cause, say.handed_over(member, group, stays=stays, here=here)))
    await work.owe(say.owner_now(member, group))
    return None


async def publish_powers(work: Work, group: Group) -> None:
    """Write into the room and the desk who may do what."""
    if group.room_id is not None:
        levels = await power_levels(work, group)
        await work.owe(SendState(group.room_id, POWER_LEVELS, "", levels, group.bot_power))
    if group.desk_id is not None:
        await work.owe(SendState(group.desk_id, POWER_LEVELS, "", await desk_power_levels(work, group)))


async def power_levels(work: Work, group: Group) -> dict[str, object]:
    """Give the power levels that a group's room has to have."""
    return building.group_powers(group, UserId(work.config.bot_mxid), await _users(work, group))


async def desk_power_levels(work: Work, group: Group) -> dict[str, object]:
    """Give the power levels that a group's desk has to have. The bot has made it, so nobody there is beyond it."""
    users = await _users(work, group)
    return building.power_levels({user_id: min(power, int(Role.OWNER)) for user_id, power in users.items()})


async def _users(work: Work, group: Group) -> dict[UserId, int]:
    members: list[Member] = await work.unit.groups.members(group.id)
    return {member.user_id: member.power for member in members if member.power > 0}


async def out_of_the_desk(work: Work, group: Group, user_id: UserId) -> None:
    """Remove a person who is no concierge any more from the desk; others help where they did."""
    await helping.concierge_gone(work, group, user_id)
    if group.desk_id is not None:
        await work.owe(Kick(group.desk_id, user_id, reason="no longer a concierge"))


# Who has as much power as the bot, and was forgotten


async def forget_equal(work: Work, group: Group, user_id: UserId) -> None:
    """Keep nothing of somebody who is forgotten, and whose power in the room stays, but a digest of their id."""
    await work.unit.told.first(_forgotten(group.id), _digest(user_id), work.unit.now)


async def is_forgotten_equal(work: Work, group: Group, user_id: str) -> bool:
    """Tell whether a person was forgotten who has as much power in the room as the bot."""
    return group.bot_power is not None and await work.unit.told.knows(_forgotten(group.id), _digest(user_id))


async def forget_all_equals(work: Work, group_id: GroupId) -> None:
    """Forget the digests as well."""
    await work.unit.told.forget(_forgotten(group_id))


def _forgotten(group_id: GroupId) -> str:
    return f"forgotten equal {group_id}"


def _digest(user_id: str) -> str:
    return sha256(user_id.encode()).hexdigest()


async def _asker(work: Work, group_id: GroupId) -> Number | None:
    return await number_of(work, group_id, work.cause.sender)
