"""Questions asked by direct message. A desk gets one once it is known for which group it is."""

from collections.abc import Mapping, Sequence
from typing import Any

from appservice.actions import questions
from appservice.actions.questions import Said
from appservice.actions.work import Work
from appservice.domain.duration import DAY_MS
from appservice.domain.effect import Tell
from appservice.domain.group import Group, GroupStatus
from appservice.domain.ids import EventId
from appservice.domain.member import Member, Presence, Role
from appservice.domain.question import QuestionId
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.domain.text import fold
from appservice.present.acknowledge import acknowledge, answer
from appservice.present.text import notice
from appservice.present.words import direct_questions as say
from appservice.store.questions import Part
from appservice.store.unplaced import Unasked

KEPT_MS = 7 * DAY_MS
"""What somebody asked is forgotten if they have not said for which group it is by then."""

_NOTHING = " \n\t\N{REPLACEMENT CHARACTER}"

_Own = tuple[Group, Member]


async def heard(work: Work, said: Said, reply_to: EventId | None) -> None:
    """Put what a member sent directly before the concierges: more of a question that is open, or a new one. In several
    groups, they are asked for which it is."""
    if await work.refuse_clear():
        return
    groups = await _groups(work)
    if not groups or not (said.text.strip(_NOTHING) or said.picture):
        if not said.picture or said.text:  # a concierge shows a picture first, and says then what it is of
            known = await work.unit.groups.of_person(work.cause.sender)
            await work.refuse(refuse(Reason.NOT_UNDERSTOOD if known else Reason.STRANGER))
        return
    await work.owe(*acknowledge(work.cause, waiting=True))
    if await work.unit.unplaced.of(work.cause.sender):
        await _add(work, groups, said)
    elif await _goes_on(work, groups, said, reply_to):
        return
    elif len(groups) == 1:
        await _ask(work, groups[0], said)
    else:
        await _add(work, groups, said)


async def placed(work: Work, words: str) -> bool:
    """Put what somebody asked before the concierges of the group that these words name; tells whether they do."""
    if work.cause.in_clear or not await work.unit.unplaced.of(work.cause.sender):
        return False
    groups = await _groups(work)
    chosen = _named(groups, words)
    if chosen is None:
        return False
    await work.owe(*acknowledge(work.cause))
    await _place(work, chosen)
    return True


async def edited(work: Work, original: EventId, text: str, picture: Mapping[str, Any] | None) -> bool:
    """Take what somebody has made of their words, while it is not known for which group they are; tells whether that is
    what was edited."""
    return not work.cause.in_clear and await work.unit.unplaced.reword(original, work.cause.sender, text, picture)


async def _groups(work: Work) -> list[_Own]:
    """Give the groups in which whoever wrote may ask: concierges answer there themselves."""
    return [
        (group, member)
        for group, member in await work.unit.groups.of_person(work.cause.sender)
        if group.status is GroupStatus.OPEN and member.presence is Presence.JOINED
        if member.role < Role.CONCIERGE and not member.machine
    ]


def _named(groups: Sequence[_Own], words: str) -> _Own | None:
    """Give the group whose number in the list, id or name somebody has written; None where it is none, or more."""
    typed = fold(words.strip(' "“”„.!'))
    if typed.isdecimal() and 1 <= int(typed) <= len(groups):
        return groups[int(typed) - 1]
    found = [one for one in groups if typed in (one[0].id, fold(one[0].name))]
    return found[0] if len(found) == 1 else None


async def _add(work: Work, groups: Sequence[_Own], said: Said) -> None:
    """Keep what somebody asked until it is known for which group it is; that may be settled by now."""
    await work.unit.unplaced.add(
        Unasked(work.cause.sender, said.room_id, said.event_id, said.text, said.picture, said.at)
    )
    if len(groups) == 1:
        await _place(work, groups[0])
    else:
        await work.owe(answer(work.cause, say.which([group for group, _ in groups])))


async def _place(work: Work, own: _Own) -> None:
    """Ask in a group what has waited for that: the later messages are more of the first."""
    waiting = await work.unit.unplaced.of(work.cause.sender)
    await work.unit.unplaced.clear(work.cause.sender)
    first, *others = (Said(one.text, one.picture, one.room_id, one.event_id, one.at) for one in waiting)
    id = await _ask(work, own, first)
    for said in others:
        await questions.say_more(work, id, said)


async def _ask(work: Work, own: _Own, said: Said) -> QuestionId:
    group, member = await work.unit.groups.lock(own[0].id), own[1]
    id = await questions.ask(work, group, member, said, is_direct=True)
    if await work.unit.told.first(f"asked directly {group.id} {member.number}", "", work.unit.now):
        await work.owe(Tell(member.user_id, notice(say.taken(group))))
    return id


async def _goes_on(work: Work, groups: Sequence[_Own], said: Said, reply_to: EventId | None) -> bool:
    """Add a message to a question of the same person: the one to which it is a reply, else their newest direct one that
    is open. Tells whether there is one."""
    for id in await _own_questions(work, groups, reply_to):
        if not isinstance(await questions.say_more(work, id, said), Refusal):
            return True
    return False


async def _own_questions(work: Work, groups: Sequence[_Own], reply_to: EventId | None) -> list[QuestionId]:
    found = []
    for role in await work.unit.questions.roles(reply_to) if reply_to is not None else []:
        put = await work.unit.questions.get(role.question_id)
        mine = [(group.id, member.number) for group, member in groups]
        is_asked = role.part in (Part.ASKED, Part.MORE)
        if put is not None and is_asked and (put.question.group_id, put.question.asker) in mine:
            found.append(put.question.id)
    live = [
        put.question
        for group, member in groups
        if member.number is not None
        for put in await work.unit.questions.of_asker(group.id, member.number)
        if put.question.is_direct
    ]
    newest = max(live, key=lambda question: question.asked_at, default=None)
    return found if newest is None or newest.id in found else [*found, newest.id]
