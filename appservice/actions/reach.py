"""Whom the service cannot reach: members for whom something waits because they have not accepted its direct room."""

from appservice.actions.desk import tell_desk
from appservice.actions.work import Work
from appservice.domain.duration import DAY_MS
from appservice.domain.effect import direct_lane
from appservice.domain.group import Group
from appservice.domain.member import Presence
from appservice.present.words import seats as say

_AGAIN_MS = 7 * DAY_MS


async def tell_unreached(work: Work, group: Group) -> None:
    """Tell the desk in one line, at most once a day, for whom something has waited for more than a day; of each member
    at most once a week."""
    now = work.unit.now
    waiting = await work.unit.outbox.lanes_held_since(now - DAY_MS)
    unreached = []
    for member in await work.unit.groups.members(group.id) if waiting else []:
        if member.presence is Presence.JOINED and direct_lane(member.user_id) in waiting:
            unreached.append(member)
    subject = f"unreached {group.id}"
    if not unreached or not await work.unit.told.first(subject, f"day {now // DAY_MS}", now):
        return
    week = now // _AGAIN_MS
    fresh = [m for m in unreached if await work.unit.told.first(subject, f"{m.number} week {week}", now)]
    if fresh:
        await tell_desk(work, group, say.unreached([member.alias or "" for member in fresh]))
