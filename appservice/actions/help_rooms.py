"""Help rooms: one member, one concierge and the service. Who takes a question that was asked directly, or for which
somebody wants one, is let in with its asker; whoever has the question later takes their place.

Nothing here changes a question: `helping` does. Each function begins with the group's lock, and the question's, or is
called under both.
"""

from collections.abc import Mapping
from typing import Any

from appservice.actions import desk_lines
from appservice.actions.work import Work
from appservice.domain.duration import DAY_MS, HOUR_MS, MINUTE_MS
from appservice.domain.effect import CreateRoom, Invite, Kick, Leave, Redact, SendEvent, invite_lane
from appservice.domain.group import Group, GroupStatus
from appservice.domain.ids import EventId, Number, RoomId, UserId
from appservice.domain.member import Member, Presence
from appservice.domain.question import QuestionId, Status
from appservice.domain.question.state import REOPENS_MS
from appservice.matrix import rooms as building
from appservice.present.text import notice
from appservice.present.words import help_rooms as say
from appservice.store.questions import Put
from appservice.store.rooms import Room, RoomKind
from appservice.wire import message

ABSENT_MS = HOUR_MS
"""After so long the desk hears that the member has not come."""
EMPTIED_MS = 5 * MINUTE_MS
RETRY_MS = 10 * MINUTE_MS


async def claimed(work: Work, group: Group, put: Put) -> None:
    """Let the concierge who has taken a question, or got it, help in private, if it is one for that."""
    if put.question.claimant is not None and await _is_private(work, put):
        await _give(work, group, put, put.question.claimant)


async def resolved(work: Work, group: Group, put: Put) -> None:
    """Have the bot leave the help room of a question that is closed once it stays so; one whose member is gone from the
    group is being closed anyway."""
    asker = await work.unit.groups.member_by_number(group.id, put.question.asker)
    if put.help_room_id is not None and asker.presence is Presence.JOINED:
        await work.unit.timers.set("help", put.question.id, work.unit.now + REOPENS_MS)


async def want(work: Work, put: Put) -> None:
    """Note that a question is to be answered in private, whoever takes it."""
    await work.unit.told.first(_wanted(put.question.id), "", work.unit.now)


async def _is_private(work: Work, put: Put) -> bool:
    has_room = put.help_room_id is not None or put.helper is not None
    return put.question.is_direct or has_room or await work.unit.told.knows(_wanted(put.question.id), "")


async def _give(work: Work, group: Group, put: Put, helper: Number) -> None:
    """Have a concierge help: the room is made where there is none, else who is not there is let in."""
    asker = await work.unit.groups.member_by_number(group.id, put.question.asker)
    if asker.presence is not Presence.JOINED or group.status is GroupStatus.CLOSED:
        return
    if put.helper != helper:
        await work.unit.groups.helps(group.id, helper, work.unit.now)
        await work.unit.questions.set_help_room(put.question.id, put.help_room_id, helper)
    if put.help_room_id is None:
        if await work.unit.told.first(_making(put.question.id), "", work.unit.now):
            request = building.help_room(group, asker.alias or f"Member {asker.number}")
            await work.owe(CreateRoom(request, answer="help_room", subject=put.question.id))
        return
    if put.helper is not None and put.helper != helper:
        await take_out(work, group, put, put.helper, say.CHANGED)
    await let_in(work, group, put, put.help_room_id, helper)


async def made(work: Work, id: QuestionId, room_id: RoomId, encryption: Mapping[str, Any] | None) -> None:
    """Note the room that was made for a question, and let in for whom it is, if it is still wanted."""
    group, put = await locked(work, id)
    await work.unit.told.forget(_making(id))
    asker = await work.unit.groups.member_by_number(group.id, put.question.asker)
    is_over = asker.presence is not Presence.JOINED or group.status is GroupStatus.CLOSED
    if is_over or put.question.status is Status.RESOLVED or put.help_room_id is not None:
        await work.unit.questions.set_help_room(id, put.help_room_id, put.helper if put.help_room_id else None)
        await work.owe(Leave(room_id))
        return
    await work.unit.rooms.add(Room(room_id, RoomKind.HELP, id, encryption))
    await work.unit.questions.set_help_room(id, room_id, put.helper)
    await work.unit.timers.set("help", id, work.unit.now + ABSENT_MS)
    put = await work.unit.questions.lock(id)
    if put.helper is not None:
        await let_in(work, group, put, room_id, put.helper)
        called = await desk_lines.names(work, group, [put.question.asker, put.helper])
        said = say.ready(called[put.question.asker], called[put.helper])
        await desk_lines.in_thread(work, group, put, said)
    await desk_lines.refresh(work, group, put)


