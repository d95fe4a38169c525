"""Pledging and withdrawing."""

from dataclasses import replace

from appservice.actions import booking
from appservice.actions.buys import opened_by_now
from appservice.actions.recording import record
from appservice.actions.work import Work
from appservice.domain import group_buy
from appservice.domain.cause import Place
from appservice.domain.effect import Redact, Tell
from appservice.domain.group_buy import Add, Confirm, GroupBuy, OptionsChanged, Pledger, Set, Withdraw
from appservice.domain.ids import BuyId, UserId
from appservice.domain.member import Member
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.present.acknowledge import acknowledge
from appservice.present.text import notice
from appservice.present.words.refusals import refusal as sentence
from appservice.wire.pledge import MoreUnits, WholePledge

_OPTIONS = booking.NAMES[OptionsChanged]


def pledger_of(member: Member) -> Pledger:
    """Give who a member is in a group buy. Raises LookupError for somebody who has never joined."""
    if member.number is None:
        raise LookupError("who has joined has a number")
    return Pledger(member.group_id, member.number)


def request_for(work: Work, member: Member, wish: MoreUnits | WholePledge) -> Add | Set | Withdraw:
    """Give what a member asks for by what they wrote."""
    cause, own = work.cause, pledger_of(member)
    match wish:
        case MoreUnits(units, variant):
            return Add(own, units, cause.id, cause.position, cause.received_at, variant)
        case WholePledge(0, _, _, None):
            return Withdraw(own, cause.received_at)
        case WholePledge(quantity, flex, max_price, variant):
            return Set(own, quantity, flex, max_price, cause.id, cause.position, cause.received_at, variant)


def takes_back(wish: MoreUnits | WholePledge) -> bool:
    """Tell whether somebody wants nothing, which who has left the group may as well."""
    return isinstance(wish, WholePledge) and wish.quantity == 0


async def removed_as_private(work: Work) -> bool:
    """Remove what would show a pledge in the room of a group where one pledges by direct message, and say so to its
    author; tells whether it was so."""
    cause = work.cause
    if cause.place is not Place.GROUP:
        return False
    room = await work.unit.rooms.get(cause.room_id)
    group = await work.unit.groups.get(room.subject) if room else None
    if group is None or not group.private_pledges:
        return False
    line = sentence(refuse(Reason.PLEDGES_PRIVATE, group=group.name))
    await work.owe(Redact(cause.room_id, cause.event_id), Tell(cause.sender, notice(line)))
    return True


async def pledge(work: Work, buy_id: BuyId, request: Add | Set | Withdraw | Confirm) -> GroupBuy | None:
    """Add, change, withdraw or confirm what a member takes in an open group buy; gives the buy afterwards, or None
    where that was refused."""
    before = await opened_by_now(work, await work.unit.buys.lock(buy_id))
    known = await _own_pledger(work, before, work.cause.sender)
    if known is not None:
        request = replace(request, pledger=known)
    outcome = group_buy.decide(before, request)
    after = await record(work, before, outcome, request.pledger.number)
    if isinstance(outcome, Refusal):
        return None
    own = request.id if isinstance(request, Add) else None
    await work.owe(*acknowledge(work.cause, waiting=group_buy.is_waiting(after, request.pledger, own)))
    return after


async def _own_pledger(work: Work, buy: GroupBuy, user_id: UserId) -> Pledger | None:
    """Give as whom a person takes part already: who is in several of a buy's groups has one pledge all the same."""
    for group_id in await work.unit.buys.groups_of(buy):
        member = await work.unit.groups.member(group_id, user_id)
        if member is not None and member.number is not None and buy.tranches_of(pledger_of(member)):
            return pledger_of(member)
    return None


async def taken_back(work: Work, event_id: str) -> None:
    """Withdraw what an event added when its author has redacted it; nobody else's redaction counts."""
    buy_id = await work.unit.buys.pledged_by_event(event_id) or await _ranged_by_event(work, event_id)
    if buy_id is None:
        return
    before = await work.unit.buys.lock(buy_id)
    own = await _own_pledger(work, before, work.cause.sender)
    if own is None:
        return
    if await _ranged_by_event(work, event_id) and await _set_the_range(work, before, own, event_id):
        before = await _without_range(work, before, own)
    tranche = next((tranche for tranche in before.pledged if tranche.id == event_id), None)
    if tranche is not None and tranche.pledger == own:
        request = Withdraw(own, work.cause.received_at, id=event_id)
        await record(work, before, group_buy.decide(before, request), own.number)


async def _ranged_by_event(work: Work, event_id: str) -> BuyId | None:
    """Give the buy in which an event set what its author would take beyond what they want."""
    lines = [entry for entry in await work.unit.ledger.of_cause(event_id) if entry.fact == _OPTIONS]
    return BuyId(lines[0].buy_id) if lines and lines[0].buy_id else None


async def _set_the_range(work: Work, buy: GroupBuy, own: Pledger, event_id: str) -> bool:
    """Tell whether it was this event that set a member's range last."""
    lines = await work.unit.ledger.of_buy(buy.id)
    mine = [e for e in lines if e.fact == _OPTIONS and (e.group_id, e.number) == (own.group_id, own.number)]
    return bool(mine) and mine[-1].cause == event_id


async def _without_range(work: Work, buy: GroupBuy, own: Pledger) -> GroupBuy:
    """Take a range back with the message that had set it; the maximum stays, which only protects."""
    ranged = next((tranche for tranche in buy.tranches_of(own) if tranche.flex), None)
    if ranged is None:
        return buy
    units = sum(tranche.quantity for tranche in buy.tranches_of(own) if tranche.variant == ranged.variant)
    cause = work.cause
    request = Set(own, units, 0, ranged.max_price, cause.id, cause.position, cause.received_at, ranged.variant or None)
    outcome = group_buy.decide(buy, request)
    return buy if isinstance(outcome, Refusal) else await record(work, buy, outcome, own.number)


async def edited(work: Work, event_id: str) -> None:
    """Tell someone who edits what they had written to the service that the first version counts."""
    buy_id = await work.unit.buys.pledged_by_event(event_id)
    units = 0
    if buy_id is not None:
        buy = await work.unit.buys.get(buy_id)
        own = await _own_pledger(work, buy, work.cause.sender)
        units = buy.units_of(own) if own else 0
    await work.refuse(refuse(Reason.EDITED, units=units))
