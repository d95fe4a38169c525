"""What members and desks are told when a group buy has succeeded."""

from collections.abc import Mapping

from appservice.actions.cards import showings
from appservice.actions.work import Work
from appservice.domain.effect import Tell
from appservice.domain.fulfilment import Fulfilment
from appservice.domain.group_buy import GroupBuy, Order, Pledger, Succeeded
from appservice.domain.ids import GroupId
from appservice.domain.product import Product
from appservice.payment.links import pay_link
from appservice.present import news


async def names(work: Work, buy: GroupBuy) -> Mapping[Pledger, str]:
    """Give what everybody who can be in a buy is called towards its own group: aliases there, `group 2, no. 17`
    elsewhere, since members of different groups never see each other."""
    found: dict[Pledger, str] = {}
    for place, group_id in enumerate(await work.unit.buys.groups_of(buy), start=1):
        for member in await work.unit.groups.members(group_id):
            if member.number is not None:
                alias = member.alias or f"Member {member.number}"
                name = alias if place == 1 else f"group {place}, no. {member.number}"
                found[Pledger(group_id, member.number)] = name
    return found


async def _own_names(work: Work, group_id: GroupId) -> Mapping[Pledger, str]:
    """Give the aliases of a group's own members, who are all that its concierges hear of in a buy of another group."""
    members = await work.unit.groups.members(group_id)
    return {Pledger(group_id, m.number): m.alias or f"Member {m.number}" for m in members if m.number is not None}


async def send_receipts(work: Work, buy: GroupBuy, success: Succeeded, state: Fulfilment) -> None:
    """Tell each room the result, every pledger what they owe or that they do not, and the desks who has what."""
    product = await work.unit.products.get(buy.product_id)
    places = await showings(work, buy)
    for group, room_id in places:
        await work.owe(news.succeeded(room_id, buy, product, group, state))
    orders = {order.pledger: order for order in success.orders}
    for pledger in buy.pledgers():
        order = orders.get(pledger)
        if order is not None:
            await work.owe(await receipt(work, buy, product, order, buy.units_of(pledger)))
        else:
            member = await work.unit.groups.member_by_number(pledger.group_id, pledger.number)
            await work.owe(news.not_included(member.user_id, buy, product, success.clearing, pledger))
    for group, _ in places:
        if group.desk_id is not None:
            called = await names(work, buy) if group.id == buy.group_id else await _own_names(work, group.id)
            await work.owe(news.desk_summary(group.desk_id, buy, product, group, success, called))


async def receipt(
    work: Work, buy: GroupBuy, product: Product, order: Order, pledged: int = 0, *, reminder: bool = False
) -> Tell:
    """Give the direct message that says what one member owes and where to pay it, for the first time or once more;
    with the units `pledged`, also that they got fewer."""
    group = await work.unit.groups.get(order.pledger.group_id)
    member = await work.unit.groups.member_by_number(order.pledger.group_id, order.pledger.number)
    link = pay_link(work.config, order.id) or news.purchase_link(work.config.purchase.link, buy, product, order)
    return news.receipt(member, buy, product, group, order, pledged, link, reminder=reminder)
