"""`!pledge-for`: a concierge writes down what a member asked for in words, and the member's ✅ makes it a pledge."""

from appservice.actions import pledges
from appservice.actions.desk import tell_desk
from appservice.actions.work import Work
from appservice.domain import group_buy
from appservice.domain.cause import Cause, Place, Way
from appservice.domain.duration import DAY_MS
from appservice.domain.effect import SendEvent, Tell
from appservice.domain.group import Group
from appservice.domain.group_buy import GroupBuy, Pledger
from appservice.domain.ids import EventId, RoomId, UserId
from appservice.domain.member import Member, Presence
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.present.acknowledge import acknowledge, answer
from appservice.present.text import ringing
from appservice.present.words import tools as say
from appservice.store.proposals import Proposal
from appservice.store.unit import fresh_id
from appservice.wire import reaction
from appservice.wire.pledge import WholePledge, parse_whole

YES = "✅"
VALID_MS = 3 * DAY_MS
KEPT_MS = 30 * DAY_MS
"""So long a proposal is known, so that a late ✅ is told that it is late."""


async def propose(work: Work, group_id: str, by: Member, to: Member, buy: GroupBuy, words: str) -> Refusal | None:
    """Ask a member whether this is what they pledge. Refuses what they could not pledge themselves at this moment, and
    the same thing a second time."""
    group = await work.unit.groups.lock(group_id)
    if to.presence is not Presence.JOINED or to.number is None or by.number is None:
        return refuse(Reason.NO_SUCH_MEMBER)
    wish = _wish(words, buy)
    if isinstance(wish, Refusal):
        return wish
    outcome = group_buy.decide(buy, pledges.request_for(work, to, wish))
    if isinstance(outcome, Refusal):
        return outcome
    before = await work.unit.proposals.newest(group.id, to.number, buy.id)
    now = work.unit.now
    if before is not None and before.words == words and now < before.made_at + VALID_MS:
        return refuse(Reason.PROPOSED_ALREADY, alias=to.alias)
    made_at = now if before is None else max(now, before.made_at + 1)
    proposal = Proposal(fresh_id(), group.id, to.number, buy.id, words, by.number, made_at)
    await work.unit.proposals.add(proposal)
    product = await work.unit.products.get(buy.product_id)
    text = say.proposal(by, group, product, buy, words, until=made_at + VALID_MS)
    await work.owe(Tell(to.user_id, ringing(text, to.user_id), answer="proposal", subject=proposal.id))
    await work.owe(*acknowledge(work.cause, waiting=True), answer(work.cause, say.proposed(to)))
    return None


def _wish(words: str, buy: GroupBuy) -> WholePledge | Refusal:
    wish = parse_whole(words, buy.terms.currency, buy.terms.variants)
    if isinstance(wish, WholePledge) and pledges.takes_back(wish):  # nobody withdraws for somebody else
        return refuse(Reason.BAD_QUANTITY, most=group_buy.MOST_UNITS)
    return wish


async def sent(work: Work, proposal_id: str, room_id: RoomId, event_id: EventId) -> None:
    """Note which message asks a member, and offer the ✅ on it, unless they have given it already: their reaction may
    be handled before the homeserver has said which message it is."""
    found = await work.unit.proposals.get(proposal_id)
    if found is None:  # its member was forgotten meanwhile
        return
    await work.unit.buys.lock(found.buy_id)  # before the proposal's row, as everybody else does
    await work.unit.proposals.set_event(proposal_id, event_id)
    member = await work.unit.groups.member_by_number(found.group_id, found.number)
    early = await work.unit.told.said(_early(event_id, member.user_id))
    await work.unit.told.forget(_early(event_id, member.user_id))
    if early:
        id, position, received_at = early[0].split()
        cause = Cause(id, int(received_at), int(position), member.user_id, room_id, Place.DIRECT, Way.REACTION)
        await _confirm(Work(work.unit, work.config, cause), found)
    else:
        await work.owe(SendEvent(room_id, reaction.TYPE, reaction.format_reaction(event_id, YES)))


async def confirmed(work: Work, event_id: EventId) -> None:
    """Pledge what was proposed to a person by a message on which they have put a ✅ in their direct room; anything else
    that they have put one on is nothing to us."""
    found = await work.unit.proposals.by_event(event_id)
    if found is not None:
        await _confirm(work, found)
    elif await work.unit.proposals.is_sending_to(work.cause.sender):
        cause = work.cause
        what = f"{cause.id} {cause.position} {cause.received_at}"
        await work.unit.told.first(_early(event_id, cause.sender), what, work.unit.now)


async def _confirm(work: Work, found: Proposal) -> None:
    buy = await work.unit.buys.lock(found.buy_id)  # first: of two ✅ at once, the second sees what the first has done
    proposal = await work.unit.proposals.get(found.id)
    if proposal is None:
        return
    member = await work.unit.groups.member_by_number(proposal.group_id, proposal.number)
    if member.user_id != work.cause.sender:
        return
    refusal = await _outdated(work, proposal, member)
    wish = refusal or _wish(proposal.words, buy)
    if isinstance(wish, Refusal):
        await work.refuse(wish)
        return
    after = await pledges.pledge(work, buy.id, pledges.request_for(work, member, wish))
    if after is not None:
        await work.unit.proposals.confirm(proposal.id)
        group = await work.unit.groups.get(proposal.group_id)
        await _tell(work, group, member, proposal, after)


async def _outdated(work: Work, proposal: Proposal, member: Member) -> Refusal | None:
    if member.presence is not Presence.JOINED:
        return refuse(Reason.NOT_A_MEMBER)
    if not proposal.words:
        return refuse(Reason.PROPOSAL_OVER, why="confirmed", buy=proposal.buy_id)
    newest = await work.unit.proposals.newest(proposal.group_id, proposal.number, proposal.buy_id)
    if newest is not None and newest.id != proposal.id:
        return refuse(Reason.PROPOSAL_OVER, why="replaced", buy=proposal.buy_id)
    if work.cause.received_at >= proposal.made_at + VALID_MS:
        return refuse(Reason.PROPOSAL_OVER, why="expired", buy=proposal.buy_id)
    return None


async def _tell(work: Work, group: Group, member: Member, proposal: Proposal, buy: GroupBuy) -> None:
    product = await work.unit.products.get(buy.product_id)
    waits = group_buy.is_waiting(buy, Pledger(group.id, proposal.number))
    await work.owe(answer(work.cause, say.pledged_for(product, buy, proposal.words, waits=waits)))
    by = await work.unit.groups.member_by_number(group.id, proposal.made_by)
    await tell_desk(work, group, say.confirmed_in_desk(member, by, product, buy, proposal.words))


def _early(event_id: str, user_id: UserId) -> str:
    return f"early {event_id} {user_id}"
