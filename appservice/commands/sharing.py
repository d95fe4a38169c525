"""`!buy share`: it names two groups, so it is read apart from the other words after !buy."""

from dataclasses import replace

from appservice.actions import sharing
from appservice.actions.work import Work
from appservice.commands.choosing import buy_of_card
from appservice.commands.command import Call, my_groups, usage
from appservice.domain.cause import Place
from appservice.domain.effect import Redact
from appservice.domain.group import Group
from appservice.domain.member import Member, Role
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.domain.text import fold

SHARE = '!buy share k3x9qf "Other circle"'


async def share(work: Work, call: Call, words: list[str]) -> Refusal | None:
    """Show a buy in another group: the buy by its id or by the card replied to, the group by its id or whole name."""
    if call.place is Place.GROUP:  # members need not know of the other group
        await work.owe(Redact(work.cause.room_id, work.cause.event_id, reason="to be sent to the service directly"))
        return refuse(Reason.WRONG_PLACE, command="buy share")
    buy = await work.unit.buys.find(words[0]) if words else None
    name = " ".join(words[1:])
    if buy is None:
        buy, name = await buy_of_card(work, call.reply_to), " ".join(words)
    if not name:
        return usage(SHARE)
    mine = await my_groups(work, replace(call, group_id=None), Role.CONCIERGE)
    member = next((member for group, member in mine if buy is not None and group.id == buy.group_id), None)
    if buy is None or member is None:
        return refuse(Reason.NO_BUY)
    match _named(mine, name):
        case [other]:
            return await sharing.share(work, member, buy.id, other.id)
        case []:
            return refuse(Reason.NO_OTHER_GROUP, group=name)
        case several:
            choices = [(group.name, group.id, f"!buy share {buy.id} {group.id}") for group in several]
            return refuse(Reason.WHICH_GROUP, choices=choices)


def _named(mine: list[tuple[Group, Member]], name: str) -> list[Group]:
    by_id = [group for group, _ in mine if group.id == fold(name)]
    return by_id or [group for group, _ in mine if fold(group.name) == fold(name)]
