"""Who gets what of a short delivery."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from appservice.domain.ids import OrderId
from appservice.domain.money import share
from appservice.domain.order import Order, Units, as_units, sum_by
from appservice.domain.refusal import Reason, Refusal, refuse


class Rule(StrEnum):
    """How a short delivery is shared out; variant by variant."""

    FIRST_COME = "first_come"
    PRO_RATA = "pro_rata"
    BY_HAND = "by_hand"


def redistribute(
    orders: Sequence[Order], arrived: Mapping[str, int], rule: Rule, by_hand: Mapping[OrderId, Units] | None = None
) -> dict[OrderId, Units] | Refusal:
    """Give the units of each order by variant: of each variant as many as arrived, or all that was ordered if more
    did; nobody gets more than they ordered.

    `orders` in pledge order. Refused (BAD_SHARES) where the shares by hand do not come to that; `why` is
    `negative`, `unknown`, `too_many` (with `order`, `variant`, `most`) or `sum` (with `variant`, `expected`, `given`).
    """
    ordered = {order.id: dict(order.ordered) for order in orders}
    totals = sum_by(pair for order in orders for pair in order.ordered)
    if any(units < 0 for units in arrived.values()):
        return refuse(Reason.BAD_SHARES, why="negative")
    if set(arrived) - set(totals):
        return refuse(Reason.BAD_SHARES, why="unknown", variant=min(set(arrived) - set(totals)))
    here = {variant: min(units, arrived.get(variant, 0)) for variant, units in totals.items()}
    if rule is Rule.BY_HAND:
        return _by_hand(ordered, here, by_hand or {})
    # Sharing rounds up to the next whole unit at most, so that nobody gets more than they ordered.
    split = share if rule is Rule.PRO_RATA else first_come
    shares: dict[OrderId, dict[str, int]] = {order.id: {} for order in orders}
    for variant, units in here.items():
        wanted = [ordered[order.id].get(variant, 0) for order in orders]
        for order, part in zip(orders, split(units, wanted), strict=True):
            shares[order.id][variant] = part
    return {order.id: as_units({v: shares[order.id][v] for v, _ in order.ordered}) for order in orders}


def first_come(units: int, wanted: Sequence[int]) -> list[int]:
    """Serve one after another as long as there is something."""
    parts = []
    for want in wanted:
        parts.append(min(want, units))
        units -= parts[-1]
    return parts


def _by_hand(
    ordered: Mapping[OrderId, Mapping[str, int]], here: Mapping[str, int], by_hand: Mapping[OrderId, Units]
) -> dict[OrderId, Units] | Refusal:
    given: dict[str, int] = dict.fromkeys(here, 0)
    for order_id, units in by_hand.items():
        for variant, n in sum_by(units).items():
            most = ordered.get(order_id, {}).get(variant, 0)
            if not 0 <= n <= most:
                return refuse(Reason.BAD_SHARES, why="too_many", order=order_id, variant=variant, most=most)
            given[variant] = given.get(variant, 0) + n
    for variant, units_here in here.items():
        if given[variant] != units_here:
            return refuse(
                Reason.BAD_SHARES, why="sum", variant=variant, expected=units_here, given=given[variant]
            )  # fmt: skip
    return {order_id: as_units(sum_by(by_hand.get(order_id, ()))) for order_id in ordered}
