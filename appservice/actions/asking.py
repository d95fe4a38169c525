"""What people say and do in a group, as far as questions are concerned: asking, answering, reacting, removing."""

import re
from collections.abc import Collection, Iterable

from appservice.actions import questions
from appservice.actions.desk_lines import is_concierge
from appservice.actions.questions import Said, sent_at
from appservice.actions.work import Work
from appservice.config import Config
from appservice.domain import question as rules
from appservice.domain.effect import ReadEvent
from appservice.domain.group import Group, GroupStatus
from appservice.domain.ids import EventId, GroupId, Number, UserId
from appservice.domain.member import Member, Presence, Role
from appservice.domain.question import QuestionId, Status
from appservice.domain.refusal import Refusal
from appservice.present.words.questions import ASK, DONE, TAKE
from appservice.store.questions import Part, Put
from appservice.store.rooms import Room, RoomKind
from appservice.store.unit import Unit
from appservice.wire.event import Event
from appservice.wire.remark import Remark

_ASK = re.compile(r"!ask\s+", re.IGNORECASE)
_WORDS = (Part.ASKED, Part.MORE, Part.ANSWER, Part.PEER)
"""What is read in the group; the rest is in the desk."""


async def concerns(
    unit: Unit, config: Config, room: Room, sender: UserId, remark: Remark, before: Collection[str]
) -> bool:
    """Tell whether something said in a group has to do with a question; anything else is nobody's business here. What
    came earlier and is not acted on (`before` in the same transaction) may become one."""
    group_id = room.subject
    if await _known(unit, group_id, remark) or await _to_any(unit, room, (remark.reply_to, remark.thread), before):
        return True
    if await _is_to_card(unit, group_id, remark.reply_to):
        return True
    if not remark.mentions:
        return False
    speaker = await unit.groups.member(group_id, sender)
    if is_concierge(speaker):
        is_busy = bool(before) or await unit.inbox.is_busy(room.room_id)
        return is_busy or bool(await _asked_by_mentioned(unit, group_id, remark))
    return await _calls(unit, config, group_id, remark)


async def _to_any(unit: Unit, room: Room, targets: Iterable[EventId | None], before: Collection[str]) -> bool:
    """Tell whether one of the events is, or may be, still to be acted on."""
    ids = [one for one in targets if one is not None]
    if any(one in before for one in ids):
        return True
    return await unit.inbox.is_busy(room.room_id) and bool(await unit.inbox.known(ids))


async def heard(work: Work, group_id: GroupId, event: Event, remark: Remark) -> None:
    """Act on what somebody said in a group: a question, more of one, or an answer."""
    member = await work.unit.groups.member(group_id, event.sender)
    if member is None or member.presence is not Presence.JOINED or member.number is None:
        return
    if remark.is_notice or member.machine:
        return
    known = await _known(work.unit, group_id, remark)
    if is_concierge(member):
        await _concierge_spoke(work, group_id, member.number, event, remark, known)
        return
    is_call = await _calls(work.unit, work.config, group_id, remark)
    own = next((put for put in known if put.question.asker == member.number), None)
    if known and own is None and not is_call:
        if not work.cause.in_clear:
            for put in known:
                await _answer(work, put, rules.PeerReply(member.number, event.event_id, _at(work, event)), Part.PEER)
        return
    if own is None and not is_call and not await _is_to_card(work.unit, group_id, remark.reply_to):
        return
    if await work.refuse_clear():
        return
    said = said_in(event, remark, work.cause.received_at)
    if own is None or isinstance(await questions.say_more(work, own.question.id, said), Refusal):
        await ask(work, group_id, member, said)


async def ask(work: Work, group_id: GroupId, asker: Member, said: Said) -> bool:
    """Put a question before the concierges, unless the group is being closed; tells whether it was."""
    group = await work.unit.groups.lock(group_id)
    if group.status is GroupStatus.OPEN:
        await questions.ask(work, group, asker, said)
    return group.status is GroupStatus.OPEN


