"""Opening, showing and ending group buys."""

import json

from appservice.actions.recording import STATE_KEPT_MS, publish, record
from appservice.actions.work import Work
from appservice.domain import group_buy
from appservice.domain.duration import HOUR_MS
from appservice.domain.effect import Pin, SendEvent, SendState
from appservice.domain.group_buy import Close, GroupBuy, Settle, Terms, check_terms
from appservice.domain.ids import BuyId, EventId, RoomId
from appservice.domain.member import Member
from appservice.domain.product import Product
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.present import news
from appservice.present.acknowledge import acknowledge
from appservice.present.amounts import time_left_changes_at
from appservice.present.card import card_content, picture_event
from appservice.present.text import edited, notice
from appservice.present.words import buys as say
from appservice.store.buys import Card
from appservice.store.ledger import Entry
from appservice.store.unit import fresh_id
from appservice.wire import group_buy as wire_buy
from appservice.wire import message, reaction

DRAIN_MS = 300_000
"""At most so long after the deadline, what was journaled before it is waited for."""
_DRAIN_POLL_MS = 200


async def open_buy(work: Work, member: Member, product: Product, terms: Terms) -> Refusal | None:
    """Open a group buy of a product and post its card."""
    group = await work.unit.groups.lock(member.group_id)
    if group.room_id is None or member.number is None:
        return refuse(Reason.STILL_CREATING)
    refusal = check_terms(terms, work.cause.received_at)
    if refusal is not None:
        return refusal
    if terms.tiers[0].unit_price > product.price:
        return refuse(Reason.BAD_TIERS, why="above_price", price=product.price, currency=product.currency)
    for other in await work.unit.buys.live_of(group.id):
        if (await work.unit.buys.get(other)).product_id == product.id:
            return refuse(Reason.ALREADY_OPEN, buy=other)
    now = work.unit.now
    buy = GroupBuy(BuyId(fresh_id()), group.id, product.id, terms, member.number, now)
    await work.unit.buys.add(buy)
    detail = {"product": product.id, "tiers": [[t.minimum, t.unit_price] for t in terms.tiers]}
    await work.unit.ledger.append(
        Entry(group.id, "opened", buy.id, detail=detail, actor=member.number, cause=work.cause.id, at=now)
    )
    await work.unit.timers.set("deadline", buy.id, terms.deadline_at)
    if terms.deadline_at - now > 2 * HOUR_MS:
        await work.unit.timers.set("hour", buy.id, terms.deadline_at - HOUR_MS)
    content = card_content(buy, product, group, now)
    await work.unit.buys.add_card(Card(buy.id, group.room_id, None, json.dumps(content), now))
    if product.picture is not None and now - product.posted_at > HOUR_MS:
        await work.owe(picture_event(group.room_id, product.picture, product.name))
    await work.owe(SendEvent(group.room_id, message.TYPE, content, answer="card", subject=buy.id))
    await work.owe(*acknowledge(work.cause))
    return None


async def card_sent(work: Work, buy_id: BuyId, room_id: RoomId, event_id: EventId) -> None:
    """Note which event is the card; pin it, offer the buttons, publish the buy."""
    buy = await work.unit.buys.lock(buy_id)
    await work.unit.buys.set_card_event(buy_id, room_id, event_id)
    offers = [SendEvent(room_id, reaction.TYPE, reaction.format_reaction(event_id, key)) for key in reaction.OFFERED]
    await work.owe(*offers, Pin(room_id, event_id))
    await publish(work, buy)
    await _edit_cards(work, buy)


async def card_removed(work: Work, event_id: EventId) -> bool:
    """Post the card of a live buy anew when somebody has removed it; tells whether it was a card at all."""
    card = await work.unit.buys.card_by_event(event_id)
    if card is None:
        return False
    buy = await work.unit.buys.lock(card.buy_id)
    if buy.status.is_live:
        product = await work.unit.products.get(buy.product_id)
        group = await work.unit.groups.get(buy.group_id)
        content = card_content(buy, product, group, work.unit.now)
        await work.unit.buys.set_card_shown(buy.id, card.room_id, json.dumps(content), work.unit.now)
        await work.owe(
            Pin(card.room_id, None, [event_id]),
            SendEvent(card.room_id, message.TYPE, content, answer="card", subject=buy.id),
        )
    return True


