"""The cards of a group buy, one in each group in which it is shown, and its published picture in those rooms' state."""

import json
from typing import Any

from appservice.actions.work import Work
from appservice.domain.duration import HOUR_MS
from appservice.domain.effect import Pin, Redact, SendEvent, SendState
from appservice.domain.fulfilment import Fulfilment
from appservice.domain.group import Group, GroupStatus
from appservice.domain.group_buy import GroupBuy
from appservice.domain.ids import BuyId, EventId, RoomId
from appservice.domain.product import Product
from appservice.present import news
from appservice.present.amounts import time_left_changes_at
from appservice.present.card import card_content, picture_event
from appservice.present.text import edited
from appservice.store.buys import Card
from appservice.wire import group_buy as wire_buy
from appservice.wire import message, reaction

EDIT_GAP_MS = 5_000
"""A card is edited at most once in this time."""


async def showings(work: Work, buy: GroupBuy) -> list[tuple[Group, RoomId]]:
    """Give the groups in which a buy is shown, with their rooms, its own first; none that has been closed."""
    groups = [await work.unit.groups.get(group_id) for group_id in await work.unit.buys.groups_of(buy)]
    return [(group, group.room_id) for group in groups if group.room_id and group.status is not GroupStatus.CLOSED]


async def post_cards(work: Work, buy: GroupBuy) -> None:
    """Post the card in each room of the buy that has none yet."""
    product = await work.unit.products.get(buy.product_id)
    there = {card.room_id for card in await work.unit.buys.cards(buy.id)}
    for group, room_id in await showings(work, buy):
        if room_id not in there:
            await _post_card(work, buy, product, group, room_id)


async def _post_card(work: Work, buy: GroupBuy, product: Product, group: Group, room_id: RoomId) -> None:
    now = work.unit.now
    content = await _content(work, buy, product, group)
    await work.unit.buys.add_card(Card(buy.id, room_id, None, json.dumps(content), now))
    is_old = now - product.posted_at > HOUR_MS or group.id != product.group_id
    if product.picture is not None and is_old:
        await work.owe(picture_event(room_id, product, product.picture))
    await work.owe(SendEvent(room_id, message.TYPE, content, answer="card", subject=buy.id))


async def _content(work: Work, buy: GroupBuy, product: Product, group: Group) -> dict[str, Any]:
    return card_content(buy, product, group, work.unit.now, await work.unit.recommendations.praise(product.id))


async def card_sent(work: Work, buy_id: BuyId, room_id: RoomId, event_id: EventId) -> None:
    """Note which event is the card; pin it, offer the buttons, publish the buy."""
    buy = await work.unit.buys.lock(buy_id)
    await work.unit.buys.set_card_event(buy_id, room_id, event_id)
    if not buy.status.is_live:  # it ended before its card was there
        await edit_cards(work, buy)
        return
    group = next((group for group, shown_in in await showings(work, buy) if shown_in == room_id), None)
    keys = buttons(buy) if group is not None and not group.private_pledges else []
    offers = [SendEvent(room_id, reaction.TYPE, reaction.format_reaction(event_id, key)) for key in keys]
    await work.owe(*offers, Pin(room_id, event_id))
    await publish(work, buy)
    await edit_cards(work, buy)


def buttons(buy: GroupBuy) -> list[str]:
    """Give the reactions by which one can pledge: none that the terms refuse, and a reaction names no variant."""
    return [] if buy.terms.variants else [key for key in reaction.OFFERED if buy.terms.check_units(int(key)) is None]


async def card_removed(work: Work, event_id: EventId) -> bool:
    """Post the card of a live buy anew when somebody has removed it; tells whether it was a card at all."""
    card = await work.unit.buys.card_by_event(event_id)
    if card is None:
        return False
    buy = await work.unit.buys.lock(card.buy_id)
    group = next((group for group, room_id in await showings(work, buy) if room_id == card.room_id), None)
    if buy.status.is_live and group is not None:
        await post_anew(work, buy, group)
    return True


async def post_anew(work: Work, buy: GroupBuy, group: Group, *, remove: bool = False) -> None:
    """Post the card of a buy once more in a group's room: it becomes the pinned, edited one. With `remove`, the one
    before is taken away, and its buttons with it."""
    product = await work.unit.products.get(buy.product_id)
    content = await _content(work, buy, product, group)
    for card in await work.unit.buys.cards(buy.id):
        if card.room_id == group.room_id and card.event_id is not None:
            await work.unit.buys.set_card_shown(buy.id, card.room_id, json.dumps(content), work.unit.now)
            await work.owe(Pin(card.room_id, None, [card.event_id]))
            if remove:
                await work.owe(Redact(card.room_id, card.event_id))
            await work.owe(SendEvent(card.room_id, message.TYPE, content, answer="card", subject=buy.id))


