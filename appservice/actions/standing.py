"""What a member has open: what concierges see beside a question."""

from appservice.actions.work import Work
from appservice.domain.group import Group
from appservice.domain.group_buy import Status
from appservice.domain.member import Member
from appservice.present.words import standing as say


async def line(work: Work, group: Group, member: Member) -> str:
    """Give a short line about a member's open pledges and orders as a member of this group; empty where there are
    none. What they have in other groups is nothing to this one's concierges."""
    if member.number is None:
        return ""
    pledged = await work.unit.personal.pledged(group.id, member.number)
    live = [one for one in pledged if Status(one.status).is_live]
    return say.standing(live, await work.unit.orders.open_of(group.id, member.number), group)
