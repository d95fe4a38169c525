"""A group buy: its terms, who pledged what, and how it ends.

`decide` gives the facts that a request leads to, or a refusal; `evolve` gives the buy after one fact. A pledge is in
time if it was journaled before the deadline, whatever the time at which it is handled.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from appservice.domain.clearing import Clearing, Tier, Tranche, clear
from appservice.domain.ids import BuyId, GroupId, Number, OrderId, ProductId
from appservice.domain.money import LARGEST_AMOUNT
from appservice.domain.refusal import Reason, Refusal, refuse

MOST_UNITS = 9_999
"""What one pledge may ask for; more is a slip of the finger."""
MOST_TIERS = 10


class Status(StrEnum):
    """Where a buy stands; forward only."""

    OPEN = "open"
    CLOSING = "closing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"

    @property
    def is_live(self) -> bool:
        """Tell whether pledges that came in time still count."""
        return self in (Status.OPEN, Status.CLOSING)


@dataclass(frozen=True, slots=True)
class Terms:
    """What is offered: `deadline_at` in ms; pledges journaled before it are in time."""

    currency: str
    tiers: tuple[Tier, ...]
    deadline_at: int
    pack: int = 1
    cap: int | None = None


@dataclass(frozen=True, slots=True)
class Pledged:
    """One dated tranche of a member's pledge. `position` is the arrival's place in the journal."""

    id: str
    number: Number
    quantity: int
    position: int
    flex: int = 0
    max_price: int | None = None

    def as_tranche(self) -> Tranche:
        return Tranche(self.id, self.quantity, self.flex, self.max_price)


@dataclass(frozen=True, slots=True)
class Order:
    """What one member owes: `unit_price` and `total` in minor units. `line_id` finds it in the published result."""

    id: OrderId
    line_id: str
    number: Number
    units: int
    unit_price: int
    total: int


@dataclass(frozen=True, slots=True)
class GroupBuy:
    """A group buy as the database has it. `pledged` is in pledge order; `announced` the deepest minimum told."""

    id: BuyId
    group_id: GroupId
    product_id: ProductId
    terms: Terms
    opened_by: Number
    opened_at: int
    status: Status = Status.OPEN
    announced: int = 0
    pledged: tuple[Pledged, ...] = ()

    def clearing(self) -> Clearing | None:
        """What the buy comes to as of now; provisional until it has closed."""
        tranches = [tranche.as_tranche() for tranche in self.pledged]
        return clear(self.terms.tiers, tranches, pack=self.terms.pack, cap=self.terms.cap)

    def tranches_of(self, number: Number) -> list[Pledged]:
        return [tranche for tranche in self.pledged if tranche.number == number]

    def units_of(self, number: Number) -> int:
        """Firm units that a member has pledged."""
        return sum(tranche.quantity for tranche in self.tranches_of(number))

    def numbers(self) -> list[Number]:
        """The members who have pledged, in pledge order."""
        return list(dict.fromkeys(tranche.number for tranche in self.pledged))


# Requests


@dataclass(frozen=True, slots=True)
class Add:
    """`+n`: add a dated tranche under the options that the member's pledge has."""

    number: Number
    units: int
    id: str
    position: int
    received_at: int


@dataclass(frozen=True, slots=True)
class Set:
    """`!pledge n`: set quantity, range and maximum of the member's whole pledge; units kept keep their date."""

    number: Number
    quantity: int
    flex: int
    max_price: int | None
    id: str
    position: int
    received_at: int


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Take a pledge back: all of it, or what is left of the units that one event added."""

    number: Number
    received_at: int
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Close:
    """A concierge ends the buy now: `received_at` becomes the deadline."""

    received_at: int


@dataclass(frozen=True, slots=True)
class Settle:
    """Deadline passed and everything journaled before it handled: clear. `ids` are fresh, two for each member."""

    ids: Sequence[str]


Request = Add | Set | Withdraw | Close | Settle


# Facts


@dataclass(frozen=True, slots=True)
class TrancheAdded:
    tranche: Pledged


@dataclass(frozen=True, slots=True)
class UnitsWithdrawn:
    id: str
    number: Number
    units: int


@dataclass(frozen=True, slots=True)
class OptionsChanged:
    """The member's maximum on every tranche, the flexible units on the oldest."""

    number: Number
    flex: int
    max_price: int | None


