"""`!forget me`, and the same for everybody of a group that was closed long ago.

A person who is to be forgotten gets their file, is taken out of every group, and is erased once nothing of theirs is
open. Last, when they have been told so, the bot leaves their direct room and what was sent and received is cleared.
"""

from dataclasses import replace

from appservice.actions import deciding, mydata, questions, seats
from appservice.actions.desk import note
from appservice.actions.powers import forget_all_equals, forget_equal
from appservice.actions.recording import record
from appservice.actions.work import Work
from appservice.domain import group_buy, question
from appservice.domain.duration import DAY_MS, MINUTE_MS
from appservice.domain.effect import Kick, Leave, Redact, Tell, direct_lane
from appservice.domain.group import Group, GroupStatus
from appservice.domain.group_buy import Pledger, Status, Withdraw
from appservice.domain.ids import GroupId, Number, UserId
from appservice.domain.member import Member, Presence, is_erased
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.present.acknowledge import acknowledge
from appservice.present.text import notice
from appservice.present.words import farewell as say
from appservice.present.words.refusals import refusal as sentence
from appservice.store.questions import Part

UNSETTLED = tuple(status.value for status in Status if status.is_cleared and status is not Status.DONE)
"""Buys with orders that somebody still has to pay, deliver or hand out; who has one cannot be forgotten yet."""
LEFT = "left by their own wish"
SOON_MS = 5_000
RETRY_MS = 10 * MINUTE_MS
PURGED_AT_ONCE = 50

_Standing = tuple[Group, Member | None]


async def explain(work: Work) -> Refusal | None:
    """Say what forgetting does, and how to have it done."""
    known = await _groups_of(work, work.cause.sender, lock=False)
    refusal = _owned(known, work.cause.sender)
    if refusal is not None:
        return refusal
    await work.owe(*acknowledge(work.cause))
    await _tell(work, work.cause.sender, say.forget_asked(_where_in(known)))
    return None


async def begin(work: Work) -> Refusal | None:
    """Send a person their file, withdraw what can be withdrawn, and take them out of their groups."""
    user_id = work.cause.sender
    known = await _groups_of(work, user_id)
    refusal = _owned(known, user_id)
    if refusal is not None:
        return refusal
    await work.owe(*acknowledge(work.cause))
    if await work.unit.timers.due_at("forget", user_id) is not None:
        await _tell(work, user_id, say.forget_under_way())
        return None
    await mydata.send(work, user_id)
    await _withdraw(work, known)
    for group, member in known:
        if member is not None and member.takes_seat and not group.is_beyond(member.power):
            await take_out(work, group, member, LEFT)
    await _tell(work, user_id, say.forget_begun(_where_in(known)))
    await work.unit.timers.set("forget", user_id, work.unit.now + SOON_MS)
    return None


async def look(work: Work, user_id: UserId) -> None:
    """Erase a person who has asked for it, if nothing of theirs is open any more; else look again later."""
    known = await _groups_of(work, user_id)
    refusal = _owned(known, user_id)
    if refusal is not None:
        await _tell(work, user_id, sentence(refusal))
        return
    await _withdraw(work, known)
    for group, member in known:  # somebody has invited them again meanwhile
        if member is not None and member.presence is Presence.INVITED and not group.is_beyond(member.power):
            await take_out(work, group, member, LEFT, invited_only=True)
    beyond = next((g for g, member in known if member and member.takes_seat and g.is_beyond(member.power)), None)
    if beyond is not None:
        await _wait(work, user_id, say.forget_leave_yourself(beyond), f"leave {beyond.id}")
    elif await _has_something_open(work, known):
        await _wait(work, user_id, say.forget_waits(), "orders")
    elif _where_in(known) or await work.unit.outbox.is_waiting(direct_lane(user_id)):
        await work.unit.timers.set("forget", user_id, work.unit.now + RETRY_MS)
    else:
        for group, member in known:
            await _erase_in(work, group, user_id, member)
        await work.unit.erasing.person(user_id)
        await _tell(work, user_id, say.forgotten())
        await work.unit.timers.set("forgotten", user_id, work.unit.now + SOON_MS)


async def clear_away(work: Work, user_id: UserId) -> None:
    """Leave the direct room of an erased person, and clear what was sent and received, once all of it has been."""
    if await work.unit.erasing.groups_of(user_id):  # they are back, and are somebody new
        return
    if await work.unit.erasing.is_owed(user_id):
        await work.unit.timers.set("forgotten", user_id, work.unit.now + RETRY_MS)
        return
    for room_id in await work.unit.rooms.direct_rooms(user_id):
        await work.unit.rooms.forget(room_id)
        await work.owe(Leave(room_id))
    await work.unit.rooms.forget_direct(user_id)
    await work.unit.erasing.person(user_id)
    await work.unit.erasing.traces(user_id)


async def purge(work: Work, group_id: GroupId) -> None:
    """Erase everybody who was in a group that has been closed for long; whom another group knows stays known there."""
    group = await work.unit.groups.lock(group_id)
    if group.status is not GroupStatus.CLOSED:
        return
    left = [member for member in await work.unit.groups.members(group_id) if not is_erased(member.user_id)]
    for member in left[:PURGED_AT_ONCE]:
        await _purge_one(work, group, member.user_id, member)
    if len(left) > PURGED_AT_ONCE:
        await work.unit.timers.set("purge", group_id, work.unit.now + 1)
        return
    owner = (await work.unit.groups.get(group_id)).owner
    if not is_erased(owner):
        await _purge_one(work, group, owner, None)
    await work.unit.erasing.rest_of_group(group_id)
    await forget_all_equals(work, group_id)
    await note(work, group_id, "purged")


