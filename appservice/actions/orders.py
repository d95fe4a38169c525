"""What happens to the orders of a group buy that has succeeded: payments, reminders, offers, delivery, refunds."""

from collections.abc import Sequence
from typing import assert_never

from appservice.actions import booking
from appservice.actions.cards import edit_results, publish, refresh_soon, showings
from appservice.actions.checkouts import end_outdated
from appservice.actions.desk import tell_desk
from appservice.actions.receipts import names, receipt
from appservice.actions.work import Work
from appservice.domain import fulfilment, group_buy
from appservice.domain.duration import HOUR_MS, MINUTE_MS
from appservice.domain.effect import Tell
from appservice.domain.fulfilment import (
    Absorbed,
    AtRisk,
    Declined,
    Delivered,
    Drop,
    Dropped,
    Fulfilment,
    HouseTook,
    Lapse,
    Lapsed,
    Offer,
    Offered,
    OrderArrived,
    OrderCancelled,
    OrderPaid,
    Pay,
    PaymentRecorded,
    PaymentReversed,
    Refunded,
    Remind,
    Reminded,
    RiskEnded,
    Taken,
    WaitingAdded,
)
from appservice.domain.group_buy import (
    Cancelled,
    GroupBuy,
    Order,
    OrderStatus,
    Pledger,
    Status,
    StatusChanged,
)
from appservice.domain.ids import BuyId, Number, OrderId
from appservice.domain.product import Product
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.present import news
from appservice.present.text import notice, ringing
from appservice.present.words import buys as say_of_buys
from appservice.present.words import orders as say

DRAIN_MS = 5 * MINUTE_MS
"""At most so long after a time limit, what was journaled before it is waited for."""
DRAIN_POLL_MS = 200
_FREEING = (Dropped, Declined, Lapsed, WaitingAdded)


async def pay(
    work: Work, order_id: OrderId, amount: int, currency: str, reference: str, by: Number | None = None, note: str = ""
) -> Refusal | None:
    """Record that money (minor units) came for an order; `reference` makes sure that it is recorded once."""
    buy_id = await work.unit.orders.buy_of(order_id)
    if buy_id is None:
        return refuse(Reason.NO_ORDER)
    return await carry_out(work, buy_id, Pay(order_id, amount, currency, reference, by, note), by)


async def carry_out(work: Work, buy_id: BuyId, request: fulfilment.Request, by: Number | None) -> Refusal | None:
    """Decide what is asked of the orders of a buy, and record it; refused where it has not succeeded."""
    buy = await work.unit.buys.lock(buy_id)
    state = await work.unit.orders.get(buy)
    if state is None:
        return refuse(Reason.NOT_COLLECTING, status=buy.status)
    outcome = fulfilment.decide(state, request)
    if isinstance(outcome, Refusal):
        return outcome
    await _record(work, buy, state, outcome, by)
    return None


async def collect(work: Work, buy_id: BuyId) -> None:
    """Remind who has not paid yet, drop who has not in time, end offers that nobody answered."""
    buy = await work.unit.buys.lock(buy_id)
    state = await work.unit.orders.get(buy)
    if state is None or state.status is not Status.COLLECTING:
        return
    now = work.unit.now
    if await _is_waited_for(work, state):
        await work.unit.timers.set("collect", buy_id, now + DRAIN_POLL_MS)
        return
    for order in state.live_orders():
        request = await _collecting(work, state, order)
        if request is not None:
            outcome = fulfilment.decide(state, request)
            if not isinstance(outcome, Refusal):
                buy, state = await _record(work, buy, state, outcome, None)
    lapsed = fulfilment.decide(state, Lapse(now))
    if not isinstance(lapsed, Refusal):
        buy, state = await _record(work, buy, state, lapsed, None)
    await schedule(work, state)


async def _is_waited_for(work: Work, state: Fulfilment) -> bool:
    """Tell whether something journaled in time is still to be handled: it may be a payment, or take what is offered."""
    now = work.unit.now
    ends = [order.pay_by for order in state.live_orders() if state.due(order) > 0]
    ends += [waiting.answer_by for waiting in state.waiting if waiting.offered]
    last = max((end for end in ends if end <= now), default=0)
    return now < last + DRAIN_MS and await work.unit.inbox.is_waiting_before(last, now)


