"""Questions: how they are asked, what people do with them, and what falls due."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from appservice.actions import desk_lines, help_rooms
from appservice.actions.desk import note, number_of
from appservice.actions.desk_lines import Alert
from appservice.actions.outages import is_behind
from appservice.actions.work import Work
from appservice.domain import question as rules
from appservice.domain.cause import Place
from appservice.domain.duration import DAY_MS
from appservice.domain.group import Group, GroupStatus
from appservice.domain.ids import EventId, GroupId, Number, RoomId
from appservice.domain.member import Member
from appservice.domain.question import Fact, Question, QuestionId, Request, Status
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.domain.text import fold
from appservice.present.words import questions as say
from appservice.store.questions import Note, Part, Put
from appservice.store.unit import fresh_id

TOGETHER_MS = 20_000
"""What falls due within this time is said by one message."""
COMING_MS = 5_000
OLDEST_MS = 7 * DAY_MS
"""A message counts as sent at most so long before it came: the time is its sender's."""
MOST_WAITING = 20
"""More questions of one member wait at no time: what they ask then goes with their newest."""
MOST_TEXTS = 20
"""So much of what was written to a question is kept: what was first, and the newest."""
NAMES: Mapping[type[Fact], str] = {
    rules.Asked: "question_asked",
    rules.Claimed: "question_claimed",
    rules.Released: "question_released",
    rules.Answered: "question_answered",
    rules.PeerAnswered: "question_peer_answered",
    rules.AnswerRemoved: "question_answer_removed",
    rules.Accepted: "question_accepted",
    rules.Resolved: "question_resolved",
    rules.Unresolved: "question_unresolved",
    rules.Withdrawn: "question_withdrawn",
    rules.Reopened: "question_reopened",
    rules.Snoozed: "question_snoozed",
    rules.Woken: "question_woken",
    rules.HandedOver: "question_handed_over",
    rules.Nudged: "question_nudged",
    rules.Overdue: "question_overdue",
    rules.Escalated: "question_escalated",
}
"""The facts that the ledger keeps. It is kept for ever, so it says nothing of what was written."""
_DETAILS = {"event_id": "event", "at": "at", "late": "late", "peer": "peer", "until": "until", "to": "to"}


@dataclass(frozen=True, slots=True)
class Said:
    """What a member wrote to be answered. `at` (ms) is when, as far as one can tell; `picture` the content of an
    `m.image`."""

    text: str
    picture: Mapping[str, Any] | None
    room_id: RoomId
    event_id: EventId
    at: int


def sent_at(sent: int | None, received: int) -> int:
    """Give when (ms) something was written: as its homeserver says, where that can be."""
    return received if sent is None else min(max(sent, received - OLDEST_MS), received)


async def ask(
    work: Work, group: Group, asker: Member, said: Said, *, is_direct: bool = False, by: Number | None = None
) -> QuestionId:
    """Put a member's question before the concierges of a locked group; `by` is the concierge who made it one.

    The same words again, while nobody has answered them, are the same question.
    """
    assert asker.number is not None
    own = await work.unit.questions.of_asker(group.id, asker.number)
    waiting = [put for put in own if put.question.waiting_since is not None]
    alike = [put for put in waiting if put.question.is_direct == is_direct]
    for put in alike:
        is_same = any(said.text and fold(said.text) == fold(text) for text in put.texts.values())
        if is_same:
            await work.unit.questions.say(put.question.id, said.event_id, Part.MORE, asker.number, said.at)
            texts = _with(put.texts, said)  # the one may be removed, and the other stays
            await work.unit.questions.set_texts(put.question.id, texts, put.picture)
            return put.question.id
    if len(alike) >= MOST_WAITING:
        await say_more(work, alike[-1].question.id, said)
        return alike[-1].question.id
    id = QuestionId(fresh_id())
    blank = Question(id, group.id, asker.number, asked_at=said.at, is_direct=is_direct)
    fact = rules.Asked(by if by is not None else asker.number, said.at)
    question = rules.evolve(blank, fact, work.unit.now)
    put = Put(question, said.room_id, said.event_id, {said.event_id: said.text}, said.picture)
    await work.unit.questions.add(put, rules.due_at(question, group.hours.after))
    await work.unit.questions.say(id, said.event_id, Part.ASKED, asker.number, said.at)
    await _note(work, question, fact)
    await desk_lines.post(work, group, put, ring=await desk_lines.may_ring(work, question))
    await _set_timer(work, group.id)
    return id


