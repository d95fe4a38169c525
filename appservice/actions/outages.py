"""The service was not there when a group buy was to close: it gives grace, and waits for what the homeserver holds
back. All of that has come when the event that the bot sends to itself at its start has come back, since a homeserver
delivers in order."""

from appservice.actions import booking, catching_up
from appservice.actions.desk import tell_desk
from appservice.actions.recording import record
from appservice.actions.work import Work
from appservice.domain import group_buy
from appservice.domain.duration import MINUTE_MS
from appservice.domain.group import Group
from appservice.domain.group_buy import Cancel, Close, Grace, GraceGiven, GroupBuy, Status
from appservice.present.words import outages as say
from appservice.store.settings import CAUGHT_UP_AT, STARTED_AT

MOST_GRACES = 8
"""So often a buy is given more time after one start; then it closes, whatever the homeserver may still hold back."""

BEHIND_MS = 10 * MINUTE_MS
"""So long after a start what is held back is waited for at most, before people are reminded of anything."""


async def begin(work: Work, heard_at: int) -> int:
    """Note that the service works from now on, give grace to the open buys whose deadline has passed meanwhile, and
    call off those that were to open as well; nothing of this run may be handled before. Gives the time (ms) of the
    start; `heard_at` (ms) is when anything was journaled last before it."""
    now = work.unit.now
    await work.unit.settings.put(STARTED_AT, str(now))
    await catching_up.begin(work, heard_at)
    for buy_id in await work.unit.buys.overdue(now):
        buy = await work.unit.buys.lock(buy_id)
        if buy.status is Status.SCHEDULED:
            await call_off(work, buy)
        else:
            await _give_grace(work, buy, quiet=False)
    return now


async def call_off(work: Work, buy: GroupBuy) -> None:
    """Cancel a locked buy whose deadline has passed before it could open: nobody has seen it."""
    await record(work, buy, group_buy.decide(buy, Cancel(say.never_opened(), buy.opened_by)), None)


async def came_back(work: Work, started_at: int | None) -> None:
    """Note that all has been journaled that the homeserver had for us before the last start. What is missing now will
    never come by itself."""
    if started_at != await _setting(work, STARTED_AT):
        return
    if not await _caught_up_at(work):
        await work.unit.settings.put(CAUGHT_UP_AT, str(work.cause.received_at))
    await catching_up.look_back(work)


async def cut_off(work: Work) -> None:
    """Look up what the homeserver may forget: it has gone before it had the answer to a transaction. Until it is back
    we are as far behind as after a start."""
    await work.unit.settings.put(CAUGHT_UP_AT, "")
    await catching_up.cut_off(work, await _setting(work, STARTED_AT))


async def prolonged(work: Work, buy: GroupBuy) -> bool:
    """Give a locked open buy whose deadline has come more time, unless all that was written while the service was not
    running had been journaled before; tells whether it did."""
    started_at = await _setting(work, STARTED_AT)
    caught_up_at = await _caught_up_at(work)
    if not started_at or (caught_up_at and caught_up_at < buy.terms.deadline_at):
        return False
    grace = booking.NAMES[GraceGiven]
    given = [entry for entry in await work.unit.ledger.of_buy(buy.id) if entry.fact == grace and entry.at >= started_at]
    if len(given) > MOST_GRACES:
        await _give_up(work, buy)
    else:
        await catching_up.ask_for_sign(work, started_at)
        buy = await _give_grace(work, buy, quiet=bool(given))
        if len(given) == 1:
            group, product = await work.unit.groups.get(buy.group_id), await work.unit.products.get(buy.product_id)
            await tell_desk(work, group, say.still_waiting(product, buy, group))
    return True


async def is_behind(work: Work, group: Group) -> bool:
    """Tell whether something that was written in a group while the service was not running may still be on its way, or
    is not acted on yet."""
    started_at = await _setting(work, STARTED_AT)
    if not started_at or work.unit.now - started_at >= BEHIND_MS:
        return False
    if not await _caught_up_at(work):
        return True
    rooms = [room_id for room_id in (group.room_id, group.desk_id) if room_id is not None]
    return any([await work.unit.inbox.is_busy(one) or await work.unit.outbox.is_waiting(one) for one in rooms])


async def _give_grace(work: Work, buy: GroupBuy, *, quiet: bool) -> GroupBuy:
    now = work.unit.now
    request = Grace(now + work.config.groups.grace_minutes * MINUTE_MS, now, quiet)
    return await record(work, buy, group_buy.decide(buy, request), None)


async def _give_up(work: Work, buy: GroupBuy) -> None:
    """Close the buy: it is settled when its timer is due again, which is at once."""
    await record(work, buy, group_buy.decide(buy, Close(buy.terms.deadline_at)), None)
    group, product = await work.unit.groups.get(buy.group_id), await work.unit.products.get(buy.product_id)
    await tell_desk(work, group, say.waited_enough(product, buy))


async def _caught_up_at(work: Work) -> int:
    """Give when (ms) all had been journaled that was held back at the last start; 0 while some of it has not."""
    caught_up_at = await _setting(work, CAUGHT_UP_AT)
    return caught_up_at if caught_up_at >= await _setting(work, STARTED_AT) else 0


async def _setting(work: Work, name: str) -> int:
    return int(await work.unit.settings.get(name) or 0)
