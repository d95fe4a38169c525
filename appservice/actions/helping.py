"""What is said and done in help rooms, and who helps next where somebody is gone."""

from collections.abc import Collection

from appservice.actions import desk_lines, help_rooms, questions
from appservice.actions.help_rooms import locked
from appservice.actions.work import Work
from appservice.domain.cause import Place
from appservice.domain.group import Group
from appservice.domain.ids import GroupId, Number, RoomId, UserId
from appservice.domain.member import Member, Presence
from appservice.domain.question import Claim, HandOver, QuestionId, Release, Reply, Resolve, Say, Status
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.present.words import help_rooms as say
from appservice.present.words.questions import DONE
from appservice.store.questions import Part, Put
from appservice.store.rooms import Room
from appservice.store.unit import Unit
from appservice.wire.event import Event
from appservice.wire.remark import parse_remark


async def open_room(work: Work, id: QuestionId, by: Number) -> Refusal | str:
    """Have a question answered in private: by its claimant, else by whose turn it is among those on duty. Gives what to
    say to whoever wanted it; once there is a room, who is not in it is let in again."""
    group, put = await locked(work, id)
    if put.question.status is Status.RESOLVED:
        return refuse(Reason.QUESTION_DONE)
    await help_rooms.want(work, put)
    asker = await desk_lines.name(work, group, put.question.asker)
    to_asker = by == put.question.asker
    if put.question.claimant is not None:
        await help_rooms.claimed(work, group, put)
    elif not await _bring_next(work, group, put, ()):
        return say.waiting(asker, to_asker=to_asker)
    after = await work.unit.questions.lock(id)
    assert after.helper is not None, id
    return say.opening(asker, await desk_lines.name(work, group, after.helper), to_asker=to_asker)


async def concerns(unit: Unit, room: Room, event: Event, before: Collection[str]) -> bool:
    """Tell whether something said in a help room may move its question: what its asker says, commands, and an answer
    that is waited for. While something that came earlier is not acted on (`before` in the same transaction), that may
    be any."""
    remark = parse_remark(event.content)
    if remark is None or remark.is_notice or remark.edits is not None:
        return False
    put = await unit.questions.get(room.subject)
    member = await unit.groups.member(put.question.group_id, event.sender) if put is not None else None
    if put is None or member is None or member.number is None:
        return False
    if member.number == put.question.asker or remark.text.startswith("!"):
        return True
    is_waited_for = put.question.waiting_since is not None or bool(before) or await unit.inbox.is_busy(room.room_id)
    return is_waited_for and desk_lines.is_concierge(member)


async def heard(work: Work, room: Room, at: int) -> None:
    """Take a message in a help room for what it is to the question: the concierge's answers it, its asker's goes on
    with it. What it says is kept nowhere. `at` (ms) is when it was written."""
    group, put = await locked(work, QuestionId(room.subject))
    member = await work.unit.groups.member(group.id, work.cause.sender)
    if put.help_room_id != room.room_id or member is None or member.number is None:
        return
    if member.presence is not Presence.JOINED:  # out of the group, and soon out of here
        return
    if await work.refuse_clear():  # a homeserver could have made it up
        return
    if member.number == put.question.asker:
        await questions.act(work, put.question.id, Say(work.cause.event_id, at))
        after = await work.unit.questions.lock(put.question.id)
        if after.helper is None and after.question.status is not Status.RESOLVED:
            await _bring(work, group, after)
    elif desk_lines.is_concierge(member) and put.question.waiting_since is not None:
        await work.unit.questions.say(put.question.id, work.cause.event_id, Part.ANSWER, member.number, at)
        await questions.act(work, put.question.id, Reply(member.number, work.cause.event_id, at))


async def _bring(work: Work, group: Group, put: Put) -> None:
    """Let somebody in where nobody helps any more."""
    if put.question.claimant is not None:
        await help_rooms.claimed(work, group, put)
    elif not await _bring_next(work, group, put, ()):
        await _say_nobody(work, group, put)


async def went(work: Work, room: Room, user_id: UserId, by: UserId) -> None:
    """Note that somebody has left a help room, or declined. Another concierge takes the place of the one who helped;
    who was removed by the bot is of no interest any more."""
    group, put = await locked(work, QuestionId(room.subject))
    member = await work.unit.groups.member(group.id, user_id)
    if put.help_room_id != room.room_id or member is None or member.number is None or by == work.config.bot_mxid:
        return
    was_in = await help_rooms.is_out(work, put, member.number)
    if member.number == put.question.asker:
        asker = await desk_lines.name(work, group, member.number)
        said = say.asker_left(asker) if was_in else say.asker_declined(asker)
        await desk_lines.in_thread(work, group, put, said)
    elif member.number == put.helper:
        await _replace(work, group, put, member.number, say.LEFT_ROOM)


async def bot_went(work: Work, room: Room) -> None:
    """Forget a help room in which the bot is no more; the desk hears of one that is still needed."""
    group, put = await locked(work, QuestionId(room.subject))
    await work.unit.rooms.forget(room.room_id)
    if put.help_room_id == room.room_id:
        await help_rooms.forget(work, put)
        asker = await desk_lines.name(work, group, put.question.asker)
        await desk_lines.in_thread(work, group, put, say.room_lost(asker))
        await desk_lines.refresh(work, group, await work.unit.questions.lock(put.question.id))


