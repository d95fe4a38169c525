"""Opening, changing and ending group buys."""

from appservice.actions import booking, outages
from appservice.actions.cards import showings
from appservice.actions.orders import DRAIN_MS, DRAIN_POLL_MS
from appservice.actions.recording import record
from appservice.actions.work import Work
from appservice.domain import group_buy
from appservice.domain.duration import DAY_MS, HOUR_MS
from appservice.domain.group_buy import (
    Cancel,
    Close,
    Extend,
    GroupBuy,
    Improve,
    Open,
    Schedule,
    Settle,
    Shorten,
    Status,
    Terms,
)
from appservice.domain.ids import BuyId
from appservice.domain.member import Member
from appservice.domain.product import Product
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.present import news
from appservice.present.acknowledge import acknowledge
from appservice.store.unit import fresh_id

Change = Improve | Extend | Shorten
"""What a concierge may change of a buy that is not over."""


async def open_buy(
    work: Work, member: Member, product: Product, terms: Terms, buy_id: BuyId | None = None
) -> GroupBuy | Refusal:
    """Open a group buy of a product and post its card; or have it open by itself where its terms say when. A client
    may have chosen the id, which no buy has had yet."""
    group = await work.unit.groups.lock(member.group_id)
    if group.room_id is None or member.number is None:
        return refuse(Reason.STILL_CREATING)
    if terms.tiers and terms.tiers[0].unit_price > product.price:
        return refuse(Reason.BAD_TIERS, why="above_price", price=product.price, currency=product.currency)
    now = work.cause.received_at
    draft = GroupBuy(buy_id or BuyId(fresh_id()), group.id, product.id, terms, member.number, now, Status.DRAFT)
    outcome = group_buy.decide(draft, Open(now) if terms.opens_at is None else Schedule(now))
    if isinstance(outcome, Refusal):
        return outcome
    for other in await work.unit.buys.shown_in(group.id, (Status.SCHEDULED, Status.OPEN, Status.CLOSING)):
        if (await work.unit.buys.get(other)).product_id == product.id:
            return refuse(Reason.ALREADY_OPEN, buy=other)
    await work.unit.buys.add(draft)
    await work.unit.ledger.append(booking.drafted(work, draft))
    buy = await record(work, draft, outcome, member.number)
    await work.owe(*acknowledge(work.cause))
    return buy


async def open_due(work: Work, buy_id: BuyId) -> None:
    """Open a scheduled buy whose time has come."""
    buy = await work.unit.buys.lock(buy_id)
    opens_at = buy.terms.opens_at
    if buy.status is not Status.SCHEDULED or opens_at is None:
        return
    if work.unit.now < opens_at:
        await work.unit.timers.set("open", buy_id, opens_at)
    elif (await opened_by_now(work, buy)).status is Status.SCHEDULED:  # it was to close by now, too
        await outages.call_off(work, buy)


async def opened_by_now(work: Work, buy: GroupBuy) -> GroupBuy:
    """Give a locked buy as it is at the time of the cause: open if its time has come, whatever its timer does."""
    at = work.cause.received_at
    if buy.status is not Status.SCHEDULED or buy.terms.opens_at is None or at < buy.terms.opens_at:
        return buy
    outcome = group_buy.decide(buy, Open(at))
    return buy if isinstance(outcome, Refusal) else await record(work, buy, outcome, None)


async def change(work: Work, member: Member, buy_id: BuyId, request: Change) -> GroupBuy | Refusal:
    """Improve the terms of a buy, or move its deadline."""
    before = await opened_by_now(work, await work.unit.buys.lock(buy_id))
    outcome = group_buy.decide(before, request)
    if isinstance(outcome, Refusal):
        return outcome
    dear = await too_dear(work, before, request)
    if dear is not None:
        return dear
    after = await record(work, before, outcome, member.number)
    await work.owe(*acknowledge(work.cause))
    return after


async def too_dear(work: Work, buy: GroupBuy, request: group_buy.Request) -> Refusal | None:
    """Say that a tier would cost more than the product alone, or None."""
    product = await work.unit.products.get(buy.product_id)
    if isinstance(request, Improve) and any(tier.unit_price > product.price for tier in request.terms.tiers):
        return refuse(Reason.BAD_TIERS, why="above_price", price=product.price, currency=product.currency)
    return None


async def close(work: Work, member: Member, buy_id: BuyId) -> None:
    """End a buy now: what was journaled before still counts, and so does what came in the same transaction, since
    that was journaled at the same moment."""
    before = await work.unit.buys.lock(buy_id)
    outcome = group_buy.decide(before, Close(work.cause.received_at + 1))
    await record(work, before, outcome, member.number)
    if not isinstance(outcome, Refusal):
        await work.owe(*acknowledge(work.cause))


async def cancel(work: Work, member: Member, buy_id: BuyId, reason: str) -> Refusal | None:
    """Call off a buy that has not cleared yet; after that see actions.orders."""
    if member.number is None:
        return refuse(Reason.NOT_ALLOWED)
    before = await work.unit.buys.lock(buy_id)
    outcome = group_buy.decide(before, Cancel(reason, member.number))
    if isinstance(outcome, Refusal):
        return outcome
    await record(work, before, outcome, member.number)
    await work.owe(*acknowledge(work.cause))
    return None


async def settle(work: Work, buy_id: BuyId) -> None:
    """Clear a buy whose deadline has passed, once everything journaled before it is handled."""
    buy = await work.unit.buys.lock(buy_id)
    deadline_at, now = buy.terms.deadline_at, work.unit.now
    if not buy.status.is_live:
        return
    if now < deadline_at:
        await work.unit.timers.set("deadline", buy_id, deadline_at)
    elif buy.status is Status.OPEN and await outages.prolonged(work, buy):
        return
    elif now < deadline_at + DRAIN_MS and await _is_waited_for(work, buy):
        await work.unit.timers.set("deadline", buy_id, now + DRAIN_POLL_MS)
    else:
        ids = [fresh_id(8) for _ in range(2 * len(buy.pledgers()))]
        pay_by = now + work.config.purchase.pay_days * DAY_MS
        await record(work, buy, group_buy.decide(buy, Settle(ids, pay_by)), None)


async def _is_waited_for(work: Work, buy: GroupBuy) -> bool:
    for group_id in await work.unit.buys.groups_of(buy):
        if await work.unit.inbox.is_waiting_before(buy.terms.deadline_at, work.unit.now, group_id):
            return True
    return False


async def announce_last_hour(work: Work, buy_id: BuyId) -> None:
    """Say that a buy closes in an hour."""
    buy = await work.unit.buys.lock(buy_id)
    left = buy.terms.deadline_at - work.unit.now  # far less than an hour where the service was down meanwhile
    if buy.status is Status.OPEN and left > HOUR_MS * 3 // 4:
        product = await work.unit.products.get(buy.product_id)
        for group, room_id in await showings(work, buy):
            await work.owe(news.last_hour(room_id, buy, product, group))
