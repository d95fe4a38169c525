"""What stands in a group's room under the state keys of buys, and putting it right."""

from typing import Any

from appservice.actions.cards import picture
from appservice.actions.desk import tell_desk
from appservice.actions.guarding import somebody, watched
from appservice.actions.work import Work
from appservice.domain.effect import SendState
from appservice.domain.group import Group
from appservice.domain.group_buy import GroupBuy
from appservice.present.words import buys as say
from appservice.wire import group_buy as wire_buy
from appservice.wire.room_state import RoomState


async def shown_here(work: Work, group: Group, buy_id: str | None) -> GroupBuy | None:
    """Give a buy that is shown in a group."""
    buy = await work.unit.buys.find(buy_id) if buy_id else None
    return buy if buy is not None and group.id in await work.unit.buys.groups_of(buy) else None


async def picture_here(work: Work, group: Group, state_key: str) -> dict[str, Any] | None:
    """Give what has to stand in a group's room under a state key; None while the buy's card is on its way, with which
    the picture comes."""
    buy = await shown_here(work, group, state_key)
    if buy is None or not await _is_published(work, buy):
        return {}
    for card in await work.unit.buys.cards(buy.id):
        if card.room_id == group.room_id:
            return await picture(work, buy, card.room_id, card.event_id) if card.event_id else None
    return await picture(work, buy, group.room_id, None) if group.room_id else {}


async def _is_published(work: Work, buy: GroupBuy) -> bool:
    """Tell whether a buy is in the rooms' state: until a day after its end."""
    is_ahead = buy.status.is_planned or buy.status.is_live
    return is_ahead or await work.unit.timers.due_at("state", buy.id) is not None


async def compare_pictures(work: Work, group: Group, room: RoomState) -> None:
    """Put the published pictures in a group's room right where they differ from what is true: somebody removed one,
    or an event got lost."""
    shown = await work.unit.buys.live_of(group.id)
    found = {key for type, key in room.events if type == wire_buy.TYPE and not key.startswith("@")}
    for state_key in sorted({*shown, *found}):
        stands = await picture_here(work, group, state_key)
        if stands is None or stands == room.content(wire_buy.TYPE, state_key):
            continue
        await work.owe(SendState(room.room_id, wire_buy.TYPE, state_key, stands))
        event = room.events.get((wire_buy.TYPE, state_key))
        if event is not None and not event.content and event.sender != work.config.bot_mxid:
            who = await somebody(work, group, event.sender)
            if await work.unit.told.first(watched(group.id), f"picture by {who.number}", work.unit.now):
                await tell_desk(work, group, say.picture_removed(who.name))
