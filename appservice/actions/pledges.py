"""Pledging and withdrawing."""

from dataclasses import replace

from appservice.actions.buys import opened_by_now
from appservice.actions.recording import record
from appservice.actions.work import Work
from appservice.domain import group_buy
from appservice.domain.group_buy import Add, Confirm, GroupBuy, Pledger, Set, Withdraw
from appservice.domain.ids import BuyId, UserId
from appservice.domain.member import Member
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.present.acknowledge import acknowledge


def pledger_of(member: Member) -> Pledger:
    """Give who a member is in a group buy. Raises LookupError for somebody who has never joined."""
    if member.number is None:
        raise LookupError("who has joined has a number")
    return Pledger(member.group_id, member.number)


async def pledge(work: Work, buy_id: BuyId, request: Add | Set | Withdraw | Confirm) -> None:
    """Add, change, withdraw or confirm what a member takes in an open group buy."""
    before = await opened_by_now(work, await work.unit.buys.lock(buy_id))
    known = await _own_pledger(work, before, work.cause.sender)
    if known is not None:
        request = replace(request, pledger=known)
    outcome = group_buy.decide(before, request)
    after = await record(work, before, outcome, request.pledger.number)
    if not isinstance(outcome, Refusal):
        own = request.id if isinstance(request, Add) else None
        await work.owe(*acknowledge(work.cause, waiting=group_buy.is_waiting(after, request.pledger, own)))


async def _own_pledger(work: Work, buy: GroupBuy, user_id: UserId) -> Pledger | None:
    """Give as whom a person takes part already: who is in several of a buy's groups has one pledge all the same."""
    for group_id in await work.unit.buys.groups_of(buy):
        member = await work.unit.groups.member(group_id, user_id)
        if member is not None and member.number is not None and buy.tranches_of(pledger_of(member)):
            return pledger_of(member)
    return None


async def taken_back(work: Work, event_id: str) -> None:
    """Withdraw what an event added when its author has redacted it; nobody else's redaction counts."""
    buy_id = await work.unit.buys.pledged_by_event(event_id)
    if buy_id is None:
        return
    before = await work.unit.buys.lock(buy_id)
    own = await _own_pledger(work, before, work.cause.sender)
    tranche = next((tranche for tranche in before.pledged if tranche.id == event_id), None)
    if own is None or tranche is None or tranche.pledger != own:
        return
    request = Withdraw(own, work.cause.received_at, id=event_id)
    await record(work, before, group_buy.decide(before, request), own.number)


async def edited(work: Work, event_id: str) -> None:
    """Tell someone who edits what they had written to the service that the first version counts."""
    buy_id = await work.unit.buys.pledged_by_event(event_id)
    units = 0
    if buy_id is not None:
        buy = await work.unit.buys.get(buy_id)
        own = await _own_pledger(work, buy, work.cause.sender)
        units = buy.units_of(own) if own else 0
    await work.refuse(refuse(Reason.EDITED, units=units))