def said_in(event: Event, remark: Remark, received_at: int) -> Said:
    """Give what was said in an event."""
    at = sent_at(event.sent_at, received_at)
    return Said(remark.text, remark.picture, event.room_id, event.event_id, at)


async def _concierge_spoke(
    work: Work, group_id: GroupId, by: Number, event: Event, remark: Remark, known: list[Put]
) -> None:
    """Take what a concierge says as an answer: to the questions that they reply to, else to one of each asker whom they
    mention, the oldest that they have taken, or the oldest. A homeserver could have made up what comes in clear."""
    if work.cause.in_clear:
        return
    if known:
        answered = known
    else:
        asked = await _asked_by_mentioned(work.unit, group_id, remark)
        waiting = [put for put in asked if put.question.waiting_since is not None]
        mine = [put for put in waiting if put.question.claimant == by]
        oldest = {put.question.asker: put for put in reversed([*waiting, *mine])}
        oldest |= {put.question.asker: put for put in reversed(mine)}
        answered = list(oldest.values())
    for put in answered:
        if put.question.asker == by:
            await questions.say_more(work, put.question.id, said_in(event, remark, work.cause.received_at))
        else:
            await _answer(work, put, rules.Reply(by, event.event_id, _at(work, event)), Part.ANSWER)


def _at(work: Work, event: Event) -> int:
    return sent_at(event.sent_at, work.cause.received_at)


async def _answer(work: Work, put: Put, request: rules.Reply | rules.PeerReply, part: Part) -> None:
    id = put.question.id
    if await work.unit.questions.say(id, request.event_id, part, request.by, work.cause.received_at):
        await questions.act(work, id, request)


# Reactions


async def may_react(
    unit: Unit, room: Room, sender: UserId, key: str, event_id: EventId, before: Collection[str]
) -> bool:
    """Tell whether a reaction may move a question; `before` is what came earlier in the same transaction."""
    if room.kind is RoomKind.DESK:
        return key in (TAKE, DONE)
    if key == DONE:
        roles = await unit.questions.roles(event_id)
        return any(role.part in _WORDS for role in roles) or await _to_any(unit, room, (event_id,), before)
    is_mark = key == ASK and room.kind is RoomKind.GROUP
    return is_mark and is_concierge(await unit.groups.member(room.subject, sender))


async def reacted(work: Work, kind: RoomKind, subject: str, key: str, event_id: EventId) -> bool:
    """Act on a reaction in a group, its desk or a direct room; False where it is to no question."""
    if key == ASK:
        return kind is RoomKind.GROUP and await _mark(work, GroupId(subject), event_id)
    in_desk, done = kind is RoomKind.DESK, False
    roles = await work.unit.questions.roles(event_id)
    for role in roles:
        put = await work.unit.questions.get(role.question_id)
        is_line = role.part in (Part.ROOT, Part.EDIT)
        if put is None or is_line is not in_desk or (kind is not RoomKind.DIRECT and put.question.group_id != subject):
            continue
        done = True
        member = await work.unit.groups.member(put.question.group_id, work.cause.sender)
        if member is not None and member.presence is Presence.JOINED and not member.machine:
            await _react(work, put, role.part, member, key, event_id)
    if in_desk and not roles:
        await _note_early(work, GroupId(subject), key, event_id)
    return done


async def _mark(work: Work, group_id: GroupId, event_id: EventId) -> bool:
    """Have a message looked up that a concierge calls a question: it was chatter until now, and not written down."""
    concierge = await work.unit.groups.member(group_id, work.cause.sender)
    known = any(role.part in (Part.ASKED, Part.MORE) for role in await work.unit.questions.roles(event_id))
    if concierge is not None and is_concierge(concierge) and not known:
        subject = f"{group_id} {concierge.number}"
        await work.owe(ReadEvent(work.cause.room_id, event_id, answer="question_read", subject=subject))
    return True


