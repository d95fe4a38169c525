"""What follows from a member's adding, setting, withdrawing or confirming."""

from collections.abc import Iterator, Sequence

from appservice.domain.group_buy.fact import Confirmed, Fact, OptionsChanged, TrancheAdded, UnitsWithdrawn
from appservice.domain.group_buy.request import Add, Confirm, Set, Withdraw
from appservice.domain.group_buy.state import GroupBuy, Pledged
from appservice.domain.group_buy.terms import MOST_UNITS
from appservice.domain.refusal import Reason, Refusal, refuse


def decide_pledge(buy: GroupBuy, request: Add | Set | Withdraw | Confirm) -> list[Fact] | Refusal:
    """Give the facts of a pledge, tiers that it reaches left aside, or why there are none."""
    refusal = check_time(buy, request.received_at)
    if refusal is not None:
        return refusal
    mine = buy.tranches_of(request.pledger)
    match request:
        case Add():
            return _add(buy, mine, request)
        case Set():
            return _set(buy, mine, request)
        case Withdraw(id=id):
            # Never refused for what is left: a removed message is gone, whatever the least may be.
            left = [tranche for tranche in mine if id in (None, tranche.id)]
            return [*_shrink(left, buy.units_of(request.pledger))] or refuse(Reason.NOTHING_PLEDGED)
        case Confirm():
            return [*_confirm(mine)] or refuse(Reason.NOTHING_SUSPENDED)


def check_time(buy: GroupBuy, received_at: int) -> Refusal | None:
    """Say why a pledge journaled then does not count, or None."""
    opens_at = buy.terms.opens_at
    if buy.status.is_planned or (buy.status.is_live and opens_at is not None and received_at < opens_at):
        return refuse(Reason.NOT_YET_OPEN, opens_at=opens_at)
    if not buy.status.is_live or received_at >= buy.terms.deadline_at:
        return refuse(Reason.TOO_LATE)
    return None


def _add(buy: GroupBuy, mine: Sequence[Pledged], request: Add) -> list[Fact] | Refusal:
    variant = _variant(buy, mine, request.variant)
    if isinstance(variant, Refusal):
        return variant
    if not request.units >= 1:
        return refuse(Reason.BAD_QUANTITY, most=MOST_UNITS)
    firm = sum(tranche.quantity for tranche in mine) + request.units
    refusal = buy.terms.check_units(firm, sum(tranche.flex for tranche in mine))
    if refusal is not None:
        return refusal
    max_price = mine[0].max_price if mine else None
    added = Pledged(request.id, request.pledger, request.units, request.position, 0, max_price, variant)
    return [*_confirm(mine), TrancheAdded(added)]


def _set(buy: GroupBuy, mine: Sequence[Pledged], request: Set) -> list[Fact] | Refusal:
    variant = _variant(buy, mine, request.variant)
    if isinstance(variant, Refusal):
        return variant
    those = [tranche for tranche in mine if tranche.variant == variant]
    have = sum(tranche.quantity for tranche in those)
    others = sum(tranche.quantity for tranche in mine) - have
    if not request.quantity >= (0 if others and have else 1):
        return refuse(Reason.BAD_QUANTITY, most=MOST_UNITS)
    refusal = buy.terms.check_units(others + request.quantity, request.flex)
    if refusal is not None:
        return refusal
    facts: list[Fact] = [*_confirm(mine), *_shrink(those, have - request.quantity)]
    if request.quantity > have:
        more = Pledged(request.id, request.pledger, request.quantity - have, request.position, variant=variant)
        facts.append(TrancheAdded(more))
    return [*facts, OptionsChanged(request.pledger, request.flex, request.max_price, variant)]


def _variant(buy: GroupBuy, mine: Sequence[Pledged], label: str | None) -> str | Refusal:
    """Give the variant meant: the one named, or without a name the only one that the member has pledged."""
    have = {tranche.variant for tranche in mine}
    if label is None and len(have) == 1:
        return have.pop()
    return buy.terms.variant(label)


def _confirm(mine: Sequence[Pledged]) -> Iterator[Confirmed]:
    """Who sets or adds units knows the new deadline, and so agrees to it."""
    if any(tranche.suspended for tranche in mine):
        yield Confirmed(mine[0].pledger)


def _shrink(tranches: Sequence[Pledged], units: int) -> Iterator[UnitsWithdrawn]:
    """Take units away, the newest tranche first."""
    for tranche in reversed(tranches):
        taken = min(tranche.quantity, units)
        if taken > 0:
            yield UnitsWithdrawn(tranche.id, tranche.pledger, taken)
            units -= taken
