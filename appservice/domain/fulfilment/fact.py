"""What has happened to the orders of a buy. Amounts are in minor units."""

from dataclasses import dataclass

from appservice.domain.fulfilment.sharing import Rule
from appservice.domain.fulfilment.state import Payment, Waiting
from appservice.domain.group_buy.fact import Cancelled, StatusChanged
from appservice.domain.ids import Number, OrderId
from appservice.domain.order import Order, Units


@dataclass(frozen=True, slots=True)
class PaymentRecorded:
    """Money came; that the order is paid is another fact, which follows only where the sum is right."""

    payment: Payment
    by: Number | None
    note: str


@dataclass(frozen=True, slots=True)
class PaymentReversed:
    """`payment` has the opposite amount of the one that it reverses."""

    payment: Payment
    by: Number | None
    note: str


@dataclass(frozen=True, slots=True)
class Refunded:
    """`payment` has an amount below 0."""

    payment: Payment
    by: Number | None
    note: str


@dataclass(frozen=True, slots=True)
class OrderPaid:
    """Just what was owed has come."""

    order_id: OrderId


@dataclass(frozen=True, slots=True)
class Reminded:
    order_id: OrderId


@dataclass(frozen=True, slots=True)
class Dropped:
    """`to_house`: the supplier had the order already, so the units stay with the house."""

    order_id: OrderId
    to_house: bool
    by: Number | None


@dataclass(frozen=True, slots=True)
class OrderCancelled:
    """The buy was called off: nothing is owed, what was paid goes back."""

    order_id: OrderId


@dataclass(frozen=True, slots=True)
class WaitingAdded:
    waiting: Waiting


@dataclass(frozen=True, slots=True)
class Offered:
    """`units` are kept for the one who waits until `answer_by` (ms)."""

    id: str
    units: int
    answer_by: int


@dataclass(frozen=True, slots=True)
class Taken:
    """An offer was accepted: a new order at the same price."""

    id: str
    order: Order


@dataclass(frozen=True, slots=True)
class Declined:
    id: str


@dataclass(frozen=True, slots=True)
class Lapsed:
    id: str


@dataclass(frozen=True, slots=True)
class AtRisk:
    """`units` are short of the minimum or of a full pack, and nobody is left to be asked: a concierge decides."""

    units: int


@dataclass(frozen=True, slots=True)
class RiskEnded:
    """Nothing is short any more, or somebody is being asked again."""


@dataclass(frozen=True, slots=True)
class Absorbed:
    units: int
    by: Number
    note: str


@dataclass(frozen=True, slots=True)
class HouseTook:
    units: Units
    by: Number


@dataclass(frozen=True, slots=True)
class Delivered:
    """What arrived was entered; `house` is what is left for the house."""

    arrived: Units
    rule: Rule
    house: Units
    by: Number


@dataclass(frozen=True, slots=True)
class OrderArrived:
    """What one order gets of a short delivery, and what it costs now."""

    order_id: OrderId
    arrived: Units
    tax: int
    total: int


Fact = (
    PaymentRecorded
    | PaymentReversed
    | Refunded
    | OrderPaid
    | Reminded
    | Dropped
    | OrderCancelled
    | WaitingAdded
    | Offered
    | Taken
    | Declined
    | Lapsed
    | AtRisk
    | RiskEnded
    | Absorbed
    | HouseTook
    | Delivered
    | OrderArrived
    | StatusChanged
    | Cancelled
)
