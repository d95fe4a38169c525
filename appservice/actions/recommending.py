"""Recommendations and likes of products, and what they led to. The member's own message is all that is posted."""

from appservice.actions.cards import refresh_soon
from appservice.actions.desk import note
from appservice.actions.work import Work
from appservice.domain.group import Group
from appservice.domain.ids import EventId, GroupId
from appservice.domain.member import Presence
from appservice.domain.pledger import Pledger
from appservice.domain.product import Product
from appservice.domain.recommendation import Recommendation, credit
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.present.acknowledge import acknowledge, answer
from appservice.present.words import recommendations as say

MOST_TOLD = 20
"""So many recommendations, and so many group buys, are told of a product."""


async def recommend(work: Work, product: Product, why: str) -> Refusal | None:
    """Count a member's recommendation of a product; what they had said of it before is replaced."""
    by = await _as_whom(work, await _groups_of(work, product))
    if by is None:
        return refuse(Reason.NOT_A_MEMBER)
    said = Recommendation(product.id, by, why, work.cause.event_id, work.unit.now)
    if await work.unit.recommendations.put(said):
        await note(work, by.group_id, "recommended", number=by.number, product=product.id)
    await work.owe(*acknowledge(work.cause))
    await _refresh(work, product)
    return None


async def like(work: Work, event_id: EventId) -> None:
    """Count a member's like of the product that a card shows, or of which it shows a group buy."""
    product = await product_of_card(work, event_id)
    by = await _as_whom(work, await _groups_of(work, product)) if product else None
    if product is not None and by is not None:
        await work.unit.recommendations.like(work.cause.event_id, product.id, by)
        await _refresh(work, product)


async def taken_back(work: Work, event_id: EventId) -> bool:
    """Forget the recommendation or like that was removed, whoever did it; tells whether it was one."""
    product_id = await work.unit.recommendations.by_event(event_id)
    if product_id is None:
        return False
    await work.unit.recommendations.drop(event_id)
    await _refresh(work, await work.unit.products.get(product_id))
    return True


async def product_of_card(work: Work, event_id: EventId) -> Product | None:
    """Give the product that a card shows, or of which it shows a group buy."""
    buy_id = await work.unit.buys.shown_by(event_id)
    if buy_id is None:
        return await work.unit.products.by_event(event_id)
    return await work.unit.products.get((await work.unit.buys.get(buy_id)).product_id)


async def tell_history(work: Work, group: Group, product: Product) -> None:
    """Tell a concierge what came of a product: its group buys, who recommends it, and what followed that."""
    unit = work.unit
    bought = await unit.recommendations.bought(product.id)
    said = await unit.recommendations.of_product(product.id)
    praises = [
        say.Praised(one, await _called(work, group, one.by), credit(one, bought)) for one in said[:MOST_TOLD]
    ]  # fmt: skip
    buy_ids = await unit.buys.of_product(product.id)
    courses = []
    for buy_id in buy_ids[:MOST_TOLD]:
        buy = await unit.buys.get(buy_id)
        courses.append((buy, await unit.orders.get(buy)))
    posted_by = await _called(work, group, Pledger(product.group_id, product.posted_by))
    praise = await unit.recommendations.praise(product.id)
    more = (len(said) - len(praises), len(buy_ids) - len(courses))
    text = say.history(product, group, posted_by, praise, praises, courses, more)
    await work.owe(*acknowledge(work.cause), answer(work.cause, text))


async def _called(work: Work, group: Group, who: Pledger) -> str:
    if who.group_id != group.id:
        return "a member of another group"
    member = await work.unit.groups.member_by_number(who.group_id, who.number)
    return member.alias or f"Member {member.number}"


async def _groups_of(work: Work, product: Product) -> list[GroupId]:
    """Give the groups in which a product or a group buy of it is shown, its own first."""
    found = {product.group_id: None}
    for buy_id in await work.unit.buys.of_product(product.id):
        found |= dict.fromkeys(await work.unit.buys.groups_of(await work.unit.buys.get(buy_id)))
    return list(found)


async def _as_whom(work: Work, groups: list[GroupId]) -> Pledger | None:
    """Give as whom a person speaks: who is in several of the groups speaks once, as a member of the first."""
    for group_id in groups:
        member = await work.unit.groups.member(group_id, work.cause.sender)
        if member is not None and member.presence is Presence.JOINED and member.number is not None:
            return Pledger(group_id, member.number)
    return None


async def _refresh(work: Work, product: Product) -> None:
    """Have the cards say it, with their next edit."""
    for buy_id in await work.unit.buys.of_product(product.id):
        buy = await work.unit.buys.get(buy_id)
        if buy.status.is_live:
            await refresh_soon(work, buy)
