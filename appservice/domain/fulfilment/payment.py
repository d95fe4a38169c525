"""What follows when money comes, goes back, or does not come."""

from collections.abc import Sequence
from typing import assert_never

from appservice.domain.fulfilment.fact import (
    Dropped,
    Fact,
    PaymentRecorded,
    PaymentReversed,
    Refunded,
    Reminded,
)
from appservice.domain.fulfilment.request import Drop, Pay, Refund, Remind, Reverse
from appservice.domain.fulfilment.state import Fulfilment, Payment
from appservice.domain.group_buy.status import Status
from appservice.domain.money import LARGEST_AMOUNT
from appservice.domain.order import Order, OrderStatus
from appservice.domain.refusal import Reason, Refusal, refuse

Payments = Pay | Reverse | Refund | Remind | Drop


def decide_payment(state: Fulfilment, request: Payments) -> list[Fact] | Refusal:
    """Give the facts, whether an order is paid by them left aside, or why there are none."""
    match request:
        case Pay():
            return _pay(state, request)
        case Reverse():
            return _reverse(state, request)
        case Refund():
            return _refund(state, request)
        case Remind(order_id):
            order = state.order(order_id)
            if order is None:
                return refuse(Reason.NO_ORDER)
            return [Reminded(order_id)] if _is_owed(state, order) else refuse(Reason.NOTHING_OWED)
        case Drop():
            return _drop(state, request)
        case _:
            assert_never(request)


def _pay(state: Fulfilment, request: Pay) -> list[Fact] | Refusal:
    # Money that has come is recorded whatever the state of its order: it is somebody's in any case.
    if state.order(request.order_id) is None:
        return refuse(Reason.NO_ORDER)
    if request.currency != state.terms.currency:
        return refuse(Reason.WRONG_CURRENCY, given=request.currency, currency=state.terms.currency)
    if not 1 <= request.amount <= LARGEST_AMOUNT:
        return refuse(Reason.BAD_AMOUNT, amount=request.amount, currency=request.currency)
    payment = Payment(request.reference, request.order_id, request.amount)
    return _check_entry(state, request) or [PaymentRecorded(payment, request.by, request.note)]


def _reverse(state: Fulfilment, request: Reverse) -> list[Fact] | Refusal:
    reversed_before = {payment.reverses for payment in state.payments}
    known = [
        payment
        for payment in state.payments
        if payment.reference == request.payment and not payment.reverses and request.payment not in reversed_before
    ]
    if not known:
        return refuse(Reason.NO_PAYMENT, reference=request.payment)
    opposite = Payment(request.reference, known[0].order_id, -known[0].amount, known[0].reference)
    received = state.received(opposite.order_id)
    if request.by is not None and received + opposite.amount < 0:  # what was paid back has to be undone before it
        return refuse(Reason.TOO_MUCH, most=received, currency=state.terms.currency)
    return _check_entry(state, request) or [PaymentReversed(opposite, request.by, request.note)]


def _refund(state: Fulfilment, request: Refund) -> list[Fact] | Refusal:
    order = state.order(request.order_id)
    if order is None:
        return refuse(Reason.NO_ORDER)
    most = max(0, -state.due(order))
    if not 1 <= request.amount <= most:
        return refuse(Reason.TOO_MUCH, most=most, currency=state.terms.currency)
    payment = Payment(request.reference, order.id, -request.amount)
    return _check_entry(state, request) or [Refunded(payment, request.by, request.note)]


def _drop(state: Fulfilment, request: Drop) -> list[Fact] | Refusal:
    order = state.order(request.order_id)
    if order is None:
        return refuse(Reason.NO_ORDER)
    if not _is_owed(state, order):
        return refuse(Reason.NOTHING_OWED)
    if request.received_at < order.pay_by:
        return refuse(Reason.NOT_DUE, pay_by=order.pay_by)
    received = state.received(order.id)
    if received and request.by is None:
        return refuse(Reason.MONEY_CAME, amount=received, currency=state.terms.currency)
    return [Dropped(order.id, state.status is not Status.COLLECTING, request.by)]


def _is_owed(state: Fulfilment, order: Order) -> bool:
    return order.status is OrderStatus.OWED and state.due(order) > 0


def _check_entry(state: Fulfilment, request: Pay | Reverse | Refund) -> Refusal | None:
    """A person says why; a webhook that comes twice is known by its reference."""
    if request.by is not None and not request.note.strip():
        return refuse(Reason.NOTE_NEEDED)
    return _check_fresh(state.payments, request.reference)


def _check_fresh(payments: Sequence[Payment], reference: str) -> Refusal | None:
    known = any(payment.reference == reference for payment in payments)
    return refuse(Reason.PAYMENT_KNOWN, reference=reference) if known else None
