"""The state is what the facts say: nothing else changes a fulfilment."""

from dataclasses import replace
from typing import assert_never

from appservice.domain.fulfilment.fact import (
    Absorbed,
    AtRisk,
    Declined,
    Delivered,
    Dropped,
    Fact,
    HouseTook,
    Lapsed,
    Offered,
    OrderArrived,
    OrderCancelled,
    OrderPaid,
    PaymentRecorded,
    PaymentReversed,
    Refunded,
    Reminded,
    RiskEnded,
    Taken,
    WaitingAdded,
)
from appservice.domain.fulfilment.state import Fulfilment, Payment, Waiting
from appservice.domain.group_buy.fact import Cancelled, StatusChanged
from appservice.domain.group_buy.status import Status
from appservice.domain.order import Order, OrderStatus, add

_ByOrder = OrderPaid | Reminded | Dropped | OrderCancelled | OrderArrived
_ByWaiting = WaitingAdded | Offered | Taken | Declined | Lapsed


def evolve(state: Fulfilment, fact: Fact) -> Fulfilment:
    """Give the state after one fact."""
    match fact:
        case PaymentRecorded(payment) | PaymentReversed(payment) | Refunded(payment):
            return _booked(state, payment)
        case OrderPaid() | Reminded() | Dropped() | OrderCancelled() | OrderArrived():
            return _order_changed(state, fact)
        case WaitingAdded() | Offered() | Taken() | Declined() | Lapsed():
            return _waiting_changed(state, fact)
        case AtRisk(units):
            return replace(state, at_risk=units)
        case RiskEnded():
            return replace(state, at_risk=0)
        case Absorbed(units):
            return replace(state, absorbed=state.absorbed + units)
        case HouseTook(units):
            return replace(state, house=add(state.house, units))
        case Delivered(house=house):
            return replace(state, house_arrived=house)
        case StatusChanged(status):
            return replace(state, status=status, at_risk=0)
        case Cancelled():
            # The house owes nothing either, and nobody waits for anything any more.
            return replace(state, status=Status.CANCELLED, at_risk=0, waiting=(), house=(), house_arrived=None)
        case _:
            assert_never(fact)


def _booked(state: Fulfilment, payment: Payment) -> Fulfilment:
    after = replace(state, payments=(*state.payments, payment))
    order = after.order(payment.order_id)
    if order is None:
        return after
    if payment.amount < 0 and payment.reverses is None and not order.status.is_live and after.due(order) >= 0:
        return _with_order(after, replace(order, status=OrderStatus.REFUNDED))
    if order.status is OrderStatus.REFUNDED and after.due(order) < 0:  # a refund that was none
        was = OrderStatus.CANCELLED if state.status is Status.CANCELLED else OrderStatus.DROPPED
        return _with_order(after, replace(order, status=was))
    return _with_order(after, _reopened(after, order))


def _reopened(state: Fulfilment, order: Order) -> Order:
    """Give the order as one that is owed again where what has come for it no longer is enough."""
    if order.status is OrderStatus.PAID and state.due(order) > 0:
        return replace(order, status=OrderStatus.OWED)
    return order


def _order_changed(state: Fulfilment, fact: _ByOrder) -> Fulfilment:
    order = state.order(fact.order_id)
    if order is None:
        return state
    match fact:
        case OrderPaid():
            return _with_order(state, replace(order, status=OrderStatus.PAID))
        case Reminded():
            return _with_order(state, replace(order, reminders=order.reminders + 1))
        case Dropped(_, to_house):
            kept = _kept_by_house(state, order) if to_house else state
            return _with_order(kept, replace(order, status=OrderStatus.DROPPED))
        case OrderCancelled():
            return _with_order(state, replace(order, status=OrderStatus.CANCELLED))
        case OrderArrived(_, arrived, tax, total):
            changed = replace(order, arrived=arrived, tax=tax, total=total)
            return _with_order(state, _reopened(state, changed))
        case _:
            assert_never(fact)


def _kept_by_house(state: Fulfilment, order: Order) -> Fulfilment:
    arrived = None if state.house_arrived is None else add(state.house_arrived, order.by_variant)
    return replace(state, house=add(state.house, order.ordered), house_arrived=arrived)


def _waiting_changed(state: Fulfilment, fact: _ByWaiting) -> Fulfilment:
    match fact:
        case WaitingAdded(waiting):
            return replace(state, waiting=(*state.waiting, waiting))
        case Offered(id, units, answer_by):
            return _with_waiting(state, id, offered=units, answer_by=answer_by)
        case Declined(id) | Lapsed(id):
            return _with_waiting(state, id, passed=True)
        case Taken(id, order):
            after = _with_waiting(state, id, taken=order.units)
            return replace(after, orders=(*after.orders, order))
        case _:
            assert_never(fact)


def _with_waiting(
    state: Fulfilment, id: str, *, offered: int = 0, answer_by: int = 0, passed: bool = False, taken: int = 0
) -> Fulfilment:
    def changed(waiting: Waiting) -> Waiting:
        left = waiting.units - taken
        return replace(waiting, units=left, offered=offered, answer_by=answer_by, passed=passed)

    waiting = (changed(waiting) if waiting.id == id else waiting for waiting in state.waiting)
    return replace(state, waiting=tuple(w for w in waiting if w.units > 0))


def _with_order(state: Fulfilment, order: Order) -> Fulfilment:
    orders: tuple[Order, ...] = tuple(order if each.id == order.id else each for each in state.orders)
    return replace(state, orders=orders)