async def _purge_one(work: Work, group: Group, user_id: UserId, member: Member | None) -> None:
    await _erase_in(work, group, user_id, member)
    if not await work.unit.erasing.groups_of(user_id):
        await work.unit.timers.clear("forget", user_id)
        await work.unit.timers.set("forgotten", user_id, work.unit.now)


async def _erase_in(work: Work, group: Group, user_id: UserId, member: Member | None) -> None:
    """Forget a person in one group, which is locked; the seats that their codes reserved are free."""
    if group.owner == user_id and group.status is GroupStatus.CREATING:  # it never came about
        await work.unit.groups.save(replace(group, status=GroupStatus.CLOSED))
        for room_id in (group.room_id, group.desk_id):
            if room_id is not None:
                await work.unit.rooms.forget(room_id)
                await work.owe(Leave(room_id))
    if member is not None and group.is_beyond(member.power) and group.status is not GroupStatus.CLOSED:
        await forget_equal(work, group, user_id)
    await deciding.withdraw_of(work, group, user_id, member.number if member else None)
    if member is not None and member.number is not None:
        await _take_questions_back(work, group, member.number)
    await work.unit.erasing.in_group(group.id, user_id, member.number if member else None)
    if member is not None and member.number is not None:
        await note(work, group.id, "forgotten", number=member.number)
    await seats.advance(work, group)


async def _take_questions_back(work: Work, group: Group, number: Number) -> None:
    """Close what a member has asked in a locked group, and take what quotes it out of the desk."""
    for id in await work.unit.questions.all_of_asker(group.id, number):
        put = await work.unit.questions.lock(id)
        if group.desk_id is not None and group.status is not GroupStatus.CLOSED:
            for part in (Part.ROOT, Part.EDIT):
                for event_id in await work.unit.questions.events(id, part):
                    await work.owe(Redact(group.desk_id, event_id, "its asker was forgotten"))
        if put.question.status is not question.Status.RESOLVED:
            gone = question.Withdrawn(work.unit.now)
            await questions.record(work, group, replace(put, texts={}, picture=None, root_id=None), [gone])


async def take_out(work: Work, group: Group, member: Member, reason: str, *, invited_only: bool = False) -> None:
    """Remove a person from a group's room, and a concierge from its desk; the seat is free when it has happened. With
    `invited_only` who has come in meanwhile stays."""
    for room_id in (group.room_id, group.desk_id if member.power > 0 else None):
        if room_id is not None:
            await work.owe(Kick(room_id, member.user_id, reason, invited_only))


async def _groups_of(work: Work, user_id: UserId, *, lock: bool = True) -> list[_Standing]:
    get = work.unit.groups.lock if lock else work.unit.groups.get
    ids = await work.unit.erasing.groups_of(user_id)
    return [(await get(group_id), await work.unit.groups.member(group_id, user_id)) for group_id in ids]


def _where_in(known: list[_Standing]) -> list[Group]:
    return [group for group, member in known if member is not None and member.takes_seat]


def _owned(known: list[_Standing], user_id: UserId) -> Refusal | None:
    """Refuse while a person owns a group that goes on."""
    for group, _ in known:
        if group.owner == user_id and group.status in (GroupStatus.OPEN, GroupStatus.CLOSING):
            return refuse(Reason.OWNER_STAYS, group=group.name, id=group.id)
    return None


async def _withdraw(work: Work, known: list[_Standing]) -> None:
    """Withdraw what a person has pledged, where that is still possible."""
    for group, member in known:
        if member is not None and member.number is not None:
            await _withdraw_in(work, group, member.number)


async def _withdraw_in(work: Work, group: Group, number: Number) -> None:
    pledger = Pledger(group.id, number)
    for buy_id in await work.unit.buys.live_of(group.id):
        buy = await work.unit.buys.lock(buy_id)
        outcome = group_buy.decide(buy, Withdraw(pledger, work.cause.received_at))
        if not isinstance(outcome, Refusal):
            await record(work, buy, outcome, number)


async def _has_something_open(work: Work, known: list[_Standing]) -> bool:
    for group, member in known:
        if member is None or member.number is None:
            continue
        for buy_id in await work.unit.buys.live_of(group.id):
            if (await work.unit.buys.get(buy_id)).tranches_of(Pledger(group.id, member.number)):
                return True
        if await work.unit.erasing.has_orders(group.id, member.number, UNSETTLED):
            return True
    return False


async def _wait(work: Work, user_id: UserId, why: str, what: str) -> None:
    """Look again tomorrow; why is said once."""
    if await work.unit.told.first(f"forget {user_id}", what, work.unit.now):
        await _tell(work, user_id, why)
    await work.unit.timers.set("forget", user_id, work.unit.now + DAY_MS)


async def _tell(work: Work, user_id: UserId, text: str) -> None:
    await work.owe(Tell(user_id, notice(text)))
