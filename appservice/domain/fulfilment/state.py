"""Orders and all that is known about them, and the units that nobody has."""

from dataclasses import dataclass

from appservice.domain.group_buy.fact import Succeeded
from appservice.domain.group_buy.state import GroupBuy, waiting_by_pledger
from appservice.domain.group_buy.status import Status
from appservice.domain.group_buy.terms import Terms
from appservice.domain.ids import BuyId, OrderId
from appservice.domain.order import Order, Units, count
from appservice.domain.pledger import Pledger


@dataclass(frozen=True, slots=True)
class Payment:
    """Money that came for an order (`amount` above 0, minor units) or went back (below 0); kept for ever.

    `reference` is unique within the buy. `reverses` names the payment that this one takes out of the books.
    """

    reference: str
    order_id: OrderId
    amount: int
    reverses: str | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Units of one member that found no place.

    `offered` of them are theirs if they accept before `answer_by` (ms); 0 where nothing is offered. `passed`: they
    declined or let an offer lapse, and are asked again only when a concierge wants it.
    """

    id: str
    pledger: Pledger
    variant: str
    units: int
    offered: int = 0
    answer_by: int = 0
    passed: bool = False


@dataclass(frozen=True, slots=True)
class Fulfilment:
    """A cleared buy. `orders` in pledge order, later ones at the end; `waiting` in the order in which they are asked.

    `total` units were cleared at `unit_price` (minor units), reached with the tier's `minimum`. The `house` (whoever
    runs the shop) has taken units visibly, of which `house_arrived` came (None: all); `absorbed` units are those that
    the concierge goes on without. `at_risk` is how many units short the desk was last told, 0 for none.
    """

    buy_id: BuyId
    terms: Terms
    status: Status
    unit_price: int
    total: int
    minimum: int
    orders: tuple[Order, ...]
    waiting: tuple[Waiting, ...] = ()
    payments: tuple[Payment, ...] = ()
    house: Units = ()
    house_arrived: Units | None = None
    absorbed: int = 0
    at_risk: int = 0

    def order(self, order_id: OrderId) -> Order | None:
        """Give an order by its id."""
        return next((order for order in self.orders if order.id == order_id), None)

    def live_orders(self) -> list[Order]:
        """The orders that have neither been dropped nor cancelled."""
        return [order for order in self.orders if order.status.is_live]

    def received(self, order_id: OrderId) -> int:
        """What was paid for an order less what went back, in minor units."""
        return sum(payment.amount for payment in self.payments if payment.order_id == order_id)

    def due(self, order: Order) -> int:
        """What an order still owes, in minor units; below 0 what is to be refunded."""
        return (order.total if order.status.is_live else 0) - self.received(order.id)

    def house_units(self) -> Units:
        """The units that the house gets."""
        return self.house if self.house_arrived is None else self.house_arrived

    def house_shared(self) -> int:
        """The part of the shared cost that no live order bears, and the house therefore does."""
        if self.status is Status.CANCELLED:
            return 0
        return self.terms.shared_cost - sum(order.shared_due for order in self.live_orders())

    def spoken_for(self) -> int:
        """Units of live orders and of the house: what would be ordered from the supplier now."""
        return sum(order.units for order in self.live_orders()) + count(self.house_units())

    def free(self) -> int:
        """Cleared units that nobody has, and that are offered to nobody; none once the supplier has the order."""
        if self.status is not Status.COLLECTING:
            return 0
        offered = sum(waiting.offered for waiting in self.waiting)
        return max(0, self.total - self.absorbed - self.spoken_for() - offered)

    def short(self) -> int:
        """Units missing to the minimum and to a full pack, less those that the concierge goes on without."""
        if self.status is not Status.COLLECTING:
            return 0
        pack, units = self.terms.pack, self.spoken_for()
        return max(0, -(-max(units, self.minimum) // pack) * pack - units - self.absorbed)

    def can_fill(self) -> bool:
        """Tell whether somebody may still take what is free."""
        return any(waiting.offered or not waiting.passed for waiting in self.waiting)


def begin(buy: GroupBuy, fact: Succeeded) -> Fulfilment:
    """Give the state after a buy's success; `buy` with all that was pledged, at any time after closing."""
    clearing = fact.clearing
    waiting = [
        Waiting(f"w{place}", pledger, variant, units)
        for place, (pledger, variant, units) in enumerate(
            (pledger, variant, units)
            for pledger, parcel in waiting_by_pledger(buy, clearing).items()
            for variant, units in parcel
        )
    ]
    return Fulfilment(
        buy.id, buy.terms, Status.COLLECTING, clearing.unit_price, clearing.total, clearing.minimum, fact.orders,
        tuple(waiting),
    )  # fmt: skip
