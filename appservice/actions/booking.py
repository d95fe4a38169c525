"""What the ledger says of each thing that has happened to a group buy: enough to make its state anew."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from appservice.actions.work import Work
from appservice.domain import fulfilment as after
from appservice.domain import group_buy as buying
from appservice.domain.account import book, charge
from appservice.domain.group_buy import GroupBuy, Pledger
from appservice.domain.ids import Number
from appservice.store.ledger import Entry

NAMES: Mapping[type, str] = {
    buying.TrancheAdded: "pledged",
    buying.UnitsWithdrawn: "withdrawn",
    buying.OptionsChanged: "options",
    buying.Confirmed: "confirmed",
    buying.TierReached: "tier_reached",
    buying.Scheduled: "scheduled",
    buying.Opened: "opened",
    buying.TermsImproved: "improved",
    buying.Extended: "extended",
    buying.Shortened: "shortened",
    buying.GraceGiven: "grace",
    buying.ClosingBegun: "closing",
    buying.Succeeded: "succeeded",
    buying.Failed: "failed",
    buying.StatusChanged: "advanced",
    buying.Cancelled: "cancelled",
    after.PaymentRecorded: "payment",
    after.PaymentReversed: "payment_reversed",
    after.Refunded: "refund",
    after.OrderPaid: "paid",
    after.Reminded: "reminded",
    after.Dropped: "dropped",
    after.OrderCancelled: "order_cancelled",
    after.WaitingAdded: "waits",
    after.Offered: "offered",
    after.Taken: "taken",
    after.Declined: "declined",
    after.Lapsed: "lapsed",
    after.AtRisk: "at_risk",
    after.RiskEnded: "risk_ended",
    after.Absorbed: "absorbed",
    after.HouseTook: "house_took",
    after.Delivered: "delivered",
    after.OrderArrived: "order_arrived",
}
"""How the ledger calls each fact; never changed, since lines are kept for ever."""


_NO_CONCIERGES = (
    buying.TrancheAdded, buying.UnitsWithdrawn, buying.OptionsChanged, buying.Confirmed, buying.TierReached,
    after.WaitingAdded, after.Taken, after.Declined, after.OrderPaid, after.AtRisk, after.RiskEnded,
)  # fmt: skip
"""Deeds of the member whose line it is, and what follows by itself. An actor is a concierge of the buy's own group: a
line may be about a member of another, who can have the same number."""


def drafted(work: Work, buy: GroupBuy) -> Entry:
    """Give the line with which a buy begins."""
    detail = {"product": buy.product_id, "terms": asdict(buy.terms), "at": buy.opened_at}
    return _line(work, buy, "drafted", actor=buy.opened_by, detail=detail)


def of_pledging(work: Work, buy: GroupBuy, fact: buying.Fact, actor: Number | None) -> Iterator[Entry]:
    """Give the lines of what happened to a buy, in the state after it."""
    units, pledger = 0, getattr(fact, "pledger", None)
    actor = None if isinstance(fact, _NO_CONCIERGES) else actor
    match fact:
        case buying.TrancheAdded(tranche):
            units, pledger = tranche.quantity, tranche.pledger
        case buying.UnitsWithdrawn(_, _, taken):
            units = -taken
        case buying.Succeeded(clearing, orders):
            yield _line(work, buy, NAMES[type(fact)], actor=actor, detail=asdict(clearing))
            for order, booking in zip(orders, charge(orders), strict=True):
                yield _line(
                    work, buy, "order", order.pledger, order.units, booking.amount, actor, {"order": asdict(order)}
                )
            return
        case _:
            pass
    yield _line(work, buy, NAMES[type(fact)], pledger, units, 0, actor, _detail(fact))


def of_settling(
    work: Work, buy: GroupBuy, before: after.Fulfilment, fact: after.Fact, actor: Number | None
) -> Iterator[Entry]:
    """Give the lines of what happened to the orders of a buy, in the state before it; their amounts are what each
    account is charged and credited."""
    actor = None if isinstance(fact, _NO_CONCIERGES) else actor
    state = after.evolve(before, fact)
    bookings = book(before, fact)
    pledger = next(_concerned(before, fact), None)  # a fact is about one member at most
    amount = sum(booking.amount for booking in bookings if booking.pledger is not None)
    units = _units(state, pledger) - _units(before, pledger) if pledger else 0
    yield _line(work, buy, NAMES[type(fact)], pledger, units, amount, actor, _detail(fact))
    for booking in bookings:
        if booking.pledger is None:
            yield _line(work, buy, "house", amount=booking.amount, actor=actor, detail={"kind": booking.kind.value})


def _concerned(state: after.Fulfilment, fact: after.Fact) -> Iterator[Pledger]:
    payment = getattr(fact, "payment", fact)
    order = state.order(payment.order_id) if hasattr(payment, "order_id") else None
    if order is not None:
        yield order.pledger
    match fact:
        case after.Taken(_, taken):
            yield taken.pledger
        case after.WaitingAdded(waiting):
            yield waiting.pledger
        case after.Offered(id) | after.Declined(id) | after.Lapsed(id):
            yield from (waiting.pledger for waiting in state.waiting if waiting.id == id)
        case _:
            pass


def _units(state: after.Fulfilment, pledger: Pledger) -> int:
    return sum(order.units for order in state.live_orders() if order.pledger == pledger)


def _detail(fact: object) -> dict[str, Any]:
    """Give all that a fact says, but for who did it: that is the line's own."""
    return {name: value for name, value in asdict(fact).items() if name != "by"}  # type: ignore[call-overload]


def _line(
    work: Work, buy: GroupBuy, name: str, pledger: Pledger | None = None, units: int = 0, amount: int = 0,
    actor: Number | None = None, detail: Mapping[str, Any] | None = None,
) -> Entry:  # fmt: skip
    return Entry(
        pledger.group_id if pledger else buy.group_id, name, buy.id, pledger.number if pledger else None, units,
        amount, buy.terms.currency, detail or {}, actor, work.cause.id, work.unit.now,
    )  # fmt: skip