async def refresh_card(work: Work, buy_id: BuyId) -> None:
    """Edit the cards of a buy where they show something else than is true now."""
    await _edit_cards(work, await work.unit.buys.lock(buy_id))


async def _edit_cards(work: Work, buy: GroupBuy) -> None:
    product = await work.unit.products.get(buy.product_id)
    group = await work.unit.groups.get(buy.group_id)
    now = work.unit.now
    content = card_content(buy, product, group, now)
    shown = json.dumps(content)
    for card in await work.unit.buys.cards(buy.id):
        if card.event_id is not None and card.shown != shown:
            await work.owe(SendEvent(card.room_id, message.TYPE, edited(card.event_id, content)))
            await work.unit.buys.set_card_shown(buy.id, card.room_id, shown, now)
    changes_at = time_left_changes_at(buy.terms.deadline_at, now)
    if buy.status.is_live and changes_at is not None:
        await work.unit.timers.set_earlier("card", buy.id, changes_at)


async def close(work: Work, member: Member, buy_id: BuyId) -> None:
    """End a buy now: what was journaled before still counts, and so does what came in the same transaction, since
    that was journaled at the same moment."""
    before = await work.unit.buys.lock(buy_id)
    outcome = group_buy.decide(before, Close(work.cause.received_at + 1))
    await record(work, before, outcome, member.number)
    if not isinstance(outcome, Refusal):
        await work.owe(*acknowledge(work.cause))


async def settle(work: Work, buy_id: BuyId) -> None:
    """Clear a buy whose deadline has passed, once everything journaled before the deadline has been handled."""
    buy = await work.unit.buys.lock(buy_id)
    deadline_at, now = buy.terms.deadline_at, work.unit.now
    if not buy.status.is_live:
        return
    if now < deadline_at:
        await work.unit.timers.set("deadline", buy_id, deadline_at)
    elif now < deadline_at + DRAIN_MS and await work.unit.inbox.is_waiting_before(deadline_at, buy.group_id):
        await work.unit.timers.set("deadline", buy_id, now + _DRAIN_POLL_MS)
    else:
        ids = [fresh_id(8) for _ in range(2 * len(buy.numbers()))]
        await record(work, buy, group_buy.decide(buy, Settle(ids)), None)


async def forget_state(work: Work, buy_id: BuyId) -> None:
    """Take a buy that has ended out of the rooms' state."""
    for card in await work.unit.buys.cards(buy_id):
        await work.owe(SendState(card.room_id, wire_buy.TYPE, buy_id, {}))


async def announce_last_hour(work: Work, buy_id: BuyId) -> None:
    """Say that a buy closes in an hour."""
    buy = await work.unit.buys.lock(buy_id)
    group = await work.unit.groups.get(buy.group_id)
    left = buy.terms.deadline_at - work.unit.now  # far less than an hour where the service was down meanwhile
    if buy.status is group_buy.Status.OPEN and group.room_id and left > HOUR_MS * 3 // 4:
        product = await work.unit.products.get(buy.product_id)
        await work.owe(news.last_hour(group.room_id, buy, product, group))


def _is_in_state(buy: GroupBuy, now: int) -> bool:
    return buy.status.is_live or now < buy.terms.deadline_at + STATE_KEPT_MS


async def restore_state(work: Work, state_key: str) -> None:
    """Put a buy's published picture back after somebody else has written to it, and say so in the desk.

    A state key that is a user's id names no buy, and nobody but that user may write to it.
    """
    room = await work.unit.rooms.get(work.cause.room_id)
    if room is None or state_key.startswith("@"):
        return
    group = await work.unit.groups.get(room.subject)
    buy = await work.unit.buys.find(state_key)
    if buy is not None and buy.group_id == group.id and _is_in_state(buy, work.unit.now):
        await publish(work, buy)
    else:
        await work.owe(SendState(work.cause.room_id, wire_buy.TYPE, state_key, {}))
    if group.desk_id is not None:
        await work.owe(SendEvent(group.desk_id, message.TYPE, notice(say.state_restored())))
