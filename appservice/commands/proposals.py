"""!pledge-for: writing down what a member asked for in words."""

from appservice.actions import proposing
from appservice.actions.work import Work
from appservice.commands.choosing import shown_buy
from appservice.commands.command import Call, Command, member_in, one_group, usage
from appservice.domain.cause import Place
from appservice.domain.member import Role
from appservice.domain.refusal import Refusal

_PLEDGE_FOR = "!pledge-for Otter 2, or with a group buy's id: !pledge-for Otter 2 M max 9.00 k3x9qf"


async def _pledge_for(work: Work, call: Call) -> Refusal | None:
    found = await one_group(work, call, Role.CONCIERGE, call.words(), "!pledge-for")
    if isinstance(found, Refusal):
        return found
    group, by, words = found
    if len(words) < 2:
        return usage(_PLEDGE_FOR)
    named = await member_in(work, group, words)
    if isinstance(named, Refusal):
        return named
    to, _, words = named
    which = await shown_buy(work, group, words, f"!pledge-for {call.rest}")
    if isinstance(which, Refusal):
        return which
    buy, words = which
    return await proposing.propose(work, group.id, by, to, buy, " ".join(words)) if words else usage(_PLEDGE_FOR)


COMMANDS = (
    Command(
        "pledge-for", _PLEDGE_FOR, "write down what a member wants to pledge; their ✅ makes it one", Role.CONCIERGE,
        _pledge_for, frozenset({Place.DESK}),
    ),
)  # fmt: skip
