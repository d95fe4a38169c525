"""Which group buy somebody means: by the card replied to, by its id, or because there is only one."""

from collections.abc import Mapping, Sequence

from appservice.actions.work import Work
from appservice.commands.command import Call, my_groups
from appservice.domain.duration import HOUR_MS
from appservice.domain.group import Group
from appservice.domain.group_buy import GroupBuy, Pledger, Status
from appservice.domain.ids import ALPHABET, BuyId, EventId, GroupId, ProductId
from appservice.domain.member import Member, Role
from appservice.domain.refusal import Reason, Refusal, refuse

_ID_LENGTH = 6
LIVE = (Status.OPEN, Status.CLOSING)
AHEAD = (Status.SCHEDULED, *LIVE)
OVER = tuple(status for status in Status if status.is_over)
CLEARED = tuple(status for status in Status if status.is_cleared and status is not Status.DONE)


async def find_buy(
    work: Work, call: Call, words: list[str], example: str, *, former: bool = False, own: bool = False
) -> tuple[GroupBuy, Member, list[str]] | Refusal:
    """Give the one buy that a member can mean: by the card replied to, by its id as the last word, or the only one
    that takes pledges. Where none does, one that has closed within the hour: they come too late for it.

    `example` is what they typed, to which the id of one of several buys can be added. With `former`, buys of groups
    that they have left count as well: pledges bind, so they can be withdrawn. `own`: of several buys, those in which
    they have pledged.
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
        for buy_id in await work.unit.buys.live_of(id):
            live.setdefault(buy_id, member)
    for id, member in members.items() if not live else ():
        for buy_id in await work.unit.buys.closed_since(id, work.cause.received_at - HOUR_MS):
            live.setdefault(buy_id, member)
    live = await _narrowed(work, call, live, own=own)
    match list(live.items()):
        case [(buy_id, member)]:
            return await work.unit.buys.get(buy_id), member, words
        case []:
            return refuse(Reason.NO_BUY)
        case _:
            return await _which(work, list(live), example)


async def _narrowed(work: Work, call: Call, live: dict[BuyId, Member], *, own: bool) -> dict[BuyId, Member]:
    """Leave those of the buys that can be meant by a reply to a product's card, or that one has pledged in."""
    product_id = await product_of_card(work, call.reply_to)
    found: dict[BuyId, Member] = {}
    for buy_id, member in live.items():
        buy = await work.unit.buys.get(buy_id)
        mine = member.number is not None and bool(buy.tranches_of(Pledger(member.group_id, member.number)))
        if product_id in (None, buy.product_id) and (mine or not own or len(live) == 1):
            found[buy_id] = member
    return found or ({} if product_id else live)


async def _member_in(work: Work, buy: GroupBuy, members: Mapping[GroupId, Member]) -> Member | None:
    """Give as which member somebody can take part in a buy, which may be shown in several of their groups."""
    groups = await work.unit.buys.groups_of(buy)
    return next((members[group_id] for group_id in groups if group_id in members), None)


async def own_buy(
    work: Work, call: Call, group: Group, words: Sequence[str], statuses: Sequence[Status], example: str,
    *, free_text: bool = False,
) -> tuple[GroupBuy, list[str]] | Refusal:  # fmt: skip
    """Give the one buy of a group that its concierge means, and the other words: by its id as the first word, by the
    card replied to, or the only one of these statuses.

    What names another buy never comes to the only one: an id that is not known here, or a reply to the card of a buy of
    another group, or of a product without one. Words that may be about anything (`free_text`) need an id or a reply.
    """
    named = await work.unit.buys.find(words[0]) if words else None
    if named is not None:
        other = refuse(Reason.NO_SUCH_BUY, given=words[0])
        return (named, list(words[1:])) if named.group_id == group.id else other
    if words and is_like_an_id(words[0]):
        return refuse(Reason.NO_SUCH_BUY, given=words[0])
    replied = await buy_of_card(work, call.reply_to)
    if replied is not None:
        return (replied, list(words)) if replied.group_id == group.id else refuse(Reason.NO_BUY)
    if words and free_text:
        return refuse(Reason.NO_SUCH_BUY, given=words[0])
    ids = await work.unit.buys.shown_in(group.id, statuses)
    found = [buy for buy in [await work.unit.buys.get(buy_id) for buy_id in ids] if buy.group_id == group.id]
    product_id = await product_of_card(work, call.reply_to)
    match [buy for buy in found if product_id in (None, buy.product_id)]:
        case [buy]:
            return buy, list(words)
        case []:
            return refuse(Reason.NO_BUY)
        case several:
            return await _which(work, [buy.id for buy in several], example)


async def shown_buy(
    work: Work, group: Group, words: Sequence[str], example: str
) -> tuple[GroupBuy, list[str]] | Refusal:
    """Give the one buy that takes pledges in a group, its own or one that is shared with it, and the other words: by
    its id as the last word, or the only one."""
    named = await work.unit.buys.find(words[-1]) if words else None
    if named is not None and group.id in await work.unit.buys.groups_of(named):
        return named, list(words[:-1])
    match await work.unit.buys.live_of(group.id):
        case [buy_id]:
            return await work.unit.buys.get(buy_id), list(words)
        case []:
            return refuse(Reason.NO_BUY)
        case several:
            return await _which(work, several, example)


def is_like_an_id(word: str) -> bool:
    """Tell whether a word is meant as the id of a buy: it has an id's characters, or letters and digits mixed."""
    mixed = word.isalnum() and any(map(str.isdigit, word)) and any(map(str.isalpha, word))
    return len(word) == _ID_LENGTH and (set(word) <= set(ALPHABET) or mixed)


async def product_of_card(work: Work, event_id: EventId | None) -> ProductId | None:
    """Give the product whose card an event is."""
    product = await work.unit.products.by_event(event_id) if event_id else None
    return product.id if product else None


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