async def _collecting(work: Work, state: Fulfilment, order: Order) -> Remind | Drop | None:
    """Give what is due for an order: a reminder, then its end. Nobody is dropped who was reminded just now only, which
    happens after an outage; where some money came, a concierge decides."""
    if state.due(order) <= 0:
        return None
    now, ahead = work.unit.now, work.config.purchase.remind_hours_before * HOUR_MS
    subject = f"reminded {order.id}"
    if ahead and order.reminders == 0 and now >= order.pay_by - ahead:
        await work.unit.told.first(subject, "", now)
        return Remind(order.id)
    if now < order.pay_by or await work.unit.told.count(subject, now - ahead // 2):
        return None
    received = state.received(order.id)
    if received and await work.unit.told.first(f"part {order.id}", "", now):
        buy = await work.unit.buys.get(state.buy_id)
        group = await work.unit.groups.get(buy.group_id)
        called = (await names(work, buy))[order.pledger]
        await tell_desk(work, group, say.part_came(order, called, received, state.due(order), buy, group))
    return None if received else Drop(order.id, now)


async def schedule(work: Work, state: Fulfilment) -> None:
    """Have the orders of a buy looked at when something is due next."""
    ahead, now = work.config.purchase.remind_hours_before * HOUR_MS, work.unit.now
    due: list[int] = [waiting.answer_by for waiting in state.waiting if waiting.offered]
    for order in state.live_orders():
        if state.due(order) <= 0:
            continue
        if ahead and order.reminders == 0:
            due.append(order.pay_by - ahead)
        elif now < order.pay_by:
            due.append(order.pay_by)
        elif not state.received(order.id):
            due.append(now + max(ahead // 2, HOUR_MS))
    if due and state.status is Status.COLLECTING:
        await work.unit.timers.set("collect", state.buy_id, max(now, min(due)))
    else:
        await work.unit.timers.clear("collect", state.buy_id)


async def _record(
    work: Work, buy: GroupBuy, before: Fulfilment, outcome: Sequence[fulfilment.Fact], actor: Number | None
) -> tuple[GroupBuy, Fulfilment]:
    """Write down what was decided and owe what follows; what became free is offered to those who wait."""
    facts = list(outcome)
    after = _evolved(before, facts)
    if any(isinstance(fact, _FREEING) for fact in facts):
        answer_by = work.unit.now + work.config.purchase.offer_hours * HOUR_MS
        offers = fulfilment.decide(after, Offer(answer_by, work.unit.now))
        if not isinstance(offers, Refusal):
            facts += offers
            after = _evolved(after, offers)
    changed = buy
    state = before
    for fact in facts:
        for entry in booking.of_settling(work, buy, state, fact, actor):
            await work.unit.ledger.append(entry)
        state = fulfilment.evolve(state, fact)
        if isinstance(fact, (StatusChanged, Cancelled)):
            changed = group_buy.evolve(changed, fact)
    await work.unit.buys.save(buy, changed)
    await work.unit.orders.save(before, after, work.unit.now)
    product = await work.unit.products.get(buy.product_id)
    for fact in facts:
        await _follow(work, changed, product, after, fact)
    await schedule(work, after)
    await end_outdated(work, after)
    if changed.status is not buy.status or after.house != before.house:
        await refresh_soon(work, changed)
    if news.published_lines(after) != news.published_lines(before):
        await edit_results(work, changed, after)
    return changed, after


def _evolved(state: Fulfilment, facts: Sequence[fulfilment.Fact]) -> Fulfilment:
    for fact in facts:
        state = fulfilment.evolve(state, fact)
    return state


async def _follow(work: Work, buy: GroupBuy, product: Product, after: Fulfilment, fact: fulfilment.Fact) -> None:
    """Owe what people hear of a fact."""
    match fact:
        case PaymentRecorded(payment) if (late := after.order(payment.order_id)) and not late.status.is_live:
            await _tell(work, late.pledger, say.came_too_late, buy, product, order=late, amount=payment.amount)
        case PaymentRecorded() | WaitingAdded() | Absorbed() | HouseTook() | Declined() | RiskEnded():
            pass  # who did it is answered; that an order is paid is another fact
        case OrderPaid() | Reminded() | Dropped() | OrderCancelled() | OrderArrived():
            await _tell_owner(work, buy, product, after, fact)
        case PaymentReversed(payment, note=note) | Refunded(payment, note=note):
            order = after.order(payment.order_id)
            if order is not None:
                back = isinstance(fact, Refunded)
                await _tell(work, order.pledger, say.money_back if back else say.money_undone, buy, product,
                            amount=abs(payment.amount), note=note, order=order)  # fmt: skip
        case Offered(id, units, answer_by):
            waiting = next(waiting for waiting in after.waiting if waiting.id == id)
            await _tell(work, waiting.pledger, say.offer, buy, product, units=units, variant=waiting.variant,
                        answer_by=answer_by, price=after.unit_price, ring=True)  # fmt: skip
        case Taken(_, order):
            await work.owe(await receipt(work, buy, product, order))
        case Lapsed(id):
            pledger = next((waiting.pledger for waiting in after.waiting if waiting.id == id), None)
            if pledger is not None:
                await _tell(work, pledger, say.offer_lapsed, buy, product)
        case AtRisk(units):
            await _tell_own_desk(work, buy, say.at_risk(product, buy, after, units))
        case Delivered():
            group = await work.unit.groups.get(buy.group_id)
            await tell_desk(work, group, say.delivered(product, buy, after, await names(work, buy)))
        case StatusChanged(status, note=note):
            if status is Status.HANDING_OUT:
                for order in after.live_orders():
                    if order.units:
                        await _tell(work, order.pledger, say.handing_out, buy, product, order=order, note=note,
                                    due=after.due(order))  # fmt: skip
        case Cancelled(reason):
            await _tell_cancelled(work, buy, product, after, reason)
            await publish(work, buy)
            for _, room_id in await showings(work, buy):
                await work.owe(news.cancelled(room_id, buy, product, reason))
            await _tell_own_desk(work, buy, say.cancelled(product, buy, after))
        case _:
            assert_never(fact)


async def _tell_owner(
    work: Work, buy: GroupBuy, product: Product, after: Fulfilment,
    fact: OrderPaid | Reminded | Dropped | OrderCancelled | OrderArrived,
) -> None:  # fmt: skip
    order = after.order(fact.order_id)
    if order is None:
        return
    match fact:
        case OrderPaid():
            await _tell(work, order.pledger, say.paid, buy, product, order=order)
        case Reminded():
            await work.owe(await receipt(work, buy, product, order, reminder=True))
        case Dropped(to_house=to_house):
            received = after.received(order.id)
            await _tell(work, order.pledger, say.dropped, buy, product, order=order, received=received,
                        to_house=to_house)  # fmt: skip
        case OrderCancelled():
            pass  # told with the reason, see _tell_cancelled
        case OrderArrived():
            await _tell(work, order.pledger, say.arrived, buy, product, order=order, due=after.due(order))
        case _:
            assert_never(fact)


async def _tell_cancelled(work: Work, buy: GroupBuy, product: Product, after: Fulfilment, reason: str) -> None:
    """Tell everybody who had pledged that a buy is called off, and what becomes of their order."""
    told = set()
    for order in after.orders:
        if order.status is OrderStatus.CANCELLED:
            told.add(order.pledger)
            await _tell(work, order.pledger, say.order_cancelled, buy, product, order=order,
                        received=after.received(order.id), reason=reason)  # fmt: skip
    for pledger in buy.pledgers():
        if pledger not in told:
            member = await work.unit.groups.member_by_number(pledger.group_id, pledger.number)
            await work.owe(Tell(member.user_id, notice(say_of_buys.cancelled_for_you(product, reason))))


async def _tell(
    work: Work, pledger: Pledger, sentence: say.Sentence, buy: GroupBuy, product: Product, *, ring: bool = False,
    **details: object,
) -> None:  # fmt: skip
    """Say something about their order to one member, wherever they are now."""
    group = await work.unit.groups.get(pledger.group_id)
    member = await work.unit.groups.member_by_number(pledger.group_id, pledger.number)
    text = sentence(buy, product, group, **details)
    await work.owe(Tell(member.user_id, ringing(text, member.user_id) if ring else notice(text)))


async def _tell_own_desk(work: Work, buy: GroupBuy, text: str) -> None:
    await tell_desk(work, await work.unit.groups.get(buy.group_id), text)