async def result_sent(work: Work, buy_id: BuyId, room_id: RoomId, event_id: EventId) -> None:
    """Note which event says the result, since its lines change where orders end or begin later."""
    await work.unit.buys.set_result(buy_id, room_id, event_id)


async def edit_results(work: Work, buy: GroupBuy, state: Fulfilment) -> None:
    """Bring the lines of the published result up to date."""
    product = await work.unit.products.get(buy.product_id)
    results = await work.unit.buys.results(buy.id)
    for group, room_id in await showings(work, buy):
        if room_id in results and not group.private_pledges:
            content = edited(results[room_id], news.result(buy, product, group, state))
            await work.owe(SendEvent(room_id, message.TYPE, content))


async def refresh_card(work: Work, buy_id: BuyId) -> None:
    """Edit the cards of a buy where they show something else than is true now."""
    await edit_cards(work, await work.unit.buys.lock(buy_id))


async def refresh_soon(work: Work, buy: GroupBuy) -> None:
    """Have the cards edited soon; edits that come close together are merged."""
    cards = await work.unit.buys.cards(buy.id)
    if cards:
        due_at = max(work.unit.now, max(card.edited_at for card in cards) + EDIT_GAP_MS)
        await work.unit.timers.set_earlier("card", buy.id, due_at)


async def edit_cards(work: Work, buy: GroupBuy) -> None:
    """Edit the cards of a locked buy that show something else than is true now."""
    product = await work.unit.products.get(buy.product_id)
    now = work.unit.now
    praise = await work.unit.recommendations.praise(product.id)
    state = await work.unit.orders.get(buy) if buy.status.is_cleared else None
    house = state.house_units() if state else ()
    rooms = {room_id: group for group, room_id in await showings(work, buy)}
    is_repriced = False
    for card in await work.unit.buys.cards(buy.id):
        group = rooms.get(card.room_id)
        if card.event_id is None or group is None:
            continue
        content = card_content(buy, product, group, now, praise, house)
        shown = json.dumps(content)
        if card.shown != shown:
            before = json.loads(card.shown).get(wire_buy.TYPE, {})
            is_repriced |= before.get("unit_price") != content[wire_buy.TYPE].get("unit_price")
            await work.owe(SendEvent(card.room_id, message.TYPE, edited(card.event_id, content)))
            await work.unit.buys.set_card_shown(buy.id, card.room_id, shown, now)
    if is_repriced and buy.status.is_live:  # withdrawing can take a tier away again
        await publish(work, buy)
    changes_at = time_left_changes_at(buy.terms.deadline_at, now)
    if buy.status.is_live and changes_at is not None:
        await work.unit.timers.set_earlier("card", buy.id, changes_at)


async def publish(work: Work, buy: GroupBuy) -> None:
    """Write the buy's published picture into the state of each room in which it is shown."""
    for card in await _cards_in_reach(work, buy):
        content = await picture(work, buy, card.room_id, card.event_id)
        await work.owe(SendState(card.room_id, wire_buy.TYPE, buy.id, content))


async def picture(work: Work, buy: GroupBuy, room_id: RoomId, card: EventId | None) -> dict[str, Any]:
    """Give what is published of a buy in a room, where this event is its card."""
    if await is_encrypted(work, room_id):
        return wire_buy.format_sealed_state(buy, card)
    product = await work.unit.products.get(buy.product_id)
    clearing = buy.clearing()
    return wire_buy.format_state(buy, product, card, clearing.unit_price if clearing else None)


async def is_encrypted(work: Work, room_id: RoomId) -> bool:
    """Tell whether homeservers cannot read messages in a room, but its state all the same."""
    room = await work.unit.rooms.get(room_id)
    return room is not None and room.encryption is not None


async def forget_state(work: Work, buy_id: BuyId) -> None:
    """Take a buy that has ended out of the rooms' state."""
    for card in await _cards_in_reach(work, await work.unit.buys.get(buy_id)):
        await work.owe(SendState(card.room_id, wire_buy.TYPE, buy_id, {}))


async def _cards_in_reach(work: Work, buy: GroupBuy) -> list[Card]:
    """Give the cards of a buy but for those in groups that have been closed, whose rooms the bot has left."""
    rooms = {room_id for _, room_id in await showings(work, buy)}
    return [card for card in await work.unit.buys.cards(buy.id) if card.room_id in rooms]
