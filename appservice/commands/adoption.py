"""!adopt."""

import re

from appservice.actions import adoption as action
from appservice.actions.work import Work
from appservice.commands.command import Call, Command, usage
from appservice.commands.groups import LEAST_CAP
from appservice.domain.cause import Place
from appservice.domain.ids import RoomId
from appservice.domain.member import Role
from appservice.domain.refusal import Reason, Refusal, refuse

_ADOPT = "!adopt !OurRoom:example.org, or !adopt !OurRoom:example.org cap 80"
_ROOM_ID = re.compile(r"![\x21-\x39\x3b-\x7e]+(?::[A-Za-z0-9.:\[\]-]+)?")


async def _adopt(work: Work, call: Call) -> Refusal | None:
    if work.cause.sender not in work.config.groups.owners:
        return refuse(Reason.OWNERS_ONLY)
    cap: int | None = None
    match call.words():
        case [raw] | [raw, "confirm" | "cancel"]:
            pass
        case [raw, "cap", digits] | [raw, "confirm", "cap", digits]:
            cap = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 6 else 0
        case _:
            return usage(_ADOPT)
    if not _ROOM_ID.fullmatch(raw) or len(raw) > 255:
        return refuse(Reason.BAD_ROOM)
    if cap is not None and not LEAST_CAP <= cap <= work.config.groups.max_cap:
        return refuse(Reason.BAD_CAP, most=work.config.groups.max_cap)
    match call.words()[1:2]:
        case ["cancel"]:
            return await action.cancel(work, RoomId(raw))
        case ["confirm"]:
            return await action.confirm(work, RoomId(raw), cap)
        case _:
            return await action.ask(work, RoomId(raw), cap)


COMMANDS = (
    Command(
        "adopt", _ADOPT, "make a group of a room that you own already", Role.STRANGER, _adopt,
        frozenset({Place.DIRECT}), for_listed_owners=True,
    ),
)  # fmt: skip
