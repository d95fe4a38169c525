"""The one table of commands, and how a typed line finds its command."""

from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches

from appservice.actions.pledges import removed_as_private
from appservice.actions.work import Work
from appservice.commands import (
    adoption,
    aliases,
    buys,
    canned,
    exports,
    farewell,
    groups,
    guarding,
    hours,
    orders,
    pledges,
    private,
    products,
    proposals,
    questions,
    recommendations,
    reporting,
    stats,
    vouching,
)
from appservice.commands.command import Call, Command
from appservice.commands.help import help_command
from appservice.domain.cause import Place
from appservice.domain.effect import Redact
from appservice.domain.ids import EventId
from appservice.domain.refusal import Reason, refuse

_OTHERS = (
    *groups.COMMANDS, *adoption.COMMANDS, *vouching.COMMANDS, *aliases.COMMANDS, *products.COMMANDS, *buys.COMMANDS,
    *recommendations.COMMANDS, *questions.COMMANDS, *canned.COMMANDS, *proposals.COMMANDS, *reporting.COMMANDS,
    *private.COMMANDS,
    *pledges.COMMANDS, *orders.COMMANDS,
    *exports.COMMANDS, *farewell.COMMANDS, *guarding.COMMANDS, *stats.COMMANDS, *hours.COMMANDS,
)  # fmt: skip
_SURE = 0.8
"""How close a mistyped word has to be to a command for that to be meant."""
TABLE: Mapping[str, Command] = {command.name: command for command in (*_OTHERS, help_command(_OTHERS))}


async def run(work: Work, name: str, call: Call) -> None:
    """Run the command of that name; a refusal is told to the person in private."""
    command = TABLE.get(name.lower())
    sure = get_close_matches(name.lower(), TABLE, n=1, cutoff=_SURE)
    if any(TABLE[meant].shows_pledge for meant in sure) and await removed_as_private(work):
        return
    if command is None:
        close = get_close_matches(name.lower(), TABLE, n=1)
        if close or call.place is not Place.GROUP:  # other bots in the group have commands too
            await work.refuse(refuse(Reason.UNKNOWN_COMMAND, command=name[:20], close=next(iter(close), None)))
        if close and call.place is Place.GROUP and Place.GROUP not in TABLE[close[0]].places:
            await work.owe(_removal(work))
        return
    if call.place not in command.places or (work.cause.place is Place.HELP and command.places == {Place.DIRECT}):
        await _wrong_place(work, command, call.place)
        return
    if await work.refuse_clear():
        return
    refusal = await command.run(work, call)
    if refusal is not None:
        await work.refuse(refusal)


async def edited(work: Work, name: str, original: EventId) -> bool:
    """Remove a message that became by an edit in the group what would expose people there, and its first version;
    tells whether it was so. Anybody can name any event in an edit: only their own is removed."""
    found = next(iter(get_close_matches(name.lower(), TABLE, n=1)), None)
    if found is None or Place.GROUP in TABLE[found].places:
        return False
    await _wrong_place(work, TABLE[found], Place.GROUP)
    removal = _removal(work)
    await work.owe(replace(removal, event_id=original, by=work.cause.sender))
    return True


async def _wrong_place(work: Work, command: Command, place: Place) -> None:
    """Refuse a command that would expose people in the group, or in a help room, and remove it there."""
    if work.cause.place is Place.HELP:
        is_desks = place is not Place.DIRECT and Place.DESK in command.places
        await work.refuse(refuse(Reason.NOT_IN_HELP, command=command.name, desk=is_desks))
        await work.owe(_removal(work))
    elif place is Place.GROUP:
        await work.refuse(refuse(Reason.WRONG_PLACE, command=command.name, desk=command.places == {Place.DESK}))
        await work.owe(_removal(work))
    else:
        await work.refuse(refuse(Reason.OTHER_PLACE, command=command.name, desk=command.places == {Place.DESK}))


def _removal(work: Work) -> Redact:
    return Redact(work.cause.room_id, work.cause.event_id, reason="to be sent to the service directly")
