"""!help: what this person may do here, short."""

import re
from collections.abc import Sequence

from appservice.actions.work import Work
from appservice.commands.command import Call, Command, my_groups
from appservice.domain.group import Group, GroupStatus
from appservice.domain.member import Member, Role
from appservice.domain.refusal import Refusal
from appservice.present.acknowledge import acknowledge, answer
from appservice.present.words.guide import help_text

_ASIDE = re.compile(r"\s*\([^()]*\)")


def help_command(others: Sequence[Command]) -> Command:
    """Give the command that lists the others."""

    async def run(work: Work, call: Call) -> Refusal | None:
        groups = await my_groups(work, call, Role.MEMBER)
        closing = await my_groups(work, call, Role.MEMBER, (GroupStatus.CLOSING,))
        role, role_in_closing = _highest(groups), _highest([*groups, *closing])
        listed = work.cause.sender in work.config.groups.owners
        lines = [
            (shortened(c.usage), c.summary)
            for c in others
            if _may(c, role_in_closing if c.while_closing else role, listed) and call.place in c.places
        ]
        text = help_text(lines, joined=bool(groups or closing))
        await work.owe(*acknowledge(work.cause), answer(work.cause, text))
        return None

    return Command("help", "!help", "show what you can do here", Role.STRANGER, run)


def shortened(usage: str) -> str:
    """Give how a command is written without what stands in brackets, which it shows when it is typed alone."""
    return _ASIDE.sub(" …", usage)


def _highest(groups: Sequence[tuple[Group, Member]]) -> Role:
    return max((member.role for _, member in groups), default=Role.STRANGER)


def _may(command: Command, role: Role, listed: bool) -> bool:
    may = role >= command.role
    return listed or (may and command.role is not Role.STRANGER) if command.for_listed_owners else may
