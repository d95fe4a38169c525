"""!hours, !duty, !bot, !commission."""

import re

from appservice.actions import hours as action
from appservice.actions.work import Work
from appservice.commands.command import PRIVATE, Call, Command, call_example, one_group, person_in, usage
from appservice.domain.member import Role
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.domain.service_hours import parse_hours
from appservice.present.acknowledge import answer
from appservice.present.words import hours as say

_HOURS = "!hours mon-fri 9:00-18:00, sat 10:00-14:00 holidays DE-BE, or !hours always, or !hours"
_DUTY = "!duty on, or !duty off, or !duty"
_BOT = "!bot @shop:example.org, or !bot @shop:example.org off"
_COMMISSION = "!commission 5%, or !commission off"
_PERCENT = re.compile(r"(\d{1,3})(?:[.,](\d{1,2}))?\s*%?", re.ASCII)
_ALL = 10_000
"""A hundred per cent."""


async def _hours(work: Work, call: Call) -> Refusal | None:
    example = call_example("hours", call)
    found = await one_group(work, call, Role.CONCIERGE, call.words(), example, free_text=True)
    if isinstance(found, Refusal):
        return found
    group, _, words = found
    if not words:
        await work.owe(answer(work.cause, say.hours_are(group)))
        return None
    hours = parse_hours(" ".join(words), group.time_zone)
    if isinstance(hours, Refusal):
        return hours
    await action.set_hours(work, group.id, hours)
    return None


async def _duty(work: Work, call: Call) -> Refusal | None:
    found = await one_group(work, call, Role.CONCIERGE, call.words(), call_example("duty", call))
    if isinstance(found, Refusal):
        return found
    group, member, words = found
    match words:
        case []:
            await action.tell_duty(work, group)
        case ["on" | "off"] if member.role < Role.CONCIERGE:  # an owner who has not come in
            return refuse(Reason.NOT_A_MEMBER)
        case ["on" | "off" as how]:
            await action.set_duty(work, group, member, on=how == "on")
        case _:
            return usage(_DUTY)
    return None


async def _bot(work: Work, call: Call) -> Refusal | None:
    found = await one_group(work, call, Role.CONCIERGE, call.words(), call_example("bot", call))
    if isinstance(found, Refusal):
        return found
    group, _, words = found
    off = words[-1:] == ["off"]
    named = " ".join(words[:-1] if off else words)
    if not named:
        return usage(_BOT)
    person = await person_in(work, group, named)
    if isinstance(person, Refusal):
        return person
    return await action.mark_machine(work, group.id, person, machine=not off)


async def _commission(work: Work, call: Call) -> Refusal | None:
    found = await one_group(work, call, Role.OWNER, call.words(), call_example("commission", call))
    if isinstance(found, Refusal):
        return found
    group, _, words = found
    if not words:
        return usage(_COMMISSION)
    basis_points = None if words == ["off"] else _basis_points(" ".join(words))
    if basis_points == 0:
        return refuse(Reason.BAD_COMMISSION)
    await action.set_commission(work, group.id, basis_points)
    return None


def _basis_points(text: str) -> int:
    """Give a rate in hundredths of a per cent; 0 where it is none, or out of bounds."""
    match = _PERCENT.fullmatch(text)
    found = int(match[1]) * 100 + int((match[2] or "").ljust(2, "0")) if match else 0
    return found if found <= _ALL else 0


COMMANDS = (
    Command("hours", _HOURS, "say when questions are answered", Role.CONCIERGE, _hours, PRIVATE),
    Command("duty", _DUTY, "say whether questions ring you, and see who is on duty", Role.CONCIERGE, _duty, PRIVATE),
    Command("bot", _BOT, "mark another program's account: it answers no questions", Role.CONCIERGE, _bot, PRIVATE),
    Command(
        "commission", _COMMISSION, "have cards say what concierges get of what is sold", Role.OWNER, _commission,
        PRIVATE,
    ),
)  # fmt: skip
