"""Answers of those to whom units were offered that became free."""

from appservice.actions.orders import carry_out
from appservice.actions.work import Work
from appservice.domain.duration import DAY_MS
from appservice.domain.fulfilment import Accept, Decline
from appservice.domain.ids import BuyId, OrderId
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.present.acknowledge import acknowledge
from appservice.store.unit import fresh_id


async def answer_offer(work: Work, named: str | None, *, takes: bool) -> Refusal | None:
    """Take or decline what was offered to the sender, of the buy named or of the only one; they may have left."""
    offers = [offer for offer in await work.unit.orders.offers_to(work.cause.sender) if named in (None, offer.buy_id)]
    if not offers:
        return refuse(Reason.NO_OFFER)
    if len({offer.buy_id for offer in offers}) > 1:
        return refuse(Reason.WHICH_BUY, choices=await _choices(work, [offer.buy_id for offer in offers], takes=takes))
    now = work.unit.now
    pay_by = now + work.config.purchase.pay_days * DAY_MS
    for offer in offers:
        request: Accept | Decline = Decline(offer.id, offer.pledger)
        if takes:
            order_id, line_id = OrderId(fresh_id(8)), fresh_id(8)
            request = Accept(offer.id, offer.pledger, order_id, line_id, pay_by, work.cause.received_at)
        refusal = await carry_out(work, offer.buy_id, request, offer.pledger.number)
        if refusal is not None:
            return refusal
    await work.owe(*acknowledge(work.cause))
    return None


async def _choices(work: Work, buy_ids: list[BuyId], *, takes: bool) -> list[tuple[str, str, str]]:
    choices = []
    for buy_id in dict.fromkeys(buy_ids):
        product = await work.unit.products.get((await work.unit.buys.get(buy_id)).product_id)
        choices.append((product.name, str(buy_id), f"{'!take' if takes else '!decline'} {buy_id}"))
    return choices
