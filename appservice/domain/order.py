"""What one member owes after a group buy has cleared."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from appservice.domain.ids import OrderId
from appservice.domain.money import Tax
from appservice.domain.pledger import Pledger

Units = tuple[tuple[str, int], ...]
"""Units by variant, as `(("S", 2), ("M", 1))`; `(("", 3),)` where a buy has no variants."""


class OrderStatus(StrEnum):
    """Where an order stands. `refunded`: dropped or cancelled, and all that had been paid is back."""

    OWED = "owed"
    PAID = "paid"
    DROPPED = "dropped"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"

    @property
    def is_live(self) -> bool:
        """Tell whether its units are its owner's."""
        return self in (OrderStatus.OWED, OrderStatus.PAID)


@dataclass(frozen=True, slots=True)
class Order:
    """What one member owes, in minor units; `line_id` finds it in the published result.

    `ordered` are the units by variant, `arrived` those that a short delivery left (None as long as it is all of them).
    `shared` is the part of the shared cost, `tax` is in `total` whether prices contain it or not. To be paid before
    `pay_by` (ms).
    """

    id: OrderId
    line_id: str
    pledger: Pledger
    ordered: Units
    unit_price: int
    shared: int
    tax: int
    total: int
    pay_by: int
    status: OrderStatus = OrderStatus.OWED
    arrived: Units | None = None
    reminders: int = 0

    @property
    def by_variant(self) -> Units:
        """The units that its owner gets, by variant."""
        return self.ordered if self.arrived is None else self.arrived

    @property
    def units(self) -> int:
        """The units that its owner gets."""
        return count(self.by_variant)

    @property
    def goods(self) -> int:
        """What the units cost without shared cost, at the price that the card showed."""
        return self.units * self.unit_price

    @property
    def shared_due(self) -> int:
        """The part of the shared cost that is owed: none by someone who gets nothing."""
        return self.shared if self.units else 0


def price(units: int, unit_price: int, shared: int, tax: Tax | None) -> tuple[int, int]:
    """Give tax and total of a line; the shared cost is a final amount, and not taxed again."""
    goods = units * unit_price
    if units == 0 or tax is None:
        return 0, goods + (shared if units else 0)
    return tax.of(goods), goods + shared + tax.on_top(goods)


def as_units(counts: Mapping[str, int]) -> Units:
    """Give units by variant in the order of `counts`, without what is 0."""
    return tuple((variant, units) for variant, units in counts.items() if units)


def count(units: Units) -> int:
    """Add units of all variants up."""
    return sum(n for _, n in units)


def add(*parcels: Units) -> Units:
    """Put units together, variant by variant."""
    return as_units(sum_by((variant, n) for parcel in parcels for variant, n in parcel))


def sum_by(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Sum by key, keys in order of appearance."""
    sums: dict[str, int] = {}
    for key, n in pairs:
        sums[key] = sums.get(key, 0) + n
    return sums