async def act(work: Work, id: QuestionId, request: Request) -> Refusal | None:
    """Do with a question what somebody asks for, if the rules allow it; the facts are recorded, and what shows it
    follows."""
    found = await work.unit.questions.get(id)
    assert found is not None, id
    group = await work.unit.groups.lock(found.question.group_id)
    put = await work.unit.questions.lock(id)
    facts = rules.decide(put.question, request, work.unit.now)
    if isinstance(facts, Refusal):
        by = facts.details.get("by")
        named = {"by": await desk_lines.name(work, group, Number(by))} if isinstance(by, int) else {}
        return refuse(facts.reason, **{**facts.details, **named})
    await record(work, group, put, facts)
    return None


async def say_more(work: Work, id: QuestionId, said: Said) -> Refusal | None:
    """Add what the asker has written to their question: it is read with it, and may open it again."""
    found = await work.unit.questions.get(id)
    assert found is not None, id
    group = await work.unit.groups.lock(found.question.group_id)
    put = await work.unit.questions.lock(id)
    facts = rules.decide(put.question, rules.Say(said.event_id, said.at), work.unit.now)
    if isinstance(facts, Refusal):
        return facts
    again = any(isinstance(fact, rules.Reopened) for fact in facts)
    first = dict(list(put.texts.items())[:1])  # whoever takes it now knows what it is about
    before = first if again else put.texts
    picture = said.picture or (None if again else put.picture)
    put = replace(put, texts=_with(before, said), picture=picture)
    await work.unit.questions.set_texts(id, put.texts, picture)
    await work.unit.questions.say(id, said.event_id, Part.MORE, put.question.asker, said.at)
    if said.picture is not None:
        await desk_lines.show_picture(work, group, put)
    await record(work, group, put, facts)
    return None


async def in_thread(work: Work, group_id: GroupId, reply_to: EventId | None) -> Put | Refusal:
    """Give the question that a concierge means in the desk: that of the thread or line which they answered, else the
    only one that they have taken."""
    for event_id in (work.cause.thread, reply_to):
        for role in await work.unit.questions.roles(event_id) if event_id is not None else []:
            put = await work.unit.questions.get(role.question_id)
            if put is not None and put.question.group_id == group_id:
                return put
    by = await number_of(work, group_id, work.cause.sender)
    mine = [put for put in await work.unit.questions.live(group_id) if put.question.claimant == by]
    return mine[0] if len(mine) == 1 else refuse(Reason.WHICH_QUESTION, taken=len(mine))


async def add_note(work: Work, id: QuestionId, by: Number, text: str) -> None:
    """Keep what a concierge notes about a question with it; it stops no clock."""
    found = await work.unit.questions.get(id)
    assert found is not None, id
    group = await work.unit.groups.lock(found.question.group_id)
    put = await work.unit.questions.lock(id)
    await work.unit.questions.note(id, Note(work.unit.now, by, text))
    await desk_lines.refresh(work, group, put)


async def record(work: Work, group: Group, put: Put, facts: Sequence[Fact]) -> None:
    """Write down what has happened to a locked question, and have the desk follow."""
    put, alerts = await _record(work, group, put, facts)
    await desk_lines.refresh(work, group, put)
    await desk_lines.ring(work, group, alerts)


