"""A group buy as the database has it, and what it comes to as of now."""

from collections.abc import Mapping
from dataclasses import dataclass

from appservice.domain.clearing import Clearing, Tranche, clear
from appservice.domain.group_buy.status import Status
from appservice.domain.group_buy.terms import Terms
from appservice.domain.ids import BuyId, GroupId, Number, ProductId
from appservice.domain.order import Units, as_units, sum_by
from appservice.domain.pledger import Pledger


@dataclass(frozen=True, slots=True)
class Pledged:
    """One dated tranche of a member's pledge.

    `position` is the arrival's place in the journal; `max_price` in minor units. `variant` is "" where the buy has
    none. While `suspended` (the deadline was moved, and its owner has not agreed yet) it takes no part in the clearing.
    """

    id: str
    pledger: Pledger
    quantity: int
    position: int
    flex: int = 0
    max_price: int | None = None
    variant: str = ""
    suspended: bool = False

    def as_tranche(self) -> Tranche:
        return Tranche(self.id, self.quantity, self.flex, self.max_price)


@dataclass(frozen=True, slots=True)
class GroupBuy:
    """A group buy. `pledged` is in pledge order; `announced` the deepest minimum told; `opened_by` a concierge of the
    owning group `group_id`, `opened_at` (ms) when it was drawn up, and once it is open, when it opened.

    `frozen` since the first pledge, also where all have withdrawn: terms may only improve.
    """

    id: BuyId
    group_id: GroupId
    product_id: ProductId
    terms: Terms
    opened_by: Number
    opened_at: int
    status: Status = Status.OPEN
    announced: int = 0
    pledged: tuple[Pledged, ...] = ()
    frozen: bool = False

    def active(self) -> list[Pledged]:
        """The tranches that take part in the clearing, in pledge order."""
        return [tranche for tranche in self.pledged if not tranche.suspended]

    def clearing(self) -> Clearing | None:
        """What the buy comes to as of now; provisional until it has closed."""
        tranches = [tranche.as_tranche() for tranche in self.active()]
        return clear(self.terms.tiers, tranches, pack=self.terms.pack, cap=self.terms.cap)

    def tranches_of(self, pledger: Pledger) -> list[Pledged]:
        return [tranche for tranche in self.pledged if tranche.pledger == pledger]

    def units_of(self, pledger: Pledger) -> int:
        """Firm units that a member has pledged."""
        return sum(tranche.quantity for tranche in self.tranches_of(pledger))

    def pledgers(self) -> list[Pledger]:
        """The members who have pledged, in pledge order."""
        return list(dict.fromkeys(tranche.pledger for tranche in self.pledged))

    def suspended(self) -> list[Pledger]:
        """The members whose pledge waits for their word on a new deadline."""
        return list(dict.fromkeys(tranche.pledger for tranche in self.pledged if tranche.suspended))


def units_by_pledger(buy: GroupBuy, clearing: Clearing) -> Mapping[Pledger, Units]:
    """Sum the units that are in by member and variant, in pledge order; `()` for those who are not in."""
    return _by_pledger(buy, clearing.units)


def waiting_by_pledger(buy: GroupBuy, clearing: Clearing) -> Mapping[Pledger, Units]:
    """Sum the units that were cut by member and variant, in pledge order; `()` for those who lost none.

    Who set a maximum below the price does not wait: they said that they do not want it at that price.
    """
    return _by_pledger(buy, clearing.cut)


def _by_pledger(buy: GroupBuy, counts: Mapping[str, int]) -> Mapping[Pledger, Units]:
    return {
        pledger: as_units(sum_by((t.variant, counts.get(t.id, 0)) for t in buy.tranches_of(pledger)))
        for pledger in buy.pledgers()
    }


def is_waiting(buy: GroupBuy, pledger: Pledger, tranche_id: str | None = None) -> bool:
    """Tell whether firm units of a member (or of one tranche) have no place as of now: beyond the cap, cut to the
    pack, the price not yet at their maximum, or suspended."""
    tranches = [t for t in buy.tranches_of(pledger) if tranche_id in (None, t.id)]
    clearing = buy.clearing()
    if clearing is None:
        first_price = buy.terms.tiers[0].unit_price
        return any(t.suspended or not t.as_tranche().allows(first_price) for t in tranches)
    return any(clearing.units.get(t.id, 0) < t.quantity for t in tranches)
