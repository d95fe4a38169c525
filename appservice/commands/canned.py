"""!canned: drafts for answers that a concierge sends under their own name."""

from appservice.actions import canned as action
from appservice.actions import questions
from appservice.actions.work import Work
from appservice.commands.command import Call, Command, one_group, usage
from appservice.domain.canned import parse_name, parse_values
from appservice.domain.cause import Place
from appservice.domain.group import Group
from appservice.domain.member import Role
from appservice.domain.refusal import Refusal

_CANNED = (
    "!canned delivery day=Friday in a question's thread (!canned lists them; !canned add delivery Hello {alias}, it "
    'comes on {day}. keeps one, !canned remove delivery forgets it; values with spaces: what="Merino throw")'
)


async def _canned(work: Work, call: Call) -> Refusal | None:
    found = await one_group(work, call, Role.CONCIERGE, [], "!canned")
    if isinstance(found, Refusal):
        return found
    group = found[0]
    word, rest = _split(call.rest)
    match word.lower():
        case "" | "list":
            await action.show(work, group.id)
            return None
        case "add":
            raw, text = _split(rest)
            name = parse_name(raw)
            return await action.add(work, group.id, name, text) if name and text else usage(_CANNED)
        case "remove":
            name = parse_name(rest)
            return await action.remove(work, group.id, name) if name else usage(_CANNED)
        case _:
            return await _draft(work, call, group, word, rest)


async def _draft(work: Work, call: Call, group: Group, word: str, rest: str) -> Refusal | None:
    name, given = parse_name(word), parse_values(rest)
    if name is None or given is None:
        return usage(_CANNED)
    put = await questions.in_thread(work, group.id, call.reply_to)
    if isinstance(put, Refusal):
        return put
    asker = await work.unit.groups.member_by_number(group.id, put.question.asker)
    known = {"alias": asker.alias or f"Member {asker.number}", "group": group.name}
    return await action.draft(work, group.id, name, given, known)


def _split(text: str) -> tuple[str, str]:
    """Give the first word, and what follows as it was typed."""
    word, *rest = text.split(None, 1) or [""]
    return word, "".join(rest).strip()


COMMANDS = (
    Command(
        "canned", _CANNED, "get a draft for an answer, which you send yourself", Role.CONCIERGE, _canned,
        frozenset({Place.DESK}),
    ),
)  # fmt: skip
