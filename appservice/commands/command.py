"""What a command is, and what it gets to know about who typed it where."""

import re
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass

from appservice.actions.work import Work
from appservice.domain.admission import parse_user_id
from appservice.domain.alias import alias_key
from appservice.domain.cause import Place
from appservice.domain.group import Group, GroupStatus
from appservice.domain.ids import EventId, GroupId, Number, UserId
from appservice.domain.member import Member, Role
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.domain.text import fold

PRIVATE = frozenset({Place.DIRECT, Place.DESK})
EVERYWHERE = PRIVATE | {Place.GROUP}
LONGEST_EXAMPLE = 200
MOST_ALIAS_WORDS = 8
_QUOTES = ('"', "”", "“")
_TOKEN = re.compile(r'"([^"]*)"|[“„]([^“”]*)[”“]|(\S+)')


@dataclass(frozen=True, slots=True)
class Call:
    """A command as it was typed: `rest` is what followed its name. `group_id` is known in a group and its desk;
    `mentions` are the people whom the client says are named in it."""

    place: Place
    rest: str
    reply_to: EventId | None = None
    group_id: GroupId | None = None
    mentions: frozenset[UserId] = frozenset()

    def words(self) -> list[str]:
        """Give what followed, split at spaces; quoted text is one word."""
        return [next(part for part in match.groups() if part is not None) for match in _TOKEN.finditer(self.rest)]


@dataclass(frozen=True, slots=True)
class Command:
    """One thing that people can type. `role` is the least that a person must be; `usage` shows examples.
    `while_closing`: it works in a group that is being closed, too. `shows_pledge`: whoever reads it knows that its
    author takes part in a group buy."""

    name: str
    usage: str
    summary: str
    role: Role
    run: Callable[[Work, Call], Awaitable[Refusal | None]]
    places: frozenset[Place] = EVERYWHERE
    for_listed_owners: bool = False
    while_closing: bool = False
    shows_pledge: bool = False


_OPEN = (GroupStatus.OPEN,)


async def my_groups(
    work: Work, call: Call, role: Role, statuses: Collection[GroupStatus] = _OPEN, *, owned: bool = False
) -> list[tuple[Group, Member]]:
    """Give the groups in which a person may do what `role` may, among those that the call can be about; `owned`: and
    those that are theirs though they have not joined them."""
    groups = await work.unit.groups.of_person(work.cause.sender)
    return [
        (group, member)
        for group, member in groups
        if _may(group, member, role, owned=owned) and group.status in statuses and call.group_id in (None, group.id)
    ]


def _may(group: Group, member: Member, role: Role, *, owned: bool) -> bool:
    """Tell whether a person may do what `role` may; an owner may manage a group that they have not joined, or left."""
    return member.role >= role or ((owned or role >= Role.CONCIERGE) and group.owner == member.user_id)


async def one_group(
    work: Work,
    call: Call,
    role: Role,
    words: Sequence[str],
    example: str,
    statuses: Collection[GroupStatus] = _OPEN,
    *,
    owned: bool = False,
    free_text: bool = False,
) -> tuple[Group, Member, list[str]] | Refusal:
    """Give the one group that a command is about, who the person is in it, and the words without its name.

    By direct message the group's id (or name) may be the last word; where the words may be about anything
    (`free_text`), the name only in quotes.
    """
    known = await my_groups(work, call, role, {*statuses, GroupStatus.CLOSING}, owned=owned)
    groups = [(group, member) for group, member in known if group.status in statuses]
    if call.place is Place.DIRECT and words:
        by_name = not free_text or call.rest.endswith(_QUOTES)
        named = _named(groups, words[-1], by_name=by_name)
        if len(named) == 1:
            return (*named[0], list(words[:-1]))
        if not named and _named(known, words[-1], by_name=by_name):
            return refuse(Reason.GROUP_CLOSING)
    match groups:
        case [] if known:
            return refuse(Reason.GROUP_CLOSING)
        case [(group, member)]:
            return group, member, list(words)
        case []:
            return refuse(Reason.NO_GROUP) if call.place is Place.DIRECT else _not_allowed(role)
        case _:
            choices = [(group.name, group.id, f"{example[:60]} {group.id}") for group, _ in groups]
            return refuse(Reason.WHICH_GROUP, choices=choices)


def _named(groups: Sequence[tuple[Group, Member]], word: str, *, by_name: bool) -> list[tuple[Group, Member]]:
    """Give those of the groups whose id, or name, a word is."""
    typed = fold(word)
    return [(g, m) for g, m in groups if typed == g.id or (by_name and typed == fold(g.name))]


def _not_allowed(role: Role) -> Refusal:
    match role:
        case Role.OWNER:
            return refuse(Reason.OWNERS_ONLY, hint="Ask the group's owner.")
        case Role.CONCIERGE:
            return refuse(Reason.NOT_ALLOWED)
        case _:
            return refuse(Reason.NOT_A_MEMBER)


async def person_in(work: Work, group: Group, text: str) -> UserId | Refusal:
    """Give the person whom somebody names by Matrix id, or by the alias of a member."""
    user_id = parse_user_id(text)
    if user_id is None:
        member = await work.unit.groups.member_by_alias(group.id, alias_key(text))
        if member is None:
            return refuse(Reason.BAD_USER_ID if text.startswith("@") else Reason.NO_SUCH_MEMBER)
        user_id = member.user_id
    is_backup = user_id == work.config.groups.backup_creator
    return refuse(Reason.OWN_ACCOUNT) if work.config.is_own_account(user_id) and not is_backup else user_id


async def member_in(work: Work, group: Group, words: Sequence[str]) -> tuple[Member, Number, list[str]] | Refusal:
    """Give the member whose alias the words begin with, quoted or not, their number, and the words after it."""
    for count in range(min(len(words), MOST_ALIAS_WORDS), 0, -1):
        member = await work.unit.groups.member_by_alias(group.id, alias_key(" ".join(words[:count])))
        if member is not None and member.number is not None:
            return member, member.number, list(words[count:])
    return refuse(Reason.NO_SUCH_MEMBER)


def call_example(name: str, call: Call) -> str:
    """Give the command as it was typed, to which a choice can be added; less its words where they are very long."""
    words = call.rest if len(call.rest) <= LONGEST_EXAMPLE else "…"
    return f"!{name} {words}".strip()


def usage(text: str) -> Refusal:
    """Refuse with how to write it."""
    return refuse(Reason.USAGE, usage=text)