async def _record(work: Work, group: Group, put: Put, facts: Sequence[Fact]) -> tuple[Put, list[Alert]]:
    if not facts:
        return put, []
    before, question = put.question, put.question
    for fact in facts:
        question = rules.evolve(question, fact, work.unit.now)
        await _note(work, question, fact)
        if isinstance(fact, rules.HandedOver):
            await work.unit.questions.note(question.id, Note(work.unit.now, fact.by, fact.note))
    await work.unit.questions.save(question, rules.due_at(question, group.hours.after))
    await _set_timer(work, group.id)
    put = replace(put, question=question)
    if question.claimant is not None and question.claimant != before.claimant:
        await help_rooms.claimed(work, group, put)
    if question.status is Status.RESOLVED and before.status is not Status.RESOLVED:
        await help_rooms.resolved(work, group, put)
    alerts = [alert for fact in facts if (alert := await _alert(work, group, put, fact))]
    escalated = [alert for alert in alerts if alert.what == "escalated"]  # rings whom the others ring, and the owners
    return put, (escalated or alerts)[-1:]


async def fall_due(work: Work, group_id: GroupId) -> None:
    """Nudge, put back into the queue, wake and escalate what is due in a group: what comes together is said together.
    After a start it waits until all is there that was written meanwhile."""
    group = await work.unit.groups.lock(group_id)
    if group.status is not GroupStatus.OPEN:
        return
    if await is_behind(work, group):
        await work.unit.timers.set("desk", group_id, work.unit.now + TOGETHER_MS)
        return
    alerts = []
    for id in await work.unit.questions.due(group_id, work.unit.now):
        put = await work.unit.questions.lock(id)
        facts = rules.fall_due(put.question, work.unit.now, group.hours.after)
        put, due = await _record(work, group, put, facts)
        await desk_lines.refresh(work, group, put)
        alerts += due
    await desk_lines.ring(work, group, alerts)
    await _set_timer(work, group_id)


async def hours_changed(work: Work, group: Group) -> None:
    """Count anew when something falls due in a locked group, since its hours have changed."""
    for put in await work.unit.questions.live(group.id):
        await work.unit.questions.save(put.question, rules.due_at(put.question, group.hours.after))
    await _set_timer(work, group.id)


async def concierge_gone(work: Work, group: Group, number: Number) -> None:
    """Put the questions of a concierge who is none any more back into the queue; the group is locked."""
    alerts = []
    gone = await desk_lines.name(work, group, number)
    for found in await work.unit.questions.live(group.id):
        if found.question.claimant != number:
            continue
        put = await work.unit.questions.lock(found.question.id)
        woken: list[Fact] = [rules.Woken()] if put.question.status is Status.SNOOZED else []
        put, _ = await _record(work, group, put, [*woken, rules.Released(number)])
        await desk_lines.refresh(work, group, put)
        if put.question.waiting_since is not None:
            asker = await desk_lines.name(work, group, put.question.asker)
            alerts.append(Alert(put, "released", say.claimant_gone(gone, asker)))
    await desk_lines.ring(work, group, alerts)


async def asker_gone(work: Work, group: Group, number: Number) -> None:
    """Close the questions of a member who has left: nobody can answer them in the group any more."""
    for found in await work.unit.questions.of_asker(group.id, number):
        put = await work.unit.questions.lock(found.question.id)
        waits, now = put.question.waiting_since is not None, work.unit.now
        await record(work, group, put, [rules.Withdrawn(now) if waits else rules.Resolved(number, now)])


async def somebody_came(work: Work, group_id: GroupId) -> None:
    """Have the open questions posted afresh for who has come into the desk, and for who comes right after them."""
    if await work.unit.questions.live(group_id):
        await work.unit.timers.set("queue", group_id, work.unit.now + COMING_MS)


async def show_open(work: Work, group_id: GroupId) -> None:
    """Post the open questions afresh, for who could not read them."""
    group = await work.unit.groups.lock(group_id)
    if group.status is GroupStatus.OPEN:
        await desk_lines.post_open(work, group)