async def not_made(work: Work, id: QuestionId, errcode: str) -> None:
    """Tell the desk that the homeserver would not make a room."""
    group, put = await locked(work, id)
    await work.unit.told.forget(_making(id))
    await work.unit.questions.set_help_room(id, put.help_room_id, None)
    asker = await desk_lines.name(work, group, put.question.asker)
    await desk_lines.in_thread(work, group, put, say.not_made(asker, errcode))


async def let_in(work: Work, group: Group, put: Put, room_id: RoomId, helper: Number) -> None:
    """Invite the member and the concierge of a help room, unless they were."""
    for number in (put.question.asker, helper):
        if await work.unit.told.first(_standing(room_id, number), "invited", work.unit.now):
            member = await work.unit.groups.member_by_number(group.id, number)
            await work.owe(Invite(room_id, member.user_id, answer="help_invited", subject=put.question.id))


async def take_out(work: Work, group: Group, put: Put, number: Number, reason: str) -> None:
    """Remove somebody from a help room, or take their invitation back."""
    if put.help_room_id is not None and await work.unit.told.forget(_standing(put.help_room_id, number)):
        member = await work.unit.groups.member_by_number(group.id, number)
        await work.owe(Kick(put.help_room_id, member.user_id, reason))


async def came(work: Work, room: Room, user_id: UserId) -> None:
    """Note that somebody has come into a help room; with both there, say what it is for. Nobody else may be there."""
    group, put = await locked(work, QuestionId(room.subject))
    member = await work.unit.groups.member(group.id, user_id)
    number = member.number if member else None
    if put.help_room_id != room.room_id or number is None or number not in (put.question.asker, put.helper):
        if not work.config.is_own_account(user_id):
            await work.owe(Kick(room.room_id, user_id, say.CLOSED))
        return
    await work.unit.told.first(_standing(room.room_id, number), "invited", work.unit.now)
    is_new = await work.unit.told.first(_standing(room.room_id, number), "joined", work.unit.now)
    asker = put.question.asker
    if is_new and put.helper is not None and await is_in(work, put, asker) and await is_in(work, put, put.helper):
        called = await desk_lines.names(work, group, [asker, put.helper])
        text = " ".join(text for text in put.texts.values() if text) or None
        said = say.greeting(called[asker], called[put.helper], group, text)
        content = notice(said)
        await work.owe(SendEvent(room.room_id, message.TYPE, content, answer="help_greeting", subject=put.question.id))


async def greeted(work: Work, id: str, room_id: RoomId, event_id: EventId) -> None:
    """Note which message quotes a question in its help room."""
    await work.unit.told.first(_greeting(id), f"{room_id} {event_id}", work.unit.now)


async def ungreet(work: Work, id: str) -> None:
    """Take away what quotes a question in its help room."""
    for where in await work.unit.told.said(_greeting(id)):
        room_id, event_id = where.split(" ")
        await work.owe(Redact(RoomId(room_id), EventId(event_id), "the question was removed"))
    await work.unit.told.forget(_greeting(id))


async def is_in(work: Work, put: Put, number: Number) -> bool:
    """Tell whether somebody has come into a help room and is still there."""
    return put.help_room_id is not None and await work.unit.told.knows(_standing(put.help_room_id, number), "joined")


async def is_out(work: Work, put: Put, number: Number) -> bool:
    """Note that somebody is out of a help room, or has declined; tells whether they had been there."""
    was_in = await is_in(work, put, number)
    if put.help_room_id is not None:
        await work.unit.told.forget(_standing(put.help_room_id, number))
    return was_in


