"""Guarding a group's two rooms: whoever changes policy, or invites past the service, is answered by putting it back."""

from dataclasses import dataclass, replace

from appservice.actions.desk import note, tell_desk
from appservice.actions.powers import desk_power_levels, is_forgotten_equal, out_of_the_desk, power_levels
from appservice.actions.seats import going_without_seat
from appservice.actions.work import Work
from appservice.config import Config
from appservice.domain.effect import Kick, Redact, SendState
from appservice.domain.group import Group, GroupStatus
from appservice.domain.guarding import (
    ENCRYPTION,
    MEGOLM,
    POWER_LEVELS,
    TOMBSTONE,
    Content,
    Rules,
    beyond,
    level_of,
    restores,
    turns_encryption_on,
)
from appservice.domain.ids import GroupId, Number, UserId
from appservice.domain.member import Member, Presence, Role
from appservice.present.words import guarding as say
from appservice.present.words.seats import called
from appservice.store.unit import Unit
from appservice.wire import group as wire_group
from appservice.wire.event import Event

_SOON_MS = 2_000
"""Removals that come close together make one inspection."""


@dataclass(frozen=True, slots=True)
class Somebody:
    """Who did something, as the concierges are told of them."""

    name: str
    number: Number | None = None


async def changed(work: Work, group_id: GroupId, event: Event) -> None:
    """Put right what somebody has changed in a group's room or its desk."""
    group = await work.unit.groups.lock(group_id)
    if group.status is not GroupStatus.CLOSED:
        await judge(work, group, event, await rules_of(work, group, in_desk=event.room_id == group.desk_id))


async def rules_of(work: Work, group: Group, *, in_desk: bool) -> Rules:
    """Give what one of a group's two rooms has to have."""
    room_id = group.desk_id if in_desk else group.room_id
    room = await work.unit.rooms.get(room_id) if room_id else None
    encryption = {ENCRYPTION: room.encryption} if room is not None and room.encryption is not None else {}
    if in_desk:
        return Rules(await desk_power_levels(work, group), kept=encryption)
    own = {wire_group.TYPE: wire_group.format_group(group.cap)}
    return Rules(await power_levels(work, group), own, {**group.kept, **encryption}, group.bot_power)


async def judge(work: Work, group: Group, event: Event, rules: Rules) -> None:
    """Put a piece of state right if it has to be; the group is locked. What the bot did itself is put right silently,
    and of what somebody does again and again the desk is told once until the next inspection."""
    in_desk = event.room_id == group.desk_id
    state_key = event.state_key or ""
    if turns_encryption_on(rules, event.type, state_key, event.content):
        await _stay_encrypted(work, group, event)
        return
    if event.type == POWER_LEVELS and not state_key and not in_desk:
        await _accept_equals(work, group, event, rules)
        if await _accept_stepping_down(work, group, event):
            rules = await rules_of(work, group, in_desk=False)
    content = restores(rules, event.type, state_key, event.content)
    if content is None:
        return
    await work.owe(_restoring(event, content, rules))
    if event.sender == work.config.bot_mxid or not await _first(work, group, event.event_id):
        return
    who = await somebody(work, group, event.sender)
    await note(work, group.id, "restored", actor=who.number, what=event.type, in_desk=in_desk)
    if await _first(work, group, f"{event.type} {in_desk} by {who.number}"):
        await tell_desk(work, group, say.restored(who.name, event.type, in_desk=in_desk))


def _restoring(event: Event, content: Content, rules: Rules) -> SendState | Redact:
    """Give what puts a piece of state right. A tombstone is taken away: Synapse lets nobody send one that names no
    room, and clients would take it for one."""
    if event.type == TOMBSTONE:
        return Redact(event.room_id, event.event_id)
    reach = rules.reach if event.type == POWER_LEVELS else None
    return SendState(event.room_id, event.type, event.state_key or "", content, reach)


async def _stay_encrypted(work: Work, group: Group, event: Event) -> None:
    """Note that the room is encrypted from now on, which is never undone. The rooms are looked at soon, for what their
    state has told of group buys."""
    who = await somebody(work, group, event.sender)
    await work.unit.rooms.encrypt(event.room_id, event.content)
    await work.unit.timers.set_earlier("inspection", group.id, work.unit.now + _SOON_MS)
    await note(work, group.id, "encryption_on", actor=who.number)
    in_desk, can_read = event.room_id == group.desk_id, event.content["algorithm"] == MEGOLM
    await tell_desk(work, group, say.encrypted(who.name, in_desk=in_desk, can_read=can_read))


