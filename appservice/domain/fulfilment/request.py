"""What may be asked after a buy has cleared. `received_at` (ms) is when; amounts are in minor units.

`by` is a concierge's number in the owning group, None where a webhook or a timer asks.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from appservice.domain.fulfilment.sharing import Rule
from appservice.domain.ids import Number, OrderId
from appservice.domain.order import Units
from appservice.domain.pledger import Pledger


@dataclass(frozen=True, slots=True)
class Pay:
    """Money came for an order: a signed webhook says so, or a concierge with a note. `reference` is unique."""

    order_id: OrderId
    amount: int
    currency: str
    reference: str
    by: Number | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Reverse:
    """A payment was no payment (a slip, a chargeback): take it out of the books by an entry of its own."""

    payment: str
    reference: str
    by: Number | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Refund:
    """Money that was too much went back to the payer."""

    order_id: OrderId
    amount: int
    reference: str
    by: Number | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Remind:
    """Have whoever has not paid yet told once more."""

    order_id: OrderId


@dataclass(frozen=True, slots=True)
class Drop:
    """Take the units of an order that was not paid in time. A timer does not where some money came."""

    order_id: OrderId
    received_at: int
    by: Number | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """A member asks for units that become free, after all who wait already. `id` is fresh."""

    id: str
    pledger: Pledger
    units: int
    variant: str | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """Offer what is free to those who wait, in their order, until `answer_by` (ms).

    `again`: those too who declined before, or did not answer (the concierge's choice "waitlist").
    """

    answer_by: int
    received_at: int
    again: bool = False


@dataclass(frozen=True, slots=True)
class Accept:
    """A member takes what was offered. `order_id` and `line_id` are fresh; to be paid before `pay_by` (ms)."""

    id: str
    pledger: Pledger
    order_id: OrderId
    line_id: str
    pay_by: int
    received_at: int


@dataclass(frozen=True, slots=True)
class Decline:
    """A member does not take what was offered."""

    id: str
    pledger: Pledger


@dataclass(frozen=True, slots=True)
class Lapse:
    """End the offers that were not answered in time."""

    received_at: int


@dataclass(frozen=True, slots=True)
class Absorb:
    """The concierge goes on without the units that are short, at the same price for everyone."""

    by: Number
    note: str = ""


@dataclass(frozen=True, slots=True)
class HouseTake:
    """The house takes free units, visibly, at the price that everyone pays."""

    units: int
    by: Number
    variant: str | None = None


@dataclass(frozen=True, slots=True)
class Deliver:
    """A concierge enters what arrived, by variant; entering it again before handing out corrects it.

    `by_hand`: units by order and variant, for Rule.BY_HAND; orders that are left out get none.
    """

    arrived: Mapping[str, int]
    rule: Rule
    by: Number
    by_hand: Mapping[OrderId, Units] = field(default_factory=dict)