@dataclass(frozen=True, slots=True)
class TierReached:
    tier: Tier


@dataclass(frozen=True, slots=True)
class ClosingBegun:
    deadline_at: int


@dataclass(frozen=True, slots=True)
class Succeeded:
    clearing: Clearing
    orders: tuple[Order, ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """Not even the first tier was reached; nothing is owed."""


Fact = TrancheAdded | UnitsWithdrawn | OptionsChanged | TierReached | ClosingBegun | Succeeded | Failed


def check_terms(terms: Terms, now: int) -> Refusal | None:
    """Say what is wrong with the terms of a new buy, or None."""
    if not 1 <= len(terms.tiers) <= MOST_TIERS:
        return refuse(Reason.BAD_TIERS, why="count", most=MOST_TIERS)
    if any(not 1 <= tier.minimum <= MOST_UNITS for tier in terms.tiers):
        return refuse(Reason.BAD_TIERS, why="minimum", most=MOST_UNITS)
    if any(not 1 <= tier.unit_price <= LARGEST_AMOUNT // MOST_UNITS for tier in terms.tiers):
        return refuse(Reason.BAD_TIERS, why="price")
    for shallow, deep in zip(terms.tiers, terms.tiers[1:], strict=False):
        if deep.minimum <= shallow.minimum:
            return refuse(Reason.BAD_TIERS, why="minimums_rise", first=shallow, second=deep)
        if deep.unit_price >= shallow.unit_price:
            return refuse(Reason.BAD_TIERS, why="prices_fall", first=shallow, second=deep)
    if not 1 <= terms.pack <= MOST_UNITS or (terms.cap is not None and not 1 <= terms.cap <= 10**6):
        return refuse(Reason.BAD_TIERS, why="pack_or_cap")
    if terms.cap is not None and terms.cap // terms.pack * terms.pack < terms.tiers[-1].minimum:
        return refuse(Reason.BAD_TIERS, why="cap_below_tier", cap=terms.cap, pack=terms.pack)
    if terms.deadline_at <= now:
        return refuse(Reason.BAD_DEADLINE, why="past")
    return None


def decide(buy: GroupBuy, request: Request) -> list[Fact] | Refusal:
    """Give the facts that follow from a request, or why nothing does."""
    match request:
        case Add() | Set() | Withdraw():
            return _decide_pledge(buy, request)
        case Close(received_at):
            if buy.status is not Status.OPEN:
                return refuse(Reason.NOT_OPEN)
            return [ClosingBegun(min(received_at, buy.terms.deadline_at))]
        case Settle(ids):
            return _settle(buy, ids) if buy.status.is_live else refuse(Reason.NOT_OPEN)


def _decide_pledge(buy: GroupBuy, request: Add | Set | Withdraw) -> list[Fact] | Refusal:
    if not buy.status.is_live or request.received_at >= buy.terms.deadline_at:
        return refuse(Reason.TOO_LATE)
    facts = _pledge_facts(buy, request)
    if isinstance(facts, Refusal):
        return facts
    after = buy
    for fact in facts:
        after = evolve(after, fact)
    clearing = after.clearing()
    if clearing is not None and clearing.minimum > buy.announced:
        facts.append(TierReached(Tier(clearing.minimum, clearing.unit_price)))
    return facts


def _pledge_facts(buy: GroupBuy, request: Add | Set | Withdraw) -> list[Fact] | Refusal:
    mine = buy.tranches_of(request.number)
    have = sum(tranche.quantity for tranche in mine)
    match request:
        case Add(number, units, id, position):
            flexible = sum(tranche.flex for tranche in mine)
            if not units >= 1 or have + units + flexible > MOST_UNITS:
                return refuse(Reason.BAD_QUANTITY, most=MOST_UNITS)
            max_price = mine[0].max_price if mine else None
            return [TrancheAdded(Pledged(id, number, units, position, 0, max_price))]
        case Set(number, quantity, flex, max_price, id, position):
            if not quantity >= 1 or flex < 0 or quantity + flex > MOST_UNITS:
                return refuse(Reason.BAD_QUANTITY, most=MOST_UNITS)
            facts: list[Fact] = [*_shrink(mine, have - quantity)]
            if quantity > have:
                facts.append(TrancheAdded(Pledged(id, number, quantity - have, position)))
            return [*facts, OptionsChanged(number, flex, max_price)]
        case Withdraw(number, _, None):
            return [*_shrink(mine, have)] or refuse(Reason.NOTHING_PLEDGED)
        case Withdraw(number, _, id):
            left = [tranche for tranche in mine if tranche.id == id]
            return [*_shrink(left, have)] or refuse(Reason.NOTHING_PLEDGED)


def _shrink(tranches: Sequence[Pledged], units: int) -> Iterator[UnitsWithdrawn]:
    """Take units away, the newest tranche first."""
    for tranche in reversed(tranches):
        taken = min(tranche.quantity, units)
        if taken > 0:
            yield UnitsWithdrawn(tranche.id, tranche.number, taken)
            units -= taken


def _settle(buy: GroupBuy, ids: Sequence[str]) -> list[Fact]:
    clearing = buy.clearing()
    if clearing is None:
        return [Failed()]
    fresh = iter(ids)
    orders = tuple(
        Order(OrderId(next(fresh)), next(fresh), number, units, clearing.unit_price, units * clearing.unit_price)
        for number, units in units_by_number(buy, clearing).items()
        if units > 0
    )
    return [Succeeded(clearing, orders)]


def units_by_number(buy: GroupBuy, clearing: Clearing) -> Mapping[Number, int]:
    """Sum the units that are in by member, in pledge order; 0 for those who are not in."""
    units = dict.fromkeys(buy.numbers(), 0)
    for tranche in buy.pledged:
        units[tranche.number] += clearing.units.get(tranche.id, 0)
    return units


def is_waiting(buy: GroupBuy, number: Number, tranche_id: str | None = None) -> bool:
    """Tell whether firm units of a member (or of one tranche) have no place as of now: beyond the cap, cut to the
    pack, or the price not yet at their maximum."""
    tranches = [t for t in buy.tranches_of(number) if tranche_id in (None, t.id)]
    clearing = buy.clearing()
    if clearing is None:
        first_price = buy.terms.tiers[0].unit_price
        return any(not t.as_tranche().allows(first_price) for t in tranches)
    return any(clearing.units.get(t.id, 0) < t.quantity for t in tranches)


def evolve(buy: GroupBuy, fact: Fact) -> GroupBuy:
    """Give the buy after one fact."""
    match fact:
        case TrancheAdded(tranche):
            pledged = sorted((*buy.pledged, tranche), key=lambda t: (t.position, t.id))
            return replace(buy, pledged=tuple(pledged))
        case UnitsWithdrawn(id, _, units):
            shrunk = (replace(t, quantity=t.quantity - units) if t.id == id else t for t in buy.pledged)
            return replace(buy, pledged=tuple(t for t in shrunk if t.quantity > 0))
        case OptionsChanged(number, flex, max_price):
            return replace(buy, pledged=tuple(_with_options(buy.pledged, number, flex, max_price)))
        case TierReached(tier):
            return replace(buy, announced=tier.minimum)
        case ClosingBegun(deadline_at):
            return replace(buy, status=Status.CLOSING, terms=replace(buy.terms, deadline_at=deadline_at))
        case Succeeded():
            return replace(buy, status=Status.SUCCEEDED)
        case Failed():
            return replace(buy, status=Status.FAILED)


def _with_options(pledged: Sequence[Pledged], number: Number, flex: int, max_price: int | None) -> Iterator[Pledged]:
    for tranche in pledged:
        if tranche.number != number:
            yield tranche
        else:
            yield replace(tranche, flex=flex, max_price=max_price)
            flex = 0
