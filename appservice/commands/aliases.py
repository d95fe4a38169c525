"""!alias."""

from appservice.actions import aliases as action
from appservice.actions.work import Work
from appservice.commands.command import PRIVATE, Call, Command, call_example, one_group
from appservice.domain.alias import parse_alias
from appservice.domain.member import Role
from appservice.domain.refusal import Refusal
from appservice.present.acknowledge import answer
from appservice.present.words import seats as say

_ALIAS = "!alias Otter"


async def _alias(work: Work, call: Call) -> Refusal | None:
    found = await one_group(work, call, Role.MEMBER, call.words(), call_example("alias", call), free_text=True)
    if isinstance(found, Refusal):
        return found
    group, member, words = found
    if not words:
        await work.owe(answer(work.cause, say.alias_is(member.alias or "", group)))
        return None
    alias = parse_alias(" ".join(words))
    if isinstance(alias, Refusal):
        return alias
    return await action.choose(work, group.id, member.user_id, alias)


COMMANDS = (Command("alias", _ALIAS, "choose the name by which I call you in the group", Role.MEMBER, _alias, PRIVATE),)
