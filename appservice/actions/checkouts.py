"""The way from the link in a receipt to a page of Stripe's where its order can be paid."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from appservice.actions.work import Work
from appservice.config import Config
from appservice.domain.cause import Cause
from appservice.domain.duration import DAY_MS, HOUR_MS, MINUTE_MS
from appservice.domain.effect import EndCheckout
from appservice.domain.fulfilment import Fulfilment
from appservice.domain.group_buy import GroupBuy, Order
from appservice.domain.ids import OrderId
from appservice.domain.order import OrderStatus
from appservice.payment.links import BACK, pay_link
from appservice.payment.session import Session, Wanted
from appservice.payment.units import to_stripe
from appservice.present.amounts import moment, money
from appservice.present.words.payment import Bill, line_item
from appservice.store.checkouts import Checkout, CheckoutStatus
from appservice.store.unit import Unit, fresh_id

SESSION_MS = 23 * HOUR_MS
"""Stripe takes 24 hours at most."""
SHORTEST_MS = 35 * MINUTE_MS
STILL_TAKEN_MS = 31 * MINUTE_MS
"""Stripe takes 30 minutes at least; in between, the same session can be asked for again."""
STILL_GOOD_MS = 2 * MINUTE_MS
"""Nobody is sent to a session that ends while they look for their card."""
ANSWER_MS = 20_000
"""So long Stripe may take to answer; meanwhile no other session is asked for."""
MOST_A_DAY = 12
"""Sessions that are made for one order in a day."""


class Where(StrEnum):
    """What somebody finds behind the link of an order."""

    UNKNOWN = "unknown"
    OWED = "owed"
    READY = "ready"
    BUSY = "busy"
    TOO_OFTEN = "too_often"
    NOT_HERE = "not_here"
    UNDER_WAY = "under_way"
    PAID = "paid"
    DROPPED = "dropped"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"


_CLOSED = {
    OrderStatus.DROPPED: Where.DROPPED,
    OrderStatus.CANCELLED: Where.CANCELLED,
    OrderStatus.REFUNDED: Where.REFUNDED,
}


@dataclass(frozen=True, slots=True)
class Way:
    """Where an order stands. READY: it can be paid at `url`. OWED: `wanted` has to be asked for."""

    where: Where
    bill: Bill | None = None
    url: str = ""
    wanted: Wanted | None = None


async def look(unit: Unit, config: Config, order_id: str) -> Way:
    """Say where an order stands, changing nothing."""
    buy_id = await unit.orders.buy_of(order_id)
    return await _way(unit, config, await unit.buys.get(buy_id), order_id) if buy_id else Way(Where.UNKNOWN)


async def begin(unit: Unit, config: Config, order_id: str) -> Way:
    """Say where an order stands, and write down what Stripe is going to be asked for: once, however many ask."""
    buy_id = await unit.orders.buy_of(order_id)
    if buy_id is None:
        return Way(Where.UNKNOWN)
    way = await _way(unit, config, await unit.buys.lock(buy_id), order_id)
    if way.wanted is not None:
        wanted = way.wanted
        asked = CheckoutStatus.ASKED
        await unit.checkouts.save(
            Checkout(wanted.id, wanted.order_id, wanted.amount, asked, unit.now, wanted.expires_at)
        )
    return way


async def given(unit: Unit, config: Config, way: Way, session: Session) -> bool:
    """Write down what Stripe gave; False where it is not to be paid any more, as something else came meanwhile."""
    checkout = await _lock(unit, way)
    if checkout.status is not CheckoutStatus.ASKED:  # it was even paid before we heard of it
        return False
    opened = replace(checkout, status=CheckoutStatus.OPEN, session_id=session.id, url=session.url)
    await unit.checkouts.save(opened)
    assert way.wanted is not None
    state = await unit.orders.get(await unit.buys.get(way.wanted.buy_id))
    if state is not None:
        await end_outdated(Work(unit, config, Cause(f"checkout {checkout.id}", unit.now)), state)
    return await unit.checkouts.get(checkout.id) == opened


async def not_given(unit: Unit, way: Way, *, may_exist: bool) -> None:
    """Write down that Stripe gave nothing; what may exist is asked for again as it was."""
    checkout = await _lock(unit, way)
    if checkout.status is not CheckoutStatus.ASKED:
        return
    if may_exist:
        await unit.checkouts.save(replace(checkout, asked_at=checkout.asked_at - ANSWER_MS))
    else:  # Stripe gives the same error again for the same id
        await unit.checkouts.forget(checkout.id)


async def end_outdated(work: Work, state: Fulfilment) -> None:
    """Have the sessions of a locked buy ended that are for another amount than is owed now."""
    if work.config.purchase.provider != "stripe":
        return
    for each in await work.unit.checkouts.open_of_buy(state.buy_id):
        order = state.order(each.order_id)
        if order is not None and state.due(order) != each.amount:
            await work.unit.checkouts.save(replace(each, status=CheckoutStatus.ENDED, url=None))
            if each.session_id is not None and each.expires_at > work.unit.now:
                await work.owe(EndCheckout(each.session_id))


async def _lock(unit: Unit, way: Way) -> Checkout:
    assert way.wanted is not None
    await unit.buys.lock(way.wanted.buy_id)
    checkout = await unit.checkouts.get(way.wanted.id)
    assert checkout is not None
    return checkout


async def _way(unit: Unit, config: Config, buy: GroupBuy, order_id: str) -> Way:
    state = await unit.orders.get(buy)
    order = state.order(OrderId(order_id)) if state else None
    if state is None or order is None:
        return Way(Where.UNKNOWN)
    group = await unit.groups.get(order.pledger.group_id)
    product = await unit.products.get(buy.product_id)
    due, currency = state.due(order), state.terms.currency
    bill = Bill(order.id, product.name, money(due, currency, group.locale), moment(order.pay_by, group))
    if order.status in _CLOSED:
        return Way(_CLOSED[order.status], bill)
    if due <= 0:
        return Way(Where.PAID, bill)
    if to_stripe(due, currency) is None:
        return Way(Where.NOT_HERE, bill)
    sessions = await unit.checkouts.of_order(order_id)
    way = replace(_by_sessions(sessions, due, unit.now), bill=bill)
    if way.where is not Where.OWED:
        return way
    id, expires_at = _request(sessions, order, due, unit.now)
    link = f"{pay_link(config, order.id)}?{BACK}"
    return replace(way, wanted=Wanted(id, order.id, buy.id, due, currency, line_item(bill, order), expires_at, link))


def _by_sessions(sessions: Sequence[Checkout], due: int, now: int) -> Way:
    """Say where an order stands for which `due` minor units are owed."""
    if any(each.status is CheckoutStatus.UNDER_WAY for each in sessions):
        return Way(Where.UNDER_WAY)
    for each in sessions:
        if each.status is CheckoutStatus.OPEN and each.amount == due and each.expires_at - now >= STILL_GOOD_MS:
            assert each.url is not None
            return Way(Where.READY, url=each.url)
    asked = [each for each in sessions if each.status is CheckoutStatus.ASKED]
    if any(now - each.asked_at < ANSWER_MS for each in asked):
        return Way(Where.BUSY)
    if sum(now - each.asked_at < DAY_MS for each in sessions) >= MOST_A_DAY:
        return Way(Where.TOO_OFTEN)
    return Way(Where.OWED)


def _request(sessions: Sequence[Checkout], order: Order, due: int, now: int) -> tuple[str, int]:
    """Give id and end of the session to be asked for: as before where no answer came, so that it is the same one."""
    for each in sessions:
        if (each.status, each.amount) == (CheckoutStatus.ASKED, due) and each.expires_at - now >= STILL_TAKEN_MS:
            return each.id, each.expires_at
    expires_at = min(now + SESSION_MS, max(now + SHORTEST_MS, order.pay_by))
    return f"{order.id}-{fresh_id(12)}", expires_at
