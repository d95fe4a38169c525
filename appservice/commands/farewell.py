"""!leave, !mydata, !forget, !sunset: the ways out."""

from appservice.actions import farewell, forgetting, mydata
from appservice.actions.work import Work
from appservice.commands.command import PRIVATE, Call, Command, call_example, one_group, usage
from appservice.domain.cause import Place
from appservice.domain.group import GroupStatus
from appservice.domain.member import Role
from appservice.domain.refusal import Refusal

_LEAVE = "!leave"
_MYDATA = "!mydata"
_FORGET = "!forget me"
_SUNSET = "!sunset; then !sunset confirm, and within a day !sunset cancel"
_STEPS = (["confirm"], ["cancel"])
_GOES_ON = (GroupStatus.OPEN, GroupStatus.CLOSING)


async def _leave(work: Work, call: Call) -> Refusal | None:
    found = await one_group(work, call, Role.MEMBER, call.words(), "!leave", _GOES_ON)
    if isinstance(found, Refusal):
        return found
    group, _, words = found
    return usage(_LEAVE) if words else await farewell.leave(work, group.id)


async def _mydata(work: Work, call: Call) -> Refusal | None:
    return usage(_MYDATA) if call.words() else await mydata.ask(work)


async def _forget(work: Work, call: Call) -> Refusal | None:
    match call.words():
        case ["me"]:
            return await forgetting.explain(work)
        case ["me", "confirm"]:
            return await forgetting.begin(work)
        case _:
            return usage(_FORGET)


async def _sunset(work: Work, call: Call) -> Refusal | None:
    words = call.words()
    step = words.pop() if words[-1:] in _STEPS else None
    found = await one_group(work, call, Role.OWNER, words, call_example("sunset", call), _GOES_ON)
    if isinstance(found, Refusal):
        return found
    group, _, words = found
    words = [word for word in words if word != group.id]  # in the desk it need not be there, and may
    if words in _STEPS and step is None:  # the id came last
        step = words.pop()
    if words:
        return usage(_SUNSET)
    if step == "cancel":
        return await farewell.cancel(work, group.id)
    return await farewell.sunset(work, group.id, confirmed=step == "confirm")


_DIRECT = frozenset({Place.DIRECT})
COMMANDS = (
    Command("leave", _LEAVE, "leave the group", Role.MEMBER, _leave, _DIRECT, while_closing=True),
    Command("mydata", _MYDATA, "get a file with all that I keep about you", Role.STRANGER, _mydata, PRIVATE),
    Command("forget", _FORGET, "leave all groups, and have erased who you are", Role.STRANGER, _forget, PRIVATE),
    Command("sunset", _SUNSET, "close the group for good", Role.OWNER, _sunset, PRIVATE, while_closing=True),
)
