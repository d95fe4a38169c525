"""!private: a question is answered in a room of its own."""

from appservice.actions import helping, questions
from appservice.actions.work import Work
from appservice.commands.command import EVERYWHERE, Call, Command, my_groups, usage
from appservice.domain.cause import Place
from appservice.domain.ids import Number
from appservice.domain.member import Role
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.present.acknowledge import acknowledge, answer
from appservice.store.questions import Part, Put

_PRIVATE = "!private in the thread of a question, or as a reply to it"


async def _in_thread(work: Work, call: Call) -> Put | Refusal:
    assert call.group_id is not None
    return await questions.in_thread(work, call.group_id, call.reply_to)


async def _private(work: Work, call: Call) -> Refusal | None:
    if call.rest:
        return usage(_PRIVATE)
    put = await (_in_thread(work, call) if call.place is Place.DESK else _own_question(work, call))
    if isinstance(put, Refusal):
        return put
    member = await work.unit.groups.member(put.question.group_id, work.cause.sender)
    assert member is not None and member.number is not None
    said = await helping.open_room(work, put.question.id, member.number)
    if isinstance(said, Refusal):
        return said
    await work.owe(*acknowledge(work.cause), answer(work.cause, said))
    return None


async def _own_question(work: Work, call: Call) -> Put | Refusal:
    """Give the question of whoever asks: the one that they reply to, or in whose thread they are, else the only one."""
    mine = await _numbers(work, call)
    named = call.reply_to or work.cause.thread
    for role in await work.unit.questions.roles(named) if named else []:
        put = await work.unit.questions.get(role.question_id)
        if put is not None and role.part is not Part.ROOT and (put.question.group_id, put.question.asker) in mine:
            return put
    live = [put for group_id, number in mine for put in await work.unit.questions.of_asker(group_id, number)]
    if len(live) == 1:
        return live[0]
    return refuse(Reason.WHICH_QUESTION, own=True) if live else refuse(Reason.NO_QUESTION)


async def _numbers(work: Work, call: Call) -> list[tuple[str, Number]]:
    groups = await my_groups(work, call, Role.MEMBER)
    return [(group.id, member.number) for group, member in groups if member.number is not None]


COMMANDS = (Command("private", _PRIVATE, "be helped in a private room", Role.MEMBER, _private, EVERYWHERE),)
