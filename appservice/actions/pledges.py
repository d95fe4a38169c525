"""Pledging and withdrawing."""

from appservice.actions.recording import record
from appservice.actions.work import Work
from appservice.domain import group_buy
from appservice.domain.group_buy import Add, Set, Withdraw
from appservice.domain.ids import BuyId
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.present.acknowledge import acknowledge


async def pledge(work: Work, buy_id: BuyId, request: Add | Set | Withdraw) -> None:
    """Add, change or withdraw what a member takes in an open group buy."""
    before = await work.unit.buys.lock(buy_id)
    outcome = group_buy.decide(before, request)
    after = await record(work, before, outcome, request.number)
    if not isinstance(outcome, Refusal):
        own = request.id if isinstance(request, Add) else None
        await work.owe(*acknowledge(work.cause, waiting=group_buy.is_waiting(after, request.number, own)))


async def taken_back(work: Work, event_id: str) -> None:
    """Withdraw what an event added when its author has redacted it; nobody else's redaction counts."""
    buy_id = await work.unit.buys.pledged_by_event(event_id)
    if buy_id is None:
        return
    before = await work.unit.buys.lock(buy_id)
    member = await work.unit.groups.member(before.group_id, work.cause.sender)
    tranche = next((tranche for tranche in before.pledged if tranche.id == event_id), None)
    if member is None or tranche is None or tranche.number != member.number:
        return
    request = Withdraw(tranche.number, work.cause.received_at, id=event_id)
    await record(work, before, group_buy.decide(before, request), tranche.number)


async def edited(work: Work, event_id: str) -> None:
    """Tell someone who edits what they had written to the service that the first version counts."""
    buy_id = await work.unit.buys.pledged_by_event(event_id)
    units = 0
    if buy_id is not None:
        buy = await work.unit.buys.get(buy_id)
        member = await work.unit.groups.member(buy.group_id, work.cause.sender)
        units = buy.units_of(member.number) if member and member.number else 0
    await work.refuse(refuse(Reason.EDITED, units=units))
