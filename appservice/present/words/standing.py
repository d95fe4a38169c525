"""What a member has open, in one line for the concierges."""

from collections.abc import Sequence

from appservice.domain.group import Group
from appservice.domain.order import sum_by
from appservice.present.amounts import day, money
from appservice.present.text import short
from appservice.store.orders import OpenOrder
from appservice.store.personal import PledgedUnits

MOST_PLEDGES = 3


def standing(pledged: Sequence[PledgedUnits], orders: Sequence[OpenOrder], group: Group) -> str:
    """Give `2 × Merino throw pledged · 1 order of €138.00 to pay by 25 Nov`; empty where nothing is open."""
    parts = [_pledged(one) for one in pledged[:MOST_PLEDGES]]
    if len(pledged) > MOST_PLEDGES:
        parts.append(f"pledges in {len(pledged) - MOST_PLEDGES} more group buys")
    unpaid = [order for order in orders if order.live and order.due > 0]
    if unpaid:
        first = day(min(order.pay_by for order in unpaid), group)
        by = f"to pay by {first}" if len(unpaid) == 1 else f"to pay, the first by {first}"
        parts.append(f"{_orders(len(unpaid))} of {_sum(unpaid, group)} {by}")
    paid = sum(order.live and order.due <= 0 for order in orders)
    if paid:
        parts.append(f"{_orders(paid)} paid")
    owed_back = [order for order in orders if order.due < 0]
    if owed_back:
        parts.append(f"{_sum(owed_back, group)} to give back")
    return " · ".join(parts)


def _pledged(one: PledgedUnits) -> str:
    units = f"{one.units}-{one.units + one.flexible}" if one.flexible else str(one.units)
    return f"{units} × {short(one.product, 40)} pledged"


def _orders(count: int) -> str:
    return "1 order" if count == 1 else f"{count} orders"


def _sum(orders: Sequence[OpenOrder], group: Group) -> str:
    sums = sum_by((order.currency, abs(order.due)) for order in orders)
    return " and ".join(money(amount, currency, group.locale) for currency, amount in sums.items())