async def post_again(work: Work, group: Group, id: QuestionId) -> None:
    """Begin a new thread about a question whose line is gone."""
    put = await work.unit.questions.lock(id)
    await desk_lines.post(work, group, replace(put, root_id=None), ring=False)


async def remove_text(work: Work, id: QuestionId, event_id: EventId) -> None:
    """Take what an event said out of a question, and out of the desk."""
    found = await work.unit.questions.get(id)
    assert found is not None, id
    group = await work.unit.groups.lock(found.question.group_id)
    put = await work.unit.questions.lock(id)
    texts = {one: text for one, text in put.texts.items() if one != event_id}
    picture = put.picture if texts else None
    await work.unit.questions.set_texts(id, texts, picture)
    await desk_lines.post_anew(work, group, replace(put, texts=texts, picture=picture))
    await help_rooms.ungreet(work, id)


async def edit_text(work: Work, id: QuestionId, event_id: EventId, text: str) -> None:
    """Show what a member has made of their words."""
    found = await work.unit.questions.get(id)
    assert found is not None, id
    group = await work.unit.groups.lock(found.question.group_id)
    put = await work.unit.questions.lock(id)
    if event_id in put.texts and put.texts[event_id] != text:
        texts = {**put.texts, event_id: text}
        await work.unit.questions.set_texts(id, texts, put.picture)
        await desk_lines.refresh(work, group, replace(put, texts=texts))


async def _alert(work: Work, group: Group, put: Put, fact: Fact) -> Alert | None:
    """Give whom a fact rings, and with which words; most ring nobody."""
    question = put.question
    asker = await desk_lines.name(work, group, question.asker)
    waits = await desk_lines.waits(work, put)
    match fact:
        case rules.Nudged() if question.claimant is not None:
            return Alert(put, "nudge", say.nudge(await desk_lines.name(work, group, question.claimant), asker, waits))
        case rules.Released(by, late=True):
            return Alert(put, "released", say.released(asker, waits, await desk_lines.name(work, group, by)))
        case rules.Overdue():
            return Alert(put, "overdue", say.overdue(asker, waits))
        case rules.Escalated():
            return Alert(put, "escalated", say.escalated(asker, waits))
        case rules.Woken() if question.waiting_since is not None:
            return Alert(put, "woken", say.woken(asker, waits))
        case rules.Reopened() if work.cause.place is not Place.HELP and await desk_lines.may_ring(work, question):
            return Alert(put, "reopened", say.reopened(asker))
        case rules.HandedOver(by, to, words):
            called = await desk_lines.names(work, group, [by, to])
            return Alert(put, "handed over", say.handed_over(called[to], called[by], asker, words))
        case _:
            return None


def _with(texts: Mapping[EventId, str], said: Said) -> dict[EventId, str]:
    first, *others = {**texts, said.event_id: said.text}.items()
    return dict([first, *others[1 - MOST_TEXTS :]])


async def _note(work: Work, question: Question, fact: Fact) -> None:
    """Write a fact into the ledger."""
    name = NAMES.get(type(fact))
    if name is None:
        return
    known = asdict(fact)
    detail = {_DETAILS[key]: value for key, value in known.items() if key in _DETAILS}
    if isinstance(fact, rules.Asked):
        detail["direct"] = question.is_direct
    actor = known.get("by", question.asker if isinstance(fact, rules.Reopened | rules.Withdrawn) else None)
    await note(
        work, question.group_id, name, number=question.asker, actor=actor, question=question.id,
        episode=question.episode, **detail,
    )  # fmt: skip


async def _set_timer(work: Work, group_id: GroupId) -> None:
    """Set the timer to what is due next; never before what comes with it has had time to, and never later again."""
    due_at = await work.unit.questions.next_due(group_id)
    if due_at is None:
        await work.unit.timers.clear("desk", group_id)
        return
    at, before = max(due_at, work.unit.now + TOGETHER_MS), await work.unit.timers.due_at("desk", group_id)
    if before is None or not due_at <= before <= at:
        await work.unit.timers.set("desk", group_id, at)
