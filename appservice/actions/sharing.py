"""Showing a group buy in another group as well: one total and one price over all its rooms."""

from appservice.actions.cards import post_cards
from appservice.actions.desk import note, tell_desk
from appservice.actions.work import Work
from appservice.domain.group import Group, GroupStatus
from appservice.domain.group_buy import Status
from appservice.domain.ids import BuyId, GroupId
from appservice.domain.member import Member, Role
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.present.acknowledge import acknowledge, answer
from appservice.present.words import buys as say


async def share(work: Work, member: Member, buy_id: BuyId, other_id: GroupId) -> Refusal | None:
    """Show a buy of the member's group in another group of which they are a concierge too; its own group's concierges
    go on deciding about it."""
    locked = {id: await work.unit.groups.lock(id) for id in sorted({member.group_id, other_id})}
    owning, other = locked[member.group_id], locked[other_id]
    there = await work.unit.groups.member(other_id, member.user_id)
    if there is None or not _decides_in(other, there):
        return refuse(Reason.NO_OTHER_GROUP, group=other.id)
    if other.room_id is None:
        return refuse(Reason.STILL_CREATING)
    if other.status is not GroupStatus.OPEN:
        return refuse(Reason.GROUP_CLOSING)
    buy = await work.unit.buys.lock(buy_id)
    if buy.group_id != owning.id:
        return refuse(Reason.NO_BUY)
    if not buy.status.is_planned and buy.status is not Status.OPEN:
        return refuse(Reason.NOT_OPEN)
    if other_id == owning.id or not await work.unit.buys.share(buy, other_id):
        return refuse(Reason.ALREADY_SHARED, group=other.name)
    await note(work, owning.id, "shared", actor=member.number, buy=buy.id, group=other.id)
    await note(work, other.id, "shared", actor=there.number, buy=buy.id)
    if not buy.status.is_planned:
        await post_cards(work, buy)
    product = await work.unit.products.get(buy.product_id)
    await work.owe(*acknowledge(work.cause), answer(work.cause, say.buy_shared(product, buy, other)))
    await tell_desk(work, other, say.shared_here(product, buy, other))
    return None


def _decides_in(group: Group, person: Member) -> bool:
    return person.role >= Role.CONCIERGE or group.owner == person.user_id