async def member_gone(work: Work, group: Group, member: Member) -> None:
    """Close the help rooms of a member who is not in the group any more."""
    for put in await work.unit.questions.with_help(group.id):
        if put.question.asker == member.number:
            await close(work, group, put)


async def close(work: Work, group: Group, put: Put) -> None:
    """Take both out of a help room; the bot leaves when they are gone."""
    for number in (put.question.asker, put.helper):
        if number is not None:
            await take_out(work, group, put, number, say.CLOSED)
    await work.unit.timers.set("help", put.question.id, work.unit.now + EMPTIED_MS)


async def look(work: Work, id: QuestionId) -> None:
    """Leave a help room whose question was closed long ago, or whose member is gone from the group; tell the desk of
    a member who does not come."""
    found = await work.unit.questions.get(id)
    if found is None or found.help_room_id is None:
        return
    group, put = await locked(work, id)
    asker = await work.unit.groups.member_by_number(group.id, put.question.asker)
    if asker.presence is not Presence.JOINED or group.status is GroupStatus.CLOSED:
        if await _is_emptied(work, group, put):
            await _leave(work, put)
        else:
            await work.unit.timers.set("help", id, work.unit.now + RETRY_MS)
        return
    resolved_at = put.question.resolved_at
    if put.question.status is not Status.RESOLVED or resolved_at is None:
        await _say_who_is_absent(work, group, put)
        await work.unit.timers.set("help", id, work.unit.now + DAY_MS)
    elif work.unit.now < resolved_at + REOPENS_MS:
        await work.unit.timers.set("help", id, resolved_at + REOPENS_MS)
    else:
        if put.help_room_id is not None:
            await work.owe(SendEvent(put.help_room_id, message.TYPE, notice(say.ending())))
        await _leave(work, put)


async def _is_emptied(work: Work, group: Group, put: Put) -> bool:
    """Tell whether everybody who was to be removed from a help room has been: the bot cannot do it from outside."""
    for number in (put.question.asker, put.helper):
        if number is not None and put.help_room_id is not None:
            member = await work.unit.groups.member_by_number(group.id, number)
            if await work.unit.outbox.is_waiting(invite_lane(put.help_room_id, member.user_id)):
                return False
    return True


async def _say_who_is_absent(work: Work, group: Group, put: Put) -> None:
    asker = put.question.asker
    standing = _standing(put.help_room_id or "", asker)
    if not await work.unit.told.knows(standing, "invited") or await work.unit.told.knows(standing, "joined"):
        return
    if await work.unit.told.first(standing, "absent", work.unit.now):
        called = await desk_lines.name(work, group, asker)
        await desk_lines.in_thread(work, group, put, say.asker_not_there(called))


async def _leave(work: Work, put: Put) -> None:
    """Leave a help room; it stays known until the bot is out, as what it says there may have to be encrypted."""
    if put.help_room_id is None:
        return
    await work.owe(Leave(put.help_room_id))
    await forget(work, put)


async def forget(work: Work, put: Put) -> None:
    """Forget that a question has a help room; the next one is made anew."""
    for number in (put.question.asker, put.helper):
        if number is not None and put.help_room_id is not None:
            await work.unit.told.forget(_standing(put.help_room_id, number))
    await work.unit.told.forget(_wanted(put.question.id))
    await work.unit.questions.set_help_room(put.question.id, None, None)


async def locked(work: Work, id: QuestionId) -> tuple[Group, Put]:
    """Give a question and its group, both locked."""
    found = await work.unit.questions.get(id)
    assert found is not None, id
    group = await work.unit.groups.lock(found.question.group_id)
    return group, await work.unit.questions.lock(id)


def _standing(room_id: str, number: Number) -> str:
    """Give under which subject it is noted whether somebody was invited to a help room, and is in it."""
    return f"help {room_id} {number}"


def _greeting(id: str) -> str:
    return f"greeting {id}"


def _making(id: QuestionId) -> str:
    return f"help room being made for {id}"


def _wanted(id: QuestionId) -> str:
    return f"help room wanted for {id}"
