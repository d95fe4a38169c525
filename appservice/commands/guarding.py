"""!audit: what happened to people, policy and powers."""

from collections.abc import Sequence

from appservice.actions.work import Work
from appservice.commands.command import Call, Command, one_group, usage
from appservice.domain.cause import Place
from appservice.domain.group import Group
from appservice.domain.ids import Number
from appservice.domain.member import Role
from appservice.domain.refusal import Refusal
from appservice.present.acknowledge import answer
from appservice.present.words import guarding as say
from appservice.store.ledger import Entry

_AUDIT = "!audit, or !audit 50"
USUAL, MOST = 20, 100
"""Lines that are listed."""
_READ = 10 * MOST
"""So many lines of the ledger are looked at, as those that are the same become one."""


async def _audit(work: Work, call: Call) -> Refusal | None:
    found = await one_group(work, call, Role.CONCIERGE, call.words(), _AUDIT)
    if isinstance(found, Refusal):
        return found
    group, _, words = found
    match words:
        case []:
            limit = USUAL
        case [digits] if digits.isascii() and digits.isdigit() and 0 < int(digits[:4]) <= MOST:
            limit = int(digits[:4])
        case _:
            return usage(_AUDIT)
    entries = await work.unit.ledger.newest(group.id, say.AUDITED, _READ)
    lines = merged(await _told(work, group, entries))[:limit]
    await work.owe(answer(work.cause, say.audit(group, lines)))
    return None


async def _told(work: Work, group: Group, entries: Sequence[Entry]) -> list[tuple[int, str]]:
    """Give time and words of each line of the ledger; people by their alias."""
    aliases = {member.number: member.alias for member in await work.unit.groups.members(group.id)}

    def name(number: int | None) -> str:
        return (aliases.get(Number(number)) if number is not None else None) or say.SOMEBODY

    def words(entry: Entry) -> str:
        detail = {**entry.detail, "buy": entry.buy_id}
        by = name(entry.actor) if entry.actor is not None or entry.buy_id is None else say.BY_ITSELF
        return say.AUDITED[entry.fact](by, name(entry.number), detail)

    return [(entry.at, words(entry)) for entry in entries]


def merged(lines: Sequence[tuple[int, str]]) -> list[tuple[int, str]]:
    """Make one of lines that follow each other and say the same: its time is that of the newest."""
    counted: list[tuple[int, str, int]] = []
    for at, line in lines:
        if counted and counted[-1][1] == line:
            counted[-1] = (*counted[-1][:2], counted[-1][2] + 1)
        else:
            counted.append((at, line, 1))
    return [(at, f"{line} ({times} times)" if times > 1 else line) for at, line, times in counted]


COMMANDS = (
    Command(
        "audit", _AUDIT, "see what happened to people, policy and powers", Role.CONCIERGE, _audit,
        frozenset({Place.DESK}),
    ),
)  # fmt: skip
