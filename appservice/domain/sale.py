"""What became of orders, read from the ledger."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from appservice.domain.entry import Entry

MADE = ("order", "taken")
ENDED = ("dropped", "order_cancelled")
CHANGED = (*ENDED, "order_arrived")
PAID = ("payment", "payment_reversed", "refund")
FACTS = (*MADE, *CHANGED, *PAID)
"""The facts that are read."""


@dataclass(frozen=True, slots=True)
class Sale:
    """An order of the member `number` since `at` (ms). `charged` is what it comes to now, `received` what was paid for
    it less what went back, in minor units. `short_at` is when it was last made smaller or called off, `refunded` how
    long (ms) after that each refund was."""

    buy_id: str
    number: int
    at: int
    currency: str
    charged: int = 0
    received: int = 0
    is_live: bool = True
    short_at: int | None = None
    refunded: tuple[int, ...] = ()


def read(entries: Iterable[Entry]) -> list[Sale]:
    """Give the orders whose beginning is among some lines of a ledger, in the order in which they came about."""
    found: dict[tuple[str | None, str], Sale] = {}
    for entry in entries:
        if entry.fact not in FACTS:
            continue
        key = entry.buy_id, _order_id(entry)
        if entry.fact in MADE and entry.buy_id and entry.number is not None:
            found[key] = Sale(entry.buy_id, entry.number, entry.at, entry.currency or "")
        if key in found:
            found[key] = _after(found[key], entry)
    return list(found.values())


def _order_id(entry: Entry) -> str:
    detail = entry.detail
    if entry.fact in MADE:
        return str(detail["order"]["id"])
    return str(detail["payment"]["order_id"] if entry.fact in PAID else detail["order_id"])


def _after(order: Sale, entry: Entry) -> Sale:
    if entry.fact in PAID:
        took = () if entry.fact != "refund" or order.short_at is None else (entry.at - order.short_at,)
        return replace(order, received=order.received - entry.amount, refunded=(*order.refunded, *took))
    is_short = entry.fact in CHANGED and entry.amount < 0
    return replace(
        order,
        charged=order.charged + entry.amount,
        is_live=order.is_live and entry.fact not in ENDED,
        short_at=entry.at if is_short else order.short_at,
    )
