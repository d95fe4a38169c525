"""Which group buy somebody means: by the card replied to, by its id, or because there is only one."""

from collections.abc import Mapping, Sequence

from appservice.actions.work import Work
from appservice.commands.command import Call, my_groups
from appservice.domain.duration import HOUR_MS
from appservice.domain.group import Group
from appservice.domain.group_buy import GroupBuy, Status
from appservice.domain.ids import BuyId, EventId, GroupId
from appservice.domain.member import Member, Role
from appservice.domain.refusal import Reason, Refusal, refuse

LIVE = (Status.OPEN, Status.CLOSING)
AHEAD = (Status.SCHEDULED, *LIVE)
OVER = tuple(status for status in Status if status.is_over)
CLEARED = tuple(status for status in Status if status.is_cleared and status is not Status.DONE)


async def find_buy(
    work: Work, call: Call, words: list[str], example: str, *, former: bool = False
) -> tuple[GroupBuy, Member, list[str]] | Refusal:
    """Give the one buy that a member can mean: by the card replied to, by its id as the last word, or the only one
    that takes pledges. One that has closed within the hour counts as well: what was meant for it, and comes too late,
    must not go to another.

    `example` is what they typed, to which the id of one of several buys can be added. With `former`, buys of groups
    that they have left count as well: pledges bind, so they can be withdrawn.
    """
    groups = await my_groups(work, call, Role.MEMBER)
    if former:
        groups += await work.unit.groups.former_of_person(work.cause.sender)
    members = {group.id: member for group, member in groups}
    replied = await buy_of_card(work, call.reply_to)
    if replied is not None:
        member = await _member_in(work, replied, members)
        return (replied, member, words) if member else refuse(Reason.NOT_A_MEMBER)
    named = await work.unit.buys.find(words[-1]) if words else None
    member = await _member_in(work, named, members) if named else None
    if named is not None and member is not None:
        return named, member, words[:-1]
    live: dict[BuyId, Member] = {}
    for id, member in members.items():
        just_closed = await work.unit.buys.closed_since(id, work.cause.received_at - HOUR_MS)
        for buy_id in (*await work.unit.buys.live_of(id), *just_closed):
            live.setdefault(buy_id, member)
    match list(live.items()):
        case [(buy_id, member)]:
            return await work.unit.buys.get(buy_id), member, words
        case []:
            return refuse(Reason.NO_BUY)
        case _:
            return await _which(work, list(live), example)


async def _member_in(work: Work, buy: GroupBuy, members: Mapping[GroupId, Member]) -> Member | None:
    """Give as which member somebody can take part in a buy, which may be shown in several of their groups."""
    groups = await work.unit.buys.groups_of(buy)
    return next((members[group_id] for group_id in groups if group_id in members), None)


async def own_buy(
    work: Work, call: Call, group: Group, words: Sequence[str], statuses: Sequence[Status], example: str
) -> tuple[GroupBuy, list[str]] | Refusal:
    """Give the one buy of a group that its concierge means, and the other words: by its id as the first word, by the
    card replied to, or the only one of these statuses."""
    named = await work.unit.buys.find(words[0]) if words else None
    if named is not None and named.group_id == group.id:
        return named, list(words[1:])
    replied = await buy_of_card(work, call.reply_to)
    if replied is not None and replied.group_id == group.id:
        return replied, list(words)
    ids = await work.unit.buys.shown_in(group.id, statuses)
    found = [buy for buy in [await work.unit.buys.get(buy_id) for buy_id in ids] if buy.group_id == group.id]
    match found:
        case [buy]:
            return buy, list(words)
        case []:
            return refuse(Reason.NO_BUY)
        case several:
            return await _which(work, [buy.id for buy in several], example)


async def buy_of_card(work: Work, event_id: EventId | None) -> GroupBuy | None:
    """Give the buy whose card an event is or was."""
    buy_id = await work.unit.buys.shown_by(event_id) if event_id else None
    return await work.unit.buys.get(buy_id) if buy_id else None


async def _which(work: Work, buy_ids: Sequence[BuyId], example: str) -> Refusal:
    choices = []
    for buy_id in buy_ids[:10]:
        buy = await work.unit.buys.get(buy_id)
        product = await work.unit.products.get(buy.product_id)
        choices.append((product.name, buy_id, f"{example[:60]} {buy_id}"))
    return refuse(Reason.WHICH_BUY, choices=choices)
