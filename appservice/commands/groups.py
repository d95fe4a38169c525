"""!group, !cap, !concierge, !handover: what owners do."""

from appservice.actions import groups as action
from appservice.actions.powers import hand_over, remove_concierge
from appservice.actions.work import Work
from appservice.commands.command import PRIVATE, Call, Command, call_example, one_group, person_in, usage
from appservice.domain.cause import Place
from appservice.domain.member import Role
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.domain.text import clean_name

_CREATE = '!group create "Name" or !group create "Name" cap 50 (unencrypted at the end makes it without encryption)'
_GROUP = f"{_CREATE}; its owner: !group pledges private, or !group pledges open, or !group encrypt"
_CAP = "!cap 150"
_CONCIERGE = "!concierge add @ben:example.org, or !concierge remove @ben:example.org"
_HAND_OVER = "!handover @ben:example.org"
LEAST_CAP = 2


async def _group(work: Work, call: Call) -> Refusal | None:
    if call.words()[:1] == ["pledges"]:
        return await _pledges(work, call)
    if call.words()[:1] == ["encrypt"]:
        return await _encrypt(work, call)
    if work.cause.sender not in work.config.groups.owners:
        return refuse(Reason.OWNERS_ONLY)
    words = call.words()
    cap, encrypted = work.config.groups.cap, work.config.groups.encrypted
    if len(words) > 2 and words[-1] == "unencrypted":
        words, encrypted = words[:-1], False
    match words:
        case ["create", raw_name]:
            pass
        case ["create", raw_name, "cap", digits]:
            cap = _number(digits)
        case _:
            return usage(_GROUP)
    name = clean_name(raw_name)
    if name is None:
        return refuse(Reason.BAD_NAME)
    if not LEAST_CAP <= cap <= work.config.groups.max_cap:
        return refuse(Reason.BAD_CAP, most=work.config.groups.max_cap)
    await action.create(work, action.CreateGroup(name, cap, encrypted))
    return None


async def _pledges(work: Work, call: Call) -> Refusal | None:
    found = await one_group(work, call, Role.OWNER, call.words(), call_example("group", call))
    if isinstance(found, Refusal):
        return found
    group, _, words = found
    match words[1:]:
        case ["private" | "open" as how]:
            await action.set_pledges(work, group.id, private=how == "private")
            return None
        case _:
            return usage(_GROUP)


async def _encrypt(work: Work, call: Call) -> Refusal | None:
    words = call.words()
    confirmed = words[-1] == "confirm"
    found = await one_group(work, call, Role.OWNER, words[:-1] if confirmed else words, call_example("group", call))
    if isinstance(found, Refusal):
        return found
    group, _, words = found
    match words[1:]:
        case [] | ["confirm"]:  # the group's id may stand after it
            await action.encrypt(work, group.id, confirmed=confirmed or words[1:] == ["confirm"])
            return None
        case _:
            return usage(_GROUP)


async def _cap(work: Work, call: Call) -> Refusal | None:
    found = await one_group(work, call, Role.OWNER, call.words(), call_example("cap", call))
    if isinstance(found, Refusal):
        return found
    group, _, words = found
    if len(words) != 1:
        return usage(_CAP)
    if not LEAST_CAP <= _number(words[0]) <= work.config.groups.max_cap:
        return refuse(Reason.BAD_CAP, most=work.config.groups.max_cap)
    return await action.set_cap(work, group.id, _number(words[0]))


async def _concierge(work: Work, call: Call) -> Refusal | None:
    found = await one_group(work, call, Role.OWNER, call.words(), call_example("concierge", call))
    if isinstance(found, Refusal):
        return found
    group, _, words = found
    if len(words) < 2 or words[0] not in ("add", "remove"):
        return usage(_CONCIERGE)
    person = await person_in(work, group, " ".join(words[1:]))
    if isinstance(person, Refusal):
        return person
    if person == work.config.groups.backup_creator:
        return refuse(Reason.OWN_ACCOUNT)
    change = action.appoint if words[0] == "add" else remove_concierge
    return await change(work, group.id, person)


async def _hand_over(work: Work, call: Call) -> Refusal | None:
    words = call.words()
    confirmed = words[-1:] == ["confirm"]
    found = await one_group(work, call, Role.OWNER, words[:-1] if confirmed else words, call_example("handover", call))
    if isinstance(found, Refusal):
        return found
    group, member, words = found
    if not words:
        return usage(_HAND_OVER)
    if member.user_id != group.owner:
        return refuse(Reason.OWNERS_ONLY, hint="Ask the group's owner.")
    person = await person_in(work, group, " ".join(words))
    if isinstance(person, Refusal):
        return person
    return await hand_over(work, group.id, person, confirmed=confirmed)


def _number(digits: str) -> int:
    """Give the number that digits stand for; 0 where they are none."""
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 6 else 0


COMMANDS = (
    Command(
        "group", _GROUP, "make a group with its desk, say how one pledges there, or encrypt it", Role.OWNER, _group,
        frozenset({Place.DIRECT}), for_listed_owners=True,
    ),
    Command("cap", _CAP, "say how many people the group takes", Role.OWNER, _cap, PRIVATE),
    Command("concierge", _CONCIERGE, "say who the group's concierges are", Role.OWNER, _concierge, PRIVATE),
    Command("handover", _HAND_OVER, "make a member the owner in your place", Role.OWNER, _hand_over, PRIVATE),
)  # fmt: skip
