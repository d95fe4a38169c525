"""What follows when a buy comes up short: before the order the concierge's choices, after it what arrived."""

from typing import assert_never

from appservice.domain.fulfilment.fact import Absorbed, Delivered, Fact, HouseTook, OrderArrived
from appservice.domain.fulfilment.request import Absorb, Deliver, HouseTake
from appservice.domain.fulfilment.sharing import redistribute
from appservice.domain.fulfilment.state import Fulfilment
from appservice.domain.group_buy.status import Status
from appservice.domain.order import Order, Units, as_units, count, price, sum_by
from appservice.domain.refusal import Reason, Refusal, refuse


def decide_delivery(state: Fulfilment, request: Absorb | HouseTake | Deliver) -> list[Fact] | Refusal:
    """Give the facts, a risk that ends left aside, or why there are none."""
    match request:
        case Deliver():
            return _deliver(state, request)
        case _ if not state.at_risk:
            return refuse(Reason.NOT_SHORT)
        case Absorb(by, note):
            return [Absorbed(state.at_risk, by, note)]
        case HouseTake():
            return _house_take(state, request)
        case _:
            assert_never(request)


def _house_take(state: Fulfilment, request: HouseTake) -> list[Fact] | Refusal:
    variant = state.terms.variant(request.variant)
    if isinstance(variant, Refusal):
        return variant
    if not 1 <= request.units <= state.free():
        return refuse(Reason.BAD_QUANTITY, most=state.free())
    return [HouseTook(((variant, request.units),), request.by)]


def _deliver(state: Fulfilment, request: Deliver) -> list[Fact] | Refusal:
    if state.status is not Status.ARRIVED:
        return refuse(Reason.NOT_ARRIVED, status=state.status)
    orders = state.live_orders()
    for_members = dict.fromkeys(variant for order in orders for variant, _ in order.ordered)
    arrived: dict[str, int] = {}
    for label, units in request.arrived.items():
        variant = state.terms.variant(label)
        if isinstance(variant, Refusal):
            return variant
        arrived[variant] = arrived.get(variant, 0) + units
    here = {variant: arrived.get(variant, 0) for variant in for_members}
    if any(units < 0 for units in arrived.values()):
        return refuse(Reason.BAD_SHARES, why="negative")
    shares = redistribute(orders, here, request.rule, request.by_hand)
    if isinstance(shares, Refusal):
        return shares
    given = sum_by(pair for parcel in shares.values() for pair in parcel)
    left = {v: min(n, arrived.get(v, 0) - given.get(v, 0)) for v, n in state.house}
    changes = (_arrived(state, order, shares[order.id]) for order in orders)
    head = Delivered(as_units(arrived), request.rule, as_units(left), request.by)
    return [head, *(change for change in changes if change is not None)]


def _arrived(state: Fulfilment, order: Order, arrived: Units) -> OrderArrived | None:
    """Give what an order comes to with so many units, or None where that is what it has now."""
    if dict(arrived) == dict(order.by_variant):
        return None
    tax, total = price(count(arrived), order.unit_price, order.shared, state.terms.tax)
    return OrderArrived(order.id, arrived, tax, total)
