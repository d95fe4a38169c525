"""What follows when units that nobody has are offered to those who wait."""

from typing import assert_never

from appservice.domain.fulfilment.fact import Declined, Fact, Lapsed, Offered, Taken, WaitingAdded
from appservice.domain.fulfilment.request import Accept, Decline, Lapse, Offer, Wait
from appservice.domain.fulfilment.state import Fulfilment, Waiting
from appservice.domain.group_buy.status import Status
from appservice.domain.group_buy.terms import MOST_UNITS
from appservice.domain.order import Order, price
from appservice.domain.pledger import Pledger
from appservice.domain.refusal import Reason, Refusal, refuse

Waits = Wait | Offer | Accept | Decline | Lapse


def decide_waitlist(state: Fulfilment, request: Waits) -> list[Fact] | Refusal:
    """Give the facts, a risk that follows left aside, or why there are none."""
    if state.status is not Status.COLLECTING:
        return refuse(Reason.NOT_COLLECTING, status=state.status)
    match request:
        case Wait():
            return _wait(state, request)
        case Offer():
            return _offer(state, request)
        case Accept():
            return _accept(state, request)
        case Decline(id, pledger):
            return [Declined(id)] if _offer_to(state, id, pledger) else refuse(Reason.NO_OFFER)
        case Lapse(received_at):
            return [Lapsed(w.id) for w in state.waiting if w.offered and received_at >= w.answer_by]
        case _:
            assert_never(request)


def _wait(state: Fulfilment, request: Wait) -> list[Fact] | Refusal:
    variant = state.terms.variant(request.variant)
    if isinstance(variant, Refusal):
        return variant
    if not request.units >= 1:
        return refuse(Reason.BAD_QUANTITY, most=MOST_UNITS)
    has = sum(order.units for order in state.live_orders() if order.pledger == request.pledger)
    waits = sum(waiting.units for waiting in state.waiting if waiting.pledger == request.pledger)
    units, most = has + waits + request.units, state.terms.most
    if units > MOST_UNITS:
        return refuse(Reason.BAD_QUANTITY, most=MOST_UNITS)
    if most is not None and units > most:
        return refuse(Reason.ABOVE_MOST, most=most, units=units)
    return [WaitingAdded(Waiting(request.id, request.pledger, variant, request.units))]


def _offer(state: Fulfilment, request: Offer) -> list[Fact] | Refusal:
    if request.answer_by <= request.received_at:
        return refuse(Reason.BAD_DEADLINE, why="past")
    free = state.free()
    if free == 0:
        return refuse(Reason.NOTHING_FREE)
    facts: list[Fact] = []
    for waiting in state.waiting:
        units = min(waiting.units, free)
        if units and not waiting.offered and (request.again or not waiting.passed):
            facts.append(Offered(waiting.id, units, request.answer_by))
            free -= units
    return facts or refuse(Reason.NOBODY_WAITS)


def _accept(state: Fulfilment, request: Accept) -> list[Fact] | Refusal:
    waiting = _offer_to(state, request.id, request.pledger)
    if waiting is None:
        return refuse(Reason.NO_OFFER)
    if request.received_at >= waiting.answer_by:  # its time is over, if its timer has not come round to it yet
        return refuse(Reason.NO_OFFER)
    shared = _share_of_free(state, waiting.offered)
    tax, total = price(waiting.offered, state.unit_price, shared, state.terms.tax)
    units = ((waiting.variant, waiting.offered),)
    order = Order(
        request.order_id, request.line_id, waiting.pledger, units, state.unit_price, shared, tax, total, request.pay_by
    )
    return [Taken(waiting.id, order)]


def _share_of_free(state: Fulfilment, units: int) -> int:
    """Give the part of the shared cost that goes with units taken over, so that whoever takes the last takes the rest.

    Nobody else's share changes, and none can become more than what those units bore before.
    """
    nobodys = state.total - sum(order.units for order in state.live_orders())
    return state.house_shared() * units // nobodys


def _offer_to(state: Fulfilment, id: str, pledger: Pledger) -> Waiting | None:
    return next((w for w in state.waiting if w.id == id and w.pledger == pledger and w.offered), None)
