"""`record` is the only writer of a group buy's state, its ledger lines and what follows from its facts."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import assert_never

from appservice.actions.work import Work
from appservice.domain.duration import DAY_MS
from appservice.domain.effect import Effect, Pin, SendState
from appservice.domain.group import Group
from appservice.domain.group_buy import (
    ClosingBegun,
    Fact,
    Failed,
    GroupBuy,
    OptionsChanged,
    Order,
    Succeeded,
    TierReached,
    TrancheAdded,
    UnitsWithdrawn,
    evolve,
)
from appservice.domain.ids import Number
from appservice.domain.member import Member
from appservice.domain.product import Product
from appservice.domain.refusal import Refusal
from appservice.present import news
from appservice.store.ledger import Entry
from appservice.wire import group_buy as wire_buy

STATE_KEPT_MS = DAY_MS
"""So long after its end a buy stays in the rooms' state, which every joiner reads in full."""
EDIT_GAP_MS = 5_000
"""A card is edited at most once in this time."""


async def record(work: Work, before: GroupBuy, outcome: Sequence[Fact] | Refusal, actor: Number | None) -> GroupBuy:
    """Write down what was decided, and owe what follows from it; gives the buy afterwards."""
    if isinstance(outcome, Refusal):
        await work.refuse(outcome)
        return before
    after = before
    for fact in outcome:
        after = evolve(after, fact)
    await work.unit.buys.save(before, after)
    for fact in outcome:
        for entry in _entries(work, after, fact, actor):
            await work.unit.ledger.append(entry)
        await _follow(work, after, fact)
    await refresh_soon(work, after)
    return after


def _entries(work: Work, buy: GroupBuy, fact: Fact, actor: Number | None) -> list[Entry]:
    def line(name: str, number: Number | None = None, units: int = 0, amount: int = 0, **detail: object) -> Entry:
        return Entry(
            buy.group_id, name, buy.id, number, units, amount, buy.terms.currency, detail, actor,
            work.cause.id, work.unit.now,
        )  # fmt: skip

    match fact:
        case TrancheAdded(tranche):
            pledged = line("pledged", tranche.number, tranche.quantity, tranche=tranche.id, max=tranche.max_price)
            return [pledged]
        case UnitsWithdrawn(id, number, units):
            return [line("withdrawn", number, -units, tranche=id)]
        case OptionsChanged(number, flex, max_price):
            return [line("options", number, flex=flex, max=max_price)]
        case TierReached(tier):
            return [line("tier_reached", **asdict(tier))]
        case ClosingBegun(deadline_at):
            return [line("closing", deadline_at=deadline_at)]
        case Failed():
            return [line("failed")]
        case Succeeded(clearing, orders):
            head = line("succeeded", unit_price=clearing.unit_price, total=clearing.total)
            return [head, *(line("order", o.number, o.units, o.total, order=o.id) for o in orders)]
        case _:
            assert_never(fact)


async def _follow(work: Work, buy: GroupBuy, fact: Fact) -> None:
    match fact:
        case TierReached(tier):
            group, product = await _setting(work, buy)
            if group.room_id is not None:
                await work.owe(news.tier_reached(group.room_id, buy, product, group, tier))
            await publish(work, buy)
        case ClosingBegun():
            await work.unit.timers.set("deadline", buy.id, work.unit.now)
        case Succeeded():
            await _finish(work, buy, fact)
        case Failed():
            await _finish(work, buy, None)


async def _finish(work: Work, buy: GroupBuy, success: Succeeded | None) -> None:
    """Tell the room, the desk and every pledger how the buy has ended."""
    group, product = await _setting(work, buy)
    await work.unit.timers.clear("hour", buy.id)
    await work.unit.timers.set("state", buy.id, work.unit.now + STATE_KEPT_MS)
    orders = {order.number: order for order in success.orders} if success else {}
    if success is not None:
        await work.unit.buys.add_orders(buy, success.orders, work.unit.now)
    if group.room_id is not None:
        end = news.succeeded(group.room_id, buy, product, group, success) if success else None
        await work.owe(end or news.failed(group.room_id, buy, product))
    await publish(work, buy)
    for number in buy.numbers():
        member = await work.unit.groups.member_by_number(group.id, number)
        order = orders.get(number)
        await work.owe(_last_word(work, member, buy, product, group, success, number, order))
    if success is not None and group.desk_id is not None:
        aliases = {m.number: m.alias or "" for m in await work.unit.groups.members(group.id) if m.number}
        await work.owe(news.desk_summary(group.desk_id, buy, product, group, success, aliases))
    cards = await work.unit.buys.cards(buy.id)
    await work.owe(*(Pin(card.room_id, None, [card.event_id]) for card in cards if card.event_id))


def _last_word(
    work: Work, member: Member, buy: GroupBuy, product: Product, group: Group, success: Succeeded | None,
    number: Number, order: Order | None,
) -> Effect:  # fmt: skip
    if order is None:
        return news.not_included(member.user_id, buy, product, success.clearing if success else None, number)
    link = news.purchase_link(work.config.purchase.link, buy, product, order)
    return news.receipt(member, buy, product, group, order, buy.units_of(number), link)


async def publish(work: Work, buy: GroupBuy) -> None:
    """Write the buy's published picture into the state of each room in which it is shown."""
    _, product = await _setting(work, buy)
    clearing = buy.clearing()
    unit_price = clearing.unit_price if clearing else None
    for card in await work.unit.buys.cards(buy.id):
        content = wire_buy.format_state(buy, product, card.event_id, unit_price)
        await work.owe(SendState(card.room_id, wire_buy.TYPE, buy.id, content))


async def refresh_soon(work: Work, buy: GroupBuy) -> None:
    """Have the cards edited soon; edits that come close together are merged."""
    cards = await work.unit.buys.cards(buy.id)
    if cards:
        due_at = max(work.unit.now, max(card.edited_at for card in cards) + EDIT_GAP_MS)
        await work.unit.timers.set_earlier("card", buy.id, due_at)


async def _setting(work: Work, buy: GroupBuy) -> tuple[Group, Product]:
    group = await work.unit.groups.get(buy.group_id)
    return group, await work.unit.products.get(buy.product_id)