async def _accept_equals(work: Work, group: Group, event: Event, rules: Rules) -> None:
    """Take those for owners who were given as much power as the bot has, since it cannot lower them. Who had it
    before, and was forgotten, stays so."""
    if event.sender == work.config.bot_mxid:
        return
    equals: list[Member] = []
    for user_id, level in beyond(rules, event.content).items():
        known = await work.unit.groups.member(group.id, user_id)
        is_forgotten = known is None and await is_forgotten_equal(work, group, user_id)
        if not work.config.is_own_account(user_id) and not is_forgotten:
            equals.append(replace(known or Member(group.id, UserId(user_id), Presence.LEFT), power=level))
    if not equals:
        return
    who = await somebody(work, group, event.sender)
    for member in equals:
        await work.unit.groups.save_member(member, work.unit.now)
    for number in dict.fromkeys(member.number for member in equals):
        await note(work, group.id, "owner_by_power", number=number, actor=who.number)
    await tell_desk(work, group, say.beyond_me(who.name, [called(member) for member in equals]))


async def _accept_stepping_down(work: Work, group: Group, event: Event) -> bool:
    """Let somebody give up power that they have in an adopted room; the owner hands the group over instead."""
    member = await work.unit.groups.member(group.id, event.sender)
    if group.bot_power is None or member is None or event.sender == group.owner:
        return False
    power = max(0, int(Role.of(level_of(event.content, event.sender))))
    if power >= member.power:
        return False
    await work.unit.groups.save_member(replace(member, power=power), work.unit.now)
    await note(work, group.id, "stepped_down", actor=member.number)
    await tell_desk(work, group, say.stepped_down(called(member)))
    if power < Role.CONCIERGE:
        await out_of_the_desk(work, group, event.sender)
    return True


async def invited_by_other(work: Work, group_id: GroupId, user_id: UserId, sender: UserId) -> None:
    """Take an invitation back by which somebody but the service would let a person in, unless they hold one of its
    own; silently one that it has sent itself, for a seat that was given back meanwhile. Who has as much power as the
    bot cannot be kept out."""
    group = await work.unit.groups.lock(group_id)
    known = await work.unit.groups.member(group_id, user_id)
    holds_a_seat = known is not None and known.takes_seat
    if group.room_id is None or holds_a_seat or work.config.is_own_account(user_id):
        return
    is_equal = group.is_beyond(known.power) if known else await is_forgotten_equal(work, group, user_id)
    if is_equal:
        await _invited_equal(work, group, known or Member(group_id, user_id, Presence.LEFT), sender)
        return
    await work.owe(Kick(group.room_id, user_id, reason="only the service invites here", invited_only=True))
    await going_without_seat(work, group_id, user_id)
    if sender == work.config.bot_mxid:
        return
    who = await somebody(work, group, sender)
    await note(work, group_id, "invitation_withdrawn", number=known.number if known else None, actor=who.number)
    if await _first(work, group, f"invitation by {who.number}"):
        whom = called(known or Member(group_id, user_id, Presence.LEFT))
        await tell_desk(work, group, say.invitation_withdrawn(who.name, whom))


async def _invited_equal(work: Work, group: Group, person: Member, sender: UserId) -> None:
    """Tell the desk of an invitation that cannot be taken back."""
    who = await somebody(work, group, sender)
    if sender != work.config.bot_mxid and await _first(work, group, f"invitation beyond by {who.number}"):
        whom = person.alias or say.A_PERSON
        await tell_desk(work, group, say.invited_beyond_me(who.name, whom))


async def at_the_desk(work: Work, group_id: GroupId, user_id: UserId) -> None:
    """Remove from the desk who is there, or invited, and no concierge."""
    group = await work.unit.groups.lock(group_id)
    if user_id == group.owner or work.config.is_own_account(user_id):
        return
    member = await work.unit.groups.member(group_id, user_id)
    if member is None or not member.takes_seat or member.power < Role.CONCIERGE:
        await out_of_the_desk(work, group, user_id)


async def may_have_redacted(work: Work, group_id: GroupId) -> None:
    """Have a group's rooms looked at soon where somebody has removed an event who could remove a piece of policy: of
    power levels, for one, what is left lets everybody invite (before room version 11)."""
    if await can_redact(work.unit, work.config, group_id, work.cause.sender):
        await work.unit.timers.set_earlier("inspection", group_id, work.unit.now + _SOON_MS)


async def can_redact(unit: Unit, config: Config, group_id: str, user_id: UserId) -> bool:
    """Tell whether a person may remove other people's events."""
    member = await unit.groups.member(group_id, user_id)
    return config.is_own_account(user_id) or (member is not None and member.power >= Role.CONCIERGE)


async def somebody(work: Work, group: Group, user_id: UserId) -> Somebody:
    """Give how the concierges are told of a person: members by their alias, nobody by a Matrix id."""
    if user_id == work.config.bot_mxid:
        return Somebody(say.SERVICE)
    if work.config.is_own_account(user_id):
        return Somebody(say.OPERATOR)
    member = await work.unit.groups.member(group.id, user_id)
    if member is None or member.alias is None:
        return Somebody(say.SOMEBODY)
    return Somebody(member.alias, member.number)


def watched(group_id: str) -> str:
    """Give under which subject it is noted what the desk has been told of; forgotten with each inspection."""
    return f"guarding {group_id}"


async def _first(work: Work, group: Group, what: str) -> bool:
    return await work.unit.told.first(watched(group.id), what, work.unit.now)
