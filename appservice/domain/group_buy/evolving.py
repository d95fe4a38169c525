"""The state is what the facts say: nothing else changes a group buy."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import assert_never

from appservice.domain.group_buy.fact import (
    Cancelled,
    ClosingBegun,
    Confirmed,
    Extended,
    Fact,
    Failed,
    GraceGiven,
    Opened,
    OptionsChanged,
    Pledging,
    Scheduled,
    Shortened,
    StatusChanged,
    Succeeded,
    TermsImproved,
    TierReached,
    TrancheAdded,
    UnitsWithdrawn,
)
from appservice.domain.group_buy.state import GroupBuy, Pledged
from appservice.domain.group_buy.status import Status
from appservice.domain.group_buy.terms import Terms


def evolve(buy: GroupBuy, fact: Fact) -> GroupBuy:
    """Give the buy after one fact."""
    match fact:
        case TrancheAdded() | UnitsWithdrawn() | OptionsChanged() | Confirmed():
            return replace(buy, pledged=_pledged(buy.pledged, fact), frozen=True)
        case TierReached(tier):
            return replace(buy, announced=tier.minimum)
        case Scheduled():
            return replace(buy, status=Status.SCHEDULED)
        case Opened(opens_at):
            terms = replace(buy.terms, opens_at=opens_at)
            return replace(buy, status=Status.OPEN, terms=terms, opened_at=opens_at)
        case TermsImproved(terms):
            return replace(buy, terms=terms, announced=_still_announced(buy, terms))
        case Extended(deadline_at):
            pledged = tuple(replace(t, suspended=t.max_price is not None) for t in buy.pledged)
            return _until(replace(buy, pledged=pledged), deadline_at)
        case Shortened(deadline_at) | GraceGiven(deadline_at):
            return _until(buy, deadline_at)
        case ClosingBegun(deadline_at):
            return replace(_until(buy, deadline_at), status=Status.CLOSING)
        case Succeeded():
            return replace(buy, status=Status.SUCCEEDED)
        case Failed():
            return replace(buy, status=Status.FAILED)
        case StatusChanged(status):
            return replace(buy, status=status)
        case Cancelled():
            return replace(buy, status=Status.CANCELLED)
        case _:
            assert_never(fact)


def _pledged(pledged: Sequence[Pledged], fact: Pledging) -> tuple[Pledged, ...]:
    match fact:
        case TrancheAdded(tranche):
            return tuple(sorted((*pledged, tranche), key=lambda t: (t.position, t.id)))
        case UnitsWithdrawn(id, _, units):
            return tuple(_without(pledged, id, units))
        case OptionsChanged():
            return tuple(_with_options(pledged, fact))
        case Confirmed(pledger):
            return tuple(replace(t, suspended=False) if t.pledger == pledger else t for t in pledged)
        case _:
            assert_never(fact)


def _with_options(pledged: Sequence[Pledged], fact: OptionsChanged) -> Iterator[Pledged]:
    flex = fact.flex
    for tranche in pledged:
        if tranche.pledger != fact.pledger:
            yield tranche
        elif tranche.variant == fact.variant:
            yield replace(tranche, flex=flex, max_price=fact.max_price)
            flex = 0
        else:
            yield replace(tranche, flex=0, max_price=fact.max_price)


def _without(pledged: Sequence[Pledged], id: str, units: int) -> Iterator[Pledged]:
    """Take units off a tranche. What is flexible of one that ends passes on to the oldest of the same variant that its
    owner still has."""
    gone = next((t for t in pledged if t.id == id and t.quantity <= units), None)
    flex = gone.flex if gone is not None else 0
    for tranche in pledged:
        if gone is not None and tranche.id == id:
            continue
        if tranche.id == id:
            yield replace(tranche, quantity=tranche.quantity - units)
        elif gone is not None and flex and (tranche.pledger, tranche.variant) == (gone.pledger, gone.variant):
            yield replace(tranche, flex=flex)
            flex = 0
        else:
            yield tranche


def _until(buy: GroupBuy, deadline_at: int) -> GroupBuy:
    return replace(buy, terms=replace(buy.terms, deadline_at=deadline_at))


def _still_announced(buy: GroupBuy, terms: Terms) -> int:
    """Give the deepest new tier that is no better than what was told: a better one is news again."""
    told = buy.terms.price_at(buy.announced)
    return max((tier.minimum for tier in terms.tiers if told is not None and tier.unit_price >= told), default=0)
