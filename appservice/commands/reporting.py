"""!report: telling the owners of somebody's behaviour."""

from appservice.actions import reporting
from appservice.actions.work import Work
from appservice.commands.command import Call, Command, call_example, member_in, one_group, usage
from appservice.domain.admission import parse_user_id
from appservice.domain.cause import Place
from appservice.domain.group import Group, GroupStatus
from appservice.domain.member import Member, Role
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.domain.text import without_ids

_REPORT = "!report Otter writes to members who do not want it"
LONGEST_WHY = 1000
_WHERE = (GroupStatus.OPEN, GroupStatus.CLOSING)


async def _report(work: Work, call: Call) -> Refusal | None:
    example = call_example("report", call)
    found = await one_group(work, call, Role.MEMBER, call.words(), example, _WHERE, free_text=True)
    if isinstance(found, Refusal):
        return found
    group, reporter, words = found
    if not words:
        return usage(_REPORT)
    named = await _concerned(work, group, words)
    if isinstance(named, Refusal):
        return named
    concerned, rest = named
    why = without_ids(" ".join(rest))
    if not why or concerned.user_id == reporter.user_id:
        return usage(_REPORT)
    if len(why) > LONGEST_WHY:
        return refuse(Reason.TOO_LONG, most=LONGEST_WHY)
    return await reporting.report(work, group.id, reporter, concerned, why)


async def _concerned(work: Work, group: Group, words: list[str]) -> tuple[Member, list[str]] | Refusal:
    user_id = parse_user_id(words[0])
    if user_id is not None:
        known = await work.unit.groups.member(group.id, user_id)
        return (known, words[1:]) if known is not None and known.number is not None else refuse(Reason.NO_SUCH_MEMBER)
    named = await member_in(work, group, words)
    return named if isinstance(named, Refusal) else (named[0], named[2])


COMMANDS = (
    Command(
        "report", _REPORT, "tell the owners, and nobody else, how somebody behaves", Role.MEMBER, _report,
        frozenset({Place.DIRECT}), while_closing=True,
    ),
)  # fmt: skip
