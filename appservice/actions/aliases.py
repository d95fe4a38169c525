"""Aliases: the name under which the service speaks of a member. And the hints about display names."""

import random
from dataclasses import replace

from appservice.actions.desk import note, tell_desk
from appservice.actions.work import Work
from appservice.domain.alias import MOST_ALIASES, alias_key, friendly_alias, looks_revealing
from appservice.domain.effect import Tell
from appservice.domain.group import Group
from appservice.domain.ids import GroupId, Number, UserId
from appservice.domain.member import Member, Presence, Role
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.present.acknowledge import acknowledge, answer
from appservice.present.text import notice
from appservice.present.words import seats as say

_random = random.SystemRandom()


async def give_friendly(work: Work, group_id: GroupId, number: Number) -> str:
    """Give a new member a friendly alias that nobody in the group has or had."""
    while True:
        alias = friendly_alias(_random)
        if await work.unit.aliases.give(group_id, alias_key(alias), number, alias, work.unit.now):
            return alias


async def choose(work: Work, group_id: GroupId, user_id: UserId, alias: str) -> Refusal | None:
    """Let a member be called as they like, if nobody else is or was called so."""
    group = await work.unit.groups.lock(group_id)
    member = await work.unit.groups.member(group_id, user_id)
    if member is None or member.number is None or member.presence is not Presence.JOINED:
        return refuse(Reason.NOT_A_MEMBER)
    key, now = alias_key(alias), work.unit.now
    is_new = not await work.unit.aliases.has(group_id, key, member.number)
    if is_new and await work.unit.aliases.count_of(group_id, member.number) >= MOST_ALIASES:
        return refuse(Reason.TOO_MANY_ALIASES, most=MOST_ALIASES)
    if await _is_somebody_elses_name(work, group, member, key) or await _is_shown(work, group, member, key):
        return refuse(Reason.ALIAS_TAKEN, alias=alias)
    if not await work.unit.aliases.give(group_id, key, member.number, alias, now):
        return refuse(Reason.ALIAS_TAKEN, alias=alias)
    await work.unit.groups.save_member(replace(member, alias=alias), now)
    await note(work, group_id, "alias", number=member.number, alias=alias)
    await work.owe(*acknowledge(work.cause), answer(work.cause, say.alias_chosen(alias, group)))
    return None


async def named(work: Work, group: Group, member: Member, name: str | None) -> None:
    """Look at the display name that a member has in the room: hint, once, at one that reveals a number or an address,
    and at one that passes for the service's or a concierge's; of the latter the desk is warned."""
    key = alias_key(name) if name else None
    if key != member.name_key:
        await work.unit.groups.save_member(replace(member, name_key=key), work.unit.now)
    if not name or not key or member.role >= Role.CONCIERGE:
        return
    subject = f"name {group.id} {member.number}"
    if looks_revealing(name) and await work.unit.told.first(subject, "revealing", work.unit.now):
        await work.owe(Tell(member.user_id, notice(say.revealing_name(group))))
    passes = await _is_somebody_elses_name(work, group, member, key)
    if passes and await work.unit.told.first(subject, f"like {key}", work.unit.now):
        await work.owe(Tell(member.user_id, notice(say.name_of_another(group))))
        await tell_desk(work, group, say.passes_for_another(member))


async def _is_shown(work: Work, group: Group, member: Member, key: str) -> bool:
    """Tell whether another member has this for a display name in the room."""
    others = [other for other in await work.unit.groups.members(group.id) if other.user_id != member.user_id]
    return any(other.takes_seat and other.name_key == key for other in others)


async def _is_somebody_elses_name(work: Work, group: Group, member: Member, key: str) -> bool:
    """Tell whether a name would pass for the service's or that of a concierge."""
    taken = {alias_key(work.config.appservice.bot_displayname), alias_key("Coterie")}
    for other in await work.unit.groups.members(group.id):
        if other.power >= Role.CONCIERGE and other.takes_seat and other.user_id != member.user_id:
            taken |= {other.name_key or "", alias_key(other.alias or "")}
    return key in taken - {""}
