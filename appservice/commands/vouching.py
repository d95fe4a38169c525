"""!invite, !code, !suspend, !unsuspend, !vouches, !tree, !waitlist: how a group grows by word of mouth."""

from appservice.actions import deciding, seats, vouching
from appservice.actions.desk import note
from appservice.actions.work import Work
from appservice.commands.command import (
    PRIVATE,
    Call,
    Command,
    call_example,
    member_in,
    one_group,
    person_in,
    usage,
)
from appservice.domain.admission import parse_user_id
from appservice.domain.cause import Place
from appservice.domain.group import Group
from appservice.domain.ids import UserId
from appservice.domain.member import Member, Role
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.domain.sponsors import branches
from appservice.domain.text import clean_name, without_ids
from appservice.present.acknowledge import acknowledge, answer
from appservice.present.words import seats as say

_INVITE = "!invite @ana:example.org"
_CODE = "!code"
_SUSPEND = "!suspend Otter too many strangers"
_UNSUSPEND = "!unsuspend Otter"
_VOUCHES = "!vouches"
_TREE = "!tree"
_WAITLIST = "!waitlist, or !waitlist drop @ana:example.org"
LONGEST_WHY = 300


async def _invite(work: Work, call: Call) -> Refusal | None:
    example = call_example("invite", call)
    # an owner who has left, or not come yet, invites all the same: themselves again, for one
    found = await one_group(work, call, Role.MEMBER, call.words(), example, owned=True, free_text=True)
    if isinstance(found, Refusal):
        return found
    group, member, words = found
    if not words:
        return usage(_INVITE)
    decides = member.role >= Role.CONCIERGE or group.owner == member.user_id
    if decides and any(word.startswith("@") for word in words[1:]):
        return refuse(Reason.ONE_AT_A_TIME)
    invitee = await person_in(work, group, words[0])
    if isinstance(invitee, Refusal):
        return refuse(Reason.BAD_USER_ID) if invitee.reason is Reason.NO_SUCH_MEMBER else invitee
    if decides:
        return await _invite_now(work, group, member, invitee, words[0])
    return await vouching.vouch(work, group.id, invitee, _reason(words[1:]) or "")


def _reason(words: list[str]) -> str | None:
    """Give a reason as others may read it."""
    return clean_name(without_ids(" ".join(words))[:LONGEST_WHY], LONGEST_WHY)


async def _invite_now(work: Work, group: Group, member: Member, invitee: UserId, typed: str) -> Refusal | None:
    """Invite without asking anybody; the answer calls the person as they were called, by id or alias."""
    place = await seats.invite(work, seats.wish_of(work, group.id, invitee, member.number))
    if isinstance(place, Refusal):
        return place
    await note(work, group.id, "invited", actor=member.number)
    await work.owe(*acknowledge(work.cause), answer(work.cause, say.invited(typed, group, place)))
    return None


async def _code(work: Work, call: Call) -> Refusal | None:
    found = await one_group(work, call, Role.MEMBER, call.words(), "!code")
    if isinstance(found, Refusal):
        return found
    group, _, words = found
    return usage(_CODE) if words else await vouching.ask_code(work, group.id)


async def _suspend(work: Work, call: Call) -> Refusal | None:
    found = await _member(work, call, "suspend", _SUSPEND)
    if isinstance(found, Refusal):
        return found
    group, member, words = found
    if member.role >= Role.CONCIERGE:
        return refuse(Reason.DECIDES_THEMSELVES)
    why = _reason(words)
    if why is None or member.number is None:
        return usage(_SUSPEND)
    return await vouching.suspend(work, group.id, member.number, why)


async def _unsuspend(work: Work, call: Call) -> Refusal | None:
    found = await _member(work, call, "unsuspend", _UNSUSPEND)
    if isinstance(found, Refusal):
        return found
    group, member, words = found
    if words or member.number is None:
        return usage(_UNSUSPEND)
    return await vouching.suspend(work, group.id, member.number, None)


