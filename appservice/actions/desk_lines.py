"""The desk's side of questions: one thread each, whose first line shows how it stands, and whom to ring."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from appservice.actions import standing
from appservice.actions.work import Work
from appservice.domain.duration import HOUR_MS
from appservice.domain.effect import Redact, SendEvent, SendPicture
from appservice.domain.group import Group, GroupStatus
from appservice.domain.ids import EventId, Number, RoomId, UserId
from appservice.domain.member import Member, Role
from appservice.domain.question import Question, QuestionId, Status
from appservice.domain.question.due import NUDGE_MS
from appservice.domain.text import as_written, fold
from appservice.present.question import Seen, event_link, question_line
from appservice.present.text import Text, alert, edited, esc, notice, threaded
from appservice.present.words import questions as say
from appservice.store.questions import Part, Put
from appservice.wire import message

MOST_RUNG = 3
"""More alerts than this at once come as one message."""
MOST_RINGS = 10
"""So often in an hour one member rings by asking; what they ask then comes quietly, until it is due."""
MOST_LISTED = 50
"""So many of them that message lists: more are too large for an event."""
_REMOVED = "the question was removed"


@dataclass(frozen=True, slots=True)
class Alert:
    """Somebody has to see to a question: `what` names why (a key of say.WHAT), `line` says it in its thread."""

    put: Put
    what: str
    line: str


async def post(work: Work, group: Group, put: Put, *, ring: bool) -> None:
    """Begin a thread about a question in the desk; with `ring`, those on duty hear of it. A line from before says no
    more how it stands."""
    if group.desk_id is None or group.status is GroupStatus.CLOSED:
        return
    text = await _line(work, group, put)
    whom = [m.user_id for m in await on_duty(work, group) if m.number != put.question.asker] if ring else []
    content = alert(text, whom) if whom else notice(text)
    await work.unit.questions.set_root(put.question.id, None, text.plain)
    subject = await _newest(work, put.question.id)
    if put.root_id is not None:
        moved = edited(put.root_id, notice(say.moved(await name(work, group, put.question.asker))))
        await work.owe(SendEvent(group.desk_id, message.TYPE, moved, answer="question_edit", subject=subject))
    await work.owe(SendEvent(group.desk_id, message.TYPE, content, answer="question_line", subject=subject))


async def posted(work: Work, subject: str, desk_id: RoomId, event_id: EventId) -> QuestionId | None:
    """Note which line in the desk is about a question, and give that; it shows the picture below it, and what has
    changed since. A line with words that were removed while it was on its way is taken away again."""
    id = QuestionId(subject.partition(" ")[0])
    found = await work.unit.questions.get(id)
    if found is None or await _taken_away(work, subject, desk_id, event_id):
        return None
    group = await work.unit.groups.lock(found.question.group_id)
    put = await work.unit.questions.lock(id)
    await work.unit.questions.set_root(id, event_id, put.shown)
    await work.unit.questions.say(id, event_id, Part.ROOT, None, work.unit.now)
    put = replace(put, root_id=event_id)
    await show_picture(work, group, put)
    await refresh(work, group, put)
    return id


async def show_picture(work: Work, group: Group, put: Put) -> None:
    """Show the picture of a question in its thread."""
    if put.picture is not None and put.root_id is not None and group.desk_id is not None:
        picture, subject = threaded(dict(put.picture), put.root_id), await _newest(work, put.question.id)
        await work.owe(SendPicture(group.desk_id, picture, answer="question_picture", subject=subject))


async def edit_posted(work: Work, subject: str, desk_id: RoomId, event_id: EventId) -> None:
    """Note an edit of the line about a question, or the picture below it: it may have to be removed."""
    if await _taken_away(work, subject, desk_id, event_id):
        return
    id = subject.partition(" ")[0]
    await work.unit.questions.say(id, event_id, Part.EDIT, None, work.unit.now)


async def refresh(work: Work, group: Group, put: Put) -> None:
    """Edit the line about a question if it shows anything that is not so any more."""
    if group.desk_id is None or put.root_id is None or group.status is GroupStatus.CLOSED:
        if put.root_id is None and put.shown is None and put.question.status is not Status.RESOLVED:
            await post(work, group, put, ring=False)  # its line was removed while it was closed
        return
    text = await _line(work, group, put)
    if text.plain != put.shown:
        await work.unit.questions.set_root(put.question.id, put.root_id, text.plain)
        content = edited(put.root_id, notice(text))
        subject = await _newest(work, put.question.id)
        await work.owe(SendEvent(group.desk_id, message.TYPE, content, answer="question_edit", subject=subject))


async def post_anew(work: Work, group: Group, put: Put) -> None:
    """Take away every line that quotes a question, and begin a new thread with what is left of it."""
    await work.unit.told.first(_removals(put.question.id), work.cause.id, work.unit.now)
    for part in (Part.ROOT, Part.EDIT):
        for event_id in await work.unit.questions.events(put.question.id, part):
            if group.desk_id is not None:
                await work.owe(Redact(group.desk_id, event_id, _REMOVED))
            if part is Part.EDIT:
                await work.unit.questions.unsay(put.question.id, event_id)
    await post(work, group, replace(put, root_id=None), ring=False)


async def _taken_away(work: Work, subject: str, desk_id: RoomId, event_id: EventId) -> bool:
    """Take a line away that was owed before something was removed; tells whether it was."""
    id = QuestionId(subject.partition(" ")[0])
    is_old = subject != await _newest(work, id)
    if is_old:
        await work.owe(Redact(desk_id, event_id, _REMOVED))
    return is_old


async def _newest(work: Work, id: QuestionId) -> str:
    """Give the subject of a line about a question: its id, and how often something was removed from it so far."""
    return f"{id} {await work.unit.told.count(_removals(id), 0)}"


def _removals(id: QuestionId) -> str:
    return f"removals {id}"


async def in_thread(work: Work, group: Group, put: Put, text: Text | str, *, ring: Sequence[UserId] = ()) -> None:
    """Say something in the thread of a question, quietly unless somebody is to be rung."""
    if group.desk_id is None:
        return
    content = alert(text, ring) if ring else notice(text)
    if put.root_id is not None:
        content = threaded(content, put.root_id)
    await work.owe(SendEvent(group.desk_id, message.TYPE, content))


async def ring(work: Work, group: Group, alerts: Sequence[Alert]) -> None:
    """Ring those whose turn it is, each question in its thread; many of them by one message."""
    whom = {one.put.question.id: await _turn(work, group, one) for one in alerts}
    if len(alerts) <= MOST_RUNG:
        for one in alerts:
            await in_thread(work, group, one.put, one.line, ring=whom[one.put.question.id])
        return
    if group.desk_id is None:
        return
    lines, html = [], []
    for one in alerts[:MOST_LISTED]:
        line = await _summary_line(work, group, one)
        link = event_link(group.desk_id, one.put.root_id, work.config.homeserver.domain) if one.put.root_id else None
        lines.append(f"{line} {link}" if link else line)
        html.append(f'<li><a href="{esc(link)}">{esc(line)}</a></li>' if link else f"<li>{esc(line)}</li>")
    if len(alerts) > MOST_LISTED:
        lines.append(say.more(len(alerts) - MOST_LISTED))
        html.append(f"<li>{esc(lines[-1])}</li>")
    head, *rest = say.summary(len(alerts), lines)
    everybody = list(dict.fromkeys(user_id for rung in whom.values() for user_id in rung))
    text = Text("\n".join((head, *rest)), f"{esc(head)}<ul>{''.join(html)}</ul>")
    await work.owe(SendEvent(group.desk_id, message.TYPE, alert(text, everybody)))


async def may_ring(work: Work, question: Question) -> bool:
    """Tell whether a question that has come, or come again, may ring: a flood of them does not, nor do late ones, as
    after an outage: they ring together, once they are due."""
    if work.unit.now - question.episode_at >= NUDGE_MS:
        return False
    subject = f"rings {question.group_id} {question.asker}"
    await work.unit.told.first(subject, f"{question.id} {question.episode}", work.unit.now)
    return await work.unit.told.count(subject, work.unit.now - HOUR_MS) <= MOST_RINGS


async def on_duty(work: Work, group: Group) -> list[Member]:
    """Give the concierges who are there for questions now: all who have not said that they are off."""
    return [member for member in await concierges(work, group) if member.duty is not False]


async def concierges(work: Work, group: Group) -> list[Member]:
    """Give the people, no programs, who answer questions in a group."""
    return [member for member in await work.unit.groups.members(group.id) if is_concierge(member)]


def is_concierge(member: Member | None) -> bool:
    """Tell whether a person in the group is a concierge, and no program."""
    return member is not None and member.role >= Role.CONCIERGE and not member.machine


async def waits(work: Work, put: Put) -> str:
    """Say how long the member has waited."""
    return say.lasting(work.unit.now - put.question.episode_at)


async def name(work: Work, group: Group, number: Number) -> str:
    """Give the name under which a person is spoken of."""
    return (await names(work, group, [number]))[number]


async def names(work: Work, group: Group, numbers: Collection[Number]) -> dict[Number, str]:
    """Give the names under which people are spoken of, by number."""
    found = {}
    for number in set(numbers):
        member = await work.unit.groups.member_by_number(group.id, number)
        found[number] = member.alias or f"Member {number}"
    return found


async def _line(work: Work, group: Group, put: Put) -> Text:
    """Give the line about a question as of now."""
    question = put.question
    asker = await work.unit.groups.member_by_number(group.id, question.asker)
    stands = await standing.line(work, group, asker) if question.status is not Status.RESOLVED else ""
    notes = await work.unit.questions.notes(question.id)
    people = [*_people(question), *(note.by for note in notes)]
    called = await names(work, group, people)
    seen = Seen(
        names=dict(called), texts=_said(put), has_picture=put.picture is not None,
        link=_link(work, put), in_help_room=put.help_room_id is not None, standing=stands,
        notes=tuple(f"{note.text} ({called[note.by]})" for note in notes),
    )  # fmt: skip
    return question_line(question, group, seen, work.unit.now)


def _said(put: Put) -> tuple[str, ...]:
    """Give what its asker wrote, the same words once."""
    return tuple({fold(text): as_written(text) for text in put.texts.values() if text}.values())


def _people(question: Question) -> list[Number]:
    known = (question.asker, question.claimant, question.resolved_by, question.credited)
    return [number for number in (*known, *(one.by for one in question.answers)) if number is not None]


def _link(work: Work, put: Put) -> str | None:
    server = work.config.homeserver.domain
    if put.help_room_id is not None:
        return event_link(put.help_room_id, None, server)
    if put.question.is_direct or put.room_id is None or put.event_id is None:
        return None
    there = put.event_id in put.texts or not put.texts
    return event_link(put.room_id, put.event_id if there else next(iter(put.texts)), server)


async def _turn(work: Work, group: Group, one: Alert) -> list[UserId]:
    """Give whose turn it is: the claimant's, the owners', or that of those on duty; of all if nobody is."""
    question = one.put.question
    everybody = await concierges(work, group)
    if one.what == "escalated":
        owners = [member.user_id for member in everybody if member.role is Role.OWNER] or [group.owner]
        turn = await _turn(work, group, replace(one, what="overdue"))  # nobody may have been rung for it so far
        return list(dict.fromkeys((*owners, *turn)))
    mine = [member.user_id for member in everybody if member.number == question.claimant]
    if mine and one.what != "released":
        return mine
    there = [member.user_id for member in everybody if member.duty is not False and member.number != question.asker]
    return there or [member.user_id for member in everybody if member.number != question.asker]


async def _summary_line(work: Work, group: Group, one: Alert) -> str:
    asker = await name(work, group, one.put.question.asker)
    return say.summary_line(asker, await waits(work, one.put), say.WHAT[one.what])


async def post_open(work: Work, group: Group) -> int:
    """Post the open questions of a group afresh, quietly, oldest first: who has come into the desk later cannot read
    the old threads. Gives how many they are."""
    live = await work.unit.questions.live(group.id)
    for put in live:
        await post(work, group, await work.unit.questions.lock(put.question.id), ring=False)
    return len(live)
