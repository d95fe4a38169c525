"""!group, !invite, !concierge."""

from appservice.actions import groups as action
from appservice.actions.work import Work
from appservice.commands.command import PRIVATE, Call, Command, one_group, usage
from appservice.domain.admission import parse_user_id
from appservice.domain.cause import Place
from appservice.domain.ids import UserId
from appservice.domain.member import Role
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.domain.text import clean_name
from appservice.present import words as say
from appservice.present.acknowledge import acknowledge, answer

_CREATE = '!group create "Name" or !group create "Name" cap 50'
_INVITE = "!invite @ana:example.org"
_CONCIERGE = "!concierge add @ben:example.org, or !concierge remove @ben:example.org"
LEAST_CAP = 2
LONGEST_EXAMPLE = 200


async def _group(work: Work, call: Call) -> Refusal | None:
    if work.cause.sender not in work.config.groups.owners:
        return refuse(Reason.OWNERS_ONLY)
    words = call.words()
    cap = work.config.groups.cap
    match words:
        case ["create", raw_name]:
            pass
        case ["create", raw_name, "cap", digits]:
            cap = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 6 else 0
        case _:
            return usage(_CREATE)
    name = clean_name(raw_name)
    if name is None:
        return refuse(Reason.BAD_NAME)
    if not LEAST_CAP <= cap <= work.config.groups.max_cap:
        return refuse(Reason.BAD_CAP, most=work.config.groups.max_cap)
    await action.create(work, action.CreateGroup(name, cap))
    return None


async def _invite(work: Work, call: Call) -> Refusal | None:
    found = await one_group(work, call, Role.CONCIERGE, call.words(), call_example("invite", call))
    if isinstance(found, Refusal):
        return found
    group, _, words = found
    if len(words) != 1:
        return usage(_INVITE)
    invitee = _person(work, words[0])
    if isinstance(invitee, Refusal):
        return invitee
    refusal = await action.invite(work, group.id, invitee)
    if refusal is None:
        await work.owe(*acknowledge(work.cause), answer(work.cause, say.invited(invitee, group)))
    return refusal


async def _concierge(work: Work, call: Call) -> Refusal | None:
    found = await one_group(work, call, Role.OWNER, call.words(), call_example("concierge", call))
    if isinstance(found, Refusal):
        return found
    group, _, words = found
    if len(words) != 2 or words[0] not in ("add", "remove"):
        return usage(_CONCIERGE)
    person = _person(work, words[1])
    if isinstance(person, Refusal):
        return person
    change = action.add_concierge if words[0] == "add" else action.remove_concierge
    return await change(work, group.id, person)


def _person(work: Work, text: str) -> UserId | Refusal:
    user_id = parse_user_id(text)
    if user_id is None:
        return refuse(Reason.BAD_USER_ID)
    return refuse(Reason.OWN_ACCOUNT) if user_id == work.config.bot_mxid else user_id


def call_example(name: str, call: Call) -> str:
    """Give the command as it was typed, to which a choice can be added; less its words where they are very long."""
    words = call.rest if len(call.rest) <= LONGEST_EXAMPLE else "…"
    return f"!{name} {words}".strip()


COMMANDS = (
    Command(
        "group", _CREATE, "make a group with its desk", Role.STRANGER, _group,
        frozenset({Place.DIRECT}), for_listed_owners=True,
    ),
    Command("invite", _INVITE, "invite a person", Role.CONCIERGE, _invite, PRIVATE),
    Command("concierge", _CONCIERGE, "say who the group's concierges are", Role.OWNER, _concierge, PRIVATE),
)  # fmt: skip
