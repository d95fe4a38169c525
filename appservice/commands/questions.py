"""!ask, and what concierges type in the thread of a question: !note, !hand, !snooze; !queue."""

from appservice.actions import desk_lines, questions
from appservice.actions.questions import Said
from appservice.actions.work import Work
from appservice.commands.command import MOST_ALIAS_WORDS, Call, Command, call_example, one_group, person_in, usage
from appservice.commands.deadline import parse_deadline
from appservice.domain.alias import alias_key
from appservice.domain.cause import Place
from appservice.domain.group import Group
from appservice.domain.ids import Number
from appservice.domain.member import Member, Role
from appservice.domain.question import HandOver, Snooze
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.domain.text import clean_name, without_ids
from appservice.present.acknowledge import acknowledge, answer
from appservice.present.words import questions as say
from appservice.store.questions import Put

_ASK = "!ask Can the throw be washed at 60 degrees?"
_NOTE = "!note asked the maker, answer by Friday (in the thread of a question)"
_HAND_EXAMPLE = "!hand Ben knows the maker"
_HAND = f"{_HAND_EXAMPLE} (in the thread of a question; the note is for the one who gets it)"
_SNOOZE = "!snooze until tomorrow 9:00 (in the thread of a question)"
_QUEUE = "!queue"
LONGEST_NOTE = 1000


async def _ask(work: Work, call: Call) -> Refusal | None:
    found = await one_group(work, call, Role.MEMBER, call.words(), call_example("ask", call), free_text=True)
    if isinstance(found, Refusal):
        return found
    group, member, words = found
    text = call.rest if len(words) == len(call.words()) else " ".join(words)
    if not text.strip():
        return usage(_ASK)
    locked = await work.unit.groups.lock(group.id)
    at = questions.sent_at(work.cause.sent_at, work.cause.received_at)
    said = Said(text, None, work.cause.room_id, work.cause.event_id, at)
    await questions.ask(work, locked, member, said, is_direct=work.cause.place is not Place.GROUP)
    await work.owe(*acknowledge(work.cause, waiting=True))
    return None


async def _note(work: Work, call: Call) -> Refusal | None:
    if not call.rest:
        return usage(_NOTE)
    found = await _here(work, call)
    if isinstance(found, Refusal):
        return found
    _, by, put = found
    text = clean_name(without_ids(call.rest), LONGEST_NOTE)
    if text is None:
        return refuse(Reason.TOO_LONG, most=LONGEST_NOTE) if len(call.rest) > LONGEST_NOTE else usage(_NOTE)
    await questions.add_note(work, put.question.id, by, text)
    await work.owe(*acknowledge(work.cause))
    return None


async def _hand(work: Work, call: Call) -> Refusal | None:
    if not call.rest:
        return usage(_HAND)
    found = await _here(work, call)
    if isinstance(found, Refusal):
        return found
    group, by, put = found
    to, words = await _concierge(work, group, call)
    if isinstance(to, Refusal):
        return to
    note = clean_name(without_ids(" ".join(words)), LONGEST_NOTE)
    if not words:
        return refuse(Reason.NOTE_NEEDED, example=_HAND_EXAMPLE)
    if note is None:
        return refuse(Reason.TOO_LONG, most=LONGEST_NOTE)
    refusal = await questions.act(work, put.question.id, HandOver(by, to, note))
    if refusal is None:
        await work.owe(*acknowledge(work.cause))
    return refusal


async def _concierge(work: Work, group: Group, call: Call) -> tuple[Number | Refusal, list[str]]:
    """Give the concierge whom the first words name, and the words after them; their name may have more than one."""
    words = [word.removesuffix(":") for word in call.words()]
    for count in range(min(len(words), 4), 0, -1):
        name = " ".join(words[:count])
        user_id = await person_in(work, group, name)
        alias = user_id if not isinstance(user_id, Refusal) else await person_in(work, group, name.removeprefix("@"))
        member = None if isinstance(alias, Refusal) else await work.unit.groups.member(group.id, alias)
        if desk_lines.is_concierge(member) and member is not None and member.number is not None:
            return member.number, call.words()[count:]
    return await _mentioned(work, group, call)


async def _mentioned(work: Work, group: Group, call: Call) -> tuple[Number | Refusal, list[str]]:
    """Give the one concierge who is mentioned, and the words after their display name: clients write it for them."""
    known = [await work.unit.groups.member(group.id, user_id) for user_id in call.mentions]
    match [member for member in known if desk_lines.is_concierge(member)]:
        case [Member(number=int(number), name_key=key)]:
            words = call.words()
            for count in range(min(len(words), MOST_ALIAS_WORDS), 0, -1):
                if alias_key(" ".join(words[:count])) == key:
                    return number, words[count:]
            return number, words[1:]
    return refuse(Reason.NO_CONCIERGE), []


async def _snooze(work: Work, call: Call) -> Refusal | None:
    text = call.rest.removeprefix("until ").strip()
    if not text:
        return usage(_SNOOZE)
    found = await _here(work, call)
    if isinstance(found, Refusal):
        return found
    group, by, put = found
    until = parse_deadline(text, work.unit.now, group.time_zone, opening=True)
    if isinstance(until, Refusal):
        return until
    refusal = await questions.act(work, put.question.id, Snooze(by, until))
    if refusal is None:
        await work.owe(*acknowledge(work.cause))
    return refusal


async def _queue(work: Work, call: Call) -> Refusal | None:
    found = await one_group(work, call, Role.CONCIERGE, call.words(), _QUEUE)
    if isinstance(found, Refusal):
        return found
    group = await work.unit.groups.lock(found[0].id)
    count = len(await work.unit.questions.live(group.id))
    await work.owe(answer(work.cause, say.queue_posted(count) if count else say.queue_empty()))
    await desk_lines.post_open(work, group)
    return None


async def _here(work: Work, call: Call) -> tuple[Group, Number, Put] | Refusal:
    """Give the question in whose thread a concierge typed something, and who they are."""
    found = await one_group(work, call, Role.CONCIERGE, [], "")
    if isinstance(found, Refusal):
        return found
    group, member, _ = found
    if member.number is None or not desk_lines.is_concierge(member):  # a program, or an owner who is not in the group
        return refuse(Reason.NOT_ALLOWED)
    put = await questions.in_thread(work, group.id, call.reply_to)
    if isinstance(put, Refusal):
        return put
    return group, member.number, put


_DESK = frozenset({Place.DESK})
COMMANDS = (
    Command("ask", _ASK, "ask the concierges something", Role.MEMBER, _ask, frozenset({Place.GROUP, Place.DIRECT})),
    Command("note", _NOTE, "note something about a question, for the concierges only", Role.CONCIERGE, _note, _DESK),
    Command("hand", _HAND, "hand a question over to another concierge", Role.CONCIERGE, _hand, _DESK),
    Command("snooze", _SNOOZE, "put a question off until a time", Role.CONCIERGE, _snooze, _DESK),
    Command("queue", _QUEUE, "have the open questions posted afresh", Role.CONCIERGE, _queue, _DESK),
)