async def not_invited(work: Work, id: QuestionId, room_id: RoomId, user_id: UserId, errcode: str) -> None:
    """Tell the desk of a member who cannot be invited into a help room; another concierge comes for one who cannot."""
    group, put = await locked(work, id)
    member = await work.unit.groups.member(group.id, user_id)
    if put.help_room_id != room_id or member is None or member.number is None:
        return
    await help_rooms.is_out(work, put, member.number)
    if member.number == put.question.asker:
        asker = await desk_lines.name(work, group, member.number)
        await desk_lines.in_thread(work, group, put, say.asker_not_invited(asker, errcode))
    elif member.number == put.helper:
        await _replace(work, group, put, member.number, say.NOT_LET_IN)


async def member_gone(work: Work, group: Group, member: Member) -> None:
    """Close the questions and help rooms of a member who is not in a locked group any more; others help where they
    did."""
    await help_rooms.member_gone(work, group, member)
    if member.number is not None:
        await questions.asker_gone(work, group, member.number)
    await concierge_gone(work, group, member.user_id)


async def concierge_gone(work: Work, group: Group, user_id: UserId) -> None:
    """Have others help where somebody did who is no concierge of a locked group any more."""
    member = await work.unit.groups.member(group.id, user_id)
    if member is None or member.number is None:
        return
    for found in await work.unit.questions.with_help(group.id):
        if found.helper == member.number:
            put = await work.unit.questions.lock(found.question.id)
            await help_rooms.take_out(work, group, put, member.number, say.CHANGED)
            await _replace(work, group, put, member.number, say.NO_CONCIERGE)
    await questions.concierge_gone(work, group, member.number)


async def _replace(work: Work, group: Group, put: Put, gone: Number, why: str) -> None:
    """Let the next one help where somebody is gone; with nobody on duty, the question goes back into the queue."""
    await work.unit.questions.set_help_room(put.question.id, put.help_room_id, None)
    if put.question.status is Status.RESOLVED:
        return
    if put.question.claimant not in (None, gone):
        await help_rooms.claimed(work, group, await work.unit.questions.lock(put.question.id))
        return
    following = await _next(work, group, put, (gone,))
    if following is None or following.number is None:
        await questions.act(work, put.question.id, Release(gone))
        await _say_nobody(work, group, put)
    elif put.question.claimant is None:
        await _bring_next(work, group, put, (gone,))
    else:
        await questions.act(work, put.question.id, HandOver(gone, following.number, why))


async def _bring_next(work: Work, group: Group, put: Put, without: Collection[Number]) -> bool:
    """Have whose turn it is take a question; tells whether there is anybody."""
    following = await _next(work, group, put, without)
    if following is None or following.number is None:
        return False
    called = await desk_lines.names(work, group, [following.number, put.question.asker])
    await questions.act(work, put.question.id, Claim(following.number))
    said = say.your_turn(called[following.number], called[put.question.asker])
    await desk_lines.in_thread(work, group, put, said, ring=[following.user_id])
    return True


async def _next(work: Work, group: Group, put: Put, without: Collection[Number]) -> Member | None:
    """Give who of those on duty has helped in private longest ago."""
    helped_at = await work.unit.groups.helped_at(group.id)
    there = [
        (helped_at.get(member.number, 0), member.number, member)
        for member in await desk_lines.on_duty(work, group)
        if member.number is not None and member.number != put.question.asker and member.number not in without
    ]
    return min(there, key=lambda one: one[:2])[2] if there else None


async def _say_nobody(work: Work, group: Group, put: Put) -> None:
    asker = await desk_lines.name(work, group, put.question.asker)
    await desk_lines.in_thread(work, group, put, say.nobody_helps(asker))


async def place_of(work: Work, room: Room) -> tuple[Place, GroupId]:
    """Give as where a command counts that somebody typed in a help room, and in which group: as a direct message of the
    member; of a concierge, as in the group, since the member reads it."""
    put = await work.unit.questions.get(room.subject)
    assert put is not None, room.subject
    member = await work.unit.groups.member(put.question.group_id, work.cause.sender)
    is_asker = member is not None and member.number == put.question.asker
    return Place.DIRECT if is_asker else Place.GROUP, put.question.group_id


async def reacted(work: Work, room: Room, key: str) -> None:
    """Close a question whose asker or concierge has put ✅ to something in its help room."""
    put = await work.unit.questions.get(room.subject)
    member = await work.unit.groups.member(put.question.group_id, work.cause.sender) if put is not None else None
    if key != DONE or put is None or member is None or member.number is None:
        return
    if member.presence is not Presence.JOINED:
        return
    if member.number == put.question.asker or desk_lines.is_concierge(member):
        id = put.question.id
        await work.unit.questions.say(id, work.cause.event_id, Part.DONE, member.number, work.unit.now)
        await questions.act(work, id, Resolve(member.number))