async def _react(work: Work, put: Put, part: Part, member: Member, key: str, event_id: EventId) -> None:
    id, number = put.question.id, member.number
    if number is None or (not is_concierge(member) and put.question.asker != number):
        return
    if key == TAKE and is_concierge(member) and part in (Part.ROOT, Part.EDIT):
        refusal = await questions.act(work, id, rules.Claim(number))
        if isinstance(refusal, Refusal):
            await work.refuse(refusal)
        else:
            await work.unit.questions.say(id, work.cause.event_id, Part.CLAIM, number, work.unit.now)
    elif key == DONE:
        await work.unit.questions.say(id, work.cause.event_id, Part.DONE, number, work.unit.now)
        is_peer = part is Part.PEER
        await questions.act(work, id, rules.Accept(number, event_id) if is_peer else rules.Resolve(number))


async def read(work: Work, subject: str, event: Event, remark: Remark | None) -> None:
    """Make a message a question that a concierge has marked with ❓. A homeserver could have made up what is in clear
    where it should not be."""
    group_id, _, by = subject.partition(" ")
    group = await work.unit.groups.lock(group_id)
    author = await work.unit.groups.member(group.id, event.sender)
    is_theirs = author is not None and author.presence is Presence.JOINED and author.role < Role.CONCIERGE
    if author is None or not is_theirs or author.machine or author.number is None:
        return
    if remark is None or remark.is_notice or remark.edits or event.room_id != group.room_id:
        return
    room = await work.unit.rooms.get(event.room_id)
    if room is None or (room.encryption is not None and not event.was_encrypted):
        return
    known = any(role.part in (Part.ASKED, Part.MORE) for role in await work.unit.questions.roles(event.event_id))
    if known or group.status is not GroupStatus.OPEN:
        return
    said = said_in(event, remark, work.unit.now)
    await questions.ask(work, group, author, said, by=Number(int(by)))


async def _note_early(work: Work, group_id: GroupId, key: str, event_id: EventId) -> None:
    """Keep a reaction in mind that may be to a line of which we do not know yet that it was posted."""
    member = await work.unit.groups.member(group_id, work.cause.sender)
    is_posting = any(put.root_id is None for put in await work.unit.questions.live(group_id))
    if is_posting and member is not None and is_concierge(member):
        await work.unit.told.first(_early(event_id), f"{key} {member.number} {work.cause.event_id}", work.unit.now)


async def line_posted(work: Work, id: QuestionId, event_id: EventId) -> None:
    """Act on the reactions that were quicker than our knowledge of the line."""
    said = await work.unit.told.said(_early(event_id))
    await work.unit.told.forget(_early(event_id))
    put = await work.unit.questions.get(id)
    if put is None:
        return
    for what in said:
        key, number, reaction_id = what.split(" ")
        member = await work.unit.groups.member_by_number(put.question.group_id, int(number))
        if not is_concierge(member) or member.number is None:
            continue
        request = rules.Claim(member.number) if key == TAKE else rules.Resolve(member.number)
        if await questions.act(work, id, request) is None:
            part = Part.CLAIM if key == TAKE else Part.DONE
            await work.unit.questions.say(id, reaction_id, part, member.number, work.unit.now)


def _early(event_id: str) -> str:
    return f"early question {event_id}"


# Edited, removed


async def edited(work: Work, original: EventId, sender: UserId, remark: Remark) -> bool:
    """Show an edit of a question in the desk; False where it is none."""
    roles = [role for role in await work.unit.questions.roles(original) if role.part in (Part.ASKED, Part.MORE)]
    for role in roles:
        put = await work.unit.questions.get(role.question_id)
        assert put is not None
        member = await work.unit.groups.member(put.question.group_id, sender)
        if member is not None and member.number == put.question.asker and not work.cause.in_clear:
            await questions.edit_text(work, role.question_id, original, _ASK.sub("", remark.text))
            await work.unit.told.first(_rewording(work.cause.event_id), original, work.unit.now)
    return bool(roles)


