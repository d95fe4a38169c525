"""What follows from a request; planning and pledging have their own files."""

from collections.abc import Sequence
from typing import assert_never

from appservice.domain.clearing import Tier
from appservice.domain.group_buy.evolving import evolve
from appservice.domain.group_buy.fact import (
    Cancelled,
    ClosingBegun,
    Fact,
    Failed,
    StatusChanged,
    Succeeded,
    TierReached,
)
from appservice.domain.group_buy.planning import Plan, decide_plan
from appservice.domain.group_buy.pledging import decide_pledge
from appservice.domain.group_buy.request import Add, Advance, Cancel, Close, Confirm, Set, Settle, Withdraw
from appservice.domain.group_buy.state import GroupBuy, units_by_pledger
from appservice.domain.group_buy.status import STEPS, Status
from appservice.domain.ids import OrderId
from appservice.domain.money import share
from appservice.domain.order import Order, count, price
from appservice.domain.refusal import Reason, Refusal, refuse

Request = Add | Set | Withdraw | Confirm | Plan | Close | Settle | Advance | Cancel


def decide(buy: GroupBuy, request: Request) -> list[Fact] | Refusal:
    """Give the facts that follow from a request, or why nothing does.

    Once there are orders, Advance and Cancel go to `fulfilment.decide`, which asks `decide_step` too.
    """
    match request:
        case Add() | Set() | Withdraw() | Confirm():
            return _with_tier(buy, decide_pledge(buy, request))
        case Close(received_at):
            if buy.status is not Status.OPEN:
                return refuse(Reason.NOT_OPEN)
            return [ClosingBegun(min(received_at, buy.terms.deadline_at))]
        case Settle(ids, pay_by):
            return _settle(buy, ids, pay_by) if buy.status.is_live else refuse(Reason.NOT_OPEN)
        case Advance() | Cancel():
            step = decide_step(buy.status, request)
            return step if isinstance(step, Refusal) else [step]
        case _:
            return _with_tier(buy, decide_plan(buy, request))


def decide_step(status: Status, request: Advance | Cancel) -> StatusChanged | Cancelled | Refusal:
    """Give what a concierge's step comes to; refused are steps back, steps left out, and any after the end.

    The refusal's details: `status`, `to`, and `allowed`, the steps that there are.
    """
    match request:
        case Advance(to, by, note):
            if to not in STEPS or not status.leads_to(to):
                allowed = tuple(step for step in STEPS if status.leads_to(step))
                return refuse(Reason.WRONG_STEP, status=status, to=to, allowed=allowed)
            return StatusChanged(to, by, note)
        case Cancel(reason, by):
            if not status.leads_to(Status.CANCELLED):
                return refuse(Reason.WRONG_STEP, status=status, to=Status.CANCELLED, allowed=())
            return Cancelled(reason, by)
        case _:
            assert_never(request)


def _with_tier(buy: GroupBuy, facts: list[Fact] | Refusal) -> list[Fact] | Refusal:
    """Add to facts that a deeper tier than was ever told is reached by them."""
    if isinstance(facts, Refusal):
        return facts
    after = buy
    for fact in facts:
        after = evolve(after, fact)
    clearing = after.clearing() if after.status.is_live else None
    if clearing is not None and clearing.minimum > after.announced:
        return [*facts, TierReached(Tier(clearing.minimum, clearing.unit_price))]
    return facts


def _settle(buy: GroupBuy, ids: Sequence[str], pay_by: int) -> list[Fact]:
    closing: list[Fact] = [ClosingBegun(buy.terms.deadline_at)] if buy.status is Status.OPEN else []
    clearing = buy.clearing()
    if clearing is None:
        return [*closing, Failed()]
    lines = [(pledger, units) for pledger, units in units_by_pledger(buy, clearing).items() if units]
    shares = share(buy.terms.shared_cost, [count(units) for _, units in lines])
    fresh = iter(ids)
    orders = []
    for (pledger, units), shared in zip(lines, shares, strict=True):
        tax, total = price(count(units), clearing.unit_price, shared, buy.terms.tax)
        order_id, line_id = OrderId(next(fresh)), next(fresh)
        orders.append(Order(order_id, line_id, pledger, units, clearing.unit_price, shared, tax, total, pay_by))
    return [*closing, Succeeded(clearing, tuple(orders)), StatusChanged(Status.COLLECTING)]
