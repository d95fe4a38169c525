"""Leaving a group, and closing one: told a day before, then everybody is removed, and later forgotten."""

from dataclasses import replace

from appservice.actions.desk import note, number_of, tell_desk
from appservice.actions.forgetting import LEFT, RETRY_MS, take_out
from appservice.actions.work import Work
from appservice.domain.duration import DAY_MS, MINUTE_MS
from appservice.domain.effect import Leave, SendEvent, Tell
from appservice.domain.group import Group, GroupStatus
from appservice.domain.group_buy import Status
from appservice.domain.ids import GroupId
from appservice.domain.member import Presence
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.present.acknowledge import acknowledge, answer
from appservice.present.text import notice
from appservice.present.words import farewell as say
from appservice.wire import message

NOTICE_MS = DAY_MS
"""Between the news that a group closes and its end."""
EMPTIED_MS = 5 * MINUTE_MS
CLOSED = "the group has closed"


async def leave(work: Work, group_id: GroupId) -> Refusal | None:
    """Take whoever asks out of a group; their seat is free when it has happened."""
    group = await work.unit.groups.lock(group_id)
    member = await work.unit.groups.member(group_id, work.cause.sender)
    if group.owner == work.cause.sender:
        return refuse(Reason.OWNER_STAYS, group=group.name, id=group.id)
    if member is None or member.presence is not Presence.JOINED:
        return refuse(Reason.NOT_A_MEMBER)
    if group.is_beyond(member.power):
        return refuse(Reason.BEYOND_ME)
    await take_out(work, group, member, LEFT)
    await work.owe(*acknowledge(work.cause), answer(work.cause, say.leaving(group)))
    return None


async def sunset(work: Work, group_id: GroupId, *, confirmed: bool) -> Refusal | None:
    """Announce that a group closes in a day, and let nobody in from now on; unconfirmed, only say what would happen."""
    group = await work.unit.groups.lock(group_id)
    if group.status is not GroupStatus.OPEN:
        return refuse(Reason.GROUP_CLOSING)
    ahead = await work.unit.buys.shown_in(group_id, (Status.SCHEDULED, Status.OPEN, Status.CLOSING))
    if ahead:
        buy = await work.unit.buys.get(ahead[0])
        return refuse(Reason.BUYS_OPEN, buy=buy.id, own=buy.group_id == group_id)
    unsettled = await work.unit.orders.unsettled_of(group_id)
    if unsettled is not None:
        return refuse(Reason.BUYS_OPEN, buy=unsettled, own=True)
    if not confirmed:
        people, days = await work.unit.groups.count_joined(group_id), work.config.groups.retention_days
        await work.owe(answer(work.cause, say.sunset_asked(group, people, days)))
        return None
    closing = replace(group, status=GroupStatus.CLOSING)
    closes_at = work.unit.now + NOTICE_MS
    await work.unit.groups.save(closing)
    await work.unit.timers.set("sunset", group_id, closes_at)
    asker = await number_of(work, group_id, work.cause.sender)
    await note(work, group_id, "sunset", actor=asker, closes_at=closes_at)
    await work.owe(*acknowledge(work.cause), answer(work.cause, say.sunset_begun(closing, closes_at)))
    await _announce(work, closing, say.sunset_news(closing, closes_at))
    await tell_desk(work, closing, say.sunset_in_desk(closing, closes_at))
    await _let_nobody_in(work, closing)
    return None


async def _let_nobody_in(work: Work, group: Group) -> None:
    """Take back invitations and codes, and send away who waits."""
    for member in await work.unit.groups.members(group.id):
        if member.presence is Presence.INVITED and not group.is_beyond(member.power):
            await take_out(work, group, member, "the group is being closed", invited_only=True)
    await work.unit.codes.end_all(group.id, "ended")
    for wish in await work.unit.waitlist.all(group.id):
        await work.unit.waitlist.drop(group.id, wish.user_id)
        await work.owe(Tell(wish.asked_by, notice(say.wait_in_vain(wish.user_id, wish.asked_by, group))))


async def cancel(work: Work, group_id: GroupId) -> Refusal | None:
    """Let a group go on that was to be closed, if nobody has been removed yet."""
    group = await work.unit.groups.lock(group_id)
    if group.status is not GroupStatus.CLOSING:
        return refuse(Reason.NOT_CLOSING)
    if await work.unit.timers.due_at("sunset", group_id) is None:
        return refuse(Reason.GROUP_CLOSING)
    opened = replace(group, status=GroupStatus.OPEN)
    await work.unit.groups.save(opened)
    await work.unit.timers.clear("sunset", group_id)
    await note(work, group_id, "sunset_cancelled", actor=await number_of(work, group_id, work.cause.sender))
    await work.owe(*acknowledge(work.cause), answer(work.cause, say.sunset_cancelled(opened)))
    await _announce(work, opened, say.sunset_cancelled_news())
    await tell_desk(work, opened, say.sunset_cancelled_news())
    return None


async def everybody_out(work: Work, group_id: GroupId) -> None:
    """Remove everybody from a group whose day has come, and from its desk."""
    group = await work.unit.groups.lock(group_id)
    if group.status is not GroupStatus.CLOSING:
        return
    for member in await work.unit.groups.members(group_id):
        if (member.takes_seat or member.power > 0) and not group.is_beyond(member.power):
            await take_out(work, group, member, CLOSED)
    await note(work, group_id, "everybody_out")
    await work.unit.timers.set("closed", group_id, work.unit.now + EMPTIED_MS)


async def close(work: Work, group_id: GroupId) -> None:
    """Leave the rooms of a group from which everybody has gone, and keep the time after which they are forgotten."""
    group = await work.unit.groups.lock(group_id)
    if group.status is not GroupStatus.CLOSING:
        return
    members = await work.unit.groups.members(group_id)
    if any(member.takes_seat and not group.is_beyond(member.power) for member in members):
        await work.unit.timers.set("closed", group_id, work.unit.now + RETRY_MS)
        return
    await work.unit.groups.save(replace(group, status=GroupStatus.CLOSED))
    await note(work, group_id, "closed")
    await work.unit.timers.clear("inspection", group_id)
    await work.unit.timers.set("purge", group_id, work.unit.now + work.config.groups.retention_days * DAY_MS)
    for room_id in (group.room_id, group.desk_id):
        if room_id is not None:
            await work.unit.rooms.forget(room_id)
            await work.owe(Leave(room_id))


async def _announce(work: Work, group: Group, text: str) -> None:
    if group.room_id is not None:
        await work.owe(SendEvent(group.room_id, message.TYPE, notice(text)))