async def removed(work: Work, event_id: EventId) -> bool:
    """Act on the removal of what has to do with a question; False where it had nothing to do with one."""
    for original in await work.unit.told.said(_rewording(event_id)):  # what it said before is nowhere any more
        for role in await work.unit.questions.roles(original):
            await questions.remove_text(work, role.question_id, EventId(original))
    roles = await work.unit.questions.roles(event_id)
    for role in roles:
        put = await work.unit.questions.get(role.question_id)
        assert put is not None
        id = role.question_id
        match role.part:
            case Part.ASKED | Part.MORE:
                await questions.remove_text(work, id, event_id)
                member = await work.unit.groups.member(put.question.group_id, work.cause.sender)
                left = await work.unit.questions.get(id)
                own = member is not None and member.number == put.question.asker
                if own and left is not None and not left.texts:
                    await questions.act(work, id, rules.TakeBack(event_id, whole=True))
            case Part.ANSWER | Part.PEER:
                await questions.act(work, id, rules.TakeBack(event_id))
            case Part.CLAIM if role.number is not None:
                await work.unit.questions.unsay(id, event_id)
                if not await work.unit.questions.has_said(id, Part.CLAIM, role.number):
                    await questions.act(work, id, rules.Release(role.number))
            case Part.DONE if role.number is not None:
                await work.unit.questions.unsay(id, event_id)
                if not await work.unit.questions.has_said(id, Part.DONE, role.number):
                    await questions.act(work, id, rules.Undo(role.number))
            case Part.ROOT:
                await _line_removed(work, put, event_id)
    return bool(roles)


def _rewording(event_id: str) -> str:
    return f"rewording {event_id}"


async def _line_removed(work: Work, put: Put, event_id: EventId) -> None:
    """Post the line about an open question again that somebody has removed from the desk."""
    await work.unit.questions.unsay(put.question.id, event_id)
    group = await work.unit.groups.lock(put.question.group_id)
    put = await work.unit.questions.lock(put.question.id)
    if put.root_id != event_id:
        return
    if put.question.status is Status.RESOLVED:
        await work.unit.questions.set_root(put.question.id, None, None)  # the next one comes if it is opened again
    else:
        await questions.post_again(work, group, put.question.id)


async def _known(unit: Unit, group_id: str, remark: Remark) -> list[Put]:
    """Give the questions of a group that something is said to: in its thread, or as a reply."""
    found: dict[QuestionId, Put] = {}
    for event_id in (remark.reply_to, remark.thread):
        for role in await unit.questions.roles(event_id) if event_id is not None else []:
            put = await unit.questions.get(role.question_id)
            if put is not None and role.part in _WORDS and put.question.group_id == group_id:
                found[role.question_id] = put
        if found:
            break
    return list(found.values())


async def _is_to_card(unit: Unit, group_id: str, event_id: EventId | None) -> bool:
    if event_id is None:
        return False
    group: Group = await unit.groups.get(group_id)
    is_buy = await unit.buys.shown_by(event_id) is not None
    return is_buy or await unit.products.by_event(event_id) is not None or event_id == group.card_id


async def _calls(unit: Unit, config: Config, group_id: str, remark: Remark) -> bool:
    """Tell whether a concierge of the group, or the service, is mentioned."""
    if config.bot_mxid in remark.mentions:
        return True
    called = [await unit.groups.member(group_id, user_id) for user_id in remark.mentions]
    return any(is_concierge(member) for member in called)


async def _asked_by_mentioned(unit: Unit, group_id: str, remark: Remark) -> list[Put]:
    """Give the open questions of those who are mentioned, oldest first."""
    found: list[Put] = []
    for user_id in sorted(remark.mentions):
        member = await unit.groups.member(group_id, user_id)
        if member is not None and member.number is not None:
            found += await unit.questions.of_asker(group_id, member.number)
    return found
