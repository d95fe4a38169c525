"""What follows from a request after clearing; payment, the waitlist and delivery have their own files."""

from typing import assert_never

from appservice.domain.fulfilment.delivery import decide_delivery
from appservice.domain.fulfilment.evolving import evolve
from appservice.domain.fulfilment.fact import AtRisk, Fact, OrderCancelled, OrderPaid, RiskEnded
from appservice.domain.fulfilment.payment import Payments, decide_payment
from appservice.domain.fulfilment.request import Absorb, Deliver, HouseTake
from appservice.domain.fulfilment.state import Fulfilment
from appservice.domain.fulfilment.waitlist import Waits, decide_waitlist
from appservice.domain.group_buy.deciding import decide_step
from appservice.domain.group_buy.fact import Cancelled
from appservice.domain.group_buy.request import Advance, Cancel
from appservice.domain.group_buy.status import Status
from appservice.domain.order import OrderStatus
from appservice.domain.refusal import Reason, Refusal, refuse

Request = Payments | Waits | Absorb | HouseTake | Deliver | Advance | Cancel


def decide(state: Fulfilment, request: Request) -> list[Fact] | Refusal:
    """Give the facts that follow from a request, or why nothing does."""
    facts = _first_facts(state, request)
    return facts if isinstance(facts, Refusal) else _complete(state, facts)


def _first_facts(state: Fulfilment, request: Request) -> list[Fact] | Refusal:
    match request:
        case Absorb() | HouseTake() | Deliver():
            return decide_delivery(state, request)
        case Advance() | Cancel():
            return _step(state, request)
        case _ if isinstance(request, Payments):
            return decide_payment(state, request)
        case _ if isinstance(request, Waits):
            return decide_waitlist(state, request)
        case _:
            assert_never(request)


def _step(state: Fulfilment, request: Advance | Cancel) -> list[Fact] | Refusal:
    step = decide_step(state.status, request)
    if isinstance(step, Refusal):
        return step
    if isinstance(step, Cancelled):
        return [step, *(OrderCancelled(order.id) for order in state.live_orders())]
    if step.status is Status.ORDERED:
        if state.short():
            return refuse(Reason.AT_RISK, units=state.short())
        standing = sum(waiting.offered > 0 for waiting in state.waiting)
        if standing:
            return refuse(Reason.OFFERS_STAND, count=standing)
    return [step]


def _complete(state: Fulfilment, facts: list[Fact]) -> list[Fact]:
    """Add which orders are paid by these facts, and whether the buy is at risk after them."""
    after = state
    for fact in facts:
        after = evolve(after, fact)
    paid: list[Fact] = [
        OrderPaid(order.id)
        for order in after.orders
        if order.status is OrderStatus.OWED and after.received(order.id) == order.total > 0
    ]
    short = 0 if after.can_fill() else after.short()
    if short == after.at_risk:
        return facts + paid
    return facts + paid + [AtRisk(short) if short else RiskEnded()]
