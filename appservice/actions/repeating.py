"""Opening a group buy once more, and telling those who took part in it before."""

from dataclasses import replace

from appservice.actions.buys import open_buy
from appservice.actions.work import Work
from appservice.domain.effect import Tell
from appservice.domain.group_buy import GroupBuy, Pledger
from appservice.domain.ids import BuyId
from appservice.domain.member import Member, Presence
from appservice.domain.order import Units, add, as_units, sum_by
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.present.text import notice
from appservice.present.words import buys as say


async def repeat(work: Work, member: Member, buy_id: BuyId, deadline_at: int) -> GroupBuy | Refusal:
    """Open a new buy under the terms of one that has ended, until `deadline_at` (ms). Each member of the group who took
    part in that one, and has not left, is told once by direct message."""
    earlier = await work.unit.buys.find(buy_id)
    if earlier is None or earlier.group_id != member.group_id:
        return refuse(Reason.NO_BUY)
    if earlier.status.is_planned or earlier.status.is_live:
        return refuse(Reason.STILL_RUNS, buy=earlier.id)
    product = await work.unit.products.get(earlier.product_id)
    terms = replace(earlier.terms, deadline_at=deadline_at, opens_at=None)
    buy = await open_buy(work, member, product, terms)
    if isinstance(buy, Refusal):
        return buy
    group = await work.unit.groups.get(buy.group_id)
    for pledger, units in (await _taken(work, earlier)).items():
        if pledger.group_id == group.id:
            who = await work.unit.groups.member_by_number(pledger.group_id, pledger.number)
            if who.presence is Presence.JOINED:
                await work.owe(Tell(who.user_id, notice(say.open_again(product, buy, group, units))))
    return buy


async def _taken(work: Work, buy: GroupBuy) -> dict[Pledger, Units]:
    """Give what each member had of a buy: what they ordered, or what they had pledged where that came to nothing."""
    found = {
        pledger: as_units(sum_by((t.variant, t.quantity) for t in buy.tranches_of(pledger)))
        for pledger in buy.pledgers()
    }
    state = await work.unit.orders.get(buy)
    ordered: dict[Pledger, Units] = {}
    for order in state.orders if state else ():
        ordered[order.pledger] = add(ordered.get(order.pledger, ()), order.ordered)
    return found | ordered
