"""What each fact books to whose account, and what the accounts come to.

An amount is signed as seen from the member's debt: above 0 they owe more, below 0 less. Nothing is ever changed: a
correction is an entry of its own, and a balance is the sum of the entries. The house (whoever runs the shop) has an
account as well, so that all statements add up to what the supplier asks plus the shared cost.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from appservice.domain.fulfilment.evolving import evolve
from appservice.domain.fulfilment.fact import (
    Dropped,
    Fact,
    OrderArrived,
    OrderCancelled,
    PaymentRecorded,
    PaymentReversed,
    Refunded,
    Taken,
)
from appservice.domain.fulfilment.state import Fulfilment, Payment
from appservice.domain.ids import OrderId
from appservice.domain.order import Order, count, price
from appservice.domain.pledger import Pledger


class Kind(StrEnum):
    """Why an amount was booked."""

    CHARGE = "charge"
    CREDIT = "credit"
    PAYMENT = "payment"
    REFUND = "refund"
    REVERSAL = "reversal"


@dataclass(frozen=True, slots=True)
class Booking:
    """One entry. `pledger` is None for the house; `reverses` the payment's reference, or the order's id where all that
    was charged for it is taken back."""

    pledger: Pledger | None
    kind: Kind
    amount: int
    order_id: OrderId | None = None
    reverses: str | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """Where one account stands, in minor units; `pledger` is None for the house.

    `charged` = goods + shared + tax, the tax only where prices do not contain it; `balance` = charged - received.
    """

    pledger: Pledger | None
    units: int
    goods: int
    shared: int
    tax: int
    charged: int
    received: int

    @property
    def balance(self) -> int:
        """What is still owed; below 0 what is to be refunded."""
        return self.charged - self.received


def charge(orders: Iterable[Order]) -> tuple[Booking, ...]:
    """Give what a buy's success books."""
    return tuple(Booking(order.pledger, Kind.CHARGE, order.total, order.id) for order in orders)


def book(before: Fulfilment, fact: Fact) -> tuple[Booking, ...]:
    """Give what a fact books, in the state before it; entries of 0 are left out."""
    after = evolve(before, fact)
    house = _house(after).charged - _house(before).charged
    entries = [*_member_entries(before, fact), Booking(None, Kind.CHARGE if house > 0 else Kind.CREDIT, house)]
    return tuple(entry for entry in entries if entry.amount)


def _member_entries(before: Fulfilment, fact: Fact) -> list[Booking]:
    match fact:
        case PaymentRecorded(payment):
            return [_money(before, payment, Kind.PAYMENT)]
        case Refunded(payment):
            return [_money(before, payment, Kind.REFUND)]
        case PaymentReversed(payment):
            return [_money(before, payment, Kind.REVERSAL)]
        case Taken(_, order):
            return list(charge([order]))
        case Dropped(order_id) | OrderCancelled(order_id):
            order = _order(before, order_id)
            return [Booking(order.pledger, Kind.REVERSAL, -order.total, order.id, order.id)]
        case OrderArrived(order_id, _, _, total):
            order = _order(before, order_id)
            kind = Kind.CREDIT if total < order.total else Kind.CHARGE
            return [Booking(order.pledger, kind, total - order.total, order.id)]
        case _:
            return []


def _money(before: Fulfilment, payment: Payment, kind: Kind) -> Booking:
    pledger = _order(before, payment.order_id).pledger
    return Booking(pledger, kind, -payment.amount, payment.order_id, payment.reverses)


def _order(state: Fulfilment, order_id: OrderId) -> Order:
    order = state.order(order_id)
    if order is None:
        raise LookupError(f"there is no order {order_id}")
    return order


def statements(state: Fulfilment) -> tuple[Statement, ...]:
    """Give the accounts of all who ever had an order, in pledge order, and that of the house at the end.

    What they were charged adds up to `supplier_invoice` plus the terms' shared cost, to the minor unit.
    """
    pledgers = dict.fromkeys(order.pledger for order in state.orders)
    return (*(_statement(state, pledger) for pledger in pledgers), _house(state))


def _statement(state: Fulfilment, pledger: Pledger) -> Statement:
    theirs = [order for order in state.orders if order.pledger == pledger]
    live = [order for order in theirs if order.status.is_live]
    return Statement(
        pledger,
        sum(order.units for order in live),
        sum(order.goods for order in live),
        sum(order.shared_due for order in live),
        sum(order.tax for order in live),
        sum(order.total for order in live),
        sum(state.received(order.id) for order in theirs),
    )


def _house(state: Fulfilment) -> Statement:
    units, shared = count(state.house_units()), state.house_shared()
    tax, total = price(units, state.unit_price, 0, state.terms.tax)
    return Statement(None, units, units * state.unit_price, shared, tax, total + shared, 0)


def supplier_invoice(state: Fulfilment) -> int:
    """Give what the supplier asks for, line by line: one for each order, one for the house; tax half up per line."""
    lines = [*(order.units for order in state.live_orders()), count(state.house_units())]
    return sum(price(units, state.unit_price, 0, state.terms.tax)[1] for units in lines)


def refunds_due(state: Fulfilment) -> tuple[tuple[Order, int], ...]:
    """Give the orders for which more has come than is owed, and how much."""
    return tuple((order, -state.due(order)) for order in state.orders if state.due(order) < 0)


def balance(bookings: Iterable[Booking], pledger: Pledger | None) -> int:
    """Sum what was booked to an account."""
    return sum(booking.amount for booking in bookings if booking.pledger == pledger)