async def _member(work: Work, call: Call, name: str, example: str) -> tuple[Group, Member, list[str]] | Refusal:
    words, free_text = call.words(), name == "suspend"
    found = await one_group(work, call, Role.CONCIERGE, words, call_example(name, call), free_text=free_text)
    if isinstance(found, Refusal):
        return found
    group, _, words = found
    if not words:
        return usage(example)
    user_id = parse_user_id(words[0])
    if user_id is not None:
        known = await work.unit.groups.member(group.id, user_id)
        return (group, known, words[1:]) if known and known.number is not None else refuse(Reason.NO_SUCH_MEMBER)
    named = await member_in(work, group, words)
    if isinstance(named, Refusal):
        return named
    member, _, rest = named
    return group, member, rest


async def _tree(work: Work, call: Call) -> Refusal | None:
    found = await one_group(work, call, Role.CONCIERGE, call.words(), "!tree")
    if isinstance(found, Refusal):
        return found
    group, _, _ = found
    lines = branches(await work.unit.groups.members(group.id))
    await work.owe(*(answer(work.cause, page) for page in say.tree(group, lines)))
    return None


async def _vouches(work: Work, call: Call) -> Refusal | None:
    found = await one_group(work, call, Role.CONCIERGE, call.words(), _VOUCHES)
    if isinstance(found, Refusal):
        return found
    group, _, words = found
    return usage(_VOUCHES) if words else await deciding.post_all(work, group.id)


async def _waitlist(work: Work, call: Call) -> Refusal | None:
    found = await one_group(work, call, Role.CONCIERGE, call.words(), call_example("waitlist", call))
    if isinstance(found, Refusal):
        return found
    group, _, words = found
    match words:
        case []:
            pages = say.waitlist(group, await _waiting(work, group))
            await work.owe(*(answer(work.cause, page) for page in pages))
            return None
        case ["drop", *named] if named:
            person = " ".join(named)
            user_id = await person_in(work, group, person)
            if isinstance(user_id, Refusal):
                return user_id
            await work.unit.groups.lock(group.id)
            if not await work.unit.waitlist.drop(group.id, user_id):
                return refuse(Reason.NOT_WAITING)
            await work.owe(*acknowledge(work.cause), answer(work.cause, say.off_the_waitlist(person, group)))
            return None
        case _:
            return usage(_WAITLIST)


async def _waiting(work: Work, group: Group) -> list[tuple[str, str]]:
    """Give how each person who waits is called, and who vouched for them."""
    members = await work.unit.groups.members(group.id)
    by_number, by_id = {m.number: m for m in members}, {m.user_id: m for m in members}
    found: list[tuple[str, str]] = []
    for wish in await work.unit.waitlist.all(group.id):
        known = by_id.get(wish.user_id)
        sponsor = by_number.get(wish.sponsor) if wish.sponsor else None
        found.append((say.called(known) if known else wish.user_id, say.waits_for(sponsor)))
    return found


_DESK = frozenset({Place.DESK})
COMMANDS = (
    Command(
        "invite", _INVITE, "invite a person; a member's wish goes to the concierges", Role.MEMBER, _invite, PRIVATE
    ),
    Command(
        "code", _CODE, "get a code that lets one person in; a member's wish goes to the concierges", Role.MEMBER,
        _code, PRIVATE,
    ),
    Command(
        "suspend", _SUSPEND, "take a member's right to vouch away, with a reason", Role.CONCIERGE, _suspend, PRIVATE
    ),
    Command("unsuspend", _UNSUSPEND, "give it back", Role.CONCIERGE, _unsuspend, PRIVATE),
    Command("vouches", _VOUCHES, "see again what waits for your decision", Role.CONCIERGE, _vouches, _DESK),
    Command("tree", _TREE, "see who vouched for whom", Role.CONCIERGE, _tree, _DESK),
    Command("waitlist", _WAITLIST, "see who waits for a seat, or take a person off", Role.CONCIERGE, _waitlist, _DESK),
)  # fmt: skip
