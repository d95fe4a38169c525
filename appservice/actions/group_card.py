"""The group's own card, pinned below those of group buys: how to ask, the service hours, the usual answer time."""

import json
from dataclasses import replace
from typing import Any

from appservice.actions.stats import usual_answer_of
from appservice.actions.work import Work
from appservice.domain.duration import DAY_MS
from appservice.domain.effect import Pin, Redact, SendEvent
from appservice.domain.group import Group, GroupStatus
from appservice.domain.ids import EventId, GroupId
from appservice.present.text import edited
from appservice.present.words import hours as say
from appservice.wire import message


async def refresh(work: Work, group: Group) -> Group:
    """Post, edit or take off the card of a locked group, so that it shows what is true now; gives the group with it.

    One that is on its way is edited when it is there.
    """
    if group.room_id is None or group.status is not GroupStatus.OPEN:
        return group
    if not group.hours.are_set:
        return await _take_off(work, group)
    if group.card_shown is None:
        return await post_anew(work, group)
    content = await _content(work, group)
    if group.card_id is None or group.card_shown == json.dumps(content):
        return group
    await work.owe(SendEvent(group.room_id, message.TYPE, edited(group.card_id, content)))
    return await _save(work, replace(group, card_shown=json.dumps(content)))


async def refresh_daily(work: Work, group_id: GroupId) -> None:
    """Bring the card up to date, and look again in a day: the usual answer time changes by itself."""
    group = await refresh(work, await work.unit.groups.lock(group_id))
    if group.card_shown is not None and group.status is GroupStatus.OPEN:
        await work.unit.timers.set("group_card", group_id, work.unit.now + DAY_MS)


async def post_anew(work: Work, group: Group) -> Group:
    """Post the card, in the place of the one before; gives the group with it. To be called where hours are set."""
    if group.room_id is None:
        return group
    content = await _content(work, group)
    if group.card_id is not None:
        await work.owe(Pin(group.room_id, None, [group.card_id]))
    await work.owe(SendEvent(group.room_id, message.TYPE, content, answer="group_card", subject=group.id))
    await work.unit.timers.set_earlier("group_card", group.id, work.unit.now + DAY_MS)
    return await _save(work, replace(group, card_id=None, card_shown=json.dumps(content)))


async def sent(work: Work, group_id: GroupId, event_id: EventId | None) -> None:
    """Note which event is the card and pin it; None where the homeserver would not have it: the next change tries
    again."""
    group = await work.unit.groups.lock(group_id)
    if event_id is None:
        await _save(work, replace(group, card_shown=None))
    elif group.room_id is not None:
        await work.owe(Pin(group.room_id, event_id, last=True))
        await refresh(work, await _save(work, replace(group, card_id=event_id)))


async def removed(work: Work, event_id: EventId) -> bool:
    """Post the card anew where somebody has removed it; tells whether it was one."""
    group_id = await work.unit.groups.by_card(event_id)
    if group_id is None:
        return False
    group = await work.unit.groups.lock(group_id)
    if group.card_id == event_id and group.status is GroupStatus.OPEN:
        await post_anew(work, group)
    return True


async def _take_off(work: Work, group: Group) -> Group:
    if group.room_id is None or group.card_id is None:  # on its way: taken off when it is there
        return group
    await work.owe(Pin(group.room_id, None, [group.card_id]), Redact(group.room_id, group.card_id))
    await work.unit.timers.clear("group_card", group.id)
    return await _save(work, replace(group, card_id=None, card_shown=None))


async def _content(work: Work, group: Group) -> dict[str, Any]:
    return say.group_card(group, await usual_answer_of(work, group))


async def _save(work: Work, group: Group) -> Group:
    await work.unit.groups.save(group)
    return group
