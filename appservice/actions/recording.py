"""`record` is the only writer of a group buy's state, its ledger lines and what follows from its facts."""

from collections.abc import Sequence
from typing import assert_never

from appservice.actions import booking
from appservice.actions.cards import post_cards, publish, refresh_soon, showings
from appservice.actions.desk import tell_desk
from appservice.actions.orders import schedule
from appservice.actions.receipts import send_receipts
from appservice.actions.work import Work
from appservice.domain import fulfilment
from appservice.domain.duration import DAY_MS, HOUR_MS
from appservice.domain.effect import Pin, Tell
from appservice.domain.group_buy import (
    Cancelled,
    ClosingBegun,
    Confirmed,
    Extended,
    Fact,
    Failed,
    GraceGiven,
    GroupBuy,
    Opened,
    OptionsChanged,
    Pledger,
    Scheduled,
    Shortened,
    StatusChanged,
    Succeeded,
    TermsImproved,
    TierReached,
    TrancheAdded,
    UnitsWithdrawn,
    evolve,
)
from appservice.domain.ids import Number
from appservice.domain.refusal import Refusal
from appservice.present import news
from appservice.present.text import notice
from appservice.present.words import buys as say

STATE_KEPT_MS = DAY_MS
"""So long after its end a buy stays in the rooms' state, which every joiner reads in full."""


async def record(work: Work, before: GroupBuy, outcome: Sequence[Fact] | Refusal, actor: Number | None) -> GroupBuy:
    """Write down what was decided of a locked buy, and owe what follows from it; gives the buy afterwards."""
    if isinstance(outcome, Refusal):
        await work.refuse(outcome)
        return before
    after = before
    for fact in outcome:
        after = evolve(after, fact)
    await work.unit.buys.save(before, after)
    for fact in outcome:
        for entry in booking.of_pledging(work, after, fact, actor):
            await work.unit.ledger.append(entry)
        await _follow(work, after, fact)
    await refresh_soon(work, after)
    return after


async def _follow(work: Work, buy: GroupBuy, fact: Fact) -> None:
    match fact:
        case TrancheAdded() | UnitsWithdrawn() | OptionsChanged() | Confirmed() | StatusChanged():
            pass  # the card says it
        case TierReached(tier):
            product = await work.unit.products.get(buy.product_id)
            for group, room_id in await showings(work, buy):
                await work.owe(news.tier_reached(room_id, buy, product, group, tier))
            await publish(work, buy)
        case Scheduled(opens_at):
            await work.unit.timers.set("open", buy.id, opens_at)
        case Opened():
            await work.unit.timers.clear("open", buy.id)
            await _set_timers(work, buy)
            await post_cards(work, buy)
        case TermsImproved(terms):
            if buy.status.is_planned and terms.opens_at is not None:
                await work.unit.timers.set("open", buy.id, terms.opens_at)
            await publish(work, buy)
        case Extended() | Shortened() | GraceGiven():
            await _deadline_moved(work, buy, fact)
        case ClosingBegun():
            await work.unit.timers.set("deadline", buy.id, work.unit.now)
        case Succeeded():
            state = fulfilment.begin(buy, fact)
            await work.unit.orders.save(None, state, work.unit.now)
            await schedule(work, state)
            await send_receipts(work, buy, fact, state)
            await _end(work, buy)
        case Failed():
            await _tell_failed(work, buy)
            await _end(work, buy)
        case Cancelled(reason):
            await _tell_cancelled(work, buy, reason)
            await _end(work, buy)
        case _:
            assert_never(fact)


async def _set_timers(work: Work, buy: GroupBuy) -> None:
    deadline_at = buy.terms.deadline_at
    await work.unit.timers.set("deadline", buy.id, deadline_at)
    if deadline_at - work.unit.now > 2 * HOUR_MS:
        await work.unit.timers.set("hour", buy.id, deadline_at - HOUR_MS)
    else:
        await work.unit.timers.clear("hour", buy.id)


async def _deadline_moved(work: Work, buy: GroupBuy, fact: Extended | Shortened | GraceGiven) -> None:
    """Say where the buy is shown when it closes now; who pledged only up to a price has to agree to a later date."""
    await _set_timers(work, buy)
    product = await work.unit.products.get(buy.product_id)
    is_grace = isinstance(fact, GraceGiven)
    for group, room_id in [] if isinstance(fact, GraceGiven) and fact.quiet else await showings(work, buy):
        await work.owe(news.deadline_moved(room_id, buy, product, group, is_grace=is_grace))
    for pledger in fact.suspended if isinstance(fact, Extended) else ():
        group = await work.unit.groups.get(pledger.group_id)
        member = await work.unit.groups.member_by_number(*_key(pledger))
        await work.owe(Tell(member.user_id, notice(say.confirm_deadline(product, buy, group))))
    await publish(work, buy)


async def _end(work: Work, buy: GroupBuy) -> None:
    """Take no more pledges: the timers go, the published picture says so, the card is no longer pinned."""
    await work.unit.timers.clear("hour", buy.id)
    await work.unit.timers.clear("deadline", buy.id)
    await work.unit.timers.clear("open", buy.id)
    await work.unit.timers.set("state", buy.id, work.unit.now + STATE_KEPT_MS)
    await publish(work, buy)
    cards = await work.unit.buys.cards(buy.id)
    await work.owe(*(Pin(card.room_id, None, [card.event_id]) for card in cards if card.event_id))


async def _tell_failed(work: Work, buy: GroupBuy) -> None:
    product = await work.unit.products.get(buy.product_id)
    for _, room_id in await showings(work, buy):
        await work.owe(news.failed(room_id, buy, product))
    for pledger in buy.pledgers():
        member = await work.unit.groups.member_by_number(*_key(pledger))
        await work.owe(news.not_included(member.user_id, buy, product, None, pledger))


async def _tell_cancelled(work: Work, buy: GroupBuy, reason: str) -> None:
    """Say that a buy was called off before it had cleared; after that see actions.orders."""
    product = await work.unit.products.get(buy.product_id)
    shown = {card.room_id for card in await work.unit.buys.cards(buy.id)}  # in no room before it has opened
    for _, room_id in await showings(work, buy):
        if room_id in shown:
            await work.owe(news.cancelled(room_id, buy, product, reason))
    for pledger in buy.pledgers():
        member = await work.unit.groups.member_by_number(*_key(pledger))
        await work.owe(Tell(member.user_id, notice(say.cancelled_for_you(product, reason))))
    owner = await work.unit.groups.get(buy.group_id)
    await tell_desk(work, owner, say.buy_cancelled(product, buy, reason))


def _key(pledger: Pledger) -> tuple[str, Number]:
    return pledger.group_id, pledger.number
